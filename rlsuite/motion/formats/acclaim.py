"""Acclaim's motion file (AMC) on its skeleton (ASF, :mod:`rlsuite.motion.formats.acclaim_skeleton`).

An AMC file means nothing without its skeleton: ``NN_MM.amc`` is read with ``NN.asf`` (or ``NN_MM.asf``) beside it, or
with the one that is given. An ASF file alone is a clip of one frame, the rest pose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from rlsuite.errors import MotionError, MotionFormatError
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.formats import acclaim_skeleton, units
from rlsuite.motion.formats import axes as axes_
from rlsuite.motion.formats.acclaim_skeleton import Acclaim, Bone
from rlsuite.motion.formats.axes import Axes
from rlsuite.motion.formats.detection import decoded
from rlsuite.motion.formats.registry import Format
from rlsuite.motion.formats.text import LARGEST, TextFile, name_of, shortened
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]
Row = tuple[bytes, str, int]  # a line of a frame: the name as it stands, the bone, how many numbers

RATE = 120.0  # frames per second of the Carnegie Mellon database; the file does not say
BLOCK_BYTES = 1 << 22
MAX_FRAME_BYTES = 1 << 20
_NUMBER_LINE = re.compile(rb"^[ \t]*\d+[ \t\r]*$", re.MULTILINE)
_WORD = re.compile(r"(?im)^\s*:(bonedata|hierarchy|fully-specified|degrees|radians|units|version)\b")
# a comment ends only at its newline: were it to end at any blank, "# # # …" would match in exponentially many ways
_FRAME = re.compile(r"(?m)\s*([#:].*\n\s*)*1[ \t\r]*\n\s*root([ \t]+-?[\d.]+(e[+-]?\d+)?){3,6}\s*$", re.IGNORECASE)


def sniff(head: bytes, path: Path) -> bool:
    text = decoded(head[:4096])
    return _WORD.search(text) is not None or _FRAME.match(text) is not None


def read(
    path: Path,
    *,
    skeleton_file: str | Path | None = None,
    fps: float = RATE,
    unit: str | None = None,
    up: str | None = None,
    forward: str | None = None,
    start: int = 0,
    stop: int | None = None,
    stride: int = 1,
) -> MotionClip:
    """The motion of an AMC file in metres, Z up, X forward; of an ASF file its rest pose.

    Args:
        skeleton_file: the ASF file; default: the one beside ``path`` that has the name of its subject.
        fps: frames per second, which the file does not say: 120 in the Carnegie Mellon database.
        unit, up, forward: see :mod:`rlsuite.motion.formats.units` and :mod:`rlsuite.motion.formats.axes`.
        start, stop, stride: frames to keep; the others are passed over, in bounded memory.

    Raises:
        MotionFormatError: a file is missing, of another format, or malformed.
        MotionError: frames that the file does not have, or a rate that is none.
    """
    alone = _is_skeleton(path)
    source = path if alone else _skeleton_file(path, skeleton_file)
    acclaim = acclaim_skeleton.parse(source)
    raw = acclaim.skeleton(source.stem)
    unit_ = units.resolve(unit, raw)
    values: dict[str, Array] = {} if alone else _values(path, acclaim, start, stop, stride)
    n = 1 if alone else len(values["root"])
    missing = [bone.name for bone in acclaim.bones[1:] if bone.dof and not alone and bone.name not in values]
    poses = _qpos(acclaim, raw, values, n, Axes("z", "x"), 1.0)
    axes = axes_.resolve(up, forward, raw, poses[:: max(1, n // 64)])
    step: dict[str, Any] = {
        "step": "read",
        "format": "acclaim",
        "file": str(path),
        "skeleton_file": str(source),
        "frames": [start, start + stride * (n - 1) + 1, stride],
        "unit": unit_.name,
        "unit_source": unit_.source,
        "up": axes.up,
        "forward": axes.forward,
        "axes_source": axes.source,
        "notes": [f"bone {name} is not in the file; it stays at rest" for name in missing],
    }
    skeleton = acclaim.skeleton(source.stem, axes, unit_.metres)
    qpos = _qpos(acclaim, skeleton, values, n, axes, unit_.metres)
    return MotionClip(qpos=qpos, fps=fps / stride, skeleton=skeleton, name=path.stem, provenance=(step,))


def _is_skeleton(path: Path) -> bool:
    with TextFile(path) as file:
        while raw := file.read_line():
            word = raw.split()[:1]
            if word and word[0].lower() in (b":units", b":root", b":bonedata", b":hierarchy", b":version", b":name"):
                return True
            if _NUMBER_LINE.fullmatch(raw.rstrip(b"\n")):
                return False
            if file.line > 1000:
                break
        file.fail("frame 1 expected; this is neither an AMC nor an ASF file", max(1, file.line))


def _skeleton_file(path: Path, given: str | Path | None) -> Path:
    if given is not None:
        return Path(given)
    names = dict.fromkeys((path.stem.partition("_")[0], path.stem))
    candidates = [path.with_name(name + suffix) for name in names for suffix in (".asf", ".ASF")]
    found = next((candidate for candidate in candidates if candidate.is_file()), None)
    if found is None:
        wanted = " or ".join(f"{name}.asf" for name in names)
        raise MotionFormatError(
            f"{path}: its skeleton {wanted} is not beside it; name the ASF file (--skeleton-file, in Python `skeleton_file`)"
        )
    return found


def _values(path: Path, acclaim: Acclaim, start: int, stop: int | None, stride: int) -> dict[str, Array]:
    """Numbers of each bone that the file has, ``(T, n)``, angles in radians."""
    sizes = {"root": len(acclaim.root_dof)} | {bone.name: len(bone.dof) for bone in acclaim.bones[1:] if bone.dof}
    parts: list[Array] = []
    with TextFile(path) as file:
        first_line, radians = _declared(file, acclaim)
        layout: list[Row] = []
        row, number = 0, 0
        for lines, block in _blocks(file, first_line):
            layout = layout or _layout(file, block, lines, sizes)
            table = _table(file, block, lines, layout, number)
            first = start - row if start >= row else (start - row) % stride
            parts.append(table[first : None if stop is None else max(stop - row, 0) : stride, 1:])
            row, number = row + len(table), int(table[-1, 0])
            if stop is not None and row >= stop:
                break
    if row <= start:
        raise MotionError(f"{path}: {row} frames; the first one asked for is {start}")
    table, at, values = np.concatenate(parts), 0, {}
    for _, name, size in layout:
        values[name], at = table[:, at : at + size].copy(), at + size
        turns = [i for i, dof in enumerate(acclaim.root_dof) if dof[0] == "r"] if name == "root" else slice(None)
        values[name][:, turns] *= radians
    return values


def _declared(file: TextFile, acclaim: Acclaim) -> tuple[bytes, float]:
    """Read up to the number of the first frame; that line, and radians in one unit of angle."""
    radians = acclaim.radians
    while raw := file.read_line():
        word = raw.strip().lower()
        if _NUMBER_LINE.fullmatch(raw.rstrip(b"\n")):
            return raw, radians
        if word in (b":degrees", b":radians"):
            radians = np.pi / 180.0 if word == b":degrees" else 1.0
        elif word and word[:1] not in (b":", b"#"):
            file.fail(f"the number of the first frame expected, found {shortened(raw.strip())}")
    file.fail("the number of the first frame expected, the file ends", max(1, file.line))


def _blocks(file: TextFile, first_line: bytes) -> Iterator[tuple[int, bytes]]:
    """Whole frames, and the count of lines before them."""
    data, lines = first_line, file.line - 1
    while block := file.read_block(BLOCK_BYTES):
        data += block
        starts = [m.start() for m in _NUMBER_LINE.finditer(data, max(0, data.rfind(b"\n") - MAX_FRAME_BYTES))]
        complete = [at for at in starts if at > 0 and data.find(b"\n", at) > 0]
        if complete:
            yield lines, data[: complete[-1]]
            lines += data.count(b"\n", 0, complete[-1])
            data = data[complete[-1] :]
        elif len(data) > BLOCK_BYTES + MAX_FRAME_BYTES:
            file.fail(f"the number of the next frame expected within {MAX_FRAME_BYTES} bytes", lines + 1)
    yield lines, data


def _layout(file: TextFile, block: bytes, lines: int, sizes: dict[str, int]) -> list[Row]:
    """The lines of the first frame."""
    out: list[Row] = []
    for i, line in enumerate(block[:MAX_FRAME_BYTES].split(b"\n")[1:], start=2):
        words = line.split()
        if words and _NUMBER_LINE.fullmatch(line):
            break
        if words:
            name = name_of(words[0])
            if name not in sizes or any(name == known for _, known, _ in out):
                file.fail(f"a bone of the skeleton that moves, once, expected, found {shortened(name)}", lines + i)
            out.append((words[0], name, sizes[name]))
    if "root" not in [name for _, name, _ in out]:
        file.fail("root expected in the first frame", lines + 1)
    return out


def _table(file: TextFile, block: bytes, lines: int, layout: list[Row], number: int) -> Array:
    """``(n, 1 + numbers of a frame)`` of a block: each frame's number, and what its lines hold without their names."""
    words = block.split()
    total = 1 + sum(1 + size for _, _, size in layout)
    columns, at = [0], 1
    for raw, _, size in layout:
        if any(word != raw for word in words[at::total]):
            _explain(file, block, lines, layout)
        columns += range(at + 1, at + 1 + size)
        at += 1 + size
    if len(words) % total:
        _explain(file, block, lines, layout)
    try:
        table = np.array(words, "S").reshape(-1, total)[:, columns].astype(np.float64)
    except ValueError:
        _explain(file, block, lines, layout)
    if not np.abs(table).max() <= LARGEST:
        _explain(file, block, lines, layout)
    expected = np.arange(len(table)) + (number + 1 if number else table[0, 0])
    if (table[:, 0] != expected).any():
        wrong = int(np.argmax(table[:, 0] != expected))
        file.fail(f"frame {expected[wrong]:.0f} expected, found {table[wrong, 0]:.0f}", lines + 1)
    return table


def _explain(file: TextFile, block: bytes, lines: int, layout: list[Row]) -> NoReturn:
    """Say which line is unlike the first frame's, or holds something that is no number."""
    expected: Iterator[Row] = iter(())
    for file.line, line in enumerate(block.split(b"\n"), start=lines + 1):
        words = line.split()
        if not words:
            continue
        row = next(expected, None)
        if _NUMBER_LINE.fullmatch(line) and row is None:
            file.number(name_of(words[0]), "the number of a frame")
            expected = iter(layout)
        elif row is None or words[0] != row[0]:
            what = "the number of the next frame" if row is None else f"bone {shortened(row[1])}"
            file.fail(f"{what} expected, as in the first frame, found {shortened(words[0])}")
        elif len(words) != 1 + row[2]:
            file.fail(f"bone {shortened(row[1])}: {row[2]} numbers expected, found {len(words) - 1}")
        else:
            for word in words[1:]:
                file.number(name_of(word), f"bone {shortened(row[1])}")
    row = next(expected, None)
    wanted = f"bone {shortened(row[1])}" if row else "a whole frame"
    file.fail(f"{wanted} expected, but the frame ends here; it is truncated")


def _qpos(acclaim: Acclaim, skeleton: Skeleton, values: dict[str, Array], n: int, axes: Axes, metres: float) -> Array:
    """``(n, nq)`` rows of the skeleton; bones without values are at rest."""
    out = np.tile(skeleton.rest_qpos, (n, 1))
    root, dof = acclaim.bones[0], acclaim.root_dof
    place, numbers = np.tile(acclaim.position, (n, 1)), values.get("root", np.zeros((n, len(dof))))
    for i, letters in enumerate(dof):
        if letters[0] == "t":
            place[:, "xyz".index(letters[1])] += numbers[:, i]
    turns = [i for i, letters in enumerate(dof) if letters[0] == "r"]
    out[:, :3] = axes.vectors(place) * metres
    out[:, 3:7] = axes.quaternions(_in_frame(root, numbers[:, turns], "".join(dof[i][1] for i in turns)))
    for body, bone in enumerate(acclaim.bones[1:], start=1):
        if bone.name in values:
            at = skeleton.qpos_address[skeleton.joints_of[body][0]]
            if len(bone.dof) == 3:
                out[:, at : at + 4] = axes.quaternions(_in_frame(bone, values[bone.name], bone.dof))
            else:
                out[:, at : at + len(bone.dof)] = values[bone.name][:, ::-1]
    return out


def _in_frame(bone: Bone, angles: Array, dof: str) -> Array:
    """``C M C⁻¹``."""
    turn = acclaim_skeleton.fixed_axes(angles, dof)
    return rot.multiply(rot.multiply(bone.axis, turn), rot.conjugate(bone.axis))


FORMAT = Format("acclaim", (".amc", ".asf"), "Acclaim motion (AMC) on its skeleton (ASF)", sniff, read)
