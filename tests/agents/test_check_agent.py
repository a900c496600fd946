"""``check_agent`` passes every registered agent, and each of its checks fails on an agent broken in that one way."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from rlsuite.agents import agent_class, agent_names, check_agent
from rlsuite.agents.agent_checker import small_lake
from rlsuite.agents.tabular import storage
from rlsuite.agents.tabular.agent import TabularAgent
from rlsuite.agents.tabular.td_control import QLearning
from rlsuite.errors import AgentCheckError, InvalidEnvironmentError, ModelUnavailableError

NAMES = [name for name in agent_names() if not agent_class(name).restarts_schedules]  # deep agents: beside their tests


@pytest.mark.parametrize("name", NAMES)
def test_every_registered_agent_keeps_the_contract(name: str) -> None:
    check_agent(agent_class(name))


@pytest.mark.parametrize("name", NAMES)
def test_both_paths_of_interaction_give_the_same_tables(name: str) -> None:
    """Compiled on the model and stepping Gymnasium: same seed, same tables to the last bit."""
    cls = agent_class(name)
    if not issubclass(cls, TabularAgent):
        pytest.skip("a planner does not interact")
    compiled = cls(small_lake(), seed=11, compiled=True).learn(700)
    try:
        stepped = cls(small_lake(), seed=11, compiled=False).learn(700)
    except ModelUnavailableError:
        assert name == "mc-exploring-starts"  # it must choose the first state, which Gymnasium does not offer
        return
    for key, table in storage.memory_arrays(compiled.memory).items():
        np.testing.assert_array_equal(table, storage.memory_arrays(stepped.memory)[key], err_msg=f"{name}: {key}")
    np.testing.assert_array_equal(compiled.episode_returns, stepped.episode_returns)


def test_an_agent_instance_is_checked_with_its_hyperparameters() -> None:
    check_agent(QLearning(small_lake(), alpha=0.7, exploration="softmax"))


def test_an_agent_that_steps_gymnasium_keeps_the_contract() -> None:
    check_agent(lambda env, seed=None: QLearning(env, seed=seed, compiled=False), "Blackjack-v1")


class _Unseeded(QLearning):
    def learn(self, *args: Any, **kwargs: Any):
        super().learn(*args, **kwargs)
        self.memory.q[0, 0] += random.random()
        return self


class _RandomFirstTables(QLearning):
    def make_memory(self, n_observations: int, n_actions: int):
        memory = super().make_memory(n_observations, n_actions)
        memory.q[...] = random.random()
        return memory


class _BreaksTheEnvironment(QLearning):
    def learn(self, *args: Any, **kwargs: Any):
        super().learn(*args, **kwargs)
        vars(self.env.unwrapped).pop("P", None)
        return self


class _SeedIgnored(QLearning):
    def __init__(self, env: Any, *, seed: int | None = None, **more: Any) -> None:
        super().__init__(env, seed=0, **more)


class _StartsOver(QLearning):
    def learn(self, total_timesteps: int | None = None, callback: Any = None, **more: Any):
        self.memory.q[...] = 0.0
        return super().learn(total_timesteps, callback, **more)


class _ReturnsNothing(QLearning):
    def learn(self, *args: Any, **kwargs: Any):
        super().learn(*args, **kwargs)


class _Deaf(QLearning):
    def learn(self, total_timesteps: int | None = None, callback: Any = None, **more: Any):
        return super().learn(total_timesteps, None, **more)


class _Unstoppable(QLearning):
    def learn(self, total_timesteps: int | None = None, callback: Any = None, **more: Any):
        before = self.num_timesteps
        super().learn(total_timesteps, callback, **more)
        missing = (total_timesteps or 0) - (self.num_timesteps - before)
        return super().learn(missing) if missing > 0 else self


class _ClosesTheEnvironment(QLearning):
    def learn(self, *args: Any, **kwargs: Any):
        super().learn(*args, **kwargs)
        self.env.close()
        return self


class _LeavesTheActionSpace(QLearning):
    def predict(self, observation: Any, deterministic: bool = True):
        return (-1, None) if observation == 4 else super().predict(observation, deterministic)


class _BareAction(QLearning):
    def predict(self, observation: Any, deterministic: bool = True):
        return super().predict(observation, deterministic)[0]


class _Fickle(QLearning):
    def predict(self, observation: Any, deterministic: bool = True):
        return random.randrange(4), None


class _PredictDrawsFromTheLearningStream(QLearning):
    def predict(self, observation: Any, deterministic: bool = True):
        self.agent_rng.random()
        return super().predict(observation, deterministic)


class _ForgetsItsRandomState(QLearning):
    @classmethod
    def load(cls, path: str | Path, env: Any = None, **more: Any):
        agent = super().load(path, env, **more)
        agent.agent_rng = np.random.default_rng(0)
        return agent


class _ForgetsATable(QLearning):
    @classmethod
    def load(cls, path: str | Path, env: Any = None, **more: Any):
        agent = super().load(path, env, **more)
        agent.memory.q[...] = 0.0
        return agent


class _ResumesDifferently(QLearning):
    """Loaded and saved again the file is the same, but what is learned next is not."""

    resumed = False

    def learn(self, *args: Any, **kwargs: Any):
        super().learn(*args, **kwargs)
        self.memory.q[1, 1] += float(self.resumed)
        return self

    @classmethod
    def load(cls, path: str | Path, env: Any = None, **more: Any):
        agent = super().load(path, env, **more)
        agent.resumed = True
        return agent


class _LoadsAnything(QLearning):
    @classmethod
    def load(cls, path: str | Path, env: Any = None, **more: Any):
        return super().load(path, env, **more) if Path(path).stem == "agent" else cls(env)


class _WrongError(QLearning):
    @classmethod
    def load(cls, path: str | Path, env: Any = None, **more: Any):
        if Path(path).stem == "missing":
            raise FileNotFoundError(path)
        return super().load(path, env, **more)


class _IgnoresMisspeltNames(QLearning):
    def __init__(self, env: Any, *, no_such_hyperparameter: int = 0, **more: Any) -> None:
        super().__init__(env, **more)


class _IgnoresRanges(QLearning):
    def __init__(self, env: Any, **more: Any) -> None:
        if not 0 <= more.get("gamma", 0.5) <= 1:
            more["gamma"] = 0.5
        super().__init__(env, **more)


class _WritesElsewhere(QLearning):
    def save(self, path: str | Path) -> Path:
        super().save(path)
        return Path(path)


BROKEN = {
    _Unseeded: "same seed learned differently: array 'memory.q'",
    _RandomFirstTables: "two new agents with the same seed differ in array 'memory.q'",
    _BreaksTheEnvironment: "the environment fails after learn",
    _SeedIgnored: "different seeds learned the very same",
    _StartsOver: r"learn\(100\) and learn\(200\) differ from learn\(300\) in array",
    _ReturnsNothing: "learn did not return the agent",
    _Deaf: "on_training_start was called 0",
    _Unstoppable: "stops at its 2nd call was called 2 times and 300 of 300",
    _ClosesTheEnvironment: "closed the environment",
    _LeavesTheActionSpace: "predict returned action -1",
    _BareAction: r"it returns \(action, None\)",
    _Fickle: "answered",
    _PredictDrawsFromTheLearningStream: r"predict\(deterministic=True\) changed header entry 'agent_rng'",
    _ForgetsItsRandomState: "load gave another agent than save wrote: header entry 'agent_rng'",
    _ForgetsATable: "load gave another agent than save wrote: array 'memory.q'",
    _ResumesDifferently: "a loaded agent went on learning differently: array 'memory.q'",
    _LoadsAnything: "a damaged file was loaded",
    _WrongError: "loading a missing file raised FileNotFoundError",
    _IgnoresMisspeltNames: "unknown hyperparameter was accepted",
    _IgnoresRanges: "gamma=-1 was accepted",
    _WritesElsewhere: "save returned 'agent'",
}


@pytest.mark.parametrize(("broken", "message"), BROKEN.items(), ids=lambda x: getattr(x, "__name__", ""))
def test_a_broken_agent_is_caught(broken: type[QLearning], message: str) -> None:
    with pytest.raises(AgentCheckError, match=message):
        check_agent(broken)


def test_actions_outside_the_space_are_seen_while_learning() -> None:
    class Lenient(gym.Wrapper):
        def step(self, action: Any):
            return super().step(action % 4)

    class Shouts(QLearning):
        def __init__(self, env: Any, **more: Any) -> None:
            super().__init__(env, compiled=False, **more)
            self.actions = type("Off", (), {"value": staticmethod(lambda a: a + 4), "n": 4})()

    with pytest.raises(AgentCheckError, match="learn took action"):
        check_agent(lambda env, seed=None: Shouts(env, seed=seed), lambda: Lenient(small_lake()))


def test_a_continuous_environment_is_refused_by_the_agent_itself() -> None:
    with pytest.raises(InvalidEnvironmentError, match="finite observation space"):
        check_agent(QLearning, "CartPole-v1")
