"""Gaussians over codes against torch.distributions."""

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from rlsuite.errors import HyperparameterError
from rlsuite.generative.latent.gaussians import Gaussians
from tests.generative.battery import generator

K = 3


@pytest.fixture(params=["diagonal", "full"])
def q(request):
    numbers = torch.randn(4, Gaussians.n_parameters(K, request.param), generator=generator(1), dtype=torch.float64)
    return Gaussians.of(0.5 * numbers, K)


def reference(gaussians):
    return MultivariateNormal(gaussians.mean, scale_tril=gaussians.factor)


def prior():
    numbers = torch.randn(4, 2 * K, generator=generator(2), dtype=torch.float64)
    return Gaussians.of(0.5 * numbers, K)


def test_density(q):
    z = torch.randn(5, 4, K, generator=generator(3), dtype=torch.float64)
    torch.testing.assert_close(q.log_prob(z), reference(q).log_prob(z))


def test_divergence_is_that_of_torch_and_each_part_is_one(q):
    parts = q.kl(prior())
    torch.testing.assert_close(parts.sum(1), kl_divergence(reference(q), reference(prior())))
    assert (parts >= 0).all()
    torch.testing.assert_close(prior().kl(prior()), torch.zeros(4, K, dtype=torch.float64))


def test_the_first_part_is_the_divergence_of_the_first_entry(q):
    def marginal(g):
        return MultivariateNormal(g.mean[:, :1], (g.factor @ g.factor.mT)[:, :1, :1])

    torch.testing.assert_close(q.kl(prior())[:, 0], kl_divergence(marginal(q), marginal(prior())))


def test_draws_have_its_moments(q):
    z = q.draw(100_000, generator(4))
    torch.testing.assert_close(z.mean(0), q.mean, atol=0.03, rtol=0.0)
    for i in range(4):
        torch.testing.assert_close(z[:, i].mT.cov(), reference(q).covariance_matrix[i], atol=0.05, rtol=0.05)


def test_an_unknown_rank_is_named():
    with pytest.raises(HyperparameterError, match="'diagonal' or 'full'"):
        Gaussians.n_parameters(2, "low")
