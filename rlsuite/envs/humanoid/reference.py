"""The clip as the body should perform it: the full state at any time, for many rows in one compiled call.

A table of states on a fine grid (poses sampled from the clip, everything else by MuJoCo, as for the simulated body) is
interpolated: positions and velocities along straight lines, rotations along normalised ones, which at 120 rows per second
or more differ from great arcs by less than rounding of the recording. A ``wrap`` clip goes on for ever, its root displaced
(and with ``wrap_heading`` turned) by every cycle; a clip played once holds its ends, with velocity zero.
"""

from __future__ import annotations

from functools import cached_property
from math import atan2, cos, floor, sin, sqrt

import mujoco
import numpy as np
from mujoco.batch import Batch
from numpy.typing import NDArray

from rlsuite.envs.humanoid.kernels import Array, Rows, entry_kernel, heading, kernel, quaternion
from rlsuite.envs.humanoid.state import BOUND, BodyState, empty_state, read
from rlsuite.errors import MotionError
from rlsuite.motion import body, sampling
from rlsuite.motion.clip import MotionClip

RATE = 120.0  # rows per second at least
NEAR = 0.03  # metres of a part from the floor at which the clip is taken to touch it


class Reference:
    """A clip of the suite's humanoid.

    Attributes:
        clip: what is performed. table: states at ``n_rows`` times from 0 to ``duration``.
        duration: seconds; of a cycle, where ``wraps``.

    Raises:
        MotionError: the clip is of another body, or a single pose.
    """

    def __init__(self, clip: MotionClip) -> None:
        shape = body.shape_of(clip.skeleton)
        if not clip.skeleton.same_tree(body.skeleton(shape)):
            raise MotionError(f"clip {clip.name!r}: its skeleton is not the humanoid that its shape describes")
        if clip.n_frames < 2:
            raise MotionError(f"clip {clip.name!r} is a single pose; a motion to imitate needs at least 2 frames")
        self.clip, self.duration, self.wraps = clip, clip.duration, clip.loop == "wrap"
        self.skeleton, self.shape = clip.skeleton, shape
        self.table = self._tabulate()
        shift, self._turn = sampling.cycle_displacement(clip) if self.wraps else (np.zeros(3), 0.0)
        self._shift, self._first = shift[:2].copy(), clip.qpos[0, :2].copy()

    def _tabulate(self) -> BodyState:
        n = max(2, int(np.ceil(self.duration * RATE)) + 1)
        times = np.linspace(0.0, self.duration, n)
        times[-1] = np.nextafter(self.duration, 0.0)  # the last frame, not the first of the next cycle
        batch = Batch(body.model(self.shape), n, 1)
        batch.bind("qpos")[:], batch.bind("qvel")[:] = self.clip.sample(times), self.clip.sample_velocity(times)
        table = empty_state(n, self.skeleton.nq, self.skeleton.nv, self.skeleton.nbody)
        fields = tuple(batch.bind(name) for name in BOUND)
        batch.forward(stage=int(mujoco.mjtStage.mjSTAGE_VEL))
        read(fields, np.array(batch.model.body_mass[1:]), np.arange(n), table)
        return table

    @cached_property
    def touching(self) -> NDArray[np.bool_]:
        """``(b,)`` parts that come within 3 cm of the floor at some time, on either side: they may touch it."""
        model = body.model(self.shape)
        batch = Batch(model, len(self.table.qpos), 1)
        batch.bind("qpos")[:] = self.table.qpos
        batch.bind("qpos")[:, 2] -= NEAR
        sensors = batch.bind("sensordata")
        batch.forward()
        found = [model.sensor(f"contact_{name}").adr[0] for name in self.skeleton.body_names]
        touched: NDArray[np.bool_] = (sensors[:, found] > 0.0).any(axis=0)
        return touched | touched[list(self.skeleton.mirrored_bodies)]

    def phase(self, times: Array) -> Array:
        """``(n,)`` from 0 to 1: share of the cycle, or of the clip, that has gone by."""
        share = times / self.duration
        return share - np.floor(share) if self.wraps else np.clip(share, 0.0, 1.0)

    def states(self, times: Array, offsets: Array | None = None, rows: Rows | None = None) -> BodyState:
        """New arrays of the states at ``times`` ``(n,)``, moved on the ground by ``offsets`` ``(n, 2)``."""
        out = empty_state(len(times), self.skeleton.nq, self.skeleton.nv, self.skeleton.nbody)
        self.fill(np.arange(len(times)) if rows is None else rows, times,
                  np.zeros((len(times), 2)) if offsets is None else offsets, out)  # fmt: skip
        return out

    def fill(self, rows: Rows, times: Array, offsets: Array, out: BodyState) -> None:
        """As :meth:`states`, into ``out`` at ``rows``."""
        _fill(rows, self.table, self.duration, self.wraps, self._shift, self._turn, self._first, times, offsets, out)


@kernel
def _mix(table: Array, at: int, share: float, out: Array, i: int) -> None:
    """One row of ``(n, k)`` between two of the table."""
    for k in range(table.shape[1]):
        out[i, k] = table[at, k] + share * (table[at + 1, k] - table[at, k])


@kernel
def _mix_parts(table: Array, at: int, share: float, out: Array, i: int) -> None:
    """The same of ``(n, b, 3)``."""
    for b in range(table.shape[1]):
        for k in range(3):
            out[i, b, k] = table[at, b, k] + share * (table[at + 1, b, k] - table[at, b, k])


@kernel
def _mix_quaternion(
    a: tuple[float, float, float, float], b: tuple[float, float, float, float], share: float
) -> tuple[float, float, float, float]:
    near = 1.0 if a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3] >= 0.0 else -1.0
    w, x = a[0] + share * (near * b[0] - a[0]), a[1] + share * (near * b[1] - a[1])
    y, z = a[2] + share * (near * b[2] - a[2]), a[3] + share * (near * b[3] - a[3])
    length = sqrt(w * w + x * x + y * y + z * z)
    return w / length, x / length, y / length, z / length


@kernel
def _turn_plane(array: Array, i: int, b: int, c: float, s: float) -> None:
    """Turn ``array[i, b]`` about the vertical."""
    x, y = array[i, b, 0], array[i, b, 1]
    array[i, b, 0], array[i, b, 1] = c * x - s * y, s * x + c * y


@entry_kernel
def _fill(
    rows: Rows,
    table: BodyState,
    duration: float,
    wraps: bool,
    shift: Array,
    turn: float,
    first: Array,
    times: Array,
    offsets: Array,
    out: BodyState,
) -> None:
    last = len(table.qpos) - 1
    for i in rows:
        cycles = floor(times[i] / duration) if wraps else 0.0
        frame = min(max((times[i] - cycles * duration) / duration * last, 0.0), float(last))
        at = min(int(frame), last - 1)
        share = frame - at
        _mix(table.qpos, at, share, out.qpos, i)
        _mix(table.qvel, at, share, out.qvel, i)
        _mix(table.com, at, share, out.com, i)
        _mix(table.com_velocity, at, share, out.com_velocity, i)
        _mix_parts(table.position, at, share, out.position, i)
        _mix_parts(table.velocity, at, share, out.velocity, i)
        _mix_parts(table.spin, at, share, out.spin, i)
        for b in range(table.rotation.shape[1]):
            before, after = table.rotation[at, b], table.rotation[at + 1, b]
            q = _mix_quaternion(
                (before[0], before[1], before[2], before[3]), (after[0], after[1], after[2], after[3]), share
            )
            out.rotation[i, b, 0], out.rotation[i, b, 1] = q[0], q[1]
            out.rotation[i, b, 2], out.rotation[i, b, 3] = q[2], q[3]
        if not wraps and (times[i] < 0.0 or times[i] > duration):
            _stop(out, i)
        dx, dy = offsets[i, 0], offsets[i, 1]
        if turn == 0.0:
            dx += cycles * shift[0]
            dy += cycles * shift[1]
        else:
            # after k cycles p is at first + R^k (p - first) + (1 + R + … + R^(k-1)) shift; the sum is
            # sin(k a/2) / sin(a/2) times a turn by (k - 1) a/2
            gone, half = sin(0.5 * cycles * turn) / sin(0.5 * turn), 0.5 * (cycles - 1.0) * turn
            c, s = cos(cycles * turn), sin(cycles * turn)
            _turn_body(out, i, c, s, cos(0.5 * cycles * turn), sin(0.5 * cycles * turn))
            dx += first[0] - (c * first[0] - s * first[1]) + gone * (cos(half) * shift[0] - sin(half) * shift[1])
            dy += first[1] - (s * first[0] + c * first[1]) + gone * (sin(half) * shift[0] + cos(half) * shift[1])
        _move(out, i, dx, dy)
        for k in range(4):
            out.qpos[i, 3 + k] = out.rotation[i, 0, k]


@kernel
def _stop(out: BodyState, i: int) -> None:
    for k in range(out.qvel.shape[1]):
        out.qvel[i, k] = 0.0
    for b in range(out.velocity.shape[1]):
        for k in range(3):
            out.velocity[i, b, k] = 0.0
            out.spin[i, b, k] = 0.0
    for k in range(3):
        out.com_velocity[i, k] = 0.0


@kernel
def _move(out: BodyState, i: int, dx: float, dy: float) -> None:
    out.qpos[i, 0] += dx
    out.qpos[i, 1] += dy
    out.com[i, 0] += dx
    out.com[i, 1] += dy
    for b in range(out.position.shape[1]):
        out.position[i, b, 0] += dx
        out.position[i, b, 1] += dy


@kernel
def _turn_body(out: BodyState, i: int, c: float, s: float, half_c: float, half_s: float) -> None:
    """About the vertical through the origin; angular velocities in the body's own frame stay as they are."""
    for array in (out.qpos, out.qvel, out.com, out.com_velocity):
        x, y = array[i, 0], array[i, 1]
        array[i, 0], array[i, 1] = c * x - s * y, s * x + c * y
    for b in range(out.position.shape[1]):
        for parts in (out.position, out.velocity, out.spin):
            _turn_plane(parts, i, b, c, s)
        w, x, y, z = out.rotation[i, b, 0], out.rotation[i, b, 1], out.rotation[i, b, 2], out.rotation[i, b, 3]
        out.rotation[i, b, 0], out.rotation[i, b, 1] = half_c * w - half_s * z, half_c * x - half_s * y
        out.rotation[i, b, 2], out.rotation[i, b, 3] = half_c * y + half_s * x, half_c * z + half_s * w


def move(rows: Rows, delta: Array, state: BodyState) -> None:
    """Shift states at ``rows`` on the ground by ``delta`` ``(n, 2)``."""
    _move_rows(rows, delta, state)


@entry_kernel
def _move_rows(rows: Rows, delta: Array, state: BodyState) -> None:
    for i in rows:
        _move(state, i, delta[i, 0], delta[i, 1])


@entry_kernel
def place(rows: Rows, places: Array, state: BodyState) -> None:
    """Turn states at ``rows`` about the vertical through the origin and then shift them on the ground; ``places`` ``(n, 3)``
    are metres x and y, and radians.
    """
    for i in rows:
        turn = places[i, 2]
        if turn != 0.0:
            _turn_body(state, i, cos(turn), sin(turn), cos(0.5 * turn), sin(0.5 * turn))
            for k in range(4):
                state.qpos[i, 3 + k] = state.rotation[i, 0, k]
        _move(state, i, places[i, 0], places[i, 1])


@entry_kernel
def find_places(rows: Rows, state: BodyState, there: BodyState, facing: BodyState, places: Array) -> None:
    """Write the ``places`` at ``rows`` that bring the root of ``state`` over that of ``there`` and turn it as ``facing``."""
    for i in rows:
        own, other = heading(quaternion(state.rotation, i, 0)), heading(quaternion(facing.rotation, i, 0))
        turn = 2.0 * (atan2(other[3], other[0]) - atan2(own[3], own[0]))
        x, y = state.position[i, 0, 0], state.position[i, 0, 1]
        places[i, 0] = there.position[i, 0, 0] - (cos(turn) * x - sin(turn) * y)
        places[i, 1] = there.position[i, 0, 1] - (sin(turn) * x + cos(turn) * y)
        places[i, 2] = turn
