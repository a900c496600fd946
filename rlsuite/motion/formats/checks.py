"""What every reader demands of a file before it believes it: size, encoding, shapes and finite numbers.

Files come from strangers. Nothing here executes anything that a file says: arrays are raw bytes with a header of one
fixed form, and no header makes more memory be taken than its file holds (or, compressed, than :data:`MAX_ARRAY_BYTES`).
"""

from __future__ import annotations

import math
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rlsuite.errors import MotionError, MotionFormatError, SkeletonError

Array = NDArray[np.float64]
MAX_FILE_BYTES = 2 << 30
MAX_ARRAY_BYTES = 1 << 30
MAX_FRAMES = 20_000_000
MAX_FPS = 10_000.0
LARGEST = 1e6  # metres or radians: what lies beyond is no motion, and its square would still be finite

_NPY_MAGIC = b"\x93NUMPY"
_NPY_HEADER = re.compile(
    rb"\{'descr': '([<>|=]?[A-Za-z]\d{0,9})', 'fortran_order': (True|False), 'shape': \(([\d, L]{0,500})\),? ?\}\s{0,200}"
)
_SIZES = {"b1": 1, "f2": 2, "f4": 4, "f8": 8} | {f"{kind}{size}": size for kind in "iu" for size in (1, 2, 4, 8)}


def read_bytes(path: Path, limit: int = MAX_FILE_BYTES) -> bytes:
    """The whole file.

    Raises:
        MotionFormatError: it is missing, no file, or larger than ``limit``.
    """
    with opening(path), path.open("rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise MotionFormatError(f"{path}: not a file; expected a recording")
        if status.st_size > limit:
            raise MotionFormatError(f"{path}: more than {limit >> 20} MiB; split the recording into parts")
        return file.read(status.st_size)


@contextmanager
def opening(path: Path) -> Iterator[None]:
    """Errors of the operating system, in the suite's words."""
    if "\0" in str(path):
        raise MotionFormatError(f"{str(path)!r}: no such file")
    try:
        yield
    except FileNotFoundError:
        raise MotionFormatError(f"{path}: no such file") from None
    except OSError as error:
        raise MotionFormatError(f"{path}: cannot be read: {error.strerror or error}") from error


@contextmanager
def building(path: Path) -> Iterator[None]:
    """A tree or a clip that the numbers of a file do not make is the file's fault."""
    try:
        yield
    except (SkeletonError, MotionError) as error:
        raise MotionFormatError(f"{path}: {error}") from error


def finite(path: Path, values: NDArray[np.generic], what: str, largest: float = LARGEST) -> Array:
    """``values`` as float64.

    Raises:
        MotionFormatError: one of them is not a finite number, or beyond ``largest``.
    """
    with np.errstate(invalid="ignore"):  # a signalling NaN says so when it is copied
        numbers = values.astype(np.float64)
    wrong = ~(np.abs(numbers) <= largest)  # also true of NaN
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        place = f"[{', '.join(map(str, index))}]" if index else ""
        raise MotionFormatError(
            f"{path}: {what}{place} is {numbers[index]:g}; expected a finite number of at most {largest:g}"
        )
    return numbers


def shaped(path: Path, values: NDArray[np.generic], what: str, *shape: int | str) -> NDArray[np.generic]:
    """``values`` whose shape is ``shape``; a word stands for any length of at least 1.

    Raises:
        MotionFormatError: it has another shape.
    """
    fits = values.ndim == len(shape) and all(
        have > 0 if isinstance(want, str) else have == want for have, want in zip(values.shape, shape, strict=False)
    )
    if not fits:
        expected = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
        raise MotionFormatError(f"{path}: {what} has shape {values.shape}; expected ({expected})")
    return values


def unit_quaternions(path: Path, quats: Array, what: str, tolerance: float = 0.5) -> Array:
    """``(..., 4)`` divided by their lengths.

    Raises:
        MotionFormatError: one is further than ``tolerance`` from length 1: these numbers are no quaternions.
    """
    length = np.linalg.norm(quats, axis=-1)
    wrong = ~(np.abs(length - 1.0) <= tolerance)
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise MotionFormatError(
            f"{path}: {what}[{', '.join(map(str, index))}] has length {length[index]:.3g}; expected a unit quaternion"
        )
    unit: Array = quats / length[..., None]
    return unit


def rate(path: Path, fps: float, what: str = "the frame rate") -> float:
    """``fps`` itself.

    Raises:
        MotionFormatError: it is no rate at which motion is recorded.
    """
    if not (math.isfinite(fps) and 0.0 < fps <= MAX_FPS):
        raise MotionFormatError(
            f"{path}: {what} is {fps:g}; expected more than 0 and at most {MAX_FPS:g} frames a second"
        )
    return fps


# Arrays of NumPy, without NumPy's reader ----------------------------------------------------------------------------


def npy_array(path: Path, raw: bytes, what: str) -> NDArray[np.generic]:
    """The array in the bytes of an ``.npy`` file: numbers, truth values or text; no objects, no structures.

    Raises:
        MotionFormatError: it is another kind of array, or not one.
    """
    dtype, order, shape, start = npy_header(path, raw, what)
    if dtype[1:2] == "O":
        raise MotionFormatError(f"{path}: {what} holds pickled objects, which are not read; expected numbers")
    return array_of(path, raw[start:], dtype, shape, order, what)


def npy_header(path: Path, raw: bytes, what: str) -> tuple[str, str, tuple[int, ...], int]:
    """Type (``"<f4"``), order (``C`` or ``F``), shape, and where the data begins.

    Raises:
        MotionFormatError: the bytes do not begin with a header in the form that NumPy writes.
    """
    wide = raw[6:7] in (b"\x02", b"\x03")
    start = 12 if wide else 10
    length = int.from_bytes(raw[8:start], "little")
    match = _NPY_HEADER.fullmatch(raw[start : start + length]) if length <= 10_000 else None
    if not raw.startswith(_NPY_MAGIC) or match is None or len(raw) < start + length:
        raise MotionFormatError(f"{path}: {what} is not a NumPy array of numbers (no valid .npy header)")
    numbers = [part for part in match[3].replace(b"L", b"").replace(b" ", b"").split(b",") if part]
    if len(numbers) > 32 or any(len(part) > 15 for part in numbers):
        raise MotionFormatError(f"{path}: {what} has an impossible shape ({match[3].decode('ascii')})")
    order = "F" if match[2] == b"True" else "C"
    return match[1].decode("ascii"), order, tuple(int(part) for part in numbers), start + length


def array_of(path: Path, raw: bytes, dtype: str, shape: tuple[int, ...], order: str, what: str) -> NDArray[np.generic]:
    """The array of ``dtype`` (``"<f4"``, ``"<U12"``) and ``shape`` that ``raw`` is, to the byte.

    Raises:
        MotionFormatError: it is of another type or length.
    """
    kind = dtype.lstrip("<>|=")
    if kind[:1] in ("S", "U") and kind[1:].isdigit() and int(kind[1:]) <= 1 << 20:
        size = int(kind[1:]) * (4 if kind[0] == "U" else 1)
    elif kind in _SIZES:
        size = _SIZES[kind]
    else:
        raise MotionFormatError(f"{path}: {what} is of type {dtype!r}; expected numbers or text")
    expected = math.prod(shape) * size
    if len(raw) != expected:
        raise MotionFormatError(f"{path}: {what} has {len(raw)} bytes; its shape {shape} of {dtype} needs {expected}")
    if expected == 0:
        return np.zeros(shape, dtype if size else "<U1")
    if kind[0] == "U" and np.frombuffer(raw, dtype[0] + "u4" if dtype[0] in "<>" else "<u4").max() > 0x10FFFF:
        raise MotionFormatError(f"{path}: {what} is not text")
    if kind == "b1":
        return np.frombuffer(raw, np.uint8).astype(np.bool_).reshape(shape, order="F" if order == "F" else "C")
    return np.frombuffer(raw, dtype).reshape(shape, order="F" if order == "F" else "C")


def npz_arrays(path: Path, wanted: Collection[str]) -> dict[str, NDArray[np.generic]]:
    """Those of the arrays ``wanted`` that an ``.npz`` archive holds; the others in it are not looked at.

    Raises:
        MotionFormatError: it is no archive, damaged, or one of these arrays is not plain or too large.
    """
    found: dict[str, NDArray[np.generic]] = {}
    try:
        with opening(path), zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                name = info.filename.removesuffix(".npy")
                if name not in wanted or not info.filename.endswith(".npy"):
                    continue
                if info.file_size > MAX_ARRAY_BYTES:
                    raise MotionFormatError(f"{path}: {name} is larger than {MAX_ARRAY_BYTES >> 20} MiB")
                if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
                    raise MotionFormatError(
                        f"{path}: {name} is encrypted or compressed in a way that NumPy never writes"
                    )
                found[name] = npy_array(path, archive.read(info), name)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, RuntimeError) as error:
        if isinstance(error, MotionFormatError):
            raise
        raise MotionFormatError(f"{path}: a damaged .npz archive: {printable(str(error))}") from error
    return found


def needed(path: Path, arrays: dict[str, NDArray[np.generic]], *names: str) -> NDArray[np.generic]:
    """The first of ``names`` that the file has.

    Raises:
        MotionFormatError: it has none of them.
    """
    for name in names:
        if name in arrays:
            return arrays[name]
    raise MotionFormatError(f"{path}: no array {' or '.join(names)}")


def numbers(path: Path, values: NDArray[np.generic], what: str, *shape: int | str, largest: float = LARGEST) -> Array:
    """Finite float64 numbers of one shape: :func:`shaped` and :func:`finite` of an array that is not text."""
    if values.dtype.kind not in "fiub":
        raise MotionFormatError(f"{path}: {what} is of type {values.dtype}; expected numbers")
    return finite(path, shaped(path, values, what, *shape), what, largest)


def scalar(path: Path, values: NDArray[np.generic], what: str) -> float:
    """The one number in an array."""
    if values.size != 1:
        raise MotionFormatError(f"{path}: {what} has shape {values.shape}; expected one number")
    return float(numbers(path, values.reshape(()), what)[()])


def words(values: NDArray[np.generic]) -> list[str]:
    """The texts in an array of them, in order; bytes are read as Latin-1."""
    flat = [v.decode("latin-1") if isinstance(v, bytes) else str(v) for v in values.ravel()[:10_000].tolist()]
    return [printable(text) for text in flat]


def printable(text: str) -> str:
    """A word of a file for a message: at most 200 characters, none of which ends the line or rings a bell."""
    return "".join(c if c.isprintable() else "?" for c in text[:200])
