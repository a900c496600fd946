"""Orders in which value iteration backs up the states: synchronous, Gauss-Seidel, blocked, prioritized.

Each is a function ``values -> (new values, change)`` such that ``change / (1 - gamma)`` bounds the error of the new
values; all but the synchronous one change ``values`` in place.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rlsuite.agents.tabular.planning_kernels import (
    Backup,
    sweep_blocks,
    sweep_gauss_seidel,
    sweep_prioritized,
    sweep_synchronous,
)
from rlsuite.agents.tabular.priority_queue import make_queue
from rlsuite.envs.finite.mdp import FiniteMDP

SWEEPS = ("synchronous", "gauss-seidel", "blocked", "prioritized")
_PASSES = 50  # over one block, at most

Sweep = Callable[[NDArray[np.float64]], tuple[NDArray[np.float64], float]]


def make_sweep(
    name: str,
    backup: Backup,
    mdp: FiniteMDP,
    gamma: float,
    threshold: float,
    block: NDArray[np.int64] | None = None,
) -> Sweep:
    """The sweep called ``name``.

    Args:
        threshold: Bellman errors below it need no backup (prioritized), and end the passes over a block (blocked).
        block: where the blocks begin, in the order in which ``backup`` numbers the states (blocked only).
    """
    spare = np.empty(mdp.n_states)

    def synchronous(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        nonlocal spare
        change = sweep_synchronous(backup, values, spare)
        values, spare = spare, values
        return values, gamma * change

    def gauss_seidel(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        return values, gamma * sweep_gauss_seidel(backup, values)

    def blocked(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        return values, gamma * sweep_blocks(backup, values, block, threshold, _PASSES)

    if name == "blocked":
        return blocked
    if name == "prioritized":
        start, predecessor = _predecessors(mdp)
        queue = make_queue(mdp.n_states)

        def prioritized(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
            return values, sweep_prioritized(backup, values, queue, start, predecessor, threshold / 2)

        return prioritized
    return synchronous if name == "synchronous" else gauss_seidel


def _predecessors(mdp: FiniteMDP) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """States from which each state can be entered, packed: those of s between ``start[s]`` and ``start[s + 1]``."""
    edges = mdp.continuation.tocoo()
    links = np.unique(edges.col.astype(np.int64) * mdp.n_states + edges.row // mdp.n_actions)
    start = np.searchsorted(links, np.arange(mdp.n_states + 1) * mdp.n_states)
    return start, links % mdp.n_states
