"""The chain rule: the base of models whose log-density is a sum of one factor for each entry of an event."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rlsuite.errors import HyperparameterError
from rlsuite.generative.autoregressive.heads import head_for
from rlsuite.generative.capabilities import Density


class Autoregressive(Density):
    """log p(x | c) = Σᵢ log p(xᵢ | earlier entries, c), exact.

    Args:
        n_values: values of each entry (2: binary), or 0 for real entries.
        components: Gaussians in the mixture of each real entry.
        entry: numbers of an event that are one entry of the chain: 1, or the size of a frame.
    """

    def __init__(
        self,
        event_shape: int | Sequence[int],
        condition_shape: int | Sequence[int] | None = None,
        n_values: int = 2,
        components: int = 1,
        entry: int = 1,
    ) -> None:
        super().__init__(event_shape, condition_shape)
        self.n_values, self.components = n_values, components
        self.head = head_for(n_values, components, entry)
        self.support = "real" if n_values == 0 else "binary" if n_values == 2 else "categorical"

    def log_factors(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """log p(xᵢ | earlier entries, condition) ``(*batch, entries)`` of normalised events, in the order in which an
        event's entries lie (not that of drawing)."""
        x, condition, batch = self.flat(x, condition)
        return self._log_factors(self.normalizer(x), condition).reshape(*batch, -1)

    def _log_factors(self, x: Tensor, condition: Tensor | None) -> Tensor:
        raise NotImplementedError

    def _log_prob(self, x: Tensor, condition: Tensor | None) -> Tensor:
        return self._log_factors(x, condition).sum(1)

    def _entries(self, x: Tensor) -> Tensor:
        """Events ``(n, *event)`` as chains ``(n, D, entry)``.

        Raises:
            HyperparameterError: discrete entries that are none of the model's values.
        """
        if self.n_values:
            with torch.no_grad():
                wrong = x[(x < 0) | (x > self.n_values - 1) | (x != x.round())]
            if wrong.numel():
                raise HyperparameterError(
                    f"{self.name}: entries are whole numbers from 0 to {self.n_values - 1}, not {float(wrong[0]):g}"
                )
        return x.reshape(len(x), -1, self.head.size)

    def _context(self, condition: Tensor | None) -> Tensor | None:
        """Conditions as vectors ``(n, condition_size)``."""
        return None if condition is None else condition.flatten(1)
