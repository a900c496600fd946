"""A Gymnasium environment over a :class:`FiniteMDP`; every finite environment of the suite derives from it."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from rlsuite.envs.finite.mdp import FiniteMDP


class FiniteMDPEnv(gym.Env[int, int]):
    """Steps a finite MDP, consuming one uniform per reset and one per step as Gymnasium's toy-text environments do.

    Args:
        mdp: the dynamics. Observations are ``mdp.observation[state]``.
        render_mode: ``None``, or one of ``metadata["render_modes"]``.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["ansi", "rgb_array", "human"], "render_fps": 8}

    def __init__(self, mdp: FiniteMDP, render_mode: str | None = None) -> None:
        self.mdp = mdp
        self.render_mode = render_mode
        self.observation_space = spaces.Discrete(mdp.n_observations)
        self.action_space = spaces.Discrete(mdp.n_actions)
        self.state = 0
        self.last_action: int | None = None

    @property
    def P(self) -> dict[int, dict[int, list[tuple[float, int, float, bool]]]]:
        """The dynamics in Gymnasium's dictionary convention, for tools that read it."""
        return self.mdp.to_transitions()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        cumulative = self.mdp.arrays.initial_cumulative
        self.state = int(np.argmax(cumulative > self.np_random.random()))
        self.last_action = None
        if self.render_mode == "human":
            self.render()
        return int(self.mdp.observation[self.state]), {"prob": float(self.mdp.initial[self.state])}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        arrays = self.mdp.arrays
        pair = self.state * self.mdp.n_actions + int(action)
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
