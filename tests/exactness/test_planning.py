"""Published optimal values and policies of the textbook problems, from the planners."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

import rlsuite  # noqa: F401  (registers the environments)
from rlsuite.agents.tabular import dynamic_programming as dp
from rlsuite.agents.tabular.evaluation import discounted_values, finite_horizon_optimum, random_policy
from rlsuite.envs.finite.mdp import FiniteMDP

PLANNERS = {
    "policy iteration": dp.policy_iteration,
    "linear programming": dp.linear_programming,
    "modified policy iteration": lambda mdp, gamma: dp.modified_policy_iteration(mdp, gamma, 1e-7),
    **{f"value iteration, {s}": lambda mdp, gamma, s=s: dp.value_iteration(mdp, gamma, 1e-7, sweep=s)
       for s in dp.SWEEPS},
}  # fmt: skip
each_planner = pytest.mark.parametrize("planner", PLANNERS.values(), ids=PLANNERS)


def start_value(mdp, values):
    start = mdp.initial > 0
    return mdp.initial[start] @ values[start]


@each_planner
@pytest.mark.parametrize(("name", "value"), [("4x4", 0.5420), ("8x8", 0.4146)])
def test_frozen_lake_discounted(planner, name, value):
    mdp = FiniteMDP.from_env(gym.make("FrozenLake-v1", map_name=name))
    assert planner(mdp, 0.99).values[0] == pytest.approx(value, abs=5e-5)


@pytest.mark.parametrize(("name", "horizon", "value"), [("4x4", 100, 0.7442), ("8x8", 200, 0.9132)])
def test_frozen_lake_within_its_time_limit(name, horizon, value):
    env = gym.make("FrozenLake-v1", map_name=name, max_episode_steps=horizon)
    mdp = FiniteMDP.from_env(env)
    assert mdp.max_episode_steps == horizon
    assert finite_horizon_optimum(mdp, horizon) == pytest.approx(value, abs=5e-5)


@each_planner
def test_taxi(planner):
    """The mean optimal return is 7.93; the 8.46 in a comment of Gymnasium's registry cannot be reached."""
    mdp = FiniteMDP.from_env("Taxi-v4")
    assert start_value(mdp, planner(mdp, 1.0).values) == pytest.approx(7.93, abs=5e-3)
    assert finite_horizon_optimum(mdp, 200) == pytest.approx(7.93, abs=5e-3)


@each_planner
def test_cliff_walking(planner):
    mdp = FiniteMDP.from_env("CliffWalking-v1")
    assert start_value(mdp, planner(mdp, 1.0).values) == pytest.approx(-13.0, abs=1e-6)


@each_planner
def test_gambler(planner):
    """Figure 4.3, p = 0.4: with the goal at 100 the value of 50 is p, of 25 is p^2, of 75 is p + (1 - p) p."""
    values = planner(FiniteMDP.from_env("rlsuite/Gambler-v0"), 1.0).values
    assert values[[25, 50, 75]] == pytest.approx([0.16, 0.4, 0.64], abs=1e-6)


OPTIMAL_5X5 = [
    [22.0, 24.4, 22.0, 19.4, 17.5],
    [19.8, 22.0, 19.8, 17.8, 16.0],
    [17.8, 19.8, 17.8, 16.0, 14.4],
    [16.0, 17.8, 16.0, 14.4, 13.0],
    [14.4, 16.0, 14.4, 13.0, 11.7],
]


@each_planner
def test_sutton_and_bartos_gridworld(planner):
    """Figure 3.5, printed with one decimal."""
    mdp = FiniteMDP.from_env("rlsuite/SuttonBartoGridWorld5x5-v0")
    np.testing.assert_allclose(planner(mdp, 0.9).values.reshape(5, 5), OPTIMAL_5X5, atol=0.05)


def test_sutton_and_bartos_gridworld_at_random():
    """Figure 3.2, top row."""
    mdp = FiniteMDP.from_env("rlsuite/SuttonBartoGridWorld5x5-v0")
    values = discounted_values(mdp, random_policy(mdp), 0.9)
    np.testing.assert_allclose(values[:5], [3.3, 8.8, 4.4, 5.3, 1.5], atol=0.05)
    np.testing.assert_allclose(dp.policy_evaluation(mdp, random_policy(mdp), 0.9, 1e-9).values, values, atol=1e-9)


@pytest.mark.parametrize("sweep", ["synchronous", "gauss-seidel"])
def test_jacks_car_rental(sweep):
    """Figure 4.2 with untruncated Poisson demand: v(0, 0) = 421.4, v(20, 20) = 637.0."""
    mdp = FiniteMDP.from_env("rlsuite/JacksCarRental-v0")
    found = dp.value_iteration(mdp, 0.9, 1e-3, sweep=sweep)
    assert found.values[[0, -1]] == pytest.approx([421.4, 637.0], abs=0.05)


def test_jacks_car_rental_by_policy_iteration():
    """The book's run takes four improvements from never moving a car."""
    mdp = FiniteMDP.from_env("rlsuite/JacksCarRental-v0")
    never = np.full(mdp.n_states, mdp.n_actions // 2)
    found = dp.policy_iteration(mdp, 0.9, initial_policy=never)
    assert found.converged
    assert found.iterations == 4
    assert found.values[[0, -1]] == pytest.approx([421.4, 637.0], abs=0.05)


@each_planner
@pytest.mark.parametrize(("moves", "steps"), [(4, 15), (8, 7), (9, 7)])
def test_windy_gridworld(planner, moves, steps):
    mdp = FiniteMDP.from_env(gym.make("rlsuite/WindyGridWorld-v0", moves=moves))
    assert start_value(mdp, planner(mdp, 1.0).values) == pytest.approx(-steps, abs=1e-6)
