"""Pictorial structures: parts on a tree of springs, placed where heatmaps and springs together cost least.

Felzenszwalb & Huttenlocher, Pictorial Structures for Object Recognition, IJCV 61 (2005), equation 6, with springs of
several rest positions (the types of Yang & Ramanan, CVPR 2011):

    E(l) = sum_i u_i(l_i) + sum_(i, j) min_m [ c_jm + k_jm (l_j - l_i - mu_jm)² / 2 ],   u_i(l) = -log h_i(l)

The minimum over all ``(H W)^K`` placements is exact: messages on the tree are generalised distance transforms, linear in
the number of cells. The min-marginal of a part at ``l`` is the least cost of all placements that put it there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import MotionError
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


def tree(skeleton: Skeleton) -> tuple[int, ...]:
    """``(K,)`` for each key point the one it hangs on, -1 for the first: along the skeleton's bodies.

    The first key point of a body hangs on the first of the nearest body above that has one, the others on the first.
    """
    first: dict[int, int] = {}
    parents = []
    for k, (body, _) in enumerate(skeleton.keypoints.values()):
        above = body if body in first else skeleton.parents[body]
        while above >= 0 and above not in first:
            above = skeleton.parents[above]
        parents.append(first.get(above, 0 if k else -1))
        first.setdefault(body, k)
    return tuple(parents)


@dataclass(frozen=True, eq=False)
class Springs:
    """Springs of ``K`` parts on their parents, each with ``M`` rest positions, in cells of the grid.

    Attributes:
        parents: ``(K,)``, of each part one that comes before it; -1 for the first alone.
        offset: ``(K, M, 2)`` mean of part minus parent, (u, v). The first part's row means nothing.
        stiffness: ``(K, M, 2)`` above 0: inverse variance.
        cost: ``(K, M)`` what a rest position costs by itself.

    Raises:
        MotionError: shapes that do not fit, a stiffness that is not above 0, or parents that are no tree.
    """

    parents: tuple[int, ...]
    offset: Array
    stiffness: Array
    cost: Array

    def __post_init__(self) -> None:
        n = len(self.parents)
        if n == 0 or self.parents[0] != -1 or any(not 0 <= p < j for j, p in enumerate(self.parents[1:], 1)):
            raise MotionError(f"parents must be -1 for the first part and an earlier part for others: {self.parents}")
        offset = np.ascontiguousarray(self.offset, np.float64)
        stiffness = np.ascontiguousarray(self.stiffness, np.float64)
        if offset.ndim != 3 or offset.shape != (n, offset.shape[1], 2) or stiffness.shape != offset.shape:
            raise MotionError(f"springs of {n} parts are ({n}, M, 2), not {offset.shape} and {stiffness.shape}")
        cost = np.ascontiguousarray(self.cost, np.float64)
        if cost.shape != offset.shape[:2] or not all(np.isfinite(x).all() for x in (offset, stiffness, cost)):
            raise MotionError(f"springs must be finite, their costs {offset.shape[:2]}, not {cost.shape}")
        if not (stiffness > 0).all():
            raise MotionError("the stiffness of a spring must be above 0")
        object.__setattr__(self, "offset", offset)
        object.__setattr__(self, "stiffness", stiffness)
        object.__setattr__(self, "cost", cost)

    def energy(self, places: ArrayLike) -> Array:
        """``(...)`` cost of the springs alone with parts at ``places (..., K, 2)``."""
        places = np.asarray(places, np.float64)
        stretch = (places - places[..., list(self.parents), :])[..., None, :] - self.offset  # (..., K, M, 2)
        each = self.cost + (0.5 * self.stiffness * stretch**2).sum(-1)
        return each.min(-1)[..., 1:].sum(-1)


@dataclass(frozen=True, eq=False)
class SpringModel:
    """Springs for a body of any size: rest positions and deviations in body heights, and how frequent each is.

    Attributes:
        parents: ``(K,)``. mean, deviation: ``(K, M, 2)``. share: ``(K, M)``, sums to 1 over ``M``.
    """

    parents: tuple[int, ...]
    mean: Array
    deviation: Array
    share: Array

    @classmethod
    def fit(
        cls, parents: Sequence[int], points: ArrayLike, heights: ArrayLike, types: int = 1, *, seed: int = 0
    ) -> SpringModel:
        """From key points ``(N, K, 2)`` of bodies ``heights (N,)`` pixels tall; types are clusters (k-means).

        Raises:
            MotionError: not enough examples, or points that are not finite.
        """
        from scipy.cluster.vq import kmeans2

        points, heights = np.asarray(points, np.float64), np.asarray(heights, np.float64)
        if points.ndim != 3 or points.shape[1:] != (len(parents), 2) or heights.shape != points.shape[:1]:
            raise MotionError(f"examples must be (N, {len(parents)}, 2) and (N,), not {points.shape}, {heights.shape}")
        if len(points) < max(2, types) or not np.isfinite(points).all() or not (heights > 0).all():
            raise MotionError(f"springs need finite examples, at least {max(2, types)}, and heights above 0")
        offsets = (points - points[:, list(parents)]) / heights[:, None, None]  # (N, K, 2)
        n = len(parents)
        mean, deviation, share = np.zeros((n, types, 2)), np.full((n, types, 2), LEAST_DEVIATION), np.ones((n, types))
        generators = np.random.default_rng(seed).spawn(n)
        for j in range(1, n):
            label = np.zeros(len(points), np.int64)
            if types > 1:
                _, label = kmeans2(offsets[:, j], types, minit="++", rng=generators[j])
            for m in range(types):
                mine = offsets[label == m, j]
                share[j, m] = (len(mine) + 1) / (len(points) + types)
                if len(mine):
                    mean[j, m], deviation[j, m] = mine.mean(0), np.maximum(mine.std(0), LEAST_DEVIATION)
        return cls(tuple(parents), mean, deviation, share / share.sum(-1, keepdims=True))

    def at(self, height: float) -> Springs:
        """The springs of a body ``height`` cells tall: costs are -log of a Gaussian's density times its share."""
        deviation = height * self.deviation
        cost = np.log(deviation).sum(-1) - np.log(self.share)
        return Springs(self.parents, height * self.mean, deviation**-2.0, cost - cost.min(-1, keepdims=True))


LEAST_DEVIATION = 0.01  # body heights, of a spring: parts are never known better than a heatmap's cell


@dataclass(frozen=True, eq=False)
class Placement:
    """The placement that costs least.

    Attributes:
        cells: ``(K, 2)`` integer cells, column first. energy: what it costs.
        marginals: ``(K, H, W)`` min-marginals, where asked for: least cost with the part at each cell.
    """

    cells: Indices
    energy: float
    marginals: Array | None = None


def infer(unary: ArrayLike, springs: Springs, *, marginals: bool = True) -> Placement:
    """The placement of least cost, exactly, and the min-marginals of all parts.

    Args:
        unary: ``(K, H, W)`` finite costs.

    Raises:
        MotionError: ``unary`` is not finite or not of the springs' number of parts.
    """
    from rlsuite.motion.pose import pictorial_kernels as kernels

    belief = np.array(unary, np.float64)  # a copy: messages are added
    n = len(springs.parents)
    if belief.ndim != 3 or len(belief) != n or belief.size == 0 or not np.isfinite(belief).all():
        raise MotionError(f"costs must be finite, ({n}, H, W), not {belief.shape}")
    _, height, width = belief.shape
    longest = max(height, width)
    up, other = np.empty_like(belief), np.empty((height, width))
    reciprocal = 1.0 / np.maximum(np.arange(longest), 1)
    scratch = (
        np.empty((width + 1, longest)),
        np.empty(longest, np.int64),
        np.empty(longest + 1),
        reciprocal,
        np.empty(2),
    )
    joined = np.array(springs.parents, np.int64), 0.5 * springs.stiffness, springs.offset, springs.cost
    kernels.upward(*joined, belief, up, other, *scratch)
    cells = np.empty((n, 2), np.int64)
    energy = kernels.places(*joined, belief, cells)
    if not marginals:
        return Placement(cells, energy)
    total = belief.copy()
    kernels.downward(*joined, belief, up, total, np.empty((height, width)), other, *scratch)
    return Placement(cells, energy, total)


def softmin(marginals: ArrayLike, temperature: float = 1.0) -> Array:
    """``(K, H, W)`` of ``exp(-marginal / temperature)``, made to sum to 1 over each grid: confidence in each cell."""
    cost = np.asarray(marginals, np.float64) / temperature
    weight = np.exp(cost.min((-2, -1), keepdims=True) - cost)
    return weight / weight.sum((-2, -1), keepdims=True)
