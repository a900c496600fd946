"""Deep Q-learning: tabular Q-learning in disguise, targets by hand, every flag learns, runs resume to the last bit."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from rlsuite.agents import agent_class, check_agent, evaluate_policy
from rlsuite.agents.callbacks import BaseCallback
from rlsuite.agents.deep.dqn import DQN, DeepQLearning, Minibatch, Rainbow
from rlsuite.agents.deep.prioritised import PrioritisedReplay
from rlsuite.errors import DivergenceError, HyperparameterError, InvalidEnvironmentError, RecordError

SMALL = {"buffer_size": 500, "batch_size": 8, "learning_starts": 20, "net_arch": "16", "learning_rate": 1e-3}
FLAGS = {
    "plain": {},
    "double": {"double": True},
    "dueling": {"dueling": True},
    "prioritised": {"prioritised": True},
    "n_step": {"n_step": 3},
    "c51": {"distributional": "c51", "v_min": -2.0, "v_max": 2.0, "n_atoms": 11},
    "quantile": {"distributional": "quantile", "n_quantiles": 8},
    "noisy": {"noisy": True},
}


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Identity(gym.Env):
    """Reward 1 for naming the state, 0 else; states follow each other at random."""

    def __init__(self, start=0, limit=10):
        self.observation_space = spaces.Discrete(3)
        self.action_space = spaces.Discrete(3, start=start)
        self.limit = limit

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t, self.state = 0, int(self.np_random.integers(3))
        return self.state, {}

    def step(self, action):
        reward = float(action - self.action_space.start == self.state)
        self.t, self.state = self.t + 1, int(self.np_random.integers(3))
        return self.state, reward, False, self.t == self.limit, {}


class Line(gym.Env):
    """Five states in a row; right of the last one lies the goal (reward 1, terminal); cut off after ``limit`` steps."""

    observation_space, action_space = spaces.Discrete(5), spaces.Discrete(2)

    def __init__(self, limit=7):
        self.limit = limit

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t, self.state = 0, int(self.np_random.integers(4))
        return self.state, {}

    def step(self, action):
        self.t += 1
        self.state = max(self.state - 1, 0) if action == 0 else self.state + 1
        over = self.state == 4
        return self.state, float(over), over, not over and self.t == self.limit, {}


class StopAt(BaseCallback):
    def __init__(self, at):
        super().__init__()
        self.at = at

    def _on_step(self):
        return self.num_timesteps < self.at


def minibatch(agent, o, a, r, o2, terminated, discounts=0.9, weights=1.0, masks=None):
    n = len(o)
    column = lambda v: torch.as_tensor(np.broadcast_to(np.asarray(v, np.float32), n).copy())  # noqa: E731
    return Minibatch(
        torch.tensor(o), torch.tensor(a), column(r), torch.tensor(o2), 1 - column(terminated), column(discounts),
        column(weights), masks,
    )  # fmt: skip


def linear_agent(cls, **kwargs):
    """One-hot states into a linear layer: a table, one row of weights for every action."""
    agent = cls(Line(), seed=0, **(SMALL | {"net_arch": ""} | kwargs))
    for network in (agent.network, agent.target):
        network.head.bias.data.zero_()
    return agent


# -- exactness --------------------------------------------------------------------------------------------------------


def test_linear_network_on_one_hot_states_is_tabular_q_learning():
    agent, env, rng = linear_agent(DeepQLearning, gamma=0.9), Line(), np.random.default_rng(0)
    agent.network.head.weight.data.zero_()
    table, alpha = np.zeros((5, 2)), 0.5
    state, _ = env.reset(seed=0)
    for _ in range(400):
        action = int(rng.integers(2))
        following, reward, terminated, truncated, _ = env.step(action)
        table[state, action] += alpha * (
            reward + 0.9 * (not terminated) * table[following].max() - table[state, action]
        )
        batch = minibatch(agent, [state], [action], [reward], [following], [terminated])
        target = agent.targets(batch)
        losses, _ = agent.losses(agent.network(batch.observations), batch, target)
        agent.optimiser.flat.gradient.zero_()
        losses.mean().backward()
        agent.network.head.weight.data.sub_(agent.network.head.weight.grad, alpha=alpha)  # the bias stays 0
        state = env.reset()[0] if terminated or truncated else following
    np.testing.assert_allclose(agent.network.head.weight.detach().numpy().T, table, atol=1e-6)
    assert table.max() > 0.9  # it learned something


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_targets_by_hand(double, masked):
    agent = linear_agent(DQN, double=double)
    online = np.array([[1.0, 2], [3, 0], [5, 4], [0, 1], [7, 7]])
    behind = np.array([[10.0, 20], [30, 40], [50, 60], [70, 80], [90, 10]])
    agent.network.head.weight.data.copy_(torch.tensor(online.T))
    agent.target.head.weight.data.copy_(torch.tensor(behind.T))
    following = np.array([0, 1, 2, 3])
    masks = torch.tensor([[True, False], [True, True], [False, True], [True, True]]) if masked else None
    batch = minibatch(
        agent, [0] * 4, [0] * 4, [1, 2, 3, 4], following, [0, 0, 0, 1], [0.9, 0.81, 0.9, 0.9], masks=masks
    )
    chosen = {
        (False, False): [20, 40, 60, 80],
        (True, False): [20, 30, 50, 80],  # argmax of the online network: 1, 0, 0, 1
        (False, True): [10, 40, 60, 80],
        (True, True): [10, 30, 60, 80],
    }[double, masked]
    expected = [1 + 0.9 * chosen[0], 2 + 0.81 * chosen[1], 3 + 0.9 * chosen[2], 4.0]
    np.testing.assert_allclose(agent.targets(batch).squeeze(1).numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("kind", ["none", "c51", "quantile"])
@pytest.mark.parametrize("dueling", [False, True])
def test_update_steps_down_the_gradient_of_the_weighted_loss(kind, dueling):
    agent = DQN(Line(), seed=1, distributional=kind, dueling=dueling, prioritised=True, **SMALL)
    batch = minibatch(
        agent, [0, 1, 2, 3], [0, 1, 0, 1], [9, 0, -2, 1], [1, 2, 1, 4], [0, 0, 0, 1], weights=[1, 0.5, 2, 3]
    )
    target = agent.targets(batch)
    losses, errors = agent.losses(agent.network(batch.observations), batch, target)
    agent.optimiser.flat.gradient.zero_()
    (losses * batch.weights).mean().backward()
    expected = agent.optimiser.flat.gradient.clone()
    agent.network.write_out()
    again, errors_again, gradient = agent.gradient(agent.network.evaluate(batch.observations), batch, target)
    agent.network.backward(gradient)
    torch.testing.assert_close(agent.optimiser.flat.gradient, expected)
    torch.testing.assert_close(again, losses.detach())
    torch.testing.assert_close(errors_again, errors)


def test_terminal_states_are_masked_and_truncated_episodes_bootstrapped():
    agent = linear_agent(DeepQLearning, learning_starts=400)
    agent.learn(400)
    agent.network.head.weight.data.fill_(10.0)
    n = len(agent.replay)
    sample = agent.replay.sample(400, agent.rng)
    targets = agent.targets(Minibatch.of(sample, agent.device)).squeeze(1).numpy()
    goal = sample.next_observations == 4
    assert n == 400 and 0 < goal.sum() < 400
    np.testing.assert_array_equal(sample.terminated, goal)
    np.testing.assert_allclose(targets[goal], 1.0)
    np.testing.assert_allclose(targets[~goal], 0.99 * 10.0)  # among them those that the limit cut off
    assert (agent.episode_lengths == 7).sum() > 5


# -- learning ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "flags", [*FLAGS.values(), dict(kv for f in FLAGS.values() for kv in f.items())], ids=[*FLAGS, "all"]
)
def test_every_flag_learns_the_identity(flags):
    settings = {
        "learning_rate": 1e-2, "buffer_size": 1000, "learning_starts": 50, "batch_size": 32, "gamma": 0.1,
        "net_arch": "16", "target_update_interval": 20, "train_freq": 2, "exploration_fraction": 0.5,
    }  # fmt: skip
    agent = DQN(Identity(start=5), seed=0, **(settings | flags)).learn(700)
    assert [int(agent.predict(s)[0]) for s in range(3)] == [5, 6, 7]
    actions, _ = agent.predict(np.array([2, 0]))
    assert actions.tolist() == [7, 5]


def test_values_are_those_of_the_optimal_policy():
    agent = DQN(
        Line(), seed=0, gamma=0.8, learning_rate=1e-2, buffer_size=2000, learning_starts=100, net_arch="",
        target_update_interval=10, train_freq=1, exploration_final_eps=1.0,
    ).learn(1500)  # fmt: skip
    values = agent.network.evaluate(torch.arange(4)).squeeze(2).numpy()
    np.testing.assert_allclose(values[:, 1], 0.8 ** np.array([3, 2, 1, 0]), atol=0.02)
    np.testing.assert_allclose(values[:, 0], 0.8 ** np.array([4, 4, 3, 2]), atol=0.02)


@pytest.mark.slow
def test_cartpole_is_solved():
    agent = DQN(
        "CartPole-v1", seed=0, learning_rate=2.3e-3, batch_size=64, buffer_size=100_000, learning_starts=1000,
        target_update_interval=10, train_freq=256, gradient_steps=128, exploration_fraction=0.16,
        exploration_final_eps=0.04, net_arch="256,256",
    ).learn(50_000)  # fmt: skip
    assert evaluate_policy(agent, "CartPole-v1", 20, seed=0)[0] > 400


# -- schedules and counts ---------------------------------------------------------------------------------------------


def test_updates_are_counted_as_in_stable_baselines3():
    def updates(**kwargs):
        envs = SyncVectorEnv([Line] * 3, autoreset_mode=AutoresetMode.SAME_STEP)
        agent = DQN(envs, seed=0, **(SMALL | kwargs)).learn(120)
        return agent.num_timesteps, agent.metrics["train/n_updates"]

    assert updates(train_freq=4, gradient_steps=1) == (120, 9)  # rounds of 12 steps; the first ends before 20
    assert updates(train_freq=5, gradient_steps=2) == (120, 14)  # rounds of 15
    assert updates(train_freq=4, gradient_steps=-1) == (120, 9 * 12)


def test_epsilon_falls_with_progress_and_begins_anew():
    agent = DQN(Line(), seed=0, exploration_fraction=0.5, exploration_final_eps=0.1, **SMALL)
    agent.learn(200, StopAt(48))
    assert agent.metrics["rollout/exploration_rate"] == agent.epsilon == pytest.approx(1 - 0.9 * 0.24 / 0.5)
    agent.resume()
    assert agent.epsilon == 0.1
    agent.learn(200, StopAt(204))
    assert agent.epsilon == pytest.approx(1 - 0.9 * 0.02 / 0.5)


def test_target_network_follows_by_tau_every_interval():
    agent = DQN(Line(), seed=0, target_update_interval=40, tau=0.25, train_freq=1, **SMALL)
    first = agent._target_parameters.vector.detach().clone()
    agent.learn(39)
    assert torch.equal(agent._target_parameters.vector, first)
    at_update = agent.optimiser.flat.vector.detach().clone()
    agent.learn(1)  # the target moves before the update of that step
    torch.testing.assert_close(agent._target_parameters.vector.detach(), 0.75 * first + 0.25 * at_update)


def test_beta_rises_to_one():
    agent = DQN(Line(), seed=0, prioritised=True, prioritised_beta=0.4, **SMALL).learn(100, StopAt(48))
    assert isinstance(agent.replay, PrioritisedReplay)
    assert agent.replay.beta == pytest.approx(0.4 + 0.6 * 0.48)
    agent.resume()
    assert agent.replay.beta == 1.0


# -- masks ------------------------------------------------------------------------------------------------------------


class Watched(gym.Wrapper):
    """Counts actions that the mask of the moment forbids."""

    forbidden = 0

    def reset(self, **kwargs):
        observation, info = self.env.reset(**kwargs)
        self.mask = info["action_mask"]
        return observation, info

    def step(self, action):
        self.forbidden += not self.mask[action]
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.mask = info["action_mask"]
        return observation, reward, terminated, truncated, info


@pytest.mark.parametrize("flags", [{}, {"noisy": True}], ids=["epsilon", "noisy"])
def test_action_masks_are_obeyed_on_request(flags):
    obedient = Watched(gym.make("Taxi-v4", max_episode_steps=30))
    agent = DQN(obedient, seed=0, use_action_masks=True, **flags, **SMALL).learn(300)
    assert obedient.forbidden == 0
    n = len(agent.replay)
    for row in range(n):
        state = int(agent.replay.next_observations[row])
        np.testing.assert_array_equal(agent.replay.next_masks[row], obedient.unwrapped.action_mask(state) == 1)
    careless = Watched(gym.make("Taxi-v4"))
    DQN(careless, seed=0, **flags, **SMALL).learn(300)
    assert careless.forbidden > 50


def test_masks_of_truncated_rows_are_those_of_their_final_states_in_vectors():
    for mode in AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP:
        made = [lambda: gym.make("Taxi-v4", max_episode_steps=11)] * 2
        envs = gym.vector.VectorWrapper(SyncVectorEnv(made, autoreset_mode=mode))  # stepped as a vector
        agent = DQN(envs, seed=0, use_action_masks=True, **SMALL).learn(200)
        taxi = gym.make("Taxi-v4").unwrapped
        masks = [taxi.action_mask(int(state)) == 1 for state in agent.replay.next_observations[: len(agent.replay)]]
        np.testing.assert_array_equal(agent.replay.next_masks[: len(agent.replay)], masks)


def test_an_environment_without_masks_is_refused_where_they_are_asked_for():
    with pytest.raises(InvalidEnvironmentError, match=r"gives no info\['action_mask'\]"):
        DQN(Line(), seed=0, use_action_masks=True, **SMALL).learn(10)


def test_predictions_obey_masks():
    agent = DQN("Taxi-v4", seed=0, **SMALL)
    for action in range(6):
        mask = np.arange(6) == action
        assert agent.predict(7, action_masks=mask)[0] == action
        assert agent.predict(7, deterministic=False, action_masks=mask)[0] == action
    assert agent.predict(np.array([1, 2]), action_masks=np.eye(6)[[4, 0]])[0].tolist() == [4, 0]


# -- files ------------------------------------------------------------------------------------------------------------

ALL = {"n_atoms": 11, "v_min": -1.0, "v_max": 2.0, "target_update_interval": 30}


@pytest.mark.parametrize(
    ("cls", "kwargs"),
    [
        (DeepQLearning, {}),
        (DQN, {"target_update_interval": 30, "tau": 0.3, "n_step": 2}),
        (DQN, {"distributional": "quantile", "dueling": True, "prioritised": True, "buffer_size": 100}),
        (Rainbow, ALL),
        (Rainbow, ALL | {"net_arch": "16,8", "buffer_size": 120, "train_freq": 3, "gradient_steps": 2}),
    ],
)
@pytest.mark.parametrize("n_envs", [1, 3])
def test_a_stopped_run_resumes_to_the_last_bit(tmp_path, cls, kwargs, n_envs):
    def env():
        if n_envs == 1:
            return gym.make("CartPole-v1")
        return gym.make_vec("CartPole-v1", n_envs, vectorization_mode="sync")

    def agent():
        return cls(env(), seed=3, **(SMALL | kwargs))

    whole = agent().learn(480).save(tmp_path / "whole").read_bytes()
    agent().learn(480, StopAt(239)).save(tmp_path / "half")
    resumed = cls.load(tmp_path / "half.safetensors", env())
    assert 239 <= resumed.num_timesteps < 260
    assert resumed.resume().save(tmp_path / "resumed").read_bytes() == whole
    assert agent().learn(480).save(tmp_path / "again").read_bytes() == whole
    assert cls(env(), seed=4, **(SMALL | kwargs)).learn(480).save(tmp_path / "other").read_bytes() != whole


def test_a_file_without_training_state_predicts_the_same_and_learns_on(tmp_path):
    agent = Rainbow(Line(), seed=0, **SMALL, **ALL).learn(200)
    small = agent.save(tmp_path / "small", training_state=False)
    assert small.stat().st_size < agent.save(tmp_path / "full").stat().st_size
    loaded = Rainbow.load(small, Line())
    assert [loaded.predict(s)[0] for s in range(5)] == [agent.predict(s)[0] for s in range(5)]
    assert len(loaded.replay) == 0
    loaded.learn(40)
    assert loaded.num_timesteps == 240 and loaded.optimiser.n_updates > agent.optimiser.n_updates


def test_a_file_of_another_capacity_or_algorithm_is_refused(tmp_path):
    path = DQN(Line(), seed=0, **SMALL).learn(50).save(tmp_path / "agent")
    with pytest.raises(RecordError, match="holds a 'dqn' agent"):
        Rainbow.load(path, Line())
    with pytest.raises(RecordError, match=r"body\.0\.weight"):
        DQN.load(path, Identity())


# -- contract ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [DeepQLearning, DQN, Rainbow])
def test_keeps_the_agent_contract(cls):
    assert agent_class(cls.name) is cls
    check_agent(cls("FrozenLake-v1", **(SMALL | {"net_arch": "8"})), timesteps=80)


def test_predicting_disturbs_nothing():
    agent = Rainbow(Line(), seed=0, **SMALL, **ALL).learn(60)
    noise, state = agent.network.noise.clone(), agent.rng.bit_generator.state
    deterministic = {int(agent.predict(1)[0]) for _ in range(20)}
    agent.predict(np.arange(5), deterministic=False)
    assert len(deterministic) == 1
    assert torch.equal(agent.network.noise, noise) and agent.rng.bit_generator.state == state


def test_divergence_is_named():
    with pytest.raises(DivergenceError, match=r"loss became (nan|inf) at step"):
        DQN(Line(), seed=0, **(SMALL | {"learning_rate": 1e38})).learn(400)
    with pytest.raises(DivergenceError, match=r"loss became (nan|inf) at step"):
        Rainbow(Line(), seed=0, **(SMALL | {"learning_rate": 1e38})).learn(400)


def test_impossible_settings_are_refused():
    with pytest.raises(HyperparameterError, match="buffer_size 8 holds no batch of 9"):
        DQN(Line(), buffer_size=8, batch_size=9)
    with pytest.raises(HyperparameterError, match=r"v_max must be above v_min = 3"):
        DQN(Line(), distributional="c51", v_min=3.0, v_max=3.0, **SMALL)
    for net_arch in ("64;64", "0", "-3", "8,x", "9" * 400):
        with pytest.raises(HyperparameterError, match="sizes of its layers"):
            DQN(Line(), **(SMALL | {"net_arch": net_arch}))
    with pytest.raises(InvalidEnvironmentError, match="Discrete"):
        DQN("Pendulum-v1")
