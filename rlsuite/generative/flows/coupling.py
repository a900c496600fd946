"""Coupling: one part of an event stays as it is and tells how to move the other, so that inverse and ladj are at hand.

    z_a = x_a,    z_b = x_b ⊙ exp(s(x_a, c)) + t(x_a, c),    ladj = Σ s(x_a, c)        (affine; Dinh et al., 2017, eq. 4-6)
    z_a = x_a,    z_b = x_b + t(x_a, c),                     ladj = 0                  (additive; Dinh et al., 2015)

The Jacobian is triangular in the order a, b. A second coupling with the parts exchanged moves what the first one kept.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rlsuite.errors import HyperparameterError
from rlsuite.generative.flows.conditioner import Conditioner, affine, affine_inverse
from rlsuite.generative.flows.transform import Transform


class Coupling(Transform):
    """A coupling along the first axis of events ``(n, channels, *space)``, ``rank`` the number of axes of space.

    Args:
        swap: keep the second part and move the first, not the other way round.
        condition_channels: of the condition the network reads beside the kept part; see :class:`Conditioner`.

    Raises:
        HyperparameterError: fewer than two channels, which leave nothing to move or to keep.
    """

    parameters_each: int  # numbers that the network gives for each entry moved

    def __init__(
        self,
        channels: int,
        *,
        swap: bool = False,
        condition_channels: int = 0,
        hidden: Sequence[int] = (64, 64),
        rank: int = 0,
    ) -> None:
        super().__init__()
        if channels < 2:
            raise HyperparameterError(f"a coupling needs events of two entries or more, not {channels}")
        self.swap = swap
        half = channels // 2
        self.sizes = (half, channels - half) if swap else (channels - half, half)
        kept, moved = self.sizes[::-1] if swap else self.sizes
        self.network = Conditioner(kept, self.parameters_each * moved, condition_channels, hidden, rank)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        kept, moved = self._parts(x)
        moved, ladj = self._move(moved, self.network(kept, condition))
        return self._joined(kept, moved), ladj

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        kept, moved = self._parts(z)
        moved, ladj = self._move_back(moved, self.network(kept, condition))
        return self._joined(kept, moved), ladj

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The kept part and the other."""
        first, second = x.split(self.sizes, 1)
        return (second, first) if self.swap else (first, second)

    def _joined(self, kept: Tensor, moved: Tensor) -> Tensor:
        return torch.cat([moved, kept] if self.swap else [kept, moved], 1)

    def _move(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def _move_back(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError


class AffineCoupling(Coupling):
    """z_b = x_b ⊙ eˢ + t."""

    parameters_each = 2

    def _move(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        return affine(x, parameters)

    def _move_back(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        return affine_inverse(z, parameters)


class AdditiveCoupling(Coupling):
    """z_b = x_b + t, which keeps volumes."""

    parameters_each = 1

    def _move(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        return x + parameters, x.new_zeros(len(x))

    def _move_back(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        return z - parameters, z.new_zeros(len(z))
