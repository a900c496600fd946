"""Jacobians of points and bodies for whole clips: what every degree of freedom does to them, in the world.

A hinge of axis ``a`` through ``c`` moves a point ``x`` by ``a x (x - c)`` and turns the bodies below it by ``a``; a slide
moves them by ``a``. Free and ball joints are three such turns about the body's own axes: MuJoCo's degrees of freedom.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.motion import rotations as rot
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]


@dataclass
class Frames:
    """Bodies in the world, and the world axis and anchor of every degree of freedom."""

    position: Array  # (T, nbody, 3)
    quat: Array  # (T, nbody, 4)
    axis: Array  # (T, nv, 3)
    anchor: Array  # (T, nv, 3)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Frames:
        return Frames(self.position[rows], self.quat[rows], self.axis[rows], self.anchor[rows])

    def put(self, rows: NDArray[np.bool_], other: Frames) -> None:
        for name in ("position", "quat", "axis", "anchor"):
            getattr(self, name)[rows] = getattr(other, name)[rows]


def frames_of(skeleton: Skeleton, qpos: Array) -> Frames:
    """Forward kinematics that also keeps the axes (:func:`rlsuite.motion.kinematics.forward` is the plain one)."""
    n = len(qpos)
    out = Frames(
        np.empty((n, skeleton.nbody, 3)),
        np.empty((n, skeleton.nbody, 4)),
        np.empty((n, skeleton.nv, 3)),
        np.empty((n, skeleton.nv, 3)),
    )
    for body, parent in enumerate(skeleton.parents):
        if parent < 0:
            p = np.broadcast_to(skeleton.body_pos[body], (n, 3))
            q = np.broadcast_to(skeleton.body_quat[body], (n, 4))
        else:
            q = out.quat[:, parent]
            p = out.position[:, parent] + turned(q, skeleton.body_pos[body])
            if skeleton.body_quat[body][0] < 1.0:
                q = rot.multiply(q, skeleton.body_quat[body])
        for j in skeleton.joints_of[body]:
            joint, at, v = skeleton.joints[j], skeleton.qpos_address[j], skeleton.dof_address[j]
            if joint.kind == "free":
                p, q = qpos[:, at : at + 3], qpos[:, at + 3 : at + 7]
                out.axis[:, v : v + 3], out.anchor[:, v : v + 3] = np.eye(3), 0.0
                at, v = at + 3, v + 3
            if joint.kind in ("free", "ball"):
                if joint.kind == "ball":
                    anchor = p + turned(q, joint.anchor)
                    q = rot.multiply(q, qpos[:, at : at + 4])
                    p = anchor - turned(q, joint.anchor)
                else:
                    anchor = p
                out.axis[:, v : v + 3] = rot.to_matrix(q).swapaxes(-1, -2)  # angular velocity is in the body's frame
                out.anchor[:, v : v + 3] = anchor[:, None]
                continue
            axis = turned(q, joint.axis)
            out.axis[:, v] = axis
            value = qpos[:, at] - joint.reference
            if joint.kind == "slide":
                out.anchor[:, v] = p
                p = p + axis * value[:, None]
            else:
                anchor = p + turned(q, joint.anchor) if any(joint.anchor) else p
                q = rot.multiply(q, rot.from_axis_angle(joint.axis, value))
                if any(joint.anchor):
                    p = anchor - turned(q, joint.anchor)
                out.anchor[:, v] = anchor
        out.position[:, body], out.quat[:, body] = p, q
    return out


def turned(quat: Array, vector: ArrayLike) -> Array:
    """One vector ``(3,)`` turned by many rotations ``(T, 4)``."""
    x, y, z = np.asarray(vector, np.float64)
    w, a, b, c = quat.T
    tx, ty, tz = 2.0 * (b * z - c * y), 2.0 * (c * x - a * z), 2.0 * (a * y - b * x)
    turned = (x + w * tx + b * tz - c * ty, y + w * ty + c * tx - a * tz, z + w * tz + a * ty - b * tx)
    return np.stack(turned, axis=-1)


class Structure:
    """Which degrees of freedom move which body, and how."""

    def __init__(self, skeleton: Skeleton) -> None:
        dofs: list[tuple[int, bool]] = []  # (body, turns)
        for joint in skeleton.joints:
            turns = {"free": [False] * 3 + [True] * 3, "ball": [True] * 3, "hinge": [True], "slide": [False]}
            dofs += [(joint.body, turn) for turn in turns[joint.kind]]
        self.turns = np.array([turn for _, turn in dofs])
        moves = np.zeros((skeleton.nbody, skeleton.nv), bool)
        for body, parent in enumerate(skeleton.parents):
            if parent >= 0:
                moves[body] = moves[parent]
            moves[body] |= np.array([b == body for b, _ in dofs], bool)
        self.moves = moves
        low = np.full(skeleton.nv, -np.inf)
        high = np.full(skeleton.nv, np.inf)
        address = np.zeros(skeleton.nv, np.intp)
        for joint, at, v in zip(skeleton.joints, skeleton.qpos_address, skeleton.dof_address, strict=True):
            if joint.kind in ("hinge", "slide"):
                address[v] = at
                if joint.range is not None:
                    low[v], high[v] = joint.range
        self.low, self.high, self.address = low, high, address
        self.bounded = np.flatnonzero(np.isfinite(low) | np.isfinite(high))

    def point_rows(self, frames: Frames, bodies: tuple[int, ...], points: Array) -> Array:
        """``(T, n, 3, nv)`` change of the world positions ``points`` ``(T, n, 3)`` with the degrees of freedom."""
        rows = np.zeros((len(points), len(bodies), 3, len(self.turns)))
        for i, body in enumerate(bodies):
            turning = np.flatnonzero(self.moves[body] & self.turns)
            shifting = np.flatnonzero(self.moves[body] & ~self.turns)
            axis, arm = frames.axis[:, turning], points[:, None, i] - frames.anchor[:, turning]
            ax, ay, az = axis[..., 0], axis[..., 1], axis[..., 2]
            x, y, z = arm[..., 0], arm[..., 1], arm[..., 2]
            rows[:, i, 0, turning] = ay * z - az * y
            rows[:, i, 1, turning] = az * x - ax * z
            rows[:, i, 2, turning] = ax * y - ay * x
            rows[:, i, :, shifting] = frames.axis[:, shifting].swapaxes(0, 1)
        return rows

    def height_rows(self, frames: Frames, bodies: tuple[int, ...], points: Array) -> Array:
        """``(T, n, nv)`` change of the heights of world positions ``points`` ``(T, n, 3)``."""
        rows = np.zeros((len(points), len(bodies), len(self.turns)))
        for i, body in enumerate(bodies):
            turning = np.flatnonzero(self.moves[body] & self.turns)
            shifting = np.flatnonzero(self.moves[body] & ~self.turns)
            axis, arm = frames.axis[:, turning], points[:, None, i] - frames.anchor[:, turning]
            rows[:, i, turning] = axis[..., 0] * arm[..., 1] - axis[..., 1] * arm[..., 0]
            rows[:, i, shifting] = frames.axis[:, shifting, 2]
        return rows

    def turn_rows(self, frames: Frames, bodies: tuple[int, ...]) -> Array:
        """``(T, m, 3, nv)`` angular velocity in the world of ``bodies`` with the degrees of freedom."""
        active = self.moves[list(bodies)] & self.turns
        return frames.axis.swapaxes(1, 2)[:, None] * active[None, :, None, :]


def jacobians(
    skeleton: Skeleton, qpos: ArrayLike, bodies: tuple[int, ...], offsets: ArrayLike | None = None
) -> tuple[Array, Array]:
    """Jacobians ``(T, n, 3, nv)`` of points on bodies (``mj_jac``): of their position, and of their body's rotation.

    Args:
        qpos: ``(T, nq)``. offsets: ``(n, 3)`` of the points in their bodies; default: the bodies' origins.
    """
    qpos = unit(skeleton, np.array(qpos, np.float64))
    frames, structure = frames_of(skeleton, qpos), Structure(skeleton)
    offsets = np.zeros((len(bodies), 3)) if offsets is None else np.asarray(offsets, np.float64)
    points = frames.position[:, list(bodies)] + rot.rotate(frames.quat[:, list(bodies)], offsets)
    return structure.point_rows(frames, bodies, points), structure.turn_rows(frames, bodies)


def unit(skeleton: Skeleton, qpos: Array) -> Array:
    """``qpos`` with its quaternions brought to length one, in place."""
    for at in skeleton.quaternions:
        qpos[:, at : at + 4] = rot.normalize(qpos[:, at : at + 4])
    return qpos
