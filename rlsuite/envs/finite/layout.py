"""Where states lie on paper: the geometry that value maps, policy arrows and visit counts are drawn on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Panel:
    """One rectangular picture of (some of) the states.

    Attributes:
        title: caption of the panel, empty where there is only one.
        states: ``(rows, cols)`` state index at each cell, -1 where there is none (a wall).
        cells: ``(rows, cols)`` one character a cell: ``#`` wall, ``.`` free, ``S`` start, ``G`` goal, ``H`` hole or
            pit, ``C`` cliff, blank where there is nothing to draw; other letters are printed as they are.
        row_labels, col_labels: axis ticks where rows and columns are quantities rather than places; else empty.
    """

    states: np.ndarray
    cells: np.ndarray
    title: str = ""
    row_labels: tuple[str, ...] = ()
    col_labels: tuple[str, ...] = ()
    row_name: str = ""
    col_name: str = ""


@dataclass(frozen=True)
class Layout:
    """Panels of states and what the actions look like on them.

    Attributes:
        panels: the pictures, in reading order.
        action_names: one short name per action.
        action_arrows: ``(n_actions, 2)`` displacement (down, right) of each action, zero for an action that does not
            move, or ``None`` where actions are not moves on the map (then the action's name, or number, is printed
            instead of an arrow).
    """

    panels: tuple[Panel, ...]
    action_names: tuple[str, ...]
    action_arrows: np.ndarray | None = None
