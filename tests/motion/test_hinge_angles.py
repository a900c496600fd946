"""Branches of hinge triples along a motion, against the plain rule applied row by row."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlsuite.motion import hinge_angles
from rlsuite.motion import rotations as rot

AXES = {1.0: np.eye(3)[[2, 0, 1]], -1.0: np.eye(3)[[2, 1, 0]]}


def turns(triples: np.ndarray, hand: float) -> np.ndarray:
    quat = rot.IDENTITY
    for i, axis in enumerate(AXES[hand]):
        quat = rot.multiply(quat, rot.from_axis_angle(axis, triples[:, i]))
    return quat


def row_by_row(triples: np.ndarray, hand: float) -> np.ndarray:
    """A row that leaps from the one before takes the nearest of the angles that give its rotation."""
    out, quat = triples.copy(), turns(triples, hand)
    for t in range(1, len(out)):
        if np.abs(out[t] - out[t - 1]).max() > hinge_angles.LEAP:
            out[t] = hinge_angles.angles(AXES[hand], quat[t], out[t - 1])
    return out


def wandering(n: int, step: float, seed: int, locks: float = 0.0) -> np.ndarray:
    """A path through all branches and many turns, with rows in gimbal lock, each row written in a branch of its own."""
    rng = np.random.default_rng(seed)
    triples = np.cumsum(rng.normal(size=(n, 3)) * step, axis=0)
    locked = rng.random(n) < locks
    pole = rng.choice([-0.5, 0.5]) * np.pi  # one for the path: two of them, half a turn apart, would be a tie
    triples[locked, 1] = pole + 2.0 * np.pi * np.round((triples[locked, 1] - pole) / (2.0 * np.pi))
    swapped = rng.random(n) < 0.3
    triples[swapped] = hinge_angles.other_set(triples[swapped])
    return triples + 2.0 * np.pi * rng.integers(-2, 3, (n, 3))


@settings(deadline=None)
@given(
    st.integers(1, 60),
    st.sampled_from([0.02, 0.2, 1.0]),
    st.integers(0, 2**32),
    st.sampled_from([0.0, 0.1, 0.9, 1.0]),
    st.sampled_from([1.0, -1.0]),
)
def test_following_is_the_rule_row_by_row(n: int, step: float, seed: int, locks: float, hand: float) -> None:
    triples = wandering(n, step, seed, locks)
    followed = hinge_angles.follow(triples, hand)
    np.testing.assert_allclose(followed, row_by_row(triples, hand), atol=1e-6)
    np.testing.assert_allclose(rot.angle_between(turns(followed, hand), turns(triples, hand)), 0.0, atol=1e-7)
    np.testing.assert_array_equal(followed[0], triples[0])


def test_following_is_many_times_faster_than_row_by_row() -> None:
    triples = wandering(4_000, 0.05, 1)
    began = time.perf_counter()
    expected = row_by_row(triples, 1.0)
    plain = time.perf_counter() - began
    began = time.perf_counter()
    followed = hinge_angles.follow(triples, 1.0)
    assert plain > 20.0 * (time.perf_counter() - began)
    np.testing.assert_allclose(followed, expected, atol=1e-9)


def test_a_path_through_gimbal_lock_keeps_its_last_angle() -> None:
    """Rz(a) Rx(π/2) Ry(c) is one rotation for all equal a + c: a leap of both by opposite amounts is taken back."""
    triples = np.array([[0.2, np.pi / 2, 0.1], [0.2 + 1.0, np.pi / 2, 0.15 - 1.0]])
    np.testing.assert_allclose(hinge_angles.follow(triples, 1.0), [[0.2, np.pi / 2, 0.1], [0.25, np.pi / 2, 0.1]])


@pytest.mark.parametrize("hand", [1.0, -1.0])
def test_angles_of_one_two_and_three_hinges_lead_back(hand: float) -> None:
    axes, triples = AXES[hand], np.random.default_rng(3).uniform(-1.4, 1.4, (200, 3))
    for n in (1, 2, 3):
        triples[:, n:] = 0.0
        near = triples[:, :n] + 2.0 * np.pi
        found = hinge_angles.angles(axes[:n], turns(triples, hand), near)
        np.testing.assert_allclose(found, near, atol=1e-9)
        triples = np.random.default_rng(n).uniform(-1.4, 1.4, (200, 3))
