"""The causal Transformer, over tokens or continuous frames."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rlsuite.errors import HyperparameterError
from rlsuite.generative.autoregressive.attention import CausalSelfAttention, Memory, sinusoidal_positions
from rlsuite.generative.autoregressive.sequence import SequenceModel

Cache = tuple[int, tuple[Memory, ...]]


class Block(nn.Module):
    """h ← h + attention(norm h), then h ← h + MLP(norm h): layer norms come first (Xiong et al., 2020)."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = CausalSelfAttention(width, heads)
        self.feed = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, h: Tensor) -> Tensor:
        return self._feed(h + self.dropout(self.attention(self.norm(h))))

    def advance(self, memory: Memory, h: Tensor, window: int) -> tuple[Tensor, Memory]:
        mixed, memory = self.attention.advance(memory, self.norm(h), window)
        return self._feed(h + mixed), memory

    def _feed(self, h: Tensor) -> Tensor:
        return h + self.dropout(self.feed(h))


class Transformer(SequenceModel):
    """Blocks of causal self-attention over the chain (Vaswani et al., 2017; Radford et al., 2018).

    Drawing keeps the keys and values of earlier positions, so that a step costs O(t) and not O(t²). Streams longer than
    an event attend to the last L entries, L being an event's length; positions beyond it were not trained.

    Args:
        width: of a position's representation; even and a multiple of ``heads``.
        heads: of attention.
        layers: how many blocks.
        dropout: probability of dropping what a block adds, in training.
    """

    name = "transformer"

    def __init__(
        self,
        event_shape: int | Sequence[int],
        condition_shape: int | Sequence[int] | None = None,
        n_values: int = 0,
        components: int = 1,
        lags: int = 3,
        width: int = 64,
        heads: int = 4,
        layers: int = 3,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(event_shape, condition_shape, n_values, components, lags)
        if layers < 1:
            raise HyperparameterError(f"layers is at least 1, not {layers!r}")
        self.width, self.heads, self.layers, self.dropout = width, heads, layers, dropout
        self.first = nn.Linear(self.head.inputs + 1, width)
        self.context = nn.Linear(self.condition_size, width, bias=False) if self.condition_size else None
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.last = nn.Linear(width, self.head.outputs)
        nn.init.zeros_(self.last.weight)
        self.last.bias.data.copy_(self.head.initial_bias())

    def _embed(self, seen: Tensor, positions: Tensor, context: Tensor | None) -> Tensor:
        h = self.first(seen) + sinusoidal_positions(positions.to(seen), self.width)
        return h if self.context is None or context is None else h + self.context(context)

    def _network(self, seen: Tensor, context: Tensor | None) -> Tensor:
        positions = torch.arange(seen.shape[1], device=seen.device)
        h = self._embed(seen, positions, None if context is None else context[:, None])
        for block in self._blocks():
            h = block(h)
        parameters: Tensor = self.last(self.norm(h))
        return parameters

    def _blocks(self) -> list[Block]:
        return [block for block in self.blocks if isinstance(block, Block)]

    def _cache(self, n: int) -> Cache:
        return 0, tuple(block.attention.empty(n) for block in self._blocks())

    def _advance(self, cache: Cache, seen: Tensor, context: Tensor | None) -> tuple[Tensor, Cache]:
        position, memories = cache
        h, after = self._embed(seen, torch.tensor(position, device=seen.device), context), []
        for block, memory in zip(self._blocks(), memories, strict=True):
            h, memory = block.advance(memory, h, self.length)
            after.append(memory)
        return self.last(self.norm(h)), (position + 1, tuple(after))
