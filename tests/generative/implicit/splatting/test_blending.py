"""Pictures of clouds: the compiled kernel is the oracle, gradients are finite differences, weights add up to one."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rlsuite.errors import HyperparameterError
from rlsuite.generative.implicit.splatting import blending, reference, splat
from rlsuite.generative.implicit.splatting.gaussians import Gaussians
from rlsuite.generative.implicit.splatting.reference import DEFAULT, SMOOTH, Settings, Splats
from tests.generative.implicit.splatting.scenes import camera, gaussians

BACKGROUND = torch.tensor((0.1, 0.5, 0.3), dtype=torch.float64)
TIGHT = Settings(alpha_min=0.05, alpha_max=0.5, transmittance_min=0.2)


def loss_of(picture):
    weights = torch.linspace(-1.0, 1.0, picture.color.numel(), dtype=torch.float64).reshape(picture.color.shape)
    return (picture.color * weights).sum() + (picture.alpha**2).sum() + (picture.depth * weights[..., 0]).sum()


@pytest.mark.parametrize("cutoffs", [SMOOTH, DEFAULT, TIGHT], ids=["smooth", "default", "tight"])
def test_kernel_is_the_oracle_in_value_and_in_every_gradient(cutoffs):
    cloud, background = gaussians(40), BACKGROUND.clone().requires_grad_()
    ours, oracle = (splat.render(cloud, camera(), background, cutoffs, method) for method in ("kernel", "torch"))
    for a, b in zip(ours[:3], oracle[:3], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)
    inputs = (*cloud, background)
    for a, b in zip(
        torch.autograd.grad(loss_of(ours), inputs), torch.autograd.grad(loss_of(oracle), inputs), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(1, 20), st.floats(0.05, 2.0), st.floats(0.01, 0.4))
def test_tiles_miss_nothing(seed, width, height, spread, size):
    cloud = gaussians(25, seed, spread, size)
    eye = camera(width, height)
    ours, oracle = (splat.render(cloud, eye, BACKGROUND, DEFAULT, method) for method in ("kernel", "torch"))
    torch.testing.assert_close(ours.color, oracle.color, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(ours.alpha, oracle.alpha, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("method", ["kernel", "torch"])
def test_gradients_are_finite_differences(method):
    cloud, eye = gaussians(3, channels=2), camera(5, 4)
    background = torch.tensor((0.2, 0.9), dtype=torch.float64, requires_grad=True)

    def picture(*inputs):
        seen = splat.render(Gaussians(*inputs[:-1]), eye, inputs[-1], SMOOTH, method)
        return seen.color, seen.alpha, seen.depth

    assert torch.autograd.gradcheck(picture, (*cloud, background), eps=1e-6, atol=1e-5)


def test_the_order_of_the_rows_is_of_no_account():
    cloud = gaussians(30)
    shuffled = Gaussians(*(part[torch.randperm(30, generator=torch.Generator().manual_seed(2))] for part in cloud))
    for method in ("kernel", "torch"):
        ours, others = (splat.render(rows, camera(), BACKGROUND, DEFAULT, method) for rows in (cloud, shuffled))
        torch.testing.assert_close(ours.color, others.color, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cutoffs", [SMOOTH, DEFAULT, TIGHT], ids=["smooth", "default", "tight"])
@pytest.mark.parametrize("method", ["kernel", "torch"])
def test_weights_and_what_is_left_add_up_to_one(cutoffs, method):
    cloud, white = gaussians(60), torch.ones(3, dtype=torch.float64)
    all_white = splat.render(cloud._replace(colors=torch.ones_like(cloud.colors)), camera(), white, cutoffs, method)
    torch.testing.assert_close(all_white.color, torch.ones_like(all_white.color), rtol=0, atol=1e-13)
    black = splat.render(cloud._replace(colors=torch.zeros_like(cloud.colors)), camera(), white, cutoffs, method)
    torch.testing.assert_close(black.color[..., 0], 1 - black.alpha, rtol=0, atol=1e-13)
    assert 0.5 < all_white.alpha.max() <= 1


@pytest.mark.parametrize("module", [blending, reference], ids=["kernel", "torch"])
def test_the_conic_has_one_number_for_both_off_diagonal_entries(module):
    """One pixel at (dx, dy) from the middle: d alpha / d B = -alpha dx dy, without a factor of a half."""
    mean = torch.tensor([[0.5 - 0.7, 0.5 + 0.4]], dtype=torch.float64)
    conic = torch.tensor([[0.9, 0.3, 1.1]], dtype=torch.float64, requires_grad=True)
    depth, opacity = torch.ones(1, dtype=torch.float64), torch.tensor([0.6], dtype=torch.float64)
    one, nothing = torch.ones(1, 1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    _, seen = module.blend(Splats(mean, conic, depth), opacity, one, nothing, 1, 1, SMOOTH)
    (gradient,) = torch.autograd.grad(seen.sum(), conic)
    dx, dy, alpha = 0.7, -0.4, seen.item()
    expected = torch.tensor([[-alpha * dx * dx / 2, -alpha * dx * dy, -alpha * dy * dy / 2]], dtype=torch.float64)
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("method", ["kernel", "torch"])
@pytest.mark.parametrize(("alpha_max", "flows"), [(0.99, True), (0.5, False)])
def test_the_same_clamp_forward_and_backward(method, alpha_max, flows):
    """One Gaussian of opacity 0.8 on the middle of one pixel: held at 0.5 its opacity no longer matters."""
    eye = camera(1, 1)
    opacity = torch.tensor([0.8], dtype=torch.float64, requires_grad=True)
    zero, one = torch.zeros(1, 3, dtype=torch.float64), torch.ones(1, 3, dtype=torch.float64)
    cloud = Gaussians(zero, torch.tensor([[1.0, 0, 0, 0]], dtype=torch.float64), 0.1 * one, opacity, one)
    seen = splat.render(cloud, eye, settings=Settings(alpha_max=alpha_max), method=method).alpha
    assert seen.item() == pytest.approx(min(0.8, alpha_max), abs=1e-9)
    (gradient,) = torch.autograd.grad(seen.sum(), opacity)
    assert gradient.item() == pytest.approx(1.0 if flows else 0.0, abs=1e-9)


@pytest.mark.parametrize("method", ["kernel", "torch"])
def test_a_gaussian_that_hides_all_has_gradients_without_a_division_by_nought(method):
    opacity = torch.tensor([1.0, 0.5], dtype=torch.float64, requires_grad=True)
    means = torch.tensor([[0.0, 0, 0], [-0.5, 0, -0.2]], dtype=torch.float64)
    means[1] = -0.2 * torch.tensor(camera(1, 1).t)  # on the ray, behind the first
    cloud = Gaussians(
        means,
        torch.tensor([[1.0, 0, 0, 0]] * 2, dtype=torch.float64),
        torch.full((2, 3), 0.1, dtype=torch.float64),
        opacity,
        torch.tensor([[1.0], [0.25]], dtype=torch.float64),
    )
    seen = splat.render(cloud, camera(1, 1), settings=SMOOTH, method=method).color
    (gradient,) = torch.autograd.grad(seen.sum(), opacity)
    torch.testing.assert_close(gradient, torch.tensor([1 - 0.5 * 0.25, 0.0], dtype=torch.float64), rtol=0, atol=1e-6)


def test_a_small_gaussian_is_seen_where_its_point_is():
    """Pixel centres lie at a half: the picture's centre of mass is where the camera sees the mean."""
    eye, point = camera(41, 37), torch.tensor([[0.11, -0.07, 0.13]], dtype=torch.float64)
    cloud = gaussians(1)._replace(means=point, scales=torch.full((1, 3), 0.05, dtype=torch.float64))
    alpha = splat.render(cloud, eye, settings=SMOOTH).alpha.detach()
    u, v = torch.arange(41) + 0.5, torch.arange(37) + 0.5
    centre = torch.stack(((alpha.sum(0) * u).sum(), (alpha.sum(1) * v).sum())) / alpha.sum()
    torch.testing.assert_close(centre, torch.tensor(eye.project(point[0].numpy())), rtol=0, atol=1e-3)


def test_depth_is_that_of_the_surface_where_one_gaussian_is_seen_and_nought_where_none_is():
    cloud = gaussians(1)
    seen = splat.render(cloud, camera())
    depth = camera().depth(cloud.means.detach().numpy())[0]
    assert seen.depth[seen.alpha > 0].tolist() == pytest.approx([depth] * int((seen.alpha > 0).sum()))
    assert (seen.depth[seen.alpha == 0] == 0).all() and (seen.alpha == 0).any()


def test_an_unknown_method_is_refused():
    with pytest.raises(HyperparameterError, match="known are auto, kernel, torch"):
        splat.render(gaussians(1), camera(), method="cuda")
