"""Simulators: what predictive control needs of an environment, which is its state now and rewards of actions from there.

An environment, or vector environment, that has these three itself is its own simulator:

- ``get_states() -> (n, m)`` the states its rows are in (``n`` is 1 for a single environment);
- ``simulate(states, actions) -> (k, horizon)`` rewards of ``actions`` ``(k, horizon, size)`` from the state ``(m,)``.
  Nothing happens to the environment itself, and after the end of an episode there is no reward any more;
- ``steps``: ``(n,)`` steps that the running episodes are old.

Gymnasium's Hopper and HalfCheetah are simulated by :mod:`~rlsuite.agents.predictive.mujoco_simulator`.
"""

from __future__ import annotations

from typing import Any, Protocol

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from rlsuite.errors import InvalidEnvironmentError

Array = NDArray[np.float64]


class Simulator(Protocol):
    """States, and what comes of acting from them; see above."""

    @property
    def steps(self) -> NDArray[Any]: ...

    def get_states(self) -> Array: ...

    def simulate(self, states: Array, actions: Array) -> Array: ...


def simulator_of(env: Any) -> Simulator:
    """How to simulate ``env``, a Gymnasium environment or vector environment; wrappers that change actions are refused.

    Rewards are those of the environment itself, whatever wrappers make of them, and its time limit is not simulated
    unless it simulates it itself.

    Raises:
        InvalidEnvironmentError: it cannot be simulated.
    """
    from rlsuite.agents.predictive.mujoco_simulator import mujoco_simulator

    inner = env.unwrapped
    if isinstance(env, gym.Wrapper) and env.action_space != inner.action_space:
        raise InvalidEnvironmentError(
            f"{env} takes other actions than the environment inside, which would be simulated"
        )
    for candidate in (inner, getattr(inner, "core", None)):  # a single environment may hold a vector of one
        if all(hasattr(candidate, name) for name in ("get_states", "simulate", "steps")):
            return candidate  # type: ignore[return-value]
    found = mujoco_simulator(inner)
    if found is None:
        raise InvalidEnvironmentError(
            f"{inner} cannot be simulated: predictive control takes environments with get_states, simulate and steps, "
            "Hopper-v5 and HalfCheetah-v5"
        )
    return found
