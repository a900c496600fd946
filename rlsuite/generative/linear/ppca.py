"""Probabilistic principal component analysis: a Gaussian of low rank plus noise, in closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from rlsuite.generative.capabilities import Completion, Density, Latent
from rlsuite.generative.diagonal import standard_normal
from rlsuite.generative.linear.pca import checked_latent_size, eigenbasis

LEAST_NOISE = 1e-6  # of σ², in units of the data's own variances, so that the density exists on data of low rank


def precision_of(weight: Tensor, noise: Tensor) -> Tensor:
    """P = I + Wᵀ W / σ² ``(k, k)``: the inverse covariance of a code given its event."""
    return torch.eye(weight.shape[1]).to(weight) + weight.mT @ weight / noise


def log_low_rank_normal(centred: Tensor, weight: Tensor, noise: Tensor) -> Tensor:
    """log N(x; 0, W Wᵀ + σ² I) ``(n)`` of ``centred (n, d)``, given W ``(d, k)`` and σ².

    The inverse and the determinant go by way of P: |W Wᵀ + σ² I| = σ²ᵈ |P| (Woodbury).
    """
    d = len(weight)
    factor = torch.linalg.cholesky(precision_of(weight, noise))
    explained = torch.linalg.solve_triangular(factor, (centred @ weight / noise).mT, upper=False)
    distance = centred.square().sum(1) / noise - explained.square().sum(0)
    log_det = d * noise.log() + 2.0 * factor.diagonal().log().sum()
    return -0.5 * (distance + log_det + d * math.log(2.0 * math.pi))


class PPCA(Density, Latent, Completion):
    """z ~ N(0, I) in k dimensions, x | z ~ N(W z + m, σ² I), so that x ~ N(m, C) with C = W Wᵀ + σ² I.

    The maximum of the likelihood (Tipping and Bishop, 1999, equations 7 and 8), with the covariance's eigenvalues λ and
    eigenvectors U::

        σ² = mean of the dropped λ        W = Uₖ (Λₖ − σ² I)^½

    and z | x ~ N(M⁻¹ Wᵀ (x − m), σ² M⁻¹), M = Wᵀ W + σ² I. It is what a variational autoencoder becomes when its encoder
    and decoder are linear (Lucas et al., 2019, arXiv 1911.02469).
    """

    name = "ppca"
    location: Tensor
    weight: Tensor
    noise: Tensor

    def __init__(self, event_shape: int | Sequence[int], *, latent_size: int = 1) -> None:
        super().__init__(event_shape)
        self.latent_size = checked_latent_size(latent_size, self.event_size)
        self.register_buffer("location", torch.zeros(self.event_size))
        self.register_buffer("weight", torch.zeros(self.event_size, latent_size))  # W
        self.register_buffer("noise", torch.ones(()))  # σ²

    @property
    def latent_shape(self) -> tuple[int, ...]:
        return (self.latent_size,)

    @property
    def covariance(self) -> Tensor:
        """C ``(d, d)`` of normalised events."""
        return self.weight @ self.weight.mT + self.noise * torch.eye(self.event_size).to(self.weight)

    @property
    def precision(self) -> Tensor:
        """M / σ² ``(k, k)``: the inverse covariance of a code given its event."""
        return precision_of(self.weight, self.noise)

    def _prepare(self, x: Tensor, condition: Tensor | None, generator: torch.Generator) -> None:
        mean, eigenvalues, eigenvectors = eigenbasis(x.flatten(1))
        k = self.latent_size
        self.location.copy_(mean)
        self.noise.copy_(eigenvalues[k:].mean().clamp(min=LEAST_NOISE))
        self.weight.copy_(eigenvectors[:, :k] * (eigenvalues[:k] - self.noise).clamp(min=0.0).sqrt())

    def _log_prob(self, x: Tensor, condition: Tensor | None) -> Tensor:
        return log_low_rank_normal(x.flatten(1) - self.location, self.weight, self.noise)

    def _encode(self, x: Tensor, condition: Tensor | None) -> Tensor:
        return torch.linalg.solve(self.precision, ((x.flatten(1) - self.location) @ self.weight / self.noise).mT).mT

    def _decode(self, z: Tensor, condition: Tensor | None) -> Tensor:
        return (self.location + z @ self.weight.mT).reshape(-1, *self.event_shape)

    def _sample(self, n: int, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        mean = self._decode(standard_normal((n, self.latent_size), self.weight, generator), None)
        return mean + self.noise.sqrt() * standard_normal(mean.shape, mean, generator)

    def _complete(
        self, known: Tensor, mask: Tensor, condition: Tensor | None, generator: torch.Generator | None
    ) -> Tensor:
        """Draw z given the known entries alone, then the others given z, of which they are independent."""
        given = mask.flatten(1).to(self.weight)
        seen = given[:, :, None] * self.weight  # W with a row of zeros for every unknown entry; (n, d, k)
        precision = torch.eye(self.latent_size).to(seen) + seen.mT @ seen / self.noise
        factor = torch.linalg.cholesky(precision)  # P = L Lᵀ, and L⁻ᵀ ε has covariance P⁻¹
        evidence = seen.mT @ ((known.flatten(1) - self.location) * given).unsqueeze(-1) / self.noise
        mean = torch.cholesky_solve(evidence, factor)
        noise = standard_normal(mean.shape, mean, generator)
        z = (mean + torch.linalg.solve_triangular(factor.mT, noise, upper=True)).squeeze(-1)
        drawn = self._decode(z, None)
        drawn = drawn + self.noise.sqrt() * standard_normal(drawn.shape, drawn, generator)
        return torch.where(mask, known, drawn)
