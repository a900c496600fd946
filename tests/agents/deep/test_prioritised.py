"""Prioritised replay draws with the probabilities and weights of Schaul et al. (2016)."""

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rlsuite.agents.deep.prioritised import PrioritisedReplay, SumTree
from rlsuite.agents.deep.vector import Transitions
from rlsuite.errors import RecordError

SPACE = spaces.Discrete(1000)


def buffer_of(n, capacity=100, **kwargs):
    buffer = PrioritisedReplay(capacity, SPACE, (), np.int64, **kwargs)
    add(buffer, n)
    return buffer


def add(buffer, n):
    no = np.zeros(1, bool)
    for i in range(n):
        buffer.add(Transitions(np.array([i]), np.array([0]), np.zeros(1), np.array([i + 1]), no, no, ~no, []))


def tree_of(values):
    tree = SumTree(len(values))
    tree.leaves[:] = values
    tree.refresh(np.arange(len(values)))
    return tree


@given(st.integers(0, 10**6), st.sampled_from([1, 2, 63, 64, 65, 500, 4096, 4097, 10_000]), st.floats(0, 0.95))
@settings(max_examples=50, deadline=None)
def test_find_is_the_inverse_of_the_cumulative_sum(seed, n, zeros):
    rng = np.random.default_rng(seed)
    values = rng.integers(1, 9, n) * (rng.random(n) >= zeros) * 1.0  # whole numbers: sums are exact
    values[rng.integers(n)] = 5.0
    tree = tree_of(values)
    mass = np.concatenate([rng.random(50) * values.sum(), [0.0, np.nextafter(values.sum(), 0)]])
    np.testing.assert_array_equal(tree.find(mass), np.searchsorted(np.cumsum(values), mass, side="right"))
    assert tree.total == values.sum()


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_rounding_never_finds_an_empty_leaf(seed):
    rng = np.random.default_rng(seed)
    values = rng.random(5000) ** 8 * (rng.random(5000) < 0.01)
    values[rng.integers(5000)] = 1e-9
    tree = tree_of(values)
    assert (values[tree.find(np.array([0.0, tree.total, tree.total * (1 + 1e-12)]))] > 0).all()


def test_refreshed_sums_are_those_of_a_new_tree_to_the_last_bit():
    rng = np.random.default_rng(0)
    tree = tree_of(rng.random(5000))
    for _ in range(30):
        which = rng.integers(0, 5000, 40)
        tree.leaves[which] = rng.random(40)
        tree.refresh(which)
    for level, fresh in zip(tree.levels, tree_of(tree.leaves).levels, strict=True):
        np.testing.assert_array_equal(level, fresh)


def test_draws_follow_the_probabilities_and_weights_the_formula():
    errors = np.array([0.0, 0.5, -1.0, 2.0, -4.0, 0.1, 3.0])
    buffer = buffer_of(7, alpha=0.7, beta=0.3, eps=0.01)
    buffer.update(np.arange(7), errors)
    p = (np.abs(errors) + 0.01) ** 0.7
    p /= p.sum()
    rng, counts = np.random.default_rng(0), np.zeros(7)
    for _ in range(2000):
        sample = buffer.sample(16, rng)
        drawn = np.bincount(sample.indices, minlength=7)
        assert (np.abs(drawn - 16 * p) < 2).all()  # stratified: within one of the two ranges that overlap the ends
        weights = (7 * p[sample.indices]) ** -0.3
        np.testing.assert_allclose(sample.weights, weights / weights.max(), rtol=1e-6)
        counts += drawn
    assert stats.chisquare(counts, p * counts.sum()).pvalue > 1e-3
    np.testing.assert_array_equal(sample.observations, buffer.observations[sample.indices])


def test_single_draws_follow_the_probabilities():
    buffer = buffer_of(5, alpha=1.0, eps=0.0)
    buffer.update(np.arange(5), np.array([1.0, 2, 3, 4, 5]))
    rng = np.random.default_rng(1)
    counts = np.bincount([buffer.sample(1, rng).indices[0] for _ in range(6000)], minlength=5)
    assert stats.chisquare(counts, np.arange(1, 6) / 15 * 6000).pvalue > 1e-3


def test_alpha_zero_is_uniform_and_beta_one_corrects_fully():
    buffer = buffer_of(8, alpha=0.0, beta=1.0)
    buffer.update(np.arange(8), np.arange(8.0))
    sample = buffer.sample(8, np.random.default_rng(0))
    assert sorted(sample.indices) == list(range(8)) and (sample.weights == 1).all()
    skewed = buffer_of(8, alpha=1.0, beta=1.0)
    skewed.update(np.arange(8), np.arange(8.0) + 1)
    sample = skewed.sample(800, np.random.default_rng(0))  # E[w f] under P is proportional to the uniform mean of f
    seen = np.bincount(sample.indices, sample.weights, 8)
    np.testing.assert_allclose(seen / seen.mean(), 1, atol=0.05)


def test_new_transitions_have_the_largest_priority_and_old_ones_go():
    buffer = buffer_of(10, capacity=10, alpha=1.0, eps=0.0)
    buffer.update(np.arange(10), np.full(10, 3.0))
    buffer.update(np.array([2]), np.array([7.0]))
    buffer.update(np.array([2]), np.array([1.0]))
    add(buffer, 1)  # over row 0
    buffer.sample(1, np.random.default_rng(0))
    np.testing.assert_array_equal(buffer.tree.leaves, [7, 3, 1, 3, 3, 3, 3, 3, 3, 3])
    assert buffer.tree.total == 7 + 1 + 8 * 3


def test_a_saved_buffer_draws_the_same():
    rng = np.random.default_rng(2)
    one, two = (PrioritisedReplay(300, SPACE, (), np.int64, n_step=2) for _ in range(2))
    add(one, 200)
    one.sample(4, rng)
    one.update(rng.integers(0, 199, 64), rng.normal(size=64).astype(np.float32) * 3)
    two.load_state({name: a.copy() for name, a in one.state_arrays().items()}, one.state_values())
    for buffer in (one, two):
        add(buffer, 150)
    first, second = (buffer.sample(32, np.random.default_rng(3)) for buffer in (one, two))
    np.testing.assert_array_equal(first.indices, second.indices)
    np.testing.assert_array_equal(first.weights, second.weights)


@pytest.mark.parametrize(
    ("spoil", "largest"),
    [
        (lambda p: p * 0, 1.0),
        (lambda p: p * np.nan, 1.0),
        (lambda p: p[1:], 1.0),
        (lambda p: p.astype(np.float32), 1.0),
        (lambda p: p, 0.5),
        (lambda p: p, "1"),
        (lambda p: p, float("inf")),
    ],
)
def test_spoiled_priorities_are_refused(spoil, largest):
    one, two = buffer_of(9), buffer_of(0)
    arrays = one.state_arrays()
    arrays["priorities"] = spoil(arrays["priorities"])
    with pytest.raises(RecordError, match="priorit"):
        two.load_state(arrays, one.state_values() | {"largest": largest})
