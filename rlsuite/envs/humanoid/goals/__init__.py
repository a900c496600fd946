"""Goals on top of imitation, by name: heading, location, strike, throw, get up, push."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rlsuite.envs.humanoid.goals.get_up import GetUp
from rlsuite.envs.humanoid.goals.goal import Goal
from rlsuite.envs.humanoid.goals.heading import Heading
from rlsuite.envs.humanoid.goals.location import Location
from rlsuite.envs.humanoid.goals.push import Push
from rlsuite.envs.humanoid.goals.strike import Strike
from rlsuite.envs.humanoid.goals.throw import Throw
from rlsuite.errors import HyperparameterError, UnknownNameError

GOALS: dict[str, type[Goal]] = {goal.name: goal for goal in (Heading, Location, Strike, Throw, GetUp, Push)}
MIX = (0.7, 0.3)  # of imitation and of the goal (Peng et al. 2018)


def make_goal(goal: str | Mapping[str, Mapping[str, Any]] | None) -> Goal:
    """A goal by its name, or ``{name: {keyword: number}}``; ``None``: nothing besides the clip.

    Raises:
        UnknownNameError: there is no such goal. HyperparameterError: it takes no such keyword, or not this number.
    """
    if goal is None:
        return Goal()
    given = {goal: {}} if isinstance(goal, str) else {name: dict(numbers or {}) for name, numbers in goal.items()}
    if len(given) != 1:
        raise HyperparameterError(f"one goal at a time, {{name: {{keyword: number}}}}, not {goal!r}")
    ((name, numbers),) = given.items()
    if name not in GOALS:
        raise UnknownNameError("goal", name, GOALS, f"there are {', '.join(GOALS)}")
    accepted = GOALS[name].__init__.__kwdefaults__ or {}
    wrong = [keyword for keyword in numbers if keyword not in accepted]
    if wrong:
        raise HyperparameterError(f"goal {name!r} has no {wrong[0]!r}; it takes {', '.join(accepted)}")
    for keyword, value in numbers.items():
        if isinstance(accepted[keyword], float) and not (_is_number(value) and value >= 0.0):
            raise HyperparameterError(f"goal {name!r}: {keyword} must be a number of at least 0, not {value!r}")
    return GOALS[name](**numbers)


def mixture(goal: Goal, mix: tuple[float, float] | None) -> tuple[float, float]:
    """Weights of imitation and goal; by default all is imitation where the goal has no reward of its own.

    Raises:
        HyperparameterError: they are not two finite numbers of at least 0.
    """
    if mix is None:
        return MIX if goal.rewarded else (1.0, 0.0)
    weights = tuple(mix)
    if len(weights) != 2 or not all(_is_number(weight) and weight >= 0.0 for weight in weights):
        raise HyperparameterError(f"mix must be two weights of at least 0, of imitation and goal, not {mix!r}")
    return float(weights[0]), float(weights[1])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))
