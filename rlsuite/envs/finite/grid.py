r"""Gridworld dynamics: a map of characters and a few rules become a :class:`FiniteMDP`.

Conventions of every gridworld of the suite: ``(row, column)`` counts from the top left; actions are numbered as in
Gymnasium's CliffWalking, 0 up, 1 right, 2 down, 3 left, then the diagonals clockwise from up-right (4 … 7), then
staying (8). States are numbered in reading order and walls have none.

Characters: ``#`` wall, ``.`` or blank free, ``S`` start, ``G`` goal, ``H`` pit, ``C`` cliff, ``K`` key, ``D`` door.

One step: the intended move is replaced by another with probability ``slip``; the wind of the column being left is added
to it; the agent walks that displacement, first along the row, then along the column, and stops before walls, closed
doors and the border. The reward is that of the cell in which it ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.envs.finite.layout import Layout, Panel
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.errors import InvalidEnvironmentError

UP, RIGHT, DOWN, LEFT = range(4)
MOVES = np.array([(-1, 0), (0, 1), (1, 0), (0, -1), (-1, 1), (1, 1), (1, -1), (-1, -1), (0, 0)])
MOVE_NAMES = ("up", "right", "down", "left", "up-right", "down-right", "down-left", "up-left", "stay")
ALPHABET = "#.SGHCKD"
CODES = "".join(
    ALPHABET[i] for i in (1, 0, 2, 3, 4, 5)
)  # integer maps: 0 free, 1 wall, 2 start, 3 goal, 4 pit, 5 cliff


def parse_map(desc: str | Sequence[str] | ArrayLike) -> NDArray[np.str_]:
    """``(rows, cols)`` array of characters.

    Args:
        desc: rows as one string (separated by line breaks or ``/``), as a list of strings, as a 2-D array of
            characters, or as a 2-D array of integers: 0 free, 1 wall, 2 start, 3 goal, 4 pit, 5 cliff.

    Raises:
        InvalidEnvironmentError: the map is empty, ragged, or holds something that is not in the alphabet.
    """
    rows = _rows(desc)
    if not rows or not rows[0]:
        raise InvalidEnvironmentError("the map is empty; give at least one row of characters")
    for r, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise InvalidEnvironmentError(
                f"map row {r} has {len(row)} cells but row 0 has {len(rows[0])}; all rows must be equally long"
            )
        for c, cell in enumerate(row):
            if cell not in ALPHABET:
                raise InvalidEnvironmentError(
                    f"map row {r}, column {c}: unknown character {cell!r}; known are # wall, . free, S start, G goal, "
                    "H pit, C cliff, K key, D door"
                )
    return np.array([list(row) for row in rows])


def _rows(desc: str | Sequence[str] | ArrayLike) -> list[str]:
    if isinstance(desc, str):
        lines = desc.replace("/", "\n").split("\n")
        while lines and not lines[0]:
            lines.pop(0)
        while lines and not lines[-1]:
            lines.pop()
        return [line.replace(" ", ".") for line in lines]
    if isinstance(desc, Sequence) and all(isinstance(row, str) for row in desc):
        return [str(row).replace(" ", ".") for row in desc]
    try:
        array = np.asarray(desc)
    except ValueError:
        array = np.empty(0)
    if array.ndim != 2 or array.dtype.kind not in "biuUS":
        raise InvalidEnvironmentError(
            "a map is a string, a list of strings, or a rectangular 2-D array of characters or of the integers "
            f"0…{len(CODES) - 1}; got {type(desc).__name__} of shape {array.shape} and type {array.dtype}"
        )
    if array.dtype.kind in "biu":
        array = array.astype(np.int64)
        bad = np.argwhere((array < 0) | (array >= len(CODES)))
        if bad.size:
            r, c = bad[0]
            raise InvalidEnvironmentError(f"map row {r}, column {c}: {array[r, c]} is not one of 0…{len(CODES) - 1}")
        array = np.array(list(CODES))[array]
    return ["".join(row).replace(" ", ".") for row in array.astype(np.str_)]


def gridworld_mdp(
    cells: NDArray[np.str_],
    *,
    step_reward: float = -1.0,
    goal_reward: float = -1.0,
    pit_reward: float = -100.0,
    cliff_reward: float = -100.0,
    moves: int = 4,
    slip: float = 0.0,
    slip_to: str = "sides",
    wind: Sequence[int] | None = None,
    stochastic_wind: bool = False,
    random_start: bool = False,
    extra_states: NDArray[np.bool_] | None = None,
    name: str = "gridworld",
) -> FiniteMDP:
    """The dynamics of a parsed map.

    Args:
        cells: ``(rows, cols)`` characters, see :func:`parse_map`.
        step_reward, goal_reward, pit_reward, cliff_reward: reward of a step, by the cell in which it ends.
            Goals and pits terminate; a cliff sends the agent back to the start.
        moves: 4, 8 (king's moves) or 9 (king's moves and staying).
        slip: probability that another move is made instead of the intended one.
        slip_to: which one: ``"sides"``, the two perpendicular to it, or ``"others"``, any other.
        wind: ``(cols,)`` cells by which each column's wind carries the agent upwards (negative: downwards).
        stochastic_wind: where there is wind, it is one stronger, as given, or one weaker, with probability 1/3 each.
        random_start: start uniformly in any cell that is neither goal nor pit, instead of in the cells ``S``.
        extra_states: ``(rows, cols)`` walls that get a state all the same (of use where maps change).
        name: for messages.

    Raises:
        InvalidEnvironmentError: the map has no start, has a door without a key or a cliff with several starts, or a
            parameter is out of range.
    """
    _check(cells, moves, slip, slip_to, wind, random_start)
    n_cols = cells.shape[1]
    has_state = (cells != "#") & (cells != "C")
    if extra_states is not None:
        has_state |= extra_states
    n_cells = int(has_state.sum())
    index = np.full(cells.shape, -1)
    index[has_state] = np.arange(n_cells)
    row, col = np.nonzero(has_state)
    starts = index[has_state & ~np.isin(cells, ("G", "H", "#", "D"))] if random_start else index[cells == "S"]

    cell_reward = np.full(cells.shape, float(step_reward))
    cell_reward[cells == "G"] = goal_reward
    cell_reward[cells == "H"] = pit_reward
    cell_reward[cells == "C"] = cliff_reward
    ends = (cells == "G") | (cells == "H")
    landing = index.copy()  # state in which the agent is after entering a cell
    landing[cells == "C"] = starts[0]
    is_key = cells == "K"

    n_layers = 2 if is_key.any() else 1  # without the key, with it
    displacement, slip_probability = _slips(moves, slip, slip_to)
    gust, gust_probability = _gusts(wind, stochastic_wind, n_cols)
    n_slips, n_gusts = slip_probability.size, gust.shape[0]
    shape = (n_layers, n_cells, moves, n_slips * n_gusts)
    next_state = np.empty(shape, np.int64)
    reward = np.empty(shape)
    terminated = np.empty(shape, np.bool_)
    for layer in range(n_layers):
        blocked = (cells == "#") | ((cells == "D") & (layer == 0))
        for a in range(moves):
            for j in range(n_slips * n_gusts):
                i, g = divmod(j, n_gusts)
                d_row, d_col = displacement[a, i]
                to_col = _walk(blocked, row, col, np.full(n_cells, d_col), axis=1)[1]
                to_row = _walk(blocked, row, to_col, d_row - gust[g, col], axis=0)[0]
                at = (layer, slice(None), a, j)
                next_layer = np.maximum(layer, is_key[to_row, to_col]) if n_layers == 2 else 0
                next_state[at] = landing[to_row, to_col] + next_layer * n_cells
                reward[at] = cell_reward[to_row, to_col]
                terminated[at] = ends[to_row, to_col]
    probability = np.broadcast_to(
        (slip_probability[None, :, None] * gust_probability.T[col][:, None, :]).reshape(1, n_cells, 1, -1), shape
    )
    over = ends[row, col]
    if over.any():  # goals and pits: one outcome, back to themselves, for nothing
        probability = probability.copy()
        probability[:, over], probability[:, over, :, 0] = 0.0, 1.0
        next_state[:, over] = (np.flatnonzero(over) + n_cells * np.arange(n_layers)[:, None])[:, :, None, None]
        reward[:, over], terminated[:, over] = 0.0, True
    possible = probability > 0
    offset = np.concatenate(([0], np.cumsum(possible.sum(axis=-1), dtype=np.int64)))
    initial = np.zeros(n_layers * n_cells)
    initial[starts] = 1.0 / starts.size
    return FiniteMDP(
        n_states=n_layers * n_cells,
        n_actions=moves,
        offset=offset,
        probability=probability[possible],
        next_state=next_state[possible],
        reward=reward[possible],
        terminated=terminated[possible],
        initial=initial,
        name=name,
        layout=grid_layout(cells, index, moves, n_cells=n_cells, n_layers=n_layers, wind=wind),
    )


def grid_layout(
    cells: NDArray[np.str_],
    index: NDArray[np.int64],
    moves: int = 4,
    *,
    n_cells: int = 0,
    n_layers: int = 1,
    wind: Sequence[int] | None = None,
) -> Layout:
    """How to draw states ``index`` (-1: none) on a map; with two layers, one panel without the key and one with it."""
    col_labels = () if wind is None else tuple(str(int(w)) for w in wind)
    col_name = "" if wind is None else "wind"
    titles = ("",) if n_layers == 1 else ("without the key", "with the key")
    panels = []
    for layer, title in enumerate(titles):
        shown = cells
        if layer == 1:  # the key is taken and the doors are open
            shown = np.where(np.isin(cells, ("K", "D")), ".", cells)
        states = np.where(index < 0, -1, index + layer * n_cells)
        panels.append(Panel(states, shown, title=title, col_labels=col_labels, col_name=col_name))
    return Layout(tuple(panels), MOVE_NAMES[:moves], MOVES[:moves])


def _check(cells: NDArray[np.str_], moves: Any, slip: Any, slip_to: Any, wind: Any, random_start: bool) -> None:
    if moves not in (4, 8, 9):
        raise InvalidEnvironmentError(f"moves must be 4, 8 or 9, is {moves!r}")
    if not isinstance(slip, int | float | np.number) or not 0.0 <= slip <= 1.0:
        raise InvalidEnvironmentError(f"slip must be a probability between 0 and 1, is {slip!r}")
    if slip_to not in ("sides", "others"):
        raise InvalidEnvironmentError(f"slip_to must be 'sides' or 'others', is {slip_to!r}")
    if wind is not None and (
        np.ndim(wind) != 1 or len(wind) != cells.shape[1] or np.asarray(wind).dtype.kind not in "iu"
    ):
        raise InvalidEnvironmentError(
            f"wind must hold one integer for each of the {cells.shape[1]} columns, is {wind!r}"
        )
    n_starts = int((cells == "S").sum())
    if random_start:
        n_starts = int(np.isin(cells, (".", "S", "K")).sum())
    if n_starts == 0:
        raise InvalidEnvironmentError("the map has no start; mark at least one cell with S")
    if (cells == "C").any() and n_starts > 1:
        r, c = np.argwhere(cells == "C")[0]
        raise InvalidEnvironmentError(
            f"map row {r}, column {c} is a cliff, which sends the agent back to the start, but the map has {n_starts} "
            "starts; it needs exactly one"
        )
    if (cells == "D").any() and not (cells == "K").any():
        r, c = np.argwhere(cells == "D")[0]
        raise InvalidEnvironmentError(f"map row {r}, column {c} is a door (D), but the map has no key (K)")


def _slips(moves: int, slip: float, slip_to: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """``(moves, k, 2)`` displacement of each action in its i-th way of slipping, and ``(k,)`` their probabilities."""
    intended = MOVES[:moves]
    if slip == 0:
        return intended[:, None], np.ones(1)
    if slip_to == "sides":
        to_the_right = np.stack([intended[:, 1], -intended[:, 0]], axis=1)
        alternatives = np.stack([to_the_right, -to_the_right], axis=1)
    else:
        alternatives = np.stack([np.delete(intended, a, axis=0) for a in range(moves)])
    k = alternatives.shape[1]
    weights = np.concatenate(([1.0 - slip], np.full(k, slip / k)))
    return np.concatenate([intended[:, None], alternatives], axis=1), weights


def _gusts(wind: Sequence[int] | None, stochastic: bool, n_cols: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """``(k, cols)`` possible strengths of each column's wind, and their ``(k, cols)`` probabilities."""
    base = np.zeros(n_cols, np.int64) if wind is None else np.asarray(wind, np.int64)
    if not stochastic:
        return base[None], np.ones((1, n_cols))
    blows = base != 0
    strengths = base + np.array([0, 1, -1])[:, None] * blows
    return strengths, np.where(blows, 1 / 3, np.array([1.0, 0.0, 0.0])[:, None])


def _walk(
    blocked: NDArray[np.bool_],
    row: NDArray[np.int64],
    col: NDArray[np.int64],
    distance: NDArray[np.int64],
    axis: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where ``distance`` cells along ``axis`` lead, stopping at the border and before blocked cells."""
    for _ in range(int(np.abs(distance).max(initial=0))):
        step = np.sign(distance)
        to_row = np.clip(row + step, 0, blocked.shape[0] - 1) if axis == 0 else row
        to_col = np.clip(col + step, 0, blocked.shape[1] - 1) if axis == 1 else col
        free = ~blocked[to_row, to_col]
        row, col = np.where(free, to_row, row), np.where(free, to_col, col)
        distance = distance - step
    return row, col
