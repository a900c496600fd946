"""Actions: what numbers from -1 to 1 mean to the body's position actuators, which are PD controllers.

``absolute``: the target of each joint, over its range. ``residual``: an offset from the reference of the next control
step, plus 0.1 s of its velocity: all gains have kd = 0.1 s · kp, so that this makes damping act on the difference of
velocities. ``residual_force``: the same, and a force and a torque on the root (Yuan and Kitani 2020, residual force
control), which fade away linearly over the first ``anneal`` steps of each simulation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from gymnasium import spaces

from rlsuite.envs.humanoid.kernels import Array, Rows, entry_kernel
from rlsuite.envs.humanoid.state import BodyState
from rlsuite.errors import UnknownNameError

if TYPE_CHECKING:
    import mujoco

FEEDFORWARD = 0.1  # seconds
RESIDUAL = 0.6  # radians that an action of 1 moves a target by
FORCE, TORQUE = 100.0, 50.0  # newtons and newton metres of an action of 1

MODES = ("absolute", "residual", "residual_force")


class ActionMode:
    """Turns actions into targets.

    Args:
        name: one of ``MODES``. model: of the body. scale: radians of a residual. anneal: control steps.

    Attributes:
        space: of one action. size: how many numbers it has.

    Raises:
        UnknownNameError: there is no such mode.
    """

    def __init__(self, name: str, model: mujoco.MjModel, *, scale: float = RESIDUAL, anneal: int = 2_000_000) -> None:
        if name not in MODES:
            raise UnknownNameError("action mode", name, MODES, f"there are {', '.join(MODES)}")
        self.name, self.anneal = name, anneal
        joints = model.actuator_trnid[:, 0]
        self._qpos, self._qvel = model.jnt_qposadr[joints].astype(np.intp), model.jnt_dofadr[joints].astype(np.intp)
        self._low, self._high = model.actuator_ctrlrange[:, 0].copy(), model.actuator_ctrlrange[:, 1].copy()
        self.size = model.nu + (6 if name == "residual_force" else 0)
        self.space = spaces.Box(-1.0, 1.0, (self.size,), np.float32)
        half = 0.5 * (self._high - self._low)
        self._scale = half if name == "absolute" else np.full(model.nu, scale)

    def apply(
        self, rows: Rows, actions: Array, following: BodyState, gone: Array, ctrl: Array, root_force: Array
    ) -> None:
        """Write ``ctrl`` ``(n, nu)`` and ``root_force`` ``(n, 6)`` at ``rows``.

        Args:
            actions: ``(n, size)``; beyond -1 and 1 they count as -1 and 1. following: the reference of the next step.
            gone: ``(n,)`` control steps of each simulation up to now.
        """
        if self.name == "absolute":
            _absolute(rows, actions, self._low, self._high, self._scale, ctrl)
        else:
            _residual(rows, actions, following, self._qpos, self._qvel, self._low, self._high, self._scale, ctrl)
        if self.name == "residual_force":
            _push(rows, actions, len(self._low), gone, float(self.anneal), FORCE, TORQUE, root_force)


@entry_kernel
def _absolute(rows: Rows, actions: Array, low: Array, high: Array, scale: Array, ctrl: Array) -> None:
    for i in rows:
        for j in range(len(low)):
            a = min(max(actions[i, j], -1.0), 1.0)
            ctrl[i, j] = 0.5 * (low[j] + high[j]) + scale[j] * a


@entry_kernel
def _residual(
    rows: Rows,
    actions: Array,
    following: BodyState,
    qpos: Rows,
    qvel: Rows,
    low: Array,
    high: Array,
    scale: Array,
    ctrl: Array,
) -> None:
    for i in rows:
        for j in range(len(low)):
            a = min(max(actions[i, j], -1.0), 1.0)
            target = following.qpos[i, qpos[j]] + 0.1 * following.qvel[i, qvel[j]] + scale[j] * a
            ctrl[i, j] = min(max(target, low[j]), high[j])


@entry_kernel
def _push(
    rows: Rows, actions: Array, first: int, gone: Array, anneal: float, force: float, torque: float, out: Array
) -> None:
    for i in rows:
        share = max(0.0, 1.0 - gone[i] / anneal)
        for k in range(6):
            a = min(max(actions[i, first + k], -1.0), 1.0)
            out[i, k] = share * (force if k < 3 else torque) * a
