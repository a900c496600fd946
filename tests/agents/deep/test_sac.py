"""Soft actor-critic: its equations against stable-baselines3, torch.distributions and sums by hand; exact resume."""

import math

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3
import torch
from gymnasium import spaces
from gymnasium.vector import SyncVectorEnv
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from torch import nn

from rlsuite import tensor_files
from rlsuite.agents.agent_checker import check_agent
from rlsuite.agents.callbacks import BaseCallback
from rlsuite.agents.deep import sac
from rlsuite.agents.deep.replay import Sample
from rlsuite.agents.deep.sac import SAC, StateDependentSquashedGaussian
from rlsuite.agents.evaluation import evaluate_policy
from rlsuite.agents.registry import agent_class
from rlsuite.errors import DivergenceError, HyperparameterError, InvalidEnvironmentError

SMALL = {"learning_starts": 10, "buffer_size": 300, "batch_size": 8, "net_arch": "8,8"}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Identity(gym.Env):
    """The best action is the observation; episodes of ``length`` steps, ended by ``ends``: terminated or truncated."""

    observation_space = spaces.Box(-1.0, 1.0, (1,))
    action_space = spaces.Box(np.array([2.0], np.float32), np.array([10.0], np.float32))

    def __init__(self, length=5, ends="truncated"):
        self.length, self.ends = length, ends

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t, self.x = 0, self.np_random.uniform(-1.0, 1.0)
        return np.array([self.x], np.float32), {}

    def step(self, action):
        reward = -abs((float(action[0]) - 6.0) / 4.0 - self.x)
        self.t += 1
        self.x = self.np_random.uniform(-1.0, 1.0)
        over = self.t == self.length
        ends = (over and self.ends == "terminated", over and self.ends == "truncated")
        return np.array([self.x], np.float32), reward, *ends, {}


def content(agent, folder):
    return tensor_files.digest(*tensor_files.read_file(agent.save(folder / "content"), "rlsuite-deep-1"))


class StopAt(BaseCallback):
    def __init__(self, at):
        super().__init__()
        self.at = at

    def _on_step(self):
        return self.num_timesteps < self.at


# -- the equations ----------------------------------------------------------------------------------------------------


def test_log_probability_and_entropy_are_those_of_torch_distributions():
    space = spaces.Box(-1.0, 1.0, (3,))
    distribution = StateDependentSquashedGaussian(space)
    generator = torch.Generator().manual_seed(0)
    outputs = 0.5 * torch.randn(50, 6, generator=generator)  # tanh of larger ones has no inverse in float64
    mean, log_std = distribution.split(outputs)
    assert list(distribution.parameters()) == []
    reference = torch.distributions.TransformedDistribution(
        torch.distributions.Normal(mean.double(), log_std.double().exp()), [torch.distributions.TanhTransform()]
    )
    noise = torch.randn(50, 3, generator=generator)
    u = mean + log_std.exp() * noise
    expected = reference.log_prob(torch.tanh(u.double())).sum(1)
    torch.testing.assert_close(distribution.log_prob(outputs, u).double(), expected, rtol=1e-4, atol=1e-4)
    action, log_prob = sac.rsample(mean, log_std, noise)
    torch.testing.assert_close(log_prob.double(), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(action, torch.tanh(u))

    grid = torch.linspace(
        -6.0, 6.0, 40_001, dtype=torch.float64
    )  # entropy = -integral p log p du-measure, per dimension
    m, s = mean[:5, :, None].double(), log_std[:5, :, None].double().exp()
    u = m + s * grid
    log_p = (
        -0.5 * grid**2 - s.log() - 0.5 * math.log(2 * math.pi) - (1 - torch.tanh(u).square()).clamp_min(1e-300).log()
    )
    weight = torch.exp(-0.5 * grid**2) / math.sqrt(2 * math.pi)
    inside = (u.abs() < 15).double()
    entropy = -torch.trapezoid(weight * log_p * inside, grid).sum(1)
    torch.testing.assert_close(distribution.entropy(outputs[:5]).double(), entropy, rtol=1e-3, atol=1e-3)


def test_extreme_log_standard_deviations_are_held():
    distribution = StateDependentSquashedGaussian(spaces.Box(-1.0, 1.0, (1,)))
    _, log_std = distribution.split(torch.tensor([[0.0, 9.0], [0.0, -90.0]]))
    assert log_std.flatten().tolist() == [2.0, -20.0]
    rng = np.random.default_rng(0)
    drawn = distribution.sample(np.array([[0.0, 9.0]] * 20_000, np.float32), rng)
    assert drawn.std() == pytest.approx(math.exp(2.0), rel=0.03)


def plain(critics, i):
    """Member ``i`` of the critics as a network of its own."""
    layers = []
    for weight, bias in zip(critics.weights, critics.biases, strict=True):
        layer = nn.Linear(weight.shape[1], weight.shape[2])
        layer.weight.data, layer.bias.data = weight[i].detach().T.clone(), bias[i, 0].detach().clone()
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def batch_of(rng, size=16, obs=3, act=1, n_steps_discount=0.99):
    return Sample(
        rng.standard_normal((size, obs)).astype(np.float32), rng.uniform(-1, 1, (size, act)).astype(np.float32),
        rng.standard_normal(size).astype(np.float32), rng.standard_normal((size, obs)).astype(np.float32),
        (rng.random(size) < 0.3).astype(np.float32), np.full(size, n_steps_discount, np.float32),
        np.arange(size), np.ones(size, np.float32),
    )  # fmt: skip


@pytest.mark.parametrize("n_critics", [1, 2, 3])
def test_the_target_is_the_smallest_critic_minus_the_cost_of_certainty(n_critics):
    agent = SAC("Pendulum-v1", seed=0, n_critics=n_critics, **SMALL)
    batch = batch_of(np.random.default_rng(0))
    noise, alpha = torch.randn(16, 1, generator=torch.Generator().manual_seed(1)), torch.tensor([0.3])
    discounts = torch.from_numpy(batch.discounts * (1 - batch.terminated))
    following, rewards = torch.from_numpy(batch.next_observations), torch.from_numpy(batch.rewards)
    y = agent.targets(following, rewards, discounts, noise, alpha)
    for k in range(16):
        s = following[k : k + 1]
        mean, log_std = agent.policy.actor(s)[0].detach().tolist()
        u = mean + math.exp(log_std) * noise[k].item()
        a = math.tanh(u)
        log_pi = -0.5 * noise[k].item() ** 2 - log_std - 0.5 * math.log(2 * math.pi) - math.log(1 - a * a)
        q = min(plain(agent.target, i)(torch.cat([s, torch.tensor([[a]])], 1)).item() for i in range(n_critics))
        expected = batch.rewards[k] if batch.terminated[k] else batch.rewards[k] + 0.99 * (q - 0.3 * log_pi)
        assert y[k].item() == pytest.approx(expected, abs=1e-4)
    assert 0 < batch.terminated.sum() < 16


@pytest.mark.parametrize("ent_coef", ["auto_0.3", "0.2"])
def test_updates_are_stable_baselines3s(ent_coef, monkeypatch):
    """From the same weights, minibatches and noise: the same actor, critics, targets and temperature after 5 updates."""
    agent = SAC("Pendulum-v1", seed=0, ent_coef=ent_coef, tau=0.1, **SMALL)
    theirs = stable_baselines3.SAC(
        "MlpPolicy", "Pendulum-v1", seed=0, device="cpu", batch_size=16, buffer_size=10, tau=0.1,
        ent_coef=ent_coef if ent_coef.startswith("auto") else float(ent_coef), policy_kwargs={"net_arch": [8, 8]},
    )  # fmt: skip
    theirs.set_logger(stable_baselines3.common.logger.Logger(None, []))
    give_weights(agent, theirs)
    rng = np.random.default_rng(0)
    noise: list[torch.Tensor] = []
    monkeypatch.setattr(torch.distributions.normal, "_standard_normal", lambda *_, **__: noise.pop(0))
    for _ in range(5):
        batch = batch_of(rng)
        drawn = torch.from_numpy(rng.standard_normal((2, 16, 1)).astype(np.float32))
        noise[:] = [drawn[1], drawn[0]]  # stable-baselines3 acts in the observations first, then in their successors
        columns = (batch.terminated[:, None], batch.rewards[:, None])
        samples = ReplayBufferSamples(
            *map(torch.from_numpy, (batch.observations, batch.actions, batch.next_observations, *columns))
        )
        monkeypatch.setattr(theirs.replay_buffer, "sample", lambda *_, samples=samples, **__: samples)
        theirs.train(gradient_steps=1, batch_size=16)
        with monkeypatch.context() as patch:
            patch.setattr(torch, "randn", lambda *_, drawn=drawn, **__: drawn)
            terms = agent._update(batch)
        told = theirs.logger.name_to_value
        names = ("critic_loss", "actor_loss", "ent_coef", "ent_coef_loss")
        for name, term in zip(names if ent_coef.startswith("auto") else names[:3], terms.tolist(), strict=False):
            assert term == pytest.approx(told[f"train/{name}"], rel=1e-4, abs=1e-5), name
    for mine, other in weights_beside(agent, theirs):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-5)


def weights_beside(agent, theirs):
    """Pairs of our parameters and stable-baselines3's, shaped alike."""
    actor = theirs.policy.actor
    linear = [layer for layer in agent.policy.actor if isinstance(layer, nn.Linear)]
    for mine, other in zip(linear, [actor.latent_pi[0], actor.latent_pi[2]], strict=False):
        yield from ((mine.weight, other.weight), (mine.bias, other.bias))
    yield linear[-1].weight, torch.cat([actor.mu.weight, actor.log_std.weight])
    yield linear[-1].bias, torch.cat([actor.mu.bias, actor.log_std.bias])
    for ours, critic in ((agent.critics, theirs.critic), (agent.target, theirs.critic_target)):
        for layer, (weight, bias) in enumerate(zip(ours.weights, ours.biases, strict=True)):
            members = [net[2 * layer] for net in critic.q_networks]
            yield weight, torch.stack([member.weight.T for member in members])
            yield bias, torch.stack([member.bias[None] for member in members])
    if agent.learns_temperature:
        yield agent.temperature.log_alpha, theirs.log_ent_coef


def give_weights(agent, theirs):
    with torch.no_grad():
        for mine, other in weights_beside(agent, theirs):
            mine.copy_(other)


def test_the_temperature_moves_against_its_gradient():
    """d/d log alpha of -log alpha (log pi + target) is -(log pi + target): alpha falls while entropy exceeds its target."""
    for target, falls in (("-50", True), ("50", False)):
        agent = SAC("Pendulum-v1", seed=0, target_entropy=target, **SMALL).learn(10)
        batch = batch_of(np.random.default_rng(0))
        state = agent.torch_rng.get_state()
        noise = torch.randn(2, 16, 1, generator=agent.torch_rng)[1]
        agent.torch_rng.set_state(state)
        outputs = agent.policy.actor(torch.from_numpy(batch.observations))
        _, log_prob = sac.rsample(*agent.distribution.split(outputs), noise)
        agent._update(batch)
        gradient = agent.optimisers["temperature"].flat.gradient
        assert gradient.item() == pytest.approx(-(log_prob.mean().item() + float(target)), rel=1e-5)
        assert (agent.temperature.alpha.item() < 1.0) == falls


def test_target_critics_follow_by_polyak_averaging():
    agent = SAC("Pendulum-v1", seed=0, tau=0.25, target_update_interval=2, **SMALL)
    start = agent.target_parameters.vector.detach().clone()
    torch.testing.assert_close(start, agent.optimisers["critics"].flat.vector.detach())
    batch = batch_of(np.random.default_rng(0))
    agent._update(batch)
    assert torch.equal(agent.target_parameters.vector, start)
    agent._update(batch)
    expected = 0.75 * start + 0.25 * agent.optimisers["critics"].flat.vector.detach()
    torch.testing.assert_close(agent.target_parameters.vector.detach(), expected)


# -- acting and storing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ends", ["terminated", "truncated"])
def test_replay_holds_scaled_actions_and_only_terminal_states_stop_the_bootstrap(ends):
    env = Identity(3, ends)
    taken = []
    step = env.step
    env.step = lambda action: taken.append(action.copy()) or step(action)
    agent = SAC(env, seed=0, **SMALL).learn(30)
    assert all(env.action_space.contains(action) for action in taken)
    np.testing.assert_allclose(agent.replay.actions[:30, 0], (np.array(taken)[:, 0] - 6.0) / 4.0, atol=1e-5)
    assert np.ptp(agent.replay.actions[:10]) > 1.0  # random at first
    assert agent.replay.terminated[:30].tolist() == [ends == "terminated" and i % 3 == 2 for i in range(30)]
    assert agent.metrics["train/n_updates"] == 20


def test_the_numbers_of_steps_and_updates():
    envs = SyncVectorEnv([lambda: Identity()] * 3)
    agent = SAC(envs, seed=0, train_freq=2, gradient_steps=-1, **SMALL).learn(60)
    assert (agent.num_timesteps, agent.optimisers["actor"].n_updates) == (60, 54)  # none after the first 6 steps
    linear = SAC(Identity(), seed=0, learning_rate_schedule="linear", **SMALL).learn(20)
    assert linear.metrics["train/learning_rate"] == pytest.approx(0.0)


def test_numpy_and_torch_actors_agree():
    agent = SAC("Pendulum-v1", seed=0, **SMALL)
    observations = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    with torch.no_grad():
        mean = agent.policy.actor(torch.from_numpy(observations))[:, :1]
    np.testing.assert_allclose(agent.predict(observations)[0], 2.0 * torch.tanh(mean).numpy(), rtol=1e-5, atol=1e-6)


class Dictionary(gym.ObservationWrapper):
    observation_space = spaces.Dict({"x": Identity.observation_space, "sign": spaces.Discrete(2)})

    def observation(self, observation):
        return {"x": observation, "sign": int(observation[0] > 0)}


class Image(gym.ObservationWrapper):
    observation_space = spaces.Box(0, 255, (36, 36, 1), np.uint8)

    def observation(self, observation):
        return np.full((36, 36, 1), int(127 + 100 * observation[0]), np.uint8)


@pytest.mark.parametrize("wrap", [Dictionary, Image])
def test_dictionaries_and_images_train(wrap, tmp_path):
    values = SMALL | {"buffer_size": 30}
    agent = SAC(wrap(Identity()), seed=0, device="cpu", **values).learn(14)
    loaded = SAC.load(agent.save(tmp_path / "agent"), wrap(Identity()), device="cpu")
    observation, _ = wrap(Identity()).reset(seed=3)
    np.testing.assert_array_equal(loaded.predict(observation)[0], agent.predict(observation)[0])


# -- the protocol -----------------------------------------------------------------------------------------------------


def test_it_keeps_the_contract_of_agents():
    check_agent(SAC("Pendulum-v1", **SMALL), "Pendulum-v1", timesteps=40)
    assert agent_class("sac") is SAC


def test_windows_of_abandoned_episodes_are_not_completed_by_the_next(tmp_path):
    path = SAC(Identity(length=9), seed=0, n_steps=3, **SMALL).learn(4).save(tmp_path / "agent")
    loaded = SAC.load(path, Identity(length=9))
    stored = len(loaded.replay)
    loaded.learn(2)
    assert len(loaded.replay) == stored  # three steps of the new episode make its first window
    loaded.learn(1)
    assert len(loaded.replay) == stored + 1


@pytest.mark.parametrize(("n_envs", "n_steps"), [(1, 1), (2, 3)])
def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(n_envs, n_steps, tmp_path):
    def make():
        env = SyncVectorEnv([lambda: gym.make("Pendulum-v1")] * n_envs)
        return SAC(env, seed=4, n_steps=n_steps, learning_rate_schedule="linear", **SMALL)

    whole = make().learn(120)
    stopped = make().learn(120, StopAt(60))
    assert stopped.num_timesteps == 60
    loaded = SAC.load(stopped.save(tmp_path / "stopped"))
    assert content(loaded, tmp_path) == content(stopped, tmp_path)
    assert content(loaded.resume(), tmp_path) == content(whole, tmp_path)
    assert content(make().learn(120), tmp_path) == content(whole, tmp_path)


@pytest.mark.parametrize(
    "values", [{"ent_coef": "many"}, {"ent_coef": "0"}, {"ent_coef": "auto_-1"}, {"target_entropy": "low"}, {"tau": 2}]
)
def test_values_that_say_nothing_are_refused(values):
    with pytest.raises(HyperparameterError):
        SAC("Pendulum-v1", **values)


def test_actions_need_bounds():
    env = Identity()
    env.action_space = spaces.Box(-np.inf, np.inf, (1,))
    with pytest.raises(InvalidEnvironmentError, match="bounds"):
        SAC(env)
    with pytest.raises(InvalidEnvironmentError, match="takes Box"):
        SAC("CartPole-v1")


def test_infinite_losses_stop():
    agent = SAC(Identity(), seed=0, **SMALL).learn(20)
    agent.replay.rewards[:] = np.inf
    with pytest.raises(DivergenceError, match="critic_loss"):
        agent.learn(1)


# -- learning ---------------------------------------------------------------------------------------------------------


def test_it_learns_the_identity():
    agent = SAC(Identity(), seed=0, learning_rate=3e-3, gamma=0.0, batch_size=64, net_arch="32,32").learn(1_000)
    mean, _ = evaluate_policy(agent, Identity(), 20, seed=1)
    random, _ = evaluate_policy(SAC(Identity(), seed=0), Identity(), 20, seed=1)
    assert mean > -0.5 > random  # 5 steps, each at most 0.1 off; an untrained one is 0.5 off


@pytest.mark.slow
def test_it_swings_the_pendulum_up():
    agent = SAC("Pendulum-v1", seed=0, learning_rate=1e-3).learn(6_000)
    mean, _ = evaluate_policy(agent, "Pendulum-v1", 20, seed=1)
    assert mean > -200
