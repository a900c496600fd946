"""The estimator by direct regression: points as numbers, in the picture and, with a camera, in the world.

The regression head (:mod:`rlsuite.motion.pose.refinement`) gives points of the crop and their places relative to the first
point, in metres. A calibrated camera then leaves three unknowns, where the first point is: every point seen at
``(x, y) = K^-1 (u, v, 1)`` demands ``r_x + t_x = x (r_d + t_d)`` and ``r_y + t_y = y (r_d + t_d)``, with the depth ``d``
and ``y`` downwards, linear in ``t``.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import MotionError
from rlsuite.motion.cameras import Camera
from rlsuite.motion.pose.estimator import Frame, PoseSequence
from rlsuite.motion.pose.tracking import CropEstimator, Evidence, Reading

Array = NDArray[np.float64]
NEAREST = 0.1  # metres from a camera, of a body


class RegressionEstimator(CropEstimator):
    """Every point as regressed; the mass of its heatmap that lies around it for confidence."""

    name = "regression"

    def read(self, evidence: Evidence) -> Reading:
        mass = self.codec.mass(evidence.maps, evidence.points * self.codec.size)
        return Reading(evidence.points, mass, evidence.relative)

    def estimate_positions(self, frames: Iterable[Frame], fps: float, camera: Camera) -> PoseSequence:
        """Key points ``(T, K, 3)`` in the world, metres, from one calibrated camera.

        How far away the body is follows from the size that bodies had in training.

        Raises:
            MotionError: no frame, or one that is no picture.
        """
        positions, confidence = [], []
        for reading in self.follow(frames):
            positions.append(placed(reading.relative, reading.points, camera, reading.confidence))
            confidence.append(reading.confidence)
        if not positions:
            raise MotionError("the video has no frames")
        return PoseSequence(np.stack(positions), np.stack(confidence), self.names, fps)


def placed(relative: ArrayLike, pixels: ArrayLike, camera: Camera, weight: ArrayLike | None = None) -> Array:
    """``(K, 3)`` in the world: ``relative (K, 3)`` in the camera's axes, shifted to be seen at ``pixels (K, 2)``.

    Least squares over the two equations of each point, ``weight (K,)``; exact where a shift explains all of them.
    """
    r = np.asarray(relative, np.float64) * (1, -1, -1)  # (K, 3), downwards and depth
    uv = np.asarray(pixels, np.float64)
    w = np.ones(len(r)) if weight is None else np.asarray(weight, np.float64) + 1e-3
    x, y, _ = np.linalg.inv(camera.K) @ np.column_stack([uv, np.ones(len(uv))]).T
    zero, one = np.zeros(len(r)), np.ones(len(r))
    rows = np.concatenate([np.column_stack([one, zero, -x]), np.column_stack([zero, one, -y])])
    wanted = np.concatenate([x * r[:, 2] - r[:, 0], y * r[:, 2] - r[:, 1]])
    shift, *_ = np.linalg.lstsq(rows * np.tile(w, 2)[:, None], wanted * np.tile(w, 2), rcond=None)
    if shift[2] + r[:, 2].min() < NEAREST:  # nonsense points: in front of the camera all the same
        shift[2] = NEAREST - r[:, 2].min()
    return (r + shift) * (1, -1, -1) @ camera.R.T + camera.t
