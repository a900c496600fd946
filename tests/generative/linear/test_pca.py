"""PCA and PPCA against the eigenvalues, the full Gaussian and the likelihood's own gradient."""

import pytest
import torch

from rlsuite.errors import HyperparameterError
from rlsuite.generative import create
from tests.generative.battery import generator

D, K = 5, 2
SCALES = torch.tensor([3.0, 2.0, 1.0, 0.6, 0.3], dtype=torch.float64)


@pytest.fixture
def data():
    rotation = torch.linalg.qr(torch.randn(D, D, generator=generator(2), dtype=torch.float64))[0]
    return torch.randn(400, D, generator=generator(1), dtype=torch.float64) * SCALES @ rotation + 1.0


def fitted(name, data, **arguments):
    model = create(name, event_shape=data.shape[1:], **arguments).double()
    model.fit(data, steps=1, held_out=0.0, normalise=False)
    return model


def covariance(data):
    return (data - data.mean(0)).mT.cov(correction=0)


def test_the_error_of_pca_is_the_sum_of_the_dropped_eigenvalues(data):
    model = fitted("pca", data, latent_size=K)
    dropped = torch.linalg.eigvalsh(covariance(data))[: D - K].sum()
    torch.testing.assert_close(model.loss(data).mean(), dropped)
    torch.testing.assert_close(model.error, dropped)


def test_no_other_linear_code_of_that_size_loses_less(data):
    model, centred = fitted("pca", data, latent_size=K), data - data.mean(0)
    for seed in range(20):
        nudge = 0.3 * torch.randn(D, K, generator=generator(seed), dtype=torch.float64)
        basis = torch.linalg.qr(model.components + nudge)[0]
        assert (centred - centred @ basis @ basis.mT).square().sum(1).mean() > model.error


def test_density_of_ppca_is_that_of_its_gaussian(data):
    model = fitted("ppca", data, latent_size=K)
    reference = torch.distributions.MultivariateNormal(data.mean(0), model.covariance)
    torch.testing.assert_close(model.log_prob(data), reference.log_prob(data))


def test_mean_log_density_of_ppca_is_the_formula_of_tipping_and_bishop(data):
    """−½ (Σ_kept log λ + (d − k) log σ² + d + d log 2π): equation 6 at the optimum; PCA.score of scikit-learn is this."""
    model = fitted("ppca", data, latent_size=K)
    eigenvalues = torch.linalg.eigvalsh(covariance(data)).flip(0)
    noise = eigenvalues[K:].mean()
    formula = -0.5 * (eigenvalues[:K].log().sum() + (D - K) * noise.log() + D + D * torch.tensor(2 * torch.pi).log())
    torch.testing.assert_close(model.log_prob(data).mean(), formula)


def test_no_gradient_is_left_at_the_optimum_of_ppca(data):
    model = fitted("ppca", data, latent_size=K)
    for buffer in (model.location, model.weight, model.noise):
        buffer.requires_grad_()
    gradients = torch.autograd.grad(model.log_prob(data).mean(), [model.location, model.weight, model.noise])
    for gradient in gradients:
        torch.testing.assert_close(gradient, torch.zeros_like(gradient), atol=1e-9, rtol=0.0)


def test_with_all_but_one_dimension_ppca_is_the_full_gaussian(data):
    ppca, gaussian = fitted("ppca", data, latent_size=D - 1), fitted("gaussian", data)
    torch.testing.assert_close(ppca.log_prob(data), gaussian.log_prob(data), rtol=1e-4, atol=1e-4)


def test_the_code_of_ppca_is_the_mean_of_the_posterior(data):
    model = fitted("ppca", data, latent_size=K)
    gain = model.weight.mT @ torch.linalg.inv(model.covariance)  # E[z | x] of the joint Gaussian of z and x
    torch.testing.assert_close(model.encode(data), (data - data.mean(0)) @ gain.mT)


def test_completion_has_the_conditional_mean_and_covariance(data):
    model = fitted("ppca", data, latent_size=K)
    mask = torch.tensor([True, False, True, False, False])
    drawn = model.sample(200_000, known=data[0], mask=mask, generator=generator(3))
    c, a, b = model.covariance, ~mask, mask
    gain = c[a][:, b] @ torch.linalg.inv(c[b][:, b])
    mean = data.mean(0)[a] + gain @ (data[0] - data.mean(0))[b]
    torch.testing.assert_close(drawn[:, a].mean(0), mean, atol=0.02, rtol=0.0)
    torch.testing.assert_close(drawn[:, a].mT.cov(), c[a][:, a] - gain @ c[b][:, a], atol=0.03, rtol=0.0)


def test_samples_have_the_models_moments(data):
    model = fitted("ppca", data, latent_size=K)
    drawn = model.sample(200_000, generator=generator(4))
    torch.testing.assert_close(drawn.mean(0), data.mean(0), atol=0.03, rtol=0.0)
    torch.testing.assert_close(drawn.mT.cov(), model.covariance, atol=0.1, rtol=0.0)


@pytest.mark.parametrize("name", ["pca", "ppca"])
@pytest.mark.parametrize("latent_size", [0, D, D + 1])
def test_codes_are_smaller_than_events(name, latent_size):
    with pytest.raises(HyperparameterError, match="from 1 to 4"):
        create(name, event_shape=D, latent_size=latent_size)
