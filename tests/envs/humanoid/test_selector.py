"""The skill selector: what is wanted is seen, changes only where a clip ends, at random or as somebody asks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from rlsuite.envs.humanoid.reference import Reference
from rlsuite.envs.humanoid.selector import Selector
from rlsuite.motion.catalogue import find

CLIPS = ("walk", "run", "walk_slow")


@pytest.fixture(scope="module")
def references():
    return [Reference(find(name)) for name in CLIPS]


def clock(references, n, interval):
    made = Selector(references, n, interval=interval, frames=1, seconds=1 / 30, sync=True, limit=np.inf)
    rows = np.arange(n)
    made.begin(rows, rows % 3, np.zeros(n), np.random.default_rng(0).random(n))
    return made, rows


def play(made, rows, steps):
    """``(steps, n)`` clips and times, where every body is where it should be."""
    clips, times = [], []
    for _ in range(steps):
        made.look_ahead(rows)
        made.advance(rows, made.future[0])
        clips.append(made.which.copy())
        times.append(made.times.copy())
    return np.array(clips), np.array(times)


def test_clips_change_where_they_end_and_the_time_left_over_goes_on(references):
    made, rows = clock(references, 60, (0.0, 0.0))
    clips, times = play(made, rows, 150)
    ends = times[1:] < times[:-1]
    assert_array_equal((clips[1:] != clips[:-1]) & ~ends, False)
    assert (clips[1:] != clips[:-1]).any()
    over = times[:-1] + 1 / 30 - made.durations[clips[:-1]]
    assert_allclose(times[1:][ends], over[ends], atol=1e-9)
    assert_array_equal(ends, over >= -1e-9)


def test_draws_are_uniform_and_independent(references):
    """At interval 0 every end is a draw: of about 3000, and of pairs of successive ones, all are as frequent."""
    made, rows = clock(references, 800, (0.0, 0.0))
    clips, times = play(made, rows, 130)
    ends = times[1:] < times[:-1]
    drawn, before = clips[1:][ends], clips[:-1][ends]
    counts = np.zeros((3, 3))
    np.add.at(counts, (before, drawn), 1)
    share = counts / counts.sum(axis=1, keepdims=True)
    spread = np.sqrt(2 / 9 / counts.sum(axis=1, keepdims=True))
    assert len(drawn) > 2000
    assert (np.abs(share - 1 / 3) < 4.5 * spread).all()


def test_the_interval_between_draws(references):
    """2 to 3 s, and then to the end of the clip, which takes up to 1.35 s."""
    made, rows = clock(references, 200, (2.0, 3.0))
    clips, _ = play(made, rows, 260)
    changes = [np.flatnonzero(np.diff(column)) for column in clips.T]
    gaps = np.concatenate([np.diff(change) for change in changes]) / 30
    assert len(gaps) > 50
    assert gaps.min() > 2.0 - 1.35
    first = np.array([change[0] + 1 for change in changes if len(change)]) / 30
    assert first.min() >= 2.0


def test_none_never_changes_and_asking_does_at_the_next_end(references):
    made, rows = clock(references, 6, None)
    clips, _ = play(made, rows, 60)
    assert_array_equal(clips, np.tile(rows % 3, (60, 1)))
    made.ask(np.array([1, 4]), 2)
    clips, times = play(made, rows, 60)
    assert_array_equal(clips[:, [0, 2, 3, 5]], np.tile([0, 2, 0, 2], (60, 1)))
    for row in (1, 4):
        change = int(np.argmax(clips[:, row] == 2))
        assert change <= 1 + 30 * made.durations[1]
        assert_array_equal(clips[change:, row], 2)
        assert times[change, row] < 1 / 30
    assert_array_equal(made.asked, -1.0)


def test_one_clip_of_a_selector_is_the_environment_of_that_clip(make):
    """But for rounding, until contacts have made much of it; over the end of a cycle, too."""
    arguments = {"terminate": (), "reward": "deepmimic-paper"}
    single = make(2, clip="run", **arguments)
    several = make(2, clip=["walk", "run"], multi="selector", interval=None, **arguments)
    times = {"time": [0.4, 0.6]}
    a, _ = single.reset(seed=0, options=times)
    b, info = several.reset(seed=0, options=times | {"clip": "run"})
    assert_array_equal(info["clip"], 1)
    size = single.observation.size
    for _ in range(20):
        assert_allclose(b[:, :size], a, atol=1e-5)
        assert_array_equal(b[:, size:], [[0.0, 1.0]] * 2)
        a, rewards, *_ = single.step(np.zeros((2, 28)))
        b, others, *_ = several.step(np.zeros((2, 28)))
        assert_allclose(others, rewards, atol=1e-7)
    assert (several.times < 0.68).all() and (single.times > 0.68).all()


def test_asking_by_name_in_the_environment(make):
    env = make(2, clip=["run", "walk"], multi="selector", interval=None, terminate=())
    env.reset(seed=0, options={"clip": 0, "time": 0.6})
    env.ask("walk", np.array([1]))
    for _ in range(4):
        observations, _, _, _, info = env.step(np.zeros((2, 28)))
    assert info["clip"].tolist() == [0, 1]
    assert_array_equal(observations[:, -2:], np.eye(2))
