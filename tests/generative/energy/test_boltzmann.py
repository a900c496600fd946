"""The Boltzmann machine against enumeration."""

import pytest
import torch

from rlsuite.errors import HyperparameterError
from rlsuite.generative import create
from rlsuite.generative.energy.rbm import all_states
from tests.generative.battery import generator, perturbed, total_variation
from tests.generative.energy.cases import BITS


def machine(d=4, n_hidden=2, **arguments):
    model = create("boltzmann", seed=0, event_shape=d, n_hidden=n_hidden, **arguments).double()
    return perturbed(model, size=0.8).train()


def joint(model):
    """All states of all units and their probabilities, by the definition."""
    s, u = all_states(len(model.bias), model.bias), model.interactions.detach()
    exponent = torch.tensor([0.5 * float(row @ u @ row) for row in s]).double() + s @ model.bias.detach()
    return s, exponent


@pytest.mark.parametrize("n_hidden", [0, 2])
def test_energy_sums_the_hidden_units_out(n_hidden):
    model = machine(n_hidden=n_hidden)
    _, exponent = joint(model)
    summed = exponent.reshape(16, 2**n_hidden).logsumexp(1)
    torch.testing.assert_close(-model.energy(all_states(4, model.bias)).detach(), summed)
    torch.testing.assert_close(model.log_partition().detach(), exponent.logsumexp(0))
    assert torch.equal(model.interactions, model.interactions.mT) and not model.interactions.diagonal().any()


def test_sweeps_leave_the_distribution_as_it_is():
    model = machine(3, 1)
    s, exponent = joint(model)
    p = exponent.softmax(0)
    start = s[torch.multinomial(p, 60_000, replacement=True, generator=generator(1))]
    assert total_variation(model.sweep(start, None, generator(2)), p, s) < 0.01
    far = model.sweep(s[:1].expand(60_000, -1), None, generator(3))
    assert total_variation(far, p, s) > 0.025  # one sweep does not forget where it began


def test_samples_and_completions_follow_the_density():
    model = machine(sample_steps=40)
    v = all_states(4, model.bias)
    p = (-model.energy(v)).softmax(0).detach()
    assert total_variation(model.sample(10_000, generator=generator(4)), p, v) < 0.03
    mask = torch.tensor([False, True, True, False])
    matching = p * (v[:, mask] == v[6][mask]).all(1)
    drawn = model.sample(10_000, known=v[6], mask=mask, generator=generator(5))
    assert total_variation(drawn, matching / matching.sum(), v) < 0.03


def gradient(model):
    model.loss(BITS.double(), generator=generator()).mean().backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def test_the_gradient_is_the_correlations_clamped_minus_those_free():
    """Of log p: ⟨sᵢ sⱼ⟩ with the data clamped − ⟨sᵢ sⱼ⟩ free (Ackley et al., equation 9)."""
    model = machine(gradient="exact")
    s, exponent = joint(model)
    free = exponent.softmax(0)
    clamped = exponent.reshape(16, 4).softmax(1) / len(BITS)  # p(h | v)
    index = (BITS.long() * torch.tensor([8, 4, 2, 1])).sum(1)
    clamped = (torch.bincount(index, minlength=16)[:, None] * clamped).flatten()
    difference = free - clamped
    row, column = torch.triu_indices(6, 6, 1)
    couplings = (s.mT @ (difference[:, None] * s))[row, column]
    torch.testing.assert_close(gradient(model), torch.cat([couplings, difference @ s]))


def test_persistent_chains_give_the_exact_gradient_once_they_have_mixed():
    model = machine(n_chains=40_000, steps=20)
    estimate, exact = gradient(model), gradient(machine(gradient="exact"))
    assert float((estimate - exact).norm() / exact.norm()) < 0.05


def test_pairs_of_visible_units_cannot_learn_parity_and_hidden_ones_can():
    """v₃ = v₁ xor v₂ has no correlation in any pair: log 8 nats without hidden units, log 4 at best."""
    v = all_states(3, torch.zeros(()))
    data = v[v.sum(1) % 2 == 0].repeat(25, 1)
    losses = []
    for n_hidden in (0, 3):
        model = create("boltzmann", seed=2, event_shape=3, n_hidden=n_hidden, gradient="exact")
        perturbed(model, size=0.5)
        model.fit(data, steps=400, seed=0, learning_rate=0.1, held_out=0.0, batch_size=100)
        losses.append(model.loss(data).mean().item())
    assert losses[0] > 2.07 and losses[1] < 1.45  # log 8 = 2.079, log 4 = 1.386


def test_in_evaluation_the_loss_is_minus_the_pseudo_likelihood():
    model = machine().eval()
    v = all_states(4, model.bias)
    energy, total = model.energy(v).detach(), torch.zeros(16).double()
    for i, bit in enumerate((8, 4, 2, 1)):
        other = energy[torch.arange(16) ^ bit]
        assert v[0, i] != v[0 ^ bit, i]
        total -= torch.sigmoid(other - energy).log()
    torch.testing.assert_close(model.loss(v).detach(), total)


def test_what_cannot_be_enumerated_is_named():
    with pytest.raises(HyperparameterError, match="from 0 to 10"):
        create("boltzmann", event_shape=4, n_hidden=11)
    with pytest.raises(HyperparameterError, match="at most 16"):
        create("boltzmann", event_shape=17, gradient="exact")
