"""Minimal coordinates of poses, in which a density means something: as many numbers as degrees of freedom.

Redundant features (6D rotations, key points) lie on a surface of the space they are written in, where every density is
infinite; see :mod:`rlsuite.motion.features` for those. Here a joint of two or three hinges, or a ball, is the logarithm of
its rotation (3 numbers, radians), a single hinge its angle, a slide its shift. With the root also: its height, its tilt
(the logarithm of the rotation less its heading, whose vertical part is zero: 2 numbers), and per second the velocity on
the ground, seen from the heading, and the turn of the heading to the next frame.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import MotionError
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]
ROOT = ("height", "tilt x", "tilt y", "velocity forward", "velocity left", "yaw rate")
TOLERANCES = (0.03, 0.05, 0.05, 0.3, 0.3, 0.5)  # of those; m, rad, rad, m/s, m/s, rad/s
TOLERANCE = 0.06  # of a joint, radians


class PoseCoordinates:
    """Poses of one skeleton as vectors.

    Args:
        root: with the root's six numbers first; without, joints alone.

    Attributes:
        names: ``(size,)`` one per number.

    Raises:
        MotionError: the skeleton has no free root.
    """

    def __init__(self, skeleton: Skeleton, *, root: bool = True) -> None:
        if not skeleton.has_free_root:
            raise MotionError(f"skeleton {skeleton.name!r} has no free joint at its root; a motion prior needs one")
        self.skeleton, self.root = skeleton, root
        self._turning: list[int] = []  # bodies whose rotation is 3 numbers
        self._single: list[int] = []  # addresses of lone hinges and of slides
        names: list[str] = []
        single: list[str] = []
        for body in range(skeleton.nbody):
            joints = [skeleton.joints[j] for j in skeleton.joints_of[body]]
            at = [skeleton.qpos_address[j] for j in skeleton.joints_of[body]]
            hinges = [j for j in joints if j.kind in ("hinge", "ball")]
            if len(hinges) > 1 or any(j.kind == "ball" for j in hinges):
                self._turning.append(body)
                names += [f"{skeleton.body_names[body]} {axis}" for axis in "xyz"]
            for joint, address in zip(joints, at, strict=True):
                if joint.kind == "slide" or (joint.kind == "hinge" and len(hinges) == 1):
                    self._single.append(address)
                    single.append(joint.name)
        self.names = (*(ROOT if root else ()), *names, *single)

    @property
    def size(self) -> int:
        return len(self.names)

    @property
    def tolerances(self) -> Array:
        """``(size,)``: how far each number may be off for the motion still to look the same."""
        root = TOLERANCES if self.root else ()
        return np.array([*root, *[TOLERANCE] * (self.size - len(root))])

    def encode(self, clip: MotionClip) -> Array:
        """``(T, size)``. The last frame of a ``once`` clip moves as the one before, that of a cycle as the first.

        Raises:
            MotionError: the clip is of another skeleton.
        """
        if not clip.skeleton.same_tree(self.skeleton):
            raise MotionError(f"clip {clip.name!r} is of skeleton {clip.skeleton.name!r}, not {self.skeleton.name!r}")
        turns = rot.log(self.skeleton.local_rotations(clip.qpos)[:, self._turning])
        joints = [turns.reshape(clip.n_frames, -1), clip.qpos[:, self._single]]
        return np.concatenate([self._root_of(clip), *joints] if self.root else joints, axis=1)

    def jacobian(self, qpos: ArrayLike) -> Array:
        r"""``(T, size, nv)`` derivative of :meth:`encode` by the velocities of single poses ``qpos (T, nq)``.

        A turn by joints one after another, :math:`R = R_1 R_2 R_3`, has the logarithm :math:`\phi` with
        :math:`d\phi = J_r^{-1}(\phi) \sum_i (R_{i+1} \cdots R_3)^T a_i\, d\theta_i`. The root's numbers belong to the way
        from pose to pose; their rows are 0.
        """
        qpos, skeleton = np.asarray(qpos, np.float64), self.skeleton
        out = np.zeros((len(qpos), self.size, skeleton.nv))
        row = len(ROOT) if self.root else 0
        vectors = rot.log(skeleton.local_rotations(qpos)[:, self._turning])
        for k, body in enumerate(self._turning):
            inverse = rot.inverse_right_jacobian(vectors[:, k])
            after = np.broadcast_to(rot.IDENTITY, (len(qpos), 4))  # turn of the joints that come after
            for j in reversed(skeleton.joints_of[body]):
                joint, q, v = skeleton.joints[j], skeleton.qpos_address[j], skeleton.dof_address[j]
                if joint.kind == "ball":
                    turn, axes = rot.normalize(qpos[:, q : q + 4]), np.eye(3)
                elif joint.kind == "hinge":
                    turn, axes = rot.from_axis_angle(joint.axis, qpos[:, q] - joint.reference), np.array([joint.axis])
                else:
                    continue
                for i, axis in enumerate(axes):
                    own = rot.rotate(rot.conjugate(after), axis)
                    out[:, row + 3 * k : row + 3 * k + 3, v + i] = (inverse @ own[..., None])[..., 0]
                after = rot.multiply(turn, after)
        row += 3 * len(self._turning)
        for k, address in enumerate(self._single):
            out[:, row + k, skeleton.dof_address[skeleton.qpos_address.index(address)]] = 1.0
        return out

    def _root_of(self, clip: MotionClip) -> Array:
        place, quat = clip.qpos[:, :3], clip.qpos[:, 3:7]
        heading = rot.heading(quat)
        motion = np.zeros((clip.n_frames, 3))
        if clip.n_frames > 1:
            step = rot.rotate(rot.conjugate(heading[:-1]), np.diff(place, axis=0))
            motion[:-1, :2] = step[:, :2] * clip.fps
            motion[:-1, 2] = rot.heading_angle(rot.multiply(heading[1:], rot.conjugate(heading[:-1]))) * clip.fps
            motion[-1] = motion[0 if clip.loop == "wrap" else -2]
        tilt = rot.log(rot.multiply(rot.conjugate(heading), quat))[:, :2]
        return np.concatenate([place[:, 2:], tilt, motion], axis=1)

    def decode(self, coordinates: ArrayLike, fps: float, start: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Array:
        """``(T, nq)`` poses of ``coordinates`` ``(T, size)``, the root beginning at ``start``: x, y and heading.

        Without the root's numbers it stands where the skeleton rests. Angles beyond their joint's range stay so.

        Raises:
            MotionError: another shape.
        """
        values = np.asarray(coordinates, np.float64)
        if values.ndim != 2 or values.shape[1] != self.size:
            raise MotionError(f"coordinates must be (T, {self.size}), not {values.shape}")
        n = len(values)
        qpos = np.broadcast_to(self.skeleton.rest_qpos, (n, self.skeleton.nq)).copy()
        turns = self.skeleton.local_rotations(qpos)
        at = len(ROOT) if self.root else 0
        if self.root:
            yaw = start[2] + _sum_before(values[:, 5] / fps)
            heading = rot.from_axis_angle((0.0, 0.0, 1.0), yaw)
            tilt = np.concatenate([values[:, 1:3], np.zeros((n, 1))], axis=1)
            turns[:, 0] = rot.multiply(heading, rot.exp(tilt))
            steps = rot.rotate(heading, np.concatenate([values[:, 3:5], np.zeros((n, 1))], axis=1)) / fps
            for axis in range(2):
                qpos[:, axis] = start[axis] + _sum_before(steps[:, axis])
            qpos[:, 2] = values[:, 0]
        else:
            qpos[:, :2] += start[:2]
            turns[:, 0] = rot.multiply(rot.from_axis_angle((0.0, 0.0, 1.0), start[2]), turns[:, 0])
        end = at + 3 * len(self._turning)
        turns[:, self._turning] = rot.exp(values[:, at:end].reshape(n, -1, 3))
        qpos = self.skeleton.with_local_rotations(qpos, turns)
        qpos[:, self._single] = values[:, end:]
        return self.skeleton.follow(qpos)


def _sum_before(steps: Array) -> Array:
    """Of ``(T,)``, the sum of all before each."""
    return np.concatenate([[0.0], np.cumsum(steps)[:-1]])
