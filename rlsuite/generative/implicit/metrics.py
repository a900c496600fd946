"""How near two shapes are: overlap of volumes, distance between surfaces, agreement of normals (Mescheder et al. 2019)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


def iou(inside: Tensor, truth: Tensor) -> float:
    """Volumetric intersection over union of booleans at the same, evenly spread points; 1 where both are empty."""
    union = int((inside | truth).sum())
    return float((inside & truth).sum()) / union if union else 1.0


class SurfaceDistance(NamedTuple):
    """Means over sampled points, in metres; ``chamfer`` is half the sum of the other two.

    Attributes:
        accuracy: from the estimate to the nearest point of the truth. completeness: the other way.
        normals: mean cosine between nearest points' normals, both ways, or ``None`` without normals.
    """

    chamfer: float
    accuracy: float
    completeness: float
    normals: float | None


def surface_distance(points: Tensor, truth: Tensor, normals: tuple[Tensor, Tensor] | None = None) -> SurfaceDistance:
    """Chamfer-L1 between points ``(n, 3)`` and ``truth (m, 3)`` drawn evenly from two surfaces.

    With finite samples even equal surfaces are apart by about half the spacing of the points.
    """
    accuracy, to_truth = _nearest(points, truth)
    completeness, to_points = _nearest(truth, points)
    cosine = None
    if normals is not None:
        own, other = normals
        cosine = float(((own * other[to_truth]).sum(-1).mean() + (other * own[to_points]).sum(-1).mean()) / 2)
    means = float(accuracy.mean()), float(completeness.mean())
    return SurfaceDistance(sum(means) / 2, *means, cosine)


def _nearest(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Distance and index of the point of ``b`` that is nearest to each of ``a``."""
    from scipy.spatial import cKDTree

    distance, index = cKDTree(b.detach().numpy()).query(a.detach().numpy())
    return torch.from_numpy(distance), torch.from_numpy(index)
