"""Diagonal Gaussians and their draws: the building blocks of latent, autoregressive and diffusion models."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def standard_normal(shape: Sequence[int], like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Draws from N(0, 1) of ``shape``, of the type and on the device of ``like``."""
    return torch.randn(tuple(shape), generator=generator, dtype=like.dtype, device=like.device)


def log_normal(x: Tensor, mean: Tensor | float = 0.0, log_scale: Tensor | float = 0.0) -> Tensor:
    """log N(x; mean, exp(log_scale)²), entry by entry."""
    log_scale = torch.as_tensor(log_scale, dtype=x.dtype, device=x.device)
    return -0.5 * ((x - mean) * torch.exp(-log_scale)).square() - log_scale - 0.5 * math.log(2.0 * math.pi)


def kl_to_standard_normal(mean: Tensor, log_scale: Tensor) -> Tensor:
    """KL(N(mean, exp(log_scale)²) ‖ N(0, 1)), entry by entry (Kingma and Welling, 2014, appendix B)."""
    return 0.5 * (mean.square() + torch.exp(2.0 * log_scale) - 1.0) - log_scale
