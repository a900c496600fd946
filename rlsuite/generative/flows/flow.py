"""The model that a transform and a base make: exact density, exact codes, draws by the inverse.

    log p(x | c) = log p_Z(f(x; c)) + log |det ∂f/∂x|,        x = f⁻¹(z; c) with z ~ p_Z.

A code ``(event_size)`` is z itself, so that ``decode(encode(x))`` is x.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rlsuite.errors import HyperparameterError
from rlsuite.generative.capabilities import Density, Latent
from rlsuite.generative.flows.bases import Base, Uniform, base_named
from rlsuite.generative.flows.linear_prediction import LinearPrediction
from rlsuite.generative.flows.transform import Composition, Sigmoid, Transform

FIRST_BATCH = 1024  # events that initialise what depends on data


class Flow(Density, Latent):
    """A concrete flow sets its :attr:`transform` by :meth:`_assemble`, last in its constructor.

    Attributes:
        transform: f, from events ``(n, *event)`` to codes ``(n, event_size)``.
        base_distribution: p_Z.

    Args:
        base: ``gaussian``, ``mixture`` (of ``components`` learned Gaussians), or ``uniform`` over the unit cube, which a
            sigmoid leads to.
    """

    transform: Composition
    base_distribution: Base

    def __init__(
        self,
        event_shape: int | Sequence[int],
        condition_shape: int | Sequence[int] | None = None,
        base: str = "gaussian",
        components: int = 8,
    ) -> None:
        super().__init__(event_shape, condition_shape)
        self.base, self.components = base, components

    def _assemble(self, transforms: Sequence[Transform]) -> None:
        self.base_distribution = base_named(self.base, self.event_size, self.components)
        last = [Sigmoid()] if isinstance(self.base_distribution, Uniform) else []
        self.transform = Composition([*transforms, *last])

    @property
    def latent_shape(self) -> tuple[int, ...]:
        return (self.event_size,)

    def edit(self, x: Tensor, condition: Tensor, new: Tensor) -> Tensor:
        """Events ``(*batch, *event)`` carried over from ``condition`` to ``new``: f⁻¹(f(x; condition); new).

        What the condition does not tell stays as it was; an unchanged condition gives the event back.
        """
        return self.decode(self.encode(x, condition), new)

    def _log_prob(self, x: Tensor, condition: Tensor | None) -> Tensor:
        z, ladj = self.transform(x, condition)
        return self.base_distribution.log_prob(z) + ladj

    def _sample(self, n: int, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        return self._decode(self.base_distribution.sample(n, generator), condition)

    def _encode(self, x: Tensor, condition: Tensor | None) -> Tensor:
        return self.transform(x, condition)[0]

    def _decode(self, z: Tensor, condition: Tensor | None) -> Tensor:
        return self.transform.inverse(z, condition)[0]

    def _prepare(self, x: Tensor, condition: Tensor | None, generator: torch.Generator) -> None:
        if not self.fitted:
            for part in self.transform.parts:
                if isinstance(part, LinearPrediction):
                    part.fit(x, condition)
        chosen = torch.randperm(len(x), generator=generator, device=x.device)[:FIRST_BATCH]
        self.transform.prepare(x[chosen], None if condition is None else condition[chosen])


def linear_prediction(flow: Flow, wanted: bool) -> list[Transform]:
    """The first transform of a flow of vectors that begins as the linear regression; none where that is not wanted."""
    return [LinearPrediction(flow.event_size, flow.condition_size)] if wanted else []


def positive(number: int, what: str) -> int:
    """``number``.

    Raises:
        HyperparameterError: it is less than 1.
    """
    if number < 1:
        raise HyperparameterError(f"{what} is 1 or more, not {number!r}")
    return number


def positives(numbers: Sequence[int], what: str) -> tuple[int, ...]:
    """``numbers``, one or more.

    Raises:
        HyperparameterError: there is none, or one is less than 1.
    """
    if not len(numbers) or min(numbers) < 1:
        raise HyperparameterError(f"{what} are one number or more, each 1 or more, not {numbers!r}")
    return tuple(numbers)
