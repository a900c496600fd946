"""Springs between the parts of a body, along the skeleton's tree: where a part rests seen from its parent, and how stiffly.

Felzenszwalb & Huttenlocher, Pictorial Structures for Object Recognition, IJCV 61 (2005), section 3, with several rest
positions a spring (the types of Yang & Ramanan, CVPR 2011):

    s(l) = sum_(i, j) min_m [ c_jm + k_jm (l_j - l_i - mu_jm)² / 2 ]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import MotionError
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]
LEAST_DEVIATION = 0.01  # sides of the box, of a spring: parts are never known better than a heatmap's cell


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
    """Springs for a body of any size: rest positions and deviations in sides of the box around it, and how frequent each is.

    Attributes:
        parents: ``(K,)``. mean, deviation: ``(K, M, 2)``. share: ``(K, M)``, sums to 1 over ``M``.
    """

    parents: tuple[int, ...]
    mean: Array
    deviation: Array
    share: Array

    @classmethod
    def fit(
        cls, parents: Sequence[int], points: ArrayLike, extents: ArrayLike, types: int = 1, *, seed: int = 0
    ) -> SpringModel:
        """From key points ``(N, K, 2)`` of bodies of ``extents (N,)`` pixels; types are clusters (k-means).

        Raises:
            MotionError: not enough examples, or points that are not finite.
        """
        from scipy.cluster.vq import kmeans2

        points, extents = np.asarray(points, np.float64), np.asarray(extents, np.float64)
        if points.ndim != 3 or points.shape[1:] != (len(parents), 2) or extents.shape != points.shape[:1]:
            raise MotionError(f"examples must be (N, {len(parents)}, 2) and (N,), not {points.shape}, {extents.shape}")
        if len(points) < max(2, types) or not np.isfinite(points).all() or not (extents > 0).all():
            raise MotionError(f"springs need finite examples, at least {max(2, types)}, and extents above 0")
        offsets = (points - points[:, list(parents)]) / extents[:, None, None]  # (N, K, 2)
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

    def at(self, extent: float) -> Springs:
        """Springs of a body whose box has a side of ``extent`` cells; costs are -log of a Gaussian and its share."""
        deviation = extent * self.deviation
        cost = np.log(deviation).sum(-1) - np.log(self.share)
        return Springs(self.parents, extent * self.mean, deviation**-2.0, cost - cost.min(-1, keepdims=True))
