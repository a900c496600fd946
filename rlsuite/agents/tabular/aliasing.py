"""From tables over states to tables over observations, where some states look alike.

A planner may act on what it computed over states only if, wherever states share an observation, one action is optimal
in all of them. (Blackjack's natural and any other soft 21 look alike; sticking is best with both.) The value that
belongs to such an observation is the mean over its states, weighted by how often the policy visits them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rlsuite.agents.tabular.linear_solve import endless_states, policy_matrix
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.errors import ModelUnavailableError

_RELATIVE_TIE = 1e-9


def optimal_actions(action_values: NDArray[np.float64], tolerance: float = _RELATIVE_TIE) -> NDArray[np.bool_]:
    """``(n_states, n_actions)`` the actions within ``tolerance`` of the best, relative to the size of the values."""
    best = action_values.max(axis=1, keepdims=True)
    return np.asarray(action_values >= best - tolerance * np.maximum(1.0, np.abs(best)))


def observation_policy(
    mdp: FiniteMDP, action_values: NDArray[np.float64], policy: NDArray[np.float64], agent: str
) -> NDArray[np.float64]:
    """``(n_observations, n_actions)`` the policy over states as one over observations.

    Raises:
        ModelUnavailableError: two reachable states share an observation but no optimal action.
    """
    if mdp.fully_observed:
        return policy.copy()
    states = np.flatnonzero(mdp.reachable)
    optimal = optimal_actions(action_values)
    common = np.ones((mdp.n_observations, mdp.n_actions), np.bool_)
    np.logical_and.at(common, mdp.observation[states], optimal[states])
    if not common.any(axis=1).all():
        raise ModelUnavailableError(
            f"{agent} cannot plan in {mdp.name}: observation {int(np.argmin(common.any(axis=1)))} hides states that "
            "need different actions; use a learner"
        )
    table = np.zeros(common.shape)
    table[np.arange(len(table)), common.argmax(axis=1)] = 1.0
    return table


def observation_values(mdp: FiniteMDP, table: NDArray[np.float64], policy: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(n_observations, …)`` the mean of a table over the states behind each observation, weighted by visits."""
    if mdp.fully_observed:
        return table.copy()
    weight = expected_visits(mdp, policy) + 1e-300  # observations never visited: any mean
    sums = np.zeros((mdp.n_observations, *table.shape[1:]))
    np.add.at(sums, mdp.observation, table * weight.reshape(-1, *[1] * (table.ndim - 1)))
    total = np.bincount(mdp.observation, weight, mdp.n_observations)
    return sums / np.where(total > 0, total, 1.0).reshape(-1, *[1] * (table.ndim - 1))


def expected_visits(mdp: FiniteMDP, policy: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(n_states,)`` expected visits in an episode, ``x = initial + P_pi^T x``; 0 in states that are never left."""
    import scipy.sparse
    import scipy.sparse.linalg

    transition, _ = policy_matrix(mdp, policy)
    moving = ~endless_states(transition)
    visits = np.zeros(mdp.n_states)
    inner = transition[moving][:, moving]
    system = (scipy.sparse.identity(inner.shape[0], format="csr") - inner).T.tocsc()
    visits[moving] = scipy.sparse.linalg.spsolve(system, mdp.initial[moving])
    return visits
