"""The network of the pose estimators: features, then heatmaps in stages, each stage correcting the one before.

Convolutional pose machines (Wei et al. 2016, equation 6) with hourglasses for stages (Newell et al. 2016): stage ``t`` sees
the picture's features and the heatmaps of stage ``t - 1``, and every stage has the whole loss, so that gradients reach the
first one directly. A heatmap is a softmax over its grid; the loss is its cross-entropy with the Gaussian of
:class:`~rlsuite.motion.pose.codec.Codec`, whose minimum is the distribution of the point given the picture.

The deepest features of the last stage go to the regression head (:mod:`rlsuite.motion.pose.refinement`).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from rlsuite.errors import MotionError


class Output(NamedTuple):
    """What the network makes of ``B`` crops.

    Attributes:
        logits: ``(stages, B, K, G, G)``; the softmax over a grid is the heatmap.
        features: ``(B, C, G / 4, G / 4)``, the deepest of the last stage.
    """

    logits: Tensor
    features: Tensor

    def heatmaps(self, stage: int = -1) -> Tensor:
        """``(B, K, G, G)``, each sums to 1."""
        logits = self.logits[stage]
        return logits.flatten(2).softmax(-1).reshape(logits.shape)


class Hourglass(nn.Module):
    """Down to a quarter and up again, with a path across at every size (Newell et al. 2016, figure 3)."""

    def __init__(self, channels: tuple[int, int, int]) -> None:
        super().__init__()
        c0, c1, c2 = channels
        self.down1, self.across1 = convolution(c0, c1, 2), convolution(c1, c1)
        self.down2, self.deep = convolution(c1, c2, 2), convolution(c2, c2)
        self.up2, self.mix1 = nn.Conv2d(c2, c1, 1), convolution(c1, c1)
        self.up1, self.mix0 = nn.Conv2d(c1, c0, 1), convolution(c0, c0)
        self.larger = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, x0: Tensor) -> tuple[Tensor, Tensor]:
        x1 = self.down1(x0)
        x1 = x1 + self.across1(x1)
        x2 = self.down2(x1)
        x2 = x2 + self.deep(x2)
        y1 = self.mix1(x1 + self.larger(self.up2(x2)))
        return self.mix0(x0 + self.larger(self.up1(y1))), x2


class PoseNetwork(nn.Module):
    """Crops ``(B, 3, S, S)`` of values 0 to 1 in; heatmaps of ``K`` points on a grid of ``S / 4`` cells out.

    Args:
        n_points: number ``K``. size: ``S``, a multiple of 16. stages: how many.
        channels: at a quarter, an eighth and a sixteenth of the size.
    """

    def __init__(
        self, n_points: int, size: int = 96, stages: int = 2, channels: tuple[int, int, int] = (32, 64, 64)
    ) -> None:
        super().__init__()
        if size < 16 or size % 16 or stages < 1 or n_points < 1:
            raise MotionError(
                f"a size that is a multiple of 16, points and stages at least 1: {size}, {n_points}, {stages}"
            )
        self.n_points, self.size, self.stages, self.channels = n_points, size, stages, tuple(channels)
        self.grid = size // 4
        width = channels[0]
        self.stem = nn.Sequential(convolution(3, 16, 2), convolution(16, width, 2))
        self.hourglasses = nn.ModuleList(Hourglass(channels) for _ in range(stages))
        heads = [nn.Conv2d(width, n_points, 1, bias=False) for _ in range(stages)]
        self.heads = nn.ModuleList(heads)
        self.feedback = nn.ModuleList(nn.Conv2d(width + n_points, width, 1) for _ in range(stages - 1))
        for head in heads:
            nn.init.zeros_(head.weight)  # uniform heatmaps at first

    def forward(self, images: Tensor) -> Output:
        x = self.stem((images - 0.45) / 0.25)
        logits: list[Tensor] = []
        for t, (hourglass, head) in enumerate(zip(self.hourglasses, self.heads, strict=True)):
            y, deep = hourglass(x)
            logits.append(head(y))
            if t < self.stages - 1:
                x = x + self.feedback[t](torch.cat([y, logits[-1]], 1))
        return Output(torch.stack(logits), deep)


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """3 by 3, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


def heatmap_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Sum over stages of the weighted mean divergence ``KL(target || softmax(logits))``; 0 where they are equal.

    Args:
        logits: ``(stages, B, K, G, G)``. target: ``(B, K, G, G)``, each sums to 1. weight: ``(B, K)``.
    """
    q = target.flatten(2)
    log_p = logits.flatten(3).log_softmax(-1)
    divergence = torch.xlogy(q, q).sum(-1) - (q * log_p).sum(-1)  # (stages, B, K)
    return (divergence * weight).sum() / weight.sum().clamp_min(1e-6)
