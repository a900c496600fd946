"""rlsuite/GeneratedMaze-v0: Gymnasium's contract, levels by number, observations by hand."""

import itertools

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import rlsuite
from rlsuite.envs import make_env
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.envs.maps import cells
from rlsuite.errors import InvalidEnvironmentError, ModelUnavailableError, RecordError

ID = "rlsuite/GeneratedMaze-v0"


def maze(file, **kwargs):
    return make_env(ID, model=str(file), **kwargs)


@pytest.mark.parametrize("kwargs", [{}, {"levels": 3}, {"level": 2}])
@pytest.mark.parametrize("observation", ["cell", "map", "centred"])
def test_check_env_has_nothing_to_say(file, kwargs, observation):
    check_env(maze(file, observation=observation, **kwargs).unwrapped, skip_render_check=True)


@pytest.mark.parametrize("observation", ["cell", "map", "centred"])
def test_fifty_steps_are_determined_by_the_seed(file, observation):
    def rollout():
        env = maze(file, observation=observation, levels=5)
        env.action_space.seed(7)
        seen, info = env.reset(seed=3)
        trace = [(np.asarray(seen).tolist(), info["level"])]
        for _ in range(50):
            seen, reward, over, cut, info = env.step(env.action_space.sample())
            trace.append((np.asarray(seen).tolist(), reward, over, cut, info["level"]))
            if over or cut:
                env.reset()
        return trace

    assert rollout() == rollout()


def test_levels_have_numbers(file):
    env, other = maze(file, levels=8).unwrapped, maze(file, first_level=3, levels=2).unwrapped
    found = {}
    for _ in range(60):
        _, info = env.reset() if found else env.reset(seed=0)
        found[info["level"]] = cells.text(env.cells)
        assert cells.solution_length(env.cells) is not None
    assert sorted(found) == list(range(8))
    assert len(set(found.values())) > 4
    for _ in range(10):
        _, info = other.reset()
        assert info["level"] in (3, 4) and cells.text(other.cells) == found[info["level"]]
    _, info = other.reset(options={"level": 7})
    assert info["level"] == 7 and cells.text(other.cells) == found[7]
    elsewhere = maze(file, level=0, level_seed=1).unwrapped
    assert cells.text(elsewhere.cells) != found[0]


def test_without_a_number_of_levels_every_episode_has_its_own(file):
    env = maze(file).unwrapped
    levels = [env.reset(seed=1)[1]["level"], *(env.reset()[1]["level"] for _ in range(5))]
    assert len(set(levels)) == 6


def test_observations_show_the_map(file):
    env = maze(file, level=1, observation="map").unwrapped
    seen, _ = env.reset(seed=0)
    walls, goal, pits, agent = seen
    assert np.array_equal(walls, env.cells == "#") and np.array_equal(goal, env.cells == "G") and not pits.any()
    assert np.array_equal(agent, env.cells == "S")
    centred = maze(file, level=1, observation="centred").unwrapped
    view, _ = centred.reset(seed=0)
    row, col = (int(i) for i in np.argwhere(env.cells == "S")[0])
    for r in range(9):
        for c in range(9):
            at = r - 4 + row, c - 4 + col
            inside = 0 <= at[0] < 5 and 0 <= at[1] < 5
            assert view[0, r, c] == (not inside or env.cells[at] == "#")
            assert view[1, r, c] == (inside and env.cells[at] == "G")


def test_the_agent_walks_on_the_map(file):
    """The shortest way, step by step, and what it pays."""
    env = maze(file, levels=6)
    for level in range(6):
        env.reset(options={"level": level})
        way = cells.solution(env.unwrapped.cells)
        total = 0.0
        for (row, col), (to_row, to_col) in itertools.pairwise(way):
            action = {(-1, 0): 0, (0, 1): 1, (1, 0): 2, (0, -1): 3}[to_row - row, to_col - col]
            seen, reward, over, _, _ = env.step(action)
            assert seen == to_row * 5 + to_col
            total += reward
        assert over and total == pytest.approx(1.0 - 0.01 * (len(way) - 2))


def test_planners_solve_one_level_and_refuse_many(file):
    env = maze(file, level=4, step_reward=-1.0, goal_reward=-1.0)
    mdp = FiniteMDP.from_env(env)
    values = rlsuite.agent("value-iteration", env, gamma=1.0).learn().state_values
    assert values[mdp.initial.argmax()] == -cells.solution_length(env.unwrapped.cells)
    with pytest.raises(ModelUnavailableError, match="episodes have different maps"):
        FiniteMDP.from_env(maze(file, levels=3))
    with pytest.raises(ModelUnavailableError, match='observation="cell"'):
        FiniteMDP.from_env(maze(file, level=3, observation="map"))


def test_a_saved_state_goes_on(file):
    a, b = maze(file, levels=9).unwrapped, maze(file, levels=9).unwrapped
    a.reset(seed=5)
    a.step(1)
    b.reset(seed=6)
    b.load_state(a.state_arrays(), a.state_values())
    b.np_random.bit_generator.state = a.np_random.bit_generator.state
    assert a.step(2) == b.step(2) and np.array_equal(a.cells, b.cells)
    with pytest.raises(RecordError, match="no level -1"):
        b.load_state({}, {**a.state_values(), "level": -1})


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"model": None}, "it needs a model of maps, model=FILE; `rlsuite maps fit` makes one"),
        ({"level": 1, "levels": 2}, "not both"),
        ({"levels": 0}, "levels is a whole number from 1, not 0"),
        ({"level": -1}, "level is a whole number from 0, not -1"),
        ({"first_level": 1.5}, "first_level is a whole number"),
        ({"observation": "pixels"}, "observation is cell, map, centred, not 'pixels'"),
    ],
)
def test_arguments_that_do_not_fit(file, kwargs, message):
    with pytest.raises(InvalidEnvironmentError, match=message):
        make_env(ID, **{"model": str(file), **kwargs})


def test_a_file_that_is_none(tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    with pytest.raises(RecordError, match=r"GeneratedMaze-v0: .*bad\.safetensors is not a saved generative model"):
        make_env(ID, model=str(tmp_path / "bad.safetensors"))
    with pytest.raises(InvalidEnvironmentError, match="needs a model of maps"):
        gym.make(ID)


def test_frames(file):
    env = maze(file, levels=3, render_mode="rgb_array")
    env.reset(seed=0)
    first = env.render()
    assert first.ndim == 3 and first.dtype == np.uint8
    env.reset(options={"level": (env.unwrapped.level + 1) % 3})
    assert not np.array_equal(first, env.render())
