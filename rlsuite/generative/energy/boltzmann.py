"""The Boltzmann machine: every unit may act on every other, hidden ones among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rlsuite.errors import HyperparameterError
from rlsuite.generative.capabilities import Completion, Energy
from rlsuite.generative.energy.rbm import LARGEST_ENUMERATION, all_states, bernoulli

LARGEST_HIDDEN = 10  # units, summed out over their 2^10 states in every energy


class BoltzmannMachine(Energy, Completion):
    """p(s) ∝ exp(½ sᵀ U s + bᵀ s), s = (v, h) of zeros and ones, U symmetric with no diagonal (Ackley, Hinton and
    Sejnowski, 1985).

    The hidden units are summed out by enumeration, so that the energy of an event is exact::

        E(v) = −log Σ_h exp(½ sᵀ U s + bᵀ s)        −∂ log p(v) = ∂E(v) − E_{v' ~ p}[∂E(v')]

    that is, sᵢ sⱼ averaged with the data clamped, minus the same with nothing clamped. v' comes from persistent chains,
    whose sweeps draw one unit after the other given all others (*pcd*), or from all states (*exact*). In evaluation the loss
    of the sampled form is minus the pseudo-log-likelihood, as the restricted machine's is.

    Args:
        n_hidden: hidden units, at most 10; without them pairs of visible units are all that is learned.
        gradient: ``pcd``, or ``exact`` for events of at most 16 entries.
        steps: sweeps of the chains in each gradient.
        n_chains: how many.
        sample_steps: sweeps for a sample or a completion.
    """

    name = "boltzmann"
    support = "binary"
    chains: Tensor

    def __init__(
        self,
        event_shape: int | Sequence[int],
        *,
        n_hidden: int = 4,
        gradient: Literal["pcd", "exact"] = "pcd",
        steps: int = 1,
        n_chains: int = 128,
        sample_steps: int = 200,
    ) -> None:
        super().__init__(event_shape)
        if gradient not in ("pcd", "exact"):
            raise HyperparameterError(f"gradient is 'pcd' or 'exact', not {gradient!r}")
        if not 0 <= n_hidden <= LARGEST_HIDDEN or min(steps, n_chains, sample_steps) < 1:
            raise HyperparameterError(
                f"n_hidden is from 0 to {LARGEST_HIDDEN}, and steps, n_chains and sample_steps are at least 1; "
                f"not {n_hidden!r}, {steps!r}, {n_chains!r} and {sample_steps!r}"
            )
        self.n_hidden, self.gradient, self.steps = n_hidden, gradient, steps
        self.n_chains, self.sample_steps = n_chains, sample_steps
        if gradient == "exact":
            self._require_enumerable()
        n = self.event_size + n_hidden
        self.couplings = nn.Parameter(0.01 * torch.randn(n * (n - 1) // 2))  # U above its diagonal, row by row
        self.bias = nn.Parameter(torch.zeros(n))  # b
        self.register_buffer("chains", torch.randint(2, (n_chains, n)).to(self.bias))
        self._moved: Tensor | None = None  # where the chains go once the step is taken

    @property
    def interactions(self) -> Tensor:
        """U ``(n, n)``, visible units first."""
        n = len(self.bias)
        row, column = torch.triu_indices(n, n, 1, device=self.bias.device)
        upper = self.bias.new_zeros(n, n)
        upper[row, column] = self.couplings
        return upper + upper.mT

    @torch.no_grad()
    def sweep(self, s: Tensor, held: Tensor | None, generator: torch.Generator | None) -> Tensor:
        """Each unit of ``s (n, units)`` in turn drawn given the others, except those ``held (n, units)``."""
        s, u = s.clone(), self.interactions
        for i in range(len(self.bias)):
            drawn = bernoulli(self.bias[i] + s @ u[i], generator)
            s[:, i] = drawn if held is None else torch.where(held[:, i], s[:, i], drawn)
        return s

    def _energy(self, x: Tensor, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        v, d, u = x.flatten(1), self.event_size, self.interactions
        visible = 0.5 * ((v @ u[:d, :d]) * v).sum(1) + v @ self.bias[:d]
        h = all_states(self.n_hidden, v) if self.n_hidden else v.new_zeros(1, 0)
        alone = 0.5 * ((h @ u[d:, d:]) * h).sum(1) + h @ self.bias[d:]
        return -visible - (alone + v @ u[:d, d:] @ h.mT).logsumexp(1)

    def _loss(self, x: Tensor, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        energy = self._energy(x, None, None)
        if self.gradient == "exact":
            return energy + self.log_partition()
        if not self.training:
            v = x.flatten(1)
            turned = v[:, None] + torch.diag_embed(1.0 - 2.0 * v)  # entry i turned over in row i: (n, d, d)
            return F.softplus(energy[:, None] - self._energy(turned.flatten(0, 1), None, None).reshape(v.shape)).sum(1)
        moved = self.chains
        for _ in range(self.steps):
            moved = self.sweep(moved, None, generator)
        self._moved = moved
        return energy - self._energy(moved[:, : self.event_size], None, None).mean()

    @torch.no_grad()
    def _after_step(self) -> None:
        if self._moved is not None:
            self.chains.copy_(self._moved)

    def _sample(self, n: int, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        return self._chain(bernoulli(self.bias.expand(n, -1), generator), None, generator)

    def _complete(
        self, known: Tensor, mask: Tensor, condition: Tensor | None, generator: torch.Generator | None
    ) -> Tensor:
        """Gibbs sampling with the known entries held."""
        held = F.pad(mask.flatten(1), (0, self.n_hidden))
        start = bernoulli(self.bias.expand(len(known), -1), generator)
        return self._chain(torch.where(held, F.pad(known.flatten(1), (0, self.n_hidden)), start), held, generator)

    def _chain(self, s: Tensor, held: Tensor | None, generator: torch.Generator | None) -> Tensor:
        for _ in range(self.sample_steps):
            s = self.sweep(s, held, generator)
        return s[:, : self.event_size].reshape(-1, *self.event_shape)

    def _require_enumerable(self) -> None:
        if self.event_size > LARGEST_ENUMERATION:
            raise HyperparameterError(f"enumeration needs at most {LARGEST_ENUMERATION} entries, not {self.event_size}")

    def log_partition(self) -> Tensor:
        """log Z, exactly, over all events.

        Raises:
            HyperparameterError: an event has more than 16 entries.
        """
        self._require_enumerable()
        return (-self._energy(all_states(self.event_size, self.bias), None, None)).logsumexp(0)
