"""PixelRNN: a Row LSTM, or a Diagonal BiLSTM, over the pixels of a picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rlsuite.errors import HyperparameterError
from rlsuite.generative.autoregressive.pixels import MaskedConv2d, PixelModel

VARIANTS = ("row", "diagonal")


def skew(x: Tensor) -> Tensor:
    """Row i of ``x (*, H, W)`` moved i places to the right: ``(*, H, W + H − 1)``, so that diagonals become columns."""
    h, w = x.shape[-2:]
    flat = F.pad(x, (0, h)).flatten(-2)[..., : h * (w + h - 1)]  # a row too long by one place moves the next one
    return flat.unflatten(-1, (h, w + h - 1))


def unskew(x: Tensor) -> Tensor:
    """The inverse of :func:`skew`."""
    h, long = x.shape[-2:]
    return F.pad(x.flatten(-2), (0, h)).unflatten(-1, (h, long + 1))[..., : long + 1 - h]


def lstm_step(a: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """c ← σ(f) ⊙ c + σ(i) ⊙ tanh(g), h = σ(o) ⊙ tanh(c), for ``a`` = (o, f, i, g) along the channels."""
    o, f, i, g = a.chunk(4, 1)
    cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(cell), cell


class RowLSTM(nn.Module):
    """An LSTM from row to row: its state sees k pixels of the row above, and so a triangle of the past
    (van den Oord, Kalchbrenner and Kavukcuoglu, 2016, section 3.1)."""

    def __init__(self, channels: int, kernel: int, colours: int) -> None:
        super().__init__()
        self.input = MaskedConv2d(channels, channels, (0, kernel // 2, 0), colours, "B", gates=4)
        self.state = nn.Conv1d(channels, 4 * channels, kernel, padding=kernel // 2, bias=False)
        self.out = MaskedConv2d(channels, channels, (0, 0, 0), colours, "B")

    def forward(self, x: Tensor) -> Tensor:
        h = cell = torch.zeros_like(x[:, :, 0])
        rows = []
        for a in self.input(x).unbind(2):
            h, cell = lstm_step(a + self.state(h), cell)
            rows.append(h)
        return x + self.out(torch.stack(rows, 2))


class DiagonalLSTM(nn.Module):
    """Two LSTMs from diagonal to diagonal, one from each upper corner, whose states see the pixel beside and the pixel
    above; the one that comes from the right is moved down a row, so that all of the past is seen and nothing else
    (van den Oord, Kalchbrenner and Kavukcuoglu, 2016, section 3.2)."""

    def __init__(self, channels: int, colours: int) -> None:
        super().__init__()
        self.inputs = nn.ModuleList(
            MaskedConv2d(channels, channels, (0, 0, 0), colours, "B", gates=4) for _ in range(2)
        )
        self.states = nn.ModuleList(nn.Conv1d(channels, 4 * channels, 2, bias=False) for _ in range(2))
        self.out = MaskedConv2d(channels, channels, (0, 0, 0), colours, "B")

    def _scan(self, x: Tensor, which: int) -> Tensor:
        """States ``(n, channels, H, W)``; the one at (i, j) sees (≤ i, ≤ j)."""
        h = cell = torch.zeros_like(x[..., 0])
        columns = []
        rows = torch.arange(x.shape[2], device=x.device)[:, None]
        for t, a in enumerate(skew(self.inputs[which](x)).unbind(3)):
            inside = ((rows <= t) & (t < rows + x.shape[3])).mT.to(x)  # no state outside the picture
            h, cell = lstm_step(a + self.states[which](F.pad(h, (1, 0))), cell)
            h, cell = h * inside, cell * inside
            columns.append(h)
        return unskew(torch.stack(columns, 3))

    def forward(self, x: Tensor) -> Tensor:
        from_right = self._scan(x.flip(3), 1).flip(3)
        return x + self.out(self._scan(x, 0) + F.pad(from_right, (0, 0, 1, 0))[:, :, :-1])


class PixelRNN(PixelModel):
    """A masked convolution, LSTM layers with residual connections, and two 1 × 1 layers.

    Mask A hides a row's last pixel from all features of that row, and so from the states that come from the right, which
    would leave a hole at the end of the row above. The diagonal variant therefore runs one column further than the
    picture.

    It is drawn by one pass for each entry; for fast drawing take a PixelCNN.

    Args:
        n_values: values of each entry, or 0 for real ones.
        components: Gaussians in the mixture of a real entry.
        variant: ``row`` or ``diagonal``.
        channels: of the hidden layers, shared out among the colours.
        layers: LSTM layers.
        kernel: of the Row LSTM's convolutions, odd.
        first_kernel: of the first layer, odd.
    """

    name = "pixel-rnn"

    def __init__(
        self,
        event_shape: Sequence[int],
        condition_shape: int | Sequence[int] | None = None,
        n_values: int = 2,
        components: int = 10,
        variant: str = "diagonal",
        channels: int = 32,
        layers: int = 2,
        kernel: int = 3,
        first_kernel: int = 7,
    ) -> None:
        super().__init__(event_shape, condition_shape, n_values, components)
        if variant not in VARIANTS or channels < self.colours or layers < 1 or not (kernel % 2 and first_kernel % 2):
            raise HyperparameterError(
                f"pixel-rnn: variant is 'row' or 'diagonal', channels at least one for each colour, layers at least 1, "
                f"kernels odd; not {variant!r}, {channels!r}, {layers!r}, {kernel!r}, {first_kernel!r}"
            )
        self.variant, self.channels, self.layers = variant, channels, layers
        self.kernel, self.first_kernel = kernel, first_kernel
        p = first_kernel // 2
        self.first = MaskedConv2d(self.colours * self.head.inputs, channels, (p, p, p), self.colours, "A")
        self.context = nn.Linear(self.condition_size, channels, bias=False) if self.condition_size else None
        self.lstms = nn.ModuleList(
            RowLSTM(channels, kernel, self.colours) if variant == "row" else DiagonalLSTM(channels, self.colours)
            for _ in range(layers)
        )
        self.middle = MaskedConv2d(channels, channels, (0, 0, 0), self.colours, "B")
        self.last = MaskedConv2d(channels, self.colours * self.head.outputs, (0, 0, 0), self.colours, "B")
        assert self.last.bias is not None
        self.last.bias.data.copy_(self.head.initial_bias().repeat(self.colours))

    def _network(self, features: Tensor, context: Tensor | None) -> Tensor:
        if self.variant == "diagonal":
            features = F.pad(features, (0, 1))
        h = self.first(features)
        if self.context is not None and context is not None:
            h = h + self.context(context)[:, :, None, None]
        for lstm in self.lstms:
            h = lstm(h)
        parameters: Tensor = self.last(torch.relu(self.middle(torch.relu(h))))
        return parameters[..., : self.columns]

    def _sample(self, n: int, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        return self._sample_by_passes(n, condition, generator)
