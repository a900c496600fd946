"""beta-VAE, given and constrained, and the conditional VAE."""

import math

import pytest
import torch

from rlsuite.errors import HyperparameterError
from rlsuite.generative import create
from tests.generative.battery import generator, grid, perturbed
from tests.generative.latent.cases import BENT, LABELS

EIGENVALUES = torch.tensor([4.0, 1.5, 0.3])
SIGMA = 0.5
PLANE = torch.randn(4000, 3, generator=generator(11))
PLANE = PLANE - PLANE.mean(0)
PLANE = torch.linalg.solve_triangular(torch.linalg.cholesky(PLANE.mT @ PLANE / 4000), PLANE.mT, upper=False).mT
PLANE = PLANE * EIGENVALUES.sqrt() @ torch.linalg.qr(torch.randn(3, 3, generator=generator(12)))[0]
SMALL = {"event_shape": 3, "latent_size": 2, "hidden": (6,)}


def rate(beta):
    """Nats in the code of the linear model at its optimum: reverse water-filling."""
    return float(0.5 * (EIGENVALUES / (beta * SIGMA**2)).log().clamp(min=0.0).sum())


def test_beta_1_is_the_vae():
    beta_vae, vae = create("beta-vae", seed=1, beta=1.0, **SMALL), create("vae", seed=1, **SMALL)
    torch.testing.assert_close(beta_vae.loss(BENT, generator=generator()), vae.loss(BENT, generator=generator()))


def test_beta_weighs_the_divergence_in_the_loss_and_not_in_the_bound():
    losses, bounds = [], []
    for beta in (0.0, 1.0, 3.0):
        model = perturbed(create("beta-vae", seed=1, beta=beta, **SMALL))
        losses.append(model.loss(BENT, generator=generator()))
        bounds.append(model.bound(BENT, generator=generator()))
    torch.testing.assert_close(losses[2] - losses[0], 3.0 * (losses[1] - losses[0]))
    assert torch.equal(bounds[0], bounds[2])
    with pytest.raises(HyperparameterError, match="beta"):
        create("beta-vae", beta=-1.0, **SMALL)


def affine(name, steps, **arguments):
    model = create(name, seed=4, event_shape=3, latent_size=3, hidden=(), noise=SIGMA, **arguments)
    model.fit(PLANE, steps=steps, seed=0, learning_rate=0.01, batch_size=500, held_out=0.0, normalise=False)
    _, kl = model.terms(PLANE, None, generator(2))
    return model, kl.detach().mean(0).sort(descending=True).values


@pytest.mark.slow
def test_by_stochastic_gradients_too_a_dimension_is_active_where_its_eigenvalue_exceeds_beta_times_the_noise():
    beta = 3.0  # β σ² = 0.75: two of three
    _, kl = affine("beta-vae", 1500, beta=beta)
    expected = 0.5 * (EIGENVALUES / (beta * SIGMA**2)).log().clamp(min=0.0)
    torch.testing.assert_close(kl, expected, atol=0.05, rtol=0.0)
    assert kl[2] < 0.01


def test_the_multiplier_is_the_water_level_of_its_rate():
    beta = 3.0
    model, kl = affine("constrained-vae", 2500, rate=rate(beta), multiplier_rate=0.02)
    assert float(kl.sum()) == pytest.approx(rate(beta), abs=0.05)  # the constraint is met, and tight
    assert float(model.multiplier) == pytest.approx(beta, rel=0.1)
    assert kl[2] < 0.02


def test_a_slack_constraint_has_no_multiplier():
    """Complementary slackness: noise as wide as the data leaves nothing worth the nats allowed."""
    model = create("constrained-vae", seed=4, event_shape=3, latent_size=2, hidden=(), noise=2.0, rate=30.0)
    model.fit(PLANE, steps=300, seed=0, learning_rate=0.01, held_out=0.0, normalise=False)
    _, kl = model.terms(PLANE, None, generator(2))
    assert kl.sum(1).mean() < 30.0 and model.multiplier == 0.0


def test_the_multiplier_steps_as_the_constraint_says():
    model = create("constrained-vae", seed=1, rate=0.5, multiplier_rate=0.1, largest_multiplier=2.0, **SMALL).train()
    _, kl = model.terms(BENT, None, generator(3))
    excess = float(kl.detach().sum(1).mean()) - 0.5
    model.loss(BENT, generator=generator(3))
    model._after_step()
    assert float(model.multiplier) == pytest.approx(1.0 + 0.1 * excess)
    model._excess = 1e6
    model._after_step()
    assert model.multiplier == 2.0
    model._excess = -1e6
    model._after_step()
    assert model.multiplier == 0.0


def test_in_evaluation_the_loss_is_the_largest_lagrangian():
    for allowed in (1e-3, 1e3):
        model = create("constrained-vae", seed=1, rate=allowed, largest_multiplier=7.0, **SMALL).eval()
        reconstruction, kl = model.terms(BENT, None, generator(3))
        lagrangians = [(b * (kl.sum(1) - allowed) - reconstruction).mean() for b in (0.0, 3.0, 7.0)]
        torch.testing.assert_close(model.loss(BENT, generator=generator(3)).mean(), torch.stack(lagrangians).max())


def test_the_bound_of_the_cvae_is_below_its_evidence_under_the_conditions_own_prior():
    model = perturbed(create("cvae", seed=2, condition_shape=3, noise=0.7, event_shape=3, latent_size=1, hidden=(6,)))
    model, x, c, copies = model.double().eval(), BENT[:5].double(), LABELS[:5].double(), 3000
    z, volume = grid(20.0, 1, 6000)
    z = z[:, None].expand(-1, 5, -1)
    joint = model.entries.log_prob(x, model.parameters_of(z, c)) + model.prior(5, c).log_prob(z)
    evidence = joint.logsumexp(0) + math.log(volume)
    with torch.no_grad():
        one = model.bound(x.expand(copies, 5, 3), c, generator=generator(1))
        many = model.bound(x.expand(copies, 5, 3), c, particles=16, generator=generator(2))
    assert (one.mean(0) < many.mean(0)).all()
    assert (many.mean(0) < evidence + 4 * many.std(0) / copies**0.5).all()
    torch.testing.assert_close(many.mean(0), evidence.detach(), atol=0.5, rtol=0.0)


def test_the_prior_learns_what_the_condition_tells():
    """x = 3 c + ε: with a linear decoder and the noise known, codes must follow c, whose prior then knows them."""
    c = torch.randn(2000, 1, generator=generator(1))
    x = 3.0 * c + torch.randn(2000, 1, generator=generator(2))
    model = create("cvae", seed=0, event_shape=1, condition_shape=1, latent_size=1, hidden=(16,), noise=0.3)
    model.fit(x, c, steps=1000, seed=0, learning_rate=5e-3, normalise=False, held_out=0.0)
    exact = torch.distributions.Normal(3.0 * c, 1.0).log_prob(x).mean()
    with torch.no_grad():
        bound = model.bound(x, c, particles=16, generator=generator(3)).mean()
    assert bound == pytest.approx(float(exact), abs=0.05)
    with pytest.raises(HyperparameterError, match="condition_shape"):
        create("cvae", event_shape=2, condition_shape=None)
