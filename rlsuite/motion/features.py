"""Feature vectors of poses: relative to the root, invariant to place and heading on the ground, with an exact inverse.

Per frame: the root's height; its tilt (the rotation less its heading) in 6D; the velocity on the ground, seen from the
heading, and the rate at which the heading turns, both to the next frame; every other joint's rotation in 6D (the first
two columns of its matrix: Zhou et al. 2019, continuous where angles and quaternions are not); slides in metres.
On request also key points, seen from below the root along its heading, and contacts.

Velocities add up to the path again: :meth:`PoseFeatures.decode` is the inverse up to where the motion begins.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import MotionError
from rlsuite.motion import kinematics
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]
GROUND = np.array([1.0, 1.0, 0.0])


class PoseFeatures:
    """What a feature vector of poses of one skeleton holds.

    Attributes:
        names: ``(size,)`` one name per number. slices: where each group lies: ``height``, ``tilt``, ``velocity``,
        ``yaw_rate``, ``rotations``, ``slides``, ``keypoints``, ``contacts``.
    """

    def __init__(self, skeleton: Skeleton, *, keypoints: Sequence[str] = (), contacts: Sequence[str] = ()) -> None:
        """``keypoints``: names of the skeleton's points; ``contacts``: names as in ``MotionClip.contact_names``.

        Raises:
            MotionError: the skeleton has no free root, or lacks a key point.
        """
        if not skeleton.has_free_root:
            raise MotionError(f"skeleton {skeleton.name!r} has no free joint at its root; features are relative to one")
        absent = [name for name in keypoints if name not in skeleton.keypoints]
        if absent:
            raise MotionError(f"skeleton {skeleton.name!r} has no key point {absent[0]!r}")
        self.skeleton, self.keypoints, self.contacts = skeleton, tuple(keypoints), tuple(contacts)
        joints = skeleton.joints
        self._bodies = sorted({joint.body for joint in joints[1:] if joint.kind in ("ball", "hinge")})
        self._slides = [a for joint, a in zip(joints, skeleton.qpos_address, strict=True) if joint.kind == "slide"]
        slide_names = [joint.name for joint in joints if joint.kind == "slide"]
        six = ("xx", "xy", "xz", "yx", "yy", "yz")
        groups: dict[str, list[str]] = {
            "height": ["height"],
            "tilt": [f"tilt {part}" for part in six],
            "velocity": ["velocity forward", "velocity left"],
            "yaw_rate": ["yaw rate"],
            "rotations": [f"{skeleton.body_names[body]} {part}" for body in self._bodies for part in six],
            "slides": slide_names,
            "keypoints": [f"{name} {axis}" for name in self.keypoints for axis in "xyz"],
            "contacts": [f"contact {name}" for name in self.contacts],
        }
        self.names = tuple(name for group in groups.values() for name in group)
        ends = np.cumsum([0, *(len(group) for group in groups.values())]).tolist()
        self.slices = {group: slice(a, b) for group, a, b in zip(groups, ends[:-1], ends[1:], strict=True)}

    @property
    def size(self) -> int:
        return len(self.names)

    def encode(self, clip: MotionClip) -> Array:
        """``(T, size)``. The last frame of a ``once`` clip has the velocity of the one before, of a cycle that of the first.

        Raises:
            MotionError: the clip is of another skeleton, or without the contacts asked for.
        """
        if not clip.skeleton.same_tree(self.skeleton):
            raise MotionError(f"clip {clip.name!r} is of skeleton {clip.skeleton.name!r}, not {self.skeleton.name!r}")
        root, quat = clip.qpos[:, :3], clip.qpos[:, 3:7]
        heading = rot.heading(quat)
        velocity, yaw_rate = np.zeros((clip.n_frames, 3)), np.zeros(clip.n_frames)
        if clip.n_frames > 1:
            velocity[:-1] = rot.rotate(rot.conjugate(heading[:-1]), np.diff(root, axis=0)) * clip.fps
            yaw_rate[:-1] = rot.heading_angle(rot.multiply(heading[1:], rot.conjugate(heading[:-1]))) * clip.fps
            next_frame = 0 if clip.loop == "wrap" else -2
            velocity[-1], yaw_rate[-1] = velocity[next_frame], yaw_rate[next_frame]
        out = np.empty((clip.n_frames, self.size))
        out[:, self.slices["height"]] = root[:, 2:]
        out[:, self.slices["tilt"]] = to_6d(rot.multiply(rot.conjugate(heading), quat))
        out[:, self.slices["velocity"]] = velocity[:, :2]
        out[:, self.slices["yaw_rate"]] = yaw_rate[:, None]
        turns = self.skeleton.local_rotations(clip.qpos)[:, self._bodies]
        out[:, self.slices["rotations"]] = to_6d(turns).reshape(clip.n_frames, -1)
        out[:, self.slices["slides"]] = clip.qpos[:, self._slides]
        if self.keypoints:
            points = kinematics.keypoints(self.skeleton, clip.qpos, list(self.keypoints))
            local = rot.rotate(rot.conjugate(heading)[:, None], points - (root * GROUND)[:, None])
            out[:, self.slices["keypoints"]] = local.reshape(clip.n_frames, -1)
        if self.contacts:
            absent = set(self.contacts) - set(clip.contact_names)
            if clip.contacts is None or absent:
                raise MotionError(f"clip {clip.name!r} does not say when {', '.join(self.contacts)} touch the ground")
            out[:, self.slices["contacts"]] = clip.contacts[:, [clip.contact_names.index(n) for n in self.contacts]]
        return out

    def decode(self, features: ArrayLike, fps: float, start: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Array:
        """``(..., T, nq)`` poses of ``features`` ``(..., T, size)``, beginning at ``start``: x, y and heading.

        Rotations are the nearest to what the 6D numbers say, so that the output of a model need not be exact.
        """
        features = np.asarray(features, np.float64)
        if features.ndim < 2 or features.shape[-1] != self.size:
            raise MotionError(f"features must be (..., T, {self.size}), not {features.shape}")
        yaw = start[2] + _sum_before(features[..., self.slices["yaw_rate"]][..., 0] / fps)
        heading = rot.from_axis_angle((0.0, 0.0, 1.0), yaw)
        velocity = np.concatenate((features[..., self.slices["velocity"]], np.zeros((*yaw.shape, 1))), axis=-1)
        steps = rot.rotate(heading, velocity) / fps
        qpos = np.broadcast_to(self.skeleton.rest_qpos, (*yaw.shape, self.skeleton.nq)).copy()
        qpos[..., 0] = start[0] + _sum_before(steps[..., 0])
        qpos[..., 1] = start[1] + _sum_before(steps[..., 1])
        qpos[..., 2] = features[..., self.slices["height"]][..., 0]
        turns = np.broadcast_to(rot.IDENTITY, (*yaw.shape, self.skeleton.nbody, 4)).copy()
        turns[..., 0, :] = rot.multiply(heading, from_6d(features[..., self.slices["tilt"]]))
        rotations = features[..., self.slices["rotations"]].reshape(*yaw.shape, len(self._bodies), 6)
        turns[..., self._bodies, :] = from_6d(rotations)
        qpos = self.skeleton.with_local_rotations(qpos, turns)
        qpos[..., self._slides] = features[..., self.slices["slides"]]
        flat = qpos.reshape(-1, *qpos.shape[-2:])
        return np.stack([self.skeleton.follow(rows) for rows in flat]).reshape(qpos.shape)


def to_6d(quat: ArrayLike) -> Array:
    """``(..., 6)``: the first two columns of the matrices of quaternions ``(..., 4)``."""
    return np.concatenate([rot.rotate(quat, axis) for axis in np.eye(3)[:2]], axis=-1)


def from_6d(columns: ArrayLike) -> Array:
    """Quaternions ``(..., 4)`` by Gram and Schmidt: the first column's direction is kept, the second's plane."""
    columns = np.asarray(columns, np.float64)
    x, y = columns[..., :3], columns[..., 3:]
    x = x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)
    y = y - np.sum(x * y, axis=-1, keepdims=True) * x
    y = y / np.maximum(np.linalg.norm(y, axis=-1, keepdims=True), 1e-12)
    return rot.from_matrix(np.stack((x, y, np.cross(x, y)), axis=-1))


def _sum_before(steps: Array) -> Array:
    """Along the last axis, the sum of all steps before each."""
    return np.cumsum(steps, axis=-1) - steps
