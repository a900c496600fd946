r"""Undiscounted episodic problems: which policies end, and whether values exist (:math:`\gamma = 1`).

Without discounting the Bellman operator is no contraction. Values exist if (Bertsekas & Tsitsiklis 1991)

1. some policy is *proper*: it ends the episode with probability 1 from every state that matters, and
2. no policy can go round for ever with a profit.

Going round for ever without any reward is worth exactly 0, so such states (de Alfaro's zero-reward *end components*:
sets of states with actions that stay inside) count as places to rest, where an episode ends of itself. Then the value
:math:`v_\pi` of a proper policy is a lower bound from which sweeps rise monotonically to :math:`v_*`, and from which
policy iteration, changing an action only for a strictly better one, passes through proper policies only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rlsuite.agents.tabular.linear_solve import endless_states, paying_pairs, policy_matrix
from rlsuite.agents.tabular.planning_kernels import attract
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.errors import ConvergenceError


def one_hot(actions: NDArray[np.int64], n_actions: int) -> NDArray[np.float64]:
    """``(n_states, n_actions)`` table of a deterministic policy."""
    table = np.zeros((actions.size, n_actions))
    table[np.arange(actions.size), actions] = 1.0
    return table


def end_components(mdp: FiniteMDP, allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """``(n_pairs,)`` the allowed pairs that can be taken for ever: the maximal end components within ``allowed``.

    Pairs that may end the episode, or leave their strongly connected component, are removed until none is left to
    remove (de Alfaro 1997).
    """
    import scipy.sparse
    from scipy.sparse.csgraph import connected_components

    edges = mdp.continuation.tocoo()
    source, target = edges.row // mdp.n_actions, edges.col
    kept = allowed & ~_may_terminate(mdp)
    while True:
        alive = kept[edges.row]
        graph = scipy.sparse.csr_matrix(
            (np.ones(int(alive.sum())), (source[alive], target[alive])), shape=(mdp.n_states, mdp.n_states)
        )
        _, label = connected_components(graph, directed=True, connection="strong")
        leaving = np.zeros_like(kept)
        leaving[edges.row[alive & (label[source] != label[target])]] = True
        if not (leaving & kept).any():
            return kept
        kept = kept & ~leaving


def _may_terminate(mdp: FiniteMDP) -> NDArray[np.bool_]:
    ending = mdp.pair[mdp.terminated & (mdp.probability > 0)]
    return np.bincount(ending, minlength=mdp.n_states * mdp.n_actions) > 0


@dataclass(frozen=True)
class Episodic:
    """The undiscounted problem of ``mdp``."""

    mdp: FiniteMDP

    @cached_property
    def resting(self) -> NDArray[np.bool_]:
        """``(n_pairs,)`` pairs that stay in a zero-reward end component."""
        return end_components(self.mdp, ~paying_pairs(self.mdp))

    @cached_property
    def ending(self) -> NDArray[np.bool_]:
        """``(n_pairs,)`` pairs that may end the episode."""
        return _may_terminate(self.mdp)

    def attractor(
        self, usable: NDArray[np.bool_], *goals: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """A policy of ``usable`` pairs that moves to a goal pair by the fewest steps, and the states where it can.

        Where a state has several goals, earlier ones are preferred. If all outcomes of the usable pairs lie in those
        states, the policy comes to a goal with probability 1.
        """
        mdp, k = self.mdp, self.mdp.n_actions
        columns = mdp.continuation.tocsc()
        action = np.zeros(mdp.n_states, np.int64)
        inside = np.zeros(mdp.n_states, np.bool_)
        for goal in goals:
            table = (usable & goal).reshape(-1, k)
            fresh = table.any(axis=1) & ~inside
            action[fresh] = table[fresh].argmax(axis=1)
            inside |= fresh
        queue = np.empty(mdp.n_states, np.int64)
        first = np.flatnonzero(inside)
        queue[: first.size] = first
        attract(columns.indptr, columns.indices, k, usable, inside, action, queue, first.size)
        return action, inside

    @cached_property
    def proper(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """A policy that rests where it can and else ends, and the states from which any policy does so for certain."""
        certain = np.ones(self.mdp.n_states, np.bool_)
        edges = self.mdp.continuation.tocoo()
        while True:
            usable = np.repeat(certain, self.mdp.n_actions)
            usable[edges.row[~certain[edges.col]]] = False
            action, inside = self.attractor(usable, self.resting, self.ending)
            if np.array_equal(inside, certain):
                return action, certain
            certain = inside & certain


@dataclass(frozen=True)
class Problem:
    """What planners solve: ``mdp``, or at gamma = 1 its reachable part where only that has values.

    Attributes:
        mdp: the dynamics to solve. states: its states' numbers in the original, or ``None`` if all.
        start: ``(n_states,)`` actions of the policy to start from; proper at gamma = 1.
    """

    mdp: FiniteMDP
    gamma: float
    start: NDArray[np.int64]
    states: NDArray[np.int64] | None = None
    n_states: int = 0

    @classmethod
    def of(cls, mdp: FiniteMDP, gamma: float) -> Problem:
        """
        Raises:
            ConvergenceError: gamma is 1 and from some reachable state no policy ends for certain.
        """
        if gamma < 1.0:
            return cls(mdp, gamma, mdp.expected_reward.argmax(axis=1))
        actions, certain = Episodic(mdp).proper
        if certain.all():
            return cls(mdp, gamma, actions)
        states = np.flatnonzero(mdp.reachable)
        if not certain[states].all():
            raise ConvergenceError(
                f"{mdp.name}: undiscounted, and from state {states[np.argmin(certain[states])]} no policy ends the "
                "episode with certainty, so values do not exist; use gamma < 1 or a finite horizon"
            )
        return replace(cls.of(restricted(mdp, states), gamma), states=states, n_states=mdp.n_states)

    def take(self, table: NDArray[np.generic]) -> NDArray[np.generic]:
        """Rows of a table of the original that belong to this problem."""
        return table if self.states is None else table[self.states]

    def give(self, table: NDArray[np.float64], fill: float = np.nan) -> NDArray[np.float64]:
        """A table of the original from one of this problem; states left out get ``fill``."""
        if self.states is None:
            return table
        whole = np.full((self.n_states, *table.shape[1:]), fill)
        whole[self.states] = table
        return whole


def restricted(mdp: FiniteMDP, states: NDArray[np.int64]) -> FiniteMDP:
    """The part of an MDP on a closed set of states, renumbered."""
    number = np.zeros(mdp.n_states, np.int64)  # only next states of ended episodes may lie outside; they do not count
    number[states] = np.arange(states.size)
    inside = np.zeros(mdp.n_states, np.bool_)
    inside[states] = True
    keep = inside[mdp.pair // mdp.n_actions]
    counts = np.diff(mdp.offset).reshape(mdp.n_states, -1)[states].ravel()
    return FiniteMDP(
        n_states=states.size,
        n_actions=mdp.n_actions,
        offset=np.concatenate([[0], np.cumsum(counts)]),
        probability=mdp.probability[keep],
        next_state=number[mdp.next_state[keep]],
        reward=mdp.reward[keep],
        terminated=mdp.terminated[keep],
        initial=mdp.initial[states],
        name=mdp.name,
    )


def expected_lengths(mdp: FiniteMDP, policy: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(n_states,)`` expected number of steps until the episode ends or rests, under ``(n_states, n_actions)``."""
    import scipy.sparse
    import scipy.sparse.linalg

    transition, _ = policy_matrix(mdp, policy)
    moving = ~endless_states(transition)
    lengths = np.zeros(mdp.n_states)
    if moving.any():
        inner = transition[moving][:, moving]
        system = scipy.sparse.identity(inner.shape[0], format="csc") - inner.tocsc()
        lengths[moving] = scipy.sparse.linalg.spsolve(system, np.ones(inner.shape[0]))
    return lengths


def may_profit_for_ever(mdp: FiniteMDP) -> bool:
    """Whether some end component holds a positive mean reward (then only policy iteration can tell if it pays)."""
    endless = end_components(mdp, np.ones(mdp.n_states * mdp.n_actions, np.bool_))
    return bool((mdp.expected_reward.ravel()[endless] > 0).any())
