"""The exact solution that a comparison is judged by."""

from __future__ import annotations

import numpy as np

from rlsuite.agents.tabular.aliasing import optimal_actions
from rlsuite.agents.tabular.dynamic_programming import policy_iteration
from rlsuite.agents.tabular.evaluation import finite_horizon_optimum, finite_horizon_value, random_policy
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.errors import ConvergenceError
from rlsuite.experiments.results import Reference


def solve_reference(mdp: FiniteMDP, gamma: float, horizon: int) -> Reference:
    """Solve ``mdp`` exactly at ``gamma`` (policy iteration) and within ``horizon`` steps (backward induction).

    Where values do not exist at gamma = 1, they and ``start_value`` are NaN. Where observations are aliased,
    ``optimum`` and ``values`` are those of an agent that sees the state: upper bounds for one that does not.
    """
    optimum = finite_horizon_optimum(mdp, horizon)
    random = finite_horizon_value(mdp, random_policy(mdp), horizon)
    reachable = mdp.reachable
    try:
        solution = policy_iteration(mdp, gamma)
    except ConvergenceError:
        nothing = np.full(mdp.n_states, np.nan)
        return Reference(optimum, random, nothing, np.full((mdp.n_states, mdp.n_actions), 1 / mdp.n_actions), np.nan)
    share = optimal_actions(np.nan_to_num(solution.action_values)).astype(np.float64)
    start = mdp.initial > 0
    return Reference(
        optimum=optimum,
        random=random,
        values=np.where(reachable, solution.values, np.nan),
        policy=share / share.sum(axis=1, keepdims=True),
        start_value=float(mdp.initial[start] @ solution.values[start]),
    )
