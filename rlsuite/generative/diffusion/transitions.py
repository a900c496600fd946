"""One step of the chain: forwards q(xₜ | xₛ), and backwards q(xₛ | xₜ, x₀), for any two times s < t, with its variances.

    q(xₜ | xₛ)     = N(√α xₛ, β I),            α = ᾱₜ / ᾱₛ,    β = 1 − α
    q(xₛ | xₜ, x₀) = N(√ᾱₛ β / (1 − ᾱₜ) x₀ + √α (1 − ᾱₛ) / (1 − ᾱₜ) xₜ,  β̃ I),    β̃ = (1 − ᾱₛ) / (1 − ᾱₜ) β

(Ho, Jain and Abbeel, 2020, equations 6 and 7.) The model's step p(xₛ | xₜ) has the same mean at x̂₀, and one of three
variances: ``small`` = β̃, right for data that are a point; ``large`` = β, right for data from N(0, I); ``learned``, their
geometric mean with a weight that the network puts out for every entry (Nichol and Dhariwal, 2021, equation 15).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

Variance = Literal["small", "large", "learned"]
VARIANCES = ("small", "large", "learned")


class Step(NamedTuple):
    """Numbers of the step between angles θ of t and φ of s, in float64 and of their shape.

    Attributes:
        signal: √α.
        beta: β, the ``large`` variance.
        clean: weight of x₀ in the posterior's mean.
        noisy: weight of xₜ in it.
        posterior: β̃, the ``small`` variance.
    """

    signal: Tensor
    beta: Tensor
    clean: Tensor
    noisy: Tensor
    posterior: Tensor


def step_between(theta: Tensor | float, phi: Tensor | float) -> Step:
    """The step from φ (time s) to θ > φ (time t); ᾱₛ − ᾱₜ = sin(θ − φ) sin(θ + φ), so that nothing cancels."""
    theta, phi = (torch.as_tensor(a, dtype=torch.float64) for a in (theta, phi))
    signal = theta.cos() / phi.cos()
    beta = torch.sin(theta - phi) * torch.sin(theta + phi) / phi.cos().square()
    left = phi.sin().square() / theta.sin().square()
    return Step(signal, beta, phi.cos() * beta / theta.sin().square(), signal * left, left * beta)


def log_variance(variance: Variance, small: Tensor, large: Tensor, between: Tensor | None) -> Tensor:
    """log σ² of the model's step: β̃, β, or what lies ``between`` log β̃ (0) and log β (1)."""
    if variance == "small":
        return small.log()
    if variance == "large" or between is None:
        return large.log()
    return between * large.log() + (1.0 - between) * small.log()
