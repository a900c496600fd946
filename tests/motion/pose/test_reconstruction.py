"""The humanoid from photographs, small and quick; the measured figures are on the page about splatting."""

import numpy as np
import pytest
import torch

from rlsuite.errors import MotionError
from rlsuite.generative.implicit.splatting import splat
from rlsuite.generative.implicit.splatting.fitting import held_out_psnr, psnr
from rlsuite.motion import body
from rlsuite.motion.pose.body_gaussians import BodyGaussians
from rlsuite.motion.pose.photographs import cameras_around, photograph
from rlsuite.motion.pose.reconstruction import fitted_body, reconstruct

SKELETON, MODEL, WHITE = body.skeleton(), body.model(), torch.ones(3)


def views(qpos, n, size=32):
    return photograph(MODEL, qpos, cameras_around(qpos[:3], n, size))


@pytest.mark.parametrize(("start", "isotropic"), [("random", False), ("hull", True), ("capsules", False)])
def test_views_that_were_held_out_are_seen_as_they_are(start, isotropic):
    qpos = SKELETON.rest_qpos
    seen = views(qpos, 12)
    held_out, train = seen[::4], [view for i, view in enumerate(seen) if i % 4]
    cloud, done = reconstruct(SKELETON, qpos, train, start, n=200, most=500, steps=300, isotropic=isotropic)
    empty = np.mean([psnr(torch.ones_like(view.color), view.color) for view in held_out])
    whole, thing = held_out_psnr(cloud, held_out, WHITE)
    assert whole > empty + 6 and whole > thing > 12
    assert done.size[-1] <= 500 and cloud.isotropic is isotropic


def test_fitted_gaussians_look_better_than_those_of_the_geoms_in_other_poses_too():
    fitted, made = fitted_body(SKELETON, MODEL, views=10, size=32, steps=150), BodyGaussians.of_model(SKELETON, MODEL)
    np.testing.assert_array_equal(fitted.body, made.body)
    other = SKELETON.rest_qpos.copy()
    other[7:] += 0.2 * np.random.default_rng(0).standard_normal(len(other) - 7)
    for qpos in (SKELETON.rest_qpos, other):
        quality = [
            np.mean([psnr(splat.render(g.posed(qpos), v.camera, WHITE).color, v.color) for v in views(qpos, 3)])
            for g in (fitted, made)
        ]
        assert quality[0] > quality[1] + 2


def test_an_unknown_start_is_refused():
    with pytest.raises(MotionError, match="known are random, hull, capsules"):
        reconstruct(SKELETON, SKELETON.rest_qpos, views(SKELETON.rest_qpos, 1), "mesh")
