"""The goal ``strike``: hit a target in the air with a hand or a foot (Peng et al. 2018, DeepMimic, strike)."""

from __future__ import annotations

from math import cos, exp, sin

from rlsuite.envs.humanoid.goals import drawing
from rlsuite.envs.humanoid.goals.goal import Goal, Out, between
from rlsuite.envs.humanoid.kernels import (
    Array,
    Rows,
    difference,
    entry_kernel,
    heading,
    inverse,
    quaternion,
    rotate,
    square,
    vector,
)
from rlsuite.envs.humanoid.state import BodyState
from rlsuite.errors import HyperparameterError
from rlsuite.motion.body import END_EFFECTORS
from rlsuite.motion.render.scene import Mark


class Strike(Goal):
    """``exp(-4 ‖p* - p_e‖²)`` until ``part`` has come within ``radius`` metres of the target ``p*``, and 1 from then on.

    One target an episode, up to ``spread`` radians left or right of ahead, from ``nearest`` to ``farthest`` metres away
    and ``lowest`` to ``highest`` above the floor (``SceneStrikeAMP.cpp``). Seen: where it is from the root's place on the
    ground (3 numbers), and whether it has been hit.
    """

    name, rewarded, seen, remembered = "strike", True, 4, 4

    def __init__(
        self,
        *,
        part: str = "right_foot",
        radius: float = 0.2,
        nearest: float = 0.6,
        farthest: float = 1.1,
        lowest: float = 0.6,
        highest: float = 1.2,
        spread: float = 0.5,
    ) -> None:
        if part not in END_EFFECTORS:
            raise HyperparameterError(f"goal 'strike': part must be one of {', '.join(END_EFFECTORS)}, not {part!r}")
        self._part, self._radius = part, float(radius)
        self._numbers = tuple(map(float, (nearest, farthest, lowest, highest, spread)))

    def draw(self, rows: Rows, times: Array) -> None:
        draw_target(rows, self.memory, self.physics.state, *self._numbers)

    def judge(self, rows: Rows) -> None:
        part = self.reference.skeleton.body(self._part)
        strike_reward(rows, self.physics.state.position, part, self.memory, self._radius, self.weight, self.values)

    def observe(self, rows: Rows, out: Out) -> None:
        observe_target(rows, self.memory, self.physics.state, out)

    def points(self) -> Array:
        """The target."""
        return self.memory[:, None, 3:6].copy()

    @classmethod
    def marks(cls, points: Array) -> list[Mark]:
        return [drawing.sphere(points[0], 0.1)]


@entry_kernel
def strike_reward(
    rows: Rows, position: Array, part: int, memory: Array, radius: float, weight: float, out: Array
) -> None:
    """Columns 3 to 6 of the memory: the target, and 1 once it has been hit."""
    for i in rows:
        target = (memory[i, 3], memory[i, 4], memory[i, 5])
        squared = square(difference(target, vector(position, i, part)))
        if squared < radius * radius:
            memory[i, 6] = 1.0
        out[i] = weight * (1.0 if memory[i, 6] > 0.0 else exp(-4.0 * squared))


@entry_kernel
def draw_target(
    rows: Rows,
    memory: Array,
    state: BodyState,
    nearest: float,
    farthest: float,
    lowest: float,
    highest: float,
    spread: float,
) -> None:
    """A target ahead of the body, into columns 3 to 5."""
    for i in rows:
        far, way = between(memory, i, nearest, farthest), between(memory, i, -spread, spread)
        d = rotate(heading(quaternion(state.rotation, i, 0)), (far * cos(way), far * sin(way), 0.0))
        memory[i, 3], memory[i, 4] = state.position[i, 0, 0] + d[0], state.position[i, 0, 1] + d[1]
        memory[i, 5] = between(memory, i, lowest, highest)


@entry_kernel
def observe_target(rows: Rows, memory: Array, state: BodyState, out: Out) -> None:
    """Target and hit."""
    for i in rows:
        dx, dy = memory[i, 3] - state.position[i, 0, 0], memory[i, 4] - state.position[i, 0, 1]
        d = rotate(inverse(heading(quaternion(state.rotation, i, 0))), (dx, dy, 0.0))
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = d[0], d[1], memory[i, 5], memory[i, 6]
