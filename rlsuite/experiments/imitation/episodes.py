"""Episodes of a policy that performs a clip, all played at once and written down as motion.

Whatever a policy was trained with, it is judged by the same episodes: DeepMimic's (Peng et al. 2018, released code). The
reward is ``deepmimic-code``; an episode begins at a random time of the clip, lasts 20 s, or until a clip that is played
once ends, and is over when a part touches the floor that is no foot and does not come near it in the clip: a fall. A force
that helped the root while training is switched off.

With a goal the imitation and the goal are measured apart, both from 0 to 1. Where the goal leads elsewhere than the clip
(heading, location, getting up), ``local`` measures the imitation, which is blind to place and heading; whoever begins on the
floor does not fall.

Of several clips the reward is measured against the one that is wanted, or, with ``multi="max"``, the one performed best; an
episode ends with none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from rlsuite.agents.evaluation import episode_seeds, tell_where
from rlsuite.envs.humanoid.goals import make_goal
from rlsuite.envs.humanoid.goals.goal import Goal
from rlsuite.envs.humanoid.goals.push import Push
from rlsuite.envs.humanoid.vector_env import CONTROL_RATE, HumanoidImitateVectorEnv
from rlsuite.motion import metrics
from rlsuite.motion.alignment import to_root
from rlsuite.motion.body import FEET
from rlsuite.motion.clip import MotionClip

Array = NDArray[np.float64]
Act = Callable[[NDArray[np.float32]], NDArray[Any]]  # observations (n, …) -> actions (n, …)

SECONDS = 20.0


@dataclass(frozen=True, eq=False)
class Episode:
    """What one body did, and what it should have done; ``T`` control steps of 1/30 s.

    Attributes:
        performed: ``T + 1`` poses, with the feet's contacts. reference: the poses it should have had. In a cycle the
            reference moves, at every beginning, to where the body then is on the ground, as in the environment.
        rewards: ``(T,)`` of imitation. possible: control steps that the episode would have had without a fall. fell: how
            it ended. goals: ``(T,)`` the goal's own rewards, where there is one; 0 after a failure. goal: its kind.
            points: ``(T + 1, k, 3)`` what it asked for, to be drawn by its ``marks``.
        which: ``(T + 1,)`` the clip, of several.
        torque: ``(T,)`` mean size of the joints' torques, N m. power: ``(T,)`` mechanical power of all of them, W.
    """

    performed: MotionClip
    reference: MotionClip
    rewards: Array
    possible: int
    fell: bool
    torque: Array
    power: Array
    goals: Array | None = None
    goal: type[Goal] = Goal
    points: Array = field(default_factory=lambda: np.zeros((0, 0, 3)))
    which: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))

    @property
    def normalised_return(self) -> float:
        """Mean reward over the whole time, 0 after a fall: 1 is exact tracking to the end."""
        return float(self.rewards.sum()) / self.possible

    @property
    def goal_reward(self) -> float:
        """Mean of the goal's reward over the whole time, 0 after a fall."""
        assert self.goals is not None
        return float(self.goals.sum()) / self.possible

    @property
    def goal_attained(self) -> bool:
        """Whether the goal is attained at the end, without a fall."""
        return self.goals is not None and not self.fell and bool(self.goals[-1] >= self.goal.reached)

    @cached_property
    def distances(self) -> Array:
        """``(T + 1, b)`` metres of every part from where it should be."""
        return metrics.distances(self.performed.bodies[0], self.reference.bodies[0])

    @property
    def mpjpe(self) -> float:
        """Metres, in the world."""
        return float(self.distances.mean())

    @property
    def mpjpe_root(self) -> float:
        """Metres, both roots in one place."""
        here, there = (clip.bodies[0] for clip in (self.performed, self.reference))
        return metrics.mpjpe(to_root(here, here[:, 0]), to_root(there, there[:, 0]))

    @property
    def success(self) -> bool:
        """No fall, and no part ever half a metre or more from where it should be."""
        return not self.fell and bool(self.distances.max() < metrics.SUCCESS_DISTANCE)


def evaluation_env(env_kwargs: Mapping[str, Any], n: int, *, seconds: float = SECONDS) -> HumanoidImitateVectorEnv:
    """``n`` bodies to judge a policy by that was trained in an environment of ``env_kwargs`` (all: ``all_arguments``)."""
    goal = make_goal(env_kwargs.get("goal"))
    terminate = env_kwargs.get("terminate", ())
    contact = terminate.get("contact", {}) if isinstance(terminate, Mapping) else {}
    given = {name: value for name, value in env_kwargs.items() if name not in ("start", "horizon", "render_mode")}
    judged: dict[str, Any] = {
        "reward": goal.imitation, "terminate": {"contact": contact} if goal.falls else {},
        "mix": (1.0, 1.0 if goal.rewarded else 0.0), "max_episode_steps": round(seconds * CONTROL_RATE),
        "autoreset_mode": AutoresetMode.DISABLED,
    }  # fmt: skip
    env = HumanoidImitateVectorEnv(n, **(given | judged))
    env.gone[:] = env.actions.anneal  # the root force of residual_force has faded away
    return env


def without_pushes(env_kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The same environment where only one's own pushes act: the goal ``push``, which nobody sees, would undo them."""
    pushed = make_goal(env_kwargs.get("goal")).name == Push.name
    return {name: value for name, value in env_kwargs.items() if not (pushed and name in ("goal", "mix"))}


def lasting(env: HumanoidImitateVectorEnv) -> bool:
    """Whether episodes go on for as long as one likes, and do not end with the clip."""
    return env.multi is not None or env.reference.wraps


def clip_names(clips: Sequence[MotionClip]) -> list[str]:
    """What to call them: all different."""
    return distinct([clip.name or "clip" for clip in clips])


def distinct(names: Sequence[str]) -> list[str]:
    """Names that are all different: the second of the same is ``name-2``."""
    return [f"{name}-{names[:k].count(name) + 1}" if name in names[:k] else name for k, name in enumerate(names)]


def play(
    act: Act,
    env: HumanoidImitateVectorEnv | Any,
    seed: int,
    *,
    options: dict[str, Any] | None = None,
    wanted: Sequence[str | int] = (),
) -> list[Episode]:
    """One episode in every row of ``env`` (:func:`evaluation_env`); the same seed gives the same starts.

    ``wanted``: clips asked for one after the other, each for an equal share of the time, where one can ask.
    """
    n = env.num_envs
    if wanted:
        options = {**(options or {}), "clip": wanted[0]}
    asked = {int(env.limit * k / len(wanted)): clip for k, clip in enumerate(wanted) if k}
    steps = 0
    observations, _ = env.reset(seed=episode_seeds(seed, n), options=options)
    tell_where(act, env)
    record = _Record(env)
    record.frame()
    going, fell, lengths, possible = np.ones(n, np.bool_), np.zeros(n, np.bool_), np.zeros(n, np.intp), _possible(env)
    while going.any():
        if steps in asked:
            env.ask(asked[steps])
        steps += 1
        observations, rewards, terminated, truncated, info = env.step(act(observations))
        record.step(rewards, info)
        lengths[going] += 1
        fell |= going & info["failed"]
        going &= ~(terminated | truncated)
    return [record.episode(i, int(lengths[i]), int(possible[i]), bool(fell[i])) for i in range(n)]


def _possible(env: HumanoidImitateVectorEnv) -> NDArray[np.intp]:
    """``(n,)`` control steps from now until the time limit, or the end of a clip that is played once."""
    steps = np.full(env.num_envs, env.limit)
    if not lasting(env):
        steps = np.minimum(steps, np.ceil((env.reference.duration - env.times) / env.dt - 1e-6))
    return np.maximum(steps, 1.0).astype(np.intp)


class _Record:
    """What is written down of all rows, step by step."""

    def __init__(self, env: HumanoidImitateVectorEnv) -> None:
        self.env = env
        self._torque = env.physics.batch.bind("actuator_force")
        joints = env.physics.model.actuator_trnid[:, 0]
        self._dofs = env.physics.model.jnt_dofadr[joints]
        self._frames: list[tuple[Array, Array, NDArray[np.bool_], Array, NDArray[np.intp]]] = []
        self._steps: list[tuple[Array, Array, Array, Array]] = []

    def frame(self) -> None:
        env, physics = self.env, self.env.physics
        reference, which = env.clock.now.qpos.copy(), env.clock.which.copy()
        self._frames.append((physics.state.qpos.copy(), reference, physics.touching.copy(), env.goal.points(), which))

    def step(self, rewards: Array, info: Mapping[str, Any]) -> None:
        self.frame()
        goals = np.zeros_like(rewards)
        if self.env.goal.rewarded:
            goals = np.where(info["failed"], 0.0, info[f"reward/{self.env.goal.name}"])
        power = np.abs(self._torque * self.env.physics.state.qvel[:, self._dofs]).sum(axis=1)
        self._steps.append((rewards - goals, goals, np.abs(self._torque).mean(axis=1), power))

    def episode(self, i: int, length: int, possible: int, fell: bool) -> Episode:
        frames = self._frames[: length + 1]
        poses, reference, touching, points, which = (np.stack([frame[k][i] for frame in frames]) for k in range(5))
        rewards, goals, torque, power = (np.array([step[k][i] for step in self._steps[:length]]) for k in range(4))
        clip, skeleton, goal = self.env.clip, self.env.reference.skeleton, self.env.goal
        name = "+".join(clip_names(self.env.clips)) if self.env.multi else clip.name
        licence = " and ".join(dict.fromkeys(one.licence for one in self.env.clips if one.licence))
        touching[0] = touching[1]  # unknown where an episode begins
        performed = MotionClip(
            poses, CONTROL_RATE, skeleton, name, contacts=touching[:, [skeleton.body(foot) for foot in FEET]],
            contact_names=FEET, provenance=clip.provenance, licence=licence,
        )  # fmt: skip
        return Episode(
            performed.with_step("perform", clip=name, fell=fell),
            MotionClip(reference, CONTROL_RATE, skeleton, name, licence=licence),
            rewards, possible, fell, torque, power, goals if goal.rewarded else None, type(goal), points, which,
        )  # fmt: skip
