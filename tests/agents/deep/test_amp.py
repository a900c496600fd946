"""AMP: its discriminator's optimum and penalty in closed form, PPO where style has no weight, exact resume."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from rlsuite.agents.agent_checker import check_agent
from rlsuite.agents.callbacks import BaseCallback
from rlsuite.agents.deep.amp import AMP, TransitionReplay
from rlsuite.agents.deep.discriminator import Discriminator, agreement, style_reward
from rlsuite.agents.deep.optimisation import Optimiser
from rlsuite.agents.deep.ppo import PPO
from rlsuite.errors import InvalidEnvironmentError, RecordError

SMALL = {"n_steps": 16, "batch_size": 16, "n_epochs": 2, "net_arch": "8", "learning_rate": 0.01}
STYLE = {"style_net_arch": "16", "style_batch_size": 32, "style_updates": 8, "style_learning_rate": 0.01}


class Point(gym.Env):
    """A point on a line: seen is its last displacement, a fifth of the action; demonstrations go 0.1 to the right."""

    observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float32)
    action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self):
        self.demonstrations = Rightwards()

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t, self.moved = 0, self.np_random.uniform(-0.2, 0.2)
        return self._seen(), {}

    def step(self, action):
        self.t += 1
        self.moved = 0.2 * float(np.clip(action[0], -1.0, 1.0))
        return self._seen(), -0.5, self.moved < -0.19, self.t == 20, {}

    def _seen(self):
        return np.array([self.moved, 1.0], np.float32)

    def state_arrays(self):
        return {"moved": np.array([self.moved])}

    def state_values(self):
        return {"t": self.t, "random": self.np_random.bit_generator.state}

    def load_state(self, arrays, values):
        self.moved, self.t = float(arrays["moved"][0]), values["t"]
        self.np_random.bit_generator.state = values["random"]


class Rightwards:
    columns = np.array([0])

    def transitions(self, n, rng):
        return (0.1 + 0.02 * rng.standard_normal((n, 2, 1))).astype(np.float32)


def points(n=4, mode=AutoresetMode.NEXT_STEP):
    return SyncVectorEnv([Point] * n, autoreset_mode=mode)


def test_style_reward_by_hand():
    values = torch.tensor([1.0, 0.0, -1.0, -2.0, 3.0, 2.0])
    torch.testing.assert_close(style_reward(values), torch.tensor([1.0, 0.75, 0.0, 0.0, 0.0, 0.75]))


def test_the_optimal_discriminator_and_the_divergence_that_it_measures():
    """Two distributions over four transitions: D = (p - q) / (p + q), and the gap is the sum of (p - q)² / (p + q)."""
    p, q = np.array([0.5, 0.3, 0.2, 0.0]), np.array([0.1, 0.3, 0.2, 0.4])
    corners = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    real, fake = (
        torch.cat([corners[i].repeat(round(100 * share), 1) for i, share in enumerate(weights)])[:, :, None]
        for weights in (p, q)
    )
    torch.manual_seed(0)
    judge = Discriminator(corners[:, :, None], (32,))
    optimiser = Optimiser(judge, learning_rate=0.01)
    for _ in range(600):
        optimiser.step(judge.loss(real, fake, 0.0)[0])
    with torch.no_grad():
        found = judge(corners[:, :, None])
        divergence = agreement(judge(real), judge(fake))["style_divergence"]
    np.testing.assert_allclose(found, (p - q) / (p + q), atol=0.01)
    assert divergence == pytest.approx(np.sum((p - q) ** 2 / (p + q)), abs=0.01)


def test_the_penalty_is_the_squared_slope_of_a_linear_discriminator():
    torch.manual_seed(1)
    pairs = torch.randn(50, 2, 3)
    judge = Discriminator(pairs, ())
    weight = judge.layers[0].weight
    with torch.no_grad():
        weight.copy_(torch.randn(1, 6))
    plain, penalised = (judge.loss(pairs, pairs, w)[0] for w in (0.0, 10.0))
    torch.testing.assert_close(penalised - plain, 5.0 * weight.square().sum())


def test_features_that_hardly_vary_are_not_blown_up():
    pairs = torch.zeros(10, 2, 1)
    pairs[0] = 1e-6
    judge = Discriminator(pairs, (4,))
    assert float(judge.features(torch.full((1, 2, 1), 0.05)).max()) == pytest.approx(1.0, abs=1e-3)
    assert float(judge.features(torch.full((1, 2, 1), 1e9)).max()) == 8.0


def test_without_weight_of_style_it_is_ppo_to_the_last_bit():
    ppo = PPO(points(), seed=3, **SMALL).learn(400)
    amp = AMP(points(), seed=3, task_weight=1.0, style_weight=0.0, **SMALL, **STYLE).learn(400)
    for mine, theirs in zip(amp.policy.parameters(), ppo.policy.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_it_learns_to_move_as_demonstrated():
    """The environment's reward says nothing; the point learns to go right at 0.1 per step (action 0.5)."""
    settings = SMALL | {"n_steps": 32, "batch_size": 64, "n_epochs": 6, "log_std_init": -1.0, "gamma": 0.8}
    agent = AMP(points(8), seed=0, task_weight=0.0, style_weight=1.0, **settings, **STYLE)
    agent.learn(20_000)
    actions = [float(agent.predict(np.array([x, 1.0], np.float32))[0][0]) for x in (0.0, 0.1, 0.15)]
    np.testing.assert_allclose(actions, 0.5, atol=0.1)
    assert agent.metrics["train/style_reward"] > 0.6


@pytest.mark.parametrize("mode", list(AutoresetMode)[:2], ids=lambda m: m.value)
def test_resumes_to_the_last_bit(mode, tmp_path):
    class Stop(BaseCallback):
        def is_due(self, before, now):
            return before < 200 <= now

        def on_step(self):
            return False

    def made():
        return AMP(points(mode=mode), seed=5, style_replay_size=150, **SMALL, **STYLE)

    whole = made().learn(500).save(tmp_path / "whole").read_bytes()
    part = made().learn(500, Stop())
    assert part.num_timesteps < 400
    again = AMP.load(part.save(tmp_path / "part"), points(mode=mode)).resume()
    assert again.save(tmp_path / "again").read_bytes() == whole


def test_it_keeps_the_contract_of_agents():
    def made(env, seed=None):
        return AMP(env, seed=seed, **SMALL, **STYLE)

    made.action_spaces = AMP.action_spaces
    check_agent(made, Point, timesteps=60)


def test_a_damaged_replay_is_refused():
    replay = TransitionReplay(5, 1)
    replay.add(np.arange(14, dtype=np.float32).reshape(7, 2, 1))
    assert sorted(replay.pairs[:, 0, 0]) == [4.0, 6.0, 8.0, 10.0, 12.0]  # the newest five
    values = replay.state_values()
    for wrong in (np.zeros((4, 2, 1), np.float32), np.zeros((5, 2, 1)), np.full((5, 2, 1), np.nan, np.float32)):
        with pytest.raises(RecordError, match="replay"):
            TransitionReplay(5, 1).load_state({"pairs": wrong}, values)


def test_an_environment_without_demonstrations_is_named():
    with pytest.raises(InvalidEnvironmentError, match=r"Pendulum-v1.*none"):
        AMP("Pendulum-v1", seed=0)
