"""Figures of states that lie on a line: values as curves, with the policy below them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.finite.layout import Layout, Panel
from rlsuite.experiments.figures import INK, canvas, legend_above, legend_height, pen, plain, style
from rlsuite.experiments.maps import StateTable, likely_actions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def value_line(
    layout: Layout, tables: Sequence[tuple[str, StateTable]], exact: StateTable | None, exact_name: str
) -> Figure:
    """Values (and policies) of all algorithms along a line of states, the exact ones dashed."""
    panel = layout.panels[0]
    states = panel.states[0]
    labels = [plain(label) for label, _ in tables] + ([exact_name] if exact else [])
    both = any(table.policy is not None for _, table in tables)
    with style():
        legend = legend_height(labels)
        height = (4.4 if both else 2.8) + legend
        figure, axes = canvas(height, top=legend + 0.05, bottom=2.2 if both else 0.5)
        lines = [
            axes.plot(*_along(states, table.values), color=pen(i).color, ls=pen(i).dashes, marker=_dot(states), ms=3.5)[
                0
            ]
            for i, (_, table) in enumerate(tables)
        ]
        if exact:
            lines += axes.plot(
                *_along(states, exact.values), color=INK, ls=(0, (4, 2)), lw=1.3, marker=_dot(states), ms=2.5
            )
        axes.set_ylabel("value of the state")
        axes.set_xlim(-0.5, states.size - 0.5)
        legend_above(axes, lines, labels)
        axis_of_states = axes
        if both:
            box = axes.get_position()
            axis_of_states = figure.add_axes((box.x0, 0.5 / height, box.width, 1.5 / height), sharex=axes)
            axes.tick_params(labelbottom=False)
            _policy_lines(axis_of_states, layout, states, tables, exact)
        _label_states(axis_of_states, panel)
    return figure


def _along(states: NDArray[np.int64], per_state: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[np.float64]]:
    return np.arange(states.size), np.where(states >= 0, per_state[np.maximum(states, 0)], np.nan)


def _dot(states: NDArray[np.int64]) -> str:
    return "o" if states.size <= 30 else ""


def _policy_lines(
    axes: Axes,
    layout: Layout,
    states: NDArray[np.int64],
    tables: Sequence[tuple[str, StateTable]],
    exact: StateTable | None,
) -> None:
    """Two actions: the probability of the second; more: which is most probable (all of them where they tie)."""
    names = [plain(name, 12) for name in layout.action_names]
    drawn = [(pen(i).color, pen(i).dashes, table) for i, (_, table) in enumerate(tables)]
    drawn += [(INK, (0, (4, 2)), exact)] if exact else []
    for color, dashes, table in drawn:
        if table.policy is None:
            continue
        acts = table.policy.sum(axis=1) > 0
        if len(names) == 2:
            axes.plot(*_along(states, np.where(acts, table.policy[:, 1], np.nan)), color=color, ls=dashes, lw=1.3)
        elif table is exact:
            x, a = np.nonzero(likely_actions(np.where(states[:, None] >= 0, table.policy[np.maximum(states, 0)], 0.0)))
            axes.plot(x, a, ls="none", marker="o", ms=3.2, mfc="none", mec=color, mew=0.7)
        else:
            best = np.where(acts, table.policy.argmax(axis=1), np.nan)
            axes.plot(*_along(states, best), color=color, ls=dashes, lw=1.3, drawstyle="steps-mid")
    if len(names) == 2:
        axes.set_ylabel(f"P({names[1]})")
        axes.set_ylim(-0.05, 1.05)
    else:
        axes.set_ylabel("action")
        at = np.unique(np.linspace(0, len(names) - 1, len(names) if len(names) <= 12 else 7).astype(int))
        axes.set_yticks(at, [names[a] for a in at])


def _label_states(axes: Axes, panel: Panel) -> None:
    n = panel.states.shape[1]
    at = np.unique(np.linspace(0, n - 1, min(n, 11)).astype(int))
    if panel.col_labels:
        axes.set_xticks(at, [plain(panel.col_labels[i], 8) for i in at])
    elif any(c not in ".#" for c in panel.cells[0]):
        axes.set_xticks(np.arange(n), [c if c not in ".#" else "" for c in panel.cells[0]])
    axes.set_xlabel(plain(panel.col_name) or "state")
