"""In-filling: some entries of an event are given, and the sampler draws the others to go with them.

After every step the given entries are put in place, noised as much as the rest; and since the step that follows would
otherwise take what was drawn without them for granted, each is gone back on and done again ``resampling`` times in all
(Lugmayr et al., 2022, RePaint, algorithm 1, with jumps of one step). Replacement alone (``resampling`` 1; Song et al.,
2021, appendix I) leaves the drawn entries too independent of the given ones. It is an approximation of
p(unknown | known) that improves with steps and resampling; the given entries are exact.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from rlsuite.generative.diagonal import standard_normal
from rlsuite.generative.diffusion.parametrisation import Denoiser
from rlsuite.generative.diffusion.samplers import Sampler


def infill(
    sampler: Sampler,
    denoiser: Denoiser,
    known: Tensor,
    mask: Tensor,
    angles: Sequence[float],
    *,
    resampling: int,
    generator: torch.Generator | None,
) -> Tensor:
    """Events ``(n, *event)`` that agree with ``known (n, *event)`` where ``mask`` is true.

    Args:
        angles: falling, the last 0.
        resampling: how many times each step but the last is done.
    """
    x = standard_normal(known.shape, known, generator)
    x = torch.where(mask, _noised(known, angles[0], generator), x)
    for theta, phi in itertools.pairwise(angles):
        for again in range(resampling if phi else 1):
            if again:  # forwards from s to t: √α xₛ + √(1 − α) z, √α = cos θ / cos φ
                signal = math.cos(theta) / math.cos(phi)
                x = signal * x + math.sqrt(1.0 - signal**2) * standard_normal(x.shape, x, generator)
            x, _ = sampler.step(denoiser, x, theta, phi, None, generator)
            x = torch.where(mask, _noised(known, phi, generator) if phi else known, x)
    return x


def _noised(known: Tensor, angle: float, generator: torch.Generator | None) -> Tensor:
    return math.cos(angle) * known + math.sin(angle) * standard_normal(known.shape, known, generator)
