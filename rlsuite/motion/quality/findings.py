"""A finding: what is wrong, where, in which frames, by how much, and how bad that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Frames = NDArray[np.intp]
Severity = Literal["info", "warn", "bad"]


@dataclass(frozen=True, eq=False)
class Finding:
    """One fault of one subject.

    Attributes:
        name: of the check (``penetration``, ``skate``, …). subject: the body, joint or pair it is about.
        frames: ``(n,)`` in order. magnitude: ``(n,)`` in ``unit``. threshold: ``(warn, bad)`` in the same unit.
        note: what a reader should know besides. harmless: only told, never counted.
    """

    name: str
    subject: str
    frames: Frames
    magnitude: Array
    unit: str
    threshold: tuple[float, float]
    note: str = ""
    harmless: bool = False

    @property
    def bad(self) -> NDArray[np.bool_]:
        """``(n,)`` frames beyond the second threshold."""
        return np.zeros(len(self.frames), bool) if self.harmless else self.magnitude > self.threshold[1]

    @property
    def severity(self) -> Severity:
        return "info" if self.harmless else "bad" if self.bad.any() else "warn"

    @property
    def worst(self) -> float:
        return float(self.magnitude.max())

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "name": self.name,
            "subject": self.subject,
            "severity": self.severity,
            "frames": self.frames.tolist(),
            "magnitude": [round(float(m), 6) for m in self.magnitude],
            "worst": self.worst,
            "unit": self.unit,
            "threshold": list(self.threshold),
            "note": self.note,
        }


def above(
    name: str, subject: str, magnitude: ArrayLike, unit: str, threshold: tuple[float, float], note: str = ""
) -> list[Finding]:
    """The finding of the frames whose ``magnitude (T,)`` is above the first threshold; empty where there are none."""
    magnitude = np.asarray(magnitude, np.float64)
    frames = np.flatnonzero(magnitude > threshold[0])
    return [Finding(name, subject, frames, magnitude[frames], unit, threshold, note)] if len(frames) else []
