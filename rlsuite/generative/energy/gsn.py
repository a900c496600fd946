"""The generative stochastic network: a Markov chain of corruption and denoising whose stationary law is the data's."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rlsuite.errors import HyperparameterError
from rlsuite.generative.blocks import mlp
from rlsuite.generative.capabilities import Energy
from rlsuite.generative.diagonal import standard_normal
from rlsuite.generative.latent.likelihoods import Kind, Noise, likelihood_of


class GSN(Energy):
    """x̃ ~ C(x̃ | x), x ~ P(x | x̃), again and again (Bengio et al., 2013; Bengio, Laufer, Alain and Yosinski, 2014).

    If P is the posterior of the data under the corruption, P(x | x̃) ∝ p(x) C(x̃ | x), the chain is Gibbs sampling of (x, x̃),
    and its stationary law is p. P is learned by maximum likelihood, a problem of supervised learning: the loss is
    −log P(x | x̃). With ``walkback`` k > 1 the chain runs k steps from x under the present P, and each x̃ on its way must lead
    back to x, which finds and removes modes that the chain alone would wander into; the loss is the mean over the steps.

    Here P's entries are independent given x̃: right in the limit of little corruption, or for one entry; else the stationary
    law is p only nearly. The energy is the loss: how badly an event is found again, so that sampling from the chain projects
    unnatural events onto natural ones (:meth:`project`).

    Args:
        hidden: units of the denoiser's layers; without any it is affine.
        activation: between layers.
        likelihood: ``gaussian``, ``bernoulli`` or ``categorical`` (0 … ``n_values`` − 1).
        noise: of a Gaussian P; see the VAE.
        n_values: of categorical events.
        corruption: deviation of Gaussian noise in normalised units, or the probability that an entry is drawn anew, evenly.
        walkback: k.
        sample_steps: of the chain, for a sample.
    """

    name = "gsn"

    def __init__(
        self,
        event_shape: int | Sequence[int],
        *,
        hidden: Sequence[int] = (128, 128),
        activation: str = "silu",
        likelihood: Kind = "gaussian",
        noise: Noise = "learned",
        n_values: int = 2,
        corruption: float = 0.4,
        walkback: int = 1,
        sample_steps: int = 100,
    ) -> None:
        super().__init__(event_shape)
        if not corruption > 0.0 or (likelihood != "gaussian" and corruption > 1.0) or min(walkback, sample_steps) < 1:
            raise HyperparameterError(
                "corruption is positive (and at most 1 for discrete events), walkback and sample_steps are at least 1; "
                f"not {corruption!r}, {walkback!r} and {sample_steps!r}"
            )
        self.hidden, self.activation, self.likelihood, self.noise = tuple(hidden), activation, likelihood, noise
        self.n_values, self.corruption = n_values, corruption
        self.walkback, self.sample_steps = walkback, sample_steps
        self.entries = likelihood_of(likelihood, self.event_size, noise, n_values)
        self.support = self.entries.support
        self.denoiser = mlp(self.entries.n_features, self.hidden, self.entries.n_parameters, activation)

    # One step, on flat events ``(n, d)``.

    def corrupt(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """x̃ ~ C(x̃ | x)."""
        if self.support == "real":
            return x + self.corruption * standard_normal(x.shape, x, generator)
        anew = torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device) < self.corruption
        return torch.where(anew, self._evenly(len(x), generator), x)

    def parameters_of(self, corrupted: Tensor) -> Tensor:
        """The parameters of P(x | x̃)."""
        return self.denoiser(self.entries.features(corrupted))

    @torch.no_grad()
    def chain(self, x: Tensor, steps: int, generator: torch.Generator | None) -> Tensor:
        """``steps`` of corruption and denoising."""
        for _ in range(steps):
            x = self.entries.draw(self.parameters_of(self.corrupt(x, generator)), generator)
        return x

    # The contract.

    def _loss(self, x: Tensor, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        x = x.flatten(1)
        at, loss = x, x.new_zeros(len(x))
        for step in range(self.walkback):
            corrupted = self.corrupt(at, generator)
            parameters = self.parameters_of(corrupted)
            loss = loss - self.entries.log_prob(x, parameters)
            if step < self.walkback - 1:
                at = self.entries.draw(parameters.detach(), generator).detach()
        return loss / self.walkback

    def _energy(self, x: Tensor, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        return self._loss(x, condition, generator)

    def _sample(self, n: int, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        return self.chain(self._evenly(n, generator), self.sample_steps, generator).reshape(n, *self.event_shape)

    @torch.no_grad()
    def project(self, x: Tensor, steps: int = 1) -> Tensor:
        """``x (*batch, *event)`` denoised ``steps`` times without corruption, taking the centre of P each time."""
        flat, _, batch = self.flat(x, None)
        at = self.normalizer(flat).flatten(1)
        for _ in range(steps):
            at = self.entries.centre(self.parameters_of(at))
        return self.normalizer.inverse(at.reshape(-1, *self.event_shape)).reshape(*batch, *self.event_shape)

    def _evenly(self, n: int, generator: torch.Generator | None) -> Tensor:
        """Events that know nothing: standard normal, or even over the values."""
        like, shape = self.normalizer.mean, (n, self.event_size)
        if self.support == "real":
            return standard_normal(shape, like, generator)
        values = 2 if self.support == "binary" else self.n_values
        return torch.randint(values, shape, generator=generator, device=like.device).to(like)
