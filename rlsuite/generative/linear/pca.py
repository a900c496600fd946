"""Principal component analysis: the linear code that loses least, and the optimum of every linear autoencoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rlsuite.errors import HyperparameterError
from rlsuite.generative.capabilities import Energy, Latent
from rlsuite.generative.diagonal import standard_normal


def eigenbasis(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean ``(d,)``, eigenvalues ``(d,)`` in descending order and eigenvectors ``(d, d)``, in columns, of the covariance
    (division by n) of ``x (n, d)``."""
    mean = x.mean(0)
    centred = x - mean
    eigenvalues, eigenvectors = torch.linalg.eigh(centred.mT @ centred / len(x))
    return mean, eigenvalues.flip(0).clamp(min=0.0), eigenvectors.flip(1)


def checked_latent_size(latent_size: int, event_size: int) -> int:
    """``latent_size``.

    Raises:
        HyperparameterError: it is not in 1 … ``event_size`` − 1.
    """
    if not 1 <= latent_size < event_size:
        raise HyperparameterError(
            f"latent_size is from 1 to {event_size - 1}, fewer than the event's {event_size} entries, not {latent_size!r}"
        )
    return latent_size


class PCA(Latent, Energy):
    """z = Uₖᵀ (x − m), x̂ = m + Uₖ z, with the k leading eigenvectors Uₖ of the data's covariance.

    Of all linear encoders and decoders with k units, and of all linear autoencoders therefore, it has the least mean
    squared error, which is the sum of the dropped eigenvalues (Eckart and Young, 1936; Baldi and Hornik, 1989: a linear
    autoencoder has no other local minimum, and its optimum spans this subspace, up to an invertible map of the code).

    Its energy is the squared error of the reconstruction; its samples are Gaussian within the subspace.
    """

    name = "pca"
    location: Tensor
    components: Tensor
    eigenvalues: Tensor

    def __init__(self, event_shape: int | Sequence[int], *, latent_size: int = 1) -> None:
        super().__init__(event_shape)
        self.latent_size = checked_latent_size(latent_size, self.event_size)
        self.register_buffer("location", torch.zeros(self.event_size))
        self.register_buffer("components", torch.eye(self.event_size)[:, :latent_size].clone())  # U_k
        self.register_buffer("eigenvalues", torch.ones(self.event_size))

    @property
    def latent_shape(self) -> tuple[int, ...]:
        return (self.latent_size,)

    @property
    def error(self) -> Tensor:
        """Mean squared error (summed over entries) on the data it was fitted to: the dropped eigenvalues' sum."""
        return self.eigenvalues[self.latent_size :].sum()

    def _prepare(self, x: Tensor, condition: Tensor | None, generator: torch.Generator) -> None:
        mean, eigenvalues, eigenvectors = eigenbasis(x.flatten(1))
        self.location.copy_(mean)
        self.eigenvalues.copy_(eigenvalues)
        self.components.copy_(eigenvectors[:, : self.latent_size])

    def _encode(self, x: Tensor, condition: Tensor | None) -> Tensor:
        return (x.flatten(1) - self.location) @ self.components

    def _decode(self, z: Tensor, condition: Tensor | None) -> Tensor:
        return (self.location + z @ self.components.mT).reshape(-1, *self.event_shape)

    def _energy(self, x: Tensor, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        return (x - self._decode(self._encode(x, None), None)).square().flatten(1).sum(1)

    def _loss(self, x: Tensor, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        return self._energy(x, condition, generator)

    def _sample(self, n: int, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        noise = standard_normal((n, self.latent_size), self.components, generator)
        return self._decode(noise * self.eigenvalues[: self.latent_size].sqrt(), None)
