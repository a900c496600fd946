"""LocoMuJoCo motions (``.npz``): values of a MuJoCo model's joints, in its older and its newer layout.

*Older*: one array ``q_<joint>`` (and its velocity ``dq_<joint>``) for each coordinate of the suite's human skeleton,
which is OpenSim's gait model (Hamner et al. 2010) with X forward, Y up and Z to the right. Its tree is written out here
with offsets to the millimetre, turned to Z up and Y left; slides and hinges of the pelvis become a free joint. A file
holds no rate: it is 500 Hz, or the one at which differences of the positions agree with the velocities.

*Newer* (``Trajectory``): ``qpos`` ``(T, nq)``, ``joint_names``, ``jnt_type``, ``frequency``, ``split_points``. It does
not say which body hangs on which, so the tree must be given: ``skeleton=Skeleton.from_mjcf("the robot's.xml")``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.errors import MotionError, MotionFormatError, nearest
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.formats import checks
from rlsuite.motion.formats.detection import zip_members
from rlsuite.motion.formats.registry import Format
from rlsuite.motion.skeleton import QPOS_SIZE, Joint, Kind, Skeleton

Array = NDArray[np.float64]
Vector = tuple[float, float, float]
RATE = 500.0  # Hz of the published recordings
PELVIS_HEIGHT = 0.975  # metres, at pelvis_ty = 0
_X, _Y, _Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
# The right half, in OpenSim's axes (forward, up, right): body, parent, offset in metres, joints with their axes.
_RIGHT: tuple[tuple[str, str, Vector, tuple[tuple[str, Vector], ...]], ...] = (
    ("femur", "pelvis", (-0.072, -0.067, 0.085), (("hip_flexion", _Z), ("hip_adduction", _X), ("hip_rotation", _Y))),
    ("tibia", "femur", (-0.002, -0.366, 0.0), (("knee_angle", _Z),)),
    ("talus", "tibia", (0.0, -0.480, 0.0), (("ankle_angle", (-0.105014, -0.174022, 0.979126)),)),
    ("calcn", "talus", (-0.054, -0.047, 0.009), (("subtalar_angle", (0.78718, 0.604747, -0.120949)),)),
    ("toes", "calcn", (0.191, -0.002, 0.001), (("mtp_angle", (-0.580954, 0.0, 0.813936)),)),
)
_TORSO: tuple[Vector, tuple[tuple[str, Vector], ...]] = (
    (-0.103, 0.083, 0.0),
    (("lumbar_extension", _Z), ("lumbar_bending", _X), ("lumbar_rotation", _Y)),
)
_RIGHT_ARM: tuple[tuple[str, str, Vector, tuple[tuple[str, Vector], ...]], ...] = (
    ("humerus", "torso", (0.003, 0.400, 0.183), (("arm_flex", _Z), ("arm_add", _X), ("arm_rot", _Y))),
    ("ulna", "humerus", (0.015, -0.336, -0.011), (("elbow_flex", (0.226047, 0.022269, 0.973862)),)),
    ("radius", "ulna", (-0.007, -0.014, 0.029), (("pro_sup", (0.056398, 0.998406, 0.001952)),)),
    ("hand", "radius", (-0.010, -0.261, 0.015), (("wrist_flex", _Z), ("wrist_dev", _X))),
)
_ROOT = ("pelvis_tx", "pelvis_tz", "pelvis_ty", "pelvis_tilt", "pelvis_list", "pelvis_rotation")
_TRAJECTORY = ("qpos", "joint_names", "jnt_type", "frequency", "split_points")
_KINDS: tuple[Kind, ...] = ("free", "ball", "slide", "hinge")  # as MuJoCo numbers them


def sniff(head: bytes, path: Path) -> bool:
    members = zip_members(head, path)
    return {"q_pelvis_tx", "q_pelvis_tilt"} <= members or {"qpos", "joint_names", "jnt_type"} <= members


def read(path: Path, *, skeleton: Skeleton | None = None, fps: float | None = None, trajectory: int = 0) -> MotionClip:
    """The motion on the human skeleton, or (newer layout) on the one given.

    Args:
        skeleton: tree whose joints are named as in the file; needed by the newer layout, and only there.
        fps: frames per second, where the file's own is not right.
        trajectory: which of several in one file (newer layout).

    Raises:
        MotionFormatError: the file is not such a motion.
        MotionError: the file needs a ``skeleton``, or has another number of trajectories.
    """
    members = zip_members(b"PK", path)
    if {"qpos", "joint_names"} <= members:
        return _trajectory(path, skeleton, fps, trajectory)
    if skeleton is not None:
        raise MotionError(f"{path}: this file brings its own skeleton; leave skeleton out")
    return _coordinates(path, sorted(members), fps)


def human_skeleton(joint_names: frozenset[str] | None = None) -> Skeleton:
    """The human tree with a free root and those of its hinges that are in ``joint_names`` (default: all)."""
    rows = [(f"{body}_r", f"{parent}_r", offset, joints) for body, parent, offset, joints in _RIGHT]
    rows += [_mirrored(row) for row in rows]
    arm = [(f"{body}_r", f"{parent}_r", offset, joints) for body, parent, offset, joints in _RIGHT_ARM]
    rows += [("torso", "pelvis", *_TORSO), *arm, *(_mirrored(row) for row in arm)]
    names = ["pelvis", *(row[0] for row in rows)]
    joints = [Joint("root", "free", 0)]
    for body, (name, _, _, hinges) in enumerate(rows, start=1):
        side = name[-2:] if name[-2:] in ("_r", "_l") else ""
        for hinge, axis in hinges:
            if joint_names is None or hinge + side in joint_names:
                unit = np.array(_z_up(axis)) / np.linalg.norm(axis)
                joints.append(Joint(hinge + side, "hinge", body, axis=tuple(unit.tolist())))
    parents = [parent if parent in names else parent[:-2] for _, parent, _, _ in rows]
    return Skeleton(
        name="loco_mujoco_human",
        body_names=tuple(names),
        parents=(-1, *(names.index(parent) for parent in parents)),
        body_pos=np.array([(0.0, 0.0, PELVIS_HEIGHT), *(_z_up(offset) for _, _, offset, _ in rows)]),
        body_quat=np.tile(rot.IDENTITY, (len(names), 1)),
        joints=tuple(joints),
        keypoints={},
        end_effectors=("toes_r", "toes_l", "hand_r", "hand_l"),
        feet=("calcn_r", "toes_r", "calcn_l", "toes_l"),
    )


def _mirrored(row: Any) -> Any:
    """The same on the left: offsets are mirrored, and so are turns, whose axes then point the other way."""
    body, parent, (x, y, z), joints = row
    axes = tuple((name, (-ax, -ay, az)) for name, (ax, ay, az) in joints)
    return f"{body[:-2]}_l", f"{parent[:-2]}_l", (x, y, -z), axes


def _z_up(vector: Vector) -> Vector:
    x, y, z = vector
    return x, -z, y


def _coordinates(path: Path, members: list[str], fps: float | None) -> MotionClip:
    """The older layout: an array for each coordinate."""
    names = [name.removeprefix("q_") for name in members if name.startswith("q_")]
    known = [*_ROOT, *(joint.name for joint in human_skeleton().joints[1:])]
    for name in names:
        if name not in known:
            meant = " or ".join(nearest(checks.printable(name), known)) or ", ".join(known)
            raise MotionFormatError(
                f"{path}: {checks.printable(name)}: the human skeleton has no such coordinate; expected {meant}"
            )
    arrays = checks.npz_arrays(path, {f"{kind}_{name}" for name in names for kind in ("q", "dq")})
    first = checks.numbers(path, checks.needed(path, arrays, "q_pelvis_tx"), "q_pelvis_tx", "frames")
    value = {
        name: checks.numbers(path, checks.needed(path, arrays, f"q_{name}"), f"q_{name}", len(first))
        for name in {*names, *_ROOT}
    }
    skeleton = human_skeleton(frozenset(names))
    shift = np.stack((value["pelvis_tx"], -value["pelvis_tz"], value["pelvis_ty"] + PELVIS_HEIGHT), axis=-1)
    turn = rot.from_axis_angle(_z_up(_Z), value["pelvis_tilt"])
    turn = rot.multiply(turn, rot.from_axis_angle(_z_up(_X), value["pelvis_list"]))
    turn = rot.multiply(turn, rot.from_axis_angle(_z_up(_Y), value["pelvis_rotation"]))
    hinges = [value[joint.name][:, None] for joint in skeleton.joints[1:]]
    rate, source = (fps, "given") if fps is not None else _measured_rate(path, arrays, value)
    notes = ["offsets of the skeleton are those of the published model to the millimetre, not of the person"]
    with checks.building(path):
        return MotionClip(
            qpos=np.concatenate((shift, rot.continuous(turn), *hinges), axis=1),
            fps=checks.rate(path, rate),
            skeleton=skeleton,
            name=path.stem,
            provenance=({"step": "read", "format": "loco_mujoco", "file": str(path), "rate": source, "notes": notes},),
        )


def _measured_rate(path: Path, arrays: dict[str, NDArray[np.generic]], value: dict[str, Array]) -> tuple[float, str]:
    """The rate at which differences of the positions are the velocities (least squares over all coordinates)."""
    speed_squared = speed_step = 0.0
    for name, positions in value.items():
        if f"dq_{name}" in arrays:
            speeds = checks.numbers(path, arrays[f"dq_{name}"], f"dq_{name}", len(positions))
            between = 0.5 * (speeds[1:] + speeds[:-1])
            speed_squared += float(between @ between)
            speed_step += float(between @ np.diff(positions))
    if speed_step <= 0.0:
        return RATE, "assumed"
    rate = speed_squared / speed_step
    return (RATE, "of the published recordings") if abs(rate / RATE - 1.0) < 0.1 else (round(rate, 1), "measured")


def _trajectory(path: Path, skeleton: Skeleton | None, fps: float | None, trajectory: int) -> MotionClip:
    """The newer layout: rows of ``qpos`` whose joints are named."""
    arrays = checks.npz_arrays(path, _TRAJECTORY)
    qpos = checks.numbers(path, checks.needed(path, arrays, "qpos"), "qpos", "frames", "nq")
    names = checks.words(checks.needed(path, arrays, "joint_names"))
    types = checks.numbers(path, checks.needed(path, arrays, "jnt_type"), "jnt_type", len(names))
    if not np.isin(types, range(len(_KINDS))).all():
        raise MotionFormatError(f"{path}: jnt_type holds kinds of joints that MuJoCo does not have; expected 0 to 3")
    kinds = [_KINDS[int(t)] for t in types]
    starts = np.cumsum([0, *(QPOS_SIZE[kind] for kind in kinds)])
    if starts[-1] != qpos.shape[1]:
        raise MotionFormatError(f"{path}: qpos has {qpos.shape[1]} columns; its joints need {starts[-1]}")
    rate = checks.scalar(path, checks.needed(path, arrays, "frequency"), "frequency") if fps is None else fps
    splits = np.array([0, len(qpos)])
    if "split_points" in arrays and arrays["split_points"].size:
        points = checks.numbers(path, arrays["split_points"], "split_points", "n", largest=float(checks.MAX_FRAMES))
        splits = points.astype(np.int64)
    if splits[0] != 0 or splits[-1] != len(qpos) or (np.diff(splits) < 1).any() or len(splits) < 2:
        raise MotionFormatError(f"{path}: split_points must rise from 0 to the {len(qpos)} frames")
    if not 0 <= trajectory < len(splits) - 1:
        raise MotionError(f"{path} has {len(splits) - 1} trajectories; trajectory={trajectory} is not one of them")
    if skeleton is None:
        raise MotionError(
            f'{path} does not say how its bodies hang together; give skeleton=Skeleton.from_mjcf("its model.xml")'
        )
    rows = qpos[splits[trajectory] : splits[trajectory + 1]]
    columns: list[int] = []
    for joint in skeleton.joints:
        if joint.name not in names or kinds[names.index(joint.name)] != joint.kind:
            raise MotionError(
                f"skeleton {skeleton.name!r} has the {joint.kind} joint {joint.name!r}; the file has "
                + ", ".join(f"{name} ({kind})" for name, kind in zip(names[:60], kinds, strict=False))
            )
        start = int(starts[names.index(joint.name)])
        columns += range(start, start + QPOS_SIZE[joint.kind])
    dropped = [name for name in names if name not in {joint.name for joint in skeleton.joints}]
    poses = rows[:, columns]
    for at in skeleton.quaternions:
        quat = checks.unit_quaternions(path, poses[:, at : at + 4], f"qpos (column {at} of {skeleton.name!r})")
        poses[:, at : at + 4] = rot.continuous(quat)
    step: dict[str, Any] = {"step": "read", "format": "loco_mujoco", "file": str(path), "trajectory": trajectory}
    with checks.building(path):
        return MotionClip(
            qpos=poses,
            fps=checks.rate(path, rate),
            skeleton=skeleton,
            name=path.stem,
            provenance=(step | {"notes": [f"joints left out: {', '.join(dropped)}"] if dropped else []},),
        )


FORMAT = Format("loco_mujoco", (".npz",), "LocoMuJoCo's joint values, older and newer layout", sniff, read)
