"""Rotations as unit quaternions ``(w, x, y, z)`` in arrays ``(..., 4)``: MuJoCo's convention, Hamilton's product.

``multiply(p, q)`` turns by ``q`` first, then by ``p``. Rotation vectors are axis times angle in radians. ``q`` and ``-q``
are one rotation; functions that return angles take the shorter way round. Leading axes broadcast everywhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])
_TINY = 1e-12


def normalize(quat: ArrayLike) -> Array:
    """Unit quaternions; one of length zero becomes the identity, one of unit length stays as it is to the last bit."""
    quat = np.asarray(quat, np.float64)
    square = np.einsum("...i,...i->...", quat, quat)[..., None]  # many times faster than a sum over so short an axis
    if np.abs(square - 1.0).max(initial=0.0) < 1e-14:
        return quat.copy()
    length = np.linalg.norm(quat, axis=-1, keepdims=True)
    unit = np.where(length > _TINY, quat / np.maximum(length, _TINY), IDENTITY)
    return np.where(np.abs(square - 1.0) < 1e-14, quat, unit)


def conjugate(quat: ArrayLike) -> Array:
    """The inverse rotation of unit quaternions."""
    return np.asarray(quat, np.float64) * np.array([1.0, -1.0, -1.0, -1.0])


def multiply(left: ArrayLike, right: ArrayLike) -> Array:
    """Hamilton product: ``right`` turns first."""
    a, b = np.asarray(left, np.float64), np.asarray(right, np.float64)
    aw, ax, ay, az = a[..., 0], a[..., 1], a[..., 2], a[..., 3]
    bw, bx, by, bz = b[..., 0], b[..., 1], b[..., 2], b[..., 3]
    product = (
        aw * bw - ax * bx - ay * by - az * bz,
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
    )
    return np.stack(product, axis=-1)


def rotate(quat: ArrayLike, vector: ArrayLike) -> Array:
    """Vectors ``(..., 3)`` turned by quaternions ``(..., 4)``."""
    q, v = np.asarray(quat, np.float64), np.asarray(vector, np.float64)
    w, x, y, z = q[..., 0], q[..., 1], q[..., 2], q[..., 3]
    vx, vy, vz = v[..., 0], v[..., 1], v[..., 2]
    # v + w t + u × t with t = 2 u × v; written out, because np.cross is several times slower
    tx, ty, tz = 2.0 * (y * vz - z * vy), 2.0 * (z * vx - x * vz), 2.0 * (x * vy - y * vx)
    turned = (
        vx + w * tx + (y * tz - z * ty),
        vy + w * ty + (z * tx - x * tz),
        vz + w * tz + (x * ty - y * tx),
    )
    return np.stack(turned, axis=-1)


def from_axis_angle(axis: ArrayLike, angle: ArrayLike) -> Array:
    """Turn by ``angle`` ``(...)`` about the unit ``axis`` ``(..., 3)``."""
    half = 0.5 * np.asarray(angle, np.float64)[..., None]
    imaginary = np.sin(half) * np.asarray(axis, np.float64)
    real = np.broadcast_to(np.cos(half), (*imaginary.shape[:-1], 1))
    return np.concatenate((real, imaginary), axis=-1)


def exp(vector: ArrayLike) -> Array:
    """Quaternion of a rotation vector ``(..., 3)``."""
    v = np.asarray(vector, np.float64)
    angle = np.linalg.norm(v, axis=-1, keepdims=True)
    # sin(a/2)/a, with its series where the quotient loses digits
    scale = np.where(angle > 1e-4, np.sin(0.5 * angle) / np.maximum(angle, _TINY), 0.5 - angle**2 / 48.0)
    return np.concatenate((np.cos(0.5 * angle), scale * v), axis=-1)


def log(quat: ArrayLike) -> Array:
    """Rotation vector ``(..., 3)`` of length at most pi."""
    q = np.asarray(quat, np.float64)
    q = np.where(q[..., :1] < 0.0, -q, q)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, q[..., :1])
    return q[..., 1:] * np.where(sine > 1e-8, angle / np.maximum(sine, _TINY), 2.0)


def inverse_right_jacobian(vector: ArrayLike) -> Array:
    r"""``(..., 3, 3)``: :math:`\log(\exp(\phi) \exp(\delta)) \approx \phi + J_r^{-1}(\phi) \delta` (Sola et al. 2018, 144).

    The turn ``vector (..., 3)`` is shorter than a whole one.
    """
    vector = np.asarray(vector, np.float64)
    angle = np.linalg.norm(vector, axis=-1)[..., None, None]
    across = cross_matrix(vector)
    small = angle < 1e-3
    safe = np.where(small, 1.0, angle)
    factor = np.where(small, 1.0 / 12.0, (1.0 - 0.5 * safe / np.tan(0.5 * safe)) / safe**2)
    out: Array = np.eye(3) + 0.5 * across + factor * across @ across
    return out


def cross_matrix(vector: ArrayLike) -> Array:
    """``(..., 3, 3)`` of ``u -> vector x u``."""
    x, y, z = np.moveaxis(np.asarray(vector, np.float64), -1, 0)
    nought = np.zeros_like(x)
    return np.stack([nought, -z, y, z, nought, -x, -y, x, nought], axis=-1).reshape(*x.shape, 3, 3)


def angle_between(left: ArrayLike, right: ArrayLike) -> Array:
    """Geodesic distance ``(...)`` in radians, from 0 to pi."""
    relative = multiply(conjugate(left), right)
    return 2.0 * np.arctan2(np.linalg.norm(relative[..., 1:], axis=-1), np.abs(relative[..., 0]))


def slerp(start: ArrayLike, end: ArrayLike, share: ArrayLike) -> Array:
    """The shorter great arc from ``start`` (share 0) to ``end`` (share 1); ``share`` has the leading shape ``(...)``."""
    relative = multiply(conjugate(start), end)
    return multiply(start, exp(np.asarray(share, np.float64)[..., None] * log(relative)))


def continuous(quat: ArrayLike) -> Array:
    """Signs chosen along axis 0 so that each quaternion lies in the half space of the one before."""
    quat = np.asarray(quat, np.float64)
    flips = np.einsum("t...i,t...i->t...", quat[1:], quat[:-1]) < 0.0
    signs = np.concatenate((np.ones((1, *flips.shape[1:])), np.where(flips, -1.0, 1.0)))
    return quat * np.cumprod(signs, axis=0)[..., None]


def to_matrix(quat: ArrayLike) -> Array:
    """Rotation matrices ``(..., 3, 3)`` of unit quaternions."""
    q = np.asarray(quat, np.float64)
    return np.stack([rotate(q, axis) for axis in np.eye(3)], axis=-1)


def from_matrix(matrix: ArrayLike) -> Array:
    """Unit quaternions of rotation matrices ``(..., 3, 3)``, by the largest of the four components."""
    m = np.asarray(matrix, np.float64)
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    # row i is 4 q_i q: the one with the largest q_i is the best conditioned
    rows = np.empty((*m.shape[:-2], 4, 4))
    rows[..., 0, 0], rows[..., 1, 1] = 1 + xx + yy + zz, 1 + xx - yy - zz
    rows[..., 2, 2], rows[..., 3, 3] = 1 - xx + yy - zz, 1 - xx - yy + zz
    rows[..., 0, 1] = rows[..., 1, 0] = m[..., 2, 1] - m[..., 1, 2]
    rows[..., 0, 2] = rows[..., 2, 0] = m[..., 0, 2] - m[..., 2, 0]
    rows[..., 0, 3] = rows[..., 3, 0] = m[..., 1, 0] - m[..., 0, 1]
    rows[..., 1, 2] = rows[..., 2, 1] = m[..., 0, 1] + m[..., 1, 0]
    rows[..., 1, 3] = rows[..., 3, 1] = m[..., 0, 2] + m[..., 2, 0]
    rows[..., 2, 3] = rows[..., 3, 2] = m[..., 1, 2] + m[..., 2, 1]
    best = np.argmax(np.diagonal(rows, axis1=-2, axis2=-1), axis=-1)
    return normalize(np.take_along_axis(rows, best[..., None, None], axis=-2)[..., 0, :])


def from_euler(angles: ArrayLike, order: str) -> Array:
    """Quaternions of angles ``(..., n)`` about the axes named in ``order``, intrinsic: ``"zyx"`` is ``Rz Ry Rx``."""
    angles = np.asarray(angles, np.float64)
    quat = np.broadcast_to(IDENTITY, (*angles.shape[:-1], 4))
    for i, axis in enumerate(order):
        quat = multiply(quat, from_axis_angle(np.eye(3)["xyz".index(axis)], angles[..., i]))
    return quat


def to_euler(quat: ArrayLike, order: str, near: ArrayLike | None = None) -> Array:
    """Angles ``(..., 3)`` about three different axes, intrinsic: ``to_euler(from_euler(a, order), order)`` turns as ``a``.

    The middle angle lies in [-pi/2, pi/2]. With ``near`` ``(..., 3)`` the one of the two solutions, shifted by whole
    turns, that is closest to it. In gimbal lock the last angle is 0 (with ``near``, near's).
    """
    if sorted(order) != ["x", "y", "z"]:
        raise ValueError(f"order must name x, y and z once each, not {order!r}")
    i, j, k = ("xyz".index(axis) for axis in order)
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    q = np.asarray(quat, np.float64)
    w, a, b, c = q[..., 0], q[..., 1 + i], q[..., 1 + j], sign * q[..., 1 + k]
    # entries of the matrix of a turn about axes i, j, sign * k, which are right-handed; b is the turn about the middle one
    ii, ij, ik = 1.0 - 2.0 * (b * b + c * c), 2.0 * (a * b - w * c), 2.0 * (a * c + w * b)
    jk, kk = 2.0 * (b * c - w * a), 1.0 - 2.0 * (a * a + b * b)
    cosine = np.hypot(ii, ij)
    first, middle, last = np.arctan2(-jk, kk), np.arctan2(ik, cosine), sign * np.arctan2(-ij, ii)
    locked = cosine < 1e-7
    if locked.any():
        kj, jj = 2.0 * (b * c + w * a), 1.0 - 2.0 * (a * a + c * c)
        first, last = np.where(locked, np.arctan2(kj, jj), first), np.where(locked, 0.0, last)
    angles = np.stack((first, middle, last), axis=-1)
    if near is None:
        return angles
    near = np.asarray(near, np.float64)
    # the other solution is half a turn away in two angles: within 1 rad of near there is nothing to choose
    unclear = locked | (np.abs(angles - near).max(axis=-1) > 1.0)
    if unclear.any():
        angles, near = np.broadcast_arrays(angles, near)
        angles, unclear = angles.copy(), np.broadcast_to(unclear, angles.shape[:-1])
        side = np.where(ik > 0.0, sign, -sign) * locked
        side = np.broadcast_to(side, unclear.shape)[unclear]
        angles[unclear] = _nearest_branch(angles[unclear], near[unclear], side)
    return angles


def _nearest_branch(angles: Array, near: Array, side: Array) -> Array:
    """Of the angles ``(n, 3)`` that give the same rotation, those nearest to ``near``.

    In gimbal lock (``side`` not 0) only first + side * last matters: the last angle is near's, the first the rest.
    """
    in_lock = np.stack((angles[:, 0] - side * near[:, 2], angles[:, 1], near[:, 2]), axis=-1)
    angles = np.where(side[:, None] != 0.0, in_lock, angles)
    other = angles * np.array([1.0, -1.0, 1.0]) + np.pi
    angles, other = (x + 2.0 * np.pi * np.round((near - x) / (2.0 * np.pi)) for x in (angles, other))
    closer = np.sum((other - near) ** 2, axis=-1) < np.sum((angles - near) ** 2, axis=-1)
    return np.where(closer[:, None], other, angles)


def twist_angle(quat: ArrayLike, axis: ArrayLike) -> Array:
    """Angle ``(...)`` in (-pi, pi] of the turn about unit ``axis`` that is closest to the rotation."""
    q = np.asarray(quat, np.float64)
    angle = 2.0 * np.arctan2(np.sum(q[..., 1:] * np.asarray(axis, np.float64), axis=-1), q[..., 0])
    return np.pi - np.mod(np.pi - angle, 2.0 * np.pi)


def heading_angle(quat: ArrayLike) -> Array:
    """Angle ``(...)`` about the vertical of the heading: the twist of the rotation about Z."""
    return twist_angle(quat, (0.0, 0.0, 1.0))


def heading(quat: ArrayLike) -> Array:
    """The turn about the vertical alone, ``(..., 4)``."""
    return from_axis_angle((0.0, 0.0, 1.0), heading_angle(quat))
