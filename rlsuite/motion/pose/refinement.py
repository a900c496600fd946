"""Direct regression with iterative refinement: from the mean pose, a few corrections by one and the same small network.

Kanazawa et al., End-to-end Recovery of Human Shape and Pose (HMR), CVPR 2018, section 3.2:

    theta_0 = mean,   theta_(t+1) = theta_t + f(phi, theta_t),   t < T

with the features ``phi`` of the picture and weights shared by all ``T`` stages; no stage gives the mean pose, and where
``f`` is zero nothing moves. ``theta`` holds the points in the crop and, relative to the first point, in the camera's axes.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from rlsuite.errors import MotionError


class Regressed(NamedTuple):
    """``points (..., K, 2)`` in shares of the crop, 0 to 1, and ``relative (..., K, 3)`` metres from the first point.

    Relative positions are in the camera's axes: +X right, +Y up, the camera looking along -Z.
    """

    points: Tensor
    relative: Tensor


class RefinementHead(nn.Module):
    """The loop of corrections.

    Args:
        n_points: ``K``. channels, grid: of the features ``(B, channels, grid, grid)``. stages: ``T``.
        hidden: units of each layer. squeezed: channels that are left before the features are laid in a row.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self, n_points: int, channels: int, grid: int, stages: int = 3, hidden: int = 96, squeezed: int = 16
    ) -> None:
        super().__init__()
        if stages < 0:
            raise MotionError(f"a number of stages is 0 or more, not {stages}")
        self.n_points, self.stages, self.hidden, self.squeezed = n_points, stages, hidden, squeezed
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.features = nn.Sequential(nn.Linear(squeezed * grid**2, hidden), nn.ReLU())
        last = nn.Linear(hidden, 5 * n_points)
        nn.init.zeros_(last.weight)  # the mean pose at first
        nn.init.zeros_(last.bias)
        self.correction = nn.Sequential(nn.Linear(hidden + 5 * n_points, hidden), nn.ReLU(), last)
        self.register_buffer("mean", torch.zeros(5 * n_points))
        self.register_buffer("scale", torch.ones(5 * n_points))

    def forward(self, features: Tensor, stages: int | None = None) -> Tensor:
        """Standardised ``theta (T + 1, B, 5 K)``, the mean pose (0) first, of every stage."""
        phi = self.features(self.squeeze(features).flatten(1))
        theta = phi.new_zeros(len(phi), 5 * self.n_points)
        path = [theta]
        for _ in range(self.stages if stages is None else stages):
            theta = theta + self.correction(torch.cat([phi, theta], 1))
            path.append(theta)
        return torch.stack(path)

    def fit_mean(self, points: Tensor, relative: Tensor) -> None:
        """Set the mean pose, and the deviations that are the units, from examples ``(N, K, 2)`` and ``(N, K, 3)``."""
        theta = pack(points, relative)
        self.mean.copy_(theta.mean(0))
        self.scale.copy_(theta.std(0).clamp_min(0.02))

    def standardised(self, points: Tensor, relative: Tensor) -> Tensor:
        """``(..., 5 K)`` of what :meth:`forward` should give."""
        return (pack(points, relative) - self.mean) / self.scale

    def read(self, theta: Tensor) -> Regressed:
        """Points of standardised ``theta (..., 5 K)``."""
        whole, n = theta * self.scale + self.mean, self.n_points
        return Regressed(
            whole[..., : 2 * n].reshape(*whole.shape[:-1], n, 2), whole[..., 2 * n :].reshape(*whole.shape[:-1], n, 3)
        )


def pack(points: Tensor, relative: Tensor) -> Tensor:
    """``(..., 5 K)`` of points ``(..., K, 2)`` and relative positions ``(..., K, 3)``."""
    return torch.cat([points.flatten(-2), relative.flatten(-2)], -1)


def regression_loss(path: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute error of every stage's ``theta`` but the first, the mean pose; ``weight (B,)``."""
    error = (path[1:] - target).abs().mean(-1)  # (T, B)
    return (error * weight).sum() / (weight.sum() * max(len(error), 1)).clamp_min(1e-6)
