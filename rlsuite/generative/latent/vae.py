"""The variational autoencoder."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from rlsuite.errors import HyperparameterError
from rlsuite.generative.blocks import mlp
from rlsuite.generative.capabilities import Bound, Latent
from rlsuite.generative.latent.gaussians import Gaussians, Rank
from rlsuite.generative.latent.likelihoods import Kind, Noise, likelihood_of


class VAE(Bound, Latent):
    """z ~ N(0, I), x | z ~ likelihood(decoder(z)); q(z | x) = N(m(x), L(x) L(x)ᵀ) approximates the posterior.

    The bound of the evidence (Kingma and Welling, 2014, equation 3; Rezende, Mohamed and Wierstra, 2014)::

        log p(x) ≥ E_q [log p(x | z)] − KL(q(z | x) ‖ p(z))

    with the divergence in closed form and one draw for the expectation, or, with K > 1 particles zᵢ ~ q (Burda, Grosse and
    Salakhutdinov, 2016, equation 8), which rises with K towards log p(x)::

        log p(x) ≥ E log (1/K) Σᵢ p(x, zᵢ) / q(zᵢ | x)

    The difference of the first from log p(x) is KL(q(z | x) ‖ p(z | x)): none if q is the true posterior. With a
    condition, encoder and decoder see it, and the prior does not.

    Args:
        latent_size: k, entries of a code.
        hidden: units of the encoder's layers, and of the decoder's in reverse; without any, both are affine.
        activation: between layers.
        likelihood: ``gaussian``, ``bernoulli`` (events of 0 and 1) or ``categorical`` (0 … ``n_values`` − 1).
        noise: standard deviation of a Gaussian likelihood in normalised units, or ``learned``, or ``predicted``.
        n_values: of categorical events.
        posterior: ``diagonal`` or ``full`` covariance.
        free_bits: nats of each entry of the code that cost nothing in the loss (Kingma et al., 2016, equation 15: the mean
            over a batch, so that a dimension below them is not pushed to carry less).
        particles: of the loss; more than one trains the importance-weighted bound.
    """

    name = "vae"

    def __init__(
        self,
        event_shape: int | Sequence[int],
        condition_shape: int | Sequence[int] | None = None,
        *,
        latent_size: int = 8,
        hidden: Sequence[int] = (128, 128),
        activation: str = "silu",
        likelihood: Kind = "gaussian",
        noise: Noise = "learned",
        n_values: int = 2,
        posterior: Rank = "diagonal",
        free_bits: float = 0.0,
        particles: int = 1,
    ) -> None:
        super().__init__(event_shape, condition_shape)
        if latent_size < 1 or particles < 1 or free_bits < 0.0:
            raise HyperparameterError(
                "latent_size and particles are at least 1, and free_bits is not negative; "
                f"not {latent_size!r}, {particles!r} and {free_bits!r}"
            )
        if particles > 1 and free_bits > 0.0:
            raise HyperparameterError("free_bits need the bound of one particle, whose divergence is a term of its own")
        self.latent_size, self.hidden, self.activation = latent_size, tuple(hidden), activation
        self.likelihood, self.noise, self.n_values = likelihood, noise, n_values
        self.posterior, self.free_bits, self.particles = posterior, free_bits, particles
        self.entries = likelihood_of(likelihood, self.event_size, noise, n_values)
        self.support = self.entries.support
        inputs = self.entries.n_features + self.condition_size
        self.encoder = mlp(inputs, self.hidden, Gaussians.n_parameters(latent_size, posterior), activation)
        inputs = latent_size + self.condition_size
        self.decoder = mlp(inputs, self.hidden[::-1], self.entries.n_parameters, activation)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        return (self.latent_size,)

    def approximate(self, x: Tensor, condition: Tensor | None) -> Gaussians:
        """q(z | x, condition) of normalised events ``(n, *event)``."""
        return Gaussians.of(self.encoder(_joined(self.entries.features(x.flatten(1)), condition)), self.latent_size)

    def prior(self, n: int, condition: Tensor | None) -> Gaussians:
        """p(z | condition): ``n`` of N(0, I)."""
        return Gaussians.standard(n, self.latent_size, self.normalizer.mean)

    def parameters_of(self, z: Tensor, condition: Tensor | None) -> Tensor:
        """The likelihood's parameters ``(*leading, n, ·)`` of codes ``(*leading, n, k)``; ``condition (n, *condition)``."""
        return self.decoder(_joined(z, condition))

    def terms(self, x: Tensor, condition: Tensor | None, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """log p(x | z) at a draw of the code ``(n)``, and the divergence by entries of the code ``(n, k)``."""
        q = self.approximate(x, condition)
        parameters = self.parameters_of(q.draw(1, generator)[0], condition)
        return self.entries.log_prob(x.flatten(1), parameters), q.kl(self.prior(len(x), condition))

    def log_weights(
        self, x: Tensor, condition: Tensor | None, particles: int, generator: torch.Generator | None
    ) -> Tensor:
        """log p(x, zᵢ) − log q(zᵢ | x) ``(particles, n)``; constant in z, and log p(x), where q is the posterior."""
        q = self.approximate(x, condition)
        z = q.draw(particles, generator)
        reconstruction = self.entries.log_prob(x.flatten(1), self.parameters_of(z, condition))
        return reconstruction + self.prior(len(x), condition).log_prob(z) - q.log_prob(z)

    def _bound(self, x: Tensor, condition: Tensor | None, particles: int, generator: torch.Generator | None) -> Tensor:
        if particles == 1:
            reconstruction, kl = self.terms(x, condition, generator)
            return reconstruction - kl.sum(1)
        return self.log_weights(x, condition, particles, generator).logsumexp(0) - math.log(particles)

    def _loss(self, x: Tensor, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        if self.particles > 1:
            return -self._bound(x, condition, self.particles, generator)
        reconstruction, kl = self.terms(x, condition, generator)
        return self._price(kl) - reconstruction

    def _price(self, kl: Tensor) -> Tensor:
        """What the loss charges ``(n)`` for a divergence ``(n, k)``: its sum, beyond the free bits."""
        if self.free_bits:
            kl = torch.where(kl.mean(0) < self.free_bits, torch.full_like(kl, self.free_bits), kl)
        return kl.sum(1)

    def _sample(self, n: int, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        z = self.prior(n, condition).draw(1, generator)[0]
        return self.entries.draw(self.parameters_of(z, condition), generator).reshape(n, *self.event_shape)

    def _encode(self, x: Tensor, condition: Tensor | None) -> Tensor:
        return self.approximate(x, condition).mean

    def _decode(self, z: Tensor, condition: Tensor | None) -> Tensor:
        return self.entries.centre(self.parameters_of(z, condition)).reshape(-1, *self.event_shape)


def _joined(inputs: Tensor, condition: Tensor | None) -> Tensor:
    """``inputs (*leading, n, ·)`` with each event's condition behind."""
    if condition is None:
        return inputs
    flat = condition.flatten(1)
    return torch.cat([inputs, flat.expand(*inputs.shape[:-1], flat.shape[1])], -1)
