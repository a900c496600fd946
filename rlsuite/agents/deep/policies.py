"""Policies of on-policy agents: an encoder of observations, an actor and a critic on top of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor, nn

from rlsuite.agents.deep.distributions import Distribution
from rlsuite.agents.deep.networks import FlatEncoder, encoder_for, mlp, orthogonal, sizes_of
from rlsuite.agents.deep.observations import Batch, as_tensors
from rlsuite.agents.deep.perceptron import Perceptron

ROWS = 8192  # rows per forward pass over a whole rollout


class ActorCriticPolicy(nn.Module):
    """``actor(features)`` are the outputs of the action distribution, ``critic(features)`` the state value.

    Actor and critic are separate perceptrons; an encoder with weights (images) is shared. What the networks take are
    *inputs*: feature vectors where the encoder has no weights (computed once, when the observation arrives), else the
    observations themselves.

    Attributes:
        learned_encoder: whether the encoder has weights.
        features_dim: length of the feature vector.
    """

    def __init__(
        self,
        observation_space: gym.Space[Any],
        distribution: Distribution,
        *,
        net_arch: str,
        activation: str,
        ortho_init: bool,
        has_critic: bool = True,
    ) -> None:
        super().__init__()
        self.encoder = encoder_for(observation_space)
        self.distribution, self.activation = distribution, activation
        self.features_dim = self.encoder.features_dim
        self.learned_encoder = any(True for _ in self.encoder.parameters())
        hidden = sizes_of(net_arch)
        self.actor = mlp((self.features_dim, *hidden, distribution.n_outputs), activation)
        self.critic = mlp((self.features_dim, *hidden, 1), activation) if has_critic else None
        if ortho_init:
            orthogonal(self.encoder)
            orthogonal(self.actor, last_gain=0.01)
            if self.critic is not None:
                orthogonal(self.critic, last_gain=1.0)

    def inputs(self, observations: Batch) -> Batch:
        """What the networks take for a batch of observations, in numpy."""
        if self.learned_encoder:
            return observations
        if type(self.encoder) is FlatEncoder:
            return observations.reshape(len(observations), -1)
        device = next(self.actor.parameters()).device
        with torch.inference_mode():
            return self.encoder(as_tensors(observations, device)).cpu().numpy()

    def features(self, inputs: Any) -> Tensor:
        """Features of inputs given as tensors."""
        return self.encoder(inputs) if self.learned_encoder else inputs

    def forward(self, inputs: Any) -> tuple[Tensor, Tensor]:
        """Outputs ``(batch, n_outputs)`` of the actor and values ``(batch,)``."""
        features = self.features(inputs)
        return self.actor(features), self.critic(features)[:, 0]  # type: ignore[misc]


class Networks:
    """Outputs and values of a policy, and the way back from their gradients to the parameters'.

    Small perceptrons are differentiated by :class:`Perceptron`, all others by autograd.
    """

    def __init__(self, policy: ActorCriticPolicy) -> None:
        self.policy = policy
        self.actor: Perceptron | None = None
        self.critic: Perceptron | None = None
        if not policy.learned_encoder and Perceptron.covers(policy.activation):
            self.actor = Perceptron(policy.actor, policy.activation)
            if policy.critic is not None:
                self.critic = Perceptron(policy.critic, policy.activation)
        self._graph: list[Tensor] = []

    def forward(self, inputs: Any) -> tuple[Tensor, Any]:
        """Outputs ``(batch, n_outputs)`` of the actor and values ``(batch,)`` (or None), without their graphs."""
        if self.actor is not None:
            return self.actor(inputs), None if self.critic is None else self.critic(inputs)[:, 0]
        features = self.policy.features(inputs)
        self._graph = [self.policy.actor(features)]
        if self.policy.critic is not None:
            self._graph.append(self.policy.critic(features)[:, 0])
        return self._graph[0].detach(), self._graph[1].detach() if len(self._graph) > 1 else None

    def backward(self, outputs: Tensor, values: Tensor | None) -> None:
        """Set the gradients of all parameters of actor, critic and encoder, which must be zero, from those given."""
        if self.actor is None:
            torch.autograd.backward(self._graph, [outputs] if values is None else [outputs, values])
            return
        self.actor.backward(outputs)
        if self.critic is not None and values is not None:
            self.critic.backward(values[:, None])


class Actor:
    """The actor as a numpy function, for acting: on the CPU a small perceptron costs a third of what torch takes.

    Reads the policy's parameters where they lie, so it follows every update; make it after the optimiser, which moves
    them. Encoders with weights, and other devices, go through torch.
    """

    def __init__(self, policy: ActorCriticPolicy, device: torch.device) -> None:
        self.policy, self.device = policy, device
        self.layers: list[tuple[NDArray[Any], NDArray[Any]]] = []
        if device.type == "cpu" and not policy.learned_encoder:
            linear = [layer for layer in policy.actor if isinstance(layer, nn.Linear)]
            self.layers = [(layer.weight.detach().numpy().T, layer.bias.detach().numpy()) for layer in linear]
            kinds = {type(layer) for layer in policy.actor} - {nn.Linear}
            self.activation = NUMPY_ACTIVATIONS[kinds.pop()] if kinds else np.tanh

    def __call__(self, inputs: Batch) -> NDArray[np.float32]:
        """``(batch, n_outputs)``."""
        if not self.layers:
            with torch.inference_mode():
                return self.policy.actor(self.policy.features(as_tensors(inputs, self.device))).cpu().numpy()
        x = inputs
        for weight, bias in self.layers[:-1]:
            x = self.activation(x @ weight + bias)
        weight, bias = self.layers[-1]
        return x @ weight + bias


NUMPY_ACTIVATIONS: dict[type[nn.Module], Callable[[NDArray[Any]], NDArray[Any]]] = {
    nn.Tanh: np.tanh,
    nn.ReLU: lambda x: np.maximum(x, 0.0),
    nn.ELU: lambda x: np.where(x > 0.0, x, np.expm1(np.minimum(x, 0.0))),
    nn.SiLU: lambda x: x * (0.5 + 0.5 * np.tanh(0.5 * x)),
}


def values_of(policy: ActorCriticPolicy, inputs: Any) -> NDArray[np.float64]:
    """V of many inputs (tensors), in pieces that fit into memory."""
    assert policy.critic is not None
    with torch.inference_mode():
        pieces = [policy.critic(policy.features(piece)) for piece in in_pieces(inputs)]
    return torch.cat(pieces)[:, 0].cpu().numpy().astype(np.float64)


def in_pieces(inputs: Any) -> list[Any]:
    """Inputs in pieces of at most ``ROWS`` rows."""
    if not isinstance(inputs, dict):
        return list(inputs.split(ROWS))
    keys = list(inputs)
    return [dict(zip(keys, piece, strict=True)) for piece in zip(*(inputs[k].split(ROWS) for k in keys), strict=True)]


def takes_vectors(space: gym.Space[Any]) -> bool:
    """Whether observations are (or encode to) plain vectors, so that they can be normalised."""
    leaves = space.spaces.values() if isinstance(space, spaces.Dict) else [space]
    return all(len(leaf.shape or ()) < 3 for leaf in leaves)
