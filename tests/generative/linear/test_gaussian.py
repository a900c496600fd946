"""The Gaussian against torch.distributions and the formulas of conditioning."""

import pytest
import torch

from rlsuite.generative import create
from tests.generative.battery import generator


@pytest.fixture
def data():
    mixing = torch.tensor([[1.0, 0.4, 0.2], [0.0, 0.7, -0.5], [0.1, 0.0, 0.3]], dtype=torch.float64)
    return torch.randn(500, 3, generator=generator(1), dtype=torch.float64) @ mixing + 2.0


@pytest.fixture
def model(data):
    model = create("gaussian", event_shape=3).double()
    model.fit(data, steps=1, held_out=0.0)
    return model


def test_density_and_score_are_those_of_the_data_moments(model, data):
    centred = data - data.mean(0)
    reference = torch.distributions.MultivariateNormal(data.mean(0), centred.mT @ centred / len(data))
    torch.testing.assert_close(model.log_prob(data), reference.log_prob(data), rtol=1e-3, atol=1e-4)
    score = -torch.linalg.solve(reference.covariance_matrix, (data - data.mean(0)).mT).mT
    torch.testing.assert_close(model.score(data, torch.zeros(())), score, rtol=1e-2, atol=1e-3)


def test_completion_has_the_conditional_mean_and_covariance(model, data):
    known = torch.tensor([3.0, 0.0, 0.0], dtype=torch.float64)
    mask = torch.tensor([True, False, False])
    drawn = model.sample(200_000, known=known, mask=mask, generator=generator(2))
    centred = data - data.mean(0)
    s = centred.mT @ centred / len(data)
    mean = data.mean(0)[1:] + s[1:, 0] / s[0, 0] * (3.0 - data.mean(0)[0])
    covariance = s[1:, 1:] - torch.outer(s[1:, 0], s[0, 1:]) / s[0, 0]
    torch.testing.assert_close(drawn[:, 1:].mean(0), mean, atol=0.01, rtol=0.0)
    torch.testing.assert_close(drawn[:, 1:].mT.cov(), covariance, atol=0.01, rtol=0.0)
