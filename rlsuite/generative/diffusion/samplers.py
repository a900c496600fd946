"""Samplers: from noise to events along a grid of falling angles, one step at a time, whatever the denoiser.

Each sampler is the step from angle θ (time t) to φ < θ (time s); what ties steps together is :func:`draw`, and what holds
given entries in place is in ``infilling``. With x̃ = x / √ᾱ, σ̂ = tan θ and λ = −log tan θ:

    ancestral       xₛ ~ p(xₛ | xₜ), the chain that was trained                       (Ho, Jain and Abbeel, 2020)
    ddim            Euler's method for dx̃ / dσ̂ = ε̂                          order 1   (Song, Meng and Ermon, 2021)
    dpm-solver++    exact in λ but for x̂₀, extrapolated from two steps      order 2   (Lu et al., 2022, 2M)
    heun            Heun's method for the same equation as ddim             order 2   (Karras et al., 2022, algorithm 1)
    sde             Euler and Maruyama's for the reverse-time SDE                     (Song et al., 2021, equation 6)

The last step, to t = 0, gives x̂₀ in all of them. None clips x̂₀: standardised motion has no range to clip it to.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from rlsuite.errors import HyperparameterError, UnknownNameError
from rlsuite.generative.diagonal import standard_normal
from rlsuite.generative.diffusion.parametrisation import Denoised, Denoiser
from rlsuite.generative.diffusion.schedules import Spacing
from rlsuite.generative.diffusion.transitions import VARIANCES, Variance, log_variance, step_between

Generator = torch.Generator | None
Memory = tuple[float, Denoised] | None  # the last step's angle, and what the denoiser said there


class Sampler:
    """One step.

    Attributes:
        order: at which the error of the end point falls with the number of steps; 0 where steps are random.
        evaluations: of the denoiser in a step.
        spacing: of the grid that suits it.
    """

    name: ClassVar[str] = ""
    order: ClassVar[int] = 0
    evaluations: ClassVar[int] = 1
    spacing: ClassVar[Spacing] = "time"

    def step(
        self, denoiser: Denoiser, x: Tensor, theta: float, phi: float, memory: Memory, generator: Generator
    ) -> tuple[Tensor, Memory]:
        """xₛ ``(n, *event)`` from xₜ ``(n, *event)``, and what the next step may look back at."""
        raise NotImplementedError


class Ancestral(Sampler):
    """xₛ = √ᾱₛ β / (1 − ᾱₜ) x̂₀ + √α (1 − ᾱₛ) / (1 − ᾱₜ) xₜ + σ z, where σ² is ``small``, ``large`` or ``learned``."""

    name = "ancestral"

    def __init__(self, variance: Variance = "small") -> None:
        if variance not in VARIANCES:
            raise HyperparameterError(f"variance is one of {', '.join(VARIANCES)}, not {variance!r}")
        self.variance = variance

    def step(
        self, denoiser: Denoiser, x: Tensor, theta: float, phi: float, memory: Memory, generator: Generator
    ) -> tuple[Tensor, Memory]:
        found, step = denoiser(x, theta), step_between(theta, phi)
        mean = step.clean.to(x) * found.clean + step.noisy.to(x) * x
        if not phi:
            return mean, None
        scale = torch.exp(0.5 * log_variance(self.variance, step.posterior.to(x), step.beta.to(x), found.between))
        return mean + scale * standard_normal(x.shape, x, generator), None


class DDIM(Sampler):
    """xₛ = √ᾱₛ x̂₀ + √(1 − ᾱₛ − σ²) ε̂ + σ z with σ = η √β̃ (Song, Meng and Ermon, 2021, equations 12 and 16).

    η = 0 is deterministic; η = 1 is the ancestral sampler with its small variance.
    """

    name = "ddim"
    order = 1

    def __init__(self, eta: float = 0.0) -> None:
        self.eta = eta

    def step(
        self, denoiser: Denoiser, x: Tensor, theta: float, phi: float, memory: Memory, generator: Generator
    ) -> tuple[Tensor, Memory]:
        found = denoiser(x, theta)
        if not self.eta:
            return math.cos(phi) * found.clean + math.sin(phi) * found.noise, None
        variance = self.eta**2 * float(step_between(theta, phi).posterior)
        left = math.sqrt(max(math.sin(phi) ** 2 - variance, 0.0))
        z = standard_normal(x.shape, x, generator)
        return math.cos(phi) * found.clean + left * found.noise + math.sqrt(variance) * z, None


class DPMSolver(Sampler):
    """xₛ = (sin φ / sin θ) xₜ − cos φ (e^{−h} − 1) D, h = λₛ − λₜ (Lu et al., 2022, algorithm 2).

    D = x̂₀ + (x̂₀ − x̂₀ before) h / (2 h before) in general, x̂₀ in the first step and in the last one, where h is infinite.
    """

    name = "dpm-solver++"
    order = 2
    spacing = "log-snr"

    def step(
        self, denoiser: Denoiser, x: Tensor, theta: float, phi: float, memory: Memory, generator: Generator
    ) -> tuple[Tensor, Memory]:
        found = denoiser(x, theta)
        if not phi:
            return found.clean, None
        h, direction = math.log(math.tan(theta) / math.tan(phi)), found.clean
        if memory is not None:
            earlier, before = memory
            direction = direction + (found.clean - before.clean) * (
                0.5 * h / math.log(math.tan(earlier) / math.tan(theta))
            )
        x = math.sin(phi) / math.sin(theta) * x - math.cos(phi) * math.expm1(-h) * direction
        return x, (theta, found)


class Heun(Sampler):
    """x̃ₛ = x̃ₜ + (σ̂ₛ − σ̂ₜ) (ε̂ at t + ε̂ at s of Euler's step) / 2; Euler's alone in the last one."""

    name = "heun"
    order = 2
    evaluations = 2

    def step(
        self, denoiser: Denoiser, x: Tensor, theta: float, phi: float, memory: Memory, generator: Generator
    ) -> tuple[Tensor, Memory]:
        found = denoiser(x, theta)
        euler = math.cos(phi) * found.clean + math.sin(phi) * found.noise
        if not phi:
            return euler, None
        slope = 0.5 * (found.noise + denoiser(euler, phi).noise)
        change = math.cos(phi) * (math.tan(phi) - math.tan(theta))
        return math.cos(phi) / math.cos(theta) * x + change * slope, None


class ReverseSDE(Sampler):
    """xₛ = xₜ + b (xₜ / 2 + ∇ log pₜ) + √b z, b = ∫ β dt = log ᾱₛ / ᾱₜ: dx = −β (x / 2 + ∇ log pₜ) dt + √β dw̄ backwards.

    Its first steps are long where ᾱ begins next to 0; it needs many more than the others.
    """

    name = "sde"

    def step(
        self, denoiser: Denoiser, x: Tensor, theta: float, phi: float, memory: Memory, generator: Generator
    ) -> tuple[Tensor, Memory]:
        found = denoiser(x, theta)
        if not phi:
            return found.clean, None
        b = 2.0 * math.log(math.cos(phi) / math.cos(theta))
        drift = 0.5 * x - found.noise / math.sin(theta)
        return x + b * drift + math.sqrt(b) * standard_normal(x.shape, x, generator), None


SAMPLERS: dict[str, type[Sampler]] = {s.name: s for s in (Ancestral, DDIM, DPMSolver, Heun, ReverseSDE)}


def sampler_named(name: str, variance: Variance = "small") -> Sampler:
    """A sampler; ``variance`` is the ancestral one's.

    Raises:
        UnknownNameError: there is none of that name.
    """
    if name not in SAMPLERS:
        raise UnknownNameError("sampler", name, SAMPLERS)
    return Ancestral(variance) if name == "ancestral" else SAMPLERS[name]()


def draw(
    sampler: Sampler, denoiser: Denoiser, x: Tensor, angles: Sequence[float], generator: Generator = None
) -> Tensor:
    """Carry noise ``x (n, *event)`` at the first of falling ``angles`` to the last."""
    memory: Memory = None
    for theta, phi in itertools.pairwise(angles):
        x, memory = sampler.step(denoiser, x, theta, phi, memory, generator)
    return x
