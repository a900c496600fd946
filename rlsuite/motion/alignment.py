"""Alignment of point sets: into the frame of the root, onto its heading, and by the best similarity (Umeyama).

Points are ``(..., K, 3)`` in metres; leading axes (frames) are aligned one by one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import MotionError
from rlsuite.motion import rotations as rot

Array = NDArray[np.float64]


def to_root(points: ArrayLike, root_position: ArrayLike, root_rotation: ArrayLike | None = None) -> Array:
    """Points ``(..., K, 3)`` relative to the root ``(..., 3)``; with its rotation ``(..., 4)`` also turned to heading 0.

    Only the turn about the vertical is taken away: leaning stays.
    """
    relative = np.asarray(points, np.float64) - np.asarray(root_position, np.float64)[..., None, :]
    if root_rotation is None:
        return relative
    return rot.rotate(rot.conjugate(rot.heading(root_rotation))[..., None, :], relative)


def umeyama(source: ArrayLike, target: ArrayLike, *, scaling: bool = True) -> tuple[Array, Array, Array]:
    """The similarity that brings ``source`` closest to ``target`` in least squares.

    Minimises ``mean ||target_k - (s R source_k + t)||^2`` (Umeyama 1991, eq. 34-43): with the singular values
    ``U D V' = svd(covariance)`` and ``S = diag(1, 1, det U det V)``, ``R = U S V'``, ``s = tr(D S) / var(source)``. ``R`` is
    never a reflection.

    Args:
        source, target: ``(..., K, 3)``, or of another dimension. scaling: whether the scale is free, or 1.

    Returns:
        ``R (..., 3, 3)``, ``s (...)`` and ``t (..., 3)``.
    """
    x, y = _pair(source, target)
    mean_x, mean_y = x.mean(axis=-2), y.mean(axis=-2)
    x, y = x - mean_x[..., None, :], y - mean_y[..., None, :]
    covariance = np.swapaxes(y, -1, -2) @ x / x.shape[-2]  # (..., 3, 3)
    u, d, vt = np.linalg.svd(covariance)
    s = np.ones_like(d)
    s[..., -1] = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    rotation = (u * s[..., None, :]) @ vt
    variance = np.mean(np.sum(x**2, axis=-1), axis=-1)
    one = np.ones_like(variance)
    scale = np.divide(np.sum(d * s, axis=-1), variance, out=one.copy(), where=variance > 1e-18) if scaling else one
    shift = mean_y - scale[..., None] * (rotation @ mean_x[..., None])[..., 0]
    return rotation, scale, shift


def procrustes(source: ArrayLike, target: ArrayLike, *, scaling: bool = True) -> Array:
    """``source (..., K, 3)`` after the similarity of :func:`umeyama`, each leading index with its own."""
    rotation, scale, shift = umeyama(source, target, scaling=scaling)
    turned = np.asarray(source, np.float64) @ np.swapaxes(rotation, -1, -2)
    return scale[..., None, None] * turned + shift[..., None, :]


def _pair(source: ArrayLike, target: ArrayLike) -> tuple[Array, Array]:
    x, y = np.asarray(source, np.float64), np.asarray(target, np.float64)
    if x.shape != y.shape or x.ndim < 2 or 0 in x.shape[-2:]:
        raise MotionError(
            f"points must be two arrays of one shape (..., K, 3) with K at least 1, not {x.shape}, {y.shape}"
        )
    return x, y
