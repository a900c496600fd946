"""A priority queue of the integers 0 … n-1: a binary heap, largest first, in memory allocated beforehand.

``place`` knows where in the heap an item is, so that an item which is in the queue already moves up instead of being
queued twice. Push and pop cost O(log n).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlsuite.agents.tabular.invariants import Sizes, invariant, is_inverse, within
from rlsuite.agents.tabular.kernels import kernel


class PriorityQueue(NamedTuple):
    """A heap in the first ``size`` cells of ``item``."""

    item: NDArray[np.int64]  # (n,)
    priority: NDArray[np.float64]  # (n,) by item
    place: NDArray[np.int64]  # (n,) by item; -1 when not queued
    size: NDArray[np.int64]  # (1,)


def make_queue(n: int) -> PriorityQueue:
    """An empty queue for the items 0 … n-1."""
    return PriorityQueue(np.zeros(n, np.int64), np.zeros(n), np.full(n, -1, np.int64), np.zeros(1, np.int64))


@invariant(PriorityQueue)
def queue_is_sound(queue: PriorityQueue, sizes: Sizes) -> Iterator[tuple[bool, str]]:
    """The heap names items that there are, and ``place`` is its inverse (its order is a matter of priorities only)."""
    n = queue.item.size
    yield within(queue.item, 0, n), "item"
    yield within(queue.size, 0, n + 1), "size"
    yield within(queue.place, -1, n), "place"
    yield is_inverse(queue.place, queue.item[: queue.size[0]]), "place"


@kernel
def enqueue(queue, item, priority):
    """Queue ``item``, or raise its priority if it is queued with a lower one."""
    i = queue.place[item]
    if i < 0:
        i = queue.size[0]
        queue.size[0] += 1
    elif queue.priority[item] >= priority:
        return
    queue.priority[item] = priority
    while i > 0:  # let lower parents sink below
        parent = (i - 1) >> 1
        above = queue.item[parent]
        if queue.priority[above] >= priority:
            break
        queue.item[i] = above
        queue.place[above] = i
        i = parent
    queue.item[i] = item
    queue.place[item] = i


@kernel
def dequeue(queue):
    """Remove the item of highest priority and return it (the queue must not be empty)."""
    top = queue.item[0]
    queue.place[top] = -1
    queue.size[0] -= 1
    n = queue.size[0]
    if n > 0:
        moved = queue.item[n]
        priority = queue.priority[moved]
        i = 0
        while 2 * i + 1 < n:  # let higher children rise above
            child = 2 * i + 1
            if child + 1 < n and queue.priority[queue.item[child + 1]] > queue.priority[queue.item[child]]:
                child += 1
            below = queue.item[child]
            if queue.priority[below] <= priority:
                break
            queue.item[i] = below
            queue.place[below] = i
            i = child
        queue.item[i] = moved
        queue.place[moved] = i
    return top
