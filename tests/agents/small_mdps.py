"""Finite MDPs small enough to reason about, and the few lines of linear algebra that give their exact values."""

from __future__ import annotations

import numpy as np

from rlsuite.envs.finite.mdp import FiniteMDP


def blank(n_states: int = 4, n_actions: int = 2, **attributes) -> FiniteMDP:
    """Every pair leads to state 0 with reward 0: a place for tables that are written by hand."""
    transitions = {s: {a: [(1.0, 0, 0.0, False)] for a in range(n_actions)} for s in range(n_states)}
    return FiniteMDP.from_transitions(transitions, np.eye(n_states)[0], **attributes)


def random_walk(n: int, left: float = 0.0, right: float = 1.0) -> FiniteMDP:
    """States 0 … n-1 in a row, starting in the middle; stepping off an end terminates with that reward."""
    transitions = {}
    for s in range(n):
        down = (1.0, s, left, True) if s == 0 else (1.0, s - 1, 0.0, False)
        up = (1.0, s, right, True) if s == n - 1 else (1.0, s + 1, 0.0, False)
        transitions[s] = {0: [down], 1: [up]}
    return FiniteMDP.from_transitions(transitions, np.eye(n)[n // 2], name=f"{n}-state random walk")


def random_mdp(seed: int, n_states: int = 5, n_actions: int = 3, *, stochastic: bool = True) -> FiniteMDP:
    """Dense random transitions and rewards; one pair in five may terminate; starts anywhere."""
    rng = np.random.default_rng(seed)
    transitions = {}
    for s in range(n_states):
        transitions[s] = {}
        for a in range(n_actions):
            k = 3 if stochastic else 1
            p = rng.dirichlet(np.ones(k))
            transitions[s][a] = [
                (float(p[j]), int(rng.integers(n_states)), float(rng.normal()), bool(rng.random() < 0.2))
                for j in range(k)
            ]
    return FiniteMDP.from_transitions(transitions, np.full(n_states, 1 / n_states), name=f"random MDP {seed}")


def policy_values(mdp: FiniteMDP, policy: np.ndarray, gamma: float) -> np.ndarray:
    """v_pi by a linear solve."""
    n, k = mdp.n_states, mdp.n_actions
    continuation = mdp.continuation.toarray().reshape(n, k, n)
    p = np.einsum("sa,sat->st", policy, continuation)
    r = (policy * mdp.expected_reward).sum(axis=1)
    return np.linalg.solve(np.eye(n) - gamma * p, r)


def optimal_action_values(mdp: FiniteMDP, gamma: float) -> np.ndarray:
    """q* by value iteration to rounding (gamma < 1)."""
    q = np.zeros((mdp.n_states, mdp.n_actions))
    for _ in range(10_000):
        new = mdp.expected_reward + gamma * (mdp.continuation @ q.max(axis=1)).reshape(q.shape)
        if np.abs(new - q).max() < 1e-14:
            return new
        q = new
    return q
