"""Foot contacts: when the soles of any skeleton stand on the ground, from their height and speed.

A point of a sole is in contact over every stretch in which it stays low and slow (the outer thresholds) that somewhere
touches the ground nearly at rest (the inner ones): hysteresis on both sides, so that noise between the thresholds makes
no flicker. Short gaps are closed, short contacts dropped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import MotionError
from rlsuite.motion import kinematics
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
_SOLE = re.compile(r"(?i)heel|toe|sole|ball")


@dataclass(frozen=True)
class Thresholds:
    """When a point touches; for a person of common size.

    Attributes:
        height: metres above its lowest place below which it may begin to touch; leave_height: above which it has left.
        speed, leave_speed: the same in metres per second.
        shortest: seconds that a contact lasts at least; gap: that it may be interrupted.
    """

    height: float = 0.025
    leave_height: float = 0.03
    speed: float = 0.15
    leave_speed: float = 0.2
    shortest: float = 0.06
    gap: float = 0.03


@dataclass(frozen=True)
class SolePoint:
    """A point that can stand on the ground.

    Attributes:
        foot: name of the foot in ``skeleton.feet``. body, offset: where it is.
        clearance: metres of it above the lowest point of its foot in the rest pose.
    """

    foot: str
    body: int
    offset: tuple[float, float, float]
    clearance: float


@lru_cache(maxsize=64)
def sole_points(skeleton: Skeleton) -> tuple[SolePoint, ...]:
    """Points under each of ``skeleton.feet``: key points called heel, toe, sole or ball; else all key points of the foot,
    else its origin and its children's.

    Raises:
        MotionError: the skeleton has no feet.
    """
    if not skeleton.feet:
        raise MotionError(f"skeleton {skeleton.name!r} has no feet; name them in Skeleton.feet")
    position, quat = kinematics.forward(skeleton, skeleton.rest_qpos)
    points = []
    for foot in skeleton.feet:
        body = skeleton.body(foot)
        family = [body, *(c for c in skeleton.children(body) if skeleton.body_names[c] not in skeleton.feet)]
        on_foot = {name: at for name, (b, at) in skeleton.keypoints.items() if b == body}
        places = [(body, at) for name, at in on_foot.items() if _SOLE.search(name)] or [
            (body, at) for at in on_foot.values()
        ]
        places = places or [(b, (0.0, 0.0, 0.0)) for b in family]
        heights = [float((position[b] + rot.rotate(quat[b], at))[2]) for b, at in places]
        points += [SolePoint(foot, b, at, h - min(heights)) for (b, at), h in zip(places, heights, strict=True)]
    return tuple(points)


def positions(skeleton: Skeleton, points: tuple[SolePoint, ...], qpos: ArrayLike) -> Array:
    """``(T, n, 3)`` of sole points in the world."""
    return on_bodies(kinematics.forward(skeleton, qpos), points)


def on_bodies(placed: tuple[Array, Array], points: tuple[SolePoint, ...]) -> Array:
    """The same for bodies that are placed already: ``(T, nbody, 3)`` and ``(T, nbody, 4)``."""
    place, quat = placed
    bodies = [point.body for point in points]
    return place[..., bodies, :] + rot.rotate(quat[..., bodies, :], np.array([point.offset for point in points]))


def speeds(places: Array, fps: float) -> Array:
    """``(T, ...)`` metres per second of ``places`` ``(T, ..., 3)``, by central differences."""
    if len(places) < 2:
        return np.zeros(places.shape[:-1])
    return np.linalg.norm(np.gradient(places, 1.0 / fps, axis=0), axis=-1)


def ground_height(heights: Array, speed: Array, thresholds: Thresholds | None = None) -> float:
    """Level of the ground that sole points at ``heights`` ``(T, n)``, above their clearance, stand on.

    The median height of the lowest point over the frames in which it is slow and low; where it never is slow, its
    height at the lowest hundredth of the frames.
    """
    limits = thresholds or Thresholds()
    lowest = np.argmin(heights, axis=1)
    rows = np.arange(len(heights))
    height, slow = heights[rows, lowest], speed[rows, lowest] < limits.leave_speed
    floor = float(np.percentile(height[slow] if slow.any() else height, 1.0))
    standing = slow & (height < floor + limits.leave_height)
    return float(np.median(height[standing])) if standing.any() else floor


def label(heights: Array, speed: Array, fps: float, thresholds: Thresholds | None = None) -> Mask:
    """``(T, n)`` whether points at ``heights`` above the ground and of ``speed`` ``(T, n)`` touch it."""
    limits = thresholds or Thresholds()
    touch = (heights < limits.height) & (speed < limits.speed)
    stay = (heights < limits.leave_height) & (speed < limits.leave_speed)
    out = np.zeros_like(stay)
    for column in range(stay.shape[1]):
        kept = [(a, b) for a, b in runs(stay[:, column]) if touch[a:b, column].any()]
        for a, b in kept:
            out[a:b, column] = True
        for a, b in runs(~out[:, column]):
            if a > 0 and b < len(out) and b - a <= limits.gap * fps:
                out[a:b, column] = True
        for a, b in runs(out[:, column]):
            if b - a < limits.shortest * fps and a > 0 and b < len(out):
                out[a:b, column] = False
    return out


def runs(mask: ArrayLike) -> list[tuple[int, int]]:
    """``[start, stop)`` of every stretch of true values in ``mask`` ``(T,)``."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], np.asarray(mask, np.int8), [0]))))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def detect(clip: MotionClip, thresholds: Thresholds | None = None, *, ground: float | None = None) -> MotionClip:
    """The clip with ``contacts`` of its skeleton's feet: a foot stands where any point of its sole does.

    Args:
        ground: height of the floor; default: judged from the motion.

    Raises:
        MotionError: the skeleton has no feet.
    """
    skeleton = clip.skeleton
    points = sole_points(skeleton)
    touching, level = judge(points, positions(skeleton, points, clip.qpos), clip.fps, thresholds, ground=ground)
    return replace(clip, contacts=by_foot(skeleton, points, touching), contact_names=skeleton.feet).with_step(
        "contacts", ground=level
    )


def judge(
    points: tuple[SolePoint, ...],
    places: Array,
    fps: float,
    thresholds: Thresholds | None = None,
    *,
    ground: float | None = None,
) -> tuple[Mask, float]:
    """``(T, n)`` when points of soles at ``places (T, n, 3)`` touch the ground, and its height (as given, or judged).

    This is the one place where contacts are found: labels of clips, retargeting and its report all come from here.
    """
    heights, speed = places[..., 2] - np.array([point.clearance for point in points]), speeds(places, fps)
    level = ground_height(heights, speed, thresholds) if ground is None else ground
    return label(heights - level, speed, fps, thresholds), level


def labels_of(clip: MotionClip, foot: str) -> Mask | None:
    """``(T,)`` when a foot stands as the clip's own labels say; ``None`` where they say nothing of it."""
    if clip.contacts is None or foot not in clip.contact_names:
        return None
    return np.asarray(clip.contacts[:, clip.contact_names.index(foot)], bool)


def slowest(points: Array, fps: float, height: ArrayLike) -> Array:
    """``(T - 1,)`` horizontal speed of a foot over the ground: of the slowest of its ``points (T, P, 3)`` that are lower
    than ``height`` (one number or one per step) both before and after the step, so that rolling is no sliding; infinite
    where none is.
    """
    low = np.maximum(points[1:, :, 2], points[:-1, :, 2]) < np.asarray(height, np.float64).reshape(-1, 1)
    way = np.linalg.norm(np.diff(points[..., :2], axis=0), axis=-1)
    return np.where(low, way, np.inf).min(axis=1, initial=np.inf) * fps


def by_foot(skeleton: Skeleton, points: tuple[SolePoint, ...], touching: Mask) -> Mask:
    """``(T, n feet)`` from ``(T, n points)``: whether any point of a foot touches."""
    columns = [touching[:, [p.foot == foot for p in points]].any(axis=1) for foot in skeleton.feet]
    return np.stack(columns, axis=1)


def slide(places: Array, touching: Mask, fps: float) -> Array:
    """Horizontal speeds ``(k,)`` in metres per second of points from one frame to the next while they touch in both."""
    both = touching[1:] & touching[:-1]
    step = np.linalg.norm(np.diff(places[..., :2], axis=0), axis=-1) * fps
    return step[both]
