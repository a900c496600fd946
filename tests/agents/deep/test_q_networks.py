"""Heads, noise and written-out gradients of Q-networks are those of their equations."""

from itertools import product

import numpy as np
import pytest
import torch
from gymnasium import spaces

from rlsuite.agents.deep.optimisation import FlatParameters, ModuleState
from rlsuite.agents.deep.q_networks import NoisyLinear, QNetwork
from rlsuite.errors import RecordError

SPACE = spaces.Box(-1, 1, (5,), np.float32)
X = torch.linspace(-1, 1, 35).view(7, 5)


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def network(**kwargs):
    return QNetwork(SPACE, 3, **({"hidden": (8, 6), "activation": "tanh"} | kwargs))


def test_noisy_layer_is_its_equation():
    layer = NoisyLinear(4, 3, 0.5)
    e_in, e_out, x = torch.randn(4), torch.randn(3), torch.randn(6, 4)
    f = lambda e: e.sign() * e.abs().sqrt()  # noqa: E731
    layer.noise_in, layer.noise_out = f(e_in), f(e_out)
    weight = layer.weight + layer.weight_sigma * torch.outer(f(e_out), f(e_in))
    bias = layer.bias + layer.bias_sigma * f(e_out)
    torch.testing.assert_close(layer(x), x @ weight.T + bias)
    assert layer.weight.abs().max() <= 0.5 and torch.all(layer.weight_sigma == 0.25)  # 1/sqrt(4), 0.5/sqrt(4)


def test_noise_has_the_moments_of_f_of_a_normal_and_belongs_to_the_generator():
    # f(e)^2 = |e|: mean sqrt(2/pi); f(e) has mean 0
    net, again = network(hidden=(400, 400), noise_scale=0.5), network(hidden=(400, 400), noise_scale=0.5)
    global_state = torch.get_rng_state()
    net.reset_noise(torch.Generator().manual_seed(1))
    again.reset_noise(torch.Generator().manual_seed(1))
    assert torch.equal(torch.get_rng_state(), global_state)
    assert torch.equal(net.noise, again.noise)
    n = net.noise.numel()
    assert n == 5 + 400 + 400 + 400 + 400 + 3
    assert abs(net.noise.mean()) < 4 / np.sqrt(n)
    assert abs((net.noise**2).mean() - np.sqrt(2 / np.pi)) < 4 * np.sqrt((1 - 2 / np.pi) / n)


def test_network_without_noise_is_the_mean_network_and_noise_comes_back():
    net = network(noise_scale=0.5)
    net.reset_noise(torch.Generator().manual_seed(0))
    noisy, noise = net(X), net.noise.clone()
    with net.with_noise(0.0):
        mean = net(X)
    plain = X
    for layer in (*net.body, net.head):
        plain = (
            torch.nn.functional.linear(plain, layer.weight, layer.bias) if hasattr(layer, "weight") else layer(plain)
        )
    torch.testing.assert_close(mean.squeeze(2), plain)
    assert not torch.allclose(noisy, mean)
    assert torch.equal(net.noise, noise) and torch.equal(net(X), noisy)


def test_noise_reaches_every_layer_and_every_scale_has_a_gradient():
    net = network(noise_scale=0.5, dueling=True, n_atoms=4)
    net.reset_noise(torch.Generator().manual_seed(0))
    net(X).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


def test_noise_is_part_of_the_saved_state():
    one, two = network(noise_scale=0.5), network(noise_scale=0.5)
    one.reset_noise(torch.Generator().manual_seed(3))
    ModuleState(two).load_state({k: a.copy() for k, a in ModuleState(one).state_arrays().items()}, {})
    assert torch.equal(one(X), two(X))
    with pytest.raises(RecordError, match="noise is"):
        ModuleState(network(hidden=(9, 6), noise_scale=0.5)).load_state(ModuleState(one).state_arrays(), {})


def test_dueling_head_is_value_plus_centred_advantage():
    net = network(dueling=True, n_atoms=2)
    q = net(X)
    head = net.head(net.body(X)).view(7, 4, 2)
    value, advantage = head[:, 0], head[:, 1:]
    for a in range(3):
        torch.testing.assert_close(q[:, a], value + advantage[:, a] - advantage.sum(1) / 3)
    torch.testing.assert_close(q.mean(1), value)  # which makes the two identifiable


@pytest.mark.parametrize(
    ("activation", "dueling", "n_atoms"), list(product(["relu", "tanh", "elu"], [False, True], [1, 4]))
)
def test_written_out_passes_are_those_of_autograd(activation, dueling, n_atoms):
    net = network(activation=activation, dueling=dueling, n_atoms=n_atoms).double()
    flat = FlatParameters(net)
    x, weights = X.double() * 3, torch.randn(7, 3, n_atoms, dtype=torch.float64)
    q = net.encoder.forward(x)
    assert q.dtype == torch.float32  # encoders give floats
    net.encoder.forward = lambda observations: observations
    (net(x) * weights).sum().backward()
    expected = flat.gradient.clone()
    flat.gradient.fill_(17.0)  # must be overwritten
    net.write_out()
    torch.testing.assert_close(net.evaluate(x), net(x))
    assert not net.evaluate(x).requires_grad
    net.backward(weights)
    torch.testing.assert_close(flat.gradient, expected)


@pytest.mark.parametrize(("activation", "dueling"), list(product(["relu", "tanh", "elu"], [False, True])))
def test_written_out_passes_of_noisy_networks_are_those_of_autograd(activation, dueling):
    net = network(activation=activation, dueling=dueling, n_atoms=4, noise_scale=0.5)
    flat = FlatParameters(net)
    net.write_out()
    weights, generator = torch.randn(7, 3, 4), torch.Generator().manual_seed(3)
    for _ in range(2):  # the noise is that of the moment
        net.reset_noise(generator)
        flat.gradient.zero_()
        (net(X) * weights).sum().backward()
        expected = flat.gradient.clone()
        flat.gradient.fill_(17.0)
        assert torch.equal(net.evaluate(X), net(X))
        net.backward(weights)
        torch.testing.assert_close(flat.gradient, expected)


def test_networks_that_are_not_written_out_evaluate_the_same():
    net = network(activation="silu")
    net.write_out()
    assert net.perceptron is None
    torch.testing.assert_close(net.evaluate(X), net(X))


def test_images_and_dictionaries_reach_the_head():
    space = spaces.Dict({"image": spaces.Box(0, 255, (36, 36, 3), np.uint8), "place": spaces.Discrete(5)})
    net = QNetwork(space, 2, hidden=(16,), activation="relu", dueling=True, n_atoms=3, noise_scale=0.1)
    net.write_out()
    image = torch.randint(0, 255, (4, 36, 36, 3), dtype=torch.uint8)
    one = net.evaluate({"image": image, "place": torch.tensor([0, 1, 2, 3])})
    assert one.shape == (4, 2, 3)
    assert not torch.allclose(one, net.evaluate({"image": image, "place": torch.tensor([4, 1, 2, 3])}))
    assert not torch.allclose(one, net.evaluate({"image": 255 - image, "place": torch.tensor([0, 1, 2, 3])}))
