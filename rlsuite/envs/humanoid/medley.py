"""Several clips: the references of rows that perform each its own clip, turned and moved to where it is to go on.

A clip of a medley comes to an end with every cycle, also where it is played once, and another begins, or the same anew:
where the body then is on the ground, and turned as the reference, or the body, then faces. What time was left over goes on
in the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.humanoid.clock import Clock
from rlsuite.envs.humanoid.kernels import Array, Rows
from rlsuite.envs.humanoid.reference import Reference, find_places, place
from rlsuite.envs.humanoid.state import BodyState, empty_state
from rlsuite.errors import HyperparameterError, RecordError, UnknownNameError
from rlsuite.motion.catalogue import find
from rlsuite.motion.clip import MotionClip

Clip = str | Path | MotionClip
MULTI = ("max", "selector")


class Medley(Clock):
    """``n`` rows that perform one clip of several each, and at its end the same again.

    Args:
        references: of the clips, on one skeleton. sync: at the end of a clip the next one begins where the body is on the
            ground, else where the reference is. facing: and turned as the body faces, else as the reference does.

    Attributes:
        places: ``(n, 3)`` shift of the reference, metres x and y, after a turn about the vertical, radians.
    """

    width = 7

    def __init__(
        self,
        references: Sequence[Reference],
        n: int,
        *,
        frames: int,
        seconds: float,
        sync: bool,
        limit: float,
        facing: bool = False,
    ) -> None:
        super().__init__(references[0], n, frames=frames, seconds=seconds, sync=sync, limit=limit)
        self.references, self.sync, self.facing = tuple(references), sync, facing
        self.durations = np.array([reference.duration for reference in self.references])
        self._wraps = np.array([reference.wraps for reference in self.references])
        self.places, self._origin = np.zeros((n, 3)), np.zeros((n, 2))
        skeleton = self.reference.skeleton
        self._next = empty_state(n, skeleton.nq, skeleton.nv, skeleton.nbody)

    @property
    def turn(self) -> Array:
        return np.where(self._wraps[self.which], 2.0 * np.pi, np.pi)

    def phase(self) -> Array:
        share = self.times / self.durations[self.which]
        return np.where(self._wraps[self.which], share - np.floor(share), np.clip(share, 0.0, 1.0))

    def begin(self, rows: Rows, which: Rows, times: Array, luck: Array) -> None:
        self.times = self.times.copy()
        self.which[rows], self.times[rows], self.places[rows], self.steps[rows] = which, times, 0.0, 0.0
        self.fill(rows, self.times, self.now)

    def move_to(self, rows: Rows, there: BodyState, facing: BodyState) -> None:
        """Move the reference so that its root now is over that of ``there`` and faces as that of ``facing``."""
        self.places[rows] = 0.0
        self.fill(rows, self.times, self._next)
        find_places(rows, self._next, there, facing, self.places)
        self.fill(rows, self.times, self.now)

    def fill(self, rows: Rows, times: Array, out: BodyState) -> None:
        """The references at ``times`` ``(n,)`` of their clips into ``out``, at ``rows``."""
        for k, reference in enumerate(self.references):
            mine = rows[self.which[rows] == k]
            if len(mine):
                reference.fill(mine, times, self._origin, out)
        place(rows, self.places, out)

    def advance(self, rows: Rows, state: BodyState) -> None:
        self.times = self.times.copy()
        self.times[rows] += self.seconds
        self.steps[rows] += 1.0
        self.gone[rows] += 1.0
        self.now, self.future[0] = self.future[0], self.now
        over = rows[self.times[rows] >= self.durations[self.which[rows]] - 1e-9]
        if len(over):
            there, facing = state if self.sync else self.now, state if self.facing else self.now
            left = np.maximum(self.times[over] - self.durations[self.which[over]], 0.0)
            self.choose(over)
            self.times[over] = left % self.durations[self.which[over]]
            self.move_to(over, there, facing)

    def choose(self, rows: Rows) -> None:
        """Which clips come next at ``rows``: those that were."""

    def look_ahead(self, rows: Rows) -> None:
        for k, frame in enumerate(self.future):
            self.fill(rows, self.times + (k + 1) * self.seconds, frame)

    def ended(self, rows: Rows) -> NDArray[np.bool_]:
        return np.zeros(len(rows), np.bool_)

    def scalars(self) -> Array:
        own = self.times[:, None], self.places, self.steps[:, None], self.gone[:, None], self.which[:, None]
        return np.concatenate(own, axis=1)

    def put_back(self, rows: Rows, scalars: Array) -> None:
        self.times = self.times.copy()
        self.times[rows], self.places[rows] = scalars[:, 0], scalars[:, 1:4]
        self.steps[rows], self.gone[rows] = scalars[:, 4], scalars[:, 5]
        self.which[rows] = checked_rows(scalars[:, 6], len(self.references))
        self.fill(rows, self.times, self.now)

    def where(self) -> dict[str, NDArray[Any]]:
        return super().where() | {"clip": self.which.copy()}


def checked_rows(numbers: Array, k: int) -> Rows:
    """Saved numbers of clips, as indices below ``k``.

    Raises:
        RecordError: they are none.
    """
    if not np.isin(numbers, np.arange(k)).all():
        raise RecordError(f"the state names clips that are none of the {k}")
    return numbers.astype(np.intp)


def clips_of(clip: Clip | Sequence[Clip]) -> tuple[MotionClip, ...]:
    """The clips that ``clip`` means: one, several in a sequence, or several names with commas between them.

    Raises:
        HyperparameterError: there is none, or two are of different bodies. RlsuiteError: one cannot be found or read.
    """
    if isinstance(clip, str) and "," in clip and not Path(clip).exists():
        clip = [name.strip() for name in clip.split(",")]
    given = [clip] if isinstance(clip, str | Path | MotionClip) else list(clip)
    if not given:
        raise HyperparameterError("clip must name a clip, or several")
    clips = tuple(one if isinstance(one, MotionClip) else find(one) for one in given)
    for other in clips[1:]:
        if other.skeleton.shape != clips[0].skeleton.shape:
            raise HyperparameterError(
                f"clips {clips[0].name!r} and {other.name!r} are of bodies of different shapes; retarget one to the other's"
            )
    return clips


def checked_multi(multi: str | None, clips: Sequence[MotionClip], mixable: bool, goal: str) -> str | None:
    """How several clips are performed, ``None`` of one.

    Args:
        mixable: whether the goal, called ``goal``, goes with several.

    Raises:
        HyperparameterError: it does not fit the number of clips, or the goal.
        UnknownNameError: there is no such way.
    """
    if multi is not None and multi not in MULTI:
        raise UnknownNameError("multi", multi, MULTI, f"there are {', '.join(MULTI)}")
    if (multi is None) != (len(clips) == 1):
        raise HyperparameterError(
            f'{len(clips)} clips need multi="max" or multi="selector"'
            if multi is None
            else f"multi={multi!r} needs several clips: clip=[…]"
        )
    if multi is not None and not mixable:
        raise HyperparameterError(f"goal {goal!r} is for one clip, not for {len(clips)}")
    return multi


def index_of(clip: str | int, clips: Sequence[MotionClip]) -> int:
    """Which of ``clips``, by its name or its number from 0.

    Raises:
        UnknownNameError: it is none of them.
    """
    names = [one.name for one in clips]
    if isinstance(clip, int | np.integer) and 0 <= clip < len(clips):
        return int(clip)
    if clip not in names:
        raise UnknownNameError("clip", str(clip), names, f"there are {', '.join(names)}")
    return names.index(str(clip))
