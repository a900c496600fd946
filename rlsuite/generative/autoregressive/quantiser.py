"""The vector quantiser: nearest code, straight-through gradient, and a codebook of running means."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SMOOTHING = 1e-5  # of counts, so that codes without vectors do not divide by zero
LEAST_USE = 1e-2  # vectors in the running mean of a batch, below which a code begins anew


class Quantiser(nn.Module):
    """Codes e₁ … e_K; a vector z becomes e_k, k = argminⱼ ‖z − eⱼ‖ (van den Oord, Vinyals and Kavukcuoglu, 2017).

    The codebook follows exponential running means (their appendix A.1): with n_k vectors of sum s_k in a batch,
    N_k ← γ N_k + (1 − γ) n_k, m_k ← γ m_k + (1 − γ) s_k, e_k = m_k / N_k; a code whose vectors stay becomes their centroid.

    Args:
        codes: K.
        size: of a code.
        decay: γ.
    """

    codebook: Tensor
    counts: Tensor
    sums: Tensor

    def __init__(self, codes: int, size: int, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("codebook", torch.randn(codes, size))
        self.register_buffer("counts", torch.ones(codes))
        self.register_buffer("sums", self.codebook.clone())

    def nearest(self, z: Tensor) -> Tensor:
        """Index ``(*)`` of the code nearest to each of ``z (*, size)``."""
        squares = self.codebook.square().sum(-1)  # ‖z‖² is the same for all codes
        return (squares - 2.0 * z @ self.codebook.mT).argmin(-1)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Codes ``(*, size)``, whose gradient goes to z unchanged, and their indices ``(*)``."""
        index = self.nearest(z.detach())
        return z + (self.codebook[index] - z).detach(), index

    @torch.no_grad()
    def reset(self, z: Tensor) -> None:
        """Make ``z (K, size)`` the codes."""
        self.codebook.copy_(z)
        self.sums.copy_(z)
        self.counts.fill_(1.0)

    @torch.no_grad()
    def update(self, z: Tensor, index: Tensor, spare: Tensor) -> None:
        """Move the codes towards their vectors ``z (m, size)``; those no longer used become ``spare (K, size)``."""
        chosen = torch.nn.functional.one_hot(index, len(self.codebook)).to(z)
        self.counts.lerp_(chosen.sum(0), 1.0 - self.decay)
        self.sums.lerp_(chosen.mT @ z, 1.0 - self.decay)
        unused = self.counts < LEAST_USE
        self.counts[unused], self.sums[unused] = 1.0, spare[unused]
        self.codebook.copy_(self.sums / (self.counts + SMOOTHING)[:, None])
