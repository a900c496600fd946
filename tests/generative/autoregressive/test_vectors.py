"""Tabular, FVSBN, NADE, RNADE and MADE against counting, logistic regression, running sums and D passes."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from rlsuite.errors import HyperparameterError
from rlsuite.generative import create
from rlsuite.generative.autoregressive.heads import Mixture, head_for
from tests.generative.autoregressive.cases import conditions, discrete, real, small
from tests.generative.battery import all_events, generator


def test_a_table_holds_frequencies():
    data = discrete(4, 3, n=200)
    model = create("tabular", event_shape=4, n_values=3, pseudo_count=0.0)
    model.fit(data, steps=1, held_out=0.0)
    events, counts = data.unique(dim=0, return_counts=True)
    torch.testing.assert_close(model.log_prob(events).exp(), counts / 200)
    assert model.log_prob(all_events(model)).exp().sum() == pytest.approx(1.0)


def test_no_model_of_training_data_beats_the_table():
    data = discrete(5, n=400)
    table = create("tabular", event_shape=5, pseudo_count=0.0)
    table.fit(data, steps=1, held_out=0.0)
    best = table.log_prob(data).mean()
    for name, hyperparameters in (("fvsbn", {}), ("nade", {"hidden": 16}), ("made", {"hidden": (32,)})):
        model = create(name, seed=0, event_shape=5, **hyperparameters)
        before = model.log_prob(data).mean()
        model.fit(data, steps=150, learning_rate=0.03, held_out=0.0)
        assert before < model.log_prob(data).mean() <= best + 1e-5
        assert best - model.log_prob(data).mean() < 0.06


def test_fvsbn_is_one_logistic_regression_for_each_entry():
    data = discrete(4, n=500).double()
    model = create("fvsbn", event_shape=4).double()
    optimiser = torch.optim.LBFGS(model.parameters(), max_iter=200, tolerance_grad=1e-10, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        loss = model.loss(data).mean()
        loss.backward()
        return loss

    optimiser.step(closure)
    for i in range(4):
        features = torch.cat([data[:, :i], torch.ones(500, 1, dtype=torch.float64)], 1)
        w = torch.zeros(i + 1, dtype=torch.float64)
        for _ in range(30):  # Newton's method on the one regression
            p = torch.sigmoid(features @ w)
            w -= torch.linalg.solve(features.mT @ ((p * (1 - p))[:, None] * features), features.mT @ (p - data[:, i]))
        torch.testing.assert_close(model.weight[i, 0, :i, 0].detach(), w[:-1], atol=1e-4, rtol=1e-3)
        assert model.bias[i, 0].item() == pytest.approx(w[-1].item(), abs=1e-4)


def test_nade_is_d_networks_with_shared_weights():
    model = small("nade", event_shape=5, hidden=4, condition_shape=2, size=1.0)().double()
    x, c = discrete(5).double()[:7], conditions().double()[:7]
    for i in range(5):
        h = torch.sigmoid(model.bias + x[:, :i] @ model.weight[:i, 0] + c @ model.context.weight.mT)
        logit = model.out_bias[i, 0] + h @ model.out_weight[i, 0]
        expected = -F.binary_cross_entropy_with_logits(logit, x[:, i], reduction="none")
        torch.testing.assert_close(model.log_factors(x, c)[:, i], expected)


def test_rnade_draws_have_the_moments_of_its_density():
    model = create("rnade", seed=1, event_shape=2, components=2, hidden=8)
    model.fit(real(2), steps=50, learning_rate=0.01)
    axis = torch.linspace(-12.0, 12.0, 300)
    points = torch.cartesian_prod(axis, axis)
    weight = model.log_prob(points).detach().double().exp()
    weight = weight / weight.sum()
    mean = weight @ points.double()
    second = points.double().mT @ (weight[:, None] * points.double())
    drawn = model.sample(40_000, generator=generator(3)).double()
    torch.testing.assert_close(drawn.mean(0), mean, atol=0.03, rtol=0.0)
    torch.testing.assert_close(drawn.mT @ drawn / len(drawn), second, atol=0.08, rtol=0.0)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_made_depends_on_earlier_entries_alone_and_on_all_of_them_in_every_order(order):
    for seed in range(200):
        model = create("made", seed=seed, event_shape=3, order="random", mask_seed=seed, hidden=(12, 12))
        if tuple(model.causal_order()) == order:
            break
    for layer in model.network.linears:  # positive weights and no dead units: nothing cancels
        layer.weight.data.abs_()
        layer.bias.data.fill_(0.1)
    x = torch.ones(1, 3, 1)
    jacobian = torch.autograd.functional.jacobian(model.network, x).reshape(3, 3)
    rank = {entry: r for r, entry in enumerate(order)}
    expected = torch.tensor([[rank[j] < rank[i] for j in range(3)] for i in range(3)])
    assert torch.equal(jacobian != 0, expected)


@pytest.mark.parametrize(
    "hyperparameters",
    [
        {"event_shape": 12, "hidden": (40, 30)},
        {"event_shape": (3, 4), "n_values": 4, "hidden": (40, 30), "order": "random"},
        {"event_shape": 12, "n_values": 0, "components": 3, "hidden": (40,), "order": "random", "condition_shape": 2},
        {"event_shape": 12, "hidden": (5, 7), "masks": 3, "order": "random", "condition_shape": 2},
        {"event_shape": 1, "hidden": (5,)},
    ],
    ids=["binary", "categorical", "real", "masks", "one-entry"],
)
@pytest.mark.parametrize("arrays", [True, False], ids=["numpy", "torch"])
def test_one_pass_over_sorted_hidden_units_draws_what_d_passes_draw(hyperparameters, arrays, monkeypatch):
    if not arrays:  # as on an accelerator
        monkeypatch.setattr("rlsuite.generative.masked.fits_numpy", lambda x: False)
    model = small("made", **hyperparameters)().double()
    c = conditions()[:20].double() if "condition_shape" in hyperparameters else None
    with torch.no_grad():
        fast = model._draw(20, c, generator(5), by_passes=False)
        slow = model._draw(20, c, generator(5), by_passes=True)
    torch.testing.assert_close(fast, slow, rtol=1e-9, atol=1e-9)
    if model.support != "real":
        assert torch.equal(fast, slow)
    assert fast.std() > 0


def test_made_computes_each_hidden_unit_once_when_it_samples():
    widths = []
    model = create("made", seed=0, event_shape=10, hidden=(40, 30))
    inner = model.network.activation
    model.network.activation = lambda a, inplace: (widths.append(a.shape[0]), inner(a, inplace=inplace))[1]
    model.sample(3, generator=generator(0))
    assert sum(widths) == 40 + 30


def test_made_with_several_masks_is_their_mixture_and_trains_on_a_bound():
    model = small("made", event_shape=5, masks=4, order="random", hidden=(12,))()
    x = discrete(5)[:50]
    each = torch.stack([model._factors(x, None, which).sum(1) for which in range(4)])
    torch.testing.assert_close(model.log_prob(x), each.logsumexp(0) - math.log(4))
    model.train()
    losses = torch.stack([model.loss(x, generator=generator(s)) for s in range(40)])
    assert (losses.mean() > -model.log_prob(x).mean()) and len(losses.mean(1).unique()) == 4


def test_a_mixture_head_is_that_of_torch_distributions():
    head = Mixture(3, size=2)
    parameters = torch.randn(5, head.outputs, generator=generator(0), dtype=torch.float64)
    x = torch.randn(5, 2, generator=generator(1), dtype=torch.float64)
    mean, log_scale = parameters[:, 3:9].reshape(5, 3, 2), parameters[:, 9:].reshape(5, 3, 2)
    components = torch.distributions.Independent(torch.distributions.Normal(mean, log_scale.exp()), 1)
    mixing = torch.distributions.Categorical(logits=parameters[:, :3])
    reference = torch.distributions.MixtureSameFamily(mixing, components)
    torch.testing.assert_close(head.log_prob(parameters, x), reference.log_prob(x))
    wide = parameters[:1].expand(100_000, -1)
    drawn = head.draw(wide, head.noise((100_000,), wide, generator(2)))
    torch.testing.assert_close(drawn.mean(0), reference.mean[0], atol=0.03, rtol=0.02)
    torch.testing.assert_close(drawn.var(0), reference.variance[0], atol=0.05, rtol=0.03)


def test_values_that_are_none_are_named():
    with pytest.raises(HyperparameterError, match=r"made: entries are whole numbers from 0 to 1, not 0\.5"):
        create("made", event_shape=2).log_prob(torch.tensor([0.0, 0.5]))
    with pytest.raises(HyperparameterError, match="n_values"):
        head_for(1)
    with pytest.raises(HyperparameterError, match="at most 1048576 events"):
        create("tabular", event_shape=30)
