"""dm_control's motions (``.h5``) of the CMU humanoid of 2019 and 2020: 56 hinges under a free root (needs h5py).

A file holds many trajectories; each has, for every step, the position and rotation of the root, the 56 angles, and the
positions and rotations of the 30 bodies. Which body hangs on which and about which axes it turns is known (the table
below); the rest pose is worked out from the first step of the file itself, rotation by rotation: with ``R`` the rotations
in the world and ``turn`` the product of a body's hinges, ``rest = R_parent^-1 R_body turn^-1``, and the offset is
``R_parent^-1 (p_body - p_parent)``. So walkers of any size read exactly, and the remaining steps prove it: where forward
kinematics departs from the recorded positions, the file is of another body and is refused.

``qpos`` is that of dm_control's own model (63 numbers, a free joint first). Body frames are dm_control's, Y up and Z
forward in the pelvis; the world has Z up.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.errors import MotionError, MotionFormatError
from rlsuite.motion import kinematics
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.formats import checks
from rlsuite.motion.formats.registry import Format
from rlsuite.motion.skeleton import Joint, Skeleton

Array = NDArray[np.float64]
_LEG = (("hipjoint", "root", ""), ("femur", "hipjoint", "zyx"), ("tibia", "femur", "x"), ("foot", "tibia", "zx"),
        ("toes", "foot", "x"))  # fmt: skip
_ARM = (("clavicle", "thorax", "zy"), ("humerus", "clavicle", "zyx"), ("radius", "humerus", "x"),
        ("wrist", "radius", "y"), ("hand", "wrist", "zx"), ("fingers", "hand", "x"), ("thumb", "hand", "zx"))  # fmt: skip
_SPINE = (("lowerback", "root", "zyx"), ("upperback", "lowerback", "zyx"), ("thorax", "upperback", "zyx"),
          ("lowerneck", "thorax", "zyx"), ("upperneck", "lowerneck", "zyx"), ("head", "upperneck", "zyx"))  # fmt: skip
_AXES = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}
_MIDDLE = {"root", "thorax"}
_UPRIGHT = np.array([0.5, 0.5, 0.5, 0.5])  # the root's Y up and Z forward, standing in a world with Z up and X forward
_MOST_STEPS = 200_000
_LARGEST_CHUNK = 1 << 25  # numbers that HDF5 unpacks at once
_TOLERANCE = 1e-3  # metres of departure of forward kinematics from the recorded positions


def _sided(side: str, rows: tuple[tuple[str, str, str], ...]) -> list[tuple[str, str, str]]:
    return [(side + name, parent if parent in _MIDDLE else side + parent, axes) for name, parent, axes in rows]


# Body, parent, axes of its hinges in order: the order of the file's bodies and of its angles.
BODIES = (*_sided("l", _LEG), *_sided("r", _LEG), *_SPINE, *_sided("l", _ARM), *_sided("r", _ARM))


def sniff(head: bytes, path: Path) -> bool:
    return head.startswith(b"\x89HDF\r\n\x1a\n")


def read(path: Path, *, trajectory: str | None = None, walker: str = "walker_0") -> MotionClip:
    """One trajectory on the humanoid that the file describes.

    Args:
        trajectory: its name, ``"CMU_016_22"`` (default: the first; :func:`trajectories` lists them).
        walker: which of several figures.

    Raises:
        MotionFormatError: the file is not such a recording, is of another body, or h5py is not installed.
        MotionError: there is no such trajectory.
    """
    with _opened(path) as file:
        names = _groups(file)
        if not names:
            raise MotionFormatError(f"{path}: no trajectory; expected groups that hold a group walkers")
        trajectory = names[0] if trajectory is None else trajectory
        if trajectory not in names:
            raise MotionError(
                f"{path}: no trajectory {trajectory!r}; it has {', '.join(map(checks.printable, names[:20]))}"
            )
        group, what = _group(path, file, trajectory), checks.printable(trajectory)
        dt = group.attrs.get("dt")
        if not isinstance(dt, float) or not 1e-4 <= dt <= 10.0:
            raise MotionFormatError(f"{path}: {what}: the attribute dt must be seconds, from 0.0001 to 10")
        figure = _group(path, _group(path, group, "walkers"), walker)
        position = _dataset(path, figure, "position", 3)
        n = len(position)
        quat = checks.unit_quaternions(path, _dataset(path, figure, "quaternion", 4, n), "quaternion")
        angles = _dataset(path, figure, "joints", sum(len(axes) for _, _, axes in BODIES), n)
        bodies = _dataset(path, figure, "body_positions", 3 * len(BODIES), n).reshape(n, -1, 3)
        turns = _dataset(path, figure, "body_quaternions", 4 * len(BODIES), n).reshape(n, -1, 4)
        turns = checks.unit_quaternions(path, turns, "body_quaternions")
    with checks.building(path):
        qpos = np.concatenate((position, rot.continuous(quat), angles), axis=1)  # angles as they are
        skeleton = _skeleton(qpos[0], np.vstack((position[:1], bodies[0])), np.vstack((quat[:1], turns[0])))
        clip = MotionClip(qpos=qpos, fps=_rate(dt), skeleton=skeleton, name=what)
    error = float(np.abs(kinematics.forward(skeleton, qpos)[0][:, 1:] - bodies).max())
    if error > _TOLERANCE:
        raise MotionFormatError(
            f"{path}: {what}: bodies are up to {error:.3g} m from where the angles of the CMU humanoid put them; "
            "expected the humanoid of 2019 or 2020"
        )
    step = {"step": "read", "format": "dm_control", "file": str(path), "trajectory": trajectory}
    return clip.with_step(**step, trajectories=len(names), position_error=error)


def trajectories(path: Path) -> list[str]:
    """Names of the trajectories in a file.

    Raises:
        MotionFormatError: it is not an HDF5 file, or h5py is not installed.
    """
    with _opened(path) as file:
        return _groups(file)


def _rate(dt: float) -> float:
    return float(round(1.0 / dt)) if abs(dt * round(1.0 / dt) - 1.0) < 1e-6 else 1.0 / dt


def _skeleton(qpos: Array, position: Array, quat: Array) -> Skeleton:
    """The tree whose rest pose puts the bodies, root first, at ``position`` ``(31, 3)``, ``quat`` in the pose ``qpos``."""
    names = ["root", *(name for name, _, _ in BODIES)]
    parents = [names.index(parent) for _, parent, _ in BODIES]
    joints, at = [Joint("root", "free", 0)], 7
    offsets, rest = [np.zeros(3)], [_UPRIGHT]
    for body, ((name, _, axes), parent) in enumerate(zip(BODIES, parents, strict=True), start=1):
        turn = rot.IDENTITY
        for axis in axes:
            joints.append(Joint(f"{name}r{axis}", "hinge", body, axis=_AXES[axis]))
            turn = rot.multiply(turn, rot.from_axis_angle(_AXES[axis], qpos[at]))
            at += 1
        from_parent = rot.conjugate(quat[parent])
        offsets.append(rot.rotate(from_parent, position[body] - position[parent]))
        rest.append(rot.multiply(rot.multiply(from_parent, quat[body]), rot.conjugate(turn)))
    tree = Skeleton(
        name="cmu_humanoid",
        body_names=tuple(names),
        parents=(-1, *parents),
        body_pos=np.array(offsets),
        body_quat=np.array(rest),
        joints=tuple(joints),
        keypoints={},
        end_effectors=("lfoot", "rfoot", "lhand", "rhand", "head"),
        feet=("lfoot", "ltoes", "rfoot", "rtoes"),
    )
    lowest = kinematics.forward(tree, tree.rest_qpos)[0][:, 2].min()
    offsets[0] = np.array((0.0, 0.0, -lowest))  # at rest the lowest joint is on the ground
    return replace(tree, body_pos=np.array(offsets))


# HDF5, of which only plain groups and arrays in the file itself are followed ----------------------------------------


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        import h5py
    except ImportError:
        raise MotionFormatError(f"{path}: reading it needs h5py: pip install 'rlsuite[formats]'") from None
    with checks.opening(path), path.open("rb"):
        pass
    try:
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except (MotionFormatError, MotionError):
        raise
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:  # all that h5py raises
        what = checks.printable(" ".join(str(error).split()))
        raise MotionFormatError(f"{path}: not an HDF5 file, or a damaged one: {what}") from error


def _groups(file: Any) -> list[str]:
    plain = {name: file.get(name) for name in file if _is_plain(file, name)}
    return [name for name, found in plain.items() if type(found).__name__ == "Group" and "walkers" in found]


def _is_plain(group: Any, name: str) -> bool:
    """Whether ``name`` is something in this file, not a link to elsewhere on the disk."""
    return type(group.get(name, getlink=True)).__name__ == "HardLink"


def _group(path: Path, group: Any, name: str) -> Any:
    found = group.get(name) if name in group and _is_plain(group, name) else None
    if type(found).__name__ != "Group":
        raise MotionFormatError(
            f"{path}: {checks.printable(group.name)}: no group {name!r}; expected a dm_control recording"
        )
    return found


def _dataset(path: Path, group: Any, name: str, features: int, steps: int | None = None) -> Array:
    """``(steps, features)`` of an array that the file keeps as features by steps."""
    found: Any = group.get(name) if name in group and _is_plain(group, name) else None
    place = checks.printable(f"{group.name}/{name}")
    if type(found).__name__ != "Dataset" or found.is_virtual or found.external:
        raise MotionFormatError(f"{path}: {place}: no array; expected {features} features by steps")
    shape = found.shape
    wrong = shape is None or len(shape) != 2 or shape[0] != features or not 0 < shape[1] <= _MOST_STEPS
    if wrong or (steps is not None and shape[1] != steps) or found.dtype.kind not in "fiu":
        raise MotionFormatError(
            f"{path}: {place} is {shape} of {found.dtype}; expected numbers, ({features}, {steps or 'steps'})"
        )
    if found.chunks is not None and math.prod(found.chunks) > _LARGEST_CHUNK:
        raise MotionFormatError(f"{path}: {place} is kept in chunks of {found.chunks}; that is no recording")
    return checks.finite(path, np.asarray(found[()]).T, place)


FORMAT = Format(
    "dm_control", (".h5", ".hdf5"), "dm_control's recordings of the CMU humanoid", sniff, read, extra="formats"
)
