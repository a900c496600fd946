"""The full Gaussian: every conditional, marginal and score of it in closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from rlsuite.generative.capabilities import Completion, Density, Score
from rlsuite.generative.diagonal import standard_normal

RIDGE = 1e-6  # added to variances (in units of the data's own) so that the factorisation exists


class Gaussian(Density, Score, Completion):
    """x ~ N(m, Σ), fitted in closed form: mean and covariance of the data, which maximise the likelihood.

    Its diffusion is variance-preserving with ᾱ(t) = (1 − t)²: at time t, xₜ = √ᾱ x + √(1 − ᾱ) ε, whose density is
    Gaussian too.
    """

    name = "gaussian"
    location: Tensor
    factor: Tensor

    def __init__(self, event_shape: int | Sequence[int]) -> None:
        super().__init__(event_shape)
        self.register_buffer("location", torch.zeros(self.event_size))
        self.register_buffer("factor", torch.eye(self.event_size))  # Cholesky, Σ = L Lᵀ

    @property
    def covariance(self) -> Tensor:
        """Σ ``(d, d)`` of normalised events."""
        return self.factor @ self.factor.mT

    def _prepare(self, x: Tensor, condition: Tensor | None, generator: torch.Generator) -> None:
        x = x.flatten(1)
        self.location.copy_(x.mean(0))
        centred = x - self.location
        covariance = centred.mT @ centred / len(x)
        self.factor.copy_(torch.linalg.cholesky(covariance + RIDGE * torch.eye(len(covariance)).to(x)))

    def _log_prob(self, x: Tensor, condition: Tensor | None) -> Tensor:
        z = torch.linalg.solve_triangular(self.factor, (x.flatten(1) - self.location).mT, upper=False)
        log_det = self.factor.diagonal().log().sum()
        return -0.5 * z.square().sum(0) - log_det - 0.5 * self.event_size * math.log(2.0 * math.pi)

    def _sample(self, n: int, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        noise = standard_normal((n, self.event_size), self.factor, generator)
        return (self.location + noise @ self.factor.mT).reshape(n, *self.event_shape)

    def _complete(
        self, known: Tensor, mask: Tensor, condition: Tensor | None, generator: torch.Generator | None
    ) -> Tensor:
        """x + Σ_{·k} Σ_{kk}⁻¹ (known − x_k) for a joint draw x (Matheron's rule) is a draw from the conditional."""
        joint = self._sample(len(known), None, generator).flatten(1)
        given = mask.flatten(1)
        both = given[:, :, None] & given[:, None, :]
        among_known = torch.where(both, self.covariance, torch.eye(self.event_size).to(joint))
        difference = torch.where(given, known.flatten(1) - joint, torch.zeros_like(joint))
        weights = torch.linalg.solve(among_known, difference.unsqueeze(-1)).squeeze(-1)
        return (joint + weights @ self.covariance).reshape(known.shape)

    def _score(self, x: Tensor, t: Tensor, condition: Tensor | None) -> Tensor:
        """−(ᾱ Σ + (1 − ᾱ) I)⁻¹ (x − √ᾱ m)."""
        signal = (1.0 - t)[:, None, None].square()
        eye = torch.eye(self.event_size).to(x)
        spread = signal * self.covariance + (1.0 - signal) * eye
        centred = x.flatten(1) - (1.0 - t)[:, None] * self.location
        return -torch.linalg.solve(spread, centred.unsqueeze(-1)).reshape(x.shape)
