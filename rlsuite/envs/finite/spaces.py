"""Discrete observations as indices 0 … n-1, so that tables can be indexed by them."""

from __future__ import annotations

import operator
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from rlsuite.errors import InvalidEnvironmentError


class DiscreteIndex:
    """A bijection between a finite space and ``range(n)``.

    ``Discrete``, ``MultiDiscrete``, ``MultiBinary`` and (nested) ``Tuple`` spaces of these are finite. The index of a
    composite observation is its row-major rank, as in ``numpy.ravel_multi_index``.

    Raises:
        InvalidEnvironmentError: the space is not finite.
    """

    def __init__(self, space: gym.Space[Any], role: str = "observation") -> None:
        self.space, self._role = space, role
        self._sizes, self._starts = _sizes_and_starts(space, role)
        self.n = int(np.prod(self._sizes, dtype=np.int64))

    def index(self, value: Any) -> int:
        """Index of ``value`` (an element of the space).

        Raises:
            InvalidEnvironmentError: ``value`` is no element of the space; its index would be another's, or none.
        """
        try:
            parts = [operator.index(value)] if isinstance(self.space, spaces.Discrete) else _flat(value)
        except (TypeError, ValueError, OverflowError):
            parts = []
        rank, inside = 0, len(parts) == len(self._sizes)
        for part, start, size in zip(parts, self._starts, self._sizes, strict=False):
            inside = inside and 0 <= part - start < size
            rank = rank * size + (part - start)
        if not inside:
            raise InvalidEnvironmentError(f"{self._role} {value!r} is not in {self.space}")
        return rank

    def value(self, index: int) -> Any:
        """The element of the space with this index."""
        if isinstance(self.space, spaces.Discrete):
            return int(index) + self._starts[0]
        parts = []
        for start, size in zip(reversed(self._starts), reversed(self._sizes), strict=True):
            index, part = divmod(int(index), size)
            parts.append(part + start)
        return _unflatten(self.space, iter(reversed(parts)))


def _sizes_and_starts(space: gym.Space[Any], role: str) -> tuple[list[int], list[int]]:
    if isinstance(space, spaces.Discrete):
        return [int(space.n)], [int(space.start)]
    if isinstance(space, spaces.MultiDiscrete):
        return [int(n) for n in space.nvec.ravel()], [int(s) for s in space.start.ravel()]
    if isinstance(space, spaces.MultiBinary):
        size = int(np.prod(space.shape))
        return [2] * size, [0] * size
    if isinstance(space, spaces.Tuple):
        parts = [_sizes_and_starts(sub, role) for sub in space.spaces]
        return [n for sizes, _ in parts for n in sizes], [s for _, starts in parts for s in starts]
    raise InvalidEnvironmentError(
        f"tabular agents need a finite {role} space (Discrete, MultiDiscrete, MultiBinary or a Tuple of them), "
        f"not {space}"
    )


def _flat(value: Any) -> list[int]:
    if isinstance(value, tuple | list):
        return [part for item in value for part in _flat(item)]
    return [int(part) for part in np.ravel(value)]


def _unflatten(space: gym.Space[Any], parts: Any) -> Any:
    if isinstance(space, spaces.Discrete):
        return next(parts)
    if isinstance(space, spaces.Tuple):
        return tuple(_unflatten(sub, parts) for sub in space.spaces)
    assert space.shape is not None
    flat = [next(parts) for _ in range(int(np.prod(space.shape)))]
    return np.array(flat, dtype=space.dtype).reshape(space.shape)
