"""Parts of a human body recognised by the names that its joints have in the usual rigs: feet, head, hips, sides."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]

_FOOT = re.compile(r"(?i)foot|ankle")
_HEAD = re.compile(r"(?i)head")
_THIGH = re.compile(r"(?i)up_?leg|upper_?leg|thigh|femur|hip(?!s)|^[lr]_?hip")


def rest_positions(skeleton: Skeleton) -> Array:
    """``(nbody, 3)`` origins of the bodies in the rest pose, for a skeleton whose rest rotations are the identity."""
    positions = np.zeros((skeleton.nbody, 3))
    for body, parent in enumerate(skeleton.parents):
        positions[body] = (positions[parent] if parent >= 0 else 0.0) + skeleton.body_pos[body]
    return positions


def feet(skeleton: Skeleton) -> list[int]:
    return [body for body, name in enumerate(skeleton.body_names) if _FOOT.search(name)]


def heads(skeleton: Skeleton) -> list[int]:
    return [body for body, name in enumerate(skeleton.body_names) if _HEAD.search(name)]


def left_thighs(skeleton: Skeleton) -> list[tuple[int, int]]:
    """Pairs (left, right) of bodies that begin the legs."""
    names = skeleton.body_names
    return [
        (body, other)
        for body, other in enumerate(skeleton.mirrored_bodies)
        if other != body and _THIGH.search(names[body]) and re.match(r"(?i).*(left|(^|[^a-z])l)", names[body])
    ]


def leg_length(skeleton: Skeleton) -> float | None:
    """Length of the longest chain from the root to a foot, or ``None`` where no joint is called a foot or ankle."""
    lengths = []
    for body in feet(skeleton):
        total = 0.0
        while skeleton.parents[body] >= 0:
            total += float(np.linalg.norm(skeleton.body_pos[body]))
            body = skeleton.parents[body]
        lengths.append(total)
    longest = max(lengths, default=0.0)
    return longest if longest > 0.0 else None


def size(skeleton: Skeleton) -> tuple[float, str]:
    """About the height of the hips of a human of this size, and what it was taken from."""
    leg = leg_length(skeleton)
    if leg is not None:
        return leg, "legs"
    positions = rest_positions(skeleton)
    points = [positions[body] + np.array(point) for body, point in skeleton.keypoints.values()]
    extent = np.ptp(np.vstack([positions, *points]), axis=0).max()  # standing or with arms spread: the body's height
    return 0.55 * float(extent), "rest pose"
