"""The neural autoregressive distribution estimator (NADE) of discrete entries, and RNADE, its real-valued form."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rlsuite.errors import HyperparameterError
from rlsuite.generative.autoregressive.chain import Autoregressive


class _SharedHidden(Autoregressive):
    """D networks of one hidden layer that share their weights: hᵢ = f(aᵢ), aᵢ = b + C c + Σ_{j<i} W_{·j} xⱼ.

    Since aᵢ₊₁ = aᵢ + W_{·i} xᵢ, all D hidden layers cost O(DH), as a running sum, where D networks that each begin anew
    would cost O(D²H). (The text this project follows says that NADE costs O(D²H); the running sum is its point.)
    """

    def __init__(
        self,
        event_shape: int | Sequence[int],
        condition_shape: int | Sequence[int] | None,
        n_values: int,
        components: int,
        hidden: int,
    ) -> None:
        super().__init__(event_shape, condition_shape, n_values, components)
        if hidden < 1:
            raise HyperparameterError(f"hidden is at least 1, not {hidden!r}")
        self.hidden = hidden
        d, k, m = self.event_size, self.head.inputs, self.head.outputs
        self.weight = nn.Parameter(torch.randn(d, k, hidden) / (d * k) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(hidden))
        self.out_weight = nn.Parameter(torch.randn(d, m, hidden) * (0.1 / hidden**0.5))
        self.out_bias = nn.Parameter(self.head.initial_bias().repeat(d, 1))
        self.context = nn.Linear(self.condition_size, hidden, bias=False) if condition_shape else None

    def _activate(self, a: Tensor, first: int) -> Tensor:
        """Hidden layers of entries ``first`` … from their sums ``(n, entries, hidden)``."""
        raise NotImplementedError

    def _first_sum(self, n: int, condition: Tensor | None) -> Tensor:
        if self.context is None or condition is None:
            return self.bias.expand(n, -1)
        return self.bias + self.context(condition.flatten(1))

    def _log_factors(self, x: Tensor, condition: Tensor | None) -> Tensor:
        entries = self._entries(x)
        terms = torch.einsum("nik,ikh->nih", self.head.encode(entries[:, :-1]), self.weight[:-1])
        a = torch.cat([self._first_sum(len(x), condition)[:, None], terms], 1).cumsum(1)
        parameters = torch.einsum("nih,imh->nim", self._activate(a, 0), self.out_weight) + self.out_bias
        return self.head.log_prob(parameters, entries)

    def _sample(self, n: int, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        noise = self.head.noise((self.event_size, n), self.bias, generator)
        a, drawn = self._first_sum(n, condition), []
        each = (part.unbind(0) for part in (self.weight, self.out_weight.mT, self.out_bias, noise))
        for i, (weight, out_weight, out_bias, its_noise) in enumerate(zip(*each, strict=True)):
            h = self._activate(a[:, None], i)[:, 0]
            drawn.append(self.head.draw(torch.addmm(out_bias, h, out_weight), its_noise))
            a = torch.addmm(a, self.head.encode(drawn[-1]), weight)
        return torch.cat(drawn, 1).reshape(n, *self.event_shape)


class NADE(_SharedHidden):
    """hᵢ = σ(aᵢ), p(xᵢ = 1 | x₁ … xᵢ₋₁) = σ(bᵢ + Vᵢ hᵢ) (Larochelle and Murray, 2011, equations 3 and 4).

    With more than two values, W has a column for each value of each entry and the output is a softmax.

    Args:
        hidden: H, units of the hidden layer.
    """

    name = "nade"

    def __init__(
        self,
        event_shape: int | Sequence[int],
        condition_shape: int | Sequence[int] | None = None,
        n_values: int = 2,
        hidden: int = 128,
    ) -> None:
        super().__init__(event_shape, condition_shape, n_values, 1, hidden)
        if n_values < 2:
            raise HyperparameterError(f"nade models discrete entries (rnade real ones): n_values is not {n_values!r}")

    def _activate(self, a: Tensor, first: int) -> Tensor:
        return torch.sigmoid(a)


class RNADE(_SharedHidden):
    """hᵢ = max(0, ρᵢ aᵢ), p(xᵢ | x₁ … xᵢ₋₁) a mixture of Gaussians whose weights, means and scales are linear in hᵢ
    (Uria, Murray and Larochelle, 2013, equations 5 to 9). ρᵢ undoes that aᵢ grows with the number of its terms.

    Args:
        components: Gaussians of each mixture.
        hidden: H, units of the hidden layer.
    """

    name = "rnade"

    def __init__(
        self,
        event_shape: int | Sequence[int],
        condition_shape: int | Sequence[int] | None = None,
        components: int = 10,
        hidden: int = 128,
    ) -> None:
        super().__init__(event_shape, condition_shape, 0, components, hidden)
        self.rescale = nn.Parameter(torch.ones(self.event_size))

    def _activate(self, a: Tensor, first: int) -> Tensor:
        return torch.relu(self.rescale[first : first + a.shape[1], None] * a)
