"""Damped Gauss-Newton steps on whole motions, within the joints' limits.

Levenberg-Marquardt (Marquardt 1963) with a projected active set (Bertsekas 1982): coordinates that rest on a limit and are
pushed outwards are held, the others are clipped to their limits. A step is kept only if it lowers the cost, so the cost
never rises. The equations of all frames are solved at once (:class:`~rlsuite.motion.pose.block_banded.BlockBanded`); the six
of a camera that is to be found are eliminated last (Schur's complement). :func:`descend_frames` is the same for frames that
nothing connects, each with a damping of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rlsuite.motion import sampling
from rlsuite.motion.pose.fitting_system import Iterate, System, Term, assembled, costs, moved_camera
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]
FIRST_DAMPING, LEAST_DAMPING, MOST_DAMPING = 1e-3, 1e-9, 1e8
STEADY = 1.0  # on the diagonal that damping acts on, at least
LONGEST_STEP = 0.5  # radians, or metres, of any coordinate


def descend(
    terms: Sequence[Term], start: Iterate, *, iterations: int = 40, gain: float = 1e-4, find_camera: bool = False
) -> Iterate:
    """The iterate of least cost that steps from ``start`` lead to.

    Args:
        gain: the search ends at a step that lowers the cost by less than this share. find_camera: the first camera moves.
    """
    now, damping = replace(start, qpos=clipped(start.skeleton, start.qpos)), FIRST_DAMPING
    cost = float(costs(terms, now).sum())
    for _ in range(iterations):
        system = assembled(terms, now)
        fixed = held(now.skeleton, now.qpos, system.gradient)
        before = cost
        while damping <= MOST_DAMPING:
            trial = _moved(now, step_of(system, fixed, damping, find_camera))
            trial_cost = float(costs(terms, trial).sum())
            if trial_cost < cost:
                now, cost, damping = trial, trial_cost, max(damping / 5.0, LEAST_DAMPING)
                break
            damping *= 4.0
        if before - cost <= gain * abs(before):
            break
    return now


def step_of(system: System, fixed: NDArray[np.bool_], damping: float, find_camera: bool) -> tuple[Array, Array | None]:
    """The damped step ``(T, n)`` of all frames, 0 where ``fixed``, and that of the camera ``(6,)``."""
    matrix = system.matrix.damped(damping, STEADY).held(fixed)
    gradient = np.where(fixed, 0.0, system.gradient)
    if not find_camera:
        return _limited(-matrix.solve(gradient)), None
    border = np.where(fixed[..., None], 0.0, system.border)
    solved = matrix.solve(np.concatenate([gradient[..., None], border], axis=-1))  # (T, n, 7)
    own = system.camera_matrix + damping * np.diag(np.diag(system.camera_matrix) + STEADY)
    complement = own - np.einsum("tnc,tnd->cd", border, solved[..., 1:])
    camera = np.asarray(
        -np.linalg.solve(complement, system.camera_gradient - np.einsum("tnc,tn->c", border, solved[..., 0])),
        np.float64,
    )
    return _limited(-(solved[..., 0] + solved[..., 1:] @ camera)), _limited(camera[None])[0]


def descend_frames(terms: Sequence[Term], start: Iterate, *, iterations: int = 20) -> tuple[Iterate, Array]:
    """Poses of least cost, each by itself, and the costs ``(T,)``; ``terms`` are of single frames alone."""
    skeleton = start.skeleton
    now = replace(start, qpos=clipped(skeleton, start.qpos))
    cost, damping = costs(terms, now), np.full(len(start.qpos), FIRST_DAMPING)
    at = np.arange(skeleton.nv)
    for _ in range(iterations):
        system = assembled(terms, now)
        fixed = held(skeleton, now.qpos, system.gradient)
        matrix = system.matrix.diagonal.copy()
        matrix[:, at, at] += damping[:, None] * (matrix[:, at, at] + STEADY)
        matrix *= ~fixed[:, :, None] & ~fixed[:, None, :]
        matrix[:, at, at] += fixed
        right = np.where(fixed, 0.0, -system.gradient)[..., None]
        step = np.asarray(np.linalg.solve(matrix, right)[..., 0], np.float64)
        trial = _moved(now, (_limited(step), None))
        trial_cost = costs(terms, trial)
        better = trial_cost < cost
        now = replace(now, qpos=np.where(better[:, None], trial.qpos, now.qpos))
        damping = np.where(better, np.maximum(damping / 5.0, LEAST_DAMPING), damping * 8.0)
        cost = np.where(better, trial_cost, cost)
    return now, cost


def held(skeleton: Skeleton, qpos: Array, gradient: Array) -> NDArray[np.bool_]:
    """``(T, nv)`` coordinates at a limit that a step downhill would push beyond it."""
    low, high = skeleton.qpos_range.T
    out = np.zeros(gradient.shape, np.bool_)
    for joint, q, v in zip(skeleton.joints, skeleton.qpos_address, skeleton.dof_address, strict=True):
        if joint.kind in ("hinge", "slide"):
            out[:, v] = ((qpos[:, q] <= low[q]) & (gradient[:, v] > 0.0)) | (
                (qpos[:, q] >= high[q]) & (gradient[:, v] < 0.0)
            )
    return out


def clipped(skeleton: Skeleton, qpos: Array) -> Array:
    """With every hinge and slide within its range."""
    return np.clip(qpos, *skeleton.qpos_range.T)


def _moved(now: Iterate, step: tuple[Array, Array | None]) -> Iterate:
    qpos = clipped(now.skeleton, sampling.integrate(now.skeleton, now.qpos, step[0]))
    cameras = now.cameras if step[1] is None else (moved_camera(now.cameras[0], step[1]), *now.cameras[1:])
    return replace(now, qpos=qpos, cameras=cameras)


def _limited(step: Array) -> Array:
    """Each row shortened so that no coordinate moves by more than :data:`LONGEST_STEP`."""
    return step * np.minimum(1.0, LONGEST_STEP / np.maximum(np.abs(step).max(axis=-1, keepdims=True), 1e-12))
