"""``rlsuite/HumanoidImitate-v0`` many times over: one batch of simulations, one compiled pass over all rows per term.

The rows are independent: what happens in one depends on its own seed and actions alone (unless ``start="failures"``,
whose statistics all rows share), to the last bit, however many others there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from rlsuite.envs.humanoid.actions import RESIDUAL, ActionMode
from rlsuite.envs.humanoid.clock import Clock, steps_within
from rlsuite.envs.humanoid.demonstrations import Demonstrations
from rlsuite.envs.humanoid.goals import make_goal, mixture
from rlsuite.envs.humanoid.kernels import Array, Rows
from rlsuite.envs.humanoid.max_composite import MaxComposite, MaxReward
from rlsuite.envs.humanoid.medley import Clip, Medley, checked_multi, clips_of, index_of
from rlsuite.envs.humanoid.mirroring import Lean, Part, Reflection, chosen, of_actions, of_observations
from rlsuite.envs.humanoid.observations import DEFAULT, Observation, View
from rlsuite.envs.humanoid.physics import BatchPhysics
from rlsuite.envs.humanoid.presets import reward_terms
from rlsuite.envs.humanoid.reference import Reference
from rlsuite.envs.humanoid.report import Mask, Report, mask_of, with_finals
from rlsuite.envs.humanoid.rewards import Reward
from rlsuite.envs.humanoid.selector import INTERVAL, Selector
from rlsuite.envs.humanoid.starts import Starts
from rlsuite.envs.humanoid.state import BodyState
from rlsuite.envs.humanoid.states import States
from rlsuite.envs.humanoid.terminations import Terminations
from rlsuite.envs.humanoid.tracking_errors import Situation, parts_of
from rlsuite.errors import HyperparameterError
from rlsuite.seeding import generator

CONTROL_RATE = 30.0  # hertz
TIME_LIMIT = 600  # control steps of an episode: 20 s, as DeepMimic's

Out = NDArray[np.float32]


class HumanoidImitateVectorEnv(States, VectorEnv[Any, Any, Any]):
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
        clip: Clip | Sequence[Clip] = "walk",
        multi: str | None = None,
        interval: float | tuple[float, float] | None = INTERVAL,
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
        self.goal = make_goal(goal)
        self.clips = clips_of(clip)
        self.multi = checked_multi(multi, self.clips, self.goal.of_several, self.goal.name)
        self.references = tuple(Reference(one) for one in self.clips)
        self.clip, self.reference = self.clips[0], self.references[0]
        share, goal_weight = mixture(self.goal, mix)
        model = self.goal.model(self.reference.shape, self_collision=self_collision)
        skeleton = self.reference.skeleton
        substeps = round(1.0 / (CONTROL_RATE * model.opt.timestep))
        self.physics = BatchPhysics(model, skeleton, num_envs, substeps=substeps, threads=threads)
        self.goal.attach(self.physics, self.reference, goal_weight)
        self.collides = self_collision
        self.limit = steps_within(horizon, max_episode_steps, CONTROL_RATE)
        self.actions = ActionMode(action_mode, model, scale=action_scale, anneal=anneal)

        def look(names: Sequence[str]) -> Observation:
            return Observation(names, skeleton, model.nu, self.actions.size, frames)

        self.observation = look(observe)
        playing: dict[str, Any] = {"frames": frames, "seconds": self.dt, "sync": bool(sync), "limit": self.limit}
        self.clock = (
            Clock(self.reference, num_envs, **playing) if self.multi is None
            else Selector(self.references, num_envs, interval=interval, **playing) if self.multi == "selector"
            else MaxComposite(self.references, num_envs, pieces=observe, look=look, **playing)
        )  # fmt: skip
        self.offsets, self.steps, self.gone = self.clock.offsets, self.clock.steps, self.clock.gone
        terms = reward_terms(reward)
        shares = {name: replace(term, weight=share * term.weight) for name, term in terms.items()}
        self.reward = (
            MaxReward(shares, num_envs, self.clock)
            if isinstance(self.clock, MaxComposite)
            else Reward(shares, num_envs)
        )
        self._report = Report(
            self.reward.values | ({self.goal.name: self.goal.values} if self.goal.rewarded else {}), num_envs
        )
        self.divergences = self._report.divergences
        touching = np.stack([reference.touching for reference in self.references])
        self.terminations = Terminations(terminate, skeleton, touching, num_envs, self.clock.which)
        self.start = Starts(start, self.clips)
        mirrors = {chosen(mirror, reference, self.observation, self.goal.seen) for reference in self.references}
        self.mirror = mirrors.pop() if len(mirrors) == 1 else None
        if self.mirror:
            self._reflect_actions = of_actions(skeleton, self.actions.size)

            def part(of: Observation) -> Part:
                later = self.mirror == "halves"
                reflection = of_observations(skeleton, of, frames, self.actions.size, later=later)
                return reflection.index.tolist(), reflection.sign.tolist()

            self._reflect = Reflection.of(part(self.observation), *self.clock.mirrored(part))
            self._leans = Lean(skeleton)
        self._config = {
            "clip": self.clips, "multi": multi, "interval": interval, "reward": terms, "action_mode": action_mode,
            "action_scale": action_scale, "terminate": dict(self.terminations.limits.values), "start": start,
            "observe": tuple(observe), "frames": frames, "sync": sync, "horizon": horizon,
            "self_collision": self_collision, "mirror": mirror, "anneal": anneal, "goal": goal, "mix": mix,
            "max_episode_steps": max_episode_steps, "threads": threads,
        }  # fmt: skip

        self.single_action_space = self.actions.space
        seen = self.observation.size + self.goal.seen + self.clock.seen
        self.single_observation_space = spaces.Box(-np.inf, np.inf, (seen,), np.float32)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)

        n = num_envs
        self._all: Rows = np.arange(n)
        self._parts = parts_of(skeleton)
        self._random: list[np.random.Generator] | None = None
        self.previous = np.zeros((n, self.actions.size))
        self._ended = np.zeros(n, np.bool_)
        self._mirrored = np.zeros(n, np.bool_)  # where the policy looks into the mirror
        self._observations: Out = np.zeros((n, seen), np.float32)
        self._simulators = {}

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
        if self.multi is not None:
            raise HyperparameterError(f"demonstrations are of one clip, not of {len(self.clips)}")
        mirror = (self._find_mirrored, self._reflect) if self.mirror else None
        return Demonstrations(self.reference, self.observation, self.dt, mirror)

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
        one per row); of several clips ``{"clip": name or number}`` begins with that one.
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
        self._begin(rows, options.pop("time", None), options.pop("clip", None))
        info, begun = self.clock.where(), mask_of(rows, self.num_envs)
        return self._observations.copy(), info | {f"_{name}": begun for name in info}

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

    def ask(self, clip: str | int, rows: Rows | None = None) -> None:
        """Perform another clip, by its name or number, at ``rows`` (default: all) when the present one ends.

        Raises:
            HyperparameterError: ``multi`` is not ``"selector"``. UnknownNameError: it is none of the clips.
        """
        self.clock.ask(self._all if rows is None else rows, index_of(clip, self.clips))

    def close_extras(self, **kwargs: Any) -> None:
        self._simulators.clear()

    def metrics(self) -> dict[str, float]:
        """Since the last call: mean of each term of the reward per control step, and failures per second; and how many
        simulations have broken down in all.
        """
        return self._report.metrics(self.dt)

    # -- in company: see rlsuite.envs.humanoid.relay ------------------------------------------------------------------------

    def share(self, physics: BatchPhysics) -> None:
        """Move these bodies from now on, with a reference that may be anywhere."""
        self.physics = physics
        self.goal.attach(physics, self.reference, self.goal.weight)
        clock = Medley(
            [self.reference], self.num_envs, frames=len(self.clock.future), seconds=self.dt,
            sync=bool(self._config["sync"]), limit=np.inf,
        )  # fmt: skip
        clock.gone[:] = self.gone
        self.clock, self.offsets, self.steps, self.gone = clock, clock.offsets, clock.steps, clock.gone

    def enter(self, rows: Rows, luck: Array) -> None:
        """Begin the clip at ``rows``, where the bodies are and as they face; ``luck`` ``(len(rows),)`` from [0, 1)."""
        assert isinstance(self.clock, Medley)
        self.clock.begin(rows, np.zeros(len(rows), np.intp), np.zeros(len(rows)), luck)
        self.clock.move_to(rows, self.physics.state, self.physics.state)
        self.previous[rows] = 0.0
        self.goal.enter(rows, luck, self.times)
        self._look(rows)

    def step_rows(self, rows: Rows, actions: Any) -> tuple[Array, Mask]:
        """One control step of ``rows`` alone, whatever happens; rewards ``(len(rows),)``, and where the clip began anew."""
        before, full, rewards = self.times, np.zeros_like(self.previous), np.zeros(self.num_envs)
        full[rows] = np.asarray(actions, np.float64)
        self._advance(rows, full, rewards, np.zeros_like(self._ended), np.zeros_like(self._ended))
        return rewards[rows], self.times[rows] < before[rows]

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
            self.start.failed(self.clock.which[failed], self.times[failed])
        self.goal.renew(rows)
        self._look(rows)
        return self._report.step(rows, self.terminations.flags, failed, diverged, clock.where())

    def _begin(self, rows: Rows, times: Any = None, clip: Any = None) -> None:
        """New episodes at ``rows``."""
        assert self._random is not None
        luck = np.array([self._random[i].random() for i in rows])
        which, drawn = self.start.draw(luck)
        if clip is not None:
            which[:] = index_of(clip, self.clips)
        if times is not None:
            drawn = np.broadcast_to(np.asarray(times, np.float64), (self.num_envs,))[rows]
            if not np.isfinite(drawn).all():
                raise HyperparameterError("the time to begin at must be a finite number of seconds")
        self.clock.begin(rows, which, drawn, luck)
        self.previous[rows], self._ended[rows] = 0.0, False
        self.goal.begin(rows, luck, self.times, self.clock.now)
        self._look(rows)

    def _look(self, rows: Rows) -> None:
        """Reference of the steps to come, and what is seen at ``rows``."""
        self.clock.look_ahead(rows)
        view = View(
            self.physics.state, self.clock.future, self.clock.phase(), self.clock.turn, self.physics.touching,
            self.previous, self.observation.ends, self.clock.now,
        )  # fmt: skip
        self.observation(view, rows, self._observations)
        if self.goal.seen:
            self.goal.observe(rows, self._observations[:, self.observation.size :])
        if self.clock.seen:
            self.clock.observe(view, rows, self._observations[:, -self.clock.seen :])
        if self.mirror:
            self._find_mirrored(view.state, view.phase, rows, self._mirrored)
            seen = rows[self._mirrored[rows]]
            self._observations[seen] = self._reflect(self._observations[seen])

    def _find_mirrored(self, state: BodyState, phase: Array, rows: Rows, out: Mask) -> None:
        """Where bodies are seen in the mirror, into ``out`` at ``rows``."""
        if self.mirror == "halves":
            out[rows] = phase[rows] >= 0.5
        else:
            self._leans(rows, state, out)


def _seeds(seed: int | Sequence[int | None] | None, n: int) -> list[int | None]:
    """One for each row: ``seed + i``, as Gymnasium's vector environments have it, or the list's own."""
    if seed is None:
        return [None] * n
    if isinstance(seed, int | np.integer):
        return [int(seed) + i for i in range(n)]
    if len(seed) != n:
        raise HyperparameterError(f"there are {n} environments but {len(seed)} seeds")
    return list(seed)
