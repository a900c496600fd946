"""Tables of poses made ready for poses between their rows: great arcs, or splines on the manifold.

What depends only on the table is worked out once: the rotations of free and ball joints and of hinge triples as
quaternions, aligned in sign, and the angle from each to the next. A call then costs a few operations per pose.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rlsuite.motion import rotations as rot
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]


class Tracks:
    """Poses ``qpos`` ``(T, nq)`` with everything that interpolation between rows ``t`` and ``t + 1`` needs."""

    def __init__(self, skeleton: Skeleton, qpos: Array) -> None:
        self.skeleton, self.qpos = skeleton, qpos
        self._quaternions = [list(range(at, at + 4)) for at in skeleton.quaternions]
        triples = [skeleton.joints_of[body] for body in skeleton.spherical_hinges]
        self._columns = np.array([[skeleton.qpos_address[j] for j in triple] for triple in triples], np.intp)
        self._reference = np.array([[skeleton.joints[j].reference for j in triple] for triple in triples])
        # a left-handed triple of axes is a right-handed one with its last axis turned round
        hands = [np.sign(np.linalg.det([skeleton.joints[j].axis for j in triple])) for triple in triples]
        self._signs = np.array([[1.0, 1.0, hand] for hand in hands])

    def __len__(self) -> int:
        return len(self.qpos)

    @cached_property
    def turns(self) -> Array:
        """``(T, m, 4)``: the free and ball joints' quaternions, then each hinge triple's turn, in the frame of its axes."""
        parts = [self.qpos[:, columns] for columns in self._quaternions]
        if len(self._columns):
            angles = (self.qpos[:, self._columns] - self._reference) * self._signs  # (T, triples, 3)
            parts.extend(np.moveaxis(rot.from_euler(angles, "xyz"), 1, 0))
        if not parts:
            return np.zeros((len(self.qpos), 0, 4))
        return rot.continuous(np.stack(parts, axis=1))

    @cached_property
    def _arcs(self) -> tuple[Array, Array]:
        """Angle ``(T - 1, m)`` between successive quaternions as vectors in 4D, and 1 over its sine (0: no turn)."""
        chord = np.linalg.norm(self.turns[1:] - self.turns[:-1], axis=-1)
        angle = 2.0 * np.arcsin(np.minimum(0.5 * chord, 1.0))
        sine = np.sin(angle)
        return angle, np.divide(1.0, sine, out=np.zeros_like(sine), where=sine > 0.0)

    def arcs(self, before: NDArray[np.intp], share: Array) -> Array:
        """``(..., nq)`` at ``share`` ``(...)`` of the way from row ``before`` ``(...)`` to the next.

        Positions and lone hinges go along straight lines, all other rotations by slerp (Shoemake 1985).
        """
        start = self.qpos[before]
        poses = start + share[..., None] * (self.qpos[before + 1] - start)
        if not self.turns.shape[1]:
            return poses
        angle, inverse_sine = self._arcs[0][before], self._arcs[1][before]  # (..., m)
        share = share[..., None]
        still = inverse_sine == 0.0
        backward = np.where(still, 1.0 - share, np.sin((1.0 - share) * angle) * inverse_sine)
        onward = np.where(still, share, np.sin(share * angle) * inverse_sine)
        turns = backward[..., None] * self.turns[before] + onward[..., None] * self.turns[before + 1]
        return self.with_turns(poses, turns)

    def splines(self, before: NDArray[np.intp], share: Array, slopes: Slopes) -> Array:
        """As :meth:`arcs`, but with a continuous velocity, which is ``slopes`` at the rows.

        Positions and lone hinges follow cubic Hermite splines, rotations the cumulative Bézier curve of Kim, Kim and
        Shin (1995, equation 13): ``q(u) = q0 exp(w1 b1(u)) exp(w2 b2(u)) exp(w3 b3(u))``, which leaves ``q0`` with body
        velocity ``3 w1`` and reaches ``q1`` with ``3 w3``.
        """
        u = share[..., None]
        start, end = self.qpos[before], self.qpos[before + 1]
        leave, arrive = slopes.row[before], slopes.row[before + 1]
        poses = start + (u * u * (3.0 - 2.0 * u)) * (end - start)
        poses += u * (1.0 - u) * ((1.0 - u) * leave - u * arrive)
        if not self.turns.shape[1]:
            return poses
        q0, q1 = self.turns[before], self.turns[before + 1]
        w1, w3 = slopes.turn[before] / 3.0, slopes.turn[before + 1] / 3.0  # (..., m, 3)
        middle = rot.multiply(rot.multiply(rot.conjugate(rot.exp(w1)), rot.conjugate(q0)), q1)
        w2 = rot.log(rot.multiply(middle, rot.exp(-w3)))
        u = u[..., None]
        curve = rot.multiply(q0, rot.exp(w1 * (1.0 - (1.0 - u) ** 3)))
        curve = rot.multiply(curve, rot.exp(w2 * (u * u * (3.0 - 2.0 * u))))
        return self.with_turns(poses, rot.multiply(curve, rot.exp(w3 * u**3)))

    def with_turns(self, poses: Array, turns: Array) -> Array:
        """``poses`` with its rotations replaced in place; hinges in the branch nearest to what they were."""
        for i, columns in enumerate(self._quaternions):
            poses[..., columns] = turns[..., i, :]
        if len(self._columns):
            near = (poses[..., self._columns] - self._reference) * self._signs
            angles = rot.to_euler(turns[..., len(self._quaternions) :, :], "xyz", near)
            poses[..., self._columns] = angles * self._signs + self._reference
        return poses


class Slopes:
    """Velocities at the rows of a table, per row: the means of the steps before and after (Catmull and Rom 1974).

    Attributes:
        row: ``(T, nq)`` of positions and angles, per row (of no meaning for quaternions).
        turn: ``(T, m, 3)`` body velocities of ``Tracks.turns``.
    """

    def __init__(self, tracks: Tracks, *, cyclic: bool, around: Array | None = None) -> None:
        """``cyclic``: the last row is the first of the next cycle, its root turned by quaternion ``around``."""
        steps = np.diff(tracks.qpos, axis=0)
        first, last = steps[0].copy(), steps[-1].copy()
        turns = rot.log(rot.multiply(rot.conjugate(tracks.turns[:-1]), tracks.turns[1:]))
        first_turn, last_turn = turns[0], turns[-1]
        if cyclic:
            first, last, first_turn, last_turn = last, first, last_turn, first_turn
            if around is not None:
                first[:3] = rot.rotate(rot.conjugate(around), first[:3])
                last[:3] = rot.rotate(around, last[:3])
        self.row = 0.5 * (np.concatenate((first[None], steps)) + np.concatenate((steps, last[None])))
        self.turn = 0.5 * (np.concatenate((first_turn[None], turns)) + np.concatenate((turns, last_turn[None])))
