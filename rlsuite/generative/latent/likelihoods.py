"""What a decoder's numbers mean: Gaussian, Bernoulli or categorical entries, independent given the code."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rlsuite.errors import HyperparameterError
from rlsuite.generative.diagonal import log_normal, standard_normal
from rlsuite.generative.model import Support

Kind = Literal["gaussian", "bernoulli", "categorical"]
Noise = float | Literal["learned", "predicted"]
LEAST_LOG_SCALE = -7.0  # a thousandth of an entry's own spread; without a floor, constant entries have infinite density


class Likelihood(nn.Module):
    """p(x | parameters) of events of ``size`` entries.

    Attributes:
        support: what the entries are.
        n_parameters: numbers that the decoder puts out for one event.
        n_features: numbers that the encoder takes in for one event.
    """

    support: Support = "real"

    def __init__(self, size: int, per_entry: int = 1, features_per_entry: int = 1) -> None:
        super().__init__()
        self.size = size
        self.n_parameters = size * per_entry
        self.n_features = size * features_per_entry

    def features(self, x: Tensor) -> Tensor:
        """Events ``(*batch, size)`` as an encoder likes them ``(*batch, n_features)``."""
        return x

    def log_prob(self, x: Tensor, parameters: Tensor) -> Tensor:
        """log p(x | parameters) ``(*batch)``; ``x (*batch, size)`` broadcasts with ``parameters (*batch, n_parameters)``."""
        raise NotImplementedError

    def centre(self, parameters: Tensor) -> Tensor:
        """The mean of real entries, the most probable value of others ``(*batch, size)``."""
        raise NotImplementedError

    def draw(self, parameters: Tensor, generator: torch.Generator | None) -> Tensor:
        """Events ``(*batch, size)``."""
        raise NotImplementedError


class GaussianLikelihood(Likelihood):
    """N(xᵢ; μᵢ, σ²): σ a given number, ``learned`` (one for all), or ``predicted`` (of each, by the decoder)."""

    def __init__(self, size: int, noise: Noise = "learned") -> None:
        super().__init__(size, per_entry=2 if noise == "predicted" else 1)
        if noise not in ("learned", "predicted") and not (isinstance(noise, int | float) and noise > 0):
            raise HyperparameterError(f"noise is 'learned', 'predicted' or a positive number, not {noise!r}")
        self.predicted = noise == "predicted"
        log_scale = torch.tensor(float(noise)).log() if isinstance(noise, int | float) else torch.zeros(())
        self.log_scale = nn.Parameter(log_scale, requires_grad=noise == "learned")

    def _split(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        if not self.predicted:
            return parameters, self.log_scale.clamp(min=LEAST_LOG_SCALE)
        mean, log_scale = parameters.chunk(2, -1)
        return mean, log_scale.clamp(min=LEAST_LOG_SCALE)

    def log_prob(self, x: Tensor, parameters: Tensor) -> Tensor:
        return log_normal(x, *self._split(parameters)).sum(-1)

    def centre(self, parameters: Tensor) -> Tensor:
        return self._split(parameters)[0]

    def draw(self, parameters: Tensor, generator: torch.Generator | None) -> Tensor:
        mean, log_scale = self._split(parameters)
        return mean + log_scale.exp() * standard_normal(mean.shape, mean, generator)


class BernoulliLikelihood(Likelihood):
    """xᵢ is 1 with probability sigmoid(parametersᵢ), else 0."""

    support = "binary"

    def features(self, x: Tensor) -> Tensor:
        return 2.0 * x - 1.0

    def log_prob(self, x: Tensor, parameters: Tensor) -> Tensor:
        return (x * parameters - F.softplus(parameters)).sum(-1)

    def centre(self, parameters: Tensor) -> Tensor:
        return (parameters > 0).to(parameters)

    def draw(self, parameters: Tensor, generator: torch.Generator | None) -> Tensor:
        return torch.bernoulli(torch.sigmoid(parameters), generator=generator)


class CategoricalLikelihood(Likelihood):
    """xᵢ in 0 … n − 1 with probabilities softmax over the n numbers of entry i."""

    support = "categorical"

    def __init__(self, size: int, n_values: int) -> None:
        super().__init__(size, per_entry=n_values, features_per_entry=n_values)
        if n_values < 2:
            raise HyperparameterError(f"n_values is at least 2, not {n_values!r}")
        self.n_values = n_values

    def features(self, x: Tensor) -> Tensor:
        return F.one_hot(x.long(), self.n_values).to(x).flatten(-2)

    def _logits(self, parameters: Tensor) -> Tensor:
        return parameters.unflatten(-1, (self.size, self.n_values))

    def log_prob(self, x: Tensor, parameters: Tensor) -> Tensor:
        logits = self._logits(parameters)
        chosen = F.one_hot(x.long(), self.n_values).to(logits)
        return (chosen * logits.log_softmax(-1)).sum((-2, -1))

    def centre(self, parameters: Tensor) -> Tensor:
        return self._logits(parameters).argmax(-1).to(parameters)

    def draw(self, parameters: Tensor, generator: torch.Generator | None) -> Tensor:
        p = self._logits(parameters).softmax(-1)
        return torch.multinomial(p.flatten(0, -2), 1, generator=generator).reshape(p.shape[:-1]).to(parameters)


def likelihood_of(kind: Kind, size: int, noise: Noise, n_values: int) -> Likelihood:
    """The likelihood of that kind; ``noise`` is the Gaussian's, ``n_values`` the categorical one's.

    Raises:
        HyperparameterError: there is no such kind.
    """
    if kind == "gaussian":
        return GaussianLikelihood(size, noise)
    if kind == "bernoulli":
        return BernoulliLikelihood(size)
    if kind == "categorical":
        return CategoricalLikelihood(size, n_values)
    raise HyperparameterError(f"likelihood is 'gaussian', 'bernoulli' or 'categorical', not {kind!r}")
