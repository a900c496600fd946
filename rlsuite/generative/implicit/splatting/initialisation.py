"""Where a fit begins when nothing is known but the pictures: random points, or the visual hull of the masks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rlsuite.errors import HyperparameterError
from rlsuite.generative.implicit.cameras import project
from rlsuite.generative.implicit.splatting.fitting import Photograph


def random_points(n: int, low: Tensor, high: Tensor, generator: torch.Generator) -> Tensor:
    """``(n, 3)``, uniform in the box from ``low (3)`` to ``high (3)``."""
    return low + (high - low) * torch.rand(n, 3, generator=generator).to(low)


def visual_hull(
    photographs: Sequence[Photograph], n: int, low: Tensor, high: Tensor, generator: torch.Generator, tries: int = 200
) -> tuple[Tensor, Tensor]:
    """Points ``(n, 3)``, uniform where every mask shows the thing (Laurentini 1994), and their mean colours.

    The hull is found by rejection: ``tries`` times ``n`` points of the box are looked at, at most.

    Raises:
        HyperparameterError: too few of them lie in it.
    """
    found: list[Tensor] = []
    while sum(map(len, found)) < n and len(found) < tries:
        points = random_points(n, low, high, generator)
        inside = torch.ones(n, dtype=torch.bool)
        for photograph in photographs:
            inside &= _looked_up(photograph.mask[..., None], photograph, points)[:, 0] > 0.5
        found.append(points[inside])
    points = torch.cat(found)[:n]
    if len(points) < n:
        raise HyperparameterError(
            f"only {len(points)} of {n * len(found)} points lie in all masks; is the box too large?"
        )
    return points, torch.stack([_looked_up(photograph.color, photograph, points) for photograph in photographs]).mean(0)


def _looked_up(values: Tensor, photograph: Photograph, points: Tensor) -> Tensor:
    """``(n, channels)`` of a picture ``(height, width, channels)`` where ``points (n, 3)`` are seen; 0 beside it."""
    pixels, depth = project(photograph.camera, points)
    column, row = pixels.floor().long().unbind(-1)
    height, width = values.shape[:2]
    within = (depth > 0) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    return values[row.clamp(0, height - 1), column.clamp(0, width - 1)] * within[:, None]
