"""Replay holds exactly the windows that a list of episodes gives, in a ring, and through files."""

from collections import Counter

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rlsuite.agents.deep.replay import ReplayBuffer
from rlsuite.agents.deep.vector import Transitions
from rlsuite.errors import HyperparameterError, RecordError

GAMMA = 0.9
LINE = spaces.Box(-np.inf, np.inf, (1,), np.float64)


def stream(seed, num_envs, steps, resets=True):
    """Steps of environments whose observations are all different; some rows are resets."""
    rng = np.random.default_rng(seed)
    now = np.arange(num_envs)[:, None] * 1000.0
    fresh = 10_000.0
    resetting = np.zeros(num_envs, bool)
    for _ in range(steps):
        ends = rng.random(num_envs)
        valid = ~resetting
        terminated, truncated = (ends < 0.15) & valid, (ends > 0.85) & valid
        successor = now + 1
        yield Transitions(
            now, rng.integers(0, 4, num_envs), rng.normal(size=num_envs), successor, terminated, truncated, valid, []
        )
        now = successor.copy()
        for i in np.flatnonzero(terminated | truncated):
            now[i] = fresh = fresh + 1000
        resetting = (terminated | truncated) & resets


def windows(steps, n_step, num_envs):
    """What the buffer must hold, from the definition: every start in every episode of every environment."""
    for i in range(num_envs):
        episode = []
        for step in steps:
            if not step.valid[i]:
                continue
            episode.append((step, i))
            over = step.terminated[i] or step.truncated[i]
            starts = range(len(episode)) if over else [len(episode) - n_step]
            for start in starts:
                if start < 0 or (over and len(episode) - start > n_step):
                    continue
                part = episode[start:]
                reward = sum(GAMMA**k * s.rewards[i] for k, (s, _) in enumerate(part))
                yield (
                    float(part[0][0].observations[i, 0]), int(part[0][0].actions[i]), round(float(reward), 4),
                    float(step.next_observations[i, 0]), bool(step.terminated[i]), round(GAMMA ** len(part), 5),
                )  # fmt: skip
            if over:
                episode = []


def contents(buffer):
    n = len(buffer)
    return [
        (float(o), int(a), round(float(r), 4), float(o2), bool(t), round(float(d), 5))
        for o, a, r, o2, t, d in zip(
            buffer.observations[:n, 0], buffer.actions, buffer.rewards, buffer.next_observations[:n, 0],
            buffer.terminated, buffer.discounts, strict=False,
        )
    ]  # fmt: skip


def filled(steps, n_step, num_envs, capacity=2000):
    buffer = ReplayBuffer(capacity, LINE, (), np.int64, n_step=n_step, gamma=GAMMA, num_envs=num_envs, n_actions=4)
    for step in steps:
        buffer.add(step)
    return buffer


@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 4), st.booleans())
@settings(max_examples=40, deadline=None)
def test_windows_are_those_of_the_definition(seed, n_step, num_envs, resets):
    steps = list(stream(seed, num_envs, 40, resets))
    got = filled(steps, n_step, num_envs)
    expected = Counter(windows(steps, n_step, num_envs))
    assert Counter((o, a, o2, t, d) for o, a, _, o2, t, d in contents(got)) == Counter(
        (o, a, o2, t, d) for o, a, _, o2, t, d in expected
    )
    rewards = {(o, o2): r for o, _, r, o2, _, _ in expected}
    assert all(abs(r - rewards[o, o2]) < 2e-4 for o, _, r, o2, _, _ in contents(got))


def test_truncated_window_keeps_final_observation_and_its_shorter_discount():
    def step(observation, reward, terminated=False, truncated=False):
        return Transitions(
            np.array([[observation]]), np.array([0]), np.array([reward]), np.array([[observation + 1.0]]),
            np.array([terminated]), np.array([truncated]), np.array([True]), [],
        )  # fmt: skip

    buffer = filled([step(0.0, 1.0), step(1.0, 2.0, truncated=True), step(50.0, 4.0, terminated=True)], 3, 1)
    assert contents(buffer) == [
        (0.0, 0, 2.8, 2.0, False, 0.81),
        (1.0, 0, 2.0, 2.0, False, 0.9),
        (50.0, 0, 4.0, 51.0, True, 0.9),
    ]


@pytest.mark.parametrize("num_envs", [1, 3])
def test_ring_keeps_the_newest(num_envs):
    steps = list(stream(1, num_envs, 50))
    everything, ring = filled(steps, 1, num_envs), filled(steps, 1, num_envs, capacity=20)
    rolled = np.roll(ring.observations[:, 0], -ring.position)
    assert len(ring) == 20
    np.testing.assert_array_equal(rolled, everything.observations[len(everything) - 20 : len(everything), 0])


def test_sampling_is_uniform_and_gathers_whole_rows():
    buffer = filled(stream(2, 2, 30), 2, 2)
    sample = buffer.sample(20_000, np.random.default_rng(0))
    counts = np.bincount(sample.indices, minlength=len(buffer))
    assert len(counts) == len(buffer)
    assert stats.chisquare(counts).pvalue > 1e-3
    np.testing.assert_array_equal(sample.observations, buffer.observations[sample.indices])
    np.testing.assert_array_equal(sample.rewards, buffer.rewards[sample.indices])
    assert (sample.weights == 1).all()
    assert {a.dtype for a in (sample.rewards, sample.terminated, sample.discounts, sample.weights)} == {
        np.dtype(np.float32)
    }


def test_observations_keep_their_type_in_dictionaries():
    space = spaces.Dict({"image": spaces.Box(0, 255, (4, 4, 3), np.uint8), "place": spaces.Discrete(5)})
    buffer = ReplayBuffer(8, space, (2,), np.float32, num_envs=2)
    now = {"image": np.full((2, 4, 4, 3), 200, np.uint8), "place": np.array([1, 4])}
    actions = np.array([[0.5, -1], [1, 2]], np.float32)
    none = np.zeros(2, bool)
    buffer.add(Transitions(now, actions, np.ones(2), now, none, none, ~none, []))
    sample = buffer.sample(3, np.random.default_rng(0))
    assert sample.observations["image"].dtype == np.uint8 and (sample.observations["image"] == 200).all()
    np.testing.assert_array_equal(sample.observations["place"], now["place"][sample.indices])
    np.testing.assert_array_equal(sample.actions, actions[sample.indices])


@pytest.mark.parametrize("n_step", [1, 3])
@pytest.mark.parametrize("capacity", [30, 500])
def test_a_saved_buffer_goes_on_as_if_never_saved(n_step, capacity):
    steps = list(stream(3, 2, 60))
    one = filled(steps[:31], n_step, 2, capacity)
    two = filled([], n_step, 2, capacity)
    two.load_state({name: a.copy() for name, a in one.state_arrays().items()}, one.state_values())
    for step in steps[31:]:
        one.add(step)
        two.add(step)
    assert one.state_values() == two.state_values()
    for name, array in one.state_arrays().items():
        np.testing.assert_array_equal(array, two.state_arrays()[name], err_msg=name)


def test_an_abandoned_episode_leaves_no_window_into_the_next():
    steps = [s for s in stream(4, 1, 60) if not s.ended.any() and s.valid.all()]
    buffer = filled(steps[:2], 3, 1)
    buffer.abandon()
    buffer.add(steps[2])
    assert len(buffer) == 0


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("actions", lambda a: a + 9),
        ("actions", lambda a: a.astype(np.int32)),
        ("rewards", lambda a: a * np.float32(np.nan)),
        ("observations", lambda a: a[:-1]),
        ("discounts", lambda a: a + 1),
        ("pending.lengths", lambda a: a + 7),
        ("pending.slot", lambda a: a - 5),
    ],
)
def test_spoiled_arrays_are_refused(name, spoil):
    buffer = filled(stream(5, 2, 20), 3, 2)
    arrays = {key: array.copy() for key, array in buffer.state_arrays().items()}
    arrays[name] = spoil(arrays[name])
    with pytest.raises(RecordError, match="replay buffer"):
        filled([], 3, 2).load_state(arrays, buffer.state_values())


@pytest.mark.parametrize("change", [{"size": 10**9}, {"size": -1}, {"position": 5}, {"position": 1.0}, {"size": True}])
def test_spoiled_counts_are_refused(change):
    buffer = filled(stream(5, 2, 20), 1, 2)
    with pytest.raises(RecordError, match="replay buffer"):
        filled([], 1, 2).load_state(buffer.state_arrays(), buffer.state_values() | change)


def test_too_small_a_buffer_is_refused():
    with pytest.raises(HyperparameterError, match="12 at least"):
        ReplayBuffer(11, LINE, (), np.int64, n_step=3, num_envs=4)


def test_a_buffer_beyond_memory_is_refused():
    for capacity in (1 << 42, 1 << 50):
        with pytest.raises(HyperparameterError, match="no memory for a replay buffer"):
            ReplayBuffer(capacity, spaces.Box(0, 255, (84, 84, 4), np.uint8), (), np.int64)
