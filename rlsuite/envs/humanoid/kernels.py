"""How the humanoid's loops over rows are compiled, and rotations of one row in scalars.

Every entry kernel takes the rows to work on and treats each by itself, in scalar arithmetic of fixed order, so that what
comes out for a row does not depend on how many others there are. Quaternions are ``(w, x, y, z)``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import atan2, sqrt
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from rlsuite.kernel_cache import compiled_in, folder_for

F = TypeVar("F", bound=Callable[..., Any])
Array = NDArray[np.float64]
Rows = NDArray[np.intp]
Quaternion = tuple[float, float, float, float]
Vector = tuple[float, float, float]


@cache
def _folder() -> Path:
    return folder_for(sorted(Path(__file__).resolve().parent.rglob("*.py")))


def kernel(function: F) -> F:
    """Compile a helper that other kernels call."""
    return compiled_in(_folder(), function, nogil=True, error_model="numpy", forceinline=True, _nrt=False)


def entry_kernel(function: F) -> F:
    """Compile a function that is called from Python, and keep its machine code on disk. It cannot allocate."""
    return compiled_in(_folder(), function, cache=True, nogil=True, error_model="numpy", _nrt=False)


@kernel
def multiply(a: Quaternion, b: Quaternion) -> Quaternion:
    """Hamilton product: ``b`` turns first."""
    return (
        a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3],
        a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2],
        a[0] * b[2] - a[1] * b[3] + a[2] * b[0] + a[3] * b[1],
        a[0] * b[3] + a[1] * b[2] - a[2] * b[1] + a[3] * b[0],
    )


@kernel
def inverse(q: Quaternion) -> Quaternion:
    return q[0], -q[1], -q[2], -q[3]


@kernel
def rotate(q: Quaternion, v: Vector) -> Vector:
    """``v + w t + u × t`` with ``t = 2 u × v``."""
    tx = 2.0 * (q[2] * v[2] - q[3] * v[1])
    ty = 2.0 * (q[3] * v[0] - q[1] * v[2])
    tz = 2.0 * (q[1] * v[1] - q[2] * v[0])
    return (
        v[0] + q[0] * tx + (q[2] * tz - q[3] * ty),
        v[1] + q[0] * ty + (q[3] * tx - q[1] * tz),
        v[2] + q[0] * tz + (q[1] * ty - q[2] * tx),
    )


@kernel
def angle(q: Quaternion) -> float:
    """Angle of the rotation, from 0 to pi."""
    return 2.0 * atan2(sqrt(q[1] * q[1] + q[2] * q[2] + q[3] * q[3]), abs(q[0]))


@kernel
def rotation_vector(q: Quaternion) -> Vector:
    """Axis times angle, of the shorter way round."""
    length = sqrt(q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
    if length < 1e-12:
        return 0.0, 0.0, 0.0
    share = (angle(q) if q[0] >= 0.0 else -angle(q)) / length
    return share * q[1], share * q[2], share * q[3]


@kernel
def heading(q: Quaternion) -> Quaternion:
    """The turn about the vertical that is closest to the rotation; none where it lies upside down."""
    length = sqrt(q[0] * q[0] + q[3] * q[3])
    if length < 1e-9:
        return 1.0, 0.0, 0.0, 0.0
    return q[0] / length, 0.0, 0.0, q[3] / length


@kernel
def quaternion(array: Array, i: int, b: int) -> Quaternion:
    """``array[i, b]`` of ``(n, bodies, 4)``."""
    return array[i, b, 0], array[i, b, 1], array[i, b, 2], array[i, b, 3]


@kernel
def vector(array: Array, i: int, b: int) -> Vector:
    """``array[i, b]`` of ``(n, bodies, 3)``."""
    return array[i, b, 0], array[i, b, 1], array[i, b, 2]


@kernel
def difference(a: Vector, b: Vector) -> Vector:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


@kernel
def square(v: Vector) -> float:
    return v[0] * v[0] + v[1] * v[1] + v[2] * v[2]
