"""Autoencoders: the linear optimum against PCA, the denoising one against the Wiener filter and the score."""

import pytest
import torch

from rlsuite.errors import HyperparameterError
from rlsuite.generative import create
from tests.generative.battery import generator
from tests.generative.latent.linear_data import DATA, EIGENVALUES, ROTATION, D, optimise

S = 0.8


def autoencoder(latent_size, **arguments):
    return create("autoencoder", seed=1, event_shape=D, latent_size=latent_size, hidden=(), **arguments).double()


def optimised(model):
    optimise(model.parameters(), lambda: model.loss(DATA).mean())
    return model


def reconstruct(model, x):
    return model.decode(model.encode(x)).detach()


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_linear_optimum_spans_the_principal_subspace(k):
    model = optimised(autoencoder(k))
    torch.testing.assert_close(model.loss(DATA).mean(), EIGENVALUES[k:].sum(), rtol=1e-6, atol=0.0)
    pca = create("pca", event_shape=D, latent_size=k).double()
    pca.fit(DATA, steps=1, held_out=0.0, normalise=False)
    torch.testing.assert_close(reconstruct(model, DATA), reconstruct(pca, DATA), atol=1e-3, rtol=0.0)
    basis = torch.linalg.qr(model.decoder[0].weight)[0].detach()
    cosines = torch.linalg.svdvals(basis.mT @ ROTATION[:, :k])  # of the angles between the two subspaces
    torch.testing.assert_close(cosines, torch.ones(k).double(), atol=1e-6, rtol=0.0)


def test_an_overcomplete_code_loses_nothing():
    model = optimised(autoencoder(D + 2))
    assert model.loss(DATA).mean() < 1e-6
    assert model.energy(DATA).max() < 1e-4


@pytest.mark.parametrize("k", [2, D, D + 2])
def test_denoising_shrinks_each_component_as_wiener_does_and_keeps_the_best(k):
    """The exact loss over the noise: E‖x − r(x + s ε)‖² = ‖x − r(x)‖² + s² ‖R‖² for an affine r with matrix R."""
    model = autoencoder(k, corruption="gaussian", amount=S)

    def loss():
        gain = model.decoder[0].weight @ model.encoder[0].weight
        return model.energy(DATA).mean() + S**2 * gain.square().sum()

    optimise(model.parameters(), loss)
    shrink = EIGENVALUES / (EIGENVALUES + S**2)
    shrink[k:] = 0.0
    wiener = ROTATION * shrink @ ROTATION.mT
    torch.testing.assert_close(model.decoder[0].weight @ model.encoder[0].weight, wiener, atol=2e-3, rtol=0.0)
    losses = torch.stack([model.loss(DATA, generator=generator(i)).mean() for i in range(400)]).detach()
    kept = EIGENVALUES * (1.0 - shrink)  # λ s² / (λ + s²), or λ where dropped
    assert abs(losses.mean() - kept.sum()) < 4.5 * losses.std() / 20
    if k >= D:  # what it moves is s² times the score of the noisy density
        spread = ROTATION * (EIGENVALUES + S**2) @ ROTATION.mT
        noisy = torch.distributions.MultivariateNormal(DATA.mean(0), spread)
        x = DATA[:5].clone().requires_grad_()
        (score,) = torch.autograd.grad(noisy.log_prob(x).sum(), x)
        torch.testing.assert_close(reconstruct(model, x.detach()), DATA[:5] + S**2 * score, atol=1e-2, rtol=0.0)


def test_corruptions_are_what_they_say():
    x = torch.ones(20_000, D, dtype=torch.float64)
    masked = autoencoder(2, corruption="masking", amount=0.3).corrupt(x, generator(1))
    assert set(masked.unique().tolist()) == {0.0, 1.0} and float(masked.mean()) == pytest.approx(0.7, abs=0.01)
    noisy = autoencoder(2, corruption="gaussian", amount=0.3).corrupt(x, generator(1))
    assert float((noisy - x).std()) == pytest.approx(0.3, abs=0.01)
    assert torch.equal(autoencoder(2).corrupt(x, generator(1)), x)


def test_sparsity_counts_in_the_loss_and_not_in_the_energy():
    model = autoencoder(2, sparsity=0.7)
    expected = model.energy(DATA) + 0.7 * model.encode(DATA).abs().sum(1)
    torch.testing.assert_close(model.loss(DATA), expected)


def test_fitting_reaches_the_dropped_eigenvalues_and_samples_the_plane():
    model = autoencoder(2)
    model.fit(DATA, steps=800, seed=0, learning_rate=0.02, batch_size=300, held_out=0.0, normalise=False)
    assert model.loss(DATA).mean().item() == pytest.approx(float(EIGENVALUES[2:].sum()), rel=0.01)
    drawn = model.sample(100_000, generator=generator(2))
    kept = ROTATION[:, :2] * EIGENVALUES[:2] @ ROTATION[:, :2].mT
    torch.testing.assert_close(drawn.mT.cov(), kept, atol=0.1, rtol=0.0)
    torch.testing.assert_close(drawn.mean(0), DATA.mean(0), atol=0.05, rtol=0.0)


def test_wrong_numbers_are_named():
    with pytest.raises(HyperparameterError, match="'none', 'gaussian' or 'masking'"):
        autoencoder(2, corruption="salt")
    with pytest.raises(HyperparameterError, match="below 1"):
        autoencoder(2, corruption="masking", amount=1.0)
