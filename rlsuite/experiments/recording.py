"""What a training run writes while an agent learns: log entries, evaluations, checkpoints, clips.

Everything happens at multiples of its interval in environment steps (after the iteration that reaches it), and a checkpoint
comes after the entries of its step. So a run that was killed and resumed from a checkpoint, with later entries cut, writes
what the run that was never stopped writes, save the seconds.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rlsuite.agents.base import Agent
from rlsuite.agents.callbacks import BaseCallback
from rlsuite.agents.evaluation import episode_seeds
from rlsuite.errors import InvalidEnvironmentError, RecordError
from rlsuite.experiments.checkpoints import BEST, prune, saved_steps, steps_name
from rlsuite.experiments.interrupts import DeferredInterrupt
from rlsuite.experiments.records import EVALUATIONS, METRICS, RunWriter, read_rows
from rlsuite.experiments.run_environment import RunEnvironment
from rlsuite.experiments.runner import acts_deterministically
from rlsuite.experiments.scoring import scorer_for
from rlsuite.experiments.training_plan import TrainingPlan, learns_from_batches
from rlsuite.files import write_atomically
from rlsuite.seeding import run_seeds

logger = logging.getLogger("rlsuite")

EPISODE_WINDOW = 100  # stable-baselines3's rollout/ep_rew_mean is over the last 100 episodes
STEPS, ELAPSED = "time/total_timesteps", "time/time_elapsed"
WALL_CLOCK = (ELAPSED, "time/fps")  # what differs between two runs of the same seed
VIDEOS = "videos"
CLIP_FRAMES = 300
PROGRESS_SECONDS = 0.2
TABULAR_TICK = 10_000  # steps between looks at Ctrl-C and the progress bar, where nothing else is due


@dataclass(frozen=True)
class Report:
    """Where a run stands, for whoever watches it."""

    timesteps: int
    metrics: dict[str, float]
    kind: Literal["progress", "log", "evaluation"] = "progress"


def evaluates_deterministically(agent: Any) -> bool:
    """Whether an evaluation takes the most probable action: always for deep agents, and for tabular ones unless the
    policy they learned draws its actions."""
    return learns_from_batches(type(agent)) or acts_deterministically(agent)


def cut_after(folder: Path, steps: int) -> None:
    """Remove the entries of later steps: they are of a future that is about to be learned again.

    Raises:
        RecordError: an entry does not say its steps.
    """
    for name in (METRICS, EVALUATIONS):
        rows = list(read_rows(folder / name))
        for row in rows:
            if type(row.get(STEPS)) is not int:
                raise RecordError(f"{folder / name}: an entry has no whole number {STEPS}")
        kept = [row for row in rows if row[STEPS] <= steps]
        if len(kept) < len(rows):
            text = "".join(json.dumps(row, allow_nan=False, separators=(",", ":")) + "\n" for row in kept)
            write_atomically(folder / name, text)
    for clip in (folder / VIDEOS).glob("*_steps.gif"):
        count = clip.stem.removesuffix("_steps")
        if count.isdigit() and int(count) > steps:
            clip.unlink()


class Recorder(BaseCallback):
    """Fills the record while an agent learns.

    Attributes:
        interrupted: whether learning was stopped because ``interrupt`` was requested.
        out_of_time: whether it was stopped because the clock (``time.perf_counter``) has passed ``stop_at``.
    """

    def __init__(
        self,
        plan: TrainingPlan,
        environment: RunEnvironment,
        writer: RunWriter,
        interrupt: DeferredInterrupt,
        on_report: Callable[[Report], None],
        tensorboard: Any = None,
        stop_at: float = np.inf,
    ) -> None:
        super().__init__()
        self.plan, self.environment, self.writer = plan, environment, writer
        self.interrupt, self.on_report, self.tensorboard = interrupt, on_report, tensorboard
        self.eval_seed = run_seeds(plan.seed).evaluation
        self.scorer = scorer_for(environment, plan.eval_episodes)
        self.interrupted = self.out_of_time = False
        self.stop_at = stop_at
        rows, evaluations = (list(read_rows(writer.folder / name)) for name in (METRICS, EVALUATIONS))
        self._elapsed_before = float(rows[-1].get(ELAPSED) or 0.0) if rows else 0.0
        self._last = {
            "log": rows[-1][STEPS] if rows else 0,
            "evaluate": evaluations[-1][STEPS] if evaluations else 0,
            "save": max(saved_steps(writer.folder), default=0),
        }
        self.best = max((_score(row) for row in evaluations), default=-np.inf)
        self._clips = _Clips(plan, environment, writer.folder, tensorboard) if plan.clips else None

    @property
    def ticks(self) -> list[BaseCallback]:
        """The callbacks to hand to ``learn``: this one at every iteration, or, for a tabular agent, which runs compiled
        until the next callback is due, one for each interval."""
        if learns_from_batches(self.plan.agent_type):
            return [self]
        plan = self.plan
        return [_Tick(self, n) for n in sorted({plan.eval_freq, plan.log_interval, plan.save_freq, TABULAR_TICK})]

    def on_training_start(self, agent: Agent) -> None:
        super().on_training_start(agent)
        self._seen = self._began_at = agent.num_timesteps
        self._began = self._shown = time.perf_counter()
        self._next = self._next_due()

    def _next_due(self) -> int:
        plan = self.plan
        return min((self._seen // n + 1) * n for n in (plan.eval_freq, plan.log_interval, plan.save_freq))

    def _on_step(self) -> bool:
        before, now = self._seen, self.num_timesteps
        self._seen = now
        if now >= self._next:
            self._next = self._next_due()
            for interval, act in self._actions():
                if before // interval < now // interval:
                    act()
        if self.interrupt.requested:
            self.interrupted = True
            return False
        clock = time.perf_counter()
        if clock >= self.stop_at:
            self.out_of_time = True
            return False
        if clock - self._shown > PROGRESS_SECONDS:
            self._shown = clock
            self.on_report(Report(now, {}))
        return True

    def _actions(self) -> list[tuple[int, Callable[[], None]]]:
        """In this order: the entries of a step come before its checkpoint."""
        plan = self.plan
        return [(plan.eval_freq, self.evaluate), (plan.log_interval, self.log), (plan.save_freq, self.save)]

    def finish(self) -> None:
        """At the end of the run: whatever was not done at this step."""
        self.num_timesteps = self.agent.num_timesteps
        for act in (self.evaluate, self.log, self.save):
            if self._last[act.__name__] != self.num_timesteps:
                act()

    def close(self) -> None:
        """Close the environments made for evaluations and clips."""
        self.scorer.close()
        if self._clips is not None:
            self._clips.close()

    def log(self) -> None:
        """Append a row to ``metrics.jsonl``."""
        agent: Any = self.agent
        seconds = time.perf_counter() - self._began
        returns, lengths = agent.episode_returns, agent.episode_lengths
        row: dict[str, Any] = {
            STEPS: self.num_timesteps,
            ELAPSED: self._elapsed_before + seconds,
            "time/fps": int((self.num_timesteps - self._began_at) / max(seconds, 1e-9)),
            "time/episodes": len(returns),
        }
        if len(returns):
            row["rollout/ep_rew_mean"] = float(np.mean(returns[-EPISODE_WINDOW:]))
            row["rollout/ep_len_mean"] = float(np.mean(lengths[-EPISODE_WINDOW:]))
        successes = getattr(getattr(agent, "episodes", None), "successes", [])
        if successes:
            row["rollout/success_rate"] = float(np.mean(successes[-EPISODE_WINDOW:]))
        row |= getattr(agent, "metrics", {}) | _metrics_of_environment(agent)
        if "train/n_updates" in row:
            row["train/n_updates"] = int(row["train/n_updates"])
        self._append(METRICS, "log", row)

    def evaluate(self) -> None:
        """Play the evaluation episodes; keep the agent if it is the best so far."""
        agent: Any = self.agent
        scores = self.scorer(agent, deterministic=evaluates_deterministically(agent), seed=self.eval_seed)
        row = {STEPS: self.num_timesteps, **scores}
        self._append(EVALUATIONS, "evaluate", row)
        if row["eval/mean_reward"] > self.best:
            self.best = row["eval/mean_reward"]
            save_to_act(agent, self.writer.checkpoint_path(BEST))
            if self._clips is not None:
                self._clips.film(agent, self.num_timesteps, episode_seeds(self.eval_seed, 1))

    def _append(self, name: str, what: str, row: dict[str, Any]) -> None:
        self.writer.append(name, row)
        self._last[what] = self.num_timesteps
        if self.tensorboard is not None:
            self.tensorboard.scalars(row, self.num_timesteps)
        self.on_report(Report(self.num_timesteps, row, "log" if what == "log" else "evaluation"))

    def save(self) -> None:
        """Write a checkpoint to go on from, and remove the oldest ones."""
        steps = self.agent.num_timesteps
        self.agent.save(self.writer.checkpoint_path(steps_name(steps)))
        self._last["save"] = steps
        prune(self.writer.folder, self.plan.keep)


class _Tick(BaseCallback):
    """Calls the recorder at multiples of one interval; at a step that several share, once."""

    def __init__(self, recorder: Recorder, every: int) -> None:
        super().__init__()
        self.recorder, self.every = recorder, every

    def on_training_start(self, agent: Agent) -> None:
        super().on_training_start(agent)
        self.recorder.on_training_start(agent)

    def _on_step(self) -> bool:
        if self.recorder._seen == self.num_timesteps:
            return not (self.recorder.interrupted or self.recorder.out_of_time)
        return self.recorder.on_step()


class _Clips:
    """Films of evaluation episodes, as GIF files and in TensorBoard; none where rendering is impossible."""

    def __init__(self, plan: TrainingPlan, environment: RunEnvironment, folder: Path, tensorboard: Any) -> None:
        self.environment, self.folder, self.tensorboard = environment, folder / VIDEOS, tensorboard
        self.every = plan.n_timesteps // 4
        earlier = [path.stem.removesuffix("_steps") for path in self.folder.glob("*_steps.gif")]
        self.last = max((int(count) for count in earlier if count.isdigit()), default=None)
        self.possible = True
        self._env: Any = None

    def film(self, agent: Agent, steps: int, seeds: list[int]) -> None:
        """Film the episodes of ``seeds``, unless the last clip is too recent."""
        from rlsuite.experiments.video import record_episodes
        from rlsuite.films import write_gif

        if not self.possible or (self.last is not None and steps - self.last < self.every):
            return
        try:
            if self._env is None:
                self._env = self.environment.single("rgb_array")
            film = record_episodes(
                agent, self._env, seeds, deterministic=evaluates_deterministically(agent), most_frames=CLIP_FRAMES
            )
        except InvalidEnvironmentError as error:
            self.possible = False
            logger.warning("no clips of evaluations: %s", error)
            return
        self.last = steps
        write_gif(self.folder / f"{steps_name(steps)}.gif", film.frames, film.fps)
        if self.tensorboard is not None:
            self.tensorboard.gif("eval/clip", film.frames, film.fps, steps)

    def close(self) -> None:
        if self._env is not None:
            self._env.close()


def _metrics_of_environment(agent: Any) -> dict[str, float]:
    """What an environment with a method ``metrics`` has counted since the last row, under ``env/…``."""
    env = agent.env if callable(getattr(agent.env, "metrics", None)) else getattr(agent.env, "unwrapped", None)
    metrics = getattr(env, "metrics", None)
    return dict(metrics()) if callable(metrics) else {}


def save_to_act(agent: Agent, path: Path) -> None:
    """Save what acting needs, where the agent tells it apart from what learning needs."""
    if learns_from_batches(type(agent)):
        from rlsuite.agents.deep.agent import DeepAgent

        if isinstance(agent, DeepAgent):
            agent.save(path, training_state=False)
            return
    agent.save(path)


def _score(row: dict[str, Any]) -> float:
    score = row.get("eval/mean_reward")
    return float(score) if isinstance(score, int | float) else -np.inf
