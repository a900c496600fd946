"""Statistics against hand-worked cases, scipy, brute-force enumeration and textbook examples."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rlsuite.experiments import statistics
from rlsuite.experiments.statistics import (
    curve_band,
    holm,
    iqm,
    mean,
    median,
    optimality_gap,
    paired_permutation_test,
    performance_profile,
    probability_of_improvement,
    probability_of_improvement_interval,
    sample_efficiency,
    sample_median,
    stratified_bootstrap,
    tolerance_interval,
)

small = st.integers(-5, 5).map(float)
runs = st.lists(small, min_size=1, max_size=12).map(np.array)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# -- aggregates --------------------------------------------------------------------------------------------------------


@given(arrays(np.float64, st.tuples(st.integers(1, 9), st.integers(1, 4)), elements=small))
def test_aggregates_are_those_of_the_literature(scores):
    """rliable's definitions: trim_mean(.25) of all scores; mean; median of task means; gamma - mean(min(x, gamma))."""
    assert iqm(scores) == pytest.approx(scipy.stats.trim_mean(scores, 0.25, axis=None))
    assert mean(scores) == pytest.approx(scores.mean())
    assert median(scores) == pytest.approx(np.median(scores.mean(axis=0)))
    assert optimality_gap(scores, 1.0) == pytest.approx(1.0 - np.minimum(scores, 1.0).mean())
    assert sample_median(scores) == pytest.approx(np.median(scores))


def test_iqm_by_hand():
    assert iqm(np.array([100.0, 1, 2, 3, 4, 5, 6, -100])) == 3.5  # two cut at each end
    assert iqm(np.array([0.0, 1, 2, 30, 100])) == 11.0  # 5/4 rounds down to one at each end
    assert iqm(np.array([1.0, 2, 9])) == 4.0  # nothing to cut


def test_tasks_may_have_different_numbers_of_runs():
    scores = [np.array([0.0, 2.0]), np.array([10.0])]
    assert mean(scores) == 5.5  # tasks weigh the same
    assert median(scores) == 5.5
    assert iqm(scores) == 4.0  # runs weigh the same


@pytest.mark.parametrize("bad", [np.array([1.0, np.nan]), np.array([]), [np.array([1.0]), np.array([np.inf])]])
def test_scores_that_cannot_be_averaged_are_refused(bad):
    with pytest.raises(ValueError, match=r"finite|at least one"):
        iqm(bad)


# -- bootstrap ---------------------------------------------------------------------------------------------------------


def test_bootstrap_of_two_runs_is_the_enumeration():
    """Two runs {0, 1} give resample means 0, 1/2, 1 with probabilities 1/4, 1/2, 1/4: the 95 % ends are 0 and 1,
    those of a 40 % interval (0.3, 0.7) are both 1/2."""
    assert stratified_bootstrap(np.array([0.0, 1.0]), mean, rng=rng()) == (0.5, 0.0, 1.0)
    assert stratified_bootstrap(np.array([0.0, 1.0]), mean, rng=rng(), level=0.4) == (0.5, 0.5, 0.5)


def test_bootstrap_covers_the_mean_as_often_as_it_says():
    """400 samples of 40 normal scores: percentile intervals cover 94 % there; ±4 binomial standard errors is ±4.8 %."""
    draws = rng(1).normal(size=(400, 40))
    intervals = [stratified_bootstrap(x, mean, rng=rng(i), reps=1000) for i, x in enumerate(draws)]
    assert 0.892 < np.mean([low <= 0 <= high for _, low, high in intervals]) < 0.988


def test_bootstrap_agrees_with_the_normal_interval():
    x = rng(2).normal(size=400)
    interval = stratified_bootstrap(x, mean, rng=rng(), reps=20_000)
    error = x.std() / 20
    assert interval.low == pytest.approx(x.mean() - 1.96 * error, abs=0.1 * error)
    assert interval.high == pytest.approx(x.mean() + 1.96 * error, abs=0.1 * error)


def test_bootstrap_resamples_within_tasks():
    """Between tasks that differ by 100 there is no variance to see when each is constant, or almost."""
    scores = np.array([[0.0, 100.0], [0.0, 100.0], [1.0, 101.0]])
    interval = stratified_bootstrap(scores, mean, rng=rng())
    assert 50 <= interval.low < interval.high <= 51


def test_bootstrap_in_chunks_is_the_same_distribution(monkeypatch):
    x = rng(3).normal(size=30)
    whole = stratified_bootstrap(x, iqm, rng=rng(), reps=4000)
    monkeypatch.setattr(statistics, "CHUNK", 100)
    pieces = stratified_bootstrap(x, iqm, rng=rng(), reps=4000)
    assert pieces == whole  # the same stream of indices, cut elsewhere


def test_no_interval_from_one_run_and_a_point_from_equal_runs():
    one = stratified_bootstrap(np.array([3.0]), mean, rng=rng())
    assert one.estimate == 3.0
    assert np.isnan([one.low, one.high]).all()
    assert stratified_bootstrap(np.full(4, 3.0), iqm, rng=rng()) == (3.0, 3.0, 3.0)


@given(runs, st.integers(0, 3))
def test_bootstrap_interval_lies_within_the_data_and_is_deterministic(x, seed):
    interval = stratified_bootstrap(x, sample_median, rng=rng(seed), reps=50)
    assert interval == pytest.approx(stratified_bootstrap(x, sample_median, rng=rng(seed), reps=50), nan_ok=True)
    if x.size > 1:
        assert x.min() <= interval.low <= interval.high <= x.max()


@settings(max_examples=25)
@given(
    arrays(np.float64, st.tuples(st.integers(2, 9), st.integers(1, 3)), elements=small),
    st.sampled_from(["mean", "iqm"]),
)
def test_curve_band_is_the_bootstrap_of_each_point(curves, statistic):
    """The counting formula against resampling rows and applying the statistic to each column."""
    n, reps = len(curves), 200
    band = curve_band(curves, statistic, rng=rng(5), reps=reps)
    drawn = rng(5).integers(n, size=(n, reps))  # the indices that curve_band draws
    function = {"mean": np.mean, "iqm": lambda x, axis: scipy.stats.trim_mean(x, 0.25, axis=axis)}[statistic]
    resampled = function(curves[drawn], axis=0)  # (reps, K)
    np.testing.assert_allclose(band.centre, function(curves, axis=0), atol=1e-12)
    np.testing.assert_allclose(band.low, np.quantile(resampled, 0.025, axis=0, method="lower"), atol=1e-12)
    np.testing.assert_allclose(band.high, np.quantile(resampled, 0.975, axis=0, method="higher"), atol=1e-12)


def test_curve_band_refuses_what_has_no_band():
    with pytest.raises(ValueError, match="finite"):
        curve_band(np.array([[1.0, np.nan]]), rng=rng())
    with pytest.raises(ValueError, match="'mean' or 'iqm'"):
        curve_band(np.ones((2, 2)), "max", rng=rng())
    assert np.isnan(curve_band(np.ones((1, 2)), rng=rng()).low).all()


# -- distributions -----------------------------------------------------------------------------------------------------


def test_performance_profile_by_hand():
    scores = [np.array([0.0, 0.5, 1.0, 1.0]), np.array([0.5, 2.0])]
    profile = performance_profile(scores, [-1, 0, 0.5, 1, 2], rng=rng())
    np.testing.assert_allclose(profile.centre, [1, (0.75 + 1) / 2, (0.5 + 0.5) / 2, (0 + 0.5) / 2, 0])
    assert (profile.low <= profile.centre).all()
    assert (profile.centre <= profile.high).all()
    assert (profile.low[0], profile.high[-1]) == (1, 0)  # below and above all scores nothing is uncertain


def test_performance_profile_band_is_binomial():
    """One task: the resampled fraction is binomial, so the band's ends are its quantiles (± one step of 1/50)."""
    scores = np.r_[np.zeros(30), np.ones(20)]
    profile = performance_profile(scores, [0.5], rng=rng(), reps=20_000)
    exact = scipy.stats.binom(50, 0.4).ppf([0.025, 0.975]) / 50
    np.testing.assert_allclose([profile.low[0], profile.high[0]], exact, atol=0.0201)


def test_sample_efficiency_counts_runs_that_never_arrive():
    curves = np.array([[0, 5, 9], [0, 1, 2], [5, 0, 0], [0, 0, 5.0]])
    found = sample_efficiency(curves, [0, 10, 20], 5)
    np.testing.assert_array_equal(found.first, [10, np.inf, 0, 20])  # the first time, also where it is lost again
    assert (found.reached, found.median) == (0.75, 15)
    assert sample_efficiency(curves[:2], [0, 10, 20], 6).median == np.inf
    assert sample_efficiency(-curves, [0, 10, 20], -5, higher_is_better=False).median == 15


def test_tolerance_interval_needs_46_runs_for_90_95():
    """Wilks: 1 - n b^(n-1) + (n-1) b^n >= 0.95 with b = 0.9 first holds at n = 46; the second pair of order statistics
    covers 90 % unless 3 runs or fewer of n fall outside: found by the binomial sum."""
    assert tolerance_interval(np.arange(45)) == (-np.inf, np.inf)
    assert tolerance_interval(np.arange(46)) == (0, 45)
    n = next(n for n in range(46, 200) if scipy.stats.binom(n, 0.9).cdf(n - 4) >= 0.95)
    assert tolerance_interval(np.arange(n - 1)) == (0, n - 2)
    assert tolerance_interval(np.arange(n)) == (1, n - 2)


# -- two algorithms ----------------------------------------------------------------------------------------------------


@given(runs, runs)
def test_probability_of_improvement_is_mann_whitney(x, y):
    u = (
        scipy.stats.mannwhitneyu(x, y, method="asymptotic").statistic
        if np.ptp(np.r_[x, y]) > 0
        else x.size * y.size / 2
    )
    assert probability_of_improvement(x, y) == pytest.approx(u / (x.size * y.size))
    assert probability_of_improvement(x, y) + probability_of_improvement(y, x) == pytest.approx(1)
    assert probability_of_improvement(np.exp(x), np.exp(y)) == pytest.approx(probability_of_improvement(x, y))


def test_probability_of_improvement_by_hand():
    assert probability_of_improvement(np.array([1.0, 2.0]), np.array([1.0, 0.0])) == (0.5 + 1 + 1 + 1) / 4
    two_tasks = [np.array([1.0, 2.0]), np.array([0.0])], [np.array([1.0, 0.0]), np.array([1.0, 1.0, 1.0])]
    assert probability_of_improvement(*two_tasks) == (0.875 + 0) / 2


def test_probability_of_improvement_interval():
    """Standard error of a Mann-Whitney probability without ties and without effect: sqrt((n + m + 1) / (12 n m))."""
    x, y = rng(6).normal(size=(2, 200))
    interval = probability_of_improvement_interval(x, y, rng=rng(), reps=4000)
    error = np.sqrt(401 / (12 * 200 * 200))
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert interval.low < interval.estimate < interval.high
    assert probability_of_improvement_interval(x, x - 100, rng=rng()) == (1, 1, 1)
    assert np.isnan(probability_of_improvement_interval(x[:1], y[:1], rng=rng()).low)


@settings(max_examples=40)
@given(st.lists(small, min_size=1, max_size=9).map(np.array))
def test_permutation_p_is_the_enumeration(d):
    patterns = np.array(list(itertools.product([1, -1], repeat=d.size)))
    exact = np.mean(np.abs(patterns @ d) >= abs(d.sum()))
    assert paired_permutation_test(d, np.zeros(d.size), rng=rng()) == pytest.approx(exact)
    assert paired_permutation_test(np.zeros(d.size), d, rng=rng()) == pytest.approx(exact)


def test_permutation_test_on_darwins_maize():
    """Fisher 1935, section 21: 15 pairs of plants (eighths of an inch), sum 314; 863 of the 32768 sign patterns
    reach 314 in one tail and 863 in the other, p = 0.0527. Monte Carlo, so within 4 standard errors of 49 999 draws."""
    d = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48])
    p = paired_permutation_test(d, np.zeros(15), rng=rng())
    exact = 2 * 863 / 2**15
    assert p == pytest.approx(exact, abs=4 * np.sqrt(exact / 49_999))


def test_permutation_p_values():
    assert paired_permutation_test(np.ones(5), np.ones(5), rng=rng()) == 1.0
    assert paired_permutation_test(np.ones(5), np.zeros(5), rng=rng()) == 2 / 2**5
    assert paired_permutation_test(np.ones(60), np.zeros(60), rng=rng(), permutations=999) == 1 / 1000  # never zero
    shifted = paired_permutation_test(np.array([0.1, 0.2, 0.3]), np.array([0.3, 0.2, 0.1]), rng=rng())
    assert shifted == 1.0  # differences -0.2, 0, 0.2 up to rounding
    with pytest.raises(ValueError, match="same length"):
        paired_permutation_test(np.ones(3), np.ones(1), rng=rng())


def test_permutation_test_holds_its_level():
    """Under exchangeability p <= 0.05 happens with probability at most 0.05: 1000 trials, + 4 standard errors."""
    d = rng(7).standard_cauchy(size=(1000, 15))
    p = [paired_permutation_test(row, np.zeros(15), rng=rng(i), permutations=399) for i, row in enumerate(d)]
    assert 0.05 - 0.028 < np.mean(np.array(p) <= 0.05) < 0.05 + 0.028


def test_holm_by_hand():
    """Sorted 0.005 x 4, 0.01 x 3, 0.03 x 2, and 0.04 x 1 lifted to the 0.06 before it."""
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.5, 0.9]), [1.0, 1.0])
    assert holm([]).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_the_raw_and_bonferroni(p):
    adjusted = holm(p)
    assert (adjusted >= np.array(p)).all()
    assert (adjusted <= np.minimum(1, len(p) * np.array(p))).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()
    assert adjusted[np.argmin(p)] == pytest.approx(min(1, len(p) * min(p)))
