"""The goal ``push``: go on performing while somebody pushes (Peng et al. 2018, DeepMimic, robustness: 0.2 s)."""

from __future__ import annotations

from math import cos, floor, pi, sin

from rlsuite.envs.humanoid.goals.goal import Goal, between
from rlsuite.envs.humanoid.goals.heading import RATE
from rlsuite.envs.humanoid.kernels import Array, Rows, entry_kernel
from rlsuite.envs.humanoid.physics import BatchPhysics
from rlsuite.envs.humanoid.reference import Reference

PART = "torso"


class Push(Goal):
    """A horizontal force of ``newtons`` on the torso for ``seconds``, every ``soonest`` to ``latest`` seconds (from the end
    of one to the beginning of the next), in any direction. It has no reward of its own and is not seen; at 0 N it is as if
    there were no goal.
    """

    name, remembered = "push", 3

    def __init__(
        self, *, newtons: float = 200.0, seconds: float = 0.2, soonest: float = 1.0, latest: float = 4.0
    ) -> None:
        self._newtons, self._steps = float(newtons), float(max(1, round(seconds * RATE)))
        self._wait = soonest * RATE, latest * RATE

    def attach(self, physics: BatchPhysics, reference: Reference, weight: float) -> None:
        super().attach(physics, reference, weight)
        self._force: Array = physics.batch.bind("xfrc_applied")[:, reference.skeleton.body(PART) + 1, :3]

    def draw(self, rows: Rows, times: Array) -> None:
        _wait(rows, self.memory, *self._wait)

    def act(self, rows: Rows, times: Array) -> None:
        _apply(rows, self.memory, self._newtons, self._steps, *self._wait, self._force)


@entry_kernel
def _wait(rows: Rows, memory: Array, soonest: float, latest: float) -> None:
    for i in rows:
        memory[i, 2] = floor(between(memory, i, soonest, latest) + 0.5)


@entry_kernel
def _apply(
    rows: Rows, memory: Array, newtons: float, steps: float, soonest: float, latest: float, force: Array
) -> None:
    """Column 2 of the memory: steps to wait; 3: steps of the push that are left; 4 and 5: its direction."""
    for i in rows:
        if memory[i, 3] == 0.0 and memory[i, 2] <= 0.0:
            way = between(memory, i, -pi, pi)
            memory[i, 3], memory[i, 4], memory[i, 5] = steps, cos(way), sin(way)
        pushed = memory[i, 3] > 0.0
        force[i, 0] = newtons * memory[i, 4] if pushed else 0.0
        force[i, 1] = newtons * memory[i, 5] if pushed else 0.0
        if pushed:
            memory[i, 3] -= 1.0
            if memory[i, 3] == 0.0:
                memory[i, 2] = floor(between(memory, i, soonest, latest) + 0.5)
        else:
            memory[i, 2] -= 1.0
