"""A point in the plane that jumps by its action: small enough to know everything about it."""

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from rlsuite.generative.linear.gaussian import Gaussian
from rlsuite.generative.linear.ppca import PPCA


class PointEnv(gym.Env):
    """The reward is −|x|² after the jump; an episode lasts 5 steps."""

    def __init__(self, size=2, bound=50.0):
        self.observation_space = spaces.Box(-np.inf, np.inf, (size,), np.float32)
        self.action_space = spaces.Box(-bound, bound, (size,), np.float32)
        self.x, self.steps = np.zeros(size), 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x, self.steps = self.np_random.normal(size=self.x.shape), 0
        return self.x.astype(np.float32), {}

    def step(self, action):
        self.x, self.steps = self.x + np.asarray(action, np.float64), self.steps + 1
        return self.x.astype(np.float32), -float(self.x @ self.x), False, self.steps == 5, {}

    def get_states(self):
        return self.x.copy()

    def simulate(self, states, actions):
        places = states[:, None] + actions.cumsum(1)
        return -np.square(places).sum(-1)


def position(env):
    return env.unwrapped.x


def positions(env):
    return np.stack([one.unwrapped.x for one in env.unwrapped.envs])


def vector(n=3, mode=AutoresetMode.NEXT_STEP):
    return SyncVectorEnv([PointEnv] * n, autoreset_mode=mode)


def gaussian(size=2, seed=0):
    """Fitted to correlated data that are not of unit scale."""
    draws = torch.randn(500, size, generator=torch.Generator().manual_seed(seed))
    model = Gaussian(size)
    model.fit(3.0 + draws @ torch.randn(size, size, generator=torch.Generator().manual_seed(1)), steps=1, held_out=0.0)
    return model


def ppca(size=2, k=1):
    draws = torch.randn(500, size, generator=torch.Generator().manual_seed(2))
    model = PPCA(size, latent_size=k)
    model.fit(1.0 + draws @ torch.randn(size, size, generator=torch.Generator().manual_seed(3)), steps=1, held_out=0.0)
    return model
