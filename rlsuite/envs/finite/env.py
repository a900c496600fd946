"""A Gymnasium environment over a :class:`FiniteMDP`; every finite environment of the suite derives from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.errors import InvalidEnvironmentError, RecordError

if TYPE_CHECKING:
    from rlsuite.envs.finite.rendering import Painter, Window


class FiniteMDPEnv(gym.Env[Any, Any]):
    """Steps a finite MDP, consuming one uniform per reset and one per step as Gymnasium's toy-text environments do.

    Args:
        mdp: the dynamics. Observations are ``mdp.observation[state]``.
        render_mode: ``None``, or one of ``metadata["render_modes"]``; rendering draws ``mdp.layout``.
    """

    metadata = {"render_modes": ["ansi", "rgb_array", "human"], "render_fps": 8}  # noqa: RUF012 (Gymnasium's name)

    def __init__(self, mdp: FiniteMDP, render_mode: str | None = None) -> None:
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise InvalidEnvironmentError(
                f"render_mode must be one of {self.metadata['render_modes']}, is {render_mode!r}"
            )
        self._mdp = mdp
        self.render_mode = render_mode
        self.observation_space = spaces.Discrete(mdp.n_observations)
        self.action_space = spaces.Discrete(mdp.n_actions)
        self.state = 0
        self.last_action: int | None = None
        self._painter: Painter | None = None
        self._window: Window | None = None

    @property
    def mdp(self) -> FiniteMDP:
        """The dynamics."""
        return self._mdp

    @property
    def P(self) -> dict[int, dict[int, list[tuple[float, int, float, bool]]]]:
        """The dynamics in Gymnasium's dictionary convention, for tools that read it."""
        return self.mdp.to_transitions()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        cumulative = self._mdp.arrays.initial_cumulative
        self.state = int(np.argmax(cumulative > self.np_random.random()))
        self.last_action = None
        if self.render_mode == "human":
            self.render()
        return int(self._mdp.observation[self.state]), {"prob": float(self._mdp.initial[self.state])}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        arrays = self._mdp.arrays
        if not 0 <= action < arrays.n_actions:
            raise gym.error.InvalidAction(f"action must lie in 0…{arrays.n_actions - 1}, is {action}")
        pair = self.state * arrays.n_actions + int(action)
        low, high = arrays.offset[pair], arrays.offset[pair + 1]
        j = int(low + np.argmax(arrays.cumulative[low:high] > self.np_random.random()))
        self.state = int(arrays.next_state[j])
        self.last_action = int(action)
        if self.render_mode == "human":
            self.render()
        observation = int(arrays.observation[self.state])
        return (
            observation,
            float(arrays.reward[j]),
            bool(arrays.terminated[j]),
            False,
            {"prob": float(arrays.probability[j])},
        )

    def render(self) -> Any:
        """The current state as text (``ansi``), as an image (``rgb_array``), or in a window (``human``)."""
        if self.render_mode is None:
            gym.logger.warn("render() was called without a render_mode; choose one in gym.make(..., render_mode=...)")
            return None
        from rlsuite.envs.finite import rendering

        layout = self._mdp.layout
        if layout is None:
            raise InvalidEnvironmentError(f"{self._mdp.name} has no layout, so it cannot be drawn")
        if self.render_mode == "ansi":
            return rendering.text(layout, self.state, self.last_action)
        if self._painter is None or self._painter.layout is not layout:
            self._painter = rendering.Painter(layout)
        frame = self._painter.frame(self.state, self.last_action)
        if self.render_mode == "rgb_array":
            return frame
        if self._window is None:
            self._window = rendering.Window(self._mdp.name, frame.shape[:2], self.metadata["render_fps"])
        self._window.show(frame)
        return None

    # -- state: what a checkpoint keeps besides the generators; subclasses with more of it extend these ---------------

    def state_arrays(self) -> dict[str, Any]:
        return {}

    def state_values(self) -> dict[str, Any]:
        """The state and the last action."""
        return {"state": self.state, "last_action": self.last_action}

    def load_state(self, arrays: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Go on from a saved state.

        Raises:
            RecordError: the MDP has no such state or action.
        """
        state, action = values["state"], values["last_action"]
        if type(state) is not int or not 0 <= state < self._mdp.n_states:
            raise RecordError(f"{self._mdp.name} has the states 0…{self._mdp.n_states - 1}, not {state!r}")
        if action is not None and (type(action) is not int or not 0 <= action < self._mdp.n_actions):
            raise RecordError(f"{self._mdp.name} has the actions 0…{self._mdp.n_actions - 1}, not {action!r}")
        self.state, self.last_action = state, action

    def close(self) -> None:
        if self._window is not None:
            self._window.close()
            self._window = None
