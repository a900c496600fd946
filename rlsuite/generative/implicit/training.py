"""Fitting a field: one loop for every objective, which is a function that draws its own batch and returns a loss.

Occupancy, distances, point clouds and pictures differ in their objective alone (:mod:`.occupancy`, :mod:`.deep_sdf`,
:mod:`.point_cloud`, :mod:`.silhouettes`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from rlsuite.errors import DivergenceError, HyperparameterError
from rlsuite.seeding import checked_seed

Objective = Callable[[int, torch.Generator], Tensor]  # of the step, counted from 0, and the batch's randomness


@dataclass
class FieldHistory:
    """Mean losses of the steps up to each of ``steps``, and the seconds of the clock that all took."""

    steps: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    seconds: float = 0.0


def fit(
    what: nn.Module | Iterable[Tensor],
    objective: Objective,
    *,
    steps: int,
    seed: int = 0,
    learning_rate: float = 1e-3,
    final_rate: float = 0.02,
    max_grad_norm: float | None = None,
    progress: Callable[[int, int, float], None] | None = None,
) -> FieldHistory:
    """Adam on the parameters of ``what`` (modules, or a list of tensors such as a code) for ``steps`` batches.

    The learning rate falls exponentially to ``final_rate`` of its first value.

    Args:
        seed: of the batches. progress: called about 50 times with step, steps and the mean loss since the last call.

    Raises:
        DivergenceError: the loss is not finite.
    """
    checked_seed(seed)
    if steps < 1 or not learning_rate > 0 or not 0 < final_rate <= 1:
        raise HyperparameterError("steps is at least 1, learning_rate above 0 and final_rate in (0, 1]")
    parameters = [p for p in (what.parameters() if isinstance(what, nn.Module) else what) if p.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=learning_rate, foreach=True)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, final_rate ** (1.0 / steps))
    generator = torch.Generator().manual_seed(seed)
    history, began, every = FieldHistory(), time.perf_counter(), max(1, steps // 50)
    running, since = 0.0, 0
    for step in range(steps):
        loss = objective(step, generator)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if max_grad_norm is not None:
            nn.utils.clip_grad_norm_(parameters, max_grad_norm)
        optimizer.step()
        scheduler.step()
        running, since = running + loss.item(), since + 1
        if running != running or running in (float("inf"), float("-inf")):
            raise DivergenceError(
                f"the loss of the field is not finite at step {step + 1}; try a smaller learning_rate"
            )
        if (step + 1) % every == 0 or step + 1 == steps:
            history.steps.append(step + 1)
            history.loss.append(running / since)
            running, since = 0.0, 0
            if progress is not None:
                progress(step + 1, steps, history.loss[-1])
    history.seconds = time.perf_counter() - began
    return history


def drawn(n: int, size: int, generator: torch.Generator) -> Tensor:
    """``size`` indices of ``n`` rows, with repetition."""
    return torch.randint(n, (size,), generator=generator)
