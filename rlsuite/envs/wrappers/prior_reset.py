"""Start states drawn from a generative model (the generative state initialisation of SMP, arXiv 2512.03028).

Episodes begin anywhere the model thinks likely, not only where a recording has been. A draw that makes no start, such as a
foot in the floor, is drawn again; after ``attempts`` of them the environment's own start state is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.wrappers.features import ONE, Array, Episodes, Luck, Rows, frozen, model_of
from rlsuite.errors import CapabilityError, HyperparameterError, InvalidEnvironmentError
from rlsuite.generative.model import GenerativeModel
from rlsuite.motion.priors.prior import MotionPrior

ATTEMPTS = 10

Place: TypeAlias = Callable[[Any, Any], Any]


class HumanoidStarts:
    """Puts bodies where a motion prior says: the pose and velocities at the end of a drawn stretch of motion, on the
    place and heading that the environment chose. A prior of poses gives a body at rest.

    Attributes:
        drawn, rejected: how many states were drawn, and how many of them were no starts.
    """

    def __init__(self, env: Any, prior: MotionPrior, attempts: int) -> None:
        from rlsuite.envs.wrappers.humanoid import Examiner, check_fit, core_of

        if attempts < 1:
            raise HyperparameterError(f"attempts is at least 1, not {attempts!r}")
        if not prior.coordinates.root:
            raise CapabilityError("start states need a prior of the root's motion, too; this one is of joints alone")
        self.prior, self.core, self.attempts = prior, core_of(env), attempts
        check_fit(prior, self.core)
        frozen(prior.model)
        self.fits = Examiner(self.core)
        self.drawn = self.rejected = 0
        self._past: dict[int, Array] = {}  # by row: poses ``(T, nq)`` before its start

    def begin(self, rows: Rows, luck: Luck) -> NDArray[np.bool_]:
        """Which of ``rows`` begin at a drawn state; the environment's observations are current."""
        physics, placed = self.core.physics, np.zeros(len(rows), np.bool_)
        for i in rows.tolist():
            self._past.pop(i, None)
        for _ in range(self.attempts):
            waiting = np.flatnonzero(~placed)
            for k, frames in zip(waiting.tolist(), self._stretches(len(waiting), luck), strict=True):
                i = int(rows[k])
                poses, velocity = self._motion(frames, physics.state.qpos[i])
                self.drawn += 1
                if not self.fits(poses[-1], velocity):
                    self.rejected += 1
                    continue
                self._past[i] = poses[:-1]
                qpos, qvel = physics.fields[0][i].copy(), physics.fields[1][i].copy()  # with what else is in the world
                qpos[: len(poses[-1])], qvel[: len(velocity)] = poses[-1], velocity
                physics.place(np.array([i]), qpos[None], qvel[None])
                placed[k] = True
        chosen = rows[placed]
        if len(chosen):
            self.core.set_states(self.core.get_states()[chosen], chosen)  # what is seen follows
        return placed

    def _stretches(self, n: int, luck: Luck) -> Array:
        """``(n, T, size)``: frames whose last one is the start."""
        from rlsuite.motion.priors.rollout import frames

        prior = self.prior
        if prior.kind == "pose":
            poses = prior.model.sample(n, generator=luck.generator).double().numpy()[:, None].repeat(2, 1)
            poses[:, :, 3:6] = 0.0
            return poses
        length = prior.length if prior.kind == "window" else max(2, prior.past)
        return frames(prior, n, length, luck.generator).double().numpy()

    def _motion(self, frames: Array, where: Array) -> tuple[Array, Array]:
        """Poses ``(T, nq)`` of a stretch that ends at the ground place and heading of ``where (nq)``, and its velocity."""
        from rlsuite.motion import rotations as rot
        from rlsuite.motion import sampling

        skeleton, ground = self.prior.coordinates.skeleton, np.array([1.0, 1.0, 0.0])
        poses = self.prior.coordinates.decode(frames, self.prior.fps)
        turn = rot.multiply(rot.heading(where[3:7]), rot.conjugate(rot.heading(poses[-1, 3:7])))
        poses[:, :3] = rot.rotate(turn, poses[:, :3] - ground * poses[-1, :3]) + ground * where[:3]
        poses[:, 3:7] = rot.multiply(turn, poses[:, 3:7])
        return poses, sampling.difference(skeleton, poses[-2], poses[-1]) * self.prior.fps

    def past(self, row: int, count: int) -> Array | None:
        """``(count, nq)`` poses before the start, the first standing for those before it; ``None`` if it was not drawn."""
        return None if row not in self._past else _last(self._past[row], count)


def _last(poses: Array, count: int) -> Array:
    missing = max(0, count - len(poses))
    return np.concatenate([poses[:1].repeat(missing, 0), poses])[-count:]


class PriorReset(gym.Wrapper[Any, Any, Any, Any]):
    """A single environment whose episodes begin at draws from a model.

    Args:
        model: a motion prior with the root, for the humanoid; or any model, with ``place``.
        place: ``(env, event) -> observation``, which puts an event in as the state, or gives ``None`` if it cannot be one.
        attempts: draws before the environment's own start state is kept; ``info["start/drawn"]`` says whether.
    """

    def __init__(
        self, env: gym.Env[Any, Any], model: Any, place: Place | None = None, *, attempts: int = ATTEMPTS
    ) -> None:
        super().__init__(env)
        self.starts = _starts(env, model, place, attempts)
        self._luck = Luck()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(seed=seed, options=options)
        self._luck.reset(seed)
        if isinstance(self.starts, HumanoidStarts):
            placed = bool(self.starts.begin(ONE, self._luck)[0])
            observation = self.starts.core.observations[0] if placed else observation
        else:
            found = self.starts.begin(self.env, self._luck)
            placed = found is not None
            observation = found if placed else observation
        return observation, {**info, "start/drawn": placed}

    def past_poses(self, row: int, count: int) -> Array | None:
        """Of a humanoid: see :meth:`HumanoidStarts.past`."""
        return self.starts.past(row, count) if isinstance(self.starts, HumanoidStarts) else None


class VectorPriorReset(gym.vector.VectorWrapper):
    """The same of the humanoid's vector environment, in every episode of every row.

    Raises:
        InvalidEnvironmentError: its autoreset mode is SameStep.
    """

    def __init__(self, env: gym.vector.VectorEnv[Any, Any, Any], model: Any, *, attempts: int = ATTEMPTS) -> None:
        super().__init__(env)
        if not isinstance(model, MotionPrior):
            raise InvalidEnvironmentError(
                "vector environments are reset by a motion prior; wrap single ones with place"
            )
        self.starts = HumanoidStarts(env, model, attempts)
        self._luck, self._episodes = Luck(), Episodes(env)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        observations, info = self.env.reset(seed=seed, options=options)
        self._luck.reset(seed)
        rows = self._episodes.reset(options)
        return self._begin(observations, info, rows)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        observations, rewards, terminated, truncated, info = self.env.step(actions)
        _, begun = self._episodes.step(terminated, truncated)
        if len(begun):
            observations, info = self._begin(observations, info, begun)
        return observations, rewards, terminated, truncated, info

    def _begin(self, observations: Any, info: dict[str, Any], rows: Rows) -> tuple[Any, dict[str, Any]]:
        placed, begun = np.zeros(self.num_envs, np.bool_), np.zeros(self.num_envs, np.bool_)
        placed[rows], begun[rows] = self.starts.begin(rows, self._luck), True
        observations = np.where(placed[:, None], self.starts.core.observations, observations)
        return observations, {**info, "start/drawn": placed, "_start/drawn": begun}

    def past_poses(self, row: int, count: int) -> Array | None:
        """See :meth:`HumanoidStarts.past`."""
        return self.starts.past(row, count)


class Placed:
    """Draws of any model put in by a function."""

    def __init__(self, model: GenerativeModel, place: Place, attempts: int) -> None:
        if attempts < 1:
            raise HyperparameterError(f"attempts is at least 1, not {attempts!r}")
        if model.condition_shape is not None:
            raise CapabilityError(f"start states need a model without conditions; {model.name} needs them")
        self.model, self.place, self.attempts = frozen(model), place, attempts
        self.drawn = self.rejected = 0

    def begin(self, env: Any, luck: Luck) -> Any:
        """The observation of the first draw that was accepted, or ``None``."""
        for _ in range(self.attempts):
            event = self.model.sample(generator=luck.generator).double().numpy()
            self.drawn += 1
            observation = self.place(env, event)
            if observation is not None:
                return observation
            self.rejected += 1
        return None


def _starts(env: Any, model: Any, place: Place | None, attempts: int) -> HumanoidStarts | Placed:
    if place is not None:
        return Placed(model_of(model), place, attempts)
    if not isinstance(model, MotionPrior):
        raise InvalidEnvironmentError(
            "a generative model's draws are put into an environment by a function: give place"
        )
    return HumanoidStarts(env, model, attempts)
