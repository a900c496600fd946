"""The contract of an invertible map, and what is made of several: composition, inverse, reshaping.

A transform maps events to codes, x ↦ z, the direction in which densities are computed, and returns with z the log of
the Jacobian's absolute determinant, the *ladj*, log |det ∂z/∂x|, one number for each event. By the change of variables
log p(x) = log p(z) + ladj(x).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor, nn


class Transform(nn.Module):
    """An invertible, differentiable map of events ``(n, *event)``, which may depend on a condition ``(n, *condition)``."""

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """z and log |det ∂z/∂x| ``(n)``."""
        raise NotImplementedError

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """x and log |det ∂x/∂z| ``(n)``, the negative of the other."""
        raise NotImplementedError

    def prepare(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Initialise what depends on data with a batch of events, once, and return their z."""
        return self(x, condition)[0]


class Composition(Transform):
    """One transform after another: the ladj of the composition is the sum of theirs."""

    def __init__(self, transforms: Iterable[Transform]) -> None:
        super().__init__()
        self.transforms = nn.ModuleList(transforms)

    @property
    def parts(self) -> list[Transform]:
        """The transforms, first to last."""
        return cast("list[Transform]", list(self.transforms))

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        ladjs = [x.new_zeros(x.shape[0])]
        for transform in self.parts:
            x, ladj = transform(x, condition)
            ladjs.append(ladj)
        return x, torch.stack(ladjs).sum(0)

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        ladjs = [z.new_zeros(z.shape[0])]
        for transform in reversed(self.parts):
            z, ladj = transform.inverse(z, condition)
            ladjs.append(ladj)
        return z, torch.stack(ladjs).sum(0)

    def prepare(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        for transform in self.parts:
            x = transform.prepare(x, condition)
        return x


class Inverse(Transform):
    """A transform run backwards."""

    def __init__(self, transform: Transform) -> None:
        super().__init__()
        self.transform = transform

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.transform.inverse(x, condition)

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.transform(z, condition)


class Reshape(Transform):
    """``(n, *before)`` to ``(n, *after)``: as many numbers, in the same order; the ladj is 0."""

    def __init__(self, before: Sequence[int], after: Sequence[int]) -> None:
        super().__init__()
        self.before, self.after = tuple(before), tuple(after)
        assert math.prod(self.before) == math.prod(self.after), f"{before} and {after} differ in size"

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return x.reshape(-1, *self.after), x.new_zeros(x.shape[0])

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return z.reshape(-1, *self.before), z.new_zeros(z.shape[0])


class Permutation(Transform):
    """z_i = x_{order_i} along the first axis of the event; the ladj is 0."""

    order: Tensor
    back: Tensor

    def __init__(self, order: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("order", torch.as_tensor(order), persistent=False)
        self.register_buffer("back", torch.argsort(self.order), persistent=False)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return x.index_select(1, self.order), x.new_zeros(x.shape[0])

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return z.index_select(1, self.back), z.new_zeros(z.shape[0])


class Transpose(Transform):
    """``(n, a, b)`` to ``(n, b, a)``: time first to channels first; the ladj is 0."""

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return x.mT, x.new_zeros(x.shape[0])

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return z.mT, z.new_zeros(z.shape[0])


class Sigmoid(Transform):
    """z = 1 / (1 + exp(−x)), entry by entry, from the real numbers to (0, 1): log z′ = −softplus(x) − softplus(−x)."""

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return torch.sigmoid(x), self._ladj(x)

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        eps = torch.finfo(z.dtype).eps
        x = torch.logit(z.clamp(eps, 1.0 - eps))  # a draw may be 0 exactly
        return x, -self._ladj(x)

    @staticmethod
    def _ladj(x: Tensor) -> Tensor:
        return -(nn.functional.softplus(x) + nn.functional.softplus(-x)).flatten(1).sum(1)


def channels_innermost(x: Tensor) -> Tensor:
    """``x``, of images ``(n, C, H, W)`` with the channels of one place side by side in memory, which convolutions and
    mixing are quicker with (half of the time, on a processor)."""
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x
