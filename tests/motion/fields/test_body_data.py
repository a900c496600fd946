"""Bodies as data: points on the surface, distances of random shapes, and pictures against the renderer's own depth."""

import numpy as np
import pytest
import torch

from rlsuite.generative.implicit.cameras import rays
from rlsuite.generative.implicit.winding import crossings
from rlsuite.motion.body import HEIGHT
from rlsuite.motion.fields.analytic import AnalyticBody
from rlsuite.motion.fields.body_data import (
    CENTRE,
    HIGH,
    LOW,
    body_mesh,
    body_pictures,
    body_samples,
    lambert,
    random_shape,
    ring_of_cameras,
    scan,
)


def test_a_scan_lies_on_the_surface_with_its_normals():
    body = AnalyticBody()
    points, normal = scan(body, 400, torch.Generator().manual_seed(0), cells=64)
    assert float(body.distance(points).abs().max()) < 1e-5
    torch.testing.assert_close(normal.norm(dim=-1), torch.ones(400))
    outside = body.distance(points + 0.005 * normal)
    torch.testing.assert_close(outside.median(), torch.tensor(0.005), atol=1e-5, rtol=0)
    assert float((outside < 0.0049).float().mean()) < 0.05  # only where another part is near


def test_labels_of_the_closed_mesh_agree_with_the_distance():
    body, cells = AnalyticBody(), 64
    mesh = body_mesh(body, cells=cells)
    x = torch.rand(8_000, 3, generator=torch.Generator().manual_seed(1)) * (torch.tensor(HIGH) - torch.tensor(LOW))
    x = x + torch.tensor(LOW)
    value = body.distance(x)
    off = value.abs() > 2.0 / cells / 2  # half a cell: creases between parts are cut by at most that
    assert torch.equal(crossings(mesh, x)[off] == 1, value[off] < 0)


def test_random_shapes_vary_and_repeat():
    one, again, other = (random_shape(np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert one == again != other
    assert 0.85 * HEIGHT <= one.height <= 1.15 * HEIGHT and one.mass == other.mass


def test_samples_of_bodies_have_their_own_distances():
    rng = np.random.default_rng(3)
    bodies = [AnalyticBody(random_shape(rng)) for _ in range(2)]
    samples = body_samples(bodies, 600, seed=0)
    assert samples.points.shape == (2, 600, 3)
    for body, x, s in zip(bodies, samples.points, samples.distances, strict=True):
        torch.testing.assert_close(body.distance(x), s)
    near = samples.distances[:, :300].abs()
    assert float(near.median()) < 0.05 < float(samples.distances[:, 300:].median())
    assert torch.equal(samples.inside, samples.distances < 0)


def test_pictures_show_points_of_the_surface_and_their_light():
    body, cameras = AnalyticBody(), ring_of_cameras(3, size=16)
    rows = body_pictures(body, cameras, 1.8, 4.6)
    x = (rows.origin + rows.t.unsqueeze(1) * rows.direction)[rows.mask]
    assert len(x) > 20 and float(body.distance(x).abs().max()) < 2e-5
    along = torch.linspace(2.3, 4.1, 60)
    missed = rows.origin[~rows.mask, None] + along[:, None] * rows.direction[~rows.mask, None]
    assert float(body.distance(missed[::4]).min()) > 0
    color = body.color(x, x, None) * lambert(body.normal(x))
    torch.testing.assert_close(rows.color[rows.mask], color, atol=1e-3, rtol=0)
    assert bool((rows.color[~rows.mask] == 1).all())


def test_cameras_look_at_the_body_from_all_sides():
    cameras = ring_of_cameras(6)
    for camera in cameras:
        assert camera.project(CENTRE) == pytest.approx([32, 32], abs=1e-9)
        assert np.linalg.norm(camera.t - CENTRE) == pytest.approx(3.2)
        assert rays(camera)[0].shape == (64, 64, 3)
    assert float(np.linalg.norm(np.mean([c.t for c in cameras], 0)[:2])) < 0.1


def test_light_is_brightest_towards_the_lamp():
    light = torch.tensor([0.4, -0.5, 0.77])
    light = light / light.norm()
    assert float(lambert(light)) == pytest.approx(1.0) and float(lambert(-light)) == pytest.approx(0.4)
