"""Learning from pictures: masks teach rays to meet the surface or to miss it, colours and depths where (DVR, section 3.4).

Where both the picture and the field show the body, colour and depth are compared at the surface. A ray through the
background is told that its innermost point is outside; a ray through the body that meets nothing, that its innermost point
is inside. DVR asks at a random point of such a ray; the innermost is where the surface is missing (IDR, equation 7).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from rlsuite.generative.implicit.field import Field
from rlsuite.generative.implicit.surface import attached_depth, march, surface_level
from rlsuite.generative.implicit.training import drawn


@dataclass(frozen=True)
class RayPictures:
    """Pixels of any number of views, one row each.

    Attributes:
        origin, direction: ``(n, 3)``. mask: ``(n)`` true on the body. color: ``(n, 3)``, or ``None``.
        t: ``(n)`` metres along each ray where the body begins (used on the body alone), or ``None``.
    """

    origin: Tensor
    direction: Tensor
    mask: Tensor
    color: Tensor | None = None
    t: Tensor | None = None

    def __getitem__(self, rows: Tensor) -> RayPictures:
        return RayPictures(
            self.origin[rows],
            self.direction[rows],
            self.mask[rows],
            None if self.color is None else self.color[rows],
            None if self.t is None else self.t[rows],
        )


def picture_losses(
    field: Field,
    rows: RayPictures,
    near: float,
    far: float,
    code: Tensor | None = None,
    *,
    steps: int = 48,
    sharpness: float = 1.0,
    jitter: torch.Generator | None = None,
) -> dict[str, Tensor]:
    """Means over all rays of ``mask`` (cross-entropy), ``color`` and ``depth`` (absolute errors; depth in metres).

    Args:
        sharpness: what a level is multiplied by to be a logit: 1 for an occupancy, about 50 per metre for a distance.
    """
    f, n = surface_level(field, code), len(rows.origin)
    o, w = rows.origin, rows.direction
    t, hit, innermost = march(f, o, w, near, far, steps=steps, jitter=jitter)
    both = hit & rows.mask
    logit = -sharpness * f(o[~both] + innermost[~both].unsqueeze(-1) * w[~both])
    wanted = rows.mask[~both].to(logit.dtype)
    terms = {"mask": binary_cross_entropy_with_logits(logit, wanted, reduction="sum") / n}
    if bool(both.any()) and (rows.color is not None or rows.t is not None):
        depth = attached_depth(f, t[both], o[both], w[both])
        if rows.t is not None:
            terms["depth"] = (depth - rows.t[both]).abs().sum() / n
        if rows.color is not None:
            x = o[both] + depth.unsqueeze(-1) * w[both]
            seen = field.color(x, w[both], field.geometry(x, code).features, code)
            terms["color"] = (seen - rows.color[both]).abs().sum() / n
    return terms


@dataclass
class PictureObjective:
    """The weighted sum of :func:`picture_losses` over random rays, for :func:`.training.fit`; ``weights`` name the terms."""

    field: Field
    pictures: RayPictures
    near: float
    far: float
    code: Tensor | None = None
    weights: Mapping[str, float] = field(default_factory=lambda: {"mask": 1.0, "color": 1.0, "depth": 10.0})
    batch_size: int = 1024
    steps: int = 48
    sharpness: float = 1.0

    def __call__(self, step: int, generator: torch.Generator) -> Tensor:
        rows = self.pictures[drawn(len(self.pictures.origin), self.batch_size, generator)]
        terms = picture_losses(
            self.field,
            rows,
            self.near,
            self.far,
            self.code,
            steps=self.steps,
            sharpness=self.sharpness,
            jitter=generator,
        )
        return torch.stack([self.weights[name] * value for name, value in terms.items()]).sum()
