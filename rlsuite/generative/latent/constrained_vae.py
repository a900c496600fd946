"""The beta-VAE in its constrained form: nats allowed in the code, and β their Lagrange multiplier."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rlsuite.errors import HyperparameterError
from rlsuite.generative.latent.gaussians import Rank
from rlsuite.generative.latent.likelihoods import Kind, Noise
from rlsuite.generative.latent.vae import VAE


class ConstrainedVAE(VAE):
    """maximise E[log p(x | z)] subject to E[KL(q(z | x) ‖ p(z))] ≤ R (Higgins et al., 2017, equations 1 to 4).

    The Lagrangian and the conditions of Karush, Kuhn and Tucker at its saddle::

        L(θ, β) = −E[log p(x | z)] + β (E[KL] − R)
        ∇_θ L = 0      E[KL] ≤ R      β ≥ 0      β (E[KL] − R) = 0

    The weights descend; after each step of theirs the multiplier ascends, projected on what is allowed:
    β ← clip(β + η (E[KL] − R), 0, largest), with the batch's mean divergence. So β is not chosen but found, for the rate R:
    of a linear model with noise σ² and eigenvalues λ it is the water level at which Σ ½ log⁺(λᵢ / β σ²) = R. Where the
    constraint is slack, β ends at 0.

    In evaluation the loss is the Lagrangian's maximum over the allowed multipliers, −log p(x | z) + largest · [KL − R]₊ on
    average: an exact penalty, comparable from one evaluation to the next as the Lagrangian itself is not.

    Args:
        rate: R, in nats per event.
        multiplier_rate: η.
        largest_multiplier: an upper limit of β.

    The others are those of :class:`VAE`.
    """

    name = "constrained-vae"
    multiplier: Tensor

    def __init__(
        self,
        event_shape: int | Sequence[int],
        condition_shape: int | Sequence[int] | None = None,
        *,
        rate: float = 4.0,
        multiplier_rate: float = 0.01,
        largest_multiplier: float = 100.0,
        latent_size: int = 8,
        hidden: Sequence[int] = (128, 128),
        activation: str = "silu",
        likelihood: Kind = "gaussian",
        noise: Noise = "learned",
        n_values: int = 2,
        posterior: Rank = "diagonal",
    ) -> None:
        if not (rate > 0.0 and multiplier_rate > 0.0 and largest_multiplier > 0.0):
            raise HyperparameterError(
                "rate, multiplier_rate and largest_multiplier are positive, "
                f"not {rate!r}, {multiplier_rate!r} and {largest_multiplier!r}"
            )
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
        )
        self.rate, self.multiplier_rate, self.largest_multiplier = rate, multiplier_rate, largest_multiplier
        self.register_buffer("multiplier", torch.ones(()))  # β
        self._excess = 0.0  # E[KL] − R of the last training batch

    def _price(self, kl: Tensor) -> Tensor:
        excess = kl.sum(1) - self.rate
        if self.training:
            self._excess = float(excess.detach().mean())
            return self.multiplier * excess
        violated = excess.mean() > 0.0
        return torch.where(violated, self.largest_multiplier * excess, torch.zeros_like(excess))

    @torch.no_grad()
    def _after_step(self) -> None:
        self.multiplier.add_(self.multiplier_rate * self._excess).clamp_(0.0, self.largest_multiplier)
