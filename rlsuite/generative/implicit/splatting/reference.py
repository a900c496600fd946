"""Splatting in plain torch, every Gaussian on every pixel: the oracle of the compiled kernels, and the path on a GPU.

A Gaussian ``(mu, V)`` of the world is seen as the Gaussian ``(m, J W V W^T J^T)`` of the picture, ``W`` the camera's axes
and ``J`` the derivative of the projection at ``mu`` (Zwicker et al. 2001; Kerbl et al. 2023, 3D Gaussian
splatting, equation 5). Sorted by depth, with ``a_i = o_i exp(-s_i)``, ``s = (A dx^2 + C dy^2) / 2 + B dx dy`` and
``T_i = prod_{j<i} (1 - a_j)``, a pixel is ``sum_i T_i a_i c_i + T_n background`` (equation 3 there).

The conic is the three numbers ``(A, B, C)`` of the inverse covariance, ``B`` standing for both of its off-diagonal entries:
the derivative of ``s`` by ``B`` is ``dx dy``, not half of it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from rlsuite.generative.implicit.cameras import Pinhole
from rlsuite.generative.implicit.splatting.gaussians import Gaussians, rotation_matrices


class Settings(NamedTuple):
    """What is left out and rounded off.

    Attributes:
        alpha_min: contributions below are dropped. alpha_max: none is more opaque.
        transmittance_min: a Gaussian seen through less is dropped.
        low_pass: variance in square pixels added to each Gaussian's picture. near: metres, those closer are dropped.
        margin: share of the picture by which ``J`` is taken inside, at most, for a Gaussian beyond its edge.
    """

    alpha_min: float = 1.0 / 255.0
    alpha_max: float = 0.99
    transmittance_min: float = 1e-4
    low_pass: float = 0.3
    near: float = 0.05
    margin: float = 0.15


DEFAULT = Settings()
SMOOTH = Settings(0.0, 1.0, 0.0)  # no cut-offs: a picture that is differentiable in everything, for tests


class Splats(NamedTuple):
    """Gaussians as a camera sees them: ``mean (n, 2)`` and ``conic (n, 3)`` in pixels, ``depth (n)`` in metres."""

    mean: Tensor
    conic: Tensor
    depth: Tensor


def project(gaussians: Gaussians, camera: Pinhole, settings: Settings = DEFAULT) -> Splats:
    """Their pictures; gradients flow to the Gaussians and, where ``R``, ``t`` and ``K`` are tensors, to the camera."""
    means, quats, scales, _, _ = gaussians
    R, t, K = (torch.as_tensor(v, dtype=means.dtype, device=means.device) for v in (camera.R, camera.t, camera.K))
    W = R.T * means.new_tensor((1.0, -1.0, -1.0))[:, None]  # (3, 3): right, down, away
    x = (means - t) @ W.T  # (n, 3)
    depth = x[:, 2]
    z = torch.where(depth > settings.near, depth, torch.ones_like(depth))[:, None]
    slope = x[:, :2] / z
    mean = slope @ K[:2, :2].T + K[:2, 2]
    size, focal = means.new_tensor((camera.width, camera.height)), torch.diagonal(K)[:2]
    low, high = (-settings.margin * size - K[:2, 2]) / focal, ((1 + settings.margin) * size - K[:2, 2]) / focal
    inside = torch.minimum(torch.maximum(slope, low), high)
    flat = torch.cat((torch.eye(2).to(means).expand(len(means), 2, 2), -inside[:, :, None]), -1)  # (n, 2, 3)
    J = K[:2, :2] @ flat / z[:, None]
    M = J @ W @ rotation_matrices(quats) * scales[:, None, :]  # (n, 2, 3)
    covariance = M @ M.mT + settings.low_pass * torch.eye(2).to(means)
    xx, xy, yy = covariance[:, 0, 0], covariance[:, 0, 1], covariance[:, 1, 1]
    return Splats(mean, torch.stack((yy, -xy, xx), -1) / (xx * yy - xy * xy)[:, None], depth)


def blend(
    splats: Splats,
    opacities: Tensor,
    features: Tensor,
    background: Tensor,
    width: int,
    height: int,
    settings: Settings = DEFAULT,
) -> tuple[Tensor, Tensor]:
    """Features ``(height, width, f)`` over ``background (f)``, and ``(height, width)`` the share that is not background."""
    order = torch.argsort(splats.depth, stable=True)
    order = order[splats.depth[order] > settings.near]
    mean, conic, opacities, features = splats.mean[order], splats.conic[order], opacities[order], features[order]
    u, v = torch.arange(width).to(mean) + 0.5, torch.arange(height).to(mean) + 0.5
    dx, dy = (u[:, None] - mean[:, 0])[None], (v[:, None] - mean[:, 1])[:, None]  # (1, w, n), (h, 1, n)
    s = 0.5 * (conic[:, 0] * dx * dx + conic[:, 2] * dy * dy) + conic[:, 1] * dx * dy  # (h, w, n)
    alpha = (opacities * torch.exp(-s)).clamp_max(settings.alpha_max)
    alpha = torch.where(alpha >= settings.alpha_min, alpha, torch.zeros_like(alpha))
    through = torch.cumprod(torch.cat((torch.ones_like(alpha[..., :1]), 1 - alpha), -1), -1)[..., : alpha.shape[-1]]
    weights = torch.where(through >= settings.transmittance_min, through * alpha, torch.zeros_like(alpha))
    seen = weights.sum(-1)
    return weights @ features + (1 - seen)[..., None] * background, seen
