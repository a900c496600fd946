"""Heatmaps: encoding and decoding are each other's inverse to a twentieth of a cell, and better."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlsuite.errors import MotionError
from rlsuite.motion.pose.codec import Codec, newton_step

inside = st.floats(0.6, 22.4)


@given(st.lists(st.tuples(inside, inside), min_size=1, max_size=5), st.sampled_from([0.7, 1.0, 1.5]))
def test_decoding_undoes_encoding(points, sigma):
    codec = Codec(23, sigma)
    decoded = codec.decode(codec.encode(points))
    np.testing.assert_allclose(decoded.points, points, atol=0.01)
    assert (decoded.confidence > 0.85).all() and (decoded.confidence <= 1).all()


@given(st.floats(5, 18), st.floats(5, 18))
def test_the_mean_undoes_encoding_away_from_the_edge(u, v):
    codec = Codec(23)
    np.testing.assert_allclose(codec.mean(codec.encode([[u, v]])), [[u, v]], atol=0.001)


def test_a_second_mode_draws_the_mean_but_not_the_peak():
    codec = Codec(24)
    one, other = codec.encode([[[6.3, 8.1]], [[20.0, 20.0]]])
    both = 0.7 * one + 0.3 * other
    np.testing.assert_allclose(codec.decode(both).points, [[6.3, 8.1]], atol=0.01)
    np.testing.assert_allclose(codec.mean(both), [[0.7 * 6.3 + 0.3 * 20, 0.7 * 8.1 + 0.3 * 20]], atol=0.01)
    assert codec.decode(both).confidence[0] == pytest.approx(0.7 * codec.decode(one).confidence[0], abs=1e-3)
    np.testing.assert_allclose(codec.decode(both, [[19, 19]]).points, [[20.0, 20.0]], atol=0.01)


def test_a_heatmap_sums_to_one_and_is_uniform_where_nothing_is_to_be_seen():
    codec = Codec(16)
    maps = codec.encode([[3.2, 4.5], [-1.0, 4.0], [5.0, 5.0]], [True, True, False])
    np.testing.assert_allclose(maps.sum((1, 2)), 1, rtol=1e-6)
    np.testing.assert_allclose(maps[1:], 1 / 256, rtol=1e-6)
    assert (codec.decode(maps).confidence[1:] < 0.1).all()


def test_newton_step_finds_the_top_of_a_tilted_parabola_and_none_of_a_saddle():
    v, u = np.mgrid[-1:2, -1:2]
    du, dv = u - 0.3, v + 0.2
    hill, saddle = -(2 * du**2 + dv**2 + 0.8 * du * dv), du**2 - dv**2
    np.testing.assert_allclose(newton_step(np.stack([hill, saddle])), [[0.3, -0.2], [0.0, 0.0]], atol=1e-12)


def test_sizes_that_make_no_sense():
    with pytest.raises(MotionError, match="at least 3"):
        Codec(2)
