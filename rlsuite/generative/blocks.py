"""Layers that several families of models share."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from torch import nn

from rlsuite.errors import HyperparameterError, UnknownNameError

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


def activation_named(name: str) -> nn.Module:
    """A new activation.

    Raises:
        UnknownNameError: there is none of that name.
    """
    if name not in ACTIVATIONS:
        raise UnknownNameError("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]()


def mlp(n_in: int, hidden: Sequence[int], n_out: int, activation: str = "silu") -> nn.Sequential:
    """Linear layers of ``n_in``, ``*hidden`` and ``n_out`` units, activations between; affine without hidden ones.

    Raises:
        HyperparameterError: a layer without units.
    """
    if not all(isinstance(size, int) and size > 0 for size in hidden):
        raise HyperparameterError(f"hidden layers have a positive number of units each, not {tuple(hidden)}")
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise((n_in, *hidden, n_out)):
        layers += [nn.Linear(before, after), activation_named(activation)]
    return nn.Sequential(*layers[:-1])
