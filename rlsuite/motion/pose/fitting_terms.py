"""What a fitted motion is judged by: the pictures, smoothness, the ground, and where a camera may be.

Every term is half a sum of squares of residuals in units of a usual deviation. The robust one of the pictures is Geman and
McClure's ``rho(s) = s / (1 + s / c^2)`` of the squared residual ``s``, whose steps are those of least squares weighted by
``rho'(s) = 1 / (1 + s / c^2)^2`` (iteratively reweighted; Black and Rangarajan 1996). The objective follows SMPLify-X
(Pavlakos et al. 2019, eq. 1) with accelerations in place of its single frames.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rlsuite.motion import rotations as rot
from rlsuite.motion import sampling
from rlsuite.motion.cameras import Camera
from rlsuite.motion.pose.fitting_system import Iterate, System
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
RAYLEIGH = 1.1774  # median length of a vector of two numbers of deviation 1
NEAREST = 0.05  # metres in front of a camera that a point is taken to have at least


@dataclass(frozen=True, eq=False)
class Reprojection:
    """Key points are seen where they were found.

    Attributes:
        pixels: ``(T, K, 2)`` of the first ``K`` watched points; 0 where there is none. confidence: ``(T, K)``; a residual's
            square counts so much.
        view: index of the camera. sigma: pixels of a usual error. outlier: ``c``, in units of ``sigma``.
        finding: whether the camera's place is solved for.
    """

    pixels: Array
    confidence: Array
    view: int
    sigma: float
    outlier: float
    finding: bool = False

    def _residual(self, now: Iterate) -> tuple[Array, Array, Array]:
        """``(T, K, 2)`` in units of sigma, the points in the camera's axes ``(T, K, 3)`` with y down and z ahead, and the
        squares' weights ``(T, K)``.
        """
        camera = now.cameras[self.view]
        x = (now.points[:, : self.pixels.shape[1]] - camera.t) @ camera.R * (1.0, -1.0, -1.0)
        x[..., 2] = np.maximum(x[..., 2], NEAREST)
        shown = (x / x[..., 2:] @ camera.K.T)[..., :2]
        residual = (shown - self.pixels) / self.sigma
        return residual, x, 1.0 / (1.0 + (residual**2).sum(-1) / self.outlier**2)

    def cost(self, now: Iterate) -> Array:
        residual, _, share = self._residual(now)
        return 0.5 * (self.confidence * share * (residual**2).sum(-1)).sum(axis=1)

    def agreement(self, now: Iterate) -> Array:
        """``(T, K)`` weight of each point in the robust sum, from 0 (an outlier) to 1; ``c`` is that of the term."""
        return self._residual(now)[2] ** 2

    def rescaled(self, now: Iterate) -> Reprojection:
        """With ``sigma`` that of the residuals at hand where it is greater, by their median."""
        error = np.linalg.norm(self._residual(now)[0], axis=-1)[self.confidence > 0]
        typical = float(np.median(error)) / RAYLEIGH if len(error) else 0.0
        return replace(self, sigma=self.sigma * max(1.0, typical))

    def build(self, now: Iterate, system: System) -> None:
        camera = now.cameras[self.view]
        residual, x, share = self._residual(now)
        frames, k = self.confidence.shape
        seen = np.zeros((frames, k, 2, 3))  # derivative of the residual by x
        seen[..., :2] = camera.K[:2, :2]
        seen[..., 2] = -(x[..., :2] @ camera.K[:2, :2].T) / x[..., 2:]
        seen /= x[..., 2:, None] * self.sigma
        flip = np.array([1.0, -1.0, -1.0])
        weight = np.repeat(self.confidence * share**2, 2, axis=1)
        slope = (seen * flip) @ camera.R.T @ now.slopes[:, :k]  # (T, K, 2, nv)
        slope = slope.reshape(frames, 2 * k, -1)
        flat = residual.reshape(frames, -1)
        system.cost += 0.5 * (self.confidence * share * (residual**2).sum(-1)).sum(axis=1)
        system.add(flat, slope, weight)
        if self.finding:
            turned = (seen * flip) @ rot.cross_matrix(
                x * flip
            )  # a turn of the camera by w moves what it sees by x times w
            shifted = (seen * flip) @ -camera.R.T
            by_camera = np.concatenate([turned, shifted], axis=-1).reshape(frames, 2 * k, 6)
            weighted = by_camera * weight[..., None]
            system.camera_gradient += np.einsum("tmc,tm->c", weighted, flat)
            system.camera_matrix += np.einsum("tmc,tmd->cd", weighted, by_camera)
            system.border[:] += np.swapaxes(slope, 1, 2) @ weighted


@dataclass(frozen=True, eq=False)
class Smoothness:
    r"""Accelerations on the manifold are small: :math:`(v_t - v_{t-1}) f^2` with :math:`v_t = q_{t+1} \ominus q_t`.

    Attributes:
        sigma: ``(nv,)`` usual accelerations in m/s^2 and rad/s^2.
    """

    sigma: Array

    def _residual(self, now: Iterate) -> tuple[Array, Array]:
        steps = sampling.difference(now.skeleton, now.qpos[:-1], now.qpos[1:])
        return np.diff(steps, axis=0) * now.fps**2 / self.sigma, steps

    def cost(self, now: Iterate) -> Array:
        out = np.zeros(len(now.qpos))
        if len(out) > 2:
            out[2:] = 0.5 * (self._residual(now)[0] ** 2).sum(axis=1)
        return out

    def build(self, now: Iterate, system: System) -> None:
        if len(now.qpos) < 3:
            return
        residual, steps = self._residual(now)
        system.cost[2:] += 0.5 * (residual**2).sum(axis=1)
        scale = (now.fps**2 / self.sigma)[:, None]
        start, end = difference_slopes(now.skeleton, steps)
        system.add_triple(residual, (-scale * start[:-1], scale * (start[1:] - end[:-1]), scale * end[1:]))


@dataclass(frozen=True, eq=False)
class Ground:
    """Soles that stand do not move, stand on z = 0, and no point sinks below it.

    Attributes:
        first: index of the first of ``F`` sole points among the watched. clearance: ``(F,)`` their height when standing.
        standing: ``(T, F)``. speed, height, depth: usual deviations: m/s of a standing point, and metres that it is off
            the ground; metres that a point sinks in.
    """

    first: int
    clearance: Array
    standing: Mask
    speed: float = 0.04
    height: float = 0.01
    depth: float = 0.01

    def _residuals(self, now: Iterate) -> tuple[Array, Array, Array]:
        """Slip ``(T - 1, F, 2)``, height ``(T, F)`` and depth ``(T, F)``, in units of their deviations."""
        soles = now.points[:, self.first : self.first + len(self.clearance)]
        held = self.standing[:-1] & self.standing[1:]
        slip = np.diff(soles[..., :2], axis=0) * held[..., None] * (now.fps / self.speed)
        above = soles[..., 2] - self.clearance
        return slip, above * self.standing / self.height, np.minimum(above, 0.0) / self.depth

    def cost(self, now: Iterate) -> Array:
        slip, height, depth = self._residuals(now)
        out = 0.5 * (height**2 + depth**2).sum(axis=1)
        out[1:] += 0.5 * (slip**2).sum(axis=(1, 2))
        return np.asarray(out)

    def build(self, now: Iterate, system: System) -> None:
        slip, height, depth = self._residuals(now)
        frames, feet = self.standing.shape
        slope = now.slopes[:, self.first : self.first + feet]  # (T, F, 3, nv)
        system.cost += self.cost(now)
        up = slope[:, :, 2]
        system.add(height, up * (self.standing / self.height)[..., None])
        system.add(depth, up * ((depth < 0.0) / self.depth)[..., None])
        if frames > 1:
            held = (self.standing[:-1] & self.standing[1:])[..., None, None] * (now.fps / self.speed)
            before = (-slope[:-1, :, :2] * held).reshape(frames - 1, 2 * feet, -1)
            after = (slope[1:, :, :2] * held).reshape(frames - 1, 2 * feet, -1)
            system.add_pair(slip.reshape(frames - 1, -1), before, after)


@dataclass(frozen=True, eq=False)
class CameraPlace:
    """A camera that is to be found stays near ``start``: what nothing else fixes (heading, place on the ground) is fixed.

    Attributes:
        sigma: ``(6,)`` usual deviations of its turn (radians) and shift (metres).
    """

    start: Camera
    sigma: Array

    def _residual(self, now: Iterate) -> Array:
        camera = now.cameras[0]
        turn = rot.log(rot.from_matrix(self.start.R.T @ camera.R))
        return np.concatenate([turn, camera.t - self.start.t]) / self.sigma

    def cost(self, now: Iterate) -> Array:
        out = np.zeros(len(now.qpos))
        out[0] = 0.5 * (self._residual(now) ** 2).sum()
        return out

    def build(self, now: Iterate, system: System) -> None:
        residual = self._residual(now)
        system.cost[0] += 0.5 * (residual**2).sum()
        slope = np.eye(6)
        slope[:3, :3] = rot.inverse_right_jacobian(residual[:3] * self.sigma[:3])
        slope /= self.sigma[:, None]
        system.camera_gradient += slope.T @ residual
        system.camera_matrix += slope.T @ slope


# -- derivatives on the manifold ---------------------------------------------------------------------------------------


def difference_slopes(skeleton: Skeleton, steps: Array) -> tuple[Array, Array]:
    r"""Derivatives ``(..., nv, nv)`` of :math:`v = b \ominus a` by :math:`a` and by :math:`b`, where ``steps (..., nv)``
    is :math:`v`: for rotations :math:`-J_r^{-1}(-v)` and :math:`J_r^{-1}(v)`, else minus and plus one.
    """
    eye = np.broadcast_to(np.eye(skeleton.nv), (*steps.shape, skeleton.nv))
    start, end = -eye, eye.copy()
    for joint, at in zip(skeleton.joints, skeleton.dof_address, strict=True):
        if joint.kind in ("free", "ball"):
            turn = slice(at + 3, at + 6) if joint.kind == "free" else slice(at, at + 3)
            start[..., turn, turn] = -rot.inverse_right_jacobian(-steps[..., turn])
            end[..., turn, turn] = rot.inverse_right_jacobian(steps[..., turn])
    return start, end
