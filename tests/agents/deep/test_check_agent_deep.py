"""Every deep agent keeps the contract of agents, on single and vector environments and on every kind of space."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from rlsuite.agents import agent_class, agent_names, check_agent
from rlsuite.agents.hyperparameters import fields
from rlsuite.errors import AgentCheckError, InvalidEnvironmentError
from tests.agents.deep.linear_q import LinearQ
from tests.agents.deep.small_envs import ACTIONS, OBSERVATIONS, small_env

DEEP: dict[str, Any] = {"linear-q": LinearQ}
ELSEWHERE = {"amp", "mppi"}  # need demonstrations, a simulator: test_amp.py, predictive/test_mppi.py
DEEP |= {name: agent_class(name) for name in agent_names() if agent_class(name).restarts_schedules}
DEEP = {name: cls for name, cls in DEEP.items() if name not in ELSEWHERE}
OURS = [name for name in DEEP if not name.startswith("sb3:")]
VARIED = [name if name in ("dqn", "ppo", "sac") else pytest.param(name, marks=pytest.mark.slow) for name in OURS]
SMALL: dict[str, Any] = {
    "n_steps": 10, "batch_size": 5, "n_epochs": 2, "learning_starts": 20, "buffer_size": 200, "net_arch": "8",
    "train_freq": 2, "target_update_interval": 16, "gradient_steps": 1, "n_atoms": 5, "n_quantiles": 5,
    "n_episodes": 2, "episodes_per_update": 2, "policy_delay": 2,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def small(name: str, **more: Any) -> Any:
    """A function that makes the agent with settings under which 60 steps hold several iterations and updates."""
    cls = DEEP[name]
    settings = {key: value for key, value in SMALL.items() if key in fields(cls.Hyperparameters)} | more
    make = lambda env, seed=None: cls(env, seed=seed, **settings)  # noqa: E731
    make.action_spaces = cls.action_spaces  # type: ignore[attr-defined]
    return make


def action_kind(name: str) -> str:
    return "discrete" if spaces.Discrete in DEEP[name].action_spaces else "box"


@pytest.mark.parametrize("name", DEEP)
def test_every_deep_agent_keeps_the_contract(name: str) -> None:
    check_agent(small(name), timesteps=60)


@pytest.mark.parametrize("name", VARIED)
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_on_vector_environments(name: str, mode: AutoresetMode) -> None:
    def make() -> Any:
        return SyncVectorEnv([lambda: small_env("box", action_kind(name))] * 2, autoreset_mode=mode)

    check_agent(small(name), make, timesteps=40)


@pytest.mark.parametrize("name", VARIED)
@pytest.mark.parametrize("observations", ["dict", "image", "multidiscrete"])
def test_on_every_kind_of_observation(name: str, observations: str) -> None:
    check_agent(small(name), lambda: small_env(observations, action_kind(name)), timesteps=40)


@pytest.mark.parametrize("name", VARIED)
@pytest.mark.parametrize("actions", ["from-one", "multidiscrete", "multibinary", "box"])
def test_on_every_kind_of_action(name: str, actions: str) -> None:
    """Either it keeps the contract there, or it says that it takes other actions."""
    if isinstance(ACTIONS[actions], DEEP[name].action_spaces):
        check_agent(small(name), lambda: small_env("box", actions), timesteps=40)
    else:
        with pytest.raises(InvalidEnvironmentError, match=r"takes .* actions, not"):
            DEEP[name](small_env("box", actions))


@pytest.mark.parametrize("name", OURS)
def test_hyperparameters_are_validated(name: str) -> None:
    """The check of an agent by its class or instance includes names and ranges; here without the rest of it."""
    from rlsuite.agents.agent_checker import _Check, _factory

    factory, validates = _factory(small(name)(small_env("box", action_kind(name))))
    assert validates
    _Check(factory, lambda: small_env("box", action_kind(name)), None, 0).hyperparameters()  # type: ignore[arg-type]


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("observations", OBSERVATIONS)
def test_a_batch_is_predicted_like_its_rows(name: str, observations: str) -> None:
    env = small_env(observations, action_kind(name))
    agent = small(name)(env, seed=0).learn(40)
    space = env.observation_space
    space.seed(1)
    rows = [space.sample() for _ in range(6)]
    stack = {key: np.stack([row[key] for row in rows]) for key in space} if observations == "dict" else np.stack(rows)
    actions = agent.predict(stack)[0]
    assert actions.shape == (6, *env.action_space.shape)
    for row, action in zip(rows, actions, strict=True):
        np.testing.assert_allclose(action, agent.predict(row)[0], atol=1e-4)


@pytest.mark.parametrize("name", OURS)
def test_a_file_without_training_state_acts_the_same_and_learns_on(name: str, tmp_path: Any) -> None:
    def make() -> Any:
        return small_env("box", action_kind(name))

    agent = small(name)(make(), seed=0).learn(60)
    path = agent.save(tmp_path / "agent", training_state=False)
    loaded = type(agent).load(path, make())
    rows = np.random.default_rng(0).uniform(-1, 1, (20, 3)).astype(np.float32)
    np.testing.assert_array_equal(loaded.predict(rows)[0], agent.predict(rows)[0])
    assert loaded.learn(40).num_timesteps >= agent.num_timesteps + 40


@pytest.mark.parametrize("name", OURS)
def test_an_agent_moves_to_another_number_of_environments(name: str, tmp_path: Any) -> None:
    def make(n: int) -> Any:
        return SyncVectorEnv([lambda: small_env("box", action_kind(name))] * n, autoreset_mode=AutoresetMode.SAME_STEP)

    agent = small(name)(make(3), seed=0).learn(60)
    loaded = type(agent).load(agent.save(tmp_path / "agent"), make(2))
    rows = np.random.default_rng(0).uniform(-1, 1, (20, 3)).astype(np.float32)
    np.testing.assert_array_equal(loaded.predict(rows)[0], agent.predict(rows)[0])
    assert loaded.learn(40).num_timesteps >= agent.num_timesteps + 40


@pytest.mark.parametrize("n_envs", [1, 3])
def test_without_env_the_same_environments_are_made_again(n_envs: int, tmp_path: Any) -> None:
    def make() -> Any:
        makers = [lambda: gym.make("CartPole-v1", max_episode_steps=12)] * n_envs
        return makers[0]() if n_envs == 1 else SyncVectorEnv(makers)

    agent = LinearQ(make(), seed=0).learn(50)
    loaded = LinearQ.load(agent.save(tmp_path / "agent"))
    for each in (agent, loaded):
        each.learn(50)
    np.testing.assert_array_equal(loaded.episode_returns, agent.episode_returns)
    assert loaded.envs.num_envs == n_envs and loaded.envs.mode is agent.envs.mode if n_envs > 1 else True
    np.testing.assert_array_equal(loaded.parts["network"].state_arrays()["1.weight"],
                                  agent.parts["network"].state_arrays()["1.weight"])  # fmt: skip


# -- the checker itself ------------------------------------------------------------------------------------------------


class _ForgetsItsSchedule(LinearQ):
    def resume(self, callback: Any = None) -> Any:
        self._began = self.num_timesteps if self.num_timesteps < self._began + 10 else self._began
        return super().resume(callback)


class _ForgetsItsNoise(LinearQ):
    @classmethod
    def load(cls, path: Any, env: Any = None, **more: Any) -> Any:
        agent = super().load(path, env, **more)
        agent.torch_rng.manual_seed(0)
        return agent


class _LearnsTooLittle(LinearQ):
    def learn(self, total_timesteps: Any = None, callback: Any = None, **more: Any) -> Any:
        return super().learn((total_timesteps or 0) // 2, callback, **more)


BROKEN = {
    _ForgetsItsSchedule: "stopped at 2 steps and resumed differs",
    _ForgetsItsNoise: "stopped at 2 steps and loaded and resumed differs",
    _LearnsTooLittle: r"num_timesteps was \d+ after learn\(20\)",
}


@pytest.mark.parametrize(("broken", "message"), BROKEN.items(), ids=lambda x: getattr(x, "__name__", ""))
def test_a_broken_deep_agent_is_caught(broken: type[LinearQ], message: str) -> None:
    with pytest.raises(AgentCheckError, match=message):
        check_agent(broken, timesteps=60)


def test_agents_of_box_actions_are_checked_on_a_pendulum() -> None:
    seen = []

    class TakesBoxes(LinearQ):
        action_spaces = (spaces.Box,)

        def build(self) -> None:
            seen.append(self.env.spec.id)
            raise InvalidEnvironmentError("enough")

    with pytest.raises(InvalidEnvironmentError, match="enough"):
        check_agent(TakesBoxes)
    assert seen == ["Pendulum-v1"]


def test_where_the_state_of_an_environment_cannot_be_saved_the_rest_is_checked() -> None:
    class Unsavable(gym.Wrapper):
        pass

    check_agent(LinearQ, lambda: Unsavable(small_env()), timesteps=40)
