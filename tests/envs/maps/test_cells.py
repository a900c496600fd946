"""Ways through maps, by enumeration and against the suite's planner."""

import itertools

import numpy as np
import pytest

import rlsuite
from rlsuite.envs.finite.env import FiniteMDPEnv
from rlsuite.envs.finite.grid import gridworld_mdp
from rlsuite.envs.maps import cells, generators
from rlsuite.errors import InvalidEnvironmentError, UnknownNameError


def chars(*rows):
    return np.array([list(row) for row in rows])


def self_avoiding_solution(maze):
    """Length of the shortest way by trying every self-avoiding one."""
    start, goal = cells.endpoints(maze)
    best = None

    def go(way):
        nonlocal best
        row, col = way[-1]
        if way[-1] == goal:
            best = len(way) - 1 if best is None else min(best, len(way) - 1)
            return
        if maze[row, col] == "H":
            return
        for cell in ((row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1)):
            inside = 0 <= cell[0] < maze.shape[0] and 0 <= cell[1] < maze.shape[1]
            if inside and maze[cell] != "#" and cell not in way:
                go([*way, cell])

    go([start])
    return best


@pytest.mark.parametrize(("start", "goal"), [((0, 0), (2, 2)), ((1, 1), (0, 2)), ((2, 0), (2, 1))])
def test_every_3_by_3_map_of_walls(start, goal):
    """All 2^7 maps: the same lengths as trying every way, and solutions are ways of that length."""
    others = [cell for cell in itertools.product(range(3), repeat=2) if cell not in (start, goal)]
    solvable = 0
    for walls in itertools.product(".#", repeat=7):
        maze = np.full((3, 3), ".")
        maze[start], maze[goal] = "S", "G"
        for cell, character in zip(others, walls, strict=True):
            maze[cell] = character
        expected = self_avoiding_solution(maze)
        assert cells.solution_length(maze) == expected
        way = cells.solution(maze)
        assert len(way) == (0 if expected is None else expected + 1)
        assert all(abs(a - c) + abs(b - d) == 1 for (a, b), (c, d) in itertools.pairwise(way))
        solvable += expected is not None
    assert 0 < solvable < 128 or (start, goal) == ((2, 0), (2, 1))


@pytest.mark.parametrize("name", list(generators.GENERATORS))
def test_the_planner_agrees(name):
    """Value iteration on the map's MDP: with −1 a step the start's value is minus the shortest way's length."""
    for maze in generators.generate([name], 9, 4, seed=5):
        mdp = gridworld_mdp(maze)
        values = rlsuite.agent("value-iteration", FiniteMDPEnv(mdp), gamma=1.0).learn().state_values
        assert values[mdp.initial.argmax()] == pytest.approx(-cells.solution_length(maze), abs=1e-9)


def test_pits_end_ways():
    assert cells.solution_length(chars("SHG", "###")) is None
    assert cells.solution_length(chars("SHG", "...")) == 4
    assert (1, 1) in cells.solution(chars("SHG", "..."))


def test_maps_without_one_start_and_one_goal_have_no_solution():
    for maze in (chars("S.", ".."), chars(".G", ".."), chars("SS", ".G"), chars("SG", "G.")):
        assert cells.solution_length(maze) is None and cells.solution(maze) == []


def test_farthest_endpoints_on_every_2_by_3_map():
    """All 64: the pair is as far apart as any pair of free cells that a way joins."""
    for walls in itertools.product(".#", repeat=6):
        maze = np.array(walls).reshape(2, 3)
        free = [tuple(map(int, cell)) for cell in np.argwhere(maze == ".")]
        lengths = []
        for start, goal in itertools.permutations(free, 2):
            length = cells.solution_length(cells.with_endpoints(maze, start, goal))
            lengths += [length] if length is not None else []
        placed = cells.farthest_endpoints(maze)
        if not lengths:
            assert np.array_equal(placed, maze)
            continue
        assert cells.solution_length(placed) == max(lengths)
        assert np.array_equal(cells.without_endpoints(placed), maze)


def test_an_endpoint_in_a_wall_is_not_set():
    assert cells.text(cells.with_endpoints(chars("#.", ".."), (0, 0), (1, 1))) == "#.\n.G"


@pytest.mark.parametrize("name", list(generators.GENERATORS))
@pytest.mark.parametrize("size", [5, 9, 15])
def test_generated_maps_can_be_solved_and_are_determined_by_the_seed(name, size):
    maps = generators.generate([name], size, 20, seed=3)
    assert maps.shape == (20, size, size)
    assert all(cells.solution_length(maze) is not None for maze in maps)
    assert np.array_equal(maps, generators.generate([name], size, 20, seed=3))
    assert not np.array_equal(maps, generators.generate([name], size, 20, seed=4))


@pytest.mark.parametrize("size", [8, 13, 16])
def test_rooms_and_caves_are_connected(size):
    for maze in generators.generate(["rooms", "cave"], size, 40, seed=0):
        free = cells.without_endpoints(maze)
        reached = cells.distances(free, tuple(int(i) for i in np.argwhere(free == ".")[0])) >= 0
        assert np.array_equal(reached, free == ".")


def test_generators_alternate():
    mixed = generators.generate(["rooms", "obstacles"], 8, 6, seed=2)
    assert [tuple(maze[[0, -1], [0, -1]]) == ("S", "G") for maze in mixed][1::2] == [True] * 3


def test_bad_requests():
    with pytest.raises(UnknownNameError, match="did you mean 'rooms'"):
        generators.generate(["room"], 8, 1)
    with pytest.raises(InvalidEnvironmentError, match="odd size"):
        generators.generate(["perfect"], 8, 1)
    with pytest.raises(InvalidEnvironmentError, match="4 to 64 cells"):
        generators.generate(["rooms"], 3, 1)
