"""A linear-quadratic problem as an environment that can be simulated, and its exact finite-horizon optimum."""

import gymnasium as gym
import numpy as np
from gymnasium import spaces

A = np.array([[1.0, 0.1], [0.0, 1.0]])
B = np.array([[0.005], [0.1]])
Q, R = np.diag([1.0, 0.1]), np.diag([0.01])


class LinearEnv(gym.Env):
    """x' = A x + B u with the reward -(x'ᵀ Q x' + uᵀ R u): a mass that is pushed to the origin."""

    observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float64)
    action_space = spaces.Box(-20.0, 20.0, (1,), np.float64)

    def __init__(self):
        self.x, self.age = np.array([1.0, 0.0]), 0

    @property
    def steps(self):
        return np.array([self.age])

    def get_states(self):
        return self.x[None].copy()

    def simulate(self, states, actions):
        x, rewards = np.broadcast_to(states, (len(actions), 2)), []
        for t in range(actions.shape[1]):
            u = actions[:, t]
            x = x @ A.T + u @ B.T
            rewards.append(-np.einsum("ni,ij,nj->n", x, Q, x) - np.einsum("ni,ij,nj->n", u, R, u))
        return np.stack(rewards, axis=1)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x, self.age = np.array([1.0, 0.0]), 0
        return self.x.copy(), {}

    def step(self, action):
        reward = float(self.simulate(self.x, np.asarray(action, float).reshape(1, 1, 1))[0, 0])
        self.x, self.age = A @ self.x + B @ np.asarray(action, float), self.age + 1
        return self.x.copy(), reward, False, False, {}


def optimum(x, horizon):
    """The least cost of ``horizon`` steps from ``x`` and the actions that have it, by the Riccati recursion."""
    P, gains = np.zeros((2, 2)), []
    for _ in range(horizon):
        S = Q + P  # the reward counts the successor's cost
        K = np.linalg.solve(R + B.T @ S @ B, B.T @ S @ A)
        P = A.T @ S @ (A - B @ K)
        gains.append(K)
    actions, cost = [], float(x @ P @ x)
    for K in reversed(gains):
        actions.append(-K @ x)
        x = A @ x + B @ actions[-1]
    return cost, np.array(actions)
