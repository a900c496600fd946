"""Simulators give the rewards that stepping the environment gives, to the last bit, and leave it alone."""

import gymnasium as gym
import numpy as np
import pytest

from rlsuite.agents.predictive.simulators import simulator_of
from rlsuite.envs.humanoid.vector_env import HumanoidImitateVectorEnv
from rlsuite.errors import InvalidEnvironmentError


@pytest.mark.parametrize(
    ("id", "kwargs"),
    [
        ("HalfCheetah-v5", {}),
        ("HalfCheetah-v5", {"forward_reward_weight": 2.0, "ctrl_cost_weight": 0.3, "frame_skip": 5}),
        ("Hopper-v5", {}),
        ("Hopper-v5", {"terminate_when_unhealthy": False, "healthy_reward": 0.5}),
    ],
)
def test_rewards_and_ends_are_those_of_stepping(id, kwargs):
    env = gym.make(id, **kwargs)
    env.action_space.seed(0)
    env.reset(seed=0)
    for _ in range(5):  # in the middle of an episode: the solver has a warm start
        env.step(env.action_space.sample())
    actions = np.stack([env.action_space.sample() for _ in range(60)])
    others = np.stack([[env.action_space.sample() for _ in range(60)] for _ in range(2)])
    simulator = simulator_of(env)
    states = simulator.get_states()
    assert simulator.steps.tolist() == [5]
    rewards = simulator.simulate(states[0], np.stack((others[0], actions, others[1])).astype(np.float64))
    np.testing.assert_array_equal(simulator.get_states(), states)  # nothing happened
    ended = False
    for t, action in enumerate(actions):
        _, reward, terminated, _, _ = env.step(action)
        assert rewards[1, t] == (0.0 if ended else reward), (id, t)
        ended |= terminated
    assert ended == (id == "Hopper-v5" and not kwargs)  # it fell, and there was no reward any more
    assert not np.array_equal(rewards[0], rewards[1])
    env.close()


def test_environments_that_simulate_themselves():
    env = HumanoidImitateVectorEnv(2, clip="idle", autoreset_mode="Disabled", threads=1)
    single = gym.make("rlsuite/HumanoidImitate-v0", clip="idle")
    assert simulator_of(env) is env
    single.reset(seed=4)
    env.reset(seed=4)
    np.testing.assert_array_equal(simulator_of(single).get_states()[0], env.get_states()[0])
    single.close()


def test_what_cannot_be_simulated_is_refused():
    with pytest.raises(InvalidEnvironmentError, match="cannot be simulated"):
        simulator_of(gym.make("Pendulum-v1"))
    rescaled = gym.wrappers.RescaleAction(gym.make("Hopper-v5"), np.float32(-2), np.float32(2))
    with pytest.raises(InvalidEnvironmentError, match="takes other actions"):
        simulator_of(rescaled)
