"""How the ray caster is compiled: one thread, nothing allocated inside, machine code kept between processes."""

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


def kernel(function: F) -> F:
    """Compile ``function`` into its callers; memory is handed in."""
    return compiled_in(_folder(), function, nogil=True, cache=True, error_model="numpy", _nrt=False, forceinline=True)


def entry_kernel(function: F) -> F:
    """Like :func:`kernel`, for functions that are called from Python or from several places and are long."""
    return compiled_in(_folder(), function, nogil=True, cache=True, error_model="numpy", _nrt=False)
