"""The conditional variational autoencoder with a prior that knows the condition."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from rlsuite.errors import HyperparameterError
from rlsuite.generative.blocks import mlp
from rlsuite.generative.latent.gaussians import Gaussians, Rank
from rlsuite.generative.latent.likelihoods import Kind, Noise
from rlsuite.generative.latent.vae import VAE


class ConditionalVAE(VAE):
    """z | c ~ N(m(c), diag s(c)²), x | z, c ~ likelihood(decoder(z, c)), with the bound of log p(x | c) (Sohn, Lee and Yan,
    2015, equation 4)::

        log p(x | c) ≥ E_q [log p(x | z, c)] − KL(q(z | x, c) ‖ p(z | c))

    A :class:`VAE` made with a condition has N(0, I) for every condition instead: there codes of one value mean the same
    content under every condition, here each condition has its own distribution of codes.

    Args: those of :class:`VAE`.
    """

    name = "cvae"

    def __init__(
        self,
        event_shape: int | Sequence[int],
        condition_shape: int | Sequence[int],
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
        if condition_shape is None:
            raise HyperparameterError("cvae needs condition_shape; without conditions take vae")
        super().__init__(
            event_shape,
            condition_shape,
            latent_size=latent_size,
            hidden=hidden,
            activation=activation,
            likelihood=likelihood,
            noise=noise,
            n_values=n_values,
            posterior=posterior,
            free_bits=free_bits,
            particles=particles,
        )
        self.prior_network = mlp(self.condition_size, self.hidden, 2 * latent_size, activation)

    def prior(self, n: int, condition: Tensor | None) -> Gaussians:
        """p(z | condition)."""
        if condition is None:
            raise HyperparameterError(f"{self.name} needs a condition of shape {self.condition_shape}")
        return Gaussians.of(self.prior_network(condition.flatten(1)), self.latent_size)
