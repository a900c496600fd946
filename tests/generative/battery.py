"""What every generative model must pass, one check for each capability.

A family lists its models in ``tests/generative/<family>/cases.py`` as ``CASES: list[Case]``;
``test_battery.py`` runs over all.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from rlsuite.generative import GenerativeModel

Facts = dict[str, object]


@dataclass
class Case:
    """A small model to check.

    Attributes:
        make: makes the model in float64 or float32 from a fixed seed, its weights away from any special initialisation.
        data: a few hundred events to fit to ``(n, *event)``.
        condition: ``(n, *condition)``.
        facts: what particular checks need: ``causal_order`` (a permutation of the flat entries along which the density's
            factors depend only on earlier ones), ``quadrature`` (limits, for real events of one or two entries),
            ``score`` (``learned``: a network's own, not the gradient of the density).
    """

    name: str
    make: Callable[[], GenerativeModel]
    data: torch.Tensor
    condition: torch.Tensor | None = None
    facts: Facts = field(default_factory=dict)

    @property
    def first(self) -> torch.Tensor | None:
        """The first event's condition."""
        return None if self.condition is None else self.condition[0]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def all_events(model: GenerativeModel) -> torch.Tensor:
    """Every event of a discrete model, ``(values ** size, *event)``."""
    values = range(2 if model.support == "binary" else model.n_values)
    events = torch.tensor(list(itertools.product(values, repeat=model.event_size)), dtype=torch.get_default_dtype())
    return events.reshape(-1, *model.event_shape)


def grid(limit: float, size: int, n: int) -> tuple[torch.Tensor, float]:
    """Points of a midpoint rule over [−limit, limit]^size, and the volume of each."""
    width = 2.0 * limit / n
    axis = torch.arange(n, dtype=torch.float64) * width - limit + width / 2
    points = torch.cartesian_prod(*[axis] * size)
    return points.reshape(-1, size), width**size


def perturbed(model: GenerativeModel, seed: int = 0, size: float = 0.3) -> GenerativeModel:
    """``model`` with noise added to every weight, since zero-initialised layers hide mistakes."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(size * torch.randn(parameter.shape, generator=generator(seed), dtype=torch.float64))
    return model


def total_variation(samples: torch.Tensor, probabilities: torch.Tensor, events: torch.Tensor) -> float:
    """Half the sum of |frequency − probability| over ``events``."""
    flat, every = samples.flatten(1).numpy(), events.flatten(1).numpy()
    index = {tuple(event): i for i, event in enumerate(every.tolist())}
    counts = np.bincount([index[tuple(event)] for event in flat.tolist()], minlength=len(every))
    return float(0.5 * np.abs(counts / len(flat) - probabilities.numpy()).sum())
