"""The contract of goals: what an episode asks of the body besides performing the clip.

A goal is drawn anew when an episode begins, and some also in between. All that it remembers is a row of numbers, from
which its random draws follow as well: a row of :attr:`Goal.memory` put back goes on as before, to the last bit, and what
is drawn for a row depends on nothing but the number that chose its start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.humanoid.kernels import Array, Rows, kernel
from rlsuite.envs.humanoid.physics import BatchPhysics
from rlsuite.envs.humanoid.reference import Reference
from rlsuite.envs.humanoid.state import BodyState
from rlsuite.motion import body
from rlsuite.motion.body import BodyShape
from rlsuite.motion.render.scene import Mark

if TYPE_CHECKING:
    import mujoco

Out = NDArray[np.float32]

KEY, DRAWN, LEFT, OWN = 0, 1, 2, 3  # columns of the memory: luck, draws so far, steps to the next event, the goal's own
_ODD, _GOLDEN = np.uint64(0xD1342543DE82EF95), np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


class Goal:
    """No goal: the clip and nothing else.

    Attributes:
        name: of the goal, and of its term of the reward. rewarded: whether it has one. seen: numbers that the policy sees.
        remembered: numbers of its own in the memory.
        imitation: preset of the reward that imitation is measured by under this goal. falls: whether a part on the floor
            is a failure then. reached: the unweighted term from which on it is attained. distance: how much farther away
            than else one looks on from. of_several: whether it goes with several clips.
        memory: ``(n, m)`` float64. values: ``(n,)`` the term of the last step, weighted.
    """

    name: ClassVar[str] = ""
    rewarded: ClassVar[bool] = False
    seen: ClassVar[int] = 0
    remembered: ClassVar[int] = -OWN
    imitation: ClassVar[str] = "deepmimic-code"
    falls: ClassVar[bool] = True
    reached: ClassVar[float] = 1.0
    distance: ClassVar[float] = 1.0
    of_several: ClassVar[bool] = True
    weight: float
    physics: BatchPhysics
    reference: Reference
    memory: Array
    values: Array

    def model(self, shape: BodyShape, *, self_collision: bool) -> mujoco.MjModel:
        """The body, and what else there is in its world."""
        return body.model(shape, self_collision=self_collision)

    def attach(self, physics: BatchPhysics, reference: Reference, weight: float) -> None:
        """Serve these simulations, with this weight of the reward."""
        self.physics, self.reference, self.weight = physics, reference, weight
        self.memory, self.values = np.zeros((physics.n, OWN + self.remembered)), np.zeros(physics.n)

    def begin(self, rows: Rows, luck: Array, times: Array, now: BodyState) -> None:
        """New episodes at ``rows``.

        Args:
            luck: ``(len(rows),)`` from [0, 1), multiples of 2⁻⁵³. times: ``(n,)`` of the clip. now: the reference there.
        """
        self._forget(rows, luck)
        self.physics.place(rows, *self.pose(rows, now))
        self.draw(rows, times)

    def enter(self, rows: Rows, luck: Array, times: Array) -> None:
        """Another goal at ``rows``, for bodies as they are."""
        self._forget(rows, luck)
        self.draw(rows, times)

    def _forget(self, rows: Rows, luck: Array) -> None:
        if self.memory.shape[1]:
            self.memory[rows] = 0.0
            self.memory[rows, KEY] = luck * 2.0**53

    def pose(self, rows: Rows, now: BodyState) -> tuple[Array, Array]:
        """Positions and velocities that episodes begin with: those of the reference."""
        return now.qpos[rows], now.qvel[rows]

    def draw(self, rows: Rows, times: Array) -> None:
        """The first goal of an episode."""

    def act(self, rows: Rows, times: Array) -> None:
        """What the goal does to the body in the coming control step, at ``times`` of the clip."""

    def judge(self, rows: Rows) -> None:
        """Write ``values`` after a control step."""

    def renew(self, rows: Rows) -> None:
        """Perhaps another goal from now on."""

    def observe(self, rows: Rows, out: Out) -> None:
        """Fill ``out`` ``(n, seen)``, in the root's heading."""

    def points(self) -> Array:
        """``(n, k, 3)`` points of the world that show what is asked."""
        return np.zeros((self.physics.n, 0, 3))

    @classmethod
    def marks(cls, points: Array) -> list[Mark]:
        """What to draw at the points ``(k, 3)`` of one row."""
        return []


@kernel
def uniform(memory: Array, i: int) -> float:
    """The next number of row ``i`` from [0, 1): SplitMix64 (Steele et al. 2014) of its luck and of how many were drawn."""
    memory[i, 1] += 1.0
    z = np.uint64(memory[i, 0]) * _ODD + np.uint64(memory[i, 1]) * _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * _FIRST
    z = (z ^ (z >> np.uint64(27))) * _SECOND
    z = z ^ (z >> np.uint64(31))
    return np.float64(z >> np.uint64(11)) * 2.0**-53


@kernel
def between(memory: Array, i: int, low: float, high: float) -> float:
    """The next number of row ``i`` from ``low`` to ``high``."""
    return low + (high - low) * uniform(memory, i)
