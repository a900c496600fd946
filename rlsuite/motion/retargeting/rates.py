"""Clips of many frames a second are retargeted at a moderate rate: no body moves so fast that more would show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rlsuite.motion import inverse_kinematics, sampling
from rlsuite.motion.clip import MotionClip

HIGHEST = 125.0  # frames a second


def thinned(clip: MotionClip) -> MotionClip:
    """The clip at no more than about :data:`HIGHEST` frames a second, from its first frame to its last; itself where it
    has no more."""
    steps = clip.n_frames - 1
    fewer = max(1, round(steps / max(1, round(clip.fps / HIGHEST))))
    if fewer >= steps:
        return clip
    fps = fewer / clip.duration
    frames = np.arange(fewer + 1) * (steps / fewer)
    nearest = np.rint(frames).astype(np.intp)
    return replace(
        clip,
        qpos=sampling.interpolate_frames(clip, frames),
        fps=fps,
        contacts=None if clip.contacts is None else clip.contacts[nearest],
        startable=None,
        confidence=None if clip.confidence is None else clip.confidence[nearest],
    )


def filled(clip: MotionClip, original: MotionClip) -> MotionClip:
    """``clip`` at the frames of the ``original`` that was thinned, by splines within the joint limits."""
    frames = np.arange(original.n_frames) * ((clip.n_frames - 1) / (original.n_frames - 1))
    nearest = np.rint(frames).astype(np.intp)
    # not clip.sample: the last frame of a cycle is its own, not the first of the next
    before = np.minimum(frames.astype(np.intp), clip.n_frames - 2)
    qpos = clip.tracks.splines(before, np.asarray(frames - before, np.float64), clip.slopes)
    return replace(
        clip,
        qpos=inverse_kinematics.within_limits(clip.skeleton, qpos),
        fps=original.fps,
        contacts=None if clip.contacts is None else clip.contacts[nearest],
        confidence=original.confidence,
    )
