"""Eligibility traces: which table entries share in the present error, and how much (Sutton & Barto 2018, ch. 12).

The trace of an entry holds its step size, so that an update is ``table += delta * trace`` and the step size may differ
from visit to visit. When entry x is visited with step size alpha, its decayed trace z(x) becomes

* accumulating: z(x) + alpha (eq. 12.5);
* replacing: alpha (Singh & Sutton 1996; sec. 12.5);
* Dutch: z(x) + alpha (1 - z(x)) (eq. 12.11), which makes the update true online.

Traces are sparse: the entries with a trace lie in a list, and one that has decayed below ``FORGOTTEN`` leaves it (the
update that is lost is smaller than that times the error). A step therefore costs as much as there are recent visits,
however large the table is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlsuite.agents.tabular.invariants import Sizes, invariant, is_inverse, within
from rlsuite.agents.tabular.kernels import kernel

ACCUMULATING, REPLACING, DUTCH = 0, 1, 2
KINDS = ("accumulating", "replacing", "dutch")
FORGOTTEN = 1e-10


class Traces(NamedTuple):
    """The list of entries with a trace; the first ``size`` cells of ``state``, ``action`` and ``value`` are in use."""

    kind: int
    size: NDArray[np.int64]  # (1,)
    state: NDArray[np.int64]  # (n_entries,)
    action: NDArray[np.int64]  # (n_entries,)
    value: NDArray[np.float64]  # (n_entries,) z, the step size included
    place: NDArray[np.int64]  # (n_observations, n_actions) where in the list an entry is, -1 if it has no trace


def make_traces(kind: str, n_observations: int, n_actions: int) -> Traces:
    """No traces yet, for a table of this shape."""
    n_entries = n_observations * n_actions
    return Traces(
        kind=KINDS.index(kind),
        size=np.zeros(1, np.int64),
        state=np.zeros(n_entries, np.int64),
        action=np.zeros(n_entries, np.int64),
        value=np.zeros(n_entries),
        place=np.full((n_observations, n_actions), -1, np.int64),
    )


@invariant(Traces)
def traces_are_sound(t: Traces, sizes: Sizes) -> Iterator[tuple[bool, str]]:
    """The list names entries of the table, and ``place`` is its inverse."""
    n_entries, n_columns = t.state.size, t.place.shape[1]
    yield within(t.state, 0, sizes.observations), "state"
    yield within(t.action, 0, n_columns), "action"
    yield within(t.size, 0, n_entries + 1), "size"
    yield within(t.place, -1, n_entries), "place"
    n = t.size[0]
    yield is_inverse(t.place.ravel(), t.state[:n] * n_columns + t.action[:n]), "place"


@kernel
def reset_traces(t):
    """Forget all traces: an episode begins, or an off-policy method cuts them."""
    for i in range(t.size[0]):
        t.place[t.state[i], t.action[i]] = -1
    t.size[0] = 0


@kernel
def mark_trace(t, s, a, alpha):
    """Raise the trace of (s, a), which is visited now with step size ``alpha``."""
    i = t.place[s, a]
    if i < 0:
        i = t.size[0]
        t.size[0] += 1
        t.place[s, a], t.state[i], t.action[i], t.value[i] = i, s, a, 0.0
    if t.kind == ACCUMULATING:
        t.value[i] += alpha
    elif t.kind == REPLACING:
        t.value[i] = alpha
    else:
        t.value[i] += alpha * (1.0 - t.value[i])


@kernel
def decay_traces(t, factor):
    """Multiply all traces by ``factor`` (gamma lambda); the last of the list fills the place of a forgotten one."""
    i = 0
    while i < t.size[0]:
        t.value[i] *= factor
        if t.value[i] >= FORGOTTEN:
            i += 1
            continue
        t.place[t.state[i], t.action[i]] = -1
        t.size[0] -= 1
        last = t.size[0]
        if i < last:
            t.state[i], t.action[i], t.value[i] = t.state[last], t.action[last], t.value[last]
            t.place[t.state[i], t.action[i]] = i
