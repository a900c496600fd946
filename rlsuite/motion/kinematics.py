"""Forward kinematics of whole clips at once: where every body is, for ``(..., nq)`` poses in vectorised NumPy.

The same arithmetic as MuJoCo's ``mj_kinematics`` (joints of a body act one after another, each about its anchor), for
skeletons that need no compiled model. :mod:`rlsuite.motion.kinematics_torch` is its differentiable twin.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.motion import rotations as rot
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]


def forward(skeleton: Skeleton, qpos: ArrayLike) -> tuple[Array, Array]:
    """Positions ``(..., nbody, 3)`` and rotations ``(..., nbody, 4)`` of all bodies in the world."""
    qpos = np.asarray(qpos, np.float64)
    lead = qpos.shape[:-1]
    position, quat = np.empty((*lead, skeleton.nbody, 3)), np.empty((*lead, skeleton.nbody, 4))
    for body, parent in enumerate(skeleton.parents):
        if parent < 0:
            p = np.broadcast_to(skeleton.body_pos[body], (*lead, 3))
            q = np.broadcast_to(skeleton.body_quat[body], (*lead, 4))
        else:
            p = position[..., parent, :] + rot.rotate(quat[..., parent, :], skeleton.body_pos[body])
            q = rot.multiply(quat[..., parent, :], skeleton.body_quat[body])
        for j in skeleton.joints_of[body]:
            joint, at = skeleton.joints[j], skeleton.qpos_address[j]
            if joint.kind == "free":
                p, q = qpos[..., at : at + 3], rot.normalize(qpos[..., at + 3 : at + 7])
            elif joint.kind == "slide":
                p = p + rot.rotate(q, np.array(joint.axis)) * (qpos[..., at] - joint.reference)[..., None]
            else:
                if joint.kind == "ball":
                    turn = rot.normalize(qpos[..., at : at + 4])
                else:
                    turn = rot.from_axis_angle(joint.axis, qpos[..., at] - joint.reference)
                turned = rot.multiply(q, turn)
                if any(joint.anchor):
                    p = p + rot.rotate(q, joint.anchor) - rot.rotate(turned, joint.anchor)
                q = turned
        position[..., body, :], quat[..., body, :] = p, q
    return position, quat


def keypoints(skeleton: Skeleton, qpos: ArrayLike, names: list[str] | None = None) -> Array:
    """``(..., n, 3)`` positions of the skeleton's key points (all of them, in its order, or those named)."""
    position, quat = forward(skeleton, qpos)
    chosen = [skeleton.keypoints[name] for name in (skeleton.keypoints if names is None else names)]
    bodies, offsets = [body for body, _ in chosen], np.array([offset for _, offset in chosen]).reshape(-1, 3)
    return position[..., bodies, :] + rot.rotate(quat[..., bodies, :], offsets)
