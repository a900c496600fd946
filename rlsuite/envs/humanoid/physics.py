"""Many simulations of the body, stepped together on MuJoCo's thread pool, and what happens when one of them breaks down.

A simulation breaks down when MuJoCo raises an error in it or warns about it, or when its state is no longer finite. It is
put back to where it stood before the step, so that nothing that is not a number ever leaves this class, and reported.
MuJoCo's own silent reset of such a simulation is switched off.
"""

from __future__ import annotations

import os

import mujoco
import numpy as np
from mujoco.batch import Batch, SimulationError
from numpy.typing import NDArray

from rlsuite.envs.humanoid.kernels import Array, Rows, entry_kernel
from rlsuite.envs.humanoid.state import BOUND, empty_state, read
from rlsuite.motion.skeleton import Skeleton

CURRENT = int(mujoco.mjtStage.mjSTAGE_VEL)  # without it derived fields lag one substep behind the state
FASTEST = 1e4  # m/s or rad/s (and m from the origin): what is beyond has broken down


class BatchPhysics:
    """``n`` bodies on their floor.

    Args:
        model: of the body. skeleton: the same body's. n: how many simulations.
        substeps: steps of MuJoCo in one control step.
        threads: of the pool; default: the processors that this process may use.

    Attributes:
        state: :class:`BodyState` of all rows, current after every call.
        touching: ``(n, b)`` whether a part touched the floor in the last substep (contacts are those of its beginning).
        ctrl: ``(n, nu)`` to be written before a step. root_force: ``(n, 6)`` force (N, world) and torque (N m, body's
            frame) on the root, likewise.
    """

    def __init__(
        self, model: mujoco.MjModel, skeleton: Skeleton, n: int, *, substeps: int = 6, threads: int | None = None
    ) -> None:
        model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_AUTORESET)
        self.model, self.skeleton, self.n, self.substeps = model, skeleton, n, substeps
        self.threads = threads or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else threads or 0
        self.batch = Batch(model, n, min(self.threads, n))
        self.fields = tuple(self.batch.bind(name) for name in BOUND)
        self.masses = np.array(model.body_mass[1 : 1 + skeleton.nbody])
        self.state = empty_state(n, skeleton.nq, skeleton.nv, skeleton.nbody)
        self.all_rows: Rows = np.arange(n)
        self.ctrl: Array = self.batch.bind("ctrl")
        self.root_force: Array = self.batch.bind("qfrc_applied")[:, :6]
        self.touching = np.zeros((n, skeleton.nbody), np.bool_)
        self._sensors = self.batch.bind("sensordata")
        self._found = np.array(
            [model.sensor(f"contact_{name}").adr[0] for name in skeleton.body_names], np.intp
        )  # where each part's sensor says how many contacts it found
        self._before = np.empty_like(self.batch.state)
        self.batch.reset(stage=0)
        self._standing = self.batch.state[0].copy()  # the row of a simulation that has just been made

    @property
    def seconds(self) -> float:
        """Of one control step."""
        return float(self.model.opt.timestep) * self.substeps

    def place(self, rows: Rows, qpos: Array, qvel: Array) -> None:
        """Begin anew at ``rows`` from these poses and velocities ``(len(rows), …)``; touching is unknown there: False."""
        self.batch.state[rows] = self._standing
        self.fields[0][rows], self.fields[1][rows] = qpos, qvel
        self._make_current(rows)
        self.touching[rows] = False

    def step(self, rows: Rows | None = None) -> NDArray[np.bool_]:
        """One control step of ``rows`` (default: all); ``(n,)`` where it broke down."""
        np.copyto(self._before, self.batch.state)
        failed: NDArray[np.bool_] = np.logical_not(np.isfinite(self.ctrl).all(axis=1))
        if failed.any():  # nothing that is not a number is handed to MuJoCo
            self.ctrl[failed] = 0.0
        ids = None if rows is None else rows.astype(np.int32)
        try:
            self.batch.step(ids, nstep=self.substeps, stage=CURRENT)
        except SimulationError as error:
            failed[error.ids] = True
        stepped = self.all_rows if rows is None else rows
        _find_broken(stepped, self.batch.state, self.fields[1], self.batch.warning, FASTEST, failed)
        if failed.any():
            self._put_back(np.flatnonzero(failed))
        read(self.fields, self.masses, stepped, self.state)
        _find_touching(stepped, self._sensors, self._found, self.touching)
        return failed

    def _put_back(self, rows: Rows) -> None:
        """To the state before the step, or where that was no state either (written from outside) to the rest pose."""
        self.batch.state[rows] = self._before[rows]
        sane = np.isfinite(self._before[rows]).all(axis=1)
        for field in self.fields[:2]:
            sane &= (np.abs(field[rows]) < FASTEST).all(axis=1)
        self.batch.state[rows[~sane]] = self._standing
        self.batch.forward(rows.astype(np.int32))  # contacts, too
        self.batch.warning[rows] = 0

    def _make_current(self, rows: Rows) -> None:
        """Derived fields of ``rows`` from their states."""
        self.batch.forward(rows.astype(np.int32), stage=CURRENT)
        read(self.fields, self.masses, rows, self.state)

    def rows_of_state(self) -> Array:
        """``(n, m)`` copy of everything that MuJoCo needs to go on bit for bit."""
        return self.batch.state.copy()

    def set_rows_of_state(self, rows: Rows, states: Array) -> None:
        """Put :meth:`rows_of_state` back at ``rows``."""
        self.batch.state[rows] = states
        self._make_current(rows)


@entry_kernel
def _find_broken(
    rows: Rows, state: Array, qvel: Array, warning: Array, fastest: float, failed: NDArray[np.bool_]
) -> None:
    for i in rows:
        for k in range(state.shape[1]):
            if not np.isfinite(state[i, k]):
                failed[i] = True
        for k in range(qvel.shape[1]):
            if abs(qvel[i, k]) > fastest:
                failed[i] = True
        for k in range(warning.shape[1]):
            if warning[i, k, 1] > 0:
                failed[i] = True


@entry_kernel
def _find_touching(rows: Rows, sensors: Array, found: Rows, out: NDArray[np.bool_]) -> None:
    for i in rows:
        for b in range(len(found)):
            out[i, b] = sensors[i, found[b]] > 0.0
