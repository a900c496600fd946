"""The goal ``throw``: hit a far target with a ball that the right hand lets go of (Peng et al. 2018, DeepMimic, throw)."""

from __future__ import annotations

from math import exp, floor
from typing import TYPE_CHECKING

import numpy as np

from rlsuite.envs.humanoid.goals import drawing
from rlsuite.envs.humanoid.goals.goal import Goal, Out
from rlsuite.envs.humanoid.goals.strike import draw_target, observe_target
from rlsuite.envs.humanoid.kernels import Array, Rows, entry_kernel, heading, inverse, quaternion, rotate, vector
from rlsuite.envs.humanoid.physics import BatchPhysics
from rlsuite.envs.humanoid.reference import Reference
from rlsuite.envs.humanoid.state import BodyState
from rlsuite.errors import HyperparameterError
from rlsuite.motion import body
from rlsuite.motion.body import BodyShape
from rlsuite.motion.render.scene import Mark

if TYPE_CHECKING:
    import mujoco

HAND, GRIP = "right_hand", (0.0, 0.0, -0.09)  # where it holds the ball, in metres from its centre
SIZE, MASS = 0.05, 0.15  # radius in metres, kilograms


class Throw(Goal):
    """``exp(-4 d²)``, ``d`` the least distance of the ball from the target since it was let go; 1 within ``radius``.

    A ball of 150 g hangs in the right hand by a ball joint, which is undone when the clip next passes the share ``release``
    (from 0 to 1). Before, the reward is 0. One target an episode, drawn as for ``strike``. Seen: where the target is
    (3 numbers), whether it has been hit, place and velocity of the ball from the root (6), whether it is held.
    """

    name, rewarded, seen, remembered, of_several = "throw", True, 11, 6, False
    distance = 2.4

    def __init__(
        self,
        *,
        release: float = 0.5,
        radius: float = 0.2,
        nearest: float = 2.5,
        farthest: float = 3.5,
        lowest: float = 1.0,
        highest: float = 1.25,
        spread: float = 0.1,
    ) -> None:
        if release > 1.0:
            raise HyperparameterError(f"goal 'throw': release must be a share of the clip from 0 to 1, not {release!r}")
        self._release, self._radius = float(release), float(radius)
        self._numbers = tuple(map(float, (nearest, farthest, lowest, highest, spread)))

    def model(self, shape: BodyShape, *, self_collision: bool) -> mujoco.MjModel:
        import mujoco

        spec = mujoco.MjSpec.from_string(body.mjcf(shape, self_collision=self_collision))
        spec.body(HAND).add_site(name="grip", pos=GRIP)
        ball = spec.worldbody.add_body(name="ball", pos=(0.0, 0.0, 1.0))
        ball.add_freejoint()
        ball.add_site(name="ball")
        ball.add_geom(
            name="ball", type=mujoco.mjtGeom.mjGEOM_SPHERE, size=(SIZE, 0.0, 0.0), mass=MASS, rgba=(0.8, 0.3, 0.2, 1.0),
            contype=0, conaffinity=1,  # it meets only the floor
        )  # fmt: skip
        spec.add_equality(
            name="grip", type=mujoco.mjtEq.mjEQ_CONNECT, objtype=mujoco.mjtObj.mjOBJ_SITE, name1="grip", name2="ball",
            solref=(0.01, 1.0),
        )  # fmt: skip
        return spec.compile()

    def attach(self, physics: BatchPhysics, reference: Reference, weight: float) -> None:
        super().attach(physics, reference, weight)
        skeleton = reference.skeleton
        self._hand = skeleton.body(HAND)
        self._ball = physics.fields[0][:, skeleton.nq :], physics.fields[1][:, skeleton.nv :]
        self._held: Array = physics.batch.bind("eq_active")

    def pose(self, rows: Rows, now: BodyState) -> tuple[Array, Array]:
        place, velocity = np.zeros((len(now.qpos), 7)), np.zeros((len(now.qpos), 6))
        _carry(rows, now, self._hand, GRIP, place, velocity)
        return np.hstack((now.qpos[rows], place[rows])), np.hstack((now.qvel[rows], velocity[rows]))

    def draw(self, rows: Rows, times: Array) -> None:
        draw_target(rows, self.memory, self.physics.state, *self._numbers)
        _next_release(rows, times, self.reference.duration, self.reference.wraps, self._release, self.memory)

    def act(self, rows: Rows, times: Array) -> None:
        _let_go(rows, times, self.memory, self._held)

    def judge(self, rows: Rows) -> None:
        throw_reward(rows, self._ball[0], self._held, self.memory, self._radius, self.weight, self.values)

    def observe(self, rows: Rows, out: Out) -> None:
        observe_target(rows, self.memory, self.physics.state, out)
        _observe_ball(rows, self.physics.state, *self._ball, self._held, out)

    def points(self) -> Array:
        """Target and ball."""
        return np.stack((self.memory[:, 3:6], self._ball[0][:, :3]), axis=1)

    @classmethod
    def marks(cls, points: Array) -> list[Mark]:
        return [drawing.sphere(points[0], 0.1), drawing.sphere(points[1], SIZE, orange=True)]


@entry_kernel
def throw_reward(rows: Rows, ball: Array, held: Array, memory: Array, radius: float, weight: float, out: Array) -> None:
    """``ball`` ``(n, 7)``; columns 3 to 5 of the memory: target, 6: hit, 7: 1 / (1 + least squared distance), or 0."""
    for i in rows:
        out[i] = 0.0
        if held[i, 0] == 0.0:
            dx, dy, dz = ball[i, 0] - memory[i, 3], ball[i, 1] - memory[i, 4], ball[i, 2] - memory[i, 5]
            memory[i, 7] = max(memory[i, 7], 1.0 / (1.0 + dx * dx + dy * dy + dz * dz))
            squared = 1.0 / memory[i, 7] - 1.0
            if squared < radius * radius:
                memory[i, 6] = 1.0
            out[i] = weight * (1.0 if memory[i, 6] > 0.0 else exp(-4.0 * squared))


@entry_kernel
def _carry(
    rows: Rows, now: BodyState, hand: int, grip: tuple[float, float, float], place: Array, velocity: Array
) -> None:
    """The ball where the hand holds it, and as fast: ``v + ω × r``."""
    for i in rows:
        p, v, w = vector(now.position, i, hand), vector(now.velocity, i, hand), vector(now.spin, i, hand)
        r = rotate(quaternion(now.rotation, i, hand), grip)
        for k in range(3):
            place[i, k] = p[k] + r[k]
        place[i, 3] = 1.0
        velocity[i, 0] = v[0] + w[1] * r[2] - w[2] * r[1]
        velocity[i, 1] = v[1] + w[2] * r[0] - w[0] * r[2]
        velocity[i, 2] = v[2] + w[0] * r[1] - w[1] * r[0]


@entry_kernel
def _next_release(rows: Rows, times: Array, duration: float, wraps: bool, release: float, memory: Array) -> None:
    """Column 8: seconds of the clip at which the ball is let go."""
    for i in rows:
        cycle = floor(times[i] / duration - release) + 1.0 if wraps else 0.0
        memory[i, 8] = (cycle + release) * duration


@entry_kernel
def _let_go(rows: Rows, times: Array, memory: Array, held: Array) -> None:
    for i in rows:
        if times[i] >= memory[i, 8]:
            held[i, 0] = 0.0


@entry_kernel
def _observe_ball(rows: Rows, state: BodyState, place: Array, velocity: Array, held: Array, out: Out) -> None:
    for i in rows:
        back = inverse(heading(quaternion(state.rotation, i, 0)))
        here = vector(state.position, i, 0)
        p = rotate(back, (place[i, 0] - here[0], place[i, 1] - here[1], place[i, 2] - here[2]))
        v = rotate(back, (velocity[i, 0], velocity[i, 1], velocity[i, 2]))
        for k in range(3):
            out[i, 4 + k], out[i, 7 + k] = p[k], v[k]
        out[i, 10] = held[i, 0]
