"""What every environment of the suite keeps: Gymnasium's contract, determinism, and its own model."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from rlsuite.envs import make_env, registered_ids
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.errors import ModelUnavailableError

IDS = registered_ids()
CHANGING = ["rlsuite/BlockingMaze-v0", "rlsuite/ShortcutMaze-v0"]
WITH_MODEL = [id for id in IDS if id not in CHANGING]


@pytest.fixture(autouse=True)
def no_screen(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


@pytest.mark.parametrize("render_mode", [None, "ansi", "rgb_array", "human"])
@pytest.mark.parametrize("id", IDS)
def test_check_env_has_nothing_to_say(id, render_mode):
    """Warnings are errors in this suite, so this fails on any remark of the checker."""
    env = make_env(id, render_mode=render_mode)
    env.unwrapped.metadata = {**env.metadata, "render_fps": 1000}  # nobody watches
    check_env(env.unwrapped, skip_render_check=render_mode != "ansi")  # it tries every mode itself
    env.reset(seed=0)
    if render_mode is not None:
        env.render()
    env.close()
    env.close()


@pytest.mark.parametrize("id", IDS)
def test_fifty_steps_are_determined_by_the_seed(id):
    def rollout():
        env = gym.make(id)
        env.action_space.seed(7)
        trace = [env.reset(seed=3)]
        for _ in range(50):
            *step, info = env.step(env.action_space.sample())
            trace.append((*step, info))
            if step[2] or step[3]:
                trace.append(env.reset())
        return trace

    assert rollout() == rollout()


@pytest.mark.parametrize("id", WITH_MODEL)
def test_model_is_that_of_the_environment(id):
    """Every transition of a random walk through the environment is an outcome of the model, with its probability."""
    env = gym.make(id).unwrapped
    env.action_space.seed(1)
    mdp = FiniteMDP.from_env(gym.make(id))
    observation, _ = env.reset(seed=2)
    assert mdp.initial[env.state] > 0
    for _ in range(300):
        before, action = env.state, int(env.action_space.sample())
        observation, reward, terminated, _, info = env.step(action)
        pair = before * mdp.n_actions + action
        low, high = mdp.offset[pair], mdp.offset[pair + 1]
        same = (
            (mdp.next_state[low:high] == env.state)
            & (mdp.reward[low:high] == reward)
            & (mdp.terminated[low:high] == terminated)
            & (mdp.probability[low:high] == info["prob"])
        )
        assert same.any()
        assert observation == mdp.observation[env.state]
        if terminated:
            env.reset()


@pytest.mark.parametrize(
    ("id", "kwargs", "state", "action"),
    [
        ("rlsuite/FourRooms-v0", {}, 0, 1),
        ("rlsuite/WindyGridWorld-v0", {"stochastic_wind": True}, 65, 1),
        ("rlsuite/JacksCarRental-v0", {}, 21 * 2 + 1, 5),
        ("rlsuite/MaximizationBias-v0", {}, 1, 3),
    ],
)
def test_frequencies_match_the_model(id, kwargs, state, action):
    """Chi-squared statistic of 4000 draws, outcomes expected fewer than 5 times pooled, below its 1 - 1e-4 quantile."""
    from scipy.stats import chi2

    env = make_env(id, **kwargs).unwrapped
    env.reset(seed=11)
    mdp, n = env.mdp, 4000
    pair = state * mdp.n_actions + action
    low, high = mdp.offset[pair], mdp.offset[pair + 1]
    outcomes = {}
    for j in range(low, high):
        key = (int(mdp.next_state[j]), float(mdp.reward[j]))
        outcomes[key] = outcomes.get(key, 0.0) + float(mdp.probability[j])
    counts = dict.fromkeys(outcomes, 0)
    for _ in range(n):
        env.state = state
        _, reward, *_ = env.step(action)
        counts[env.state, reward] += 1
    expected = n * np.array(list(outcomes.values()))
    observed = np.array(list(counts.values()))
    rare = expected < 5
    if rare.any():
        expected, observed = (np.append(x[~rare], x[rare].sum()) for x in (expected, observed))
    statistic = ((observed - expected) ** 2 / expected).sum()
    assert statistic < chi2.ppf(1 - 1e-4, df=expected.size - 1)


@pytest.mark.parametrize("id", WITH_MODEL)
def test_terminal_states_end_the_episode_for_nothing(id):
    mdp = gym.make(id).unwrapped.mdp
    entered = np.unique(mdp.next_state[mdp.terminated])
    for s in entered:
        low, high = mdp.offset[s * mdp.n_actions], mdp.offset[(s + 1) * mdp.n_actions]
        assert mdp.terminated[low:high].all()
        assert (mdp.next_state[low:high] == s).all()
        assert (mdp.reward[low:high] == 0).all()


@pytest.mark.parametrize("id", WITH_MODEL)
def test_layout_shows_every_state_once(id):
    mdp = gym.make(id).unwrapped.mdp
    shown = np.concatenate([panel.states[panel.states >= 0] for panel in mdp.layout.panels])
    assert np.array_equal(np.sort(shown), np.arange(mdp.n_states))
    assert all(panel.states.shape == panel.cells.shape for panel in mdp.layout.panels)
    assert len(mdp.layout.action_names) == mdp.n_actions


@pytest.mark.parametrize("id", CHANGING)
def test_changing_mazes_have_no_model(id):
    with pytest.raises(ModelUnavailableError, match="not one finite MDP: its map changes after"):
        FiniteMDP.from_env(id)


def test_action_out_of_range_is_refused():
    env = gym.make("rlsuite/Cliff-v0")
    env.reset(seed=0)
    with pytest.raises(gym.error.InvalidAction, match=r"0…3, is 4"):
        env.step(4)
