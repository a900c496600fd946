"""Gridworlds: shortest ways, published values, and maps that are refused with the place of the mistake."""

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlsuite.envs import make_env
from rlsuite.envs.finite.grid import ALPHABET, gridworld_mdp, parse_map
from rlsuite.envs.finite.mazes import random_maze
from rlsuite.errors import InvalidEnvironmentError, InvalidMDPError
from tests.envs.finite.oracles import mdp_of, optimal_values, shortest_way


@pytest.mark.parametrize(("moves", "steps"), [(4, 15), (8, 7), (9, 7)])
def test_windy_gridworld_optimum(moves, steps):
    """Sutton & Barto, example 6.5 (15 steps) and exercise 6.9 (7, and no fewer with a ninth action)."""
    assert shortest_way(mdp_of("rlsuite/WindyGridWorld-v0", moves=moves)) == steps


def test_wind_is_clipped_to_the_grid_after_the_move():
    """From the bottom row with wind 1, down and wind cancel; from the top row, up and wind lead nowhere."""
    mdp = mdp_of("rlsuite/WindyGridWorld-v0")
    successor = mdp.next_state.reshape(70, 4)
    assert successor[63, 2] == 63
    assert successor[3, 0] == 3
    assert successor[66, 1] == 47  # wind 2 from row 6, column 6: row 4, column 7


def test_stochastic_wind_varies_by_one_where_there_is_wind():
    mdp = mdp_of("rlsuite/WindyGridWorld-v0", stochastic_wind=True)
    transitions = mdp.to_transitions()
    assert [(p, s) for p, s, _, _ in transitions[30][1]] == [(1.0, 31)]  # no wind in column 0
    outcomes = transitions[66][1]
    assert sorted(s for _, s, _, _ in outcomes) == [37, 47, 57]  # wind 3, 2, 1
    assert [p for p, _, _, _ in outcomes] == pytest.approx([1 / 3] * 3)


def test_cliff_has_the_values_of_gymnasiums_cliff_walking():
    """Same task: V* of each of our 38 states equals V* of Gymnasium's state in the same cell (start -13)."""
    from rlsuite.envs.finite.mdp import FiniteMDP

    ours, theirs = mdp_of("rlsuite/Cliff-v0"), FiniteMDP.from_env("CliffWalking-v1")
    panel = ours.layout.panels[0]
    has_state = panel.states.ravel() >= 0
    has_state[-1] = False  # Gymnasium's goal has ordinary transitions, which no agent can make
    np.testing.assert_allclose(
        optimal_values(ours)[panel.states.ravel()[has_state]], optimal_values(theirs)[has_state], atol=1e-9
    )
    assert optimal_values(ours)[36] == pytest.approx(-13)


def test_russell_norvig_utilities():
    """AIMA figure 17.3. There the reward belongs to the cell that is left, so entering G is worth 1 - 0.04 here."""
    mdp = mdp_of("rlsuite/GridWorld-v0", goal_reward=0.96, pit_reward=-1.04)
    values = optimal_values(mdp)
    published = {(0, 0): 0.812, (0, 1): 0.868, (0, 2): 0.918, (1, 0): 0.762, (1, 2): 0.660}
    published |= {(2, 0): 0.705, (2, 1): 0.655, (2, 2): 0.611, (2, 3): 0.388}
    states = mdp.layout.panels[0].states
    for cell, utility in published.items():
        assert values[states[cell]] == pytest.approx(utility, abs=6e-4), cell  # printed with three digits


def test_dyna_maze_shortest_way_is_14():
    assert shortest_way(mdp_of("rlsuite/DynaMaze-v0")) == 14


def test_four_rooms():
    mdp = mdp_of("rlsuite/FourRooms-v0")
    assert mdp.n_states == 104
    assert mdp.reachable.sum() == 103  # all but the goal, in which nobody acts
    assert shortest_way(mdp_of("rlsuite/FourRooms-v0", slip=0.0)) == 20  # its Manhattan distance


def test_slipping_to_the_others_has_probability_one_ninth_each():
    """Sutton, Precup & Singh (1999): 2/3 as intended, 1/9 each other direction."""
    mdp = mdp_of("rlsuite/FourRooms-v0")
    inner = int(mdp.layout.panels[0].states[2, 2])
    outcomes = {s: p for p, s, _, _ in mdp.to_transitions()[inner][1]}
    states = mdp.layout.panels[0].states
    expected = {states[2, 3]: 2 / 3, states[1, 2]: 1 / 9, states[3, 2]: 1 / 9, states[2, 1]: 1 / 9}
    assert outcomes == pytest.approx(expected)


def test_slipping_to_the_sides():
    mdp = mdp_of("rlsuite/NGridWorld-v0", size=5, slip=0.2)
    assert {s: p for p, s, _, _ in mdp.to_transitions()[12][0]} == pytest.approx({7: 0.8, 13: 0.1, 11: 0.1})


def test_ngridworld_of_any_size_has_the_dynamics_of_the_general_gridworld():
    """The corner-to-corner distance, exactly; and a value that does not depend on how it was built."""
    assert optimal_values(mdp_of("rlsuite/NGridWorld-v0", size=20, slip=0.0))[0] == -38
    rows = ["S...", "....", "....", "...G"]
    general = mdp_of("rlsuite/GridWorld-v0", desc=rows, step_reward=-1.0, goal_reward=-1.0, slip=0.2)
    np.testing.assert_array_equal(
        optimal_values(general), optimal_values(mdp_of("rlsuite/NGridWorld-v0", size=4, slip=0.2))
    )


def test_key_opens_the_door():
    """S.D.G with the key behind the start: 2 steps to the key and back, then through the door; without it, never."""
    mdp = mdp_of("rlsuite/GridWorld-v0", desc="KS.D.G", slip=0.0, step_reward=-1.0, goal_reward=-1.0)
    assert mdp.n_states == 12
    assert shortest_way(mdp) == 6
    without, with_key = mdp.layout.panels
    assert int(without.states[0, 2]) == 2
    successor = mdp.next_state.reshape(12, 4)
    assert successor[2, 1] == 2  # the closed door
    assert successor[int(with_key.states[0, 2]), 1] == int(with_key.states[0, 3])
    assert successor[1, 3] == int(with_key.states[0, 0])  # picking up the key


def test_kings_moves_slide_along_walls():
    mdp = mdp_of("rlsuite/GridWorld-v0", desc=["...", ".#.", "S.G"], moves=8, slip=0.0)
    states = mdp.layout.panels[0].states
    successor = mdp.next_state.reshape(mdp.n_states, 8)
    assert successor[states[1, 0], 4] == states[0, 0]  # up-right beside the wall: only up
    assert successor[states[2, 0], 4] == states[2, 1]  # up-right below it: only right
    assert successor[states[2, 1], 4] == states[1, 2]  # right, then up


@pytest.mark.parametrize(
    "desc",
    [
        "S.#/..G",
        "S.#\n..G",
        "\nS.#\n..G\n",
        "S #/  G",
        ["S.#", "..G"],
        np.array([list("S.#"), list("..G")]),
        [[2, 0, 1], [0, 0, 3]],
    ],
)
def test_all_notations_of_a_map_mean_the_same(desc):
    assert ["".join(row) for row in parse_map(desc)] == ["S.#", "..G"]


@pytest.mark.parametrize(
    ("desc", "complaint"),
    [
        ("", "the map is empty"),
        ([], "the map is empty"),
        ("S../..", r"map row 1 has 2 cells but row 0 has 3"),
        ("S../.x.", r"map row 1, column 1: unknown character 'x'"),
        ("../.G", "no start; mark at least one cell with S"),
        ("S.D/..G", r"row 0, column 2 is a door \(D\), but the map has no key"),
        ("S.C/S.G", "row 0, column 2 is a cliff.* has 2 starts"),
        ([[2, 0], [0, 9]], r"map row 1, column 1: 9 is not one of 0…5"),
        ([[2, 0], [0]], "a map is a string"),
        (3.5, "a map is a string"),
        ([0, 1, 2], "a map is a string"),
    ],
)
def test_bad_maps_are_refused_with_the_place(desc, complaint):
    with pytest.raises(InvalidEnvironmentError, match=complaint):
        make_env("rlsuite/GridWorld-v0", desc=desc)


@pytest.mark.parametrize(
    ("kwargs", "complaint"),
    [
        ({"moves": 5}, "moves must be 4, 8 or 9"),
        ({"slip": 1.5}, "slip must be a probability"),
        ({"slip": float("nan")}, "slip must be a probability"),
        ({"slip_to": "back"}, "slip_to must be 'sides' or 'others'"),
        ({"wind": [0, 1]}, "one integer for each of the 4 columns"),
        ({"wind": [0, 1, 0.5, 0]}, "one integer for each of the 4 columns"),
    ],
)
def test_bad_rules_are_refused(kwargs, complaint):
    with pytest.raises(InvalidEnvironmentError, match=complaint):
        make_env("rlsuite/GridWorld-v0", **kwargs)


def test_reward_that_is_not_finite_is_refused():
    with pytest.raises(InvalidMDPError, match="not finite"):
        make_env("rlsuite/GridWorld-v0", step_reward=float("inf"))


@given(
    st.text()
    | st.lists(st.text())
    | st.lists(st.lists(st.integers(-2, 7) | st.sampled_from(ALPHABET) | st.floats()))
    | st.none()
    | st.integers()
)
def test_anything_is_a_map_or_an_error_of_ours(desc):
    try:
        cells = parse_map(desc)
    except InvalidEnvironmentError:
        return
    assert cells.ndim == 2
    assert set(cells.ravel()) <= set(ALPHABET)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 5).flatmap(
        lambda width: st.lists(st.text(ALPHABET, min_size=width, max_size=width), min_size=1, max_size=5)
    ),
    slip=st.floats(0, 1),
    moves=st.sampled_from([4, 8, 9]),
    slip_to=st.sampled_from(["sides", "others"]),
)
def test_any_map_is_an_mdp_or_an_error_of_ours(rows, slip, moves, slip_to):
    """Whatever the map, the dynamics are valid (FiniteMDP checks that they are) or the refusal is a typed error."""
    try:
        mdp = gridworld_mdp(parse_map(rows), slip=slip, moves=moves, slip_to=slip_to)
    except InvalidEnvironmentError:
        return
    cells = mdp.layout.panels[0].cells
    layers = len(mdp.layout.panels)
    assert mdp.n_states == layers * np.isin(cells, ("#", "C"), invert=True).sum()


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**63),
    size=st.integers(2, 15),
    mode=st.sampled_from(["density", "perfect"]),
    density=st.floats(0, 1),
)
def test_random_mazes_can_be_solved(seed, size, mode, density):
    size += mode == "perfect" and size % 2 == 0
    cells = random_maze(seed, size, mode, density)
    mdp = gridworld_mdp(cells)
    assert shortest_way(mdp) is not None
    assert mdp.reachable.sum() == mdp.n_states - 1  # every state but the goal
    assert np.array_equal(cells, random_maze(seed, size, mode, density))
    if mode == "perfect":  # a tree on the rooms: as many open cells as rooms and links between them
        rooms = ((size + 1) // 2) ** 2
        assert (cells != "#").sum() == 2 * rooms - 1


def test_map_seed_not_reset_seed_chooses_the_maze():
    def drawn(**kwargs):
        env = gym.make("rlsuite/RandomMaze-v0", **kwargs)
        env.reset(seed=5)
        return "/".join("".join(row) for row in env.unwrapped.mdp.layout.panels[0].cells)

    assert drawn(map_seed=1) == drawn(map_seed=1)
    assert drawn(map_seed=1) != drawn(map_seed=2)


@pytest.mark.parametrize(
    ("kwargs", "complaint"),
    [
        ({"map_seed": -1}, "map_seed"),
        ({"size": 1}, "size must be an integer of at least 2"),
        ({"size": 10, "mode": "perfect"}, "needs an odd size"),
        ({"mode": "spiral"}, "mode must be"),
        ({"density": 1.2}, "density must lie"),
    ],
)
def test_bad_mazes_are_refused(kwargs, complaint):
    with pytest.raises(InvalidEnvironmentError, match=complaint):
        make_env("rlsuite/RandomMaze-v0", **kwargs)
