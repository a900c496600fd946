"""A simulation that breaks down ends its own episode, is counted, and is noticed nowhere else."""

import numpy as np
import pytest

SCALE = 0.3


@pytest.fixture
def quiet(tmp_path, monkeypatch):
    """MuJoCo keeps a log in the working folder."""
    monkeypatch.chdir(tmp_path)


def poisoned(env, row, field, value):
    {"qpos": env.physics.fields[0], "qvel": env.physics.fields[1]}[field][row, 9] = value


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    ("field", "value"), [("qpos", np.nan), ("qvel", np.nan), ("qvel", np.inf), ("qvel", 1e11), ("qpos", 1e12)]
)
@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_one_broken_row(field, value, mode, make, actions):
    broken, sound = make(4, autoreset_mode=mode), make(4, autoreset_mode=mode)
    broken.reset(seed=1)
    sound.reset(seed=1)
    others = [0, 1, 3]
    for t, action in enumerate(actions(4, 20, scale=SCALE)):
        if t == 5:
            poisoned(broken, 2, field, value)
        a, b = broken.step(action), sound.step(action)
        for x, y in zip(a[:4], b[:4], strict=True):
            np.testing.assert_array_equal(x[others], y[others])
        assert np.isfinite(a[0]).all()
        assert np.isfinite(a[1]).all()
        assert np.isfinite(broken.get_states()).all()
        if t == 5:
            assert (a[1][2], a[2][2], a[3][2]) == (0.0, True, False)
            info = a[4]["final_info"] if mode == "SameStep" else a[4]
            assert info["diverged"].tolist() == [False, False, True, False]
            assert info["failed"][2]
            assert np.isfinite(a[4].get("final_obs", a[0])).all()
        else:
            assert not a[4]["diverged"].any() or mode == "Disabled"
    assert broken.divergences.tolist() == [0, 0, 1, 0]


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_actions_that_are_no_numbers(value, make):
    """Infinity is a large number; what is none ends the episode before MuJoCo sees it."""
    env = make(2)
    env.reset(seed=0)
    action = np.zeros((2, 28))
    action[1, 3] = value
    observations, rewards, terminated, _, info = env.step(action)
    assert info["diverged"].tolist() == [False, bool(np.isnan(value))]
    assert terminated.tolist() == [False, bool(np.isnan(value))]
    assert np.isfinite(observations).all()
    assert np.isfinite(rewards).all()
    assert np.isfinite(env.get_states()).all()


def test_large_actions_are_cut_off(make):
    a, b = make(2), make(2)
    a.reset(seed=0)
    b.reset(seed=0)
    signs = np.sign(np.random.default_rng(0).normal(size=(2, 28)))
    for _ in range(20):
        for x, y in zip(a.step(1e9 * signs)[:4], b.step(signs)[:4], strict=True):
            np.testing.assert_array_equal(x, y)
    assert not a.divergences.any()


@pytest.mark.usefixtures("quiet")
def test_a_row_that_was_broken_starts_a_healthy_episode(make):
    env = make(1)
    env.reset(seed=0)
    poisoned(env, 0, "qpos", np.nan)
    env.step(np.zeros((1, 28)))
    env.step(np.zeros((1, 28)))  # resets
    rewards = [env.step(np.zeros((1, 28)))[1][0] for _ in range(5)]
    assert min(rewards) > 0.9


@pytest.mark.usefixtures("quiet")
def test_what_mujoco_raises_ends_the_episode(make, monkeypatch):
    from mujoco.batch import SimulationError

    env = make(3)
    env.reset(seed=0)
    step = env.physics.batch.step

    def failing(ids, nstep, stage):
        step(ids, nstep=nstep, stage=stage)
        raise SimulationError(np.array([1]), "out of memory")

    monkeypatch.setattr(env.physics.batch, "step", failing)
    _, rewards, terminated, _, info = env.step(np.zeros((3, 28)))
    assert info["diverged"].tolist() == terminated.tolist() == [False, True, False]
    assert (rewards > 0.0).tolist() == [True, False, True]


@pytest.mark.usefixtures("quiet")
def test_planning_from_a_broken_state_earns_nothing(make):
    env = make(1)
    env.reset(seed=0)
    states = np.repeat(env.get_states(), 3, axis=0)
    states[1, 12] = np.nan
    rewards = env.simulate(states, np.zeros((3, 4, 28)))
    assert not rewards[1].any()
    assert (rewards[[0, 2]] > 0.9).all()
