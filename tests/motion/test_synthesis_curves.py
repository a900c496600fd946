"""Curves that motions are made of: exact values and derivatives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlsuite.motion.synthesis import gait_tables
from rlsuite.motion.synthesis.curves import bridge, ease, fourier, harmonics_of, jet, moves, spline, window


def test_ease_is_the_minimum_jerk_polynomial():
    u = np.linspace(0.0, 1.0, 11)
    np.testing.assert_allclose(ease(u), 10 * u**3 - 15 * u**4 + 6 * u**5, atol=1e-15)
    assert ease(-3.0) == 0.0 and ease(7.0) == 1.0
    np.testing.assert_allclose(ease(u) + ease(1.0 - u), 1.0, atol=1e-15)


def test_window_is_one_between_and_zero_outside():
    np.testing.assert_array_equal(window([0.0, 0.1, 0.3, 0.5, 0.7, 0.9], (0.1, 0.3), (0.5, 0.7)), [0, 0, 1, 1, 0, 0])


@given(st.lists(st.floats(-3, 3), min_size=7, max_size=7))
def test_harmonics_are_read_off_one_period(numbers):
    series = (numbers[0], ((1, numbers[1], numbers[2]), (2, numbers[3], numbers[4]), (5, numbers[5], numbers[6])))
    mean, harmonics = harmonics_of(fourier(series, np.arange(64) / 64), (1, 2, 5))
    assert mean == pytest.approx(series[0], abs=1e-12)
    np.testing.assert_allclose(harmonics, series[1], atol=1e-12)


def test_moves_rest_at_every_key():
    keys = [(0.0, 1.0), (0.5, 3.0), (2.0, -1.0)]
    for time, value in keys:
        at = jet(lambda t: moves(t, keys), time, 1e-4)
        np.testing.assert_allclose(at, [value, 0.0, 0.0], atol=0.1)
    assert moves(np.array([0.25]), keys)[0] == pytest.approx(2.0)


def test_spline_passes_its_keys_and_rests_at_the_ends():
    keys = [(0.0, 0.0), (0.4, 1.0), (1.0, -2.0)]
    np.testing.assert_allclose(spline(np.array([0.0, 0.4, 1.0, 9.0]), keys), [0.0, 1.0, -2.0, -2.0], atol=1e-12)
    assert abs(jet(lambda t: spline(t, keys), 0.0, 1e-4)[1]) < 1e-2


def test_bridge_has_the_derivatives_of_both_ends():
    start, stop = np.array([[1.0], [-2.0], [5.0]]), np.array([[0.5], [3.0], [-4.0]])
    # inside of each end: one-sided differences of a C2 curve
    for end, wanted, h in ((0.2, start, 1e-4), (1.2, stop, -1e-4)):
        f = bridge(end + h * np.arange(4), (0.2, 1.2), start, stop, (0.3, 0.2))[:, 0]
        slope = (-11 * f[0] + 18 * f[1] - 9 * f[2] + 2 * f[3]) / (6 * h)
        curvature = (2 * f[0] - 5 * f[1] + 4 * f[2] - f[3]) / h**2
        assert f[0] == pytest.approx(wanted[0, 0], abs=1e-12)
        assert slope == pytest.approx(wanted[1, 0], abs=1e-3)
        assert curvature == pytest.approx(wanted[2, 0], abs=0.2)


@pytest.mark.parametrize(
    ("name", "percent", "degrees"),
    # mean of the published bounds (Schwartz et al. 2008, free speed): (low + high) / 2
    [
        ("hip", 0, (30.4006 + 41.2522) / 2),
        ("hip", 52, (-12.559 + 1.0464) / 2),
        ("hip", 88, (31.1312 + 42.0138) / 2),
        ("knee", 12, (12.9812 + 25.6074) / 2),
        ("knee", 40, (0.4979 + 11.9817) / 2),
        ("knee", 72, (53.2538 + 65.0096) / 2),
        ("ankle", 44, (7.0915 + 16.5239) / 2),
        ("ankle", 64, (-28.6219 - 10.9481) / 2),
        ("obliquity", 16, (1.9609 + 6.1745) / 2),
        ("rotation", 0, (0.38 + 8.4132) / 2),
        ("tilt", 44, (7.482 + 17.433) / 2),
    ],
)
def test_series_are_those_of_the_published_means(name, percent, degrees):
    assert fourier(getattr(gait_tables.WALKING, name), percent / 100) == pytest.approx(degrees, abs=1.5)
