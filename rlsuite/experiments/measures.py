"""What is measured of every run: final score, return while learning, budget to a threshold, regret of training.

All are arrays with one number per run. Scores that differ only by rounding in the last bits (two optimal policies
evaluated in another order) are made equal here, so that ties are ties.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.experiments.pairwise import Sample
from rlsuite.experiments.results import Comparison, Entry, Task

DIGITS = 10  # of the task's scale; policies evaluated in another order agree to about 13
ONLINE_SHARE = 0.1  # "while learning" is the last tenth of the training episodes
TIED_SHARE = 0.9  # of each algorithm's runs with one and the same return while learning: the return says nothing
SOLVED = "the reward threshold"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Threshold:
    """A score to be reached, and how it was chosen."""

    score: float
    name: str
    meaning: str


@dataclass(frozen=True)
class Pace:
    """How fast episodes end where (almost) all of them earn the same, so that the return says nothing.

    Attributes:
        earned: what they earn. by_all: whether all runs do, or only almost all.
        unit: ``"steps"`` per episode over the last tenth of the training episodes, fewer being better; or, where runs
            were given steps, the number of ``"episodes"`` finished in them, more being better.
        samples: oriented so that higher is better.
    """

    earned: float
    by_all: bool
    unit: Literal["steps", "episodes"]
    samples: tuple[Sample, ...]


def usable(entry: Entry) -> bool:
    """Whether the entry has runs, and all of them a finite final score."""
    return bool(entry.runs) and all(run.score.size and np.isfinite(run.score).all() for run in entry.runs)


def snapped(task: Task, scores: ArrayLike) -> Floats:
    """``scores`` rounded to :data:`DIGITS` digits of the task's scale; those at the optimum equal it exactly.

    Estimates and errors are left alone: only exact scores have ties that rounding could break.
    """
    values = np.asarray(scores, np.float64)
    if task.reference is None or task.metric != "return":
        return values
    optimum = task.reference.optimum
    return np.where(np.abs(values - optimum) <= tolerance(task), optimum, np.round(values, _decimals(task)))


def tolerance(task: Task) -> float:
    """Returns no further apart than this are equal: the last of :data:`DIGITS` digits of the task's scale."""
    return 10.0 ** -_decimals(task)


def _decimals(task: Task) -> int:
    reference = task.reference
    size = max(abs(reference.optimum), abs(reference.random)) if reference is not None else 1.0
    return DIGITS - 1 - int(np.floor(np.log10(size or 1.0)))


def sees_the_state(task: Task) -> bool:
    """Whether observations tell the state. Where they do not, ``task.reference`` is that of an agent that is told, and
    the agents compared may be unable to attain it."""
    return task.mdp is None or task.mdp.fully_observed


def final_scores(task: Task, entry: Entry) -> Floats:
    """``(n_runs,)`` score of the policy (or values) each run ended with."""
    return snapped(task, entry.final_scores)


def online_returns(entry: Entry) -> Floats:
    """``(n_runs,)`` mean return, exploration included, of the last tenth of each run's training episodes; NaN where
    there are none."""
    return np.array([_tail_mean(run.returns) for run in entry.runs])


def online_lengths(entry: Entry) -> Floats:
    """``(n_runs,)`` mean length of the same episodes as in :func:`online_returns`."""
    return np.array([_tail_mean(run.lengths) for run in entry.runs])


def _tail_mean(values: NDArray[np.generic]) -> float:
    tail = np.asarray(values, np.float64)[values.size - int(np.ceil(ONLINE_SHARE * values.size)) :]
    return float(tail.mean()) if tail.size else np.nan


def pace(task: Task) -> Pace | None:
    """Steps or episodes to compare where the returns while learning are tied, at a gain; else ``None``.

    Tied: of each learner's runs at least :data:`TIED_SHARE` have the same return. At a gain, since the sooner a reward
    comes the better, while it is no merit to end soon where nothing, or less, is earned.
    """
    learners = [entry for entry in task.entries if entry.kind != "planning" and usable(entry)]
    if task.metric != "return" or len(learners) < 2 or (task.deep and task.mdp is None):
        return None  # without a model nobody knows that the reward comes at the end: it may be for lasting long
    found = [online_returns(entry) for entry in learners]
    found = [returns[~np.isnan(returns)] for returns in found]
    finished = np.concatenate(found)
    if not finished.size or not (earned := float(np.median(finished))) > tolerance(task):
        return None
    shares = [float(np.mean(np.abs(returns - earned) <= tolerance(task))) for returns in found if returns.size]
    if min(shares) < TIED_SHARE:
        return None
    by_steps = task.budget_unit == "timesteps"
    if by_steps and task.budgets_differ:
        return None  # more steps hold more episodes
    samples = []
    for entry in learners:
        values = finished_episodes(entry) if by_steps else -online_lengths(entry)
        if not np.isnan(values).any():
            samples.append(sample(task, entry, values))
    if len(samples) < 2:
        return None
    return Pace(earned, min(shares) == 1, "episodes" if by_steps else "steps", tuple(samples))


def finished_episodes(entry: Entry) -> Floats:
    """``(n_runs,)`` number of training episodes that each run finished."""
    return np.array([run.returns.size for run in entry.runs], np.float64)


def training_steps(entry: Entry) -> Floats:
    """``(n_runs,)`` environment steps that each run spent in training, those of an unfinished last episode included."""
    return np.array([run.steps[-1] for run in entry.runs], np.float64)


def training_regret(task: Task, entry: Entry) -> Floats:
    r"""``(n_runs,)`` :math:`\sum_{e} (v^* - G_e)` over the training episodes; needs the exact optimum."""
    if task.reference is None:
        raise ValueError(f"regret on {task.env_id} needs the exact optimum, and the environment has no model")
    lost = [task.reference.optimum - run.returns for run in entry.runs]
    zero = tolerance(task)  # episodes at the optimum add no rounding errors
    return np.array([np.sum(np.where(np.abs(d) <= zero, 0.0, d)) if d.size else np.nan for d in lost])


def score_curves(task: Task, entry: Entry) -> tuple[Floats, Floats, Floats]:
    """``(n_runs, K)`` scores, environment steps and episodes at the checkpoints; a run that was scored less often than
    others keeps its last score."""
    n_points = max(run.score.size for run in entry.runs)

    def matrix(name: str) -> Floats:
        rows = [np.asarray(getattr(run, name), np.float64) for run in entry.runs]
        return np.stack(
            [row if row.size == n_points else np.pad(row, (0, n_points - row.size), mode="edge") for row in rows]
        )

    return snapped(task, matrix("score")), matrix("steps"), matrix("episodes")


def learned_curves(task: Task, entry: Entry) -> tuple[Floats, Floats, Floats]:
    """:func:`score_curves` by which a threshold can be reached: without the score of a network before its first step,
    which now and then balances a pole by chance and forgets how."""
    curves = score_curves(task, entry)
    if not entry.deep or curves[0].shape[1] == 1:
        return curves
    scores, steps, episodes = (curve[:, 1:] for curve in curves)
    return scores, steps, episodes


def normalised(task: Task, scores: ArrayLike) -> Floats:
    r""":math:`(x - x_\text{random}) / (x^* - x_\text{random})`: 0 is the uniformly random policy, 1 the exact optimum.

    Raises:
        ValueError: the task has no reference, its scores are errors, or no policy beats the random one.
    """
    if not normalisable(task) or task.reference is None:
        raise ValueError(f"scores on {task.env_id} cannot be normalised: that needs a model whose optimum beats chance")
    low, high = task.reference.random, task.reference.optimum
    return (np.asarray(scores, np.float64) - low) / (high - low)


def normalisable(task: Task) -> bool:
    """Whether :func:`normalised` has a meaning on this task."""
    reference = task.reference
    if task.metric != "return" or reference is None:
        return False
    return reference.optimum - reference.random > 10.0**-DIGITS * max(abs(reference.optimum), abs(reference.random))


def normalised_scores(comparison: Comparison) -> dict[str, list[Floats]]:
    """Final scores of every algorithm on all tasks that can be normalised, one array per task; algorithms that lack
    usable runs on one of them are left out."""
    tasks = [task for task in comparison.tasks if normalisable(task)]
    found: dict[str, list[Floats]] = {}
    for i, label in enumerate(comparison.labels):
        entries = [task.entries[i] for task in tasks]
        if entries and all(map(usable, entries)):
            found[label] = [normalised(t, final_scores(t, e)) for t, e in zip(tasks, entries, strict=True)]
    return found


def thresholds(task: Task, share: float = 0.95) -> list[Threshold]:
    """Scores to be reached: ``share`` of the way from the random policy to the optimum, and the optimum itself.

    Without a reference that the agents can attain (or for errors) the way leads from the mean score before learning to
    the best algorithm's final mean: a yardstick that the runs themselves set. Before it comes the return at which the
    environment counts as solved, where it names one.
    """
    percent = f"{share:.0%}".replace("%", " %")
    if normalisable(task) and task.reference is not None and sees_the_state(task):
        low, high = task.reference.random, task.reference.optimum
        way = "of the way from the uniformly random policy to the exact optimum"
        partial = Threshold(low + share * (high - low), f"{percent} of optimum", f"{percent} {way}")
        return [*([partial] if share < 1 else []), Threshold(high, "optimum", "the exact optimum")]
    named = []
    if task.threshold is not None:
        named = [Threshold(task.threshold, "solved", f"{SOLVED} of the environment, {task.threshold:g}")]
    entries = [entry for entry in task.entries if usable(entry)]
    learners = [entry for entry in entries if entry.kind != "planning"]
    if not learners:
        return named
    start = float(np.mean([run.score[0] for entry in learners for run in entry.runs]))
    finals = [float(entry.final_scores.mean()) for entry in entries]
    best = max(finals) if task.higher_is_better else min(finals)
    way = "of the way from the mean score before learning to the best final mean in this comparison"
    return [*named, Threshold(start + share * (best - start), f"{percent} of best", f"{percent} {way}")]


def is_exact(task: Task, entry: Entry) -> bool:
    """Whether the entry is a planner whose runs all agree: its score is a fact, not a sample."""
    return entry.kind == "planning" and usable(entry) and bool(np.ptp(final_scores(task, entry)) == 0)


def sample(task: Task, entry: Entry, values: Floats) -> Sample:
    """``values`` of an entry's runs for :func:`~rlsuite.experiments.pairwise.compare_pairs`, higher meaning better."""
    seeds = np.array([run.seed for run in entry.runs], np.int64)
    return Sample(entry.label, seeds, values if task.higher_is_better else -values, exact=is_exact(task, entry))
