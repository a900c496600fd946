"""What a model can do beyond ``loss`` and ``sample``, declared by mix-ins: users and tests ask for the capability.

Each mix-in's public method takes ``x (*batch, *event)`` in the user's units and calls the model's own method, of the same
name with an underscore, on one batch axis of normalised events. A concrete model
derives from its capabilities alone; they bring the base class.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from rlsuite.errors import CapabilityError
from rlsuite.generative.model import GenerativeModel

Generator = torch.Generator | None


class Density(GenerativeModel):
    """An exact log-density (or log-probability, for discrete events). A lower bound is a :class:`Bound`, never this."""

    def log_prob(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """log p(x | condition) ``(*batch)`` in nats, in the units of the data."""
        x, condition, batch = self.flat(x, condition)
        return (self._log_prob(self.normalizer(x), condition) + self.normalizer.log_det).reshape(batch)

    def _log_prob(self, x: Tensor, condition: Tensor | None) -> Tensor:
        raise NotImplementedError

    def _loss(self, x: Tensor, condition: Tensor | None, generator: Generator) -> Tensor:
        return -self._log_prob(x, condition)


class Bound(GenerativeModel):
    """A lower bound of the log-density; stochastic ones are unbiased estimates of the bound."""

    def bound(
        self, x: Tensor, condition: Tensor | None = None, *, particles: int = 1, generator: Generator = None
    ) -> Tensor:
        """A lower bound ``(*batch)`` of log p(x | condition), in nats; tighter with more ``particles`` where the model
        has an importance-weighted bound (Burda et al., 2016), averaged over them where it has not."""
        x, condition, batch = self.flat(x, condition)
        return (self._bound(self.normalizer(x), condition, particles, generator) + self.normalizer.log_det).reshape(
            batch
        )

    def _bound(self, x: Tensor, condition: Tensor | None, particles: int, generator: Generator) -> Tensor:
        raise NotImplementedError

    def _loss(self, x: Tensor, condition: Tensor | None, generator: Generator) -> Tensor:
        return -self._bound(x, condition, 1, generator)


class Energy(GenerativeModel):
    """An energy: low where events are natural; differences of it mean what differences of −log p would."""

    def energy(self, x: Tensor, condition: Tensor | None = None, *, generator: Generator = None) -> Tensor:
        """Energy ``(*batch)``."""
        x, condition, batch = self.flat(x, condition)
        return self._energy(self.normalizer(x), condition, generator).reshape(batch)

    def _energy(self, x: Tensor, condition: Tensor | None, generator: Generator) -> Tensor:
        raise NotImplementedError


class Score(GenerativeModel):
    """The gradient of the log-density of events diffused for time ``t`` in [0, 1]."""

    def score(self, x: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        """∇ₓ log pₜ(x | condition) ``(*batch, *event)`` in the units of the data; ``t`` broadcasts with the batch."""
        flat, condition, batch = self.flat(x, condition)
        t = torch.as_tensor(t, dtype=flat.dtype, device=flat.device).expand(batch).reshape(-1)
        score = self._score(self.normalizer(flat), t, condition) / self.normalizer.scale
        return score.reshape(*batch, *self.event_shape)

    def _score(self, x: Tensor, t: Tensor, condition: Tensor | None) -> Tensor:
        raise NotImplementedError


class Latent(GenerativeModel):
    """A code for every event: ``encode`` (its mean where it is random) and ``decode``."""

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Shape of one code."""
        raise NotImplementedError

    def encode(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Codes ``(*batch, *latent_shape)`` of events."""
        x, condition, batch = self.flat(x, condition)
        return self._encode(self.normalizer(x), condition).reshape(*batch, *self.latent_shape)

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Events ``(*batch, *event)`` of codes: the decoder's mean, or its most probable event where it is discrete."""
        batch = tuple(z.shape[: z.dim() - len(self.latent_shape)])
        if condition is not None and self.condition_shape is not None:
            batch = torch.broadcast_shapes(batch, self._condition_batch(condition))
            condition = condition.expand(*batch, *self.condition_shape).reshape(-1, *self.condition_shape)
            condition = self.condition_normalizer(condition)
        z = z.expand(*batch, *self.latent_shape).reshape(-1, *self.latent_shape)
        return self.normalizer.inverse(self._decode(z, condition)).reshape(*batch, *self.event_shape)

    def _encode(self, x: Tensor, condition: Tensor | None) -> Tensor:
        raise NotImplementedError

    def _decode(self, z: Tensor, condition: Tensor | None) -> Tensor:
        raise NotImplementedError


class Completion(GenerativeModel):
    """Entries of an event given, the others drawn: ``sample(known=…, mask=…)``."""

    def _complete(self, known: Tensor, mask: Tensor, condition: Tensor | None, generator: Generator) -> Tensor:
        """Normalised events ``(n, *event)`` whose entries under ``mask`` (true: given) are those of ``known``."""
        raise NotImplementedError


class Streaming(GenerativeModel):
    """Events whose first axis is time, drawn one step at a time with a state of bounded cost."""

    def start(self, n: int, condition: Tensor | None = None) -> Any:
        """The state before the first step of ``n`` streams; ``condition (n, *condition)``."""
        raise NotImplementedError

    def step(self, state: Any, *, generator: Generator = None) -> tuple[Tensor, Any]:
        """The next step ``(n, *event_shape[1:])`` in the units of the data, and the state after it."""
        raise NotImplementedError


ALL: tuple[type[GenerativeModel], ...] = (Density, Bound, Energy, Score, Latent, Completion, Streaming)


def capabilities(model: GenerativeModel | type[GenerativeModel]) -> tuple[str, ...]:
    """Names of what ``model`` can do, such as ``("Density", "Completion")``."""
    kind = model if isinstance(model, type) else type(model)
    return tuple(capability.__name__ for capability in ALL if issubclass(kind, capability))


def require(model: GenerativeModel, capability: type[GenerativeModel], purpose: str) -> None:
    """Make sure that ``model`` has ``capability``.

    Raises:
        CapabilityError: it has not.
    """
    if not isinstance(model, capability):
        have = ", ".join(capabilities(model)) or "none"
        raise CapabilityError(
            f"{purpose} needs a model with the capability {capability.__name__}; {model.name} has: {have}"
        )


def energy_of(model: GenerativeModel) -> Callable[..., Tensor]:
    """The model's energy, or what stands for it: −log_prob, else −bound.

    Raises:
        CapabilityError: it has none of the three.
    """
    if isinstance(model, Energy):
        return model.energy
    if isinstance(model, Density):
        density = model
        return lambda x, condition=None, generator=None: -density.log_prob(x, condition)
    if isinstance(model, Bound):
        bounded = model
        return lambda x, condition=None, generator=None: -bounded.bound(x, condition, generator=generator)
    raise CapabilityError(f"an energy needs Energy, Density or Bound; {model.name} has none of them")
