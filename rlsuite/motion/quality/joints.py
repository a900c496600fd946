"""What joints may do: poses outside their limits, hinge angles on the wrong branch, speeds that no body reaches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.quality.findings import Finding, above
from rlsuite.motion.quality.limits import Limits
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]
_SWEEPS = 40


def joint_limits(clip: MotionClip, limits: Limits) -> list[Finding]:
    """Angle of every body's turn to the nearest one that its joint limits allow.

    A turn counts, not the angles that it is written in: where other angles make the same turn within the limits, that is
    the finding ``hinge_branch``, which mending cures without changing the pose. A simulation must not start there: its
    limits would push with all their might.
    """
    skeleton, found = clip.skeleton, []
    limited = skeleton.qpos_range
    recorded = np.maximum(limited[:, 0] - clip.qpos, clip.qpos - limited[:, 1])
    for body, name in enumerate(skeleton.body_names):
        columns = hinge_columns(skeleton, body)
        excess = np.zeros(clip.n_frames)
        written = recorded[:, columns].max(axis=1, initial=0.0)
        out = np.flatnonzero(written > 1e-9)
        if len(out):
            excess[out] = nearest_in_range(skeleton, body, clip.qpos[out])[1]
        found += above("joint_limit", name, np.maximum(excess, _balls(clip, body)), "rad", limits.joint_limit)
        branch = np.where(excess <= limits.joint_limit[0], written, 0.0)
        found += above("hinge_branch", name, branch, "rad", limits.joint_limit, "the same turn is within the limits")
    return found


def hinge_columns(skeleton: Skeleton, body: int) -> list[int]:
    """Where the angles of a body's hinges are in ``qpos``."""
    return [skeleton.qpos_address[j] for j in skeleton.joints_of[body] if skeleton.joints[j].kind == "hinge"]


def _balls(clip: MotionClip, body: int) -> Array:
    excess = np.zeros(clip.n_frames)
    for j in clip.skeleton.joints_of[body]:
        joint, at = clip.skeleton.joints[j], clip.skeleton.qpos_address[j]
        if joint.kind == "ball" and joint.range is not None:
            excess = rot.angle_between(rot.IDENTITY, clip.qpos[:, at : at + 4]) - joint.range[1]
    return excess


def nearest_in_range(skeleton: Skeleton, body: int, qpos: Array) -> tuple[Array, Array]:
    """Hinge angles ``(T, n)`` of ``body`` within their limits whose turn is nearest to that of ``qpos (T, nq)``.

    Returns:
        The best of :func:`ways_in_range`, and the geodesic distance ``(T,)`` that is left.
    """
    angles, left = ways_in_range(skeleton, body, qpos)
    best = np.argmin(np.where(left < left.min(axis=0) + 1e-9, 0.0, 1.0), axis=0)  # the first of equals
    rows = np.arange(len(qpos))
    return angles[best, rows], left[best, rows]


def ways_in_range(skeleton: Skeleton, body: int, qpos: Array) -> tuple[Array, Array]:
    """Angles ``(3, T, n)`` within the limits, each as near as it gets to the turn of ``qpos``, and what is left ``(3, T)``.

    Cyclic coordinate descent: with the others fixed, the best angle of one hinge is the twist of what is left about its
    axis, clipped to its range. It begins at the recorded angles, at the other Euler solution, and at the middle of the
    ranges; no sweep raises the distance. What is left is a bound from above on the true distance, and 0 (to
    rounding) for turns that can be reached.
    """
    from rlsuite.motion.compiled.hinges import nearest

    hinges = [j for j in skeleton.joints_of[body] if skeleton.joints[j].kind == "hinge"]
    columns = hinge_columns(skeleton, body)
    low, high = skeleton.qpos_range[columns].T
    reference = np.array([skeleton.joints[j].reference for j in hinges])
    axes = np.array([skeleton.joints[j].axis for j in hinges])
    recorded = qpos[:, columns]
    target = _turn(axes, recorded - reference)
    middle = np.where(np.isfinite(low + high), np.clip(reference, low, high), reference)
    other = recorded * np.array([1.0, -1.0, 1.0])[: len(hinges)] + np.pi
    starts = [angles - 2.0 * np.pi * np.round((angles - middle) / (2.0 * np.pi)) for angles in (recorded, other)]
    starts.append(np.broadcast_to(middle, recorded.shape))
    ways = np.stack([np.clip(start, low, high) for start in starts])
    for way in ways:
        nearest(axes, way, target, low.copy(), high.copy(), reference, _SWEEPS)
    left = np.stack([rot.angle_between(_turn(axes, angles - reference), target) for angles in ways])
    return ways, np.where(left < 1e-7, 0.0, left)


def _turn(axes: Array, angles: Array) -> Array:
    turn = np.broadcast_to(rot.IDENTITY, (len(angles), 4))
    for i, axis in enumerate(axes):
        turn = rot.multiply(turn, rot.from_axis_angle(axis, angles[:, i]))
    return turn


def speeds(clip: MotionClip, limits: Limits) -> list[Finding]:
    """Turning speed of every joint and speed of the root that no body reaches, in both frames of the step."""
    if clip.n_frames < 2:
        return []
    found = []
    for name, step, _ in steps(clip):
        root = name == "root position"
        speed = np.linalg.norm(step, axis=-1) * clip.fps
        both = np.maximum(np.append(speed, 0.0), np.append(0.0, speed))
        threshold, unit = (limits.root_speed, "m/s") if root else (limits.joint_speed, "rad/s")
        found += above("velocity", name, both, unit, threshold)
    return found


def gimbal(clip: MotionClip, limits: Limits) -> list[Finding]:
    """Hinges that whirl while their body hardly turns: near gimbal lock, or from one branch to another.

    The pose is right and so is every measure of rotation, but ``clip.qvel`` is useless as a velocity to start from.
    """
    found = []
    for body in clip.skeleton.spherical_hinges:
        hinges = clip.skeleton.joints_of[body]
        columns = [clip.skeleton.dof_address[j] for j in hinges]
        whirl = np.abs(clip.qvel[:, columns]).max(axis=1)
        found += above("gimbal", clip.skeleton.body_names[body], whirl, "rad/s", limits.gimbal)
    return found


def steps(clip: MotionClip) -> list[tuple[str, Array, int]]:
    """What moves from frame to frame: ``(name, (T - 1, 3) change, body)``: the root's place and the turns of bodies.

    A turn is the rotation vector, in the body's frame, between the body's rotations relative to its parent: the sign of a
    quaternion and the branch of hinge angles do not show in it.
    """
    skeleton = clip.skeleton
    turns = skeleton.local_rotations(clip.qpos)
    change = rot.log(rot.multiply(rot.conjugate(turns[:-1]), turns[1:]))
    moving = [
        body
        for body in range(skeleton.nbody)
        if any(skeleton.joints[j].kind != "slide" for j in skeleton.joints_of[body])
    ]
    out = [(skeleton.body_names[body], change[:, body], body) for body in moving]
    if skeleton.has_free_root:
        out.insert(0, ("root position", np.diff(clip.qpos[:, :3], axis=0), 0))
    return out
