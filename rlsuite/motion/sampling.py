"""A clip at any time: interpolation on the manifold, velocities, and other frame rates."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.motion import rotations as rot
from rlsuite.motion.skeleton import Skeleton

if TYPE_CHECKING:
    from rlsuite.motion.clip import MotionClip

Array = NDArray[np.float64]


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


def sample(clip: MotionClip, times: ArrayLike) -> Array:
    """``(..., nq)`` poses at ``times`` ``(...)`` in seconds: one vectorised call for any number of them.

    A ``wrap`` clip goes on for ever in both directions, its root displaced by every cycle; a ``once`` clip holds its
    first and last pose.
    """
    times = np.asarray(times, np.float64)
    if clip.n_frames == 1:
        return np.broadcast_to(clip.qpos[0], (*times.shape, clip.skeleton.nq)).copy()
    cycles = np.floor(times / clip.duration) if clip.loop == "wrap" else np.zeros_like(times)
    frame = np.clip((times - cycles * clip.duration) * clip.fps, 0.0, clip.n_frames - 1)
    before = np.minimum(frame.astype(np.intp), clip.n_frames - 2)
    poses = interpolate(clip.skeleton, clip.qpos[before], clip.qpos[before + 1], frame - before)
    if clip.loop == "wrap" and clip.skeleton.has_free_root:
        displace_cycles(clip, poses, cycles)
    return poses


def displace_cycles(clip: MotionClip, poses: Array, cycles: Array) -> None:
    """Move the root of ``poses`` ``(..., nq)``, in place, to where it is after ``cycles`` ``(...)`` whole cycles."""
    shift, turn = cycle_displacement(clip)
    if turn == 0.0:
        poses[..., :3] += cycles[..., None] * shift
        return
    # cycle k maps p to c + R^k (p - c) with one centre c for all: the fixed point of p -> first + R (p - first) + shift
    first = clip.qpos[0, :3]
    half = np.array([shift[0], shift[1]]) / 2.0
    centre = first + np.array([half[0] - half[1] / np.tan(turn / 2.0), half[1] + half[0] / np.tan(turn / 2.0), 0.0])
    around = rot.from_axis_angle((0.0, 0.0, 1.0), cycles * turn)
    poses[..., :3] = centre + rot.rotate(around, poses[..., :3] - centre)
    poses[..., 3:7] = rot.multiply(around, poses[..., 3:7])


def velocities(clip: MotionClip) -> Array:
    """``(T, nv)``: central differences on the manifold; at the ends one-sided, in a cycle across its seam."""
    n = clip.n_frames
    if n == 1:
        return np.zeros((1, clip.skeleton.nv))
    if clip.loop == "wrap":
        times = clip.times
        before, after = sample(clip, times - 1.0 / clip.fps), sample(clip, times + 1.0 / clip.fps)
        poses, steps = np.stack((before, after)), np.full((n, 1), 2.0)
    else:
        i = np.arange(n)
        low, high = np.maximum(i - 1, 0), np.minimum(i + 1, n - 1)
        poses, steps = np.stack((clip.qpos[low], clip.qpos[high])), (high - low)[:, None].astype(np.float64)
    # a rotation by more than half a turn in two frames is seen as its shorter complement: sum the two single steps
    whole = difference(clip.skeleton, poses[0], clip.qpos) + difference(clip.skeleton, clip.qpos, poses[1])
    return whole * clip.fps / steps


def resample(clip: MotionClip, fps: float) -> MotionClip:
    """The clip at another rate, by :func:`sample`; a cycle keeps its period to the nearest whole number of frames.

    Masks take the value of the nearest frame, confidence is interpolated.
    """
    n = max(2, round(clip.duration * fps) + 1) if clip.n_frames > 1 else 1
    if clip.loop == "wrap":
        fps = (n - 1) / clip.duration
        times = np.linspace(0.0, clip.duration, n)
    else:
        n = int(np.floor(clip.duration * fps + 1e-9)) + 1
        times = np.arange(n) / fps
    nearest = np.clip(np.rint(times * clip.fps).astype(np.intp), 0, clip.n_frames - 1)
    poses = sample(clip, times)
    if clip.loop == "wrap":
        poses[-1] = clip.qpos[
            -1
        ]  # not the first frame of the next cycle: the same pose, of which the last is on record
    return replace(
        clip,
        qpos=poses,
        fps=fps,
        contacts=None if clip.contacts is None else clip.contacts[nearest],
        startable=None if clip.startable is None else clip.startable[nearest],
        confidence=None if clip.confidence is None else np.interp(times, clip.times, clip.confidence),
    ).with_step("resample", fps=fps)
