"""Networks for action values: encoder, hidden layers and a head; dueling, noisy and distributional heads combine.

The head gives ``n_atoms`` numbers for every action: 1 for plain values; the logits of a categorical distribution over
fixed returns for C51 (Bellemare et al. 2017); the quantiles of the return for QR-DQN (Dabney et al. 2018). A dueling
head (Wang et al. 2016, equation 9) adds up, atom by atom,

    Q(s, a) = V(s) + A(s, a) - mean_b A(s, b).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import gymnasium as gym
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rlsuite.agents.deep.networks import ACTIVATIONS, encoder_for
from rlsuite.agents.deep.perceptron import NoisyPerceptron, Perceptron


class NoisyLinear(nn.Linear):
    """A linear layer whose weights carry factorised Gaussian noise of learned scale (Fortunato et al. 2018).

    With f(x) = sgn(x) sqrt|x| and independent standard normal e_in, e_out (equations 10 and 11; 9 for the layer):

        y = (mu_w + sigma_w * f(e_out) f(e_in)^T) x + mu_b + sigma_b * f(e_out)

    Means start uniform in +-1/sqrt(inputs), scales at ``sigma``/sqrt(inputs). Noise of zero leaves the mean layer.

    Attributes:
        noise_in, noise_out: f of the noise; parts of one vector that the network owns (:class:`QNetwork`).
    """

    def __init__(self, inputs: int, outputs: int, sigma: float) -> None:
        super().__init__(inputs, outputs)
        bound = 1 / math.sqrt(inputs)
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)
        self.weight_sigma = nn.Parameter(torch.full((outputs, inputs), sigma * bound))
        self.bias_sigma = nn.Parameter(torch.full((outputs,), sigma * bound))
        self.noise_in, self.noise_out = torch.zeros(inputs), torch.zeros(outputs)

    def forward(self, x: Tensor) -> Tensor:
        # the noise of the weights is of rank one: it is applied to inputs and outputs, not to the matrix
        noise = F.linear(x * self.noise_in, self.weight_sigma, self.bias_sigma)
        return F.linear(x, self.weight, self.bias) + noise * self.noise_out


class QNetwork(nn.Module):
    """Observations to ``(batch, n_actions, n_atoms)``.

    Args:
        hidden: sizes of the hidden layers behind the encoder.
        noise_scale: initial scale of the noise of every layer behind the encoder; ``None``: layers without noise.

    Attributes:
        noise: ``(n,)`` the noise in use, f applied, of all layers; zeros give the mean network.
        perceptron: the layers behind the encoder with their gradient written out, after :meth:`write_out`.
    """

    noise: Tensor

    def __init__(
        self,
        observation_space: gym.Space[Any],
        n_actions: int,
        *,
        hidden: tuple[int, ...],
        activation: str,
        n_atoms: int = 1,
        dueling: bool = False,
        noise_scale: float | None = None,
        device: torch.device | None = None,
    ) -> None:
        super().__init__()
        self.n_actions, self.n_atoms, self.dueling, self.activation = n_actions, n_atoms, dueling, activation
        self.perceptron: Perceptron | None = None

        def linear(inputs: int, outputs: int) -> nn.Linear:
            return nn.Linear(inputs, outputs) if noise_scale is None else NoisyLinear(inputs, outputs, noise_scale)

        self.encoder = encoder_for(observation_space)
        sizes = (self.encoder.features_dim, *hidden)
        layers = ([linear(i, o), ACTIVATIONS[activation]()] for i, o in pairwise(sizes))
        self.body = nn.Sequential(*(layer for pair in layers for layer in pair))
        self.head = linear(sizes[-1], (n_actions + dueling) * n_atoms)  # dueling: the value is one more row
        self.to(device)
        noisy = [layer for layer in self.modules() if isinstance(layer, NoisyLinear)]
        length = sum(layer.in_features + layer.out_features for layer in noisy)
        self.register_buffer("noise", torch.zeros(length, device=device))
        parts = iter(self.noise.split([n for layer in noisy for n in (layer.in_features, layer.out_features)]))
        for layer in noisy:
            layer.noise_in, layer.noise_out = next(parts), next(parts)

    def forward(self, observations: Any) -> Tensor:
        return self._combined(self.head(self.body(self.encoder(observations))))

    def _combined(self, x: Tensor) -> Tensor:
        x = x.view(x.shape[0], -1, self.n_atoms)
        if not self.dueling:
            return x
        value, advantage = x[:, :1], x[:, 1:]
        return value + advantage - advantage.mean(1, keepdim=True)

    # -- without autograd ---------------------------------------------------------------------------------------------

    def write_out(self) -> None:
        """From here on, :meth:`evaluate` and :meth:`backward` do without autograd where the network allows it.

        Call it when the parameters are where they will stay.
        """
        if Perceptron.covers(self.activation) and not any(True for _ in self.encoder.parameters()):
            kind = NoisyPerceptron if self.noisy else Perceptron
            self.perceptron = kind((*self.body, self.head), self.activation)

    def evaluate(self, observations: Any) -> Tensor:
        """:meth:`forward`, unknown to autograd."""
        if self.perceptron is not None:
            return self._combined(self.perceptron(self.encoder.forward(observations)))
        with torch.no_grad():
            return self.forward(observations)

    def backward(self, gradient: Tensor) -> None:
        """Set the parameters' gradients from ``(batch, n_actions, n_atoms)``, that of the newest :meth:`evaluate`."""
        if self.dueling:
            gradient = torch.cat([gradient.sum(1, keepdim=True), gradient - gradient.mean(1, keepdim=True)], 1)
        assert self.perceptron is not None
        self.perceptron.backward(gradient.flatten(1))

    # -- noise --------------------------------------------------------------------------------------------------------

    @property
    def noisy(self) -> bool:
        return self.noise.numel() > 0

    def reset_noise(self, generator: torch.Generator) -> None:
        """Draw new noise for every layer."""
        if self.noisy:
            self.noise.normal_(generator=generator)
            self.noise.copy_(self.noise.sign() * self.noise.abs().sqrt_())

    @contextmanager
    def with_noise(self, drawn: Tensor | float) -> Iterator[None]:
        """Other noise inside: standard normal numbers, or 0.0 for the mean network."""
        before = self.noise.clone()
        drawn = torch.as_tensor(drawn, dtype=before.dtype, device=before.device)
        self.noise.copy_(drawn.sign() * drawn.abs().sqrt())
        try:
            yield
        finally:
            self.noise.copy_(before)
