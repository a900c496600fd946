"""Fields of other quantities than colour, such as a part's label or a contact force, through the same kind of head.

A quantity of the surface is a function of points beside the geometry: real numbers are learned by squares, labels by
cross-entropy. Through a differentiable surface its pictures have gradients as those of colour have.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from rlsuite.generative.implicit.field import Field
from rlsuite.generative.implicit.training import drawn


def property_loss(field: Field, name: str, points: Tensor, target: Tensor, code: Tensor | None = None) -> Tensor:
    """Mean loss of property ``name`` at ``points (..., 3)``: integer labels ``(...)``, or real numbers ``(..., n)``."""
    found = field.property(name, points, field.geometry(points, code).features, code)
    if target.is_floating_point():
        return (found - target).square().sum(-1).mean()
    return cross_entropy(found.flatten(0, -2), target.flatten())


@dataclass
class PropertyObjective:
    """For :func:`.training.fit`: ``target`` of property ``name`` at ``points (n, 3)``, most often of the surface."""

    field: Field
    name: str
    points: Tensor
    target: Tensor
    code: Tensor | None = None
    batch_size: int = 1024

    def __call__(self, step: int, generator: torch.Generator) -> Tensor:
        rows = drawn(len(self.points), self.batch_size, generator)
        return property_loss(self.field, self.name, self.points[rows], self.target[rows], self.code)
