"""The model that Dyna learns: the latest outcomes of every pair it has met (Sutton & Barto 2018, sec. 8.2).

With one outcome kept per pair it is the book's model, which takes the environment for deterministic: where it is not,
planning trusts the latest outcome alone until the pair is tried again. With ``outcomes`` = K the last K outcomes of a
pair are kept and one of them is drawn, each as probable as it was frequent among these.

Pairs lie in a list in the order in which they were met, so that drawing one at random is a single index. Indices are
unsigned: kernels then need not ask whether they count from the end, which is a tenth of the time of planning.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlsuite.agents.tabular.invariants import Sizes, invariant, is_inverse, within
from rlsuite.agents.tabular.kernels import kernel


class Model(NamedTuple):
    """The pairs met (the first ``size`` rows are in use) and the latest outcomes of each."""

    size: NDArray[np.int64]  # (1,)
    state: NDArray[np.uint32]  # (n_pairs,)
    action: NDArray[np.uint32]  # (n_pairs,)
    seen: NDArray[np.int64]  # (n_pairs,) how often the pair was tried
    reward: NDArray[np.float64]  # (n_pairs, outcomes)
    next_state: NDArray[np.uint32]  # (n_pairs, outcomes)
    terminated: NDArray[np.bool_]  # (n_pairs, outcomes)
    row: NDArray[np.int64]  # (n_observations, n_actions) where in the list the pair is, -1 if it has not been met


def make_model(n_observations: int, n_actions: int, outcomes: int) -> Model:
    """A model that knows nothing."""
    n_pairs = n_observations * n_actions
    return Model(
        size=np.zeros(1, np.int64),
        state=np.zeros(n_pairs, np.uint32),
        action=np.zeros(n_pairs, np.uint32),
        seen=np.zeros(n_pairs, np.int64),
        reward=np.zeros((n_pairs, outcomes)),
        next_state=np.zeros((n_pairs, outcomes), np.uint32),
        terminated=np.zeros((n_pairs, outcomes), np.bool_),
        row=np.full((n_observations, n_actions), -1, np.int64),
    )


@invariant(Model)
def model_is_sound(model: Model, sizes: Sizes) -> Iterator[tuple[bool, str]]:
    """The rows name pairs and next states that there are, and ``row`` is the inverse of the list of pairs."""
    n_pairs = model.state.size
    yield within(model.state, 0, sizes.observations), "state"
    yield within(model.action, 0, sizes.actions), "action"
    yield within(model.next_state, 0, sizes.observations), "next_state"
    yield within(model.seen, 0, np.iinfo(np.int64).max), "seen"
    yield within(model.size, 0, n_pairs + 1), "size"
    yield within(model.row, -1, n_pairs), "row"
    n = model.size[0]
    listed = model.state[:n].astype(np.int64) * sizes.actions + model.action[:n]
    yield is_inverse(model.row.ravel(), listed), "row"


@kernel
def model_row(model, s, a):
    """The row of (s, a), which is appended if it is new, as leading back to ``s`` with reward 0."""
    i = model.row[s, a]
    if i < 0:
        i = model.size[0]
        model.size[0] += 1
        model.row[s, a], model.state[i], model.action[i], model.next_state[i, 0] = i, s, a, s
    return i


@kernel
def remember(model, s, a, r, s_next, terminated):
    """Model(s,a) <- r, s'; returns the row."""
    i, k = model_row(model, s, a), 0
    if model.reward.shape[1] > 1:
        k = model.seen[i] % model.reward.shape[1]
    model.reward[i, k], model.next_state[i, k], model.terminated[i, k] = r, s_next, terminated
    model.seen[i] += 1
    return i


@kernel
def recall(model, i, rng):
    """Which of the outcomes of row ``i`` to plan with; a random one where several are kept."""
    if model.reward.shape[1] == 1:
        return 0
    kept = min(model.seen[i], model.reward.shape[1])
    return int(rng.random() * kept) if kept > 1 else 0
