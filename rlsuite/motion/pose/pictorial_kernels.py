"""Min-sum on a tree of springs, compiled: the generalised distance transform and the two passes of messages.

Costs are ``(K, H, W)``, one grid a part, parents before children. A spring of part ``j`` on its parent ``i`` costs
``min over m of c_m + sum over axes of w_m (l_j - l_i - mu_m)²`` with ``w`` half of its stiffness.

Felzenszwalb & Huttenlocher, Distance Transforms of Sampled Functions, Theory of Computing 8 (2012), algorithm 1: the lower
envelope of ``n`` parabolas in O(n). Here it is read off at shifted places, so a mean offset need not be whole cells.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import inf
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from rlsuite.kernel_cache import compiled_in, folder_for

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
F = TypeVar("F", bound=Callable[..., Any])


@cache
def _folder() -> Path:
    return folder_for([Path(__file__).resolve()])


def kernel(function: F) -> F:
    """Compiled into its callers; memory is handed in."""
    return compiled_in(_folder(), function, nogil=True, error_model="numpy", _nrt=False)


def entry_kernel(function: F) -> F:
    """Called from Python; machine code is kept on disk."""
    return compiled_in(_folder(), function, cache=True, nogil=True, error_model="numpy", _nrt=False)


@kernel
def transform_line(
    f: Array, w: float, shift: float, out: Array, vertex: Indices, start: Array, reciprocal: Array
) -> None:
    """``out[p] = min over q of f[q] + w (p + shift - q)²``.

    ``vertex (n,)`` and ``start (n + 1,)`` are scratch; ``reciprocal (n,)`` holds ``1 / k``: a division costs more than all
    the rest of a step.
    """
    n, k, half = len(f), 0, 0.5 / w
    vertex[0], start[0], start[1] = 0, -inf, inf
    for q in range(1, n):
        v = vertex[k]
        s = (f[q] - f[v]) * half * reciprocal[q - v] + 0.5 * (q + v)  # where the parabola of q passes below that of v
        while s <= start[k]:
            k -= 1
            v = vertex[k]
            s = (f[q] - f[v]) * half * reciprocal[q - v] + 0.5 * (q + v)
        k += 1
        vertex[k], start[k], start[k + 1] = q, s, inf
    k = 0
    for p in range(n):
        x = p + shift
        while start[k + 1] < x:
            k += 1
        d = x - vertex[k]
        out[p] = f[vertex[k]] + w * d * d


@kernel
def transform(
    f: Array, w: Array, shift: Array, out: Array, half: Array, vertex: Indices, start: Array,
    reciprocal: Array,
) -> None:  # fmt: skip
    """``out[y, x] = min over (r, q) of f[r, q] + w[0] (x + shift[0] - q)² + w[1] (y + shift[1] - r)²``.

    ``half (W + 1, max(H, W))`` holds the rows done, on their side, so that both passes run along memory.
    """
    height, width = f.shape
    line = half[width, : max(height, width)]
    for y in range(height):
        transform_line(f[y], w[0], shift[0], line[:width], vertex, start, reciprocal)
        for x in range(width):
            half[x, y] = line[x]
    for x in range(width):
        transform_line(half[x, :height], w[1], shift[1], line[:height], vertex, start, reciprocal)
        for y in range(height):
            out[y, x] = line[y]


@kernel
def message(
    f: Array, w: Array, mu: Array, cost: Array, sign: float,
    out: Array, other: Array, half: Array, vertex: Indices, start: Array, reciprocal: Array, shift: Array,
) -> None:  # fmt: skip
    """Least cost of the other end of a spring, for each place of this one; ``sign`` 1: towards the parent."""
    for m in range(len(cost)):
        shift[0], shift[1] = sign * mu[m, 0], sign * mu[m, 1]
        into = out if m == 0 else other
        transform(f, w[m], shift, into, half, vertex, start, reciprocal)
        for y in range(f.shape[0]):
            for x in range(f.shape[1]):
                value = into[y, x] + cost[m]
                if m == 0 or value < out[y, x]:
                    out[y, x] = value


@kernel
def add(what: Array, to: Array) -> None:
    for y in range(to.shape[0]):
        for x in range(to.shape[1]):
            to[y, x] += what[y, x]


@entry_kernel
def upward(
    parents: Indices, w: Array, mu: Array, cost: Array, belief: Array, up: Array,
    other: Array, half: Array, vertex: Indices, start: Array, reciprocal: Array, shift: Array,
) -> None:  # fmt: skip
    """``belief`` (unary costs on entry) gains the messages of all children; ``up[j]`` is what ``j`` tells its parent."""
    for j in range(len(parents) - 1, 0, -1):
        message(belief[j], w[j], mu[j], cost[j], 1.0, up[j], other, half, vertex, start, reciprocal, shift)
        add(up[j], belief[parents[j]])


@entry_kernel
def downward(
    parents: Indices, w: Array, mu: Array, cost: Array, belief: Array, up: Array, total: Array,
    rest: Array, other: Array, half: Array, vertex: Indices, start: Array, reciprocal: Array, shift: Array,
) -> None:  # fmt: skip
    """``total[j] (H, W)``: least cost of the whole tree with part ``j`` at each place; the first's is its ``belief``."""
    for j in range(1, len(parents)):
        for y in range(rest.shape[0]):
            for x in range(rest.shape[1]):
                rest[y, x] = total[parents[j], y, x] - up[j, y, x]
        message(rest, w[j], mu[j], cost[j], -1.0, total[j], other, half, vertex, start, reciprocal, shift)
        add(belief[j], total[j])


@entry_kernel
def places(parents: Indices, w: Array, mu: Array, cost: Array, belief: Array, out: Indices) -> float:
    """Cells ``out (K, 2)``, columns first, that cost least together, and what they cost."""
    least = inf
    for j in range(len(parents)):
        best = inf
        for m in range(cost.shape[1] if j > 0 else 1):
            for y in range(belief.shape[1]):
                for x in range(belief.shape[2]):
                    value = belief[j, y, x]
                    if j > 0:
                        dx, dy = x - out[parents[j], 0] - mu[j, m, 0], y - out[parents[j], 1] - mu[j, m, 1]
                        value += cost[j, m] + w[j, m, 0] * dx * dx + w[j, m, 1] * dy * dy
                    if value < best:
                        best, at_x, at_y = value, x, y
        out[j, 0], out[j, 1] = at_x, at_y
        if j == 0:
            least = best
    return least
