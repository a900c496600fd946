"""The composite reward: the largest of the clips' own, each at its own time, enumerated."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from rlsuite.envs.humanoid.presets import PRESETS, reward_terms
from rlsuite.envs.humanoid.reference import Reference
from rlsuite.envs.humanoid.rewards import Reward
from rlsuite.envs.humanoid.tracking_errors import Situation
from rlsuite.motion.catalogue import find

CLIPS = ("walk", "run", "kick")


@pytest.fixture(scope="module")
def references():
    return [Reference(find(name)) for name in CLIPS]


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_the_reward_is_the_largest_of_those_of_each_clip_at_its_own_time(make, actions, references, preset):
    """Against single rewards, of references looked up at times that are counted here."""
    env = make(3, clip=CLIPS, multi="max", reward=preset, terminate=(), horizon=1.0)
    durations = np.array([reference.duration for reference in references])
    start = np.array([0.05, 0.2, 0.3])
    env.reset(seed=0, options={"clip": "run", "time": start})
    shares = start / durations[1]
    single = Reward(reward_terms(preset), 3)
    for step, action in enumerate(actions(3, 12, scale=1.0), 1):
        previous = env.previous.copy()
        _, rewards, _, _, info = env.step(action)
        times, each = shares[:, None] * durations + step / 30, np.zeros((3, 3))
        for k, (reference, track) in enumerate(zip(references, env.clock.tracks, strict=True)):
            assert_allclose(track.times, times[:, k] % durations[k], atol=1e-9)
            if (times[:, k] < durations[k] - 1e-6).all() and not track.places[:, 2].any():
                expected = reference.states(times[:, k], track.places[:, :2])
                assert_allclose(track.now.position, expected.position, atol=1e-12)
            parts = env.physics.touching, np.clip(action, -1.0, 1.0), previous, env._parts
            single(Situation(env.physics.state, track.now, *parts), np.arange(3), each[k])
        assert_array_equal(rewards, each.max(axis=0))
        assert_array_equal(info["clip"], each.argmax(axis=0))
        assert_allclose(rewards, sum(info[f"reward/{name}"] for name in single.terms), rtol=1e-12)


@pytest.mark.parametrize("k", range(3))
def test_a_body_that_follows_one_clip_exactly_earns_all_and_is_led_by_it(make, k):
    env = make(2, clip=CLIPS, multi="max", reward="deepmimic-paper", terminate=())
    env.reset(seed=1, options={"clip": (k + 1) % 3, "time": 0.1})
    rows = np.arange(2)
    env.clock.advance(rows, env.physics.state)
    track = env.clock.tracks[k]
    empty, rewards = np.zeros((2, 0)), np.zeros(2)
    situation = Situation(track.now, env.clock.now, env.physics.touching, empty, empty, env._parts)
    env.reward(situation, rows, rewards)
    assert_allclose(rewards, 1.0, atol=1e-9)
    assert_array_equal(env.clock.which, k)
    assert_array_equal(env.clock.now.qpos, track.now.qpos)
    assert_array_equal(situation.reference.position, track.now.position)  # what terminations then look at
    others = np.delete(env.reward.each, k, axis=0)
    assert (others < 0.999).all() and (others > 0.0).all()


def test_of_equals_the_first_leads(make):
    env = make(1, clip=["walk", "walk"], multi="max", terminate=())
    env.reset(seed=0, options={"clip": 1})
    assert env.clock.which[0] == 1
    *_, info = env.step(np.zeros((1, 28)))
    assert info["clip"].tolist() == [0]
    assert_array_equal(env.reward.each[0], env.reward.each[1])


def test_the_others_begin_at_the_same_share_in_the_same_place(make):
    env = make(4, clip=["turn_left", "walk"], multi="max")
    env.reset(seed=0, options={"clip": 0, "time": [0.1, 0.4, 0.7, 1.0]})
    left, walk = env.clock.tracks
    assert_allclose(walk.times / walk.durations, left.times / left.durations)
    assert_allclose(walk.now.position[:, 0, :2], left.now.position[:, 0, :2], atol=1e-12)


def test_what_is_seen_of_every_clip(make):
    observe = ("height", "phase", "contacts", "reference", "errors")
    env = make(3, clip=CLIPS, multi="max", observe=observe, frames=2, terminate=(), goal="heading")
    env.reset(seed=0)
    for _ in range(5):
        seen, *_ = env.step(np.zeros((3, 28)))
    size = 2 + 2 * 49 + 68
    base = env.observation.size
    assert seen.shape[1] == base + 3 + 3 * size + 3
    assert_array_equal(seen[:, -3:], np.eye(3)[env.clock.which])
    of_each = seen[:, base + 3 : -3].reshape(3, 3, size)
    places = env.observation.places
    for i, k in enumerate(env.clock.which):  # the usual pieces are those of the clip that leads
        leader = np.concatenate([seen[i, places[name]] for name in ("phase", "reference", "errors")])
        assert_array_equal(of_each[i, k], leader)
    for k, track in enumerate(env.clock.tracks):
        turn = 2 * np.pi * track.times / track.durations
        assert_allclose(of_each[:, k, :2], np.stack((np.sin(turn), np.cos(turn)), axis=1), atol=1e-6)


def test_nothing_of_the_clips_but_who_leads_where_no_piece_looks_at_them(make):
    env = make(2, clip=CLIPS, multi="max", observe=("joints",))
    assert env.reset(seed=0)[0].shape[1] == 68 + 3
