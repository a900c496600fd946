"""The clock of the episodes: when in the clip each row is, where its reference is, and how long it has been going on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.humanoid.kernels import Array, Rows
from rlsuite.envs.humanoid.reference import Reference, move
from rlsuite.envs.humanoid.state import BodyState, empty_state
from rlsuite.errors import HyperparameterError

SCALARS = 5  # of a row: what all of it follows from


class Clock:
    """``n`` rows that play one reference, each at its own time.

    Args:
        frames: how many steps of the reference are known ahead. seconds: of a control step. sync: at every cycle the
            reference moves to where the body is on the ground. limit: control steps of an episode.

    Attributes:
        times: ``(n,)`` seconds of the clip; another array after every change. offsets: ``(n, 2)`` shift of the reference.
        steps, gone: ``(n,)`` control steps of the episode, and of the simulation in all.
        now: the reference that rewards look at. future: of the steps to come.
    """

    def __init__(self, reference: Reference, n: int, *, frames: int, seconds: float, sync: bool, limit: float) -> None:
        self.reference, self.seconds, self.limit = reference, seconds, limit
        self.sync = sync and reference.wraps
        self.times, self.offsets = np.zeros(n), np.zeros((n, 2))
        self.steps, self.gone = np.zeros(n), np.zeros(n)
        skeleton = reference.skeleton
        size = n, skeleton.nq, skeleton.nv, skeleton.nbody
        self.future = [empty_state(*size) for _ in range(frames)]
        self.now = empty_state(*size)

    def begin(self, rows: Rows, times: Array) -> None:
        """New episodes at ``rows``, from these times of the clip ``(len(rows),)``."""
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
        """``(n, SCALARS)``: everything that the rest follows from."""
        return np.stack((self.times, self.offsets[:, 0], self.offsets[:, 1], self.steps, self.gone), axis=1)

    def put_back(self, rows: Rows, scalars: Array) -> None:
        """Go on from rows of :meth:`scalars`."""
        self.times = self.times.copy()
        self.times[rows], self.offsets[rows] = scalars[:, 0], scalars[:, 1:3]
        self.steps[rows], self.gone[rows] = scalars[:, 3], scalars[:, 4]
        self.reference.fill(rows, self.times, self.offsets, self.now)


def steps_within(horizon: float | None, limit: int | None, rate: float) -> float:
    """Control steps of an episode at ``rate`` hertz: the shorter of ``horizon`` seconds and ``limit`` steps.

    Raises:
        HyperparameterError: the horizon is not positive.
    """
    if horizon is not None and not horizon > 0.0:
        raise HyperparameterError(f"horizon must be a positive number of seconds, not {horizon!r}")
    steps = np.inf if horizon is None else max(1.0, np.rint(horizon * rate))
    return float(min(steps, np.inf if limit is None else limit))
