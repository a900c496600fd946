"""What every implicit field answers: the geometry at a point, and the colour of a point seen from a direction.

The kinds of geometry are types of their own, so that nothing takes a distance for a density. All are functions of points
``(..., 3)`` in metres; a ``code (*batch, code_size)`` of a shape or a pose broadcasts with the points' leading axes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from rlsuite.errors import CapabilityError


@dataclass(frozen=True)
class Geometry:
    """Of points ``(..., 3)``; ``features (..., n)`` are what the colour and other heads are made from."""

    features: Tensor | None


@dataclass(frozen=True)
class Distance(Geometry):
    """``value (...)``: signed distance to the surface in metres, negative inside."""

    value: Tensor


@dataclass(frozen=True)
class Occupancy(Geometry):
    """``logit (...)`` of the probability that the point is inside."""

    logit: Tensor


@dataclass(frozen=True)
class Density(Geometry):
    """``value (...)``: extinction per metre, at least 0."""

    value: Tensor


class Field(nn.Module, ABC):
    """A shape as a function of space."""

    @abstractmethod
    def geometry(self, x: Tensor, code: Tensor | None = None) -> Geometry:
        """Of points ``x (..., 3)``."""

    def color(self, x: Tensor, direction: Tensor, features: Tensor | None, code: Tensor | None = None) -> Tensor:
        """Linear red, green and blue ``(..., 3)`` in 0 … 1, of points seen along unit ``direction (..., 3)``.

        Raises:
            CapabilityError: the field knows shapes only.
        """
        raise CapabilityError(f"{type(self).__name__} is a field without colour")

    def property(self, name: str, x: Tensor, features: Tensor | None, code: Tensor | None = None) -> Tensor:
        """Another quantity ``(..., n)`` of points, such as a contact force or the logits of a part's label.

        Raises:
            CapabilityError: the field has none of that name.
        """
        raise CapabilityError(f"{type(self).__name__} has no property {name!r}")
