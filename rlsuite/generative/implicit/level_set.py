"""Where a field's surface is: one number of a point, negative inside and nought on the surface, for every kind of geometry.

A distance is its own level; an occupancy's is ``logit τ − logit p``, smooth where ``p − τ`` saturates.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rlsuite.errors import CapabilityError
from rlsuite.generative.implicit.field import Distance, Field, Geometry, Occupancy


def level(geometry: Geometry, threshold: float = 0.5) -> Tensor:
    """``(...)`` of points; ``threshold`` is the probability τ that occupancy takes on the surface.

    Raises:
        CapabilityError: a density, which has no surface.
    """
    if isinstance(geometry, Distance):
        return geometry.value
    if isinstance(geometry, Occupancy):
        return math.log(threshold / (1.0 - threshold)) - geometry.logit
    raise CapabilityError(f"a {type(geometry).__name__.lower()} has no surface; a distance or an occupancy is expected")


def gradient(value: Tensor, x: Tensor, *, create_graph: bool = False) -> Tensor:
    """``∇f(x) (..., d)`` of values ``(...)`` that each depend on their own point of ``x (..., d)`` alone."""
    (slope,) = torch.autograd.grad(value.sum(), x, create_graph=create_graph, retain_graph=True)
    return slope


def normals(field: Field, x: Tensor, code: Tensor | None = None) -> Tensor:
    """Unit vectors ``(..., 3)`` along the gradient of the level, which points outwards; without a graph."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        slope = gradient(level(field.geometry(x, code)), x)
    return torch.nn.functional.normalize(slope, dim=-1).detach()


def project_to_surface(field: Field, x: Tensor, code: Tensor | None = None, steps: int = 5) -> Tensor:
    """Points moved along the gradient by Newton's ``x − f ∇f / ‖∇f‖²``; exact after one step of an exact distance."""
    for _ in range(steps):
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            value = level(field.geometry(x, code))
            slope = gradient(value, x)
        x = x.detach() - (value / slope.square().sum(-1).clamp(min=1e-12)).detach().unsqueeze(-1) * slope
    return x
