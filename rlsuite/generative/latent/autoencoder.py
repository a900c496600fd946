"""Autoencoders: linear or deep, under- or overcomplete, denoising."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from rlsuite.errors import HyperparameterError
from rlsuite.generative.blocks import mlp
from rlsuite.generative.capabilities import Energy, Latent
from rlsuite.generative.diagonal import standard_normal

Corruption = Literal["none", "gaussian", "masking"]
MEMORY = 0.01  # weight of the newest batch in the codes' running moments


class Autoencoder(Latent, Energy):
    """z = encoder(x̃), x̂ = decoder(z), least squares: E ‖x − x̂‖² with x̃ = x, or x corrupted (Vincent et al., 2008).

    *Linear* (``hidden=()``): the optimum spans the subspace of the k leading principal components, and its error is the sum
    of the dropped eigenvalues (Baldi and Hornik, 1989). *Overcomplete* (k at least the event's size): the identity loses
    nothing and means nothing; corruption makes it mean something. *Denoising* with Gaussian noise of deviation s: the
    optimum is

        r(x̃) = E[x | x̃] = x̃ + s² ∇ log p_s(x̃),

    p_s being the density of the noisy events (Miyasawa, 1961; Alain and Bengio, 2014): what it moves is a score. For
    Gaussian data with eigenvalues λ it shrinks each component by λ / (λ + s²), of which a linear one keeps the k best.

    Its energy is the squared error of the clean event. It is no model of probability: for samples, a Gaussian fitted to the
    codes of the training events (their running moments) is decoded (Ghosh et al., 2020, section 4).

    Args:
        latent_size: k.
        hidden: units of the encoder's layers, and of the decoder's in reverse; without any, both are affine.
        activation: between layers.
        corruption: ``none``, ``gaussian`` noise, or ``masking`` (entries set to their mean).
        amount: deviation of the noise in normalised units, or the probability that an entry is masked.
        sparsity: weight of Σ |zᵢ| in the loss, the other way to make an overcomplete code mean something.
    """

    name = "autoencoder"
    code_mean: Tensor
    code_square: Tensor
    updates: Tensor

    def __init__(
        self,
        event_shape: int | Sequence[int],
        *,
        latent_size: int = 8,
        hidden: Sequence[int] = (128, 128),
        activation: str = "silu",
        corruption: Corruption = "none",
        amount: float = 0.3,
        sparsity: float = 0.0,
    ) -> None:
        super().__init__(event_shape)
        if corruption not in ("none", "gaussian", "masking"):
            raise HyperparameterError(f"corruption is 'none', 'gaussian' or 'masking', not {corruption!r}")
        if latent_size < 1 or amount < 0.0 or sparsity < 0.0 or (corruption == "masking" and amount >= 1.0):
            raise HyperparameterError(
                "latent_size is at least 1, amount (below 1 for masking) and sparsity are not negative; "
                f"not {latent_size!r}, {amount!r} and {sparsity!r}"
            )
        self.latent_size, self.hidden, self.activation = latent_size, tuple(hidden), activation
        self.corruption, self.amount, self.sparsity = corruption, amount, sparsity
        self.encoder = mlp(self.event_size, self.hidden, latent_size, activation)
        self.decoder = mlp(latent_size, self.hidden[::-1], self.event_size, activation)
        self.register_buffer("code_mean", torch.zeros(latent_size))
        self.register_buffer("code_square", torch.eye(latent_size))  # E[z zᵀ]
        self.register_buffer("updates", torch.zeros(()))
        self._last: Tensor | None = None

    @property
    def latent_shape(self) -> tuple[int, ...]:
        return (self.latent_size,)

    def corrupt(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """x̃ of normalised events."""
        if self.corruption == "gaussian":
            return x + self.amount * standard_normal(x.shape, x, generator)
        if self.corruption == "masking":
            return x * (torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device) >= self.amount)
        return x

    def _loss(self, x: Tensor, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        if self.training:
            self._last = x.detach()
        z = self._encode(self.corrupt(x, generator), None)
        error = (x - self._decode(z, None)).square().flatten(1).sum(1)
        return error + self.sparsity * z.abs().sum(1) if self.sparsity else error

    @torch.no_grad()
    def _after_step(self) -> None:
        """Running moments of the codes: plain averages at first, exponential ones later."""
        if self._last is None:
            return
        z = self._encode(self._last, None)
        self.updates += 1
        weight = torch.clamp(1.0 / self.updates, min=MEMORY)
        self.code_mean.lerp_(z.mean(0), weight)
        self.code_square.lerp_(z.mT @ z / len(z), weight)

    def _energy(self, x: Tensor, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        return (x - self._decode(self._encode(x, None), None)).square().flatten(1).sum(1)

    def _encode(self, x: Tensor, condition: Tensor | None) -> Tensor:
        return self.encoder(x.flatten(1))

    def _decode(self, z: Tensor, condition: Tensor | None) -> Tensor:
        return self.decoder(z).reshape(-1, *self.event_shape)

    def _sample(self, n: int, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        covariance = self.code_square - torch.outer(self.code_mean, self.code_mean)
        eigenvalues, eigenvectors = torch.linalg.eigh(covariance)  # its smallest may be −0 by rounding
        factor = eigenvectors * eigenvalues.clamp(min=0.0).sqrt()
        noise = standard_normal((n, self.latent_size), factor, generator)
        return self._decode(self.code_mean + noise @ factor.mT, None)
