"""Running moments equal numpy's over all data, whatever the pieces; scaled rewards; saved and restored."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlsuite.agents.deep.normalisation import ObservationNormaliser, ReturnNormaliser, RunningMoments
from rlsuite.errors import RecordError


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=12), st.integers(0, 2**32), st.floats(-1e3, 1e3))
def test_moments_equal_numpy_over_all_data(sizes, seed, offset):
    rng = np.random.default_rng(seed)
    pieces = [offset + rng.standard_normal((n, 3)) * [1.0, 10.0, 0.1] for n in sizes]
    moments = RunningMoments((3,))
    for piece in pieces:
        moments.update(piece)
    data = np.concatenate(pieces)
    assert moments.count == len(data)
    if len(data):
        np.testing.assert_allclose(moments.mean, data.mean(axis=0), rtol=1e-12, atol=1e-9)
        np.testing.assert_allclose(moments.variance, data.var(axis=0), rtol=1e-6, atol=1e-9)


def test_observations_are_scaled_and_clipped():
    normaliser = ObservationNormaliser((2,))
    rows = np.array([[0.0, 5.0], [2.0, 5.0], [4.0, 5.0]])
    np.testing.assert_allclose(normaliser(rows), np.clip(rows, -10.0, 10.0))  # before any data
    normaliser.update(rows)
    scaled = normaliser(np.array([[2.0 + np.sqrt(8.0 / 3.0), 5.0], [1e6, 6.0], [-1e6, 4.0]]))
    np.testing.assert_allclose(scaled, [[1.0, 0.0], [10.0, 10.0], [-10.0, -10.0]], rtol=1e-6)
    assert scaled.dtype == np.float32 and normaliser.count == 3


def test_rewards_are_scaled_by_the_deviation_of_the_discounted_return():
    rng = np.random.default_rng(0)
    rewards, ended = rng.standard_normal((40, 2)), rng.random((40, 2)) < 0.2
    normaliser = ReturnNormaliser(0.9, 2)
    returns = []
    for part in (slice(0, 25), slice(25, 40)):
        scaled = normaliser(rewards[part], ended[part], np.ones_like(ended[part]))
    for i in range(2):
        running = 0.0
        for t in range(40):
            running = 0.9 * running + rewards[t, i]
            returns.append(running)
            running *= not ended[t, i]
    np.testing.assert_allclose(scaled, rewards[25:] / np.std(returns), rtol=1e-6)


def test_rows_that_are_no_transitions_do_not_count():
    normaliser = ReturnNormaliser(0.9, 1)
    rewards, ended = np.array([[1.0], [0.0], [2.0]]), np.array([[True], [False], [True]])
    normaliser(rewards, ended, np.array([[True], [False], [True]]))
    assert normaliser.count == 2 and normaliser.mean == 1.5


def test_saved_and_restored():
    rng, other = np.random.default_rng(1), ReturnNormaliser(0.9, 2)
    normaliser = ReturnNormaliser(0.9, 2)
    rollout = (rng.standard_normal((10, 2)), np.zeros((10, 2), bool), np.ones((10, 2), bool))
    normaliser(*rollout)
    other.load_state(normaliser.state_arrays(), normaliser.state_values())
    np.testing.assert_array_equal(other(*rollout), normaliser(*rollout))
    assert other.state_values() == normaliser.state_values()


@pytest.mark.parametrize(
    ("arrays", "values"),
    [
        ({"mean": np.zeros(2)}, {}),
        ({"mean": np.full(3, np.nan)}, {}),
        ({"squares": np.full(3, -1.0)}, {}),
        ({"mean": np.zeros(3, np.float32)}, {}),
        ({}, {"count": -1}),
        ({}, {"count": 2.5}),
    ],
)
def test_damaged_moments_are_refused(arrays, values):
    normaliser = ObservationNormaliser((3,))
    normaliser.update(np.arange(12.0).reshape(4, 3))
    with pytest.raises(RecordError):
        normaliser.load_state(normaliser.state_arrays() | arrays, normaliser.state_values() | values)


@pytest.mark.parametrize("running", [np.full(2, np.nan), np.zeros(2, np.float32), np.zeros((2, 2))], ids=str)
def test_damaged_running_returns_are_refused(running):
    normaliser = ReturnNormaliser(0.9, 2)
    with pytest.raises(RecordError, match="running returns"):
        normaliser.load_state(normaliser.state_arrays() | {"running": running}, normaliser.state_values())
