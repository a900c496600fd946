"""Likelihoods: normalised by enumeration, drawn as their densities say, against torch.distributions."""

import itertools

import pytest
import torch
from torch.distributions import Normal

from rlsuite.errors import HyperparameterError
from rlsuite.generative.latent.likelihoods import likelihood_of
from tests.generative.battery import generator, total_variation


@pytest.mark.parametrize(("kind", "values"), [("bernoulli", 2), ("categorical", 3)])
def test_discrete_events_sum_to_1_and_are_drawn_so(kind, values):
    model = likelihood_of(kind, 3, "learned", values)
    events = torch.tensor(list(itertools.product(range(values), repeat=3)), dtype=torch.float64)
    parameters = torch.randn(model.n_parameters, generator=generator(1), dtype=torch.float64)
    p = model.log_prob(events, parameters).exp()
    assert p.sum() == pytest.approx(1.0)
    assert torch.equal(model.centre(parameters), events[p.argmax()])
    drawn = model.draw(parameters.expand(20_000, -1), generator(2))
    assert total_variation(drawn, p, events) < 0.02
    assert model.features(events).shape == (len(events), model.n_features)


@pytest.mark.parametrize("noise", [0.3, "learned", "predicted"])
def test_gaussian_entries_are_those_of_torch(noise):
    model = likelihood_of("gaussian", 2, noise, 2).double()
    model.log_scale.data.fill_(-1.2039728043259361)  # log 0.3
    mean = torch.tensor([1.0, -2.0], dtype=torch.float64)
    scale = torch.tensor([0.3, 0.3], dtype=torch.float64)
    parameters = torch.cat([mean, scale.log()]) if noise == "predicted" else mean
    x = torch.randn(7, 2, generator=generator(3), dtype=torch.float64)
    torch.testing.assert_close(model.log_prob(x, parameters), Normal(mean, scale).log_prob(x).sum(1))
    drawn = model.draw(parameters.expand(50_000, -1), generator(4))
    torch.testing.assert_close(drawn.std(0), scale, atol=0.01, rtol=0.0)
    torch.testing.assert_close(model.centre(parameters), mean)
    assert model.log_scale.requires_grad == (noise == "learned")


@pytest.mark.parametrize(
    ("kind", "noise", "values", "words"),
    [("poisson", 1.0, 2, "not 'poisson'"), ("gaussian", 0.0, 2, "not 0.0"), ("categorical", 1.0, 1, "at least 2")],
)
def test_wrong_ones_are_named(kind, noise, values, words):
    with pytest.raises(HyperparameterError, match=words):
        likelihood_of(kind, 3, noise, values)
