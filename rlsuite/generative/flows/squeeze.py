"""Squeeze: halve every axis of space and turn each block of 2, or 2 x 2, neighbours into channels of one place."""

from __future__ import annotations

from torch import Tensor

from rlsuite.generative.flows.transform import Transform


class Squeeze(Transform):
    """``(n, C, T)`` to ``(n, 2C, T/2)`` and ``(n, C, H, W)`` to ``(n, 4C, H/2, W/2)``: a permutation, so the ladj is 0
    (Dinh et al., 2017, section 3.6).

    The channels of one place are those of channel 0 at its 2^rank places in raster order, then those of channel 1, …
    """

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        n, channels, *space = x.shape
        rank = len(space)
        blocks = x.reshape(n, channels, *[size for s in space for size in (s // 2, 2)])
        order = [0, *range(2, 2 + 2 * rank, 2), 1, *range(3, 3 + 2 * rank, 2)]
        z = blocks.permute(order).reshape(n, *[s // 2 for s in space], channels * 2**rank).movedim(-1, 1)
        return z, x.new_zeros(n)

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        n, channels, *space = z.shape
        rank = len(space)
        blocks = z.reshape(n, channels // 2**rank, *[2] * rank, *space)
        order = [0, 1, *[axis for i in range(rank) for axis in (2 + rank + i, 2 + i)]]
        return blocks.permute(order).reshape(n, channels // 2**rank, *[2 * s for s in space]), z.new_zeros(n)
