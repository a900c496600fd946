"""Seeds of a run: one integer in, three independent streams out (environment, agent, evaluation).

Run ``k`` uses ``SeedSequence(k)`` and its first three children, the same for every algorithm, so that two
algorithms with the same ``k`` meet the same environment randomness and their scores are paired.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rlsuite.errors import HyperparameterError


class RunSeeds(NamedTuple):
    """Integer seeds of one run; each is a full 63-bit hash of its ``SeedSequence`` child."""

    env: int
    agent: int
    evaluation: int


def checked_seed(seed: int | None) -> int | None:
    """``seed`` as a plain ``int``.

    Raises:
        HyperparameterError: it is negative, or no integer.
    """
    if seed is None:
        return None
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise HyperparameterError(f"a seed must be a non-negative integer, not {seed!r}")
    return int(seed)


def run_seeds(seed: int | None) -> RunSeeds:
    """Derive the three stream seeds of run ``seed`` (``None``: fresh entropy from the system)."""
    children = np.random.SeedSequence(checked_seed(seed)).spawn(3)
    return RunSeeds(*(int(child.generate_state(1, np.uint64)[0] >> np.uint64(1)) for child in children))


def generator(seed: int) -> np.random.Generator:
    """The generator that ``env.reset(seed=seed)`` would install in a Gymnasium environment."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
