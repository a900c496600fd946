"""The suite's own agents on the batch: stopped and resumed to the last bit, and unharmed by a simulation that breaks."""

import gymnasium as gym
import numpy as np
import pytest

from rlsuite.agents import agent_class
from rlsuite.agents.callbacks import BaseCallback

ID = "rlsuite/HumanoidImitate-v0"
SETTINGS = {"n_steps": 16, "batch_size": 32, "n_epochs": 1, "normalize_observations": True, "net_arch": "32"}


class At(BaseCallback):
    """Do something once, after so many steps; what it returns decides whether learning goes on."""

    def __init__(self, steps, do):
        super().__init__()
        self.steps, self.do, self.done = steps, do, False

    def _on_step(self):
        if self.done or self.num_timesteps < self.steps:
            return True
        self.done = True
        return self.do()


def ppo(env):
    return agent_class("ppo")(env, seed=5, **SETTINGS)


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_ppo_resumes_to_the_last_bit(mode, tmp_path):
    def make():
        return gym.make_vec(ID, num_envs=4, autoreset_mode=mode, horizon=0.6, start="failures")

    whole = ppo(make()).learn(300)
    part = ppo(make()).learn(300, At(130, lambda: False))
    assert 130 <= part.num_timesteps < whole.num_timesteps
    again = agent_class("ppo").load(part.save(tmp_path / "part"), make()).resume()
    assert again.save(tmp_path / "again").read_bytes() == whole.save(tmp_path / "whole").read_bytes()


@pytest.mark.parametrize("env_id", ["rlsuite/HumanoidHeading-v0", "rlsuite/HumanoidThrow-v0"])
def test_ppo_with_a_goal_resumes_to_the_last_bit(env_id, tmp_path):
    def make():
        return gym.make_vec(env_id, num_envs=4, horizon=0.6)

    whole = ppo(make()).learn(300)
    part = ppo(make()).learn(300, At(130, lambda: False))
    assert 130 <= part.num_timesteps < whole.num_timesteps
    again = agent_class("ppo").load(part.save(tmp_path / "part"), make()).resume()
    assert again.save(tmp_path / "again").read_bytes() == whole.save(tmp_path / "whole").read_bytes()


def test_a_broken_simulation_does_not_reach_the_normaliser(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo keeps a log in the working folder
    env = gym.make_vec(ID, num_envs=4)

    def poison():
        env.physics.fields[0][2, 9] = np.nan
        return True

    agent = ppo(env).learn(200, At(100, poison))
    assert env.divergences.tolist() == [0, 0, 1, 0]
    normaliser = agent.observation_normaliser
    assert np.isfinite(normaliser.mean).all()
    assert all(np.isfinite(weights.detach().numpy()).all() for weights in agent.policy.parameters())
