"""The denoiser of a mixture of Gaussians in closed form: the truth that samplers, likelihoods and bounds are held against.

If x₀ ~ Σₖ wₖ N(mₖ, Σₖ), then xₜ ~ Σₖ wₖ N(√ᾱ mₖ, Cₖ) with Cₖ = ᾱ Σₖ + (1 − ᾱ) I, and

    E[ε | xₜ] = √(1 − ᾱ) Σₖ p(k | xₜ) Cₖ⁻¹ (xₜ − √ᾱ mₖ) = −√(1 − ᾱ) ∇ log pₜ(xₜ).

No network is trained, so what remains is the method's own error.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from rlsuite.generative.diffusion.parametrisation import Denoised, Prediction, spread, target


class MixtureDenoiser(nn.Module):
    """E[ε | xₜ] of events ``(n, d)``; a single Gaussian is a mixture of one.

    It is a ``Denoiser`` for samplers (:meth:`at`), and can stand where a model has its network.

    Args:
        weights: ``(k)``, of sum 1.
        means: ``(k, d)``.
        covariances: ``(k, d, d)``.
        prediction: what it puts out as a network.
    """

    weights: Tensor
    means: Tensor
    covariances: Tensor

    def __init__(self, weights: Tensor, means: Tensor, covariances: Tensor, prediction: Prediction = "epsilon") -> None:
        super().__init__()
        self.prediction = prediction
        for name, value in (("weights", weights), ("means", means), ("covariances", covariances)):
            self.register_buffer(name, value)

    def _components(self, x: Tensor, angle: Tensor | float) -> tuple[Tensor, Tensor]:
        """log wₖ N(xₜ; √ᾱ mₖ, Cₖ) ``(n, k)`` and Cₖ⁻¹ (xₜ − √ᾱ mₖ) ``(n, k, d)``."""
        angle = torch.as_tensor(angle, dtype=torch.float64).to(x).reshape(-1, 1, 1)
        d = x.shape[1]
        eye = torch.eye(d).to(x)
        covariance = angle.cos()[..., None].square() * self.covariances + angle.sin()[..., None].square() * eye
        centred = x[:, None] - angle.cos() * self.means
        factor = torch.linalg.cholesky(covariance).expand(*centred.shape, d)
        solved = torch.cholesky_solve(centred[..., None], factor)[..., 0]
        log_det = 2.0 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        log_normal = -0.5 * ((centred * solved).sum(-1) + log_det + d * math.log(2.0 * math.pi))
        return self.weights.log() + log_normal, solved

    def log_prob(self, x: Tensor, angle: Tensor | float) -> Tensor:
        """log pₜ(xₜ) ``(n)``."""
        return self._components(x, angle)[0].logsumexp(1)

    def score(self, x: Tensor, angle: Tensor | float) -> Tensor:
        """∇ log pₜ(xₜ) ``(n, d)``."""
        log_weights, solved = self._components(x, angle)
        return -(log_weights.softmax(1)[..., None] * solved).sum(1)

    def at(self, x: Tensor, angle: Tensor | float) -> Denoised:
        """E[x₀ | xₜ] = (xₜ + (1 − ᾱ) ∇ log pₜ) / √ᾱ (Tweedie's formula), and E[ε | xₜ]."""
        score, angle = self.score(x, angle), torch.as_tensor(angle, dtype=torch.float64)
        noise = spread(angle.sin(), x)
        return Denoised((x + noise.square() * score) / spread(angle.cos(), x), -noise * score)

    def forward(self, x: Tensor, angle: Tensor, condition: Tensor | None = None, keep: Tensor | None = None) -> Tensor:
        """As a network ``(n, 1, d)``."""
        found = self.at(x, angle)
        return target(self.prediction, found.clean, found.noise, angle)[:, None]
