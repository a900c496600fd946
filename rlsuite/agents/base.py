"""The agent contract: four verbs (``learn``, ``predict``, ``save``, ``load``) that stable-baselines3 users know."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import gymnasium as gym
import numpy as np

from rlsuite.agents.callbacks import BaseCallback
from rlsuite.agents.hyperparameters import build
from rlsuite.envs.registration import make_env
from rlsuite.errors import HyperparameterError
from rlsuite.seeding import checked_seed

Kind = Literal["planning", "prediction", "control"]


class Agent(ABC):
    """Base of every agent of the suite.

    Args:
        env: a Gymnasium environment, or the id of one.
        seed: one integer from which the environment, agent and evaluation streams derive
            (:func:`rlsuite.seeding.run_seeds`); ``None`` draws one.
        **hyperparameters: fields of the class's ``Hyperparameters``.

    Attributes:
        name: the id under which the agent is registered.
        kind: ``"control"`` learns to act, ``"prediction"`` learns the value of a given policy, ``"planning"``
            computes from the model.
        restarts_schedules: whether each call of :meth:`learn` begins its schedules (learning rate, exploration) anew, as
            deep agents do. What a callback or an interruption stopped is continued by ``resume`` of such agents.
        evaluation_rng: where ``predict(deterministic=False)`` draws from; an evaluation replaces it for its duration
            (``None``: the agent draws from elsewhere, and its stochastic evaluations are not repeatable).
        num_timesteps: environment steps learned from so far, over all calls of :meth:`learn`.

    Raises:
        HyperparameterError, UnknownNameError: a hyperparameter is out of range or unknown.
        UnknownNameError, InvalidEnvironmentError: no such environment, or it cannot be made.
    """

    name: ClassVar[str]
    kind: ClassVar[Kind]
    Hyperparameters: ClassVar[type]

    restarts_schedules: ClassVar[bool] = False
    num_timesteps: int
    evaluation_rng: np.random.Generator | None = None

    def __init__(self, env: gym.Env[Any, Any] | str | None, *, seed: int | None = None, **hyperparameters: Any) -> None:
        self.hyperparameters = build(self.Hyperparameters, hyperparameters, self.name)
        self.env: gym.Env[Any, Any] | None = make_env(env) if isinstance(env, str) else env
        self.seed = checked_seed(seed)

    @abstractmethod
    def learn(
        self,
        total_timesteps: int | None = None,
        callback: BaseCallback | list[BaseCallback] | None = None,
        *,
        total_episodes: int | None = None,
    ) -> Self:
        """Learn for that many *more* steps (or episodes, whichever ends first). Calling twice adds up."""

    @abstractmethod
    def predict(self, observation: Any, deterministic: bool = True) -> tuple[Any, None]:
        """``(action, None)`` for one observation; changes nothing, also not the random state, when deterministic."""

    @abstractmethod
    def save(self, path: str | Path) -> Path:
        """Write the agent to one ``.safetensors`` file, atomically; returns the path written."""

    @classmethod
    @abstractmethod
    def load(cls, path: str | Path, env: gym.Env[Any, Any] | str | None = None) -> Self:
        """Read an agent written by :meth:`save`; it goes on learning in ``env`` where it stopped.

        Raises:
            RecordError: the file is missing, truncated, or holds another agent.
        """


def checked_amount(amount: float, name: str) -> int:
    """``amount`` of steps or episodes as an integer; ``1e5`` is one.

    Raises:
        HyperparameterError: it is negative, or not a whole number.
    """
    if not (amount >= 0 and amount == amount // 1):  # also false for NaN
        raise HyperparameterError(f"{name} must be a whole number of at least 0, not {amount!r}")
    return int(amount)
