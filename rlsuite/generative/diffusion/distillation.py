"""Score distillation: how much a frozen diffusion model has to change an event, as a reward.

An event is noised to a few chosen times and the model asked which noise it was. On events like those it was fitted to it
knows, on others it does not: the error E ‖ε̂(xₜ, t) − ε‖² is the weight of score-distillation sampling (Poole et al., 2022)
taken as a number. Divided by what it is on the data, since times differ in difficulty, and averaged over times, it gives
the reward of SMP (arXiv 2512.03028): r = exp(−scale · mean over times of error / reference), in (0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rlsuite.errors import HyperparameterError
from rlsuite.generative.diagonal import standard_normal
from rlsuite.generative.diffusion.diffusion import Diffusion
from rlsuite.generative.diffusion.parametrisation import noised

TIMES = (0.44, 0.30, 0.16)  # 22, 15 and 8 of SMP's 50 steps
SCALE = 6.0


@torch.no_grad()
def distillation_errors(
    model: Diffusion,
    x: Tensor,
    condition: Tensor | None = None,
    *,
    times: Sequence[float] = TIMES,
    generator: torch.Generator | None = None,
) -> Tensor:
    """‖ε̂ − ε‖² / D ``(*batch, times)`` of events ``(*batch, *event)`` of D entries, at one draw of ε for each time.

    All times go through the network at once. It is 1 where the model knows nothing, and 0 where it knows all.

    Raises:
        HyperparameterError: a time outside (0, 1], or none.
    """
    if not times or not all(0.0 < t <= 1.0 for t in times):
        raise HyperparameterError(f"times are in (0, 1], at least one, not {tuple(times)!r}")
    x, condition, batch = model.flat(x, condition)
    x = model.normalizer(x).repeat(len(times), *[1] * len(model.event_shape))
    angle = model.noise_schedule.angle(torch.tensor(times, device=x.device)).repeat_interleave(len(x) // len(times))
    if condition is not None:
        condition = condition.repeat(len(times), *[1] * (condition.dim() - 1))
    noise = standard_normal(x.shape, x, generator)
    found = model.guided(noised(x, noise, angle), angle, condition)
    errors = (found.noise - noise).square().flatten(1).mean(1)
    return errors.reshape(len(times), *batch).movedim(0, -1)


def reference_errors(
    model: Diffusion,
    data: Tensor,
    condition: Tensor | None = None,
    *,
    times: Sequence[float] = TIMES,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Mean errors ``(times)`` over events ``data (n, *event)``: what :func:`distillation_reward` divides by."""
    return distillation_errors(model, data, condition, times=times, generator=generator).mean(0)


def distillation_reward(errors: Tensor, reference: Tensor, scale: float = SCALE) -> Tensor:
    """exp(−scale · mean of errors / reference) ``(*batch)`` of errors ``(*batch, times)``."""
    return torch.exp(-scale * (errors / reference).mean(-1))
