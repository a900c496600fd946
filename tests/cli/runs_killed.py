"""Runs in processes of their own that are killed and resumed, beside the run that was never stopped.

One helper process imports everything once and forks a child per command, so that a kill costs no imports.
"""

from __future__ import annotations

import json
import subprocess
import sys

from rlsuite.experiments.checkpoints import checkpoint_file, saved_steps, steps_name
from rlsuite.experiments.recording import WALL_CLOCK
from rlsuite.experiments.records import EVALUATIONS, METRICS, read_rows
from rlsuite.tensor_files import read_file, read_header

_SERVER = """
import json, os, signal, sys, time
from rlsuite.cli.main import main
sys.stdout.reconfigure(line_buffering=True)
for line in sys.stdin:
    argv, watched, size, delay, number = json.loads(line)
    output = os.open("output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    child = os.fork()
    if child == 0:
        os.dup2(output, 1); os.dup2(output, 2)
        status = 70
        try:
            status = main(argv)
        except SystemExit as stop:
            status = stop.code
        finally:
            sys.stdout.flush(); sys.stderr.flush()
            os._exit(status)
    os.close(output)
    ended, status = 0, 0
    while not ended and watched:
        ended, status = os.waitpid(child, os.WNOHANG)
        if os.path.exists(watched) and os.path.getsize(watched) >= size:
            break
        time.sleep(0.002)
    if not ended and watched:
        time.sleep(delay)
        os.kill(child, number)
    if not ended:
        _, status = os.waitpid(child, 0)
    print(json.dumps([os.waitstatus_to_exitcode(status), open("output.txt").read()]))
"""


class Commands:
    """``commands(argv)``: exit status and output of one command; with ``watched``, the signal is sent ``delay`` seconds
    after that file has grown to ``size`` bytes."""

    def __init__(self, folder, preload=()):
        program = "".join(f"import {module}\n" for module in preload) + _SERVER
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", program], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, argv, watched=None, size=0, delay=0.0, signal=9):
        order = [[str(each) for each in argv], watched and str(watched), size, delay, int(signal)]
        print(json.dumps(order), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def entries(folder):
    """All entries, without the seconds in them."""
    return {
        name: [{key: value for key, value in row.items() if key not in WALL_CLOCK} for row in read_rows(folder / name)]
        for name in (METRICS, EVALUATIONS)
    }


def assert_same_run(killed, whole):
    """Both folders hold the same entries and, bit for bit, the same final and best agent."""
    assert entries(killed) == entries(whole)
    assert saved_steps(killed)[-1] == saved_steps(whole)[-1]
    for name in (steps_name(saved_steps(whole)[-1]), "best"):
        paths = [checkpoint_file(folder, name) for folder in (killed, whole)]
        format = read_header(paths[0])["format"]
        (header, arrays), (expected_header, expected_arrays) = (read_file(path, format) for path in paths)
        assert header == expected_header  # the digest of every array among it
        assert arrays.keys() == expected_arrays.keys()
        assert all(arrays[key].tobytes() == expected_arrays[key].tobytes() for key in arrays)
