"""The composite reward of several clips: whichever the body performs best (Peng et al. 2018, DeepMimic, section 7).

``r_t = max_j r_j(s_t, t_j)``: every clip j has a time ``t_j`` of its own that goes on whatever the body does, and ``r_j`` is
the reward of imitation measured against clip j at that time; the first of equals counts. At the end of a clip it begins
anew, where the body then is on the ground and turned as it faces. The clip of the largest reward leads until the next step:
residual actions are about its next pose, terminations and the usual pieces of the observation look at it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rlsuite.envs.humanoid.clock import Clock
from rlsuite.envs.humanoid.kernels import Array, Rows
from rlsuite.envs.humanoid.medley import Medley, checked_rows
from rlsuite.envs.humanoid.observations import Observation, Out, View
from rlsuite.envs.humanoid.reference import Reference
from rlsuite.envs.humanoid.rewards import Reward, Term
from rlsuite.envs.humanoid.state import BodyState
from rlsuite.envs.humanoid.tracking_errors import Situation

if TYPE_CHECKING:
    from rlsuite.envs.humanoid.mirroring import Part

OF_A_CLIP = ("errors", "phase", "share", "reference")  # pieces of an observation that look at the reference


class MaxComposite(Clock):
    """``n`` rows in which every clip goes on, and one leads.

    Args:
        look: makes the observation of the pieces that it is given the names of; ``pieces``: those in ``OF_A_CLIP`` are seen
            of every clip, besides one-hot which of them leads.

    Attributes:
        tracks: of each clip, its times and references.
    """

    def __init__(
        self,
        references: Sequence[Reference],
        n: int,
        *,
        pieces: Sequence[str],
        look: Callable[[Sequence[str]], Observation],
        sync: bool,
        **others: Any,
    ) -> None:
        super().__init__(references[0], n, sync=sync, **others)
        self.tracks = tuple(Medley([one], n, sync=sync, facing=sync, **others) for one in references)
        own = [name for name in pieces if name in OF_A_CLIP]
        self._own = look(own) if own else None
        self._size = self._own.size if self._own else 0
        k = len(self.tracks)
        self.seen, self.width = k * (self._size + 1), 3 + k * Medley.width
        self._one_hot = np.eye(k, dtype=np.float32)

    @property
    def turn(self) -> Array:
        return self._leading([track.turn for track in self.tracks])

    def phase(self) -> Array:
        return self._leading([track.phase() for track in self.tracks])

    def begin(self, rows: Rows, which: Rows, times: Array, luck: Array) -> None:
        """The clip ``which`` leads from ``times`` on; the others begin at the same share of theirs, in the same place."""
        self.steps[rows] = 0.0
        for k, track in enumerate(self.tracks):
            track.begin(rows[which == k], np.zeros((which == k).sum(), np.intp), times[which == k], luck)
        self.lead(rows, which)
        share = self.phase()[rows]
        for k, track in enumerate(self.tracks):
            others = rows[which != k]
            track.begin(others, np.zeros(len(others), np.intp), share[which != k] * track.durations[0], luck)
            track.move_to(others, self.now, self.now)

    def advance(self, rows: Rows, state: BodyState) -> None:
        self.steps[rows] += 1.0
        self.gone[rows] += 1.0
        for track in self.tracks:
            track.advance(rows, state)

    def lead(self, rows: Rows, which: Rows) -> None:
        """Clips ``which`` lead at ``rows``."""
        self.which[rows] = which
        self._gather(rows, self.now, lambda track: track.now)
        self.times = self._leading([track.times for track in self.tracks])

    def look_ahead(self, rows: Rows) -> None:
        for track in self.tracks:
            track.look_ahead(rows)
        for k, frame in enumerate(self.future):
            self._gather(rows, frame, lambda track, k=k: track.future[k])  # type: ignore[misc]

    def _leading(self, values: Sequence[Array]) -> Array:
        """Of each row that of the clip that leads."""
        found: Array = np.stack(values)[self.which, np.arange(len(self.which))]
        return found

    def _gather(self, rows: Rows, out: BodyState, of: Callable[[Medley], BodyState]) -> None:
        """What leads, row by row, into ``out``."""
        for k, track in enumerate(self.tracks):
            mine = rows[self.which[rows] == k]
            if len(mine):
                for to, source in zip(out, of(track), strict=True):
                    to[mine] = source[mine]

    def ended(self, rows: Rows) -> Any:
        return np.zeros(len(rows), np.bool_)

    def observe(self, view: View, rows: Rows, out: Out) -> None:
        """Of every clip the pieces that look at it, and one-hot which of them leads."""
        for k, track in enumerate(self.tracks):
            if self._own is not None:
                here = replace(view, future=track.future, phase=track.phase(), turn=track.turn, now=track.now)
                self._own(here, rows, out[:, k * self._size : (k + 1) * self._size])
        out[rows, len(self.tracks) * self._size :] = self._one_hot[self.which[rows]]

    def mirrored(self, part: Callable[[Observation], Part]) -> list[Part]:
        k = len(self.tracks)
        return [part(self._own) for _ in range(k) if self._own] + [(range(k), [1.0] * k)]

    def scalars(self) -> Array:
        own = np.stack((self.steps, self.gone, self.which), axis=1)
        return np.concatenate((own, *(track.scalars() for track in self.tracks)), axis=1)

    def put_back(self, rows: Rows, scalars: Array) -> None:
        self.steps[rows], self.gone[rows] = scalars[:, 0], scalars[:, 1]
        for k, track in enumerate(self.tracks):
            at = 3 + k * Medley.width
            track.put_back(rows, scalars[:, at : at + Medley.width])
        self.lead(rows, checked_rows(scalars[:, 2], len(self.tracks)))

    def where(self) -> dict[str, Any]:
        return super().where() | {"clip": self.which.copy()}


class MaxReward(Reward):
    """``max_j r_j``; ``values`` are the terms of the clip that leads.

    Attributes:
        each: ``(k, n)`` the reward of every clip in the last call.
    """

    def __init__(self, terms: Mapping[str, Term], n: int, clock: MaxComposite) -> None:
        super().__init__(terms, n)
        self.clock = clock
        self._of = [Reward(terms, n) for _ in clock.tracks]
        self.each = np.zeros((len(clock.tracks), n))

    def __call__(self, situation: Situation, rows: Rows, out: Array) -> None:
        for track, reward, values in zip(self.clock.tracks, self._of, self.each, strict=True):
            reward(replace(situation, reference=track.now), rows, values)
        best = np.argmax(self.each[:, rows], axis=0)
        self.clock.lead(rows, best)  # which situation.reference then shows
        out[rows] = self.each[best, rows]
        for name, values in self.values.items():
            values[rows] = np.stack([reward.values[name] for reward in self._of])[best, rows]
