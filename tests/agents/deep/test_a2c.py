"""A2C is PPO with one epoch, one batch and no clipping; its gradient is that of its loss; RMSProp as published."""

import gymnasium as gym
import numpy as np
import pytest
import torch

from rlsuite.agents.deep.a2c import A2C
from rlsuite.agents.deep.ppo import PPO
from rlsuite.agents.deep.reinforce import Reinforce


@pytest.mark.parametrize("env", ["CartPole-v1", "Pendulum-v1"])
def test_equals_ppo_with_one_epoch_and_one_batch(env):
    shared = {"n_steps": 20, "gae_lambda": 0.9, "ent_coef": 0.01, "learning_rate": 1e-3, "normalize_advantage": True}
    a2c = A2C(gym.make_vec(env, 4, vectorization_mode="sync"), seed=0, use_rmsprop=False, **shared)
    ppo = PPO(
        gym.make_vec(env, 4, vectorization_mode="sync"), seed=0, n_epochs=1, batch_size=80, clip_range=1e6, **shared
    )
    began = ppo.optimiser.flat.vector.detach().clone()
    torch.testing.assert_close(a2c.optimiser.flat.vector.detach(), began, rtol=0, atol=0)
    a2c.learn(80)
    ppo.learn(80)
    torch.testing.assert_close(a2c.optimiser.flat.gradient, ppo.optimiser.flat.gradient, rtol=1e-3, atol=1e-6)
    assert float(ppo.optimiser.flat.gradient.norm()) > 0.01
    torch.testing.assert_close(a2c.metrics["train/entropy_loss"], ppo.metrics["train/entropy_loss"], rtol=1e-5, atol=0)


@pytest.mark.parametrize("env", ["CartPole-v1", "Pendulum-v1"])
def test_one_step_of_rmsprop_on_the_loss(env):
    agent = A2C(gym.make_vec(env, 3, vectorization_mode="sync"), seed=0, ent_coef=0.02, max_grad_norm=1e9)
    agent.envs.start()
    collected = []
    collect = agent.collect
    agent.collect = lambda *args: collected.append(collect(*args)) or collected[-1]
    before = agent.optimiser.flat.vector.detach().clone()
    agent.learn(15)
    after, gradient = agent.optimiser.flat.vector.detach().clone(), agent.optimiser.flat.gradient.clone()
    torch.testing.assert_close(after, before - 7e-4 * gradient / (0.99 + 0.01 * gradient**2 + 1e-5).sqrt())
    agent.optimiser.flat.vector.data.copy_(before)
    batch = collected[0]
    outputs, values = agent.policy(batch.inputs)
    log_prob = agent.distribution.log_prob(outputs, batch.actions)
    loss = -(batch.advantages * log_prob).mean() + 0.5 * (batch.returns - values).square().mean()
    loss = loss - 0.02 * agent.distribution.entropy(outputs).mean()
    agent.optimiser.flat.gradient.zero_()
    loss.backward()
    torch.testing.assert_close(gradient, agent.optimiser.flat.gradient, rtol=1e-3, atol=1e-6)


def test_metrics_have_the_names_of_stable_baselines3():
    agent = A2C("Pendulum-v1", seed=0).learn(10)
    names = "explained_variance learning_rate n_updates policy_loss value_loss entropy_loss std"
    assert {f"train/{name}" for name in names.split()} == set(agent.metrics)
    assert agent.metrics["train/n_updates"] == 2


def test_reinforce_learns_where_a2c_does():
    """The same gradient from the other side: one step before a termination both have G - V."""
    env = gym.make("CartPole-v1", max_episode_steps=1)
    one, other = A2C(env, seed=0, n_steps=1), Reinforce(gym.make("CartPole-v1", max_episode_steps=1), seed=0)
    for agent in (one, other):
        agent.envs.start()
    batch, episode = one.collect(1, 1.0), other.episodes_of_policy()
    np.testing.assert_allclose(batch.returns, episode.returns)
    np.testing.assert_allclose(batch.advantages, episode.advantages, rtol=1e-6)
