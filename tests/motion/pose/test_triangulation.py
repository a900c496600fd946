"""Points of the world from several pictures: exact where the pictures are, deaf to one that lies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlsuite.errors import MotionError
from rlsuite.motion.cameras import Camera
from rlsuite.motion.pose.estimator import PoseSequence
from rlsuite.motion.pose.triangulation import projection_matrix, triangulate, triangulated

CAMERAS = [Camera.look_at((4 * np.cos(a), 4 * np.sin(a), 1.3), (0, 0, 1)) for a in (0.0, 1.5, 3.0)]


def _points(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(4, 5, 3)) * 0.5 + (0, 0, 1)


def test_projection_matrix_is_the_cameras_projection() -> None:
    points = _points(np.random.default_rng(0))
    homogeneous = np.concatenate([points, np.ones((4, 5, 1))], -1) @ projection_matrix(CAMERAS[1]).T
    np.testing.assert_allclose(homogeneous[..., :2] / homogeneous[..., 2:], CAMERAS[1].project(points), atol=1e-9)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_exact_pixels_give_exact_points(seed: int) -> None:
    points = _points(np.random.default_rng(seed))
    pixels = np.stack([camera.project(points) for camera in CAMERAS])
    found, confidence = triangulate(pixels, np.ones(pixels.shape[:-1]), CAMERAS)
    np.testing.assert_allclose(found, points, atol=1e-9)
    np.testing.assert_allclose(confidence, 1.0, atol=1e-9)


def test_a_view_that_lies_is_outvoted() -> None:
    points = _points(np.random.default_rng(1))
    pixels = np.stack([camera.project(points) for camera in CAMERAS])
    pixels[0, 2] += 200.0
    found, confidence = triangulate(pixels, np.ones(pixels.shape[:-1]), CAMERAS)
    np.testing.assert_allclose(found, points, atol=1e-4)
    assert (confidence > 0.99).all()


def test_confidence_weighs_views() -> None:
    """Of two noisy views and a sure one, the point lies on the ray of the sure one."""
    point = np.array([[0.2, -0.1, 1.1]])
    pixels = np.stack([camera.project(point) for camera in CAMERAS])
    pixels[1] += 1.0
    weights = np.array([[1.0], [1e-6], [1.0]])
    found, confidence = triangulate(pixels, weights, CAMERAS, outlier=1e6)
    np.testing.assert_allclose(found, point, atol=1e-5)
    assert confidence[0] == pytest.approx(1.0, abs=1e-4)


def test_fewer_than_two_views_are_no_point() -> None:
    point = np.array([[0.0, 0.0, 1.0], [0.1, 0.0, 1.0]])
    pixels = np.stack([camera.project(point) for camera in CAMERAS])
    sure = np.ones((3, 2))
    sure[1:, 0] = 0.0
    pixels[1:, 0] = np.nan
    found, confidence = triangulate(pixels, sure, CAMERAS)
    assert np.isnan(found[0]).all() and confidence[0] == 0.0
    np.testing.assert_allclose(found[1], point[1], atol=1e-9)


def test_two_views_from_one_place_are_no_point() -> None:
    point = np.array([[0.0, 0.0, 1.0]])
    pixels = np.stack([CAMERAS[0].project(point)] * 2)
    found, confidence = triangulate(pixels, np.ones((2, 1)), [CAMERAS[0]] * 2)
    assert np.isnan(found).all() and confidence[0] == 0.0


def test_sequences_must_be_of_the_same_instants() -> None:
    views = [PoseSequence(np.zeros((n, 1, 2)), np.ones((n, 1)), ("a",), 30.0) for n in (2, 3)]
    with pytest.raises(MotionError, match="same instants"):
        triangulated(views, CAMERAS[:2])
    with pytest.raises(MotionError, match="two at least"):
        triangulate(np.zeros((1, 2, 2)), np.ones((1, 2)), CAMERAS[:1])
