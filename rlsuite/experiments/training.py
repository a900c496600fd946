"""One recorded training run: ``runs/ENV/ALGO/NAME-sSEED/`` filled while an agent learns."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rlsuite.agents.base import Agent
from rlsuite.agents.callbacks import BaseCallback
from rlsuite.agents.evaluation import evaluate_policy
from rlsuite.agents.registry import agent_class
from rlsuite.envs.registration import make_env
from rlsuite.errors import RecordError
from rlsuite.experiments.provenance import provenance
from rlsuite.experiments.records import CONFIG, EVALUATIONS, METRICS, RunWriter, run_folder, slug
from rlsuite.experiments.runner import acts_deterministically
from rlsuite.seeding import run_seeds

EPISODE_WINDOW = 100  # stable-baselines3's rollout/ep_rew_mean is over the last 100 episodes


@dataclass(frozen=True)
class TrainingPlan:
    """What to train; names as in rl_zoo3."""

    env_id: str
    algo: str
    n_timesteps: int
    seed: int = 0
    values: dict[str, Any] = field(default_factory=dict)
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    eval_freq: int = 10_000
    eval_episodes: int = 20
    out: Path = Path("runs")
    name: str | None = None


@dataclass(frozen=True)
class Report:
    """Where a run stands, for whoever watches it."""

    timesteps: int
    metrics: dict[str, float]


def train(plan: TrainingPlan, on_report: Callable[[Report], None] = lambda _: None) -> tuple[Agent, Path]:
    """Train as planned; the agent and the folder of its record.

    ``checkpoints/last`` is written at every evaluation and at the end, also on Ctrl-C; ``checkpoints/best`` whenever
    an evaluation beats all earlier ones.

    Raises:
        RlsuiteError: bad input, an existing record under ``plan.name``, or a record that cannot be written.
    """
    folder = new_run_folder(plan)
    env, eval_env = make_env(plan.env_id, **plan.env_kwargs), make_env(plan.env_id, **plan.env_kwargs)
    try:
        agent = agent_class(plan.algo)(env, seed=plan.seed, **plan.values)
        config = {
            "env": plan.env_id,
            "env_kwargs": plan.env_kwargs,
            "algo": plan.algo,
            "hyperparameters": {**vars(agent.hyperparameters)},
            "n_timesteps": plan.n_timesteps,
            "seed": plan.seed,
            "eval_freq": plan.eval_freq,
            "eval_episodes": plan.eval_episodes,
            "provenance": provenance(),
        }
        with RunWriter(folder, config) as writer:
            recorder = _Recorder(plan, eval_env, writer, on_report)
            try:
                agent.learn(plan.n_timesteps, recorder)
            except KeyboardInterrupt:
                raise KeyboardInterrupt(
                    f"{folder} holds what was learned in {agent.num_timesteps} steps (checkpoint last)"
                ) from None
            finally:
                agent.save(writer.checkpoint_path("last"))
            recorder.evaluate_once_more()
    finally:
        env.close()
        eval_env.close()
    return agent, folder


def new_run_folder(plan: TrainingPlan) -> Path:
    """``runs/ENV/ALGO/NAME-sSEED``; without a name, the first free ``run1``, ``run2`` …"""
    algo = agent_class(plan.algo).name

    def folder(name: str) -> Path:
        return run_folder(plan.out, plan.env_id, algo, f"{name}-s{plan.seed}")

    if plan.name is not None:
        if slug(plan.name) != plan.name:
            raise RecordError(f"{plan.name!r} cannot be the --name of a run; use letters, digits and . _ = , + -")
        if (folder(plan.name) / CONFIG).exists():
            raise RecordError(f"{folder(plan.name)} exists; choose another --name or remove it")
        return folder(plan.name)
    number = 1
    while (folder(f"run{number}") / CONFIG).exists():
        number += 1
    return folder(f"run{number}")


class _Recorder(BaseCallback):
    """Writes metrics and evaluations, keeps the best policy."""

    def __init__(
        self, plan: TrainingPlan, eval_env: Any, writer: RunWriter, on_report: Callable[[Report], None]
    ) -> None:
        super().__init__()
        self.every = plan.eval_freq
        self.plan, self.eval_env, self.writer, self.on_report = plan, eval_env, writer, on_report
        self.best = -np.inf
        self.evaluated_at = -1

    def on_training_start(self, agent: Agent) -> None:
        super().on_training_start(agent)
        self.began, self.began_at = time.perf_counter(), agent.num_timesteps

    def _on_step(self) -> bool:
        self._record()
        self.agent.save(self.writer.checkpoint_path("last"))
        return True

    def evaluate_once_more(self) -> None:
        """At the end, unless the last checkpoint was there."""
        self.num_timesteps = self.agent.num_timesteps
        if self.evaluated_at != self.num_timesteps:
            self._record()

    def _record(self) -> None:
        agent: Any = self.agent
        seconds = time.perf_counter() - self.began
        row: dict[str, Any] = {"time/total_timesteps": self.num_timesteps, "time/time_elapsed": seconds}
        row["time/fps"] = (self.num_timesteps - self.began_at) / max(seconds, 1e-9)
        returns, lengths = agent.episode_returns, agent.episode_lengths
        row["time/episodes"] = len(returns)
        if len(returns):
            row["rollout/ep_rew_mean"] = float(np.mean(returns[-EPISODE_WINDOW:]))
            row["rollout/ep_len_mean"] = float(np.mean(lengths[-EPISODE_WINDOW:]))
        self.writer.append(METRICS, row)
        scores, ep_lengths = evaluate_policy(
            agent,
            self.eval_env,
            n_eval_episodes=self.plan.eval_episodes,
            deterministic=acts_deterministically(agent),
            seed=run_seeds(self.plan.seed).evaluation,
            return_episode_rewards=True,
        )
        evaluation = {
            "time/total_timesteps": self.num_timesteps,
            "eval/mean_reward": float(np.mean(scores)),
            "eval/std_reward": float(np.std(scores)),
            "eval/mean_ep_length": float(np.mean(ep_lengths)),
        }
        self.writer.append(EVALUATIONS, evaluation)
        self.evaluated_at = self.num_timesteps
        if evaluation["eval/mean_reward"] > self.best:
            self.best = evaluation["eval/mean_reward"]
            self.agent.save(self.writer.checkpoint_path("best"))
        self.on_report(Report(self.num_timesteps, {**row, **evaluation}))
