"""Ctrl-C while Gymnasium is still being imported, at the program and at an import of the package."""

import os
import signal
import subprocess
import sys

import pytest

from rlsuite import starting

SLOW = """
print("importing", flush=True)
import time
time.sleep(60.0)
"""


@pytest.fixture
def slow(tmp_path):
    """An environment in which Gymnasium takes a minute to import, and says when it begins."""
    (tmp_path / "gymnasium.py").write_text(SLOW)
    return dict(os.environ, PYTHONPATH=str(tmp_path))


def interrupted(command, environment):
    """Exit status and standard error of a command that gets a Ctrl-C as soon as it imports Gymnasium."""
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    return process.returncode, said


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
def test_the_program_says_one_line(slow, tmp_path):
    script = tmp_path / "rlsuite"  # as installers write it
    script.write_text("from rlsuite.cli.main import main\nmain()\n")
    for command in ([sys.executable, "-m", "rlsuite", "--version"], [sys.executable, str(script), "--version"]):
        environment = slow | {"PYTHONPATH": slow["PYTHONPATH"] + os.pathsep + os.getcwd()}
        assert interrupted(command, environment) == (130, "\nrlsuite: interrupted\n")


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
def test_an_import_raises_as_ever(slow):
    status, said = interrupted([sys.executable, "-c", "import rlsuite"], slow)
    assert status != 130
    assert "KeyboardInterrupt" in said


@pytest.mark.parametrize(
    ("argv", "started", "program"),
    [
        (["/bin/rlsuite", "list"], ["python", "/bin/rlsuite", "list"], True),
        (["-m", "list"], ["python", "-m", "rlsuite", "list"], True),
        (["-m"], ["python", "-m", "pytest", "rlsuite"], False),
        (["train.py"], ["python", "train.py"], False),
        (["/bin/rlsuite"], ["python", "-c", "from multiprocessing.spawn import spawn_main"], False),
        ([], ["embedding"], False),
    ],
)
def test_which_processes_are_the_program(monkeypatch, argv, started, program):
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setattr(sys, "orig_argv", started)
    assert starting.is_program() is program
