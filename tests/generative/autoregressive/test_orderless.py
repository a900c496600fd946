"""Orderless NADE, dense and convolutional: every order is a density, the loss is unbiased, subsets are completed."""

import itertools
import math

import pytest
import torch

from rlsuite.errors import HyperparameterError
from rlsuite.generative import create
from tests.generative.autoregressive.cases import discrete, small
from tests.generative.battery import all_events, generator, total_variation

MODELS = {
    "orderless-nade": {"event_shape": (2, 2), "n_values": 3, "hidden": (8,)},
    "conv-nade": {"event_shape": (2, 2), "n_values": 3, "channels": 4, "layers": 2},
}
every = pytest.mark.parametrize("name", MODELS)


@every
def test_every_order_is_normalised_and_they_differ_before_training(name):
    model = small(name, **MODELS[name])()
    events = all_events(model)
    each = [model.log_prob_in(order, events).detach() for order in itertools.permutations(range(4))]
    for log_p in each:
        assert log_p.double().exp().sum() == pytest.approx(1.0, abs=1e-5)
    assert not torch.allclose(each[0], each[-1], atol=1e-3)
    torch.testing.assert_close(each[0], model.log_prob(events).detach())


@every
def test_the_loss_is_an_unbiased_estimate_of_the_mean_over_orders(name):
    model = small(name, **MODELS[name])()
    x = discrete((2, 2), 3)[:1]
    exact = torch.stack([-model.log_prob_in(order, x) for order in itertools.permutations(range(4))]).mean()
    losses = model.loss(x.expand(20_000, -1, -1), generator=generator(1)).detach()
    assert losses.mean().item() == pytest.approx(exact.item(), abs=4 * losses.std().item() / math.sqrt(20_000))


@every
@pytest.mark.parametrize("given", [(0,), (3,), (1, 2), (0, 1, 3), ()], ids=str)
def test_completions_follow_the_mean_over_orders_that_begin_with_what_is_known(name, given):
    model = small(name, **MODELS[name])()
    known = discrete((2, 2), 3)[5]
    mask = torch.zeros(4, dtype=torch.bool)
    mask[list(given)] = True
    rest = [i for i in range(4) if i not in given]
    events = all_events(model)
    events = events[(events == known).flatten(1)[:, mask].all(1)]
    p = torch.zeros(len(events), dtype=torch.float64)
    orders = list(itertools.permutations(rest))
    for order in orders:
        q = model.log_prob_in([*given, *order], events).detach().double().exp()
        p += q / q.sum() / len(orders)
    drawn = model.sample(6000, known=known, mask=mask.reshape(2, 2), generator=generator(2))
    assert total_variation(drawn, p, events) < 1.5 * float((p * (1 - p) / 6000).sqrt().sum()) / 2 + 0.01


def test_it_fills_in_joints_that_follow_from_others():
    g = generator(0)
    pose = torch.randn(600, 1, generator=g)
    data = torch.cat([pose, -pose, 2.0 * pose], 1) + 0.05 * torch.randn(600, 3, generator=g)
    model = create("orderless-nade", seed=0, event_shape=3, n_values=0, components=2, hidden=(64, 64))
    model.fit(data, steps=300, learning_rate=3e-3)
    for seen in range(3):
        known = data[:200].clone()
        mask = torch.arange(3) == seen
        drawn = model.sample((), known=known, mask=mask, generator=generator(1))
        assert torch.equal(drawn[:, seen], known[:, seen])
        error = (drawn - known)[:, ~mask].square().mean().sqrt()
        assert error < 0.3 * known[:, ~mask].square().mean().sqrt()


def test_orders_that_are_none_are_named():
    model = small("orderless-nade", **MODELS["orderless-nade"])()
    with pytest.raises(HyperparameterError, match="permutation"):
        model.log_prob_in([0, 0, 1, 2], torch.zeros(2, 2))
    with pytest.raises(HyperparameterError, match="conv-nade"):
        create("conv-nade", event_shape=4)
