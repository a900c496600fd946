"""Mazes that change: when, how, and what a reset does to the count of steps."""

import numpy as np
import pytest

from rlsuite.envs import make_env
from rlsuite.errors import InvalidEnvironmentError
from tests.envs.finite.oracles import shortest_way

UP, RIGHT, DOWN, LEFT = range(4)
TO_THE_RIGHT_GAP = [RIGHT] * 5 + [UP] * 5
TO_THE_LEFT_GAP = [LEFT] * 3 + [UP] * 3 + [RIGHT] * 8 + [UP] * 2


def follow(env, actions):
    """Total reward of a sequence of actions from a reset without a seed."""
    env.reset()
    return sum(env.step(action)[1] for action in actions)


@pytest.mark.parametrize(
    ("id", "before", "after"), [("rlsuite/BlockingMaze-v0", 10, 16), ("rlsuite/ShortcutMaze-v0", 16, 10)]
)
def test_shortest_ways_before_and_after(id, before, after):
    """Figures 8.4 and 8.5 of Sutton & Barto: the way on the right has 10 steps, the one on the left 16."""
    phases = make_env(id).unwrapped.phases
    assert [shortest_way(mdp) for mdp in phases] == [before, after]
    assert phases[0].n_states == phases[1].n_states == 6 * 9 - 7


@pytest.mark.parametrize(("id", "change_at"), [("rlsuite/BlockingMaze-v0", 1000), ("rlsuite/ShortcutMaze-v0", 3000)])
def test_map_changes_after_the_books_number_of_steps(id, change_at):
    """Steps 1 … change_at are made on the first map, across episodes; the next one on the second."""
    env = make_env(id)
    env.reset(seed=0)
    for t in range(change_at):
        env.step(UP)
        assert env.unwrapped._mdp is env.unwrapped.phases[0]
        if t % 100 == 99:
            env.reset()
    env.step(UP)
    assert env.unwrapped._mdp is env.unwrapped.phases[1]


def test_blocking_maze_closes_one_way_and_opens_another():
    env = make_env("rlsuite/BlockingMaze-v0", change_at=26)
    env.reset(seed=0)
    assert follow(env, TO_THE_RIGHT_GAP) == 1
    assert follow(env, TO_THE_LEFT_GAP) == 0  # steps 11 … 26: still closed
    assert follow(env, TO_THE_RIGHT_GAP) == 0
    assert follow(env, TO_THE_LEFT_GAP) == 1


def test_shortcut_maze_keeps_the_old_way_open():
    env = make_env("rlsuite/ShortcutMaze-v0", change_at=26)
    env.reset(seed=0)
    assert follow(env, TO_THE_LEFT_GAP) == 1
    assert follow(env, TO_THE_RIGHT_GAP) == 0
    assert follow(env, TO_THE_LEFT_GAP) == 1
    assert follow(env, TO_THE_RIGHT_GAP) == 1


def test_agent_in_the_gap_when_it_closes_can_walk_out():
    env = make_env("rlsuite/BlockingMaze-v0", change_at=7)
    env.reset(seed=0)
    for action in TO_THE_RIGHT_GAP[:7]:
        env.step(action)  # in the gap, at row 3, column 8
    observation, *_ = env.step(UP)
    rows, cols = np.nonzero(env.unwrapped._mdp.layout.panels[0].states == observation)
    assert (int(rows[0]), int(cols[0])) == (2, 8)


def test_seed_starts_the_experiment_anew_and_options_set_the_count():
    env = make_env("rlsuite/BlockingMaze-v0")
    env.reset(seed=0)
    for _ in range(5):
        env.step(UP)
    env.reset()
    assert env.unwrapped.total_steps == 5
    env.reset(seed=1)
    assert env.unwrapped.total_steps == 0
    env.reset(options={"total_steps": 1000})
    assert env.unwrapped._mdp is env.unwrapped.phases[1]


@pytest.mark.parametrize("change_at", [0, -3, 2.5])
def test_bad_change_is_refused(change_at):
    with pytest.raises(InvalidEnvironmentError, match="change_at must be a positive integer"):
        make_env("rlsuite/BlockingMaze-v0", change_at=change_at)
