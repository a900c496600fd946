"""Hinges in place of a ball joint: angles about orthogonal axes of one body, and their branch along a motion.

Three orthogonal hinges ``i j k`` turn by ``Ri(a) Rj(b) Rk(c)``. Every rotation has two sets of angles, ``(a, b, c)`` and
``(a + π, π - b, c + π)``, each up to whole turns (Diebel 2006, "Representing attitude", section 5). Where ``cos b = 0``
the first and the last axis fall together, and only ``a + c`` or ``a - c`` is given: gimbal lock.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.motion import rotations as rot

Array = NDArray[np.float64]

LOCKED = 1e-7  # |cos b|, below which two axes are one
LEAP = 0.5  # radians in one step: in gimbal lock, angles that move less stay as they are


def are_orthogonal(axes: Array) -> bool:
    """Whether unit axes ``(n, 3)``, at most three, can give a rotation's angles."""
    return len(axes) <= 3 and np.allclose(axes @ axes.T, np.eye(len(axes)), atol=1e-6)


def angles(axes: Array, turn: Array, near: Array) -> Array:
    """``(..., n)`` angles of the rotation ``turn`` ``(..., 4)`` about orthogonal ``axes`` ``(n, 3)``, nearest to ``near``.

    One hinge takes the turn about its axis that is closest; two the first two angles of the sequence that they begin.
    """
    if len(axes) == 1:
        angle = rot.twist_angle(turn, axes[0])
        return (angle + 2.0 * np.pi * np.round((near[..., 0] - angle) / (2.0 * np.pi)))[..., None]
    hinges = len(axes)
    if hinges == 2:
        axes = np.vstack((axes, np.cross(axes[0], axes[1])))
        near = np.concatenate((near, np.zeros((*near.shape[:-1], 1))), axis=-1)
    signs = np.array([1.0, 1.0, handedness(axes)])  # a left-handed triple is a right-handed one, its last axis reversed
    axes = axes * signs[:, None]
    in_axes = np.concatenate((turn[..., :1], turn[..., 1:] @ axes.T), axis=-1)
    return (rot.to_euler(in_axes, "xyz", near * signs) * signs)[..., :hinges]


def handedness(axes: Array) -> float:
    """+1 for a right-handed triple ``(3, 3)``, -1 for a left-handed one."""
    return float(np.sign(np.linalg.det(axes)))


def other_set(triples: Array) -> Array:
    """The other three angles ``(..., 3)`` of the same rotation, up to whole turns."""
    return triples * np.array([1.0, -1.0, 1.0]) + np.pi


def follow(triples: ArrayLike, hand: float) -> Array:
    """``(T, 3)`` angles of the same rotations, each row the set nearest to the row before; the first stays as it is.

    In gimbal lock a row that leaps keeps the last angle of the row before, and the first takes up the rest.

    Args:
        hand: :func:`handedness` of the axes.
    """
    out = np.array(triples, np.float64)
    locked = np.abs(np.cos(out[:, 1])) < LOCKED
    settled = 0  # the last row that is as it will be
    for t in [*(np.flatnonzero(locked[1:]) + 1).tolist(), len(out)]:
        out[settled:t] = without_leaps(out[settled:t])
        if t < len(out) and np.abs(out[t] - out[t - 1]).max() > LEAP:
            a, b, c = out[t]
            free = np.array([a + hand * np.sign(np.sin(b)) * (c - out[t - 1, 2]), b, out[t - 1, 2]])
            out[t] = free + 2.0 * np.pi * np.round((out[t - 1] - free) / (2.0 * np.pi))
        settled = t
    return out


def into_range(path: Array, ranges: Array) -> Array:
    """A path ``(T, 3)`` without leaps, or the other one of the same rotations, whichever is less far out of ``ranges``.

    The two sets of a rotation are half a turn apart in the first and the last angle, so that out of gimbal lock a path
    cannot change between them without a leap: one is chosen for the whole of it, and whole turns for each angle, by
    the sum of squares beyond the range. The first path where both are alike.

    Args:
        ranges: ``(3, 2)`` lowest and highest angles.
    """
    paths = [_turned_into(candidate, ranges) for candidate in (path, other_set(path))]
    costs = [np.sum(beyond(candidate, ranges) ** 2) for candidate in paths]
    return paths[int(costs[1] < costs[0])]


def beyond(path: Array, ranges: Array) -> Array:
    """``(T, n)`` radians by which angles ``(T, n)`` leave their ranges ``(n, 2)``; zero within."""
    return np.maximum(np.maximum(ranges[:, 0] - path, path - ranges[:, 1]), 0.0)


def _turned_into(path: Array, ranges: Array) -> Array:
    """Each angle shifted by the whole turns, the same for all rows, that leave it least out of its range."""
    middle = np.where(np.isfinite(ranges).all(axis=1), ranges.sum(axis=1) / 2.0, 0.0)
    first = np.round((middle - (path.min(axis=0) + path.max(axis=0)) / 2.0) / (2.0 * np.pi))
    turns = 2.0 * np.pi * (first + np.array([0.0, -1.0, 1.0])[:, None])  # (3 choices, n)
    costs = [np.sum(beyond(path + turn, ranges) ** 2, axis=0) for turn in turns]
    return path + np.take_along_axis(turns, np.argmin(costs, axis=0)[None], axis=0)[0]


def without_leaps(triples: Array) -> Array:
    """``(T, ..., 3)`` angles of the same rotations, out of gimbal lock, each set nearest to the one before.

    Distances between sets are the same in both families, so which of them a row takes is the parity of the changes of
    family up to it; whole turns are added last.
    """
    if len(triples) < 2:
        return triples
    other = other_set(triples)
    stay = np.sum(_wrapped(triples[1:] - triples[:-1]) ** 2, axis=-1)
    change = np.sum(_wrapped(other[1:] - triples[:-1]) ** 2, axis=-1)
    parity = np.concatenate((np.zeros((1, *stay.shape[1:]), np.intp), np.cumsum(change < stay, axis=0) % 2))
    return np.unwrap(np.where(parity[..., None] == 1, other, triples), axis=0)


def _wrapped(angle: Array) -> Array:
    return angle - 2.0 * np.pi * np.round(angle / (2.0 * np.pi))
