"""The body's state in the world, many rows at once: what rewards, observations and terminations look at.

The same arrays describe the simulated body and the reference, and the same kernel fills both, so that a body that follows
exactly has an error of exactly nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rlsuite.envs.humanoid.kernels import Array, Rows, entry_kernel

BOUND = ("qpos", "qvel", "xpos", "xquat", "cvel", "xipos", "subtree_com")  # fields of MuJoCo that a state is made of


class BodyState(NamedTuple):
    """``n`` rows of a body of ``b`` parts; world frame, metres, radians, seconds.

    Attributes:
        qpos: ``(n, nq)``. qvel: ``(n, nv)``, MuJoCo's convention.
        position: ``(n, b, 3)`` of the parts' frames. rotation: ``(n, b, 4)``.
        velocity: ``(n, b, 3)`` of the frames' origins. spin: ``(n, b, 3)`` angular velocity.
        com, com_velocity: ``(n, 3)`` of the centre of mass.
    """

    qpos: Array
    qvel: Array
    position: Array
    rotation: Array
    velocity: Array
    spin: Array
    com: Array
    com_velocity: Array


def empty_state(n: int, nq: int, nv: int, bodies: int) -> BodyState:
    """``n`` rows to be filled: zeros, and the identity for rotations."""
    rotation = np.zeros((n, bodies, 4))
    rotation[..., 0] = 1.0
    position, velocity, spin = (np.zeros((n, bodies, 3)) for _ in range(3))
    return BodyState(
        np.zeros((n, nq)), np.zeros((n, nv)), position, rotation, velocity, spin, np.zeros((n, 3)), np.zeros((n, 3))
    )


def read(fields: tuple[Array, ...], masses: Array, rows: Rows, out: BodyState) -> None:
    """Fill ``out`` at ``rows`` from the ``BOUND`` fields of a batch, current to the stage of velocities."""
    qpos, qvel, xpos, xquat, cvel, xipos, subtree_com = fields
    _derive(rows, qpos, qvel, xpos, xquat, cvel, xipos, subtree_com, masses, out)


@entry_kernel
def _derive(
    rows: Rows,
    qpos: Array,
    qvel: Array,
    xpos: Array,
    xquat: Array,
    cvel: Array,
    xipos: Array,
    subtree_com: Array,
    masses: Array,
    out: BodyState,
) -> None:
    """MuJoCo's body 0 is the world. ``cvel`` is the spin, then the velocity of the point at the whole body's centre ``c``;
    of a point p it is ``v + ω × (p - c)``.
    """
    total = 0.0
    for b in range(len(masses)):
        total += masses[b]
    for i in rows:
        for k in range(out.qpos.shape[1]):  # things besides the body come after it
            out.qpos[i, k] = qpos[i, k]
        for k in range(out.qvel.shape[1]):
            out.qvel[i, k] = qvel[i, k]
        cx, cy, cz = subtree_com[i, 1, 0], subtree_com[i, 1, 1], subtree_com[i, 1, 2]
        sx, sy, sz = 0.0, 0.0, 0.0
        for b in range(len(masses)):
            wx, wy, wz = cvel[i, b + 1, 0], cvel[i, b + 1, 1], cvel[i, b + 1, 2]
            vx, vy, vz = cvel[i, b + 1, 3], cvel[i, b + 1, 4], cvel[i, b + 1, 5]
            px, py, pz = xpos[i, b + 1, 0], xpos[i, b + 1, 1], xpos[i, b + 1, 2]
            out.position[i, b, 0], out.position[i, b, 1], out.position[i, b, 2] = px, py, pz
            for k in range(4):
                out.rotation[i, b, k] = xquat[i, b + 1, k]
            rx, ry, rz = px - cx, py - cy, pz - cz
            out.velocity[i, b, 0] = vx + (wy * rz - wz * ry)
            out.velocity[i, b, 1] = vy + (wz * rx - wx * rz)
            out.velocity[i, b, 2] = vz + (wx * ry - wy * rx)
            out.spin[i, b, 0], out.spin[i, b, 1], out.spin[i, b, 2] = wx, wy, wz
            rx, ry, rz = xipos[i, b + 1, 0] - cx, xipos[i, b + 1, 1] - cy, xipos[i, b + 1, 2] - cz
            sx += masses[b] * (vx + (wy * rz - wz * ry))
            sy += masses[b] * (vy + (wz * rx - wx * rz))
            sz += masses[b] * (vz + (wx * ry - wy * rx))
        out.com[i, 0], out.com[i, 1], out.com[i, 2] = cx, cy, cz
        out.com_velocity[i, 0], out.com_velocity[i, 1], out.com_velocity[i, 2] = sx / total, sy / total, sz / total
