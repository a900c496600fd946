"""Generators of training maps: obstacles, perfect mazes, rooms and caves, all of which can be solved."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.finite.mazes import random_maze
from rlsuite.envs.maps.cells import FREE, LARGEST_SIDE, WALL, Chars, distances, with_endpoints
from rlsuite.errors import InvalidEnvironmentError, UnknownNameError
from rlsuite.seeding import checked_seed

SMALLEST_ROOM = 2  # cells a side
LEAST_FREE = 1 / 3  # of a cave's cells
TRIES = 1000


def obstacles(size: int, rng: np.random.Generator) -> Chars:
    """Three cells in ten are walls, at random, from corner to corner: ``rlsuite/RandomMaze-v0``."""
    return random_maze(int(rng.integers(2**62)), size, "density", 0.3)


def perfect(size: int, rng: np.random.Generator) -> Chars:
    """One way only between any two cells, from corner to corner: ``rlsuite/RandomMaze-v0`` with mode ``perfect``."""
    return random_maze(int(rng.integers(2**62)), size, "perfect")


def rooms(size: int, rng: np.random.Generator) -> Chars:
    """Rooms by recursive division: a wall with one door across each region too large for a room.

    A wall never ends at a door, so that all free cells stay connected.
    """
    walls = np.zeros((size, size), np.bool_)
    _divide(walls, 0, size, 0, size, rng)
    return _between_random_ends(np.where(walls, WALL, FREE), rng)


def cave(size: int, rng: np.random.Generator) -> Chars:
    """A cellular automaton grown from noise: a cell is a wall where five of the nine around it are (Johnson, Yannakakis
    and Togelius, 2010); all but the largest hollow is filled in."""
    for _ in range(TRIES):
        walls = rng.random((size, size)) < 0.42
        for _ in range(3):
            padded = np.pad(walls, 1, constant_values=False).astype(np.int64)
            around = sum(padded[r : r + size, c : c + size] for r in range(3) for c in range(3))
            walls = np.asarray(around) >= 5
        hollow = _largest_hollow(np.where(walls, WALL, FREE))
        if hollow.mean() >= LEAST_FREE:
            break
    return _between_random_ends(np.where(hollow, FREE, WALL), rng)


GENERATORS: dict[str, Callable[[int, np.random.Generator], Chars]] = {
    "obstacles": obstacles,
    "perfect": perfect,
    "rooms": rooms,
    "cave": cave,
}


def generate(names: Sequence[str], size: int, n: int, seed: int = 0) -> Chars:
    """``(n, size, size)`` maps, as many from each generator, in turn; map i from the seed's i-th child.

    Raises:
        UnknownNameError: there is no such generator.
        InvalidEnvironmentError: a size or number out of range.
    """
    for name in names:
        if name not in GENERATORS:
            raise UnknownNameError("map generator", name, GENERATORS, f"known: {', '.join(GENERATORS)}")
    if not 4 <= size <= LARGEST_SIDE or n < 1:
        raise InvalidEnvironmentError(
            f"maps have 4 to {LARGEST_SIDE} cells a side, and n is at least 1; not {size}, {n}"
        )
    children = np.random.SeedSequence(checked_seed(seed)).spawn(n)
    return np.stack(
        [GENERATORS[names[i % len(names)]](size, np.random.default_rng(child)) for i, child in enumerate(children)]
    )


def _divide(walls: NDArray[np.bool_], top: int, bottom: int, left: int, right: int, rng: np.random.Generator) -> None:
    height, width = bottom - top, right - left
    across = height > width or (height == width and rng.random() < 0.5)  # the wall runs along a row
    if not across:
        walls, top, bottom, left, right = walls.T, left, right, top, bottom  # a view: it writes into the same map
    shut = np.pad(walls, 1, constant_values=True)  # the border counts as a wall

    def ends_at_no_door(row: int) -> bool:
        return bool(shut[row + 1, left] and shut[row + 1, right + 1])

    rows = [r for r in range(top + SMALLEST_ROOM, bottom - SMALLEST_ROOM) if ends_at_no_door(r)]
    if not rows:
        return
    row, door = rows[int(rng.integers(len(rows)))], left + int(rng.integers(right - left))
    walls[row, left:right] = True
    walls[row, door] = False
    _divide(walls, top, row, left, right, rng)
    _divide(walls, row + 1, bottom, left, right, rng)


def _largest_hollow(cells: Chars) -> NDArray[np.bool_]:
    left, largest = cells == FREE, np.zeros(cells.shape, np.bool_)
    while left.any():
        first = np.argwhere(left)[0]
        reached = distances(cells, (int(first[0]), int(first[1]))) >= 0
        if reached.sum() > largest.sum():
            largest = reached
        left = left & ~reached
    return largest


def _between_random_ends(cells: Chars, rng: np.random.Generator) -> Chars:
    """A start in any free cell, the goal as far from it as can be."""
    free = np.argwhere(cells == FREE)
    row, col = (int(i) for i in free[int(rng.integers(len(free)))])
    steps = distances(cells, (row, col))
    return with_endpoints(cells, (row, col), divmod(int(steps.argmax()), cells.shape[1]))
