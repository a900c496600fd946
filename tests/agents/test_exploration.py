"""Exploration rules against their exact probabilities, schedules against their formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from rlsuite.agents.tabular.exploration import (
    ExplorationHyperparameters,
    action_probability,
    begin_episode,
    choose_action,
    current_epsilon,
    expected_value,
    greedy_action,
    make_exploration,
    step_size,
    upper_bound,
)

Q = np.array([[1.0, 3.0, 3.0, -2.0], [0.5, 0.0, 0.25, 0.75]])
DRAWS = 20_000


def exploration(**options):
    return make_exploration(ExplorationHyperparameters(**options), *Q.shape)


def frequencies(e, s: int, seed: int = 0) -> np.ndarray:
    """How often each action is chosen; UCB's counts are put back after each draw, so that the rule stays the same."""
    rng, tried = np.random.default_rng(seed), e.tried.copy()
    counts = np.zeros(Q.shape[1])
    for _ in range(DRAWS):
        counts[choose_action(Q, s, e, rng)] += 1
        e.tried[...] = tried
    return counts


def assert_distributed(counts: np.ndarray, probabilities: list[float]) -> None:
    """Chi-square at 1e-6: fixed seeds, and one false alarm in a million choices of them."""
    expected = np.array(probabilities) * counts.sum()
    np.testing.assert_array_equal(counts[expected == 0], 0)
    possible = expected > 0
    if possible.sum() > 1:
        assert scipy.stats.chisquare(counts[possible], expected[possible]).pvalue > 1e-6
    assert math.isclose(sum(probabilities), 1.0)


@pytest.mark.parametrize(
    ("options", "s", "expected"),
    [
        ({"epsilon": 0.2}, 0, [0.05, 0.45, 0.45, 0.05]),  # two greedy actions share 0.8
        ({"epsilon": 0.2}, 1, [0.05, 0.05, 0.05, 0.85]),
        ({"epsilon": 0.0}, 0, [0.0, 0.5, 0.5, 0.0]),
        ({"epsilon": 1.0}, 1, [0.25] * 4),
        (
            {"exploration": "softmax", "temperature": 0.5},
            1,
            [math.exp(x / 0.5) / sum(math.exp(y / 0.5) for y in Q[1]) for x in Q[1]],
        ),
    ],
)
def test_choices_follow_the_rule(options, s, expected):
    e = exploration(**options)
    np.testing.assert_allclose([action_probability(Q, s, a, e) for a in range(4)], expected, atol=1e-15)
    assert expected_value(Q, s, e) == pytest.approx(float(np.dot(expected, Q[s])), abs=1e-14)
    assert_distributed(frequencies(e, s), expected)


@pytest.mark.parametrize(
    ("tried", "expected"),
    [
        ([3, 0, 1, 0], [0.0, 0.5, 0.0, 0.5]),  # untried actions first
        ([5, 5, 5, 5], [0.0, 0.5, 0.5, 0.0]),  # equal bonuses: the greedy ties share
        ([1, 9, 9, 9], [1.0, 0.0, 0.0, 0.0]),  # 1 + 2 sqrt(ln 28) = 4.65 beats 3 + 2 sqrt(ln 28 / 9) = 4.22
        ([2, 9, 9, 9], [0.0, 0.5, 0.5, 0.0]),  # 1 + 2 sqrt(ln 29 / 2) = 3.60 does not beat 4.22
    ],
)
def test_ucb_takes_the_highest_bound(tried, expected):
    e = exploration(exploration="ucb", ucb_c=2.0)
    e.tried[0] = tried
    assert [action_probability(Q, 0, a, e) for a in range(4)] == expected
    assert expected_value(Q, 0, e) == pytest.approx(float(np.dot(expected, Q[0])))
    assert_distributed(frequencies(e, 0), expected)


def test_upper_confidence_bounds_worked_by_hand():
    """N(s) = 1 + 2 + 4 + 1 = 8 and sqrt(ln 8) = 1.442027: 1 + 2 * 1.442027, 3 + sqrt(2) * 1.442027, 3 + 1.442027, ..."""
    e = exploration(exploration="ucb", ucb_c=2.0)
    e.tried[0] = [1, 2, 4, 1]
    bounds = [upper_bound(Q, 0, a, e) for a in range(4)]
    np.testing.assert_allclose(bounds, [3.884054, 5.039334, 4.442027, 0.884054], atol=1e-6)
    assert upper_bound(Q, 1, 0, e) == math.inf  # never tried there


def test_ucb_counts_what_it_chose():
    e, rng = exploration(exploration="ucb"), np.random.default_rng(1)
    chosen = [choose_action(Q, 1, e, rng) for _ in range(50)]
    assert sorted(chosen[:4]) == [0, 1, 2, 3]
    assert e.tried[1].tolist() == np.bincount(chosen, minlength=4).tolist()
    assert not e.tried[0].any()


@settings(deadline=None)  # the first example compiles
@given(
    st.lists(st.sampled_from([-1.0, 0.0, 0.5, 2.0]), min_size=1, max_size=6),
    st.sampled_from(["epsilon-greedy", "softmax", "ucb"]),
    st.floats(0, 1),
)
def test_behaviour_is_a_distribution_and_the_expectation_is_its_own(values, rule, epsilon):
    q = np.array([values])
    e = make_exploration(ExplorationHyperparameters(exploration=rule, epsilon=epsilon), *q.shape)
    p = [action_probability(q, 0, a, e) for a in range(len(values))]
    assert min(p) >= 0
    assert math.isclose(sum(p), 1.0, rel_tol=1e-12)
    assert expected_value(q, 0, e) == pytest.approx(float(np.dot(p, q[0])), abs=1e-12)


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_softmax_does_not_overflow(scale):
    q = np.array([[-1.0, 1.0]]) * scale
    e = make_exploration(ExplorationHyperparameters(exploration="softmax", temperature=1e-3), 1, 2)
    p = [action_probability(q, 0, a, e) for a in range(2)]
    assert sum(p) == pytest.approx(1.0)
    assert p[1] >= p[0]


def test_greedy_ties_are_broken_at_random_and_draw_only_then():
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    assert greedy_action(Q, 1, rng) == 3
    assert rng.bit_generator.state == before
    counts = np.bincount([greedy_action(Q, 0, rng) for _ in range(DRAWS)], minlength=4)
    assert_distributed(counts, [0.0, 0.5, 0.5, 0.0])


@pytest.mark.parametrize(
    ("decay", "steps", "episodes", "expected"),
    [
        ("constant", 777, 9, 0.8),
        ("linear", 0, 1, 0.8),
        ("linear", 25, 1, 0.65),
        ("linear", 100, 1, 0.2),
        ("linear", 5000, 1, 0.2),
        ("exponential", 0, 1, 0.8),
        ("exponential", 50, 1, 0.4),  # the geometric mean of 0.8 and 0.2
        ("exponential", 100, 1, 0.2),
        ("exponential", 5000, 1, 0.2),
        ("1/episode", 777, 1, 0.8),
        ("1/episode", 777, 4, 0.2),
    ],
)
def test_epsilon_schedules(decay, steps, episodes, expected):
    e = exploration(epsilon=0.8, epsilon_decay=decay, epsilon_final=0.2, epsilon_decay_steps=100)
    for _ in range(episodes):
        begin_episode(e)
    e.step[0] = steps
    assert current_epsilon(e) == pytest.approx(expected, rel=1e-12)


def test_exponential_decay_to_zero_ends_at_a_thousandth():
    e = exploration(epsilon=0.5, epsilon_decay="exponential", epsilon_final=0.0, epsilon_decay_steps=10)
    e.step[0] = 10
    assert current_epsilon(e) == pytest.approx(0.5e-3)
    assert current_epsilon(exploration(epsilon=0.0, epsilon_decay="exponential")) == 0.0


def test_schedules_advance_with_the_actions_chosen():
    e, rng = exploration(epsilon_decay="linear", epsilon=1.0, epsilon_final=0.0, epsilon_decay_steps=4), None
    rng = np.random.default_rng(0)
    seen = []
    for _ in range(6):
        seen.append(current_epsilon(e))
        choose_action(Q, 0, e, rng)
    assert seen == [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]


@settings(deadline=None)  # the first example compiles
@given(st.lists(st.floats(-100, 100), min_size=1, max_size=50))
def test_step_size_one_over_n_is_the_sample_mean(samples):
    table, updates = np.full((1, 1), 12.3), np.zeros((1, 1), np.int64)
    for x in samples:
        table[0, 0] += step_size(1.0, 1.0, updates, 0, 0) * (x - table[0, 0])
    assert table[0, 0] == pytest.approx(np.mean(samples), rel=1e-12, abs=1e-12)
    assert updates[0, 0] == len(samples)


def test_step_sizes():
    updates = np.zeros((1, 1), np.int64)
    assert [step_size(0.5, 0.0, updates, 0, 0) for _ in range(3)] == [0.5] * 3
    np.testing.assert_allclose([step_size(0.5, 0.75, updates, 0, 0) for _ in range(3)], 0.5 / np.arange(1, 4) ** 0.75)
