"""The VAE against the linear-Gaussian model, whose evidence and posterior are known, and against quadrature."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from rlsuite.errors import HyperparameterError
from rlsuite.generative import create
from rlsuite.generative.latent.gaussians import Gaussians
from tests.generative.battery import generator, grid, perturbed
from tests.generative.latent.cases import BENT, BITS, LABELS, VALUES

W = torch.tensor([[1.0, 0.5], [-0.4, 0.8], [0.3, -0.9]], dtype=torch.float64)
B = torch.tensor([0.2, -0.1, 0.4], dtype=torch.float64)
SIGMA = 0.6


def oracle(posterior, exact=True):
    """x = W z + b + σ ε with the encoder at the true posterior, as far as its family has it."""
    model = create("vae", event_shape=3, latent_size=2, hidden=(), posterior=posterior, noise=SIGMA).double()
    covariance = torch.linalg.inv(torch.eye(2).double() + W.mT @ W / SIGMA**2)
    gain = covariance @ W.mT / SIGMA**2
    factor = torch.linalg.cholesky(covariance)
    with torch.no_grad():
        model.entries.log_scale.fill_(math.log(SIGMA))
        model.decoder[0].weight.copy_(W)
        model.decoder[0].bias.copy_(B)
        model.encoder[0].weight.zero_()
        model.encoder[0].weight[:2] = gain
        model.encoder[0].bias[:2] = -gain @ B
        model.encoder[0].bias[2:4] = factor.diagonal().log()
        if posterior == "full":
            model.encoder[0].bias[4] = factor[1, 0]
        if not exact:
            model.encoder[0].bias += 0.3 * torch.randn(len(model.encoder[0].bias), generator=generator(1)).double()
    return model, covariance, gain


def evidence(x):
    return MultivariateNormal(B, W @ W.mT + SIGMA**2 * torch.eye(3).double()).log_prob(x)


def gap(model, covariance, gain, x):
    q = model.approximate(x, None)
    return kl_divergence(
        MultivariateNormal(q.mean, scale_tril=q.factor), MultivariateNormal((x - B) @ gain.mT, covariance)
    )


X = torch.randn(6, 3, generator=generator(7), dtype=torch.float64)


@pytest.mark.parametrize("particles", [2, 7])
def test_at_the_true_posterior_every_draw_gives_the_evidence(particles):
    model, covariance, gain = oracle("full")
    torch.testing.assert_close(gap(model, covariance, gain, X), torch.zeros(6).double(), atol=1e-12, rtol=0.0)
    torch.testing.assert_close(model.bound(X, particles=particles, generator=generator()), evidence(X))


@pytest.mark.parametrize(("posterior", "exact"), [("full", True), ("full", False), ("diagonal", True)])
def test_elsewhere_the_gap_is_the_divergence_from_the_true_posterior(posterior, exact):
    """Exactly: log p(x | z) is quadratic, and its expectation known: log p(x | m) − tr(Wᵀ W L Lᵀ) / 2σ²."""
    model, covariance, gain = oracle(posterior, exact)
    q = model.approximate(X, None)
    at_mean = model.entries.log_prob(X, model.parameters_of(q.mean, None))
    spread = torch.einsum("nij,ji->n", q.factor @ q.factor.mT, W.mT @ W) / (2 * SIGMA**2)
    bound = at_mean - spread - q.kl(model.prior(6, None)).sum(1)
    torch.testing.assert_close(evidence(X) - bound, gap(model, covariance, gain, X))
    draws = torch.stack([model.bound(X, generator=generator(seed)) for seed in range(1000)]).detach()
    assert ((draws.mean(0) - bound).abs() < 4.5 * draws.std(0) / 1000**0.5 + 1e-9).all()


def small(name, data, latent_size, condition=None, **arguments):
    shapes = {} if condition is None else {"condition_shape": condition.shape[1:]}
    return perturbed(
        create(name, seed=2, event_shape=data.shape[1:], latent_size=latent_size, hidden=(8,), **shapes, **arguments)
        .double()
        .eval()
    )


def by_quadrature(model, x, condition=None):
    """log ∫ p(x | z) N(z; 0, I) dz by the midpoint rule."""
    z, volume = grid(8.0, model.latent_size, 300)
    z = z[:, None].expand(-1, len(x), -1)
    prior = Gaussians.standard(len(x), model.latent_size, z)
    joint = model.entries.log_prob(x.flatten(1), model.parameters_of(z, condition)) + prior.log_prob(z)
    return (joint.logsumexp(0) + math.log(volume)).detach()


@pytest.mark.parametrize("latent_size", [1, 2])
@pytest.mark.parametrize(
    ("data", "arguments"),
    [
        (BENT, {"noise": 0.7}),
        (BENT, {"noise": "predicted", "posterior": "full"}),
        (BITS, {"likelihood": "bernoulli"}),
        (VALUES, {"likelihood": "categorical", "n_values": 3}),
    ],
)
def test_bounds_rise_with_the_particles_towards_the_evidence(data, arguments, latent_size):
    model, x = small("vae", data, latent_size, **arguments), data[:4].double()
    with torch.no_grad():
        model.encoder[-1].bias[latent_size : 2 * latent_size] += 0.7  # wide tails: the weights have a variance
    exact, copies = by_quadrature(model, x), 2000
    means, errors = [], []
    with torch.no_grad():
        for particles in (1, 4, 16):
            bound = model.bound(x.expand(copies, *x.shape), particles=particles, generator=generator(particles))
            means.append(bound.mean(0))
            errors.append(bound.std(0) / copies**0.5)
        many = model.log_weights(x, None, 200_000, generator(5))
    for (low, high), (a, b) in zip([means[:2], means[1:]], [errors[:2], errors[1:]], strict=True):
        assert (low < high + 4 * (a + b)).all()
    assert (means[2] < exact + 4 * errors[2]).all()
    assert (means[0] < means[2]).all()  # strictly: this encoder is no posterior
    largest = many.double().logsumexp(0) - math.log(200_000)
    torch.testing.assert_close(largest, exact, atol=0.1, rtol=0.0)


def test_the_two_forms_of_the_bound_have_one_mean():
    model = small("vae", BENT, 2, noise=1.0)
    x = BENT[:3].double()
    with torch.no_grad():
        weights = model.log_weights(x, None, 40_000, generator(1))
        bounds = model.bound(x.expand(40_000, 3, 3), generator=generator(2))
    error = (weights.std(0) + bounds.std(0)) / 200
    assert ((weights.mean(0) - bounds.mean(0)).abs() < 4.5 * error).all()


def test_conditions_reach_encoder_and_decoder():
    model = small("vae", BENT, 1, LABELS, noise=0.7)
    x, copies = BENT[:4].double(), 3000
    a, b = (torch.eye(3).double()[[i] * 4] for i in (0, 1))
    assert not torch.allclose(by_quadrature(model, x, a), by_quadrature(model, x, b))
    with torch.no_grad():
        bounds = model.bound(x.expand(copies, 4, 3), a, particles=16, generator=generator(3))
    assert (bounds.mean(0) < by_quadrature(model, x, a) + 4 * bounds.std(0) / copies**0.5).all()


def test_free_bits_cost_nothing_and_pull_on_nothing_below():
    model = small("vae", BENT, 3)
    x = BENT[:50].double()
    reconstruction, kl = model.terms(x, None, generator(1))
    free = float(kl.mean(0).detach().sort().values[1]) + 1e-6  # two of the three entries are below
    model.free_bits = free
    expected = (kl.mean(0).clamp(min=free).sum() - reconstruction.mean()).detach()
    torch.testing.assert_close(model.loss(x, generator=generator(1)).mean().detach(), expected)
    (pull,) = torch.autograd.grad(model._price(kl).mean(), kl)
    assert (pull.abs().sum(0) > 0).sum() == 1


def test_importance_weighted_training_is_minus_the_bound_of_that_many_particles():
    model = small("vae", BENT, 2, particles=5)
    x = BENT[:9].double()
    torch.testing.assert_close(
        model.loss(x, generator=generator(1)), -model.bound(x, particles=5, generator=generator(1))
    )
    with pytest.raises(HyperparameterError, match="free_bits"):
        create("vae", event_shape=3, particles=5, free_bits=0.1)


def test_samples_have_the_moments_of_the_linear_model():
    model, _, _ = oracle("full")
    drawn = model.sample(200_000, generator=generator(4))
    torch.testing.assert_close(drawn.mean(0), B, atol=0.02, rtol=0.0)
    torch.testing.assert_close(drawn.mT.cov(), W @ W.mT + SIGMA**2 * torch.eye(3).double(), atol=0.03, rtol=0.0)


def test_fitting_beats_the_full_gaussian_on_a_bent_line():
    model, gaussian = (
        create("vae", seed=0, event_shape=3, latent_size=1, hidden=(32, 32)),
        create("gaussian", event_shape=3),
    )
    model.fit(BENT, steps=600, seed=0, learning_rate=5e-3, held_out=0.0)
    gaussian.fit(BENT, steps=1, held_out=0.0)
    with torch.no_grad():
        assert model.bound(BENT, particles=32, generator=generator()).mean() > gaussian.log_prob(BENT).mean() + 0.5
