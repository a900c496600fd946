"""Causal multi-head self-attention, with a cache of keys and values, and the sinusoidal encoding of positions."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from rlsuite.errors import HyperparameterError

Memory = tuple[Tensor, Tensor]  # keys and values (n, heads, t, width / heads)


def sinusoidal_positions(positions: Tensor, width: int) -> Tensor:
    """sin(p / 10000^(2i / width)) and cos of the same, i = 0 … width / 2 − 1 (Vaswani et al., 2017, section 3.5).

    Args:
        positions: ``(*)``.
        width: even.

    Returns:
        ``(*, width)``, sines before cosines.
    """
    rates = torch.exp(torch.arange(0, width, 2).to(positions) * (-math.log(10_000.0) / width))
    angles = positions[..., None] * rates
    return torch.cat([angles.sin(), angles.cos()], -1)


def attend(q: Tensor, k: Tensor, v: Tensor, *, causal: bool) -> Tensor:
    """softmax(Q Kᵀ / √d) V, where d is the width *of one head* (some texts scale by the width of all heads together).

    Args:
        q: ``(*, s, d)``, the last s of t positions.
        k: ``(*, t, d)``.
        v: ``(*, t, d)``.
        causal: each position attends to itself and those before it alone.
    """
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if causal:
        s, t = scores.shape[-2:]
        later = torch.ones(s, t, dtype=torch.bool, device=q.device).triu(t - s + 1)
        scores = scores.masked_fill(later, -math.inf)
    return scores.softmax(-1) @ v


class CausalSelfAttention(nn.Module):
    """Multi-head attention of each position to itself and those before it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if heads < 1 or width % heads or width % 2:
            raise HyperparameterError(f"width is even and a multiple of heads, not {width!r} with {heads!r} heads")
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each ``(n, heads, t, width / heads)``."""
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        return q, k, v

    def forward(self, x: Tensor) -> Tensor:
        """``(n, t, width)`` to the same."""
        mixed: Tensor = self.out(attend(*self._split(x), causal=True).transpose(1, 2).flatten(2))
        return mixed

    def empty(self, n: int) -> Memory:
        """The memory before the first position."""
        nothing = self.out.weight.new_zeros(n, self.heads, 0, self.out.in_features // self.heads)
        return nothing, nothing

    def advance(self, memory: Memory, x: Tensor, window: int) -> tuple[Tensor, Memory]:
        """The same for one position ``x (n, width)`` after those in ``memory``, of which the last ``window`` are kept."""
        q, k, v = self._split(x[:, None])
        k, v = (torch.cat([old, new], 2)[:, :, -window:] for old, new in zip(memory, (k, v), strict=True))
        return self.out(attend(q, k, v, causal=False).transpose(1, 2).flatten(1)), (k, v)
