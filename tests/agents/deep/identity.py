"""Identity environments: the best action is the observation itself."""

import gymnasium as gym
import numpy as np
from gymnasium import spaces

SPACES = {
    "discrete": spaces.Discrete(4),
    "multi-discrete": spaces.MultiDiscrete([2, 3]),
    "multi-binary": spaces.MultiBinary(3),
    "box": spaces.Box(-1.0, 1.0, (1,)),
}


class Identity(gym.Env):
    """Reward 1 - (mean squared) difference of action and observation, which are of one space; 10 steps to an episode."""

    def __init__(self, name, seed=0):
        self.observation_space = self.action_space = SPACES[name]
        self.rng = np.random.default_rng(seed)

    def draw(self):
        space = self.observation_space
        if isinstance(space, spaces.Box):
            return self.rng.uniform(-0.8, 0.8, space.shape).astype(np.float32)
        if isinstance(space, spaces.Discrete):
            return self.rng.integers(space.n)
        top = space.nvec if isinstance(space, spaces.MultiDiscrete) else np.full(space.shape, 2)
        return self.rng.integers(top).astype(space.dtype)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t, self.observation = 0, self.draw()
        return self.observation, {}

    def step(self, action):
        difference = np.abs(np.asarray(action, float) - self.observation)
        if not isinstance(self.action_space, spaces.Box):
            difference = difference != 0
        self.t += 1
        self.observation = self.draw()
        return self.observation, 1.0 - float(np.mean(np.square(difference))), self.t >= 10, False, {}


def score(agent, name, n=200):
    """Mean reward of the agent's best actions."""
    env = Identity(name, seed=1)
    observations = [env.draw() for _ in range(n)]
    actions, _ = agent.predict(np.stack(observations))
    assert all(env.action_space.contains(action) for action in actions)
    if isinstance(env.action_space, spaces.Box):
        return 1.0 - float(np.mean(np.square(actions - np.stack(observations))))
    return float(np.mean(actions == np.stack(observations)))
