"""The normaliser: a fixed affine map inside the model, fitted to the data once and counted in densities."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

LEAST_SCALE = 1e-6  # of entries that do not vary, relative to the typical one


class Standardizer(nn.Module):
    """``z = (x − mean) / scale`` entry by entry; the identity until :meth:`fit`.

    ``log_det`` is log |dz/dx| summed over the entries of an event: log p(x) = log p(z) + log_det.

    Args:
        shape: of one event.
        shared: axes of the event along which mean and scale are the same: 0 for sequences whose model knows no time.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, shape: Sequence[int], shared: Sequence[int] = ()) -> None:
        super().__init__()
        self.shared = tuple(1 + axis for axis in shared)
        self.register_buffer("mean", torch.zeros(tuple(shape)))
        self.register_buffer("scale", torch.ones(tuple(shape)))

    @torch.no_grad()
    def fit(self, data: Tensor) -> None:
        """Take mean and standard deviation over the first axis of ``data``; entries that never vary keep the scale 1."""
        pooled = (0, *self.shared)
        self.mean.copy_(data.mean(pooled, keepdim=True)[0].expand(self.mean.shape))
        scale = data.std(pooled, unbiased=False, keepdim=True)[0].expand(self.scale.shape)
        constant = scale <= LEAST_SCALE * scale.max().clamp(min=torch.finfo(scale.dtype).tiny)
        self.scale.copy_(torch.where(constant, torch.ones_like(scale), scale))

    @property
    def log_det(self) -> Tensor:
        return -self.scale.log().sum()

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.scale

    def inverse(self, z: Tensor) -> Tensor:
        return z * self.scale + self.mean


class Identity(Standardizer):
    """Leaves events as they are, whatever they are fitted to: for labels, and for models that need the user's units."""

    def fit(self, data: Tensor) -> None:
        pass
