"""One iterate of a fitted motion, and the normal equations that its terms write into.

A term is a sum of squares over frames. It adds its cost per frame, its gradient and its Gauss-Newton matrix to a
:class:`System`; coordinates are the ``nv`` velocities of MuJoCo in every frame (:func:`rlsuite.motion.sampling.integrate`),
and where one camera is to be found, six more: its turn in its own axes (radians) and its shift in the world (metres).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rlsuite.motion import kinematics
from rlsuite.motion import rotations as rot
from rlsuite.motion.cameras import Camera
from rlsuite.motion.jacobians import jacobians
from rlsuite.motion.pose.block_banded import BlockBanded
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]
CAMERA = 6  # coordinates of one that is to be found


@dataclass(frozen=True, eq=False)
class Points:
    """Points fixed to bodies: ``bodies (P,)``, ``offsets (P, 3)``."""

    bodies: tuple[int, ...]
    offsets: Array


@dataclass(frozen=True, eq=False)
class Iterate:
    """Poses ``qpos (T, nq)`` and cameras as they are now, and where ``watched`` points then are.

    Attributes:
        fps: frames a second of the poses.
    """

    skeleton: Skeleton
    qpos: Array
    fps: float
    watched: Points
    cameras: tuple[Camera, ...] = ()

    @cached_property
    def bodies(self) -> tuple[Array, Array]:
        return kinematics.forward(self.skeleton, self.qpos)

    @cached_property
    def points(self) -> Array:
        """``(T, P, 3)`` metres."""
        position, quat = self.bodies
        chosen = list(self.watched.bodies)
        return position[:, chosen] + rot.rotate(quat[:, chosen], self.watched.offsets)

    @cached_property
    def slopes(self) -> Array:
        """``(T, P, 3, nv)``: derivative of the points."""
        return jacobians(self.skeleton, self.qpos, self.watched.bodies, self.watched.offsets)[0]


def moved_camera(camera: Camera, step: Array) -> Camera:
    """Turned in its own axes by ``step[:3]``, then shifted in the world by ``step[3:]``."""
    return replace(camera, R=camera.R @ rot.to_matrix(rot.exp(step[:3])), t=camera.t + step[3:])


@dataclass(eq=False)
class System:
    """Cost, gradient and Gauss-Newton matrix of ``T`` frames of ``n`` coordinates.

    Attributes:
        cost: ``(T,)``; a residual between frames counts for the last of them. gradient: ``(T, n)``.
        border: ``(T, n, 6)``, camera_matrix: ``(6, 6)``, camera_gradient: ``(6,)``: the same of the camera's coordinates.
    """

    cost: Array
    gradient: Array
    matrix: BlockBanded
    border: Array
    camera_matrix: Array = field(default_factory=lambda: np.zeros((CAMERA, CAMERA)))
    camera_gradient: Array = field(default_factory=lambda: np.zeros(CAMERA))

    @classmethod
    def zeros(cls, frames: int, size: int) -> System:
        matrix = BlockBanded.zeros(frames, size)
        return cls(np.zeros(frames), np.zeros((frames, size)), matrix, np.zeros((frames, size, CAMERA)))

    def add(self, residual: Array, slope: Array, weight: Array | None = None) -> None:
        """Residuals ``(T, m)`` of single frames with ``slope (T, m, n)``; ``weight (T, m)`` of their squares."""
        weighted = slope if weight is None else slope * weight[..., None]
        self.gradient += np.einsum("tmn,tm->tn", weighted, residual)
        self.matrix.diagonal[:] += np.swapaxes(weighted, 1, 2) @ slope

    def add_pair(self, residual: Array, before: Array, after: Array) -> None:
        """Residuals ``(T - 1, m)`` between two frames, with their slopes ``(T - 1, m, n)`` in the first and the second."""
        down, up = np.swapaxes(before, 1, 2), np.swapaxes(after, 1, 2)
        self.gradient[:-1] += (down @ residual[..., None])[..., 0]
        self.gradient[1:] += (up @ residual[..., None])[..., 0]
        self.matrix.diagonal[:-1] += down @ before
        self.matrix.diagonal[1:] += up @ after
        self.matrix.first[:] += down @ after

    def add_triple(self, residual: Array, slopes: tuple[Array, Array, Array]) -> None:
        """Residuals ``(T - 2, m)`` among three frames, with their slopes ``(T - 2, m, n)`` in each."""
        frames = len(self.cost)
        for k, slope in enumerate(slopes):
            self.gradient[k : frames - 2 + k] += (np.swapaxes(slope, 1, 2) @ residual[..., None])[..., 0]
            self.matrix.diagonal[k : frames - 2 + k] += np.swapaxes(slope, 1, 2) @ slope
        a, b, c = slopes
        self.matrix.first[:-1] += np.swapaxes(a, 1, 2) @ b
        self.matrix.first[1:] += np.swapaxes(b, 1, 2) @ c
        self.matrix.second[:] += np.swapaxes(a, 1, 2) @ c


class Term(Protocol):
    """A sum of squares, each frame's or between frames; ``scale`` has gone into its residuals."""

    def cost(self, now: Iterate) -> Array:
        """``(T,)``, half the sum of squares."""

    def build(self, now: Iterate, system: System) -> None:
        """Add cost, gradient and matrix to ``system``."""


def costs(terms: Sequence[Term], now: Iterate) -> Array:
    """``(T,)`` of all terms."""
    total = np.zeros(len(now.qpos))
    for term in terms:
        total += term.cost(now)
    return total


def assembled(terms: Sequence[Term], now: Iterate) -> System:
    """The normal equations of all terms."""
    system = System.zeros(len(now.qpos), now.skeleton.nv)
    for term in terms:
        term.build(now, system)
    return system
