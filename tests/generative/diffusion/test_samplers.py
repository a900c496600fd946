"""Schedules, parametrisations and samplers against closed forms, with the analytic denoiser: nothing is trained."""

import itertools
import math

import pytest
import torch

from rlsuite.errors import HyperparameterError, UnknownNameError
from rlsuite.generative.diffusion.analytic import MixtureDenoiser
from rlsuite.generative.diffusion.infilling import infill
from rlsuite.generative.diffusion.parametrisation import PREDICTIONS, denoised, noised, target, velocity
from rlsuite.generative.diffusion.samplers import DDIM, SAMPLERS, Ancestral, draw, sampler_named
from rlsuite.generative.diffusion.schedules import SCHEDULES, Linear, schedule_named
from rlsuite.generative.diffusion.transitions import step_between
from rlsuite.generative.toy import EightGaussians
from tests.generative.battery import generator

D = torch.float64
COVARIANCE = torch.tensor([[1.0, 0.6], [0.6, 0.5]], dtype=D)
MEAN = torch.tensor([0.5, -1.0], dtype=D)
GAUSSIAN = MixtureDenoiser(torch.ones(1, dtype=D), MEAN[None], COVARIANCE[None])
MIXTURE = MixtureDenoiser(
    torch.tensor([0.3, 0.7], dtype=D),
    torch.tensor([[-1.0, 0.5], [0.8, -0.4]], dtype=D),
    torch.tensor([[[0.3, 0.1], [0.1, 0.2]], [[0.2, 0.0], [0.0, 0.4]]], dtype=D),
)
every_schedule = pytest.mark.parametrize("name", sorted(SCHEDULES))


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=D)


@every_schedule
def test_alpha_bar_falls_from_1_to_next_to_nothing_and_angles_are_its(name):
    schedule = schedule_named(name)
    t = torch.linspace(0.0, 1.0, 101, dtype=D)
    alpha_bar = schedule.log_alpha_bar(t).exp()
    assert alpha_bar[0] == 1.0 and (alpha_bar.diff() < 0).all() and 0 < alpha_bar[-1] < 1e-4
    torch.testing.assert_close(schedule.angle(t).cos().square(), alpha_bar)
    torch.testing.assert_close(schedule.log_snr(t[1:]), torch.logit(alpha_bar[1:]))
    # the product of 1 − β telescopes
    torch.testing.assert_close((1 - schedule.betas(100)).cumprod(0), alpha_bar[1:])


def test_linear_betas_are_those_of_ddpm_to_first_order():
    ours, theirs = Linear().betas(1000), torch.linspace(1e-4, 0.02, 1000, dtype=D)
    assert (ours - theirs).abs().max() < 2.1e-4
    assert (1 - ours).prod().log() == pytest.approx((1 - theirs).prod().log().item(), rel=0.01)


def test_cosine_is_nichols_and_dhariwals():
    t = torch.linspace(0.0, 1.0, 11, dtype=D)
    f = torch.cos((0.9946 * t + 0.008) / 1.008 * math.pi / 2).square()
    torch.testing.assert_close(schedule_named("cosine").log_alpha_bar(t).exp(), f / f[0])


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_predictions_say_the_same(prediction):
    clean, noise, angle = normal(7, 3), normal(7, 3, seed=1), torch.linspace(0.01, 1.55, 7, dtype=D)
    found = denoised(prediction, target(prediction, clean, noise, angle), noised(clean, noise, angle), angle)
    torch.testing.assert_close(found.clean, clean)
    torch.testing.assert_close(found.noise, noise)


def test_velocity_is_the_derivative_along_the_angle():
    clean, noise, angle, h = normal(5, 2), normal(5, 2, seed=1), torch.linspace(0.1, 1.4, 5, dtype=D), 1e-5
    slope = (noised(clean, noise, angle + h) - noised(clean, noise, angle - h)) / (2 * h)
    torch.testing.assert_close(velocity(clean, noise, angle), slope, rtol=1e-8, atol=1e-8)


def test_the_posterior_of_a_step_is_bayes_rule():
    """q(xₛ | xₜ, x₀) ∝ q(xₜ | xₛ) q(xₛ | x₀), by precisions; and q(xₜ | xₛ) after q(xₛ | x₀) is q(xₜ | x₀)."""
    theta, phi = torch.tensor(1.1, dtype=D), torch.tensor(0.4, dtype=D)
    step = step_between(theta, phi)
    precision = step.signal**2 / step.beta + 1 / phi.sin() ** 2
    torch.testing.assert_close(step.posterior, 1 / precision)
    torch.testing.assert_close(step.noisy, step.signal / step.beta / precision)
    torch.testing.assert_close(step.clean, phi.cos() / phi.sin() ** 2 / precision)
    torch.testing.assert_close(step.signal**2 * phi.sin() ** 2 + step.beta, theta.sin() ** 2)


@pytest.mark.parametrize("denoiser", [GAUSSIAN, MIXTURE])
def test_the_analytic_score_is_the_gradient_and_its_density_is_diffused(denoiser):
    x = normal(6, 2).requires_grad_()
    (gradient,) = torch.autograd.grad(denoiser.log_prob(x, 0.7).sum(), x)
    torch.testing.assert_close(denoiser.score(x, 0.7), gradient)
    found = denoiser.at(x, 0.7)
    torch.testing.assert_close(noised(found.clean, found.noise, 0.7), x)


def gaussian_map(x, theta, phi):
    """Where the probability flow of N(m, Σ) carries x: along each eigenvector in proportion to its deviation."""
    values, vectors = torch.linalg.eigh(COVARIANCE)

    def deviation(angle):
        return (math.cos(angle) ** 2 * values + math.sin(angle) ** 2).sqrt()

    codes = (x - math.cos(theta) * MEAN) @ vectors / deviation(theta)
    return math.cos(phi) * MEAN + codes * deviation(phi) @ vectors.mT


def end_error(name, steps):
    """Of the end point on the Gaussian, from θ = 1.4 to 0.1 in even steps of the angle."""
    angles = torch.linspace(1.4, 0.1, steps + 1, dtype=D).tolist()
    x = normal(50, 2)
    return (draw(sampler_named(name), GAUSSIAN.at, x, angles) - gaussian_map(x, 1.4, 0.1)).abs().max().item()


@pytest.mark.parametrize("name", [name for name, sampler in SAMPLERS.items() if sampler.order])
def test_deterministic_samplers_carry_noise_to_data_with_their_order(name):
    errors = [end_error(name, steps) for steps in (40, 80, 160)]
    orders = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert orders[-1] == pytest.approx(SAMPLERS[name].order, abs=0.2)
    assert errors[-1] < (2e-2 if SAMPLERS[name].order == 1 else 1e-3)


def test_fast_solvers_need_fewer_evaluations_on_eight_gaussians():
    """Steps against error: the end points of 20 evaluations, against those of 2000."""
    toy = EightGaussians()
    eye = torch.eye(2, dtype=D).expand(8, 2, 2) * toy.noise**2 / 4
    denoiser = MixtureDenoiser(torch.full((8,), 1 / 8, dtype=D), toy.centres / 2, eye)
    schedule, x = schedule_named("cosine"), normal(200, 2)
    exact = draw(sampler_named("heun"), denoiser.at, x, schedule.grid(1000))

    def error(name, evaluations):
        sampler = sampler_named(name)
        grid = schedule.grid(evaluations // sampler.evaluations, sampler.spacing)
        return (draw(sampler, denoiser.at, x, grid) - exact).norm(dim=1).median()

    assert error("dpm-solver++", 20) < 0.7 * error("ddim", 20)
    assert error("dpm-solver++", 40) < 0.3 * error("ddim", 40)
    assert error("heun", 80) < error("ddim", 80)


def chain_moments(angles, variance):
    """Mean and covariance along the ancestral chain of a Gaussian: both obey a linear recursion."""
    mean, covariance, eye = torch.zeros(2, dtype=D), torch.eye(2, dtype=D), torch.eye(2, dtype=D)
    for theta, phi in itertools.pairwise(angles):
        step, a = step_between(theta, phi), math.cos(theta)
        gain = (
            a * COVARIANCE @ torch.linalg.inv(a * a * COVARIANCE + math.sin(theta) ** 2 * eye)
        )  # x̂₀ = m + gain (x − a m)
        matrix = step.clean * gain + step.noisy * eye
        mean = step.clean * (MEAN - a * gain @ MEAN) + matrix @ mean
        covariance = matrix @ covariance @ matrix.mT
        if phi:
            covariance = covariance + (step.posterior if variance == "small" else step.beta) * eye
    return mean, covariance


@pytest.mark.parametrize("variance", ["small", "large"])
def test_the_ancestral_chain_has_the_moments_of_its_recursion(variance):
    angles, n = schedule_named("linear").grid(25), 60_000
    x = draw(Ancestral(variance), GAUSSIAN.at, normal(n, 2), angles, generator(4))
    mean, covariance = chain_moments(angles, variance)
    torch.testing.assert_close(x.mean(0), mean, rtol=0, atol=5 * math.sqrt(covariance.trace().item() / n))
    torch.testing.assert_close(x.mT.cov(), covariance, rtol=0, atol=0.02)


def test_the_chain_tends_to_the_data_with_its_steps():
    schedule = schedule_named("linear")
    few, many = ((chain_moments(schedule.grid(n), "small")[1] - COVARIANCE).abs().max() for n in (800, 1600))
    assert many < 0.01 and few / many == pytest.approx(2.0, abs=0.1)  # of order 1


def test_the_reverse_sde_draws_the_data():
    x = draw(sampler_named("sde"), MIXTURE.at, normal(20_000, 2), schedule_named("cosine").grid(300), generator(5))
    mean = MIXTURE.weights @ MIXTURE.means
    second = torch.einsum("k,kij->ij", MIXTURE.weights, MIXTURE.covariances + torch.einsum(
        "ki,kj->kij", MIXTURE.means, MIXTURE.means))  # fmt: skip
    torch.testing.assert_close(x.mean(0), mean, rtol=0, atol=0.04)
    torch.testing.assert_close(x.mT @ x / len(x), second, rtol=0, atol=0.06)


def test_ddim_with_eta_1_is_ancestral_with_the_small_variance():
    x, angles = normal(20, 2), schedule_named("cosine").grid(10)
    ddim = draw(DDIM(1.0), MIXTURE.at, x, angles, generator(1))
    torch.testing.assert_close(ddim, draw(Ancestral("small"), MIXTURE.at, x, angles, generator(1)))


def test_in_filling_keeps_what_is_known_and_resampling_brings_the_rest_to_the_conditional():
    n, known, mask = 4000, torch.tensor([1.5, float("nan")], dtype=D), torch.tensor([True, False])
    known = torch.where(mask, known, 0.0).expand(n, 2)
    mean = MEAN[1] + COVARIANCE[0, 1] / COVARIANCE[0, 0] * (1.5 - MEAN[0])
    variance = COVARIANCE[1, 1] - COVARIANCE[0, 1] ** 2 / COVARIANCE[0, 0]
    errors = {}
    for times in (1, 10):
        x = infill(Ancestral("large"), GAUSSIAN.at, known, mask.expand(n, 2), schedule_named("cosine").grid(50),
                   resampling=times, generator=generator(2))  # fmt: skip
        assert (x[:, 0] == 1.5).all()
        errors[times] = abs(x[:, 1].mean() - mean), abs(x[:, 1].var() - variance)
    assert errors[10][0] < 0.04 and errors[10][1] < 0.02
    assert errors[1][0] > 0.1 and errors[1][1] > 0.03  # replacement alone


def test_wrong_names_and_sizes_are_told():
    with pytest.raises(UnknownNameError, match="cosine"):
        schedule_named("cosin")
    with pytest.raises(UnknownNameError, match="ddim"):
        sampler_named("dim")
    with pytest.raises(HyperparameterError, match="step"):
        schedule_named("linear").grid(0)
    with pytest.raises(HyperparameterError, match="variance"):
        Ancestral("middle")
