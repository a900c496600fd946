"""Cameras: pixels and rays are inverse, MuJoCo's rays see markers where they are projected, and nothing leaves the view."""

import math

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlsuite.errors import MotionError
from rlsuite.motion.cameras import Camera, calibration, framing, tracking

K = np.array([[500.0, 3.0, 310.0], [0.0, 480.0, 250.0], [0.0, 0.0, 1.0]])
place = st.tuples(*3 * [st.floats(-3, 3)])


@settings(max_examples=60, deadline=None)
@given(place, place, st.tuples(st.floats(0, 640), st.floats(0, 480)), st.floats(0.1, 50))
def test_a_point_on_a_pixels_ray_is_seen_at_the_pixel(eye, target, pixel, distance):
    if math.dist(eye[:2], target[:2]) < 1e-3:
        return
    camera = Camera(Camera.look_at(eye, target).R, np.array(eye), K, 640, 480)
    origin, direction = camera.rays(pixel)
    point = origin + distance * direction
    assert np.linalg.norm(direction) == pytest.approx(1.0)
    assert camera.project(point) == pytest.approx(pixel, abs=1e-6)
    assert camera.depth(point) == pytest.approx(distance * direction @ camera.forward)
    assert np.isnan(camera.project(origin - direction)).all()


def test_axes_and_pixel_centres():
    camera = Camera(np.eye(3), np.zeros(3), calibration(100.0, 4, 2), 4, 2)
    assert camera.project([0, 0, -1]).tolist() == [2, 1]
    assert camera.project([0.01, 0, -1]).tolist() == [3, 1]  # +X is to the right
    assert camera.project([0, 0.01, -1]).tolist() == [2, 0]  # +Y is up
    _, directions = camera.rays()
    assert directions.shape == (2, 4, 3)
    assert camera.project(directions)[0, 0] == pytest.approx([0.5, 0.5])
    assert camera.project(directions)[1, 3] == pytest.approx([3.5, 1.5])


CAMERAS = """
<mujoco><worldbody>{markers}
  <body pos="0.2 -2.5 1.1" euler="80 5 10"><joint type="free"/><geom size="0.01" group="4"/>
    <camera name="plain" fovy="50"/>
    <camera name="sensor" focal="0.006 0.0055" principal="0.0004 -0.0003" sensorsize="0.0064 0.0048" resolution="320 240"/>
  </body>
</worldbody></mujoco>
"""


@pytest.mark.parametrize("name", ["plain", "sensor"])
def test_markers_are_projected_to_where_mujocos_rays_see_them(name):
    rng = np.random.default_rng(3)
    points = rng.uniform((-0.9, -0.4, 0.3), (1.2, 1.0, 1.8), (12, 3))
    markers = "".join(f'<geom size="0.03" pos="{x} {y} {z}"/>' for x, y, z in points)
    model = mujoco.MjModel.from_xml_string(CAMERAS.format(markers=markers))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    camera = Camera.from_mujoco(model, data, name, 320, 240)
    pixels = camera.project(points)
    inside = ((pixels > 8) & (pixels < (312, 232))).all(axis=1)
    assert inside.sum() >= 4
    for index in np.flatnonzero(inside):
        u, v = pixels[index]
        window = np.stack(np.meshgrid(np.arange(u - 8, u + 8, 0.25), np.arange(v - 8, v + 8, 0.25)), -1).reshape(-1, 2)
        origin, directions = camera.rays(window)
        seen, far, n = np.empty(len(window), np.int32), np.empty(len(window)), len(window)
        group = np.array([1, 0, 0, 0, 0, 0], np.uint8)
        mujoco.mj_multiRay(model, data, origin, directions.ravel(), group, 1, -1, seen, far, None, n, 100.0)
        if (seen == index).sum() > 0 and set(seen) <= {index, -1}:  # nothing stands in front
            assert np.linalg.norm(window[seen == index].mean(axis=0) - (u, v)) < 0.5


def test_the_field_of_view_is_that_of_the_model():
    model = mujoco.MjModel.from_xml_string(CAMERAS.format(markers=""))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    camera = Camera.from_mujoco(model, data, "plain", 320, 240)
    _, (top, bottom) = camera.rays(np.array([[160, 0], [160, 240]]))
    assert math.degrees(math.acos(top @ bottom)) == pytest.approx(50)
    with pytest.raises(MotionError, match="no camera 'side'; its cameras: plain, sensor"):
        Camera.from_mujoco(model, data, "side")


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([(640, 480), (200, 500), (1920, 400)]), st.floats(-3, 3), st.floats(-1, 1))
def test_all_is_in_view_and_the_nearest_such_camera_touches_the_margin(seed, size, azimuth, elevation):
    rng = np.random.default_rng(seed)
    points = np.cumsum(rng.normal(0, 0.1, (30, 1, 3)), axis=0) + rng.uniform(-0.8, 0.8, (30, 5, 3))
    still = framing(points, *size, azimuth=azimuth, elevation=elevation, pad=0.0, margin=0.05)
    going = tracking(points, 30.0, *size, azimuth=azimuth, elevation=elevation, pad=0.0, margin=0.05)
    shares = still.project(points) / size
    assert shares.min() >= 0.05 - 1e-9 and shares.max() <= 0.95 + 1e-9
    assert min(shares.min(), 1 - shares.max()) == pytest.approx(0.05)
    followed = np.array([camera.project(p) / size for camera, p in zip(going, points, strict=True)])
    assert followed.min() >= 0.05 - 1e-9 and followed.max() <= 0.95 + 1e-9


def test_a_camera_that_goes_along_is_smoother_than_the_body():
    time = np.arange(120) / 30
    root = np.stack([time, 0.05 * np.sin(12 * time), 0.9 + 0.03 * np.sin(12 * time)], -1)[:, None]
    path = np.array([camera.t for camera in tracking(root, 30.0)])
    assert abs(np.diff(path, 2, axis=0)).max() < 0.2 * abs(np.diff(root[:, 0], 2, axis=0)).max()
    assert np.ptp([camera.t for camera in tracking(root, 30.0, smoothing=math.inf)], axis=0).max() == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Camera(2 * np.eye(3), np.zeros(3), K, 4, 4), "is a rotation"),
        (lambda: Camera(np.eye(3), np.zeros(2), K, 4, 4), "of shape"),
        (lambda: Camera(np.eye(3), np.full(3, np.nan), K, 4, 4), "finite"),
        (lambda: Camera(np.eye(3), np.zeros(3), -K, 4, 4), "focal lengths above 0"),
        (lambda: Camera(np.eye(3), np.zeros(3), K, 0, 4), "at least one pixel"),
        (lambda: Camera.look_at((0, 0, 2), (0, 0, 0)), "upwards"),
        (lambda: Camera.look_at((1, 0, 2), (0, 0, 0), fovy=4.0), "field of view"),
        (lambda: framing(np.empty((0, 3))), "finite positions"),
        (lambda: tracking(np.full((2, 3, 3), np.inf), 30.0), "finite positions"),
    ],
)
def test_cameras_that_are_none(make, message):
    with pytest.raises(MotionError, match=message):
        make()
