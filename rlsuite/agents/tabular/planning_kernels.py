r"""Compiled Bellman backups over the whole state space, and the order in which states are backed up.

A backup of :math:`(s, a)` is :math:`r(s,a) + \gamma \sum_{s'} p(s', \text{going on}\,|\,s,a)\, v(s')` (Sutton & Barto
2018, eq. 4.10). The discounted probabilities lie packed in a :class:`Backup`: outcomes that end the episode are left
out, indices take 32 bits, so that a sweep, which is bound by memory bandwidth, reads as little as it can.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlsuite.agents.tabular.kernels import entry_kernel, kernel
from rlsuite.agents.tabular.priority_queue import dequeue, enqueue
from rlsuite.envs.finite.mdp import FiniteMDP


class Backup(NamedTuple):
    """The MDP as sweeps read it; pairs are numbered ``s * n_actions + a``."""

    start: NDArray[np.int32]  # (n_pairs + 1,) where the outcomes of each pair begin
    weight: NDArray[np.float64]  # (n_outcomes,) gamma * probability
    next_state: NDArray[np.int32]  # (n_outcomes,)
    reward: NDArray[np.float64]  # (n_states, n_actions) mean reward


def make_backup(mdp: FiniteMDP, gamma: float) -> Backup:
    """Pack the dynamics."""
    size = mdp.probability.size
    backup = Backup(
        np.empty(mdp.offset.size, np.int32),
        np.empty(size),
        np.empty(size, np.int32),
        np.empty((mdp.n_states, mdp.n_actions)),
    )
    kept = pack(mdp.arrays if "arrays" in mdp.__dict__ else mdp_columns(mdp), gamma, backup)
    return backup._replace(weight=backup.weight[:kept], next_state=backup.next_state[:kept])


class Columns(NamedTuple):
    """The columns of a :class:`FiniteMDP` that planning needs."""

    offset: NDArray[np.int64]
    probability: NDArray[np.float64]
    next_state: NDArray[np.int64]
    reward: NDArray[np.float64]
    terminated: NDArray[np.bool_]


def mdp_columns(mdp: FiniteMDP) -> Columns:
    """Without the running sums of ``mdp.arrays``, which only sampling needs."""
    return Columns(mdp.offset, mdp.probability, mdp.next_state, mdp.reward, mdp.terminated)


@entry_kernel
def pack(mdp, gamma, b):
    """Fill ``b``; returns the number of outcomes kept."""
    n_states, n_actions = b.reward.shape
    kept = 0
    for s in range(n_states):
        for a in range(n_actions):
            pair = s * n_actions + a
            b.start[pair] = kept
            mean = 0.0
            for j in range(mdp.offset[pair], mdp.offset[pair + 1]):
                p = mdp.probability[j]
                mean += p * mdp.reward[j]
                if p > 0.0 and not mdp.terminated[j]:
                    b.weight[kept] = gamma * p
                    b.next_state[kept] = mdp.next_state[j]
                    kept += 1
            b.reward[s, a] = mean
    b.start[n_states * n_actions] = kept
    return kept


@kernel
def action_value(b, v, s, a):
    """r(s, a) + gamma E[v(s')]."""
    pair = s * b.reward.shape[1] + a
    q = b.reward[s, a]
    for j in range(b.start[pair], b.start[pair + 1]):
        q += b.weight[j] * v[b.next_state[j]]
    return q


@kernel
def best_value(b, v, s):
    """max_a of the backup."""
    best = action_value(b, v, s, 0)
    for a in range(1, b.reward.shape[1]):
        best = max(best, action_value(b, v, s, a))
    return best


@entry_kernel
def sweep_synchronous(b, v, new):
    """new = T v; returns max |new - v|."""
    change = 0.0
    for s in range(v.size):
        new[s] = best_value(b, v, s)
        change = max(change, abs(new[s] - v[s]))
    return change


@entry_kernel
def sweep_gauss_seidel(b, v):
    """Back up every state in place, forwards and then backwards; returns the largest change of the second pass."""
    change = 0.0
    for s in range(v.size):
        v[s] = best_value(b, v, s)
    for s in range(v.size - 1, -1, -1):
        best = best_value(b, v, s)
        change = max(change, abs(best - v[s]))
        v[s] = best
    return change


@entry_kernel
def sweep_prioritized(b, v, queue, predecessor_start, predecessor, threshold):
    """n_states backups, each of the state of largest Bellman error; returns the largest error before them."""
    for i in range(queue.size[0]):
        queue.place[queue.item[i]] = -1
    queue.size[0] = 0
    largest = 0.0
    for s in range(v.size):
        error = abs(best_value(b, v, s) - v[s])
        largest = max(largest, error)
        if error > threshold:
            enqueue(queue, s, error)
    backups = 0
    while backups < v.size and queue.size[0] > 0:
        s = dequeue(queue)
        v[s] = best_value(b, v, s)
        backups += 1
        for k in range(predecessor_start[s], predecessor_start[s + 1]):
            before = predecessor[k]
            error = abs(best_value(b, v, before) - v[before])
            if error > threshold:
                enqueue(queue, before, error)
    return largest


@entry_kernel
def action_values(b, v, q):
    """q(s, a), the backup of every pair."""
    for s in range(v.size):
        for a in range(b.reward.shape[1]):
            q[s, a] = action_value(b, v, s, a)


@entry_kernel
def improve(b, v, new, policy):
    """new = T v with a greedy action of each state in ``policy``; returns max |new - v|."""
    change = 0.0
    for s in range(v.size):
        best = action_value(b, v, s, 0)
        policy[s] = 0
        for a in range(1, b.reward.shape[1]):
            q = action_value(b, v, s, a)
            if q > best:
                best = q
                policy[s] = a
        new[s] = best
        change = max(change, abs(best - v[s]))
    return change


@entry_kernel
def evaluate_in_place(b, v, policy, n_sweeps):
    """``n_sweeps`` Gauss-Seidel sweeps of v(s) = r(s, pi(s)) + gamma E[v(s')]."""
    for _ in range(n_sweeps):
        for s in range(v.size):
            v[s] = action_value(b, v, s, policy[s])


@entry_kernel
def attract(predecessor_start, predecessor_pair, n_actions, allowed, inside, action, queue, n_queued):
    """Walk backwards from the ``n_queued`` states in ``queue``: ``action[s]`` takes each state found one step closer.

    Only pairs with ``allowed[pair]`` are used. ``inside`` marks all states found; returns how many there are.
    """
    head = 0
    while head < n_queued:
        s = queue[head]
        head += 1
        for k in range(predecessor_start[s], predecessor_start[s + 1]):
            pair = predecessor_pair[k]
            before = pair // n_actions
            if allowed[pair] and not inside[before]:
                inside[before] = True
                action[before] = pair % n_actions
                queue[n_queued] = before
                n_queued += 1
    return n_queued
