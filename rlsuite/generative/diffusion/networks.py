"""Denoising networks: what they have in common, and the one for vectors.

Every one is a U: an encoder whose features are kept, a decoder that gets them back, and a context, made of the time and the
condition, that scales and shifts what each block has normalised (Ho, Jain and Abbeel, 2020; Perez et al., 2018). What a
condition says is learned together with what its absence says, so that one network serves both sides of classifier-free
guidance (Ho and Salimans, 2022). A network sees time as the angle θ of its schedule, and nothing else of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rlsuite.errors import HyperparameterError
from rlsuite.generative.autoregressive.attention import sinusoidal_positions

FINENESS = 1000.0  # positions that a quarter of a circle spans in the encoding of time


def zeroed(layer: nn.Module) -> nn.Module:
    """``layer`` with every weight 0: it changes nothing at first, and learns all the same."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


class Network(nn.Module):
    """The base of all denoising networks; ``outputs`` numbers for every entry of an event.

    A concrete one implements :meth:`encode` and :meth:`decode`, and tells how wide its features are.

    Args:
        event_shape: of the events.
        condition_size: numbers in a condition; 0 without one.
        width: of the context, and of the features, or of the first of them.
        outputs: 1, or 2 where the variance is learned.
    """

    def __init__(self, event_shape: Sequence[int], condition_size: int, width: int, outputs: int) -> None:
        super().__init__()
        if width < 2 or width % 2:
            raise HyperparameterError(f"width is even, not {width!r}")
        self.event_shape, self.width, self.outputs = tuple(event_shape), width, outputs
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.condition = nn.Linear(condition_size, width) if condition_size else None
        self.nothing = nn.Parameter(torch.zeros(width)) if condition_size else None

    def context(self, angle: Tensor, condition: Tensor | None, keep: Tensor | None) -> Tensor:
        """Time and condition ``(n, width)``; where ``keep (n)`` is false, the condition is replaced by its absence."""
        context: Tensor = self.time(sinusoidal_positions(angle * (FINENESS / (math.pi / 2.0)), self.width))
        if self.condition is None or self.nothing is None or condition is None:
            return context
        told = self.condition(condition.flatten(1))
        if keep is not None:
            told = torch.where(keep[:, None], told, self.nothing)
        return context + told

    def encode(self, x: Tensor, context: Tensor, hint: Tensor | None = None) -> list[Tensor]:
        """Features of noisy events ``(n, *event)``, the first of the shape of ``hint``, which is added to them."""
        raise NotImplementedError

    def decode(self, features: list[Tensor], context: Tensor) -> Tensor:
        """The prediction ``(n, outputs, *event)``."""
        raise NotImplementedError

    def forward(self, x: Tensor, angle: Tensor, condition: Tensor | None = None, keep: Tensor | None = None) -> Tensor:
        """Prediction ``(n, outputs, *event)`` for noisy events ``(n, *event)`` at angles ``(n)``."""
        context = self.context(angle.to(x), condition, keep)
        return self.decode(self.encode(x, context), context)

    # What a controlling branch needs to know.

    def pointwise(self) -> list[nn.Module]:
        """For each feature a layer over its channels."""
        raise NotImplementedError

    def hinter(self, control_shape: Sequence[int]) -> nn.Module:
        """A layer of controls ``(n, *control_shape)`` to the shape of the first feature (or one that broadcasts)."""
        raise NotImplementedError


class Block(nn.Module):
    """h ← h + W₂ σ(W₁ (norm(h) ⊙ (1 + scale) + shift)), scale and shift from the context; the identity at first.

    Args:
        width: of the last axis of h.
        context: numbers in the context ``(n, context)``.
    """

    def __init__(self, width: int, context: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(context, 2 * width)
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.SiLU(), zeroed(nn.Linear(2 * width, width)))

    def forward(self, h: Tensor, context: Tensor) -> Tensor:
        return h + self.feed(modulated(self.norm(h), self.modulation(context)))


def modulated(h: Tensor, scale_and_shift: Tensor) -> Tensor:
    """h ⊙ (1 + scale) + shift of ``h (n, *, width)``; ``scale_and_shift (n, 2 width)``."""
    scale, shift = scale_and_shift.reshape(len(h), *[1] * (h.dim() - 2), -1).chunk(2, -1)
    return h * (1.0 + scale) + shift


class VectorNetwork(Network):
    """For vectors, and for anything else taken as one: residual blocks, ``depth`` down and ``depth`` up.

    Its features are ``(n, width)``.
    """

    def __init__(
        self, event_shape: Sequence[int], condition_size: int, width: int = 128, depth: int = 2, outputs: int = 1
    ) -> None:
        super().__init__(event_shape, condition_size, width, outputs)
        size = math.prod(self.event_shape)
        self.first = nn.Linear(size, width)
        self.down = nn.ModuleList(Block(width, width) for _ in range(depth))
        self.up = nn.ModuleList(Block(width, width) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.last = zeroed(nn.Linear(width, outputs * size))

    def encode(self, x: Tensor, context: Tensor, hint: Tensor | None = None) -> list[Tensor]:
        h = self.first(x.flatten(1))
        features = [h if hint is None else h + hint]
        for block in self.down:
            features.append(block(features[-1], context))
        return features

    def decode(self, features: list[Tensor], context: Tensor) -> Tensor:
        *skipped, h = features
        for block in self.up:
            h = block(h + skipped.pop(), context)
        predicted: Tensor = self.last(self.norm(h))
        return predicted.reshape(len(h), self.outputs, *self.event_shape)

    def pointwise(self) -> list[nn.Module]:
        return [nn.Linear(self.width, self.width) for _ in range(1 + len(self.down))]

    def hinter(self, control_shape: Sequence[int]) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(control_shape), self.width))
