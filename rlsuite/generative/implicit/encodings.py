"""Encodings of points: sines and cosines, so that a small network can follow fine detail.

A multilayer perceptron of bare coordinates learns low frequencies long before high ones (Tancik et al. 2020, Fourier
Features Let Networks Learn High Frequency Functions in Low Dimensional Domains). All encodings put the coordinates
themselves first, so that a geometric initialisation still finds them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from rlsuite.errors import HyperparameterError


class Encoding(nn.Module):
    """``(..., n_in)`` to ``(..., n_out)``; the first ``n_in`` are the coordinates as they are."""

    def __init__(self, n_in: int = 3, n_out: int | None = None) -> None:
        super().__init__()
        self.n_in, self.n_out = n_in, n_in if n_out is None else n_out

    def forward(self, x: Tensor) -> Tensor:
        return x


class PositionalEncoding(Encoding):
    r"""``(x, sin(2^k π x / span), cos(2^k π x / span))`` for k = 0 … octaves − 1 (Mildenhall et al. 2020, equation 4).

    Args:
        span: half the side of the cube of interest, in metres: within it the lowest octave runs through one period.
    """

    frequencies: Tensor

    def __init__(self, octaves: int, n_in: int = 3, span: float = 1.0) -> None:
        if octaves < 1 or not span > 0:
            raise HyperparameterError(f"octaves is at least 1 and span above 0, not {octaves!r} and {span!r}")
        super().__init__(n_in, n_in * (1 + 2 * octaves))
        self.register_buffer("frequencies", 2.0 ** torch.arange(octaves) * math.pi / span)

    def forward(self, x: Tensor) -> Tensor:
        phase = (x.unsqueeze(-1) * self.frequencies).flatten(-2)  # (..., n_in * octaves)
        return torch.cat((x, torch.sin(phase), torch.cos(phase)), -1)


class FourierFeatures(Encoding):
    r"""``(x, γ(x))`` with ``γ(x) = (cos b_i·x, sin b_i·x) / √m``, m frequencies ``b_i ~ N(0, 1/length²)``.

    Rahimi and Recht (2007), Random Features for Large-Scale Kernel Machines: ``γ(x)·γ(y)`` has the mean
    ``exp(−‖x − y‖² / 2 length²)``, the Gaussian kernel, and a variance of at most ``1/2m``.

    Args:
        length: of the kernel, in metres. seed: of the frequencies, which are not learned.
    """

    frequencies: Tensor

    def __init__(self, n_frequencies: int, length: float, n_in: int = 3, seed: int = 0) -> None:
        if n_frequencies < 1 or not length > 0:
            raise HyperparameterError(f"n_frequencies and length are above 0, not {n_frequencies!r} and {length!r}")
        super().__init__(n_in, n_in + 2 * n_frequencies)
        drawn = torch.randn(n_in, n_frequencies, generator=torch.Generator().manual_seed(seed))
        self.register_buffer("frequencies", drawn / length)

    def features(self, x: Tensor) -> Tensor:
        """``γ(x) (..., 2m)``, of length 1."""
        phase = x @ self.frequencies
        return torch.cat((torch.cos(phase), torch.sin(phase)), -1) / math.sqrt(phase.shape[-1])

    def forward(self, x: Tensor) -> Tensor:
        # unit variance of every entry: a network's layers expect that, a kernel the unit length of the whole
        return torch.cat((x, self.features(x) * math.sqrt(self.n_out - self.n_in)), -1)
