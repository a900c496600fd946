"""Deterministic policies as modules that need nothing of their agents: observations in, actions out, for export."""

from __future__ import annotations

import copy
import math
from typing import Any

import gymnasium as gym
import torch
from gymnasium import spaces
from torch import Tensor, nn

from rlsuite.agents.deep.distributions import (
    MASKED,
    Bernoulli,
    Categorical,
    DiagonalGaussian,
    Distribution,
    MultiCategorical,
    SquashedGaussian,
)
from rlsuite.agents.deep.normalisation import CLIP, EPSILON, ObservationNormaliser
from rlsuite.agents.deep.policies import ActorCriticPolicy
from rlsuite.agents.deep.q_networks import NoisyLinear, QNetwork


def detached(module: nn.Module) -> Any:
    """A copy on the CPU whose parameters lie each in memory of their own and take no gradients."""
    module = copy.deepcopy(module).cpu().eval()
    for parameter in module.parameters():
        parameter.grad = None
        parameter.requires_grad_(False)
        parameter.data = parameter.data.clone()
    return module


class GreedyPolicy(nn.Module):
    """The action of largest value; noisy layers without their noise."""

    support: Tensor

    def __init__(self, network: QNetwork, distributional: str, support: Tensor, space: gym.Space[Any]) -> None:
        super().__init__()
        assert isinstance(space, spaces.Discrete)
        self.network, self.kind, self.start = detached(network), distributional, int(space.start)
        self.register_buffer("support", support.detach().cpu().clone())
        for layer in self.network.modules():
            if isinstance(layer, NoisyLinear):
                layer.noise_in, layer.noise_out = torch.zeros(layer.in_features), torch.zeros(layer.out_features)

    def forward(self, observations: Any) -> Tensor:
        atoms = self.network(observations)
        if self.kind == "c51":
            values = atoms.softmax(2) @ self.support
        else:
            values = atoms.mean(2)
        return values.argmax(1) + self.start


class ModePolicy(nn.Module):
    """The mode of the action distribution, bounds and scale of the action space included."""

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        policy: ActorCriticPolicy,
        distribution: Distribution,
        space: gym.Space[Any],
        normaliser: ObservationNormaliser | None = None,
    ) -> None:
        super().__init__()
        self.encoder, self.actor, self.distribution = map(detached, (policy.encoder, policy.actor, distribution))
        self.space, self.normalises = space, normaliser is not None
        if normaliser is not None:
            self.register_buffer("mean", torch.tensor(normaliser.mean))
            self.register_buffer("scale", torch.tensor(normaliser.variance + EPSILON).sqrt())
        if isinstance(space, spaces.Box):
            self.register_buffer("low", torch.as_tensor(space.low))
            self.register_buffer("high", torch.as_tensor(space.high))
        if isinstance(space, spaces.MultiDiscrete):
            self.register_buffer("start", torch.as_tensor(space.start))

    def forward(self, observations: Any) -> Tensor:
        features = self.encoder(observations)
        if self.normalises:
            features = ((features - self.mean) / self.scale).clamp(-CLIP, CLIP).float()
        return self.mode(self.actor(features))

    def mode(self, outputs: Tensor) -> Tensor:
        """Actions as the environment takes them."""
        distribution, space = self.distribution, self.space
        if isinstance(distribution, Categorical) and isinstance(space, spaces.Discrete):
            return outputs.argmax(1) + int(space.start)
        if isinstance(distribution, MultiCategorical):
            logits = outputs[:, distribution.index].masked_fill(distribution.padding, MASKED)
            return logits.argmax(2).reshape(-1, *space.shape) + self.start  # type: ignore[misc, operator]
        if isinstance(distribution, Bernoulli):
            return (outputs > 0.0).to(torch.int8).reshape(-1, *space.shape)  # type: ignore[misc]
        assert isinstance(distribution, DiagonalGaussian)
        shape = distribution.env_shape
        raw = outputs[:, : math.prod(shape)].reshape(-1, *shape)
        if isinstance(distribution, SquashedGaussian):
            return self.low + 0.5 * (torch.tanh(raw) + 1.0) * (self.high - self.low)  # type: ignore[operator]
        if not distribution.bounded:
            return raw
        return torch.minimum(torch.maximum(raw, self.low), self.high)  # type: ignore[arg-type]
