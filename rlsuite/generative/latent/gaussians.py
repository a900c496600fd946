"""Gaussians over codes, diagonal or of full rank: the posteriors and priors of variational autoencoders."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from rlsuite.errors import HyperparameterError
from rlsuite.generative.diagonal import standard_normal

Rank = Literal["diagonal", "full"]


@dataclass
class Gaussians:
    """A batch of N(m, L Lᵀ), L = diag(exp(log_scale)) + lower.

    Attributes:
        mean: m ``(*batch, k)``.
        log_scale: logarithm of L's diagonal ``(*batch, k)``.
        lower: L below its diagonal ``(*batch, k, k)``; none where the covariance is diagonal.
    """

    mean: Tensor
    log_scale: Tensor
    lower: Tensor | None = None

    @staticmethod
    def standard(n: int, k: int, like: Tensor) -> Gaussians:
        """``n`` of N(0, I)."""
        zeros = like.new_zeros(n, k)
        return Gaussians(zeros, zeros)

    @staticmethod
    def n_parameters(k: int, rank: Rank) -> int:
        """Numbers that a network puts out for one Gaussian of ``k`` entries.

        Raises:
            HyperparameterError: there is no such rank.
        """
        if rank not in ("diagonal", "full"):
            raise HyperparameterError(f"a posterior is 'diagonal' or 'full', not {rank!r}")
        return 2 * k + (k * (k - 1) // 2 if rank == "full" else 0)

    @staticmethod
    def of(parameters: Tensor, k: int) -> Gaussians:
        """From a network's output ``(*batch, n_parameters)``."""
        mean, log_scale, rest = parameters.split([k, k, parameters.shape[-1] - 2 * k], -1)
        if not rest.shape[-1]:
            return Gaussians(mean, log_scale)
        row, column = torch.tril_indices(k, k, -1, device=parameters.device)
        lower = parameters.new_zeros(*parameters.shape[:-1], k, k)
        lower[..., row, column] = rest
        return Gaussians(mean, log_scale, lower)

    @property
    def factor(self) -> Tensor:
        """L ``(*batch, k, k)``."""
        diagonal = torch.diag_embed(self.log_scale.exp())
        return diagonal if self.lower is None else diagonal + self.lower

    def draw(self, particles: int, generator: torch.Generator | None) -> Tensor:
        """Reparametrised draws m + L ε ``(particles, *batch, k)`` (Kingma and Welling, 2014, section 2.4)."""
        noise = standard_normal((particles, *self.mean.shape), self.mean, generator)
        z = self.mean + self.log_scale.exp() * noise
        return z if self.lower is None else z + (self.lower @ noise.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-densities ``(*leading, *batch)`` of ``z (*leading, *batch, k)``."""
        centred = z - self.mean
        if self.lower is None:
            noise = centred * torch.exp(-self.log_scale)
        else:
            noise = torch.linalg.solve_triangular(self.factor, centred.unsqueeze(-1), upper=False).squeeze(-1)
        return -0.5 * noise.square().sum(-1) - self.log_scale.sum(-1) - 0.5 * z.shape[-1] * math.log(2.0 * math.pi)

    def kl(self, prior: Gaussians) -> Tensor:
        """KL(self ‖ ``prior``) to a diagonal ``prior``, one part for each entry of the code ``(*batch, k)``.

        Part i is the expectation over z₍<i₎ of KL(q(zᵢ | z₍<i₎) ‖ p(zᵢ)): each is at least 0, and their sum, by the chain
        rule, is the divergence. For a diagonal posterior they are those of the single entries.
        """
        spread = torch.exp(2.0 * self.log_scale)
        if self.lower is not None:
            spread = spread + self.lower.square().sum(-1)
        squares = (spread + (self.mean - prior.mean).square()) * torch.exp(-2.0 * prior.log_scale)
        return 0.5 * (squares - 1.0) + prior.log_scale - self.log_scale
