r"""Occupancy networks: the probability that a point is inside, by cross-entropy (Mescheder et al. 2019, equation 3).

    L = −mean [o log p(x | z) + (1 − o) log(1 − p(x | z))],   o = 1 inside, 0 outside.

The surface is where p = τ; its mesh comes from a grid that is refined only there (:mod:`.grids`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from rlsuite.generative.implicit.field import Field
from rlsuite.generative.implicit.level_set import level
from rlsuite.generative.implicit.samples import ShapeSamples


def occupancy_loss(field: Field, points: Tensor, inside: Tensor, code: Tensor | None = None) -> Tensor:
    """Mean cross-entropy of labels ``inside (...)`` at ``points (..., 3)``."""
    logit = -level(field.geometry(points, code))
    return binary_cross_entropy_with_logits(logit, inside.to(logit.dtype))


@dataclass
class OccupancyObjective:
    """For :func:`.training.fit`: labels of one shape, or of many with ``code_of`` their indices.

    ``code_of`` is a :class:`.codes.CodeTable`, or whatever makes codes ``(b, size)`` of indices ``(b,)``: a table of
    classes behind their labels, an encoder behind the shapes' pictures, or their poses.
    """

    field: Field
    samples: ShapeSamples
    code_of: Callable[[Tensor], Tensor] | None = None
    shapes: int = 1
    batch_size: int = 2048  # points of each shape

    def __call__(self, step: int, generator: torch.Generator) -> Tensor:
        index, points, distances = self.samples.batch(self.shapes, self.batch_size, generator)
        code = None if self.code_of is None else self.code_of(index).unsqueeze(1)
        return occupancy_loss(self.field, points, distances < 0, code)
