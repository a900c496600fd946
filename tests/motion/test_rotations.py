"""Quaternions against SciPy's rotations."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from rlsuite.motion import rotations as rot

ORDERS = ["".join(order) for order in itertools.permutations("xyz")]


def random(n: int, seed: int = 0) -> np.ndarray:
    return rot.normalize(np.random.default_rng(seed).normal(size=(n, 4)))


def scipy(quat: np.ndarray) -> Rotation:
    return Rotation.from_quat(quat, scalar_first=True)


def same(a: np.ndarray, b: np.ndarray, tolerance: float = 1e-12) -> bool:
    return bool((rot.angle_between(a, b) < tolerance).all())


def test_product_inverse_and_turned_vectors_are_scipys() -> None:
    p, q, v = random(100), random(100, 1), np.random.default_rng(2).normal(size=(100, 3))
    assert same(rot.multiply(p, q), (scipy(p) * scipy(q)).as_quat(scalar_first=True))
    assert same(rot.conjugate(p), scipy(p).inv().as_quat(scalar_first=True))
    np.testing.assert_allclose(rot.rotate(p, v), scipy(p).apply(v), atol=1e-14)
    np.testing.assert_allclose(rot.rotate(p[:, None], v[None, :5])[7, 3], scipy(p[7]).apply(v[3]), atol=1e-14)


def test_matrices_are_scipys_in_every_region_of_the_largest_component() -> None:
    quat = np.concatenate((random(200), np.eye(4), rot.normalize(np.eye(4) + 1e-9)))
    matrix = rot.to_matrix(quat)
    np.testing.assert_allclose(matrix, scipy(quat).as_matrix(), atol=1e-14)
    assert same(rot.from_matrix(matrix), quat)


@pytest.mark.parametrize("angle", [0.0, 1e-300, 1e-9, 9.9e-5, 1.1e-4, 1.0, np.pi - 1e-9, np.pi])
def test_exp_and_log_are_inverse_down_to_the_smallest_and_up_to_half_a_turn(angle: float) -> None:
    axis = np.array([2.0, -1.0, 2.0]) / 3.0
    quat = rot.exp(angle * axis)
    assert np.linalg.norm(quat) == pytest.approx(1.0, abs=1e-15)
    assert same(quat, rot.from_axis_angle(axis, angle))
    np.testing.assert_allclose(rot.log(quat), angle * axis, rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(rot.log(-quat), rot.log(quat), rtol=1e-9, atol=1e-300)


def test_log_is_scipys_rotation_vector_and_angle_between_its_magnitude() -> None:
    p, q = random(100), random(100, 1)
    np.testing.assert_allclose(rot.log(q), scipy(q).as_rotvec(), atol=1e-13)
    np.testing.assert_allclose(rot.angle_between(p, q), (scipy(p).inv() * scipy(q)).magnitude(), atol=1e-13)
    np.testing.assert_allclose(rot.angle_between(p, -q), rot.angle_between(p, q), atol=1e-13)


def test_slerp_is_scipys() -> None:
    p, q = random(2)
    shares = np.linspace(0, 1, 11)
    expected = Slerp([0.0, 1.0], scipy(np.stack((p, q))))(shares).as_quat(scalar_first=True)
    assert same(rot.slerp(p, q, shares), expected)
    assert same(rot.slerp(p, -q, shares), expected)


@pytest.mark.parametrize("order", ORDERS)
def test_euler_angles_are_scipys_intrinsic_ones(order: str) -> None:
    quat = random(300)
    angles = rot.to_euler(quat, order)
    np.testing.assert_allclose(angles, scipy(quat).as_euler(order.upper()), atol=1e-9)
    assert same(rot.from_euler(angles, order), quat)


@pytest.mark.parametrize("order", ORDERS)
@settings(max_examples=60, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-9.0, 9.0)] * 3),
    middle=st.sampled_from([None, 0.5 * np.pi, -0.5 * np.pi, 1.5 * np.pi]),
    away=st.tuples(*[st.floats(-0.3, 0.3)] * 3),
)
def test_euler_angles_near_a_guess_turn_the_same_and_return_to_it(order, angles, middle, away) -> None:
    angles = np.array(angles)
    if middle is not None:
        angles[1] = middle
    quat = rot.from_euler(angles, order)
    found = rot.to_euler(quat, order, angles)
    assert same(rot.from_euler(found, order), quat, 2e-7)
    # the angles themselves, not only the rotation: what was asked for is a solution, so nothing is nearer
    assert np.abs(found - angles).max() < (1e-6 if abs(np.cos(angles[1])) > 1e-6 or middle is not None else 0.5)
    guess = angles + np.array(away)
    other = rot.to_euler(quat, order, guess)
    assert same(rot.from_euler(other, order), quat, 2e-7)
    assert np.linalg.norm(other - guess) < np.linalg.norm(found - guess) + 1e-6 or middle is not None


def test_gimbal_lock_leaves_the_last_angle_at_zero_or_at_the_guess() -> None:
    quat = rot.from_euler([0.7, 0.5 * np.pi, 0.2], "xyz")
    assert rot.to_euler(quat, "xyz") == pytest.approx([0.9, 0.5 * np.pi, 0.0])
    assert rot.to_euler(quat, "xyz", [0.0, 1.5, 0.3]) == pytest.approx([0.6, 0.5 * np.pi, 0.3])


def test_euler_orders_of_two_axes_are_refused() -> None:
    with pytest.raises(ValueError, match="once each"):
        rot.to_euler(rot.IDENTITY, "zxz")


def test_continuous_only_changes_signs_and_removes_every_jump() -> None:
    path = rot.exp(np.linspace(0, 6, 50)[:, None, None] * np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]))
    flipped = path * np.random.default_rng(0).choice([-1.0, 1.0], size=(50, 2, 1))
    smooth = rot.continuous(flipped)
    assert (np.abs(smooth) == np.abs(flipped)).all()
    assert np.abs(np.diff(smooth, axis=0)).max() < 0.1


def test_heading_is_the_turn_about_the_vertical_of_a_swing_and_a_twist() -> None:
    twist = np.linspace(-3.1, 3.1, 21)
    swing = rot.exp(np.array([0.8, -0.5, 0.0]))
    quat = rot.multiply(rot.from_axis_angle((0.0, 0.0, 1.0), twist), swing)
    np.testing.assert_allclose(rot.heading_angle(quat), twist, atol=1e-14)
    np.testing.assert_allclose(rot.heading_angle(-quat), twist, atol=1e-14)
    assert same(rot.multiply(rot.conjugate(rot.heading(quat)), quat), swing)


def test_a_quaternion_of_no_length_becomes_the_identity() -> None:
    assert (rot.normalize(np.zeros((2, 4))) == rot.IDENTITY).all()
