"""The path integral update: a plan becomes the mean of noisy plans, weighted by the exponential of their returns.

Williams, Aldrich and Theodorou 2017, "Model predictive path integral control: from theory to parallel computation":
the weights of their Algorithm 1 without the term of the control's own cost, as is usual where rewards hold that cost.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def path_weights(returns: Array, temperature: float) -> Array:
    """Weights ``(n,)`` of ``n`` returns, which add up to 1::

        w_i = exp((R_i - max R) / λ) / Σ_j exp((R_j - max R) / λ),   λ = temperature · standard deviation of R

    so that neither adding to all rewards nor multiplying them changes a weight. Equal returns have equal weights. As the
    temperature goes to 0 the best takes all. A return that is no number has no weight, unless none is one.
    """
    finite = np.isfinite(returns)
    if not finite.any():
        return np.full(len(returns), 1.0 / len(returns))
    scale = temperature * returns[finite].std()
    best = returns[finite].max()
    if scale > 0.0:
        exponents = np.where(finite, returns - best, -np.inf) / scale
    else:
        exponents = np.where(finite, 0.0, -np.inf)
    weights: Array = np.exp(exponents)
    return weights / weights.sum()


def correlated_noise(rng: np.random.Generator, shape: tuple[int, int, int], smoothing: float) -> Array:
    """Standard normal noise ``(n, horizon, size)``, correlated in time: ``smoothing ** k`` between steps ``k`` apart::

    ε_0 = ξ_0,   ε_t = β ε_{t-1} + √(1 - β²) ξ_t,   ξ independent and standard normal
    """
    noise = rng.standard_normal(shape)
    fresh = np.sqrt(1.0 - smoothing**2)
    for t in range(1, shape[1]):
        noise[:, t] = smoothing * noise[:, t - 1] + fresh * noise[:, t]
    return noise


def improved(
    plan: Array,
    noise: Array,
    simulate: Callable[[Array], Array],
    low: Array,
    high: Array,
    *,
    gamma: float,
    temperature: float,
) -> tuple[Array, Array]:
    """The weighted mean of noisy plans, and their returns ``(n,)``; the first of them is ``plan`` itself.

    Args:
        plan: ``(horizon, size)`` actions. noise: ``(n, horizon, size)``, to be added to it.
        simulate: rewards ``(n, horizon)`` of actions ``(n, horizon, size)``.
        low, high: ``(size,)`` bounds to which actions are clipped.
    """
    candidates = plan + noise
    candidates[0] = plan
    candidates = np.clip(candidates, low, high)
    rewards = simulate(candidates)
    returns: Array = rewards @ gamma ** np.arange(plan.shape[0])
    return np.tensordot(path_weights(returns, temperature), candidates, axes=1), returns


def shifted(plan: Array) -> Array:
    """The plan one step later: without its first action; its last one is repeated."""
    return np.concatenate((plan[1:], plan[-1:]))
