"""What a denoising network predicts: the noise ε, the clean event x₀, or the velocity v; each gives the others.

With xₜ = cos θ x₀ + sin θ ε, and v = dxₜ/dθ = cos θ ε − sin θ x₀ (Salimans and Ho, 2022, appendix D)::

    x₀ = (xₜ − sin θ ε) / cos θ = cos θ xₜ − sin θ v
    ε  = (xₜ − cos θ x₀) / sin θ = sin θ xₜ + cos θ v

Predicting ε divides by √ᾱ, which is bad near t = 1; predicting x₀ divides by √(1 − ᾱ), bad near t = 0; v divides by nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from rlsuite.errors import HyperparameterError

Prediction = Literal["epsilon", "clean", "velocity"]
PREDICTIONS = ("epsilon", "clean", "velocity")


class Denoised(NamedTuple):
    """What is known of noisy events ``(n, *event)``.

    Attributes:
        clean: x̂₀, an estimate of E[x₀ | xₜ].
        noise: ε̂, the noise that goes with it.
        between: where log σ² lies between log β̃ (0) and log β (1), of networks that learn it.
    """

    clean: Tensor
    noise: Tensor
    between: Tensor | None = None


Denoiser = Callable[[Tensor, float], Denoised]  # of noisy events, all at one angle


def spread(value: Tensor | float, x: Tensor) -> Tensor:
    """One number for each event ``(n)``, or one for all, in the type of ``x (n, *event)`` and ready to multiply it."""
    value = torch.as_tensor(value).to(x)
    return value.reshape(-1, *[1] * (x.dim() - 1)) if value.dim() else value


def denoised(prediction: Prediction, output: Tensor, x: Tensor, angle: Tensor | float) -> Denoised:
    """x̂₀ and ε̂ of ``x`` at ``angle`` from what a network put out.

    Raises:
        HyperparameterError: there is no such prediction.
    """
    angle = torch.as_tensor(angle, dtype=torch.float64)
    signal, noise = spread(angle.cos(), x), spread(angle.sin(), x)
    if prediction == "epsilon":
        return Denoised((x - noise * output) / signal, output)
    if prediction == "clean":
        return Denoised(output, (x - signal * output) / noise)
    if prediction == "velocity":
        return Denoised(signal * x - noise * output, noise * x + signal * output)
    raise HyperparameterError(f"prediction is one of {', '.join(PREDICTIONS)}, not {prediction!r}")


def target(prediction: Prediction, clean: Tensor, noise: Tensor, angle: Tensor) -> Tensor:
    """What the network should put out for x₀ = ``clean`` and ε = ``noise``."""
    if prediction == "epsilon":
        return noise
    if prediction == "clean":
        return clean
    return velocity(clean, noise, angle)


def velocity(clean: Tensor, noise: Tensor, angle: Tensor | float) -> Tensor:
    """v = cos θ ε − sin θ x₀."""
    angle = torch.as_tensor(angle, dtype=torch.float64)
    return spread(angle.cos(), clean) * noise - spread(angle.sin(), clean) * clean


def noised(clean: Tensor, noise: Tensor, angle: Tensor | float) -> Tensor:
    """xₜ = √ᾱ x₀ + √(1 − ᾱ) ε: a draw from q(xₜ | x₀) where ``noise`` is one from N(0, I)."""
    angle = torch.as_tensor(angle, dtype=torch.float64)
    return spread(angle.cos(), clean) * clean + spread(angle.sin(), clean) * noise
