"""Pictures as chains: raster order, colours within a pixel, and the masked convolution that keeps to it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rlsuite.errors import HyperparameterError
from rlsuite.generative.autoregressive.chain import Autoregressive


class MaskedConv2d(nn.Conv2d):
    """A convolution that sees the rows above, the pixels to the left and, of the pixel itself, some colours.

    Channels belong to colours 0 … C − 1 in equal runs. Of the pixel itself, output channels of colour c see input channels
    of colours < c (mask A, which first layers need) or ≤ c (mask B); so R is drawn before G, and G before B (van den Oord
    et al., 2016a, section 3.4).

    Args:
        reach: rows above, columns to the left and columns to the right (of the rows above) that are seen.
        colours: C.
        mask: ``A`` or ``B``.
        gates: 2 where the output is a signal and its gate, each in runs of colours.
    """

    mask: Tensor

    def __init__(
        self, n_in: int, n_out: int, reach: tuple[int, int, int], colours: int, mask: str, gates: int = 1
    ) -> None:
        above, left, right = reach
        super().__init__(n_in, n_out * gates, (above + 1, left + 1 + right))
        self.reach = reach
        colour_in = torch.arange(n_in) * colours // n_in
        colour_out = (torch.arange(n_out) * colours // n_out).repeat(gates)
        allowed = torch.ones(self.weight.shape)
        allowed[:, :, -1, left + 1 :] = 0.0
        own = colour_in < colour_out[:, None] if mask == "A" else colour_in <= colour_out[:, None]
        allowed[:, :, -1, left] = own.to(allowed)
        self.register_buffer("mask", allowed, persistent=False)

    @property
    def masked_weight(self) -> Tensor:
        return self.weight * self.mask

    def forward(self, x: Tensor) -> Tensor:
        above, left, right = self.reach
        return F.conv2d(F.pad(x, (left, right, above, 0)), self.masked_weight, self.bias)


class PixelModel(Autoregressive):
    """Events ``(H, W)`` or ``(colours, H, W)``, drawn row after row, pixel after pixel, colour after colour.

    A model gives ``_network``, the parameters of all entries at once.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        condition_shape: int | Sequence[int] | None,
        n_values: int,
        components: int,
    ) -> None:
        super().__init__(event_shape, condition_shape, n_values, components)
        if len(self.event_shape) not in (2, 3):
            raise HyperparameterError(
                f"{self.name}: event_shape is (rows, columns) or (colours, rows, columns), not {self.event_shape}"
            )
        self.colours, self.rows, self.columns = (1, *self.event_shape)[-3:]

    def causal_order(self) -> list[int]:
        """Flat entries in the order of drawing."""
        return torch.arange(self.event_size).reshape(self.colours, -1).mT.flatten().tolist()

    def _network(self, features: Tensor, context: Tensor | None) -> Tensor:
        """Parameters ``(n, colours · outputs, H, W)`` from ``(n, colours · inputs, H, W)``."""
        raise NotImplementedError

    def _features(self, x: Tensor) -> Tensor:
        """Events as a network sees them: ``(n, colours · inputs, H, W)``."""
        encoded = self.head.encode(self._entries(x)).reshape(len(x), self.colours, self.rows, self.columns, -1)
        return encoded.permute(0, 1, 4, 2, 3).flatten(1, 2)

    def _every_parameter(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """Parameters ``(n, colours, H, W, outputs)``."""
        parameters = self._network(self._features(x), self._context(condition))
        return parameters.unflatten(1, (self.colours, self.head.outputs)).permute(0, 1, 3, 4, 2)

    def _log_factors(self, x: Tensor, condition: Tensor | None) -> Tensor:
        parameters = self._every_parameter(x, condition).flatten(1, 3)
        return self.head.log_prob(parameters, self._entries(x))

    def _sample_by_passes(self, n: int, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        """One pass through the whole network for each entry: the textbook's way."""
        like = self.normalizer.mean
        noise = self.head.noise((self.rows, self.columns, self.colours, n), like, generator)
        x = like.new_zeros(n, self.colours, self.rows, self.columns)
        for i in range(self.rows):
            for j in range(self.columns):
                for c in range(self.colours):
                    parameters = self._every_parameter(x, condition)[:, c, i, j]
                    x[:, c, i, j] = self.head.draw(parameters, noise[i, j, c]).squeeze(-1)
        return x.reshape(n, *self.event_shape)
