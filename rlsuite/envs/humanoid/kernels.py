"""How the humanoid's loops over rows are compiled, and rotations of one row in scalars.

Every entry kernel takes the rows to work on and treats each by itself, in scalar arithmetic of fixed order, so that what
comes out for a row does not depend on how many others there are. Quaternions are ``(w, x, y, z)``; their algebra is that of
:mod:`rlsuite.motion.compiled.kernels`, whose source is therefore among those that name the cache.
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
from rlsuite.motion.compiled import kernels as motion_kernels
from rlsuite.motion.compiled.kernels import Quaternion, Vector
from rlsuite.motion.compiled.kernels import inverse as inverse
from rlsuite.motion.compiled.kernels import log as log
from rlsuite.motion.compiled.kernels import multiply as multiply
from rlsuite.motion.compiled.kernels import rotate as rotate

F = TypeVar("F", bound=Callable[..., Any])
Array = NDArray[np.float64]
Rows = NDArray[np.intp]


@cache
def _folder() -> Path:
    own = sorted(Path(__file__).resolve().parent.rglob("*.py"))
    return folder_for([*own, Path(motion_kernels.__file__)])


def kernel(function: F) -> F:
    """Compile a helper that other kernels call."""
    return compiled_in(_folder(), function, nogil=True, error_model="numpy", forceinline=True, _nrt=False)


def entry_kernel(function: F) -> F:
    """Compile a function that is called from Python, and keep its machine code on disk. It cannot allocate."""
    return compiled_in(_folder(), function, cache=True, nogil=True, error_model="numpy", _nrt=False)


@kernel
def angle(q: Quaternion) -> float:
    """Angle of the rotation, from 0 to pi."""
    return 2.0 * atan2(sqrt(q[1] * q[1] + q[2] * q[2] + q[3] * q[3]), abs(q[0]))


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
