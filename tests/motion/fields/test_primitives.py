"""Signed distances to primitives against MuJoCo's, dense surfaces, closed forms and finite differences."""

import math

import mujoco
import numpy as np
import pytest
import torch

from rlsuite.motion.fields import primitives

SIZES = {"capsule": (0.2, 0.4), "cylinder": (0.3, 0.25), "box": (0.3, 0.1, 0.2), "ellipsoid": (0.4, 0.12, 0.25)}


def signed(kind, x, size=None):
    size = torch.tensor(SIZES[kind] if size is None else size, dtype=torch.double)
    return primitives.KINDS[kind](torch.as_tensor(x, dtype=torch.double), size)


def surface(kind, n):
    """Points on the surface: directions mapped to it, dense enough that a cell is at most ``3 / n`` wide."""
    theta, phi = np.meshgrid((np.arange(n) + 0.5) * math.pi / n, np.arange(2 * n) * math.pi / n, indexing="ij")
    ball = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], -1).reshape(-1, 3)
    size = np.array(SIZES[kind])
    if kind == "ellipsoid":
        return ball * size
    if kind == "box":
        return ball / (abs(ball) / size).max(axis=1, keepdims=True)
    if kind == "cylinder":
        radial = np.maximum(np.hypot(ball[:, 0], ball[:, 1]) / size[0], abs(ball[:, 2]) / size[1])
        return ball / radial[:, None]
    caps = ball * size[0] + np.sign(ball[:, 2:]) * (0, 0, size[1])
    height = np.linspace(-size[1], size[1], n)
    side = [np.stack([size[0] * np.cos(phi[0]), size[0] * np.sin(phi[0]), 0 * phi[0] + z], -1) for z in height]
    return np.concatenate([caps, *side])


@pytest.mark.parametrize("kind", SIZES)
def test_distance_is_that_to_the_nearest_point_of_the_surface_inside_and_outside(kind):
    points = np.random.default_rng(1).uniform(-0.5, 0.5, (40, 3)) * np.repeat([0.3, 1.0], 20)[:, None]
    dense = surface(kind, 150)
    nearest = np.array([np.linalg.norm(dense - x, axis=1).min() for x in points])
    value = signed(kind, points).numpy()
    assert (value < 0).any() and (value > 0).any()
    assert (nearest - abs(value) > -1e-9).all()  # no surface point is nearer
    assert (nearest - abs(value) < 0.01).all()  # and the nearest is as near, to the cells of the grid


@pytest.mark.parametrize("kind", SIZES)
def test_distance_outside_is_mujocos(kind):
    size = " ".join(map(str, SIZES[kind]))
    model = mujoco.MjModel.from_xml_string(
        f'<mujoco><worldbody><geom type="{kind}" size="{size}"/>'
        '<body mocap="true"><geom type="sphere" size="0.01"/></body></worldbody></mujoco>'
    )
    data = mujoco.MjData(model)
    points = np.random.default_rng(2).normal(size=(200, 3))
    value = signed(kind, points).numpy()
    for x, mine in zip(points[value > 0.05], value[value > 0.05], strict=True):
        data.mocap_pos[0] = x
        mujoco.mj_kinematics(model, data)
        assert mujoco.mj_geomDistance(model, data, 0, 1, 10.0, None) + 0.01 == pytest.approx(mine, abs=2e-5)


@pytest.mark.parametrize("kind", SIZES)
def test_gradients_are_unit_normals_and_right_for_sizes(kind):
    x = torch.tensor(np.random.default_rng(3).uniform(-0.6, 0.6, (40, 3)), requires_grad=True)
    size = torch.tensor(SIZES[kind], dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(primitives.KINDS[kind], (x, size), eps=1e-7, atol=1e-5)
    (gradient,) = torch.autograd.grad(primitives.KINDS[kind](x, size).sum(), x)
    torch.testing.assert_close(gradient.norm(dim=-1), torch.ones(40, dtype=torch.double))


def test_a_sphere_is_a_capsule_without_length_and_an_ellipsoid_of_equal_axes():
    x = np.random.default_rng(4).normal(size=(50, 3))
    exact = np.linalg.norm(x, axis=1) - 0.3
    np.testing.assert_allclose(signed("capsule", x, (0.3, 0.0)), exact, atol=1e-14)
    np.testing.assert_allclose(signed("ellipsoid", x, (0.3, 0.3, 0.3)), exact, atol=1e-13)


def test_the_ellipsoids_nearest_point_is_on_it_and_its_normal_leads_to_the_point():
    """Also for needles and discs, and for points far inside, near planes of symmetry and at the centre."""
    rng = np.random.default_rng(5)
    e = torch.tensor(10.0 ** rng.uniform(-2, 0.5, (1000, 3)))
    x = torch.tensor(rng.normal(size=(1000, 3))) * e * torch.tensor(10.0 ** rng.uniform(-2, 1, (1000, 1)))
    x[:200, 0], x[200:400, 1], x[400:450] = 0.0, 1e-14, 0.0
    value, p, n, _ = primitives._nearest_on_ellipsoid(x, e)
    assert ((p / e).square().sum(-1) - 1).abs().max() < 1e-12
    scale = e.amax(-1, keepdim=True)
    assert ((x - p - value.unsqueeze(-1) * n) / scale).abs().max() < 1e-11
    torch.testing.assert_close(value[400:450], -e[400:450].amin(-1))  # from the centre along the least axis


def test_single_precision_is_as_exact_as_it_can_be():
    x = torch.tensor(np.random.default_rng(6).normal(size=(500, 3)), dtype=torch.float32)
    for kind, size in SIZES.items():
        mine = primitives.KINDS[kind](x, torch.tensor(size))
        assert mine.dtype == torch.float32
        np.testing.assert_allclose(mine, signed(kind, x.double()), atol=2e-6)
