"""C-Flow: two flows side by side, the states of the one guiding every coupling of the other (Pumarola et al., 2020).

    source:  c = c₀ → c₁ → … → c_K,            c_k = f_k(c_{k−1})
    target:  x = x₀ → x₁ → … → x_K = z,        x_k = g_k(x_{k−1}; c_k)

The source is a flow of the condition, the target a flow of the event given it; the Jacobian of both is block triangular,
so log p(x, c) = log p(x | c) + log p(c) with one ladj each. The condition may be anything that has two entries or more:
what guides the target at layer k is the whole state c_k.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rlsuite.errors import HyperparameterError
from rlsuite.generative.flows.bases import StandardNormal
from rlsuite.generative.flows.coupling import AffineCoupling
from rlsuite.generative.flows.elementwise import ActNorm
from rlsuite.generative.flows.flow import Flow, positive, positives
from rlsuite.generative.flows.realnvp import dealt
from rlsuite.generative.flows.transform import Composition, Permutation, Reshape, Transform


class CoupledFlows(Transform):
    """The target flow of events ``(n, size)`` given conditions ``(n, condition_size)``, and the source flow within it."""

    def __init__(self, size: int, condition_size: int, layers: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.source = Composition(_layer(i, condition_size, 0, hidden) for i in range(layers))
        self.target = Composition(_layer(i, size, condition_size, hidden) for i in range(layers))

    def states(self, condition: Tensor) -> list[Tensor]:
        """c₁ … c_K."""
        states = []
        for layer in self.source.parts:
            condition = layer(condition)[0]
            states.append(condition)
        return states

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        total = x.new_zeros(len(x))
        for layer, state in zip(self.target.parts, self._states(condition), strict=True):
            x, ladj = layer(x, state)
            total = total + ladj
        return x, total

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        total = z.new_zeros(len(z))
        for layer, state in zip(reversed(self.target.parts), reversed(self._states(condition)), strict=True):
            z, ladj = layer.inverse(z, state)
            total = total + ladj
        return z, total

    def prepare(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        assert condition is not None, "coupled flows need a condition"
        self.source.prepare(condition.flatten(1))
        for layer, state in zip(self.target.parts, self._states(condition), strict=True):
            x = layer.prepare(x, state)
        return x

    def _states(self, condition: Tensor | None) -> list[Tensor]:
        assert condition is not None, "coupled flows need a condition"
        return self.states(condition.flatten(1))


class CFlow(Flow):
    """p(x | c) by the target flow, p(c) by the source; the loss is −log p(x, c), so that both are fitted.

    ``edit(x, c, c′)`` carries an event over to another condition, and gives it back where the condition is unchanged. The
    paper's cycle-consistency penalty on generated pairs is left out: the loss here is the likelihood alone.

    Args:
        layers: couplings of each flow, an ActNorm before each.
        hidden: units of each of their networks' hidden layers.
        base: of the target: ``gaussian``, ``mixture`` or ``uniform``; see :class:`Flow`. The source's is Gaussian.
        components: Gaussians of a mixture.

    Raises:
        HyperparameterError: events or conditions of one entry, no layers.
    """

    name = "cflow"

    def __init__(
        self,
        event_shape: int | Sequence[int],
        condition_shape: int | Sequence[int],
        layers: int = 6,
        hidden: Sequence[int] = (64, 64),
        base: str = "gaussian",
        components: int = 8,
    ) -> None:
        super().__init__(event_shape, condition_shape, base, components)
        if self.condition_size < 2:
            raise HyperparameterError(f"the source flow needs conditions of two entries or more, not {condition_shape}")
        self.layers, self.hidden = positive(layers, "layers"), positives(hidden, "hidden layers")
        self.coupled = CoupledFlows(self.event_size, self.condition_size, self.layers, self.hidden)
        self.condition_base = StandardNormal(self.condition_size)
        self._assemble([Reshape(self.event_shape, (self.event_size,)), self.coupled])

    def condition_log_prob(self, condition: Tensor) -> Tensor:
        """log p(c) ``(*batch)`` in nats, in the units of the data."""
        batch = self._condition_batch(condition)
        flat = condition.reshape(-1, *(self.condition_shape or ())).to(self.normalizer.mean)
        found = self._condition_log_prob(self.condition_normalizer(flat)) + self.condition_normalizer.log_det
        return found.reshape(batch)

    @torch.no_grad()
    def sample_condition(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Conditions ``(n, *condition)`` from the source flow."""
        c = self.coupled.source.inverse(self.condition_base.sample(n, generator))[0]
        return self.condition_normalizer.inverse(c.reshape(n, *(self.condition_shape or ())))

    def _loss(self, x: Tensor, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        assert condition is not None, "coupled flows need a condition"
        return -self._log_prob(x, condition) - self._condition_log_prob(condition)

    def _condition_log_prob(self, condition: Tensor) -> Tensor:
        z, ladj = self.coupled.source(condition.flatten(1))
        return self.condition_base.log_prob(z) + ladj


def _layer(i: int, size: int, condition_size: int, hidden: Sequence[int]) -> Composition:
    """ActNorm, coupling, and after every second one the entries dealt anew."""
    coupling = AffineCoupling(size, swap=i % 2 == 1, condition_channels=condition_size, hidden=hidden)
    return Composition([ActNorm(size), coupling, *([Permutation(dealt(size))] if i % 2 else [])])
