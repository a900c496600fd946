"""The tabular model: a probability for every event. The oracle of all models of few discrete entries."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from rlsuite.errors import HyperparameterError
from rlsuite.generative.autoregressive.chain import Autoregressive
from rlsuite.generative.capabilities import Completion

MOST_EVENTS = 2**20


class Tabular(Autoregressive, Completion):
    """p(x) = (count of x + pseudo_count) / (n + pseudo_count · n_valuesᴰ): the maximum of the likelihood (with Dirichlet
    smoothing), found by counting. It has n_valuesᴰ − 1 free numbers, which is why the other models of this package exist.

    Args:
        n_values: values of each entry.
        pseudo_count: added to the count of each event; 0 gives events never seen the probability 0.
    """

    name = "tabular"
    table: Tensor

    def __init__(self, event_shape: int | Sequence[int], n_values: int = 2, pseudo_count: float = 0.01) -> None:
        super().__init__(event_shape, None, n_values)
        if n_values < 2 or n_values**self.event_size > MOST_EVENTS:
            raise HyperparameterError(
                f"tabular needs n_values of at least 2 and at most {MOST_EVENTS} events, "
                f"not {n_values}^{self.event_size}"
            )
        self.pseudo_count = pseudo_count
        events = n_values**self.event_size
        self.register_buffer("table", torch.full((n_values,) * self.event_size, 1.0 / events))

    def _prepare(self, x: Tensor, condition: Tensor | None, generator: torch.Generator) -> None:
        counts = torch.bincount(self._index(x), minlength=self.table.numel()).to(self.table) + self.pseudo_count
        self.table.copy_((counts / counts.sum()).reshape(self.table.shape))

    def _index(self, x: Tensor) -> Tensor:
        """Place ``(n)`` of each event in the flat table: its entries as digits, the first the most significant."""
        digits = self._entries(x).squeeze(-1).long()
        return (digits * self._place_values(x)).sum(1)

    def _place_values(self, like: Tensor) -> Tensor:
        return self.n_values ** torch.arange(self.event_size - 1, -1, -1, device=like.device)

    def _events(self, index: Tensor) -> Tensor:
        digits = index[:, None] // self._place_values(index) % self.n_values
        return digits.to(self.table).reshape(-1, *self.event_shape)

    def _log_prob(self, x: Tensor, condition: Tensor | None) -> Tensor:
        return self.table.flatten()[self._index(x)].log()

    def _log_factors(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """log p(xᵢ | x₁ … xᵢ₋₁) = log p(x₁ … xᵢ) − log p(x₁ … xᵢ₋₁), by summing the table over later entries."""
        index, factors = self._index(x), []
        for i in range(1, self.event_size + 1):
            later = self.n_values ** (self.event_size - i)
            factors.append(self.table.reshape(-1, later).sum(1)[index // later].log())
        return torch.stack([factors[0], *(b - a for a, b in itertools.pairwise(factors))], 1)

    def _sample(self, n: int, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        return self._events(torch.multinomial(self.table.flatten(), n, replacement=True, generator=generator))

    def _complete(
        self, known: Tensor, mask: Tensor, condition: Tensor | None, generator: torch.Generator | None
    ) -> Tensor:
        """Exact: the table over the events that agree with what is known, and nothing else."""
        every = self._events(torch.arange(self.table.numel(), device=known.device)).flatten(1)
        agree = ((every == known.flatten(1)[:, None]) | ~mask.flatten(1)[:, None]).all(-1)
        chosen = torch.multinomial(agree * self.table.flatten(), 1, generator=generator)
        return self._events(chosen.squeeze(1))
