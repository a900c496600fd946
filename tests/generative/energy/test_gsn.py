"""The GSN on finitely many states, where its chain is a matrix, and on Gaussians, where it is a recursion."""

import pytest
import torch

from rlsuite.errors import HyperparameterError
from rlsuite.generative import create
from tests.generative.battery import generator, perturbed
from tests.generative.energy.cases import CURVE

P = torch.tensor([0.4, 0.05, 0.3, 0.05, 0.2], dtype=torch.float64)
RATE = 0.6
C = (1.0 - RATE) * torch.eye(5).double() + RATE / 5  # C(x̃ | x), rows x


def gsn(**arguments):
    """One entry of five values and an affine denoiser on its one-hot code: P(x | x̃) is any table."""
    arguments = {"hidden": (), "corruption": RATE, **arguments}
    return create("gsn", seed=0, event_shape=1, likelihood="categorical", n_values=5, **arguments).double()


def stationary(model):
    table = model.parameters_of(torch.arange(5).double()[:, None]).softmax(1).detach()  # rows x̃
    values, vectors = torch.linalg.eig((C @ table).mT)
    first = vectors[:, values.real.argmax()].real
    return first / first.sum()


def test_with_the_posterior_as_denoiser_the_stationary_law_is_the_datas():
    model = gsn()
    with torch.no_grad():
        model.denoiser[0].weight.copy_((P[:, None] * C).log())  # log p(x) C(x̃ | x), columns x̃
        model.denoiser[0].bias.zero_()
    torch.testing.assert_close(stationary(model), P)
    drawn = model.sample(20_000, generator=generator(1)).flatten().long()
    torch.testing.assert_close(torch.bincount(drawn, minlength=5) / 20_000, P.float(), atol=0.015, rtol=0.0)


def test_corruption_draws_anew_evenly():
    x = torch.full((40_000, 1), 2.0).double()
    seen = torch.bincount(gsn().corrupt(x, generator(2)).flatten().long(), minlength=5) / 40_000
    torch.testing.assert_close(seen, C[2].float(), atol=0.01, rtol=0.0)


@pytest.mark.parametrize("walkback", [1, 3])
def test_fitting_finds_that_posterior(walkback):
    data = torch.multinomial(P, 4000, replacement=True, generator=generator(3)).double()[:, None]
    model = gsn(walkback=walkback)
    model.fit(data, steps=500, seed=0, learning_rate=0.03, held_out=0.0, batch_size=1000)
    frequencies = torch.bincount(data.flatten().long(), minlength=5) / len(data)
    torch.testing.assert_close(stationary(model).float(), frequencies, atol=0.03, rtol=0.0)


def test_with_the_gaussian_posterior_the_chain_keeps_the_gaussian():
    """x ~ N(0, 1): P(x | x̃) = N(x̃ / (1 + s²), s² / (1 + s²)), and the chain's variance has its fixed point at 1."""
    s2 = 0.5**2
    model = create(
        "gsn", event_shape=1, hidden=(), corruption=0.5, noise=(s2 / (1 + s2)) ** 0.5, sample_steps=60
    ).double()
    with torch.no_grad():
        model.denoiser[0].weight.fill_(1.0 / (1.0 + s2))
        model.denoiser[0].bias.zero_()
    far = model.chain(torch.full((50_000, 1), 9.0).double(), 60, generator(4))
    assert far.mean().item() == pytest.approx(0.0, abs=0.03) and far.var().item() == pytest.approx(1.0, abs=0.03)


def test_projection_brings_events_nearer_to_the_data():
    model = create("gsn", seed=1, event_shape=2, hidden=(64, 64), corruption=0.3, noise=0.3)
    model.fit(CURVE, steps=500, seed=0, learning_rate=5e-3, held_out=0.0)
    x = CURVE + torch.tensor([0.0, 1.0])

    def distance(y):
        return (y[:, 1] - y[:, 0].square()).abs().mean()

    assert distance(model.project(x)) < 0.6 * distance(x)
    assert model.energy(x, generator=generator(5)).mean() > model.energy(CURVE, generator=generator(5)).mean()


def test_walkback_is_the_mean_over_the_steps_of_its_chain():
    model = perturbed(gsn(walkback=2))
    x, source = torch.tensor([[0.0], [3.0]]).double(), generator(6)
    first = model.parameters_of(model.corrupt(x, source))
    second = model.parameters_of(model.corrupt(model.entries.draw(first, source), source))
    expected = -(model.entries.log_prob(x, first) + model.entries.log_prob(x, second)) / 2
    torch.testing.assert_close(model.loss(x, generator=generator(6)), expected)


def test_wrong_numbers_are_named():
    with pytest.raises(HyperparameterError, match="corruption"):
        create("gsn", event_shape=2, corruption=0.0)
