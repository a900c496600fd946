"""Rewards of imitation: terms made of named errors, added up.

A term is ``weight * exp(-scale * error)``; a penalty is ``-weight * error``. The errors are in
:mod:`rlsuite.envs.humanoid.tracking_errors`, presets of published rewards in :mod:`rlsuite.envs.humanoid.presets`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp
from typing import Any

import numpy as np

from rlsuite.envs.humanoid.kernels import Array, Rows, entry_kernel
from rlsuite.envs.humanoid.tracking_errors import ERRORS, Situation
from rlsuite.errors import HyperparameterError


@dataclass(frozen=True)
class Term:
    """``weight * exp(-scale * error)``, or with ``penalty`` the plain ``-weight * error``."""

    error: str
    weight: float
    scale: float = 1.0
    penalty: bool = False


def checked_terms(terms: Mapping[str, Any]) -> dict[str, Term]:
    """Terms by name, given as :class:`Term` or as a dictionary of its fields.

    Raises:
        HyperparameterError: a term is none, names no error, or has numbers that are not finite.
    """
    found = {}
    for name, given in terms.items():
        try:
            term = given if isinstance(given, Term) else Term(**given)
        except TypeError as problem:
            raise HyperparameterError(
                f"reward term {name!r} must give error, weight and scale (or penalty), not {given!r}"
            ) from problem
        if term.error not in ERRORS:
            raise HyperparameterError(f"reward term {name!r}: no error {term.error!r}; there are {', '.join(ERRORS)}")
        if not (np.isfinite(term.weight) and np.isfinite(term.scale)):
            raise HyperparameterError(f"reward term {name!r}: weight and scale must be finite numbers")
        found[name] = term
    if not found:
        raise HyperparameterError("a reward needs at least one term")
    return found


class Reward:
    """A weighted sum of terms.

    Attributes:
        terms: by name. values: ``{name: (n,)}`` of the last call, weighted: they add up to the reward.
    """

    def __init__(self, terms: Mapping[str, Term], n: int) -> None:
        self.terms = dict(terms)
        self.values = {name: np.zeros(n) for name in self.terms}

    def __call__(self, situation: Situation, rows: Rows, out: Array) -> None:
        """Write the reward of ``rows`` into ``out`` ``(n,)``."""
        out[rows] = 0.0
        for name, term in self.terms.items():
            values = self.values[name]
            ERRORS[term.error](situation, rows, values)
            _weigh(rows, values, term.weight, term.scale, term.penalty, out)


@entry_kernel
def _weigh(rows: Rows, values: Array, weight: float, scale: float, penalty: bool, out: Array) -> None:
    for i in rows:
        values[i] = -weight * values[i] if penalty else weight * exp(-scale * values[i])
        out[i] += values[i]
