"""Ctrl-C while the program ``rlsuite`` is still importing: it ends with one line and status 130, as it does later on.

Only where this process is that program: a notebook or a program of one's own that imports the package keeps its
``KeyboardInterrupt``.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType


def is_program() -> bool:
    """Whether this process was started as ``rlsuite …`` or as ``python -m rlsuite …``; its workers were not."""
    name = sys.argv[0] if sys.argv else ""
    if name == "-m":  # until the module has been found
        return sys.orig_argv[sys.orig_argv.index("-m") + 1] == "rlsuite"
    return name in sys.orig_argv and os.path.basename(name).removesuffix(".exe") == "rlsuite"


def _end(number: int, frame: FrameType | None) -> None:
    os.write(2, b"\nrlsuite: interrupted\n")
    os._exit(130)


def begin() -> None:
    """From now on Ctrl-C ends the program, if this is it."""
    in_main = threading.current_thread() is threading.main_thread()
    if is_program() and in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def done() -> None:
    """From now on Ctrl-C is a ``KeyboardInterrupt`` again."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)
