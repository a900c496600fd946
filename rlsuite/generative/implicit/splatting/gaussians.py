"""Clouds of Gaussians: what a renderer takes, and the unconstrained parameters from which a fit makes it."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rlsuite.errors import HyperparameterError


class Gaussians(NamedTuple):
    """``n`` coloured Gaussians; the covariance of one is ``R(q) diag(s)^2 R(q)^T`` (Kerbl et al. 2023, equation 6).

    Attributes:
        means: ``(n, 3)`` metres. quats: ``(n, 4)`` ``w, x, y, z``, of any length but 0. scales: ``(n, 3)`` standard
            deviations along their axes, metres. opacities: ``(n)`` in 0 … 1, at the middle.
        colors: ``(n, channels)``; pictures have as many channels, three or others.
    """

    means: Tensor
    quats: Tensor
    scales: Tensor
    opacities: Tensor
    colors: Tensor


def rotation_matrices(quats: Tensor) -> Tensor:
    """``(..., 3, 3)`` of quaternions ``(..., 4)`` of any length."""
    w, x, y, z = nn.functional.normalize(quats, dim=-1).unbind(-1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


class Cloud(nn.Module):
    """Parameters of a cloud, each free to be any real number, one row for each Gaussian.

    Args:
        means: ``(n, 3)``. colors: ``(n, channels)`` in 0 … 1, default grey.
        scale: standard deviation in metres, a number, ``(n)`` or ``(n, 3)``; by default half the mean distance to the
            three nearest other points, so that neighbours overlap.
        opacity: at the middle. isotropic: spheres: one scale each, and no rotation.

    Raises:
        HyperparameterError: no points, not finite ones, or an opacity out of 0 … 1.
    """

    means: nn.Parameter
    log_scales: nn.Parameter
    opacity_logits: nn.Parameter
    colors: nn.Parameter
    quats: nn.Parameter

    def __init__(
        self,
        means: Tensor,
        colors: Tensor | None = None,
        scale: Tensor | float | None = None,
        quats: Tensor | None = None,
        opacity: float = 0.3,
        isotropic: bool = False,
    ) -> None:
        super().__init__()
        if means.ndim != 2 or means.shape[1] != 3 or len(means) == 0 or not means.isfinite().all():
            raise HyperparameterError(f"a cloud begins from finite points (n, 3), not {tuple(means.shape)}")
        if not 0 < opacity < 1:
            raise HyperparameterError(f"an opacity lies between 0 and 1, not at {opacity}")
        n, self.isotropic = len(means), isotropic
        self.means = nn.Parameter(means.detach().clone())
        scales = half_spacing(means) if scale is None else torch.as_tensor(scale, dtype=means.dtype)
        scales = scales.reshape(-1, 1) if scales.ndim < 2 else scales
        scales = scales.prod(-1, keepdim=True).pow(1 / scales.shape[-1]) if isotropic else scales
        self.log_scales = nn.Parameter(scales.log().expand(n, 1 if isotropic else 3).clone())
        self.opacity_logits = nn.Parameter(means.new_full((n,), math.log(opacity / (1 - opacity))))
        self.colors = nn.Parameter((means.new_full((n, 3), 0.5) if colors is None else colors).detach().clone())
        if not isotropic:
            identity = means.new_tensor((1.0, 0.0, 0.0, 0.0)).expand(n, 4)
            self.quats = nn.Parameter((identity if quats is None else quats).detach().clone())

    def __len__(self) -> int:
        return len(self.means)

    def gaussians(self) -> Gaussians:
        """What the parameters stand for."""
        identity = self.means.new_tensor((1.0, 0.0, 0.0, 0.0)).expand(len(self), 4)
        return Gaussians(
            self.means,
            identity if self.isotropic else self.quats,
            self.log_scales.exp().expand(len(self), 3),
            self.opacity_logits.sigmoid(),
            self.colors,
        )


def half_spacing(points: Tensor) -> Tensor:
    """``(n)`` half the mean distance of each point to its three nearest others, at least a tenth of a millimetre."""
    if len(points) == 1:
        return points.new_full((1,), 0.05)
    nearest = torch.cdist(points, points).topk(min(4, len(points)), largest=False).values[:, 1:]
    return (0.5 * nearest.mean(-1)).clamp_min(1e-4).detach()
