"""What tells a field which shape it is to be: a learned code of each shape or class, or one read off a picture."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn


class CodeTable(nn.Module):
    """A learned code ``(size,)`` for each of ``n`` shapes (an auto-decoder, Park et al. 2019) or classes.

    The first codes are drawn from ``N(0, 1/size)``, of length about 1, from ``seed``.
    """

    def __init__(self, n: int, size: int, seed: int = 0) -> None:
        super().__init__()
        first = torch.randn(n, size, generator=torch.Generator().manual_seed(seed)) / math.sqrt(size)
        self.codes = nn.Parameter(first)

    def forward(self, index: Tensor) -> Tensor:
        """``(*batch, size)`` of shapes or classes ``(*batch,)``."""
        return self.codes[index]


class ImageEncoder(nn.Module):
    """A code ``(batch, size)`` of pictures ``(batch, channels, height, width)``: convolutions that halve, then a mean.

    Sides are multiples of ``2 ** stages``; where in the picture a thing is, is told by two channels of coordinates.
    """

    def __init__(self, size: int, channels: int = 1, width: int = 16, stages: int = 4, seed: int = 0) -> None:
        super().__init__()
        widths = [channels + 2, *(width * 2 ** min(i, 2) for i in range(stages))]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            layers: list[nn.Module] = []
            for a, b in itertools.pairwise(widths):
                layers += [nn.Conv2d(a, b, 3, stride=2, padding=1), nn.SiLU()]
            self.convolutions = nn.Sequential(*layers)
            self.last = nn.Linear(widths[-1], size)

    def forward(self, pictures: Tensor) -> Tensor:
        n, _, height, width = pictures.shape
        row = torch.linspace(-1, 1, height).to(pictures)[:, None].expand(n, 1, height, width)
        column = torch.linspace(-1, 1, width).to(pictures).expand(n, 1, height, width)
        return self.last(self.convolutions(torch.cat((pictures, row, column), 1)).mean((-2, -1)))
