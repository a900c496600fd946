"""Gaussians fixed to the bodies of a model: made from its geoms, or from a fitted cloud; seen in any pose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import mujoco
import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from rlsuite.errors import MotionError
from rlsuite.generative.implicit.splatting.gaussians import Cloud, Gaussians
from rlsuite.motion import kinematics, models
from rlsuite.motion import rotations as rot
from rlsuite.motion.render.geoms import VISIBLE_GROUPS, colours
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]

ROUND = 1.25  # a geom not longer than this times its width is one Gaussian
OPACITY = 0.95
# Standard deviation over half the width of a geom. Alone a Gaussian would be half transparent at the surface with 0.88;
# those of a body overlap, and silhouettes agree best with the renderer's at about a half.
ACROSS = 0.52


@dataclass(frozen=True, eq=False)
class BodyGaussians:
    """``n`` Gaussians in the axes of the bodies they belong to.

    Attributes:
        skeleton: of the poses. body: ``(n,)`` index of the body.
        means: ``(n, 3)`` metres. quats: ``(n, 4)``. scales: ``(n, 3)``. opacities: ``(n,)``. colors: ``(n, channels)``.
    """

    skeleton: Skeleton
    body: NDArray[np.intp]
    means: Array
    quats: Array
    scales: Array
    opacities: Array
    colors: Array

    @classmethod
    def of_model(cls, skeleton: Skeleton, model: mujoco.MjModel | None = None, per_geom: int = 4) -> Self:
        """From the visible geoms: ``per_geom`` along a long one, one for a round one, in the colours in which it is drawn.

        Raises:
            MotionError: the model has no visible geom on a body, or is of another skeleton.
        """
        model = models.model_of(skeleton) if model is None else model
        if not models.is_body_of(model, skeleton):
            raise MotionError(f"the model is not one of skeleton {skeleton.name!r}")
        rgba = colours(model)
        parts = []
        for g in range(model.ngeom):
            if model.geom_bodyid[g] > 0 and model.geom_group[g] in VISIBLE_GROUPS and rgba[g, 3] > 0:
                half = model.geom_aabb[g, 3:]
                axis = int(np.argmax(half))
                width = float(np.sort(half)[1])
                n = 1 if half[axis] <= ROUND * width else per_geom
                scale = ACROSS * half
                along = np.zeros((n, 3))
                if n > 1:
                    reach = half[axis] - 0.5 * width  # the outermost ones round the ends off
                    along[:, axis] = np.linspace(-reach, reach, n + 2)[1:-1]
                    scale[axis] = max(2.0 * reach / (n + 1), 0.5 * ACROSS * width)
                quat, centre = (
                    model.geom_quat[g],
                    model.geom_pos[g] + rot.rotate(model.geom_quat[g], model.geom_aabb[g, :3]),
                )
                body = np.full(n, model.geom_bodyid[g] - 1)
                means = centre + rot.rotate(quat, along)
                parts.append((body, means, np.tile(quat, (n, 1)), np.tile(scale, (n, 1)), np.tile(rgba[g, :3], (n, 1))))
        if not parts:
            raise MotionError(f"the model of skeleton {skeleton.name!r} has no geom that can be seen")
        body, means, quats, scales, colors = (np.concatenate(part) for part in zip(*parts, strict=True))
        return cls(skeleton, body.astype(np.intp), means, quats, scales, np.full(len(body), OPACITY), colors)

    @classmethod
    def bound(cls, skeleton: Skeleton, qpos: ArrayLike, cloud: Cloud, body: ArrayLike) -> Self:
        """A cloud fitted to pictures of pose ``qpos (nq,)``, its Gaussians fixed to the bodies ``body (n,)``."""
        index = np.asarray(body, np.intp)
        position, quat = kinematics.forward(skeleton, qpos)
        parts = (part.detach().cpu().numpy().astype(np.float64) for part in cloud.gaussians())
        means, quats, scales, opacities, colors = parts
        back = rot.conjugate(quat[index])
        local = rot.rotate(back, means - position[index])
        return cls(skeleton, index, local, rot.multiply(back, rot.normalize(quats)), scales, opacities, colors)

    def __len__(self) -> int:
        return len(self.body)

    def posed(self, qpos: ArrayLike, dtype: torch.dtype = torch.float32) -> Gaussians:
        """In the world, in pose ``qpos (nq,)``; tensors that ask for no gradient."""
        position, quat = kinematics.forward(self.skeleton, qpos)
        turn = quat[self.body]
        means = position[self.body] + rot.rotate(turn, self.means)
        parts = (means, rot.multiply(turn, self.quats), self.scales, self.opacities, self.colors)
        return Gaussians(*(torch.as_tensor(part, dtype=dtype) for part in parts))

    def cloud(self, qpos: ArrayLike, isotropic: bool = False) -> Cloud:
        """A cloud to be fitted that begins as :meth:`posed`."""
        means, quats, scales, _, colors = self.posed(qpos)
        return Cloud(means, colors, scales, quats, OPACITY, isotropic)

    def in_colour(self, color: ArrayLike) -> BodyGaussians:
        """The same, all in one colour ``(channels)``, to be compared with masks."""
        return replace(self, colors=np.tile(np.asarray(color, np.float64), (len(self), 1)))

    def widened(self, blur: float) -> BodyGaussians:
        """The same, each Gaussian as if seen through a blur of ``blur`` metres: wider, and as much less opaque.

        The opacity falls so that what a Gaussian hides in all, opacity times area, stays at the mean over directions.
        """
        wide = np.sqrt(self.scales**2 + blur**2)
        share = (self.scales.prod(1) / wide.prod(1)) ** (2.0 / 3.0)
        return replace(self, scales=wide, opacities=self.opacities * share)


def wrenches(
    gaussians: BodyGaussians, qpos: ArrayLike, by_means: ArrayLike, by_quats: ArrayLike | None = None
) -> tuple[Array, Array]:
    """Forces and torques ``(nbody, 3)`` about the bodies' origins, of gradients by the posed means and quaternions.

    A shift ``d`` and a turn ``w`` of a body change the loss by ``force . d + torque . w``: a mean at ``r`` from the origin
    moves by ``d + w x r``, a quaternion by ``(0, w) q / 2``.
    """
    position, quat = kinematics.forward(gaussians.skeleton, qpos)
    index, pull = gaussians.body, np.asarray(by_means, np.float64)
    arm = rot.rotate(quat[index], gaussians.means)
    torque = np.cross(arm, pull)
    if by_quats is not None:
        # (0, w) q has the vector part w q_w + w x q_v and the scalar part -w . q_v
        q, g = rot.multiply(quat[index], gaussians.quats), np.asarray(by_quats, np.float64)
        torque += 0.5 * (q[:, :1] * g[:, 1:] - g[:, :1] * q[:, 1:] + np.cross(q[:, 1:], g[:, 1:]))
    forces, torques = np.zeros((2, len(position), 3))
    np.add.at(forces, index, pull)
    np.add.at(torques, index, torque)
    return forces, torques


def pose_gradient(skeleton: Skeleton, qpos: ArrayLike, forces: ArrayLike, torques: ArrayLike) -> Array:
    """``(nv,)`` gradient by a step of the pose in MuJoCo's tangent space: ``sum_b J_b^T (force_b, torque_b)``.

    The transpose of the bodies' Jacobians turns wrenches in the world into generalised forces, as ``mj_applyFT`` does.
    """
    from rlsuite.motion.jacobians import jacobians

    shifts, turns = jacobians(skeleton, np.asarray(qpos, np.float64)[None], tuple(range(len(skeleton.body_names))))
    return np.einsum("bij,bi->j", shifts[0], np.asarray(forces)) + np.einsum("bij,bi->j", turns[0], np.asarray(torques))


def image_gradient(gaussians: BodyGaussians, qpos: ArrayLike, posed: Gaussians) -> Array:
    """``(nv,)`` of a loss that has been propagated back to ``posed.means`` and ``posed.quats``."""
    by_means, by_quats = posed.means.grad, posed.quats.grad
    if by_means is None:
        raise MotionError("no gradient has come back to the Gaussians; call backward on a loss of their picture first")
    forces, torques = wrenches(gaussians, qpos, _array(by_means), None if by_quats is None else _array(by_quats))
    return pose_gradient(gaussians.skeleton, qpos, forces, torques)


def _array(tensor: Tensor) -> Array:
    return tensor.detach().cpu().numpy().astype(np.float64)
