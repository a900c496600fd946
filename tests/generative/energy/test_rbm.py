"""The RBM against enumeration: partition function, stationary chain, gradients, annealed importance sampling."""

import itertools

import pytest
import torch

from rlsuite.errors import HyperparameterError
from rlsuite.generative import create
from rlsuite.generative.energy.rbm import all_states
from tests.generative.battery import generator, perturbed, total_variation
from tests.generative.energy.cases import BITS


def rbm(d=4, **arguments):
    model = create("rbm", seed=0, event_shape=d, **{"n_hidden": 3, **arguments}).double()
    return perturbed(model, size=0.8).train()


def probabilities(model):
    energy = model.energy(all_states(model.event_size, model.weight)).detach()
    return (-energy).softmax(0)


@pytest.mark.parametrize(("d", "n_hidden"), [(4, 3), (3, 4)])
def test_energy_and_partition_function_sum_the_joint_over_all_states(d, n_hidden):
    model, total, marginal = rbm(d, n_hidden=n_hidden), 0.0, []
    for v in itertools.product((0.0, 1.0), repeat=d):
        v, part = torch.tensor(v).double(), 0.0
        for h in itertools.product((0.0, 1.0), repeat=n_hidden):
            h = torch.tensor(h).double()
            part = part + (v @ model.weight @ h + model.visible_bias @ v + model.hidden_bias @ h).exp()
        marginal.append(part)
        total = total + part
    torch.testing.assert_close(model.log_partition(), total.log())
    torch.testing.assert_close(-model.energy(all_states(d, model.weight)), torch.stack(marginal).log())


def test_gibbs_sampling_leaves_the_distribution_as_it_is():
    """The chain's exact transition matrix: p T = p, by enumeration of both halves of a step."""
    model = rbm()
    v, h = all_states(4, model.weight), all_states(3, model.weight)

    def chances(logits, states):  # (n, units), (m, units) -> (n, m)
        return torch.stack([torch.distributions.Bernoulli(logits=logits).log_prob(s).sum(1).exp() for s in states], 1)

    transition = chances(model.hidden_logits(v), h) @ chances(model.visible_logits(h), v)
    torch.testing.assert_close(transition.sum(1), torch.ones(16).double())
    p = probabilities(model)
    torch.testing.assert_close(p @ transition, p)
    drawn = model.gibbs(v[3].expand(20_000, -1), 1, generator(1))
    assert total_variation(drawn, transition[3].detach(), v) < 0.02


def test_samples_and_completions_follow_the_density():
    model = rbm(sample_steps=50)
    v, p = all_states(4, model.weight), probabilities(model)
    assert total_variation(model.sample(10_000, generator=generator(2)), p, v) < 0.03
    mask = torch.tensor([True, False, True, False])
    matching = p * (v[:, mask] == v[5][mask]).all(1)
    drawn = model.sample(10_000, known=v[5], mask=mask, generator=generator(3))
    assert total_variation(drawn, matching / matching.sum(), v) < 0.03


def gradient(model, x, seed=0, copies=1):
    model.zero_grad()
    model.loss(x.repeat(copies, 1), generator=generator(seed)).mean().backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def cosine(a, b):
    return float(torch.nn.functional.cosine_similarity(a, b, dim=0))


def test_the_exact_gradient_is_that_of_the_log_likelihood():
    """Data expectation minus model expectation of v hᵀ, v and h, by enumeration."""
    model, x = rbm(gradient="exact"), BITS.double()
    v, p = all_states(4, model.weight), probabilities(model)
    with torch.no_grad():
        on, off = model.encode(x), model.encode(v)
        weight = v.mT @ (p[:, None] * off) - x.mT @ on / len(x)
        visible, hidden = p @ v - x.mean(0), p @ off - on.mean(0)
    torch.testing.assert_close(gradient(model, x), torch.cat([weight.flatten(), visible, hidden]))


def test_contrastive_divergence_goes_to_the_exact_gradient_with_its_steps():
    """CD-k's error falls with k, since the chain forgets the data."""
    exact, x, errors = gradient(rbm(gradient="exact"), BITS.double()), BITS.double(), []
    for steps in (1, 5, 25):
        estimate = gradient(rbm(gradient="cd", steps=steps), x, copies=300)
        errors.append(float((estimate - exact).norm() / exact.norm()))
    assert errors[0] > 2 * errors[1] and errors[2] < 0.05


def test_persistent_chains_give_the_exact_gradient_once_they_have_mixed():
    model = rbm(gradient="pcd", n_chains=20_000).train()
    model.chains.copy_(model.gibbs(model.chains, 50, generator(4)))
    before = model.chains.clone()
    estimate, exact = gradient(model, BITS.double()), gradient(rbm(gradient="exact"), BITS.double())
    assert float((estimate - exact).norm() / exact.norm()) < 0.05
    assert torch.equal(before, model.chains)  # asking for a loss moves nothing; a step of the optimiser does
    model._after_step()
    assert not torch.equal(before, model.chains)
    assert total_variation(model.chains, probabilities(model), all_states(4, model.weight)) < 0.03


def test_annealed_importance_sampling_finds_the_partition_function():
    model = rbm(8, n_hidden=6)
    exact = model.log_partition().item()
    estimate, error = model.annealed_log_partition(400, 300, generator(5))
    assert float(error) < 0.05 and abs(float(estimate) - exact) < 4.5 * float(error) + 1e-3
    means = [float(model.annealed_log_partition(2, 5, generator(s))[0]) for s in range(300)]
    assert sum(means) / 300 < exact  # few chains and temperatures: below, by Jensen's inequality


@pytest.mark.parametrize("kind", ["cd", "pcd", "exact"])
def test_fitting_finds_what_was_drawn(kind):
    truth = rbm()
    with torch.no_grad():
        truth.weight.mul_(4.0)
        truth.hidden_bias.copy_(-truth.weight.sum(0) / 2)
        truth.visible_bias.copy_(-truth.weight.sum(1) / 2)  # every entry is 1 half of the time; all is in the weights
    v, p = all_states(4, truth.weight), probabilities(truth)
    data = v[torch.multinomial(p, 4000, replacement=True, generator=generator(6))]
    model = create("rbm", seed=1, event_shape=4, n_hidden=4, gradient=kind, steps=5, n_chains=1000).double()
    model.fit(data, steps=600, seed=0, learning_rate=0.02, held_out=0.0, batch_size=500)
    kl = (p * (p / probabilities(model)).log()).sum()
    mean = data.mean(0)
    independent = torch.where(v > 0, mean, 1.0 - mean).prod(1)
    assert kl < 0.06 and kl < 0.2 * (p * (p / independent).log()).sum()


def test_in_evaluation_the_loss_is_minus_the_pseudo_likelihood():
    model = rbm().eval()
    v, p = all_states(4, model.weight), probabilities(model)
    index = {tuple(row): i for i, row in enumerate(v.tolist())}
    expected = []
    for row in v.tolist():
        total = 0.0
        for i in range(4):
            other = [1.0 - x if j == i else x for j, x in enumerate(row)]
            total -= (p[index[tuple(row)]] / (p[index[tuple(row)]] + p[index[tuple(other)]])).log()
        expected.append(total)
    torch.testing.assert_close(model.loss(v), torch.stack(expected))


def test_what_cannot_be_enumerated_is_named():
    with pytest.raises(HyperparameterError, match="annealed"):
        create("rbm", event_shape=20, n_hidden=20).log_partition()
    with pytest.raises(HyperparameterError, match="'cd', 'pcd' or 'exact'"):
        create("rbm", event_shape=4, gradient="sgd")
