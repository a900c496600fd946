"""The actor in numpy is the actor in torch; what networks take, by observation space."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from rlsuite.agents.deep.distributions import distribution_for
from rlsuite.agents.deep.networks import ACTIVATIONS
from rlsuite.agents.deep.observations import as_tensors, tree_map
from rlsuite.agents.deep.optimisation import Optimiser
from rlsuite.agents.deep.policies import ROWS, Actor, ActorCriticPolicy, Networks, in_pieces, values_of

CPU = torch.device("cpu")
OBSERVATIONS = {
    "box": spaces.Box(-3.0, 3.0, (2, 3)),
    "discrete": spaces.Discrete(5, start=2),
    "multi-discrete": spaces.MultiDiscrete([3, 4]),
    "multi-binary": spaces.MultiBinary(4),
    "dict": spaces.Dict(a=spaces.Box(-1.0, 1.0, (2,)), b=spaces.Discrete(3)),
    "image": spaces.Box(0, 255, (36, 36, 3), np.uint8),
}


def made(space, activation="tanh", net_arch="8,7"):
    distribution = distribution_for(spaces.Discrete(3))
    policy = ActorCriticPolicy(space, distribution, net_arch=net_arch, activation=activation, ortho_init=False)
    return policy, Optimiser(policy, learning_rate=0.1)


def batch_of(space, n):
    space.seed(0)
    samples = [space.sample() for _ in range(n)]
    return tree_map(lambda *rows: np.stack(rows), *samples)


def as_inputs(policy, batch):
    inputs = policy.inputs(batch)
    return inputs if policy.learned_encoder else inputs.astype(np.float32)


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_inputs_lead_to_the_same_features_as_the_encoder(name):
    policy, _ = made(OBSERVATIONS[name])
    batch = batch_of(OBSERVATIONS[name], 6)
    inputs = as_inputs(policy, batch)
    with torch.no_grad():
        expected = policy.encoder(as_tensors(batch, CPU))
        torch.testing.assert_close(policy.features(as_tensors(inputs, CPU)), expected)
    assert policy.learned_encoder == (name == "image")


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("net_arch", ["8,7", ""])
def test_actor_follows_the_parameters(activation, net_arch):
    policy, optimiser = made(OBSERVATIONS["box"], activation, net_arch)
    actor, inputs = Actor(policy, CPU), as_inputs(policy, batch_of(OBSERVATIONS["box"], 5))
    assert actor.layers  # in numpy
    for _ in range(2):
        with torch.no_grad():
            expected = policy.actor(torch.from_numpy(inputs)).numpy()
        np.testing.assert_allclose(actor(inputs), expected, rtol=1e-5, atol=1e-6)
        assert actor(inputs).dtype == np.float32
        before = expected
        optimiser.step(policy(torch.from_numpy(inputs))[0].square().sum())
    assert not np.allclose(actor(inputs), before)


def test_image_actor_goes_through_torch():
    policy, _ = made(OBSERVATIONS["image"])
    batch = batch_of(OBSERVATIONS["image"], 2)
    actor = Actor(policy, CPU)
    with torch.no_grad():
        expected = policy(as_tensors(batch, CPU))[0].numpy()
    assert not actor.layers
    np.testing.assert_allclose(actor(batch), expected, rtol=1e-5, atol=1e-6)


def test_values_of_many_rows_in_pieces():
    policy, _ = made(OBSERVATIONS["box"])
    inputs = torch.randn(ROWS + 5, 6, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        np.testing.assert_allclose(values_of(policy, inputs), policy(inputs)[1].numpy(), rtol=1e-5, atol=1e-6)
    pieces = in_pieces({"a": inputs, "b": inputs[:, :1]})
    assert [len(piece["b"]) for piece in pieces] == [ROWS, 5]


def test_orthogonal_beginning():
    """Hidden layers keep lengths times sqrt 2; the policy begins nearly uniform, the critic at gain 1."""
    space, distribution = spaces.Box(-1.0, 1.0, (4,)), distribution_for(spaces.Discrete(3))
    policy = ActorCriticPolicy(space, distribution, net_arch="8,8", activation="tanh", ortho_init=True)
    for mlp, last in ((policy.actor, 0.01), (policy.critic, 1.0)):
        hidden, final = mlp[0].weight.detach(), mlp[-1].weight.detach()
        torch.testing.assert_close(hidden.T @ hidden, 2.0 * torch.eye(4), rtol=0, atol=1e-5)
        torch.testing.assert_close(final @ final.T, last**2 * torch.eye(len(final)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("net_arch", ["8,7", ""])
@pytest.mark.parametrize("name", ["box", "image"])
def test_gradients_of_networks_equal_autograd(name, net_arch, activation):
    policy, optimiser = made(OBSERVATIONS[name], activation, net_arch)
    networks, rng = Networks(policy), torch.Generator().manual_seed(0)
    assert (networks.actor is not None) == (name == "box" and activation != "silu")
    inputs = as_tensors(as_inputs(policy, batch_of(OBSERVATIONS[name], 9)), CPU)
    a, b = torch.randn(9, 3, generator=rng), torch.randn(9, generator=rng)
    outputs, values = policy(inputs)
    ((a * outputs).sum() + (b * values).sum()).backward()
    expected = optimiser.flat.gradient.clone()
    optimiser.flat.gradient.zero_()
    torch.testing.assert_close(networks.forward(inputs), (outputs.detach(), values.detach()))
    networks.backward(a, b)
    torch.testing.assert_close(optimiser.flat.gradient, expected, rtol=1e-4, atol=1e-5)
