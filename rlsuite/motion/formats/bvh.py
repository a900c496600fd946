"""BVH (Biovision hierarchy): read into a clip of its own skeleton, one ball joint for each joint with three rotations.

A joint's rotation is the product of its channels in the order listed, ``R = Rz Ry Rx`` for ``Zrotation Yrotation
Xrotation``; its place is ``p = p_parent + R_parent · t``, where ``t`` is its OFFSET or what its position channels say.
What files leave open is decided as the usual programs do, and said in the clip's provenance:

- a root is free, whatever channels it has; a joint with one or two rotation channels becomes hinges; with none, it is
  fixed to its parent;
- position channels hold the place itself, offset included (Blender, MotionBuilder), unless that would put the root at
  about twice the height of its legs, or a joint twice as far from its parent: then they are added to the offset;
- position channels of other joints that stay within a millimetre become the offset (Mixamo, Rokoko and MotionBuilder
  write them for every joint); those that move become three slides before the rotation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.errors import MotionError
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.formats import axes as axes_
from rlsuite.motion.formats import bvh_writer, units
from rlsuite.motion.formats.axes import Axes
from rlsuite.motion.formats.bvh_hierarchy import BvhJoint, Hierarchy, parse
from rlsuite.motion.formats.detection import decoded
from rlsuite.motion.formats.euler_channels import write_quaternions
from rlsuite.motion.formats.landmarks import size
from rlsuite.motion.formats.number_rows import read_rows
from rlsuite.motion.formats.registry import Format
from rlsuite.motion.formats.text import TextFile
from rlsuite.motion.skeleton import Joint, Skeleton

Array = NDArray[np.float64]

CONSTANT = 1e-3  # metres that a position channel may move and still be an offset
PROBES = 64  # frames looked at to see which way is up


def sniff(head: bytes, path: Path) -> bool:
    return decoded(head[:256]).replace("\0", "").lstrip().upper().startswith("HIERARCHY")


def read(
    path: Path,
    *,
    unit: str | None = None,
    up: str | None = None,
    forward: str | None = None,
    start: int = 0,
    stop: int | None = None,
    stride: int = 1,
    skip_rest_frame: bool = False,
) -> MotionClip:
    """The motion of a BVH file in metres, Z up, X forward.

    Args:
        unit, up, forward: see :mod:`rlsuite.motion.formats.units` and :mod:`rlsuite.motion.formats.axes`.
        start, stop, stride: frames to keep; the others are passed over, in bounded memory.
        skip_rest_frame: leave out the first frame of the file, which in CMU's files is a T-pose.

    Raises:
        MotionFormatError: the file is not a BVH file, or malformed.
        MotionError: frames that the file does not have.
    """
    start = max(start, int(skip_rest_frame))
    hierarchy, channels = read_channels(path, start, stop, stride)
    raw = _skeleton(hierarchy, path.stem)
    unit_ = units.resolve(unit, raw)
    probes = channels[:: max(1, len(channels) // PROBES)]
    axes = axes_.resolve(up, forward, raw, _raw_poses(hierarchy, raw, probes))
    leg = size(raw)[0]
    places = [_place(joint, channels, unit_.metres, axes, leg) for joint in hierarchy.joints]
    skeleton = _skeleton(hierarchy, path.stem, axes, unit_.metres, places)
    step: dict[str, Any] = {
        "step": "read",
        "format": "bvh",
        "file": str(path),
        "frames": [start, start + stride * (len(channels) - 1) + 1, stride],
        "frame_time": hierarchy.frame_time,
        "unit": unit_.name,
        "unit_source": unit_.source,
        "up": axes.up,
        "forward": axes.forward,
        "axes_source": axes.source,
        "channels": {joint.name: joint.channels or "" for joint in hierarchy.joints},
    }
    notes = [note for _, _, note in places if note]
    if start == 0 and stride == 1 and _begins_at_rest(hierarchy, channels):
        notes.append("the first frame leaps to the second: probably a rest pose (skip_rest_frame=true leaves it out)")
    qpos = _qpos(hierarchy, skeleton, channels, axes, unit_.metres, places)
    qpos.setflags(write=False)  # the clip takes it over
    del channels, probes, places  # of a long file each is as large as the clip
    return MotionClip(
        qpos=qpos,
        fps=hierarchy.fps / stride,
        skeleton=skeleton,
        name=path.stem,
        provenance=(step | {"notes": notes},),
    )


def read_channels(path: Path, start: int = 0, stop: int | None = None, stride: int = 1) -> tuple[Hierarchy, Array]:
    """The joints of a BVH file and its numbers as they stand, ``(n_frames, n_channels)``: degrees and file units.

    Raises:
        MotionFormatError: the file is not a BVH file, or malformed.
        MotionError: ``start`` lies beyond its end.
    """
    with TextFile(path) as file:
        hierarchy = parse(file)
        if start >= hierarchy.n_frames:
            raise MotionError(f"{path}: {hierarchy.n_frames} frames; the first one asked for is {start}")
        return hierarchy, read_rows(file, hierarchy.n_channels, hierarchy.n_frames, start, stop, stride)


Place = tuple[Array, Array | None, str]  # offset (3,), moving place (T, 3) or None, what to note: in the file's axes


def _place(joint: BvhJoint, channels: Array, metres: float, axes: Axes, leg: float) -> Place:
    """Where a joint is relative to its parent, from its offset and its position channels."""
    offset = np.array(joint.offset)
    if not joint.positions:
        return offset, None, ""
    which = ["XYZ".index(letter) for letter in joint.positions]
    values = np.tile(offset, (len(channels), 1))
    values[:, which] = channels[:, joint.columns("XYZ")]
    mean = values.mean(axis=0)
    if joint.parent < 0:
        height = axes_.axis_vector(axes.up) @ np.stack((mean, offset), axis=1)
        added = abs(sum(height) - leg) < abs(height[0] - leg) and abs(height[1]) > 0.5 * leg
    else:
        added = bool(np.linalg.norm(mean[which]) < np.linalg.norm((mean - offset)[which]))
    note = f"joint {joint.name}: positions are added to its offset" if added else ""
    if added:
        values[:, which] += offset[which]
    if joint.parent < 0:
        return offset, values, note
    middle = 0.5 * (values.max(axis=0) + values.min(axis=0))
    spread = float(np.abs(values - middle).max()) * metres
    if spread > CONSTANT:
        return offset, values, "; ".join((*filter(None, [note]), f"joint {joint.name}: moves on its parent, as slides"))
    if spread > 1e-6:
        note = "; ".join(
            (*filter(None, [note]), f"joint {joint.name}: positions within {2e3 * spread:.2g} mm averaged")
        )
    return middle, None, note


def _skeleton(
    hierarchy: Hierarchy, name: str, axes: Axes | None = None, metres: float = 1.0, places: list[Place] | None = None
) -> Skeleton:
    """The tree in the suite's axes and metres; without ``axes``, in the file's own."""
    joints: list[Joint] = []
    keypoints: dict[str, tuple[int, tuple[float, float, float]]] = {}
    turn = np.eye(3) if axes is None else axes.matrix * metres
    offsets = np.array([joint.offset for joint in hierarchy.joints]) if places is None else [p[0] for p in places]
    for body, joint in enumerate(hierarchy.joints):
        for i, end in enumerate(joint.ends):
            x, y, z = (turn @ np.array(end)).tolist()
            keypoints[f"{joint.name}_end{i + 1 if i else ''}"] = (body, (x, y, z))
        if joint.parent < 0:
            joints.append(Joint(joint.name, "free", body))
            continue
        if places is not None and places[body][1] is not None:
            for letter in "xyz":
                x, y, z = axes_.axis_vector(letter).tolist()
                joints.append(Joint(f"{joint.name}_slide_{letter}", "slide", body, axis=(x, y, z)))
        if len(joint.rotations) == 3:
            joints.append(Joint(joint.name, "ball", body))
        else:
            for letter in joint.rotations:
                x, y, z = ((turn / metres) @ axes_.axis_vector(letter)).tolist()
                joints.append(Joint(f"{joint.name}_{letter}", "hinge", body, axis=(x, y, z)))
    parents = tuple(joint.parent for joint in hierarchy.joints)
    names = tuple(joint.name for joint in hierarchy.joints)
    return Skeleton(
        name=name,
        body_names=names,
        parents=parents,
        body_pos=np.asarray(offsets) @ turn.T,
        body_quat=axes_.identity_rotations(len(names)),
        joints=tuple(joints),
        keypoints=keypoints,
        end_effectors=tuple(n for i, n in enumerate(names) if i not in parents),
        feet=tuple(n for n in names if any(word in n.lower() for word in ("foot", "ankle", "toe"))),
    )


def _raw_poses(hierarchy: Hierarchy, skeleton: Skeleton, channels: Array) -> Array:
    axes = Axes("z", "x")  # the identity
    places: list[Place] = [(np.array(j.offset), None, "") for j in hierarchy.joints]
    return _qpos(hierarchy, skeleton, channels, axes, 1.0, places)


def _qpos(
    hierarchy: Hierarchy, skeleton: Skeleton, channels: Array, axes: Axes, metres: float, places: list[Place]
) -> Array:
    """``(T, nq)`` rows of the skeleton; turns about an axis of the file are turns about where that axis lies."""
    out = np.empty((len(channels), skeleton.nq))
    balls: dict[str, list[tuple[list[int], int]]] = {}  # order: columns of the angles, address of the quaternion
    for body, joint in enumerate(hierarchy.joints):
        at = skeleton.qpos_address[skeleton.joints_of[body][0]] if skeleton.joints_of[body] else 0
        offset, moving, _ = places[body]
        columns = joint.columns("xyz")
        if joint.parent < 0:
            out[:, at : at + 3] = axes.vectors(offset if moving is None else moving) * metres
            at += 3
        elif moving is not None:
            out[:, at : at + 3] = axes.vectors(moving - offset) * metres
            at += 3
        if joint.parent < 0 or len(columns) == 3:
            balls.setdefault(joint.rotations, []).append((columns, at))
        else:
            out[:, at : at + len(columns)] = np.radians(channels[:, columns])
    for order, found in balls.items():
        turned = [axes.axis(letter) for letter in order]
        angles = np.array([c for c, _ in found], np.intp).reshape(len(found), len(order))
        in_suite, signs = "".join(letter for letter, _ in turned), [sign for _, sign in turned]
        write_quaternions(out, [at for _, at in found], channels, angles, in_suite, signs)
    return out


def _begins_at_rest(hierarchy: Hierarchy, channels: Array) -> bool:
    """Whether the first step is far larger than those after it: a T-pose set before the motion."""
    columns = [c for joint in hierarchy.joints for c in joint.columns("xyz")]
    if len(channels) < 4 or not columns:
        return False
    angles = channels[: PROBES + 1, columns]
    steps = np.abs((np.diff(angles, axis=0) + 180.0) % 360.0 - 180.0).mean(axis=1)
    return bool(steps[0] > 2.0 and steps[0] > 10.0 * np.median(steps[1:]))


FORMAT = Format("bvh", (".bvh",), "Biovision hierarchy: Euler angles of a skeleton", sniff, read, bvh_writer.write)
