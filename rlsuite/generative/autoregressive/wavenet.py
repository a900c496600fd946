"""WaveNet and the temporal convolutional network: dilated causal convolutions, with queues that make sampling linear."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rlsuite.errors import HyperparameterError
from rlsuite.generative.autoregressive.sequence import SequenceModel


class Weights(NamedTuple):
    """Of a layer: the convolution ``(kernel · channels, width)``, V and S ``(channels, channels)``, and their biases."""

    matrix: Tensor
    bias: Tensor
    onward: Tensor
    onward_bias: Tensor
    skip: Tensor
    skip_bias: Tensor


class Cache(NamedTuple):
    """Of a stream: every layer's weights and queue; all skips as one matrix, which saves a product for each layer."""

    weights: tuple[Weights, ...]
    skip: Tensor
    skip_bias: Tensor
    queues: tuple[tuple[Tensor, ...], ...]


class DilatedLayer(nn.Module):
    """h ← h + V g, skip ← S g, where g = tanh(W ∗ h + …) ⊙ σ(W′ ∗ h + …), or max(0, W ∗ h + …) ungated.

    ∗ is the convolution Σⱼ Wⱼ hₜ₋ⱼ_d, j = 0 … kernel − 1, of dilation d.
    """

    def __init__(self, channels: int, kernel: int, dilation: int, gated: bool, context: int, dropout: float) -> None:
        super().__init__()
        self.kernel, self.dilation, self.gated = kernel, dilation, gated
        width = channels * (2 if gated else 1)
        self.conv = nn.Conv1d(channels, width, kernel, dilation=dilation)
        self.context = nn.Linear(context, width, bias=False) if context else None
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(channels, 2 * channels)

    @property
    def queue_size(self) -> int:
        """Inputs before the present one that the convolution reaches."""
        return (self.kernel - 1) * self.dilation

    def forward(self, h: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """``h (n, T, channels)``, its successor and the skip."""
        a = self.conv(F.pad(h.mT, (self.queue_size, 0))).mT
        residual, skip = self.out(self._gate(a, None if context is None else context[:, None])).chunk(2, -1)
        return h + residual, skip

    def stepwise(self) -> Weights:
        """The same weights, as one step needs them."""
        assert self.conv.bias is not None
        matrix = self.conv.weight.permute(2, 1, 0).flatten(0, 1).contiguous()  # the oldest input first
        onward, skip = self.out.weight.mT.chunk(2, 1)
        onward_bias, skip_bias = self.out.bias.chunk(2)
        return Weights(matrix, self.conv.bias, onward, onward_bias, skip, skip_bias)

    def advance(
        self, weights: Weights, queue: tuple[Tensor, ...], h: Tensor, context: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The successor of one step ``h (n, channels)`` and g; ``queue`` has the inputs before it, oldest first."""
        a = torch.addmm(weights.bias, torch.cat([*queue[:: self.dilation], h], 1), weights.matrix)
        g = self._gate(a, context)
        return torch.addmm(h + weights.onward_bias, g, weights.onward), g

    def _gate(self, a: Tensor, context: Tensor | None) -> Tensor:
        """g."""
        if self.context is not None and context is not None:
            a = a + self.context(context)
        if self.gated:
            signal, gate = a.chunk(2, -1)
            g = torch.tanh(signal) * torch.sigmoid(gate)
        else:
            g = torch.relu(a)
        return self.dropout(g) if self.training else g


class WaveNet(SequenceModel):
    """Stacks of gated causal convolutions of dilations 1, 2, 4 … (van den Oord et al., 2016), ungated the temporal
    convolutional network (Bai, Kolter and Koltun, 2018). A step sees 1 + Σ (kernel − 1) · dilation earlier ones.

    Drawing keeps, for each layer, the inputs that its convolution will still reach: O(layers) for each step, whatever
    the length of the past (Le Paine et al., 2016).

    Args:
        channels: of the hidden layers.
        kernel: size of the convolutions.
        levels: dilations of one stack: 1, 2 … 2^(levels − 1).
        stacks: how many times they are repeated.
        gated: whether layers are gated.
        dropout: probability of dropping a hidden unit in training.
    """

    name = "wavenet"

    def __init__(
        self,
        event_shape: int | Sequence[int],
        condition_shape: int | Sequence[int] | None = None,
        n_values: int = 0,
        components: int = 1,
        lags: int = 3,
        channels: int = 64,
        kernel: int = 2,
        levels: int = 5,
        stacks: int = 1,
        gated: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(event_shape, condition_shape, n_values, components, lags)
        if min(channels, levels, stacks) < 1 or kernel < 2:
            raise HyperparameterError(
                "wavenet: channels, levels and stacks are at least 1, and kernel at least 2; "
                f"not {channels!r}, {levels!r}, {stacks!r}, {kernel!r}"
            )
        self.channels, self.kernel, self.levels, self.stacks = channels, kernel, levels, stacks
        self.gated, self.dropout = gated, dropout
        self.first = nn.Linear(self.head.inputs + 1, channels)
        self.layers = nn.ModuleList(
            DilatedLayer(channels, kernel, 2**level, gated, self.condition_size, dropout)
            for _ in range(stacks)
            for level in range(levels)
        )
        self.middle = nn.Linear(channels, channels)
        self.last = nn.Linear(channels, self.head.outputs)
        nn.init.zeros_(self.last.weight)
        self.last.bias.data.copy_(self.head.initial_bias())

    @property
    def receptive_field(self) -> int:
        """How many earlier entries the network sees: 1 + Σ (kernel − 1) · dilation."""
        return 1 + sum(layer.queue_size for layer in self._layers())

    def _layers(self) -> list[DilatedLayer]:
        return [layer for layer in self.layers if isinstance(layer, DilatedLayer)]

    def _network(self, seen: Tensor, context: Tensor | None) -> Tensor:
        h = self.first(seen)
        total = torch.zeros_like(h)
        for layer in self._layers():
            h, skip = layer(h, context)
            total = total + skip
        return self._finish(total)

    def _finish(self, total: Tensor) -> Tensor:
        parameters: Tensor = self.last(torch.relu(self.middle(torch.relu(total))))
        return parameters

    def _cache(self, n: int) -> Cache:
        nothing = self.first.weight.new_zeros(n, self.channels)
        weights = tuple(layer.stepwise() for layer in self._layers())
        skip, skip_bias = torch.cat([each.skip for each in weights]), sum(each.skip_bias for each in weights)
        assert isinstance(skip_bias, Tensor)
        return Cache(weights, skip, skip_bias, tuple((nothing,) * layer.queue_size for layer in self._layers()))

    def _advance(self, cache: Cache, seen: Tensor, context: Tensor | None) -> tuple[Tensor, Cache]:
        h, queues, gated = self.first(seen), [], []
        for layer, weights, queue in zip(self._layers(), cache.weights, cache.queues, strict=True):
            queues.append((*queue[1:], h))
            h, g = layer.advance(weights, queue, h, context)
            gated.append(g)
        total = torch.addmm(cache.skip_bias, torch.cat(gated, 1), cache.skip)
        return self._finish(total), cache._replace(queues=tuple(queues))
