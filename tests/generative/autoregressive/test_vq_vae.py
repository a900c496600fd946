"""VQ-VAE: nearest codes, the straight-through gradient, centroids, and the bound against the sum over all tokens."""

import itertools

import pytest
import torch

from rlsuite.errors import HyperparameterError
from rlsuite.generative import create
from rlsuite.generative.autoregressive.quantiser import Quantiser
from tests.generative.autoregressive.cases import discrete, small
from tests.generative.battery import all_events, generator, total_variation

SMALL = {"event_shape": 4, "n_values": 2, "tokens": 2, "codes": 3, "code_size": 2, "hidden": (8,), "prior_width": 8}


def evidence(model, x):
    """log p(x) by summing over every pair of tokens."""
    total = []
    for tokens in itertools.product(range(model.codes), repeat=model.tokens):
        index = torch.tensor(tokens)
        parameters = model._parameters_of(model.quantiser.codebook[index][None])
        likelihood = model.head.log_prob(parameters, x.unsqueeze(-1)).sum(1)
        total.append(likelihood + model.prior.log_prob(index.to(x)))
    return torch.stack(total).logsumexp(0).detach()


def test_codes_are_the_nearest_and_gradients_go_straight_through():
    quantiser = Quantiser(7, 3, 0.9)
    z = torch.randn(20, 3, generator=generator(0)).requires_grad_()
    codes, index = quantiser(z)
    assert torch.equal(index, torch.cdist(z.detach(), quantiser.codebook).argmin(-1))
    torch.testing.assert_close(codes, quantiser.codebook[index])
    weights = torch.randn(20, 3, generator=generator(1))
    (gradient,) = torch.autograd.grad((codes * weights).sum(), z)
    torch.testing.assert_close(gradient, weights)


def test_codes_become_the_centroids_of_their_vectors_and_unused_ones_begin_anew():
    quantiser = Quantiser(3, 2, 0.5)
    quantiser.reset(torch.tensor([[0.0, 0.0], [10.0, 0.0], [500.0, 500.0]]))
    near, far = torch.randn(30, 2, generator=generator(0)), torch.randn(50, 2, generator=generator(1)) + 10.0
    z, index = torch.cat([near, far]), torch.cat([torch.zeros(30), torch.ones(50)]).long()
    for _ in range(40):
        quantiser.update(z, index, spare=torch.full((3, 2), 7.0))
    torch.testing.assert_close(quantiser.codebook[0], near.mean(0), atol=1e-4, rtol=0.0)
    torch.testing.assert_close(quantiser.codebook[1], far.mean(0), atol=1e-4, rtol=0.0)
    assert (quantiser.codebook[2] < 8.0).all()


def test_the_bound_is_below_the_evidence_and_samples_follow_it():
    model = small("vq-vae", size=0.5, **SMALL)().eval()
    events = all_events(model)
    log_p = evidence(model, events)
    assert log_p.double().exp().sum() == pytest.approx(1.0, abs=1e-5)
    bound = model.bound(events).detach()
    assert (bound < log_p).all()
    p = log_p.double().exp()
    drawn = model.sample(6000, generator=generator(3))
    assert total_variation(drawn, p, events) < 1.5 * float((p * (1 - p) / 6000).sqrt().sum()) / 2 + 0.01


def test_training_uses_the_codes_and_raises_the_bound():
    data = discrete(8, n=600)
    model = create(
        "vq-vae", seed=0, event_shape=8, n_values=2, tokens=2, codes=16, code_size=4, hidden=(32,), prior_width=16
    )
    before = model.bound(data).mean()
    model.fit(data, steps=250, learning_rate=5e-3)
    assert model.bound(data).mean() > before + 0.5
    assert 4.0 < model.perplexity(data) <= 16.0
    agreement = (model.decode(model.encode(data)) == data).float().mean()
    assert agreement > 0.85


def test_senseless_sizes_are_named():
    with pytest.raises(HyperparameterError, match="codes at least 2"):
        create("vq-vae", event_shape=4, codes=1)
