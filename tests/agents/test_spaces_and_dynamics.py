"""Dynamics that do not fit the environment's spaces are refused before a kernel indexes by them."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from rlsuite.agents.registry import agent_class
from rlsuite.envs.finite.spaces import DiscreteIndex
from rlsuite.errors import InvalidEnvironmentError, InvalidMDPError


class Ring(gym.Env):
    """Three states in a ring, of which the spaces may tell the wrong story."""

    def __init__(self, n_observations: int = 3, n_actions: int = 2, shown: int | None = None) -> None:
        self.observation_space = gym.spaces.Discrete(n_observations)
        self.action_space = gym.spaces.Discrete(n_actions)
        self.P = {s: {a: [(1.0, (s + 1) % 3, -1.0, False)] for a in range(2)} for s in range(3)}
        self.initial_state_distrib = np.eye(3)[0]
        self.shown = shown

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return 0, {}

    def step(self, action):
        return 1 if self.shown is None else self.shown, -1.0, False, False, {}


@pytest.mark.parametrize("name", ["q-learning", "sarsa-lambda", "mc-control", "value-iteration", "policy-evaluation"])
@pytest.mark.parametrize(
    ("spaces", "complaint"),
    [((3, 1), "2 actions"), ((3, 4), "2 actions"), ((2, 2), "3 observations")],
)
def test_dynamics_that_do_not_fit_the_spaces_are_refused(name, spaces, complaint) -> None:
    with pytest.raises(InvalidMDPError, match=complaint):
        agent_class(name)(Ring(*spaces))


def test_spaces_may_be_larger_than_what_is_ever_seen() -> None:
    assert agent_class("q-learning")(Ring(n_observations=9), time_limit=5, seed=0).learn(20).num_episodes == 4


@pytest.mark.parametrize("shown", [3, -1, 1 << 70, 0.5, None])
def test_an_observation_outside_the_space_is_a_typed_error(shown) -> None:
    env = Ring(shown=shown)
    if shown is None:
        env.step = lambda action: (None, -1.0, False, False, {})
    agent = agent_class("q-learning")(env, compiled=False)
    with pytest.raises(InvalidEnvironmentError, match=r"observation .* is not in Discrete\(3\)"):
        agent.learn(3)


def test_predict_refuses_an_observation_outside_the_space() -> None:
    with pytest.raises(InvalidEnvironmentError, match=r"-1 is not in Discrete\(3\)"):
        agent_class("q-learning")(Ring()).predict(-1)


@pytest.mark.parametrize("value", [(0, 2), (0,), (0, 0, 0), (-1, 0), "ab"])
def test_composite_observations_are_checked_by_their_parts(value) -> None:
    index = DiscreteIndex(gym.spaces.Tuple([gym.spaces.Discrete(3), gym.spaces.Discrete(2)]))
    with pytest.raises(InvalidEnvironmentError, match="is not in Tuple"):
        index.index(value)


def test_the_interpreted_path_needs_an_environment() -> None:
    with pytest.raises(InvalidEnvironmentError, match="give it one"):
        agent_class("q-learning")(mdp=agent_class("q-learning")(Ring()).mdp, compiled=False)
