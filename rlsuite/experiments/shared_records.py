"""Reading records that the seeds of one algorithm share: a line of ``metrics.jsonl`` and a checkpoint for each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rlsuite.agents.base import Agent
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.errors import RecordError
from rlsuite.experiments.records import CHECKPOINTS, METRICS
from rlsuite.experiments.results import Run, Tables


def checkpoint_path(folder: Path, seed: int) -> Path:
    """Where the agent of run ``seed`` lies."""
    return folder / CHECKPOINTS / f"s{seed}.safetensors"


def read_run(folder: Path, row: dict[str, Any], name: str = METRICS) -> Run:
    """The run that a row of ``metrics.jsonl`` (or the file ``name``) holds; scores of a run that diverged are NaN.

    Raises:
        RecordError: the row is not a run.
    """
    try:
        run = Run(
            seed=int(row["seed"]),
            steps=np.array(row["steps"], np.int64),
            episodes=np.array(row["episodes"], np.int64),
            score=np.array(row["score"], np.float64),
            returns=np.array(row["returns"], np.float64),
            lengths=np.array(row["lengths"], np.int64),
            wall_time=float(row["wall_time"]),
            learning_time=float(row.get("learning_time", 0.0)),
            ends=np.array(row["ends"], np.int64) if "ends" in row else None,
            failure=str(row.get("failure", "")),
        )
        if not (run.steps.shape == run.episodes.shape == run.score.shape and run.score.ndim == 1 and run.score.size):
            raise ValueError("steps, episodes and score differ in length")
        if not (run.returns.shape == run.lengths.shape == run.episode_ends.shape and run.returns.ndim == 1):
            raise ValueError("returns, lengths and ends differ in length")
        if run.seed < 0:
            raise ValueError(f"seed {run.seed}")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise RecordError(f"{folder / name} holds a row that is not a run: {error}") from None
    return run


def read_tables(folder: Path, agent_type: type[Agent], mdp: FiniteMDP, runs: tuple[Run, ...]) -> Tables:
    """What the run with the median final score learned, and the visits of all runs.

    Raises:
        RecordError: a checkpoint is missing or damaged.
    """
    final = np.array([run.score[-1] for run in runs])
    median = runs[int(np.argsort(final, kind="stable")[(len(runs) - 1) // 2])]
    try:
        agent: Any = agent_type.load(checkpoint_path(folder, median.seed), mdp=mdp)  # type: ignore[call-arg]
        visits = np.mean([_visits(checkpoint_path(folder, run.seed), mdp) for run in runs], axis=0)
    except RecordError as error:
        raise RecordError(f"{error}; remove that file, and the same command runs its seed again") from None
    values = agent.state_values if hasattr(agent, "state_values") else agent.action_values.max(axis=1)
    return Tables(median.seed, np.asarray(values), agent.target_policy(), visits)


def _visits(path: Path, mdp: FiniteMDP) -> np.ndarray:
    import safetensors

    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            visits = np.asarray(file.get_tensor("visits"), np.float64)
    except (safetensors.SafetensorError, OSError) as error:
        raise RecordError(f"{path} is not a saved agent, or is damaged: {error}") from None
    if visits.shape != (mdp.n_observations,):
        raise RecordError(f"{path} holds visits of {visits.shape} observations, not of {mdp.n_observations}")
    return visits
