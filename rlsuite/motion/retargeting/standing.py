"""How the source stands tells what its rest pose does not: how its soles lie, and how high the target's legs carry it.

* Legs that are spread at rest tilt soles that are flat when the legs hang. While all of a sole touches the ground it is
  flat: the smallest turn that lays it so on average over these frames is taken back from the foot for the whole clip, and
  what is then left in them from them.
* Thighs and shins are scaled each on its own, so that a bent leg does not become longer by the same share as a straight
  one. The body is as high as makes the legs that stand reach the ground; between stances its height passes smoothly.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter1d

from rlsuite.motion import contacts
from rlsuite.motion import rotations as rot
from rlsuite.motion.contacts import SolePoint
from rlsuite.motion.joint_maps import SIDES
from rlsuite.motion.retargeting.rest_pose import RestPose, between
from rlsuite.motion.retargeting.transfer import Goal

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
SHORTEST = 0.15  # seconds of standing flat that tell how a sole lies
MOST = np.radians(40.0)  # a foot that is turned further does not stand on its sole
FADE = 0.15  # seconds around standing flat in which the foot is laid down and let go
CALM = 0.1  # seconds (standard deviation) over which the height is smoothed
UP = np.array([0.0, 0.0, 1.0])


def soles_of(target: RestPose, goal: Goal) -> tuple[tuple[SolePoint, ...], Array]:
    """Points of the target's soles and where the goal puts them, ``(T, n, 3)``."""
    skeleton = target.skeleton
    roles = {body: role for role, body in target.roles.items() if role in goal.rotation and role in goal.position}
    points = contacts.sole_points(skeleton) if skeleton.feet else ()
    points = tuple(point for point in points if point.body in roles)
    places = np.zeros((len(goal.position["pelvis"]), len(points), 3))
    for i, point in enumerate(points):
        role = roles[point.body]
        places[:, i] = goal.position[role] + rot.rotate(goal.rotation[role], point.offset)
    return points, places


def laid_flat(target: RestPose, goal: Goal, points: tuple[SolePoint, ...], touching: Mask, fps: float) -> Goal:
    """The goal with feet that lie flat while all points of their soles touch, ``touching (T, n)``."""
    rotation = dict(goal.rotation)
    for side in SIDES:
        foot = f"{side}_foot"
        sole = [i for i, point in enumerate(points) if point.body == target.roles.get(foot)]
        flat = np.asarray(touching[:, sole].all(axis=1))
        if len(sole) < 2 or flat.sum() < SHORTEST * fps:
            continue
        rest = target.quat[target.roles[foot]]
        away = rot.multiply(rotation[foot], rot.conjugate(rest))
        seen = rot.rotate(rot.conjugate(away), UP)  # the vertical as the foot sees it
        lie = between(UP, np.median(seen[flat], axis=0))
        if rot.angle_between(lie, rot.IDENTITY) > MOST:
            continue
        left = rot.log(between(rot.rotate(rot.conjugate(lie), seen), UP))
        left[~flat | (np.linalg.norm(left, axis=-1) > MOST)] = 0.0
        turn = rot.multiply(lie, rot.conjugate(rot.exp(_around(left, flat, fps))))
        for role in (foot, f"{side}_toe"):
            if role in rotation:
                rest = target.quat[target.roles[role]]
                rotation[role] = rot.multiply(
                    rotation[role], rot.multiply(rot.conjugate(rest), rot.multiply(turn, rest))
                )
    return replace(goal, rotation=rotation)


def _around(values: Array, mask: Mask, fps: float) -> Array:
    """``values (T, k)`` where ``mask (T,)`` holds; away from there those of the nearest such frame, fading."""
    distance, nearest = distance_transform_edt(~mask, return_indices=True)
    share = np.clip(1.0 - distance / max(1.0, FADE * fps), 0.0, 1.0)
    return (share * share * (3.0 - 2.0 * share))[:, None] * values[nearest[0]]


def rise(points: tuple[SolePoint, ...], heights: Array, touching: Mask, fps: float) -> Array:
    """``(T,)`` metres by which the body must rise for what touches to be at height 0, ``heights (T, n)`` above it.

    Each foot counts as one, by the mean of its points that touch.
    """
    feet = sorted({point.foot for point in points})
    total, count = np.zeros(len(heights)), np.zeros(len(heights))
    for foot in feet:
        columns = [i for i, point in enumerate(points) if point.foot == foot]
        touch = touching[:, columns]
        stands = touch.any(axis=1)
        total += np.where(stands, (heights[:, columns] * touch).sum(axis=1) / np.maximum(touch.sum(axis=1), 1), 0.0)
        count += stands
    stands = count > 0.0
    if not stands.any():
        return np.zeros(len(heights))
    rows = np.flatnonzero(stands)
    wanted = np.interp(np.arange(len(heights)), rows, total[rows] / count[rows])
    return -np.asarray(gaussian_filter1d(wanted, CALM * fps, mode="nearest"))
