"""How the loops of splatting are compiled: one thread, the interpreter's lock free, machine code kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from rlsuite.kernel_cache import compiled_in, folder_for

F = TypeVar("F", bound=Callable[..., Any])


@cache
def _folder() -> Path:
    return folder_for(sorted(Path(__file__).resolve().parent.glob("*.py")))


def entry_kernel(function: F) -> F:
    """Compile a function that is called from Python."""
    return compiled_in(_folder(), function, cache=True, nogil=True, error_model="numpy")
