"""Conditioners: the networks, of any kind, that tell an affine transform its scale and its shift.

They read what the transform leaves unchanged and the condition, and need no inverse. Their last layer begins at zero, so
that every transform begins as the identity, whatever the condition (Kingma and Dhariwal, 2018, section 3.3).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rlsuite.generative.blocks import mlp
from rlsuite.generative.flows.transform import channels_innermost

LIMIT = 3.0  # of the log-scale, so that no transform is near to singular

_CONVOLUTIONS: tuple[type[nn.Conv1d] | type[nn.Conv2d], ...] = (nn.Conv1d, nn.Conv2d)


def convolution(rank: int, n_in: int, n_out: int, kernel: int) -> nn.Module:
    """A convolution over ``rank`` axes that keeps their sizes; a linear layer where there is none."""
    if rank == 0:
        return nn.Linear(n_in, n_out)
    return _CONVOLUTIONS[rank - 1](n_in, n_out, kernel, padding=kernel // 2)


class Conditioner(nn.Module):
    """A network of ``n_in`` channels and a condition to ``n_out`` channels.

    Over vectors (``rank`` 0) a multilayer perceptron; over ``rank`` axes of space or time Glow's three convolutions, of
    widths 3, 1 and 3.

    Args:
        condition_channels: of the condition, a vector ``(n, channels)`` or a map ``(n, channels, *space)``; 0 without one.
        hidden: units of the hidden layers; convolutions take the first two (or the one twice).
    """

    def __init__(
        self, n_in: int, n_out: int, condition_channels: int = 0, hidden: Sequence[int] = (64, 64), rank: int = 0
    ) -> None:
        super().__init__()
        n_in += condition_channels
        if rank == 0:
            self.network = mlp(n_in, hidden, n_out)
        else:
            first, second = hidden[0], hidden[min(1, len(hidden) - 1)]
            self.network = nn.Sequential(
                convolution(rank, n_in, first, 3), nn.SiLU(), convolution(rank, first, second, 1), nn.SiLU(),
                convolution(rank, second, n_out, 3),
            )  # fmt: skip
        for parameter in self.network[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        if condition is not None:
            if condition.dim() != x.dim():
                condition = condition.flatten(1)
                condition = condition.reshape(*condition.shape, *[1] * (x.dim() - 2)).expand(-1, -1, *x.shape[2:])
            x = torch.cat([x, condition], 1)
        x = channels_innermost(x)
        in_place = not torch.is_grad_enabled()  # what a hidden layer gave is read once
        for layer in self.network:
            x = nn.functional.silu(x, in_place) if isinstance(layer, nn.SiLU) else layer(x)
        return x


def affine(x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
    """z = x ⊙ eˢ + t with (s, t) the halves of ``parameters (n, 2 · channels, …)``, s bounded; ladj = Σ s."""
    log_scale, shift = bounded(parameters)
    return torch.addcmul(shift, x, log_scale.exp()), _over_event(log_scale)


def affine_inverse(z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
    """x = (z − t) ⊙ e⁻ˢ; the inverse of :func:`affine`."""
    log_scale, shift = bounded(parameters)
    return (z - shift) * (-log_scale).exp(), -_over_event(log_scale)


def bounded(parameters: Tensor) -> tuple[Tensor, Tensor]:
    """Log-scale and shift: the halves of ``parameters``, the former within ± :data:`LIMIT`."""
    log_scale, shift = parameters.chunk(2, 1)
    return LIMIT * torch.tanh(log_scale / LIMIT), shift


def _over_event(x: Tensor) -> Tensor:
    """The sum of each event's entries, however they lie in memory."""
    return x.sum(tuple(range(1, x.dim())))
