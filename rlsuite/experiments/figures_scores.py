"""Figures of final performance: intervals, probability of improvement, performance profiles."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rlsuite.experiments import statistics
from rlsuite.experiments.figures import INK, MUTED, WIDTH, canvas, legend_above, legend_height, pen, plain, short, style
from rlsuite.experiments.measures import Floats
from rlsuite.experiments.statistics import Interval
from rlsuite.experiments.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CENTRES = (("IQM", "o", 7.0), ("mean", "D", 4.5), ("median", "|", 8.0))
NUMBER_WIDTH = 0.33  # inches that a number of the matrix needs; narrower cells have colours only


def interval_plot(
    table: Table,
    labels: Sequence[str],
    x_label: str,
    reference: tuple[float, str] | None = None,
    floor: float = -np.inf,
) -> Figure:
    """IQM, mean and median of each algorithm with their 95 % intervals: the columns of those names in ``table``.

    What lies below ``floor`` is a triangle at the edge.
    """
    columns = [table.columns.index(name) for name, _, _ in CENTRES]
    index = {label: i for i, label in enumerate(labels)}
    rows = [row for row in table.rows if isinstance(row[columns[0]], Interval)]
    names = [plain(row[0], 24) for row in rows]
    left = 0.25 + 0.078 * max(map(len, names), default=1)
    with style():
        from matplotlib.lines import Line2D

        legend = [Line2D([], [], color=MUTED, ls="none", marker=marker, ms=size) for _, marker, size in CENTRES]
        words = [f"{name}, 95 % interval" if i == 0 else name for i, (name, _, _) in enumerate(CENTRES)]
        if reference:
            words.append(reference[1])
            legend.append(Line2D([], [], color=INK, ls=(0, (4, 2)), lw=1.2))
        top = legend_height(words) + 0.06
        figure, axes = canvas(top + 0.55 + 0.46 * max(len(rows), 1), left=left, top=top)
        for y, row in enumerate(rows):
            how = pen(index.get(row[0], y))
            for (_, marker, size), column, shift in zip(CENTRES, columns, (-0.22, 0.06, 0.3), strict=True):
                estimate, low, high = row[column]
                if np.isfinite(low) and np.isfinite(high):
                    axes.plot(
                        [low, high], [y + shift] * 2, color=how.color, lw=3.2 if marker == "o" else 1.4, alpha=0.55
                    )
                if estimate < floor:
                    axes.plot([floor], [y + shift], color=how.color, ls="none", marker="<", ms=6, clip_on=False)
                elif np.isfinite(estimate):
                    axes.plot([estimate], [y + shift], color=how.color, ls="none", marker=marker, ms=size, mew=1.4)
        if reference:
            axes.axvline(reference[0], color=INK, ls=(0, (4, 2)), lw=1.2)
        if axes.get_xlim()[0] < floor:
            ends = [end for row in rows for column in columns for end in row[column] if np.isfinite(end)]
            high = max([floor, *ends, *([reference[0]] if reference else [])])
            axes.set_xlim(floor, high + 0.05 * (high - floor))
        axes.set_xlabel(x_label)
        axes.locator_params(axis="x", nbins=6)
        axes.xaxis.set_major_formatter(lambda x, _: short(x))
        axes.set_yticks(range(len(rows)), names)
        axes.set_ylim(max(len(rows), 1) - 0.4, -0.6)
        axes.grid(False, axis="y")
        axes.tick_params(axis="y", length=0)
        legend_above(axes, legend, words)
    return figure


def improvement_matrix(table: Table, labels: Sequence[str]) -> Figure:
    """P(row better than column) for all pairs of a pair table, as colours and numbers."""
    matrix = improvement(table, labels)
    keep = [i for i in range(len(labels)) if np.isfinite(matrix[i]).any()]
    shown = matrix[np.ix_(keep, keep)]
    names = [plain(labels[i], 22) for i in keep]
    n = len(keep)
    with style():
        import matplotlib

        longest = max(map(len, names), default=1)
        left = 0.25 + 0.075 * longest
        wide = min(WIDTH - left - 0.2, 0.62 * n)
        slanted = wide / max(n, 1) < 0.09 * longest + 0.1
        bottom = 0.25 + (0.052 * longest if slanted else 0.1)
        high = wide * min(1.0, 0.62 * 0.8 / (wide / max(n, 1)))
        figure, axes = canvas(high + bottom + 0.3, left=left, right=WIDTH - left - wide, bottom=bottom, top=0.3)
        rgba = matplotlib.colormaps["PuOr"](np.nan_to_num(0.08 + 0.84 * shown, nan=0.5))
        rgba[~np.isfinite(shown)] = 0.0
        axes.imshow(rgba, interpolation="none", aspect="auto")
        if wide >= NUMBER_WIDTH * n:
            for (row, col), p in np.ndenumerate(shown):
                if np.isfinite(p):
                    light = rgba[row, col, :3] @ (0.299, 0.587, 0.114) <= 0.5
                    text = f"{p:.2f}" if p in (0, 0.5, 1) else f"{min(max(p, 0.01), 0.99):.2f}"
                    axes.text(
                        col,
                        row,
                        text,
                        ha="center",
                        va="center_baseline",
                        size=9,
                        color="#fafcfe" if light else "#10161d",
                    )
        axes.set_xticks(range(n), names)
        if slanted:
            for tick in axes.get_xticklabels():
                tick.set(rotation=32, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(n), names)
        axes.tick_params(length=0)
        axes.grid(False)
        for side in axes.spines.values():
            side.set_visible(False)
        figure.text(0.015, 1 - 0.05 / figure.get_size_inches()[1], "row beats column", va="top", size=9, color=MUTED)
    return figure


def improvement(table: Table, labels: Sequence[str]) -> Floats:
    """``(n, n)`` probability that a run of the row's algorithm beats one of the column's; NaN where not compared."""
    a, b, p = (table.columns.index(name) for name in ("A", "B", "P(A better)"))
    index = {label: i for i, label in enumerate(labels)}
    matrix = np.full((len(labels), len(labels)), np.nan)
    for row in table.rows:
        i, j, probability = index[row[a]], index[row[b]], row[p].estimate
        matrix[i, j], matrix[j, i] = probability, 1 - probability
    return matrix


def profile_plot(
    scores: dict[str, list[Floats]],
    labels: Sequence[str],
    x_label: str,
    reference: tuple[float, str] | None = None,
    higher_is_better: bool = True,
    floor: float = -np.inf,
) -> Figure:
    """Performance profile: the fraction of runs that score beyond each threshold, with 95 % bands.

    ``scores`` holds one array per task for each algorithm; thresholds begin at ``floor`` or at the lowest score.
    """
    index = {label: i for i, label in enumerate(labels)}
    pooled = np.concatenate([task for tasks in scores.values() for task in tasks])
    low, high = max(float(pooled.min()), floor), max(float(pooled.max()), floor)
    if reference:
        low, high = min(low, reference[0]), max(high, reference[0])
    margin = 0.04 * (high - low) or 0.05 * abs(high) or 0.5
    tau = np.linspace(max(low - margin, floor), high + margin, 201)
    names = [plain(label) for label in scores] + ([reference[1]] if reference else [])
    sign = 1 if higher_is_better else -1
    with style():
        top = legend_height(names) + 0.06
        figure, axes = canvas(2.6 + top, top=top)
        lines = []
        for label, tasks in scores.items():
            how = pen(index[label])
            rng = np.random.default_rng([zlib.crc32(b"profile"), zlib.crc32(label.encode())])
            band = statistics.performance_profile([sign * task for task in tasks], sign * tau, rng=rng)
            lines += axes.plot(tau, band.centre, color=how.color, ls=how.dashes, drawstyle="steps-mid")
            if np.isfinite(band.low).any():
                axes.fill_between(tau, band.low, band.high, color=how.color, alpha=0.16, lw=0, step="mid")
        if reference:
            lines.append(axes.axvline(reference[0], color=INK, ls=(0, (4, 2)), lw=1.2))
        _share_axis(axes, "runs above τ" if higher_is_better else "runs below τ")
        axes.set_xlabel(x_label)
        axes.xaxis.set_major_formatter(lambda x, _: short(x))
        legend_above(axes, lines, names)
    return figure


def _share_axis(axes: Axes, label: str) -> None:
    axes.set_ylim(-0.03, 1.03)
    axes.set_ylabel(label)
    axes.yaxis.set_major_formatter(lambda y, _: f"{100 * y:.0f} %")
