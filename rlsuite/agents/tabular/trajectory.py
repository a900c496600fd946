"""Whole episodes in memory, for methods that learn when an episode is over (Monte Carlo, REINFORCE).

A kernel cannot allocate, and an episode may be as long as it likes. So the loop is never let run for more steps than
there is room, and where an episode has filled the room, it is doubled in between (:class:`WholeEpisodes`). The memory
needed is that of the longest episode; what is learned does not depend on it.

An episode truncated by a time limit counts as it is: these methods do not bootstrap, so the reward that a longer
episode would have brought is missing from its returns. Give them time limits that a sensible policy does not reach.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from rlsuite.agents.tabular.agent import TabularAgent
from rlsuite.agents.tabular.invariants import Sizes, invariant, within
from rlsuite.agents.tabular.kernels import kernel
from rlsuite.errors import ConvergenceError, RecordError

FIRST, EVERY = 0, 1
VISITS = ("first", "every")

_INITIAL_CAPACITY = 1024
_GREATEST_CAPACITY = 1 << 22  # above a hundred megabytes: an episode as long as that is not going to end


class Trajectory(NamedTuple):
    """The running episode: entry ``t`` holds S_t, A_t, R_{t+1}, and what the method noted of that step."""

    s: NDArray[np.int64]  # (capacity,)
    a: NDArray[np.int64]  # (capacity,)
    r: NDArray[np.float64]  # (capacity,)
    weight: NDArray[np.float64]  # (capacity,) importance-sampling ratio of the step
    first: NDArray[np.bool_]  # (capacity,) whether this was the first visit to the entry in this episode
    length: NDArray[np.int64]  # (1,) steps so far
    episode: NDArray[np.int64]  # (1,) number of the episode
    stamp: NDArray[np.int64]  # (n_observations, n_actions or 1) episode in which each entry was last visited

    @classmethod
    def zero(cls, n_observations: int, n_entries: int) -> Self:
        n = _INITIAL_CAPACITY
        return cls(
            s=np.zeros(n, np.int64),
            a=np.zeros(n, np.int64),
            r=np.zeros(n),
            weight=np.zeros(n),
            first=np.zeros(n, np.bool_),
            length=np.zeros(1, np.int64),
            episode=np.zeros(1, np.int64),
            stamp=np.zeros((n_observations, n_entries), np.int64),
        )

    def enlarged(self, capacity: int) -> Self:
        """A copy with room for ``capacity`` steps."""

        def longer(array: NDArray) -> NDArray:
            return np.concatenate([array, np.zeros(capacity - array.size, array.dtype)])

        return self._replace(
            s=longer(self.s),
            a=longer(self.a),
            r=longer(self.r),
            weight=longer(self.weight),
            first=longer(self.first),
        )


@invariant(Trajectory)
def trajectory_is_sound(trajectory: Trajectory, sizes: Sizes) -> Iterator[tuple[bool, str]]:
    """The steps name entries that there are."""
    yield within(trajectory.s, 0, sizes.observations), "s"
    yield within(trajectory.a, 0, sizes.actions), "a"
    yield within(trajectory.length, 0, trajectory.s.size + 1), "length"


@kernel
def begin_trajectory(trajectory):
    """Forget the last episode."""
    trajectory.length[0] = 0
    trajectory.episode[0] += 1


@kernel
def record(trajectory, s, a, r, weight):
    """Append one step. A stamp of the episode's number finds out in O(1) whether the entry was visited before.

    A stamp table with one column asks for visits to the state, one with a column per action for visits to the pair.
    """
    t = trajectory.length[0]
    entry = a if trajectory.stamp.shape[1] > 1 else 0
    trajectory.s[t], trajectory.a[t], trajectory.r[t], trajectory.weight[t] = s, a, r, weight
    trajectory.first[t] = trajectory.stamp[s, entry] != trajectory.episode[0]
    trajectory.stamp[s, entry] = trajectory.episode[0]
    trajectory.length[0] = t + 1


class WholeEpisodes(TabularAgent):
    """A learner whose memory has a ``trajectory``; put it before the other base class.

    Raises:
        ConvergenceError: by ``learn``, when an episode does not end.
    """

    @property
    def capacity(self) -> int:
        """Steps of an episode that there is room for at present."""
        return int(self.memory.trajectory.s.size)

    def _advance(self, until_step: int, until_episode: int) -> None:
        while self.num_timesteps < until_step and self.num_episodes < until_episode:
            length = int(self.clock.length[0])
            if length == self.capacity:
                if length >= _GREATEST_CAPACITY:
                    raise ConvergenceError(
                        f"{self.name} learns when an episode is over, and this one has lasted {length} steps: the "
                        "policy walks in circles in an environment without time limit; give the agent a time_limit"
                    )
                self._enlarge(2 * self.capacity)
            super()._advance(min(until_step, self.num_timesteps + self.capacity - length), until_episode)

    def _enlarge(self, capacity: int) -> None:
        self.memory = self.memory._replace(trajectory=self.memory.trajectory.enlarged(capacity))

    def make_room_for(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        (capacity,) = shapes["memory.trajectory.s"]
        if not self.capacity <= capacity <= _GREATEST_CAPACITY:
            raise RecordError(f"memory.trajectory.s has room for {capacity} steps, which no agent saves")
        self._enlarge(capacity)

    def first_violation(self) -> str:
        running, kept = int(self.clock.length[0]), int(self.memory.trajectory.length[0])
        return super().first_violation() or ("memory.trajectory.length" if running not in (0, kept) else "")
