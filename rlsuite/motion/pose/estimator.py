"""The contract of pose estimators: a video goes in, key points, confidence and a clip come out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rlsuite.errors import MotionError
from rlsuite.motion.cameras import Camera
from rlsuite.motion.clip import MotionClip

Array = NDArray[np.float64]
Frame = NDArray[np.uint8]  # (H, W, 3), sRGB


@dataclass(frozen=True, eq=False)
class PoseSequence:
    """Key points over time as one camera sees them (``D`` = 2, pixels), or in the world (``D`` = 3, metres).

    Attributes:
        keypoints: ``(T, K, D)``; NaN where a point was not found.
        confidence: ``(T, K)`` from 0 (not found) to 1.
        names: of the ``K`` points, those of :attr:`Skeleton.keypoints` unless an adapter says otherwise.
        fps: frames a second.
        clip: poses that explain the points, where they have been fitted.
    """

    keypoints: Array
    confidence: Array
    names: tuple[str, ...]
    fps: float
    clip: MotionClip | None = None

    def __post_init__(self) -> None:
        points, confidence = np.asarray(self.keypoints, np.float64), np.asarray(self.confidence, np.float64)
        if points.ndim != 3 or points.shape[2] not in (2, 3) or points.shape[1] != len(self.names):
            raise MotionError(f"key points must be (T, {len(self.names)}, 2 or 3), not {points.shape}")
        if confidence.shape != points.shape[:2] or not ((confidence >= 0) & (confidence <= 1)).all():
            raise MotionError(f"confidence must be numbers from 0 to 1, {points.shape[:2]}, not {confidence.shape}")
        if np.isinf(points).any() or (np.isnan(points).any(-1) & (confidence > 0)).any():
            raise MotionError("key points must be finite, or NaN with a confidence of 0")
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise MotionError(f"fps must be a positive number, not {self.fps!r}")
        object.__setattr__(self, "keypoints", points)
        object.__setattr__(self, "confidence", confidence)


class PoseEstimator(Protocol):
    """Finds a body in a video.

    ``frames`` are read once, in order, and never all held; with several cameras it is a sequence of such videos, taken at
    the same instants.
    """

    name: str

    def estimate(
        self, frames: Iterable[Frame], fps: float, camera: Camera | Sequence[Camera] | None = None
    ) -> PoseSequence:
        """Key points in pixels, and where the estimator works on poses itself, the clip."""
