"""How update rules are compiled, and where the machine code is kept.

``@kernel`` is ``numba.njit`` with the suite's options: the GIL released, IEEE arithmetic kept, helpers inlined, and no
reference counting (``_nrt=False``). The last makes passing tables in named tuples free, about ten times faster in
these loops, at the price that a kernel cannot allocate: memory is allocated once, outside, and handed in.

Machine code is cached between processes in ``$RLSUITE_CACHE_DIR`` (default ``~/.cache/rlsuite``), in a folder named by
a hash of *all* kernel sources: numba itself watches only the file of the outermost function, and would go on running
an old copy of a helper that was edited in another file. Kernels that are not the suite's own (an agent in a user's
file) lie outside the hash, so they, and loops that contain them, are compiled in each process.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np

import rlsuite.envs.finite.mdp as mdp_module

F = TypeVar("F", bound=Callable[..., Any])

_KEPT_GENERATIONS = 12


@cache
def _hashed_sources() -> tuple[Path, ...]:
    return *sorted(Path(__file__).resolve().parent.rglob("*.py")), Path(mdp_module.__file__).resolve()


@cache
def cache_directory() -> Path:
    """Where compiled kernels of exactly these sources live; created when missing."""
    digest = hashlib.sha256()
    for part in (numba.__version__, np.__version__, platform.python_version(), platform.machine()):
        digest.update(part.encode())
    for source in _hashed_sources():
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rlsuite"
    root = Path(os.environ.get("RLSUITE_CACHE_DIR") or default) / "kernels"
    folder = root / digest.hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
    except OSError:  # a read-only home: compile for this process only
        temporary = tempfile.mkdtemp(prefix="rlsuite-kernels-")
        atexit.register(shutil.rmtree, temporary, ignore_errors=True)
        return Path(temporary)
    _remove_old_generations(root)
    return folder


def _remove_old_generations(root: Path) -> None:
    """Other processes may be doing the same: what has gone is no error."""
    ages = []
    with contextlib.suppress(OSError):
        for folder in root.iterdir():
            with contextlib.suppress(OSError):
                ages.append((folder.stat().st_mtime, folder))
    for _, old in sorted(ages, reverse=True)[_KEPT_GENERATIONS:]:
        shutil.rmtree(old, ignore_errors=True)


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
    previous = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(cache_directory())
    try:
        return numba.njit(
            nogil=True, cache=cached and is_own(function), error_model="numpy", forceinline=forceinline, _nrt=False
        )(function)
    finally:
        numba.config.CACHE_DIR = previous


def compiled_before(name: str) -> bool:
    """Whether an earlier process has compiled the kernels of algorithm ``name`` from these very sources."""
    return (cache_directory() / f"{name}.compiled").exists()


def mark_compiled(name: str) -> None:
    """Remember that the kernels of ``name`` are in the cache."""
    (cache_directory() / f"{name}.compiled").touch()
