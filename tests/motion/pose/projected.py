"""Exact key points of our own clips in pictures, with noise and gaps where wanted: what a perfect estimator would give."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rlsuite.motion import catalogue, kinematics
from rlsuite.motion.cameras import Camera, framing
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.pose.estimator import PoseSequence

FPS = 30.0


def still_clip(name: str, seconds: float) -> MotionClip:
    """The beginning of a shipped clip at 30 Hz, played once."""
    clip = catalogue.find(name)
    times = np.arange(round(seconds * FPS)) / FPS
    return MotionClip(clip.sample(times), FPS, clip.skeleton, name)


def cameras_of(clip: MotionClip, n: int, azimuth: float = -62.0) -> list[Camera]:
    return [framing(clip.bodies[0], azimuth=np.radians(azimuth + 360.0 / n * k)) for k in range(n)]


def seen(clip: MotionClip, camera: Camera, *, noise: float = 0.0, missing: float = 0.0, seed: int = 0) -> PoseSequence:
    rng = np.random.default_rng(seed)
    points = kinematics.keypoints(clip.skeleton, clip.qpos)
    pixels = camera.project(points) + noise * rng.normal(size=(*points.shape[:2], 2))
    there = rng.random(points.shape[:2]) >= missing
    return PoseSequence(
        np.where(there[..., None], pixels, np.nan), there.astype(np.float64), tuple(clip.skeleton.keypoints), clip.fps
    )


def root_error(a: MotionClip, b: MotionClip) -> float:
    """Millimetres of the key points, both pelvises in one place."""
    x, y = (kinematics.keypoints(clip.skeleton, clip.qpos) for clip in (a, b))
    return float(1000 * np.linalg.norm((x - x[:, :1]) - (y - y[:, :1]), axis=-1).mean())


def without_labels(clip: MotionClip) -> MotionClip:
    return replace(clip, contacts=None, contact_names=(), confidence=None, startable=None)
