"""How update rules are compiled, and where the machine code is kept.

``@kernel`` is ``numba.njit`` with the suite's options: the GIL released, IEEE arithmetic kept, helpers inlined, and no
reference counting (``_nrt=False``). The last makes passing tables in named tuples free, about ten times faster in
these loops, at the price that a kernel cannot allocate: memory is allocated once, outside, and handed in.

Machine code is cached between processes (:mod:`rlsuite.kernel_cache`), in a folder named by a hash of *all* kernel
sources: those of this package and of the finite MDP. Kernels that are not the suite's own (an agent in a user's
file) lie outside the hash, so they, and loops that contain them, are compiled in each process.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import rlsuite.envs.finite.mdp as mdp_module
from rlsuite.kernel_cache import compiled_in, folder_for

F = TypeVar("F", bound=Callable[..., Any])


@cache
def _hashed_sources() -> tuple[Path, ...]:
    return *sorted(Path(__file__).resolve().parent.rglob("*.py")), Path(mdp_module.__file__).resolve()


@cache
def cache_directory() -> Path:
    """Where compiled kernels of exactly these sources live; created when missing."""
    return folder_for(_hashed_sources())


def kernel(function: F) -> F:
    """Compile ``function`` on first call with the suite's options (see the module docstring)."""
    return _jit(function, forceinline=True)


def entry_kernel(function: F) -> F:
    """Like :func:`kernel`, for the outermost functions: called from Python, and cached on disk."""
    return _jit(function, forceinline=False)


def uncached_entry_kernel(function: F) -> F:
    """Like :func:`entry_kernel`, for loops around kernels that are not the suite's own."""
    return _jit(function, forceinline=False, cached=False)


def is_own(function: Callable[..., Any]) -> bool:
    """Whether ``function`` is defined in the sources that the cache's folder is named by."""
    return Path(function.__code__.co_filename).resolve() in _hashed_sources()


def _jit(function: F, *, forceinline: bool, cached: bool = True) -> F:
    options = {"nogil": True, "error_model": "numpy", "forceinline": forceinline, "_nrt": False}
    return compiled_in(cache_directory(), function, cache=cached and is_own(function), **options)


def compiled_before(name: str) -> bool:
    """Whether an earlier process has compiled the kernels of algorithm ``name`` from these very sources."""
    return (cache_directory() / f"{name}.compiled").exists()


def mark_compiled(name: str) -> None:
    """Remember that the kernels of ``name`` are in the cache."""
    (cache_directory() / f"{name}.compiled").touch()
