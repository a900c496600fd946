"""The probability-flow equation and its exact likelihood: the diffusion model as a continuous flow.

Along the angle θ the ordinary differential equation whose solutions have the densities pₜ is

    dx / dθ = v̂(x, θ) = cos θ ε̂ − sin θ x̂₀,        d log p(x(θ)) / dθ = −tr ∂v̂ / ∂x

(Song et al., 2021, equation 13, in the angle; Salimans and Ho, 2022, appendix D; the second is the instantaneous change of
variables of Chen et al., 2018, theorem 1). Hence log p₀(x) = log N(x(θ₁); 0, I) + ∫ tr ∂v̂ / ∂x dθ. Runge and Kutta's method
of order 4 solves both at once; what is left is its error, of order 4 in the steps.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from rlsuite.generative.diagonal import log_normal

Velocity = Callable[[Tensor, float], Tensor]
Divergence = Callable[[Velocity, Tensor, float], tuple[Tensor, Tensor]]


def exact(velocity: Velocity, x: Tensor, angle: float) -> tuple[Tensor, Tensor]:
    """v̂ and tr ∂v̂ / ∂x ``(n)``, by one product with the Jacobian for each entry of an event."""
    create = torch.is_grad_enabled()
    with torch.enable_grad():
        x = x if create and x.requires_grad else x.detach().requires_grad_()
        v = velocity(x, angle)
        flat = v.flatten(1)
        trace = torch.zeros_like(flat[:, 0])
        for i in range(flat.shape[1]):
            last = i == flat.shape[1] - 1 and not create
            (row,) = torch.autograd.grad(flat[:, i].sum(), x, create_graph=create, retain_graph=not last)
            trace = trace + row.flatten(1)[:, i]
    return (v, trace) if create else (v.detach(), trace.detach())


def hutchinson(probe: Tensor) -> Divergence:
    """v̂ and zᵀ (∂v̂ / ∂x) z ``(n)``, which is the trace in expectation where E z zᵀ = I (Hutchinson, 1990): one product.

    Args:
        probe: z ``(n, *event)``, such as random signs, the same along a whole solution (Grathwohl et al., 2019).
    """

    def estimate(velocity: Velocity, x: Tensor, angle: float) -> tuple[Tensor, Tensor]:
        create = torch.is_grad_enabled()
        with torch.enable_grad():
            x = x if create and x.requires_grad else x.detach().requires_grad_()
            v = velocity(x, angle)
            (product,) = torch.autograd.grad((v * probe).sum(), x, create_graph=create)
            trace = (product * probe).flatten(1).sum(1)
        return (v, trace) if create else (v.detach(), trace.detach())

    return estimate


def log_prob(velocity: Velocity, x: Tensor, angles: Sequence[float], divergence: Divergence = exact) -> Tensor:
    """log p₀ ``(n)`` of events ``(n, *event)``; ``angles`` rise from that of the data to that of the noise."""
    z, change = solve(velocity, x, angles, divergence)
    return log_normal(z).flatten(1).sum(1) + change


def solve(
    velocity: Velocity, x: Tensor, angles: Sequence[float], divergence: Divergence | None = None
) -> tuple[Tensor, Tensor]:
    """x carried along ``angles``, and ∫ tr ∂v̂ / ∂x dθ ``(n)`` (0 without a ``divergence``)."""
    slope = divergence or (lambda velocity, x, angle: (velocity(x, angle), torch.zeros_like(x.flatten(1)[:, 0])))
    change = torch.zeros_like(x.flatten(1)[:, 0])
    for theta, phi in itertools.pairwise(angles):
        h, middle = phi - theta, 0.5 * (theta + phi)
        v1, d1 = slope(velocity, x, theta)
        v2, d2 = slope(velocity, x + 0.5 * h * v1, middle)
        v3, d3 = slope(velocity, x + 0.5 * h * v2, middle)
        v4, d4 = slope(velocity, x + h * v3, phi)
        x = x + h / 6.0 * (v1 + 2.0 * v2 + 2.0 * v3 + v4)
        change = change + h / 6.0 * (d1 + 2.0 * d2 + 2.0 * d3 + d4)
    return x, change
