"""Where the suite keeps what it can make or fetch again: machine code, downloads."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(kind: str) -> Path:
    """``$RLSUITE_CACHE_DIR`` (default ``$XDG_CACHE_HOME/rlsuite``, else ``~/.cache/rlsuite``), folder ``kind``.

    It need not exist.
    """
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rlsuite"
    return Path(os.environ.get("RLSUITE_CACHE_DIR") or default) / kind
