"""How the axes of a file lie in the suite's (X forward, Y left, Z up): a turn by right angles, named or judged.

Which way is up is seen in the rest pose (head and feet on opposite sides of the hips), else in the motion (people are
upright most of the time), else taken to be +Y, which most files use. Which way is forward is seen in where the left
leg is; +Z where +Y is up and nothing shows it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import MotionError
from rlsuite.motion import kinematics
from rlsuite.motion import rotations as rot
from rlsuite.motion.formats import landmarks
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]

NAMES = ("x", "y", "z", "-x", "-y", "-z")
CLEAR = 2.0  # how many times the second largest component the largest must be to show an axis


@dataclass(frozen=True)
class Axes:
    """up, forward: axes of the file, as in :data:`NAMES`. source: why."""

    up: str
    forward: str
    source: str = "given"

    @property
    def matrix(self) -> Array:
        """``(3, 3)`` turn from the file's coordinates to the suite's: its rows are forward, left and up."""
        up, forward = axis_vector(self.up), axis_vector(self.forward)
        return np.array([forward, np.cross(up, forward), up])

    def vectors(self, vectors: ArrayLike) -> Array:
        """``(..., 3)`` in the suite's coordinates."""
        return np.asarray(vectors, np.float64) @ self.matrix.T

    def axis(self, letter: str) -> tuple[str, float]:
        """Which of the suite's axes the file's axis ``letter`` is, and its sign: turns about it turn about that one."""
        column = self.matrix[:, "xyz".index(letter)]
        which = int(np.argmax(np.abs(column)))
        return "xyz"[which], float(column[which])

    def quaternions(self, quat: ArrayLike) -> Array:
        """``(..., 4)`` rotations of the file in the suite's coordinates."""
        quat = np.asarray(quat, np.float64)
        return np.concatenate((quat[..., :1], self.vectors(quat[..., 1:])), axis=-1)


def axis_vector(name: str) -> Array:
    """Unit vector of an axis name.

    Raises:
        MotionError: it is none of :data:`NAMES`.
    """
    name = name.lower().removeprefix("+")
    if name not in NAMES:
        raise MotionError(f"axis {name!r}: one of {', '.join(NAMES)} expected")
    return np.eye(3)["xyz".index(name[-1])] * (-1.0 if name.startswith("-") else 1.0)


def resolve(up: str | None, forward: str | None, skeleton: Skeleton, poses: Array | None = None) -> Axes:
    """The axes that the caller names; each one left open is judged.

    Args:
        skeleton: in the file's coordinates, rest rotations the identity. poses: ``(n, nq)`` some of the motion.

    Raises:
        MotionError: not names of axes, or the two are not perpendicular.
    """
    given = {"up": up, "forward": forward}
    for name, value in given.items():
        if value is not None:
            axis_vector(value)
            given[name] = value.lower().removeprefix("+")
    up, forward = given["up"], given["forward"]
    if up is not None and forward is not None:
        if up[-1] == forward[-1]:
            raise MotionError(f"up {up!r} and forward {forward!r}: two perpendicular axes expected")
        return Axes(up, forward)
    positions = landmarks.rest_positions(skeleton)
    in_rest = _upright(skeleton, positions)
    in_motion = "" if in_rest or poses is None else _upright_in(skeleton, poses)
    source = "rest pose" if in_rest else "motion" if in_motion else "assumed"
    if up is None:
        seen = in_rest or in_motion
        free = "y" if forward is None or forward[-1] != "y" else "z"
        up = seen if seen and (forward is None or seen[-1] != forward[-1]) else free
    else:
        source = "given"
    if forward is None:
        facing = _facing(skeleton, positions, up) if in_rest == up else ""
        forward = facing or {"y": "z", "z": "x", "x": "y"}[up[-1]]
        source = f"up: {source}, forward: {'rest pose' if facing else 'assumed'}"
    else:
        source = f"up: {source}, forward: given"
    return Axes(up, forward, source)


def _upright(skeleton: Skeleton, positions: Array) -> str:
    """The axis from feet to head, where the hips are between them along it."""
    feet, heads = landmarks.feet(skeleton), landmarks.heads(skeleton)
    if not feet or not heads:
        return ""
    foot, head = positions[feet].mean(axis=0), positions[heads].mean(axis=0)
    name = _clear_axis(head - foot)
    if not name:
        return ""
    above, below = (head - positions[0]) @ axis_vector(name), (positions[0] - foot) @ axis_vector(name)
    return name if above > 0.0 and below > 0.0 else ""


def _upright_in(skeleton: Skeleton, poses: Array) -> str:
    """The same seen in the mean over poses."""
    feet, heads = landmarks.feet(skeleton), landmarks.heads(skeleton)
    if not feet or not heads:
        return ""
    positions, _ = kinematics.forward(skeleton, poses)
    return _clear_axis((positions[:, heads].mean(axis=1) - positions[:, feet].mean(axis=1)).mean(axis=0))


def _facing(skeleton: Skeleton, positions: Array, up: str) -> str:
    """The axis that the rest pose faces: from the right leg to the left one, a quarter turn back about up."""
    pairs = landmarks.left_thighs(skeleton)
    if not pairs:
        return ""
    across = np.mean([positions[left] - positions[right] for left, right in pairs], axis=0)
    return _clear_axis(np.cross(across, axis_vector(up)))


def _clear_axis(vector: Array) -> str:
    """Name of the axis that a vector lies along, or ``""`` where it lies between two."""
    order = np.argsort(-np.abs(vector))
    if abs(vector[order[0]]) <= CLEAR * abs(vector[order[1]]):
        return ""
    return ("-" if vector[order[0]] < 0.0 else "") + "xyz"[order[0]]


def turned(skeleton: Skeleton, axes: Axes, metres: float) -> tuple[Array, dict[str, tuple[int, tuple[float, ...]]]]:
    """Offsets and key points of a skeleton of the file in the suite's coordinates and metres."""
    points = {name: (body, tuple(axes.vectors(point) * metres)) for name, (body, point) in skeleton.keypoints.items()}
    return axes.vectors(skeleton.body_pos) * metres, points


def identity_rotations(n: int) -> Array:
    """``(n, 4)`` of a rest pose without rotations."""
    return np.tile(rot.IDENTITY, (n, 1))
