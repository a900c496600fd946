"""The goal ``get_up``: stand up from lying on the floor.

Episodes begin as a limp body came to lie: the body is dropped in random poses with its motors off (as in the recovery
starts of ASE, Peng et al. 2022), once, and one of the resulting states is drawn.
"""

from __future__ import annotations

from functools import lru_cache

import mujoco
import numpy as np
from mujoco.batch import Batch

from rlsuite.envs.humanoid.goals.goal import Goal, Out, uniform
from rlsuite.envs.humanoid.kernels import Array, Rows, entry_kernel
from rlsuite.envs.humanoid.physics import BatchPhysics
from rlsuite.envs.humanoid.reference import Reference
from rlsuite.envs.humanoid.state import BodyState
from rlsuite.motion import body
from rlsuite.motion.body import BodyShape
from rlsuite.seeding import generator

FALLS, SECONDS, DAMPING = 32, 2.0, 3.0  # how many bodies fall, for how long, N m s/rad of a limp joint


class GetUp(Goal):
    """``min(1, h / H) (1 + u) / 2``: ``h`` the head's height and ``H`` its height in the rest pose, ``u`` the vertical part
    of the torso's upward axis. 1 standing upright. Seen: ``h / H`` and ``u``.

    With ``limp=False`` episodes begin as the clip does, for clips that begin on the floor.
    """

    name, rewarded, seen, remembered = "get_up", True, 2, 0
    imitation, falls, reached = "local", False, 0.9

    def __init__(self, *, limp: bool = True) -> None:
        self._limp = bool(limp)

    def attach(self, physics: BatchPhysics, reference: Reference, weight: float) -> None:
        super().attach(physics, reference, weight)
        skeleton = reference.skeleton
        self._parts = skeleton.body("torso"), skeleton.body("head")
        data = mujoco.MjData(physics.model)
        mujoco.mj_forward(physics.model, data)
        self._standing = float(data.body("head").xpos[2])
        if self._limp:
            self._lying = lying_poses(reference.shape)

    def pose(self, rows: Rows, now: BodyState) -> tuple[Array, Array]:
        if not self._limp:
            return super().pose(rows, now)
        qpos = now.qpos.copy()
        _lie(rows, self.memory, self._lying, qpos)
        return qpos[rows], np.zeros_like(now.qvel[rows])

    def judge(self, rows: Rows) -> None:
        get_up_reward(rows, self.physics.state, *self._parts, self._standing, self.weight, self.values)

    def observe(self, rows: Rows, out: Out) -> None:
        _observe(rows, self.physics.state, *self._parts, self._standing, out)


@lru_cache(maxsize=8)
def lying_poses(shape: BodyShape) -> Array:
    """``(FALLS, nq)``: where limp bodies came to lie, around the origin. The same on every call."""
    model = body.model(shape)
    model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_ACTUATION)
    model.dof_damping[6:] = DAMPING
    batch, rng = Batch(model, FALLS, 1), generator(0)
    qpos = batch.bind("qpos")
    low, high = model.jnt_range[1:].T
    qpos[:, 7:] = 0.5 * np.clip(rng.uniform(low, high, (FALLS, model.nq - 7)), -1.0, 1.0)
    turn = rng.standard_normal((FALLS, 4))
    qpos[:, 3:7] = turn / np.linalg.norm(turn, axis=1, keepdims=True)
    qpos[:, :3] = 0.0, 0.0, body.rest_height(shape) + 0.5
    batch.step(nstep=round(SECONDS / model.opt.timestep))
    poses: Array = qpos.copy()
    poses[:, :2] = 0.0
    return poses


@entry_kernel
def get_up_reward(
    rows: Rows, state: BodyState, torso: int, head: int, standing: float, weight: float, out: Array
) -> None:
    for i in rows:
        x, y = state.rotation[i, torso, 1], state.rotation[i, torso, 2]
        up = 1.0 - 2.0 * (x * x + y * y)
        out[i] = weight * min(1.0, max(0.0, state.position[i, head, 2] / standing)) * 0.5 * (1.0 + up)


@entry_kernel
def _lie(rows: Rows, memory: Array, poses: Array, qpos: Array) -> None:
    for i in rows:
        k = int(uniform(memory, i) * len(poses))
        for j in range(2, poses.shape[1]):
            qpos[i, j] = poses[k, j]


@entry_kernel
def _observe(rows: Rows, state: BodyState, torso: int, head: int, standing: float, out: Out) -> None:
    for i in rows:
        x, y = state.rotation[i, torso, 1], state.rotation[i, torso, 2]
        out[i, 0], out[i, 1] = state.position[i, head, 2] / standing, 1.0 - 2.0 * (x * x + y * y)
