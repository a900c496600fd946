"""Heads: the distribution of one entry of an event given a network's output, its density and its draws.

A head says how an entry looks to a network (``inputs`` numbers), how many ``outputs`` of the network are its parameters, and
turns noise into a draw. Noise is drawn apart from its use, so that two samplers can be given the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from rlsuite.errors import HyperparameterError
from rlsuite.generative.diagonal import log_normal, standard_normal

LOG_SCALE = 7.0  # bound of log-scales: e⁻⁷ of a standard deviation is below any sensor's noise


class Head:
    """One entry (of ``size`` numbers) of an event."""

    size: int = 1
    inputs: int
    outputs: int

    def encode(self, x: Tensor) -> Tensor:
        """What a network sees of entries ``(*, size)``: ``(*, inputs)``."""
        raise NotImplementedError

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Log-probability or -density ``(*)`` of entries ``(*, size)`` under ``parameters (*, outputs)``."""
        raise NotImplementedError

    def noise(self, shape: Sequence[int], like: Tensor, generator: torch.Generator | None) -> Tensor:
        """Noise for draws of that shape."""
        return torch.rand((*shape, 1), generator=generator, dtype=like.dtype, device=like.device)

    def draw(self, parameters: Tensor, noise: Tensor) -> Tensor:
        """Entries ``(*, size)`` made of noise."""
        raise NotImplementedError

    def mode(self, parameters: Tensor) -> Tensor:
        """The most probable entries ``(*, size)``; of a mixture, the mean of its heaviest component."""
        raise NotImplementedError

    def initial_bias(self) -> Tensor:
        """Parameters ``(outputs)`` to begin with."""
        return torch.zeros(self.outputs)


class Bernoulli(Head):
    """p(1) = σ(a)."""

    inputs = 1
    outputs = 1

    def encode(self, x: Tensor) -> Tensor:
        return x

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        """log σ(a)ˣ (1 − σ(a))¹⁻ˣ = x a − softplus(a)."""
        return (x * parameters - F.softplus(parameters)).squeeze(-1)

    def draw(self, parameters: Tensor, noise: Tensor) -> Tensor:
        return (noise < torch.sigmoid(parameters)).to(noise)

    def mode(self, parameters: Tensor) -> Tensor:
        return (parameters > 0.0).to(parameters)


class Categorical(Head):
    """p(v) = softmax(a)_v for v in 0 … n − 1; a network sees one-hot vectors."""

    def __init__(self, n_values: int) -> None:
        self.inputs = self.outputs = n_values

    def encode(self, x: Tensor) -> Tensor:
        return F.one_hot(x.squeeze(-1).long(), self.inputs).to(x)

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        return parameters.log_softmax(-1).gather(-1, x.long()).squeeze(-1)

    def draw(self, parameters: Tensor, noise: Tensor) -> Tensor:
        below = parameters.softmax(-1).cumsum(-1)[..., :-1]
        return (noise >= below).sum(-1, keepdim=True).to(noise)

    def mode(self, parameters: Tensor) -> Tensor:
        return parameters.argmax(-1, keepdim=True).to(parameters)


class Mixture(Head):
    """p(x) = Σₖ wₖ Π_f N(x_f; μₖ_f, σₖ_f²) with K components over ``size`` numbers; with K = 1 a diagonal Gaussian.

    Parameters: K log-weights, then K · size means, then K · size log-scales (Bishop, 1994).
    """

    def __init__(self, components: int, size: int = 1) -> None:
        self.components, self.size, self.inputs = components, size, size
        self.outputs = components * (1 + 2 * size)

    def encode(self, x: Tensor) -> Tensor:
        return x

    def split(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log-weights ``(*, K)``, means and log-scales ``(*, K, size)``."""
        k, n = self.components, self.components * self.size
        mean, log_scale = (part.unflatten(-1, (k, self.size)) for part in parameters[..., k:].split(n, -1))
        return parameters[..., :k].log_softmax(-1), mean, log_scale.clamp(-LOG_SCALE, LOG_SCALE)

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        log_weight, mean, log_scale = self.split(parameters)
        return torch.logsumexp(log_weight + log_normal(x.unsqueeze(-2), mean, log_scale).sum(-1), -1)

    def noise(self, shape: Sequence[int], like: Tensor, generator: torch.Generator | None) -> Tensor:
        """A uniform number that picks the component, then standard normal ones."""
        which = super().noise(shape, like, generator)
        return torch.cat([which, standard_normal((*shape, self.size), like, generator)], -1)

    def draw(self, parameters: Tensor, noise: Tensor) -> Tensor:
        log_weight, mean, log_scale = self.split(parameters)
        which = (noise[..., :1] >= log_weight.exp().cumsum(-1)[..., :-1]).sum(-1)[..., None, None]
        which = which.expand(*which.shape[:-1], self.size)
        return (mean.gather(-2, which) + noise[..., None, 1:] * log_scale.gather(-2, which).exp()).squeeze(-2)

    def mode(self, parameters: Tensor) -> Tensor:
        log_weight, mean, _ = self.split(parameters)
        which = log_weight.argmax(-1)[..., None, None].expand(*log_weight.shape[:-1], 1, self.size)
        return mean.gather(-2, which).squeeze(-2)

    def initial_bias(self) -> Tensor:
        """Equal weights, unit scales, means at quantiles of N(0, 1), so that components can tell themselves apart."""
        bias = torch.zeros(self.outputs)
        quantiles = (torch.arange(self.components) + 0.5) / self.components
        means = math.sqrt(2.0) * torch.erfinv(2.0 * quantiles - 1.0)
        bias[self.components : self.components * (1 + self.size)] = means.repeat_interleave(self.size)
        return bias


def head_for(n_values: int, components: int = 1, size: int = 1) -> Head:
    """The head for entries with ``n_values`` values (0: real numbers, ``components`` Gaussians over ``size`` of them).

    Raises:
        HyperparameterError: a number of values or components that makes no sense.
    """
    if n_values == 1 or n_values < 0:
        raise HyperparameterError(f"n_values is 0 for real entries, else at least 2, not {n_values!r}")
    if components < 1:
        raise HyperparameterError(f"components is at least 1, not {components!r}")
    if n_values == 0:
        return Mixture(components, size)
    return Bernoulli() if n_values == 2 else Categorical(n_values)
