"""Clips on disk: one ``.npz`` of plain arrays, the skeleton and the words in it as JSON. Nothing is pickled."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from rlsuite.errors import MotionError, MotionFormatError, SkeletonError
from rlsuite.files import write_atomically
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.skeleton import Skeleton

FORMAT = "rlsuite-motion-clip"
VERSION = 1
MAX_BYTES = 2 << 30  # of any array, unpacked: a hostile archive can claim anything
_MASKS = ("contacts", "confidence", "startable")


def save(clip: MotionClip, path: str | Path) -> None:
    """Write ``clip`` to ``path`` (``.npz``) in one step: the old file or the new one, never half."""
    header = {
        "format": FORMAT,
        "version": VERSION,
        "name": clip.name,
        "fps": clip.fps,
        "loop": clip.loop,
        "wrap_heading": clip.wrap_heading,
        "contact_names": list(clip.contact_names),
        "provenance": list(clip.provenance),
        "licence": clip.licence,
        "skeleton": clip.skeleton.to_dict(),
    }
    arrays: dict[str, Any] = {name: getattr(clip, name) for name in _MASKS if getattr(clip, name) is not None}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, header=np.array(json.dumps(header, allow_nan=False)), qpos=clip.qpos, **arrays)
    write_atomically(path, buffer.getvalue())


def load(path: str | Path) -> MotionClip:
    """The clip that :func:`save` wrote.

    Raises:
        MotionFormatError: the file is missing, damaged or not such a clip.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            unknown = set(members) - {"header", "qpos", *_MASKS}
            if unknown or not {"header", "qpos"} <= set(members):
                raise MotionFormatError(f"{path}: not a clip of rlsuite; such a file holds the arrays header and qpos")
            if any(info.file_size > MAX_BYTES for info in members.values()):
                raise MotionFormatError(f"{path}: an array of more than {MAX_BYTES >> 30} GiB; that is no clip")
            arrays = {name: _array(archive.read(info)) for name, info in members.items()}
        header = json.loads(str(arrays.pop("header")))
        if header["format"] != FORMAT or header["version"] != VERSION:
            raise MotionFormatError(
                f"{path}: format {header['format']!r} version {header['version']!r}; this rlsuite reads {FORMAT!r} {VERSION}"
            )
        return MotionClip(
            qpos=arrays.pop("qpos").astype(np.float64),
            fps=float(header["fps"]),
            skeleton=Skeleton.from_dict(header["skeleton"]),
            name=str(header["name"]),
            loop=header["loop"],
            wrap_heading=bool(header["wrap_heading"]),
            contact_names=tuple(str(n) for n in header["contact_names"]),
            provenance=tuple(dict(step) for step in header["provenance"]),
            licence=str(header["licence"]),
            **arrays,
        )
    except MotionFormatError:
        raise
    except FileNotFoundError:
        raise MotionFormatError(f"{path}: no such file") from None
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise MotionFormatError(f"{path}: not a readable .npz archive: {error}") from error
    except (KeyError, TypeError, ValueError, MotionError, SkeletonError, MemoryError, RecursionError) as error:
        raise MotionFormatError(f"{path}: not a clip of rlsuite: {type(error).__name__}: {error}") from error


def _array(raw: bytes) -> np.ndarray:
    return np.lib.format.read_array(io.BytesIO(raw), allow_pickle=False)
