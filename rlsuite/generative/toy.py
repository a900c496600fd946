"""Toy densities in the plane whose entropy is known: how far a density model is from the best that there is.

A model's mean −log p(x) over fresh draws is at least the entropy H of the density that they come from; the difference is
KL(truth ‖ model), so *gap = NLL − H* is 0 at best, whatever the density. Draws come from a generator alone.

    two-moons        two half circles of radius 1 with Gaussian noise about them      H by quadrature
    eight-gaussians  on a circle of radius 2√2, standard deviation √2/4               H by quadrature
    checkerboard     the 8 dark fields of width 2 of a board over [−4, 4]²            H = log 32
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rlsuite.errors import UnknownNameError
from rlsuite.generative.capabilities import Density, require
from rlsuite.generative.model import GenerativeModel
from rlsuite.generative.training import History

Generator = torch.Generator | None


class TwoMoons:
    """Angle θ uniform over [0, π] on (cos θ, sin θ) or (1 − cos θ, ½ − sin θ), each as likely, plus N(0, noise² I).

    scikit-learn's ``make_moons`` with angles drawn, not spaced.
    """

    name = "two-moons"

    def __init__(self, noise: float = 0.06) -> None:
        self.noise = noise

    def sample(self, n: int, generator: Generator = None) -> Tensor:
        angle = math.pi * torch.rand(n, generator=generator)
        lower = torch.rand(n, generator=generator) < 0.5
        upper = torch.stack([angle.cos(), angle.sin()], 1)
        points = torch.where(lower[:, None], torch.tensor([1.0, 0.5]) - upper, upper)
        return points + self.noise * torch.randn(n, 2, generator=generator)

    def log_prob(self, x: Tensor) -> Tensor:
        """The integral over θ by Gauss and Legendre's rule, its nodes denser than the noise is wide."""
        nodes, weights = np.polynomial.legendre.leggauss(max(64, math.ceil(8.0 / self.noise)))
        angle = torch.from_numpy((nodes + 1.0) * (math.pi / 2.0))
        upper = torch.stack([angle.cos(), angle.sin()], 1)
        centres = torch.cat([upper, torch.tensor([1.0, 0.5]) - upper])
        return _about(x, centres, torch.from_numpy(weights / 4.0).repeat(2), self.noise)

    @cached_property
    def entropy(self) -> float:
        return _entropy(self.log_prob, 1.0 + 9.0 * self.noise, centre=(0.5, 0.25), stretch=(1.5, 0.75))


class EightGaussians:
    """Eight Gaussians at equal angles, radius 2√2 and standard deviation √2/4 (the scaling of FFJORD's toy data)."""

    name = "eight-gaussians"
    noise = math.sqrt(2.0) / 4.0

    @property
    def centres(self) -> Tensor:
        """``(8, 2)``."""
        angle = torch.arange(8, dtype=torch.float64) * math.pi / 4.0
        return 2.0 * math.sqrt(2.0) * torch.stack([angle.cos(), angle.sin()], 1)

    def sample(self, n: int, generator: Generator = None) -> Tensor:
        which = torch.randint(8, (n,), generator=generator)
        return self.centres[which].float() + self.noise * torch.randn(n, 2, generator=generator)

    def log_prob(self, x: Tensor) -> Tensor:
        return _about(x, self.centres, torch.full((8,), 1.0 / 8.0), self.noise)

    @cached_property
    def entropy(self) -> float:
        return _entropy(self.log_prob, 6.0)


class Checkerboard:
    """Uniform over the fields of width 2 in [−4, 4]² whose column and row numbers have an even sum."""

    name = "checkerboard"
    entropy = math.log(32.0)

    def sample(self, n: int, generator: Generator = None) -> Tensor:
        column = torch.randint(4, (n,), generator=generator)
        row = 2 * torch.randint(2, (n,), generator=generator) + column % 2
        inside = torch.rand(n, 2, generator=generator).clamp(max=1.0 - 2.0**-20)  # rounds to no other field
        return 2.0 * (torch.stack([column, row], 1) + inside) - 4.0

    def log_prob(self, x: Tensor) -> Tensor:
        field = torch.floor((x + 4.0) / 2.0)
        dark = (field.sum(1) % 2 == 0) & (x.abs() < 4.0).all(1)
        return torch.full_like(x[:, 0], -self.entropy).masked_fill(~dark, -math.inf)


TOYS: dict[str, Callable[[], TwoMoons | EightGaussians | Checkerboard]] = {
    toy.name: toy for toy in (TwoMoons, EightGaussians, Checkerboard)
}


def toy_named(name: str) -> TwoMoons | EightGaussians | Checkerboard:
    """A toy density.

    Raises:
        UnknownNameError: there is none of that name.
    """
    if name not in TOYS:
        raise UnknownNameError("toy density", name, TOYS)
    return TOYS[name]()


@dataclass(frozen=True)
class Gap:
    """How a model does on a toy density, in nats.

    Attributes:
        nll: mean −log p(x) of the model over fresh draws.
        entropy: H.
        gap: NLL − H, by the mean of log p_true(x) − log p(x) over the same draws: the same number in expectation, and a
            much surer one, since what the draws happen to be cancels.
        error: standard error of ``gap``.
    """

    nll: float
    entropy: float
    gap: float
    error: float
    history: History


def measure(
    model: GenerativeModel,
    toy: str | TwoMoons | EightGaussians | Checkerboard = "two-moons",
    *,
    steps: int = 3000,
    seed: int = 0,
    n: int = 20_000,
    n_test: int = 20_000,
    **settings: Any,
) -> Gap:
    """Fit ``model``, of events of two numbers, to ``n`` draws and give NLL − H on ``n_test`` fresh ones.

    A second call with the same model goes on fitting, with a smaller ``learning_rate`` for instance. ``settings`` go
    to :meth:`GenerativeModel.fit`.

    Raises:
        CapabilityError: the model has no density.
    """
    require(model, Density, "NLL − H")
    assert isinstance(model, Density)
    density = toy_named(toy) if isinstance(toy, str) else toy
    generator = torch.Generator().manual_seed(seed)
    train, test = density.sample(n, generator), density.sample(n_test, generator)
    history = model.fit(train, steps=steps, seed=seed, **settings)
    with torch.no_grad():
        log_p = torch.cat([model.log_prob(part) for part in test.to(model.device).split(2000)]).double().cpu()
    excess = density.log_prob(test.double()) - log_p
    return Gap(
        nll=-log_p.mean().item(),
        entropy=density.entropy,
        gap=excess.mean().item(),
        error=excess.std().item() / math.sqrt(n_test),
        history=history,
    )


def _about(x: Tensor, centres: Tensor, weights: Tensor, noise: float) -> Tensor:
    """log Σ w N(x; centre, noise² I) at points ``(n, 2)``; a few thousand at a time."""
    centres, log_weights, found = centres.to(x), weights.to(x).log(), []
    for part in x.split(4000):
        squared = (part[:, None, 0] - centres[:, 0]).square() + (part[:, None, 1] - centres[:, 1]).square()
        found.append(torch.logsumexp(log_weights - squared / (2.0 * noise**2), 1))
    return torch.cat(found) - math.log(2.0 * math.pi * noise**2)


def _entropy(
    log_prob: Callable[[Tensor], Tensor],
    limit: float,
    *,
    n: int = 300,
    centre: tuple[float, float] = (0.0, 0.0),
    stretch: tuple[float, float] = (1.0, 1.0),
) -> float:
    """−∫ p log p over ``centre ± limit · stretch`` by the midpoint rule with ``n`` points along each axis."""
    axis = (torch.arange(n, dtype=torch.float64) + 0.5) * (2.0 / n) - 1.0
    half = limit * torch.tensor(stretch, dtype=torch.float64)
    points = torch.cartesian_prod(axis, axis) * half + torch.tensor(centre, dtype=torch.float64)
    log_p = log_prob(points)
    p = log_p.exp() * (4.0 / n**2 * half.prod())
    return -(p * log_p.clamp(min=-1e6)).sum().item()
