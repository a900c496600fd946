"""Pictorial structures: parts on a tree of springs, placed where heatmaps and springs together cost least.

Felzenszwalb & Huttenlocher, Pictorial Structures for Object Recognition, IJCV 61 (2005), equation 6:

    E(l) = sum_i u_i(l_i) + s(l),   u_i(l) = -log h_i(l)

with the springs ``s`` of :mod:`rlsuite.motion.pose.springs`. The minimum over all ``(H W)^K`` placements is exact: messages
on the tree are generalised distance transforms, linear in the number of cells. The min-marginal of a part at ``l`` is the
least cost of all placements that put it there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import MotionError, RecordError
from rlsuite.motion.pose.model_files import PoseModel
from rlsuite.motion.pose.springs import Springs
from rlsuite.motion.pose.tracking import CropEstimator, Evidence, Reading
from rlsuite.motion.pose.training import extent

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
OUTLIERS = 0.02  # share of heatmaps that say nothing: a wrong one costs no more than -log(OUTLIERS / cells)


@dataclass(frozen=True, eq=False)
class Placement:
    """The placement that costs least.

    Attributes:
        cells: ``(K, 2)`` integer cells, column first. energy: what it costs.
        marginals: ``(K, H, W)`` min-marginals: least cost with the part at each cell; ``(0, H, W)`` if not asked for.
    """

    cells: Indices
    energy: float
    marginals: Array


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
        return Placement(cells, energy, belief[:0])
    total = belief.copy()
    kernels.downward(*joined, belief, up, total, np.empty((height, width)), other, *scratch)
    return Placement(cells, energy, total)


def softmin(marginals: ArrayLike, temperature: float = 1.0) -> Array:
    """``(K, H, W)`` of ``exp(-marginal / temperature)``, made to sum to 1 over each grid: confidence in each cell."""
    cost = np.asarray(marginals, np.float64) / temperature
    weight = np.exp(cost.min((-2, -1), keepdims=True) - cost)
    return weight / weight.sum((-2, -1), keepdims=True)


class PictorialEstimator(CropEstimator):
    """The heatmaps joined by springs: points placed together, min-marginals for confidence.

    Args:
        rest: where springs rest: ``"regressed"``, about the offsets that the regression head sees in this very picture
            (image-dependent relations, Chen & Yuille 2014), or ``"mean"``, about those of the mean pose.
        Others as :class:`CropEstimator`.

    Raises:
        RecordError: the model has no springs.
    """

    name = "pictorial"

    def __init__(
        self,
        file: str | Path | None = None,
        *,
        mirror: bool = True,
        model: PoseModel | None = None,
        rest: Literal["regressed", "mean"] = "regressed",
    ) -> None:
        super().__init__(file, mirror=mirror, model=model)
        springs = self.model.residual if rest == "regressed" else self.model.springs
        if springs is None:
            raise RecordError("the pose model has no springs; train it with rlsuite.motion.pose.heatmaps.train")
        self.rest, self.springs = rest, springs

    def read(self, evidence: Evidence) -> Reading:
        points = evidence.points * self.codec.size
        found = infer(unary(evidence.maps), self.at(points))
        sure = softmin(found.marginals)
        decoded = self.codec.decode(sure, found.cells)
        return Reading(decoded.points / self.codec.size, decoded.confidence, evidence.relative)

    def at(self, points: Array) -> Springs:
        """The springs for a body whose points have been regressed at ``(K, 2)`` cells."""
        springs = self.springs.at(max(float(extent(points)), 1.0))
        if self.rest == "mean":
            return springs
        offsets = points - points[list(springs.parents)]
        return replace(springs, offset=springs.offset + offsets[:, None])


def unary(maps: ArrayLike, outliers: float = OUTLIERS) -> Array:
    """``-log`` of heatmaps ``(K, H, W)`` of which a share says nothing."""
    maps = np.asarray(maps, np.float64)
    return -np.log((1 - outliers) * maps + outliers / maps[0].size)
