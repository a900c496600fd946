"""The clock of the episodes: when in the clip each row is, where its reference is, and how long it has been going on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.humanoid.kernels import Array, Rows
from rlsuite.envs.humanoid.observations import Observation, Out, View
from rlsuite.envs.humanoid.reference import Reference, move
from rlsuite.envs.humanoid.state import BodyState, empty_state
from rlsuite.errors import HyperparameterError

if TYPE_CHECKING:
    from rlsuite.envs.humanoid.mirroring import Part


class Clock:
    """``n`` rows that play one reference, each at its own time. Of several clips: :mod:`rlsuite.envs.humanoid.medley`.

    Args:
        frames: how many steps of the reference are known ahead. seconds: of a control step. sync: at every cycle the
            reference moves to where the body is on the ground. limit: control steps of an episode.

    Attributes:
        times: ``(n,)`` seconds of the clip; another array after every change. offsets: ``(n, 2)`` shift of the reference.
        steps, gone: ``(n,)`` control steps of the episode, and of the simulation in all.
        now: the reference that rewards look at. future: of the steps to come.
        which: ``(n,)`` the clip of each row, always the same array. width: numbers of :meth:`scalars`. seen: numbers that
            the policy sees of :meth:`observe`.
    """

    width = 5
    seen = 0

    def __init__(self, reference: Reference, n: int, *, frames: int, seconds: float, sync: bool, limit: float) -> None:
        self.reference, self.seconds, self.limit = reference, seconds, limit
        self.sync = sync and reference.wraps
        self.times, self.offsets = np.zeros(n), np.zeros((n, 2))
        self.steps, self.gone = np.zeros(n), np.zeros(n)
        self.which: Rows = np.zeros(n, np.intp)
        skeleton = reference.skeleton
        size = n, skeleton.nq, skeleton.nv, skeleton.nbody
        self.future = [empty_state(*size) for _ in range(frames)]
        self.now = empty_state(*size)

    @property
    def turn(self) -> Array:
        """``(n,)`` radians that phase 1 stands for: a whole turn of a cycle, half a turn of a clip played once."""
        return np.full(len(self.times), 2.0 * np.pi if self.reference.wraps else np.pi)

    def phase(self) -> Array:
        """``(n,)`` from 0 to 1: share of the clip that has gone by."""
        return self.reference.phase(self.times)

    def begin(self, rows: Rows, which: Rows, times: Array, luck: Array) -> None:
        """New episodes at ``rows``, with clips ``which``, from these times of theirs and these numbers from [0, 1)
        ``(len(rows),)``.
        """
        self.times = self.times.copy()
        self.times[rows], self.offsets[rows], self.steps[rows] = times, 0.0, 0.0
        self.reference.fill(rows, self.times, self.offsets, self.now)

    def advance(self, rows: Rows, state: BodyState) -> None:
        """One control step at ``rows``, where the bodies are in ``state`` after it; what was to come is now."""
        before = self.times
        self.times = before.copy()
        self.times[rows] += self.seconds
        self.steps[rows] += 1.0
        self.gone[rows] += 1.0
        self.now, self.future[0] = self.future[0], self.now
        if self.sync:
            duration = self.reference.duration
            again = np.floor(self.times[rows] / duration) > np.floor(before[rows] / duration)
            self._synchronise(rows[again], state)

    def _synchronise(self, rows: Rows, state: BodyState) -> None:
        """At a new cycle the reference goes on from where the body is on the ground (DeepMimic's sync_char_root_pos)."""
        if len(rows):
            delta = np.zeros_like(self.offsets)
            delta[rows] = state.position[rows, 0, :2] - self.now.position[rows, 0, :2]
            self.offsets[rows] += delta[rows]
            move(rows, delta, self.now)

    def look_ahead(self, rows: Rows) -> None:
        """The reference of the steps to come at ``rows``."""
        for k, frame in enumerate(self.future):
            self.reference.fill(rows, self.times + (k + 1) * self.seconds, self.offsets, frame)

    def ended(self, rows: Rows) -> NDArray[np.bool_]:
        """Where a clip that is played once has come to its end."""
        over: NDArray[np.bool_] = (self.times[rows] >= self.reference.duration - 1e-9) & (not self.reference.wraps)
        return over

    def late(self, rows: Rows) -> NDArray[np.bool_]:
        """Where the time of the episode is over."""
        over: NDArray[np.bool_] = self.steps[rows] >= self.limit
        return over

    def scalars(self) -> Array:
        """``(n, width)``: everything that the rest follows from."""
        return np.stack((self.times, self.offsets[:, 0], self.offsets[:, 1], self.steps, self.gone), axis=1)

    def put_back(self, rows: Rows, scalars: Array) -> None:
        """Go on from rows of :meth:`scalars`."""
        self.times = self.times.copy()
        self.times[rows], self.offsets[rows] = scalars[:, 0], scalars[:, 1:3]
        self.steps[rows], self.gone[rows] = scalars[:, 3], scalars[:, 4]
        self.reference.fill(rows, self.times, self.offsets, self.now)

    def observe(self, view: View, rows: Rows, out: Out) -> None:
        """Fill ``out`` ``(n, seen)`` at ``rows``, where ``view`` is what the rest of the observation shows."""

    def mirrored(self, part: Callable[[Observation], Part]) -> list[Part]:
        """Partners and signs of :meth:`observe` in the mirror; ``part`` gives those of an observation."""
        return []

    def where(self) -> dict[str, NDArray[Any]]:
        """What the info of a step says of the rows."""
        return {"time": self.times.copy()}

    def ask(self, rows: Rows, clip: int) -> None:
        """Rows ``rows`` are to perform another clip, where one can choose.

        Raises:
            HyperparameterError: one cannot.
        """
        raise HyperparameterError('only environments with multi="selector" can be asked for another of their clips')


def steps_within(horizon: float | None, limit: int | None, rate: float) -> float:
    """Control steps of an episode at ``rate`` hertz: the shorter of ``horizon`` seconds and ``limit`` steps.

    Raises:
        HyperparameterError: the horizon is not positive.
    """
    if horizon is not None and not horizon > 0.0:
        raise HyperparameterError(f"horizon must be a positive number of seconds, not {horizon!r}")
    steps = np.inf if horizon is None else max(1.0, np.rint(horizon * rate))
    return float(min(steps, np.inf if limit is None else limit))
