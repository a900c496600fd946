"""Transforms of each channel by itself: ActNorm, whose first batch comes out standardised, and a learned scale."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from rlsuite.generative.flows.transform import Transform

LEAST = 1e-6  # standard deviation of a channel that does not vary


class Scale(Transform):
    """z_i = exp(s_i) x_i for vectors ``(n, size)``: the last layer of NICE, whose couplings keep volumes (Dinh et al.,
    2015, section 3.3). ladj = Σ s."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(size))

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return x * self.log_scale.exp(), self.log_scale.sum().expand(len(x))

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return z * (-self.log_scale).exp(), -self.log_scale.sum().expand(len(z))


class ActNorm(Transform):
    """z = exp(s) ⊙ (x − b), s and b for each channel of ``(n, channels, *space)`` (Kingma and Dhariwal, 2018, section 3.1).

    :meth:`prepare` sets b and s so that each channel of the first batch has mean 0 and variance 1 over batch and space;
    from then on they are weights like others. ladj = |space| Σ s, with |space| = H W for images.
    """

    initialised: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.register_buffer("initialised", torch.zeros((), dtype=torch.bool))

    @torch.no_grad()
    def prepare(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        if not self.initialised:
            rows = x.movedim(1, -1).flatten(0, -2)  # (n · space, channels)
            self.bias.copy_(rows.mean(0))
            self.log_scale.copy_(-rows.std(0, unbiased=False).clamp(min=LEAST).log())
            self.initialised.fill_(True)
        return self(x, condition)[0]

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        z = (x - self._wide(self.bias, x)) * self._wide(self.log_scale.exp(), x)
        return z, self._ladj(x)

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        x = z * self._wide((-self.log_scale).exp(), z) + self._wide(self.bias, z)
        return x, -self._ladj(z)

    def _ladj(self, x: Tensor) -> Tensor:
        total = self.log_scale.sum()
        return (total if x.dim() == 2 else math.prod(x.shape[2:]) * total).expand(x.shape[0])

    @staticmethod
    def _wide(channels: Tensor, x: Tensor) -> Tensor:
        return channels if x.dim() == 2 else channels.reshape(-1, *[1] * (x.dim() - 2))
