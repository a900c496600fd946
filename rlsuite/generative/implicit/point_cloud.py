r"""Signed distances from points of the surface alone, by the eikonal equation (Gropp et al. 2020, IGR, equation 2).

    L = mean |f(x_i)| + τ mean ‖∇f(x_i) − n_i‖ + λ E (‖∇f(x)‖ − 1)²

A distance is nought on the surface and its gradient has length 1 everywhere; the points of the expectation lie evenly in
a box and about the surface. Of the many functions that satisfy this, gradient descent from the sphere of the geometric
initialisation finds a plausible one. The paper's seed has ``|f|²`` where IGR's code has ``|f|``: both are here.
The gradient of ``‖∇f‖`` for the weights is a second derivative, so the network has to be smooth.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from rlsuite.errors import HyperparameterError
from rlsuite.generative.implicit.field import Field
from rlsuite.generative.implicit.level_set import gradient, level
from rlsuite.generative.implicit.training import drawn


def eikonal_loss(slope: Tensor) -> Tensor:
    """Mean of ``(‖∇f‖ − 1)²`` over gradients ``(..., d)``; of shapes, poses, or whatever a distance is learned for."""
    return (slope.norm(dim=-1) - 1.0).square().mean()


def point_cloud_losses(
    field: Field,
    surface: Tensor,
    space: Tensor,
    normals: Tensor | None = None,
    code: Tensor | None = None,
    *,
    squared: bool = False,
) -> dict[str, Tensor]:
    """``surface``, ``eikonal`` and, with ``normals (n, 3)``, ``normal``: means over points on the surface and in space."""
    on, off = surface.detach().requires_grad_(), space.detach().requires_grad_()
    value = level(field.geometry(on, code))
    terms = {"surface": value.square().mean() if squared else value.abs().mean()}
    terms["eikonal"] = eikonal_loss(gradient(level(field.geometry(off, code)), off, create_graph=True))
    if normals is not None:
        terms["normal"] = (gradient(value, on, create_graph=True) - normals).norm(dim=-1).mean()
    return terms


def local_spacing(points: Tensor, neighbour: int = 50, chunk: int = 1024) -> Tensor:
    """``(n)``: how far each of ``points (n, 3)`` is from so near a neighbour; IGR's spread of points about the surface."""
    k = min(neighbour, len(points) - 1) + 1  # itself is the first
    return torch.cat([torch.cdist(part, points).kthvalue(k, 1).values for part in points.split(chunk)])


@dataclass
class PointCloudObjective:
    """For :func:`.training.fit`: points ``(n, 3)`` of a surface, with their outward ``normals`` or without.

    Attributes:
        low, high: least and greatest corner of the box that the distance is wanted in.
        eikonal, normal: λ and τ. squared: |f|² rather than |f|.

    Raises:
        HyperparameterError: fewer than two points.
    """

    field: Field
    points: Tensor
    low: tuple[float, float, float]
    high: tuple[float, float, float]
    normals: Tensor | None = None
    eikonal: float = 0.1
    normal: float = 1.0
    squared: bool = False
    batch_size: int = 1024
    spacing: Tensor = field(init=False)

    def __post_init__(self) -> None:
        if len(self.points) < 2:
            raise HyperparameterError(f"a surface needs at least two points, not {len(self.points)}")
        self.spacing = local_spacing(self.points)

    def __call__(self, step: int, generator: torch.Generator) -> Tensor:
        rows = drawn(len(self.points), self.batch_size, generator)
        on, like = self.points[rows], self.points
        noise = torch.randn(on.shape, generator=generator, dtype=like.dtype)
        low, high = like.new_tensor(self.low), like.new_tensor(self.high)
        anywhere = low + (high - low) * torch.rand(self.batch_size // 4, 3, generator=generator, dtype=like.dtype)
        space = torch.cat((on + self.spacing[rows].unsqueeze(1) * noise, anywhere))
        normals = None if self.normals is None else self.normals[rows]
        terms = point_cloud_losses(self.field, on, space, normals, squared=self.squared)
        weights = {"surface": 1.0, "eikonal": self.eikonal, "normal": self.normal}
        return torch.stack([weights[name] * value for name, value in terms.items()]).sum()
