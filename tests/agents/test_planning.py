"""Planning agents: budgets in iterations, files, aliased observations, refusals."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

import rlsuite  # noqa: F401  (registers the environments)
from rlsuite.agents.registry import agent_class
from rlsuite.agents.tabular.dynamic_programming import policy_iteration
from rlsuite.agents.tabular.evaluation import discounted_values, finite_horizon_value, random_policy
from rlsuite.agents.tabular.planning import BackwardInduction, PolicyEvaluation, PolicyIteration, ValueIteration
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.errors import HyperparameterError, ModelUnavailableError
from rlsuite.experiments.reference import solve_reference
from tests.agents.small_mdps import random_mdp

NAMES = ["policy-iteration", "modified-policy-iteration", "value-iteration", "linear-programming"]
ALL = [*NAMES, "backward-induction", "policy-evaluation"]
SETTINGS = [
    *((name, {}) for name in ALL),
    ("value-iteration", {"sweep": "gauss-seidel"}),
    ("value-iteration", {"sweep": "prioritized"}),
]


@pytest.mark.parametrize(("name", "values"), SETTINGS)
def test_planning_in_pieces_adds_up(name, values, tmp_path):
    """learn(2), save, load, learn(3), learn() equals learn() to the last bit."""
    mdp = random_mdp(4, 7, 3)
    once = agent_class(name)(mdp=mdp, gamma=0.9, **values).learn()
    pieces = agent_class(name)(mdp=mdp, gamma=0.9, **values).learn(2)
    loaded = agent_class(name).load(pieces.save(tmp_path / "planner"), mdp=mdp)
    loaded.learn(total_episodes=3).learn()
    assert once.converged
    assert loaded.num_timesteps == once.num_timesteps
    np.testing.assert_array_equal(loaded.state_values, once.state_values)
    np.testing.assert_array_equal(loaded.target_policy(), once.target_policy())


def test_a_budget_is_a_number_of_iterations():
    """After n sweeps value iteration holds T^n 0."""
    mdp = random_mdp(1, 6, 2)
    agent = ValueIteration(mdp=mdp, gamma=0.9)
    v = np.zeros(6)
    for n in range(1, 4):
        v = (mdp.expected_reward + 0.9 * (mdp.continuation @ v).reshape(6, 2)).max(axis=1)
        agent.learn(1)
        assert agent.num_timesteps == n
        assert not agent.converged
        np.testing.assert_allclose(agent.state_values, v, rtol=0, atol=1e-14)


def test_learning_goes_no_further_than_the_stopping_rule():
    agent = PolicyIteration("CliffWalking-v1", gamma=1.0).learn(10_000)
    done = agent.num_timesteps
    assert agent.learn(10_000).num_timesteps == done < 100
    assert agent.num_episodes == agent.episode_returns.size == agent.visits.sum() == 0


@pytest.mark.parametrize("name", NAMES)
def test_planned_policies_walk_the_cliff_in_13_steps(name):
    env = gym.make("CliffWalking-v1")
    agent = agent_class(name)(env).learn()
    observation, _ = env.reset(seed=0)
    earned, terminated = 0.0, False
    for _ in range(13):
        observation, reward, terminated, _, _ = env.step(agent.predict(observation)[0])
        earned += float(reward)
    assert (earned, terminated) == (-13.0, True)


@pytest.mark.parametrize("name", NAMES)
def test_blackjacks_naturals_may_look_like_other_soft_21s(name):
    """The states differ in value but not in the best action, so there is a policy over observations."""
    env = gym.make("Blackjack-v1", natural=True, sab=False)
    agent = agent_class(name)(env, gamma=1.0).learn()
    mdp = FiniteMDP.from_env(env)
    assert finite_horizon_value(mdp, agent.target_policy(), 100) == pytest.approx(-0.0257, abs=5e-5)
    assert agent.predict((21, 10, 1))[0] == 0
    natural, other = mdp.n_states - 1, agent.observations.index((21, 10, 1))
    solution = policy_iteration(mdp, 1.0)
    assert solution.values[natural] == pytest.approx(1.5 * solution.values[other])  # any win is paid 1.5
    assert solution.values[other] < agent.state_values[other] < solution.values[natural]


def test_aliased_states_that_need_different_actions_are_refused():
    """The short corridor looks the same everywhere, and the second state is switched round (example 13.1)."""
    with pytest.raises(ModelUnavailableError, match="hides states that need different actions"):
        ValueIteration("rlsuite/ShortCorridor-v0", gamma=1.0)
    with pytest.raises(ModelUnavailableError, match="same observation"):
        BackwardInduction("rlsuite/ShortCorridor-v0")
    evaluated = PolicyEvaluation("rlsuite/ShortCorridor-v0", gamma=1.0).learn()
    values = discounted_values(evaluated.mdp, random_policy(evaluated.mdp), 1.0)
    assert values[0] == pytest.approx(-12.0)  # -2 (p - 2) / (p (1 - p)) steps at p = 1/2
    assert values.min() - 1e-9 <= evaluated.state_values[0] <= values.max() + 1e-9


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("env", ["CartPole-v1", "rlsuite/BlockingMaze-v0"])
def test_environments_without_a_model_are_refused_in_one_line(name, env):
    with pytest.raises(ModelUnavailableError) as caught:
        agent_class(name)(env)
    assert "\n" not in str(caught.value)


def test_policy_evaluation_of_a_given_policy():
    mdp = random_mdp(2, 6, 3)
    policy = np.random.default_rng(0).dirichlet(np.ones(3), 6)
    agent = PolicyEvaluation(mdp=mdp, policy=policy, gamma=0.9, tol=1e-10).learn()
    np.testing.assert_allclose(agent.state_values, discounted_values(mdp, policy, 0.9), rtol=0, atol=1e-10)
    np.testing.assert_array_equal(agent.target_policy(), policy)
    with pytest.raises(HyperparameterError, match="must be non-negative and sum to 1"):
        PolicyEvaluation(mdp=mdp, policy=2 * policy)


def test_backward_inductions_first_actions_and_value():
    agent = BackwardInduction("FrozenLake-v1").learn()
    assert agent.horizon == agent.num_timesteps == 100
    assert agent.state_values[0] == pytest.approx(0.7442, abs=5e-5)
    np.testing.assert_array_equal(agent.time_policy[0], agent.target_policy().argmax(axis=1))


# -- the reference of a comparison


def test_reference_of_taxi():
    mdp = FiniteMDP.from_env("Taxi-v4")
    reference = solve_reference(mdp, 0.99, 200)
    assert reference.optimum == pytest.approx(7.93, abs=5e-3)
    np.testing.assert_array_equal(np.isnan(reference.values), ~mdp.reachable)
    np.testing.assert_allclose(reference.policy.sum(axis=1), 1.0)
    # any draw among the shared optimal actions is optimal
    assert finite_horizon_value(mdp, reference.policy, 200) == pytest.approx(reference.optimum, abs=1e-9)


def test_reference_shares_equal_actions_equally():
    """At the start of an open grid two ways are equally short."""
    reference = solve_reference(FiniteMDP.from_env(gym.make("FrozenLake-v1", is_slippery=False)), 0.9, 100)
    assert reference.policy[0].tolist() == [0.0, 0.5, 0.5, 0.0]
    assert reference.start_value == pytest.approx(0.9**5)
    assert np.isnan(reference.values[[5, 7, 11, 12, 15]]).all()


def test_reference_without_values():
    mdp = FiniteMDP.from_transitions({0: {0: [(1.0, 0, 1.0, False)]}}, [1.0])
    reference = solve_reference(mdp, 1.0, 10)
    assert (reference.optimum, reference.random) == (10.0, 10.0)
    assert np.isnan(reference.start_value)
