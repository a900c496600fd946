"""What a step tells besides observation and reward: the info of every row, and means since somebody last asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.humanoid.kernels import Array, Rows

Mask = NDArray[np.bool_]


class Report:
    """Terms of the reward, which others write to, and what happened in ``n`` rows.

    Attributes:
        divergences: ``(n,)`` simulations that have broken down in all.
        sums: since the last :meth:`metrics`: each term, failures, control steps.
    """

    def __init__(self, terms: Mapping[str, Array], n: int) -> None:
        self.terms = terms
        self.divergences = np.zeros(n, np.int64)
        self.sums = np.zeros(len(terms) + 2)

    def step(
        self, rows: Rows, flags: Mapping[str, Mask], failed: Mask, diverged: Mask, where: Mapping[str, NDArray[Any]]
    ) -> dict[str, Any]:
        """The info of one step at ``rows``; ``flags`` are those of the terminations, ``where`` is what the clock tells."""
        self.divergences += diverged
        info: dict[str, Any] = {f"reward/{name}": values.copy() for name, values in self.terms.items()}
        info |= {f"termination/{name}": raised.copy() for name, raised in flags.items()}
        info |= {"diverged": diverged, "divergences": self.divergences.copy(), "failed": failed}
        info |= {"is_success": ~failed, **where}
        self.sums += [*(values[rows].sum() for values in self.terms.values()), failed.sum(), len(rows)]
        stepped = mask_of(rows, len(failed))
        info |= {f"_{name}": stepped for name in info}
        return info

    def metrics(self, seconds: float) -> dict[str, float]:
        """Since the last call: mean of each term per control step of ``seconds``, and failures per second; and how many
        simulations have broken down in all.
        """
        *terms, failures, steps = self.sums.tolist()
        self.sums[:] = 0.0
        found = {f"env/reward/{name}": total / steps for name, total in zip(self.terms, terms, strict=True) if steps}
        if steps:
            found["env/failures_per_second"] = failures / (steps * seconds)
        return found | {"env/divergences": float(self.divergences.sum())}


def with_finals(info: Mapping[str, Any], ended: Mask, observations: NDArray[np.float32]) -> dict[str, Any]:
    """What the last step of the episodes told moves to ``final_info``, as in Gymnasium's vector environments."""
    ended, going = ended.copy(), ~ended
    final = {name: (ended if name.startswith("_") else values) for name, values in info.items()}
    here = {name: (values & going if name.startswith("_") else values) for name, values in info.items()}
    return here | {
        "final_obs": observations.copy(), "_final_obs": ended, "final_info": final, "_final_info": ended,
    }  # fmt: skip


def mask_of(rows: Rows, n: int) -> Mask:
    """``(n,)``: whether among ``rows``."""
    mask = np.zeros(n, np.bool_)
    mask[rows] = True
    return mask
