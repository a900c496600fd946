"""Maps as arrays of characters ``(rows, cols)``: ways through them, solvability, and where they begin and end.

Characters are those of :mod:`rlsuite.envs.finite.grid`: ``.`` free, ``#`` wall, ``S`` start, ``G`` goal, ``H`` pit. Ways go
up, right, down and left, and end at pits as they do at goals.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.finite.grid import MOVES

FREE, WALL, START, GOAL, PIT = ".#SGH"
LEAST_SIDE, LARGEST_SIDE = 2, 64

Chars = NDArray[np.str_]
Cell = tuple[int, int]


def distances(cells: Chars, start: Cell) -> NDArray[np.int64]:
    """``(rows, cols)`` steps of the shortest way from ``start``, −1 where there is none (breadth-first search).

    A way goes on neither from a goal nor from a pit, where episodes end.
    """
    steps = np.full(cells.shape, -1)
    steps[start] = 0
    queue = deque([start])
    while queue:
        row, col = queue.popleft()
        if (row, col) != start and cells[row, col] in (GOAL, PIT):
            continue
        for d_row, d_col in MOVES[:4]:
            r, c = row + int(d_row), col + int(d_col)
            if 0 <= r < cells.shape[0] and 0 <= c < cells.shape[1] and steps[r, c] < 0 and cells[r, c] != WALL:
                steps[r, c] = steps[row, col] + 1
                queue.append((r, c))
    return steps


def endpoints(cells: Chars) -> tuple[Cell, Cell] | None:
    """The start and the goal of a map that has exactly one of each, else ``None``."""
    starts, goals = np.argwhere(cells == START), np.argwhere(cells == GOAL)
    if len(starts) != 1 or len(goals) != 1:
        return None
    return (int(starts[0, 0]), int(starts[0, 1])), (int(goals[0, 0]), int(goals[0, 1]))


def solution_length(cells: Chars) -> int | None:
    """Steps of the shortest way from start to goal; ``None`` without one start, one goal and a way between them.

    It is the optimum of the map's MDP: with −1 for each step the start's value is minus this.
    """
    ends = endpoints(cells)
    if ends is None:
        return None
    steps = int(distances(cells, ends[0])[ends[1]])
    return steps if steps >= 0 else None


def solution(cells: Chars) -> list[Cell]:
    """Cells of a shortest way from start to goal; empty where there is none."""
    ends = endpoints(cells)
    if ends is None:
        return []
    steps = distances(cells, ends[0])
    if steps[ends[1]] < 0:
        return []
    way = [ends[1]]
    while way[-1] != ends[0]:
        row, col = way[-1]
        around = [(row + int(dr), col + int(dc)) for dr, dc in MOVES[:4]]
        inside = [(r, c) for r, c in around if 0 <= r < cells.shape[0] and 0 <= c < cells.shape[1]]
        way.append(next(cell for cell in inside if steps[cell] == steps[row, col] - 1 and cells[cell] != PIT))
    return way[::-1]


def without_endpoints(cells: Chars) -> Chars:
    """The map with start and goal free."""
    return np.where((cells == START) | (cells == GOAL), FREE, cells)


def farthest_endpoints(cells: Chars) -> Chars:
    """The map with start and goal in the two free cells whose shortest way is longest, the first such pair in reading
    order; without two free cells that a way joins, the map as it is (which is then no solvable one)."""
    best, ends = 0, None
    for row, col in np.argwhere(cells == FREE):
        steps = np.where(cells == FREE, distances(cells, (int(row), int(col))), -1)
        if steps.max() > best:
            best, ends = int(steps.max()), ((int(row), int(col)), divmod(int(steps.argmax()), cells.shape[1]))
    return cells if ends is None else with_endpoints(cells, *ends)


def with_endpoints(cells: Chars, start: Cell, goal: Cell) -> Chars:
    """The map with a start and a goal in these cells; where one of them is not free, it stays as it is."""
    cells = cells.copy()
    for cell, character in ((start, START), (goal, GOAL)):
        if cells[cell] == FREE:
            cells[cell] = character
    return cells


def text(cells: Chars) -> str:
    """Rows of characters."""
    return "\n".join("".join(row) for row in cells)
