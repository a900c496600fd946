"""The warnings of a verdict: reasons to trust its sentences less."""

from __future__ import annotations

import numpy as np

from rlsuite.experiments.measures import final_scores, is_exact, tolerance, usable
from rlsuite.experiments.pairwise import ALPHA
from rlsuite.experiments.results import Comparison, Task
from rlsuite.experiments.tables import format_value

FEW_RUNS = 5


def warnings_of(comparison: Comparison) -> tuple[str, ...]:
    said = list(comparison.notes)
    for task in comparison.tasks:
        said += _unequal_budgets(task)
        learners = [entry for entry in task.entries if entry.kind != "planning"]
        for entry in task.entries:
            bad = [run.seed for run in entry.runs if not (run.score.size and np.isfinite(run.score).all())]
            if bad:
                said.append(
                    f"{entry.label} on {task.env_id}: no finite score for seed{'s' if len(bad) > 1 else ''} "
                    f"{', '.join(map(str, bad))}; it is left out of the statistics, since dropping only those runs "
                    "would flatter it"
                )
            elif not entry.runs:
                said.append(f"{entry.label} on {task.env_id}: no finished run")
        counts = {len(entry.runs) for entry in learners if usable(entry)}
        if counts and min(counts) < FEW_RUNS:
            n = min(counts)
            said.append(
                f"{task.env_id}: {n} run{'s' if n > 1 else ''} per algorithm {'are' if n > 1 else 'is'} too few to "
                f"conclude from; use at least {FEW_RUNS}, better {10 if task.deep else 30} or more (--seeds)"
            )
        n_planners = sum(is_exact(task, entry) for entry in task.entries)
        n_tests = len(learners) * (len(learners) - 1) // 2 + len(learners) * n_planners
        if counts and n_tests and 2.0 ** (1 - min(counts)) * n_tests >= ALPHA and min(counts) >= FEW_RUNS:
            said.append(
                f"{task.env_id}: with {min(counts)} runs and {n_tests} pair{'s' if n_tests > 1 else ''} no corrected "
                "test can become significant, however large the difference; add seeds"
            )
        if len(counts) > 1:
            said.append(
                f"{task.env_id}: algorithms have between {min(counts)} and {max(counts)} runs; pairs are compared on "
                "the seeds they share"
            )
        said += _saturated(task)
    return tuple(dict.fromkeys(said))


def _unequal_budgets(task: Task) -> list[str]:
    if not task.budgets_differ:
        return []
    given: dict[int, list[str]] = {}
    for entry in task.entries:
        if entry.budget is not None:
            given.setdefault(entry.budget, []).append(entry.label)
    told = "; ".join(f"{format_value(amount, 'integer')}: {', '.join(given[amount])}" for amount in sorted(given))
    return [
        f"{task.env_id}: budgets differ between algorithms (environment steps given: {told}), so that a ranking compares "
        "settings and budgets together"
    ]


def _saturated(task: Task) -> list[str]:
    """Whether all learners end with one score that training episodes of different lengths earned alike: then the score
    says only that the goal is reached, not how soon."""
    learners = [entry for entry in task.entries if entry.kind != "planning" and usable(entry)]
    if task.metric != "return" or not learners:
        return []
    scores = np.concatenate([final_scores(task, entry) for entry in learners])
    if np.ptp(scores) > tolerance(task) or scores[0] <= 0:
        return []
    earned = [np.abs(run.returns - scores[0]) <= tolerance(task) for entry in learners for run in entry.runs]
    lengths = [run.lengths for entry in learners for run in entry.runs]
    alike = np.concatenate([each[equal] for each, equal in zip(lengths, earned, strict=True)])
    if not alike.size or alike.min() == alike.max():
        return []
    apart = "these algorithms" if len(learners) > 1 else "good policies"
    return [
        f"the return does not tell {apart} apart on {task.env_id}: every policy that reaches the goal in time earns the "
        f"same, {format_value(float(scores[0]), 'number')}, as training episodes of {alike.min()} to {alike.max()} steps "
        "did; compare the steps per episode while learning"
    ]
