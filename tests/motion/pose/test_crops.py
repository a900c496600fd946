"""A crop is the picture of its camera: points, rays and pixels agree with those of the whole picture."""

import numpy as np
import pytest

from rlsuite.errors import MotionError
from rlsuite.motion import body
from rlsuite.motion.cameras import Camera
from rlsuite.motion.pose.crops import PAD, Square
from rlsuite.motion.render.renderer import Renderer


@pytest.fixture(scope="module")
def camera():
    return Camera.look_at((2.5, 1.5, 1.4), (0.0, 0.0, 0.8), width=320, height=240)


def test_the_square_holds_the_points_and_the_pad():
    square = Square.around([[10.0, 20.0], [np.nan, 3.0], [30.0, 70.0]])
    assert (square.u, square.v) == (20.0, 45.0)
    assert square.side == pytest.approx(50.0 * (1 + 2 * PAD))
    with pytest.raises(MotionError, match="no key point"):
        Square.around([[np.nan, np.nan]])


def test_points_of_the_crops_camera_are_the_cropped_points(camera):
    rng = np.random.default_rng(3)
    points = rng.uniform((-0.8, -0.8, 0.0), (0.8, 0.8, 1.6), (50, 3))
    square = Square(151.3, 117.9, 93.7)
    crop = square.camera(camera, 64)
    np.testing.assert_allclose(crop.project(points), square.to_crop(camera.project(points), 64), atol=1e-9)
    np.testing.assert_allclose(square.from_crop(square.to_crop(points[:, :2], 64), 64), points[:, :2], atol=1e-12)


@pytest.mark.parametrize("side", [48.0, 101.6, 230.0])
def test_a_cut_picture_is_what_the_crops_camera_sees(camera, side):
    """To resampling: at edges a pixel of the one averages other rays than a pixel of the other."""
    renderer = Renderer(body.model(), backend="software")
    pose = body.skeleton().rest_qpos
    square = Square(160.7, 119.2, side)
    cut = square.cut(renderer.render(pose, camera).rgb, 48).astype(float)
    seen = renderer.render(pose, square.camera(camera, 48)).rgb.astype(float)
    shifted = renderer.render(pose, Square(160.7 + side / 48, 119.2, side).camera(camera, 48)).rgb.astype(float)
    assert abs(cut - seen).mean() < 5.0
    assert abs(cut - seen).mean() < 0.6 * abs(cut - shifted).mean()  # and no pixel beside it


def test_a_cut_beyond_the_edge_repeats_the_edge():
    picture = np.full((20, 30, 3), 77, np.uint8)
    assert (Square(0.0, 0.0, 50.0).cut(picture, 16) == 77).all()


def test_a_cut_at_the_pixels_own_size_copies_them():
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    assert (Square(12.0, 9.0, 8.0).cut(picture, 8) == picture[5:13, 8:16]).all()
