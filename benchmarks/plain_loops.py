"""The peer of the learner benchmark: each algorithm as a plain Gymnasium loop with a NumPy table, as users write it.

The loops do the same work as the suite's kernels: epsilon-greedy with random tie-breaking, the same update, the
return and length of every episode kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

ALPHA, GAMMA, EPSILON, PLANNING_STEPS = 0.1, 0.99, 0.1, 5


def epsilon_greedy(q: np.ndarray, s: int, rng: np.random.Generator) -> int:
    if rng.random() < EPSILON:
        return int(rng.integers(q.shape[1]))
    row = q[s]
    best = np.flatnonzero(row == row.max())
    return int(best[0]) if best.size == 1 else int(rng.choice(best))


def q_learning(env: gym.Env[Any, Any], n_steps: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    q = np.zeros((env.observation_space.n, env.action_space.n))
    returns, lengths, total, length = [], [], 0.0, 0
    s, _ = env.reset(seed=seed)
    for _ in range(n_steps):
        a = epsilon_greedy(q, s, rng)
        s_next, r, terminated, truncated, _ = env.step(a)
        target = r if terminated else r + GAMMA * q[s_next].max()
        q[s, a] += ALPHA * (target - q[s, a])
        total, length, s = total + float(r), length + 1, s_next
        if terminated or truncated:
            returns.append(total)
            lengths.append(length)
            total, length = 0.0, 0
            s, _ = env.reset()
    return q


def sarsa(env: gym.Env[Any, Any], n_steps: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    q = np.zeros((env.observation_space.n, env.action_space.n))
    returns, lengths, total, length = [], [], 0.0, 0
    s, _ = env.reset(seed=seed)
    a = epsilon_greedy(q, s, rng)
    for _ in range(n_steps):
        s_next, r, terminated, truncated, _ = env.step(a)
        a_next = epsilon_greedy(q, s_next, rng)
        target = r if terminated else r + GAMMA * q[s_next, a_next]
        q[s, a] += ALPHA * (target - q[s, a])
        total, length, s, a = total + float(r), length + 1, s_next, a_next
        if terminated or truncated:
            returns.append(total)
            lengths.append(length)
            total, length = 0.0, 0
            s, _ = env.reset()
            a = epsilon_greedy(q, s, rng)
    return q


def dyna_q(env: gym.Env[Any, Any], n_steps: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    q = np.zeros((env.observation_space.n, env.action_space.n))
    model: dict[tuple[int, int], tuple[float, int, bool]] = {}
    seen: list[tuple[int, int]] = []
    returns, lengths, total, length = [], [], 0.0, 0
    s, _ = env.reset(seed=seed)
    for _ in range(n_steps):
        a = epsilon_greedy(q, s, rng)
        s_next, r, terminated, truncated, _ = env.step(a)
        target = r if terminated else r + GAMMA * q[s_next].max()
        q[s, a] += ALPHA * (target - q[s, a])
        if (s, a) not in model:
            seen.append((s, a))
        model[s, a] = (float(r), s_next, terminated)
        for _ in range(PLANNING_STEPS):
            s_k, a_k = seen[rng.integers(len(seen))]
            r_k, next_k, end_k = model[s_k, a_k]
            target = r_k if end_k else r_k + GAMMA * q[next_k].max()
            q[s_k, a_k] += ALPHA * (target - q[s_k, a_k])
        total, length, s = total + float(r), length + 1, s_next
        if terminated or truncated:
            returns.append(total)
            lengths.append(length)
            total, length = 0.0, 0
            s, _ = env.reset()
    return q


LOOPS: dict[str, Callable[..., np.ndarray]] = {"q-learning": q_learning, "sarsa": sarsa, "dyna-q": dyna_q}
