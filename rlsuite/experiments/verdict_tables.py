"""The tables of a verdict: one function per question asked of the runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from rlsuite.experiments import statistics
from rlsuite.experiments.measures import (
    Floats,
    final_scores,
    finished_episodes,
    is_exact,
    learned_curves,
    online_lengths,
    online_returns,
    sees_the_state,
    thresholds,
    tolerance,
    training_regret,
    training_steps,
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
BUDGETS_DIFFER = " Budgets differ between algorithms: a ranking compares settings and budgets."
SINGLE_RUNS = "90 % of runs"
SPREAD = ("sd", "worst", "best")  # of single runs, for the few that deep agents can afford
STEPS_PER_EPISODE = "steps per episode"
NOT_IN_TERMINAL = ("mean", "median", SINGLE_RUNS, "optimum", "seeing the state", "score")  # a line has 80 characters
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
    if exact or (values.size > 1 and (values == values[0]).all()):  # not by the statistic, whose sums round
        return Interval(*[float(values[0])] * 3)
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


def spread(values: Floats) -> list[float]:
    """What :data:`SPREAD` names."""
    if values.size == 0:
        return [np.nan] * len(SPREAD)
    deviation = float(np.std(values, ddof=1)) if values.size > 1 else np.nan
    return [deviation, float(values.min()), float(values.max())]


def final_table(task: Task, streams: Streams) -> Table:
    """Final performance: what was learned, judged without exploration."""
    reference = task.reference if task.metric == "return" else None
    attainable = reference is not None and sees_the_state(task)
    columns: list[str] = ["algorithm", "runs", *(name for name, _ in CENTRES)]
    formats: list[Format] = ["text", "integer", *["interval" for _ in CENTRES]]  # type: ignore[list-item]
    columns += list(SPREAD) if task.deep else [SINGLE_RUNS]
    formats += ["number" for _ in SPREAD] if task.deep else ["interval"]
    if reference is not None:
        columns += ["optimum", "regret", "at optimum"] if attainable else ["seeing the state"]
        formats += ["number", "interval", "percent"] if attainable else ["number"]
    rows: list[tuple[Any, ...]] = []
    for entry in task.entries:
        values = final_scores(task, entry) if usable(entry) else np.array([])
        centres = [
            interval(values, statistic, is_exact(task, entry), streams("final", task.env_id, entry.label, name))
            for name, statistic in CENTRES
        ]
        row: list[Any] = [entry.label, len(entry.runs), *centres]
        row += spread(values) if task.deep else [single_runs(values, is_exact(task, entry))]
        if reference is not None:
            row.append(reference.optimum)
        if reference is not None and attainable:
            gaps = [reference.optimum - end for end in _turned(centres[0])]
            regret = Interval(*(0.0 if abs(gap) <= tolerance(task) else gap for gap in gaps))
            row += [regret, float(np.mean(values == reference.optimum)) if values.size else np.nan]
        rows.append(tuple(row))
    scored = f"exact expectation over {task.horizon} steps" if task.mdp is not None else "estimated by simulation"
    title = "Final performance"
    caption = f"Undiscounted return of the learned policy at the end of each run, {scored}; higher is better."
    caption += BUDGETS_DIFFER * task.budgets_differ
    if task.metric == "rms-error":
        title = "RMS error of the learned values (lower is better)"
        caption = "Root mean squared error of the learned state values at the end of each run; lower is better."
    if reference is not None:
        expects = f"the uniformly random policy expects {format_value(reference.random, 'number')}."
        caption += (
            f" The optimum is over all policies, also those that look at the time left; {expects} Regret: optimum minus "
            "mean; at optimum: share of the runs."
            if attainable
            else " “Seeing the state”: what the best agent would reach if it saw the state; these see less, so it may be "
            f"out of reach, and no regret is counted against it; {expects}"
        )
    caption += f" {INTERVALS}"
    if task.deep:
        caption += " sd: standard deviation over runs; worst and best: of the runs."
        return _table(task, "final", title, caption, columns, formats, rows)
    caption += (
        f" {SINGLE_RUNS}: the median run and, in its brackets, a tolerance interval, within which 90 % of all "
        "runs with these settings fall, with 95 % confidence; it takes 46 runs."
    )
    return _table(task, "final", title, caption, columns, formats, rows)


def online_table(task: Task, streams: Streams) -> Table | None:
    """Performance while learning: what the exploring agent collected; ``None`` where no entry has episodes."""
    learners = [entry for entry in task.entries if entry.kind != "planning" and entry.runs]
    if task.metric != "return" or not any(run.returns.size for entry in learners for run in entry.runs):
        return None
    by_steps = task.budget_unit == "timesteps"
    paced = not task.deep or task.mdp is not None
    rows = []
    for entry in learners:
        values = online_returns(entry)
        centres = [
            interval(values, statistic, False, streams("online", task.env_id, entry.label, name))
            for name, statistic in CENTRES
        ]
        centres += [pace_interval(task, entry, "steps", streams)] if paced else []
        centres += [pace_interval(task, entry, "episodes", streams)] if by_steps and paced else []
        rows.append((entry.label, len(entry.runs), *centres))
    caption = (
        "Undiscounted return with exploration, averaged over the last tenth of each run's training episodes; higher is "
        "better. It may rank algorithms otherwise than the learned policies do. "
    )
    caption += f"{BUDGETS_DIFFER.lstrip()} " * task.budgets_differ
    columns = ["algorithm", "runs", *(name for name, _ in CENTRES)]
    if paced:
        columns.append(STEPS_PER_EPISODE)
        caption += (
            "Steps per episode: IQM over runs of the mean length of the same episodes; where all of them earn the same, "
            "fewer is better. "
        )
    if by_steps and paced:
        columns.append("episodes")
        caption += (
            "Runs were given steps: the last tenth holds more episodes for algorithms that finish them sooner, and an "
            "unfinished last episode does not count. Episodes: IQM of the number finished; a run that finished none has "
            "no return. "
        )
    formats: list[Format] = ["text", "integer", *["interval" for _ in columns[2:]]]  # type: ignore[list-item]
    return _table(task, "online", "Performance while learning", caption + INTERVALS, columns, formats, rows)


def pace_interval(task: Task, entry: Entry, unit: Literal["steps", "episodes"], streams: Streams) -> Interval:
    """IQM over runs of the steps per episode, or of the episodes finished."""
    values = online_lengths(entry) if unit == "steps" else finished_episodes(entry)
    return interval(values, statistics.iqm, False, streams("pace", task.env_id, entry.label, unit))


def efficiency_table(task: Task, streams: Streams, share: float) -> Table | None:
    """Sample efficiency: how much experience until a threshold; ``None`` where no threshold makes sense."""
    chosen = thresholds(task, share)
    rows: list[tuple[Any, ...]] = []
    for threshold in chosen:
        for entry in filter(usable, task.entries):
            scores, steps, episodes = learned_curves(task, entry)
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
    caption += BUDGETS_DIFFER * task.budgets_differ
    columns = ["algorithm", "threshold", "score", "runs that reach it", "episodes", "steps"]
    formats: list[Format] = ["text", "text", "number", "percent", "amount", "amount"]
    return _table(task, "efficiency", "Sample efficiency", caption, columns, formats, rows)


def speed_table(task: Task) -> Table | None:
    """What the runs took; ``None`` where no deep agent learned."""
    if not task.deep:
        return None
    rows = []
    for entry in task.entries:
        runs = [run for run in entry.runs if not run.failure]
        timed = [run for run in runs if run.learning_time > 0]
        speed = [run.steps[-1] / run.learning_time for run in timed]
        means = [
            float(np.mean(values)) if values else np.nan
            for values in (
                [run.steps[-1] for run in runs],
                speed,
                [run.learning_time for run in timed],
                [run.wall_time for run in runs],
            )
        ]
        rows.append((entry.label, len(runs), entry.n_envs, *means))
    caption = (
        "Means over runs. Steps per second and learning time: without scoring and saving. Runs at work at the same time "
        "share the machine, one thread each; compare speeds within this table only."
    )
    columns = [
        "algorithm",
        "runs",
        "n_envs",
        "environment steps",
        "steps/s",
        "learning time (s)",
        "wall-clock time (s)",
    ]
    formats: list[Format] = ["text", "integer", "integer", "integer", "integer", "number", "number"]
    return _table(task, "speed", "Time taken", caption, columns, formats, rows)


def regret_table(task: Task, streams: Streams) -> Table | None:
    """The price of learning: steps spent, and regret where the agents can attain the exact optimum; ``None`` without
    a reference or without episodes."""
    learners = _with_episodes(task)
    if task.reference is None or task.metric != "return" or not learners:
        return None
    attainable = sees_the_state(task)
    rows = []
    for entry in learners:
        total, count = training_regret(task, entry), finished_episodes(entry)
        measured = [("steps", training_steps(entry))]
        measured += [("total", total), ("per episode", total / count)] if attainable else []
        sums = [
            interval(values, statistics.mean, False, streams("regret", task.env_id, entry.label, name))
            for name, values in measured
        ]
        rows.append((entry.label, len(entry.runs), float(count.mean()), *sums))
    caption = "Mean over runs. Environment steps: all that were taken in training."
    if attainable:
        optimum = format_value(task.reference.optimum, "number")
        caption += (
            f" Regret: sum over the training episodes of the optimum, {optimum}, minus the episode's return; lower is "
            "better."
        )
    if task.budget_unit == "timesteps":
        caption += " Runs were given steps, not episodes: totals are over different numbers of episodes."
    caption += BUDGETS_DIFFER * task.budgets_differ
    columns = ["algorithm", "runs", "episodes", "environment steps"]
    columns += ["total regret", "regret per episode"] if attainable else []
    formats: list[Format] = ["text", "integer", "integer", *["interval" for _ in columns[3:]]]  # type: ignore[list-item]
    return _table(task, "regret", "Cost of learning", f"{caption} {INTERVALS}", columns, formats, rows)


def pair_table(task: Task, pairs: list[Pair], name: str, title: str, of: str, *, lower_is_better: bool) -> Table:
    """Every pair of algorithms: probability of improvement, mean difference, corrected test."""
    caption = (
        f"{of} Compared on the seeds that both have, each run of one paired with the run of the other that met the "
        "same environment randomness. P(A better): probability that a run of A beats a run of B, ties counted half. p: "
        "two-sided paired sign-flip test on the mean difference; Holm: corrected over all tested pairs of this "
        "table. “Better” needs Holm p < 0.05 and P(A better) on the same side. Two planners are compared as numbers."
    )
    caption += BUDGETS_DIFFER * task.budgets_differ
    if lower_is_better:  # pairs are compared with the sign turned; the table shows the numbers as they are
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
        "Where agents see less than the state, 1 is the optimum of one that sees it. "
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
