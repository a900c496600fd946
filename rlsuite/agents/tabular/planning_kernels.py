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

LAYERS_PER_BLOCK = 16


class Backup(NamedTuple):
    """The MDP as sweeps read it; pairs are numbered ``s * n_actions + a``.

    Indices are unsigned: a kernel then need not ask whether they count from the end, a third of the time of a sweep.
    """

    start: NDArray[np.uint32]  # (n_pairs + 1,) where the outcomes of each pair begin
    weight: NDArray[np.float64]  # (n_outcomes,) gamma * probability
    next_state: NDArray[np.uint32]  # (n_outcomes,)
    reward: NDArray[np.float64]  # (n_states, n_actions) mean reward


def make_backup(mdp: FiniteMDP, gamma: float, order: NDArray[np.int32] | None = None) -> Backup:
    """Pack the dynamics, with states renumbered so that ``order[i]`` becomes state i."""
    size = mdp.probability.size
    backup = Backup(
        np.empty(mdp.offset.size, np.uint32),
        np.empty(size),
        np.empty(size, np.uint32),
        np.empty((mdp.n_states, mdp.n_actions)),
    )
    order = np.arange(mdp.n_states, dtype=np.int32) if order is None else order
    rank = np.empty_like(order)
    rank[order] = np.arange(mdp.n_states, dtype=np.int32)
    kept = pack(mdp_columns(mdp), gamma, order, rank, backup)
    return backup._replace(weight=backup.weight[:kept], next_state=backup.next_state[:kept])


def outward_order(mdp: FiniteMDP, layers: int = LAYERS_PER_BLOCK) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """``(n_states,)`` states by how few steps may lead from them to an end of the episode; then those without one.

    Also ``(n_blocks + 1,)`` where in this order blocks of ``layers`` equal numbers of steps begin.

    Values spread backwards from where episodes end. A Gauss-Seidel pass in this order carries them through the whole
    state space at once, and what a state needs lies near it in memory.
    """
    columns = mdp_columns(mdp)
    start = np.zeros(mdp.n_states + 1, np.int64)
    order = np.empty(mdp.n_states, np.int32)
    seen = np.zeros(mdp.n_states, np.bool_)
    predecessor = np.empty(mdp.probability.size, np.int32)
    block = np.empty(mdp.n_states + 2, np.int64)
    n_blocks = walk_outward(columns, mdp.n_actions, layers, start, predecessor, seen, order, block)
    return order, block[: n_blocks + 1].copy()


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
def pack(mdp, gamma, order, rank, b):
    """Fill ``b``; returns the number of outcomes kept."""
    n_states, n_actions = b.reward.shape
    kept = 0
    for i in range(n_states):
        for a in range(n_actions):
            pair = order[i] * n_actions + a
            b.start[i * n_actions + a] = kept
            mean = 0.0
            for j in range(mdp.offset[pair], mdp.offset[pair + 1]):
                p = mdp.probability[j]
                mean += p * mdp.reward[j]
                if p > 0.0 and not mdp.terminated[j]:
                    b.weight[kept] = gamma * p
                    b.next_state[kept] = rank[mdp.next_state[j]]
                    kept += 1
            b.reward[i, a] = mean
    b.start[n_states * n_actions] = kept
    return kept


@entry_kernel
def walk_outward(mdp, n_actions, layers, start, predecessor, seen, order, block):
    """Breadth first from the states that may end the episode, against time; returns the number of blocks."""
    n_found = 0
    for s in range(seen.size):
        for j in range(mdp.offset[s * n_actions], mdp.offset[(s + 1) * n_actions]):
            if mdp.probability[j] > 0.0:
                if not mdp.terminated[j]:
                    start[mdp.next_state[j]] += 1
                elif not seen[s]:
                    seen[s] = True
                    order[n_found] = s
                    n_found += 1
    for s in range(seen.size):  # where the predecessors of s end; filling moves it to where they begin
        start[s + 1] += start[s]
    for s in range(seen.size):
        for j in range(mdp.offset[s * n_actions], mdp.offset[(s + 1) * n_actions]):
            if mdp.probability[j] > 0.0 and not mdp.terminated[j]:
                start[mdp.next_state[j]] -= 1
                predecessor[start[mdp.next_state[j]]] = s
    head, layer, n_blocks = 0, 0, 0
    block[0] = 0
    while head < n_found:
        layer_end = n_found
        while head < layer_end:
            s = order[head]
            head += 1
            for k in range(start[s], start[s + 1]):
                before = predecessor[k]
                if not seen[before]:
                    seen[before] = True
                    order[n_found] = before
                    n_found += 1
        layer += 1
        if layer % layers == 0 or head == n_found:
            n_blocks += 1
            block[n_blocks] = head
    if n_found < seen.size:
        for s in range(seen.size):
            if not seen[s]:
                order[n_found] = s
                n_found += 1
        n_blocks += 1
        block[n_blocks] = n_found
    return n_blocks


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
def sweep_blocks(b, v, block, threshold, max_passes):
    """Gauss-Seidel passes over two neighbouring blocks at a time until they hardly change, block by block outwards.

    Then one pass over everything, backwards; returns its largest change.
    """
    for k in range(block.size - 1):
        low, high = block[max(k - 1, 0)], block[k + 1]
        settling = high if k == block.size - 2 else block[k]  # the outer block has its turn with the next one
        for _ in range(max_passes):
            change = 0.0
            for s in range(low, high):
                v[s] = best_value(b, v, s)
            for s in range(high - 1, low - 1, -1):
                best = best_value(b, v, s)
                if s < settling:
                    change = max(change, abs(best - v[s]))
                v[s] = best
            if change <= threshold:
                break
    change = 0.0
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
