"""Diffusion models against closed forms: the bound, one step as a VAE, the flow's likelihood, guidance, control, codes."""

import math

import pytest
import torch
from torch import nn

from rlsuite.errors import HyperparameterError
from rlsuite.generative import create
from rlsuite.generative.diffusion.analytic import MixtureDenoiser
from rlsuite.generative.diffusion.control import ControlNet
from rlsuite.generative.diffusion.distillation import distillation_errors, distillation_reward, reference_errors
from rlsuite.generative.diffusion.transitions import step_between
from tests.generative.battery import generator, perturbed
from tests.generative.diffusion.test_samplers import COVARIANCE, GAUSSIAN, MEAN, MIXTURE, D, gaussian_map, normal

ONE = torch.ones(1, dtype=D)
DEVIATION = 0.4
NARROW = MixtureDenoiser(ONE, 0.3 * ONE[None], DEVIATION**2 * ONE[None, None])  # N(0.3, 0.4²)


def with_denoiser(name, denoiser, **arguments):
    model = create(name, seed=0, event_shape=denoiser.means.shape[1], **arguments).double()
    denoiser = MixtureDenoiser(denoiser.weights, denoiser.means, denoiser.covariances, model.prediction)
    model.denoiser = denoiser
    return model.eval()


def test_one_step_is_a_vae_with_a_fixed_encoder():
    """The bound of T = 1 is a VAE's with encoder N(√ᾱ x, (1 − ᾱ) I) and decoder N(x̂₀(z), β₁ I), draw for draw."""
    ddpm = perturbed(create("ddpm", seed=0, event_shape=3, steps=1, width=8).double())
    angle = ddpm.noise_schedule.angle(1.0)
    vae = create("vae", seed=0, event_shape=3, latent_size=3, hidden=(), noise=float(angle.sin())).double()

    class Clean(nn.Module):
        def forward(self, z):
            flat = z.reshape(-1, 3)
            return ddpm.predict(flat, angle.expand(len(flat)))[1].clean.reshape(z.shape)

    with torch.no_grad():
        vae.encoder[0].weight.copy_(torch.cat([angle.cos() * torch.eye(3), torch.zeros(3, 3)]))
        vae.encoder[0].bias.copy_(torch.cat([torch.zeros(3), angle.sin().log().expand(3)]))
    vae.decoder = Clean()
    x = normal(20, 3)
    torch.testing.assert_close(ddpm.bound(x, generator=generator(1)), vae.bound(x, generator=generator(1)),
                               rtol=1e-5, atol=1e-5)  # fmt: skip


@pytest.mark.parametrize("variance", ["small", "large"])
def test_the_terms_of_the_bound_are_those_of_the_closed_form(variance):
    """For x₀ ~ N(m, τ²) E (x₀ − x̂₀)² = τ² (1 − ᾱ) / (ᾱ τ² + 1 − ᾱ)."""
    model = with_denoiser("ddpm", NARROW, steps=6, variance=variance)
    n = 40_000
    x = 0.3 + DEVIATION * normal(n, 1)
    drawn = model.bound_terms(x, generator=generator(1))
    terms, allowed = drawn.mean(1), 4.0 * drawn.std(1) / math.sqrt(n)
    angles = model.noise_schedule.grid(6)[::-1]
    for i in range(1, 7):
        theta, phi = angles[i], angles[i - 1]
        a2, s2 = math.cos(theta) ** 2, math.sin(theta) ** 2
        error = DEVIATION**2 * s2 / (a2 * DEVIATION**2 + s2)
        step = step_between(theta, phi)
        posterior = step.posterior if i > 1 else step_between(angles[2], angles[1]).posterior
        model_variance = posterior if variance == "small" else step.beta
        squared = step.clean**2 * error / model_variance
        if i == 1:
            expected = 0.5 * (squared + torch.log(2 * math.pi * model_variance))
        else:
            ratio = posterior / model_variance
            expected = 0.5 * (ratio - 1 - ratio.log() + squared)
        assert abs(terms[i - 1] - expected) < allowed[i - 1]
    a2, s2 = math.cos(angles[6]) ** 2, math.sin(angles[6]) ** 2
    assert abs(terms[6] - 0.5 * (a2 * (0.09 + DEVIATION**2) + s2 - 1 - math.log(s2))) < allowed[6]


def test_the_bound_is_below_the_evidence_and_closes_with_the_steps():
    x = 0.3 + DEVIATION * normal(4000, 1)
    truth = NARROW.log_prob(x, 0.0)
    gaps = []
    for steps in (10, 100):
        model = with_denoiser("ddpm", NARROW, steps=steps, variance="large")
        gaps.append((truth - model.bound(x, generator=generator(1))).mean().item())
    assert gaps[0] > 3 * gaps[1] > 0


def test_the_random_term_of_the_loss_is_the_bound_in_expectation():
    model = perturbed(create("ddpm", seed=0, event_shape=2, steps=4, width=8, objective="bound", variance="learned"))
    x = torch.full((40_000, 2), 0.3)
    with torch.no_grad():
        loss, bound = model.loss(x, generator=generator(1)), model.bound(x, generator=generator(2))
    error = math.sqrt((loss.var() + bound.var()).item() / len(x))
    assert abs(loss.mean() + bound.mean()) < 4 * error


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("prediction", ["epsilon", "clean", "velocity"])
def test_the_flows_likelihood_is_the_density(schedule, prediction):
    """What differs is the starting point, N(0, I) and not p₁, and the solver."""
    model = with_denoiser("vp-sde", GAUSSIAN, schedule=schedule, prediction=prediction, flow_steps=64)
    x = MEAN + normal(20, 2) @ torch.linalg.cholesky(COVARIANCE).mT
    torch.testing.assert_close(model.log_prob(x), GAUSSIAN.log_prob(x, 0.0), rtol=0, atol=0.03)


def test_the_flows_likelihood_of_a_mixture_and_its_units():
    model = with_denoiser("vp-sde", MIXTURE, flow_steps=64)
    model.normalizer.mean.copy_(torch.tensor([1.0, -2.0]))
    model.normalizer.scale.copy_(torch.tensor([3.0, 0.5]))
    z = normal(20, 2)
    log_prob = MIXTURE.log_prob(z, 0.0) - math.log(1.5)
    torch.testing.assert_close(model.log_prob(model.normalizer.inverse(z)), log_prob, rtol=0, atol=0.03)
    score = model.score(model.normalizer.inverse(z), torch.tensor(0.0, dtype=D)) * model.normalizer.scale
    torch.testing.assert_close(score, MIXTURE.score(z, 0.0), rtol=1e-3, atol=1e-3)


def test_hutchinsons_estimate_has_the_exact_trace_as_its_mean():
    model = perturbed(create("vp-sde", seed=0, event_shape=3, width=8, flow_steps=6), size=0.3)
    x = torch.randn(4, 3, generator=generator(1))
    estimates = torch.stack([model.estimated_log_prob(x, generator=generator(seed)).detach() for seed in range(60)])
    error = estimates.std(0) / math.sqrt(60)
    assert ((estimates.mean(0) - model.log_prob(x).detach()).abs() < 4 * error + 1e-5).all()


def test_the_flows_density_has_its_gradient():
    model = perturbed(create("vp-sde", seed=0, event_shape=2, width=8, flow_steps=4).double())
    x = normal(3, 2).requires_grad_()
    assert torch.autograd.gradcheck(model.log_prob, (x,), atol=1e-6)


@pytest.mark.parametrize("sampler", ["ddim", "dpm-solver++", "heun"])
def test_deterministic_samples_are_the_flows_image_of_the_noise(sampler):
    model = with_denoiser("vp-sde", GAUSSIAN, sampler=sampler, sample_steps=400)
    drawn = model.sample(30, generator=generator(3))
    noise = torch.randn(30, 2, generator=generator(3), dtype=D)
    exact = gaussian_map(noise, float(model.noise_schedule.angle(1.0)), 0.0)
    torch.testing.assert_close(drawn, exact, rtol=0, atol=0.02)


class TwoSided(nn.Module):
    """Analytic: N(c, 0.4²) given c, and N(0, 0.4² + 1) where the condition is hidden."""

    def forward(self, x, angle, condition=None, keep=None):
        told = torch.ones(len(x), 1).bool() if keep is None else keep[:, None]
        a, s = angle.cos()[:, None], angle.sin()[:, None]
        mean = torch.where(told, condition, 0.0)
        variance = torch.where(told, DEVIATION**2, DEVIATION**2 + 1.0)
        return (s * (x - a * mean) / (a * a * variance + s * s))[:, None]


def test_guidance_is_affine_and_trades_diversity_for_fidelity():
    model = create("vp-sde", event_shape=1, condition_shape=1, prediction="epsilon", sample_steps=100).double()
    model.denoiser = TwoSided()
    x, c, angle = normal(9, 1), normal(9, 1, seed=1), torch.linspace(0.1, 1.5, 9, dtype=D)
    found = {}
    for w in (-1.0, 0.0, 2.0):
        model.guidance = w
        found[w] = model.guided(x, angle, c).noise
    torch.testing.assert_close(found[2.0], 3.0 * found[0.0] - 2.0 * found[-1.0])
    torch.testing.assert_close(found[-1.0], TwoSided()(x, angle, c, torch.zeros(9).bool())[:, 0])
    spreads, means = [], []
    for w in (0.0, 1.0, 4.0):
        model.guidance = w
        drawn = model.sample(2000, torch.ones(1, dtype=D), generator=generator(1))
        spreads.append(drawn.std().item())
        means.append(drawn.mean().item())
    assert spreads[0] == pytest.approx(DEVIATION, rel=0.05) and means[0] == pytest.approx(1.0, abs=0.05)
    assert spreads[0] > spreads[1] > spreads[2] and means[0] < min(means[1:])


def test_hidden_conditions_do_not_matter_and_shown_ones_do():
    model = perturbed(create("vp-sde", seed=0, event_shape=3, condition_shape=2, width=8))
    x, angle = torch.randn(4, 3, generator=generator(1)), torch.full((4,), 0.5)
    ask = [
        model.predict(x, angle, torch.full((4, 2), v), torch.tensor([True, True, False, False]))[0] for v in (0.0, 1.0)
    ]
    assert torch.equal(ask[0][2:], ask[1][2:]) and not torch.isclose(ask[0][:2], ask[1][:2]).all(1).any()


SHAPES = [((3,), (2,)), ((4, 3), (4, 1)), ((4, 3), (2,)), ((1, 5, 4), (1, 5, 4)), ((1, 5, 4), (2,))]


@pytest.mark.parametrize(("event", "control"), SHAPES)
def test_a_control_branch_begins_by_changing_nothing_and_can_learn_all_the_same(event, control):
    base = perturbed(create("ddpm", seed=0, event_shape=event, steps=3, width=8, heads=2))
    base.normalizer.fit(torch.randn(50, *event, generator=generator(2)))
    model = ControlNet.over(base, control)
    c = torch.randn(5, *control, generator=generator(3))
    drawn = base.sample(5, generator=generator(1))
    assert torch.equal(model.sample((), c, generator=generator(1)), drawn)
    before = {name: p.clone() for name, p in model.denoiser.base.state_dict().items()}
    x = torch.randn(40, *event, generator=generator(4))
    controls = torch.randn(40, *control, generator=generator(5))
    model.loss(x, controls, generator=generator(6)).mean().backward()
    assert all(zero.weight.grad.abs().max() > 0 for zero in model.denoiser.zeros)
    model.fit(x, controls, steps=5, seed=0, held_out=0.0)
    assert all(torch.equal(p, before[name]) for name, p in model.denoiser.base.state_dict().items())
    assert torch.equal(model.normalizer.mean, base.normalizer.mean)
    assert not torch.equal(model.sample((), c, generator=generator(1)), drawn)
    angle, hidden = torch.full((5,), 0.4), torch.zeros(5).bool()
    assert torch.equal(model.predict(x[:5], angle, c, hidden)[0], base.predict(x[:5], angle)[0])


def test_control_needs_a_shape_and_a_base_without_condition():
    with pytest.raises(HyperparameterError, match="condition_shape"):
        create("controlnet", event_shape=2)
    with pytest.raises(HyperparameterError, match="without condition"):
        ControlNet.over(create("ddpm", event_shape=2, condition_shape=1), 3)


def test_latent_diffusion_over_a_turn_is_the_diffusion_of_the_events():
    """PCA that keeps the plane in which events lie: what is drawn lies there, as the diffusion of its codes draws it."""
    plane = torch.randn(400, 2, generator=generator(1)) @ torch.tensor([[1.0, 0.5, 0.2], [0.3, -0.8, 0.4]])
    model = create("latent-diffusion", seed=0, event_shape=3, codec="pca", codec_arguments={"latent_size": 2},
                   diffusion={"width": 16, "sample_steps": 8})  # fmt: skip
    model.fit(plane, steps=20, seed=0)
    torch.testing.assert_close(model.decode(model.encode(plane)), plane, rtol=1e-3, atol=1e-3)
    drawn = model.sample(20, generator=generator(2))
    codes = model.prior.sample(20, generator=generator(2))
    torch.testing.assert_close(model.encode(drawn), codes, rtol=1e-3, atol=1e-3)
    rest = drawn - model.decode(model.encode(drawn))
    assert rest.abs().max() < 1e-3


def test_fitting_latent_diffusion_leaves_its_codec_as_its_own_fit_left_it():
    data = torch.randn(200, 4, generator=generator(1)).cumsum(1)
    model = create("latent-diffusion", seed=0, event_shape=4, codec="autoencoder", codec_steps=5,
                   codec_arguments={"latent_size": 2, "hidden": [8]}, diffusion={"width": 8})  # fmt: skip
    model.fit(data, steps=1, seed=0)
    before = [p.clone() for p in model.autoencoder.parameters()]
    model.fit(data, steps=10, seed=0)
    assert all(torch.equal(a, b) for a, b in zip(before, model.autoencoder.parameters(), strict=True))


def test_distillation_errors_are_the_closed_form_and_reward_what_is_natural():
    """For N(m, τ²), c = ᾱ τ² + 1 − ᾱ: the error has the mean √(ᾱ (1 − ᾱ)) (m − x) / c and the deviation ᾱ τ² / c."""
    model = with_denoiser("vp-sde", NARROW)
    times = (0.5, 0.2)
    for x in (0.3, 1.5):
        errors = distillation_errors(model, torch.full((40_000, 1), x, dtype=D), times=times, generator=generator(1))
        assert errors.shape == (40_000, 2)
        for t, error in zip(times, errors.mean(0), strict=True):
            angle = float(model.noise_schedule.angle(t))
            a, s = math.cos(angle), math.sin(angle)
            c = a * a * DEVIATION**2 + s * s
            expected = (s * a * (0.3 - x) / c) ** 2 + (a * a * DEVIATION**2 / c) ** 2
            assert error.item() == pytest.approx(expected, rel=0.05)
    data = 0.3 + DEVIATION * normal(2000, 1)
    reference = reference_errors(model, data, times=times, generator=generator(2))
    assert distillation_reward(reference, reference) == pytest.approx(math.exp(-6.0))

    def reward(x):
        errors = distillation_errors(model, torch.full((500, 1), x, dtype=D), times=times, generator=generator(3))
        return distillation_reward(errors, reference, scale=1.0).mean()

    assert reward(0.3) > reward(1.0) > reward(2.0)
    with pytest.raises(HyperparameterError, match="times"):
        distillation_errors(model, data, times=(0.0,))
