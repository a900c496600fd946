"""The linear VAE: its bound, its gap and its optimum against PPCA; what β turns off."""

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from rlsuite.errors import HyperparameterError
from rlsuite.generative import create
from tests.generative.battery import generator

D, K = 4, 2
LATENT_VARIANCES = torch.tensor([4.0, 2.0, 0.5, 0.25], dtype=torch.float64)


def rotation():
    return torch.linalg.qr(torch.randn(D, D, generator=generator(2), dtype=torch.float64))[0]


@pytest.fixture(scope="module")
def data():
    """Events whose covariance has exactly the eigenvalues LATENT_VARIANCES."""
    x = torch.randn(300, D, generator=generator(1), dtype=torch.float64)
    x = x - x.mean(0)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(x.mT @ x / len(x)), x.mT, upper=False).mT
    return white * LATENT_VARIANCES.sqrt() @ rotation().mT + 1.0


def optimise(model, data):
    """To the last digit, by L-BFGS on all data."""
    optimizer = torch.optim.LBFGS(
        [p for p in model.parameters() if p.requires_grad],
        max_iter=2000,
        history_size=50,
        tolerance_grad=1e-11,
        tolerance_change=1e-15,
        line_search_fn="strong_wolfe",
    )

    def closure():
        optimizer.zero_grad()
        loss = model.loss(data).mean()
        loss.backward()
        return loss

    for _ in range(3):
        optimizer.step(closure)
    return model


def linear_vae(latent_size=K, **arguments):
    return create("linear-vae", seed=3, event_shape=D, latent_size=latent_size, **arguments).double()


def ppca(data):
    model = create("ppca", event_shape=D, latent_size=K).double()
    model.fit(data, steps=1, held_out=0.0, normalise=False)
    return model


def test_the_gap_is_the_divergence_from_the_true_posterior(data):
    model, x = linear_vae(), data[:9]
    precision = torch.eye(K).double() + model.weight.mT @ model.weight / model.variance
    covariance = torch.linalg.inv(precision)
    posterior = MultivariateNormal((x - model.location) @ model.weight @ covariance / model.variance, covariance)
    q = MultivariateNormal(model.encode(x), torch.diag((2 * model.log_scale).exp()))
    torch.testing.assert_close(model.log_prob(x) - model.bound(x), kl_divergence(q, posterior))


def test_the_bound_is_the_mean_of_sampled_ones(data):
    """Against the general VAE with the same numbers, whose expectation is by draws."""
    model, x = linear_vae(noise=0.8), data[:3]
    general = create("vae", event_shape=D, latent_size=K, hidden=(), noise=0.8).double()
    with torch.no_grad():
        general.entries.log_scale.copy_(model.log_noise)
        general.decoder[0].weight.copy_(model.weight)
        general.decoder[0].bias.copy_(model.location)
        general.encoder[0].weight.zero_()
        general.encoder[0].weight[:K] = model.encoder
        general.encoder[0].bias[:K] = -model.encoder @ model.location
        general.encoder[0].bias[K:] = model.log_scale
        draws = general.bound(x.expand(20_000, 3, D), generator=generator(4))
    assert ((draws.mean(0) - model.bound(x)).abs() < 4.5 * draws.std(0) / 20_000**0.5).all()


def test_the_optimum_is_ppca_and_its_bound_the_evidence(data):
    model, reference = optimise(linear_vae(), data), ppca(data)
    torch.testing.assert_close(model.variance, reference.noise, rtol=1e-5, atol=0.0)
    torch.testing.assert_close(
        model.weight @ model.weight.mT, reference.weight @ reference.weight.mT, atol=1e-4, rtol=0.0
    )
    torch.testing.assert_close(model.log_prob(data), reference.log_prob(data), atol=1e-4, rtol=0.0)
    torch.testing.assert_close(model.bound(data), model.log_prob(data), atol=1e-4, rtol=0.0)
    gram = model.weight.mT @ model.weight  # its columns are orthogonal: PPCA leaves a rotation free, the bound does not
    assert abs(gram[0, 1]) < 1e-3 * gram.diagonal().min()


@pytest.mark.parametrize("beta", [0.5, 1.0, 3.0, 5.0, 10.0])
def test_a_dimension_is_active_where_its_eigenvalue_exceeds_beta_times_the_noise(data, beta):
    sigma = 0.7
    model = optimise(linear_vae(latent_size=3, noise=sigma, beta=beta), data)
    threshold = beta * sigma**2
    active = (LATENT_VARIANCES[:3] - threshold).clamp(min=0.0)
    singular = torch.linalg.svdvals(model.weight).square()
    torch.testing.assert_close(singular, active, atol=2e-3, rtol=0.0)  # its eigenvalues are λ − β σ², or 0
    _, kl = model.terms(data)
    rates = 0.5 * (LATENT_VARIANCES[:3] / threshold).log().clamp(min=0.0)
    torch.testing.assert_close(kl.mean(0).sort(descending=True).values, rates, atol=2e-3, rtol=0.0)
    assert int((kl.mean(0) > 1e-2).sum()) == int((LATENT_VARIANCES[:3] > threshold).sum())


def test_fit_reaches_ppca_too(data):
    model = linear_vae()
    model.fit(data, steps=1500, seed=0, learning_rate=0.02, batch_size=300, held_out=0.0, normalise=False)
    assert model.bound(data).mean() > ppca(data).log_prob(data).mean() - 0.02


def test_wrong_numbers_are_named():
    with pytest.raises(HyperparameterError, match="beta"):
        create("linear-vae", event_shape=D, beta=-1.0)
    with pytest.raises(HyperparameterError, match="latent_size"):
        create("linear-vae", event_shape=D, latent_size=D)
