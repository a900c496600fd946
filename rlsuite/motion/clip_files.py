"""Clips on disk: one ``.npz`` of plain arrays, the skeleton and the words in it as JSON. Nothing is pickled."""

from __future__ import annotations

import io
import json
import math
import re
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from rlsuite.errors import MotionError, MotionFormatError, SkeletonError
from rlsuite.files import write_atomically
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.skeleton import Skeleton

FORMAT = "rlsuite-motion-clip"
VERSION = 1
MAX_BYTES = 1 << 30  # of an archive, unpacked: 3.8 million frames of the humanoid
MAX_HEADER_BYTES = 1 << 25
_MASKS = ("contacts", "confidence", "startable")
# The header that NumPy writes for simple types (its own reader falls back to tokenising what it does not know).
_NPY = re.compile(r"\{'descr': '([<|][bcfiuU]\d+)', 'fortran_order': (True|False), 'shape': \(([\d, ]*)\), \} *\n")
_KINDS = {"header": "U", "qpos": "f", "contacts": "b", "confidence": "f", "startable": "b"}


def save(clip: MotionClip, path: str | Path) -> None:
    """Write ``clip`` to ``path`` (``.npz``) in one step: the old file or the new one, never half.

    Raises:
        MotionError: the provenance holds something that is not a plain JSON value.
    """
    write_atomically(path, encoded(clip))


def encoded(clip: MotionClip) -> bytes:
    """What :func:`save` writes.

    Raises:
        MotionError: the provenance holds something that is not a plain JSON value.
    """
    header = {
        "format": FORMAT,
        "version": VERSION,
        "name": clip.name,
        "fps": clip.fps,
        "loop": clip.loop,
        "wrap_heading": clip.wrap_heading,
        "contact_names": list(clip.contact_names),
        "provenance": [dict(step) for step in clip.provenance],
        "licence": clip.licence,
        "skeleton": clip.skeleton.to_dict(),
    }
    arrays: dict[str, Any] = {name: getattr(clip, name) for name in _MASKS if getattr(clip, name) is not None}
    try:
        text = json.dumps(header, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise MotionError(f"clip {clip.name!r}: provenance must be plain JSON values: {error}") from error
    buffer = io.BytesIO()
    np.savez_compressed(buffer, header=np.array(text), qpos=clip.qpos, **arrays)
    return buffer.getvalue()


def load(path: str | Path) -> MotionClip:
    """The clip that :func:`save` wrote.

    Raises:
        MotionFormatError: the file is missing, damaged or not such a clip.
    """
    path = Path(path)
    try:
        arrays = _arrays(path)
        header = json.loads(str(arrays.pop("header")), parse_constant=_no_constant)
        if header["format"] != FORMAT or header["version"] != VERSION:
            found = f"format {header['format']!r} version {header['version']!r}"
            raise MotionFormatError(f"{path}: {found}; this rlsuite reads {FORMAT!r} {VERSION}")
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
    except (
        OSError,
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise MotionFormatError(f"{path}: not a readable .npz archive: {_line(error)}") from error
    except (KeyError, TypeError, ValueError, ArithmeticError, MotionError, SkeletonError, MemoryError) as error:
        raise MotionFormatError(f"{path}: not a clip of rlsuite: {type(error).__name__}: {_line(error)}") from error


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Every array of the archive, after what it claims has been found to be possible."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        names = [info.filename.removesuffix(".npy") for info in members]
        if not {"header", "qpos"} <= set(names) <= set(_KINDS) or len(set(names)) != len(names):
            raise MotionFormatError(f"{path}: not a clip of rlsuite; such a file holds the arrays header and qpos")
        if sum(info.file_size for info in members) > MAX_BYTES:
            raise MotionFormatError(f"{path}: more than {MAX_BYTES >> 30} GiB unpacked; split the clip")
        if any(info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in members):
            raise MotionFormatError(f"{path}: compressed by another method than deflate, which .npz files use")
        return {name: _array(archive, info, name) for name, info in zip(names, members, strict=True)}


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> NDArray[Any]:
    if name == "header" and info.file_size > MAX_HEADER_BYTES:
        raise MotionFormatError(f"{archive.filename}: a header of more than {MAX_HEADER_BYTES >> 20} MiB")
    with archive.open(info) as file:
        start = file.read(10)
        found = _NPY.fullmatch(file.read(int.from_bytes(start[8:], "little")).decode("latin1"))
        if start[:8] != b"\x93NUMPY\x01\x00" or found is None:
            raise MotionFormatError(f"{archive.filename}: {name} is no .npy array of plain numbers or text")
        dtype, shape = np.dtype(found[1]), tuple(int(size) for size in found[3].split(",") if size.strip())
        if dtype.kind != _KINDS[name]:
            raise MotionFormatError(f"{archive.filename}: {name} is of type {dtype}, not of kind {_KINDS[name]!r}")
        if math.prod(shape) * dtype.itemsize != info.file_size - file.tell():
            raise MotionFormatError(
                f"{archive.filename}: {name} claims {shape} of {dtype}; the file holds more or less"
            )
        return np.frombuffer(file.read(), dtype).reshape(shape, order="F" if found[2] == "True" else "C")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
