"""WaveNet and the temporal convolutional network: dilated causal convolutions, with queues that make sampling linear."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rlsuite.errors import HyperparameterError
from rlsuite.generative.autoregressive.sequence import SequenceModel

Cache = tuple[tuple[Tensor, ...], tuple[tuple[Tensor, ...], ...]]  # the convolutions' matrices, their queues


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
        return self._rest(h, a, None if context is None else context[:, None])

    def matrix(self) -> Tensor:
        """The convolution as one matrix ``(kernel · channels, width)``, the oldest input first."""
        return self.conv.weight.permute(2, 1, 0).flatten(0, 1).contiguous()

    def advance(
        self, matrix: Tensor, queue: tuple[Tensor, ...], h: Tensor, context: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The same for one step ``h (n, channels)``; ``queue`` has the inputs before it, oldest first."""
        assert self.conv.bias is not None
        a = torch.addmm(self.conv.bias, torch.cat([*queue[:: self.dilation], h], 1), matrix)
        return self._rest(h, a, context)

    def _rest(self, h: Tensor, a: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        if self.context is not None and context is not None:
            a = a + self.context(context)
        if self.gated:
            signal, gate = a.chunk(2, -1)
            a = torch.tanh(signal) * torch.sigmoid(gate)
        else:
            a = torch.relu(a)
        residual, skip = self.out(self.dropout(a)).chunk(2, -1)
        return h + residual, skip


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
        queues = tuple((nothing,) * layer.queue_size for layer in self._layers())
        return tuple(layer.matrix() for layer in self._layers()), queues

    def _advance(self, cache: Cache, seen: Tensor, context: Tensor | None) -> tuple[Tensor, Cache]:
        h, queues = self.first(seen), []
        total = torch.zeros_like(h)
        for layer, matrix, queue in zip(self._layers(), *cache, strict=True):
            queues.append((*queue[1:], h))
            h, skip = layer.advance(matrix, queue, h, context)
            total = total + skip
        return self._finish(total), (cache[0], tuple(queues))
