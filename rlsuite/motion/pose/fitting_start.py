"""Where a fit begins: poses near enough to the right ones for steps downhill.

Several cameras: the triangulated points, by inverse kinematics. One camera says nothing of depth, and a body that leans
towards it looks like one that leans away (Sminchisescu and Triggs 2003): every key frame is fitted from several headings and
with limbs flipped in depth, and the sequence of candidates of least cost and least motion is chosen by dynamic programming
(Viterbi 1967).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rlsuite.motion import inverse_kinematics, kinematics
from rlsuite.motion import rotations as rot
from rlsuite.motion.alignment import umeyama
from rlsuite.motion.cameras import Camera
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.pose.fitting_descent import clipped, descend_frames
from rlsuite.motion.pose.fitting_prior import PriorTerm
from rlsuite.motion.pose.fitting_system import Iterate, Points
from rlsuite.motion.pose.fitting_terms import Reprojection
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]
HEADINGS = 8
KEY_RATE = 8.0  # hertz of the key frames
WALK = 1.0  # m/s that points usually move, between candidates
WIDE = 30.0  # outlier threshold where nothing is known yet, in units of sigma


def from_points(skeleton: Skeleton, watched: Points, points: Array, confidence: Array, mean: Array) -> Array:
    """``(T, nq)`` poses whose first ``K`` watched points are near ``points (T, K, 3)``; NaN are missing.

    Frames with fewer than six points take the pose of the nearest that has more.
    """
    known = np.isfinite(points).all(-1) & (confidence > 0)
    enough = np.flatnonzero(known.sum(axis=1) >= 6)
    frames, k = known.shape
    if not len(enough):
        return np.tile(mean, (frames, 1))
    start = np.tile(mean, (frames, 1))
    own = _placed(skeleton, watched, mean[None])[0, :k]
    nearest = enough[np.abs(enough[None] - np.arange(frames)[:, None]).argmin(axis=1)]
    for t in enough:
        turn, shift, _ = umeyama(own[known[t]], points[t, known[t]], scaling=False)
        quat = rot.from_matrix(turn)
        start[t, :3] = turn @ mean[:3] + shift
        start[t, 3:7] = rot.multiply(quat, mean[3:7])
    start = start[nearest]
    targets = inverse_kinematics.Targets(
        watched.bodies[:k], watched.offsets[:k], np.where(known[..., None], points, 0.0),
        np.where(known, confidence, 0.0), (), np.zeros((frames, 0, 4)), np.zeros(0),
    )  # fmt: skip
    solved = inverse_kinematics.solve(skeleton, start, targets, reference=start, reference_weight=0.02)
    return solved.qpos[nearest]


def from_pictures(
    skeleton: Skeleton,
    watched: Points,
    terms: Sequence[Reprojection],
    prior: PriorTerm,
    cameras: tuple[Camera, ...],
    fps: float,
) -> Array:
    """``(T, nq)`` poses from what a camera sees, or several that share too few points."""
    frames = len(terms[0].confidence)
    stride = max(1, round(fps / KEY_RATE))
    seen = sum(((term.confidence > 0.05).sum(axis=1) for term in terms), np.zeros(frames, np.intp))
    keys = np.array([t for t in range(0, frames, stride) if seen[t] >= 6], np.intp)
    if not len(keys):
        keys = np.array([int(seen.argmax())])
    poses, cost = _candidates(skeleton, watched, terms, prior, cameras, fps, keys)
    flips = _flipped(skeleton, poses[np.arange(len(keys)), cost.argmin(axis=1)], prior)
    more = _refined(skeleton, watched, terms, prior, cameras, fps, keys, flips)
    poses, cost = np.concatenate([poses, more[0]], axis=1), np.concatenate([cost, more[1]], axis=1)
    path = least_path(cost, _motion(skeleton, watched, poses, np.diff(keys) / fps))
    chosen = poses[np.arange(len(keys)), path]
    return between(skeleton, keys, chosen, frames)


def least_path(cost: Array, motion: Array) -> NDArray[np.intp]:
    """``(T,)`` the candidate of each frame, of least ``cost (T, n)`` and ``motion (T - 1, n, n)`` in all (Viterbi)."""
    total, back = cost[0], []
    for own, step in zip(cost[1:], motion, strict=True):
        through = total[:, None] + step
        back.append(through.argmin(axis=0))
        total = through.min(axis=0) + own
    path = [int(total.argmin())]
    for choice in reversed(back):
        path.append(int(choice[path[-1]]))
    return np.array(path[::-1], np.intp)


def between(skeleton: Skeleton, keys: NDArray[np.intp], poses: Array, frames: int) -> Array:
    """``(frames, nq)`` through ``poses`` at the frames ``keys``; before the first and after the last they stand still."""
    from rlsuite.motion import sampling

    if len(keys) == 1:
        return np.repeat(poses, frames, axis=0)
    clip = MotionClip(poses, 1.0, skeleton)
    at = np.interp(np.arange(frames), keys, np.arange(len(keys)))
    return clipped(skeleton, sampling.interpolate_frames(clip, at))


def _candidates(
    skeleton: Skeleton,
    watched: Points,
    terms: Sequence[Reprojection],
    prior: PriorTerm,
    cameras: tuple[Camera, ...],
    fps: float,
    keys: NDArray[np.intp],
) -> tuple[Array, Array]:
    """Poses ``(n, HEADINGS, nq)`` and costs ``(n, HEADINGS)``, each from the mean pose with another heading."""
    starts = np.tile(prior.mean_pose, (len(keys), HEADINGS, 1))
    for i, angle in enumerate(np.arange(HEADINGS) * 2.0 * np.pi / HEADINGS):
        turn = rot.from_axis_angle((0.0, 0.0, 1.0), angle)
        starts[:, i, 3:7] = rot.multiply(turn, starts[:, i, 3:7])
        starts[:, i, :3] = rot.rotate(turn, starts[:, i, :3])
        shape = _placed(skeleton, watched, starts[:1, i])[0]
        starts[:, i, :3] += _shifts(shape, [_rows(term, keys) for term in terms], cameras)
    return _refined(skeleton, watched, terms, prior, cameras, fps, keys, starts)


def _refined(
    skeleton: Skeleton,
    watched: Points,
    terms: Sequence[Reprojection],
    prior: PriorTerm,
    cameras: tuple[Camera, ...],
    fps: float,
    keys: NDArray[np.intp],
    starts: Array,
) -> tuple[Array, Array]:
    """``starts (n, m, nq)`` fitted to their key frames, every one by itself, and what that costs ``(n, m)``."""
    n, m = starts.shape[:2]
    own = [_rows(term, np.repeat(keys, m)) for term in terms]
    now = Iterate(skeleton, starts.reshape(n * m, -1), fps, watched, cameras)
    solved, cost = descend_frames([*own, prior], now)
    return solved.qpos.reshape(n, m, -1), cost.reshape(n, m)


def _rows(term: Reprojection, rows: NDArray[np.intp]) -> Reprojection:
    return replace(term, pixels=term.pixels[rows], confidence=term.confidence[rows], outlier=WIDE, finding=False)


def _shifts(shape: Array, terms: Sequence[Reprojection], cameras: tuple[Camera, ...]) -> Array:
    """``(n, 3)``: where a body of points ``shape (P, 3)`` is, by least squares on its rays:
    ``(K[:2] - u K[2]) R^T (X + s - t) = 0``.
    """
    frames, k = terms[0].confidence.shape
    normal, right = np.tile(1e-6 * np.eye(3), (frames, 1, 1)), np.zeros((frames, 3))
    for term in terms:
        camera = cameras[term.view]
        turn = np.array([[1.0], [-1.0], [-1.0]]) * camera.R.T
        line = (camera.K[:2] - term.pixels[..., None] * camera.K[2]) @ turn / camera.K[0, 0]  # (n, K, 2, 3)
        weight = term.confidence[..., None, None]
        value = -(line @ (shape[:k] - camera.t)[..., None])  # (n, K, 2, 1)
        normal += np.einsum("nkij,nkil->njl", line * weight, line)
        right += np.einsum("nkij,nkix->nj", line * weight, value)
    return np.asarray(np.linalg.solve(normal, right[..., None])[..., 0], np.float64)


def _flipped(skeleton: Skeleton, poses: Array, prior: PriorTerm) -> Array:
    """``(n, 5, nq)``: copies of ``poses (n, nq)`` with one limb, or the trunk, turned to the other side of the mean pose."""
    mean = prior.mean_pose
    copies = []
    for names in (("right_upper", "right_lower"), ("left_upper", "left_lower"), ("right_thigh", "right_shin"),
                  ("left_thigh", "left_shin"), ("torso", "head")):  # fmt: skip
        bodies = [i for i, name in enumerate(skeleton.body_names) if name.startswith(names)]
        at = [
            skeleton.qpos_address[j]
            for b in bodies
            for j in skeleton.joints_of[b]
            if skeleton.joints[j].kind == "hinge"
        ]
        other = poses.copy()
        other[:, at] = 2.0 * mean[at] - poses[:, at]
        copies.append(other)
    return clipped(skeleton, np.stack(copies, axis=1))


def _motion(skeleton: Skeleton, watched: Points, poses: Array, seconds: Array) -> Array:
    """``(n - 1, m, m)``: half the squared distance of candidates' points, in units of what they usually move."""
    points = _placed(skeleton, watched, poses)  # (n, m, P, 3)
    out = np.empty((len(poses) - 1, poses.shape[1], poses.shape[1]))
    for t in range(len(out)):
        gap = points[t][:, None] - points[t + 1][None]
        out[t] = 0.5 * (gap**2).sum(axis=(-1, -2)) / (WALK * seconds[t]) ** 2
    return out


def _placed(skeleton: Skeleton, watched: Points, qpos: Array) -> Array:
    position, quat = kinematics.forward(skeleton, qpos)
    chosen = list(watched.bodies)
    return position[..., chosen, :] + rot.rotate(quat[..., chosen, :], watched.offsets)
