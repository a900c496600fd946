"""Points in space with their signed distances, of one shape or of many: what occupancy and distances are learned from.

Half of the points lie near the surface, where a field has to be right, and the others anywhere (Park et al. 2019).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rlsuite.generative.implicit.training import drawn


@dataclass(frozen=True)
class ShapeSamples:
    """``points (shapes, n, 3)`` and their signed ``distances (shapes, n)`` in metres."""

    points: Tensor
    distances: Tensor

    @property
    def inside(self) -> Tensor:
        """``(shapes, n)`` booleans."""
        return self.distances < 0

    def batch(self, shapes: int, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Indices ``(shapes,)``, points ``(shapes, size, 3)`` and distances ``(shapes, size)`` drawn at random."""
        index = drawn(len(self.points), shapes, generator)
        rows = torch.stack([drawn(self.points.shape[1], size, generator) for _ in range(shapes)])
        return index, self.points[index[:, None], rows], self.distances[index[:, None], rows]


def samples_around(
    distance: Callable[[Tensor], Tensor],
    surface: Tensor,
    n: int,
    low: Sequence[float],
    high: Sequence[float],
    generator: torch.Generator,
    spreads: Sequence[float] = (0.02, 0.1),
) -> tuple[Tensor, Tensor]:
    """Points ``(n, 3)`` and their ``distance (n)``: half about ``surface (m, 3)``, the others evenly in a box.

    Args:
        spreads: standard deviations of the noise in metres, each for an equal share of the half.
    """
    low_t, high_t = surface.new_tensor(tuple(low)), surface.new_tensor(tuple(high))
    near = surface[drawn(len(surface), n // 2, generator)]
    spread = surface.new_tensor(tuple(spreads))[torch.arange(n // 2) % len(spreads)].unsqueeze(1)
    near = near + spread * torch.randn(near.shape, generator=generator, dtype=near.dtype)
    anywhere = low_t + (high_t - low_t) * torch.rand(n - n // 2, 3, generator=generator, dtype=near.dtype)
    points = torch.cat((near, anywhere))
    with torch.no_grad():
        return points, distance(points)
