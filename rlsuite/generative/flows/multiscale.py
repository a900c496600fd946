"""Multi-scale flows: half of the channels leave as code after each level, so that deep levels work on little.

    x → squeeze → steps of level 1 → split: (code 1, rest) → squeeze → steps of level 2 → … → code L

(Dinh et al., 2017, section 3.6; Kingma and Dhariwal, 2018, figure 2). Before a split an affine coupling standardises the
half that leaves given the half that stays; this is Glow's learned Gaussian prior of the split, written as a transform.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from rlsuite.errors import HyperparameterError
from rlsuite.generative.flows.coupling import AffineCoupling
from rlsuite.generative.flows.squeeze import Squeeze
from rlsuite.generative.flows.transform import Composition, Transform


class MultiScale(Transform):
    """Events ``(n, channels, *space)`` to codes ``(n, size)``, the first level's code first.

    Args:
        event: ``(channels, *space)``.
        levels: how many; each halves every axis of space. Vectors, which have no space, have one level.
        step: makes one step of flow of that many channels.
        steps: how many at each level.
        hidden: of the couplings at the splits.
        condition_channels: of the condition that those couplings read at each level.
        encoder: makes of the condition what each level reads, a list of ``levels`` tensors; by default all read it as it is.

    Raises:
        HyperparameterError: space that ``levels`` do not divide.
    """

    def __init__(
        self,
        event: Sequence[int],
        levels: int,
        step: Callable[[int], Transform],
        steps: int,
        *,
        hidden: Sequence[int],
        condition_channels: int = 0,
        encoder: nn.Module | None = None,
    ) -> None:
        super().__init__()
        channels, *space = event
        rank = len(space)
        if rank == 0 and levels != 1:
            raise HyperparameterError(f"vectors have one level, not {levels}")
        if any(size % 2**levels for size in space):
            raise HyperparameterError(
                f"{levels} levels halve each axis as often: {tuple(space)} is not divisible by {2**levels}"
            )
        self.encoder = encoder
        self.levels = nn.ModuleList()
        self.splits = nn.ModuleList()
        self.shapes: list[tuple[int, ...]] = []  # of each level's code
        for level in range(levels):
            channels, space = channels * 2**rank, [size // 2 for size in space]
            squeeze = [Squeeze()] if rank else []
            self.levels.append(Composition([*squeeze, *(step(channels) for _ in range(steps))]))
            if level < levels - 1:
                self.splits.append(
                    AffineCoupling(channels, condition_channels=condition_channels, hidden=hidden, rank=rank)
                )
                channels //= 2
            self.shapes.append((channels, *space))

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        codes, total = [], x.new_zeros(len(x))
        for i, (level, c) in enumerate(zip(self._levels, self._conditions(condition), strict=True)):
            x, ladj = level(x, c)
            total = total + ladj
            if i < len(self.splits):
                x, ladj = self.splits[i](x, c)
                total = total + ladj
                x, code = x.chunk(2, 1)
                codes.append(code.flatten(1))
        return torch.cat([*codes, x.flatten(1)], 1), total

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        codes = [
            code.reshape(-1, *shape)
            for code, shape in zip(z.split([math.prod(s) for s in self.shapes], 1), self.shapes, strict=True)
        ]
        conditions = self._conditions(condition)
        x, total = codes[-1], z.new_zeros(len(z))
        for i in reversed(range(len(codes))):
            if i < len(self.splits):
                x, ladj = cast(Transform, self.splits[i]).inverse(torch.cat([x, codes[i]], 1), conditions[i])
                total = total + ladj
            x, ladj = self._levels[i].inverse(x, conditions[i])
            total = total + ladj
        return x, total

    def prepare(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        codes = []
        for i, (level, c) in enumerate(zip(self._levels, self._conditions(condition), strict=True)):
            x = level.prepare(x, c)
            if i < len(self.splits):
                x, code = self.splits[i](x, c)[0].chunk(2, 1)
                codes.append(code.flatten(1))
        return torch.cat([*codes, x.flatten(1)], 1)

    @property
    def _levels(self) -> list[Transform]:
        return cast("list[Transform]", list(self.levels))

    def _conditions(self, condition: Tensor | None) -> list[Tensor | None]:
        """What each level reads."""
        if self.encoder is None:
            return [condition] * len(self.levels)
        return list(self.encoder(condition))
