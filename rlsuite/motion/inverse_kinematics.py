r"""Inverse kinematics of whole clips: poses whose points and bodies meet given positions and rotations.

For every frame the bounded nonlinear least squares

.. math:: \min_q \tfrac12 \sum_i w_i^2 \lVert x_i(q) - \hat x_i \rVert^2
    + \tfrac12 \sum_k v_k^2 \lVert \log(\hat R_k R_k(q)^{-1}) \rVert^2
    + \tfrac12 u^2 \lVert q \ominus q_{ref} \rVert^2
    + \tfrac12 \sum_j f_j^2 \max(0, h_j - z_j(q))^2 \quad\text{with}\quad l \le q \le h

(the last sum only where there is a :class:`Floor`: points that may not sink below a height, one-sided)
by Levenberg-Marquardt steps (Levenberg 1944) with a projected active set (Bertsekas 1982, "Projected Newton methods"):
coordinates that rest on a bound and are pushed outwards are left out of the step, the others are clipped to their
bounds. Every iterate lies within the limits, and no frame's cost ever rises. Jacobians are analytic; the loops are compiled
(:mod:`rlsuite.motion.compiled`), and kept on disk.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import MotionError
from rlsuite.motion import rotations as rot
from rlsuite.motion.jacobians import unit
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Floor:
    """Points that are to stay above a height: a penalty where they are below it, and none above.

    Attributes:
        bodies: ``(k,)`` body of each point. offsets: ``(k, 3)`` where on the body.
        heights: ``(T, k)`` metres below which it may not be. weight: of a metre below.
    """

    bodies: tuple[int, ...]
    offsets: Array
    heights: Array
    weight: float


@dataclass(frozen=True)
class Targets:
    """What a clip of ``T`` frames is to meet.

    Attributes:
        point_bodies: ``(n,)`` body of each point. offsets: ``(n, 3)`` where on the body.
        positions: ``(T, n, 3)`` metres. point_weights: ``(T, n)`` or ``(n,)``.
        bodies: ``(m,)`` bodies whose rotation in the world is given. rotations: ``(T, m, 4)``.
        rotation_weights: ``(T, m)`` or ``(m,)`` in metres per radian.
        floor: what may not sink; ``None``: nothing is kept up.
    """

    point_bodies: tuple[int, ...]
    offsets: Array
    positions: Array
    point_weights: Array
    bodies: tuple[int, ...]
    rotations: Array
    rotation_weights: Array
    floor: Floor | None = None

    def of(self, rows: slice | NDArray[np.intp]) -> Targets:
        """Those of some frames."""
        floor = self.floor and replace(self.floor, heights=self.floor.heights[rows])
        point_weights, rotation_weights = (
            weights[rows] if np.ndim(weights) == 2 else weights
            for weights in (self.point_weights, self.rotation_weights)
        )
        return replace(
            self,
            positions=self.positions[rows],
            point_weights=point_weights,
            rotations=self.rotations[rows],
            rotation_weights=rotation_weights,
            floor=floor,
        )


@dataclass(frozen=True)
class Solution:
    """Poses ``(T, nq)`` and how well they meet the targets.

    Attributes:
        position_error: ``(T, n)`` metres. rotation_error: ``(T, m)`` radians. cost: ``(T,)``.
        iterations: ``(T,)`` steps tried. converged: ``(T,)``.
    """

    qpos: Array
    position_error: Array
    rotation_error: Array
    cost: Array
    iterations: NDArray[np.int64]
    converged: NDArray[np.bool_]


def within_limits(skeleton: Skeleton, qpos: ArrayLike) -> Array:
    """The pose nearest to ``qpos`` ``(..., nq)`` coordinate by coordinate that keeps every joint's range."""
    limits = skeleton.qpos_range
    qpos = np.clip(np.asarray(qpos, np.float64), limits[:, 0], limits[:, 1])
    for joint, at in zip(skeleton.joints, skeleton.qpos_address, strict=True):
        if joint.kind == "ball" and joint.range is not None:
            vector = rot.log(qpos[..., at : at + 4])
            angle = np.linalg.norm(vector, axis=-1, keepdims=True)
            over = angle > joint.range[1]
            turned = rot.exp(vector * (joint.range[1] / np.maximum(angle, 1e-12)))
            qpos[..., at : at + 4] = np.where(over, turned, qpos[..., at : at + 4])
    return qpos


def solve(
    skeleton: Skeleton,
    qpos: ArrayLike,
    targets: Targets,
    *,
    reference: ArrayLike | None = None,
    reference_weight: ArrayLike = 0.0,
    iterations: int = 30,
    tolerance: float = 1e-7,
    gain: float = 0.0,
) -> Solution:
    """Poses within the joint limits that meet ``targets`` best, near ``qpos``.

    Args:
        qpos: ``(T, nq)`` where the search begins; it is brought within the limits first.
        reference: ``(T, nq)`` pose to stay near, with ``reference_weight`` ``(T, nv)``, ``(nv,)`` or one number.
        tolerance: a frame has converged when its step is smaller in every coordinate (radians, metres).
        gain: or when a step lowers its root of mean cost by less than this share.

    Raises:
        MotionError: the sizes of ``targets`` and ``qpos`` do not fit.
    """
    qpos = np.array(qpos, np.float64)
    shapes = (targets.positions.shape, targets.rotations.shape)
    want = ((len(qpos), len(targets.point_bodies), 3), (len(qpos), len(targets.bodies), 4))
    if qpos.ndim != 2 or qpos.shape[1] != skeleton.nq or shapes != want:
        raise MotionError(f"inverse kinematics: qpos {qpos.shape} with targets {shapes}; expected {want}")
    qpos = within_limits(skeleton, unit(skeleton, qpos))
    from rlsuite.motion.compiled.descent import Wanted, descend
    from rlsuite.motion.compiled.tree import tree_of

    n, points, turned = len(qpos), len(targets.point_bodies), len(targets.bodies)
    floor = targets.floor or Floor((), np.zeros((0, 3)), np.zeros((n, 0)), 0.0)
    wanted = Wanted(
        bodies=np.array(targets.point_bodies, np.int64),
        offsets=_own(targets.offsets, (points, 3)),
        positions=_own(targets.positions, (n, points, 3)),
        weights=_own(targets.point_weights, (n, points)),
        turned=np.array(targets.bodies, np.int64),
        rotations=_own(targets.rotations, (n, turned, 4)),
        turn_weights=_own(targets.rotation_weights, (n, turned)),
        corners=np.array(floor.bodies, np.int64),
        corner_offsets=_own(floor.offsets, (len(floor.bodies), 3)),
        heights=_own(floor.heights, (n, len(floor.bodies))),
        floor_weight=float(floor.weight),
        reference=_own(qpos if reference is None else reference, qpos.shape),
        pull=_own(reference_weight, (n, skeleton.nv)),
    )
    solution = Solution(
        qpos, np.empty((n, points)), np.empty((n, turned)), np.empty(n), np.zeros(n, np.int64), np.zeros(n, bool)
    )
    descend(
        tree_of(skeleton), wanted, qpos, int(iterations), float(tolerance), float(gain), solution.position_error,
        solution.rotation_error, solution.cost, solution.iterations, solution.converged,
    )  # fmt: skip
    return solution


def compiled_before() -> bool:
    """Whether a process on this machine has compiled the loops of this very version: the first that does takes seconds."""
    from rlsuite.motion.compiled.kernels import cache_directory

    return any(cache_directory().rglob("descent.descend-*.nbc"))


def _own(values: ArrayLike, shape: tuple[int, ...]) -> Array:
    """An array of its own, in row order: compiled loops know one layout."""
    return np.array(np.broadcast_to(np.asarray(values, np.float64), shape), order="C")
