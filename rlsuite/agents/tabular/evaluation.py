r"""Exact value of a given policy: finite horizon by propagating the state distribution, infinite by a linear solve.

The score of a policy :math:`\pi(a|o)` within :math:`H` steps is :math:`\sum_{t<H} \mathbb{E}[R_{t+1}]`. It is computed
forwards: the distribution :math:`d_t(s)` of the states in which an episode is still running starts at the initial
distribution and moves by :math:`d_{t+1}(s') = \sum_{s,a} d_t(s)\,\pi(a|s)\,p(s',\text{not ended}\,|\,s,a)`. Only states
that carry mass cost anything, so a greedy policy that walks into a wall for 1000 steps costs 1000 outcomes, not
1000 sweeps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rlsuite.agents.tabular.kernels import entry_kernel
from rlsuite.envs.finite.mdp import FiniteMDP


def random_policy(mdp: FiniteMDP) -> NDArray[np.float64]:
    """``(n_observations, n_actions)`` the uniformly random policy."""
    return np.full((mdp.n_observations, mdp.n_actions), 1.0 / mdp.n_actions)


def state_policy(mdp: FiniteMDP, policy: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(n_states, n_actions)`` probabilities in each state of a policy over observations."""
    return np.asarray(policy, np.float64)[mdp.observation]


def finite_horizon_value(mdp: FiniteMDP, policy: NDArray[np.float64], horizon: int) -> float:
    """Expected undiscounted return within ``horizon`` steps, exact up to rounding.

    Args:
        mdp: the dynamics; its initial distribution is where episodes begin.
        policy: ``(n_observations, n_actions)`` probabilities of a stationary policy.
        horizon: number of steps after which an episode is cut off.
    """
    mass = np.zeros((2, mdp.n_states))
    active = np.empty((2, mdp.n_states), np.int64)
    start = np.flatnonzero(mdp.initial)
    mass[0, start] = mdp.initial[start]
    active[0, : start.size] = start
    return float(propagate(mdp.arrays, np.ascontiguousarray(policy, np.float64), horizon, start.size, mass, active))


@entry_kernel
def propagate(mdp, policy, horizon, n_active, mass, active):
    """Sum of expected rewards; ``mass[t % 2]`` is d_t and ``active[t % 2, :n_active]`` lists where it is positive."""
    total = 0.0
    for t in range(horizon):
        now, following = t % 2, (t + 1) % 2
        n_next = 0
        for i in range(n_active):
            s = active[now, i]
            in_state = mass[now, s]
            mass[now, s] = 0.0
            o = mdp.observation[s]
            for a in range(mdp.n_actions):
                chosen = in_state * policy[o, a]
                if chosen == 0.0:
                    continue
                pair = s * mdp.n_actions + a
                for j in range(mdp.offset[pair], mdp.offset[pair + 1]):
                    moved = chosen * mdp.probability[j]
                    total += moved * mdp.reward[j]
                    if moved == 0.0 or mdp.terminated[j]:
                        continue
                    s_next = mdp.next_state[j]
                    if mass[following, s_next] == 0.0:
                        active[following, n_next] = s_next
                        n_next += 1
                    mass[following, s_next] += moved
        n_active = n_next
        if n_active == 0:
            break
    return total


def timed_policy_value(mdp: FiniteMDP, time_policy: NDArray[np.int64], horizon: int) -> float:
    """:func:`finite_horizon_value` of a deterministic policy that depends on the time.

    Args:
        time_policy: ``(n_stages, n_states)`` the action at each step; the last stage is repeated beyond them.
    """
    mass, total, states = mdp.initial, 0.0, np.arange(mdp.n_states)
    for t in range(horizon):
        pairs = states * mdp.n_actions + time_policy[min(t, len(time_policy) - 1)]
        total += mass @ mdp.expected_reward.ravel()[pairs]
        mass = mdp.continuation[pairs].T @ mass
    return float(total)


def finite_horizon_optimum(mdp: FiniteMDP, horizon: int) -> float:
    """Greatest expected undiscounted return within ``horizon`` steps (Bellman's backward induction).

    The maximum is over policies that may depend on the state and on the time left; where observations are aliased it
    is an upper bound on what an agent that sees only them can reach.
    """
    states = np.flatnonzero(mdp.reachable)
    values = np.zeros((2, mdp.n_states))
    last = induct(mdp.arrays, states, horizon, values)
    return float(mdp.initial @ values[last])


@entry_kernel
def induct(mdp, states, horizon, values):
    """V_{h+1}(s) = max_a E[r + V_h(s')] over ``states``; returns which row of ``values`` holds V_horizon."""
    for h in range(horizon):
        now, following = h % 2, (h + 1) % 2
        changed = False
        for i in range(states.size):
            s = states[i]
            best = -np.inf
            for a in range(mdp.n_actions):
                pair = s * mdp.n_actions + a
                q = 0.0
                for j in range(mdp.offset[pair], mdp.offset[pair + 1]):
                    v = 0.0 if mdp.terminated[j] else values[now, mdp.next_state[j]]
                    q += mdp.probability[j] * (mdp.reward[j] + v)
                best = max(best, q)
            changed = changed or best != values[now, s]
            values[following, s] = best
        if not changed:
            return now
    return horizon % 2


def discounted_values(mdp: FiniteMDP, policy: NDArray[np.float64], gamma: float) -> NDArray[np.float64]:
    """``(n_states,)`` the value of a policy over observations, by one sparse linear solve.

    Solves :math:`v = r_\\pi + \\gamma P_\\pi v` (Sutton & Barto 2018, eq. 4.4), where :math:`P_\\pi` holds the
    probabilities of going on.

    Raises:
        ConvergenceError: ``gamma`` is 1 and the policy may go on for ever collecting rewards, so it has no value.
    """
    from rlsuite.agents.tabular.linear_solve import solve_policy

    return solve_policy(mdp, state_policy(mdp, policy), gamma)
