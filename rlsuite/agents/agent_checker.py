"""``check_agent``: to agents what Gymnasium's ``check_env`` is to environments, the agent contract as checks that run.

An agent is its class (or any ``factory(env, seed=...)``) and what it saves: two agents are the same where their saved
files hold the same bytes. That makes every check below independent of how the agent works inside, so planners, tabular
learners and networks take the same ones.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import gymnasium as gym
import numpy as np
import safetensors
from gymnasium import spaces
from gymnasium.vector import SyncVectorEnv, VectorEnv

from rlsuite.agents.base import Agent
from rlsuite.agents.callbacks import BaseCallback
from rlsuite.agents.hyperparameters import fields
from rlsuite.envs.finite.spaces import DiscreteIndex
from rlsuite.errors import (
    AgentCheckError,
    HyperparameterError,
    InvalidEnvironmentError,
    RecordError,
    RlsuiteError,
    UnknownNameError,
)

Factory: TypeAlias = Callable[..., Agent]
_OBSERVATIONS_TRIED = 64


def small_lake() -> gym.Env[Any, Any]:
    """The default test bed: a slippery 3x3 FrozenLake with 20 steps to an episode, quick to solve and to fail on."""
    return gym.make("FrozenLake-v1", desc=["SFF", "FHF", "FFG"], max_episode_steps=20)


def short_pendulum() -> gym.Env[Any, Any]:
    """The default test bed of agents that take Box actions only: Pendulum with 20 steps to an episode."""
    return gym.make("Pendulum-v1", max_episode_steps=20)


def check_agent(
    agent: Agent | type[Agent] | Factory,
    env: str | Callable[[], gym.Env[Any, Any]] | None = None,
    *,
    timesteps: int = 300,
    stochastic: bool | None = None,
) -> None:
    """Raise :class:`AgentCheckError` where an agent breaks the contract of :class:`rlsuite.agents.Agent`.

    Checked: that hyperparameters are validated; that the seed determines everything, and that another seed changes it;
    that learning twice adds up; that a callback can stop it; that the environment is left usable; that actions belong
    to the action space; that predicting has no side effects; that a saved agent predicts the same and goes on learning
    exactly as the original; that a damaged file is refused. Of an agent that ``restarts_schedules``, steps add up
    (rounded up to whole iterations), and a call of ``learn`` that was stopped and then resumed, also from a file,
    equals the call that never stopped.

    Args:
        agent: an agent's class, an agent (its class and hyperparameters are taken), or a function ``(env, seed=...)``
            that makes one.
        env: id of the environment to check in, or a function that makes it (a vector environment where the agent takes
            one); by default :func:`small_lake`, or :func:`short_pendulum` for agents that take Box actions only. Where
            the state of the environment cannot be saved, that learning goes on exactly is not checked.
        timesteps: length of each stretch of learning; at least three iterations of agents that learn in iterations.
        stochastic: whether learning depends on the seed; by default it does unless the agent is a planner.

    Raises:
        AgentCheckError: naming the agent, what failed, and why it matters.
    """
    factory, validates = _factory(agent)
    if env is None:
        make_env = _default_env(agent)
    else:
        make_env = (lambda: gym.make(env)) if isinstance(env, str) else env
    with tempfile.TemporaryDirectory(prefix="rlsuite-check-") as folder:
        check = _Check(factory, make_env, Path(folder), max(timesteps, _three_iterations(factory, make_env)))
        if validates:
            check.hyperparameters()
        check.seeding(stochastic)
        if check.make(seed=0).restarts_schedules:
            check.steps_add_up()
            check.resuming()
        else:
            check.learning_adds_up()
        check.callbacks()
        check.environment()
        check.predictions()
        check.files()


def _factory(agent: Agent | type[Agent] | Factory) -> tuple[Factory, bool]:
    """A function that makes agents, and whether it takes hyperparameters."""
    if isinstance(agent, Agent):
        cls, given = type(agent), {name: getattr(agent.hyperparameters, name) for name in fields(agent.hyperparameters)}
        return (lambda env, seed=None, **more: cls(env, seed=seed, **(given | more))), True
    return agent, isinstance(agent, type)


def _default_env(agent: Any) -> Callable[[], gym.Env[Any, Any]]:
    taken = getattr(agent, "action_spaces", (spaces.Discrete,))
    return small_lake if spaces.Discrete in taken else short_pendulum


def _three_iterations(factory: Factory, make_env: Callable[[], gym.Env[Any, Any]]) -> int:
    """Enough steps for a callback to stop an agent that is called after every iteration; 0 if it is after every step."""
    agent = factory(make_env(), seed=0)
    return 3 * agent.learn(1).num_timesteps if agent.restarts_schedules else 0


def _single(env: Any) -> tuple[gym.Space[Any], gym.Space[Any]]:
    """Observation and action space of one environment, of vector environments as of others."""
    if isinstance(env, VectorEnv):
        return env.single_observation_space, env.single_action_space
    return env.observation_space, env.action_space


class _Watch:
    """Remembers whether an environment was closed and which actions it was given that are none of its own.

    Its methods are replaced rather than wrapped: a wrapper of unknown effect rightly hides the model from planners.
    """

    def __init__(self, env: Any) -> None:
        self.closed = False
        self.strange: list[Any] = []
        for each in [env, *env.envs] if isinstance(env, SyncVectorEnv) else [env]:
            self.watch(each)

    def watch(self, env: Any) -> None:
        step, close = env.step, env.close

        def watched_step(action: Any) -> Any:
            if not env.action_space.contains(action):
                self.strange.append(action)
            return step(action)

        def watched_close() -> None:
            self.closed = True
            close()

        env.step, env.close = watched_step, watched_close


class _StopAt(BaseCallback):
    """Stops at its ``n``-th call, and counts all calls."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n, self.started, self.ended = n, 0, 0

    def on_training_start(self, agent: Agent) -> None:
        super().on_training_start(agent)
        self.started += 1

    def _on_step(self) -> bool:
        return self.n_calls < self.n

    def on_training_end(self) -> None:
        self.ended += 1


@dataclasses.dataclass(frozen=True)
class _State:
    """What an agent saves: name -> (type, shape, bytes) of every array, and the header."""

    arrays: dict[str, tuple[str, tuple[int, ...], bytes]]
    header: dict[str, str]

    def difference(self, other: _State) -> str:
        """The first thing that differs, or nothing."""
        for name in sorted(self.arrays.keys() | other.arrays.keys()):
            if self.arrays.get(name) != other.arrays.get(name):
                return f"array {name!r}"
        for key in sorted(self.header.keys() | other.header.keys()):
            if self.header.get(key) != other.header.get(key):
                return _header_difference(key, self.header.get(key), other.header.get(key))
        return ""


def _header_difference(key: str, one: str | None, two: str | None) -> str:
    """Which entry of a JSON header differs; the key itself where the header is no JSON object."""
    try:
        a, b = json.loads(one or ""), json.loads(two or "")
    except ValueError:
        return f"header {key!r}"
    if isinstance(a, dict) and isinstance(b, dict):
        differing = [name for name in sorted(a.keys() | b.keys()) if a.get(name) != b.get(name)]
        return f"header entry {', '.join(map(repr, differing))}"
    return f"header {key!r}"


@dataclasses.dataclass(frozen=True)
class _Check:
    factory: Factory
    make_env: Callable[[], gym.Env[Any, Any]]
    folder: Path
    timesteps: int

    def make(self, seed: int, **more: Any) -> Agent:
        return self.factory(self.make_env(), seed=seed, **more)

    def fail(self, agent: Agent, what: str, why: str) -> None:
        raise AgentCheckError(f"{getattr(agent, 'name', type(agent).__name__)}: {what}; {why}")

    def save(self, agent: Agent) -> Path:
        path = Path(agent.save(self.folder / "agent"))
        if path.suffix != ".safetensors" or not path.is_file():
            self.fail(agent, f"save returned {path.name!r}", "it must write one .safetensors file and return its path")
        return path

    def state(self, agent: Agent) -> _State:
        path = self.save(agent)
        arrays = {
            name: (info["dtype"], tuple(info["shape"]), bytes(info["data"]))
            for name, info in safetensors.deserialize(path.read_bytes())
        }
        with safetensors.safe_open(path, framework="numpy") as file:
            return _State(arrays, dict(file.metadata() or {}))

    # -- the checks -------------------------------------------------------------------------------------------------

    def hyperparameters(self) -> None:
        agent = self.make(seed=0)
        name = "no_such_hyperparameter"
        why = "a misspelt name must not be ignored: the run would use the default and nobody would know"
        try:
            self.make(seed=0, **{name: 1})
        except UnknownNameError:
            pass
        except TypeError as error:
            self.fail(
                agent, f"an unknown hyperparameter raised {type(error).__name__} instead of UnknownNameError", why
            )
        else:
            self.fail(agent, "an unknown hyperparameter was accepted", why)
        for field in fields(agent.Hyperparameters).values():
            low, high = field.limits.low, field.limits.high
            for beyond in ([] if low is None else [low - 1]) + ([] if high is None else [high + 1]):
                try:
                    self.make(seed=0, **{field.name: field.base_type(beyond)})
                except HyperparameterError:
                    continue
                self.fail(
                    agent,
                    f"{field.name}={beyond:g} was accepted, outside its range {field.limits.describe()}",
                    "values out of range give silent nonsense; raise HyperparameterError",
                )

    def seeding(self, stochastic: bool | None) -> None:
        one, two, other = self.make(seed=1), self.make(seed=1), self.make(seed=2)
        if found := self.state(one).difference(self.state(two)):
            self.fail(one, f"two new agents with the same seed differ in {found}", "it must set the initial tables")
        for agent in (one, two, other):
            agent.learn(self.timesteps)
        if found := self.state(one).difference(self.state(two)):
            self.fail(
                one,
                f"two agents with the same seed learned differently: {found}",
                "runs could not be repeated; take every random number from generators made from the seed",
            )
        depends = one.kind != "planning" if stochastic is None else stochastic
        if depends and self.state(one).arrays == self.state(other).arrays:
            self.fail(
                one,
                "agents with different seeds learned the very same",
                "statistics over seeds would be a single run repeated; is the seed used at all?",
            )

    def learning_adds_up(self) -> None:
        once, twice = self.make(seed=3), self.make(seed=3)
        first = self.timesteps // 3
        if once.learn(self.timesteps) is not once:
            self.fail(once, "learn did not return the agent", "`Agent(env).learn(n).save(path)` is how it is used")
        twice.learn(first)
        before = twice.num_timesteps
        twice.learn(self.timesteps - first)
        if once.kind != "planning" and not 0 < before < twice.num_timesteps:
            self.fail(
                twice,
                f"num_timesteps was {before} after learn({first}) and then {twice.num_timesteps}",
                "it counts the environment steps of all calls",
            )
        if found := self.state(once).difference(self.state(twice)):
            self.fail(
                twice,
                f"learn({first}) and learn({self.timesteps - first}) differ from learn({self.timesteps}) in {found}",
                "learning in pieces (callbacks, resumed runs) must not change the result",
            )

    def steps_add_up(self) -> None:
        """Of agents whose schedules restart with every call: only the steps can add up."""
        agent = self.make(seed=3)
        first = self.timesteps // 3
        if agent.learn(first) is not agent:
            self.fail(agent, "learn did not return the agent", "`Agent(env).learn(n).save(path)` is how it is used")
        before = agent.num_timesteps
        agent.learn(self.timesteps - first)
        if before < first or agent.num_timesteps - before < self.timesteps - first:
            self.fail(
                agent,
                f"num_timesteps was {before} after learn({first}), then {agent.num_timesteps} after "
                f"learn({self.timesteps - first})",
                "each call learns that many more steps, rounded up to whole iterations",
            )

    def resuming(self) -> None:
        """Stopped by a callback and resumed, in memory or from a file, equals never stopped."""
        whole, stopped = self.make(seed=8), self.make(seed=8)
        whole.learn(self.timesteps)
        stopped.learn(self.timesteps, _StopAt(2))
        if not self.savable():
            return
        path = self.save(stopped).rename(self.folder / "stopped.safetensors")
        for resumed, how in ((stopped, "resumed"), (type(stopped).load(path, self.make_env()), "loaded and resumed")):
            before = resumed.num_timesteps
            resumed.resume()  # type: ignore[attr-defined]
            if found := self.state(whole).difference(self.state(resumed)):
                self.fail(
                    resumed,
                    f"learn({self.timesteps}) stopped at {before} steps and {how} differs from the same call never "
                    f"stopped in {found}",
                    "an interrupted run must be worth as much as one that was not; save schedules, counters and "
                    "random states",
                )

    def savable(self) -> bool:
        """Whether the environment's own state is saved with an agent, so that its episode goes on after loading."""
        from rlsuite.agents.deep.env_state import capture, capture_vector

        env: Any = self.make_env()
        env.reset(seed=0)
        return (capture_vector(env) if isinstance(env, VectorEnv) else capture(env)) is not None

    def callbacks(self) -> None:
        agent, callback = self.make(seed=4), _StopAt(2)
        agent.learn(self.timesteps, callback)
        if callback.started != 1 or callback.ended != 1:
            self.fail(
                agent,
                f"on_training_start was called {callback.started} and on_training_end {callback.ended} times",
                "once each per call of learn",
            )
        if agent.kind != "planning" and (callback.n_calls != 2 or agent.num_timesteps >= self.timesteps):
            self.fail(
                agent,
                f"a callback that stops at its 2nd call was called {callback.n_calls} times and "
                f"{agent.num_timesteps} of {self.timesteps} steps were learned",
                "early stopping and checkpoints rest on callbacks",
            )

    def environment(self) -> None:
        env = self.make_env()
        watch = _Watch(env)
        agent = self.factory(env, seed=5).learn(self.timesteps)
        if watch.closed:
            self.fail(agent, "learn closed the environment", "it belongs to the caller, who may go on using it")
        if watch.strange:
            self.fail(agent, f"learn took action {watch.strange[0]!r}", f"it is not in {_single(env)[1]}")
        try:
            env.reset(seed=0)
            env.step(env.action_space.sample())
        except (RuntimeError, ValueError, AttributeError, gym.error.Error) as error:
            self.fail(agent, f"the environment fails after learn: {error}", "it must be usable afterwards")

    def predictions(self) -> None:
        agent = self.make(seed=6).learn(self.timesteps)
        before = self.state(agent)
        observation_space, action_space = _single(agent.env)
        for observation in _observations(observation_space):
            answer = agent.predict(observation, deterministic=True)
            if not isinstance(answer, tuple) or len(answer) != 2:
                self.fail(agent, f"predict returned {answer!r}", "it returns (action, None)")
            action, again = answer[0], agent.predict(observation, deterministic=True)[0]
            if not np.array_equal(action, again):
                self.fail(
                    agent,
                    f"predict({observation!r}, deterministic=True) answered {action!r}, then {again!r}",
                    "the same question must have the same answer",
                )
            for taken in (action, agent.predict(observation, deterministic=False)[0]):
                if not action_space.contains(taken):
                    self.fail(agent, f"predict returned action {taken!r}", f"it is not in {action_space}")
        quiet = self.make(seed=6).learn(self.timesteps)
        for observation in _observations(observation_space):
            quiet.predict(observation, deterministic=True)
        if found := before.difference(self.state(quiet)):
            self.fail(
                agent,
                f"predict(deterministic=True) changed {found}",
                "evaluating an agent must not change what it is or what it learns next, its random state included",
            )

    def files(self) -> None:
        agent = self.make(seed=7).learn(self.timesteps)
        exact = not agent.restarts_schedules or self.savable()
        if not agent.restarts_schedules and getattr(agent, "mdp", None) is None:
            agent.learn(
                total_episodes=1
            )  # tabular agents do not save the state of an environment: go to an episode's end
        path = self.save(agent)
        loaded = type(agent).load(path, self.make_env())
        if exact and (found := self.state(agent).difference(self.state(loaded))):
            self.fail(agent, f"load gave another agent than save wrote: {found}", "everything learned must survive")
        for observation in _observations(_single(agent.env)[0]):
            here, there = agent.predict(observation)[0], loaded.predict(observation)[0]
            if not np.array_equal(here, there):
                self.fail(agent, f"predict({observation!r}) is {here!r}, but {there!r} once loaded", "must be equal")
        agent.learn(self.timesteps)
        loaded.learn(self.timesteps)
        if exact and (found := self.state(agent).difference(self.state(loaded))):
            self.fail(
                agent,
                f"a loaded agent went on learning differently: {found}",
                "a resumed run must equal the run that never stopped; save counters and random states too",
            )
        damaged = self.folder / "damaged.safetensors"
        damaged.write_bytes(path.read_bytes()[:-8])
        for wrong in (damaged, self.folder / "missing.safetensors"):
            why = "a truncated or missing file is the user's most common accident: raise RecordError"
            try:
                type(agent).load(wrong, self.make_env())
            except RecordError:
                continue
            except (RlsuiteError, OSError, ValueError, KeyError, safetensors.SafetensorError) as error:
                self.fail(agent, f"loading a {wrong.stem} file raised {type(error).__name__}", why)
            self.fail(agent, f"a {wrong.stem} file was loaded", why)


def _observations(space: gym.Space[Any]) -> Iterator[Any]:
    """Every observation of a small finite space, else a seeded sample."""
    if isinstance(space, spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary | spaces.Tuple):
        try:
            finite = DiscreteIndex(space)
        except InvalidEnvironmentError:  # a tuple with a continuous part
            pass
        else:
            chosen = np.linspace(0, finite.n - 1, min(finite.n, _OBSERVATIONS_TRIED)).astype(int)
            yield from (finite.value(int(i)) for i in chosen)
            return
    space = copy.deepcopy(space)  # the generator of the environment's own space is part of its state
    space.seed(0)
    for _ in range(_OBSERVATIONS_TRIED):
        yield space.sample()
