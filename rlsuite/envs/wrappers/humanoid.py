"""The humanoid as motion priors know it: its last poses as coordinates, and coordinates as targets of its joints.

A prior's frames have their root's velocity *to the next frame* in them. So the frame of the newest pose is not complete yet:
what is judged ends one control step before it, and where a frame is needed now, it moves on as it did.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlsuite.envs.humanoid.actions import FEEDFORWARD
from rlsuite.envs.humanoid.vector_env import CONTROL_RATE, HumanoidImitateVectorEnv
from rlsuite.envs.wrappers.features import Array, Rows
from rlsuite.errors import InvalidEnvironmentError, RecordError
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.priors.prior import MotionPrior

MOTION = slice(3, 6)  # of a frame: the root's velocities


def core_of(env: Any) -> HumanoidImitateVectorEnv:
    """The simulations inside a humanoid environment, single or vector, wrapped or not.

    Raises:
        InvalidEnvironmentError: it is another environment.
    """
    inner = env.unwrapped
    core = getattr(inner, "core", inner)
    if not isinstance(core, HumanoidImitateVectorEnv):
        raise InvalidEnvironmentError(
            f"{inner} is no humanoid of this suite; a motion prior is for those. With another environment, give a "
            "generative model and functions that connect the two"
        )
    return core


def check_fit(prior: MotionPrior, core: HumanoidImitateVectorEnv) -> None:
    """Make sure that the prior speaks of this body, root and all, at its control rate.

    Raises:
        InvalidEnvironmentError: it does not.
    """
    if abs(prior.fps - CONTROL_RATE) > 1e-6:
        raise InvalidEnvironmentError(
            f"the prior's frames are {prior.fps:g} a second and the humanoid's {CONTROL_RATE:g}: "
            f"fit it at fps={CONTROL_RATE:g}"
        )
    if not prior.coordinates.skeleton.same_tree(core.physics.skeleton):
        raise InvalidEnvironmentError(
            f"the prior is of skeleton {prior.coordinates.skeleton.name!r}, not {core.physics.skeleton.name!r}"
        )


class PoseHistory:
    """The last frames of every simulated body in the coordinates of a motion prior, as the prior's events.

    Before an episode the reference moved as its clip does, or as the start drawn from a prior did
    (:class:`~rlsuite.envs.wrappers.prior_reset.PriorReset`, further in).
    """

    def __init__(self, prior: MotionPrior) -> None:
        self.prior = prior
        self.span = {"pose": 1, "next": prior.past + 1, "window": prior.length}[prior.kind]
        self._frames = np.zeros((0, self.span, prior.coordinates.size))  # complete ones, oldest first
        self._latest = np.zeros((0, prior.coordinates.size))  # of the newest pose, moving on
        self._pose = np.zeros((0, 0))

    def begin(self, env: Any, rows: Rows) -> None:
        core = core_of(env)
        if core.multi is not None:
            raise InvalidEnvironmentError(f"poses before an episode are those of one clip, not of multi={core.multi!r}")
        if not len(self._pose):
            check_fit(self.prior, core)
            n = core.num_envs
            self._frames = np.zeros((n, self.span, self.prior.coordinates.size))
            self._latest = np.zeros((n, self.prior.coordinates.size))
            self._pose = np.zeros((n, core.physics.skeleton.nq))
        poses = self._poses_before(env, core, rows)  # (rows, span + 1, nq), the last the newest
        coded = self._encode(poses.reshape(-1, poses.shape[2])).reshape(*poses.shape[:2], -1)
        self._frames[rows] = coded[:, :-1]
        self._set_latest(rows, coded[:, -1], poses[:, -1])

    def _poses_before(self, env: Any, core: HumanoidImitateVectorEnv, rows: Rows) -> Array:
        now = core.physics.state.qpos[rows]
        back = np.arange(self.span, 0, -1) * core.dt
        times = (core.times[rows, None] - back).ravel()
        poses = core.reference.states(times, core.offsets[rows].repeat(self.span, 0)).qpos
        poses = poses.reshape(len(rows), self.span, -1)
        drawn = _drawn_past(env)
        for k, i in enumerate(rows.tolist() if drawn else []):
            past = drawn(i, self.span)
            poses[k] = poses[k] if past is None else past
        return np.concatenate([poses, now[:, None]], axis=1)

    def advance(self, env: Any, rows: Rows) -> None:
        if not len(rows):
            return
        now = core_of(env).physics.state.qpos[rows]
        pairs = np.stack([self._pose[rows], now], axis=1)
        coded = self._encode(pairs.reshape(-1, pairs.shape[2])).reshape(len(rows), 2, -1)
        self._frames[rows] = np.concatenate([self._frames[rows, 1:], coded[:, :1]], axis=1)
        self._set_latest(rows, coded[:, 1], now)

    def _set_latest(self, rows: Rows, coded: Array, pose: Array) -> None:
        if self.prior.coordinates.root:
            coded[:, MOTION] = self._frames[rows, -1, MOTION]
        self._latest[rows], self._pose[rows] = coded, pose

    def _encode(self, poses: Array) -> Array:
        """Many bodies' poses one after another: the last frame of each body has no velocity of its own."""
        skeleton = self.prior.coordinates.skeleton
        return self.prior.coordinates.encode(MotionClip(poses, self.prior.fps, skeleton))

    def events(self, env: Any) -> Tensor:
        frames = _tensor(self._frames)
        return {"pose": frames[:, -1], "next": frames[:, -1:], "window": frames}[self.prior.kind]

    def condition(self, env: Any) -> Tensor | None:
        return _tensor(self._frames[:, :-1]) if self.prior.kind == "next" else None

    def past(self, env: Any) -> Tensor | None:
        return self.recent(self.prior.past) if self.prior.kind == "next" else None

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        return {"frames": self._frames, "latest": self._latest, "pose": self._pose}

    def load_state(self, env: Any, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Put back what :meth:`state_arrays` gave.

        Raises:
            RecordError: it is of other bodies or another prior.
        """
        core, size = core_of(env), self.prior.coordinates.size
        n = core.num_envs if arrays["pose"].size else 0
        nq = core.physics.skeleton.nq if n else 0
        found = [np.array(arrays[name], np.float64) for name in ("frames", "latest", "pose")]
        if [a.shape for a in found] != [(n, self.span, size), (n, size), (n, nq)]:
            raise RecordError(f"the poses before now are not those of {core.num_envs} bodies under this prior")
        self._frames, self._latest, self._pose = found

    def recent(self, count: int) -> Tensor:
        """``(n, count, size)``: the last frames up to the newest pose."""
        return _tensor(np.concatenate([self._frames, self._latest[:, None]], axis=1)[:, -count:])


class JointTargets:
    """Poses as actions of ``action_mode="absolute"``: each joint's PD target is its angle in the pose, and 0.1 s of the
    velocity on the way there, so that damping acts on the difference of velocities alone.

    Raises:
        InvalidEnvironmentError: the environment's actions are others.
    """

    def __init__(self, prior: MotionPrior, core: HumanoidImitateVectorEnv) -> None:
        check_fit(prior, core)
        if core.actions.name != "absolute":
            raise InvalidEnvironmentError(
                f"poses are targets of action_mode='absolute', not {core.actions.name!r}: make the environment with it"
            )
        self.prior, model = prior, core.physics.model
        self._joints: Rows = model.jnt_qposadr[model.actuator_trnid[:, 0]].astype(np.intp)
        low, high = model.actuator_ctrlrange.T
        self._middle, self._half = 0.5 * (low + high), 0.5 * (high - low)

    def __call__(self, before: Array, frames: NDArray[Any]) -> Array:
        """Actions ``(n, T, 28)`` of frames ``(n, T, size)`` that follow poses ``before (n, nq)``."""
        n, length, size = frames.shape
        coordinates = self.prior.coordinates
        poses = coordinates.decode(frames.reshape(-1, size), self.prior.fps).reshape(n, length, -1)
        angles = np.concatenate([before[:, None], poses], axis=1)[:, :, self._joints]
        angles = np.unwrap(angles, axis=1)  # the branch of the body's own angles
        velocity = np.diff(angles, axis=1) * self.prior.fps
        actions = (angles[:, 1:] + FEEDFORWARD * velocity - self._middle) / self._half
        clipped: Array = np.clip(actions, -1.0, 1.0)
        return clipped


class Examiner:
    """Whether a body can start from a state: neither in the floor nor thrown about by the simulation.

    Args:
        depth: metres that a part may be in the floor. speed: m/s or rad/s that nothing may exceed within ``steps``
            control steps of holding the pose.
    """

    def __init__(
        self, core: HumanoidImitateVectorEnv, *, depth: float = 0.02, speed: float = 40.0, steps: int = 3
    ) -> None:
        self.model, self.depth, self.speed = core.physics.model, depth, speed
        self.substeps = steps * core.physics.substeps
        self._data = mujoco.MjData(self.model)
        self._joints = self.model.jnt_qposadr[self.model.actuator_trnid[:, 0]]

    def __call__(self, qpos: Array, qvel: Array) -> bool:
        data = self._data
        mujoco.mj_resetData(self.model, data)
        data.qpos[: len(qpos)], data.qvel[: len(qvel)] = qpos, qvel
        mujoco.mj_forward(self.model, data)
        if any(contact.dist < -self.depth for contact in data.contact):
            return False
        data.ctrl[:] = np.clip(data.qpos[self._joints], *self.model.actuator_ctrlrange.T)
        for _ in range(self.substeps):
            mujoco.mj_step(self.model, data)
            if not (np.isfinite(data.qvel).all() and (np.abs(data.qvel) < self.speed).all()):
                return False
        return not any(warning.number for warning in data.warning)


def _tensor(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))


def _drawn_past(env: Any) -> Any:
    """``past_poses`` of the outermost wrapper that draws start states, or ``None``."""
    layer = env
    while isinstance(layer, gym.Wrapper | gym.vector.VectorWrapper):
        if "past_poses" in vars(type(layer)):
            return layer.past_poses  # type: ignore[union-attr]
        layer = layer.env
    return None
