r"""Inverse kinematics of whole clips: poses whose points and bodies meet given positions and rotations.

For every frame the bounded nonlinear least squares

.. math:: \min_q \tfrac12 \sum_i w_i^2 \lVert x_i(q) - \hat x_i \rVert^2
    + \tfrac12 \sum_k v_k^2 \lVert \log(\hat R_k R_k(q)^{-1}) \rVert^2
    + \tfrac12 u^2 \lVert q \ominus q_{ref} \rVert^2
    + \tfrac12 \sum_j f_j^2 \max(0, h_j - z_j(q))^2 \quad\text{with}\quad l \le q \le h

(the last sum only where there is a :class:`Floor`: points that may not sink below a height, one-sided)
by Levenberg-Marquardt steps (Levenberg 1944) with a projected active set (Bertsekas 1982, "Projected Newton methods"):
coordinates that rest on a bound and are pushed outwards are left out of the step, the others are clipped to their
bounds. Every iterate lies within the limits, and no frame's cost ever rises. All frames take their steps together, with
analytic Jacobians; frames that have converged drop out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import MotionError
from rlsuite.motion import rotations as rot
from rlsuite.motion import sampling
from rlsuite.motion.jacobians import Frames, Structure, frames_of, turned, unit
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]
CHUNK = 256  # frames solved together: their Jacobians fit the processor's cache
LONGEST_STEP = 0.7  # radians, or metres, of any coordinate in one iteration


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
    iterations: NDArray[np.intp]
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
    structure = Structure(skeleton)
    weights = np.broadcast_to(targets.point_weights, want[0][:2])
    turn_weights = np.broadcast_to(targets.rotation_weights, want[1][:2])
    reference = qpos.copy() if reference is None else np.asarray(reference, np.float64)
    pull = np.broadcast_to(np.asarray(reference_weight, np.float64), (len(qpos), skeleton.nv))
    parts = []
    for start in range(0, len(qpos), CHUNK):
        rows = slice(start, start + CHUNK)
        problem = _Problem(
            skeleton, structure, targets.point_bodies, targets.offsets, targets.positions[rows], weights[rows],
            targets.bodies, targets.rotations[rows], turn_weights[rows], reference[rows], pull[rows],
            targets.of(rows).floor,
        )  # fmt: skip
        parts.append(_descend(problem, qpos[rows], iterations, tolerance, gain))
    return Solution(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


@dataclass(frozen=True)
class _Problem:
    """Residuals of a chunk of frames."""

    skeleton: Skeleton
    structure: Structure
    point_bodies: tuple[int, ...]
    offsets: Array
    positions: Array
    weights: Array
    bodies: tuple[int, ...]
    rotations: Array
    turn_weights: Array
    reference: Array
    pull: Array
    floor: Floor | None

    def errors(self, rows: NDArray[np.intp], frames: Frames) -> tuple[Array, Array, Array]:
        """Points, and what is missing to the targets: shifts ``(t, n, 3)`` and turns ``(t, m, 3)`` in the world."""
        points = _places(frames, self.point_bodies, self.offsets)
        turns = rot.log(rot.multiply(self.rotations[rows], rot.conjugate(frames.quat[:, list(self.bodies)])))
        return points, self.positions[rows] - points, turns

    def residual(self, rows: NDArray[np.intp], frames: Frames, shifts: Array, turns: Array, qpos: Array) -> Array:
        """``(t, 3 n + 3 m + k + nv)``, weighted."""
        t = len(rows)
        parts = [
            (self.weights[rows, :, None] * shifts).reshape(t, -1),
            (self.turn_weights[rows, :, None] * turns).reshape(t, -1),
        ]
        if self.floor is not None:
            below = self.floor.heights[rows] - _places(frames, self.floor.bodies, self.floor.offsets)[..., 2]
            parts.append(self.floor.weight * np.maximum(below, 0.0))
        if self.pull.any():
            parts.append(self.pull[rows] * sampling.difference(self.skeleton, qpos, self.reference[rows]))
        return np.concatenate(parts, axis=1)

    def jacobian(self, rows: NDArray[np.intp], frames: Frames, points: Array) -> Array:
        """``(t, 3 n + 3 m + k, nv)``, weighted."""
        t, nv = len(rows), self.skeleton.nv
        shifts = self.structure.point_rows(frames, self.point_bodies, points)
        shifts *= self.weights[rows, :, None, None]
        turns = self.structure.turn_rows(frames, self.bodies)
        turns *= self.turn_weights[rows, :, None, None]
        parts = [shifts.reshape(t, -1, nv), turns.reshape(t, -1, nv)]
        if self.floor is not None:
            places = _places(frames, self.floor.bodies, self.floor.offsets)
            below = np.asarray(places[..., 2] < self.floor.heights[rows])
            heights = np.zeros((t, len(self.floor.bodies), nv))
            touched = np.flatnonzero(below.any(axis=1))  # most frames stand on few points, many on none too low
            heights[touched] = self.structure.height_rows(frames.take(touched), self.floor.bodies, places[touched])
            parts.append(heights * (self.floor.weight * below)[..., None])
        return np.concatenate(parts, axis=1)


def _places(frames: Frames, bodies: tuple[int, ...], offsets: Array) -> Array:
    """``(t, n, 3)`` points on bodies in the world."""
    out = np.empty((len(frames.position), len(bodies), 3))
    for i, (body, offset) in enumerate(zip(bodies, offsets, strict=True)):
        out[:, i] = frames.position[:, body]
        if offset.any():
            out[:, i] += turned(frames.quat[:, body], offset)
    return out


def _descend(
    problem: _Problem, qpos: Array, iterations: int, tolerance: float, gain: float
) -> tuple[Array, Array, Array, Array, NDArray[np.intp], NDArray[np.bool_]]:
    skeleton, structure = problem.skeleton, problem.structure
    n, bounded = len(qpos), structure.bounded
    qpos, damping = qpos.copy(), np.full(n, 1e-4)
    tried, done = np.zeros(n, np.intp), np.zeros(n, bool)
    rows = np.arange(n)
    frames = frames_of(skeleton, qpos)
    points, shifts, turns = problem.errors(rows, frames)
    residual = problem.residual(rows, frames, shifts, turns, qpos)
    cost = np.sum(residual**2, axis=1)
    final_shift, final_turn = np.linalg.norm(shifts, axis=-1), np.linalg.norm(turns, axis=-1)
    diagonal = np.arange(skeleton.nv)
    for _ in range(iterations):
        if not len(rows):
            break
        jacobian = problem.jacobian(rows, frames, points)
        hessian = jacobian.swapaxes(1, 2) @ jacobian
        split = jacobian.shape[1]
        downhill = (jacobian.swapaxes(1, 2) @ residual[:, :split, None])[..., 0]
        if problem.pull.any():
            downhill += problem.pull[rows] * residual[:, split:]
        hessian[:, diagonal, diagonal] += problem.pull[rows] ** 2 + damping[rows, None] * np.maximum(
            hessian[:, diagonal, diagonal], 1e-3
        )
        here = qpos[rows]
        held = np.zeros((len(rows), skeleton.nv), bool)
        values = here[:, structure.address[bounded]]
        held[:, bounded] = ((values <= structure.low[bounded]) & (downhill[:, bounded] < 0.0)) | (
            (values >= structure.high[bounded]) & (downhill[:, bounded] > 0.0)
        )
        step = _bounded_step(hessian, downhill, held, values, structure)
        longest = np.abs(step).max(axis=1)
        step *= np.minimum(1.0, LONGEST_STEP / np.maximum(longest, 1e-12))[:, None]
        trial = within_limits(skeleton, sampling.integrate(skeleton, here, step))
        trial_frames = frames_of(skeleton, trial)
        trial_points, trial_shifts, trial_turns = problem.errors(rows, trial_frames)
        trial_residual = problem.residual(rows, trial_frames, trial_shifts, trial_turns, trial)
        trial_cost = np.sum(trial_residual**2, axis=1)
        better = trial_cost < cost[rows]
        tried[rows] += 1
        damping[rows] *= np.where(better, 0.1, 10.0)
        slow = np.sqrt(cost[rows]) - np.sqrt(trial_cost) < gain * np.sqrt(cost[rows])
        finished = (longest < tolerance) | (better & slow) | (damping[rows] > 1e6)
        qpos[rows[better]], cost[rows[better]] = trial[better], trial_cost[better]
        final_shift[rows[better]] = np.linalg.norm(trial_shifts[better], axis=-1)
        final_turn[rows[better]] = np.linalg.norm(trial_turns[better], axis=-1)
        frames.put(better, trial_frames)
        points[better], residual[better] = trial_points[better], trial_residual[better]
        done[rows[finished]] = True
        if finished.any():
            keep = np.flatnonzero(~finished)
            rows, frames, points, residual = rows[keep], frames.take(keep), points[keep], residual[keep]
    return qpos, final_shift, final_turn, 0.5 * cost, tried, done


def _bounded_step(
    hessian: Array, downhill: Array, held: NDArray[np.bool_], values: Array, structure: Structure
) -> Array:
    """The damped Newton step with ``held`` coordinates at rest, and then with those that it would drive out of range
    stopped at their bound: the others make up for them."""
    bounded, low, high = structure.bounded, structure.low, structure.high
    step = _masked_solve(hessian, downhill, held)
    ahead = values + step[:, bounded]
    out = (ahead < low[bounded]) | (ahead > high[bounded])
    again = np.flatnonzero(out.any(axis=1))
    if len(again):
        fixed = np.zeros((len(again), step.shape[1]))
        fixed[:, bounded] = np.where(
            out[again], np.clip(ahead[again], low[bounded], high[bounded]) - values[again], 0.0
        )
        stopped = held[again].copy()
        stopped[:, bounded] |= out[again]
        push = downhill[again] - (hessian[again] @ fixed[..., None])[..., 0]
        step[again] = fixed + _masked_solve(hessian[again], push, stopped)
    return step


def _masked_solve(hessian: Array, downhill: Array, held: NDArray[np.bool_]) -> Array:
    some = np.flatnonzero(held.any(axis=1))
    if len(some):
        free = ~held[some]
        hessian, downhill = hessian.copy(), np.where(held, 0.0, downhill)
        hessian[some] *= free[:, :, None] & free[:, None, :]
        diagonal = np.arange(hessian.shape[1])
        hessian[some[:, None], diagonal, diagonal] += held[some]
    return np.asarray(np.linalg.solve(hessian, downhill[..., None])[..., 0], np.float64)
