"""A tiny environment of any observation and action space, whose whole state can be saved; short to fail in and to run."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.wrappers import TimeLimit

OBSERVATIONS: dict[str, gym.Space[Any]] = {
    "box": spaces.Box(-1.0, 1.0, (3,), np.float32),
    "dict": spaces.Dict({"x": spaces.Box(-1.0, 1.0, (2,), np.float32), "key": spaces.Discrete(3, start=-1)}),
    "image": spaces.Box(0, 255, (36, 36, 1), np.uint8),
    "multidiscrete": spaces.MultiDiscrete([2, 3]),
}
ACTIONS: dict[str, gym.Space[Any]] = {
    "discrete": spaces.Discrete(3),
    "from-one": spaces.Discrete(3, start=1),
    "multidiscrete": spaces.MultiDiscrete([2, 3]),
    "multibinary": spaces.MultiBinary(3),
    "box": spaces.Box(-2.0, 2.0, (2,), np.float32),
}


class SmallEnv(gym.Env[Any, Any]):
    """Each observation is drawn anew; acting near the sum of the last one pays; an episode ends by chance."""

    def __init__(self, observations: str = "box", actions: str = "discrete") -> None:
        self.observation_space, self.action_space = OBSERVATIONS[observations], ACTIONS[actions]
        self.kind, self.wanted = observations, 0.0

    def observe(self) -> Any:
        rng = self.np_random
        if self.kind == "dict":
            observation = {"x": rng.uniform(-1, 1, 2).astype(np.float32), "key": np.int64(rng.integers(-1, 2))}
            self.wanted = float(observation["key"])
            return observation
        if self.kind == "image":
            image = np.full((36, 36, 1), rng.integers(256), np.uint8)
            self.wanted = float(image[0, 0, 0]) / 255
            return image
        if self.kind == "multidiscrete":
            pair = rng.integers([2, 3])
            self.wanted = float(pair[0])
            return pair
        x = rng.uniform(-1, 1, 3).astype(np.float32)
        self.wanted = float(x[0])
        return x

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return self.observe(), {}

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action), action
        reward = -abs(float(np.sum(action)) - self.wanted)
        return self.observe(), reward, bool(self.np_random.random() < 0.1), False, {}

    def state_arrays(self) -> dict[str, Any]:
        return {}

    def state_values(self) -> dict[str, Any]:
        return {"wanted": self.wanted}

    def load_state(self, arrays: dict[str, Any], values: dict[str, Any]) -> None:
        self.wanted = float(values["wanted"])


def small_env(observations: str = "box", actions: str = "discrete", limit: int = 7) -> gym.Env[Any, Any]:
    """``SmallEnv`` with a time limit."""
    return TimeLimit(SmallEnv(observations, actions), limit)
