"""Writing files so that a crash at any instant leaves the old content or the new, never half of either."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_atomically(path: str | Path, data: bytes | str, *, durable: bool = True) -> None:
    """Replace ``path`` by ``data`` in one step: a temporary file in the same folder, synced, then renamed.

    Without ``durable`` nothing waits for the disk: still safe against the death of the process, but not against that of
    the machine. For many small files that can be made again.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = data.encode() if isinstance(data, str) else data
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename, error.filename2 = str(path), None  # the file that is meant, not the temporary one
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
