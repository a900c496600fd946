"""REINFORCE's estimate against the exact gradient, by enumeration of all trajectories of a small MDP."""

import itertools

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from rlsuite.agents.deep.reinforce import Reinforce
from rlsuite.agents.deep.rollouts import Experience

H, GAMMA = 3, 0.8
RNG = np.random.default_rng(0)
TO_ONE = RNG.random((2 * H, 2))  # probability of going to state 1 of the next stage
REWARD = RNG.uniform(-1.0, 3.0, (2 * H, 2))


class Stages(gym.Env):
    """States (stage, 0 or 1) as 2 stage + bit; two actions; three steps."""

    observation_space, action_space = spaces.Discrete(2 * H + 2), spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.s = 0
        return self.s, {}

    def step(self, action):
        s, self.s = self.s, 2 * (self.s // 2 + 1) + int(self.np_random.random() < TO_ONE[self.s, action])
        return self.s, REWARD[s, action], self.s >= 2 * H, False, {}


def trajectories():
    """``(states, actions, probability of the transitions)`` of all."""
    for actions in itertools.product(range(2), repeat=H):
        for bits in itertools.product(range(2), repeat=H):
            states, p = [0], 1.0
            for t in range(H):
                to_one = TO_ONE[states[-1], actions[t]]
                p *= to_one if bits[t] else 1.0 - to_one
                states.append(2 * (t + 1) + bits[t])
            yield states, actions, p


def made(baseline, **settings):
    agent = Reinforce(Stages(), seed=0, gamma=GAMMA, baseline=baseline, net_arch="", ortho_init=False, **settings)
    theta = np.random.default_rng(1).standard_normal((2, 2 * H + 2)).astype(np.float32)
    with torch.no_grad():
        agent.policy.actor[0].weight.copy_(torch.from_numpy(theta))
        agent.policy.actor[0].bias.zero_()
    return agent


def log_pi(agent):
    return torch.log_softmax(agent.policy.actor[0].weight.T + agent.policy.actor[0].bias, 1)


def exact_values(agent):
    """``(states,)`` by backward induction."""
    p, v = log_pi(agent).exp().double(), torch.zeros(2 * H + 2, dtype=torch.float64)
    for s in range(2 * H - 1, -1, -1):
        after = 2 * (s // 2 + 1)
        q = [REWARD[s, a] + GAMMA * (TO_ONE[s, a] * v[after + 1] + (1.0 - TO_ONE[s, a]) * v[after]) for a in range(2)]
        v = v.clone()
        v[s] = p[s, 0] * q[0] + p[s, 1] * q[1]
    return v


def estimate(agent, states, actions):
    """The gradient that REINFORCE takes from one trajectory, with respect to the logits' weights, uphill."""
    hot = np.eye(2 * H + 2, dtype=np.float32)[states]
    terminated = np.zeros((H, 1), bool)
    terminated[-1] = True
    rewards = np.array([[REWARD[s, a]] for s, a in zip(states, actions, strict=False)])
    seen = Experience(
        torch.from_numpy(hot),
        np.empty(0, np.intp),
        torch.tensor(actions),
        None,
        *(rewards, terminated, np.zeros_like(terminated), np.ones_like(terminated)),
    )
    agent.optimiser.flat.gradient.zero_()
    agent.set_gradient(agent.weighted(seen, np.zeros(1, np.int64)))
    return -agent.policy.actor[0].weight.grad.double()


def expectation(agent):
    """Mean and total variance of the estimate over all trajectories."""
    pi = log_pi(agent).exp().detach().double()
    mean, square = 0.0, 0.0
    for states, actions, p in trajectories():
        weight = p * np.prod([float(pi[s, a]) for s, a in zip(states, actions, strict=False)])
        g = estimate(agent, states, actions)
        mean, square = mean + weight * g, square + weight * float(g.square().sum())
    return mean, square - float(mean.square().sum())


def with_true_baseline(baseline):
    """A baseline at its best: the value of the start, or of every state."""
    v = exact_values(made("none")).detach()
    agent = made(baseline, discounted_gradient=True, baseline_value=float(v[0]) if baseline == "constant" else 0.7)
    if baseline == "state":
        with torch.no_grad():
            agent.policy.critic[0].weight.copy_(v[None])
            agent.policy.critic[0].bias.zero_()
    return agent


def test_the_estimate_is_the_exact_gradient_in_expectation_and_baselines_lower_its_variance():
    agent = made("none")
    exact_values(agent)[0].backward()
    exact = agent.policy.actor[0].weight.grad.double()
    assert float(exact.norm()) > 0.1
    variances = {}
    for baseline in ("none", "constant", "learned", "state"):
        mean, variances[baseline] = expectation(with_true_baseline(baseline))
        torch.testing.assert_close(mean, exact, rtol=1e-4, atol=1e-6)
    assert variances["state"] < 0.7 * variances["constant"] and variances["constant"] < 0.7 * variances["none"]


def test_without_gamma_to_the_t_it_is_another_vector():
    agent = made("none")
    exact_values(agent)[0].backward()
    exact = agent.policy.actor[0].weight.grad.double()
    mean, _ = expectation(made("none", discounted_gradient=False))
    torch.testing.assert_close(mean[:, :2], exact[:, :2], rtol=1e-4, atol=1e-6)  # the first step
    torch.testing.assert_close(mean[:, 2:4], exact[:, 2:4] / GAMMA, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(mean[:, 4:6], exact[:, 4:6] / GAMMA**2, rtol=1e-4, atol=1e-6)


def test_the_policy_that_acts_is_the_one_differentiated():
    """Frequencies of whole trajectories, 2000 episodes, within five standard errors."""
    agent = made("none", n_episodes=2000)
    agent.envs.start()
    batch = agent.episodes_of_policy()
    states, actions = batch.inputs.argmax(1).numpy().reshape(-1, H), batch.actions.numpy().reshape(-1, H)
    pi = log_pi(agent).exp().detach().numpy()
    for choice in itertools.product(range(2), repeat=H):
        p = sum(
            q * np.prod([pi[s, a] for s, a in zip(path, taken, strict=False)])
            for path, taken, q in trajectories()
            if taken == choice
        )
        assert abs((actions == choice).all(axis=1).mean() - p) < 5.0 * np.sqrt(p * (1.0 - p) / 2000)
    assert (states[:, 0] == 0).all()


class Countdown(gym.Env):
    """Episodes of given lengths; observation: (episode, step); reward 1."""

    observation_space, action_space = spaces.Box(0.0, 1e3, (2,)), spaces.Discrete(2)

    def __init__(self, lengths):
        self.lengths, self.episode = lengths, -1

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episode, self.t = self.episode + 1, 0
        return self.observe(), {}

    def observe(self):
        return np.array([self.episode, self.t], np.float32)

    def step(self, action):
        self.t += 1
        return self.observe(), 1.0, self.t >= self.lengths[self.episode % len(self.lengths)], False, {}


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
def test_each_environment_gives_as_many_episodes(mode):
    """The shorter episodes that are over first are not more welcome; what follows them is left out."""
    envs = SyncVectorEnv([lambda: Countdown([2, 3]), lambda: Countdown([7])], autoreset_mode=mode)
    agent = Reinforce(envs, seed=0, gamma=1.0, baseline="none", discounted_gradient=True)
    agent.envs.__init__(envs, 0, unwrap=False)
    agent.envs.start()
    batch = agent.episodes_of_policy()
    assert sorted(batch.returns.tolist()) == [1.0, 1.0, 2.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    assert batch.inputs[:, 0].max() == 0.0  # first episodes only


def test_gamma_to_the_t_counts_from_the_beginning_of_the_episode():
    agent = Reinforce(Countdown([4]), seed=0, gamma=0.5, baseline="none", discounted_gradient=True)
    agent.envs.start()
    agent.act(2)
    batch = agent.episodes_of_policy()
    np.testing.assert_allclose(batch.returns, [1.5, 1.0])
    np.testing.assert_allclose(batch.advantages, [0.25 * 1.5, 0.125 * 1.0])


def test_learned_baseline_moves_to_the_mean_return():
    agent = Reinforce(Countdown([1]), seed=0, baseline="learned", baseline_rate=0.25, baseline_value=3.0)
    agent.learn(total_episodes=2)
    assert agent.scalar.value == 3.0 - 0.25 * 2.0 - 0.25 * 1.5
    assert agent.metrics["train/baseline"] == agent.scalar.value and agent.num_timesteps == 2


def test_truncated_returns_go_on_only_with_a_critic():
    for baseline, expected in (("state", 1.0 + 0.5 * 8.0), ("constant", 1.0)):
        env = gym.wrappers.TimeLimit(Countdown([9]), 1)
        agent = Reinforce(env, seed=0, gamma=0.5, baseline=baseline, baseline_value=8.0, net_arch="")
        if baseline == "state":
            with torch.no_grad():
                agent.policy.critic[0].weight.zero_()
                agent.policy.critic[0].bias.fill_(8.0)
        agent.envs.start()
        batch = agent.episodes_of_policy()
        assert batch.returns.tolist() == [expected] and batch.advantages.tolist() == [expected - 8.0]
