"""Observations as batches: an array per Box, Discrete, MultiDiscrete or MultiBinary space, a dictionary for Dict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces

from rlsuite.errors import InvalidEnvironmentError

Batch: TypeAlias = Any  # an array (batch, *shape), or {key: array (batch, *shape)}
_LEAVES = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)


def require_supported(space: gym.Space[Any]) -> None:
    """Raise where deep agents cannot take observations of this space.

    Raises:
        InvalidEnvironmentError: the space is none of Box, Discrete, MultiDiscrete, MultiBinary or a flat Dict of them.
    """
    leaves = space.spaces.values() if isinstance(space, spaces.Dict) else [space]
    for leaf in leaves:
        if not isinstance(leaf, _LEAVES):
            raise InvalidEnvironmentError(
                f"deep agents take Box, Discrete, MultiDiscrete, MultiBinary and flat Dict observations, not {space}; "
                "gymnasium.wrappers.FlattenObservation makes one array of most spaces"
            )


def tree_map(function: Callable[..., Any], *batches: Batch) -> Batch:
    """``function`` applied to the corresponding arrays of batches of one structure."""
    if isinstance(batches[0], dict):
        return {key: function(*(batch[key] for batch in batches)) for key in batches[0]}
    return function(*batches)


def empty_batch(space: gym.Space[Any], *leading: int) -> Batch:
    """Zeros of shape ``(*leading, *shape)`` for observations of ``space``, in its own type (Discrete: int64)."""
    if isinstance(space, spaces.Dict):
        return {key: empty_batch(leaf, *leading) for key, leaf in space.spaces.items()}
    return np.zeros((*leading, *(space.shape or ())), space.dtype or np.int64)


def put(batch: Batch, index: Any, observation: Any) -> None:
    """Write one observation (or a batch of them) to ``batch[index]``."""
    if isinstance(batch, dict):
        for key, array in batch.items():
            array[index] = observation[key]
    else:
        batch[index] = observation


def take(batch: Batch, index: Any) -> Batch:
    """``batch[index]`` of every array."""
    return tree_map(lambda array: array[index], batch)


def stack(observations: Sequence[Any], space: gym.Space[Any]) -> Batch:
    """A batch of single observations."""
    batch = empty_batch(space, len(observations))
    for i, observation in enumerate(observations):
        put(batch, i, observation)
    return batch


def is_batched(observation: Any, space: gym.Space[Any]) -> bool:
    """Whether ``observation`` is a batch of observations of ``space`` rather than one.

    Raises:
        InvalidEnvironmentError: its shape is that of neither.
    """
    if isinstance(space, spaces.Dict):
        if not isinstance(observation, dict) or observation.keys() != space.spaces.keys():
            got = f"the keys {sorted(observation)}" if isinstance(observation, dict) else type(observation).__name__
            raise InvalidEnvironmentError(f"expected an observation with the keys {sorted(space.spaces)}, not {got}")
        return {is_batched(observation[key], leaf) for key, leaf in space.spaces.items()} == {True}
    shape, expected = np.shape(observation), tuple(space.shape or ())
    if shape == expected:
        return False
    if shape[1:] == expected and len(shape) == len(expected) + 1:
        return True
    raise InvalidEnvironmentError(f"expected an observation of shape {expected} (or a batch of them), not {shape}")


def as_tensors(batch: Batch, device: torch.device) -> Any:
    """The arrays of a batch as tensors on ``device``, types kept; on the CPU they share the arrays' memory."""
    return tree_map(lambda array: torch.as_tensor(array, device=device), batch)
