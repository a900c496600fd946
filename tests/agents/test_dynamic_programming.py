"""Planners against each other, against linear algebra and enumeration, and their error bounds against exact values."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rlsuite.agents.tabular import dynamic_programming as dp
from rlsuite.agents.tabular.episodic import Episodic, end_components
from rlsuite.agents.tabular.evaluation import (
    discounted_values,
    finite_horizon_optimum,
    finite_horizon_value,
    random_policy,
)
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.errors import ConvergenceError, HyperparameterError
from tests.agents.small_mdps import random_mdp, random_walk

ITERATIVE = {
    **{sweep: lambda mdp, gamma, tol, sweep=sweep: dp.value_iteration(mdp, gamma, tol, sweep=sweep)
       for sweep in dp.SWEEPS},
    "modified": lambda mdp, gamma, tol: dp.modified_policy_iteration(mdp, gamma, tol, n_sweeps=5),
}  # fmt: skip
EXACT = {"policy iteration": dp.policy_iteration, "linear programming": dp.linear_programming}
sizes = st.tuples(st.integers(0, 10**6), st.integers(1, 9), st.integers(1, 4))


def draw(seed, n_states, n_actions, *, costly=False):
    """A random MDP; a ``costly`` one has only negative rewards, so that going on for ever never pays."""
    mdp = random_mdp(seed, n_states, n_actions)
    return dp.replace(mdp, reward=-np.abs(mdp.reward) - 0.1) if costly else mdp


def exact_values(mdp, gamma):
    """v* as the best, state by state, of all deterministic policies' values."""
    n, k = mdp.n_states, mdp.n_actions
    best = np.full(n, -np.inf)
    for actions in itertools.product(range(k), repeat=n):
        chosen = np.arange(n) * k + np.array(actions)
        p, r = mdp.continuation[chosen].toarray(), mdp.expected_reward.ravel()[chosen]
        best = np.maximum(best, np.linalg.solve(np.eye(n) - gamma * p, r))
    return best


@settings(max_examples=40, deadline=None)
@given(sizes, st.sampled_from([0.0, 0.5, 0.9, 0.97]))
def test_all_planners_agree_discounted(size, gamma):
    mdp = draw(*size)
    exact = dp.policy_iteration(mdp, gamma)
    assert exact.converged
    np.testing.assert_allclose(dp.linear_programming(mdp, gamma).values, exact.values, rtol=0, atol=1e-8)
    for name, planner in ITERATIVE.items():
        found = planner(mdp, gamma, 5e-9)
        assert found.converged, name
        np.testing.assert_allclose(found.values, exact.values, rtol=0, atol=1e-8, err_msg=name)


@settings(max_examples=40, deadline=None)
@given(sizes)
def test_all_planners_agree_undiscounted(size):
    """gamma = 1 with negative rewards; where from some state nothing ends the episode, all say so."""
    mdp = draw(*size, costly=True)
    _, certain = Episodic(mdp).proper
    if not certain.all():  # every state is a first state here
        for planner in EXACT.values():
            with pytest.raises(ConvergenceError, match="no policy ends the episode"):
                planner(mdp, 1.0)
        return
    exact = dp.policy_iteration(mdp, 1.0)
    assume(np.abs(exact.values).max() < 1e3)  # beyond, rounding alone exceeds 1e-8
    np.testing.assert_allclose(dp.linear_programming(mdp, 1.0).values, exact.values, rtol=0, atol=1e-8)
    for name, planner in ITERATIVE.items():
        found = planner(mdp, 1.0, 5e-9)
        assert found.converged, name
        np.testing.assert_allclose(found.values, exact.values, rtol=0, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("gamma", [0.3, 0.95])
def test_policy_iteration_is_the_best_of_all_policies(seed, gamma):
    mdp = draw(seed, 5, 3)
    np.testing.assert_allclose(dp.policy_iteration(mdp, gamma).values, exact_values(mdp, gamma), rtol=0, atol=1e-10)


@settings(max_examples=30, deadline=None)
@given(sizes, st.sampled_from([0.5, 0.9, 0.99]), st.sampled_from([1e-1, 1e-3, 1e-6]), st.sampled_from(list(ITERATIVE)))
def test_error_bounds_hold(size, gamma, tol, name):
    """The reported bound is at most ``tol``, and the true error is at most the bound (up to rounding)."""
    mdp = draw(*size)
    exact = dp.policy_iteration(mdp, gamma).values
    found = ITERATIVE[name](mdp, gamma, tol)
    assert found.error_bound <= tol
    assert np.abs(found.values - exact).max() <= found.error_bound + 1e-11


@settings(max_examples=30, deadline=None)
@given(sizes, st.integers(1, 6), st.sampled_from(list(dp.SWEEPS)))
def test_error_bounds_hold_also_when_stopped_early(size, n, sweep):
    mdp = draw(*size)
    exact = dp.policy_iteration(mdp, 0.9).values
    for found in (
        dp.value_iteration(mdp, 0.9, 1e-12, sweep=sweep, max_iterations=n),
        dp.modified_policy_iteration(mdp, 0.9, 1e-12, n_sweeps=2, max_iterations=n),
    ):
        assert np.abs(found.values - exact).max() <= found.error_bound + 1e-11


@settings(max_examples=30, deadline=None)
@given(sizes, st.sampled_from([0.6, 0.95]))
def test_improvement_is_monotone(size, gamma):
    """Policy improvement theorem (sec. 4.2): each policy of policy iteration is at least as good in every state."""
    mdp = draw(*size)
    before = None
    for n in range(20):
        found = dp.policy_iteration(mdp, gamma, max_iterations=n)
        if before is not None:
            assert (found.values >= before - 1e-10).all()
        if found.converged:
            break
        before = found.values
    assert found.converged


@settings(max_examples=30, deadline=None)
@given(sizes, st.sampled_from([0.0, 0.7, 0.95]), st.sampled_from(["synchronous", "gauss-seidel"]))
def test_policy_evaluation_is_the_linear_solve(size, gamma, sweep):
    mdp = draw(*size)
    policy = np.random.default_rng(size[0]).dirichlet(np.ones(mdp.n_actions), mdp.n_states)
    exact = discounted_values(mdp, policy, gamma)
    found = dp.policy_evaluation(mdp, policy, gamma, 1e-9, sweep=sweep)
    assert np.abs(found.values - exact).max() <= found.error_bound + 1e-11 <= 1.1e-9


@settings(max_examples=30, deadline=None)
@given(sizes, st.integers(1, 7))
def test_finite_horizon_value_is_the_recursion(size, horizon):
    """Forward propagation equals v_h = r_pi + P_pi v_{h-1}; the optimum equals h applications of T."""
    mdp = draw(*size)
    policy = np.random.default_rng(size[0]).dirichlet(np.ones(mdp.n_actions), mdp.n_states)
    v, best = np.zeros(mdp.n_states), np.zeros(mdp.n_states)
    for _ in range(horizon):
        q = mdp.expected_reward + (mdp.continuation @ v).reshape(policy.shape)
        v = (policy * q).sum(axis=1)
        best = (mdp.expected_reward + (mdp.continuation @ best).reshape(policy.shape)).max(axis=1)
    assert finite_horizon_value(mdp, policy, horizon) == pytest.approx(mdp.initial @ v, abs=1e-12)
    assert finite_horizon_optimum(mdp, horizon) == pytest.approx(mdp.initial @ best, abs=1e-12)
    stages = dp.backward_induction(mdp, horizon)
    np.testing.assert_allclose(stages.values[horizon], best, rtol=0, atol=1e-12)


def test_backward_inductions_policy_earns_what_it_promises():
    mdp = FiniteMDP.from_env("FrozenLake-v1")
    stages = dp.backward_induction(mdp, 30)
    d, earned = mdp.initial.copy(), 0.0
    for t in range(30):
        pairs = np.arange(mdp.n_states) * mdp.n_actions + stages.policy[t]
        earned += d @ mdp.expected_reward.ravel()[pairs]
        d = mdp.continuation[pairs].T @ d
    assert earned == pytest.approx(mdp.initial @ stages.values[30], abs=1e-12)


def test_random_walk_by_hand():
    """v(s) = (s + 1) / 6 in the five-state walk (example 6.2); the optimum walks right: 1 everywhere."""
    mdp = random_walk(5)
    np.testing.assert_allclose(discounted_values(mdp, random_policy(mdp), 1.0), np.arange(1, 6) / 6, atol=1e-14)
    for planner in EXACT.values():
        np.testing.assert_allclose(planner(mdp, 1.0).values, 1.0, atol=1e-12)


# -- what can go wrong without discounting


def mdp_of(transitions):
    return FiniteMDP.from_transitions(transitions, np.eye(len(transitions))[0], name="test problem")


def loop(reward, exit_reward):
    """One state: go round for ``reward``, or leave for ``exit_reward``."""
    return mdp_of({0: {0: [(1.0, 0, reward, False)], 1: [(1.0, 0, exit_reward, True)]}})


PLANNERS = {**EXACT, **{name: lambda mdp, gamma, f=f: f(mdp, gamma, 1e-9) for name, f in ITERATIVE.items()}}
each_planner = pytest.mark.parametrize("planner", PLANNERS.values(), ids=PLANNERS)


@each_planner
def test_profit_for_ever_has_no_value(planner):
    with pytest.raises(ConvergenceError, match=r"earns rewards for ever.*use gamma < 1"):
        planner(loop(1.0, 5.0), 1.0)
    assert planner(loop(1.0, 5.0), 0.5).values[0] == pytest.approx(5.0)


@each_planner
def test_cost_for_ever_is_left(planner):
    found = planner(loop(-1.0, -7.0), 1.0)
    assert found.values[0] == pytest.approx(-7.0)
    assert found.policy[0].tolist() == [0.0, 1.0]


@each_planner
def test_going_round_for_nothing_is_worth_nothing(planner):
    """Better than leaving at a loss, worse than leaving for a gain; the policy for the gain does leave."""
    assert planner(loop(0.0, -7.0), 1.0).values[0] == 0.0
    gain = planner(loop(0.0, 3.0), 1.0)
    assert gain.values[0] == pytest.approx(3.0)
    assert gain.policy[0].tolist() == [0.0, 1.0]


@each_planner
def test_waiting_for_the_last_moment_is_worth_nothing_without_one(planner):
    """Moving on pays 3 and then costs 5. Any horizon is best ended just after the 3; without one, staying is best."""
    mdp = mdp_of({
        0: {0: [(1.0, 0, 0.0, False)], 1: [(1.0, 1, 3.0, False)]},
        1: {0: [(1.0, 1, -5.0, True)], 1: [(1.0, 1, -5.0, True)]},
    })  # fmt: skip
    assert finite_horizon_optimum(mdp, 10) == 3.0
    np.testing.assert_allclose(planner(mdp, 1.0).values, [0.0, -5.0])


@each_planner
def test_a_trap_has_no_value(planner):
    trap = mdp_of({
        0: {0: [(0.5, 1, 0.0, False), (0.5, 0, 1.0, True)]},
        1: {0: [(1.0, 1, -1.0, False)]},
    })  # fmt: skip
    with pytest.raises(ConvergenceError, match="from state 0 no policy ends the episode"):
        planner(trap, 1.0)


@each_planner
def test_an_unreachable_trap_does_not_matter(planner):
    mdp = mdp_of({0: {0: [(1.0, 0, 2.0, True)]}, 1: {0: [(1.0, 1, -1.0, False)]}})
    found = planner(mdp, 1.0)
    assert found.values[0] == 2.0
    assert np.isnan(found.values[1])


@each_planner
def test_an_absorbing_goal_without_termination_is_a_place_to_rest(planner):
    """Many tables mark the goal by a loop of reward 0 rather than by ``terminated``."""
    mdp = mdp_of({0: {0: [(0.5, 0, -1.0, False), (0.5, 1, -1.0, False)]}, 1: {0: [(1.0, 1, 0.0, False)]}})
    np.testing.assert_allclose(planner(mdp, 1.0).values, [-2.0, 0.0], atol=1e-8)


@each_planner
def test_undiscounted_greedy_policies_reach_the_goal(planner):
    """Without slipping every action has value 1 in FrozenLake, also walking into the wall; the policy must not."""
    import gymnasium as gym

    mdp = FiniteMDP.from_env(gym.make("FrozenLake-v1", is_slippery=False))
    assert finite_horizon_value(mdp, planner(mdp, 1.0).policy, 100) == 1.0


def test_an_improper_policy_has_no_undiscounted_value():
    mdp = FiniteMDP.from_env("CliffWalking-v1")
    up = np.eye(4)[np.zeros(48, int)]
    with pytest.raises(ConvergenceError, match="never ends an episode"):
        discounted_values(mdp, up, 1.0)
    assert discounted_values(mdp, up, 0.9) @ mdp.initial == pytest.approx(-10.0)
    assert finite_horizon_value(mdp, up, 1000) == -1000.0


def test_end_components_by_hand():
    """States 0 and 1 can pass the ball to and fro; 2 cannot keep it."""
    mdp = mdp_of({
        0: {0: [(1.0, 1, 0.0, False)], 1: [(1.0, 2, 0.0, False)]},
        1: {0: [(1.0, 0, 0.0, False)], 1: [(0.5, 0, 0.0, False), (0.5, 1, 0.0, True)]},
        2: {0: [(1.0, 2, 0.0, True)], 1: [(0.9, 2, 0.0, False), (0.1, 0, 0.0, True)]},
    })  # fmt: skip
    assert end_components(mdp, np.ones(6, bool)).tolist() == [True, False, True, False, False, False]


def test_unknown_sweep_is_refused():
    with pytest.raises(HyperparameterError, match="gauss-seidel"):
        dp.value_iteration(random_walk(3), 0.9, sweep="random")
