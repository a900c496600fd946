"""DeepMimic motions (``.txt``, JSON): frames of 44 numbers for the humanoid whose measures ours has (Peng et al. 2018).

A frame is its duration in seconds, then position and rotation of the root in the world, then the rotations of the
joints relative to their parents: quaternions ``(w, x, y, z)`` of spherical joints, angles about local z of knees and
elbows. There Y is up and Z to the right; here Z is up and Y to the left: vectors ``(x, y, z)`` become ``(x, -z, y)``,
and so do the axes of rotations. Bending a knee is negative there and positive here, an elbow the other way round. The
segments are those of :mod:`rlsuite.motion.body`, so a motion reads directly onto our skeleton.

The file is read frame by frame: beside the numbers themselves only its text is in memory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.errors import MotionError, MotionFormatError
from rlsuite.files import write_atomically
from rlsuite.motion import body, sampling
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.formats import checks
from rlsuite.motion.formats.detection import json_keys
from rlsuite.motion.formats.registry import Format
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]
WIDTH = 44
# Where in a frame the turn of each of our bodies begins, by the joint that makes it.
SPHERICAL = {
    "pelvis": 4, "torso": 8, "head": 12, "right_thigh": 16, "right_foot": 21, "right_upper_arm": 25,
    "left_thigh": 30, "left_foot": 35, "left_upper_arm": 39,
}  # fmt: skip
REVOLUTE = {"right_shin": 20, "right_lower_arm": 29, "left_shin": 34, "left_lower_arm": 43}

_FRAMES = re.compile(rb'"Frames"\s*:\s*\[')
_ROW = re.compile(rb"\s*\[([-+.,\deE\s]*)\]\s*(,?)")
_BLANK = re.compile(rb"\s*")
_MAX_HEADER = 1 << 16  # bytes of everything that is not frames
_LONGEST_FRAME, _SHORTEST_FRAME = 10.0, 1e-4  # seconds
_ROUNDED = 1e-4  # files round durations: 0.033332 s is meant to be 1/30 s


def sniff(head: bytes, path: Path) -> bool:
    return "Frames" in json_keys(head) and _FRAMES.search(head) is not None


def read(path: Path) -> MotionClip:
    """The motion on our default skeleton (:func:`rlsuite.motion.body.skeleton`).

    Where the durations of frames differ, the motion is resampled at the commonest, and provenance says so.

    Raises:
        MotionFormatError: the file is not such a motion.
    """
    raw = checks.read_bytes(path)
    header, frames = _parse(path, raw)
    loop = header.get("Loop", "none")
    if loop not in ("none", "wrap"):
        raise MotionFormatError(f'{path}: "Loop" is {str(loop)[:40]!r}; expected "none" or "wrap"')
    if loop == "wrap" and len(frames) < 2:
        raise MotionFormatError(f'{path}: one frame is no cycle; expected at least 2, or "Loop": "none"')
    qpos = _qpos(path, frames)
    step: dict[str, Any] = {"step": "read", "format": "deepmimic", "file": str(path)}
    with checks.building(path):
        qpos, fps, timing = _even(path, qpos, frames[:-1, 0])
        return MotionClip(
            qpos=qpos,
            fps=fps,
            skeleton=body.skeleton(),
            name=path.stem.removeprefix("humanoid3d_"),
            loop="wrap" if loop == "wrap" else "once",
            wrap_heading=loop == "wrap" and header.get("CycleSyncRootRot") is True,
            provenance=({**step, **timing},),
        )


def _parse(path: Path, raw: bytes) -> tuple[Mapping[str, Any], Array]:
    """Everything beside the frames, and the frames ``(T, 44)``."""
    opening = _FRAMES.search(raw)
    if opening is None:
        raise MotionFormatError(f'{path}: no "Frames": [[…], …]; expected the JSON of a DeepMimic motion')
    rows: list[Array] = []
    at, more = opening.end(), True
    while more:
        match = _ROW.match(raw, at)
        if match is None:
            raise MotionFormatError(
                f"{path}, line {_line(raw, at)}: frame {len(rows)} is not a list of numbers, [a, b, …]"
            )
        try:
            row = np.array(match[1].split(b","), np.float64)
        except ValueError:
            row = np.empty(0)
        if len(row) != WIDTH:
            count = match[1].count(b",") + 1
            raise MotionFormatError(
                f"{path}, line {_line(raw, match.start(1))}: frame {len(rows)} has {count} entries; expected {WIDTH} numbers"
            )
        rows.append(row)
        at, more = match.end(), match[2] == b","
    rest = raw[: opening.end()], raw[at:]
    if not rest[1].startswith(b"]"):
        raise MotionFormatError(f"{path}, line {_line(raw, at)}: the list of frames does not end; expected , or ]")
    if sum(map(len, rest)) > _MAX_HEADER:
        raise MotionFormatError(f"{path}: more than {_MAX_HEADER} bytes beside the frames; that is no DeepMimic motion")
    try:
        header = json.loads(b"".join(rest))
    except (ValueError, RecursionError) as error:
        raise MotionFormatError(f"{path}: not JSON beside the frames: {error}") from error
    if not isinstance(header, dict):
        raise MotionFormatError(f'{path}: expected a JSON object with the key "Frames"')
    return header, checks.finite(path, np.array(rows), "Frames")


def _line(raw: bytes, at: int) -> int:
    """Number of the line on which the first word from ``at`` on stands."""
    blank = _BLANK.match(raw, at)
    return raw.count(b"\n", 0, blank.end() if blank else at) + 1


def _qpos(path: Path, frames: Array) -> Array:
    skeleton = body.skeleton()
    turns = np.broadcast_to(rot.IDENTITY, (len(frames), skeleton.nbody, 4)).copy()
    for name, at in SPHERICAL.items():
        quat = checks.unit_quaternions(path, frames[:, at : at + 4], f"the rotation of {name} (from column {at})", 0.9)
        turns[:, skeleton.body(name)] = _z_up_turn(quat)
    qpos = np.tile(skeleton.rest_qpos, (len(frames), 1))
    qpos[:, :3] = _z_up(frames[:, 1:4])
    qpos = skeleton.with_local_rotations(qpos, turns)
    for name, at in REVOLUTE.items():
        qpos[:, _hinge(skeleton, name)] = -frames[:, at]
    return skeleton.into_range(qpos)


def _even(path: Path, qpos: Array, durations: Array) -> tuple[Array, float, dict[str, Any]]:
    """Poses at one rate, the rate, and what was done, for frames that last ``durations`` ``(T - 1,)``."""
    if len(durations) == 0:
        return qpos, 30.0, {"notes": ["one frame, whose rate is set to 30 Hz"]}
    wrong = ~((durations >= _SHORTEST_FRAME) & (durations <= _LONGEST_FRAME))
    if wrong.any():
        t = int(np.argmax(wrong))
        raise MotionFormatError(
            f"{path}: frame {t} lasts {durations[t]:g} s; expected from {_SHORTEST_FRAME} to {_LONGEST_FRAME} s"
        )
    values, counts = np.unique(durations, return_counts=True)
    commonest = float(values[np.argmax(counts)])
    fps = 1.0 / commonest
    if abs(commonest * round(fps) - 1.0) < _ROUNDED:
        fps = float(round(fps))
    if np.abs(durations - commonest).max() <= _ROUNDED * commonest:
        return qpos, fps, {"frame_duration": commonest}
    times = np.concatenate(([0.0], np.cumsum(durations)))
    n = max(2, round(times[-1] * fps) + 1)
    if n > checks.MAX_FRAMES:
        raise MotionFormatError(f"{path}: {times[-1]:g} s in frames of {commonest:g} s would be {n} frames")
    grid = np.linspace(0.0, times[-1], n)  # both ends are kept, so the rate gives way a little
    before = np.clip(np.searchsorted(times, grid, side="right") - 1, 0, len(durations) - 1)
    share = (grid - times[before]) / durations[before]
    qpos = sampling.interpolate(body.skeleton(), qpos[before], qpos[before + 1], share)
    note = f"frames last from {durations.min():g} to {durations.max():g} s; resampled evenly"
    return body.skeleton().follow(qpos), float((n - 1) / times[-1]), {"frame_duration": commonest, "notes": [note]}


def write(clip: MotionClip, path: Path) -> None:
    """Write ``clip`` as DeepMimic's JSON. Contacts, confidence, licence and provenance have no place there.

    Raises:
        MotionError: the clip is not on our default body, the one that such files describe.
    """
    if not clip.skeleton.same_tree(body.skeleton()):
        raise MotionError(
            f"clip {clip.name!r} is on skeleton {clip.skeleton.name!r}; a DeepMimic motion is of the default humanoid: "
            "retarget the clip to it first"
        )
    turns = clip.skeleton.local_rotations(clip.qpos)
    frames = np.zeros((clip.n_frames, WIDTH))
    frames[:-1, 0] = 1.0 / clip.fps
    frames[:, 1:4] = _y_up(clip.qpos[:, :3])
    for name, at in SPHERICAL.items():
        frames[:, at : at + 4] = _y_up_turn(rot.continuous(turns[:, clip.skeleton.body(name)]))
    for name, at in REVOLUTE.items():
        frames[:, at] = -clip.qpos[:, _hinge(clip.skeleton, name)]
    header: dict[str, str | bool] = {"Loop": "wrap" if clip.loop == "wrap" else "none"}
    if clip.loop == "wrap":
        header |= {"CycleSyncRootPos": True, "CycleSyncRootRot": clip.wrap_heading, "CycleSyncRootHeight": False}
    rows = ",\n".join("[" + ", ".join(f"{v:.9f}" for v in row) + "]" for row in frames.tolist())
    write_atomically(path, f'{json.dumps(header)[:-1]}, "Frames": [\n{rows}\n]}}\n')


def _hinge(skeleton: Skeleton, body_name: str) -> int:
    return skeleton.qpos_address[skeleton.joints_of[skeleton.body(body_name)][0]]


def _z_up(vectors: Array) -> Array:
    return np.stack((vectors[..., 0], -vectors[..., 2], vectors[..., 1]), axis=-1)


def _y_up(vectors: Array) -> Array:
    return np.stack((vectors[..., 0], vectors[..., 2], -vectors[..., 1]), axis=-1)


def _z_up_turn(quats: Array) -> Array:
    return np.concatenate((quats[..., :1], _z_up(quats[..., 1:])), axis=-1)


def _y_up_turn(quats: Array) -> Array:
    return np.concatenate((quats[..., :1], _y_up(quats[..., 1:])), axis=-1)


FORMAT = Format("deepmimic", (".txt", ".json"), "DeepMimic's JSON, 44 numbers a frame", sniff, read, write)
