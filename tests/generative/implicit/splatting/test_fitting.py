"""Fits find again what pictures were made from; measures of pictures; where fits begin."""

import numpy as np
import pytest
import torch

from rlsuite.errors import HyperparameterError
from rlsuite.generative.implicit.splatting import splat
from rlsuite.generative.implicit.splatting.density_control import DensityControl
from rlsuite.generative.implicit.splatting.fitting import Photograph, fit, held_out_psnr, psnr
from rlsuite.generative.implicit.splatting.gaussians import Cloud, half_spacing
from rlsuite.generative.implicit.splatting.initialisation import random_points, visual_hull
from rlsuite.motion.cameras import Camera
from tests.generative.implicit.splatting.scenes import gaussians

WHITE = torch.ones(3)
SPHERE = 0.3  # metres


def around(n, size=24):
    angles = 2 * np.pi * np.arange(n) / n
    places = np.stack([2 * np.cos(angles), 2 * np.sin(angles), np.sin(3 * angles)], -1)
    return [Camera.look_at(place, (0, 0, 0), width=size, height=size) for place in places]


def photographs_of(cloud, cameras):
    with torch.no_grad():
        seen = [splat.render(cloud, camera, WHITE) for camera in cameras]
    return [Photograph(camera, one.color, one.alpha) for camera, one in zip(cameras, seen, strict=True)]


@pytest.mark.parametrize("isotropic", [False, True])
def test_a_fit_finds_a_cloud_again(isotropic):
    truth = gaussians(6, size=0.12, dtype=torch.float32)
    if isotropic:
        truth = truth._replace(scales=truth.scales[:, :1].expand(6, 3))
    views = photographs_of(truth, around(10))
    train, held_out = views[::2], views[1::2]
    moved = truth.means + 0.05 * torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    cloud = Cloud(moved, scale=0.1, opacity=0.5, isotropic=isotropic)
    before = held_out_psnr(cloud, held_out, WHITE)
    done = fit(cloud, train, steps=400, background=WHITE)
    after = held_out_psnr(cloud, held_out, WHITE)
    assert np.mean(done.loss[-20:]) < 0.15 * np.mean(done.loss[:5])
    assert after[0] > before[0] + 12 and after[0] > 28 and after[0] > after[1] > 20


def test_a_fit_with_density_control_grows_and_is_the_same_again():
    truth = gaussians(12, size=0.12, dtype=torch.float32)
    views, begin = photographs_of(truth, around(6)), truth.means[:3]
    density = {"start": 20, "stop": 80, "every": 20, "most": 10, "pull": 1e-5}
    sizes, losses = [], []
    for _ in range(2):
        cloud = Cloud(begin, scale=0.1)
        done = fit(cloud, views, steps=100, background=WHITE, density=DensityControl(**density), seed=3)
        sizes.append(done.size)
        losses.append(done.loss)
    assert sizes[0] == sizes[1] and losses[0] == losses[1]
    assert sizes[0][0] == 3 and sizes[0][-1] == 10


def test_psnr_is_that_of_its_definition():
    truth = torch.full((4, 4, 3), 0.5)
    mask = torch.zeros(4, 4)
    mask[0, 0] = 1
    assert psnr(truth + 0.1, truth) == pytest.approx(20.0, abs=1e-4)
    one = truth.clone()
    one[0, 0] += 0.1
    assert psnr(one, truth, mask) == pytest.approx(20.0, abs=1e-4)
    assert psnr(one, truth) == pytest.approx(20.0 + 10 * np.log10(16), abs=1e-4)


def sphere_views(n, size=48):
    """Masks of a sphere at the origin, exact at the middles of pixels, and one colour for each half of space."""
    views = []
    for camera in around(n, size):
        origin, direction = camera.rays()
        along = -(direction @ origin)
        inside = np.linalg.norm(origin + along[..., None] * direction, axis=-1) < SPHERE
        color = np.where(inside[..., None], (0.2, 0.4, 0.6), 1.0)
        views.append(Photograph(camera, torch.from_numpy(color).float(), torch.from_numpy(inside).float()))
    return views


def test_the_visual_hull_of_a_sphere_holds_it_and_little_more():
    views, box = sphere_views(12), torch.full((3,), 0.5)
    points, colors = visual_hull(views, 400, -box, box, torch.Generator().manual_seed(0))
    radius = points.norm(dim=-1)
    assert points.shape == (400, 3) and radius.max() < 1.35 * SPHERE
    assert ((radius < 0.95 * SPHERE).float().mean() > 0.6) and (radius > 0.8 * SPHERE).any()
    torch.testing.assert_close(colors, torch.tensor((0.2, 0.4, 0.6)).expand(400, 3))
    candidates = random_points(2000, -box, box, torch.Generator().manual_seed(5))
    assert radius.mean() < candidates.norm(dim=-1).mean()


def test_a_box_far_too_large_is_told():
    box = torch.full((3,), 500.0)
    with pytest.raises(HyperparameterError, match="is the box too large"):
        visual_hull(sphere_views(3), 10, -box, box, torch.Generator().manual_seed(0), tries=3)


def test_half_the_spacing_of_a_lattice():
    side = torch.arange(4.0)
    lattice = torch.cartesian_prod(side, side, side)
    torch.testing.assert_close(half_spacing(lattice), torch.full((64,), 0.5))


def test_senseless_clouds_and_fits_are_refused():
    with pytest.raises(HyperparameterError, match="finite points"):
        Cloud(torch.zeros(0, 3))
    with pytest.raises(HyperparameterError, match="photographs"):
        fit(Cloud(torch.zeros(1, 3)), [], steps=1)
