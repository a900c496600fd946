"""The one-step actor-critic against the update of Sutton & Barto (2018), section 13.5, written out."""

import gymnasium as gym
import numpy as np
import pytest
import torch

from rlsuite.agents.deep.actor_critic import ActorCritic


@pytest.mark.parametrize("discounted", [True, False])
def test_gradients_are_those_of_the_book(discounted):
    agent = ActorCritic(
        gym.make_vec("CartPole-v1", 2, vectorization_mode="sync"), seed=0, gamma=0.8, discounted_gradient=discounted
    )
    agent.learn(2 * 7)  # I = 0.8^7 in both environments
    actor, critic, seen = agent.policy.actor, agent.policy.critic, []
    vector, critic_vector = agent.optimiser.flat.vector, agent.critic_optimiser.flat.vector
    before = vector.detach().clone(), critic_vector.detach().clone()
    act = agent.act
    agent.act = lambda n: seen.append(act(n)) or seen[-1]
    lengths = agent.episodes.running_lengths.copy()
    np.testing.assert_array_equal(lengths, 7)
    agent.learn(2)
    gradients = agent.optimiser.flat.gradient.clone(), agent.critic_optimiser.flat.gradient.clone()
    vector.data.copy_(before[0])
    critic_vector.data.copy_(before[1])
    s, s_next = seen[0].inputs[:2], seen[0].inputs[2:]
    expected = [torch.zeros_like(before[0]), torch.zeros_like(before[1])]
    for i in range(2):
        assert not seen[0].terminated[0, i]
        v = critic(s[i : i + 1])[0, 0]
        delta = (1.0 + 0.8 * critic(s_next[i : i + 1])[0, 0] - v).detach()
        log_pi = torch.log_softmax(actor(s[i : i + 1]), 1)[0, seen[0].actions[i]]
        weight = 0.8**7 if discounted else 1.0
        for which, optimiser, term in (
            (0, agent.optimiser, weight * delta * log_pi),
            (1, agent.critic_optimiser, delta * v),
        ):
            optimiser.flat.gradient.zero_()
            term.backward()
            expected[which] -= optimiser.flat.gradient / 2.0
    torch.testing.assert_close(gradients[0], expected[0], rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(gradients[1], expected[1], rtol=1e-3, atol=1e-6)


def test_two_step_sizes():
    agent = ActorCritic("CartPole-v1", seed=0, learning_rate=1e-9, critic_learning_rate=1e-2)
    actor, critic = agent.optimiser.flat.vector.detach().clone(), agent.critic_optimiser.flat.vector.detach().clone()
    agent.learn(20)
    torch.testing.assert_close(agent.optimiser.flat.vector.detach(), actor, rtol=0, atol=1e-6)
    assert (agent.critic_optimiser.flat.vector.detach() - critic).abs().max() > 0.01
