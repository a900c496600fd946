"""The skill selector: the policy sees, one-hot, which clip is wanted, and is to perform it (DeepMimic, section 7).

Peng et al. (2018) draw the clip at the beginning of every cycle. Here, too, what is wanted changes where a
clip ends: drawn uniformly from all clips once the time until the next draw is over, or as somebody asks. The reward is that
of imitating the wanted clip.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rlsuite.envs.humanoid.goals.goal import DRAWN, KEY, between, uniform
from rlsuite.envs.humanoid.kernels import Array, Rows, entry_kernel
from rlsuite.envs.humanoid.medley import Medley, checked_rows
from rlsuite.envs.humanoid.observations import Observation, Out, View
from rlsuite.envs.humanoid.reference import Reference
from rlsuite.errors import HyperparameterError

if TYPE_CHECKING:
    from rlsuite.envs.humanoid.mirroring import Part

INTERVAL = (2.0, 6.0)  # seconds
OTHERS = 2.0**40  # draws of the same luck that a goal does not come to
NOBODY = -1.0  # has asked


class Selector(Medley):
    """``n`` rows that perform the clip wanted of each.

    Args:
        interval: seconds from one draw to the next, drawn uniformly from the first to the second number; after them the
            clip goes on to its end. ``(0, 0)``: every clip ends with a draw, as in the paper. ``None``: none is drawn.

    Attributes:
        asked: ``(n,)`` the clip that somebody asked for, which begins when the present one ends, or -1.
        left: ``(n,)`` control steps until the next draw. memory: ``(n, 2)`` what draws follow from.
    """

    width = Medley.width + 4

    def __init__(self, references: Sequence[Reference], n: int, *, interval: Any, **others: Any) -> None:
        super().__init__(references, n, **others)
        self.seen = len(self.references)
        self._interval = _checked(interval)
        self.asked, self.left, self.memory = np.full(n, NOBODY), np.full(n, np.inf), np.zeros((n, 2))
        self._one_hot = np.eye(self.seen, dtype=np.float32)

    def begin(self, rows: Rows, which: Rows, times: Array, luck: Array) -> None:
        super().begin(rows, which, times, luck)
        self.asked[rows], self.left[rows] = NOBODY, np.inf
        self.memory[rows, KEY], self.memory[rows, DRAWN] = luck * 2.0**53, OTHERS
        if self._interval is not None:
            _wait(rows, self.memory, self._interval[0] / self.seconds, self._interval[1] / self.seconds, self.left)

    def advance(self, rows: Rows, state: Any) -> None:
        self.left[rows] -= 1.0
        super().advance(rows, state)

    def choose(self, rows: Rows) -> None:
        asked = rows[self.asked[rows] >= 0.0]
        self.which[asked] = self.asked[asked].astype(np.intp)
        due = rows[(self.asked[rows] < 0.0) & (self.left[rows] <= 0.0)]
        self.asked[asked] = NOBODY
        if self._interval is not None:
            _draw(due, self.memory, self.seen, self.which)
            _wait(due, self.memory, self._interval[0] / self.seconds, self._interval[1] / self.seconds, self.left)

    def ask(self, rows: Rows, clip: int) -> None:
        """Perform ``clip`` from the end of the present one on, until the next draw, if draws there are."""
        self.asked[rows] = clip

    def observe(self, view: View, rows: Rows, out: Out) -> None:
        """One-hot: the wanted clip."""
        out[rows] = self._one_hot[self.which[rows]]

    def mirrored(self, part: Callable[[Observation], Part]) -> list[Part]:
        return [(range(self.seen), [1.0] * self.seen)]

    def scalars(self) -> Array:
        return np.concatenate((super().scalars(), self.asked[:, None], self.left[:, None], self.memory), axis=1)

    def put_back(self, rows: Rows, scalars: Array) -> None:
        super().put_back(rows, scalars[:, : Medley.width])
        asked, self.left[rows], self.memory[rows] = *scalars[:, Medley.width : Medley.width + 2].T, scalars[:, -2:]
        self.asked[rows] = checked_rows(asked + 1.0, self.seen + 1) - 1.0


@entry_kernel
def _draw(rows: Rows, memory: Array, clips: int, which: Rows) -> None:
    for i in rows:
        which[i] = int(uniform(memory, i) * clips)


@entry_kernel
def _wait(rows: Rows, memory: Array, soonest: float, latest: float, left: Array) -> None:
    for i in rows:
        left[i] = between(memory, i, soonest, latest)


def _checked(interval: Any) -> tuple[float, float] | None:
    if interval is None:
        return None
    try:
        soonest, latest = (float(x) for x in ((interval, interval) if np.ndim(interval) == 0 else interval))
    except (TypeError, ValueError):
        soonest, latest = np.nan, np.nan
    if not (0.0 <= soonest <= latest < np.inf):
        raise HyperparameterError(
            f"interval must be seconds from … to …, such as {INTERVAL}, or None, not {interval!r}"
        )
    return soonest, latest
