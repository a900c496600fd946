"""Forward kinematics in torch: the differentiable twin of :mod:`rlsuite.motion.kinematics`.

For losses on positions of bodies. Gradients flow to ``qpos``; they exist in the rest pose and at every angle, because no
norm, arc cosine or logarithm is taken except the length of quaternions, which is never nought.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rlsuite.motion.skeleton import Skeleton


def multiply(left: Tensor, right: Tensor) -> Tensor:
    """Hamilton product ``(..., 4)``: ``right`` turns first."""
    aw, ax, ay, az = left.unbind(-1)
    bw, bx, by, bz = right.unbind(-1)
    product = (
        aw * bw - ax * bx - ay * by - az * bz,
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
    )
    return torch.stack(product, dim=-1)


def rotate(quat: Tensor, vector: Tensor) -> Tensor:
    """Vectors ``(..., 3)`` turned by quaternions ``(..., 4)``."""
    axis, vector = torch.broadcast_tensors(quat[..., 1:], vector)
    twice = 2.0 * torch.linalg.cross(axis, vector)
    return vector + quat[..., :1] * twice + torch.linalg.cross(axis, twice)


def forward(skeleton: Skeleton, qpos: Tensor) -> tuple[Tensor, Tensor]:
    """Positions ``(..., nbody, 3)`` and rotations ``(..., nbody, 4)`` of all bodies in the world, of ``qpos``'s type."""
    position: list[Tensor] = []
    quat: list[Tensor] = []
    lead = qpos.shape[:-1]
    offsets, rests = qpos.new_tensor(skeleton.body_pos), qpos.new_tensor(skeleton.body_quat)
    for body, parent in enumerate(skeleton.parents):
        p, q = offsets[body].expand(*lead, 3), rests[body].expand(*lead, 4)
        if parent >= 0:
            p, q = position[parent] + rotate(quat[parent], p), multiply(quat[parent], q)
        for j in skeleton.joints_of[body]:
            joint, at = skeleton.joints[j], skeleton.qpos_address[j]
            axis, anchor = qpos.new_tensor(joint.axis), qpos.new_tensor(joint.anchor)
            if joint.kind == "free":
                p, q = qpos[..., at : at + 3], _unit(qpos[..., at + 3 : at + 7])
            elif joint.kind == "slide":
                p = p + rotate(q, axis) * (qpos[..., at, None] - joint.reference)
            else:
                if joint.kind == "ball":
                    turn = _unit(qpos[..., at : at + 4])
                else:
                    half = 0.5 * (qpos[..., at, None] - joint.reference)
                    turn = torch.cat((torch.cos(half), torch.sin(half) * axis), dim=-1)
                turned = multiply(q, turn)
                if any(joint.anchor):
                    p = p + rotate(q, anchor) - rotate(turned, anchor)
                q = turned
        position.append(p)
        quat.append(q)
    return torch.stack(position, dim=-2), torch.stack(quat, dim=-2)


def keypoints(skeleton: Skeleton, qpos: Tensor, names: Sequence[str] | None = None) -> Tensor:
    """``(..., n, 3)`` positions of the skeleton's key points (all of them, in its order, or those named)."""
    position, quat = forward(skeleton, qpos)
    chosen = [skeleton.keypoints[name] for name in (skeleton.keypoints if names is None else names)]
    bodies = [body for body, _ in chosen]
    offsets = qpos.new_tensor([offset for _, offset in chosen]).reshape(-1, 3)
    return position[..., bodies, :] + rotate(quat[..., bodies, :], offsets)


def _unit(quat: Tensor) -> Tensor:
    return quat / torch.linalg.vector_norm(quat, dim=-1, keepdim=True)
