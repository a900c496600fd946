"""Base distributions: the densities of codes ``(n, size)`` that flows start from."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from rlsuite.errors import HyperparameterError, UnknownNameError
from rlsuite.generative.diagonal import log_normal, standard_normal


class Base(nn.Module):
    """A density over codes of ``size`` numbers."""

    like: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("like", torch.zeros(()), persistent=False)  # its type and device

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density ``(n)``."""
        raise NotImplementedError

    def sample(self, n: int, generator: torch.Generator | None) -> Tensor:
        """Codes ``(n, size)``."""
        raise NotImplementedError


class StandardNormal(Base):
    """z ~ N(0, I)."""

    def log_prob(self, z: Tensor) -> Tensor:
        """−½ |z|² − ½ size log 2π."""
        return -0.5 * (z.square().sum(1) + self.size * math.log(2.0 * math.pi))

    def sample(self, n: int, generator: torch.Generator | None) -> Tensor:
        return standard_normal((n, self.size), self.like, generator)


class Uniform(Base):
    """z uniform over the unit cube. A flow puts a sigmoid before it, which makes it the logistic base of NICE (Dinh et
    al., 2015, section 3.4): a sigmoid's derivative is the density of the logistic distribution."""

    def log_prob(self, z: Tensor) -> Tensor:
        inside = ((z >= 0.0) & (z <= 1.0)).all(1)
        return torch.where(inside, 0.0, -torch.inf).to(z)

    def sample(self, n: int, generator: torch.Generator | None) -> Tensor:
        return torch.rand((n, self.size), generator=generator, dtype=self.like.dtype, device=self.like.device)


class Mixture(Base):
    """log p(z) = log Σ_k π_k N(z; μ_k, diag σ_k²), all of it learned; the means begin as draws from N(0, 1)."""

    def __init__(self, size: int, components: int) -> None:
        if components < 1:
            raise HyperparameterError(f"a mixture has 1 component or more, not {components}")
        super().__init__(size)
        self.logits = nn.Parameter(torch.zeros(components))
        self.means = nn.Parameter(torch.randn(components, size))
        self.log_scales = nn.Parameter(torch.zeros(components, size))

    def log_prob(self, z: Tensor) -> Tensor:
        each = log_normal(z[:, None], self.means, self.log_scales).sum(2)  # (n, components)
        return torch.logsumexp(self.logits.log_softmax(0) + each, 1)

    def sample(self, n: int, generator: torch.Generator | None) -> Tensor:
        k = torch.multinomial(self.logits.softmax(0), n, replacement=True, generator=generator)
        noise = standard_normal((n, self.size), self.like, generator)
        return self.means[k] + self.log_scales[k].exp() * noise


BASES = ("gaussian", "uniform", "mixture")


def base_named(name: str, size: int, components: int) -> Base:
    """A new base over codes of ``size`` numbers.

    Raises:
        UnknownNameError: there is none of that name.
    """
    if name == "gaussian":
        return StandardNormal(size)
    if name == "uniform":
        return Uniform(size)
    if name == "mixture":
        return Mixture(size, components)
    raise UnknownNameError("base", name, BASES)
