"""The last n transitions of an episode; the first awaits its n-step return (Sutton & Barto 2018, sec. 7.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlsuite.agents.tabular.invariants import Sizes, invariant, within
from rlsuite.agents.tabular.kernels import kernel


class Window(NamedTuple):
    """A ring of transitions: ``size`` of them, the oldest at ``first``."""

    state: NDArray[np.int64]  # (n,)
    action: NDArray[np.int64]  # (n,)
    reward: NDArray[np.float64]  # (n,)
    first: NDArray[np.int64]  # (1,)
    size: NDArray[np.int64]  # (1,)


def make_window(n: int) -> Window:
    """An empty window for ``n`` transitions."""
    return Window(
        np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n), np.zeros(1, np.int64), np.zeros(1, np.int64)
    )


@invariant(Window)
def window_is_sound(w: Window, sizes: Sizes) -> Iterator[tuple[bool, str]]:
    """Between steps there is room for one more transition: a full window has its oldest taken out at once."""
    yield within(w.state, 0, sizes.observations), "state"
    yield within(w.action, 0, sizes.actions), "action"
    yield within(w.first, 0, w.state.size), "first"
    yield within(w.size, 0, w.state.size), "size"


@kernel
def clear_window(w):
    """Forget all transitions."""
    w.first[0] = w.size[0] = 0


@kernel
def window_place(w, k):
    """Where the k-th oldest transition lies."""
    i = w.first[0] + k
    return i if i < w.state.size else i - w.state.size


@kernel
def push(w, s, a, r):
    """Append a transition to a window that is not full."""
    i = window_place(w, w.size[0])
    w.state[i], w.action[i], w.reward[i] = s, a, r
    w.size[0] += 1


@kernel
def window_is_full(w):
    """Whether n transitions are held, so that the oldest has its return."""
    return w.size[0] == w.state.size


@kernel
def drop_oldest(w):
    """Remove the oldest transition."""
    w.first[0] = window_place(w, 1)
    w.size[0] -= 1


@kernel
def n_step_return(w, bootstrap, gamma):
    """R_{t+1} + gamma R_{t+2} + … + gamma^n bootstrap over the transitions held (eqs. 7.1 and 7.4)."""
    g = bootstrap
    for k in range(w.size[0] - 1, -1, -1):
        g = w.reward[window_place(w, k)] + gamma * g
    return g
