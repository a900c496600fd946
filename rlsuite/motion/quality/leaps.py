"""Frames that do not follow from their neighbours: spikes (away and back), discontinuities (away for good), jitter.

With ``v_t`` the step from frame ``t`` to ``t + 1`` and ``u_t = v_t - (v_{t-1} + v_{t+1}) / 2``, smooth motion has small
``u``. The largest is explained first: by one broken step, or by one to three frames out of place, whichever leaves the
smallest ``u`` around it; the explanation is taken out and the search goes on, so that one fault is one finding, with its
own frames and not those of its neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import median_filter, uniform_filter1d

from rlsuite.motion.clip import MotionClip
from rlsuite.motion.quality.findings import Finding, above
from rlsuite.motion.quality.joints import steps
from rlsuite.motion.quality.limits import Limits

Array = NDArray[np.float64]
LONGEST_SPIKE = 3
SLOWEST_JITTER = 50.0  # frames a second
_EXPLAINED = 0.5  # an explanation must leave at most this share of the roughness around it
_ROBUST = 8.0  # how many times the usual roughness of the same joint
_AROUND = 5
_MOST = 2000


@dataclass(frozen=True)
class Leap:
    """``frames`` ``start`` to ``stop - 1`` are out of place (spike), or the step into frame ``start`` is (not spike)."""

    channel: str
    body: int
    start: int
    stop: int
    size: float
    spike: bool


def find(clip: MotionClip, limits: Limits) -> list[Leap]:
    """All leaps of the root's place and of the turns of bodies; ``size`` in m or rad per frame."""
    found = []
    for name, change, body in steps(clip):
        low = limits.root_leap[0] if name == "root position" else limits.joint_leap[0]
        found += [Leap(name, body, *leap) for leap in _explain(change.copy(), low / clip.fps)]
    return found


def leaps(clip: MotionClip, limits: Limits, found: list[Leap]) -> list[Finding]:
    """The leaps as findings: ``spike`` and ``discontinuity``, of each channel."""
    out = []
    for name in ("spike", "discontinuity"):
        for channel in dict.fromkeys(leap.channel for leap in found):
            size = np.zeros(clip.n_frames)
            for leap in found:
                if leap.channel == channel and leap.spike == (name == "spike"):
                    frames = slice(leap.start, leap.stop)
                    size[frames] = np.maximum(size[frames], leap.size * clip.fps)
            root = channel == "root position"
            threshold, unit = (limits.root_leap, "m/s") if root else (limits.joint_leap, "rad/s")
            out += above(name, channel, size, unit, threshold)
    return out


def _roughness(v: Array) -> Array:
    """``(n,)`` size of ``u``; at the ends the step beyond is taken to be the last one."""
    padded = np.concatenate((v[:1], v, v[-1:]))
    return np.linalg.norm(v - 0.5 * (padded[:-2] + padded[2:]), axis=-1)


def _explain(v: Array, floor: float) -> list[tuple[int, int, float, bool]]:
    """``(start, stop, size, spike)`` of every leap in the steps ``v (T - 1, 3)``, which are mended in place."""
    if len(v) < 4:
        return []
    u = _roughness(v)
    done = np.zeros(len(v), bool)
    found: list[tuple[int, int, float, bool]] = []
    threshold = max(floor, _ROBUST * 1.4826 * float(np.median(u)))
    while len(found) < _MOST:
        t = int(np.argmax(np.where(done, 0.0, u)))
        if done[t] or u[t] <= threshold:
            return found
        low, high = max(0, t - _AROUND), min(len(v), t + _AROUND + 1)
        before = float(np.sum(u[low:high] ** 2))
        best: tuple[float, int, int, bool, Array] | None = None
        # (first, last) steps that are redistributed: one for a break, n + 1 for n frames out of place
        for width in range(1, LONGEST_SPIKE + 2):
            for first in range(max(0, t - width + 1), min(t, len(v) - width) + 1):
                trial = _mended(v[low:high], first - low, width)
                left = float(np.sum(_roughness(trial) ** 2))
                if best is None or left < 0.8 * best[0]:  # the simpler of two that are about as good
                    best = (left, first, width, width > 1, trial)
        done[t] = True
        if best is None or best[0] > _EXPLAINED * before:
            continue
        _, first, width, spike, trial = best
        size = float(np.linalg.norm(v[low:high] - trial, axis=-1).max())
        v[low:high] = trial
        u = _roughness(v)
        if size > floor:
            found.append((first + 1, first + width if spike else first + 2, size, spike))
    return found


def _mended(v: Array, first: int, width: int) -> Array:
    """Steps with ``width`` of them replaced by what their neighbours suggest; a spike's sum stays as it was."""
    out = v.copy()
    left = v[first - 1] if first > 0 else v[min(first + width, len(v) - 1)]
    right = v[first + width] if first + width < len(v) else left
    share = (np.arange(width) + 1.0)[:, None] / (width + 1.0)
    line = left + share * (right - left)
    if width > 1:
        line = line + (v[first : first + width] - line).mean(axis=0)
    out[first : first + width] = line
    return out


def jitter(clip: MotionClip, limits: Limits) -> list[Finding]:
    """Bodies that tremble: the size in radians of the noise on their turning, over stretches of a third of a second.

    White noise of variance ``s^2`` on three angles has fourth differences of mean square ``3 * 70 s^2`` that oppose one
    another from frame to frame; smooth motion has small ones that mostly agree. So the median over the stretch is told, and
    only where eight out of ten oppose one another: one leap is no trembling. Below 50 frames a second fast motion looks the
    same, and nothing is told.
    """
    width = max(11, round(clip.fps / 3.0))
    found: list[Finding] = []
    for name, change, _ in steps(clip) if clip.fps >= SLOWEST_JITTER else ():
        if name == "root position" or len(change) < width + 3:
            continue
        fourth = np.diff(change, 3, axis=0)  # of the angles; entry t is centred on frame t + 2
        size = median_filter(np.linalg.norm(fourth, axis=-1), width, mode="nearest") / np.sqrt(70.0)
        opposed = np.sum(fourth[1:] * fourth[:-1], axis=-1) < 0.0
        share = uniform_filter1d(np.append(opposed, opposed[-1]).astype(np.float64), width, mode="nearest")
        found += above("jitter", name, np.pad(np.where(share > 0.8, size, 0.0), 2, mode="edge"), "rad", limits.jitter)
    return found


def quaternions(clip: MotionClip, limits: Limits, raw: ArrayLike | None) -> list[Finding]:
    """Signs that flip between frames, which are harmless, and lengths other than 1 in what was read."""
    found = []
    for at in clip.skeleton.quaternions:
        begins = at if at in clip.skeleton.qpos_address else at - 3  # a free joint begins with its position
        joint = clip.skeleton.joints[clip.skeleton.qpos_address.index(begins)]
        quat = clip.qpos[:, at : at + 4]
        flips = np.flatnonzero(np.sum(quat[1:] * quat[:-1], axis=-1) < 0.0) + 1
        if len(flips):
            note = "q and -q are one rotation"
            found.append(Finding("sign_flip", joint.name, flips, np.full(len(flips), 2.0), "", (0.0, 0.0), note, True))
        if raw is not None:
            length = np.linalg.norm(np.asarray(raw, np.float64)[:, at : at + 4], axis=-1)
            found += above("quaternion_norm", joint.name, np.abs(length - 1.0), "", limits.norm)
    return found
