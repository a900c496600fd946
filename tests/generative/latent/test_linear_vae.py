"""The linear VAE: its bound, its gap and its optimum against PPCA; what β turns off."""

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from rlsuite.errors import HyperparameterError
from rlsuite.generative import create
from tests.generative.battery import generator
from tests.generative.latent.linear_data import DATA, EIGENVALUES, D, optimise

K = 2


def linear_vae(latent_size=K, **arguments):
    return create("linear-vae", seed=3, event_shape=D, latent_size=latent_size, **arguments).double()


def optimised(model):
    optimise(model.parameters(), lambda: model.loss(DATA).mean())
    return model


def ppca():
    model = create("ppca", event_shape=D, latent_size=K).double()
    model.fit(DATA, steps=1, held_out=0.0, normalise=False)
    return model


def test_the_gap_is_the_divergence_from_the_true_posterior():
    model, x = linear_vae(), DATA[:9]
    precision = torch.eye(K).double() + model.weight.mT @ model.weight / model.variance
    covariance = torch.linalg.inv(precision)
    posterior = MultivariateNormal((x - model.location) @ model.weight @ covariance / model.variance, covariance)
    q = MultivariateNormal(model.encode(x), torch.diag((2 * model.log_scale).exp()))
    torch.testing.assert_close(model.log_prob(x) - model.bound(x), kl_divergence(q, posterior))


def test_the_bound_is_the_mean_of_sampled_ones():
    """Against the general VAE with the same numbers, whose expectation is by draws."""
    model, x = linear_vae(noise=0.8), DATA[:3]
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


def test_the_optimum_is_ppca_and_its_bound_the_evidence():
    model, reference = optimised(linear_vae()), ppca()
    torch.testing.assert_close(model.variance, reference.noise, rtol=1e-5, atol=0.0)
    torch.testing.assert_close(
        model.weight @ model.weight.mT, reference.weight @ reference.weight.mT, atol=1e-4, rtol=0.0
    )
    torch.testing.assert_close(model.log_prob(DATA), reference.log_prob(DATA), atol=1e-4, rtol=0.0)
    torch.testing.assert_close(model.bound(DATA), model.log_prob(DATA), atol=1e-4, rtol=0.0)
    gram = model.weight.mT @ model.weight  # its columns are orthogonal: PPCA leaves a rotation free, the bound does not
    assert abs(gram[0, 1]) < 1e-3 * gram.diagonal().min()


@pytest.mark.parametrize("beta", [0.5, 1.0, 3.0, 5.0, 10.0])
def test_a_dimension_is_active_where_its_eigenvalue_exceeds_beta_times_the_noise(beta):
    sigma = 0.7
    model = optimised(linear_vae(latent_size=3, noise=sigma, beta=beta))
    threshold = beta * sigma**2
    active = (EIGENVALUES[:3] - threshold).clamp(min=0.0)
    singular = torch.linalg.svdvals(model.weight).square()
    torch.testing.assert_close(singular, active, atol=2e-3, rtol=0.0)  # its eigenvalues are λ − β σ², or 0
    _, kl = model.terms(DATA)
    rates = 0.5 * (EIGENVALUES[:3] / threshold).log().clamp(min=0.0)
    torch.testing.assert_close(kl.mean(0).sort(descending=True).values, rates, atol=2e-3, rtol=0.0)
    assert int((kl.mean(0) > 1e-2).sum()) == int((EIGENVALUES[:3] > threshold).sum())


def test_fit_reaches_ppca_too():
    model = linear_vae()
    model.fit(DATA, steps=1500, seed=0, learning_rate=0.02, batch_size=300, held_out=0.0, normalise=False)
    assert model.bound(DATA).mean() > ppca().log_prob(DATA).mean() - 0.02


def test_wrong_numbers_are_named():
    with pytest.raises(HyperparameterError, match="beta"):
        create("linear-vae", event_shape=D, beta=-1.0)
    with pytest.raises(HyperparameterError, match="latent_size"):
        create("linear-vae", event_shape=D, latent_size=D)
