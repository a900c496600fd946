"""How the loops of inverse kinematics are compiled, and rotations in scalars, quaternions ``(w, x, y, z)``."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import atan2, cos, sin, sqrt
from pathlib import Path
from typing import Any, TypeVar

from rlsuite.kernel_cache import compiled_in, folder_for

F = TypeVar("F", bound=Callable[..., Any])
Quaternion = tuple[float, float, float, float]
Vector = tuple[float, float, float]


@cache
def cache_directory() -> Path:
    """Where the machine code of these very sources is kept."""
    return folder_for(sorted(Path(__file__).resolve().parent.glob("*.py")))


def small_kernel(function: F) -> F:
    """Compile a helper into the kernels that call it."""
    return compiled_in(cache_directory(), function, nogil=True, error_model="numpy", _nrt=False, forceinline=True)


def kernel(function: F) -> F:
    """Compile a function that other kernels call; it cannot allocate."""
    return compiled_in(cache_directory(), function, nogil=True, error_model="numpy", _nrt=False)


def entry_kernel(function: F) -> F:
    """Compile a function that is called from Python, and keep its machine code on disk."""
    return compiled_in(cache_directory(), function, cache=True, nogil=True, error_model="numpy")


@small_kernel
def multiply(a: Quaternion, b: Quaternion) -> Quaternion:
    """Hamilton product: ``b`` turns first."""
    return (
        a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3],
        a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2],
        a[0] * b[2] - a[1] * b[3] + a[2] * b[0] + a[3] * b[1],
        a[0] * b[3] + a[1] * b[2] - a[2] * b[1] + a[3] * b[0],
    )


@small_kernel
def inverse(q: Quaternion) -> Quaternion:
    return q[0], -q[1], -q[2], -q[3]


@small_kernel
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


@small_kernel
def exp(v: Vector) -> Quaternion:
    """Quaternion of a rotation vector."""
    angle = sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2])
    scale = sin(0.5 * angle) / angle if angle > 1e-4 else 0.5 - angle * angle / 48.0
    return cos(0.5 * angle), scale * v[0], scale * v[1], scale * v[2]


@small_kernel
def log(q: Quaternion) -> Vector:
    """Rotation vector of length at most pi."""
    sign = -1.0 if q[0] < 0.0 else 1.0
    sine = sqrt(q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
    scale = sign * (2.0 * atan2(sine, sign * q[0]) / sine if sine > 1e-8 else 2.0)
    return scale * q[1], scale * q[2], scale * q[3]
