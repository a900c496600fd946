"""Figures of learning over time: the learned policy's score, returns while training, runs that reached a threshold."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.experiments import statistics
from rlsuite.experiments.figures import INK, MUTED, Pen, canvas, legend_above, legend_height, pen, plain, short, style
from rlsuite.experiments.measures import (
    Threshold,
    is_exact,
    learned_curves,
    normalised,
    score_curves,
    sees_the_state,
    usable,
)
from rlsuite.experiments.results import Comparison, Entry, Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FAINT_RUNS = 20  # individual runs drawn per algorithm, the first ones; more would only make a smear
AGGREGATE_POINTS, AGGREGATE_REPS = 26, 500
TRAINING_POINTS, TRAINING_WINDOW = 100, 0.05  # of returns while training, and the share of the budget averaged over
NORMALISED_FLOOR = -0.5  # where the axis of normalised scores ends, lest one bad task hide all others
FIRST_SHARE = 0.1  # of the budget, not heeded when the range of training returns is chosen

Floats = NDArray[np.float64]


def learning_curves(task: Task) -> Figure:
    """IQM over runs of the score at each checkpoint with its 95 % band, single runs faint, exact references dashed."""
    with style():
        labels = [plain(e.label) for e in task.entries if usable(e)] + _reference_names(task)
        figure, axes = _curves_canvas(labels)
        lines, extremes = [], []
        for i, entry in enumerate(task.entries):
            if not usable(entry):
                continue
            scores, steps, episodes = score_curves(task, entry)
            at = (episodes if task.budget_unit == "episodes" else steps).mean(axis=0)
            if is_exact(task, entry):
                lines.append(_constant(axes, float(scores[0, -1]), pen(i)))
                extremes += [scores[0, -1:]]
                continue
            band = statistics.curve_band(scores, "iqm", rng=_stream("learning", task.env_id, entry.label))
            lines.append(_curve(axes, at, band, pen(i), scores))
            extremes += [band.centre, band.low, band.high]
        _limits(axes, np.concatenate(extremes) if extremes else np.zeros(1), _reference_values(task))
        lines += _references(axes, task)
        _label_budget(axes, task)
        axes.set_ylabel("return of the learned policy" if task.metric == "return" else "RMS error of the values")
        legend_above(axes, lines, labels)
    return figure


def training_curves(task: Task) -> Figure | None:
    """Mean training return between one checkpoint and the next, exploration included; ``None`` without episodes."""
    found = [(i, entry, *_training_returns(task, entry)) for i, entry in enumerate(task.entries) if entry.runs]
    found = [(i, entry, at, windows) for i, entry, at, windows in found if np.isfinite(windows).any()]
    if not found:
        return None
    names = _reference_names(task)[:1]
    labels = [plain(entry.label) for _, entry, _, _ in found] + names
    with style():
        figure, axes = _curves_canvas(labels)
        lines, extremes = [], []
        for i, entry, at, windows in found:
            inside = np.isfinite(windows).all(axis=0)  # every run finished an episode in this window
            if not inside.any():
                lines.append(axes.plot([], [], color=pen(i).color)[0])
                continue
            band = statistics.curve_band(windows[:, inside], "iqm", rng=_stream("training", task.env_id, entry.label))
            lines.append(_curve(axes, at[inside], band, pen(i), windows[:, inside]))
            late = at[inside] >= FIRST_SHARE * at[-1]  # the first windows may lie far below all that follows
            extremes += [edge[late | ~late.any()] for edge in band]
        if extremes:
            _limits(axes, np.concatenate(extremes), _reference_values(task)[:1])
        lines += _references(axes, task)[: len(names)]
        _label_budget(axes, task)
        axes.set_ylabel("return while training")
        legend_above(axes, lines, labels)
    return figure


def efficiency_curves(task: Task, threshold: Threshold) -> Figure | None:
    """Share of runs whose learned policy had reached ``threshold`` by then; ``None`` where only planners ran."""
    learners = [(i, e) for i, e in enumerate(task.entries) if usable(e) and not is_exact(task, e)]
    if not learners:
        return None
    labels = [plain(entry.label) for _, entry in learners]
    with style():
        figure, axes = _curves_canvas(labels)
        lines = []
        for i, entry in learners:
            scores, steps, episodes = learned_curves(task, entry)
            budget = episodes if task.budget_unit == "episodes" else steps
            reached = statistics.sample_efficiency(
                scores, budget, threshold.score, higher_is_better=task.higher_is_better
            )
            at = np.sort(reached.first[np.isfinite(reached.first)])
            end = float(budget.max())
            share = np.arange(at.size + 1) / reached.first.size
            x = np.concatenate([[0.0], at, [end]])
            y = np.concatenate([share, share[-1:]])
            lines += axes.plot(x, y, color=pen(i).color, ls=pen(i).dashes, drawstyle="steps-post")
        axes.set_ylim(-0.03, 1.03)
        axes.set_ylabel(f"runs that reached {short(threshold.score)}")
        axes.yaxis.set_major_formatter(lambda y, _: f"{100 * y:.0f} %")
        _label_budget(axes, task)
        legend_above(axes, lines, labels)
    return figure


def aggregate_curves(comparison: Comparison, tasks: list[Task], labels: tuple[str, ...]) -> Figure:
    """IQM of normalised scores over all runs of ``tasks`` against the share of the budget that was spent."""
    index = {label: i for i, label in enumerate(comparison.labels)}
    grid = np.linspace(0, 1, AGGREGATE_POINTS)
    with style():
        figure, axes = _curves_canvas([*map(plain, labels), "optimum"])
        lines: list[Any] = []
        extremes = [np.array([0.0, 1.0])]
        for label in labels:
            i = index[label]
            per_task = [_on_grid(task, task.entries[i], grid) for task in tasks]  # each (n_runs, n_points)
            if all(is_exact(task, task.entries[i]) for task in tasks):
                lines.append(_constant(axes, statistics.iqm([scores[:, -1] for scores in per_task]), pen(i)))
                continue
            points = [
                statistics.stratified_bootstrap(
                    [scores[:, k] for scores in per_task],
                    statistics.iqm,
                    rng=_stream("aggregate", label),
                    reps=AGGREGATE_REPS,
                )
                for k in range(grid.size)
            ]  # the same stream at every point: whole runs are resampled, within their task
            band = statistics.Band(*(np.array(column) for column in zip(*points, strict=True)))
            lines.append(_curve(axes, 100 * grid, band, pen(i)))
            extremes += list(band)
        lines.append(axes.axhline(1.0, color=INK, ls=(0, (4, 2)), lw=1.2))
        _limits(axes, np.maximum(np.concatenate(extremes), NORMALISED_FLOOR), [])
        whose = "each algorithm's" if any(task.budgets_differ for task in tasks) else "the"
        axes.set_xlabel(f"share of {whose} budget spent (%)")
        axes.set_ylabel("normalised score (IQM)")
        legend_above(axes, lines, [*map(plain, labels), "optimum"])
    return figure


def smoothed_returns(entry: Entry, grid: Floats, window: float) -> Floats:
    """``(n_runs, len(grid))`` mean return of the episodes that ended in the ``window`` of steps before each point; where
    none did, what it was before; NaN before the first."""
    rows = np.full((len(entry.runs), grid.size), np.nan)
    for row, run in zip(rows, entry.runs, strict=True):
        total = np.concatenate([[0.0], np.cumsum(run.returns)])
        first = np.searchsorted(run.episode_ends, grid - window, side="right")
        last = np.searchsorted(run.episode_ends, grid, side="right")
        some = last > first
        row[some] = (total[last] - total[first])[some] / (last - first)[some]
        known = np.maximum.accumulate(np.where(some, np.arange(grid.size), -1))
        row[known >= 0] = row[known[known >= 0]]
    return rows


def _training_returns(task: Task, entry: Entry) -> tuple[Floats, Floats]:
    """Where on the axis, and the windows' mean returns of each run. Learners of different kinds finish episodes at
    different times, so where they were given steps all are shown over the same windows of steps."""
    if task.deep and task.budget_unit == "timesteps":
        end = float(max(run.steps[-1] for run in entry.runs))
        grid = np.linspace(0.0, end, TRAINING_POINTS + 1)[1:]
        return grid, smoothed_returns(entry, grid, TRAINING_WINDOW * end)
    _, steps, episodes = score_curves(task, entry)
    ends = (episodes if task.budget_unit == "episodes" else steps).mean(axis=0)
    return (ends[:-1] + ends[1:]) / 2, windowed_returns(entry)


def windowed_returns(entry: Entry) -> Floats:
    """``(n_runs, n_checkpoints - 1)`` mean return of the episodes that ended between two checkpoints, NaN for none."""
    n_points = max(run.episodes.size for run in entry.runs)
    windows = np.full((len(entry.runs), max(n_points - 1, 0)), np.nan)
    for row, run in zip(windows, entry.runs, strict=True):
        total = np.concatenate([[0.0], np.cumsum(run.returns)])
        ends = np.minimum(run.episodes, run.returns.size)
        count = np.diff(ends)
        some = count > 0
        row[: count.size][some] = np.diff(total[ends])[some] / count[some]
    return windows


# -- pieces ------------------------------------------------------------------------------------------------------------


def _curves_canvas(labels: list[str], plot: float = 2.7) -> tuple[Figure, Axes]:
    top = legend_height(labels) + 0.06
    return canvas(plot + top, top=top)


def _curve(axes: Axes, x: Floats, band: statistics.Band, how: Pen, runs: Floats | None = None) -> Any:
    """A line with its band, and single runs below it as one path with gaps."""
    if runs is not None and len(runs) > 1:
        some = runs[:FAINT_RUNS]
        gap = np.full((len(some), 1), np.nan)
        xs = np.tile(np.append(x, np.nan), len(some))
        axes.plot(xs, np.hstack([some, gap]).ravel(), color=how.color, lw=0.5, alpha=0.18, zorder=1.5)
    if np.isfinite(band.low).any():
        axes.fill_between(x, band.low, band.high, color=how.color, alpha=0.2, lw=0, zorder=1.8)
    single = "o" if x.size == 1 else ""
    return axes.plot(x, band.centre, color=how.color, ls=how.dashes, marker=single)[0]


def _constant(axes: Axes, score: float, how: Pen) -> Any:
    """What a planner reaches before the first step."""
    return axes.axhline(score, color=how.color, ls=how.dashes, lw=1.6, zorder=1.9)


def _reference_names(task: Task) -> list[str]:
    if task.metric != "return":
        return []
    if task.reference is None:
        return [] if task.threshold is None else [f"reward threshold ({short(task.threshold)})"]
    best = "exact optimum" if sees_the_state(task) else "optimum seeing the state"
    return [best, f"random ({short(task.reference.random)})"]


def _reference_values(task: Task) -> list[float]:
    if task.metric != "return":
        return []
    if task.reference is None:
        return [] if task.threshold is None else [task.threshold]
    return [task.reference.optimum, task.reference.random]


def _references(axes: Axes, task: Task) -> list[Any]:
    """Dashed at the optimum, dotted at the random policy; a line outside the axes changes nothing but the legend."""
    low, high = axes.get_ylim()
    lines = []
    for value, dashes, color in zip(_reference_values(task), ((0, (4, 2)), (0, (1, 1.6))), (INK, MUTED), strict=False):
        if low <= value <= high:
            lines.append(axes.axhline(value, color=color, ls=dashes, lw=1.2, zorder=2.5))
        else:
            lines += axes.plot([], [], color=color, ls=dashes, lw=1.2)
    axes.set_ylim(low, high)
    return lines


def _limits(axes: Axes, drawn: Floats, references: list[float]) -> None:
    """The y-range of centres and bands; a reference joins unless it would squeeze them into a small part."""
    finite = drawn[np.isfinite(drawn)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    for value in references:
        if max(high, value) - min(low, value) <= 2.5 * (high - low) or high == low:
            low, high = min(low, value), max(high, value)
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.5
    axes.set_ylim(low - margin, high + margin)


def _label_budget(axes: Axes, task: Task) -> None:
    axes.set_xlabel("training episodes" if task.budget_unit == "episodes" else "environment steps")
    axes.xaxis.set_major_formatter(lambda x, _: short(x))
    axes.margins(x=0.02)


def _on_grid(task: Task, entry: Entry, grid: Floats) -> Floats:
    """``(n_runs, len(grid))`` normalised scores held from each checkpoint to the next."""
    scores, steps, episodes = score_curves(task, entry)
    spent = (episodes if task.budget_unit == "episodes" else steps).mean(axis=0)
    share = spent / spent[-1] if spent[-1] > 0 else np.linspace(0, 1, spent.size)
    at = np.searchsorted(share, grid + 1e-12, side="right") - 1
    return normalised(task, scores)[:, np.maximum(at, 0)]


def _stream(*names: str) -> np.random.Generator:
    """The bootstrap of a figure: the same picture every time, whatever else is on the page."""
    return np.random.default_rng([zlib.crc32(name.encode()) for name in names])
