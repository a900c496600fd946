"""Photographs of a body: cameras all around, the body alone on white."""

import numpy as np
import pytest
import torch

from rlsuite.motion import body, kinematics
from rlsuite.motion.pose.photographs import cameras_around, photograph


def test_cameras_look_at_the_target_from_all_sides_at_one_distance():
    cameras = cameras_around((1.0, 2.0, 0.9), 16, elevations=(-0.2, 0.5))
    away = np.array([camera.t for camera in cameras]) - (1.0, 2.0, 0.9)
    assert np.linalg.norm(away, axis=1) == pytest.approx(3.6)
    for camera in cameras:
        assert camera.project((1.0, 2.0, 0.9)) == pytest.approx((32, 32))
    elevation = np.arcsin(away[:, 2] / 3.6)
    assert elevation.min() > -0.2 and elevation.max() < 0.5 and np.ptp(elevation) > 0.6
    azimuth = np.sort(np.arctan2(away[:, 1], away[:, 0]))
    assert np.diff(azimuth, append=azimuth[0] + 2 * np.pi).max() < 2 * 2 * np.pi / 16


def test_the_body_alone_is_seen_on_white():
    model, skeleton = body.model(), body.skeleton()
    qpos = skeleton.rest_qpos
    for view in photograph(model, qpos, cameras_around(qpos[:3], 5)):
        assert (view.color[view.mask == 0] == 1).all()
        points = view.camera.project(kinematics.forward(skeleton, qpos)[0])
        column, row = torch.from_numpy(np.floor(points)).long().T
        assert (view.mask[row, column] > 0).all()  # the bodies' origins are inside of it
    assert model.geom_group[0] == 0  # the caller's model still shows its floor


def test_without_shading_every_geom_has_one_colour():
    model, qpos = body.model(), body.skeleton().rest_qpos
    cameras = cameras_around(qpos[:3], 2, size=96)
    shaded, plain = (photograph(model, qpos, cameras, shading) for shading in (True, False))
    for a, b in zip(shaded, plain, strict=True):
        few, many = (len(view.color[view.mask == 1].unique(dim=0)) for view in (b, a))
        assert few < 0.5 * many
