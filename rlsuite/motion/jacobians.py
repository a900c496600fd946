"""Jacobians of points and bodies for whole clips: what every degree of freedom does to them, in the world."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.motion import rotations as rot
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]


def jacobians(
    skeleton: Skeleton, qpos: ArrayLike, bodies: tuple[int, ...], offsets: ArrayLike | None = None
) -> tuple[Array, Array]:
    """Jacobians ``(T, n, 3, nv)`` of points on bodies (``mj_jac``): of their position, and of their body's rotation.

    Args:
        qpos: ``(T, nq)``. offsets: ``(n, 3)`` of the points in their bodies; default: the bodies' origins.
    """
    from rlsuite.motion.compiled.descent import jacobian_rows
    from rlsuite.motion.compiled.tree import tree_of

    qpos = unit(skeleton, np.array(qpos, np.float64))
    offsets = np.zeros((len(bodies), 3)) if offsets is None else np.array(offsets, np.float64)
    shifts, turns = (np.zeros((len(qpos), len(bodies), 3, skeleton.nv)) for _ in range(2))
    jacobian_rows(tree_of(skeleton), qpos, np.array(bodies, np.int64), offsets, shifts, turns)
    return shifts, turns


def unit(skeleton: Skeleton, qpos: Array) -> Array:
    """``qpos`` with its quaternions brought to length one, in place."""
    for at in skeleton.quaternions:
        qpos[:, at : at + 4] = rot.normalize(qpos[:, at : at + 4])
    return qpos
