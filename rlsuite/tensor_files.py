"""Arrays in a ``.safetensors`` file, everything else as JSON in its header, a digest over both: how models are saved.

The digest finds accidental damage. A file made with intent can carry a right digest, so whoever reads one checks types,
shapes and ranges, and imports no module that a header names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from rlsuite.errors import RecordError, RlsuiteError
from rlsuite.files import write_atomically

# what libraries raise on values they did not expect; each becomes a RecordError
DAMAGE = (
    safetensors.SafetensorError, OSError, KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError,
    MemoryError, RecursionError, RuntimeError,
)  # fmt: skip


def digest(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of a header (its own entry ``sha256`` left out) and of the names, types, shapes and bytes of arrays."""
    text = json.dumps({key: value for key, value in header.items() if key != "sha256"}, sort_keys=True)
    state = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")  # ascontiguousarray would give a scalar an axis
        state.update(f"\0{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        state.update(array.data)
    return state.hexdigest()


def with_suffix(path: str | Path) -> Path:
    """``path`` with ``.safetensors`` added when missing."""
    path = Path(path)
    return path if path.suffix == ".safetensors" else path.with_name(path.name + ".safetensors")


def write_file(path: Path, header: dict[str, Any], arrays: Mapping[str, np.ndarray], *, durable: bool = True) -> None:
    """Write header and arrays, atomically; ``durable``: see :func:`rlsuite.files.write_atomically`."""
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    signed = header | {"sha256": digest(header, contiguous)}
    write_atomically(path, safetensors.numpy.save(contiguous, {"rlsuite": json.dumps(signed)}), durable=durable)


def read_file(path: str | Path, format: str, what: str = "agent") -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Header and arrays, checked against the digest.

    Raises:
        RecordError: the file is missing, truncated, damaged, or of another format.
    """
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {})["rlsuite"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a dict
        if header["format"] != format:
            raise RecordError(f"{path} has format {header['format']!r}; this version reads {format!r}")
        if header["sha256"] != digest(header, arrays):
            raise ValueError("its contents do not match its digest")
    except FileNotFoundError:
        raise RecordError(f"no saved {what} at {path}") from None
    except RlsuiteError:
        raise
    except DAMAGE as error:
        raise damaged(path, error, what) from None
    return dict(header), arrays


def read_header(path: str | Path, what: str = "agent") -> dict[str, Any]:
    """The JSON header alone, without the arrays and so without the digest's word for it.

    Raises:
        RecordError: the file is missing or is none of ours.
    """
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            return dict(json.loads((file.metadata() or {})["rlsuite"]))
    except FileNotFoundError:
        raise RecordError(f"no saved {what} at {path}") from None
    except DAMAGE as error:
        raise damaged(path, error, what) from None


def damaged(path: str | Path, error: BaseException, what: str = "agent") -> RecordError:
    """What to tell the user of a file that raised ``error``, one of :data:`DAMAGE`."""
    fault = f"lacks {error}" if isinstance(error, KeyError) else " ".join(str(error).split()) or type(error).__name__
    return RecordError(f"{path} is not a saved {what}, or is damaged: {fault}")
