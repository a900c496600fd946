"""Atomic writes: whatever kills the process, the file holds the old content or the new."""

import os
import signal
import subprocess
import sys
import time

import pytest

from rlsuite.files import write_atomically


def test_replaces_content_and_leaves_no_temporary_file(tmp_path):
    target = tmp_path / "deep" / "file.bin"
    write_atomically(target, b"old")
    write_atomically(target, "new")
    assert target.read_text() == "new"
    assert [p.name for p in target.parent.iterdir()] == ["file.bin"]


def test_permissions_follow_the_umask(tmp_path):
    previous = os.umask(0o027)
    try:
        write_atomically(tmp_path / "file", b"x")
    finally:
        os.umask(previous)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_failure_keeps_the_old_content(tmp_path, monkeypatch):
    target = tmp_path / "file"
    write_atomically(target, b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space") as failed:
        write_atomically(target, b"new")
    assert failed.value.filename == str(target)  # not that of the temporary file
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_killed_writer_leaves_a_whole_checkpoint(tmp_path):
    """Kill a process that saves an agent in a loop; the file always loads."""
    from rlsuite.agents.tabular.td_control import QLearning

    script = f"""
from rlsuite.agents.tabular.td_control import QLearning
agent = QLearning("Taxi-v4", seed=0)
agent.save({str(tmp_path / "agent")!r})
print("ready", flush=True)
while True:
    agent.memory.q[:] += 1.0
    agent.save({str(tmp_path / "agent")!r})
"""
    for delay in (0.0, 0.03, 0.1):
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            time.sleep(delay)
            os.kill(process.pid, signal.SIGKILL)
        q = QLearning.load(tmp_path / "agent.safetensors").action_values
        assert (q == q[0, 0]).all()  # one whole state of the table, never a mixture
