"""Mazes: Dyna's, random ones that can always be solved, and an empty grid of any size."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.finite.env import FiniteMDPEnv
from rlsuite.envs.finite.grid import MOVES, gridworld_mdp, parse_map
from rlsuite.errors import InvalidEnvironmentError

DYNA = (
    ".......#G",
    "..#....#.",
    "S.#....#.",
    "..#......",
    ".....#...",
    ".........",
)


class DynaMazeEnv(FiniteMDPEnv):
    """
    The maze on which Dyna-Q shows what planning is worth.

    ## Description
    A 6x9 grid with three walls; the shortest way from start to goal has 14 steps.

    ## Action Space
    `Discrete(4)`: 0 up, 1 right, 2 down, 3 left. Moves into walls or off the grid leave the agent where it is.

    ## Observation Space
    `Discrete(47)`: the free cells in reading order.

    ## Rewards
    +1 for the step that reaches the goal, 0 for every other (the book discounts by 0.95).

    ## Starting State
    Row 2, column 0.

    ## Episode End
    Termination at the goal, the top right cell. Truncation after 5000 steps.

    ## Arguments
    None.

    Sutton and Barto, *Reinforcement Learning: An Introduction*, 2nd edition, example 8.1 and figure 8.2.

    ## Version History
    - v0: initial version
    """

    def __init__(self, render_mode: str | None = None) -> None:
        mdp = gridworld_mdp(parse_map(DYNA), step_reward=0.0, goal_reward=1.0, name="DynaMaze")
        super().__init__(mdp, render_mode)


class RandomMazeEnv(FiniteMDPEnv):
    """
    A maze drawn at random, in which the goal can always be reached.

    ## Description
    A square map from the top left to the bottom right cell. In mode `"density"` every other cell is a wall with
    probability `density`; where that leaves no way to the goal, the fewest possible walls are removed, and pockets that
    cannot be reached are filled in. In mode `"perfect"` there is exactly one way between any two cells (a spanning tree
    by randomised depth-first search).

    ## Action Space
    `Discrete(4)`: 0 up, 1 right, 2 down, 3 left.

    ## Observation Space
    `Discrete(n)`: the free cells in reading order; how many depends on the map.

    ## Rewards
    -1 per step.

    ## Starting State
    The top left cell.

    ## Episode End
    Termination at the bottom right cell. Truncation after 1000 steps.

    ## Arguments
    - `map_seed=0`: chooses the map; the same seed and arguments always give the same one. It has nothing to do with the
      seed of `reset`.
    - `size=15`: cells per side, at least 2; odd in mode `"perfect"`.
    - `mode="density"`: or `"perfect"`.
    - `density=0.3`: fraction of walls in mode `"density"`.
    - `slip=0.0`: probability that a move goes to one of its two sides.

    ## Version History
    - v0: initial version
    """

    def __init__(
        self,
        map_seed: int = 0,
        size: int = 15,
        mode: str = "density",
        density: float = 0.3,
        slip: float = 0.0,
        render_mode: str | None = None,
    ) -> None:
        cells = random_maze(map_seed, size, mode, density)
        super().__init__(gridworld_mdp(cells, slip=slip, name="RandomMaze"), render_mode)


class NGridWorldEnv(FiniteMDPEnv):
    """
    An empty N x N grid, as large as memory allows: a yardstick for planners.

    ## Description
    From the top left to the bottom right corner of an empty grid, with moves that slip to the sides. The dynamics are
    built by array operations: a million states take a few seconds.

    ## Action Space
    `Discrete(4)`: 0 up, 1 right, 2 down, 3 left. With probability `slip` the move goes to one of its two sides.

    ## Observation Space
    `Discrete(size * size)`: `row * size + column`.

    ## Rewards
    -1 per step.

    ## Starting State
    State 0, the top left corner.

    ## Episode End
    Termination at the bottom right corner. Truncation after 1000 steps.

    ## Arguments
    - `size=10`: cells per side, at least 2.
    - `slip=0.2`

    ## Version History
    - v0: initial version
    """

    def __init__(self, size: int = 10, slip: float = 0.2, render_mode: str | None = None) -> None:
        _check_size(size)
        cells = np.full((size, size), ".")
        cells[0, 0], cells[-1, -1] = "S", "G"
        super().__init__(gridworld_mdp(cells, slip=slip, name="NGridWorld"), render_mode)


def random_maze(map_seed: int, size: int, mode: str = "density", density: float = 0.3) -> NDArray[np.str_]:
    """``(size, size)`` characters of a maze whose goal can be reached from its start; see :class:`RandomMazeEnv`.

    Raises:
        InvalidEnvironmentError: an argument is out of range.
    """
    _check_size(size)
    if not isinstance(map_seed, int | np.integer) or map_seed < 0:
        raise InvalidEnvironmentError(f"map_seed must be a non-negative integer, is {map_seed!r}")
    rng = np.random.default_rng(map_seed)
    if mode == "density":
        if not 0.0 <= density <= 1.0:
            raise InvalidEnvironmentError(f"density must lie between 0 and 1, is {density!r}")
        walls = rng.random((size, size)) < density
        walls[0, 0] = walls[-1, -1] = False
        for cell in _way_through_fewest_walls(walls):
            walls[cell] = False
        walls |= ~_reached(walls)
    elif mode == "perfect":
        if size % 2 == 0:
            raise InvalidEnvironmentError(f"a perfect maze needs an odd size, is {size}")
        walls = _spanning_tree(size, rng)
    else:
        raise InvalidEnvironmentError(f"mode must be 'density' or 'perfect', is {mode!r}")
    cells = np.where(walls, "#", ".")
    cells[0, 0], cells[-1, -1] = "S", "G"
    return cells


def _way_through_fewest_walls(walls: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Cells of a way from first to last that crosses as few walls as possible (0-1 breadth-first search)."""
    goal = (walls.shape[0] - 1, walls.shape[1] - 1)
    cost = {(0, 0): 0}
    came_from: dict[tuple[int, int], tuple[int, int]] = {}
    queue = deque([(0, 0)])
    while queue:
        cell = queue.popleft()
        for neighbour in _neighbours(cell, walls.shape):
            through = cost[cell] + int(walls[neighbour])
            if through < cost.get(neighbour, walls.size):
                cost[neighbour], came_from[neighbour] = through, cell
                (queue.append if walls[neighbour] else queue.appendleft)(neighbour)
    way = [goal]
    while way[-1] != (0, 0):
        way.append(came_from[way[-1]])
    return way


def _reached(walls: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Free cells that can be reached from the first one without passing the last, the goal, where episodes end."""
    seen = np.zeros_like(walls)
    seen[0, 0] = True
    queue = deque([(0, 0)])
    while queue:
        for neighbour in _neighbours(queue.popleft(), walls.shape):
            if not walls[neighbour] and not seen[neighbour]:
                seen[neighbour] = True
                if neighbour != (walls.shape[0] - 1, walls.shape[1] - 1):
                    queue.append(neighbour)
    return seen


def _spanning_tree(size: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Walls of a perfect maze: rooms at even coordinates, joined by depth-first search in random order.

    The search does not go on from the goal, the last room: what lay behind it could not be reached in an episode.
    """
    walls = np.ones((size, size), np.bool_)
    walls[0, 0] = False
    stack = [(0, 0)]
    while stack:
        row, col = stack[-1]
        closed = [n for n in _neighbours((row, col), walls.shape, reach=2) if walls[n]]
        if not closed or (row, col) == (size - 1, size - 1):
            stack.pop()
            continue
        to_row, to_col = closed[int(rng.integers(len(closed)))]
        walls[(row + to_row) // 2, (col + to_col) // 2] = walls[to_row, to_col] = False
        stack.append((to_row, to_col))
    return walls


def _neighbours(cell: tuple[int, int], shape: tuple[int, ...], reach: int = 1) -> list[tuple[int, int]]:
    around = [(cell[0] + reach * int(dr), cell[1] + reach * int(dc)) for dr, dc in MOVES[:4]]
    return [(r, c) for r, c in around if 0 <= r < shape[0] and 0 <= c < shape[1]]


def _check_size(size: int) -> None:
    if not isinstance(size, int | np.integer) or size < 2:
        raise InvalidEnvironmentError(f"size must be an integer of at least 2, is {size!r}")
