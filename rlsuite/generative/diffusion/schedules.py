"""Noise schedules: how much of an event is left at time t, from t = 0 (all of it) to t = 1 (next to nothing).

Every schedule is variance-preserving: xₜ = √ᾱ(t) x₀ + √(1 − ᾱ(t)) ε with ε ~ N(0, I), so that √ᾱ and √(1 − ᾱ) are cosine
and sine of an angle. The angle θ(t) ∈ [0, π/2) is all that networks, samplers and likelihoods see of a
schedule: none of them knows which one it is. What is often written α is ᾱ here, the product of all α up to t (some texts
leave the bar out, in the mean, the loss and the sampler, where it matters).

A chain of T steps (Ho, Jain and Abbeel, 2020) takes the times i / T; its step has βᵢ = 1 − ᾱ(i / T) / ᾱ((i − 1) / T).
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor

from rlsuite.errors import HyperparameterError, UnknownNameError

Spacing = Literal["time", "log-snr"]


class Schedule:
    """ᾱ(t), falling from ᾱ(0) = 1."""

    name: ClassVar[str] = ""

    def log_alpha_bar(self, t: Tensor) -> Tensor:
        """log ᾱ(t) ``(*)``, in float64."""
        raise NotImplementedError

    def angle(self, t: Tensor | float) -> Tensor:
        """θ(t) ``(*)`` with cos² θ = ᾱ, in float64; exact near 0 too, where 1 − ᾱ would cancel."""
        log_alpha_bar = self.log_alpha_bar(torch.as_tensor(t, dtype=torch.float64))
        return torch.atan2((-torch.expm1(log_alpha_bar)).clamp(min=0.0).sqrt(), (0.5 * log_alpha_bar).exp())

    def log_snr(self, t: Tensor | float) -> Tensor:
        """log ᾱ / (1 − ᾱ) ``(*)``: infinite at t = 0."""
        return -2.0 * torch.tan(self.angle(t)).log()

    def betas(self, steps: int) -> Tensor:
        """β₁ … β_T ``(steps)`` of a chain of ``steps``."""
        return -torch.expm1(self.log_alpha_bar(torch.linspace(0.0, 1.0, steps + 1, dtype=torch.float64)).diff())

    def grid(self, steps: int, spacing: Spacing = "time") -> list[float]:
        """``steps`` + 1 falling angles, from t = 1 to t = 0, at equidistant times, or, down to t = 10⁻³ and then 0, at
        equidistant log SNR, which suits solvers of higher order (Lu et al., 2022, section 5).

        Raises:
            HyperparameterError: no step, or no such spacing.
        """
        if steps < 1 or spacing not in ("time", "log-snr"):
            raise HyperparameterError(
                f"a sampler takes at least 1 step, spaced by 'time' or 'log-snr', not {steps!r} by {spacing!r}"
            )
        if spacing == "log-snr":
            ends = [math.log(math.tan(float(self.angle(t)))) for t in (1.0, 1e-3)]
            noise = torch.linspace(ends[0], ends[1] if steps > 1 else ends[0], steps, dtype=torch.float64)
            return [*torch.atan(noise.exp()).tolist(), 0.0]
        angles: list[float] = self.angle(torch.linspace(1.0, 0.0, steps + 1, dtype=torch.float64)).tolist()
        return angles


class Linear(Schedule):
    """β(t) = 0.1 + 19.9 t, hence log ᾱ(t) = −0.1 t − 9.95 t² (Song et al., 2021, equation 33).

    With T = 1000 the chain's βᵢ are those of Ho, Jain and Abbeel (2020), who space 10⁻⁴ … 0.02 evenly, to first order;
    with another T they scale with 1 / T, so that ᾱ ends where it should.
    """

    name = "linear"
    least, most = 0.1, 20.0

    def log_alpha_bar(self, t: Tensor) -> Tensor:
        return -self.least * t - 0.5 * (self.most - self.least) * t.square()


class Cosine(Schedule):
    """ᾱ(t) = cos² φ(t) / cos² φ(0), φ(t) = (E t + s) / (1 + s) · π/2, s = 0.008 (Nichol and Dhariwal, 2021, equation 17).

    They clip βᵢ to 0.999, since ᾱ(1) would be 0; E = 0.9946 ends just before that instead (Lu et al., 2022, appendix D).
    """

    name = "cosine"
    offset, end = 0.008, 0.9946

    def log_alpha_bar(self, t: Tensor) -> Tensor:
        first = self.offset / (1.0 + self.offset) * (math.pi / 2.0)
        turned = self.end * t / (1.0 + self.offset) * (math.pi / 2.0)
        # cos(φ₀ + δ) / cos φ₀ = cos δ − tan φ₀ sin δ, written so that nothing cancels near δ = 0
        return 2.0 * torch.log1p(-2.0 * torch.sin(turned / 2.0).square() - math.tan(first) * torch.sin(turned))


SCHEDULES: dict[str, type[Schedule]] = {schedule.name: schedule for schedule in (Linear, Cosine)}


def schedule_named(name: str) -> Schedule:
    """A noise schedule.

    Raises:
        UnknownNameError: there is none of that name.
    """
    if name not in SCHEDULES:
        raise UnknownNameError("noise schedule", name, SCHEDULES)
    return SCHEDULES[name]()
