"""Whole episodes in memory: the room grows with the longest episode, and nothing else depends on it."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from rlsuite.agents.tabular.mc_control import MonteCarloControl
from rlsuite.agents.tabular.mc_prediction import MonteCarloPrediction
from rlsuite.agents.tabular.trajectory import Trajectory, begin_trajectory, record
from rlsuite.envs.finite.env import FiniteMDPEnv
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.errors import ConvergenceError

LONG = 3000


def endless(n_states: int = 2) -> FiniteMDP:
    """A ring that is walked for ever, a reward of -1 per step."""
    ring = {s: {a: [(1.0, (s + 1) % n_states, -1.0, False)] for a in range(2)} for s in range(n_states)}
    return FiniteMDP.from_transitions(ring, np.eye(n_states)[0])


def long_episodes(compiled: bool, **arguments) -> MonteCarloPrediction:
    env = gym.wrappers.TimeLimit(FiniteMDPEnv(endless()), LONG)
    return MonteCarloPrediction(env, compiled=compiled, time_limit=LONG, gamma=1.0, seed=0, **arguments)


@pytest.mark.parametrize("compiled", [True, False])
def test_an_episode_longer_than_the_room_is_kept_whole_and_a_truncated_return_counts_as_it_is(compiled: bool) -> None:
    agent = long_episodes(compiled)
    assert agent.capacity < LONG
    agent.learn(total_episodes=2)
    assert agent.capacity == 4096
    np.testing.assert_array_equal(agent.state_values, [-LONG, -LONG + 1])


@pytest.mark.parametrize("compiled", [True, False])
def test_the_room_does_not_depend_on_how_learning_is_cut_up(compiled: bool) -> None:
    whole, pieces = long_episodes(compiled, visit="every"), long_episodes(compiled, visit="every")
    cuts = (1, 1023, 1, 1023, 1, 950, 2, LONG)  # at the room's end, one step before and after it, and elsewhere
    whole.learn(sum(cuts))
    for n in cuts:
        pieces.learn(n)
    np.testing.assert_array_equal(whole.state_values, pieces.state_values)
    np.testing.assert_array_equal(whole.memory.trajectory.s, pieces.memory.trajectory.s)


def test_an_episode_that_never_ends_is_an_error_and_not_all_the_memory() -> None:
    with pytest.raises(ConvergenceError, match="give the agent a time_limit"):
        MonteCarloControl(None, mdp=endless(), seed=0).learn(total_episodes=1)


def test_a_long_episode_survives_saving_in_its_middle(tmp_path) -> None:
    mdp = endless(3)
    agent = MonteCarloControl(None, mdp=mdp, time_limit=LONG, seed=1).learn(2500)
    loaded = MonteCarloControl.load(agent.save(tmp_path / "long"), mdp=mdp)
    agent.learn(LONG)
    loaded.learn(LONG)
    assert agent.num_episodes == 1
    np.testing.assert_array_equal(agent.action_values, loaded.action_values)


def test_first_visits_are_found_per_state_and_per_pair_and_per_episode() -> None:
    steps = [(0, 0), (1, 1), (0, 1), (0, 0), (1, 1)]
    by_state, by_pair = Trajectory.zero(2, 1), Trajectory.zero(2, 2)
    for _ in range(2):  # the second episode finds the same as the first
        for trajectory, first in (
            (by_state, [True, True, False, False, False]),
            (by_pair, [True, True, True, False, False]),
        ):
            begin_trajectory(trajectory)
            for s, a in steps:
                record(trajectory, s, a, 0.0, 1.0)
            assert trajectory.first[: len(steps)].tolist() == first
