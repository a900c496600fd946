"""What maps are worth: whether they can be solved, how far they are from the training maps, how probable they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.maps.cells import Chars, endpoints, solution_length
from rlsuite.envs.maps.model import MapModel

CHUNK = 1 << 24  # comparisons of cells at once


@dataclass(frozen=True)
class Measures:
    """Of ``n`` maps.

    Attributes:
        steps: ``(n)`` of the shortest way from start to goal, −1 where a map cannot be solved.
        novelty: ``(n)`` cells in which a map differs from the nearest training map; 0 is a copy of one.
        scores: ``(n)`` nats per cell; see ``score_name``.
        well_formed: share of maps with exactly one start and one goal; the others cannot be solved whatever their walls.
        score_name: ``exact``, ``bound``, ``bound (dequantised)`` or ``energy``.
    """

    steps: NDArray[np.int64]
    novelty: NDArray[np.int64]
    scores: NDArray[np.float64]
    well_formed: float
    score_name: str
    distinct: int

    @property
    def solvable(self) -> float:
        """Share of maps that can be solved."""
        return float((self.steps >= 0).mean())

    def summary(self) -> dict[str, float | int | str]:
        """The figures of a table's row."""
        solved = self.steps[self.steps >= 0]
        return {
            "maps": len(self.steps),
            "solvable": self.solvable,
            "well formed": self.well_formed,
            "median steps": float(np.median(solved)) if len(solved) else float("nan"),
            "mean novelty": float(self.novelty.mean()),
            "copies": int((self.novelty == 0).sum()),
            "duplicates": len(self.steps) - self.distinct,
            "nats per cell": float(self.scores.mean()),
            "likelihood": self.score_name,
        }


def measure(model: MapModel, maps: Chars) -> Measures:
    """The measures of ``maps (n, rows, cols)``."""
    steps = [solution_length(cells) for cells in maps]
    return Measures(
        np.array([-1 if length is None else length for length in steps]),
        novelty(maps, model.training),
        model.scores(maps),
        float(np.mean([endpoints(cells) is not None for cells in maps])),
        model.score_name,
        len({cells.tobytes() for cells in maps}),
    )


def novelty(maps: Chars, training: Chars) -> NDArray[np.int64]:
    """``(n)`` Hamming distance of each map to the nearest of the training maps."""
    kinds = np.unique(np.concatenate([maps.ravel(), training.ravel()]))
    a, b = (np.searchsorted(kinds, x).astype(np.int8).reshape(len(x), -1) for x in (maps, training))
    n_rows = max(1, CHUNK // b.size)
    parts = [(a[i : i + n_rows, None] != b).sum(2).min(1) for i in range(0, len(a), n_rows)]
    return np.concatenate(parts).astype(np.int64)
