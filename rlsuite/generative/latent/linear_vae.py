"""The linear variational autoencoder: every quantity of it in closed form, the oracle of the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from rlsuite.errors import HyperparameterError
from rlsuite.generative.capabilities import Bound, Density, Latent
from rlsuite.generative.diagonal import kl_to_standard_normal, standard_normal
from rlsuite.generative.linear.pca import checked_latent_size
from rlsuite.generative.linear.ppca import log_low_rank_normal


class LinearVAE(Bound, Density, Latent):
    """z ~ N(0, I), x | z ~ N(W z + μ, σ² I), q(z | x) = N(V (x − μ), D), D diagonal (Lucas et al., 2019, arXiv 1911.02469).

    The expectation in the bound is exact, since log p(x | z) is quadratic in z::

        log p(x) ≥ −[‖x − μ − W m‖² + tr(W D Wᵀ)] / 2σ² − d/2 log 2πσ² − KL(N(m, D) ‖ N(0, I)),   m = V (x − μ)

    and the evidence is the Gaussian's of PPCA. The bound's global maximum is PPCA's: W's columns are orthogonal there, so
    that the posterior N(M⁻¹ Wᵀ (x − μ), σ² M⁻¹), M = Wᵀ W + σ² I, lies in the diagonal family, and the two agree. The bound
    adds no local maximum to those of the likelihood (their theorem 1): where a dimension of the code is lost, the noise is
    too large for it, not the training at fault.

    With β in front of the divergence and σ² fixed, the objective is β times the bound of a model whose noise is β σ²: the
    optimum is W = Uₖ (Λₖ − β σ² I)₊^½ and dimension i is active if and only if its eigenvalue λᵢ > β σ². It then carries
    ½ log(λᵢ / β σ²) nats, as in the reverse water-filling of the Gaussian's rate-distortion function.

    Args:
        latent_size: k.
        noise: σ in normalised units, or ``learned``.
        beta: of the loss; the bound is always the evidence's.
    """

    name = "linear-vae"

    def __init__(
        self,
        event_shape: int | Sequence[int],
        *,
        latent_size: int = 1,
        noise: float | Literal["learned"] = "learned",
        beta: float = 1.0,
    ) -> None:
        super().__init__(event_shape)
        if beta < 0.0 or (noise != "learned" and not (isinstance(noise, int | float) and noise > 0.0)):
            raise HyperparameterError(
                f"beta is not negative and noise is 'learned' or positive; not {beta!r} and {noise!r}"
            )
        self.latent_size = checked_latent_size(latent_size, self.event_size)
        self.noise, self.beta = noise, beta
        d, k = self.event_size, latent_size
        self.location = nn.Parameter(torch.zeros(d))  # μ
        self.weight = nn.Parameter(torch.randn(d, k) / math.sqrt(d))  # W
        self.encoder = nn.Parameter(torch.randn(k, d) / math.sqrt(d))  # V
        self.log_scale = nn.Parameter(torch.zeros(k))  # ½ log D
        log_noise = torch.zeros(()) if noise == "learned" else torch.tensor(float(noise)).log()
        self.log_noise = nn.Parameter(log_noise, requires_grad=noise == "learned")  # log σ

    @property
    def latent_shape(self) -> tuple[int, ...]:
        return (self.latent_size,)

    @property
    def variance(self) -> Tensor:
        """σ²."""
        return torch.exp(2.0 * self.log_noise)

    def terms(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """E_q log p(x | z) ``(n)`` and the divergence by entries of the code ``(n, k)``, both exact."""
        mean = self._encode(x, None)
        residual = (x.flatten(1) - self.location - mean @ self.weight.mT).square().sum(1)
        spread = (self.weight.square().sum(0) * torch.exp(2.0 * self.log_scale)).sum()
        constant = self.event_size * (self.log_noise + 0.5 * math.log(2.0 * math.pi))
        return -0.5 * (residual + spread) / self.variance - constant, kl_to_standard_normal(mean, self.log_scale)

    def _bound(self, x: Tensor, condition: Tensor | None, particles: int, generator: torch.Generator | None) -> Tensor:
        reconstruction, kl = self.terms(x)
        return reconstruction - kl.sum(1)

    def _loss(self, x: Tensor, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        reconstruction, kl = self.terms(x)
        return self.beta * kl.sum(1) - reconstruction

    def _log_prob(self, x: Tensor, condition: Tensor | None) -> Tensor:
        return log_low_rank_normal(x.flatten(1) - self.location, self.weight, self.variance)

    def _encode(self, x: Tensor, condition: Tensor | None) -> Tensor:
        return (x.flatten(1) - self.location) @ self.encoder.mT

    def _decode(self, z: Tensor, condition: Tensor | None) -> Tensor:
        return (self.location + z @ self.weight.mT).reshape(-1, *self.event_shape)

    def _sample(self, n: int, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        mean = self._decode(standard_normal((n, self.latent_size), self.weight, generator), None)
        return mean + self.log_noise.exp() * standard_normal(mean.shape, mean, generator)
