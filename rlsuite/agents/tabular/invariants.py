"""What must hold of tables read from a file before kernels, which index without checks, may touch them.

A structure declares it beside its type::

    @invariant(Window)
    def window_is_sound(w, sizes):
        yield within(w.state, 0, sizes.observations), "state"

Each yields pairs of a condition and what it is about; :func:`first_violation` walks through a memory and its parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray


class Sizes(NamedTuple):
    """Sizes of the tables that indices point into."""

    observations: int
    actions: int


Check = Callable[[Any, Sizes], Iterator[tuple[bool, str]]]
C = TypeVar("C", bound=Check)
_CHECKS: dict[type, Check] = {}


def invariant(structure: type) -> Callable[[C], C]:
    """Decorator: this generator checks structures of this type. A condition is only evaluated if those before hold."""

    def attach(check: C) -> C:
        _CHECKS[structure] = check
        return check

    return attach


def first_violation(structure: Any, sizes: Sizes, name: str) -> str:
    """What does not hold of a (nested) named tuple, by dotted path; nothing where all is sound."""
    for field, value in zip(structure._fields, structure, strict=True):
        path = f"{name}.{field}"
        if hasattr(value, "_fields"):
            if found := first_violation(value, sizes, path):
                return found
        elif isinstance(value, np.ndarray) and value.dtype == np.bool_ and value.view(np.uint8).max(initial=0) > 1:
            return path  # numpy takes any byte but 0 for true, machine code the lowest bit
    if type(structure) in _CHECKS:
        for holds, field in _CHECKS[type(structure)](structure, sizes):
            if not holds:
                return f"{name}.{field}"
    return ""


def within(array: NDArray, low: int, end: int) -> bool:
    """Whether all entries lie in ``low … end - 1``."""
    return array.size == 0 or bool(low <= int(array.min()) and int(array.max()) < end)


def is_inverse(place: NDArray, listed: NDArray) -> bool:
    """Whether ``place`` (flat; -1: nowhere) says of each item of the list where it is, and of no other item anything.

    ``place`` and ``listed`` must lie within their ranges. Then the list holds no item twice, and has room for the rest.
    """
    return bool((place[listed] == np.arange(listed.size)).all()) and int((place >= 0).sum()) == listed.size
