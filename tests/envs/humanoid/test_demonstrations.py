"""Demonstrations are what the policy would see if the body followed the reference exactly."""

import gymnasium as gym
import numpy as np
import pytest

import rlsuite  # noqa: F401 (registers the environments)
from rlsuite.agents.registry import agent_class
from rlsuite.errors import HyperparameterError

ID = "rlsuite/HumanoidImitate-v0"


class Fixed:
    """Random numbers of our choice."""

    def __init__(self, values):
        self.values = np.asarray(values)

    def random(self, n):
        return self.values[:n]


@pytest.mark.parametrize("mirror", [False, "halves", "lean"])
def test_they_equal_observations_of_the_reference(mirror):
    env = gym.make_vec(ID, num_envs=3, clip="walk", mirror=mirror)
    core = env.unwrapped
    rows = len(core.reference.table.qpos) - 1
    shares = np.array([10, 70, 100]) / rows  # rows of the reference's table: nothing is interpolated there
    pairs = core.demonstrations.transitions(3, Fixed(shares))
    columns = core.demonstrations.columns
    for k, tolerance in enumerate((2e-5, 5e-3)):  # a step later velocities are interpolated
        seen, _ = env.reset(seed=0, options={"time": shares * core.reference.duration + k * core.dt})
        np.testing.assert_allclose(pairs[:, k], seen[:, columns], atol=tolerance)
    assert pairs.shape == (3, 2, 1 + 42 + 3)
    assert core._mirrored.any() == bool(mirror)


def test_a_clip_played_once_ends_before_its_end():
    core = gym.make_vec(ID, num_envs=1, clip="jump").unwrapped
    last = core.demonstrations.transitions(1, Fixed([1.0 - 1e-12]))
    velocities = core.observation.places["velocities"]
    at = np.flatnonzero(
        (core.demonstrations.columns >= velocities.start) & (core.demonstrations.columns < velocities.stop)
    )
    assert np.isfinite(last).all() and np.abs(last[0, 0, at]).max() > 0.0


def test_an_observation_without_the_body_is_refused():
    with pytest.raises(HyperparameterError, match="demonstrations need"):
        _ = gym.make(ID, observe=("phase",)).unwrapped.demonstrations


def test_amp_runs_on_the_humanoid_and_tells_the_body_from_the_clip():
    env = gym.make_vec(ID, num_envs=4, clip="walk")
    agent = agent_class("amp")(
        env, seed=0, n_steps=16, batch_size=32, n_epochs=1, net_arch="16", log_std_init=0.0,
        style_net_arch="32", style_updates=40, style_learning_rate=1e-3, style_batch_size=64,
    ).learn(256)  # fmt: skip
    assert agent.metrics["train/style_divergence"] > 0.1  # actions are noise
    assert 0.0 < agent.metrics["train/style_reward"] <= 1.0
