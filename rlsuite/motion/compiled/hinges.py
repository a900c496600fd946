"""Angles of one body's hinges, within their ranges, that turn it most nearly as wanted: cyclic coordinate descent."""

from __future__ import annotations

from math import atan2, cos, pi, sin

import numpy as np
from numpy.typing import NDArray

from rlsuite.motion.compiled.kernels import Quaternion, entry_kernel, inverse, multiply, small_kernel
from rlsuite.motion.compiled.tree import quaternion_at

Array = NDArray[np.float64]
STILL = 1e-9  # radians by which no hinge moves any more in a sweep


@small_kernel
def _about(axes: Array, i: int, angle: float) -> Quaternion:
    s = sin(0.5 * angle)
    return cos(0.5 * angle), s * axes[i, 0], s * axes[i, 1], s * axes[i, 2]


@small_kernel
def _product(axes: Array, angles: Array, reference: Array, start: int, stop: int) -> Quaternion:
    """What the hinges from ``start`` to before ``stop`` turn by together."""
    turn = (1.0, 0.0, 0.0, 0.0)
    for i in range(start, stop):
        turn = multiply(turn, _about(axes, i, angles[i] - reference[i]))
    return turn


@small_kernel
def _apart(a: float, b: float) -> float:
    """The shorter way round the circle."""
    return abs((a - b + pi) % (2.0 * pi) - pi)


@entry_kernel
def nearest(axes: Array, rows: Array, target: Array, low: Array, high: Array, reference: Array, sweeps: int) -> None:
    """Move angles ``rows (T, n)``, in place, to where hinges turn as ``target (T, 4)`` as nearly as they come to it.

    With the others fixed, the best angle of one hinge is the twist of what is left about its axis, or the end of its range
    that is nearer round the circle.
    """
    n = len(axes)
    for t in range(len(rows)):
        angles = rows[t]
        for _ in range(sweeps):
            moved = 0.0
            for i in range(n):
                before = angles[i]
                left, right = _product(axes, angles, reference, 0, i), _product(axes, angles, reference, i + 1, n)
                w, x, y, z = multiply(multiply(inverse(left), quaternion_at(target[t], 0)), inverse(right))
                angle = 2.0 * atan2(x * axes[i, 0] + y * axes[i, 1] + z * axes[i, 2], w) + reference[i]
                angle += 2.0 * pi * np.rint((before - angle) / (2.0 * pi))
                if angle < low[i] or angle > high[i]:
                    angle = low[i] if _apart(low[i], angle) <= _apart(high[i], angle) else high[i]
                angles[i] = angle
                moved = max(moved, abs(angle - before))
            if moved < STILL:
                break
