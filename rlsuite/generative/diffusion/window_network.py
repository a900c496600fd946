"""The denoising network for windows of frames: a small Transformer over time with long skips."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rlsuite.errors import HyperparameterError
from rlsuite.generative.autoregressive.attention import CausalSelfAttention, attend, sinusoidal_positions
from rlsuite.generative.diffusion.networks import Block, Network, modulated, zeroed


class SelfAttention(CausalSelfAttention):
    """Multi-head attention of each frame to all, later ones too; 0 at first."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(width, heads)
        zeroed(self.out)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.out(attend(*self._split(x), causal=False).transpose(1, 2).flatten(2))
        return mixed


class FrameBlock(nn.Module):
    """Attention between frames, then a block within each; the context modulates both (Peebles and Xie, 2023)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(width, 2 * width)
        self.attention = SelfAttention(width, heads)
        self.block = Block(width, width)

    def forward(self, h: Tensor, context: Tensor) -> Tensor:
        h = h + self.attention(modulated(self.norm(h), self.modulation(context)))
        fed: Tensor = self.block(h, context)
        return fed


class WindowNetwork(Network):
    """For events ``(frames, features)``: blocks of attention, ``depth`` down and ``depth`` up (Bao et al., 2023).

    Its features are ``(n, frames, width)``.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        condition_size: int,
        width: int = 64,
        depth: int = 2,
        outputs: int = 1,
        heads: int = 4,
    ) -> None:
        super().__init__(event_shape, condition_size, width, outputs)
        if len(self.event_shape) != 2:
            raise HyperparameterError(f"a window is (frames, features), not {self.event_shape}")
        self.frames, size = self.event_shape
        self.first = nn.Linear(size, width)
        self.down = nn.ModuleList(FrameBlock(width, heads) for _ in range(depth))
        self.up = nn.ModuleList(FrameBlock(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.last = zeroed(nn.Linear(width, outputs * size))

    def encode(self, x: Tensor, context: Tensor, hint: Tensor | None = None) -> list[Tensor]:
        positions = sinusoidal_positions(torch.arange(self.frames, device=x.device).to(x), self.width)
        h = self.first(x) + positions
        features = [h if hint is None else h + hint]
        for block in self.down:
            features.append(block(features[-1], context))
        return features

    def decode(self, features: list[Tensor], context: Tensor) -> Tensor:
        *skipped, h = features
        for block in self.up:
            h = block(h + skipped.pop(), context)
        predicted: Tensor = self.last(self.norm(h))
        return predicted.unflatten(-1, (self.outputs, -1)).transpose(1, 2)

    def pointwise(self) -> list[nn.Module]:
        return [nn.Linear(self.width, self.width) for _ in range(1 + len(self.down))]

    def hinter(self, control_shape: Sequence[int]) -> nn.Module:
        """Controls ``(frames, k)`` act on their own frame, others on all."""
        if len(control_shape) == 2 and control_shape[0] == self.frames:
            return nn.Linear(control_shape[1], self.width)
        size = math.prod(control_shape)
        return nn.Sequential(nn.Flatten(), nn.Linear(size, self.width), nn.Unflatten(1, (1, self.width)))
