"""Dynamic time warping: the cheapest monotone matching of two sequences, and its cost.

``D[i, j] = c[i, j] + min(D[i-1, j-1], D[i-1, j], D[i, j-1])`` (Sakoe & Chiba 1978, symmetric form without slope
weights). Cells of one anti-diagonal do not depend on each other, so the O(T N) recursion is T + N - 1 vector operations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import MotionError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Warping:
    """A matching of two sequences.

    Attributes:
        total: sum of the costs along the path. path: ``(L, 2)`` pairs of frames, from ``(0, 0)`` to ``(T-1, N-1)``.
        mean: ``total / L``, the average cost of a matched pair, in the unit of the costs.
    """

    total: float
    path: NDArray[np.intp]

    @property
    def mean(self) -> float:
        return self.total / len(self.path)


def dtw(cost: ArrayLike, *, band: int | None = None) -> Warping:
    """The cheapest warping path through ``cost (T, N)``; of equally cheap steps the diagonal one.

    Args:
        cost: not negative, finite.
        band: largest distance in frames (of the second sequence) of a pair from the straight line between the corners
            (Sakoe-Chiba); widened where a path needs it. ``None`` is no limit.

    Raises:
        MotionError: ``cost`` is not such a matrix, or ``band`` is negative.
    """
    cost = np.asarray(cost, np.float64)
    if cost.ndim != 2 or 0 in cost.shape or not np.isfinite(cost).all() or cost.min() < 0.0:
        raise MotionError(f"costs must be a (T, N) matrix of finite numbers, none negative; got shape {cost.shape}")
    if band is not None and band < 0:
        raise MotionError(f"band must be at least 0 frames, not {band}")
    rows, columns = cost.shape
    if band is not None:
        cost = np.where(_outside(rows, columns, band), np.inf, cost)
    total = np.full((rows + 1, columns + 1), np.inf)  # a border of infinity on top and left
    total[0, 0] = 0.0
    for diagonal in range(rows + columns - 1):
        i = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        j = diagonal - i
        best = np.minimum(total[i, j], np.minimum(total[i, j + 1], total[i + 1, j]))
        total[i + 1, j + 1] = cost[i, j] + best
    return Warping(float(total[rows, columns]), _path(total))


def _outside(rows: int, columns: int, band: int) -> NDArray[np.bool_]:
    """Cells further than ``band`` columns from the line; at least one slope's width, so that a path always exists."""
    slope = (columns - 1) / max(rows - 1, 1)
    width = max(band, slope / 2.0 + 0.5) if rows > 1 else columns
    line = np.arange(rows) * slope
    return np.abs(np.arange(columns) - line[:, None]) > width


def _path(total: Array) -> NDArray[np.intp]:
    i, j = total.shape[0] - 1, total.shape[1] - 1
    path = [(i - 1, j - 1)]
    while (i, j) != (1, 1):
        steps = ((i - 1, j - 1), (i - 1, j), (i, j - 1))
        i, j = min(steps, key=lambda cell: total[cell])  # the first of equals: the diagonal
        path.append((i - 1, j - 1))
    return np.array(path[::-1], np.intp)
