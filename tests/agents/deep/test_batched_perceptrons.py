"""Hand-written passes of perceptrons, one and several, against autograd."""

import pytest
import torch
from torch import nn

from rlsuite.agents.deep.batched_perceptrons import BatchedPerceptrons
from rlsuite.agents.deep.networks import mlp
from rlsuite.agents.deep.optimisation import Optimiser
from rlsuite.agents.deep.perceptron import ACTIVATIONS, Perceptron


def members_and_passes(n, sizes, activation):
    torch.manual_seed(0)
    members = [mlp(sizes, activation).double() for _ in range(n)]
    layers = list(zip(*([m for m in member if isinstance(m, nn.Linear)] for member in members), strict=True))
    weights = nn.ParameterList(torch.stack([layer.weight.detach().T for layer in row]) for row in layers)
    biases = nn.ParameterList(torch.stack([layer.bias.detach()[None] for layer in row]) for row in layers)
    holder = nn.ModuleList([weights, biases])
    optimiser = Optimiser(holder, learning_rate=1e-3)
    return members, BatchedPerceptrons.stacked(weights, biases, activation), weights, biases, optimiser


@pytest.mark.parametrize("sizes", [(3, 2), (3, 5, 2), (4, 6, 5, 1)])
@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_outputs_and_gradients_are_those_of_autograd(activation, n, sizes):
    members, passes, weights, biases, optimiser = members_and_passes(n, sizes, activation)
    for batch in (7, 4, 7):  # buffers are made anew for another batch
        x = torch.randn(batch, sizes[0], dtype=torch.float64, requires_grad=True)
        target = torch.randn(n, batch, sizes[-1], dtype=torch.float64)
        expected = torch.stack([member(x) for member in members])
        for member in members:
            member.zero_grad()
        (expected * target).sum().backward()
        torch.testing.assert_close(passes.forward(x.detach()), expected.detach())
        optimiser.flat.gradient.fill_(float("nan"))  # gradients are written, not added to
        torch.testing.assert_close(passes.backward(target, inputs=True), x.grad)
        for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            linear = [[m for m in member if isinstance(m, nn.Linear)][i] for member in members]
            torch.testing.assert_close(weight.grad, torch.stack([layer.weight.grad.T for layer in linear]))
            torch.testing.assert_close(bias.grad, torch.stack([layer.bias.grad[None] for layer in linear]))


def test_gradients_of_inputs_alone_leave_those_of_parameters():
    _, passes, _, _, optimiser = members_and_passes(2, (3, 5, 1), "relu")
    passes.forward(torch.randn(4, 3, dtype=torch.float64))
    optimiser.flat.gradient.fill_(3.0)
    whole = passes.backward(torch.ones(2, 4, 1, dtype=torch.float64), parameters=False, inputs=True)
    assert whole.shape == (4, 3)
    assert (optimiser.flat.gradient == 3.0).all()
    assert passes.backward(torch.ones(2, 4, 1, dtype=torch.float64)) is None


@pytest.mark.parametrize("sizes", [(3, 2), (3, 5, 2), (4, 6, 5, 1)])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_one_perceptron_has_the_outputs_and_gradients_of_autograd(activation, sizes):
    torch.manual_seed(0)
    network = mlp(sizes, activation).double()
    flat = Optimiser(network, learning_rate=0.1).flat
    perceptron = Perceptron(network, activation)
    for batch in (7, 4):
        x, target = (torch.randn(batch, size, dtype=torch.float64) for size in (sizes[0], sizes[-1]))
        flat.gradient.zero_()
        expected = network(x)
        expected.backward(target)
        gradient = flat.gradient.clone()
        torch.testing.assert_close(perceptron(x), expected.detach())
        flat.gradient.fill_(float("nan"))  # gradients are written, not added to
        perceptron.backward(target)
        torch.testing.assert_close(flat.gradient, gradient)


def test_it_reads_the_network_where_the_optimiser_moved_it():
    network = mlp((3, 4, 2), "tanh")
    optimiser = Optimiser(network, learning_rate=0.1)
    passes = BatchedPerceptrons.of(network, "tanh")
    x = torch.randn(5, 3)
    for _ in range(2):
        torch.testing.assert_close(passes.forward(x)[0], network(x).detach())
        optimiser.flat.gradient.zero_()
        network(x).square().sum().backward()
        expected = optimiser.flat.gradient.clone()
        optimiser.flat.gradient.fill_(float("nan"))
        passes.backward(2.0 * passes.forward(x))
        torch.testing.assert_close(optimiser.flat.gradient, expected)
        optimiser.apply()
