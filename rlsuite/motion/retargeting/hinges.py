"""The turn of a body spread over its joints: angles of one, two or three hinges within their limits, over a whole clip.

Three orthogonal hinges reach every rotation by two sets of angles, which meet in gimbal lock. Which one each frame takes
is the shortest path through the clip (Viterbi 1967): what leaves the limits costs most, then what moves. Near the lock
itself two of the hinges would race against each other to turn the body a little; there they give up some of the turn
for a moderate pace.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from rlsuite.motion import rotations as rot
from rlsuite.motion.contacts import runs
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]
RACING, AHEAD = 12.0, 2.0  # radians per second, and times the pace of the body's own turn, above which hinges race
AROUND = 0.15  # seconds before and after that are calmed with them
PACE = 0.02  # seconds: a radian per second of pace costs as much as this many radians of error
MISSING = (
    0.5  # mean radians about the axis that two hinges lack, above which they are better left at rest to begin with
)
OUTSIDE = 300.0  # cost per second of a squared radian beyond a limit; one moved from frame to frame costs 1


def turns_freely(skeleton: Skeleton, body: int) -> bool:
    """Whether the body has a ball joint or three orthogonal hinges."""
    kinds = [skeleton.joints[j].kind for j in skeleton.joints_of[body]]
    return "ball" in kinds or body in skeleton.spherical_hinges


def lone_hinge(skeleton: Skeleton, body: int) -> tuple[Array, float] | None:
    """Axis ``(3,)`` of a body that turns about a single hinge, and the angle from rest to the middle of its range."""
    joints = [skeleton.joints[j] for j in skeleton.joints_of[body] if skeleton.joints[j].kind != "slide"]
    if len(joints) != 1 or joints[0].kind != "hinge" or joints[0].range is None:
        return None
    low, high = (limit - joints[0].reference for limit in joints[0].range)
    return np.array(joints[0].axis), 0.5 * (low + high)


def set_turn(skeleton: Skeleton, body: int, turn: Array, qpos: Array, fps: float) -> Array:
    """Write the joints of ``body`` into ``qpos`` ``(T, nq)`` so that it turns by ``turn`` ``(T, 4)`` from its rest pose as
    nearly as they can; returns the turn that it makes. Hinges that are not orthogonal stay at rest."""
    joints = [j for j in skeleton.joints_of[body] if skeleton.joints[j].kind != "slide"]
    columns = [skeleton.qpos_address[j] for j in joints]
    kinds = {skeleton.joints[j].kind for j in joints}
    if kinds == {"ball"} and len(joints) == 1:
        joint, at = skeleton.joints[joints[0]], columns[0]
        vector = rot.log(turn)
        if joint.range is not None:
            angle = np.linalg.norm(vector, axis=-1, keepdims=True)
            vector *= np.minimum(1.0, joint.range[1] / np.maximum(angle, 1e-12))
        qpos[:, at : at + 4] = rot.continuous(rot.exp(vector))
    elif kinds == {"hinge"} and len(joints) <= 3:
        axes = np.array([skeleton.joints[j].axis for j in joints])
        if np.allclose(axes @ axes.T, np.eye(len(axes)), atol=1e-6):
            reference = np.array([skeleton.joints[j].reference for j in joints])
            ranges = np.array([skeleton.joints[j].range or (-np.inf, np.inf) for j in joints]) - reference[:, None]
            qpos[:, columns] = _angles(axes, ranges, turn, fps) + reference
    return skeleton.local_rotation(qpos, body)


def _angles(axes: Array, ranges: Array, turn: Array, fps: float) -> Array:
    """``(T, n)`` within ``ranges`` ``(n, 2)``."""
    n = len(axes)
    if n == 1:
        angles = _nearest_turn(rot.twist_angle(turn, axes[0])[:, None], ranges)
        return np.clip(angles, ranges[:, 0], ranges[:, 1])
    if n == 2:
        axes = np.vstack((axes, np.cross(axes[0], axes[1])))
        ranges = np.vstack((ranges, [-0.1, 0.1]))
    hand = np.array([1.0, 1.0, np.sign(np.linalg.det(axes))])  # a left-handed triple: the last axis turned round
    in_axes = np.concatenate((turn[:, :1], turn[:, 1:] @ (axes * hand[:, None]).T), axis=-1)
    first = rot.to_euler(in_axes, "xyz")
    second = first * np.array([1.0, -1.0, 1.0]) + np.pi
    branches = np.stack([_nearest_turn(branch * hand, ranges) for branch in (first, second)])  # (2, T, 3)
    chosen = _shortest_path(branches, ranges, fps)
    if n == 2 and np.abs(chosen[:, 2]).mean() > MISSING:
        chosen = np.zeros_like(chosen)
    chosen = np.clip(chosen, ranges[:, 0], ranges[:, 1])
    return _calmed(chosen, axes, ranges, turn, fps)[:, :n]


def _calmed(angles: Array, axes: Array, ranges: Array, turn: Array, fps: float) -> Array:
    """Angles ``(T, 3)`` whose pace near gimbal lock, or where limits make them leap, is traded against the turn."""
    pace = np.abs(np.diff(angles, axis=0)).max(axis=1, initial=0.0) * fps
    racing = np.flatnonzero(pace > np.maximum(RACING, AHEAD * rot.angle_between(turn[1:], turn[:-1]) * fps))
    if not len(racing):
        return angles
    angles, marked = angles.copy(), np.zeros(len(angles), bool)
    reach = max(1, round(AROUND * fps))
    for t in racing:
        marked[max(0, t + 1 - reach) : t + 1 + reach] = True
    for a, b in runs(marked):
        angles[a:b] = _calmed_window(angles, a, b, axes, ranges, turn[a:b], (PACE * fps) ** 2)
    return angles


def _calmed_window(angles: Array, a: int, b: int, axes: Array, ranges: Array, turn: Array, stiff: float) -> Array:
    """Frames ``a:b`` by Gauss-Newton steps on the sum of squared errors and ``stiff`` times the squared moves, the frames
    around held; the normal equations are banded, for only neighbours meet."""
    here = angles[a:b].copy()
    n = len(here)
    links = np.full(n, 2.0)
    links[0] -= a == 0
    links[-1] -= b == len(angles)
    for _ in range(10):
        first, second, third = (rot.from_axis_angle(axis, here[:, i]) for i, axis in enumerate(axes))
        columns = (
            np.broadcast_to(axes[0], (n, 3)), rot.rotate(first, axes[1]), rot.rotate(rot.multiply(first, second), axes[2])
        )  # fmt: skip
        jacobian = np.stack(columns, axis=-1)  # (n, 3, 3) angular velocity by angle
        error = rot.log(rot.multiply(turn, rot.conjugate(rot.multiply(rot.multiply(first, second), third))))
        before = angles[a - 1] if a > 0 else here[0]
        after = angles[b] if b < len(angles) else here[-1]
        padded = np.vstack((before, here, after))
        pull = padded[2:] - 2.0 * here + padded[:-2]
        downhill = np.einsum("tij,ti->tj", jacobian, error) + stiff * pull
        blocks = np.einsum("tij,tik->tjk", jacobian, jacobian) + (stiff * links[:, None, None] + 1e-6) * np.eye(3)
        band = np.zeros((4, 3 * n))  # upper form: diagonals 3, 2, 1, 0 above the main one
        band[0, 3:] = -stiff
        for i in range(3):
            for j in range(i, 3):
                band[3 - (j - i), j::3] = blocks[:, i, j]
        step = solveh_banded(band, downhill.reshape(-1)).reshape(n, 3)
        here = np.clip(here + np.clip(step, -0.5, 0.5), ranges[:, 0], ranges[:, 1])
        if np.abs(step).max() < 1e-3:
            break
    return here


def _nearest_turn(angles: Array, ranges: Array) -> Array:
    """Shifted by whole turns to where the range is; without one, unrolled in time."""
    bounded = np.asarray(np.isfinite(ranges).all(axis=1))
    middle = np.where(bounded, np.where(bounded[:, None], ranges, 0.0).mean(axis=1), 0.0)
    near = angles - 2.0 * np.pi * np.round((angles - middle) / (2.0 * np.pi))
    return np.where(bounded, near, np.unwrap(near, axis=0))


def _shortest_path(branches: Array, ranges: Array, fps: float) -> Array:
    """``(T, 3)`` of the ``(2, T, 3)`` that costs least."""
    within = np.clip(branches, ranges[:, 0], ranges[:, 1])
    outside = OUTSIDE / fps * np.sum((branches - within) ** 2, axis=-1)
    for this, other in ((0, 1), (1, 0)):
        if (outside[this] < outside[other]).all():  # the limits alone tell
            return branches[this]
    moved = np.sum((within[:, None, 1:] - within[None, :, :-1]) ** 2, axis=-1)  # (to, from, T - 1)
    cost = [float(outside[0, 0]), float(outside[1, 0])]
    came: list[tuple[int, int]] = []
    for (o0, o1), ((m00, m01), (m10, m11)) in zip(
        outside[:, 1:].T.tolist(), moved.transpose(2, 0, 1).tolist(), strict=True
    ):
        via = (int(cost[1] + m01 < cost[0] + m00), int(cost[1] + m11 < cost[0] + m10))
        cost = [o0 + (cost[1] + m01 if via[0] else cost[0] + m00), o1 + (cost[1] + m11 if via[1] else cost[0] + m10)]
        came.append(via)
    state = int(cost[1] < cost[0])
    path = [state]
    for via in reversed(came):
        state = via[state]
        path.append(state)
    return branches[np.array(path[::-1]), np.arange(branches.shape[1])]
