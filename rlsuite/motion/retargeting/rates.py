"""Clips of many frames a second are retargeted at a moderate rate: no body moves so fast that more would show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rlsuite.motion import contacts, inverse_kinematics, sampling
from rlsuite.motion.clip import MotionClip

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
HIGHEST = 125.0  # frames a second
RESTING = 2e-4  # metres from frame to frame that a point moves at most to be at rest
FIRM = 100.0  # weight of a point at rest


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
    """``clip`` at the frames of the ``original`` that was thinned, by splines within the joint limits.

    A foot stands where it does in the frames before and after; what rests of its sole in both is kept in its place.
    """
    frames = np.arange(original.n_frames) * ((clip.n_frames - 1) / (original.n_frames - 1))
    # not clip.sample: the last frame of a cycle is its own, not the first of the next
    before = np.minimum(frames.astype(np.intp), clip.n_frames - 2)
    share = np.asarray(frames - before, np.float64)
    qpos = inverse_kinematics.within_limits(clip.skeleton, clip.tracks.splines(before, share, clip.slopes))
    near = (np.floor(frames + 1e-6).astype(np.intp), np.ceil(frames - 1e-6).astype(np.intp))
    labels = None if clip.contacts is None else clip.contacts[near[0]] & clip.contacts[near[1]]
    return replace(
        clip,
        qpos=qpos if labels is None else _at_rest(clip, qpos, labels, before, share),
        fps=original.fps,
        contacts=labels,
        confidence=original.confidence,
    )


def _at_rest(clip: MotionClip, qpos: Array, labels: Mask, before: NDArray[np.intp], share: Array) -> Array:
    """Poses ``(T, nq)`` with points of standing feet, ``labels (T, feet)``, where the clip has them."""
    skeleton = clip.skeleton
    points = contacts.sole_points(skeleton)
    places = contacts.on_bodies(clip.bodies, points)
    way = places[before + 1] - places[before]
    feet = [clip.contact_names.index(point.foot) for point in points]
    rest = labels[:, feet] & (np.linalg.norm(way, axis=-1) < RESTING)
    rows = np.flatnonzero(rest.any(axis=1))
    if not len(rows):
        return qpos
    targets = inverse_kinematics.Targets(
        point_bodies=tuple(point.body for point in points),
        offsets=np.array([point.offset for point in points]),
        positions=(places[before] + share[:, None, None] * way)[rows],
        point_weights=FIRM * rest[rows],
        bodies=(),
        rotations=np.zeros((len(rows), 0, 4)),
        rotation_weights=np.zeros(0),
    )
    qpos = qpos.copy()
    qpos[rows] = inverse_kinematics.solve(skeleton, qpos[rows], targets, reference_weight=1.0, iterations=3).qpos
    return qpos
