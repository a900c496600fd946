"""Observations: named pieces of what the policy sees, all from the root's place and heading, so that it does not matter
where on the ground the body is or which way it faces.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import cos, sin

import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.humanoid.kernels import (
    Array,
    Quaternion,
    Rows,
    difference,
    entry_kernel,
    heading,
    inverse,
    kernel,
    log,
    multiply,
    quaternion,
    rotate,
    vector,
)
from rlsuite.envs.humanoid.state import BodyState
from rlsuite.errors import HyperparameterError
from rlsuite.motion.body import END_EFFECTORS
from rlsuite.motion.skeleton import Skeleton

Out = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """What is looked at, ``n`` rows.

    Attributes:
        state: of the body. future: the reference of the next control steps, nearest first.
        phase: ``(n,)`` from 0 to 1. turn: ``(n,)`` radians that phase 1 stands for: a whole turn of a cycle, half a turn of
            a clip played once. touching: ``(n, b)``. previous: ``(n, m)`` the last action. ends: hands and feet.
        now: the reference at the same time as the body; only ``errors`` looks at it.
    """

    state: BodyState
    future: Sequence[BodyState]
    phase: Array
    turn: Array
    touching: NDArray[np.bool_]
    previous: Array
    ends: Rows
    now: BodyState


@dataclass(frozen=True)
class Piece:
    """``write(view, rows, out)`` fills ``out`` ``(n, size)``; ``size(nu, bodies, frames, action)`` says how wide it is."""

    write: Callable[[View, Rows, Out], None]
    size: Callable[[int, int, int, int], int]


PIECES: dict[str, Piece] = {}
DEFAULT = ("height", "bodies", "rotations", "velocities", "phase", "reference")


def piece(size: Callable[[int, int, int, int], int]) -> Callable[[Callable[[View, Rows, Out], None]], None]:
    """Register a function under its name."""

    def register(function: Callable[[View, Rows, Out], None]) -> None:
        PIECES[function.__name__] = Piece(function, size)

    return register


@piece(lambda nu, bodies, frames, action: 1)
def height(view: View, rows: Rows, out: Out) -> None:
    """Of the root above the floor, in metres."""
    _height(rows, view.state.position, out)


@piece(lambda nu, bodies, frames, action: 3 * (bodies - 1))
def bodies(view: View, rows: Rows, out: Out) -> None:
    """Places of all other parts, from the root."""
    _places(rows, view.state, out)


@piece(lambda nu, bodies, frames, action: 6 * bodies)
def rotations(view: View, rows: Rows, out: Out) -> None:
    """Rotations of all parts: the first two columns of their matrices (Zhou et al. 2019)."""
    _rotations(rows, view.state.rotation, out)


@piece(lambda nu, bodies, frames, action: 6 * bodies)
def velocities(view: View, rows: Rows, out: Out) -> None:
    """Linear and angular velocities of all parts."""
    _velocities(rows, view.state, out)


@piece(lambda nu, bodies, frames, action: 6 + 6 + 2 * nu)
def joints(view: View, rows: Rows, out: Out) -> None:
    """A shorter description of the same: rotation and velocities of the root, angles and velocities of the hinges."""
    _joints(rows, view.state, out)


@piece(lambda nu, bodies, frames, action: 12 + 2 * nu)
def errors(view: View, rows: Rows, out: Out) -> None:
    """What the body lacks to the reference at this very time: place, rotation vector, velocity and spin of the root, angles
    and velocities of the hinges. Each error is a number of its own, to be scaled by how large errors are, where the
    difference of two other pieces would be a small one between large numbers.
    """
    _errors(rows, view.state, view.now, out)


@piece(lambda nu, bodies, frames, action: 2)
def phase(view: View, rows: Rows, out: Out) -> None:
    """Sine and cosine of a turn that goes once round in a cycle (half round in a clip played once)."""
    _phase(rows, view.phase, view.turn, out)


@piece(lambda nu, bodies, frames, action: 1)
def share(view: View, rows: Rows, out: Out) -> None:
    """The share of the cycle that has gone by, as DeepMimic has it."""
    _share(rows, view.phase, out)


@piece(lambda nu, bodies, frames, action: bodies)
def contacts(view: View, rows: Rows, out: Out) -> None:
    """1 for each part on the floor."""
    _contacts(rows, view.touching, out)


@piece(lambda nu, bodies, frames, action: action)
def previous_action(view: View, rows: Rows, out: Out) -> None:
    """The last action."""
    _previous(rows, view.previous, out)


@piece(lambda nu, bodies, frames, action: frames * (3 + 6 + 12 + nu))
def reference(view: View, rows: Rows, out: Out) -> None:
    """Of each of the next frames: place and rotation of the root, places of hands and feet, angles of the hinges, seen
    from the body's own root and heading.
    """
    width = out.shape[1] // len(view.future)
    for k, frame in enumerate(view.future):
        _reference(rows, view.state, frame, view.ends, out[:, k * width : (k + 1) * width])


class Observation:
    """The chosen pieces side by side.

    Attributes:
        size: how many numbers. places: ``{name: slice}``.

    Raises:
        HyperparameterError: there is no such piece, or one is named twice, or none.
    """

    def __init__(self, names: Sequence[str], skeleton: Skeleton, nu: int, action: int, frames: int) -> None:
        unknown = [name for name in names if name not in PIECES]
        if unknown or not names or len(set(names)) < len(names):
            raise HyperparameterError(
                f"observations must be different names out of {', '.join(PIECES)}, not {tuple(names)!r}"
            )
        if frames < 1:
            raise HyperparameterError(f"frames must be a positive integer, not {frames!r}")
        self.places: dict[str, slice] = {}
        self.size = 0
        for name in names:
            width = PIECES[name].size(nu, skeleton.nbody, frames, action)
            self.places[name] = slice(self.size, self.size + width)
            self.size += width
        self.ends = np.array([skeleton.body(name) for name in END_EFFECTORS], np.intp)

    def __call__(self, view: View, rows: Rows, out: Out) -> None:
        """Fill ``out`` ``(n, size)`` at ``rows``."""
        for name, place in self.places.items():
            PIECES[name].write(view, rows, out[:, place])


@kernel
def _put(out: Out, i: int, at: int, v: tuple[float, float, float]) -> None:
    out[i, at], out[i, at + 1], out[i, at + 2] = v[0], v[1], v[2]


@kernel
def _put_rotation(out: Out, i: int, at: int, q: Quaternion) -> None:
    _put(out, i, at, rotate(q, (1.0, 0.0, 0.0)))
    _put(out, i, at + 3, rotate(q, (0.0, 1.0, 0.0)))


@entry_kernel
def _height(rows: Rows, position: Array, out: Out) -> None:
    for i in rows:
        out[i, 0] = position[i, 0, 2]


@entry_kernel
def _places(rows: Rows, state: BodyState, out: Out) -> None:
    for i in rows:
        back, here = inverse(heading(quaternion(state.rotation, i, 0))), vector(state.position, i, 0)
        for b in range(1, state.position.shape[1]):
            _put(out, i, 3 * (b - 1), rotate(back, difference(vector(state.position, i, b), here)))


@entry_kernel
def _rotations(rows: Rows, rotation: Array, out: Out) -> None:
    for i in rows:
        back = inverse(heading(quaternion(rotation, i, 0)))
        for b in range(rotation.shape[1]):
            _put_rotation(out, i, 6 * b, multiply(back, quaternion(rotation, i, b)))


@entry_kernel
def _velocities(rows: Rows, state: BodyState, out: Out) -> None:
    for i in rows:
        back = inverse(heading(quaternion(state.rotation, i, 0)))
        for b in range(state.position.shape[1]):
            _put(out, i, 6 * b, rotate(back, vector(state.velocity, i, b)))
            _put(out, i, 6 * b + 3, rotate(back, vector(state.spin, i, b)))


@entry_kernel
def _joints(rows: Rows, state: BodyState, out: Out) -> None:
    nu = state.qvel.shape[1] - 6
    for i in rows:
        root = quaternion(state.rotation, i, 0)
        back = inverse(heading(root))
        _put_rotation(out, i, 0, multiply(back, root))
        _put(out, i, 6, rotate(back, vector(state.velocity, i, 0)))
        _put(out, i, 9, rotate(back, vector(state.spin, i, 0)))
        for j in range(nu):
            out[i, 12 + j] = state.qpos[i, 7 + j]
            out[i, 12 + nu + j] = state.qvel[i, 6 + j]


@entry_kernel
def _errors(rows: Rows, state: BodyState, now: BodyState, out: Out) -> None:
    nu = state.qvel.shape[1] - 6
    for i in rows:
        root = quaternion(state.rotation, i, 0)
        back = inverse(heading(root))
        _put(out, i, 0, rotate(back, difference(vector(now.position, i, 0), vector(state.position, i, 0))))
        _put(out, i, 3, rotate(back, log(multiply(quaternion(now.rotation, i, 0), inverse(root)))))
        _put(out, i, 6, rotate(back, difference(vector(now.velocity, i, 0), vector(state.velocity, i, 0))))
        _put(out, i, 9, rotate(back, difference(vector(now.spin, i, 0), vector(state.spin, i, 0))))
        for j in range(nu):
            out[i, 12 + j] = now.qpos[i, 7 + j] - state.qpos[i, 7 + j]
            out[i, 12 + nu + j] = now.qvel[i, 6 + j] - state.qvel[i, 6 + j]


@entry_kernel
def _phase(rows: Rows, phase: Array, turn: Array, out: Out) -> None:
    for i in rows:
        out[i, 0], out[i, 1] = sin(turn[i] * phase[i]), cos(turn[i] * phase[i])


@entry_kernel
def _share(rows: Rows, phase: Array, out: Out) -> None:
    for i in rows:
        out[i, 0] = phase[i]


@entry_kernel
def _contacts(rows: Rows, touching: NDArray[np.bool_], out: Out) -> None:
    for i in rows:
        for b in range(touching.shape[1]):
            out[i, b] = 1.0 if touching[i, b] else 0.0


@entry_kernel
def _previous(rows: Rows, previous: Array, out: Out) -> None:
    for i in rows:
        for k in range(previous.shape[1]):
            out[i, k] = previous[i, k]


@entry_kernel
def _reference(rows: Rows, state: BodyState, frame: BodyState, ends: Rows, out: Out) -> None:
    for i in rows:
        back, here = inverse(heading(quaternion(state.rotation, i, 0))), vector(state.position, i, 0)
        _put(out, i, 0, rotate(back, difference(vector(frame.position, i, 0), here)))
        _put_rotation(out, i, 3, multiply(back, quaternion(frame.rotation, i, 0)))
        for k in range(len(ends)):
            _put(out, i, 9 + 3 * k, rotate(back, difference(vector(frame.position, i, ends[k]), here)))
        at = 9 + 3 * len(ends)
        for j in range(frame.qpos.shape[1] - 7):
            out[i, at + j] = frame.qpos[i, 7 + j]
