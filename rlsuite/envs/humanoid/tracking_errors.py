"""Errors between the body and the reference: what the terms of a reward are made of, each a named function.

Presets in :mod:`rlsuite.envs.humanoid.presets` choose the errors, weights and scales of one publication each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.humanoid.kernels import (
    Array,
    Rows,
    angle,
    difference,
    entry_kernel,
    heading,
    inverse,
    kernel,
    multiply,
    quaternion,
    rotate,
    square,
    vector,
)
from rlsuite.envs.humanoid.state import BodyState
from rlsuite.motion.body import END_EFFECTORS
from rlsuite.motion.skeleton import Skeleton

# DiffWeight of DeepMimic's humanoid3d.txt; the root's turn counts among the joints, the fixed wrists do not count
DIFF_WEIGHTS = {
    "pelvis": 1.0, "torso": 0.5, "head": 0.3, "thigh": 0.5, "shin": 0.3, "foot": 0.2, "upper_arm": 0.3, "lower_arm": 0.2,
    "hand": 0.0,
}  # fmt: skip


@dataclass(frozen=True)
class Situation:
    """What errors are computed from; arrays of ``n`` rows.

    Attributes:
        state, reference: of the body, and what it should be at the same time.
        touching: ``(n, b)`` parts on the floor. action, previous: ``(n, m)`` of this step and the one before.
        parts: arrays over the parts of the body, see :func:`parts_of`.
    """

    state: BodyState
    reference: BodyState
    touching: NDArray[np.bool_]
    action: Array
    previous: Array
    parts: Mapping[str, Any]


Error = Callable[[Situation, Rows, Array], None]
ERRORS: dict[str, Error] = {}


def error(function: Error) -> Error:
    """Register ``function(situation, rows, out)``, which writes ``out`` ``(n,)`` at ``rows``, under its name."""
    ERRORS[function.__name__] = function
    return function


def parts_of(skeleton: Skeleton) -> dict[str, Any]:
    """Constants of a body that errors need, by name."""
    weights = np.array([_weight(name) for name in skeleton.body_names])
    jointed = np.array([any(skeleton.joints[j].kind == "hinge" for j in joints) for joints in skeleton.joints_of])
    feet_and_hands = np.array([name in END_EFFECTORS for name in skeleton.body_names])
    limits = skeleton.qpos_range[7:]
    return {
        "parents": np.array(skeleton.parents, np.intp),
        "diff_weights": weights / weights.sum(),
        "joint_weights": jointed.astype(np.float64),
        "ends": np.array([skeleton.body(name) for name in END_EFFECTORS], np.intp),
        "not_ends": ~feet_and_hands,
        "anchor": skeleton.body("torso"),
        "low": limits.mean(axis=1) - 0.45 * np.ptp(limits, axis=1),
        "high": limits.mean(axis=1) + 0.45 * np.ptp(limits, axis=1),
    }


def _weight(name: str) -> float:
    return DIFF_WEIGHTS[name.removeprefix("left_").removeprefix("right_")]


# -- joints -------------------------------------------------------------------------------------------------------------


@error
def joint_rotation(s: Situation, rows: Rows, out: Array) -> None:
    """``Σ_j θ_j²`` over the joints, θ the angle from the joint's rotation to the reference's (rad²)."""
    _joint_rotation(rows, s.state.rotation, s.reference.rotation, s.parts["parents"], s.parts["joint_weights"], out)


@error
def weighted_joint_rotation(s: Situation, rows: Rows, out: Array) -> None:
    """``Σ_j w_j θ_j²`` with DeepMimic's weights, which add up to 1; the root's turn in the world counts as a joint."""
    _joint_rotation(rows, s.state.rotation, s.reference.rotation, s.parts["parents"], s.parts["diff_weights"], out)


@error
def joint_velocity(s: Situation, rows: Rows, out: Array) -> None:
    """``Σ_j ‖ω_j - ω̂_j‖²``, ω the velocity of a part relative to its parent, in the part's frame (rad²/s²)."""
    _joint_velocity(rows, s.state, s.reference, s.parts["parents"], s.parts["joint_weights"], out)


@error
def weighted_joint_velocity(s: Situation, rows: Rows, out: Array) -> None:
    """``Σ_j w_j ‖ω_j - ω̂_j‖²`` with DeepMimic's weights; that of the root is in the world."""
    _joint_velocity(rows, s.state, s.reference, s.parts["parents"], s.parts["diff_weights"], out)


@entry_kernel
def _joint_rotation(rows: Rows, is_: Array, should: Array, parents: Rows, weights: Array, out: Array) -> None:
    for i in rows:
        total = 0.0
        for b in range(len(parents)):
            if weights[b] == 0.0:
                continue
            p, q = quaternion(is_, i, b), quaternion(should, i, b)
            if parents[b] >= 0:
                p = multiply(inverse(quaternion(is_, i, parents[b])), p)
                q = multiply(inverse(quaternion(should, i, parents[b])), q)
            theta = angle(multiply(inverse(p), q))
            total += weights[b] * theta * theta
        out[i] = total


@kernel
def _relative_spin(state: BodyState, i: int, b: int, parent: int) -> tuple[float, float, float]:
    spin = vector(state.spin, i, b)
    if parent < 0:
        return spin
    return rotate(inverse(quaternion(state.rotation, i, b)), difference(spin, vector(state.spin, i, parent)))


@entry_kernel
def _joint_velocity(rows: Rows, is_: BodyState, should: BodyState, parents: Rows, weights: Array, out: Array) -> None:
    for i in rows:
        total = 0.0
        for b in range(len(parents)):
            if weights[b] != 0.0:
                gap = difference(_relative_spin(is_, i, b, parents[b]), _relative_spin(should, i, b, parents[b]))
                total += weights[b] * square(gap)
        out[i] = total


# -- end effectors ------------------------------------------------------------------------------------------------------


@error
def end_effector(s: Situation, rows: Rows, out: Array) -> None:
    """``Σ_e ‖p_e - p̂_e‖²`` of hands and feet in the world (m²)."""
    _ends(rows, s.state, s.reference, s.parts["ends"], 0, out)


@error
def rooted_end_effector(s: Situation, rows: Rows, out: Array) -> None:
    """The same, each from its own root, along the axes of the world."""
    _ends(rows, s.state, s.reference, s.parts["ends"], 1, out)


@error
def local_end_effector(s: Situation, rows: Rows, out: Array) -> None:
    """The mean of the same, each from its own root's place on the ground and in its own heading, heights from the floor."""
    _ends(rows, s.state, s.reference, s.parts["ends"], 2, out)


@kernel
def _end(state: BodyState, i: int, b: int, frame: int) -> tuple[float, float, float]:
    p = vector(state.position, i, b)
    if frame == 0:
        return p
    r = difference(p, vector(state.position, i, 0))
    if frame == 1:
        return r
    turned = rotate(inverse(heading(quaternion(state.rotation, i, 0))), r)
    return turned[0], turned[1], p[2]


@entry_kernel
def _ends(rows: Rows, is_: BodyState, should: BodyState, ends: Rows, frame: int, out: Array) -> None:
    for i in rows:
        total = 0.0
        for b in ends:
            total += square(difference(_end(is_, i, b, frame), _end(should, i, b, frame)))
        out[i] = total / len(ends) if frame == 2 else total


# -- root and centre of mass --------------------------------------------------------------------------------------------


@error
def root(s: Situation, rows: Rows, out: Array) -> None:
    """``‖Δp‖² + 0.1 θ² + 0.01 ‖Δv‖² + 0.001 ‖Δω‖²`` of the root (DeepMimic's code)."""
    _part(rows, s.state, s.reference, 0, 1.0, 0.1, 0.01, 0.001, out)


@error
def root_pose(s: Situation, rows: Rows, out: Array) -> None:
    """``‖Δp‖² + 0.1 θ²`` of the root (MimicKit)."""
    _part(rows, s.state, s.reference, 0, 1.0, 0.1, 0.0, 0.0, out)


@error
def root_velocity(s: Situation, rows: Rows, out: Array) -> None:
    """``‖Δv‖² + 0.1 ‖Δω‖²`` of the root (MimicKit)."""
    _part(rows, s.state, s.reference, 0, 0.0, 0.0, 1.0, 0.1, out)


@error
def anchor_position(s: Situation, rows: Rows, out: Array) -> None:
    """``‖Δp‖²`` of the torso in the world (BeyondMimic)."""
    _part(rows, s.state, s.reference, s.parts["anchor"], 1.0, 0.0, 0.0, 0.0, out)


@error
def anchor_rotation(s: Situation, rows: Rows, out: Array) -> None:
    """``θ²`` of the torso in the world (BeyondMimic)."""
    _part(rows, s.state, s.reference, s.parts["anchor"], 0.0, 1.0, 0.0, 0.0, out)


@entry_kernel
def _part(
    rows: Rows, is_: BodyState, should: BodyState, b: int, wp: float, wr: float, wv: float, ww: float, out: Array
) -> None:
    for i in rows:
        total = wp * square(difference(vector(is_.position, i, b), vector(should.position, i, b)))
        if wr != 0.0:
            theta = angle(multiply(inverse(quaternion(is_.rotation, i, b)), quaternion(should.rotation, i, b)))
            total += wr * theta * theta
        total += wv * square(difference(vector(is_.velocity, i, b), vector(should.velocity, i, b)))
        total += ww * square(difference(vector(is_.spin, i, b), vector(should.spin, i, b)))
        out[i] = total


@error
def com_position(s: Situation, rows: Rows, out: Array) -> None:
    """``‖c - ĉ‖²`` of the centre of mass (m²)."""
    _three(rows, s.state.com, s.reference.com, out)


@error
def com_velocity(s: Situation, rows: Rows, out: Array) -> None:
    """``‖ċ - ĉ̇‖²`` of the centre of mass (m²/s²)."""
    _three(rows, s.state.com_velocity, s.reference.com_velocity, out)


@entry_kernel
def _three(rows: Rows, is_: Array, should: Array, out: Array) -> None:
    for i in rows:
        total = 0.0
        for k in range(is_.shape[1]):
            total += (is_[i, k] - should[i, k]) * (is_[i, k] - should[i, k])
        out[i] = total


# -- every part (BeyondMimic) -------------------------------------------------------------------------------------------


@error
def body_position(s: Situation, rows: Rows, out: Array) -> None:
    """Mean ``‖Δp‖²`` of all parts, the reference put at the torso's place on the ground and in its heading."""
    _bodies(rows, s.state, s.reference, s.parts["anchor"], 0, out)


@error
def body_rotation(s: Situation, rows: Rows, out: Array) -> None:
    """Mean ``θ²`` of all parts, the reference in the torso's heading."""
    _bodies(rows, s.state, s.reference, s.parts["anchor"], 1, out)


@error
def body_velocity(s: Situation, rows: Rows, out: Array) -> None:
    """Mean ``‖Δv‖²`` of all parts in the world (m²/s²)."""
    _bodies(rows, s.state, s.reference, s.parts["anchor"], 2, out)


@error
def body_spin(s: Situation, rows: Rows, out: Array) -> None:
    """Mean ``‖Δω‖²`` of all parts in the world (rad²/s²)."""
    _bodies(rows, s.state, s.reference, s.parts["anchor"], 3, out)


@entry_kernel
def _bodies(rows: Rows, is_: BodyState, should: BodyState, anchor: int, kind: int, out: Array) -> None:
    n = is_.position.shape[1]
    for i in rows:
        here, there = vector(is_.position, i, anchor), vector(should.position, i, anchor)
        turn = heading(multiply(quaternion(is_.rotation, i, anchor), inverse(quaternion(should.rotation, i, anchor))))
        total = 0.0
        for b in range(n):
            if kind == 0:
                moved = rotate(turn, difference(vector(should.position, i, b), there))
                wanted = (moved[0] + here[0], moved[1] + here[1], moved[2] + there[2])
                total += square(difference(vector(is_.position, i, b), wanted))
            elif kind == 1:
                turned = multiply(turn, quaternion(should.rotation, i, b))
                theta = angle(multiply(inverse(quaternion(is_.rotation, i, b)), turned))
                total += theta * theta
            elif kind == 2:
                total += square(difference(vector(is_.velocity, i, b), vector(should.velocity, i, b)))
            else:
                total += square(difference(vector(is_.spin, i, b), vector(should.spin, i, b)))
        out[i] = total / n


# -- what costs ---------------------------------------------------------------------------------------------------------


@error
def action_rate(s: Situation, rows: Rows, out: Array) -> None:
    """``‖a - a₋₁‖²``."""
    _three(rows, s.action, s.previous, out)


@error
def joint_limits(s: Situation, rows: Rows, out: Array) -> None:
    """Sum of the radians by which hinges are beyond nine tenths of their range."""
    _beyond(rows, s.state.qpos, s.parts["low"], s.parts["high"], out)


@error
def undesired_contacts(s: Situation, rows: Rows, out: Array) -> None:
    """How many parts besides hands and feet touch the floor."""
    _count(rows, s.touching, s.parts["not_ends"], out)


@error
def root_force(s: Situation, rows: Rows, out: Array) -> None:
    """Sum of squares of the last six actions: the force on the root (Yuan and Kitani 2020)."""
    force = s.action[:, len(s.parts["low"]) :]
    _three(rows, force, np.zeros_like(force), out)


@entry_kernel
def _beyond(rows: Rows, qpos: Array, low: Array, high: Array, out: Array) -> None:
    for i in rows:
        total = 0.0
        for j in range(len(low)):
            total += max(qpos[i, 7 + j] - high[j], 0.0) + max(low[j] - qpos[i, 7 + j], 0.0)
        out[i] = total


@entry_kernel
def _count(rows: Rows, touching: NDArray[np.bool_], counted: NDArray[np.bool_], out: Array) -> None:
    for i in rows:
        total = 0.0
        for b in range(len(counted)):
            if touching[i, b] and counted[b]:
                total += 1.0
        out[i] = total
