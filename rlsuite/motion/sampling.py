"""A clip at any time: interpolation on the manifold, velocities, and other frame rates."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import MotionError
from rlsuite.motion import rotations as rot
from rlsuite.motion.skeleton import Skeleton
from rlsuite.motion.tracks import Slopes

if TYPE_CHECKING:
    from rlsuite.motion.clip import MotionClip

Array = NDArray[np.float64]
Method = Literal["slerp", "spline"]


def difference(skeleton: Skeleton, start: ArrayLike, end: ArrayLike) -> Array:
    """``(..., nv)`` velocity that leads from ``start`` to ``end`` ``(..., nq)`` in one second (``mj_differentiatePos``).

    Angular velocities of free and ball joints are in the body's own frame, MuJoCo's convention.
    """
    start, end = np.asarray(start, np.float64), np.asarray(end, np.float64)
    out = np.empty((*np.broadcast_shapes(start.shape, end.shape)[:-1], skeleton.nv))
    for joint, q, v in zip(skeleton.joints, skeleton.qpos_address, skeleton.dof_address, strict=True):
        if joint.kind == "free":
            out[..., v : v + 3] = end[..., q : q + 3] - start[..., q : q + 3]
            q, v = q + 3, v + 3
        if joint.kind in ("free", "ball"):
            relative = rot.multiply(rot.conjugate(start[..., q : q + 4]), end[..., q : q + 4])
            out[..., v : v + 3] = rot.log(relative)
        else:
            out[..., v] = end[..., q] - start[..., q]
    return out


def integrate(skeleton: Skeleton, qpos: ArrayLike, velocity: ArrayLike) -> Array:
    """``(..., nq)`` reached from ``qpos`` after one second of ``velocity`` ``(..., nv)`` (``mj_integratePos``)."""
    qpos, velocity = np.asarray(qpos, np.float64), np.asarray(velocity, np.float64)
    out = np.empty((*np.broadcast_shapes(qpos.shape[:-1], velocity.shape[:-1]), skeleton.nq))
    for joint, q, v in zip(skeleton.joints, skeleton.qpos_address, skeleton.dof_address, strict=True):
        if joint.kind == "free":
            out[..., q : q + 3] = qpos[..., q : q + 3] + velocity[..., v : v + 3]
            q, v = q + 3, v + 3
        if joint.kind in ("free", "ball"):
            out[..., q : q + 4] = rot.multiply(qpos[..., q : q + 4], rot.exp(velocity[..., v : v + 3]))
        else:
            out[..., q] = qpos[..., q] + velocity[..., v]
    return out


def interpolate(skeleton: Skeleton, start: ArrayLike, end: ArrayLike, share: ArrayLike) -> Array:
    """``(..., nq)`` between two poses: positions and lone hinges linearly, quaternions and hinge triples by slerp."""
    start, end = np.asarray(start, np.float64), np.asarray(end, np.float64)
    share = np.asarray(share, np.float64)
    out = start + share[..., None] * (end - start)
    for at in skeleton.quaternions:
        out[..., at : at + 4] = rot.slerp(start[..., at : at + 4], end[..., at : at + 4], share)
    triples = skeleton.spherical_hinges
    if triples:
        # along the great arc, in the branch of the straight line between the two sets of angles
        between = rot.slerp(skeleton.local_rotations(start), skeleton.local_rotations(end), share[..., None])
        columns = [skeleton.qpos_address[j] for body in triples for j in skeleton.joints_of[body]]
        out[..., columns] = skeleton.with_local_rotations(out, between)[..., columns]
    return out


def cycle_displacement(clip: MotionClip) -> tuple[Array, float]:
    """Shift ``(3,)`` on the ground and turn (radians) of the root from one cycle of a wrapped clip to the next."""
    if not clip.skeleton.has_free_root:
        return np.zeros(3), 0.0
    first, last = clip.qpos[0], clip.qpos[-1]
    shift = last[:3] - first[:3]
    turn = rot.heading_angle(rot.multiply(last[3:7], rot.conjugate(first[3:7]))) if clip.wrap_heading else 0.0
    return shift * np.array([1.0, 1.0, 0.0]), float(turn)


def slopes(clip: MotionClip) -> Slopes:
    """What a spline through the clip has for velocities at its frames, in a cycle across the seam."""
    return Slopes(clip.tracks, cyclic=clip.loop == "wrap", around=_cycle_turn(clip))


def _cycle_turn(clip: MotionClip) -> Array | None:
    """The turn about the vertical from one cycle to the next, where there is one."""
    turn = cycle_displacement(clip)[1] if clip.loop == "wrap" else 0.0
    return rot.from_axis_angle((0.0, 0.0, 1.0), turn) if turn != 0.0 else None


def _locate(clip: MotionClip, times: ArrayLike) -> tuple[NDArray[np.intp], Array, Array]:
    """Frame before each time, share of the way to the next, and whole cycles gone by."""
    times = np.asarray(times, np.float64)
    if not np.isfinite(times).all():
        raise MotionError(f"clip {clip.name!r}: times must be finite numbers of seconds")
    cycles = np.floor(times / clip.duration) if clip.loop == "wrap" else np.zeros_like(times)
    frame = np.clip((times - cycles * clip.duration) * clip.fps, 0.0, clip.n_frames - 1)
    before = np.minimum(frame.astype(np.intp), clip.n_frames - 2)
    return before, frame - before, cycles


def sample(clip: MotionClip, times: ArrayLike, method: Method = "slerp") -> Array:
    """``(..., nq)`` poses at ``times`` ``(...)`` in seconds: one vectorised call for any number of them.

    A ``wrap`` clip goes on for ever in both directions, its root displaced by every cycle; a ``once`` clip holds its
    first and last pose. ``slerp`` goes straight from frame to frame; ``spline`` through them with continuous velocity.

    Raises:
        MotionError: a time is not finite, or there is no such method.
    """
    if method not in ("slerp", "spline"):
        raise MotionError(f"method must be 'slerp' or 'spline', not {method!r}")
    if clip.n_frames == 1:
        return np.broadcast_to(clip.qpos[0], (*np.shape(times), clip.skeleton.nq)).copy()
    before, share, cycles = _locate(clip, times)
    if method == "slerp":
        poses = clip.tracks.arcs(before, share)
    else:
        poses = clip.tracks.splines(before, share, clip.slopes)
    if clip.loop == "wrap" and clip.skeleton.has_free_root:
        displace_cycles(clip, poses, cycles)
    return poses


def interpolate_frames(clip: MotionClip, frames: ArrayLike) -> Array:
    """``(..., nq)`` poses at fractional ``frames`` ``(...)`` from 0 to ``n_frames - 1``, without regard to cycles."""
    frames = np.clip(np.asarray(frames, np.float64), 0.0, clip.n_frames - 1)
    if clip.n_frames == 1:
        return np.broadcast_to(clip.qpos[0], (*frames.shape, clip.skeleton.nq)).copy()
    before = np.minimum(frames.astype(np.intp), clip.n_frames - 2)
    return clip.tracks.arcs(before, frames - before)


def sample_velocity(clip: MotionClip, times: ArrayLike) -> Array:
    """``(..., nv)`` velocities at ``times`` ``(...)``: those of the frames (:func:`velocities`), linearly between them.

    Zero where a ``once`` clip holds its first or last pose.
    """
    if clip.n_frames == 1:
        return np.zeros((*np.shape(times), clip.skeleton.nv))
    before, share, cycles = _locate(clip, times)
    start = clip.qvel[before]
    velocity: Array = start + share[..., None] * (clip.qvel[before + 1] - start)
    if clip.loop == "once":
        times = np.asarray(times, np.float64)
        velocity[(times < 0.0) | (times > clip.duration)] = 0.0
    turn = cycle_displacement(clip)[1] if clip.loop == "wrap" else 0.0
    if turn != 0.0:
        velocity[..., :3] = rot.rotate(rot.from_axis_angle((0.0, 0.0, 1.0), cycles * turn), velocity[..., :3])
    return velocity


def displace_cycles(clip: MotionClip, poses: Array, cycles: Array) -> None:
    """Move the root of ``poses`` ``(..., nq)``, in place, to where it is after ``cycles`` ``(...)`` whole cycles."""
    shift, turn = cycle_displacement(clip)
    displace(poses, cycles, clip.qpos[0, :3], shift, np.asarray(turn))


def displace(poses: Array, cycles: Array, first: Array, shift: Array, turn: Array) -> None:
    """As :func:`displace_cycles`, for first positions and shifts ``(..., 3)`` and turns ``(...)`` of one clip or many."""
    if not turn.any():
        poses[..., :3] += cycles[..., None] * shift
        return
    # k cycles of p -> first + R (p - first) + shift give first + R^k (p - first) + (1 + R + ... + R^(k-1)) shift,
    # and the sum is sin(k a/2) / sin(a/2) times a turn by (k - 1) a/2
    up, half = (0.0, 0.0, 1.0), np.where(turn == 0.0, 1.0, 0.5 * turn)
    gone = np.where(turn == 0.0, cycles, np.sin(cycles * half) / np.sin(half))
    around = rot.from_axis_angle(up, cycles * turn)
    moved = rot.rotate(rot.from_axis_angle(up, 0.5 * (cycles - 1.0) * turn), gone[..., None] * shift)
    poses[..., :3] = first + rot.rotate(around, poses[..., :3] - first) + moved
    poses[..., 3:7] = rot.multiply(around, poses[..., 3:7])


def velocities(clip: MotionClip) -> Array:
    """``(T, nv)``: means of the steps before and after each frame; at the ends one step, in a cycle across its seam."""
    if clip.n_frames == 1:
        return np.zeros((1, clip.skeleton.nv))
    # a body's own frame is the axis of its step on either side, so the two may be added
    steps = difference(clip.skeleton, clip.qpos[:-1], clip.qpos[1:]) * clip.fps
    first, last = steps[0], steps[-1]
    if clip.loop == "wrap":
        first, last = last.copy(), first.copy()
        around = _cycle_turn(clip)
        if around is not None:
            first[:3], last[:3] = rot.rotate(rot.conjugate(around), first[:3]), rot.rotate(around, last[:3])
    return 0.5 * (np.concatenate((first[None], steps)) + np.concatenate((steps, last[None])))


def resample(clip: MotionClip, fps: float, method: Method = "slerp") -> MotionClip:
    """The clip at another rate, by :func:`sample`; a cycle keeps its period to the nearest whole number of frames.

    Masks take the value of the nearest frame, confidence is interpolated.

    Raises:
        MotionError: ``fps`` is not a positive number, or there is no such method.
    """
    if not (np.isfinite(fps) and fps > 0.0):
        raise MotionError(f"fps must be a positive number, not {fps!r}")
    if clip.loop == "wrap":
        n = max(2, round(clip.duration * fps) + 1)
        fps = (n - 1) / clip.duration
        times = np.linspace(0.0, clip.duration, n)
    else:
        n = int(np.floor(clip.duration * fps + 1e-9)) + 1
        times = np.arange(n) / fps
    nearest = np.clip(np.rint(times * clip.fps).astype(np.intp), 0, clip.n_frames - 1)
    poses = sample(clip, times, method)
    if clip.loop == "wrap":
        poses[-1] = clip.qpos[-1]  # the last frame on record, not the first of the next cycle
    return replace(
        clip,
        qpos=poses,
        fps=fps,
        contacts=None if clip.contacts is None else clip.contacts[nearest],
        startable=None if clip.startable is None else clip.startable[nearest],
        confidence=None if clip.confidence is None else np.interp(times, clip.times, clip.confidence),
    ).with_step("resample", fps=fps, method=method)
