"""Prediction: the value of a given policy, v_pi(s) = E_pi[G_t | S_t = s] (Sutton & Barto 2018, eq. 3.12).

The policy is a table of probabilities that does not change while its value is learned. It lies in the memory, beside
the values, so that it is saved and loaded with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.agents.hyperparameters import hyperparameter
from rlsuite.agents.tabular.agent import TabularAgent
from rlsuite.agents.tabular.kernels import kernel
from rlsuite.errors import HyperparameterError

PROBABILITY_TOLERANCE = 1e-8


@dataclass(frozen=True)
class PredictionHyperparameters:
    """Fields of learners of state values."""

    gamma: float = hyperparameter(0.99, "discount factor", low=0.0, high=1.0)
    alpha: float = hyperparameter(0.1, "step size", low=0.0, high=1.0, low_open=True)
    alpha_power: float = hyperparameter(
        0.0, "step size is alpha / n**alpha_power at the n-th update", low=0.0, high=1.0
    )
    initial_value: float = hyperparameter(0.0, "initial state values")


@kernel
def sample_action(policy, s, rng):
    """An action drawn from row ``s`` of a table of probabilities; one random number."""
    u, cumulative, last = rng.random(), 0.0, 0
    for a in range(policy.shape[1]):
        if policy[s, a] > 0.0:
            cumulative += policy[s, a]
            last = a
            if cumulative > u:
                return a
    return last  # rounding left the sum below u


@kernel
def state_step_size(alpha, alpha_power, updates, s):
    """alpha / n**alpha_power, where n counts the updates of state ``s``, this one included."""
    if alpha_power == 0.0:
        return alpha
    updates[s] += 1
    return alpha / updates[s] ** alpha_power


class PredictionAgent(TabularAgent):
    """A learner of ``memory.v`` that acts by ``memory.policy``, the policy it evaluates.

    Args:
        policy: ``(n_observations, n_actions)`` probabilities; ``None`` is the uniform random policy.

    Raises:
        HyperparameterError: the policy has the wrong shape, or a row of it is no distribution.
    """

    kind: ClassVar = "prediction"

    def __init__(
        self, env: gym.Env[Any, Any] | str | None = None, *, policy: ArrayLike | None = None, **arguments: Any
    ) -> None:
        self._given_policy = policy
        super().__init__(env, **arguments)

    def policy_table(self, n_observations: int, n_actions: int) -> NDArray[np.float64]:
        """A checked copy of the policy to evaluate, for :meth:`make_memory` to put in the memory."""
        if self._given_policy is None:
            return np.full((n_observations, n_actions), 1.0 / n_actions)
        return checked_policy(self._given_policy, n_observations, n_actions, f"{self.name}.policy")

    @property
    def state_values(self) -> NDArray[np.float64]:
        """``(n_observations,)`` the learned v."""
        return np.asarray(self.memory.v)

    def target_policy(self) -> NDArray[np.float64]:
        """``(n_observations, n_actions)`` the policy that is evaluated."""
        return np.asarray(self.memory.policy)


def checked_policy(policy: ArrayLike, n_observations: int, n_actions: int, name: str) -> NDArray[np.float64]:
    """``policy`` as a fresh table of probabilities.

    Raises:
        HyperparameterError: wrong shape, or a row that is no distribution; the message begins with ``name``.
    """
    table = np.array(policy, dtype=np.float64)
    if table.shape != (n_observations, n_actions):
        raise HyperparameterError(
            f"{name} has shape {table.shape}; this environment needs {(n_observations, n_actions)}, "
            "one row of action probabilities per observation"
        )
    wrong = ~((table >= 0.0).all(axis=1) & (np.abs(table.sum(axis=1) - 1.0) <= PROBABILITY_TOLERANCE))
    if wrong.any():
        row = int(wrong.argmax())
        raise HyperparameterError(f"{name}[{row}] is {table[row].tolist()}; it must be non-negative and sum to 1")
    return table
