"""What all tabular learners share: tables, streams of random numbers, both paths of interaction, files."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from rlsuite.agents.base import Agent, checked_amount
from rlsuite.agents.callbacks import BaseCallback
from rlsuite.agents.tabular import storage
from rlsuite.agents.tabular.interaction import Clock, EpisodeLog, interact_for, interact_gymnasium
from rlsuite.agents.tabular.invariants import Sizes, first_violation, within
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.envs.finite.spaces import DiscreteIndex
from rlsuite.errors import HyperparameterError, InvalidEnvironmentError, InvalidMDPError, ModelUnavailableError
from rlsuite.seeding import generator, run_seeds

_FOREVER = np.iinfo(np.int64).max
_MOST_STEPS = 1 << 62  # no run takes as many; adding to it does not overflow
_LOG_SIZE = 4096


class TabularAgent(Agent):
    """A learner whose knowledge is a ``NamedTuple`` of tables (its *memory*).

    Args:
        env: Gymnasium environment with finite observation and action spaces, or its id. May be ``None`` with ``mdp``.
        mdp: its dynamics, where the caller has them already (many seeds share one).
        compiled: ``True`` runs on the dynamics (an error where there are none), ``False`` steps the environment,
            ``None`` (default) takes the dynamics where the environment has them. Both give the same tables.
        time_limit: episode cap on the compiled path; by default the environment's own limit, else none.

    Raises:
        InvalidMDPError: the dynamics do not fit the environment's spaces.

    Attributes:
        memory: the tables.
        visits: ``(n_observations,)`` how often the agent acted in each.
        episode_returns, episode_lengths: one entry per finished episode.
    """

    memory: Any
    evaluation_rng: np.random.Generator

    def __init__(
        self,
        env: gym.Env[Any, Any] | str | None = None,
        *,
        mdp: FiniteMDP | None = None,
        seed: int | None = None,
        compiled: bool | None = None,
        time_limit: int | None = None,
        **hyperparameters: Any,
    ) -> None:
        super().__init__(env, seed=seed, **hyperparameters)
        if mdp is None and compiled is not False and self.env is not None:
            try:
                mdp = FiniteMDP.from_env(self.env)
            except ModelUnavailableError:
                if compiled:
                    raise
        if mdp is None and self.env is None:
            raise ModelUnavailableError(f"{self.name} needs an environment or an mdp")
        if compiled is False and self.env is None:
            raise InvalidEnvironmentError(f"{self.name} with compiled=False steps an environment; give it one")
        self.mdp = mdp if compiled is not False else None
        self.observations, self.actions = self._indices(mdp)
        if mdp is not None:
            self._require_fit(mdp)
        if time_limit is not None and not (isinstance(time_limit, int | np.integer) and 1 <= time_limit <= _FOREVER):
            raise HyperparameterError(f"{self.name}.time_limit must be an integer of at least 1, not {time_limit!r}")
        self.time_limit = int(time_limit or (mdp.max_episode_steps if mdp else None) or _FOREVER)
        self.memory = self.make_memory(self.observations.n, self.actions.n)
        self.clock = Clock.zero()
        self.visits = np.zeros(self.observations.n, np.int64)
        seeds = run_seeds(self.seed)
        self._env_seed = seeds.env
        self.env_rng = generator(seeds.env)
        self.agent_rng = generator(seeds.agent)
        self.evaluation_rng = generator(seeds.evaluation)  # of predict, so that evaluating does not disturb learning
        self._returns: list[NDArray[np.float64]] = []
        self._lengths: list[NDArray[np.int64]] = []

    def _indices(self, mdp: FiniteMDP | None) -> tuple[DiscreteIndex, DiscreteIndex]:
        if self.env is not None:
            return (
                DiscreteIndex(self.env.observation_space),
                DiscreteIndex(self.env.action_space, "action"),
            )
        assert mdp is not None
        return DiscreteIndex(gym.spaces.Discrete(mdp.n_observations)), DiscreteIndex(gym.spaces.Discrete(mdp.n_actions))

    def _require_fit(self, mdp: FiniteMDP) -> None:
        """Compiled kernels index the tables without checks: what the dynamics name must lie within the spaces."""
        if self.actions.n != mdp.n_actions:
            raise InvalidMDPError(
                f"{mdp.name}: the dynamics have {mdp.n_actions} actions, but the action space is {self.actions.space}"
            )
        if mdp.n_observations > self.observations.n:
            raise InvalidMDPError(
                f"{mdp.name}: the dynamics have {mdp.n_observations} observations, but the observation space is "
                f"{self.observations.space}"
            )

    # -- what a subclass says ---------------------------------------------------------------------------------------

    @abstractmethod
    def make_memory(self, n_observations: int, n_actions: int) -> Any:
        """The tables and constants that the kernels of this algorithm take, from ``self.hyperparameters``."""

    @abstractmethod
    def target_policy(self) -> NDArray[np.float64]:
        """``(n_observations, n_actions)`` probabilities of the policy that was learned, without exploration."""

    def make_room_for(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Called before saved arrays of these shapes are put back; a memory that grows makes room here."""

    def first_violation(self) -> str:
        """Called after saved arrays were put back: which of them kernels could not use, or nothing.

        Kernels index without checks. A memory of your own declares what must hold of its indices by
        :func:`~rlsuite.agents.tabular.invariants.invariant`.
        """
        n_states = self.observations.n if self.mdp is None else self.mdp.n_states
        clock = self.clock
        ends = dict.fromkeys(("steps", "episodes", "length"), _MOST_STEPS)
        for name, end in (ends | {"state": n_states, "action": self.actions.n}).items():
            if not within(getattr(clock, name), 0, end):
                return f"clock.{name}"
        return first_violation(self.memory, Sizes(self.observations.n, self.actions.n), "memory")

    # -- the four verbs -----------------------------------------------------------------------------------------------

    @property
    def num_timesteps(self) -> int:  # type: ignore[override]
        return int(self.clock.steps[0])

    @property
    def num_episodes(self) -> int:
        """Episodes finished so far."""
        return int(self.clock.episodes[0])

    @property
    def episode_returns(self) -> NDArray[np.float64]:
        return np.concatenate(self._returns) if self._returns else np.zeros(0)

    @property
    def episode_lengths(self) -> NDArray[np.int64]:
        return np.concatenate(self._lengths) if self._lengths else np.zeros(0, np.int64)

    def learn(
        self,
        total_timesteps: int | None = None,
        callback: BaseCallback | list[BaseCallback] | None = None,
        *,
        total_episodes: int | None = None,
    ) -> Self:
        if total_timesteps is None and total_episodes is None:
            raise TypeError("learn needs total_timesteps or total_episodes")
        until_step = until_episode = _FOREVER
        if total_timesteps is not None:
            until_step = self.num_timesteps + checked_amount(total_timesteps, "total_timesteps")
        if total_episodes is not None:
            until_episode = self.num_episodes + checked_amount(total_episodes, "total_episodes")
        callbacks = [callback] if isinstance(callback, BaseCallback) else list(callback or [])
        for each in callbacks:
            each.on_training_start(self)
        try:
            for step in self._stops(until_step, callbacks):
                self._advance(step, until_episode)
                due = [c for c in callbacks if self.num_timesteps == step and step % c.every == 0]
                answers = [c.on_step() for c in due]  # every one is called, also after one that stops
                if not all(answers) or self.num_episodes >= until_episode:
                    break
        finally:
            for each in callbacks:
                each.on_training_end()
        return self

    def predict(self, observation: Any, deterministic: bool = True) -> tuple[Any, None]:
        """The most probable action of :meth:`target_policy` (the first of equals), or a draw from it."""
        row = self.target_policy()[self.observations.index(observation)]
        action = int(row.argmax()) if deterministic else int(self.evaluation_rng.choice(row.size, p=row))
        return self.actions.value(action), None

    def save(self, path: str | Path, *, durable: bool = True) -> Path:
        return storage.save_agent(self, path, durable=durable)

    @classmethod
    def load(
        cls, path: str | Path, env: gym.Env[Any, Any] | str | None = None, *, mdp: FiniteMDP | None = None
    ) -> Self:
        return storage.load_agent(cls, path, env, mdp)

    # -- how it runs ---------------------------------------------------------------------------------------------------

    def _stops(self, until_step: int, callbacks: list[BaseCallback]) -> Iterator[int]:
        """Steps at which to pause: wherever a callback is due, and at the end."""
        while self.num_timesteps < until_step:
            now = self.num_timesteps
            yield min([until_step, *((now // c.every + 1) * c.every for c in callbacks)])

    def _advance(self, until_step: int, until_episode: int) -> None:
        """Interact until either limit is reached."""
        while self.num_timesteps < until_step and self.num_episodes < until_episode:
            room = min(_LOG_SIZE, until_episode - self.num_episodes, until_step - self.num_timesteps + 1)
            log = EpisodeLog(np.empty(room), np.empty(room, np.int64), self.visits)
            if self.mdp is not None:
                memory_type: Any = type(self.memory)
                finished = interact_for(memory_type)(
                    self.mdp.arrays, self.memory, self.clock, log, self.time_limit, until_step, until_episode,
                    self.env_rng, self.agent_rng,
                )  # fmt: skip
            else:
                assert self.env is not None
                finished = interact_gymnasium(
                    self.env, self.observations, self.actions, self.memory, self.clock, log, until_step, until_episode,
                    self.agent_rng, self._env_seed,
                )  # fmt: skip
            self._returns.append(log.returns[:finished])
            self._lengths.append(log.lengths[:finished])


def greedy_policy(q: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(n_observations, n_actions)`` one-hot rows at the first maximiser of ``q``, as ``predict`` chooses."""
    policy = np.zeros_like(q)
    policy[np.arange(q.shape[0]), q.argmax(axis=1)] = 1.0
    return policy


class ActionValueAgent(TabularAgent):
    """A control learner with one table ``memory.q`` of action values."""

    kind: ClassVar = "control"

    @property
    def action_values(self) -> NDArray[np.float64]:
        """``(n_observations, n_actions)`` the learned Q."""
        return np.asarray(self.memory.q)

    def target_policy(self) -> NDArray[np.float64]:
        return greedy_policy(self.action_values)
