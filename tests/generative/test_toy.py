"""Toy densities: normalised, drawn as they say, their entropies those of the literature."""

import math

import pytest
import torch

from rlsuite.errors import CapabilityError
from rlsuite.generative import Energy, create
from rlsuite.generative.toy import TOYS, EightGaussians, TwoMoons, measure, toy_named
from tests.generative.battery import generator, grid

every = pytest.mark.parametrize("name", sorted(TOYS))


@every
def test_densities_are_normalised(name):
    points, volume = grid(6.0, 2, 480)  # fields of the board are whole numbers of cells
    assert toy_named(name).log_prob(points).exp().sum() * volume == pytest.approx(1.0, abs=1e-6)


@every
def test_draws_follow_the_density(name):
    """Moments of the draws against those by quadrature; the board's by its fields."""
    toy = toy_named(name)
    x = toy.sample(40_000, generator(1)).double()
    points, volume = grid(6.0, 2, 480)
    p = toy.log_prob(points).exp() * volume
    for moment in (torch.sin, torch.cos, lambda v: (v[:, :1] * v[:, 1:]).cos(), lambda v: v.square()):
        values = moment(x)
        error = values.std(0) / math.sqrt(len(x))
        assert ((values.mean(0) - (p[:, None] * moment(points)).sum(0)).abs() < 4.5 * error).all()


@every
def test_the_entropy_is_the_mean_of_minus_log_p(name):
    toy = toy_named(name)
    log_p = toy.log_prob(toy.sample(40_000, generator(2)).double())
    assert -log_p.mean().item() == pytest.approx(toy.entropy, abs=4.5 * log_p.std().item() / 200 + 1e-9)


@pytest.mark.parametrize(
    ("toy", "entropy"), [(TwoMoons(0.05), 0.288), (TwoMoons(0.1), 1.004), (EightGaussians(), 2.834)]
)
def test_entropies_are_those_found_by_sampling_elsewhere(toy, entropy):
    assert toy.entropy == pytest.approx(entropy, abs=0.005)


def test_draws_depend_on_the_generator_alone():
    for name in TOYS:
        assert torch.equal(toy_named(name).sample(5, generator(1)), toy_named(name).sample(5, generator(1)))


def test_the_gap_of_a_gaussian_is_the_divergence_in_closed_form():
    """KL(truth ‖ the Gaussian of its moments) = ½ log |2πe Σ| − H; draws and ridge make the rest."""
    points, volume = grid(6.0, 2, 480)
    toy = EightGaussians()
    p = toy.log_prob(points).exp() * volume
    covariance = (points * p[:, None]).mT @ points
    expected = 0.5 * torch.logdet(2.0 * math.pi * math.e * covariance).item() - toy.entropy
    found = measure(create("gaussian", event_shape=2), toy, steps=1)
    assert found.gap == pytest.approx(expected, abs=4.5 * found.error + 1e-3)
    assert found.gap == pytest.approx(
        found.nll - found.entropy, abs=0.03
    )  # the spread of the draws does not cancel here


class OnlyAnEnergy(Energy):
    """It has no name, and so it is not registered."""


def test_what_has_no_density_has_no_gap():
    with pytest.raises(CapabilityError, match="Density"):
        measure(OnlyAnEnergy(2))


@pytest.mark.slow
def test_realnvp_comes_near_to_the_two_moons():
    model = create("realnvp", seed=0, event_shape=2)
    for learning_rate, steps in ((2e-3, 1200), (2e-4, 500)):
        found = measure(
            model, "two-moons", steps=steps, batch_size=512, learning_rate=learning_rate, n=50_000, device="cpu"
        )
    assert 0.0 < found.gap < 0.1
