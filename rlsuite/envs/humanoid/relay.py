"""Several environments on the same bodies, each with its own clip, goal and observations: each row is in the hands of one.

Where one takes over, its clip begins with the reference under the body and turned as it faces. Falls end nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.humanoid.kernels import Array, Rows
from rlsuite.envs.humanoid.state import empty_state
from rlsuite.envs.humanoid.vector_env import HumanoidImitateVectorEnv, Out
from rlsuite.errors import HyperparameterError


class Relay:
    """Environments of ``n`` rows each, that move the bodies of the first.

    Attributes:
        which: ``(n,)`` whose hands each row is in. again: ``(n,)`` whether the clip there has just begun anew.
        now: the reference of each row. rewards: ``(n,)`` of the last step, each of its own environment.

    Raises:
        HyperparameterError: an environment performs several clips, or has another world.
    """

    def __init__(self, envs: Sequence[HumanoidImitateVectorEnv]) -> None:
        first, *others = envs
        for env in envs:
            if env.multi is not None:
                raise HyperparameterError("a composite is made of policies of one clip each")
        for env in others:
            same = env.reference.shape == first.reference.shape and env.physics.model.nq == first.physics.model.nq
            if not same or env.collides != first.collides:
                raise HyperparameterError(
                    f"{first.clip.name!r} and {env.clip.name!r} are performed in different worlds: body, self_collision "
                    "and what there is besides must be the same"
                )
        self.envs, self.physics, n = tuple(envs), first.physics, first.num_envs
        for env in self.envs:
            env.share(self.physics)
        self.which, self.again, self.rewards = np.zeros(n, np.intp), np.ones(n, np.bool_), np.zeros(n)
        self._all: Rows = np.arange(n)
        self._random: list[np.random.Generator] = []
        skeleton = first.reference.skeleton
        self.now = empty_state(n, skeleton.nq, skeleton.nv, skeleton.nbody)

    def reset(self, seeds: Sequence[int], options: dict[str, Any] | None = None) -> None:
        """Begin as the first environment does, in whose hands all rows then are."""
        self.envs[0].reset(seed=seeds, options=options)
        own = [np.random.SeedSequence(seed).spawn(1)[0] for seed in seeds]
        self._random = [np.random.Generator(np.random.PCG64(sequence)) for sequence in own]
        self.which[:], self.again[:] = 0, True
        self._gather()

    def draw(self, rows: Rows) -> Array:
        """A number from [0, 1) for each of ``rows``, which follows from the row's seed."""
        return np.array([self._random[i].random() for i in rows.tolist()])

    def seen(self, k: int, rows: Rows) -> Out:
        """What environment ``k`` sees at ``rows``: as it goes on where it has them, else as it would begin there."""
        new = rows[self.which[rows] != k]
        if len(new):
            self.envs[k].enter(new, self.draw(new))
        return self.envs[k].observations[rows]

    def hand_over(self, rows: Rows, which: Rows) -> None:
        """``rows`` to those environments, of which :meth:`seen` has been asked."""
        self.which[rows] = which
        self._gather()

    def step(self, act: Callable[[int, Out], NDArray[Any]]) -> None:
        """One control step; ``act(k, observations)`` gives the actions of environment ``k``."""
        for k, env in enumerate(self.envs):
            rows = self._all[self.which == k]
            if len(rows):
                self.rewards[rows], self.again[rows] = env.step_rows(rows, act(k, env.observations[rows]))
        self._gather()

    def _gather(self) -> None:
        for k, env in enumerate(self.envs):
            mine = self.which == k
            for to, source in zip(self.now, env.clock.now, strict=True):
                to[mine] = source[mine]

    def close(self) -> None:
        for env in self.envs:
            env.close()
