"""Frames: the agent is drawn where it is, text says what the image shows, windows open and close."""

import gymnasium as gym
import numpy as np
import pytest

from rlsuite.envs import make_env, registered_ids
from rlsuite.envs.finite.env import FiniteMDPEnv
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.envs.finite.rendering import AGENT, Painter
from rlsuite.errors import InvalidEnvironmentError


def where_blue(frame):
    """Mean pixel position (row, column) of the agent's colour."""
    return np.argwhere((frame == AGENT).all(axis=-1)).mean(axis=0)


@pytest.mark.parametrize("id", registered_ids())
def test_agent_is_drawn_in_the_cell_of_its_state(id):
    env = make_env(id).unwrapped
    layout = env._mdp.layout
    painter = Painter(layout)
    for panel in layout.panels:
        for r, c in np.argwhere(panel.states >= 0)[:: max(1, panel.states.size // 12)]:
            row, col = where_blue(painter.frame(int(panel.states[r, c]), None))
            assert row == pytest.approx(painter.top + (r + 0.5) * painter.cell, abs=1)
            assert col == pytest.approx(painter.left + (c + 0.5) * painter.cell, abs=1)


def test_arrow_points_where_the_agent_last_went():
    """The white arrow on the agent is broader in front, where its head is, than behind; staying is a dot."""
    painter = Painter(make_env("rlsuite/WindyGridWorld-v0", moves=9).unwrapped.mdp.layout)
    bare = painter.frame(35, None)
    on_agent = (bare == AGENT).all(axis=-1)
    for action, arrow in enumerate(painter.layout.action_arrows):
        white = (painter.frame(35, action) == 255).all(axis=-1) & on_agent
        offset = np.argwhere(white) - where_blue(bare)
        if not arrow.any():
            assert np.hypot(*offset.T).max() < 0.1 * painter.cell
            continue
        ahead = offset @ arrow / np.hypot(*arrow)
        aside = np.abs(offset @ [arrow[1], -arrow[0]]) / np.hypot(*arrow)
        assert aside[ahead > 2].max() > 1.5 * aside[ahead < -2].max()


@pytest.mark.parametrize("id", registered_ids())
def test_frames_suit_video_encoders(id):
    env = make_env(id, render_mode="rgb_array")
    env.reset(seed=0)
    frame = env.render()
    assert frame.dtype == np.uint8
    assert frame.shape[0] % 2 == frame.shape[1] % 2 == 0
    assert max(frame.shape) <= 1000
    before = frame.copy()
    frame[:] = 0  # what the caller does to a frame does not reach the next one
    np.testing.assert_array_equal(env.render(), before)


def test_large_grids_are_drawn_too():
    env = make_env("rlsuite/NGridWorld-v0", size=400, render_mode="rgb_array")
    env.reset(seed=0)
    assert max(env.render().shape) <= 1000


def test_text_shows_the_map_the_agent_and_the_last_action():
    env = make_env("rlsuite/GridWorld-v0", desc="S.#/..G", slip=0.0, render_mode="ansi")
    env.reset(seed=0)
    assert env.render() == "\n@ . #\n. . G\n"
    env.step(1)
    assert env.render() == "(right)\nS @ #\n. . G\n"


def test_text_changes_with_the_key():
    env = make_env("rlsuite/GridWorld-v0", desc="SKD.G", slip=0.0, render_mode="ansi")
    env.reset(seed=0)
    assert env.render() == "\nwithout the key\n@ K D . G\n"
    env.step(1)
    assert env.render() == "(right)\nwith the key\nS @ . . G\n"


def test_image_follows_a_changing_maze():
    env = make_env("rlsuite/BlockingMaze-v0", change_at=1, render_mode="rgb_array")
    env.reset(seed=0)
    first = env.render()
    env.reset(options={"total_steps": 1})
    assert (env.render() != first).any()


def test_window_shows_the_frame_and_closes(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    import pygame

    env = make_env("rlsuite/Cliff-v0", render_mode="human")
    env.reset(seed=0)
    env.step(0)
    shown = pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)
    painter = Painter(env.unwrapped.mdp.layout)
    np.testing.assert_array_equal(shown, painter.frame(env.unwrapped.state, 0))
    env.close()
    assert not pygame.display.get_init()
    env.close()


def test_missing_pygame_is_one_clear_line(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pygame", None)
    env = make_env("rlsuite/Cliff-v0", render_mode="human")
    with pytest.raises(gym.error.DependencyNotInstalled, match=r"gymnasium\[toy-text\]"):
        env.reset(seed=0)


def test_rendering_without_a_mode_warns_and_without_a_layout_is_refused():
    mdp = FiniteMDP.from_transitions({0: {0: [(1.0, 0, 0.0, False)]}}, [1.0], name="bare")
    with pytest.warns(UserWarning, match="without a render_mode"):
        assert FiniteMDPEnv(mdp).render() is None
    with pytest.raises(InvalidEnvironmentError, match="bare has no layout"):
        FiniteMDPEnv(mdp, render_mode="ansi").render()
    with pytest.raises(InvalidEnvironmentError, match="render_mode must be one of"):
        FiniteMDPEnv(mdp, render_mode="film")
