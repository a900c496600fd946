"""Which environments have a model, that it is the right one, and that everything else is refused in one line."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces, wrappers

from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.errors import InvalidMDPError, ModelUnavailableError

READABLE = {
    "FrozenLake-v1": [{}, {"is_slippery": False}, {"map_name": "8x8"}, {"map_name": "8x8", "is_slippery": False}],
    "Taxi-v4": [{}, {"is_rainy": True}],
    "CliffWalking-v1": [{}, {"is_slippery": True}],
}
CASES = [(id, kwargs) for id, options in READABLE.items() for kwargs in options]


@pytest.mark.parametrize(("id", "kwargs"), CASES)
def test_model_is_the_environments_own_table(id, kwargs):
    env = gym.make(id, **kwargs)
    mdp = FiniteMDP.from_env(env)
    assert mdp.to_transitions() == env.unwrapped.P
    np.testing.assert_array_equal(mdp.initial, env.unwrapped.initial_state_distrib)
    assert mdp.max_episode_steps == env.spec.max_episode_steps
    assert mdp.name == id


@pytest.mark.parametrize(("id", "kwargs"), CASES)
def test_every_step_of_the_environment_is_an_outcome_of_the_model(id, kwargs):
    env = gym.make(id, **kwargs)
    mdp = FiniteMDP.from_env(env)
    env.action_space.seed(1)
    s, _ = env.reset(seed=1)
    assert mdp.initial[s] > 0
    for _ in range(300):
        a = int(env.action_space.sample())
        s_next, r, terminated, truncated, info = env.step(a)
        low, high = mdp.offset[s * mdp.n_actions + a : s * mdp.n_actions + a + 2]
        outcomes = zip(
            mdp.probability[low:high], mdp.next_state[low:high], mdp.reward[low:high], mdp.terminated[low:high],
            strict=True,
        )  # fmt: skip
        assert (info["prob"], s_next, r, terminated) in list(outcomes)
        s = env.reset()[0] if terminated or truncated else s_next


def test_the_goal_of_cliff_walking_is_left_by_termination_only():
    """P[47] has ordinary transitions; what makes the goal a goal is ``terminated`` on the way in."""
    mdp = FiniteMDP.from_env("CliffWalking-v1")
    entering = mdp.next_state == 47
    from_elsewhere = entering & (mdp.pair // mdp.n_actions != 47)
    assert mdp.terminated[from_elsewhere].all()
    assert not mdp.reachable[47]


def test_the_tightest_time_limit_counts():
    env = wrappers.TimeLimit(gym.make("FrozenLake-v1"), 7)
    assert FiniteMDP.from_env(env).max_episode_steps == 7
    assert FiniteMDP.from_env(gym.make("FrozenLake-v1", max_episode_steps=31)).max_episode_steps == 31
    assert FiniteMDP.from_env(gym.make("FrozenLake-v1").unwrapped).max_episode_steps is None


def test_transparent_wrappers_are_read_through():
    env = wrappers.RecordEpisodeStatistics(gym.make("Taxi-v4"))
    assert FiniteMDP.from_env(env).n_states == 500


class ThirdStepFails(gym.Wrapper):
    pass


@pytest.mark.parametrize(
    "wrap",
    [
        lambda env: wrappers.TransformReward(env, lambda r: 2 * r),
        lambda env: wrappers.TransformObservation(env, lambda s: s, env.observation_space),
        lambda env: wrappers.TransformAction(env, lambda a: a, env.action_space),
        lambda env: wrappers.StickyAction(env, 0.25),
        lambda env: wrappers.ClipReward(env, -1, 1),
        wrappers.Autoreset,
        ThirdStepFails,
    ],
)
def test_a_wrapper_that_may_change_the_problem_is_named(wrap):
    env = wrap(gym.make("FrozenLake-v1"))
    with pytest.raises(ModelUnavailableError, match=f"wrapper {type(env).__name__} may change"):
        FiniteMDP.from_env(env)


def test_fickle_passengers_are_refused():
    with pytest.raises(ModelUnavailableError, match="fickle_passenger"):
        FiniteMDP.from_env(gym.make("Taxi-v4", fickle_passenger=True))


@pytest.mark.parametrize(
    ("id", "reason"), [("CartPole-v1", "continuous observation"), ("Pendulum-v1", "continuous observation")]
)
def test_continuous_environments_are_refused(id, reason):
    with pytest.raises(ModelUnavailableError, match=reason) as caught:
        FiniteMDP.from_env(id)
    assert "\n" not in str(caught.value)


class Coin(gym.Env):
    """Two states; action 1 moves on or ends. Dynamics as a third party would give them."""

    observation_space, action_space = spaces.Discrete(2), spaces.Discrete(2)

    def __init__(self, **attributes):
        self.__dict__.update(attributes)


P = {s: {0: [(1.0, s, 0.0, False)], 1: [(0.5, 1, -1.0, False), (0.5, 0, 2.0, True)]} for s in range(2)}


def test_any_environment_with_p_and_an_initial_distribution_is_read():
    mdp = FiniteMDP.from_env(Coin(P=P, initial_state_distrib=[0.25, 0.75]))
    assert mdp.to_transitions() == P
    np.testing.assert_array_equal(mdp.initial, [0.25, 0.75])
    assert mdp.name == "Coin"


def test_discrete_environments_without_dynamics_are_refused():
    with pytest.raises(ModelUnavailableError, match="Coin does not expose its dynamics"):
        FiniteMDP.from_env(Coin())
    with pytest.raises(ModelUnavailableError, match="initial_state_distrib"):
        FiniteMDP.from_env(Coin(P=P))


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({**P, 1: {0: [(0.7, 1, 0.0, False)], 1: P[1][1]}}, "state 1, action 0 sum to 0.7"),
        ({**P, 1: {0: P[1][0]}}, "no entry for state 1, action 1"),
        ({**P, 1: {0: [(1.0, 5, 0.0, False)], 1: P[1][1]}}, "next_state"),
        ({**P, 1: {0: [(1.0, 1, 0.0)], 1: P[1][1]}}, "expected"),
    ],
)
def test_inconsistent_dynamics_are_refused(broken, reason):
    with pytest.raises(InvalidMDPError, match=reason):
        FiniteMDP.from_env(Coin(P=broken, initial_state_distrib=[0.25, 0.75]))
