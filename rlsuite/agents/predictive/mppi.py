"""MPPI, model predictive path integral control: plan by sampling in every step, act once, plan again (``mppi``)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from rlsuite.agents.base import Agent, checked_amount
from rlsuite.agents.callbacks import BaseCallback, CallbackList
from rlsuite.agents.hyperparameters import fields, hyperparameter
from rlsuite.agents.predictive.path_integral import Array, correlated_noise, improved, shifted
from rlsuite.agents.predictive.simulators import Simulator, simulator_of
from rlsuite.agents.saved import environment_of, remade
from rlsuite.errors import HyperparameterError, InvalidEnvironmentError, RecordError, RlsuiteError
from rlsuite.seeding import run_seeds
from rlsuite.tensor_files import DAMAGE, damaged, read_file, with_suffix, write_file

FORMAT = "rlsuite-mppi-1"


@dataclass(frozen=True)
class MPPIHyperparameters:
    """Fields of MPPI."""

    samples: int = hyperparameter(256, "noisy plans simulated in each iteration", low=2)
    horizon: int = hyperparameter(16, "steps that are looked ahead", low=1)
    iterations: int = hyperparameter(2, "improvements of the plan in each step", low=1)
    sigma: float = hyperparameter(0.2, "standard deviation of the noise, in half the range of an action", low=0.0)
    temperature: float = hyperparameter(0.2, "of the weights, in standard deviations of the returns", low=0.0)
    smoothing: float = hyperparameter(0.5, "correlation of the noise between two successive steps", low=0.0, high=1.0)
    gamma: float = hyperparameter(1.0, "discount factor within the horizon", low=0.0, high=1.0)


class _Planned(NamedTuple):
    state: Array  # (m,) in which it was made
    plan: Array  # (horizon, size)


class MPPI(Agent):
    """Predictive control by sampling: no networks, no learning, nothing remembered but the plan of the step before.

    In every step the plan of the step before, shifted by one, is improved ``iterations`` times: noisy plans are simulated
    from the state of the environment, and their mean, weighted by their returns, is the new plan
    (:mod:`~rlsuite.agents.predictive.path_integral`). Its first action is taken. An episode begins with a plan of actions
    in the middle of their range.

    :meth:`learn` takes no step and changes nothing but ``num_timesteps``: there is nothing to learn. :meth:`predict` plans
    from the state of the environment that :meth:`act_in` named (first: the agent's own), which must be the one that
    showed the observation; the observation itself is not looked at. All its noise comes from the agent's seed and
    the age of the episode, so that the answer is the same in the same state after the same past, deterministic or not.

    Args:
        env: environment, vector environment or id; one that :func:`~rlsuite.agents.predictive.simulators.simulator_of`
            can simulate, with finite Box actions.
        device: taken for the sake of deep agents' callers; planning runs on the CPU.
    """

    name = "mppi"
    kind = "planning"
    restarts_schedules = True
    Hyperparameters = MPPIHyperparameters
    action_spaces: ClassVar[tuple[type, ...]] = (spaces.Box,)
    metrics: ClassVar[dict[str, float]] = {}

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
        self.num_timesteps = self.num_episodes = 0
        self._until = 0
        self._noise_seed = run_seeds(self.seed).agent
        space = _single(self.env, "action")
        if not isinstance(space, spaces.Box) or not space.is_bounded() or not np.issubdtype(space.dtype, np.floating):
            raise InvalidEnvironmentError(f"{self.name} takes finite Box actions, not {space}")
        self.action_space = space
        self._low, self._high = space.low.ravel().astype(np.float64), space.high.ravel().astype(np.float64)
        self.act_in(self.env)

    # -- planning -------------------------------------------------------------------------------------------------------

    def act_in(self, env: gym.Env[Any, Any] | VectorEnv[Any, Any, Any]) -> None:
        """From now on :meth:`predict` plans in ``env``, which has just been reset.

        Raises:
            InvalidEnvironmentError: it cannot be simulated.
        """
        self._simulator: Simulator = simulator_of(env)
        self.observation_space = _single(env, "observation")
        self._planned: dict[int, _Planned] = {}

    def plan(self, row: int = 0) -> Array:
        """``(horizon, size)`` actions from the state that ``row`` of the environment is in."""
        simulator = self._simulator
        state, age = simulator.get_states()[row], int(simulator.steps[row])
        before = self._planned.get(row)
        if before is not None and np.array_equal(before.state, state):
            return before.plan
        start = np.tile(0.5 * (self._low + self._high), (self.hyperparameters.horizon, 1))
        first = start if before is None or age == 0 else shifted(before.plan)
        noise = np.random.default_rng(np.random.SeedSequence(self._noise_seed, spawn_key=(row, age)))
        self._planned[row] = _Planned(state, self._improve(first, state, noise))
        return self._planned[row].plan

    def _improve(self, plan: Array, state: Array, rng: np.random.Generator) -> Array:
        h = self.hyperparameters
        scale = h.sigma * 0.5 * (self._high - self._low)
        for _ in range(h.iterations):
            noise = scale * correlated_noise(rng, (h.samples, *plan.shape), h.smoothing)
            plan, _ = improved(
                plan, noise, lambda actions: self._simulator.simulate(state, actions), self._low, self._high,
                gamma=h.gamma, temperature=h.temperature,
            )  # fmt: skip
        return plan

    # -- the four verbs ---------------------------------------------------------------------------------------------------

    def learn(
        self,
        total_timesteps: int | None = None,
        callback: BaseCallback | list[BaseCallback] | None = None,
        *,
        total_episodes: int | None = None,
    ) -> Self:
        """Learn nothing, at once: ``num_timesteps`` grows by ``total_timesteps``, and no step is taken.

        Raises:
            HyperparameterError: neither amount is given, or one is no whole number.
        """
        if total_timesteps is None and total_episodes is None:
            raise HyperparameterError(f"{self.name}.learn needs total_timesteps or total_episodes")
        if total_episodes is not None:
            checked_amount(total_episodes, "total_episodes")
        self._until = self.num_timesteps + checked_amount(total_timesteps or 0, "total_timesteps")
        return self.resume(callback)

    def resume(self, callback: BaseCallback | list[BaseCallback] | None = None) -> Self:
        """To the end of the last call of :meth:`learn`."""
        watcher = CallbackList(callback) if isinstance(callback, list) else callback or BaseCallback()
        watcher.on_training_start(self)
        self.num_timesteps = max(self.num_timesteps, self._until)
        watcher.on_training_end()
        return self

    def predict(self, observation: Any, deterministic: bool = True) -> tuple[Any, None]:
        """``(action, None)`` in the state that the environment is in, ``(actions, None)`` for a batch of observations."""
        rows = len(self._simulator.get_states())
        shape, space = np.shape(observation), self.observation_space
        if shape == (rows, *(space.shape or ())):
            return np.stack([self._action(row) for row in range(rows)]), None
        if shape == space.shape and rows == 1:
            return self._action(0), None
        raise InvalidEnvironmentError(
            f"{self.name} plans in the {rows} environment(s) that act_in named; an observation of shape {shape} is of others"
        )

    def _action(self, row: int) -> NDArray[Any]:
        return self.plan(row)[0].reshape(self.action_space.shape).astype(self.action_space.dtype)

    def save(self, path: str | Path, *, training_state: bool = True, durable: bool = True) -> Path:
        """Write hyperparameters and seed, which is all there is, to ``path`` (``.safetensors``)."""
        path = with_suffix(path)
        header = {
            "format": FORMAT,
            "agent": self.name,
            "env": environment_of(self.env),
            "hyperparameters": {name: getattr(self.hyperparameters, name) for name in fields(self.hyperparameters)},
            "seed": self.seed,
            "noise_seed": self._noise_seed,
            "num_timesteps": self.num_timesteps,
            "until": self._until,
        }
        write_file(path, header, {}, durable=durable)
        return path

    @classmethod
    def load(
        cls,
        path: str | Path,
        env: gym.Env[Any, Any] | VectorEnv[Any, Any, Any] | str | None = None,
        *,
        device: str = "auto",
        training_state: bool = True,
    ) -> Self:
        header, _ = read_file(path, FORMAT)
        if header.get("agent") != cls.name:
            raise RecordError(f"{path} holds a {header.get('agent')!r} agent, not {cls.name!r}")
        try:
            agent = cls(
                remade(path, header["env"]) if env is None else env, seed=header["seed"], **header["hyperparameters"]
            )
            agent._noise_seed = int(np.random.SeedSequence(header["noise_seed"]).entropy)  # type: ignore[arg-type]
            agent.num_timesteps = checked_amount(header["num_timesteps"], "num_timesteps")
            agent._until = checked_amount(header["until"], "until")
        except RlsuiteError as error:
            if isinstance(error, RecordError) and str(path) in str(error):
                raise
            raise RecordError(f"{path}: {error}") from None
        except DAMAGE as error:
            raise damaged(path, error) from None
        return agent

    # -- what comparisons read: it has trained in no episode --------------------------------------------------------------

    @property
    def episode_returns(self) -> NDArray[np.float64]:
        return np.zeros(0)

    @property
    def episode_lengths(self) -> NDArray[np.int64]:
        return np.zeros(0, np.int64)

    @property
    def episode_ends(self) -> NDArray[np.int64]:
        return np.zeros(0, np.int64)


def _single(env: Any, what: str) -> Any:
    """Observation or action space of one environment, of vector environments as of others."""
    return getattr(env, f"single_{what}_space" if isinstance(env, VectorEnv) else f"{what}_space")
