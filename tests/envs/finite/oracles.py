"""Plain solutions of small MDPs, to judge the environments by without the suite's own planners."""

import numpy as np

from rlsuite.envs import make_env


def optimal_values(mdp, gamma=1.0, tolerance=1e-12):
    """Plain value iteration, (n_states,)."""
    v = np.zeros(mdp.n_states)
    while True:
        q = mdp.expected_reward + gamma * (mdp.continuation @ v).reshape(mdp.n_states, mdp.n_actions)
        if np.abs(q.max(axis=1) - v).max() < tolerance:
            return q.max(axis=1)
        v = q.max(axis=1)


def shortest_way(mdp):
    """Steps from the (only) start to termination in a deterministic MDP, by breadth-first search."""
    states, steps = {int(mdp.initial.argmax())}, 0
    while steps <= mdp.n_states:
        steps += 1
        pairs = [s * mdp.n_actions + a for s in states for a in range(mdp.n_actions)]
        outcomes = mdp.offset[pairs]
        if mdp.terminated[outcomes].any():
            return steps
        states = set(mdp.next_state[outcomes].tolist())
    return None


def mdp_of(id, **kwargs):
    return make_env(id, **kwargs).unwrapped.mdp
