"""Value, policy and visits on the map: which number belongs in which cell (here), drawn in :mod:`figures_maps`.

A layout's panels are put on one *sheet*, a single grid of cells with gaps between the panels, so that twenty panels of
Taxi are drawn as quickly as one. Numbers per state are then one array per sheet, NaN where there is nothing to show:
outside the panels, in walls, where the episode is over, and where a learner has never been (what its table holds there
is only its initial value).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.finite.layout import Layout, Panel
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.experiments.results import Entry, Task

GAP = -2  # in Sheet.states: between panels; -1 is a cell without a state
LIKELY = 0.5  # actions at least this probable, relative to the most probable one, are drawn

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sheet:
    """The panels of a layout on one grid.

    Attributes:
        states: ``(rows, cols)`` state at each cell, -1 for none, ``GAP`` between panels.
        cells: ``(rows, cols)`` one character a cell, a space between panels.
        panels: each panel with the row and column of its first cell.
    """

    states: NDArray[np.int64]
    cells: NDArray[np.str_]
    panels: tuple[tuple[int, int, Panel], ...]

    @property
    def shape(self) -> tuple[int, int]:
        return self.states.shape

    def place(self, per_state: Floats) -> Floats:
        """``(rows, cols)`` the entry of ``per_state`` that belongs in each cell, NaN where there is no state."""
        return np.where(self.states >= 0, per_state[np.maximum(self.states, 0)], np.nan)


@dataclass(frozen=True)
class StateTable:
    """What is known about each state, ready to draw.

    Attributes:
        values: ``(n_states,)`` NaN where there is nothing to show.
        policy: ``(n_states, n_actions)`` rows of zeros where there is nothing to show, or ``None``.
    """

    values: Floats
    policy: Floats | None


def arrange(layout: Layout) -> Sheet:
    """Put the panels in reading order on a sheet a little wider than high, or higher than wide for many panels."""
    rows = max(panel.states.shape[0] for panel in layout.panels)
    cols = max(panel.states.shape[1] for panel in layout.panels)
    n = len(layout.panels)
    aspect = 1.3 if n <= 6 else 0.8  # many narrow panels would leave no room for their titles
    titled = any(panel.title for panel in layout.panels)
    down, right = rows + (max(2, rows // 5) if titled or n > 1 else 1), cols + max(1, cols // 8)

    def badness(across: int) -> float:
        high = -(-n // across)
        return abs(np.log(across * right / (high * down) / aspect)) + (across * high - n) / n

    across = min(range(1, n + 1), key=badness)
    shape = (-(-n // across) * down - (down - rows), across * right - (right - cols))
    states, cells = np.full(shape, GAP, np.int64), np.full(shape, " ", "<U1")
    placed = []
    for i, panel in enumerate(layout.panels):
        top, left = i // across * down, i % across * right
        height, width = panel.states.shape
        states[top : top + height, left : left + width] = panel.states
        cells[top : top + height, left : left + width] = panel.cells
        placed.append((top, left, panel))
    return Sheet(states, cells, tuple(placed))


def is_line(layout: Layout) -> bool:
    """Whether the states lie along one line, which is then drawn as a curve rather than as a strip of colours."""
    return len(layout.panels) == 1 and layout.panels[0].states.shape[0] == 1


def acting_states(task: Task) -> NDArray[np.bool_]:
    """``(n_states,)`` where an agent may have to act: only there do values and policies mean something."""
    mdp = _model(task)
    if task.reference is None or task.metric != "return":
        return mdp.reachable
    return np.isfinite(task.reference.values)


def learned(task: Task, entry: Entry) -> StateTable:
    """The entry's values and policy in each state in which its run had to act."""
    mdp, tables = _model(task), entry.tables
    if tables is None:
        raise ValueError(f"{entry.label} has no tables to draw")
    known = acting_states(task)
    if tables.visits.any():
        known = known & (tables.visits[mdp.observation] > 0)
    return _masked(tables.values[mdp.observation], tables.policy[mdp.observation] if _has_policy(task) else None, known)


def exact(task: Task) -> StateTable | None:
    """The values and policy to compare with: optimal ones, or those of the policy that prediction agents evaluate."""
    mdp = _model(task)
    if not _has_policy(task):
        from rlsuite.agents.tabular.evaluation import discounted_values, random_policy

        return _masked(discounted_values(mdp, random_policy(mdp), task.gamma), None, acting_states(task))
    if task.reference is None:
        return None
    return _masked(task.reference.values, task.reference.policy, acting_states(task))


def visits(task: Task, entry: Entry) -> Floats | None:
    """``(n_states,)`` mean number of actions taken in each state, NaN where none can be; ``None`` for planners."""
    if entry.tables is None or not entry.tables.visits.any():
        return None
    return np.where(acting_states(task), entry.tables.visits[_model(task).observation], np.nan)


def shared_limits(tables: list[StateTable], exact: StateTable | None) -> tuple[float, float]:
    """One range of colours for all maps: the middle 96 % of the learned values and all exact ones, but never so wide
    that differences among the exact ones are lost (values inflated by a bonus would do that)."""
    learned_values = np.concatenate([table.values[np.isfinite(table.values)] for table in tables] or [np.zeros(0)])
    ends = np.percentile(learned_values, (2, 98)) if learned_values.size else np.zeros(0)
    truth = exact.values[np.isfinite(exact.values)] if exact is not None else np.zeros(0)
    if truth.size:
        reach = max(float(np.ptp(truth)), float(np.abs(truth).max()))
        ends = np.append(ends.clip(truth.min() - reach, truth.max() + reach), truth)
    return (float(ends.min()), float(ends.max())) if ends.size else (0.0, 1.0)


def likely_actions(policy: Floats) -> NDArray[np.bool_]:
    """``(…, n_actions)`` the actions to draw: all ties and everything about as probable as the most probable one."""
    top = policy.max(axis=-1, keepdims=True)
    return (policy >= LIKELY * top) & (top > 0)


def _model(task: Task) -> FiniteMDP:
    if task.mdp is None:
        raise ValueError(f"{task.env_id} has no model, hence no states to draw")
    return task.mdp


def _has_policy(task: Task) -> bool:
    return task.metric == "return"


def _masked(values: Floats, policy: Floats | None, known: NDArray[np.bool_]) -> StateTable:
    shown = np.where(known, values, np.nan)
    return StateTable(shown, None if policy is None else np.where(known[:, None], policy, 0.0))
