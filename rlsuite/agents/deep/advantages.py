r"""Advantages and returns of rollouts: GAE, n-step and Monte-Carlo returns on ``(time, environment)`` arrays.

All are sums of one-step errors along an episode,

.. math:: \delta_t = r_t + \gamma \, V(s_{t+1}) [\text{not terminated}] - V(s_t), \qquad
          A_t = \sum_{k \ge 0} (\gamma \lambda)^k \delta_{t+k}

(Schulman et al. 2016, eqs. 11 and 16); lambda = 0 is the TD error, lambda = 1 the Monte-Carlo return minus V. The sum
ends with the episode, for either reason, or with the rollout. A terminated episode has no value behind it; a truncated
one has that of its true successor, which is why ``next_values`` are given and not read off the next row. Rows that are
no transitions (``valid`` False: the environment was resetting itself) have advantage 0 and touch no other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def gae(
    rewards: Floats,
    values: Floats,
    next_values: Floats,
    terminated: Flags,
    truncated: Flags,
    valid: Flags,
    gamma: float,
    lam: float,
) -> Floats:
    """``(time, environment)`` generalised advantage estimates; ``next_values``: V of the true successor of each row."""
    advantages = np.where(valid, td_errors(rewards, values, next_values, terminated, gamma), 0.0)
    return _accumulate(advantages, np.where(terminated | truncated | ~valid, 0.0, gamma * lam))


def td_errors(rewards: Floats, values: Floats, next_values: Floats, terminated: Flags, gamma: float) -> Floats:
    """r + gamma V(s') - V(s), V(s') = 0 where the episode terminated."""
    return rewards + gamma * np.where(terminated, 0.0, next_values) - values


def n_step_returns(
    rewards: Floats,
    next_values: Floats,
    terminated: Flags,
    truncated: Flags,
    valid: Flags,
    gamma: float,
    n: int | None = None,
) -> Floats:
    """G_t = r_t + … + gamma^(n-1) r_(t+n-1) + gamma^n V, cut where the episode or the rollout ends.

    ``n=None``: Monte-Carlo returns, bootstrapped only at truncations and at the end of the rollout.
    """
    one_step = np.where(valid, rewards + gamma * np.where(terminated, 0.0, next_values), 0.0)
    goes_on = ~(terminated | truncated) & valid
    goes_on[-1] = False
    if n is None:
        return _accumulate(np.where(goes_on, rewards, one_step), np.where(goes_on, gamma, 0.0))
    returns = one_step
    for _ in range(min(n, len(rewards)) - 1):
        returns = np.where(goes_on, rewards + gamma * np.roll(returns, -1, axis=0), one_step)
    return returns


def _accumulate(terms: Floats, weights: Floats) -> Floats:
    """x_t = terms_t + weights_t x_(t+1), from the last row to the first."""
    result, following = np.empty_like(terms), np.zeros(terms.shape[1:])
    for t in range(len(terms) - 1, -1, -1):
        following = terms[t] + weights[t] * following
        result[t] = following
    return result


def explained_variance(predicted: Floats, returns: Floats) -> float:
    """1 - Var[returns - predicted] / Var[returns]; 1 is perfect, 0 as good as a constant (0 where returns are one)."""
    variance = float(np.var(returns))
    return 0.0 if variance == 0.0 else 1.0 - float(np.var(returns - predicted)) / variance
