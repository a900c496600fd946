"""MADE: a multi-layer perceptron whose masks make it autoregressive, in any order and under several masks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from rlsuite.errors import HyperparameterError
from rlsuite.generative.autoregressive.chain import Autoregressive
from rlsuite.generative.masked import MaskedMLP


class MADE(Autoregressive):
    """All D factors from one pass through a masked network (Germain, Gregor, Murray and Larochelle, 2015).

    With several masks (their orders and hidden degrees drawn at random, the weights shared) it is the mixture
    p(x) = 1/M Σₘ pₘ(x), a density like any other; training takes one mask for each batch, whose −log pₘ(x) is in the mean
    an upper bound of −log p(x) (Jensen). Sampling is one pass over the hidden units, not D passes through the network:
    see :meth:`rlsuite.generative.masked.MaskedMLP.generate`.

    Args:
        n_values: values of each entry (2: binary), or 0 for real entries.
        components: Gaussians in the mixture of a real entry.
        hidden: widths of the hidden layers.
        order: ``raster`` (entries as they lie) or ``random`` (an order of its own for each mask).
        masks: M, how many masks share the weights.
        mask_seed: draws the random orders and, with several masks, the hidden degrees.
    """

    name = "made"

    def __init__(
        self,
        event_shape: int | Sequence[int],
        condition_shape: int | Sequence[int] | None = None,
        n_values: int = 2,
        components: int = 10,
        hidden: Sequence[int] = (256, 256),
        order: str = "raster",
        masks: int = 1,
        mask_seed: int = 0,
    ) -> None:
        super().__init__(event_shape, condition_shape, n_values, components)
        if order not in ("raster", "random") or masks < 1 or not hidden:
            raise HyperparameterError(
                "made: order is 'raster' or 'random', masks at least 1, and hidden has a width at least; "
                f"not {order!r}, {masks!r}, {hidden!r}"
            )
        self.hidden, self.order, self.masks, self.mask_seed = tuple(hidden), order, masks, mask_seed
        source = torch.Generator().manual_seed(mask_seed)
        orders = [
            torch.randperm(self.event_size, generator=source) if order == "random" else torch.arange(self.event_size)
            for _ in range(masks)
        ]
        degree_seed = int(torch.randint(2**62, (), generator=source))
        self.network = MaskedMLP(
            self.event_size, self.head.inputs, self.head.outputs, self.hidden, self.condition_size,
            orders=orders, seed=degree_seed if masks > 1 else None,
        )  # fmt: skip
        with torch.no_grad():
            self.network.linears[-1].bias.copy_(self.head.initial_bias().repeat(self.event_size))

    def causal_order(self, which: int = 0) -> list[int]:
        """Entries in the order of drawing under one of the masks."""
        return self.network.degrees[which][0].argsort().tolist()

    def _factors(self, x: Tensor, condition: Tensor | None, which: int) -> Tensor:
        entries = self._entries(x)
        return self.head.log_prob(self.network(self.head.encode(entries), self._context(condition), which), entries)

    def _log_factors(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """Of the first mask; a mixture has no factors."""
        return self._factors(x, condition, 0)

    def _log_prob(self, x: Tensor, condition: Tensor | None) -> Tensor:
        each = [self._factors(x, condition, which).sum(1) for which in range(self.masks)]
        return torch.logsumexp(torch.stack(each), 0) - math.log(self.masks)

    def _loss(self, x: Tensor, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        if not self.training or self.masks == 1:
            return -self._log_prob(x, condition)
        which = int(torch.randint(self.masks, (), generator=generator, device=x.device))
        return -self._factors(x, condition, which).sum(1)

    def _sample(self, n: int, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        return self._draw(n, condition, generator, by_passes=False)

    def _draw(self, n: int, condition: Tensor | None, generator: torch.Generator | None, *, by_passes: bool) -> Tensor:
        """``by_passes``: by D passes through the network, as a check; the same noise gives the same events."""
        like, context = self.normalizer.mean, self._context(condition)
        noise = self.head.noise((self.event_size, n), like, generator)
        if self.masks == 1:
            return self._draw_under(0, noise, context, by_passes).reshape(n, *self.event_shape)
        which = torch.randint(self.masks, (n,), generator=generator, device=like.device)
        x = like.new_empty(n, self.event_size)
        for mask in range(self.masks):
            rows = (which == mask).nonzero().squeeze(1)
            x[rows] = self._draw_under(mask, noise[:, rows], None if context is None else context[rows], by_passes)
        return x.reshape(n, *self.event_shape)

    def _draw_under(self, mask: int, noise: Tensor, context: Tensor | None, by_passes: bool) -> Tensor:
        """Events ``(n, D)`` of noise ``(D, n, …)`` under one mask."""
        noises = noise.unbind(0)
        drawn = list(noises)

        def emit(entry: int, parameters: Tensor) -> Tensor:
            drawn[entry] = self.head.draw(parameters, noises[entry])
            return self.head.encode(drawn[entry])

        draw = self.network.generate_by_passes if by_passes else self.network.generate
        draw(noise.shape[1], emit, context, mask)
        return torch.cat(drawn, 1)
