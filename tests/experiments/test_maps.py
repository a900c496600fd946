"""Which number lands in which cell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rlsuite.envs.finite.layout import Layout, Panel
from rlsuite.experiments import maps
from rlsuite.experiments.results import Tables
from tests.experiments.drawable import MOVES, cliff, cliff_task


def panel(states: list[list[int]], title: str = "") -> Panel:
    array = np.array(states)
    return Panel(array, np.where(array < 0, "#", "."), title)


def test_values_stand_in_the_cells_of_their_states() -> None:
    sheet = maps.arrange(Layout((panel([[2, -1], [0, 1]]),), ("stay",)))
    placed = sheet.place(np.array([10.0, 11.0, 12.0]))
    np.testing.assert_array_equal(placed, [[12.0, np.nan], [10.0, 11.0]])


def test_every_state_of_every_panel_is_on_the_sheet_once() -> None:
    panels = tuple(panel([[9 * k + 3 * r + c for c in range(3)] for r in range(3)], f"{k}") for k in range(7))
    sheet = maps.arrange(Layout(panels, ("stay",)))
    assert sorted(sheet.states[sheet.states >= 0]) == list(range(63))
    for top, left, each in sheet.panels:
        np.testing.assert_array_equal(sheet.states[top : top + 3, left : left + 3], each.states)


def test_panels_do_not_touch() -> None:
    sheet = maps.arrange(Layout((panel([[0]]), panel([[1]])), ("stay",)))
    first, second = (np.argwhere(sheet.states == s)[0] for s in (0, 1))
    assert np.abs(first - second).max() > 1


def test_panels_of_different_size_keep_their_shape() -> None:
    sheet = maps.arrange(Layout((panel([[0, 1, 2]]), panel([[3], [4]])), ("stay",)))
    placed = sheet.place(np.arange(5.0))
    for top, left, each in sheet.panels:
        height, width = each.states.shape
        np.testing.assert_array_equal(placed[top : top + height, left : left + width], each.states)


def test_optimal_values_of_the_cliff_count_the_steps_to_the_goal() -> None:
    """Undiscounted, V* of a cell above the cliff is minus its distance to the goal, from the start minus 13."""
    task = cliff_task()
    exact = maps.exact(task)
    placed = maps.arrange(task.mdp.layout).place(exact.values)
    rows, cols = np.indices((3, 12))
    np.testing.assert_array_equal(placed[:3], -((3 - rows) + (11 - cols)))
    assert placed[3, 0] == -13
    assert np.isnan(placed[3, 1:]).all()  # nobody ever has to act in the cliff or at the goal


def test_what_a_learner_never_visited_is_not_shown() -> None:
    task = cliff_task()
    table = maps.learned(task, task.entries[0])  # visits are the state's number: none to state 0
    assert np.isnan(table.values[0])
    assert table.values[1] == -1
    assert not table.policy[0].any()


def test_a_planner_has_no_visits_and_shows_every_state() -> None:
    task = cliff_task()
    planner = task.entries[-1]
    assert maps.visits(task, planner) is None
    assert maps.learned(task, planner).values[0] == 0


def test_aliased_states_show_what_their_observation_learned() -> None:
    mdp = replace(cliff(), observation=np.arange(48) // 2)
    tables = Tables(0, np.arange(24.0), np.full((24, 4), 0.25), np.ones(24))
    task = cliff_task()
    task = replace(task, mdp=mdp)
    table = maps.learned(task, replace(task.entries[0], tables=tables))
    assert table.values[[10, 11, 12]].tolist() == [5.0, 5.0, 6.0]


def test_tied_and_nearly_tied_actions_are_drawn() -> None:
    policy = np.array([[0.5, 0.5, 0.0], [0.59, 0.41, 0.0], [0.9, 0.05, 0.05], [0.0, 0.0, 0.0]])
    assert maps.likely_actions(policy).tolist() == [
        [True, True, False],
        [True, True, False],
        [True, False, False],
        [False, False, False],
    ]


def test_one_range_of_colours_holds_the_exact_values() -> None:
    table = maps.StateTable(np.array([np.nan, -5.0, 3.0]), None)
    exact = maps.StateTable(np.array([np.nan, -50.0, 0.0]), None)
    low, high = maps.shared_limits([table], exact)
    assert low == -50
    assert 0 <= high <= 3
    assert maps.shared_limits([], None) == (0.0, 1.0)


def test_inflated_values_do_not_wash_out_the_exact_ones() -> None:
    inflated = maps.StateTable(np.full(9, 500.0), None)
    exact = maps.StateTable(np.linspace(0, 1, 9), None)
    assert maps.shared_limits([inflated], exact) == (0.0, 2.0)


@pytest.mark.parametrize(("shape", "line"), [((1, 7), True), ((2, 7), False)])
def test_a_single_row_is_a_line(shape: tuple[int, int], line: bool) -> None:
    assert maps.is_line(Layout((panel(np.zeros(shape, int).tolist()),), ("step",), MOVES[:1])) is line
