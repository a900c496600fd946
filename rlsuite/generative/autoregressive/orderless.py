"""Orderless NADE: one network for every order of the entries, dense or convolutional, which completes any event."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rlsuite.errors import HyperparameterError
from rlsuite.generative.autoregressive.chain import Autoregressive
from rlsuite.generative.blocks import mlp
from rlsuite.generative.capabilities import Completion

ROWS = 8192  # masked events that one pass of the network takes


class _Orderless(Autoregressive, Completion):
    """p(xᵢ | x_known) for every entry i and every set of known ones, from the known entries and their mask.

    Training draws an order and a number d − 1 of known entries, both uniform, and estimates without bias the mean over
    orders of −log p(x) (Uria, Murray and Larochelle, 2014, equation 16)::

        loss = D / (D − d + 1) Σ_{i unknown} −log p(xᵢ | x_known)

    Each order gives a density; they agree in the limit alone. ``log_prob`` and ``sample`` use the order of the entries as
    they lie; :meth:`log_prob_in` takes any. Known entries come first in an order, so every subset can be completed: the
    unknown entries are drawn one by one, in a random order of each event's own.
    """

    def _network(self, features: Tensor, context: Tensor | None) -> Tensor:
        """Parameters ``(n, D, outputs)`` from known entries, zero where unknown, and the mask ``(n, D, inputs + 1)``."""
        raise NotImplementedError

    def _given(self, entries: Tensor, known: Tensor, condition: Tensor | None) -> Tensor:
        """Parameters ``(n, D, outputs)`` given those of ``entries (n, D, 1)`` that are ``known (n, D)``."""
        seen = known.to(entries).unsqueeze(-1)
        features = torch.cat([self.head.encode(entries) * seen, seen], -1)
        return self._network(features, self._context(condition))

    def _loss(self, x: Tensor, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        n, d = len(x), self.event_size
        rank = torch.rand(n, d, generator=generator, device=x.device).argsort(1)
        count = torch.randint(d, (n, 1), generator=generator, device=x.device)  # how many are known: 0 … D − 1
        known = rank < count
        entries = self._entries(x)
        each = self.head.log_prob(self._given(entries, known, condition), entries)
        return -(each * ~known).sum(1) * d / (d - count.squeeze(1))

    def log_prob_in(self, order: Tensor | Sequence[int], x: Tensor, condition: Tensor | None = None) -> Tensor:
        """log p(x | condition) ``(*batch)`` when entries are drawn in ``order``, a permutation of 0 … D − 1.

        Raises:
            HyperparameterError: it is none.
        """
        order = torch.as_tensor(order)
        if not torch.equal(order.sort().values, torch.arange(self.event_size)):
            raise HyperparameterError(f"order is a permutation of 0 … {self.event_size - 1}, not {order.tolist()}")
        x, condition, batch = self.flat(x, condition)
        factors = self._factors_in(order.to(x.device), self.normalizer(x), condition)
        return (factors.sum(1) + self.normalizer.log_det).reshape(batch)

    def _log_factors(self, x: Tensor, condition: Tensor | None) -> Tensor:
        return self._factors_in(torch.arange(self.event_size, device=x.device), x, condition)

    def _factors_in(self, order: Tensor, x: Tensor, condition: Tensor | None) -> Tensor:
        """log p(xᵢ | those before i in ``order``) ``(n, D)``: one pass for each entry, many at once."""
        entries, factors = self._entries(x), []
        rank = order.argsort()
        known = rank < rank[:, None]  # (D, D): what entry i is given
        which = torch.arange(self.event_size, device=x.device)
        for some in which.split(max(1, ROWS // max(1, len(x)))):
            k = len(some)
            many = entries.repeat_interleave(k, 0)
            c = None if condition is None else condition.repeat_interleave(k, 0)
            parameters = self._given(many, known[some].repeat(len(x), 1), c).unflatten(0, (len(x), k))
            own = parameters[:, torch.arange(k, device=x.device), some]
            factors.append(self.head.log_prob(own, entries[:, some]))
        return torch.cat(factors, 1)

    def _sample(self, n: int, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        x = self.normalizer.mean.new_zeros(n, *self.event_shape)
        rank = torch.arange(self.event_size, device=x.device).expand(n, -1)
        return self._draw(x, rank, torch.zeros_like(rank, dtype=torch.bool), condition, generator)

    def _complete(
        self, known: Tensor, mask: Tensor, condition: Tensor | None, generator: torch.Generator | None
    ) -> Tensor:
        given = mask.flatten(1)
        chance = torch.rand(given.shape, generator=generator, device=known.device)
        rank = (chance - given.to(chance)).argsort(1).argsort(1)  # known entries first
        return self._draw(known, rank, given, condition, generator)

    def _draw(
        self, x: Tensor, rank: Tensor, given: Tensor, condition: Tensor | None, generator: torch.Generator | None
    ) -> Tensor:
        """Draw the entries that are not ``given (n, D)``, each event in the order of its ``rank (n, D)``."""
        x, row = x.flatten(1).clone(), torch.arange(len(x), device=x.device)
        for at in range(int(given.sum(1).min()) if len(x) else 0, self.event_size):
            entry = (rank == at).nonzero()[:, 1]
            known = given | (rank < at)
            entries = torch.where(known, x, torch.zeros_like(x)).unsqueeze(-1)
            parameters = self._given(entries, known, condition)[row, entry]
            drawn = self.head.draw(parameters, self.head.noise((len(x),), parameters, generator)).squeeze(-1)
            x[row, entry] = torch.where(given[row, entry], x[row, entry], drawn)
        return x.reshape(len(x), *self.event_shape)


class OrderlessNADE(_Orderless):
    """Deep orderless NADE: a multi-layer perceptron of the known entries and their mask.

    Args:
        n_values: values of each entry, or 0 for real ones.
        components: Gaussians in the mixture of a real entry.
        hidden: widths of the hidden layers.
    """

    name = "orderless-nade"

    def __init__(
        self,
        event_shape: int | Sequence[int],
        condition_shape: int | Sequence[int] | None = None,
        n_values: int = 2,
        components: int = 10,
        hidden: Sequence[int] = (256, 256),
    ) -> None:
        super().__init__(event_shape, condition_shape, n_values, components)
        self.hidden = tuple(hidden)
        d = self.event_size
        self.network = mlp(d * (self.head.inputs + 1) + self.condition_size, self.hidden, d * self.head.outputs)
        last = self.network[-1]
        assert isinstance(last, nn.Linear)
        last.bias.data.copy_(self.head.initial_bias().repeat(d))

    def _network(self, features: Tensor, context: Tensor | None) -> Tensor:
        flat = features.flatten(1)
        parameters: Tensor = self.network(flat if context is None else torch.cat([flat, context], 1))
        return parameters.unflatten(1, (self.event_size, -1))


class ConvNADE(_Orderless):
    """Orderless NADE of pictures ``(H, W)``: convolutions over the known pixels and their mask (Uria, Côté, Gregor, Murray
    and Larochelle, 2016, section 5). Every layer but the first adds to what came before; dilations 1, 2, 4, 1 … widen
    what a pixel sees.

    Args:
        n_values: values of each entry, or 0 for real ones.
        components: Gaussians in the mixture of a real entry.
        channels: of the hidden layers.
        layers: how many.
        kernel: size of the convolutions, odd.
    """

    name = "conv-nade"

    def __init__(
        self,
        event_shape: Sequence[int],
        condition_shape: int | Sequence[int] | None = None,
        n_values: int = 2,
        components: int = 10,
        channels: int = 48,
        layers: int = 6,
        kernel: int = 3,
    ) -> None:
        super().__init__(event_shape, condition_shape, n_values, components)
        if len(self.event_shape) != 2 or layers < 1 or channels < 1 or kernel < 3 or kernel % 2 == 0:
            raise HyperparameterError(
                "conv-nade: event_shape is (rows, columns), layers and channels at least 1, kernel odd and at least 3; "
                f"not {self.event_shape}, {layers!r}, {channels!r}, {kernel!r}"
            )
        self.channels, self.layers, self.kernel = channels, layers, kernel
        self.first = nn.Conv2d(self.head.inputs + 1, channels, kernel, padding=kernel // 2)
        self.context = nn.Linear(self.condition_size, channels, bias=False) if self.condition_size else None
        self.rest = nn.ModuleList(
            nn.Conv2d(channels, channels, kernel, padding=(kernel // 2) * 2 ** (i % 3), dilation=2 ** (i % 3))
            for i in range(layers - 1)
        )
        self.last = nn.Conv2d(channels, self.head.outputs, 1)
        assert self.last.bias is not None
        self.last.bias.data.copy_(self.head.initial_bias())

    def _network(self, features: Tensor, context: Tensor | None) -> Tensor:
        h = self.first(features.mT.unflatten(2, self.event_shape))
        if self.context is not None and context is not None:
            h = h + self.context(context)[:, :, None, None]
        for conv in self.rest:
            h = h + conv(torch.relu(h))
        return self.last(torch.relu(h)).flatten(2).mT
