"""Terminations: named conditions under which an episode ends as a failure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.humanoid.kernels import (
    Array,
    Rows,
    angle,
    difference,
    entry_kernel,
    inverse,
    multiply,
    quaternion,
    square,
    vector,
)
from rlsuite.envs.humanoid.state import BodyState
from rlsuite.envs.humanoid.tracking_errors import Situation
from rlsuite.errors import HyperparameterError
from rlsuite.motion.body import END_EFFECTORS, FEET
from rlsuite.motion.skeleton import Skeleton

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Limits:
    """Numbers of the conditions.

    Attributes:
        allowed: ``(k, b)`` parts that may touch the floor, by clip. which: ``(n,)`` the clip of each row. ends:
            indices of hands and feet. anchor: of the torso.
        values: keyword arguments of each chosen condition.
    """

    allowed: Mask
    which: Rows
    ends: Rows
    anchor: int
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


Condition = Callable[..., None]
CONDITIONS: dict[str, Condition] = {}


def condition(function: Condition) -> Condition:
    """Register ``function(situation, limits, rows, out, **numbers)``, which writes the mask ``out`` ``(n,)`` at ``rows``."""
    CONDITIONS[function.__name__] = function
    return function


@condition
def contact(s: Situation, limits: Limits, rows: Rows, out: Mask, *, allowed: Sequence[str] = ()) -> None:
    """A part touches the floor that may not: neither a foot, nor near the floor at any time of the clip, nor ``allowed``."""
    _touches(rows, s.touching, limits.allowed, limits.which, out)


@condition
def height(s: Situation, limits: Limits, rows: Rows, out: Mask, *, minimum: float = 0.3) -> None:
    """The root is lower than ``minimum`` metres."""
    _below(rows, s.state.position, minimum, out)


@condition
def tracking(s: Situation, limits: Limits, rows: Rows, out: Mask, *, distance: float = 1.0) -> None:
    """Some part, seen from the root, is farther than ``distance`` metres from where the reference has it, or the root in
    the world is (MimicKit's pose termination: 1 m).
    """
    _farthest(rows, s.state, s.reference, distance, out)


@condition
def mean_tracking(s: Situation, limits: Limits, rows: Rows, out: Mask, *, distance: float = 0.5) -> None:
    """The mean distance of the parts from the reference in the world is over ``distance`` metres (PHC: 0.5 m)."""
    _mean(rows, s.state, s.reference, distance, out)


@condition
def anchor(s: Situation, limits: Limits, rows: Rows, out: Mask, *, distance: float = 0.25, tilt: float = 0.8) -> None:
    """Heights of the torso, a hand or a foot are off by more than ``distance`` metres, or the torso's direction of gravity
    by more than ``tilt`` along its own vertical (BeyondMimic: 0.25 m and 0.8).
    """
    _anchored(rows, s.state, s.reference, limits.anchor, limits.ends, distance, tilt, out)


@condition
def heading_error(s: Situation, limits: Limits, rows: Rows, out: Mask, *, angle: float = np.pi / 2) -> None:
    """The root is turned by more than ``angle`` from the reference (DeepMimic's root rotation failure: a right angle)."""
    _turned(rows, s.state, s.reference, angle, out)


@entry_kernel
def _touches(rows: Rows, touching: Mask, allowed: Mask, which: Rows, out: Mask) -> None:
    for i in rows:
        out[i] = False
        for b in range(allowed.shape[1]):
            if touching[i, b] and not allowed[which[i], b]:
                out[i] = True


@entry_kernel
def _below(rows: Rows, position: Array, minimum: float, out: Mask) -> None:
    for i in rows:
        out[i] = position[i, 0, 2] < minimum


@entry_kernel
def _farthest(rows: Rows, is_: BodyState, should: BodyState, distance: float, out: Mask) -> None:
    for i in rows:
        here, there = vector(is_.position, i, 0), vector(should.position, i, 0)
        worst = square(difference(here, there))
        for b in range(1, is_.position.shape[1]):
            gap = difference(
                difference(vector(is_.position, i, b), here), difference(vector(should.position, i, b), there)
            )
            worst = max(worst, square(gap))
        out[i] = worst > distance * distance


@entry_kernel
def _mean(rows: Rows, is_: BodyState, should: BodyState, distance: float, out: Mask) -> None:
    n = is_.position.shape[1]
    for i in rows:
        total = 0.0
        for b in range(n):
            total += sqrt(square(difference(vector(is_.position, i, b), vector(should.position, i, b))))
        out[i] = total / n > distance


@entry_kernel
def _anchored(
    rows: Rows, is_: BodyState, should: BodyState, anchor: int, ends: Rows, distance: float, tilt: float, out: Mask
) -> None:
    for i in rows:
        far = abs(is_.position[i, anchor, 2] - should.position[i, anchor, 2]) > distance
        for b in ends:
            far = far or abs(is_.position[i, b, 2] - should.position[i, b, 2]) > distance
        p, q = quaternion(is_.rotation, i, anchor), quaternion(should.rotation, i, anchor)
        # the component of gravity along the part's own vertical is -(1 - 2 (x² + y²))
        up_is, up_should = 1.0 - 2.0 * (p[1] * p[1] + p[2] * p[2]), 1.0 - 2.0 * (q[1] * q[1] + q[2] * q[2])
        out[i] = far or abs(up_is - up_should) > tilt


@entry_kernel
def _turned(rows: Rows, is_: BodyState, should: BodyState, limit: float, out: Mask) -> None:
    for i in rows:
        theta = angle(multiply(inverse(quaternion(is_.rotation, i, 0)), quaternion(should.rotation, i, 0)))
        out[i] = theta > limit


class Terminations:
    """The chosen conditions.

    Args:
        chosen: names, or ``{name: {keyword: number}}``. touching: ``(b,)`` parts that the clip itself brings to the floor;
            of several clips ``(k, b)``. which: ``(n,)`` the clip that each row performs, kept up to date by others.

    Attributes:
        flags: ``{name: (n,)}`` of the last call.

    Raises:
        HyperparameterError: there is no such condition, or it has no such keyword.
    """

    def __init__(
        self,
        chosen: Sequence[str] | Mapping[str, Mapping[str, Any]],
        skeleton: Skeleton,
        touching: Mask,
        n: int,
        which: Rows | None = None,
    ) -> None:
        values = {name: dict(chosen[name] or {}) if isinstance(chosen, Mapping) else {} for name in chosen}
        for name, given in values.items():
            if name not in CONDITIONS:
                raise HyperparameterError(f"no termination {name!r}; there are {', '.join(CONDITIONS)}")
            accepted = CONDITIONS[name].__kwdefaults__ or {}
            wrong = [keyword for keyword in given if keyword not in accepted]
            if wrong:
                raise HyperparameterError(f"termination {name!r} has no {wrong[0]!r}; it takes {', '.join(accepted)}")
        extra = values.get("contact", {}).get("allowed", ())
        unknown = [name for name in extra if name not in skeleton.body_names]
        if unknown:
            raise HyperparameterError(f"no part {unknown[0]!r}; there are {', '.join(skeleton.body_names)}")
        allowed = np.atleast_2d(touching) | np.array([name in (*FEET, *extra) for name in skeleton.body_names])
        ends = np.array([skeleton.body(name) for name in END_EFFECTORS], np.intp)
        performed = np.zeros(n, np.intp) if which is None else which
        self.limits = Limits(allowed, performed, ends, skeleton.body("torso"), values)
        self.flags = {name: np.zeros(n, np.bool_) for name in values}

    def __call__(self, situation: Situation, rows: Rows, failed: Mask) -> None:
        """Set ``failed`` ``(n,)`` where a condition holds."""
        for name, numbers in self.limits.values.items():
            CONDITIONS[name](situation, self.limits, rows, self.flags[name], **numbers)
            failed |= self.flags[name]
