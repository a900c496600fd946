"""The goal ``location``: be at a place (``SceneTargetAMP.cpp`` of DeepMimic's code; Peng et al. 2021, target location)."""

from __future__ import annotations

from math import cos, exp, pi, sin, sqrt

import numpy as np

from rlsuite.envs.humanoid.goals import drawing
from rlsuite.envs.humanoid.goals.goal import Goal, Out, between
from rlsuite.envs.humanoid.goals.heading import RATE
from rlsuite.envs.humanoid.kernels import Array, Rows, entry_kernel, heading, inverse, quaternion, rotate
from rlsuite.envs.humanoid.state import BodyState
from rlsuite.motion.render.scene import Mark


class Location(Goal):
    """``0.6 exp(-‖p* - p‖²) + 0.4 r_v``: ``p`` of the root on the ground, ``p*`` the place.

    ``r_v`` is 1 within 0.5 m of it, 0 while the centre of mass moves away from it, and else
    ``exp(-4 (1 - v / speed)²)`` with ``v`` its speed towards the place. Seen: direction to it (2 numbers), metres.
    A place up to ``farthest`` metres away is drawn every ``soonest`` to ``latest`` seconds.
    """

    name, rewarded, seen, remembered = "location", True, 3, 2
    imitation, reached = "local", 0.6 * exp(-0.25) + 0.4  # within 0.5 m
    distance = 2.0

    def __init__(self, *, speed: float = 1.0, farthest: float = 3.0, soonest: float = 3.0, latest: float = 8.0) -> None:
        self._speed, self._numbers = max(float(speed), 1e-6), (float(farthest), soonest * RATE, latest * RATE)

    def draw(self, rows: Rows, times: Array) -> None:
        _renew(rows, self.memory, self.physics.state.position, True, *self._numbers)

    def judge(self, rows: Rows) -> None:
        location_reward(rows, self.physics.state, self.memory, self._speed, self.weight, self.values)

    def renew(self, rows: Rows) -> None:
        _renew(rows, self.memory, self.physics.state.position, False, *self._numbers)

    def observe(self, rows: Rows, out: Out) -> None:
        _observe(rows, self.memory, self.physics.state, out)

    def points(self) -> Array:
        """The place on the ground."""
        return np.pad(self.memory[:, None, 3:5], ((0, 0), (0, 0), (0, 1)))

    @classmethod
    def marks(cls, points: Array) -> list[Mark]:
        return [drawing.sphere(points[0] + (0.0, 0.0, 0.12), 0.12), *drawing.ring(points[0], 0.5)]


@entry_kernel
def location_reward(rows: Rows, state: BodyState, memory: Array, speed: float, weight: float, out: Array) -> None:
    """Columns 3 and 4 of the memory: the place."""
    for i in rows:
        dx, dy = memory[i, 3] - state.position[i, 0, 0], memory[i, 4] - state.position[i, 0, 1]
        squared = dx * dx + dy * dy
        moving = 1.0
        if squared >= 0.25:
            cx, cy = memory[i, 3] - state.com[i, 0], memory[i, 4] - state.com[i, 1]
            far = max(sqrt(cx * cx + cy * cy), 1e-4)
            towards = (cx * state.com_velocity[i, 0] + cy * state.com_velocity[i, 1]) / far
            lack = 1.0 - towards / speed
            moving = 0.0 if towards < 0.0 else exp(-4.0 * lack * lack)
        out[i] = weight * (0.6 * exp(-squared) + 0.4 * moving)


@entry_kernel
def _renew(
    rows: Rows, memory: Array, position: Array, at_once: bool, farthest: float, soonest: float, latest: float
) -> None:
    for i in rows:
        memory[i, 2] -= 1.0
        if at_once or memory[i, 2] <= 0.0:
            far, way = between(memory, i, 0.0, farthest), between(memory, i, -pi, pi)
            memory[i, 3] = position[i, 0, 0] + far * cos(way)
            memory[i, 4] = position[i, 0, 1] + far * sin(way)
            memory[i, 2] = between(memory, i, soonest, latest)


@entry_kernel
def _observe(rows: Rows, memory: Array, state: BodyState, out: Out) -> None:
    for i in rows:
        dx, dy = memory[i, 3] - state.position[i, 0, 0], memory[i, 4] - state.position[i, 0, 1]
        far = sqrt(dx * dx + dy * dy)
        d = rotate(inverse(heading(quaternion(state.rotation, i, 0))), (dx, dy, 0.0))
        share = 1.0 / max(far, 1e-4)
        out[i, 0], out[i, 1], out[i, 2] = share * d[0], share * d[1], far
