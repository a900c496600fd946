"""PixelCNN, plain with its blind spot and gated without, both with caches that make sampling linear in the pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rlsuite.errors import HyperparameterError
from rlsuite.generative.autoregressive.pixels import MaskedConv2d, PixelModel


class _PixelCNN(PixelModel):
    """What both have: their sizes, two last 1 × 1 layers, and drawing pixel after pixel from caches."""

    def __init__(
        self,
        event_shape: Sequence[int],
        condition_shape: int | Sequence[int] | None,
        n_values: int,
        components: int,
        channels: int,
        layers: int,
        kernel: int,
        first_kernel: int,
    ) -> None:
        super().__init__(event_shape, condition_shape, n_values, components)
        if channels < self.colours or layers < 0 or any(size < 3 or size % 2 == 0 for size in (kernel, first_kernel)):
            raise HyperparameterError(
                f"{self.name}: channels are at least one for each colour, layers at least 0, kernels odd and at least 3; "
                f"not {channels!r}, {layers!r}, {kernel!r}, {first_kernel!r}"
            )
        self.channels, self.layers, self.kernel, self.first_kernel = channels, layers, kernel, first_kernel
        self.middle = MaskedConv2d(channels, channels, (0, 0, 0), self.colours, "B")
        self.last = MaskedConv2d(channels, self.colours * self.head.outputs, (0, 0, 0), self.colours, "B")
        with torch.no_grad():
            assert self.last.bias is not None
            self.last.bias.copy_(self.head.initial_bias().repeat(self.colours))

    def _finish(self, h: Tensor) -> Tensor:
        parameters: Tensor = self.last(torch.relu(self.middle(torch.relu(h))))
        return parameters

    def _sample(self, n: int, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        like, context = self.normalizer.mean, self._context(condition)
        noise = self.head.noise((self.rows, self.columns, self.colours, n), like, generator)
        x = like.new_zeros(n, self.colours, self.rows, self.columns)
        image = like.new_zeros(n, self.colours, self.head.inputs, self.rows, self.columns)
        if self.n_values > 2:
            image[:, :, 0] = 1.0  # as _features encodes the zeros of pixels not drawn yet, which no layer sees
        evaluator = self._evaluator(n, context)
        for i in range(self.rows):
            evaluator.begin_row(i, image.flatten(1, 2))
            for j in range(self.columns):
                pixel = image[..., i, j]
                for c in range(self.colours):
                    parameters = evaluator.pixel(i, j, pixel.flatten(1))
                    value = self.head.draw(parameters.chunk(self.colours, 1)[c], noise[i, j, c])
                    x[:, c, i, j] = value.squeeze(-1)
                    pixel[:, c] = self.head.encode(value)
                evaluator.settle(i, j, pixel.flatten(1))
        return x.reshape(n, *self.event_shape)

    def _evaluator(self, n: int, context: Tensor | None) -> _Evaluator:
        raise NotImplementedError


class _Evaluator:
    """A network evaluated pixel after pixel, from what its layers have kept of earlier ones."""

    def begin_row(self, i: int, image: Tensor) -> None:
        """Before the first pixel of row ``i``; of ``image`` the rows above are right."""

    def settle(self, i: int, j: int, features: Tensor) -> None:
        """Note all of a pixel's features. Only the first layer's input changes: no colour comes after the last one."""
        raise NotImplementedError

    def pixel(self, i: int, j: int, features: Tensor) -> Tensor:
        """Parameters ``(n, colours · outputs)`` at a pixel, whose features ``(n, colours · inputs)`` are so far known."""
        raise NotImplementedError


class _Pointwise:
    """A masked convolution at one place, from the places that it sees, ``reach`` rows and columns around.

    Attributes:
        places: (rows down, columns right) from the upper left corner of what it reaches, in raster order up to the place
            itself.
    """

    def __init__(self, conv: MaskedConv2d) -> None:
        above, left, right = conv.reach
        corner = [(a, b) for a in range(above + 1) for b in range(left + 1 + right)]
        self.places = corner[: above * (left + 1 + right) + left + 1]
        weight = conv.masked_weight.flatten(2)[..., : len(self.places)]  # (out, in, places)
        self.weight, self.bias = weight.permute(2, 1, 0).flatten(0, 1).contiguous(), conv.bias

    def __call__(self, *inputs: Tensor) -> Tensor:
        """``(n, out)`` of the inputs ``(n, in)`` at each of :attr:`places`."""
        assert self.bias is not None
        return torch.addmm(self.bias, torch.cat(inputs, 1), self.weight)


Row = list[Tensor]  # inputs ``(n, in)`` at the places of one row, with zeros beside them


class PixelCNN(_PixelCNN):
    """A stack of masked k × k convolutions (van den Oord, Kalchbrenner and Kavukcuoglu, 2016, section 3.4).

    Stacked masks leave a blind spot: pixels above and to the right that no path of the network reaches, since a step
    to the right always costs a step up. :class:`GatedPixelCNN` has none. Layers are h ← h + conv(max(0, h)).

    Args:
        n_values: values of each entry, or 0 for real ones.
        components: Gaussians in the mixture of a real entry.
        channels: of the hidden layers, shared out among the colours.
        layers: k × k layers after the first.
        kernel: k.
        first_kernel: of the first layer.
    """

    name = "pixelcnn"

    def __init__(
        self,
        event_shape: Sequence[int],
        condition_shape: int | Sequence[int] | None = None,
        n_values: int = 2,
        components: int = 10,
        channels: int = 48,
        layers: int = 5,
        kernel: int = 3,
        first_kernel: int = 7,
    ) -> None:
        super().__init__(event_shape, condition_shape, n_values, components, channels, layers, kernel, first_kernel)
        q, p = first_kernel // 2, kernel // 2
        self.first = MaskedConv2d(self.colours * self.head.inputs, channels, (q, q, q), self.colours, "A")
        self.hidden = nn.ModuleList(
            MaskedConv2d(channels, channels, (p, p, p), self.colours, "B") for _ in range(layers)
        )
        self.context = nn.Linear(self.condition_size, channels, bias=False) if self.condition_size else None

    def _convolutions(self) -> list[MaskedConv2d]:
        return [self.first, *(conv for conv in self.hidden if isinstance(conv, MaskedConv2d))]

    def _network(self, features: Tensor, context: Tensor | None) -> Tensor:
        h = self.first(features)
        if self.context is not None and context is not None:
            h = h + self.context(context)[:, :, None, None]
        for conv in self.hidden:
            h = h + conv(torch.relu(h))
        return self._finish(h)

    def _evaluator(self, n: int, context: Tensor | None) -> _Evaluator:
        return _PlainEvaluator(self, n, context)


class _PlainEvaluator(_Evaluator):
    """Keeps the inputs of each layer, zeros around them, and applies each to what it sees from a pixel."""

    def __init__(self, model: PixelCNN, n: int, context: Tensor | None) -> None:
        convolutions = model._convolutions()
        self.layers = [_Pointwise(conv) for conv in convolutions]
        self.last = [_Pointwise(model.middle), _Pointwise(model.last)]
        self.shift = None if model.context is None or context is None else model.context(context)
        self.corners = [conv.reach[:2] for conv in convolutions]
        self.kept: list[list[Row]] = []
        for conv in convolutions:
            above, left, right = conv.reach
            nothing = conv.weight.new_zeros(n, conv.in_channels)
            self.kept.append([[nothing] * (left + model.columns + right) for _ in range(above + model.rows)])

    def settle(self, i: int, j: int, features: Tensor) -> None:
        above, left = self.corners[0]
        self.kept[0][above + i][left + j] = features

    def pixel(self, i: int, j: int, features: Tensor) -> Tensor:
        h = self._at(0, i, j, features)
        if self.shift is not None:
            h = h + self.shift
        for index in range(1, len(self.kept)):
            h = h + self._at(index, i, j, torch.relu(h))
        return self.last[1](torch.relu(self.last[0](torch.relu(h))))

    def _at(self, index: int, i: int, j: int, x: Tensor) -> Tensor:
        """The output of a convolution at a pixel whose input ``x (n, channels)`` is new."""
        layer, kept, (above, left) = self.layers[index], self.kept[index], self.corners[index]
        kept[above + i][left + j] = x
        return layer(*[kept[i + a][j + b] for a, b in layer.places])


def gate(a: Tensor) -> Tensor:
    """tanh(signal) ⊙ σ(gate) of the two halves of the channels."""
    signal, opening = a.chunk(2, 1)
    return torch.tanh(signal) * torch.sigmoid(opening)


class GatedLayer(nn.Module):
    """Two stacks: v sees all rows above, h sees its own row to the left, and v through a 1 × 1 convolution.

    a = W_v ∗ v + C_v c, v ← tanh(a₁) ⊙ σ(a₂); b = W_h ∗ h + L a + C_h c, h ← h + V (tanh(b₁) ⊙ σ(b₂)).
    """

    def __init__(self, n_in: int, channels: int, kernel: int, colours: int, first: bool, context: int) -> None:
        super().__init__()
        p = kernel // 2
        self.p, self.is_first = p, first
        self.vertical = nn.Conv2d(n_in, 2 * channels, (p + 1, kernel))
        self.link = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.horizontal = MaskedConv2d(n_in, channels, (0, p, 0), colours, "A" if first else "B", gates=2)
        self.out = MaskedConv2d(channels, channels, (0, 0, 0), colours, "B")
        self.context = nn.Linear(context, 4 * channels, bias=False) if context else None

    def shifts(self, context: Tensor | None) -> tuple[Tensor | float, Tensor | float]:
        """What the condition adds to a and to b ``(n, 2 · channels, 1, 1)``."""
        if self.context is None or context is None:
            return 0.0, 0.0
        a, b = self.context(context)[:, :, None, None].chunk(2, 1)
        return a, b

    def forward(self, v: Tensor, h: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """v's row i sees v's rows up to i; the first layer is given the picture one row lower."""
        shift_v, shift_h = self.shifts(context)
        a = self.vertical(F.pad(v, (self.p, self.p, self.p, 0))) + shift_v
        new = self.out(gate(self.horizontal(h) + self.link(a) + shift_h))
        return gate(a), new if self.is_first else h + new


class GatedPixelCNN(_PixelCNN):
    """Gated layers in a vertical and a horizontal stack, without a blind spot (van den Oord et al., 2016b, section 2).

    Args: as for :class:`PixelCNN`.
    """

    name = "gated-pixelcnn"

    def __init__(
        self,
        event_shape: Sequence[int],
        condition_shape: int | Sequence[int] | None = None,
        n_values: int = 2,
        components: int = 10,
        channels: int = 32,
        layers: int = 5,
        kernel: int = 3,
        first_kernel: int = 7,
    ) -> None:
        super().__init__(event_shape, condition_shape, n_values, components, channels, layers, kernel, first_kernel)
        features, c = self.colours * self.head.inputs, self.condition_size
        self.gated = nn.ModuleList(
            [GatedLayer(features, channels, first_kernel, self.colours, True, c)]
            + [GatedLayer(channels, channels, kernel, self.colours, False, c) for _ in range(layers)]
        )

    def _gated(self) -> list[GatedLayer]:
        return [layer for layer in self.gated if isinstance(layer, GatedLayer)]

    def _network(self, features: Tensor, context: Tensor | None) -> Tensor:
        v, h = F.pad(features, (0, 0, 1, 0))[:, :, :-1], features
        for layer in self._gated():
            v, h = layer(v, h, context)
        return self._finish(h)

    def _evaluator(self, n: int, context: Tensor | None) -> _Evaluator:
        return _GatedEvaluator(self, n, context)


class _GatedEvaluator(_Evaluator):
    """The vertical stack a row at a time, when the rows above are known; the horizontal one a pixel at a time."""

    def __init__(self, model: GatedPixelCNN, n: int, context: Tensor | None) -> None:
        self.layers = model._gated()
        self.horizontal = [_Pointwise(layer.horizontal) for layer in self.layers]
        self.out = [_Pointwise(layer.out) for layer in self.layers]
        self.last = [_Pointwise(model.middle), _Pointwise(model.last)]
        self.shifts = [layer.shifts(context) for layer in self.layers]
        self.above = [  # inputs of each vertical convolution, padded
            layer.vertical.weight.new_zeros(n, layer.vertical.in_channels, model.rows + layer.p, model.columns)
            for layer in self.layers
        ]
        self.left: list[Row] = [  # inputs of each horizontal one in the present row
            [layer.vertical.weight.new_zeros(n, layer.vertical.in_channels)] * (layer.p + model.columns)
            for layer in self.layers
        ]
        self.linked: list[Sequence[Tensor]] = []  # of each layer, at each place of the present row

    def begin_row(self, i: int, image: Tensor) -> None:
        v = image[:, :, i - 1] if i else torch.zeros_like(image[:, :, 0])
        self.linked = []
        for layer, above, (shift_v, shift_h) in zip(self.layers, self.above, self.shifts, strict=True):
            above[:, :, layer.p + i] = v
            a = layer.vertical(F.pad(above[:, :, i : i + layer.p + 1], (layer.p, layer.p))) + shift_v
            self.linked.append((layer.link(a) + shift_h).squeeze(2).unbind(2))
            v = gate(a).squeeze(2)

    def settle(self, i: int, j: int, features: Tensor) -> None:
        self.left[0][self.layers[0].p + j] = features

    def pixel(self, i: int, j: int, features: Tensor) -> Tensor:
        h = features
        for layer, horizontal, out, left, linked in zip(
            self.layers, self.horizontal, self.out, self.left, self.linked, strict=True
        ):
            left[layer.p + j] = h
            new = out(gate(horizontal(*left[j : j + layer.p + 1]) + linked[j]))
            h = new if layer.is_first else h + new
        return self.last[1](torch.relu(self.last[0](torch.relu(h))))
