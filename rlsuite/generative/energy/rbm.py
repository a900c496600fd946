"""The restricted Boltzmann machine: contrastive divergence, its persistent form, the exact gradient, annealed sampling."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rlsuite.errors import HyperparameterError
from rlsuite.generative.capabilities import Completion, Energy, Latent

Gradient = Literal["cd", "pcd", "exact"]
LARGEST_ENUMERATION = 16  # units: 2^16 states


def bernoulli(logits: Tensor, generator: torch.Generator | None) -> Tensor:
    """Draws of 0 and 1, 1 with probability sigmoid(``logits``)."""
    return torch.bernoulli(torch.sigmoid(logits), generator=generator)


def all_states(n: int, like: Tensor) -> Tensor:
    """Every vector of ``n`` zeros and ones ``(2^n, n)``."""
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=n)), dtype=like.dtype, device=like.device)


class RBM(Energy, Latent, Completion):
    """p(v, h) ∝ exp(vᵀ W h + bᵀ v + cᵀ h), with v and h of zeros and ones (Smolensky, 1986; Hinton, 2002).

    The hidden units are summed out in closed form::

        E(v) = −bᵀ v − Σⱼ softplus(cⱼ + Wⱼᵀ v)        p(v) = exp(−E(v)) / Z

    and −∂ log p(v) = ∂E(v) − E_{v' ~ p}[∂E(v')]: the loss is E(v) − E(v'), whose gradient is this for v' from the model.
    v' comes from k steps of Gibbs sampling that begin at the data (*cd*: Hinton, 2002) or at where the last ones ended
    (*pcd*: Tieleman, 2008); or from all states (*exact*, up to 16 units on one side), where the loss is −log p(v) itself.

    E(v) − E(v') is of use for its gradient only. In evaluation the loss of the sampled forms is therefore minus the
    pseudo-log-likelihood Σᵢ log p(vᵢ | the other entries) (Besag, 1975), which is exact and has the same optimum.

    Args:
        n_hidden: hidden units.
        gradient: ``cd``, ``pcd`` or ``exact``.
        steps: k, of Gibbs sampling in the gradient.
        n_chains: of the persistent form.
        sample_steps: of Gibbs sampling for a sample or a completion.
    """

    name = "rbm"
    support = "binary"
    chains: Tensor

    def __init__(
        self,
        event_shape: int | Sequence[int],
        *,
        n_hidden: int = 64,
        gradient: Gradient = "pcd",
        steps: int = 1,
        n_chains: int = 128,
        sample_steps: int = 500,
    ) -> None:
        super().__init__(event_shape)
        if gradient not in ("cd", "pcd", "exact"):
            raise HyperparameterError(f"gradient is 'cd', 'pcd' or 'exact', not {gradient!r}")
        if min(n_hidden, steps, n_chains, sample_steps) < 1:
            raise HyperparameterError(
                "n_hidden, steps, n_chains and sample_steps are at least 1, "
                f"not {n_hidden!r}, {steps!r}, {n_chains!r} and {sample_steps!r}"
            )
        self.n_hidden, self.gradient, self.steps = n_hidden, gradient, steps
        self.n_chains, self.sample_steps = n_chains, sample_steps
        if gradient == "exact":
            self._require_enumerable()
        self.weight = nn.Parameter(0.01 * torch.randn(self.event_size, n_hidden))  # W
        self.visible_bias = nn.Parameter(torch.zeros(self.event_size))  # b
        self.hidden_bias = nn.Parameter(torch.zeros(n_hidden))  # c
        self.register_buffer("chains", torch.randint(2, (n_chains, self.event_size)).to(self.weight))
        self._moved: Tensor | None = None  # where the chains go once the step is taken

    @property
    def latent_shape(self) -> tuple[int, ...]:
        return (self.n_hidden,)

    # Conditionals: ``v (*batch, d)``, ``h (*batch, n_hidden)``.

    def hidden_logits(self, v: Tensor) -> Tensor:
        """log-odds of p(hⱼ = 1 | v)."""
        return self.hidden_bias + v @ self.weight

    def visible_logits(self, h: Tensor) -> Tensor:
        """log-odds of p(vᵢ = 1 | h)."""
        return self.visible_bias + h @ self.weight.mT

    @torch.no_grad()
    def gibbs(self, v: Tensor, steps: int, generator: torch.Generator | None) -> Tensor:
        """``steps`` of h ~ p(h | v), v ~ p(v | h); p(v) is the chain's stationary distribution."""
        for _ in range(steps):
            v = bernoulli(self.visible_logits(bernoulli(self.hidden_logits(v), generator)), generator)
        return v

    # The contract.

    def _energy(self, x: Tensor, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        v = x.flatten(1)
        return -v @ self.visible_bias - F.softplus(self.hidden_logits(v)).sum(1)

    def _loss(self, x: Tensor, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        energy = self._energy(x, None, None)
        if self.gradient == "exact":
            return energy + self.log_partition()
        if not self.training:
            return self._pseudo_likelihood_loss(x.flatten(1))
        if self.gradient == "cd":
            return energy - self._energy(self.gibbs(x.flatten(1), self.steps, generator), None, None)
        self._moved = self.gibbs(self.chains, self.steps, generator)
        return energy - self._energy(self._moved, None, None).mean()

    @torch.no_grad()
    def _after_step(self) -> None:
        if self._moved is not None:
            self.chains.copy_(self._moved)

    def _pseudo_likelihood_loss(self, v: Tensor) -> Tensor:
        """−Σᵢ log p(vᵢ | v₋ᵢ) ``(n)`` of ``v (n, d)``: softplus(E(v) − E(v with entry i turned over)), summed."""
        turn = 1.0 - 2.0 * v
        fields = self.hidden_logits(v)
        turned = fields[:, None] + turn[:, :, None] * self.weight  # (n, d, n_hidden)
        fall = F.softplus(turned).sum(2) - F.softplus(fields).sum(1, keepdim=True) + turn * self.visible_bias
        return F.softplus(fall).sum(1)

    def _sample(self, n: int, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        start = bernoulli(self.visible_bias.expand(n, -1), generator)
        return self.gibbs(start, self.sample_steps, generator).reshape(n, *self.event_shape)

    def _complete(
        self, known: Tensor, mask: Tensor, condition: Tensor | None, generator: torch.Generator | None
    ) -> Tensor:
        """Gibbs sampling with the known entries held."""
        known, mask = known.flatten(1), mask.flatten(1)
        v = torch.where(mask, known, bernoulli(self.visible_bias.expand_as(known), generator))
        for _ in range(self.sample_steps):
            v = torch.where(mask, known, self.gibbs(v, 1, generator))
        return v.reshape(-1, *self.event_shape)

    def _encode(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """p(hⱼ = 1 | v)."""
        return torch.sigmoid(self.hidden_logits(x.flatten(1)))

    def _decode(self, z: Tensor, condition: Tensor | None) -> Tensor:
        return (self.visible_logits(z) > 0).to(z).reshape(-1, *self.event_shape)

    # The partition function.

    def _require_enumerable(self) -> None:
        if min(self.event_size, self.n_hidden) > LARGEST_ENUMERATION:
            raise HyperparameterError(
                f"enumeration needs at most {LARGEST_ENUMERATION} visible or hidden units, "
                f"not {self.event_size} and {self.n_hidden}; estimate by annealed importance sampling"
            )

    def log_partition(self) -> Tensor:
        """log Z, exactly, by the states of the smaller side, the other one summed out.

        Raises:
            HyperparameterError: both sides have more than 16 units.
        """
        self._require_enumerable()
        if self.event_size <= self.n_hidden:
            return (-self._energy(all_states(self.event_size, self.weight), None, None)).logsumexp(0)
        h = all_states(self.n_hidden, self.weight)
        return (h @ self.hidden_bias + F.softplus(self.visible_logits(h)).sum(1)).logsumexp(0)

    @torch.no_grad()
    def annealed_log_partition(
        self, n_chains: int = 100, n_temperatures: int = 1000, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """An estimate of log Z and its standard error, by annealed importance sampling (Salakhutdinov and Murray, 2008).

        From the machine with W = 0 and the same biases, whose Z is known, by ones with W times β, β from 0 to 1. The mean of
        exp(log-weights) estimates Z without bias, so that its logarithm is below log Z on average.

        Raises:
            HyperparameterError: fewer than two chains, or no temperature.
        """
        if n_chains < 2 or n_temperatures < 1:
            raise HyperparameterError(
                f"n_chains is at least 2 and n_temperatures at least 1, not {n_chains!r} and {n_temperatures!r}"
            )
        d, k = self.event_size, self.n_hidden
        log_z = F.softplus(self.visible_bias).sum() + F.softplus(self.hidden_bias).sum()
        v = bernoulli(self.visible_bias.expand(n_chains, d), generator)
        log_weights = log_z.expand(n_chains).clone()
        for beta in torch.linspace(0.0, 1.0, n_temperatures + 1).tolist()[1:]:
            before = beta - 1.0 / n_temperatures
            fields = v @ self.weight
            log_weights += F.softplus(self.hidden_bias + beta * fields).sum(1)
            log_weights -= F.softplus(self.hidden_bias + before * fields).sum(1)
            h = bernoulli((self.hidden_bias + beta * fields).reshape(n_chains, k), generator)
            v = bernoulli(self.visible_bias + beta * h @ self.weight.mT, generator)
        estimate = log_weights.logsumexp(0) - torch.tensor(float(n_chains)).log()
        relative = torch.exp(log_weights - estimate)
        return estimate, relative.std() / n_chains**0.5
