"""Feet that stand do not slide: places on the ground to which soles are locked while they touch.

The points of a sole that touch during one stance of a foot are given one place each: that of their mean, with the sole
laid flat at its own size where all of it touches; where they wander further from it than a tolerance, that in the middle
of their ways. A stance that wanders further even so is cut about its middle, where it moves fastest, and the foot steps
over; a short one is trimmed. Between stances the correction fades in and out.

What could sink into the ground stands on corners: of the feet, of knees and hands. None of them may be below it, and
those of a foot that swings clear it by a centimetre.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from rlsuite.motion import contacts, joint_maps, kinematics
from rlsuite.motion import rotations as rot
from rlsuite.motion.contacts import SolePoint, runs
from rlsuite.motion.inverse_kinematics import Floor
from rlsuite.motion.quality import solids
from rlsuite.motion.retargeting.rest_pose import RestPose
from rlsuite.motion.retargeting.standing import laid_flat, rise, soles_of
from rlsuite.motion.retargeting.transfer import Goal
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
WANDER = 0.02  # metres that a locked point may be from where it was
FADE = 0.15  # seconds
STEP = 0.1  # seconds between the two halves of a stance that is cut
CLEAR, RISE = 0.012, 0.1  # metres that a swinging foot clears the ground at least, and seconds in which it gets there
LET_GO = 0.06  # seconds in which a point that stood is let go
NEAR = 0.15  # metres above the ground from which a corner is looked after
FLOOR_WEIGHT = 12.0
PASSES = 2
CIRCLE = 60  # rounds that put the centre of a circle within a fiftieth of its radius


@dataclass(frozen=True)
class Soles:
    """Points of the target's soles: where the source puts them and where they are to be.

    Attributes:
        wanted: ``(T, n, 3)`` raised to the ground. locked: the same with standing points held still.
        touching: ``(T, n)`` what is locked; labels: what touches in the source, before stances were cut.
        by_foot: ``(T, feet)``. labelled: whether contacts are known at all.
        offset: metres by which all is raised; rise: ``(T,)`` the same with what bent legs want besides.
        ground: height of the ground, then.
    """

    points: tuple[SolePoint, ...]
    wanted: Array
    locked: Array
    touching: Mask
    labels: Mask
    by_foot: Mask
    labelled: bool
    offset: float
    rise: Array
    ground: float

    def of(self, body: int) -> Mask:
        """``(n,)`` which points are on a body."""
        return np.array([point.body == body for point in self.points], bool)

    def hold(self, point: int, fps: float) -> Array:
        """``(T,)`` how firmly a point is held: 1 while it touches, easing to 0 in so short a time that nothing jerks."""
        return 1.0 - _away(self.touching[:, point], LET_GO * fps)

    def floor(self, skeleton: Skeleton, guess: Array, fps: float) -> Floor | None:
        """Corners of the body that come near the ground in the poses ``guess (T, nq)``, and how low each may be."""
        if not self.labelled:
            return None
        bodies, offsets, reach = _corners(skeleton, self.points)
        place, quat = kinematics.forward(skeleton, guess)
        over = (place[:, bodies] + rot.rotate(quat[:, bodies], offsets))[..., 2] - reach - self.ground
        near = np.flatnonzero(over.min(axis=0) < NEAR)
        swing = np.zeros((len(guess), skeleton.nbody))
        for column, foot in enumerate(skeleton.feet):
            swing[:, skeleton.body(foot)] = CLEAR * _away(self.by_foot[:, column], RISE * fps)
        heights = reach[near] + self.ground + swing[:, bodies[near]]
        return Floor(tuple(bodies[near].tolist()), offsets[near], heights, FLOOR_WEIGHT) if len(near) else None


def stood(
    rest: RestPose, goal: Goal, fps: float, *, level: bool, label: bool, given: Mapping[str, Mask] | None
) -> tuple[Goal, Soles]:
    """The goal with the feet that stand laid flat on the ground, and its soles.

    Args:
        level: raise it to stand at height 0. label: whether to find and lock contacts.
        given: labels by side, in place of those by speed.
    """
    skeleton = rest.skeleton
    points, wanted = soles_of(rest, goal)
    n = len(wanted)
    if not points:
        none = np.zeros((n, 0), bool)
        by_foot = np.zeros((n, len(skeleton.feet)), bool)
        return goal, Soles(points, wanted, wanted, none, none, by_foot, False, 0.0, np.zeros(n), 0.0)
    clearance = np.array([point.clearance for point in points])
    judged, found = contacts.judge(points, wanted, fps)
    turned, extra = goal, np.zeros(n)
    for _ in range(PASSES if label else 0):  # what is flat and level shows better what touches
        goal = laid_flat(rest, turned, points, judged, fps)
        wanted = soles_of(rest, goal)[1]
        wanted[..., 2] += extra[:, None]
        judged, found = contacts.judge(points, wanted, fps)
        if level:
            more = rise(points, wanted[..., 2] - clearance - found, judged, fps)
            extra += more
            wanted[..., 2] += more[:, None]
            judged, found = contacts.judge(points, wanted, fps, ground=found)
    offset = -found if level else 0.0
    up = offset + extra
    goal = goal.raised(up)
    wanted[..., 2] += offset
    ground = found + offset
    labels = touching = np.zeros((n, len(points)), bool)
    locked = wanted
    if label:
        over = wanted - (0.0, 0.0, ground)
        labels = judged
        if given is not None:
            labels = _low(
                over[..., 2] - clearance, points, [given.get(joint_maps.side_of(p.foot) or "") for p in points]
            )
        locked, touching = lock(skeleton, points, over, labels, fps)
        locked[..., 2] = np.maximum(locked[..., 2], 0.0) + ground
    by_foot = contacts.by_foot(skeleton, points, touching)
    return goal, Soles(points, wanted, locked, touching, labels, by_foot, label, offset, up, ground)


@lru_cache(maxsize=64)
def _corners(skeleton: Skeleton, points: tuple[SolePoint, ...]) -> tuple[NDArray[np.intp], Array, Array]:
    """Bodies ``(k,)``, offsets ``(k, 3)`` and reach ``(k,)`` of a body's solid parts, or else of its soles."""
    model = solids.model_of(skeleton)
    if model is None:
        found = [(point.body, np.array(point.offset), point.clearance) for point in points]
    else:
        found = [
            (int(model.geom_bodyid[geom]) - 1, model.geom_pos[geom] + rot.rotate(model.geom_quat[geom], at), reach)
            for geom in solids.solid_geoms(model).tolist()
            for at, reach in solids.corners(model, geom)
        ]
    bodies, offsets, reaches = zip(*found, strict=True)
    return np.array(bodies, np.intp), np.array(offsets), np.array(reaches)


def _away(stands: Mask, frames: float) -> Array:
    """``(T,)`` 0 while a foot stands, rising to 1 in so many frames away from it."""
    if not stands.any():
        return np.ones(len(stands))
    return _ease(distance_transform_edt(~stands) / max(1.0, frames))


def _low(heights: Array, points: tuple[SolePoint, ...], standing: list[Mask | None]) -> Mask:
    """``(T, n)`` the points of standing feet that are within 2 cm of the foot's lowest one."""
    out = np.zeros(heights.shape, bool)
    for i, (point, stands) in enumerate(zip(points, standing, strict=True)):
        if stands is not None:
            lowest = heights[:, [p.foot == point.foot for p in points]].min(axis=1)
            out[:, i] = stands & (heights[:, i] < lowest + 0.02)
    return out


def lock(
    skeleton: Skeleton, points: tuple[SolePoint, ...], places: Array, touching: Mask, fps: float
) -> tuple[Array, Mask]:
    """Places ``(T, n, 3)`` with those of touching points held still on the ground (height 0), and what touches still.

    Args:
        places: ``(T, n, 3)`` sole points, the ground at 0. touching: ``(T, n)``.
    """
    touching, held = touching.copy(), places.copy()
    clearance = np.array([point.clearance for point in points])
    gap = max(2, round(STEP * fps))
    for foot in skeleton.feet:
        columns = [i for i, point in enumerate(points) if point.foot == foot]
        if not columns:
            continue  # the upper of two links that make one ankle
        layout = _layout(skeleton, tuple(points[i] for i in columns))
        queue = runs(touching[:, columns].any(axis=1))
        while queue:
            a, b = queue.pop()
            stance, touch = places[a:b, columns, :2], touching[a:b, columns]
            still = _places(stance, touch, layout)
            away = np.linalg.norm(stance - still, axis=-1) * touch
            if away.max() > WANDER:
                still = still + _between(stance - still, touch)
                away = np.linalg.norm(stance - still, axis=-1) * touch
            if away.max() > WANDER and b - a > 2:
                first, last = _cut(away, stance, touch, gap)
                touching[a + first : a + last, columns] = False
                queue += [(a + x, a + y) for x, y in runs(touching[a:b, columns].any(axis=1))]
                continue
            held[a:b, columns, :2] = np.where(touch[..., None], still, stance)
    held[..., 2] = np.where(touching, clearance, places[..., 2])
    return _rigid(places + _faded(held - places, touching, fps), points, touching), touching


def _rigid(places: Array, points: tuple[SolePoint, ...], touching: Mask) -> Array:
    """Places ``(T, n, 3)`` with the points that do not touch at their distance from those of the same body that do, or a
    foot that rolls would be drawn off its place by its other end."""
    out = places.copy()
    offsets = np.array([point.offset for point in points])
    for body in {point.body for point in points}:
        columns = np.flatnonzero([point.body == body for point in points])
        rows = np.flatnonzero(touching[:, columns].any(axis=1) & ~touching[:, columns].all(axis=1))
        touch = touching[np.ix_(rows, columns)]
        weight = touch / touch.sum(axis=1, keepdims=True)
        there = np.einsum("tk,tki->ti", weight, places[np.ix_(rows, columns)])
        length = np.linalg.norm(offsets[columns] - (weight @ offsets[columns])[:, None], axis=-1)
        way = places[np.ix_(rows, columns)] - there[:, None]
        way *= (length / np.maximum(np.linalg.norm(way, axis=-1), 1e-9))[..., None]
        out[np.ix_(rows, columns)] = np.where(touch[..., None], places[np.ix_(rows, columns)], there[:, None] + way)
    return out


@lru_cache(maxsize=64)
def _layout(skeleton: Skeleton, points: tuple[SolePoint, ...]) -> Array:
    """``(k, 2)`` where the points of one flat sole are, seen from above, about their middle."""
    places = contacts.positions(skeleton, points, skeleton.rest_qpos)[:, :2]
    return np.asarray(places - places.mean(axis=0))


def _places(places: Array, touching: Mask, layout: Array) -> Array:
    """``(k, 2)`` for the points of a stance, ``(t, k, 2)``."""
    weight = touching / np.maximum(touching.sum(axis=0), 1)
    mean = np.einsum("tk,tki->ki", weight, places)
    flat = touching.all(axis=1)
    if len(layout) == 1 or not flat.any():
        return np.asarray(mean)
    flat_mean = places[flat].mean(axis=0)
    middle = flat_mean.mean(axis=0)
    # the turn of the layout that fits best (Procrustes in the plane)
    a, b = layout, flat_mean - middle
    angle = np.arctan2(np.sum(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]), np.sum(a * b))
    c, s = np.cos(angle), np.sin(angle)
    return np.asarray(middle + layout @ np.array([[c, s], [-s, c]]))


def _between(wandered: Array, touch: Mask) -> Array:
    """``(2,)`` the centre of the smallest circle around the steps ``(t, k, 2)`` of a stance that touch, nearly: each time
    a smaller share of the way to the furthest (Badoiu and Clarkson 2003)."""
    steps = wandered[touch]
    centre = steps.mean(axis=0)
    for i in range(CIRCLE):
        away = steps - centre
        centre = centre + away[np.argmax(np.einsum("ni,ni->n", away, away))] / (i + 2.0)
    return np.asarray(centre)


def _cut(away: Array, stance: Array, touch: Mask, gap: int) -> tuple[int, int]:
    """Frames of a stance to give up: in a long one a gap about its middle, where it moves fastest; in a short one the end
    that is further away."""
    n = len(stance)
    if n <= 5 * gap:
        return (0, 1) if away[0].max() > away[-1].max() else (n - 1, n)
    t = np.arange(n)
    speed = (np.linalg.norm(np.gradient(stance, axis=0), axis=-1) * touch).max(axis=1)
    inside = (t >= 2 * gap) & (t < n - 2 * gap)
    middle = int(np.argmax(np.where(inside, speed * t * (n - 1 - t), -1.0)))
    return middle - gap // 2, middle - gap // 2 + gap


def _faded(correction: Array, touching: Mask, fps: float) -> Array:
    """Corrections ``(T, n, 3)`` that are given where points touch, carried on beyond both ends of each contact."""
    out = correction.copy()
    length = max(1, round(FADE * fps))
    n = len(correction)
    for column in range(correction.shape[1]):
        for a, b in runs(~touching[:, column]):
            t = np.arange(b - a)
            out[a:b, column] = 0.0
            if a > 0:  # after a contact
                share = _ease(1.0 - (t + 1.0) / min(length, b - a + 1))
                out[a:b, column] += share[:, None] * correction[a - 1, column]
            if b < n:
                share = _ease(1.0 - (b - a - t) / min(length, b - a + 1))
                out[a:b, column] += share[:, None] * correction[b, column]
    return out


def _ease(share: Array) -> Array:
    """0 at 0, 1 at 1, level at both."""
    share = np.clip(share, 0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)
