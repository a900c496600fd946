"""Pictures of Gaussians: their covariance in the limit of small ones, and the compiled projection beside its oracle."""

from itertools import pairwise
from typing import NamedTuple

import pytest
import torch

from rlsuite.generative.implicit.cameras import project as project_points
from rlsuite.generative.implicit.splatting import projection, reference
from rlsuite.generative.implicit.splatting.gaussians import Gaussians, rotation_matrices
from rlsuite.generative.implicit.splatting.reference import Settings
from rlsuite.motion.kinematics_torch import rotate
from tests.generative.implicit.splatting.scenes import camera, gaussians

SHARP = Settings(low_pass=0.0)


class Lens(NamedTuple):
    """A camera of tensors, with a calibration that has skew."""

    R: torch.Tensor
    t: torch.Tensor
    K: torch.Tensor
    width: int = 21
    height: int = 18


def lens():
    eye = camera()
    R, t, K = (torch.tensor(x) for x in (eye.R, eye.t, eye.K))
    K[0, 1] = 1.7
    return Lens(R, t, K)


def covariance(conic):
    a, b, c = conic.unbind(-1)
    return torch.stack((c, -b, -b, a), -1).reshape(-1, 2, 2) / (a * c - b * b)[:, None, None]


def monte_carlo(cloud, eye, n=2000):
    """Covariance of projected samples that have exactly the Gaussian's mean and covariance, so that only bending differs."""
    z = torch.randn(n, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    z = z - z.mean(0)
    z = z @ torch.linalg.inv(torch.linalg.cholesky(z.T @ z / n)).T
    points = cloud.means[:, None] + (z * cloud.scales[:, None]) @ rotation_matrices(cloud.quats).mT
    pixels, _ = project_points(eye, points)
    pixels = pixels - pixels.mean(1, keepdim=True)
    return pixels.mT @ pixels / n


def test_the_covariance_is_that_of_projected_samples_as_size_over_depth_vanishes():
    cloud, errors = gaussians(6), []
    for size in (0.2, 0.1, 0.05, 0.025):
        small = cloud._replace(scales=size * cloud.scales)
        seen = covariance(reference.project(small, lens(), SHARP).conic)
        sampled = monte_carlo(small, lens())
        errors.append(((seen - sampled).norm(dim=(1, 2)) / sampled.norm(dim=(1, 2))).max().item())
    assert errors[-1] < 1e-3
    # the first term that J leaves out is odd in the sample, and of samples that are not symmetric linear in the size
    assert all(late < 0.6 * early for early, late in pairwise(errors))


def test_the_rotation_matrix_turns_as_the_quaternion_does():
    cloud = gaussians(5)
    unit = torch.nn.functional.normalize(cloud.quats, dim=-1)
    vector = cloud.means
    torch.testing.assert_close((rotation_matrices(cloud.quats) @ vector[..., None])[..., 0], rotate(unit, vector))


def test_means_and_depths_are_those_of_points():
    cloud = gaussians(7)
    seen = reference.project(cloud, lens())
    pixels, depth = project_points(lens(), cloud.means)
    torch.testing.assert_close(seen.mean, pixels)
    torch.testing.assert_close(seen.depth, depth)


def scattered():
    """Some in view, some far beside it, some behind the camera."""
    cloud = gaussians(30, spread=1.5)
    assert (reference.project(cloud, lens()).depth < 0.05).any()
    return cloud


@pytest.mark.parametrize("make", [gaussians, scattered], ids=["in view", "scattered"])
def test_kernel_is_the_oracle_in_value_and_in_every_gradient(make):
    cloud = make(12) if make is gaussians else make()
    ours, oracle = projection.project(cloud, lens()), reference.project(cloud, lens())
    rng = torch.Generator().manual_seed(3)
    inputs = (cloud.means, cloud.quats, cloud.scales)
    weights = [torch.randn(part.shape, generator=rng, dtype=torch.float64) for part in oracle]
    for a, b in zip(ours, oracle, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-11)
    first, second = (
        torch.autograd.grad(sum((w * part).sum() for w, part in zip(weights, seen, strict=True)), inputs)
        for seen in (ours, oracle)
    )
    for a, b in zip(first, second, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


def test_gradients_are_finite_differences():
    cloud = gaussians(3)

    def ours(means, quats, scales):
        return tuple(projection.project(Gaussians(means, quats, scales, cloud.opacities, cloud.colors), lens()))

    assert torch.autograd.gradcheck(ours, (cloud.means, cloud.quats, cloud.scales), eps=1e-6, atol=1e-5)


def test_the_oracle_has_gradients_to_the_camera():
    cloud, eye = Gaussians(*(part.detach() for part in gaussians(2))), lens()
    inputs = tuple(x.clone().requires_grad_() for x in (eye.R, eye.t, eye.K[:2]))

    def seen(R, t, K):
        K = torch.cat((K, eye.K[2:]))
        return tuple(reference.project(cloud, Lens(R, t, K)))

    assert torch.autograd.gradcheck(seen, inputs, eps=1e-6, atol=1e-5)
