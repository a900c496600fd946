"""The state of a batch of humanoids, as numbers: for planning from it, and for going on bit for bit from a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from rlsuite.envs.humanoid.actions import ActionMode
from rlsuite.envs.humanoid.clock import Clock
from rlsuite.envs.humanoid.goals.goal import Goal
from rlsuite.envs.humanoid.kernels import Array, Rows
from rlsuite.envs.humanoid.physics import BatchPhysics
from rlsuite.envs.humanoid.report import Report
from rlsuite.envs.humanoid.starts import Starts
from rlsuite.errors import HyperparameterError, RecordError
from rlsuite.seeding import generator


class States:
    """What :class:`~rlsuite.envs.humanoid.vector_env.HumanoidImitateVectorEnv` saves and puts back."""

    num_envs: int
    physics: BatchPhysics
    clock: Clock
    goal: Goal
    actions: ActionMode
    start: Starts
    previous: Array
    divergences: NDArray[np.int64]
    _all: Rows
    _ended: NDArray[np.bool_]
    _report: Report
    _random: list[np.random.Generator] | None
    _config: dict[str, Any]
    _simulators: dict[int, Any]

    def _look(self, rows: Rows) -> None:
        raise NotImplementedError

    def get_states(self) -> Array:
        """``(n, m)`` float64: everything that the future of each row depends on besides its random generator."""
        own, touching = self.physics.rows_of_state(), self.physics.touching.astype(np.float64)
        return np.concatenate((own, self.clock.scalars(), touching, self.previous, self.goal.memory), axis=1)

    def set_states(self, states: Any, rows: Rows | None = None) -> None:
        """Put rows of :meth:`get_states` back at ``rows`` (default: all); the episodes there go on from them.

        Raises:
            RecordError: they are not of this environment's width.
        """
        rows = self._all if rows is None else np.asarray(rows, np.intp)
        states = np.asarray(states, np.float64)
        m, parts, goal = self.physics.batch.nstate, self.physics.skeleton.nbody, self.goal.memory.shape[1]
        after = m + self.clock.width
        width = after + parts + self.actions.size + goal
        if states.shape != (len(rows), width):
            raise RecordError(f"states must be ({len(rows)}, {width}) for this environment, not {states.shape}")
        self.clock.put_back(rows, states[:, m:after])
        self.previous[rows] = states[:, after + parts : width - goal]
        self.goal.memory[rows] = states[:, width - goal :]
        self.physics.set_rows_of_state(rows, states[:, :m])
        self.physics.touching[rows] = states[:, after : after + parts] > 0.0
        self._ended[rows] = False
        self._look(rows)

    def simulate(self, states: Any, actions: Any) -> Array:
        """Rewards ``(n, horizon)`` of acting out ``actions`` ``(n, horizon, size)`` from ``states`` ``(n, m)`` or ``(m,)``.

        Nothing happens to this environment. After the end of an episode there is no reward any more.
        """
        actions = np.asarray(actions, np.float64)
        if actions.ndim != 3 or actions.shape[2] != self.actions.size:
            raise HyperparameterError(f"actions must be (n, horizon, {self.actions.size}), not {actions.shape}")
        n, horizon = actions.shape[:2]
        if n not in self._simulators:
            self._simulators[n] = type(self)(  # type: ignore[call-arg]
                n, autoreset_mode=AutoresetMode.DISABLED, **self._config
            )
        twin = self._simulators[n]
        if twin._random is None:
            twin.reset(seed=0)
        twin.set_states(np.broadcast_to(np.asarray(states, np.float64), (n, np.shape(states)[-1])))
        rewards, going = np.zeros((n, horizon)), np.ones(n, np.bool_)
        for t in range(horizon):
            _, reward, terminated, truncated, _ = twin.step(actions[:, t])
            rewards[:, t] = np.where(going, reward, 0.0)
            going &= ~(terminated | truncated)
        return rewards

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        arrays = {
            "states": self.get_states(),
            "ended": self._ended,
            "divergences": self.divergences,
            "sums": self._report.sums,
        }
        return arrays | {f"start.{name}": array for name, array in self.start.state_arrays().items()}

    def state_values(self) -> dict[str, Any]:
        random = None if self._random is None else [dict(g.bit_generator.state) for g in self._random]
        return {"random": random}

    def load_state(self, arrays: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> None:
        """Put back what :meth:`state_arrays` and :meth:`state_values` gave.

        Raises:
            RecordError: they are of another environment, or damaged.
        """
        random = values["random"]
        if random is not None and len(random) != self.num_envs:
            raise RecordError(f"the state is that of {len(random)} environments, not of {self.num_envs}")
        for name in ("ended", "divergences"):
            if arrays[name].shape != (self.num_envs,):
                raise RecordError(f"the state needs {name} of {self.num_envs} environments")
        if arrays["sums"].shape != self._report.sums.shape:
            raise RecordError(f"the state needs sums of {len(self._report.terms)} terms of the reward")
        self.start.load_state({name.removeprefix("start."): a for name, a in arrays.items() if name[:6] == "start."})
        self.set_states(arrays["states"])
        self._ended = arrays["ended"].astype(np.bool_)
        self.divergences[:], self._report.sums[:] = arrays["divergences"], arrays["sums"]
        self._random = None if random is None else [generator(0) for _ in random]
        for mine, saved in zip(self._random or [], random or [], strict=True):
            mine.bit_generator.state = saved
