"""Key points as heatmaps and back, to a small fraction of a cell.

A heatmap is a distribution over the cells of a grid, ``(H, W)``, sums to 1. Encoding puts a Gaussian at the point itself,
not at the nearest cell; decoding reads a place between cells:

* *DARK* (Zhang et al. 2020, equation 8): around the highest cell ``m`` the logarithm of a Gaussian is a parabola, so one
  Newton step ``mu = m - H^-1 g`` on ``log h`` finds its centre exactly.
* *DSNT* (Nibali et al. 2018, equation 5): the mean ``sum h(l) l``, differentiable, drawn to the middle by every other mode.

Cells' centres are at +0.5, as pixels' are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import MotionError

Array = NDArray[np.float64]
FLOOR = 1e-9  # of a probability whose logarithm is taken
NEAR = 2.5  # standard deviations around a decoded point within which its heatmap's mass counts for it


class Decoded(NamedTuple):
    """Points ``(..., K, 2)`` in cells and confidence ``(..., K)``: the mass within :data:`NEAR` deviations of each."""

    points: Array
    confidence: Array


class Codec:
    """Heatmaps ``(..., K, size, size)`` of points in cells.

    Args:
        size: cells along each side. sigma: standard deviation of the Gaussian in cells.
    """

    def __init__(self, size: int, sigma: float = 1.0) -> None:
        if size < 3 or not sigma > 0:
            raise MotionError(f"heatmaps have at least 3 cells a side and a deviation above 0, not {size} and {sigma}")
        self.size, self.sigma = size, sigma
        self._centres = np.arange(size) + 0.5

    def encode(self, points: ArrayLike, known: ArrayLike | None = None) -> NDArray[np.float32]:
        """Heatmaps of ``points (..., K, 2)``; uniform where a point lies outside the grid or is not ``known (..., K)``."""
        points = np.asarray(points, np.float64)
        inside: NDArray[np.bool_] = np.asarray(((points >= 0) & (points < self.size)).all(-1))
        inside = inside if known is None else inside & np.asarray(known, bool)
        z = (self._centres - np.where(inside[..., None], points, 0)[..., None]) / self.sigma  # (..., K, 2, size)
        line = np.exp(-0.5 * z**2)
        line /= line.sum(-1, keepdims=True)
        maps = line[..., 1, :, None] * line[..., 0, None, :]
        return np.where(inside[..., None, None], maps, self.size**-2.0).astype(np.float32)

    def decode(self, maps: ArrayLike, cells: ArrayLike | None = None) -> Decoded:
        """DARK: around the highest cells, or around ``cells (..., K, 2)`` chosen otherwise, columns first."""
        maps = np.asarray(maps, np.float64)
        shape = maps.shape[:-2]
        flat = maps.reshape(-1, self.size, self.size)
        rows = np.arange(len(flat))
        if cells is None:
            v, u = np.unravel_index(flat.reshape(len(flat), -1).argmax(-1), flat.shape[1:])
        else:
            u, v = np.asarray(cells, np.intp).reshape(-1, 2).T
        x, y = (np.clip(index, 1, self.size - 2) for index in (u, v))  # middle of nine cells that exist
        nine = np.log(np.maximum(flat, FLOOR))[
            rows[:, None, None], y[:, None, None] + np.arange(-1, 2)[:, None], x[:, None, None] + np.arange(-1, 2)
        ]  # (n, 3, 3)
        step = newton_step(nine)
        points = np.stack([x, y], -1) + 0.5 + step
        whole = np.stack([u, v], -1) + 0.5
        points = np.where(np.abs(points - whole).max(-1, keepdims=True) <= 1.0, points, whole)  # no peak nearby
        points = points.reshape(*shape, 2)
        return Decoded(points, self.mass(maps, points))

    def mean(self, maps: ArrayLike) -> Array:
        """DSNT: ``(..., K, 2)`` expected place."""
        maps = np.asarray(maps, np.float64)
        return np.stack([maps.sum(-2) @ self._centres, maps.sum(-1) @ self._centres], -1)

    def mass(self, maps: ArrayLike, points: ArrayLike) -> Array:
        """``(...)`` of ``maps (..., size, size)`` within :data:`NEAR` deviations of ``points (..., 2)``."""
        d = (self._centres - np.asarray(points, np.float64)[..., None]) ** 2  # (..., 2, size)
        near = d[..., 1, :, None] + d[..., 0, None, :] <= (NEAR * self.sigma) ** 2
        return np.clip((np.asarray(maps, np.float64) * near).sum((-2, -1)), 0.0, 1.0)


def newton_step(nine: Array) -> Array:
    """``(n, 2)`` from the middle of nine values ``(n, 3, 3)`` to the peak of their second-order expansion, (u, v).

    No step where the expansion has no peak.
    """
    gu, gv = (nine[:, 1, 2] - nine[:, 1, 0]) / 2, (nine[:, 2, 1] - nine[:, 0, 1]) / 2
    uu = nine[:, 1, 2] - 2 * nine[:, 1, 1] + nine[:, 1, 0]
    vv = nine[:, 2, 1] - 2 * nine[:, 1, 1] + nine[:, 0, 1]
    uv = (nine[:, 2, 2] - nine[:, 2, 0] - nine[:, 0, 2] + nine[:, 0, 0]) / 4
    determinant = uu * vv - uv**2
    peak = (determinant > 1e-12) & (uu < 0)
    safe = np.where(peak, determinant, 1.0)
    step = -np.stack([vv * gu - uv * gv, uu * gv - uv * gu], -1) / safe[:, None]
    return np.where(peak[:, None], step, 0.0)
