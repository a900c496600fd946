"""PPO: its written-out gradient against autograd, its first step against the policy gradient, stopping rules."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

from rlsuite.agents.deep.distributions import distribution_for
from rlsuite.agents.deep.ppo import PPO, approximate_kl, kl_adapted, normalised, ppo_gradient, ppo_loss
from rlsuite.agents.deep.rollouts import Rollout

BOX = spaces.Box(-1.0, 1.0, (3,))
SPACES = [(spaces.Discrete(4), False), (spaces.MultiDiscrete([2, 3]), False), (spaces.MultiBinary(3), False)]
SPACES += [(BOX, False), (BOX, True)]


def made(space, squash, seed=0, n=48):
    """A distribution, outputs and values of networks, a batch and the log-probabilities that it was drawn with."""
    rng = np.random.default_rng(seed)
    distribution = distribution_for(space, squash=squash)
    old = rng.standard_normal((n, distribution.n_outputs)).astype(np.float32)
    actions = distribution.sample(old, rng)
    vectors = [torch.from_numpy(rng.standard_normal(n).astype(np.float32)) for _ in range(4)]
    batch = Rollout(None, torch.from_numpy(actions), None, *vectors[:3])
    with torch.no_grad():
        old_log_prob = distribution.log_prob(torch.from_numpy(old), batch.actions)
    outputs = torch.from_numpy(old + 0.3 * rng.standard_normal(old.shape).astype(np.float32))
    return distribution, outputs.requires_grad_(), vectors[3].requires_grad_(), batch, old_log_prob


@pytest.mark.parametrize(("space", "squash"), SPACES, ids=str)
@pytest.mark.parametrize("clip_range_vf", [None, 0.4])
def test_the_written_out_gradient_is_that_of_the_loss(space, squash, clip_range_vf):
    distribution, outputs, values, batch, old = made(space, squash)
    settings = {"clip_range": 0.2, "clip_range_vf": clip_range_vf, "ent_coef": 0.03, "vf_coef": 0.7}
    ppo_loss(distribution, outputs, values, batch, old, batch.advantages, **settings).backward()
    own = [p.grad.clone() for p in distribution.parameters()]
    distribution.zero_grad()
    written = ppo_gradient(distribution, outputs.detach(), values.detach(), batch, old, batch.advantages, **settings)
    torch.testing.assert_close(written.outputs, outputs.grad, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(written.values, values.grad, rtol=1e-4, atol=1e-6)
    for parameter, expected in zip(distribution.parameters(), own, strict=True):
        torch.testing.assert_close(parameter.grad, expected, rtol=1e-4, atol=1e-6)
    clipped = (written.log_ratio.exp() - 1.0).abs() > 0.2
    assert 0 < int(clipped.sum()) < len(clipped)  # both branches were met


@pytest.mark.parametrize("clip_range_vf", [None, 0.4])
def test_the_reported_errors_are_those_that_are_minimised(clip_range_vf):
    distribution, outputs, values, batch, old = made(spaces.Discrete(4), False)
    settings = {"clip_range": 0.2, "clip_range_vf": clip_range_vf, "ent_coef": 0.0}
    of_values = [
        ppo_loss(distribution, outputs, values, batch, old, batch.advantages, vf_coef=weight, **settings)
        for weight in (0.0, 1.0)
    ]
    written = ppo_gradient(distribution, outputs.detach(), values.detach(), batch, old, batch.advantages, **settings)
    torch.testing.assert_close(written.errors.square().mean(), (of_values[1] - of_values[0]).detach())


def test_the_reported_value_loss_is_the_clipped_one():
    """Values that may not move: their loss stays what it was when the rollout was made, whatever the network says."""
    agent = PPO("CartPole-v1", seed=0, n_steps=32, batch_size=32, n_epochs=8, learning_rate=0.05, clip_range_vf=1e-6)
    agent._total_timesteps = 32
    agent.envs.start()
    rollout = agent.collect(32, 0.95)
    agent.learn_from(rollout, 0.2)
    at_first = float((rollout.values - rollout.returns).square().mean())
    assert agent.metrics["train/value_loss"] == pytest.approx(at_first, rel=1e-4)
    h, values = agent.hyperparameters, agent.policy(rollout.inputs)[1].detach()
    assert abs(float((values - rollout.returns).square().mean()) - at_first) > 1e-3 * at_first  # the network did move
    parts = [agent.metrics[f"train/{name}"] for name in ("policy_gradient_loss", "value_loss", "entropy_loss")]
    assert agent.metrics["train/loss"] == pytest.approx(
        parts[0] + h.vf_coef * parts[1] + h.ent_coef * parts[2], rel=1e-5
    )


def test_normalised_advantages_and_the_kl_estimate():
    advantages = torch.tensor([1.0, 2.0, 3.0, 6.0])
    expected = (advantages - 3.0) / np.std([1, 2, 3, 6], ddof=1)
    torch.testing.assert_close(normalised(advantages), expected)
    torch.testing.assert_close(normalised(advantages[:1]), advantages[:1])
    p, q = torch.tensor([0.2, 0.8]), torch.tensor([0.5, 0.5])
    in_expectation = sum(p[a] * approximate_kl(torch.log(q[a] / p[a])[None]) for a in range(2))
    torch.testing.assert_close(in_expectation, (p * (p / q).log()).sum())


def test_kl_adaptive_rule():
    assert kl_adapted(1e-3, 0.021, 0.01) == pytest.approx(1e-3 / 1.5)
    assert kl_adapted(1e-3, 0.004, 0.01) == pytest.approx(1.5e-3)
    assert kl_adapted(1e-3, 0.01, 0.01) == kl_adapted(1e-3, 0.0, 0.01) == 1e-3
    assert kl_adapted(1e-5, 1.0, 0.01) == 1e-5 and kl_adapted(1e-2, 1e-6, 0.01) == 1e-2


def test_learns_cartpole():
    agent = PPO("CartPole-v1", seed=0, n_steps=512, batch_size=128, n_epochs=10, learning_rate=1e-3)
    agent.learn(8192)
    assert agent.episode_returns[:20].mean() < 40.0 < 100.0 < agent.episode_returns[-10:].mean()


def test_target_kl_stops_the_epochs():
    env = gym.make("CartPole-v1")
    agent = PPO(env, seed=0, n_steps=256, learning_rate=1e-2, target_kl=1e-3)
    agent.learn(256)
    assert agent.metrics["train/n_updates"] == 1
    assert agent.optimiser.n_updates < 4
    free = PPO(gym.make("CartPole-v1"), seed=0, n_steps=256, learning_rate=1e-2).learn(256)
    assert free.optimiser.n_updates == 40


@pytest.mark.parametrize("env", ["CartPole-v1", "Pendulum-v1"])
def test_the_first_minibatch_takes_the_policy_gradient_with_gae(env):
    """At rho = 1 nothing is clipped: grad L = -E[A grad log pi]."""
    agent = PPO(gym.make_vec(env, 2, vectorization_mode="sync"), seed=0, gamma=0.9)
    agent.envs.start()
    batch = agent.collect(30, 0.8)
    outputs, values = agent.policy(batch.inputs)
    old = agent._log_prob(batch)
    agent.optimiser.flat.gradient.zero_()
    written = ppo_gradient(
        agent.distribution, outputs.detach(), values.detach(), batch, old, batch.advantages, clip_range=0.2
    )
    torch.testing.assert_close(written.log_ratio, torch.zeros(60), rtol=0, atol=1e-5)
    outputs.backward(written.outputs)
    gradient = agent.optimiser.flat.gradient.clone()
    agent.optimiser.flat.gradient.zero_()
    log_prob = agent.distribution.log_prob(agent.policy(batch.inputs)[0], batch.actions)
    (-(batch.advantages * log_prob).mean()).backward()
    torch.testing.assert_close(gradient, agent.optimiser.flat.gradient, rtol=1e-3, atol=1e-6)
    assert float(gradient.norm()) > 1e-3


def test_metrics_have_the_names_of_stable_baselines3():
    agent = PPO("Pendulum-v1", seed=0, n_steps=32, batch_size=10, n_epochs=3, clip_range_schedule="linear").learn(64)
    names = "approx_kl clip_fraction clip_range entropy_loss explained_variance learning_rate loss n_updates"
    names += " policy_gradient_loss value_loss std"
    assert {f"train/{name}" for name in names.split()} == set(agent.metrics)
    assert agent.metrics["train/n_updates"] == 6 and agent.optimiser.n_updates == 2 * 3 * 4
    assert agent.metrics["train/clip_range"] == pytest.approx(0.1)  # half of the call was done
