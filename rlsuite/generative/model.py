"""The base class of every generative model: shapes, conditions, the normaliser and the public verbs.

A public method takes ``x (*batch, *event)`` and ``condition (*batch, *condition)`` in the user's units, lets their batches
broadcast, and hands the model's own method, of the same name with an underscore, one batch axis in normalised units. What
every model would otherwise repeat is here, once.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from rlsuite.errors import CapabilityError, HyperparameterError
from rlsuite.generative import registry
from rlsuite.generative.normalisation import Standardizer
from rlsuite.generative.training import History, train

Support = Literal["real", "binary", "categorical"]


class GenerativeModel(nn.Module):
    """A distribution over events of shape ``event_shape``, given a condition of shape ``condition_shape`` or none.

    A concrete model names itself (``name = "made"``), which registers it, keeps every argument of its constructor as an
    attribute of the same name (so that it can be saved and made again), and implements ``_loss`` and ``_sample``.

    Attributes:
        support: what an event's entries are: real numbers, 0 and 1, or the integers 0 … ``n_values`` − 1.
        fitted: whether :meth:`fit` has set the normaliser.
        normalizer: maps events to the units the network sees; fitted by :meth:`fit`, saved with the model, and counted
            in densities. The identity for discrete events.

    Raises:
        HyperparameterError: a shape that is not one.
    """

    name: ClassVar[str] = ""
    support: Support = "real"  # of the class, or of the instance where an argument decides
    n_values: int = 2  # of categorical events
    normalizer: Standardizer
    condition_normalizer: Standardizer
    fitted: bool = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "name" in cls.__dict__:
            registry.register(cls)

    def __init__(self, event_shape: int | Sequence[int], condition_shape: int | Sequence[int] | None = None) -> None:
        super().__init__()
        self.event_shape = _shape(event_shape, "event_shape")
        self.condition_shape = None if condition_shape is None else _shape(condition_shape, "condition_shape")
        self.normalizer = Standardizer(self.event_shape)
        self.condition_normalizer = Standardizer(self.condition_shape or ())

    @property
    def event_size(self) -> int:
        """Numbers in one event."""
        return math.prod(self.event_shape)

    @property
    def condition_size(self) -> int:
        """Numbers in one condition; 0 without one."""
        return 0 if self.condition_shape is None else math.prod(self.condition_shape)

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """The arguments that make this model again, without its weights."""
        return {
            name: getattr(self, name) for name in inspect.signature(type(self).__init__).parameters if name != "self"
        }

    @property
    def device(self) -> torch.device:
        """Where its buffers and weights are."""
        return self.normalizer.mean.device

    def loss(self, x: Tensor, condition: Tensor | None = None, *, generator: torch.Generator | None = None) -> Tensor:
        """What :meth:`fit` minimises, for each event; ``(*batch)``. Its unit depends on the model; see the class."""
        x, condition, batch = self.flat(x, condition)
        return self._loss(self.normalizer(x), condition, generator).reshape(batch)

    @torch.no_grad()
    def sample(
        self,
        shape: int | Sequence[int] = (),
        condition: Tensor | None = None,
        *,
        known: Tensor | None = None,
        mask: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw events ``(*shape, *batch, *event)``, where ``batch`` is the condition's (and that of ``known``).

        Args:
            shape: how many for each condition.
            condition: ``(*batch, *condition)``.
            known: events ``(*batch, *event)`` of which some entries are given; the others are ignored.
            mask: which entries of ``known`` are given (true); broadcasts with it. They are returned unchanged.
            generator: the source of randomness; the same one in the same state gives the same draw.

        Raises:
            CapabilityError: ``known`` is given to a model that cannot complete events.
            HyperparameterError: shapes that do not fit.
        """
        leading = (shape,) if isinstance(shape, int) else tuple(shape)
        if (known is None) != (mask is None):
            raise HyperparameterError("known and mask go together: which entries are given, and their values")
        batch: tuple[int, ...] = ()
        if condition is not None:
            batch = self._condition_batch(condition)
        elif self.condition_shape is not None:
            raise HyperparameterError(
                f"{self.name} is conditional: it needs a condition of shape {self.condition_shape}"
            )
        if known is not None and mask is not None:
            from rlsuite.generative.capabilities import Completion

            if not isinstance(self, Completion):
                raise CapabilityError(f"{self.name or type(self).__name__} cannot complete events: it lacks Completion")
            known, mask = torch.broadcast_tensors(known.to(self.normalizer.mean.dtype), mask.bool())
            batch = torch.broadcast_shapes(batch, self._event_batch(known))
        full = (*leading, *batch)
        n = math.prod(full)
        if condition is not None and self.condition_shape is not None:
            condition = condition.to(self.normalizer.mean).expand(*full, *self.condition_shape)
            condition = self.condition_normalizer(condition.reshape(n, *self.condition_shape))
        if known is None or mask is None:
            drawn = self.normalizer.inverse(self._sample(n, condition, generator))
            return drawn.reshape(*full, *self.event_shape)
        known = known.to(self.device).expand(*full, *self.event_shape).reshape(n, *self.event_shape)
        mask = mask.to(self.device).expand(*full, *self.event_shape).reshape(n, *self.event_shape)
        known = torch.where(mask, known, torch.zeros_like(known))  # an unknown entry may be NaN
        drawn = self._complete(self.normalizer(known), mask, condition, generator)  # type: ignore[operator]
        return torch.where(mask, known, self.normalizer.inverse(drawn)).reshape(*full, *self.event_shape)

    def fit(
        self, data: Tensor, condition: Tensor | None = None, *, steps: int, seed: int = 0, **settings: Any
    ) -> History:
        """Fit to ``data (n, *event)``; see :func:`rlsuite.generative.training.train` for the settings."""
        return train(self, data, condition, steps=steps, seed=seed, **settings)

    # What a model implements, or may.

    def _loss(self, x: Tensor, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        """Loss ``(n)`` of normalised events ``(n, *event)``."""
        raise NotImplementedError

    def _sample(self, n: int, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        """``n`` normalised events ``(n, *event)``."""
        raise NotImplementedError

    def _prepare(self, x: Tensor, condition: Tensor | None, generator: torch.Generator) -> None:
        """Before training, with all normalised training events: initialisation that depends on data, closed-form fits."""

    def _after_step(self) -> None:
        """After each step of the optimiser: running averages, projections."""

    def _regroup(self) -> list[dict[str, Any]]:
        """The optimiser's parameter groups."""
        return [{"params": [p for p in self.parameters() if p.requires_grad]}]

    # Shapes.

    def flat(self, x: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor | None, tuple[int, ...]]:
        """``x`` and ``condition`` with their batches broadcast and made one axis, and the shape of that batch.

        Raises:
            HyperparameterError: shapes that do not fit, a condition too many or too few.
        """
        batch = self._event_batch(x)
        if condition is None:
            if self.condition_shape is not None:
                raise HyperparameterError(f"{self.name} needs a condition of shape {self.condition_shape}")
        else:
            batch = torch.broadcast_shapes(batch, self._condition_batch(condition))
        like = self.normalizer.mean
        x = x.to(like).expand(*batch, *self.event_shape).reshape(-1, *self.event_shape)
        if condition is not None and self.condition_shape is not None:
            condition = condition.to(like).expand(*batch, *self.condition_shape).reshape(-1, *self.condition_shape)
            condition = self.condition_normalizer(condition)
        return x, condition, batch

    def _event_batch(self, x: Tensor) -> tuple[int, ...]:
        at = x.dim() - len(self.event_shape)
        if at < 0 or tuple(x.shape[at:]) != self.event_shape:
            raise HyperparameterError(f"events have shape (*batch, {_text(self.event_shape)}), not {tuple(x.shape)}")
        return tuple(x.shape[:at])

    def _condition_batch(self, condition: Tensor) -> tuple[int, ...]:
        if self.condition_shape is None:
            raise HyperparameterError(f"{self.name} was made without condition_shape and takes no condition")
        at = condition.dim() - len(self.condition_shape)
        if at < 0 or tuple(condition.shape[at:]) != self.condition_shape:
            raise HyperparameterError(
                f"conditions have shape (*batch, {_text(self.condition_shape)}), not {tuple(condition.shape)}"
            )
        return tuple(condition.shape[:at])


def _shape(shape: int | Sequence[int], what: str) -> tuple[int, ...]:
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    if not all(isinstance(size, int) and size > 0 for size in sizes):
        raise HyperparameterError(f"{what} is a size or several, each a positive integer, not {shape!r}")
    return sizes


def _text(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))
