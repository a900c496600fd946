"""What a comparison holds in memory: tasks, the algorithms' runs on each, and the exact reference to judge them by.

Statistics, figures and reports take these objects; they never read files or train.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.finite.mdp import FiniteMDP


@dataclass(frozen=True)
class Run:
    """One seed of one algorithm on one environment.

    Attributes:
        seed: ``k`` of run ``k``; runs of different algorithms with the same ``k`` are paired.
        steps, episodes: ``(n_checkpoints,)`` environment steps and finished episodes at each checkpoint.
        score: ``(n_checkpoints,)`` score of the learned policy at each checkpoint (see :class:`Task`).
        returns, lengths: ``(n_episodes,)`` undiscounted return and length of each training episode, with exploration.
        wall_time: seconds, scoring included. learning_time: without scoring, of deep agents (else 0).
        ends: ``(n_episodes,)`` environment steps taken when each episode ended; ``None`` where one environment was
            played, so that they are the sums of the lengths.
        failure: why the run ended before its budget was spent; empty where it did not.
    """

    seed: int
    steps: NDArray[np.int64]
    episodes: NDArray[np.int64]
    score: NDArray[np.float64]
    returns: NDArray[np.float64]
    lengths: NDArray[np.int64]
    wall_time: float = 0.0
    learning_time: float = 0.0
    ends: NDArray[np.int64] | None = None
    failure: str = ""

    @property
    def episode_ends(self) -> NDArray[np.int64]:
        """``(n_episodes,)`` environment steps taken when each episode ended."""
        return np.cumsum(self.lengths) if self.ends is None else self.ends


@dataclass(frozen=True)
class Tables:
    """What one algorithm learned, for pictures: the run whose final score is the median one.

    Attributes:
        seed: which run.
        values: ``(n_observations,)`` the learned state values (max over actions where it learned action values).
        policy: ``(n_observations, n_actions)`` the learned policy's probabilities.
        visits: ``(n_observations,)`` how often the agent acted there, averaged over all runs (zeros for planners).
    """

    seed: int
    values: NDArray[np.float64]
    policy: NDArray[np.float64]
    visits: NDArray[np.float64]


@dataclass(frozen=True)
class Entry:
    """One algorithm with one setting of its hyperparameters, on one task; runs are sorted by seed.

    Attributes:
        label: unique within the comparison and the same on every task, e.g. ``q-learning`` or ``q-learning alpha=0.5``.
        algo: registered name. kind: planning, control or prediction.
        hyperparameters: all of them, defaults included. origin: where they come from, e.g. a preset.
        deep: whether it learns with networks, on ``n_envs`` copies of the environment.
        budget: the episodes or steps that each run was given; ``None``: unknown.
    """

    label: str
    algo: str
    kind: str
    hyperparameters: dict[str, Any]
    runs: tuple[Run, ...]
    tables: Tables | None = None
    origin: str = "defaults"
    deep: bool = False
    n_envs: int = 1
    budget: int | None = None

    @property
    def final_scores(self) -> NDArray[np.float64]:
        """``(n_runs,)`` score at the last checkpoint."""
        return np.array([run.score[-1] for run in self.runs])


@dataclass(frozen=True)
class Reference:
    """The exact solution of a task with a model.

    Attributes:
        optimum: the greatest undiscounted return any policy can expect within the horizon (backward induction).
        random: that of the uniformly random policy.
        values: ``(n_states,)`` V* at the task's gamma, NaN where no agent ever has to act.
        policy: ``(n_states, n_actions)`` optimal at gamma; equal shares among optimal actions.
        start_value: V* at gamma, averaged over the initial distribution.
    """

    optimum: float
    random: float
    values: NDArray[np.float64]
    policy: NDArray[np.float64]
    start_value: float


@dataclass(frozen=True)
class Task:
    """One environment with everything that was run on it.

    Attributes:
        env_id: Gymnasium id. env_kwargs: what it was made with.
        gamma: discount factor of the agents. horizon: steps over which policies are scored.
        metric: ``"return"``: undiscounted expected return of the learned policy within the horizon, higher is better,
            exact where ``mdp`` is present, else a Monte-Carlo estimate; ``"rms-error"``: root mean squared error of the
            learned state values, lower is better (comparisons of prediction algorithms).
        budget_unit: whether runs were given ``"episodes"`` or ``"timesteps"``.
        mdp, reference: the model and its solution; ``None`` where the environment exposes none.
        threshold: the return at which the environment's registration calls it solved; ``None`` where it names none, or
            where the exact optimum says more.
    """

    env_id: str
    env_kwargs: dict[str, Any]
    gamma: float
    horizon: int
    metric: Literal["return", "rms-error"]
    budget_unit: Literal["episodes", "timesteps"]
    entries: tuple[Entry, ...]
    mdp: FiniteMDP | None = None
    reference: Reference | None = None
    threshold: float | None = None

    @property
    def deep(self) -> bool:
        """Whether any of the algorithms learns with networks."""
        return any(entry.deep for entry in self.entries)

    @property
    def budgets_differ(self) -> bool:
        """Whether some algorithms were given more than others, so that a ranking compares settings and budgets."""
        return len({entry.budget for entry in self.entries if entry.budget is not None}) > 1

    @property
    def higher_is_better(self) -> bool:
        return self.metric == "return"


@dataclass(frozen=True)
class Comparison:
    """All tasks of one ``rlsuite compare``; every task has the same entry labels in the same order.

    Attributes:
        command: the command line that made it. provenance: versions, commit, platform, date.
        notes: warnings to show, e.g. too few seeds, interrupted.
    """

    tasks: tuple[Task, ...]
    command: str = ""
    provenance: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(entry.label for entry in self.tasks[0].entries)
