"""Where machine code of compiled kernels is kept between processes, and when it is compiled anew.

``$RLSUITE_CACHE_DIR`` (default ``~/.cache/rlsuite``) holds one folder for every state of a family's sources, named by a
hash of *all* of them: numba itself watches only the file of the outermost function, and would go on running an old copy
of a helper that was edited in another file.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from rlsuite.cache_folder import cache_folder

F = TypeVar("F", bound=Callable[..., Any])

KEPT_GENERATIONS = 12


def cache_root() -> Path:
    """The folder of all generations of machine code; it need not exist."""
    return cache_folder("kernels")


def folder_for(sources: Iterable[Path]) -> Path:
    """Where kernels compiled from exactly these sources live; created when missing."""
    import numba
    import numpy as np

    digest = hashlib.sha256()
    for part in (numba.__version__, np.__version__, platform.python_version(), platform.machine()):
        digest.update(part.encode())
    for source in sources:
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    root = cache_root()
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
    for _, old in sorted(ages, reverse=True)[KEPT_GENERATIONS:]:
        shutil.rmtree(old, ignore_errors=True)


def compiled_in(folder: Path, function: F, **options: Any) -> F:
    """``numba.njit(function, **options)``, with its machine code kept in ``folder`` where ``cache=True``."""
    import numba

    previous = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(folder)
    try:
        return numba.njit(**options)(function)
    finally:
        numba.config.CACHE_DIR = previous
