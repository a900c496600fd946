"""Length units of motion files: named, given as a number, or judged by the size of the skeleton.

Files seldom say their unit. From the hips along the leg to the ankle adults measure 0.8 to 1.1 m, and the units in use
differ by more than a factor of two, so one length tells them apart: the unit is the one that makes the leg human.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from rlsuite.errors import MotionError
from rlsuite.motion.formats.landmarks import size
from rlsuite.motion.skeleton import Skeleton

UNITS: dict[str, float] = {
    "m": 1.0,
    "cm": 0.01,
    "mm": 0.001,
    "inch": 0.0254,
    "cmu": 0.0254 / 0.45,  # of the Carnegie Mellon database: inches divided by 0.45
}
_TYPICAL, _LEAST, _MOST = 0.95, 0.6, 1.25  # metres from the root along the leg to the ankle


@dataclass(frozen=True)
class Unit:
    """metres: how long one unit of the file is. source: why that unit; sure: whether it makes a human of the skeleton."""

    name: str
    metres: float
    source: str
    sure: bool = True


def resolve(unit: str | None, skeleton: Skeleton) -> Unit:
    """The unit that the caller names (``"cm"``, or metres as a number: ``"0.01"``), else the one that fits best.

    Args:
        skeleton: in the file's units, rest rotations the identity.

    Raises:
        MotionError: ``unit`` is neither a name in :data:`UNITS` nor a positive number.
    """
    if unit is not None:
        return Unit(unit, metres_of(unit), "given")
    length, part = size(skeleton)
    if length <= 0.0:
        return Unit("m", 1.0, "assumed: the skeleton has no extent", sure=False)
    name = min(UNITS, key=lambda u: abs(math.log(length * UNITS[u] / _TYPICAL)))
    metres = length * UNITS[name]
    sure = part == "legs" and _LEAST <= metres <= _MOST
    what = f"{part} of {metres:.3g} m"
    return Unit(name, UNITS[name], what if sure else f"most plausible: {what}; name the unit if that is wrong", sure)


def metres_of(unit: str) -> float:
    """Metres in one ``unit``.

    Raises:
        MotionError: it is neither a name in :data:`UNITS` nor a positive number.
    """
    if unit in UNITS:
        return UNITS[unit]
    try:
        metres = float(unit)
    except ValueError:
        metres = math.nan
    if not 1e-9 < metres < 1e9:
        raise MotionError(f"unit {unit!r}: one of {', '.join(UNITS)} or metres per unit (a positive number) expected")
    return metres
