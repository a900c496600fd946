"""Triangulation: points of the world from where several cameras see them.

With ``u`` the pixel and ``p_1, p_2, p_3`` the rows of the projection matrix ``P = K D R^T [I | -t]`` (``D = diag(1, -1,
-1)``, since cameras look along -Z), every view gives two equations ``(u p_3 - p_1) X = 0``, ``(v p_3 - p_2) X = 0``, which
are solved by singular values (direct linear transformation; Hartley & Zisserman, 12.2), weighted by confidence. They are
no distances in the picture, so Gauss-Newton steps on the reprojection error follow, with the weights of Geman and McClure,
by which a view that disagrees with the others loses its vote. Exact for exact pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import MotionError
from rlsuite.motion.cameras import Camera
from rlsuite.motion.pose.estimator import PoseSequence

Array = NDArray[np.float64]
ITERATIONS = 10
PARALLEL = 1e-6  # share of the least of the three equations' strengths in the greatest: rays (nearly) parallel


def projection_matrix(camera: Camera) -> Array:
    """``(3, 4)``: ``(u, v, 1) ~ P (X, 1)``."""
    turn = (np.array([[1.0], [-1.0], [-1.0]]) * camera.R.T).astype(np.float64)
    return camera.K @ np.concatenate([turn, -turn @ camera.t[:, None]], axis=1)


def triangulate(
    pixels: ArrayLike, confidence: ArrayLike, cameras: Sequence[Camera], *, sigma: float = 2.0, outlier: float = 5.0
) -> tuple[Array, Array]:
    """Points ``(..., 3)`` and their confidence ``(...)``, from ``pixels (C, ..., 2)`` that ``C`` cameras see.

    A point is as sure as the second surest of its views, each judged by its confidence and by how well it agrees: two
    views make a point. NaN and 0 where fewer than two see it, or their rays are parallel.

    Args:
        confidence: ``(C, ...)``, 0 where the point was not found. sigma: pixels of a usual error. outlier: in units of
            ``sigma``, of an error whose weight is a quarter.

    Raises:
        MotionError: the sizes do not fit, or there are fewer than two cameras.
    """
    seen, sure = np.asarray(pixels, np.float64), np.asarray(confidence, np.float64)
    if len(cameras) < 2 or seen.shape != (len(cameras), *sure.shape[1:], 2) or sure.shape != seen.shape[:-1]:
        raise MotionError(
            f"triangulation takes pixels (C, ..., 2) of C cameras, two at least, not {seen.shape} of {len(cameras)}"
        )
    lead = seen.shape[1:-1]
    uv = seen.reshape(len(cameras), -1, 2)
    weight = np.where(np.isfinite(uv).all(-1), sure.reshape(len(cameras), -1), 0.0)  # (C, N)
    uv = np.where(weight[..., None] > 0, uv, 0.0)
    points, found = _linear(uv, weight, cameras)
    for _ in range(ITERATIONS):
        points = points + _step(points, uv, weight, cameras, sigma, outlier)
    error, in_front = _errors(points, uv, cameras)
    agreeing = weight * _vote(error, sigma, outlier) * in_front
    second = np.sort(agreeing, axis=0)[-2]
    found &= np.isfinite(points).all(-1) & (second > 0)
    points = np.where(found[:, None], points, np.nan)
    return points.reshape(*lead, 3), np.where(found, np.clip(second, 0.0, 1.0), 0.0).reshape(lead)


def triangulated(views: Sequence[PoseSequence], cameras: Sequence[Camera], **settings: float) -> PoseSequence:
    """Key points in the world from the same key points in several pictures (:func:`triangulate`).

    Raises:
        MotionError: the views differ in length, rate or key points.
    """
    first = views[0]
    for view in views[1:]:
        if view.names != first.names or len(view.keypoints) != len(first.keypoints) or view.fps != first.fps:
            raise MotionError("several cameras must give the same key points at the same instants")
    points, confidence = triangulate(
        np.stack([view.keypoints for view in views]), np.stack([view.confidence for view in views]), cameras, **settings
    )
    return PoseSequence(points, confidence, first.names, first.fps)


def _linear(uv: Array, weight: Array, cameras: Sequence[Camera]) -> tuple[Array, NDArray[np.bool_]]:
    """The direct linear transformation, and where it has one answer."""
    rows = []
    for pixel, sure, camera in zip(uv, weight, cameras, strict=True):
        p = projection_matrix(camera)
        row = pixel[:, :, None] * p[2] - p[:2]  # (N, 2, 4)
        rows.append(row * (sure / camera.K[0, 0])[:, None, None])
    system = np.concatenate(rows, axis=1)  # (N, 2 C, 4), linear in X: rows[:3] X = -rows[3]
    a, b = system[..., :3], -system[..., 3]
    normal = np.swapaxes(a, 1, 2) @ a
    strength = np.linalg.eigvalsh(normal)
    found = ((weight > 0).sum(axis=0) >= 2) & (strength[:, 0] > PARALLEL**2 * strength[:, 2])
    normal[~found] = np.eye(3)
    points = np.linalg.solve(normal, (np.swapaxes(a, 1, 2) @ b[..., None]))[..., 0]
    return points, found


def _step(points: Array, uv: Array, weight: Array, cameras: Sequence[Camera], sigma: float, outlier: float) -> Array:
    """``(N, 3)`` of a Gauss-Newton step on the weighted reprojection error."""
    normal, right = np.zeros((len(points), 3, 3)), np.zeros((len(points), 3))
    for pixel, sure, camera in zip(uv, weight, cameras, strict=True):
        p = projection_matrix(camera)
        x = points @ p[:, :3].T + p[:, 3]
        depth = np.maximum(x[:, 2:], 1e-3)
        shown = x[:, :2] / depth
        slope = (p[:2, :3] - shown[..., None] * p[2, :3]) / depth[..., None]  # (N, 2, 3)
        vote = sure * _vote(np.linalg.norm(shown - pixel, axis=1), sigma, outlier)
        normal += vote[:, None, None] * np.swapaxes(slope, 1, 2) @ slope
        right += vote[:, None] * (np.swapaxes(slope, 1, 2) @ (pixel - shown)[..., None])[..., 0]
    scale = np.maximum(np.trace(normal, axis1=1, axis2=2), 1e-12)
    step = np.linalg.solve(normal + 1e-9 * scale[:, None, None] * np.eye(3), right[..., None])[..., 0]
    return step * np.minimum(1.0, 1.0 / np.maximum(np.linalg.norm(step, axis=1, keepdims=True), 1e-12))  # metres


def _errors(points: Array, uv: Array, cameras: Sequence[Camera]) -> tuple[Array, NDArray[np.bool_]]:
    """``(C, N)`` pixels between where a point should be seen and where it was, and whether it is in front."""
    depth = np.stack([camera.depth(points) for camera in cameras])
    shown = np.stack([camera.project(points) for camera in cameras])
    error = np.linalg.norm(np.where(np.isfinite(shown), shown, np.inf) - uv, axis=-1)
    return error, depth > 0


def _vote(error: Array, sigma: float, outlier: float) -> Array:
    """Weight of Geman and McClure's estimator: ``1 / (1 + (e / c)^2)^2``."""
    return (1.0 + (error / (sigma * outlier)) ** 2) ** -2.0
