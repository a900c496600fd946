"""The denoising network for images and maps: a small convolutional U-Net."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from rlsuite.errors import HyperparameterError
from rlsuite.generative.diffusion.networks import Network, zeroed


class ConvolutionBlock(nn.Module):
    """h ← h + conv(σ(norm(conv(σ(norm(h)))) ⊙ (1 + scale) + shift))); the identity at first."""

    def __init__(self, channels: int, context: int) -> None:
        super().__init__()
        groups = math.gcd(channels, 8)
        self.before = nn.Sequential(
            nn.GroupNorm(groups, channels), nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1)
        )
        self.norm = nn.GroupNorm(groups, channels, affine=False)
        self.modulation = nn.Linear(context, 2 * channels)
        self.after = nn.Sequential(nn.SiLU(), zeroed(nn.Conv2d(channels, channels, 3, padding=1)))

    def forward(self, h: Tensor, context: Tensor) -> Tensor:
        scale, shift = self.modulation(context)[:, :, None, None].chunk(2, 1)
        return h + self.after(self.norm(self.before(h)) * (1.0 + scale) + shift)


class ImageNetwork(Network):
    """For events ``(channels, rows, columns)`` of any size: ``depth`` levels, each half as fine and twice as wide.

    Its features are one for each level before its block, from fine to coarse, and the coarsest after it.
    """

    def __init__(
        self, event_shape: Sequence[int], condition_size: int, width: int = 32, depth: int = 2, outputs: int = 1
    ) -> None:
        super().__init__(event_shape, condition_size, width, outputs)
        if len(self.event_shape) != 3:
            raise HyperparameterError(f"an image is (channels, rows, columns), not {self.event_shape}")
        colours = self.event_shape[0]
        widths = self.widths = [width * 2**level for level in range(depth)]
        self.first = nn.Conv2d(colours, width, 3, padding=1)
        self.down = nn.ModuleList(ConvolutionBlock(w, width) for w in widths)
        self.coarser = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in itertools.pairwise(widths))
        self.finer = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in itertools.pairwise(widths))
        self.up = nn.ModuleList(ConvolutionBlock(w, width) for w in widths)
        self.last = nn.Sequential(
            nn.GroupNorm(math.gcd(width, 8), width),
            nn.SiLU(),
            zeroed(nn.Conv2d(width, outputs * colours, 3, padding=1)),
        )

    def encode(self, x: Tensor, context: Tensor, hint: Tensor | None = None) -> list[Tensor]:
        h = self.first(x)
        h = h if hint is None else h + hint
        features = []
        for level, block in enumerate(self.down):
            features.append(h)
            h = block(h, context)
            if level < len(self.coarser):
                h = self.coarser[level](h)
        return [*features, h]

    def decode(self, features: list[Tensor], context: Tensor) -> Tensor:
        *skipped, h = features
        for level in reversed(range(len(self.up))):
            skip = skipped.pop()
            if level < len(self.finer):
                h = F.interpolate(self.finer[level](h), size=skip.shape[-2:])
            h = self.up[level](h + skip, context)
        predicted: Tensor = self.last(h)
        return predicted.reshape(len(h), self.outputs, *self.event_shape)

    def pointwise(self) -> list[nn.Module]:
        return [nn.Conv2d(w, w, 1) for w in (*self.widths, self.widths[-1])]

    def hinter(self, control_shape: Sequence[int]) -> nn.Module:
        """Controls ``(k, rows, columns)`` of the image's own size act where they are, others everywhere."""
        if len(control_shape) == 3 and tuple(control_shape[1:]) == self.event_shape[1:]:
            return nn.Conv2d(control_shape[0], self.width, 3, padding=1)
        size = math.prod(control_shape)
        return nn.Sequential(nn.Flatten(), nn.Linear(size, self.width), nn.Unflatten(1, (self.width, 1, 1)))
