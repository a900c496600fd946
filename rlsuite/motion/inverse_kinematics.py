r"""Inverse kinematics of whole clips: poses whose points and bodies meet given positions and rotations.

For every frame the bounded nonlinear least squares

.. math:: \min_q \tfrac12 \sum_i w_i^2 \lVert x_i(q) - \hat x_i \rVert^2
    + \tfrac12 \sum_k v_k^2 \lVert \log(\hat R_k R_k(q)^{-1}) \rVert^2
    + \tfrac12 u^2 \lVert q \ominus q_{ref} \rVert^2 \quad\text{with}\quad l \le q \le h

by Levenberg-Marquardt steps (Levenberg 1944) with a projected active set (Bertsekas 1982, "Projected Newton methods"):
coordinates that rest on a bound and are pushed outwards are left out of the step, the others are clipped to their
bounds. Every iterate lies within the limits, and no frame's cost ever rises. All frames take their steps together, with
analytic Jacobians; frames that have converged drop out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import MotionError
from rlsuite.motion import rotations as rot
from rlsuite.motion import sampling
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]
CHUNK = 256  # frames solved together: their Jacobians fit the processor's cache
LONGEST_STEP = 0.7  # radians, or metres, of any coordinate in one iteration


@dataclass(frozen=True)
class Targets:
    """What a clip of ``T`` frames is to meet.

    Attributes:
        point_bodies: ``(n,)`` body of each point. offsets: ``(n, 3)`` where on the body.
        positions: ``(T, n, 3)`` metres. point_weights: ``(T, n)`` or ``(n,)``.
        bodies: ``(m,)`` bodies whose rotation in the world is given. rotations: ``(T, m, 4)``.
        rotation_weights: ``(T, m)`` or ``(m,)`` in metres per radian.
    """

    point_bodies: tuple[int, ...]
    offsets: Array
    positions: Array
    point_weights: Array
    bodies: tuple[int, ...]
    rotations: Array
    rotation_weights: Array


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


@dataclass
class _Frames:
    """Bodies in the world, and the world axis and anchor of every degree of freedom."""

    position: Array  # (T, nbody, 3)
    quat: Array  # (T, nbody, 4)
    axis: Array  # (T, nv, 3)
    anchor: Array  # (T, nv, 3)

    def take(self, rows: NDArray[np.intp]) -> _Frames:
        return _Frames(self.position[rows], self.quat[rows], self.axis[rows], self.anchor[rows])

    def put(self, rows: NDArray[np.bool_], other: _Frames) -> None:
        for name in ("position", "quat", "axis", "anchor"):
            getattr(self, name)[rows] = getattr(other, name)[rows]


def _frames(skeleton: Skeleton, qpos: Array) -> _Frames:
    """Forward kinematics that also keeps the axes (:func:`rlsuite.motion.kinematics.forward` is the plain one)."""
    n = len(qpos)
    out = _Frames(
        np.empty((n, skeleton.nbody, 3)),
        np.empty((n, skeleton.nbody, 4)),
        np.empty((n, skeleton.nv, 3)),
        np.empty((n, skeleton.nv, 3)),
    )
    for body, parent in enumerate(skeleton.parents):
        if parent < 0:
            p = np.broadcast_to(skeleton.body_pos[body], (n, 3))
            q = np.broadcast_to(skeleton.body_quat[body], (n, 4))
        else:
            q = out.quat[:, parent]
            p = out.position[:, parent] + _turn(q, skeleton.body_pos[body])
            if skeleton.body_quat[body][0] < 1.0:
                q = rot.multiply(q, skeleton.body_quat[body])
        for j in skeleton.joints_of[body]:
            joint, at, v = skeleton.joints[j], skeleton.qpos_address[j], skeleton.dof_address[j]
            if joint.kind == "free":
                p, q = qpos[:, at : at + 3], qpos[:, at + 3 : at + 7]
                out.axis[:, v : v + 3], out.anchor[:, v : v + 3] = np.eye(3), 0.0
                at, v = at + 3, v + 3
            if joint.kind in ("free", "ball"):
                if joint.kind == "ball":
                    anchor = p + _turn(q, joint.anchor)
                    q = rot.multiply(q, qpos[:, at : at + 4])
                    p = anchor - _turn(q, joint.anchor)
                else:
                    anchor = p
                out.axis[:, v : v + 3] = rot.to_matrix(q).swapaxes(-1, -2)  # angular velocity is in the body's frame
                out.anchor[:, v : v + 3] = anchor[:, None]
                continue
            axis = _turn(q, joint.axis)
            out.axis[:, v] = axis
            value = qpos[:, at] - joint.reference
            if joint.kind == "slide":
                out.anchor[:, v] = p
                p = p + axis * value[:, None]
            else:
                anchor = p + _turn(q, joint.anchor) if any(joint.anchor) else p
                q = rot.multiply(q, rot.from_axis_angle(joint.axis, value))
                if any(joint.anchor):
                    p = anchor - _turn(q, joint.anchor)
                out.anchor[:, v] = anchor
        out.position[:, body], out.quat[:, body] = p, q
    return out


def _turn(quat: Array, vector: ArrayLike) -> Array:
    """One vector ``(3,)`` turned by many rotations ``(T, 4)``."""
    x, y, z = np.asarray(vector, np.float64)
    w, a, b, c = quat.T
    tx, ty, tz = 2.0 * (b * z - c * y), 2.0 * (c * x - a * z), 2.0 * (a * y - b * x)
    turned = (x + w * tx + b * tz - c * ty, y + w * ty + c * tx - a * tz, z + w * tz + a * ty - b * tx)
    return np.stack(turned, axis=-1)


class _Structure:
    """Which degrees of freedom move which body, and how."""

    def __init__(self, skeleton: Skeleton) -> None:
        dofs: list[tuple[int, bool]] = []  # (body, turns)
        for joint in skeleton.joints:
            turns = {"free": [False] * 3 + [True] * 3, "ball": [True] * 3, "hinge": [True], "slide": [False]}
            dofs += [(joint.body, turn) for turn in turns[joint.kind]]
        self.turns = np.array([turn for _, turn in dofs])
        moves = np.zeros((skeleton.nbody, skeleton.nv), bool)
        for body, parent in enumerate(skeleton.parents):
            if parent >= 0:
                moves[body] = moves[parent]
            moves[body] |= np.array([b == body for b, _ in dofs], bool)
        self.moves = moves
        low = np.full(skeleton.nv, -np.inf)
        high = np.full(skeleton.nv, np.inf)
        address = np.zeros(skeleton.nv, np.intp)
        for joint, at, v in zip(skeleton.joints, skeleton.qpos_address, skeleton.dof_address, strict=True):
            if joint.kind in ("hinge", "slide"):
                address[v] = at
                if joint.range is not None:
                    low[v], high[v] = joint.range
        self.low, self.high, self.address = low, high, address
        self.bounded = np.flatnonzero(np.isfinite(low) | np.isfinite(high))

    def point_rows(self, frames: _Frames, bodies: tuple[int, ...], points: Array) -> Array:
        """``(T, n, 3, nv)`` change of the world positions ``points`` ``(T, n, 3)`` with the degrees of freedom."""
        rows = np.zeros((len(points), len(bodies), 3, len(self.turns)))
        for i, body in enumerate(bodies):
            turning = np.flatnonzero(self.moves[body] & self.turns)
            shifting = np.flatnonzero(self.moves[body] & ~self.turns)
            axis, arm = frames.axis[:, turning], points[:, None, i] - frames.anchor[:, turning]
            ax, ay, az = axis[..., 0], axis[..., 1], axis[..., 2]
            x, y, z = arm[..., 0], arm[..., 1], arm[..., 2]
            rows[:, i, 0, turning] = ay * z - az * y
            rows[:, i, 1, turning] = az * x - ax * z
            rows[:, i, 2, turning] = ax * y - ay * x
            rows[:, i, :, shifting] = frames.axis[:, shifting].swapaxes(0, 1)
        return rows

    def turn_rows(self, frames: _Frames, bodies: tuple[int, ...]) -> Array:
        """``(T, m, 3, nv)`` angular velocity in the world of ``bodies`` with the degrees of freedom."""
        active = self.moves[list(bodies)] & self.turns
        return frames.axis.swapaxes(1, 2)[:, None] * active[None, :, None, :]


def jacobians(
    skeleton: Skeleton, qpos: ArrayLike, bodies: tuple[int, ...], offsets: ArrayLike | None = None
) -> tuple[Array, Array]:
    """Jacobians ``(T, n, 3, nv)`` of points on bodies (``mj_jac``): of their position, and of their body's rotation.

    Args:
        qpos: ``(T, nq)``. offsets: ``(n, 3)`` of the points in their bodies; default: the bodies' origins.
    """
    qpos = _unit(skeleton, np.array(qpos, np.float64))
    frames, structure = _frames(skeleton, qpos), _Structure(skeleton)
    offsets = np.zeros((len(bodies), 3)) if offsets is None else np.asarray(offsets, np.float64)
    points = frames.position[:, list(bodies)] + rot.rotate(frames.quat[:, list(bodies)], offsets)
    return structure.point_rows(frames, bodies, points), structure.turn_rows(frames, bodies)


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
        reference: ``(T, nq)`` pose to stay near, with ``reference_weight`` ``(nv,)`` or one number.
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
    qpos = within_limits(skeleton, _unit(skeleton, qpos))
    structure = _Structure(skeleton)
    weights = np.broadcast_to(targets.point_weights, want[0][:2])
    turn_weights = np.broadcast_to(targets.rotation_weights, want[1][:2])
    reference = qpos.copy() if reference is None else np.asarray(reference, np.float64)
    pull = np.broadcast_to(np.asarray(reference_weight, np.float64), (skeleton.nv,))
    parts = []
    for start in range(0, len(qpos), CHUNK):
        rows = slice(start, start + CHUNK)
        problem = _Problem(
            skeleton, structure, targets.point_bodies, targets.offsets, targets.positions[rows], weights[rows],
            targets.bodies, targets.rotations[rows], turn_weights[rows], reference[rows], pull,
        )  # fmt: skip
        parts.append(_descend(problem, qpos[rows], iterations, tolerance, gain))
    return Solution(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


@dataclass(frozen=True)
class _Problem:
    """Residuals of a chunk of frames."""

    skeleton: Skeleton
    structure: _Structure
    point_bodies: tuple[int, ...]
    offsets: Array
    positions: Array
    weights: Array
    bodies: tuple[int, ...]
    rotations: Array
    turn_weights: Array
    reference: Array
    pull: Array

    def points(self, frames: _Frames) -> Array:
        out = np.empty((len(frames.position), len(self.point_bodies), 3))
        for i, (body, offset) in enumerate(zip(self.point_bodies, self.offsets, strict=True)):
            out[:, i] = frames.position[:, body]
            if offset.any():
                out[:, i] += _turn(frames.quat[:, body], offset)
        return out

    def errors(self, rows: NDArray[np.intp], frames: _Frames) -> tuple[Array, Array, Array]:
        """Points, and what is missing to the targets: shifts ``(t, n, 3)`` and turns ``(t, m, 3)`` in the world."""
        points = self.points(frames)
        turns = rot.log(rot.multiply(self.rotations[rows], rot.conjugate(frames.quat[:, list(self.bodies)])))
        return points, self.positions[rows] - points, turns

    def residual(self, rows: NDArray[np.intp], shifts: Array, turns: Array, qpos: Array) -> Array:
        """``(t, 3 n + 3 m + nv)``, weighted."""
        t = len(rows)
        parts = [
            (self.weights[rows, :, None] * shifts).reshape(t, -1),
            (self.turn_weights[rows, :, None] * turns).reshape(t, -1),
        ]
        if self.pull.any():
            parts.append(self.pull * sampling.difference(self.skeleton, qpos, self.reference[rows]))
        return np.concatenate(parts, axis=1)

    def jacobian(self, rows: NDArray[np.intp], frames: _Frames, points: Array) -> Array:
        """``(t, 3 n + 3 m, nv)``, weighted."""
        t, nv = len(rows), self.skeleton.nv
        shifts = self.structure.point_rows(frames, self.point_bodies, points)
        shifts *= self.weights[rows, :, None, None]
        turns = self.structure.turn_rows(frames, self.bodies)
        turns *= self.turn_weights[rows, :, None, None]
        return np.concatenate((shifts.reshape(t, -1, nv), turns.reshape(t, -1, nv)), axis=1)


def _descend(
    problem: _Problem, qpos: Array, iterations: int, tolerance: float, gain: float
) -> tuple[Array, Array, Array, Array, NDArray[np.intp], NDArray[np.bool_]]:
    skeleton, structure = problem.skeleton, problem.structure
    n, bounded = len(qpos), structure.bounded
    qpos, damping = qpos.copy(), np.full(n, 1e-4)
    tried, done = np.zeros(n, np.intp), np.zeros(n, bool)
    rows = np.arange(n)
    frames = _frames(skeleton, qpos)
    points, shifts, turns = problem.errors(rows, frames)
    residual = problem.residual(rows, shifts, turns, qpos)
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
            downhill += problem.pull * residual[:, split:]
        hessian[:, diagonal, diagonal] += problem.pull**2 + damping[rows, None] * np.maximum(
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
        trial_frames = _frames(skeleton, trial)
        trial_points, trial_shifts, trial_turns = problem.errors(rows, trial_frames)
        trial_residual = problem.residual(rows, trial_shifts, trial_turns, trial)
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
    hessian: Array, downhill: Array, held: NDArray[np.bool_], values: Array, structure: _Structure
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
    solved: Array = np.linalg.solve(hessian, downhill[..., None])[..., 0]
    return solved


def _unit(skeleton: Skeleton, qpos: Array) -> Array:
    for at in skeleton.quaternions:
        qpos[:, at : at + 4] = rot.normalize(qpos[:, at : at + 4])
    return qpos
