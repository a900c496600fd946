"""The masked multi-layer perceptron: an autoregressive network, and its inverse in one pass over its hidden units.

Every entry i of an event has a rank r(i) in 1 … D, its place in the order of drawing; every hidden unit k a degree m(k) in
0 … D − 1. A unit sees entries with r ≤ m(k) and earlier units of at most its own degree; the output of entry i sees units
with m < r(i) (Germain, Gregor, Murray and Larochelle, 2015, equations 11 to 13). So output i depends on entries drawn
before i alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Plan(NamedTuple):
    """How one mask is drawn from: entries in the order of drawing, and units sorted by degree.

    Attributes:
        sorts: of inputs, each hidden layer and outputs: the units by degree; ``None`` where they lie so.
        ends: of each hidden layer and of the outputs: how many units have a degree below 0, 1, … D.
    """

    order: list[int]
    sorts: list[Tensor | None]
    ends: list[list[int]]


class MaskedMLP(nn.Module):
    """Parameters of each entry of an event from the entries before it.

    Args:
        size: D, entries of an event.
        inputs: numbers that describe one entry (1, or a one-hot vector's length).
        outputs: parameters for one entry.
        hidden: widths of the hidden layers; at least one.
        context: size of a vector that every unit may see.
        orders: for each of the masks that share the weights, the entries in the order of drawing; by default one mask,
            entries as they come.
        seed: draws the hidden degrees at random (connectivity-agnostic training); ``None`` spreads them evenly.
        activation: of hidden units; one of ``torch.nn.functional`` that takes ``inplace``.
    """

    def __init__(
        self,
        size: int,
        inputs: int,
        outputs: int,
        hidden: Sequence[int],
        context: int = 0,
        *,
        orders: Sequence[Tensor] | None = None,
        seed: int | None = None,
        activation: Callable[..., Tensor] = F.relu,
    ) -> None:
        super().__init__()
        self.size, self.inputs, self.outputs, self.activation = size, inputs, outputs, activation
        widths = [size * inputs, *hidden, size * outputs]
        self.layers = nn.ModuleList([nn.Linear(a, b) for a, b in itertools.pairwise(widths)])
        self.context = nn.ModuleList([nn.Linear(context, width, bias=False) for width in widths[1:]] if context else [])
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        self.degrees: list[
            list[Tensor]
        ] = []  # of each mask: ranks of the entries, then the degrees of each hidden layer
        self.plans: list[Plan] = []
        for which, order in enumerate(orders or [torch.arange(size)]):
            ranks = torch.empty(size, dtype=torch.long)
            ranks[order] = torch.arange(1, size + 1)
            lowest = 0 if context or size == 1 else 1
            degrees = [ranks]
            for width in hidden:
                if generator is None:
                    degrees.append(lowest + torch.arange(width) * (size - lowest) // width)
                else:
                    degrees.append(torch.randint(lowest, max(size, lowest + 1), (width,), generator=generator))
                    lowest = int(degrees[-1].min())
            self.degrees.append(degrees)
            columns = [ranks.repeat_interleave(inputs), *degrees[1:]]
            rows = [*degrees[1:], ranks.repeat_interleave(outputs) - 1]
            sorts = [by.argsort(stable=True) for by in [columns[0], *rows]]
            ends = [[0, *torch.bincount(row, minlength=size).cumsum(0).tolist()] for row in rows]
            as_they_lie = [torch.equal(sort, torch.arange(len(sort))) for sort in sorts]
            self.plans.append(
                Plan(order.tolist(), [None if ok else s for ok, s in zip(as_they_lie, sorts, strict=True)], ends)
            )
            for layer, (row, column) in enumerate(zip(rows, columns, strict=True)):
                mask = (row[:, None] >= column).to(torch.get_default_dtype())
                self.register_buffer(f"mask_{which}_{layer}", mask, persistent=False)

    @property
    def linears(self) -> list[nn.Linear]:
        """The layers, masks not applied."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]

    @property
    def masks(self) -> int:
        """How many masks share the weights."""
        return len(self.degrees)

    def forward(self, x: Tensor, context: Tensor | None = None, which: int = 0) -> Tensor:
        """Parameters ``(n, D, outputs)`` from entries ``(n, D, inputs)``, under the mask ``which``."""
        h = x.flatten(1)
        for i, layer in enumerate(self.linears):
            if i:
                h = self.activation(h)
            h = F.linear(h, layer.weight * self.get_buffer(f"mask_{which}_{i}"), layer.bias)
            if context is not None:
                h = h + self.context[i](context)
        return h.reshape(len(x), self.size, self.outputs)

    def generate_by_passes(
        self, n: int, emit: Callable[[int, Tensor], Tensor], context: Tensor | None = None, which: int = 0
    ) -> None:
        """As :meth:`generate`, by D passes through the whole network: easy to read, O(D) times slower."""
        x = self.linears[0].weight.new_zeros(n, self.size, self.inputs)
        for entry in self.degrees[which][0].argsort().tolist():
            x[:, entry] = emit(entry, self(x, context, which)[:, entry])

    @torch.no_grad()
    def generate(
        self, n: int, emit: Callable[[int, Tensor], Tensor], context: Tensor | None = None, which: int = 0
    ) -> None:
        """Draw ``n`` events entry by entry, computing every hidden unit once.

        Hidden units are sorted by degree. Once d entries are drawn, units of degree d have all that they see, and those of
        lower degree were computed before: with ``W[s:e, :p]`` the rows of degree d and the columns that they see, the mask
        is the slice itself. In all it is one (masked) pass, where the textbook makes D.

        Args:
            emit: takes an entry's number and its parameters ``(n, outputs)``; returns its inputs ``(n, inputs)``.
            context: ``(n, context)``.
        """
        order, sorts, ends = self.plans[which]
        weights, biases = [], []
        for i, layer in enumerate(self.linears):
            weight, bias = layer.weight, layer.bias[:, None]
            if context is not None:
                bias = bias + self.context[i](context).mT
            rows, columns = sorts[i + 1], sorts[i]
            if rows is not None:
                weight, bias = (tensor.index_select(0, rows.to(tensor.device)) for tensor in (weight, bias))
            if columns is not None:
                weight = weight.index_select(1, columns.to(weight.device))
            weights.append(weight)
            biases.append(bias)
        # one column for each event, so that the units of one degree lie together in memory
        values = [biases[0].new_empty(width, n) for width in [weights[0].shape[1], *map(len, weights)]]
        entries, parameters = (values[i].unflatten(0, (self.size, -1)).mT.unbind(0) for i in (0, -1))
        counts = [[b - a for a, b in itertools.pairwise(end)] for end in ends]
        units = [value.split(count) for value, count in zip(values[1:], counts, strict=True)]
        layers = list(map(_rows_of, weights, biases, values, values[1:]))
        for d, entry in enumerate(order):
            seen = d * self.inputs
            for i, (compute, end) in enumerate(zip(layers, ends, strict=True)):
                if end[d + 1] > end[d]:
                    compute(end[d], end[d + 1], seen)
                    if i < len(layers) - 1:
                        self.activation(units[i][d], inplace=True)
                seen = end[d + 1]
            entries[d].copy_(emit(entry, parameters[d]))


def _rows_of(weight: Tensor, bias: Tensor, x: Tensor, out: Tensor) -> Callable[[int, int, int], object]:
    """Computes ``out[a:b] = weight[a:b, :seen] @ x[:seen] + bias[a:b]`` for (a, b, seen).

    On the processor by numpy, whose calls and slices cost a third of torch's: there are D of them for each layer.
    """
    if not fits_numpy(out):
        return lambda a, b, seen: torch.addmm(bias[a:b], weight[a:b, :seen], x[:seen], out=out[a:b])
    w, c, source, to = map(in_numpy, (weight, bias, x, out))

    def compute(a: int, b: int, seen: int) -> None:
        rows = to[a:b]
        np.matmul(w[a:b, :seen], source[:seen], out=rows)
        rows += c[a:b]

    return compute


def fits_numpy(x: Tensor) -> bool:
    """Whether numpy reads such tensors where they lie, and is quick with them."""
    return x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64)


def in_numpy(x: Tensor) -> Any:
    """The same memory as an array."""
    return x.detach().numpy()
