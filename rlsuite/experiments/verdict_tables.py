"""The tables of a verdict: one function per question asked of the runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from rlsuite.experiments import statistics
from rlsuite.experiments.measures import (
    Floats,
    final_scores,
    is_exact,
    online_returns,
    score_curves,
    thresholds,
    training_regret,
    usable,
)
from rlsuite.experiments.pairwise import Pair
from rlsuite.experiments.records import slug
from rlsuite.experiments.results import Entry, Task
from rlsuite.experiments.statistics import Interval, Statistic
from rlsuite.experiments.tables import Format, Table, format_value

Streams = Callable[..., np.random.SeedSequence]  # names -> the stream of random numbers that belongs to them
CENTRES: tuple[tuple[str, Statistic], ...] = (
    ("mean", statistics.mean),
    ("median", statistics.sample_median),
    ("IQM", statistics.iqm),
)
NO_INTERVAL = Interval(np.nan, np.nan, np.nan)
INTERVALS = "Brackets: 95 % bootstrap intervals over runs, rounded outwards."
SINGLE_RUNS = "90 % of runs"
NOT_IN_TERMINAL = ("mean", "median", SINGLE_RUNS, "optimum", "score")  # a line has 80 characters
SHOWN_ACROSS = ("algorithm", "runs", "IQM", "optimality gap")
WORDS = {
    "better": "{first} better",
    "worse": "{second} better",
    "mixed": "means differ, wins do not agree",
    "undecided": "no significant difference",
    "identical": "identical",
}


def interval(values: Floats, statistic: Statistic, exact: bool, seed: np.random.SeedSequence) -> Interval:
    """A statistic of one entry's runs with its interval; none for too few runs, a point for an exact result."""
    if values.size == 0 or np.isnan(values).any():
        return NO_INTERVAL
    if exact:
        point = float(statistic((values,)))
        return Interval(point, point, point)
    return statistics.stratified_bootstrap((values,), statistic, rng=np.random.default_rng(seed))


def single_runs(values: Floats, exact: bool) -> Interval:
    """The median run, and the ends between which 90 % of all runs fall; no ends for too few runs."""
    if values.size == 0 or np.isnan(values).any():
        return NO_INTERVAL
    median = float(np.median(values))
    if exact:
        return Interval(median, median, median)
    low, high = statistics.tolerance_interval(values)
    return Interval(median, low, high) if low > -np.inf else Interval(median, np.nan, np.nan)


def final_table(task: Task, streams: Streams) -> Table:
    """Final performance: what was learned, judged without exploration."""
    what = "return of the learned policy" if task.metric == "return" else "error of the learned values"
    reference = task.reference if task.metric == "return" else None
    columns: list[str] = ["algorithm", "runs", *(name for name, _ in CENTRES), SINGLE_RUNS]
    formats: list[Format] = ["text", "integer", *["interval" for _ in CENTRES], "interval"]  # type: ignore[list-item]
    if reference is not None:
        columns += ["optimum", "regret", "at optimum"]
        formats += ["number", "interval", "percent"]
    rows: list[tuple[Any, ...]] = []
    for entry in task.entries:
        values = final_scores(task, entry) if usable(entry) else np.array([])
        centres = [
            interval(values, statistic, is_exact(task, entry), streams("final", task.env_id, entry.label, name))
            for name, statistic in CENTRES
        ]
        row: list[Any] = [entry.label, len(entry.runs), *centres, single_runs(values, is_exact(task, entry))]
        if reference is not None:
            mean = centres[0]
            regret = Interval(*(reference.optimum - end for end in _turned(mean)))
            at_optimum = float(np.mean(values == reference.optimum)) if values.size else np.nan
            row += [reference.optimum, regret, at_optimum]
        rows.append(tuple(row))
    scored = f"exact expectation over {task.horizon} steps" if task.mdp is not None else "estimated by simulation"
    caption = f"Undiscounted {what} at the end of each run, {scored}; higher is better."
    if task.metric == "rms-error":
        caption = "Root mean squared error of the learned state values at the end of each run; lower is better."
    if reference is not None:
        caption += (
            " The optimum is over all policies, also those that look at the time left; the uniformly random policy "
            f"expects {format_value(reference.random, 'number')}. Regret: optimum minus mean; at "
            "optimum: share of the runs."
        )
        if task.mdp is not None and not task.mdp.fully_observed:
            caption += " The agent sees less than the state, so no agent may be able to reach the optimum."
    caption += (
        f" {INTERVALS} {SINGLE_RUNS}: the median run and, in its brackets, a tolerance interval, within which 90 % of all "
        "runs with these settings fall, with 95 % confidence; it takes 46 runs."
    )
    return _table(task, "final", "Final performance", caption, columns, formats, rows)


def online_table(task: Task, streams: Streams) -> Table | None:
    """Performance while learning: what the exploring agent collected; ``None`` where no entry has episodes."""
    learners = _with_episodes(task)
    if not learners or task.metric != "return":
        return None
    rows = []
    for entry in learners:
        values = online_returns(entry)
        centres = [
            interval(values, statistic, False, streams("online", task.env_id, entry.label, name))
            for name, statistic in CENTRES
        ]
        rows.append((entry.label, len(entry.runs), *centres))
    caption = (
        "Undiscounted return with exploration, averaged over the last tenth of each run's training episodes; higher is "
        f"better. It may rank algorithms otherwise than the learned policies do. {INTERVALS}"
    )
    columns = ["algorithm", "runs", *(name for name, _ in CENTRES)]
    formats: list[Format] = ["text", "integer", "interval", "interval", "interval"]
    return _table(task, "online", "Performance while learning", caption, columns, formats, rows)


def efficiency_table(task: Task, streams: Streams, share: float) -> Table | None:
    """Sample efficiency: how much experience until a threshold; ``None`` where no threshold makes sense."""
    chosen = thresholds(task, share)
    rows: list[tuple[Any, ...]] = []
    for threshold in chosen:
        for entry in filter(usable, task.entries):
            scores, steps, episodes = score_curves(task, entry)
            row: list[Any] = [entry.label, threshold.name, threshold.score]
            for budget, name in ((episodes, "episodes"), (steps, "steps")):
                reached = statistics.sample_efficiency(
                    scores, budget, threshold.score, higher_is_better=task.higher_is_better
                )
                seed = streams("efficiency", task.env_id, entry.label, threshold.name, name)
                exact = is_exact(task, entry)
                row += [] if name == "steps" else [reached.reached]
                row.append(interval(reached.first, statistics.sample_median, exact, seed))
            rows.append(tuple(row))
    if not rows:
        return None
    meanings = "; ".join(f"“{t.name}” is {t.meaning}" for t in chosen)
    caption = (
        "Experience up to the first checkpoint at which a run's learned policy reaches the threshold: median over all "
        f"runs, “never” where half of them or more did not. {meanings}. Planners need the model but no experience. "
        f"{INTERVALS}"
    )
    columns = ["algorithm", "threshold", "score", "runs that reach it", "episodes", "steps"]
    formats: list[Format] = ["text", "text", "number", "percent", "amount", "amount"]
    return _table(task, "efficiency", "Sample efficiency", caption, columns, formats, rows)


def regret_table(task: Task, streams: Streams) -> Table | None:
    """Regret of training: the price of learning; ``None`` without an exact optimum or without episodes."""
    learners = _with_episodes(task)
    if task.reference is None or task.metric != "return" or not learners:
        return None
    rows = []
    for entry in learners:
        total = training_regret(task, entry)
        count = np.array([run.returns.size for run in entry.runs], np.float64)
        sums = [
            interval(values, statistics.mean, False, streams("regret", task.env_id, entry.label, name))
            for name, values in (("total", total), ("per episode", total / count))
        ]
        rows.append((entry.label, len(entry.runs), float(count.mean()), *sums))
    optimum = format_value(task.reference.optimum, "number")
    caption = (
        f"Sum over the training episodes of the optimum, {optimum}, minus the episode's return; "
        f"mean over runs, lower is better. {INTERVALS}"
    )
    if task.budget_unit == "timesteps":
        caption += " Runs were given steps, not episodes: totals are over different numbers of episodes."
    columns = ["algorithm", "runs", "episodes", "total regret", "regret per episode"]
    formats: list[Format] = ["text", "integer", "integer", "interval", "interval"]
    return _table(task, "regret", "Regret of training", caption, columns, formats, rows)


def pair_table(task: Task, pairs: list[Pair], name: str, title: str, of: str) -> Table:
    """Every pair of algorithms: probability of improvement, mean difference, corrected test."""
    caption = (
        f"{of} Compared on the seeds that both have, each run of one paired with the run of the other that met the "
        "same environment randomness. P(A better): probability that a run of A beats a run of B, ties counted half. p: "
        "two-sided paired sign-flip test on the mean difference; Holm: corrected over all tested pairs of this "
        "table. “Better” needs Holm p < 0.05 and P(A better) on the same side. Two planners are compared as numbers."
    )
    if not task.higher_is_better:  # pairs are compared with the sign turned; the table shows errors as they are
        pairs = [replace(pair, difference=Interval(*(-end for end in _turned(pair.difference)))) for pair in pairs]
    return pairs_as_table(f"{slug(task.env_id)}-{name}", f"{title} on {task.env_id}", caption, pairs)


def pairs_as_table(name: str, title: str, caption: str, pairs: list[Pair]) -> Table:
    """The columns that all tables of pairs share."""
    rows = tuple(
        (
            pair.first,
            pair.second,
            pair.n or None,
            pair.difference,
            pair.improvement,
            pair.p,
            pair.adjusted,
            "not comparable" if np.isnan(pair.difference.estimate) else WORDS[pair.outcome].format(**vars(pair)),
        )
        for pair in pairs
    )
    columns = ("A", "B", "pairs", "mean A - B", "P(A better)", "p", "Holm p", "finding")
    formats: tuple[Format, ...] = ("text", "text", "integer", "interval", "probability", "p-value", "p-value", "text")
    return Table(name, title, caption, columns, formats, rows, brief=("A", "B", "P(A better)", "Holm p", "finding"))


def across_table(scores: dict[str, list[Floats]], exact: set[str], n_tasks: int, streams: Streams) -> Table:
    """Aggregates of normalised scores over all tasks."""
    aggregates: tuple[tuple[str, Statistic], ...] = (
        ("IQM", statistics.iqm),
        ("mean", statistics.mean),
        ("median", statistics.median),
        ("optimality gap", statistics.optimality_gap),
    )
    rows = []
    for label, tasks in scores.items():
        cells: list[Any] = []
        for name, statistic in aggregates:
            if label in exact:
                point = float(statistic(tasks))
                cells.append(Interval(point, point, point))
            else:
                rng = np.random.default_rng(streams("across", label, name))
                cells.append(statistics.stratified_bootstrap(tasks, statistic, rng=rng))
        rows.append((label, sum(task.size for task in tasks), *cells))
    caption = (
        f"Final scores on {n_tasks} tasks, normalised: 0 is the uniformly random policy, 1 the exact optimum. "
        f"Median: over tasks, of the mean over runs. Optimality gap: mean shortfall from 1, lower is better. "
        f"{INTERVALS} Resampled within each task: the intervals speak of these tasks, not of others."
    )
    columns = ("algorithm", "runs", *(name for name, _ in aggregates))
    formats: tuple[Format, ...] = ("text", "integer", "interval", "interval", "interval", "interval")
    return Table("across", "Across tasks", caption, columns, formats, tuple(rows), brief=SHOWN_ACROSS, essential=True)


def _turned(interval: Interval) -> Interval:
    """With the ends exchanged, as negation needs."""
    return Interval(interval.estimate, interval.high, interval.low)


def _with_episodes(task: Task) -> list[Entry]:
    """Entries that learned from episodes: planners have none."""
    return [entry for entry in task.entries if entry.runs and all(run.returns.size for run in entry.runs)]


def _table(
    task: Task, name: str, title: str, caption: str, columns: list[str], formats: list[Format], rows: list[Any]
) -> Table:
    return Table(
        f"{slug(task.env_id)}-{name}",
        f"{title} on {task.env_id}",
        caption,
        tuple(columns),
        tuple(formats),
        tuple(rows),
        brief=tuple(column for column in columns if column not in NOT_IN_TERMINAL),
        essential=name in ("final", "online"),
    )
