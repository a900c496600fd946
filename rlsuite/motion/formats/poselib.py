"""poselib motions (``.npy``): a pickled ``SkeletonMotion`` of Isaac Gym's and AMP's pose library, read without unpickling.

The file is a NumPy array of one pickled object: dictionaries, lists, words and plain arrays. A pickle is a program, and
:mod:`pickle` runs it. Here :func:`_interpret` walks through its instructions and builds dictionaries, lists and
descriptions of arrays from those that such a file needs, and refuses all others: no module is imported, no function is
called and no class is made on the word of the file. Every instruction takes bounded time and no more memory than its
own bytes; arrays are made from the bytes afterwards (:func:`rlsuite.motion.formats.checks.array_of`).

Rotations are quaternions ``(x, y, z, w)``, relative to the parent or (``is_local`` false) in the world; Z is up, metres.
"""

from __future__ import annotations

import io
import pickletools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.errors import MotionFormatError
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.formats import checks
from rlsuite.motion.formats.registry import Format
from rlsuite.motion.skeleton import Joint, Skeleton

Array = NDArray[np.float64]
MAX_FILE_BYTES = 1 << 30
MAX_INSTRUCTIONS = 100_000
MAX_BODIES = 1000
# What a file may name, under the modules of NumPy 1 and 2, and the word for it below.
_GLOBALS = {
    "collections OrderedDict": "dict",
    "numpy ndarray": "ndarray",
    "numpy dtype": "dtype",
    **{f"numpy.{core}.multiarray _reconstruct": "reconstruct" for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray scalar": "scalar" for core in ("core", "_core")},
    **{f"numpy.{core}.numeric _frombuffer": "frombuffer" for core in ("core", "_core")},
}


def sniff(head: bytes, path: Path) -> bool:
    return head.startswith(b"\x93NUMPY") and b"SkeletonMotion" in _ends(head, path)


def _ends(head: bytes, path: Path) -> bytes:
    """The beginning and the end of the file: the name of the class stands last."""
    try:
        with path.open("rb") as file:
            file.seek(-min(len(head), 4096), 2)
            return head + file.read()
    except (OSError, ValueError):
        return head


def read(path: Path) -> MotionClip:
    """The motion on the file's own skeleton, with a ball joint for each body.

    Raises:
        MotionFormatError: the file is not such a motion, or asks for anything but plain data.
    """
    raw = checks.read_bytes(path, MAX_FILE_BYTES)
    dtype, _, shape, start = checks.npy_header(path, raw, "the file")
    if dtype != "|O" or shape != ():
        raise MotionFormatError(f"{path}: an array {shape} of {dtype}; expected one pickled SkeletonMotion, () of |O")
    holder = _array(path, _interpret(path, raw[start:]), "the file", objects=True)
    data = _dict(path, holder, "the file")
    if data.get("__name__") != "SkeletonMotion":
        raise MotionFormatError(f"{path}: the object is not named SkeletonMotion")
    names, parents, offsets = _tree(path, data)
    quats = checks.numbers(path, _nested(path, data, "rotation"), "rotation", "frames", len(names), 4)
    quats = checks.unit_quaternions(path, quats[..., [3, 0, 1, 2]], "rotation")
    position = checks.numbers(path, _nested(path, data, "root_translation"), "root_translation", len(quats), 3)
    local = data.get("is_local")
    if not isinstance(local, bool):
        raise MotionFormatError(f"{path}: is_local must be true or false")
    if not local:
        for child in range(len(names) - 1, 0, -1):
            quats[:, child] = rot.multiply(rot.conjugate(quats[:, parents[child]]), quats[:, child])
    fps = data.get("fps")
    if isinstance(fps, _Pickled):
        fps = checks.scalar(path, _array(path, fps, "fps"), "fps")
    if not isinstance(fps, int | float) or isinstance(fps, bool) or abs(fps) > checks.MAX_FPS:
        raise MotionFormatError(f"{path}: fps must be one number up to {checks.MAX_FPS:g}")
    with checks.building(path):
        skeleton = Skeleton(
            name="poselib",
            body_names=names,
            parents=parents,
            body_pos=offsets,
            body_quat=np.tile(rot.IDENTITY, (len(names), 1)),
            joints=tuple(Joint(name, "ball" if i else "free", i) for i, name in enumerate(names)),
            keypoints={},
            end_effectors=tuple(name for i, name in enumerate(names) if i not in parents),
            feet=tuple(name for name in names if "foot" in name.lower()),
        )
        return MotionClip(
            qpos=skeleton.follow(np.concatenate((position, quats.reshape(len(quats), -1)), axis=1)),
            fps=checks.rate(path, float(fps)),
            skeleton=skeleton,
            name=path.stem,
            provenance=({"step": "read", "format": "poselib", "file": str(path)},),
        )


def _tree(path: Path, data: dict[str, Any]) -> tuple[tuple[str, ...], tuple[int, ...], Array]:
    tree = _dict(path, data.get("skeleton_tree"), "skeleton_tree")
    names = tree.get("node_names")
    if not isinstance(names, list) or not 0 < len(names) <= MAX_BODIES or not all(isinstance(n, str) for n in names):
        raise MotionFormatError(f"{path}: skeleton_tree.node_names must be a list of 1 to {MAX_BODIES} names")
    parents = checks.numbers(path, _nested(path, tree, "parent_indices"), "parent_indices", len(names))
    offsets = checks.numbers(path, _nested(path, tree, "local_translation"), "local_translation", len(names), 3)
    if parents[0] != -1 or (parents[1:] < 0).any():
        raise MotionFormatError(f"{path}: parent_indices must be -1 for the first body and for no other")
    return tuple(n[:200] for n in names), tuple(int(p) for p in parents), offsets


def _nested(path: Path, data: dict[str, Any], key: str) -> NDArray[np.generic]:
    """The array of ``{"arr": …, "context": …}``, the form that the library gives its tensors."""
    value = _dict(path, data.get(key), key)
    return _array(path, value.get("arr"), key)


def _dict(path: Path, value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MotionFormatError(f"{path}: {what} must be a dictionary, as poselib writes it")
    return value


# The pickle ---------------------------------------------------------------------------------------------------------


@dataclass
class _Pickled:
    """What a pickle says of an array, a type or a scalar: the word of its maker, the arguments and the state."""

    kind: str
    args: tuple[Any, ...]
    state: Any = None


@dataclass(frozen=True)
class _Global:
    kind: str


_MARK = object()
_OPCODES = {opcode.code: opcode for opcode in pickletools.opcodes}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = {
    "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8",
    "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8",
}  # fmt: skip
_PUTS, _GETS = {"BINPUT", "LONG_BINPUT"}, {"BINGET", "LONG_BINGET"}
_EMPTY: dict[str, type] = {"EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_ALLOWED = {
    "PROTO", "FRAME", "STOP", "MARK", "TUPLE", "MEMOIZE", "GLOBAL", "STACK_GLOBAL", "APPEND", "APPENDS", "SETITEM",
    "SETITEMS", "REDUCE", "BUILD", *_CONSTANTS, *_LITERALS, *_PUTS, *_GETS, *_EMPTY, *_TUPLES,
}  # fmt: skip


def _interpret(path: Path, program: bytes) -> Any:
    """The value that a pickle of plain data describes.

    Raises:
        MotionFormatError: an instruction is not needed for plain data, or damaged.
    """
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    stream = io.BytesIO(program)
    for _ in range(MAX_INSTRUCTIONS):
        position = stream.tell()
        opcode = _OPCODES.get(stream.read(1).decode("latin-1"))
        name = "the end of the file" if opcode is None else opcode.name
        argument = None
        try:
            if opcode is None or name not in _ALLOWED:
                raise ValueError
            if opcode.arg is not None:
                argument = opcode.arg.reader(stream)
            if name == "STOP":
                return stack.pop()
            _step(stack, memo, name, argument)
        except (IndexError, KeyError, TypeError, ValueError) as error:
            said = "" if argument is None else f" {str(argument)[:60]!r}"
            raise MotionFormatError(
                f"{path}: byte {position} of the pickle: {name}{said} has no place in a motion; "
                "expected dictionaries, lists, words and plain NumPy arrays"
            ) from error
    raise MotionFormatError(f"{path}: a pickle of more than {MAX_INSTRUCTIONS} instructions; that is no motion")


def _step(stack: list[Any], memo: dict[int, Any], name: str, argument: Any) -> None:
    """One instruction; any of the errors of wrong indices, keys, types and values refuses it."""
    if name in _CONSTANTS:
        stack.append(_CONSTANTS[name])
    elif name in _LITERALS:
        stack.append(argument)
    elif name in _EMPTY:
        stack.append(_EMPTY[name]())
    elif name in _TUPLES:
        stack.append(tuple(_pop(stack, _TUPLES[name])))
    elif name == "MARK":
        stack.append(_MARK)
    elif name == "TUPLE":
        stack.append(tuple(_pop_to_mark(stack)))
    elif name in _PUTS:
        memo[argument] = stack[-1]
    elif name == "MEMOIZE":
        memo[len(memo)] = stack[-1]
    elif name in _GETS:
        stack.append(memo[argument])
    elif name == "GLOBAL":
        stack.append(_Global(_GLOBALS[argument]))
    elif name == "STACK_GLOBAL":
        module, attribute = _pop(stack, 2)
        stack.append(_Global(_GLOBALS[f"{_as(str, module)} {_as(str, attribute)}"]))
    elif name in ("APPEND", "APPENDS"):
        items = _pop(stack, 1) if name == "APPEND" else _pop_to_mark(stack)
        _as(list, stack[-1]).extend(items)
    elif name in ("SETITEM", "SETITEMS"):
        items = _pop(stack, 2) if name == "SETITEM" else _pop_to_mark(stack)
        _as(dict, stack[-1]).update((_as(str, k), v) for k, v in zip(items[::2], items[1::2], strict=True))
    elif name == "REDUCE":
        maker, args = _pop(stack, 2)
        kind, args = _as(_Global, maker).kind, _as(tuple, args)
        stack.append({} if kind == "dict" and not args else _Pickled(kind, args))
    elif name == "BUILD":
        state = stack.pop()
        _as(_Pickled, stack[-1]).state = state


def _pop(stack: list[Any], n: int) -> list[Any]:
    if len(stack) < n or any(item is _MARK for item in stack[-n:]):
        raise IndexError
    items = stack[-n:]
    del stack[-n:]
    return items


def _pop_to_mark(stack: list[Any]) -> list[Any]:
    items = []
    while (item := stack.pop()) is not _MARK:
        items.append(item)
    return items[::-1]


def _as(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError
    return value


def _array(path: Path, value: Any, what: str, *, objects: bool = False) -> Any:
    """The array, or with ``objects`` the single object in it, that an array's description describes.

    NumPy pickles an array as ``_reconstruct(ndarray, (0,), b"b")`` with the state ``(1, shape, dtype, Fortran order,
    bytes)``, since protocol 5 also as ``_frombuffer(bytes, dtype, shape, order)``; a scalar as ``scalar(dtype, bytes)``.
    """
    match value:
        case _Pickled("reconstruct", (_Global("ndarray"), _, _), (1, tuple() as shape, dtype, bool() as fortran, data)):
            order = "F" if fortran else "C"
        case _Pickled("frombuffer", (data, dtype, tuple() as shape, "C" | "F" as order)):
            pass
        case _Pickled("scalar", (dtype, data)):
            shape, order = (), "C"
        case _:
            raise MotionFormatError(f"{path}: {what} is not a NumPy array in the form in which poselib saves it")
    code = _dtype_code(path, dtype, what)
    if objects:
        if code[:2] != "|O" or not (shape == () and isinstance(data, list) and len(data) == 1):
            raise MotionFormatError(f"{path}: {what} must hold one object")
        return data[0]
    if not (len(shape) <= 4 and all(type(n) is int and 0 <= n <= checks.MAX_FRAMES for n in shape)):
        raise MotionFormatError(f"{path}: {what} has no possible shape")
    if not isinstance(data, bytes | bytearray):
        raise MotionFormatError(f"{path}: {what} holds objects; expected plain numbers")
    return checks.array_of(path, bytes(data), code, shape, order, what)


def _dtype_code(path: Path, dtype: Any, what: str) -> str:
    """``"<f4"`` of ``dtype("f4", False, True)`` with the state ``(3, "<", None, None, None, -1, -1, 0)``."""
    match dtype:
        case _Pickled("dtype", (str() as code, *_), (int(), "<" | ">" | "|" as order, None, None, None, *_)):
            return order + code[:20]
    raise MotionFormatError(f"{path}: {what} is of a type that is not plain numbers")


FORMAT = Format("poselib", (".npy",), "poselib's SkeletonMotion (Isaac Gym, AMP), read without unpickling", sniff, read)
