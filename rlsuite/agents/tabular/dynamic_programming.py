r"""Dynamic programming: optimal values and policies of a known finite MDP (Sutton & Barto 2018, chapter 4).

All methods solve Bellman's optimality equation :math:`v = Tv`,
:math:`(Tv)(s) = \max_a \{ r(s,a) + \gamma \sum_{s'} p(s'|s,a)\, v(s') \}` (eq. 4.1), where outcomes that end the
episode contribute no :math:`v(s')`. For :math:`\gamma < 1`, T is a contraction of modulus :math:`\gamma` in the
sup-norm, which gives each method its stopping rule. ``tol`` is always a bound on :math:`\|v - v_*\|_\infty`, not on the
last change:

=========================  =======================================================  ==================================
method                     stops when                                               guarantees
=========================  =======================================================  ==================================
value iteration            :math:`\gamma/(1-\gamma)\,\|v_{k+1} - v_k\| \le tol`      :math:`\|v - v_*\| \le tol`
… Gauss-Seidel, blocked    the same, for the last pass over the states              :math:`\|v - v_*\| \le tol`
… prioritized              :math:`\|Tv - v\|/(1-\gamma) \le tol`                     :math:`\|v - v_*\| \le tol`
modified policy iteration  :math:`\gamma/(1-\gamma)\,\|Tv - v\| \le tol`             :math:`\|Tv - v_*\| \le tol`
policy iteration           no action is strictly better                             exact up to rounding
linear programming         the solver's optimal basis                               exact up to rounding
=========================  =======================================================  ==================================

The greedy policy of such a ``v`` loses at most :math:`2\gamma/(1-\gamma)\,tol` (Singh & Yee 1994).

For :math:`\gamma = 1` (see :mod:`~rlsuite.agents.tabular.episodic`) sweeps start from the value of a proper policy and
rise to :math:`v_*`. They stop when :math:`\|T_\pi v - v\|_\infty \cdot \max_s L_\pi(s) \le tol` for a greedy proper
policy :math:`\pi` with expected episode length :math:`L_\pi`: then :math:`\|v - v_\pi\| \le tol`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rlsuite.agents.tabular.episodic import Episodic, Problem, expected_lengths, may_profit_for_ever, one_hot
from rlsuite.agents.tabular.linear_solve import policy_matrix, solve_policy
from rlsuite.agents.tabular.planning_kernels import (
    Backup,
    action_values,
    evaluate_in_place,
    improve,
    make_backup,
    outward_order,
)
from rlsuite.agents.tabular.sweeps import SWEEPS, Sweep, make_sweep
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.errors import ConvergenceError, HyperparameterError

MAX_ITERATIONS = 100_000
_ROUNDING = 1e-12  # two action values closer than this, relative to the largest value, count as equal


@dataclass(frozen=True)
class PlanningResult:
    """What a planner found.

    Attributes:
        values: ``(n_states,)``; NaN at gamma = 1 in unreachable states from which no episode ends.
        action_values: ``(n_states, n_actions)`` one backup of ``values``.
        policy: ``(n_states, n_actions)`` one-hot and greedy; proper at gamma = 1.
        iterations: how many were made in this call.
        error_bound: of ``values``, in the sup-norm (see the module's table).
        converged: whether the stopping rule was met.
        method: its name.
    """

    values: NDArray[np.float64]
    action_values: NDArray[np.float64]
    policy: NDArray[np.float64]
    iterations: int
    error_bound: float
    converged: bool
    method: str


def value_iteration(
    mdp: FiniteMDP,
    gamma: float,
    tol: float = 1e-8,
    *,
    sweep: str = "synchronous",
    max_iterations: int = MAX_ITERATIONS,
    initial_values: NDArray[np.float64] | None = None,
) -> PlanningResult:
    """Value iteration, ``v <- T v`` (sec. 4.4).

    Args:
        sweep: ``"synchronous"``: all states from the old values. ``"gauss-seidel"``: in place (sec. 4.5), from
            where episodes end outwards and then back, so that values cross the state space in one iteration.
            ``"blocked"``: the same, block by block of neighbouring distances, each until it hardly changes: for large
            state spaces. ``"prioritized"``: one iteration is n_states backups, each where the Bellman error is largest
            (Moore & Atkeson 1993; sec. 8.4).
        initial_values: by default zero, or for Gauss-Seidel the lower bound min_s max_a r(s, a) / (1 - gamma), from
            which values spread and do not have to be unlearned; at gamma = 1 they must be at most v*, by default the
            value of a proper policy.

    Raises:
        ConvergenceError: gamma is 1 and values do not exist.
    """
    if sweep not in SWEEPS:
        raise HyperparameterError(f"value_iteration: sweep must be one of {', '.join(SWEEPS)}, not {sweep!r}")
    problem = _problem(mdp, gamma)
    order, block = outward_order(problem.mdp) if sweep in ("gauss-seidel", "blocked") else (None, None)
    backup = make_backup(problem.mdp, gamma, order)
    step = make_sweep(sweep, backup, problem.mdp, gamma, tol * (1.0 - gamma), block)
    if initial_values is None and block is not None and gamma < 1.0:
        initial_values = np.full(mdp.n_states, min(0.0, mdp.expected_reward.max(axis=1).min()) / (1.0 - gamma))
    return _iterate(problem, backup, step, tol, max_iterations, initial_values, f"value iteration, {sweep}", order)


def modified_policy_iteration(
    mdp: FiniteMDP,
    gamma: float,
    tol: float = 1e-8,
    *,
    n_sweeps: int = 20,
    max_iterations: int = MAX_ITERATIONS,
    initial_values: NDArray[np.float64] | None = None,
) -> PlanningResult:
    """Modified policy iteration: improve, then evaluate by ``n_sweeps`` sweeps instead of exactly.

    Puterman & Shin (1978); Sutton & Barto's generalised policy iteration, sec. 4.6. With ``n_sweeps = 0`` it is value
    iteration; with infinitely many, policy iteration. Arguments and errors as :func:`value_iteration`.
    """
    problem = _problem(mdp, gamma)
    backup = make_backup(problem.mdp, gamma)
    greedy = np.zeros(problem.mdp.n_states, np.int64)
    threshold = tol * (1.0 - gamma) / gamma if 0.0 < gamma < 1.0 else tol

    def step(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        improved = np.empty_like(values)
        change = improve(backup, values, improved, greedy)
        if change > threshold:
            evaluate_in_place(backup, improved, greedy, n_sweeps)
        return improved, gamma * change

    return _iterate(problem, backup, step, tol, max_iterations, initial_values, "modified policy iteration")


def policy_evaluation(
    mdp: FiniteMDP,
    policy: NDArray[np.float64],
    gamma: float,
    tol: float = 1e-8,
    *,
    sweep: str = "gauss-seidel",
    max_iterations: int = MAX_ITERATIONS,
    initial_values: NDArray[np.float64] | None = None,
) -> PlanningResult:
    r"""Iterative policy evaluation, ``v <- r_pi + gamma P_pi v`` (eq. 4.5), of a policy over states.

    Stopping rule and guarantee are value iteration's, with v_pi for v* (a policy makes an MDP with one action).

    Args:
        policy: ``(n_states, n_actions)`` probabilities.

    Raises:
        ConvergenceError: gamma is 1 and the policy may collect rewards for ever.
    """
    if sweep not in SWEEPS[:2]:
        raise HyperparameterError(f"policy_evaluation: sweep must be one of {', '.join(SWEEPS[:2])}, not {sweep!r}")
    if gamma == 1.0:
        solve_policy(mdp, policy, gamma)  # raises where there is no value
    transition, reward = policy_matrix(mdp, policy)
    backup = Backup(
        transition.indptr.astype(np.int32), gamma * transition.data, transition.indices.astype(np.int32),
        np.ascontiguousarray(reward[:, None]),
    )  # fmt: skip
    step = make_sweep(sweep, backup, mdp, gamma, 0.0)
    values = np.zeros(mdp.n_states) if initial_values is None else np.array(initial_values)
    horizon = _longest(mdp, policy) if gamma == 1.0 else 1.0 / (1.0 - gamma)
    bound, made = np.inf, 0
    while made < max_iterations and bound > tol:
        values, change = step(values)
        bound, made = horizon * change, made + 1
    q = backed_up(make_backup(mdp, gamma), values)
    return PlanningResult(values, q, np.array(policy), made, bound, bool(bound <= tol), "policy evaluation")


def policy_iteration(
    mdp: FiniteMDP,
    gamma: float,
    *,
    max_iterations: int = MAX_ITERATIONS,
    initial_policy: NDArray[np.int64] | None = None,
) -> PlanningResult:
    """Policy iteration: evaluate exactly, then take a strictly better action wherever there is one (sec. 4.3).

    Every iteration is at least as good in every state, and there are finitely many policies: it ends, exactly. At
    gamma = 1 it starts from a proper policy and stays proper.

    Args:
        initial_policy: ``(n_states,)`` actions; at gamma = 1 of a proper policy.

    Raises:
        ConvergenceError: gamma is 1 and values do not exist.
    """
    problem = Problem.of(mdp, gamma)
    inner, backup = problem.mdp, make_backup(problem.mdp, gamma)
    actions = (problem.start if initial_policy is None else problem.take(np.asarray(initial_policy))).astype(np.int64)
    rows = np.arange(inner.n_states)
    made, stable = 0, False
    while True:
        values = _evaluate(inner, actions, gamma)
        q = backed_up(backup, values)
        slack = _ROUNDING * max(1.0, float(np.abs(values).max()))
        better = q.max(axis=1) > q[rows, actions] + slack
        stable = not better.any()
        if stable or made >= max_iterations:
            break
        actions = np.where(better, q.argmax(axis=1), actions)
        made += 1
    bound = _distance(inner, gamma, float(np.abs(q.max(axis=1) - values).max()), actions)
    policy = one_hot(actions, inner.n_actions)
    return _lift(problem, PlanningResult(values, q, policy, made, bound, bool(stable), "policy iteration"))


def linear_programming(mdp: FiniteMDP, gamma: float) -> PlanningResult:
    """The linear programme: minimise sum v(s) subject to v(s) >= r(s, a) + gamma E[v(s')] for all pairs.

    Puterman (1994), sec. 6.9, solved by HiGHS. The dual variable of a pair is its discounted visit count, positive for
    one action per state: that is the optimal policy, whose value is then solved for exactly.

    Raises:
        ConvergenceError: gamma is 1 and values do not exist, or the solver failed.
    """
    import scipy.optimize
    import scipy.sparse

    problem = _problem(mdp, gamma)
    inner, k = problem.mdp, problem.mdp.n_actions
    choose = scipy.sparse.kron(scipy.sparse.identity(inner.n_states), np.ones((k, 1)), format="csr")
    lower = np.full(inner.n_states, -np.inf)
    actions = problem.start.astype(np.int64)
    if gamma == 1.0:
        resting = Episodic(inner).resting.reshape(-1, k)
        lower[resting.any(axis=1)] = 0.0
        actions = np.where(resting.any(axis=1), resting.argmax(axis=1), actions)
    solution = scipy.optimize.linprog(
        np.ones(inner.n_states),
        A_ub=gamma * inner.continuation - choose,
        b_ub=-inner.expected_reward.ravel(),
        bounds=np.column_stack([lower, np.full(inner.n_states, np.inf)]),
        method="highs",
    )
    if not solution.success:
        raise ConvergenceError(f"{mdp.name}: the linear programme was not solved: {solution.message}")
    visits = -solution.ineqlin.marginals.reshape(-1, k)
    actions = np.where(visits.max(axis=1) > 1e-9, visits.argmax(axis=1), actions)
    values = _evaluate(inner, actions, gamma)
    q = backed_up(make_backup(inner, gamma), values)
    bound = _distance(inner, gamma, float(np.abs(q.max(axis=1) - values).max()), actions)
    return _lift(problem, PlanningResult(values, q, one_hot(actions, k), 1, bound, True, "linear programming"))


@dataclass(frozen=True)
class FiniteHorizonResult:
    """The solution for a fixed number of steps.

    Attributes:
        values: ``(horizon + 1, n_states)`` by number of steps to go. policy: ``(horizon, n_states)`` action at time t.
    """

    values: NDArray[np.float64]
    policy: NDArray[np.int64]


def backward_induction(mdp: FiniteMDP, horizon: int, gamma: float = 1.0) -> FiniteHorizonResult:
    """Exact optimum for a finite horizon: ``v_h = T v_{h-1}``, ``v_0 = 0``; the policy depends on the time.

    Bellman (1957). Always exact, whether or not episodes end.
    """
    backup = make_backup(mdp, gamma)
    values = np.zeros((horizon + 1, mdp.n_states))
    policy = np.empty((horizon, mdp.n_states), np.int64)
    for h in range(1, horizon + 1):
        improve(backup, values[h - 1], values[h], policy[horizon - h])
    return FiniteHorizonResult(values, policy)


# -- shared parts -----------------------------------------------------------------------------------------------------


def _problem(mdp: FiniteMDP, gamma: float) -> Problem:
    problem = Problem.of(mdp, gamma)
    if gamma == 1.0 and may_profit_for_ever(problem.mdp):
        policy_iteration(problem.mdp, 1.0)  # raises if it does profit
    return problem


def _iterate(
    problem: Problem,
    backup: Backup,
    step: Sweep,
    tol: float,
    max_iterations: int,
    initial_values: NDArray[np.float64] | None,
    method: str,
    order: NDArray[np.int32] | None = None,
) -> PlanningResult:
    """Repeat ``step`` until its rule is met; ``backup`` and ``step`` number the states by ``order``."""
    mdp, gamma = problem.mdp, problem.gamma
    if initial_values is not None:
        values = problem.take(np.array(initial_values, np.float64)).astype(np.float64)
    elif gamma == 1.0:
        values = _evaluate(mdp, problem.start, gamma)
    else:
        values = np.zeros(mdp.n_states)
    values = values if order is None else values[order]
    bound, target, made = np.inf, tol, 0
    while made < max_iterations and bound > tol and target > 0.0:
        values, change = step(values)
        made += 1
        if gamma < 1.0:
            bound = change / (1.0 - gamma)
        elif change <= target:
            bound = _certificate(mdp, _unordered(backed_up(backup, values), order), _unordered(values, order))
            target = change / 4.0
    q, values = _unordered(backed_up(backup, values), order), _unordered(values, order)
    if bound > tol:  # out of iterations: what can be said of the values as they are
        residual = float(np.abs(q.max(axis=1) - values).max())
        bound = residual / (1.0 - gamma) if gamma < 1.0 else _certificate(mdp, q, values)
    actions = q.argmax(axis=1) if gamma < 1.0 else _proper_greedy(mdp, q, values)[0]
    policy = one_hot(actions, mdp.n_actions)
    return _lift(problem, PlanningResult(values, q, policy, made, bound, bool(bound <= tol), method))


def _unordered(table: NDArray[np.float64], order: NDArray[np.int32] | None) -> NDArray[np.float64]:
    """Rows of a table that was numbered by ``order``, back in their places."""
    if order is None:
        return table
    whole = np.empty_like(table)
    whole[order] = table
    return whole


def backed_up(backup: Backup, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(n_states, n_actions)`` r + gamma E[v(s')]."""
    q = np.empty_like(backup.reward)
    action_values(backup, values, q)
    return q


def _proper_greedy(
    mdp: FiniteMDP, q: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.int64], bool]:
    """Actions that are greedy up to rounding and the last change, and lead to an end (or rest); whether all do.

    Among equally good actions some may go round for ever: where v(s) = 1 is reached by either, walking into the wall
    has the same action value as walking to the goal.
    """
    top = q.max(axis=1)
    slack = 2.0 * float(np.abs(top - values).max()) + _ROUNDING * max(1.0, float(np.abs(values).max()))
    episodic = Episodic(mdp)
    rest = episodic.resting & np.repeat(values <= slack, mdp.n_actions)  # elsewhere there is more to be had than 0
    actions, inside = episodic.attractor((q >= (top - slack)[:, None]).ravel(), episodic.ending, rest)
    return np.where(inside, actions, q.argmax(axis=1)), bool(inside.all())


def _certificate(mdp: FiniteMDP, q: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Bound on |v - v_pi| for a proper greedy policy pi, at gamma = 1; infinite while there is none."""
    actions, proper = _proper_greedy(mdp, q, values)
    if not proper:
        return np.inf
    error = np.abs(q[np.arange(mdp.n_states), actions] - values).max() + np.finfo(float).eps * np.abs(values).max()
    return float(error * _longest(mdp, one_hot(actions, mdp.n_actions)))


def _longest(mdp: FiniteMDP, policy: NDArray[np.float64]) -> float:
    """Largest expected number of steps until the episode ends or rests, at least 1."""
    return max(1.0, float(expected_lengths(mdp, policy).max()))


def _evaluate(mdp: FiniteMDP, actions: NDArray[np.int64], gamma: float) -> NDArray[np.float64]:
    try:
        return solve_policy(mdp, one_hot(actions, mdp.n_actions), gamma)
    except ConvergenceError:
        raise ConvergenceError(
            f"{mdp.name}: undiscounted, and some policy earns rewards for ever without ending the episode, so optimal "
            "values do not exist; use gamma < 1 or a finite horizon"
        ) from None


def _distance(mdp: FiniteMDP, gamma: float, residual: float, actions: NDArray[np.int64]) -> float:
    """Error bound from a Bellman residual."""
    if gamma < 1.0:
        return residual / (1.0 - gamma)
    return residual * _longest(mdp, one_hot(actions, mdp.n_actions))


def _lift(problem: Problem, result: PlanningResult) -> PlanningResult:
    if problem.states is None:
        return result
    policy = problem.give(result.policy, 0.0)
    policy[policy.sum(axis=1) == 0, 0] = 1.0
    return replace(
        result, values=problem.give(result.values), action_values=problem.give(result.action_values), policy=policy
    )
