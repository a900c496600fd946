"""Layouts of Gymnasium's environments agree with their dynamics: a move on the map is a move in ``P``."""

import gymnasium as gym
import numpy as np
import pytest

from rlsuite.envs.finite.gymnasium_layouts import layout_of
from rlsuite.envs.finite.spaces import DiscreteIndex


@pytest.mark.parametrize(
    ("id", "kwargs"),
    [
        ("FrozenLake-v1", {"is_slippery": False}),
        ("FrozenLake8x8-v1", {"is_slippery": False}),
        ("CliffWalking-v1", {}),
        ("Taxi-v4", {}),
    ],
)
def test_arrows_point_where_the_dynamics_lead(id, kwargs):
    """Wherever the arrow ends on a state of the panel, P leads there, unless a wall of the taxi's is in between."""
    env = gym.make(id, **kwargs)
    layout, P = layout_of(env), env.unwrapped.P
    blocked = 0
    for panel in layout.panels:
        for (r, c), s in np.ndenumerate(panel.states):
            if s < 0 or panel.cells[r, c] in "GH":
                continue
            for a, (down, right) in enumerate(layout.action_arrows):
                to = (r + down, c + right)
                moves = (down or right) and all(0 <= x < n for x, n in zip(to, panel.states.shape, strict=True))
                if not moves or panel.states[to] < 0:
                    continue
                (_, successor, *_) = P[s][a][0]
                if successor == s and id.startswith("Taxi"):
                    blocked += 1
                else:
                    assert successor == panel.states[to]
    assert blocked == (4 * 12 if id.startswith("Taxi") else 0)  # six pieces of wall, from both sides, on four panels


def test_frozen_lake_marks_start_goal_and_holes():
    cells = layout_of(gym.make("FrozenLake-v1")).panels[0].cells
    assert ["".join(row) for row in cells] == ["S...", ".H.H", "...H", "H..G"]


def test_cliff_has_no_states():
    panel = layout_of(gym.make("CliffWalking-v1")).panels[0]
    assert "".join(panel.cells[3]) == "SCCCCCCCCCCG"
    assert panel.states[3].tolist() == [36, *[-1] * 10, 47]


def test_taxi_panels_are_two_errands_in_two_stages():
    env = gym.make("Taxi-v4")
    panels = layout_of(env).panels
    assert [panel.title for panel in panels] == [
        "passenger at R, to G",
        "passenger in the taxi, to G",
        "passenger at Y, to B",
        "passenger in the taxi, to B",
    ]
    waiting, riding = (int(panel.states[0, 0]) for panel in panels[:2])
    assert env.unwrapped.P[waiting][4][0][1] == riding  # picking up at R


def test_blackjack_cells_are_what_the_environment_observes():
    env = gym.make("Blackjack-v1")
    index = DiscreteIndex(env.observation_space)
    usable, hard = layout_of(env).panels
    for panel, ace in ((usable, 1), (hard, 0)):
        for (r, c), s in np.ndenumerate(panel.states):
            if s >= 0:
                dealer = 1 if panel.col_labels[c] == "A" else int(panel.col_labels[c])
                assert index.value(s) == (int(panel.row_labels[r]), dealer, ace)
    assert (hard.states >= 0).all()
    assert (usable.states >= 0).sum() == 100  # a usable ace makes 12 … 21


def test_other_environments_have_no_layout():
    assert layout_of(gym.make("CartPole-v1")) is None
