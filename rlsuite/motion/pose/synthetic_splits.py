"""What synthetic pictures are for training and what is held out: clips, directions of view and backgrounds, disjoint.

A direction is the azimuth of the camera seen from the body, 0 in front of it and counted to its left. The circle is cut
into :data:`SECTORS` equal sectors, of which every sixth is held out. A camera that stands still while the body turns
keeps its sector only with regard to the first frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rlsuite.errors import UnknownNameError
from rlsuite.motion import catalogue
from rlsuite.motion.clip import MotionClip

SECTORS = 24


@dataclass(frozen=True)
class Split:
    """One part of everything that pictures are made from.

    Attributes:
        clips: names of shipped clips. sectors: indices of directions, sector ``i`` being
            ``[i, i + 1) * 2 pi / SECTORS``. backgrounds: names of :mod:`.synthetic_backgrounds`, and ``floor``, which is
            drawn with the body and bears its shadow.
    """

    name: str
    clips: tuple[str, ...]
    sectors: tuple[int, ...]
    backgrounds: tuple[str, ...]

    def azimuth(self, rng: np.random.Generator) -> float:
        """A direction in radians, uniform in the sectors."""
        width = 2 * math.pi / SECTORS
        return width * (self.sectors[rng.integers(len(self.sectors))] + rng.random())

    def azimuths(self, n: int, rng: np.random.Generator) -> list[float]:
        """``n`` directions as far apart as the sectors allow, each at a random place of its sector."""
        width, first = 2 * math.pi / SECTORS, rng.integers(len(self.sectors))
        chosen = [self.sectors[(first + round(i * len(self.sectors) / n)) % len(self.sectors)] for i in range(n)]
        return [width * (sector + rng.random()) for sector in chosen]

    def has_azimuth(self, azimuth: float) -> bool:
        return int(azimuth % (2 * math.pi) / (2 * math.pi) * SECTORS) in self.sectors

    def load_clips(self) -> list[MotionClip]:
        """The shipped clips of this part."""
        return [catalogue.find(name) for name in self.clips]


TRAIN = Split(
    "train",
    ("bow", "cartwheel", "idle", "jump", "run", "sidestep_left", "sidestep_right", "turn_left", "turn_right", "walk_fast",
     "walk_slow"),
    tuple(i for i in range(SECTORS) if i % 6 != 1),
    ("floor", "plain", "gradient", "noise", "shapes", "checks"),
)  # fmt: skip
HELD_OUT = Split(
    "held-out",
    ("kick", "squat", "walk", "wave"),
    tuple(i for i in range(SECTORS) if i % 6 == 1),
    ("stripes", "cells", "waves"),
)
SPLITS = {split.name: split for split in (TRAIN, HELD_OUT)}


def split_of(name: str) -> Split:
    """The split of that name.

    Raises:
        UnknownNameError: there is none.
    """
    if name not in SPLITS:
        raise UnknownNameError("split", name, tuple(SPLITS), f"known: {', '.join(SPLITS)}")
    return SPLITS[name]
