"""What a goal looks like in pictures: a target, a place on the ground, an arrow, a ball."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rlsuite.motion.render.scene import Mark

RED, ORANGE = (0.85, 0.20, 0.18), (0.95, 0.55, 0.10)
DOT, APART = 0.035, 0.04  # radius of an arrow's discs and how far apart they are, in metres

Points = NDArray[np.float64]


def sphere(at: Points, radius: float, orange: bool = False) -> Mark:
    """A target, or a ball."""
    return Mark(at, radius, ORANGE if orange else RED)


def ring(at: Points, radius: float) -> list[Mark]:
    """Discs around a place on the ground."""
    turns = np.linspace(0.0, 2.0 * np.pi, round(2.0 * np.pi * radius / (2.0 * APART)), endpoint=False)
    return [Mark(at + radius * np.array((np.cos(turn), np.sin(turn), 0.0)), DOT, RED, "disc") for turn in turns]


def arrow(start: Points, tip: Points) -> list[Mark]:
    """Discs in a row on the ground, and two short rows for the head."""
    ahead = (tip - start) / max(float(np.linalg.norm(tip - start)), 1e-9)
    left = np.array([-ahead[1], ahead[0], 0.0])
    barbs = [tip + 0.18 * (side * left - ahead) for side in (1.0, -1.0)]
    found = []
    for end in (start, *barbs):
        n = max(2, round(float(np.linalg.norm(tip - end)) / APART) + 1)
        found += [Mark(at, DOT, RED, "disc") for at in np.linspace(tip, end, n)]
    return found
