"""What all deep agents share: a batch of environments, streams of random numbers, the learning loop, files."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from rlsuite.agents.base import Agent, checked_amount
from rlsuite.agents.callbacks import BaseCallback, CallbackList
from rlsuite.agents.deep import storage
from rlsuite.agents.deep.networks import is_image
from rlsuite.agents.deep.observations import Batch, is_batched, stack, take
from rlsuite.agents.deep.optimisation import finite
from rlsuite.agents.deep.vector import EnvBatch, EpisodeRecord, Transitions
from rlsuite.devices import device_named
from rlsuite.errors import HyperparameterError, InvalidEnvironmentError
from rlsuite.seeding import run_seeds


class Part(Protocol):
    """Something that a checkpoint holds: arrays, and values that JSON keeps exactly."""

    def state_arrays(self) -> dict[str, NDArray[Any]]: ...

    def state_values(self) -> dict[str, Any]: ...

    def load_state(self, arrays: dict[str, NDArray[Any]], values: dict[str, Any]) -> Any: ...


class DeepAgent(Agent):
    """A learner with networks, on one or many copies of an environment.

    Args:
        env: Gymnasium environment, vector environment in any autoreset mode, or id.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"`` …; ``"auto"`` takes CUDA where there is one and observations are
            images, else the CPU, which is faster for small networks.

    Attributes:
        envs: the environments as one batch.
        parts: what a checkpoint holds, by name; :meth:`build` adds networks, optimisers, buffers, normalisers.
        rng: numpy stream of exploration, sampling and minibatches. torch_rng: of noise that is drawn on the device.
        metrics: the newest value of every ``train/…`` quantity.
        episodes: returns, lengths and ends of all finished training episodes.
    """

    kind = "control"
    restarts_schedules = True
    action_spaces: ClassVar[tuple[type, ...]]  # that the algorithm takes
    evaluation_rng: np.random.Generator

    def __init__(
        self,
        env: gym.Env[Any, Any] | VectorEnv[Any, Any, Any] | str,
        *,
        seed: int | None = None,
        device: str = "auto",
        **hyperparameters: Any,
    ) -> None:
        super().__init__(env, seed=seed, **hyperparameters)  # type: ignore[arg-type]
        if self.env is None:
            raise InvalidEnvironmentError(f"{self.name} needs an environment")
        seeds = run_seeds(self.seed)
        self.envs = EnvBatch(self.env, seeds.env)
        self.observation_space, self.action_space = self.envs.observation_space, self.envs.action_space
        self._require_action_space()
        self.device = choose_device(device, self.observation_space)
        numpy_seed, torch_seed, weights_seed = np.random.SeedSequence(seeds.agent).spawn(3)
        self.rng = np.random.default_rng(numpy_seed)
        self.torch_rng = torch.Generator(self.device).manual_seed(_word(torch_seed))
        self.evaluation_rng = np.random.default_rng(seeds.evaluation)
        self.num_timesteps = 0
        self.episodes = EpisodeRecord(self.envs.num_envs)
        self.metrics: dict[str, float] = {}
        self._began = 0  # of the current call of learn: its first step, its budgets, episodes before it
        self._total_timesteps: int | None = 0
        self._total_episodes: int | None = None
        self._episodes_before = 0
        self.parts: dict[str, Part] = {"episodes": self.episodes}
        with _weights_from(_word(weights_seed)):
            self.build()

    def _require_action_space(self) -> None:
        if not isinstance(self.action_space, self.action_spaces):
            takes = " or ".join(space.__name__ for space in self.action_spaces)
            raise InvalidEnvironmentError(f"{self.name} takes {takes} actions, not {self.action_space}")

    # -- what a subclass says -----------------------------------------------------------------------------------------

    @abstractmethod
    def build(self) -> None:
        """Make networks, optimisers and buffers from ``self.hyperparameters``, and register them in ``self.parts``.

        torch's global generator is seeded for the duration, so that default initialisations are repeatable.
        """

    @abstractmethod
    def iterate(self) -> None:
        """One iteration: act (:meth:`act_in_envs`) and learn. A checkpoint is only taken between iterations."""

    @abstractmethod
    def choose_actions(
        self, observations: Batch, *, deterministic: bool, rng: np.random.Generator, masks: NDArray[np.bool_] | None
    ) -> NDArray[Any]:
        """``(batch, *action shape)`` actions for a batch of observations, drawn from ``rng`` unless deterministic.

        Discrete actions count from 0; continuous ones lie in the action space. ``masks``: ``(batch, n_actions)``.
        """

    def policy_module(self) -> torch.nn.Module:
        """The deterministic policy as a module of its own, for export: a copy, on the CPU, that nothing here changes.

        ``forward`` takes a batch of observations as a tensor (Dict: a dictionary of tensors) in the types of the
        observation space, normalises and encodes them, and returns actions as the environment takes them (Discrete:
        counted from the space's start). Action masks are not part of it.

        Raises:
            HyperparameterError: the algorithm has none to give.
        """
        raise HyperparameterError(f"{self.name} cannot be exported: it does not give its policy as a module")

    # -- helpers for subclasses ---------------------------------------------------------------------------------------

    def act_in_envs(self, actions: NDArray[Any]) -> Transitions:
        """Step all environments, count steps and episodes."""
        step = self.envs.step(actions)
        self.num_timesteps += int(np.count_nonzero(step.valid))
        self.episodes.add(step, self.num_timesteps)
        return step

    def abandon_episodes(self) -> None:
        """Forget what belongs to the running episodes, which do not go on."""
        self.episodes.abandon()

    def record(self, name: str, value: Any) -> None:
        """Set ``train/name``.

        Raises:
            DivergenceError: the value is not finite.
        """
        self.metrics[f"train/{name}"] = finite(name, value, self.num_timesteps)

    @property
    def progress(self) -> float:
        """Share of the current call of :meth:`learn` that is done, in [0, 1]: what schedules depend on."""
        shares = [0.0]
        if self._total_timesteps:
            shares.append((self.num_timesteps - self._began) / self._total_timesteps)
        if self._total_episodes:
            shares.append((self.num_episodes - self._episodes_before) / self._total_episodes)
        return min(1.0, max(shares))

    def required_masks(self) -> NDArray[np.bool_] | None:
        """Masks of the actions allowed now where ``use_action_masks`` is set, else ``None``.

        Raises:
            InvalidEnvironmentError: the environment gives none.
        """
        if not self.hyperparameters.use_action_masks:
            return None
        if self.envs.action_masks is None:
            raise InvalidEnvironmentError(f"use_action_masks: {self.envs.env} gives no info['action_mask']")
        return self.envs.action_masks

    # -- the four verbs ---------------------------------------------------------------------------------------------------

    def learn(
        self,
        total_timesteps: int | None = None,
        callback: BaseCallback | list[BaseCallback] | None = None,
        *,
        total_episodes: int | None = None,
    ) -> Self:
        """Learn for that many *more* steps (or episodes, whichever ends first), rounded up to whole iterations.

        Calling twice adds up the steps and begins schedules anew, as stable-baselines3 does with
        ``reset_num_timesteps=False``; :meth:`resume` continues an interrupted call instead. Callbacks are called after
        the iteration in which their interval ends.

        Raises:
            HyperparameterError: neither amount is given, or one is no whole number.
            DivergenceError: a loss is no longer finite.
        """
        if total_timesteps is None and total_episodes is None:
            raise HyperparameterError(f"{self.name}.learn needs total_timesteps or total_episodes")
        self._total_timesteps = None if total_timesteps is None else checked_amount(total_timesteps, "total_timesteps")
        self._total_episodes = None if total_episodes is None else checked_amount(total_episodes, "total_episodes")
        self._began, self._episodes_before = self.num_timesteps, self.num_episodes
        return self.resume(callback)

    def resume(self, callback: BaseCallback | list[BaseCallback] | None = None) -> Self:
        """Go on with the call of :meth:`learn` that was stopped, schedules and all, to its end."""
        watcher = CallbackList(callback) if isinstance(callback, list) else callback or BaseCallback()
        self.envs.start()
        watcher.on_training_start(self)
        try:
            while not self.finished:
                before = self.num_timesteps
                self.iterate()
                if callback and watcher.is_due(before, self.num_timesteps) and not watcher.on_step():
                    break
        finally:
            watcher.on_training_end()
        return self

    @property
    def finished(self) -> bool:
        """Whether the current call of :meth:`learn` has come to its end."""
        if self._total_timesteps is not None and self.num_timesteps - self._began >= self._total_timesteps:
            return True
        return self._total_episodes is not None and self.num_episodes - self._episodes_before >= self._total_episodes

    def predict(self, observation: Any, deterministic: bool = True, *, action_masks: Any = None) -> tuple[Any, None]:
        """``(action, None)`` for one observation, ``(actions, None)`` for a batch.

        ``action_masks``: ``(n_actions,)`` or ``(batch, n_actions)``, True where an action is allowed; Discrete actions
        only.
        """
        batched = is_batched(observation, self.observation_space)
        batch = observation if batched else stack([observation], self.observation_space)
        masks = None if action_masks is None else np.atleast_2d(np.asarray(action_masks, bool))
        actions = self.choose_actions(batch, deterministic=deterministic, rng=self.evaluation_rng, masks=masks)
        if isinstance(self.action_space, spaces.Discrete):
            actions = actions + self.action_space.start
        return (actions if batched else take(actions, 0)), None

    def save(self, path: str | Path, *, training_state: bool = True, durable: bool = True) -> Path:
        """Write the agent to ``path`` (``.safetensors``).

        ``training_state=False`` leaves out replay buffers and environment states, which only going on needs: such a
        file is small and serves ``predict``.
        """
        return storage.save_agent(self, path, training_state=training_state, durable=durable)

    @classmethod
    def load(
        cls,
        path: str | Path,
        env: gym.Env[Any, Any] | VectorEnv[Any, Any, Any] | str | None = None,
        *,
        device: str = "auto",
        training_state: bool = True,
    ) -> Self:
        """As :meth:`Agent.load`; ``training_state=False`` leaves out what only going on needs, for an agent that acts."""
        return storage.load_agent(cls, path, env, device=device, training_state=training_state)

    # -- what comparisons read ----------------------------------------------------------------------------------------------

    @property
    def num_episodes(self) -> int:
        """Training episodes finished."""
        return len(self.episodes.returns)

    @property
    def episode_returns(self) -> NDArray[np.float64]:
        """``(num_episodes,)`` undiscounted returns of the training episodes, in the order of their ends."""
        return np.array(self.episodes.returns, np.float64)

    @property
    def episode_lengths(self) -> NDArray[np.int64]:
        """``(num_episodes,)``."""
        return np.array(self.episodes.lengths, np.int64)

    @property
    def episode_ends(self) -> NDArray[np.int64]:
        """``(num_episodes,)`` the agent's ``num_timesteps`` when each ended."""
        return np.array(self.episodes.ends, np.int64)


def choose_device(device: str, observation_space: gym.Space[Any] | None = None) -> torch.device:
    """The torch device of that name; ``auto`` depends on what is observed.

    Raises:
        HyperparameterError: there is no such device here.
    """
    if device == "auto":
        leaves = (
            observation_space.spaces.values() if isinstance(observation_space, spaces.Dict) else [observation_space]
        )
        images = any(is_image(leaf) for leaf in leaves)
        return torch.device("cuda" if images and torch.cuda.is_available() else "cpu")
    return device_named(device)


@contextmanager
def _weights_from(seed: int) -> Iterator[None]:
    """torch's global CPU generator seeded inside, as it was outside."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _word(sequence: np.random.SeedSequence) -> int:
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))
