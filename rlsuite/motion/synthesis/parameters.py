"""Parameters of the motions: what they mean, in which unit, and from where to where they make sense."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rlsuite.errors import MotionError, nearest


@dataclass(frozen=True)
class Parameter:
    """A number from ``low`` to ``high``, or one of the ``choices``.

    Attributes:
        default: a number, a choice, or ``None``: chosen from the other parameters.
        unit: as text, "" for counts and choices. whole: whole numbers only.
    """

    default: float | str | None
    help: str
    unit: str = ""
    low: float = 0.0
    high: float = 0.0
    whole: bool = False
    choices: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """What the parameter may be, in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        kind = "a whole number" if self.whole else "a number"
        if self.unit == "rad":
            low, high = round(math.degrees(self.low)), round(math.degrees(self.high))
            return f"{kind} from {self.low:.3g} to {self.high:.3g} rad ({low} to {high} degrees)"
        return f"{kind} from {self.low:g} to {self.high:g}{self.unit and ' ' + self.unit}"

    def checked(self, motion: str, name: str, value: Any) -> float | str | None:
        """``value``, fit for use.

        Raises:
            MotionError: it is out of range.
        """
        if value is None and self.default is None:
            return None
        if self.choices:
            fits = isinstance(value, str) and value in self.choices
        else:
            fits = isinstance(value, int | float) and not isinstance(value, bool) and self.low <= value <= self.high
            fits = fits and not (self.whole and value != int(value))
        if not fits:
            raise MotionError(f"{motion}: {name} must be {self.allowed}, not {value!r}")
        return value if self.choices else int(value) if self.whole else float(value)


def check(motion: str, parameters: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters of a motion: those given, and the defaults of the others.

    Raises:
        MotionError: one is unknown or out of range.
    """
    for name in given:
        if name not in parameters:
            near = nearest(name, parameters)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise MotionError(f"{motion}: no parameter {name!r}{hint} It has {', '.join(parameters) or 'none'}")
    return {name: p.checked(motion, name, given.get(name, p.default)) for name, p in parameters.items()}
