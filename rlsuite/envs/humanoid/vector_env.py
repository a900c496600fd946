"""``rlsuite/HumanoidImitate-v0`` many times over: one batch of simulations, one compiled pass over all rows per term.

The rows are independent: what happens in one depends on its own seed and actions alone (unless ``start="failures"``,
whose statistics all rows share), to the last bit, however many others there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from rlsuite.envs.humanoid.actions import RESIDUAL, ActionMode
from rlsuite.envs.humanoid.clock import SCALARS, Clock, steps_within
from rlsuite.envs.humanoid.demonstrations import Demonstrations
from rlsuite.envs.humanoid.goals import make_goal, mixture
from rlsuite.envs.humanoid.kernels import Array, Rows
from rlsuite.envs.humanoid.mirroring import is_mirrored, of_actions, of_observations
from rlsuite.envs.humanoid.observations import DEFAULT, Observation, View
from rlsuite.envs.humanoid.physics import BatchPhysics
from rlsuite.envs.humanoid.presets import reward_terms
from rlsuite.envs.humanoid.reference import Reference
from rlsuite.envs.humanoid.report import Mask, Report, mask_of, with_finals
from rlsuite.envs.humanoid.rewards import Reward
from rlsuite.envs.humanoid.starts import make_start
from rlsuite.envs.humanoid.state import BodyState
from rlsuite.envs.humanoid.terminations import Terminations
from rlsuite.envs.humanoid.tracking_errors import Situation, parts_of
from rlsuite.errors import HyperparameterError, RecordError
from rlsuite.motion.catalogue import find
from rlsuite.motion.clip import MotionClip
from rlsuite.seeding import generator

CONTROL_RATE = 30.0  # hertz
TIME_LIMIT = 600  # control steps of an episode: 20 s, as DeepMimic's

Out = NDArray[np.float32]


class HumanoidImitateVectorEnv(VectorEnv[Any, Any, Any]):
    """``num_envs`` humanoids that imitate a clip; arguments as :class:`~rlsuite.envs.humanoid.env.HumanoidImitateEnv`.

    Args:
        num_envs: how many.
        autoreset_mode: what happens after the end of an episode, as Gymnasium's vector environments name it.
        threads: of MuJoCo's pool (default: the processors that this process may use).
    """

    metadata: dict[str, Any] = {"render_modes": [], "render_fps": 30, "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012

    def __init__(
        self,
        num_envs: int = 1,
        *,
        clip: str | Path | MotionClip = "walk",
        reward: str | Mapping[str, Any] = "deepmimic-code",
        action_mode: str = "residual",
        action_scale: float = RESIDUAL,
        terminate: Sequence[str] | Mapping[str, Mapping[str, Any]] = ("contact",),
        start: str = "uniform",
        observe: Sequence[str] = DEFAULT,
        frames: int = 1,
        sync: bool = True,
        horizon: float | None = None,
        self_collision: bool = False,
        mirror: bool | str = False,
        anneal: int = 2_000_000,
        goal: str | Mapping[str, Mapping[str, Any]] | None = None,
        mix: tuple[float, float] | None = None,
        max_episode_steps: int | None = TIME_LIMIT,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        threads: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        if render_mode is not None:
            raise HyperparameterError("vector environments are not rendered; make a single one with a render_mode")
        self.metadata = {**self.metadata, "autoreset_mode": AutoresetMode(autoreset_mode)}
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.render_mode = render_mode
        self.num_envs = num_envs
        self.clip = clip if isinstance(clip, MotionClip) else find(clip)
        self.reference = Reference(self.clip)
        self.goal = make_goal(goal)
        share, goal_weight = mixture(self.goal, mix)
        model = self.goal.model(self.reference.shape, self_collision=self_collision)
        skeleton = self.reference.skeleton
        substeps = round(1.0 / (CONTROL_RATE * model.opt.timestep))
        self.physics = BatchPhysics(model, skeleton, num_envs, substeps=substeps, threads=threads)
        self.goal.attach(self.physics, self.reference, goal_weight)
        self.limit = steps_within(horizon, max_episode_steps, CONTROL_RATE)
        self.clock = Clock(self.reference, num_envs, frames=frames, seconds=self.dt, sync=bool(sync), limit=self.limit)
        self.offsets, self.steps, self.gone = self.clock.offsets, self.clock.steps, self.clock.gone
        self.actions = ActionMode(action_mode, model, scale=action_scale, anneal=anneal)
        terms = reward_terms(reward)
        shares = {name: replace(term, weight=share * term.weight) for name, term in terms.items()}
        self.reward = Reward(shares, num_envs)
        self._report = Report(
            self.reward.values | ({self.goal.name: self.goal.values} if self.goal.rewarded else {}), num_envs
        )
        self.divergences = self._report.divergences
        self.terminations = Terminations(terminate, skeleton, self.reference.touching, num_envs)
        self.start = make_start(start, self.clip)
        self.observation = Observation(observe, skeleton, model.nu, self.actions.size, frames)
        self.mirror = is_mirrored(mirror, self.reference, self.observation, self.goal.seen)
        if self.mirror:
            if not self.reference.wraps:
                raise HyperparameterError(f"mirror is for cycles, and clip {self.clip.name!r} is played once")
            if self.goal.seen:
                raise HyperparameterError(f"goal {self.goal.name!r} is not mirrored: choose mirror=False")
            self._reflect_actions = of_actions(skeleton, self.actions.size)
            self._reflect = of_observations(skeleton, self.observation, frames, self.actions.size)
        self._config = {
            "clip": self.clip, "reward": terms, "action_mode": action_mode, "action_scale": action_scale,
            "terminate": dict(self.terminations.limits.values), "start": start, "observe": tuple(observe),
            "frames": frames, "sync": sync, "horizon": horizon, "self_collision": self_collision,
            "mirror": mirror, "anneal": anneal, "goal": goal, "mix": mix,
            "max_episode_steps": max_episode_steps, "threads": threads,
        }  # fmt: skip

        self.single_action_space = self.actions.space
        self.single_observation_space = spaces.Box(
            -np.inf, np.inf, (self.observation.size + self.goal.seen,), np.float32
        )
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)

        n = num_envs
        self._all: Rows = np.arange(n)
        self._parts = parts_of(skeleton)
        self._random: list[np.random.Generator] | None = None
        self.previous = np.zeros((n, self.actions.size))
        self._ended = np.zeros(n, np.bool_)
        self._mirrored = np.zeros(n, np.bool_)  # where the policy looks into the mirror
        self._observations: Out = np.zeros((n, self.observation.size + self.goal.seen), np.float32)
        self._simulators: dict[int, HumanoidImitateVectorEnv] = {}

    @property
    def dt(self) -> float:
        """Seconds of a control step."""
        return self.physics.seconds

    @property
    def times(self) -> Array:
        """``(n,)`` seconds of the clip."""
        return self.clock.times

    @property
    def _now(self) -> BodyState:
        """The reference that rewards look at."""
        return self.clock.now

    @property
    def demonstrations(self) -> Demonstrations:
        """Transitions of the reference as the policy would see them, for agents that learn from its style."""
        if self.mirror:
            raise HyperparameterError("demonstrations are not mirrored: choose mirror=False")
        return Demonstrations(self.reference, self.observation, self.dt)

    @property
    def observations(self) -> Out:
        """``(n, m)``: what is seen now, as :meth:`reset` and :meth:`step` give it."""
        return self._observations.copy()

    # -- Gymnasium ------------------------------------------------------------------------------------------------------

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Out, dict[str, Any]]:
        """Begin new episodes in all rows, or with ``options={"reset_mask": …}`` in some.

        Row i has the seed ``seed + i``. ``options={"time": t}`` begins at that time of the clip, in seconds (one number or
        one per row).
        """
        options = dict(options or {})
        mask = options.pop("reset_mask", None)
        rows = self._all if mask is None else np.flatnonzero(np.asarray(mask, np.bool_))
        if mask is not None and np.shape(mask) != (self.num_envs,):
            raise HyperparameterError(f"reset_mask must be {self.num_envs} flags, not of shape {np.shape(mask)}")
        seeds = _seeds(seed, self.num_envs)
        if self._random is None:
            fresh = np.random.SeedSequence().spawn(self.num_envs)
            self._random = [np.random.Generator(np.random.PCG64(sequence)) for sequence in fresh]
        for i in rows:
            if (own := seeds[i]) is not None:
                self._random[i] = generator(own)
        self._begin(rows, options.pop("time", None))
        return self._observations.copy(), {"time": self.times.copy(), "_time": mask_of(rows, self.num_envs)}

    def step(self, actions: Any) -> tuple[Out, Array, Mask, Mask, dict[str, Any]]:
        """One control step (1/30 s) of every row; ``reward/NAME`` of the info are the terms of the reward."""
        if self._random is None:
            raise gym.error.ResetNeeded("Cannot call env.step() before calling env.reset()")
        actions = np.asarray(actions, np.float64).reshape(self.num_envs, self.actions.size)
        waiting = self._ended & (self.autoreset_mode is AutoresetMode.NEXT_STEP)
        rows = self._all if not waiting.any() else np.flatnonzero(~waiting)
        again = np.flatnonzero(waiting)
        rewards, terminated, truncated = np.zeros(self.num_envs), np.zeros_like(waiting), np.zeros_like(waiting)
        info: dict[str, Any] = {}
        if len(rows):
            info = self._advance(rows, actions, rewards, terminated, truncated)
        if len(again):
            self._begin(again)
        self._ended = terminated | truncated
        if self.autoreset_mode is AutoresetMode.SAME_STEP and self._ended.any():
            info = with_finals(info, self._ended, self._observations)
            self._begin(np.flatnonzero(self._ended))
            self._ended = np.zeros_like(self._ended)
        return self._observations.copy(), rewards, terminated, truncated, info

    def close_extras(self, **kwargs: Any) -> None:
        self._simulators.clear()

    def metrics(self) -> dict[str, float]:
        """Since the last call: mean of each term of the reward per control step, and failures per second; and how many
        simulations have broken down in all.
        """
        return self._report.metrics(self.dt)

    # -- the step -------------------------------------------------------------------------------------------------------

    def _advance(self, rows: Rows, actions: Array, rewards: Array, terminated: Mask, truncated: Mask) -> dict[str, Any]:
        physics, clock = self.physics, self.clock
        if self._mirrored.any():
            actions = np.where(self._mirrored[:, None], self._reflect_actions(actions), actions)
        self.actions.apply(rows, actions, clock.future[0], self.gone, physics.ctrl, physics.root_force)
        self.goal.act(rows, self.times)
        diverged = physics.step(None if len(rows) == self.num_envs else rows)
        clock.advance(rows, physics.state)
        actions = np.clip(actions, -1.0, 1.0)
        if diverged.any():
            actions = np.where(np.isfinite(actions), actions, 0.0)
        situation = Situation(physics.state, clock.now, physics.touching, actions, self.previous, self._parts)
        self.reward(situation, rows, rewards)
        if self.goal.rewarded:
            self.goal.judge(rows)
            rewards[rows] += self.goal.values[rows]
        failed = diverged.copy()
        self.terminations(situation, rows, failed)
        failed &= mask_of(rows, self.num_envs)
        rewards[failed] = 0.0
        terminated |= failed
        terminated[rows] |= clock.ended(rows)
        truncated[rows] = clock.late(rows) & ~terminated[rows]
        self.previous[rows] = actions[rows]
        if failed.any():
            self.start.failed(self.times[failed])
        self.goal.renew(rows)
        self._look(rows)
        return self._report.step(rows, self.terminations.flags, failed, diverged, self.times)

    def _begin(self, rows: Rows, times: Any = None) -> None:
        """New episodes at ``rows``."""
        assert self._random is not None
        luck = np.array([self._random[i].random() for i in rows])
        drawn = np.array([self.start.time(u) for u in luck.tolist()])
        if times is not None:
            drawn = np.broadcast_to(np.asarray(times, np.float64), (self.num_envs,))[rows]
            if not np.isfinite(drawn).all():
                raise HyperparameterError("the time to begin at must be a finite number of seconds")
        self.clock.begin(rows, drawn)
        self.previous[rows], self._ended[rows] = 0.0, False
        self.goal.begin(rows, luck, self.times, self.clock.now)
        self._look(rows)

    def _look(self, rows: Rows) -> None:
        """Reference of the steps to come, and what is seen at ``rows``."""
        self.clock.look_ahead(rows)
        turn = 2.0 * np.pi if self.reference.wraps else np.pi
        view = View(
            self.physics.state, self.clock.future, self.reference.phase(self.times), turn, self.physics.touching,
            self.previous, self.observation.ends, self.clock.now,
        )  # fmt: skip
        self.observation(view, rows, self._observations)
        if self.goal.seen:
            self.goal.observe(rows, self._observations[:, self.observation.size :])
        if self.mirror:
            self._mirrored[rows] = view.phase[rows] >= 0.5
            seen = rows[self._mirrored[rows]]
            self._observations[seen] = self._reflect(self._observations[seen])

    # -- states: planning and resuming ------------------------------------------------------------------------------------

    def get_states(self) -> Array:
        """``(n, m)`` float64: everything that the future of each row depends on besides its random generator."""
        own, touching = self.physics.rows_of_state(), self.physics.touching.astype(np.float64)
        return np.concatenate((own, self.clock.scalars(), touching, self.previous, self.goal.memory), axis=1)

    def set_states(self, states: Any, rows: Rows | None = None) -> None:
        """Put rows of :meth:`get_states` back at ``rows`` (default: all); the episodes there go on from them.

        Raises:
            RecordError: they are not of this environment's width.
        """
        rows = self._all if rows is None else np.asarray(rows, np.intp)
        states = np.asarray(states, np.float64)
        m, parts, goal = self.physics.batch.nstate, self.physics.skeleton.nbody, self.goal.memory.shape[1]
        after = m + SCALARS
        width = after + parts + self.actions.size + goal
        if states.shape != (len(rows), width):
            raise RecordError(f"states must be ({len(rows)}, {width}) for this environment, not {states.shape}")
        self.clock.put_back(rows, states[:, m:after])
        self.previous[rows] = states[:, after + parts : width - goal]
        self.goal.memory[rows] = states[:, width - goal :]
        self.physics.set_rows_of_state(rows, states[:, :m])
        self.physics.touching[rows] = states[:, after : after + parts] > 0.0
        self._ended[rows] = False
        self._look(rows)

    def simulate(self, states: Any, actions: Any) -> Array:
        """Rewards ``(n, horizon)`` of acting out ``actions`` ``(n, horizon, size)`` from ``states`` ``(n, m)`` or ``(m,)``.

        Nothing happens to this environment. After the end of an episode there is no reward any more.
        """
        actions = np.asarray(actions, np.float64)
        if actions.ndim != 3 or actions.shape[2] != self.actions.size:
            raise HyperparameterError(f"actions must be (n, horizon, {self.actions.size}), not {actions.shape}")
        n, horizon = actions.shape[:2]
        if n not in self._simulators:
            self._simulators[n] = HumanoidImitateVectorEnv(
                n, autoreset_mode=AutoresetMode.DISABLED, **self._config  # type: ignore[arg-type]
            )  # fmt: skip
        twin = self._simulators[n]
        if twin._random is None:
            twin.reset(seed=0)
        twin.set_states(np.broadcast_to(np.asarray(states, np.float64), (n, np.shape(states)[-1])))
        rewards, going = np.zeros((n, horizon)), np.ones(n, np.bool_)
        for t in range(horizon):
            _, reward, terminated, truncated, _ = twin.step(actions[:, t])
            rewards[:, t] = np.where(going, reward, 0.0)
            going &= ~(terminated | truncated)
        return rewards

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        arrays = {
            "states": self.get_states(),
            "ended": self._ended,
            "divergences": self.divergences,
            "sums": self._report.sums,
        }
        return arrays | {f"start.{name}": array for name, array in self.start.state_arrays().items()}

    def state_values(self) -> dict[str, Any]:
        random = None if self._random is None else [dict(g.bit_generator.state) for g in self._random]
        return {"random": random}

    def load_state(self, arrays: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> None:
        """Put back what :meth:`state_arrays` and :meth:`state_values` gave.

        Raises:
            RecordError: they are of another environment, or damaged.
        """
        random = values["random"]
        if random is not None and len(random) != self.num_envs:
            raise RecordError(f"the state is that of {len(random)} environments, not of {self.num_envs}")
        for name in ("ended", "divergences"):
            if arrays[name].shape != (self.num_envs,):
                raise RecordError(f"the state needs {name} of {self.num_envs} environments")
        if arrays["sums"].shape != self._report.sums.shape:
            raise RecordError(f"the state needs sums of {len(self._report.terms)} terms of the reward")
        self.start.load_state({name.removeprefix("start."): a for name, a in arrays.items() if name[:6] == "start."})
        self.set_states(arrays["states"])
        self._ended = arrays["ended"].astype(np.bool_)
        self.divergences[:], self._report.sums[:] = arrays["divergences"], arrays["sums"]
        self._random = None if random is None else [generator(0) for _ in random]
        for mine, saved in zip(self._random or [], random or [], strict=True):
            mine.bit_generator.state = saved


def _seeds(seed: int | Sequence[int | None] | None, n: int) -> list[int | None]:
    """One for each row: ``seed + i``, as Gymnasium's vector environments have it, or the list's own."""
    if seed is None:
        return [None] * n
    if isinstance(seed, int | np.integer):
        return [int(seed) + i for i in range(n)]
    if len(seed) != n:
        raise HyperparameterError(f"there are {n} environments but {len(seed)} seeds")
    return list(seed)
