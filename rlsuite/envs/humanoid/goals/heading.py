"""The goal ``heading``: walk in a direction, at least this fast (Peng et al. 2018, DeepMimic, target heading)."""

from __future__ import annotations

from math import cos, exp, pi, sin

import numpy as np

from rlsuite.envs.humanoid.goals import drawing
from rlsuite.envs.humanoid.goals.goal import Goal, Out, between
from rlsuite.envs.humanoid.kernels import Array, Rows, entry_kernel, heading, inverse, quaternion, rotate
from rlsuite.envs.humanoid.state import BodyState
from rlsuite.motion.render.scene import Mark

RATE = 30.0  # control steps per second


class Heading(Goal):
    """``exp(-2.5 max(0, v* - v · d*)²)``: ``v`` of the centre of mass, ``d*`` the direction and ``v*`` the speed asked for.

    Seen: ``d*`` (2 numbers) and ``v*``. Both are drawn anew every ``soonest`` to ``latest`` seconds, ``d*`` up to
    ``turn`` radians from where the body faces then.
    """

    name, rewarded, seen, remembered = "heading", True, 3, 3
    imitation, reached = "local", exp(-2.5 * 0.2**2)  # at most 0.2 m/s too slow

    def __init__(
        self,
        *,
        slowest: float = 0.5,
        fastest: float = 1.5,
        turn: float = pi,
        soonest: float = 2.0,
        latest: float = 5.0,
    ) -> None:
        self._numbers = (float(slowest), float(fastest), float(turn), soonest * RATE, latest * RATE)

    def draw(self, rows: Rows, times: Array) -> None:
        _renew(rows, self.memory, self.physics.state, True, *self._numbers)

    def judge(self, rows: Rows) -> None:
        heading_reward(rows, self.physics.state.com_velocity, self.memory, self.weight, self.values)

    def renew(self, rows: Rows) -> None:
        _renew(rows, self.memory, self.physics.state, False, *self._numbers)

    def observe(self, rows: Rows, out: Out) -> None:
        _observe(rows, self.memory, self.physics.state, out)

    def points(self) -> Array:
        """An arrow ahead of the root's place on the ground, longer for more speed."""
        ground = self.physics.state.position[:, 0] * (1.0, 1.0, 0.0)
        way = np.pad(self.memory[:, 3:5], ((0, 0), (0, 1)))
        return np.stack((ground + 0.35 * way, ground + (0.55 + 0.5 * self.memory[:, 5:6]) * way), axis=1)

    @classmethod
    def marks(cls, points: Array) -> list[Mark]:
        return drawing.arrow(points[0], points[1])


@entry_kernel
def heading_reward(rows: Rows, velocity: Array, memory: Array, weight: float, out: Array) -> None:
    """``velocity`` ``(n, 3)``; columns 3 to 5 of the memory: direction, speed."""
    for i in rows:
        lack = max(0.0, memory[i, 5] - (velocity[i, 0] * memory[i, 3] + velocity[i, 1] * memory[i, 4]))
        out[i] = weight * exp(-2.5 * lack * lack)


@entry_kernel
def _renew(
    rows: Rows,
    memory: Array,
    state: BodyState,
    at_once: bool,
    slowest: float,
    fastest: float,
    turn: float,
    soonest: float,
    latest: float,
) -> None:
    for i in rows:
        memory[i, 2] -= 1.0
        if at_once or memory[i, 2] <= 0.0:
            ahead = rotate(heading(quaternion(state.rotation, i, 0)), (1.0, 0.0, 0.0))
            by = between(memory, i, -turn, turn)
            c, s = cos(by), sin(by)
            memory[i, 3], memory[i, 4] = c * ahead[0] - s * ahead[1], s * ahead[0] + c * ahead[1]
            memory[i, 5] = between(memory, i, slowest, fastest)
            memory[i, 2] = between(memory, i, soonest, latest)


@entry_kernel
def _observe(rows: Rows, memory: Array, state: BodyState, out: Out) -> None:
    for i in rows:
        back = inverse(heading(quaternion(state.rotation, i, 0)))
        d = rotate(back, (memory[i, 3], memory[i, 4], 0.0))
        out[i, 0], out[i, 1], out[i, 2] = d[0], d[1], memory[i, 5]
