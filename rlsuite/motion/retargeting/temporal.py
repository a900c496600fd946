"""Inverse kinematics that is smooth in time: the correction of every frame agrees with those around it.

Frames are solved on their own and all at once; then what was added to the first guess is smoothed in time, and the
search begins anew from there, held to it. The motion itself stays as sharp as it is. Where limits leave two poses that
fit about as well, neighbouring frames may take different ones: around such a leap the correction is smoothed more
widely, and held more firmly, at the cost of some fit.
"""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from rlsuite.motion import inverse_kinematics, sampling
from rlsuite.motion import rotations as rot
from rlsuite.motion.contacts import runs
from rlsuite.motion.inverse_kinematics import Solution, Targets
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]
# weight, per radian or metre, of the first guess, of the smoothed pose, of the one around a leap, and of
# the one between keys
NEAR, SMOOTHED, FIRM, BETWEEN = 0.03, 0.1, 0.7, 0.4
MOST, FIRST, FEW, TOLERANCE, GAIN = 12, 5, 3, 1e-6, 2e-3
KEYS = 60.0  # frames a second that are searched for from the first guess
LEAP, AHEAD = 15.0, 2.0  # radians per second, and times the pace of the first guess around, that make a leap
WIDE, ROUNDS = 0.04, 3  # seconds (standard deviation) of smoothing around leaps, and how often that is done at most


def solve(skeleton: Skeleton, guess: Array, targets: Targets, fps: float, smoothing: float) -> Solution:
    """Poses ``(T, nq)`` that meet ``targets``.

    The correction is smooth, so that it is found at a moderate rate and carried to the frames between by cubic splines;
    what they lack there, where the source trembles, a few steps of all frames add.

    Args:
        guess: ``(T, nq)``, smooth in time. smoothing: seconds (standard deviation); 0: frames on their own.
    """
    stride = int(fps / KEYS + 1e-6)
    if smoothing <= 0.0 or stride < 2 or len(guess) <= 2 * stride:
        return _settled(skeleton, guess, targets, fps, smoothing)
    keys = np.append(np.arange(0, len(guess) - 1, stride), len(guess) - 1)
    solution = _settled(skeleton, guess[keys], targets.of(keys), fps / stride, smoothing)
    added = CubicSpline(keys, sampling.difference(skeleton, guess[keys], solution.qpos))(np.arange(len(guess)))
    start = inverse_kinematics.within_limits(skeleton, sampling.integrate(skeleton, guess, added))
    filled = _search(skeleton, start, targets, start, BETWEEN, FEW)
    between = np.searchsorted(keys, np.arange(len(guess)))
    return replace(
        filled, converged=solution.converged[between], iterations=filled.iterations + solution.iterations[between]
    )


def _settled(skeleton: Skeleton, guess: Array, targets: Targets, fps: float, smoothing: float) -> Solution:
    """The same with every frame searched for."""
    if smoothing <= 0.0:
        return _search(skeleton, guess, targets, guess, NEAR)
    # what stands on the floor is settled in the second search: it needs the first one's solution to be near
    solution = _search(skeleton, guess, replace(targets, floor=None), guess, NEAR, FIRST)
    calm = _smoothed(skeleton, guess, solution.qpos, smoothing * fps)
    solution = _search(skeleton, calm, targets, calm, SMOOTHED)
    for _ in range(ROUNDS):
        firm = _around_leaps(skeleton, guess, solution.qpos, fps)
        if not firm.any():
            break
        calm = _smoothed(skeleton, guess, solution.qpos, WIDE * fps)
        for a, b in runs(firm.any(axis=1)):
            rows = slice(a, b)
            weight = SMOOTHED + (FIRM - SMOOTHED) * firm[rows]
            part = _search(skeleton, calm[rows], targets.of(rows), calm[rows], weight)
            for name in (field.name for field in fields(Solution)):
                getattr(solution, name)[rows] = getattr(part, name)
    return solution


def _search(
    skeleton: Skeleton, start: Array, targets: Targets, reference: Array, weight: float | Array, iterations: int = MOST
) -> Solution:
    return inverse_kinematics.solve(
        skeleton,
        start,
        targets,
        reference=reference,
        reference_weight=weight,
        iterations=iterations,
        tolerance=TOLERANCE,
        gain=GAIN,
    )


def _smoothed(skeleton: Skeleton, guess: Array, qpos: Array, frames: float) -> Array:
    """The poses with what was added to the first guess smoothed in time."""
    added = sampling.difference(skeleton, guess, qpos)
    return sampling.integrate(skeleton, guess, gaussian_filter1d(added, frames, axis=0, mode="nearest"))


def _around_leaps(skeleton: Skeleton, guess: Array, qpos: Array, fps: float) -> Array:
    """``(T, nv)`` 1 where a body leaps that does not in the first guess, for its joints, falling to 0 around it."""
    firm = np.zeros((len(qpos), skeleton.nv))
    if len(qpos) < 2:
        return firm
    owners = np.concatenate([np.full({"free": 6, "ball": 3}.get(j.kind, 1), j.body) for j in skeleton.joints])
    dofs = [np.flatnonzero(owners == body) for body in range(skeleton.nbody)]
    reach = max(2, round(4.0 * WIDE * fps))
    turns = (skeleton.local_rotations(q) for q in (qpos, guess))
    pace, before = (rot.angle_between(turn[1:], turn[:-1]) * fps for turn in turns)  # (T - 1, nbody)
    before = maximum_filter1d(before, 2 * (reach // 2) + 1, axis=0)
    fall = 1.0 - (np.abs(np.arange(-reach, reach)) / reach) ** 2
    for t, body in np.argwhere(pace > np.maximum(LEAP, AHEAD * before)).tolist():
        a, b = max(0, t + 1 - reach), min(len(qpos), t + 1 + reach)
        here = fall[a - (t + 1 - reach) : b - (t + 1 - reach), None]
        firm[a:b, dofs[body]] = np.maximum(firm[a:b, dofs[body]], here)
    return firm
