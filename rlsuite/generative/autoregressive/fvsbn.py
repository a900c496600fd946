"""The fully visible sigmoid belief network: logistic regression of each entry on those before it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rlsuite.errors import HyperparameterError
from rlsuite.generative.autoregressive.chain import Autoregressive


class FVSBN(Autoregressive):
    """p(xᵢ = 1 | x₁ … xᵢ₋₁, c) = σ(bᵢ + Σ_{j<i} Wᵢⱼ xⱼ + Cᵢ c) (Frey, Hinton and Dayan, 1996; Neal, 1992).

    Its loss is convex: D logistic regressions, each of one entry. With more than two values, each is a softmax regression
    on one-hot vectors.
    """

    name = "fvsbn"
    below: Tensor

    def __init__(
        self,
        event_shape: int | Sequence[int],
        condition_shape: int | Sequence[int] | None = None,
        n_values: int = 2,
    ) -> None:
        super().__init__(event_shape, condition_shape, n_values)
        if n_values < 2:
            raise HyperparameterError(f"fvsbn models discrete entries: n_values is at least 2, not {n_values!r}")
        d, k, m = self.event_size, self.head.inputs, self.head.outputs
        self.weight = nn.Parameter(torch.zeros(d, m, d, k))
        self.bias = nn.Parameter(torch.zeros(d, m))
        self.context = nn.Linear(self.condition_size, d * m, bias=False) if condition_shape else None
        self.register_buffer("below", torch.ones(d, d).tril(-1)[:, None, :, None], persistent=False)

    def _bias(self, n: int, condition: Tensor | None) -> Tensor:
        """bᵢ + Cᵢ c ``(n, D, outputs)``."""
        bias = self.bias.expand(n, *self.bias.shape)
        if self.context is None or condition is None:
            return bias
        return bias + self.context(condition.flatten(1)).reshape(bias.shape)

    def _log_factors(self, x: Tensor, condition: Tensor | None) -> Tensor:
        entries = self._entries(x)
        parameters = torch.einsum("imjk,njk->nim", self.weight * self.below, self.head.encode(entries))
        return self.head.log_prob(parameters + self._bias(len(x), condition), entries)

    def _sample(self, n: int, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        noise = self.head.noise((self.event_size, n), self.bias, generator)
        parameters = self._bias(n, condition).clone()
        x = self.bias.new_empty(n, self.event_size)
        for i in range(self.event_size):  # O(D²): each entry, once drawn, adds its column
            entry = self.head.draw(parameters[:, i], noise[i])
            parameters[:, i + 1 :] += torch.einsum("imk,nk->nim", self.weight[i + 1 :, :, i], self.head.encode(entry))
            x[:, i] = entry.squeeze(-1)
        return x.reshape(n, *self.event_shape)
