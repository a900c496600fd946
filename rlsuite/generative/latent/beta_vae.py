"""The beta-VAE: a price on information in the code."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from rlsuite.errors import HyperparameterError
from rlsuite.generative.latent.gaussians import Rank
from rlsuite.generative.latent.likelihoods import Kind, Noise
from rlsuite.generative.latent.vae import VAE


class BetaVAE(VAE):
    """The VAE whose loss weighs the divergence with β (Higgins et al., 2017, equation 4)::

        −E_q [log p(x | z)] + β KL(q(z | x) ‖ p(z))

    β = 1 is the VAE. A larger one turns off dimensions whose information is not worth it: of a linear model, those whose
    eigenvalue is at most β σ² (see :class:`~rlsuite.generative.latent.linear_vae.LinearVAE`). The loss is no bound of the
    evidence unless β ≥ 1; :meth:`bound` is one whatever β.

    Args:
        beta: β; the others are those of :class:`VAE`.
    """

    name = "beta-vae"

    def __init__(
        self,
        event_shape: int | Sequence[int],
        condition_shape: int | Sequence[int] | None = None,
        *,
        beta: float = 4.0,
        latent_size: int = 8,
        hidden: Sequence[int] = (128, 128),
        activation: str = "silu",
        likelihood: Kind = "gaussian",
        noise: Noise = "learned",
        n_values: int = 2,
        posterior: Rank = "diagonal",
        free_bits: float = 0.0,
    ) -> None:
        if beta < 0.0:
            raise HyperparameterError(f"beta is not negative, not {beta!r}")
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
        )
        self.beta = beta

    def _price(self, kl: Tensor) -> Tensor:
        return self.beta * super()._price(kl)
