"""On-policy agents together: rollouts, truncation, masks, identity environments, bit-exact resume, determinism."""

from collections import Counter

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from hypothesis import given, settings
from hypothesis import strategies as st

from rlsuite.agents import agent_class
from rlsuite.agents.callbacks import BaseCallback
from rlsuite.agents.deep.advantages import gae
from rlsuite.errors import DivergenceError, HyperparameterError, InvalidEnvironmentError
from tests.agents.deep import identity
from tests.agents.deep.small_envs import small_env

NAMES = ("ppo", "a2c", "actor-critic", "reinforce")
SHORT = {"ppo": {"n_steps": 16, "batch_size": 24, "n_epochs": 2}, "a2c": {}, "actor-critic": {}, "reinforce": {}}
SCHEDULED = ("ppo", "a2c", "reinforce")


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Chain(gym.Env):
    """Observation: steps so far, forever; reward 1 for action 1."""

    observation_space, action_space = spaces.Box(0.0, 1e3, (1,)), spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return np.zeros(1, np.float32), {"action_mask": np.array([1, 0], np.int8)}

    def step(self, action):
        self.t += 1
        mask = np.array([1, 0] if self.t % 2 == 0 else [0, 1], np.int8)
        return np.full(1, self.t, np.float32), float(action), False, False, {"action_mask": mask}


def chains(n, mode=AutoresetMode.SAME_STEP, limit=5):
    return SyncVectorEnv([lambda: TimeLimit(Chain(), limit)] * n, autoreset_mode=mode)


@pytest.mark.parametrize("unwrap", [True, False])
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_truncation_bootstraps_from_the_true_successor(mode, unwrap):
    """The critic is V(s) = s, so the successor's value tells which observation was taken for it."""
    agent = agent_class("ppo")(chains(2, mode), seed=0, gamma=0.5, net_arch="", ortho_init=False)
    agent.envs.__init__(agent.env, 0, unwrap=unwrap)
    with torch.no_grad():
        agent.policy.critic[0].weight.fill_(1.0)
        agent.policy.critic[0].bias.zero_()
    agent.envs.start()
    rollout = agent.collect(13, gae_lambda=0.0)
    t = rollout.inputs[:, 0].numpy()
    reward = rollout.actions.numpy()
    np.testing.assert_allclose(rollout.values, t)
    np.testing.assert_allclose(rollout.advantages, reward + 0.5 * (t + 1) - t, atol=1e-5)
    lost = 2 * 2 if mode is AutoresetMode.NEXT_STEP and not unwrap else 0  # rows 6 and 12 were resets
    assert len(t) == 26 - lost == agent.num_timesteps
    assert set(t) == {0.0, 1.0, 2.0, 3.0, 4.0}  # never the last observation, on which nobody acts


def test_advantages_are_those_of_the_values():
    agent = agent_class("ppo")(chains(3), seed=0, gamma=0.9)
    agent.envs.start()
    seen = agent.act(12)
    with torch.no_grad():
        v, next_v = seen.split(agent.policy(seen.inputs)[1].numpy().astype(float))
    rollout = agent.rollout(seen, agent.policy(seen.inputs)[1].detach().numpy().astype(float), 0.8)
    expected = gae(seen.rewards, v, next_v, seen.terminated, seen.truncated, seen.valid, 0.9, 0.8)
    np.testing.assert_allclose(rollout.advantages, expected.reshape(-1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(rollout.returns, rollout.advantages + rollout.values, rtol=1e-5, atol=1e-6)
    cut = seen.truncated[:-1].any(axis=1)
    assert cut.sum() == 2 and not np.allclose(next_v[:-1][cut], v[1:][cut])  # another value than the next row's


def test_masks_are_honoured():
    for name in NAMES:
        agent = agent_class(name)(chains(2), seed=0, use_action_masks=True, **SHORT[name])
        agent.envs.start()
        seen = agent.act(40)
        np.testing.assert_array_equal(seen.actions, seen.inputs[: len(seen.actions), 0] % 2)
        agent.learn(40)
        action, _ = agent.predict(np.zeros(1, np.float32), action_masks=[False, True])
        assert action == 1
    with pytest.raises(InvalidEnvironmentError, match="action_mask"):
        agent_class("a2c")("CartPole-v1", use_action_masks=True).learn(10)
    with pytest.raises(HyperparameterError, match="use_action_masks"):
        agent_class("a2c")("Pendulum-v1", use_action_masks=True)


IDENTITY = {
    "ppo": ({"n_steps": 128, "n_epochs": 5}, 1, 1500),
    "a2c": ({"n_steps": 16, "use_rmsprop": False}, 1, 4000),
    "actor-critic": ({"critic_learning_rate": 1e-2}, 8, 8000),
    "reinforce": ({}, 1, 4000),
}


@pytest.mark.parametrize("space", identity.SPACES)
@pytest.mark.parametrize("name", NAMES)
def test_learns_the_identity(name, space):
    settings, n, steps = IDENTITY[name]
    env = SyncVectorEnv([lambda i=i: identity.Identity(space, i) for i in range(n)])
    agent = agent_class(name)(env, seed=0, gamma=0.0, learning_rate=1e-2, net_arch="32", **settings)
    assert identity.score(agent, space) < 0.9
    agent.learn(steps)
    assert identity.score(agent, space) > 0.97


def test_squashed_policies_learn_the_identity():
    agent = agent_class("ppo")(
        identity.Identity("box"), seed=0, gamma=0.0, learning_rate=1e-2, net_arch="32", n_steps=128, squash=True
    )
    assert identity.score(agent.learn(2000), "box") > 0.97


class StopAt(BaseCallback):
    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def _on_step(self):
        return self.num_timesteps < self.steps


def made(name, env, n=3, **settings):
    """An agent with everything that has a state."""
    envs = gym.make_vec(env, n, vectorization_mode="sync")
    settings |= {"normalize_observations": True, "normalize_rewards": True}
    if name in SCHEDULED:
        settings["learning_rate_schedule"] = "linear"
    return agent_class(name)(envs, seed=5, **SHORT[name], **settings)


@pytest.mark.parametrize("env", ["CartPole-v1", "Pendulum-v1"])
@pytest.mark.parametrize("name", NAMES)
def test_stopped_saved_and_resumed_equals_never_stopped(name, env, tmp_path):
    total = 1000 if name == "reinforce" else 420  # an update of REINFORCE takes three episodes
    whole = made(name, env).learn(total)
    part = made(name, env).learn(total, StopAt(200))
    assert 200 <= part.num_timesteps < whole.num_timesteps
    again = agent_class(name).load(part.save(tmp_path / "part"), gym.make_vec(env, 3, vectorization_mode="sync"))
    again.resume()
    assert again.save(tmp_path / "again").read_bytes() == whole.save(tmp_path / "whole").read_bytes()


@pytest.mark.parametrize("name", ["reinforce", "ppo"])
def test_other_state_goes_on_too(name, tmp_path):
    settings = {
        "reinforce": {"baseline": "learned"},
        "ppo": {"learning_rate_schedule": "kl-adaptive", "clip_range_schedule": "linear", **SHORT["ppo"]},
    }[name]
    cls = agent_class(name)
    whole = cls("CartPole-v1", seed=1, **settings).learn(300)
    part = cls("CartPole-v1", seed=1, **settings).learn(300, StopAt(100))
    again = cls.load(part.save(tmp_path / "part"), "CartPole-v1").resume()
    assert again.save(tmp_path / "again").read_bytes() == whole.save(tmp_path / "whole").read_bytes()
    assert (
        cls("CartPole-v1", seed=2, **settings).learn(300).save(tmp_path / "b").read_bytes()
        != whole.save(tmp_path / "c").read_bytes()
    )


def test_predicting_applies_the_normaliser_and_does_not_move_it():
    agent = made("ppo", "Pendulum-v1").learn(96)
    normaliser = agent.observation_normaliser
    before = normaliser.mean.copy(), normaliser.count
    observations = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    actions, _ = agent.predict(observations)
    with torch.no_grad():
        means = agent.policy.actor(torch.from_numpy(normaliser(observations))).numpy()
    np.testing.assert_allclose(actions, np.clip(means, -2.0, 2.0), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(normaliser.mean, before[0])
    assert normaliser.count == before[1] == agent.num_timesteps


def counted(mode, n, limit, seed, steps, unwrap):
    """Observations that the normaliser took in, as a multiset, and the transitions made."""
    env = SyncVectorEnv([lambda: small_env(limit=limit)] * n, autoreset_mode=mode)
    agent = agent_class("ppo")(env, seed=seed, normalize_observations=True, net_arch="")
    agent.envs.__init__(env, seed, unwrap=unwrap)
    rows = []
    update = agent.observation_normaliser.update
    agent.observation_normaliser.update = lambda new: (rows.extend(map(bytes, new)), update(new))
    agent.envs.start()
    agent.act(steps)
    assert agent.observation_normaliser.count == len(rows)
    return Counter(rows), agent.num_timesteps


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3), st.integers(1, 9), st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_the_normaliser_counts_the_same_observations_in_every_autoreset_mode(n, limit, seed, steps):
    """Each observation acted on, once: its environment draws all of them anew, so that they tell which they are."""
    same, made = counted(AutoresetMode.SAME_STEP, n, limit, seed, steps, unwrap=False)
    assert same.total() == made == n * steps
    for mode in (AutoresetMode.DISABLED, AutoresetMode.NEXT_STEP):
        assert counted(mode, n, limit, seed, steps, unwrap=True) == (same, made)
    assert counted(AutoresetMode.DISABLED, n, limit, seed, steps, unwrap=False) == (same, made)
    late, fewer = counted(AutoresetMode.NEXT_STEP, n, limit, seed, steps, unwrap=False)
    assert late <= same and late.total() == fewer  # resets cost rows, and no other observations take their place


def test_actions_are_clipped_for_the_environment_only():
    agent = agent_class("ppo")("Pendulum-v1", seed=0, log_std_init=2.0)
    agent.envs.start()
    taken = []
    act = agent.act_in_envs
    agent.act_in_envs = lambda actions: (taken.append(actions), act(actions))[1]
    seen = agent.act(50)
    np.testing.assert_array_equal(np.concatenate(taken), np.clip(seen.actions.numpy(), -2.0, 2.0))
    assert (seen.actions.abs() > 2.0).any()


class NotFinite(Chain):
    def step(self, action):
        observation, _, *rest = super().step(action)
        return observation, np.inf, *rest


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("name", NAMES)
def test_divergence_stops_with_the_term_and_the_step(name):
    with pytest.raises(DivergenceError, match="at step"):
        agent_class(name)(TimeLimit(NotFinite(), 5), seed=0, **SHORT[name]).learn(100)


def test_images_are_not_normalised():
    class Image(Chain):
        observation_space = spaces.Box(0, 255, (36, 36, 1), np.uint8)

    with pytest.raises(HyperparameterError, match="normalize_observations"):
        agent_class("ppo")(Image(), normalize_observations=True)


@pytest.mark.parametrize("name", ["ppo", "a2c", "actor-critic"])
def test_a_rollout_of_resets_alone_is_passed_over(name):
    agent = agent_class(name)(chains(2, AutoresetMode.NEXT_STEP, limit=1), seed=0, **SHORT[name] | ONE_STEP[name])
    agent.envs.__init__(agent.env, 0, unwrap=False)
    agent.learn(6)
    assert agent.num_timesteps == 6 and agent.metrics["train/n_updates"] == (6 if name == "ppo" else 3)


ONE_STEP = {"ppo": {"n_steps": 1}, "a2c": {"n_steps": 1}, "actor-critic": {}}


def test_running_returns_begin_anew_with_abandoned_episodes(tmp_path):
    agent = agent_class("ppo")(chains(2), seed=0, normalize_rewards=True, n_steps=3, batch_size=6).learn(6)
    assert agent.return_normaliser.running.any()
    path = agent.save(tmp_path / "agent", training_state=False)
    loaded = agent_class("ppo").load(path, chains(2))
    assert loaded.return_normaliser.running.tolist() == [0.0, 0.0]
    assert loaded.return_normaliser.variance == agent.return_normaliser.variance
