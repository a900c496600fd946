"""Euler angles as motion files hold them: products of turns about coordinate axes, and angles back without leaps.

Intrinsic: the channels ``Zrotation Yrotation Xrotation`` are ``Rz Ry Rx``, order ``"zyx"``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.motion import hinge_angles
from rlsuite.motion import rotations as rot
from rlsuite.motion.formats import number_rows

Array = NDArray[np.float64]

CHUNK = 1024  # frames


def quaternions(angles: Array, order: str) -> Array:
    """``(..., 4)`` of angles ``(..., 3)``: :func:`rlsuite.motion.rotations.from_euler`, multiplied out.

    With ``c, s`` the cosines and sines of half the angles about axes ``i j k`` and ``e`` = +1 for an even order, -1 for
    an odd one, ``(c1 + s1 i)(c2 + s2 j)(c3 + s3 k)`` has the parts written below.
    """
    if len(set(order)) < 3:
        return rot.from_euler(angles, order)
    i, j, k = ("xyz".index(axis) for axis in order)
    even = 1.0 if (j - i) % 3 == 1 else -1.0
    half = 0.5 * np.moveaxis(angles, -1, 0)
    (c1, c2, c3), (s1, s2, s3) = np.cos(half), np.sin(half)
    out = np.empty((*angles.shape[:-1], 4))
    cc, ss, cs, sc = c1 * c2, even * s1 * s2, c1 * s2, s1 * c2
    out[..., 0] = cc * c3 - ss * s3
    out[..., 1 + i] = sc * c3 + even * cs * s3
    out[..., 1 + j] = cs * c3 - even * sc * s3
    out[..., 1 + k] = cc * s3 + ss * c3
    return out


def write_quaternions(
    out: Array, addresses: Sequence[int], channels: Array, columns: NDArray[np.intp], order: str, signs: Sequence[float]
) -> None:
    """Quaternions of degrees in ``channels[:, columns]`` ``(T, n, 3)`` into ``out`` ``(T, nq)``, from ``addresses`` on.

    ``signs`` ``(3,)`` turn angles round; compiled where that is worth it, else in NumPy, a cacheful at a time.
    """
    if number_rows.worth_compiling(channels.nbytes) and len(set(order)) == 3:
        from rlsuite.motion.formats import _kernels

        i, j, k = ("xyz".index(axis) for axis in order)
        _kernels.euler_quaternions(channels, columns, np.array(addresses), i, j, k, np.array(signs), out)
        return
    places = np.array(addresses)[:, None] + np.arange(4)
    for first in range(0, len(channels), CHUNK):
        rows = slice(first, first + CHUNK)
        out[rows, places] = quaternions(channels[rows][:, columns] * np.radians(signs), order)


def angles(quat: ArrayLike, order: str) -> Array:
    """``(T, ..., 3)`` angles about three different axes for a sequence of rotations ``(T, ..., 4)``, without leaps.

    Of the two sets of angles of each rotation the one nearer to the row before, whole turns added.
    """
    return hinge_angles.without_leaps(rot.to_euler(quat, order))
