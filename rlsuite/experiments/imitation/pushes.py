"""Push robustness: the largest push, in newtons, after which a policy goes on performing.

A trial plays the policy for 2 s (from a random time of a cycle; half of a clip that is played once, from its beginning),
then pushes the torso horizontally with a constant force for 0.2 s, relative to where the root faces, and is survived if
no fall comes in the 4 s from the push's beginning on (or before the clip ends). The largest push that a trial survives is
found by bisection, all trials at once, as if every smaller push were survived too; the result is the largest one that at
least half of the trials survive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.agents.evaluation import episode_seeds, tell_where
from rlsuite.envs.humanoid.vector_env import HumanoidImitateVectorEnv
from rlsuite.experiments.imitation.episodes import Act, evaluation_env, lasting, without_pushes
from rlsuite.motion import rotations as rot

Array = NDArray[np.float64]

BODY = "torso"
PUSH_SECONDS, BEFORE, AFTER = 0.2, 2.0, 4.0
MOST = 1600.0  # newtons
BISECTIONS = 8  # to 6 newtons
DIRECTIONS = {"forward": (1.0, 0.0), "back": (-1.0, 0.0), "left": (0.0, 1.0), "right": (0.0, -1.0)}


class Pusher:
    """Pushes on a part of the bodies of an environment; a force stays until it is set anew."""

    def __init__(self, env: HumanoidImitateVectorEnv, body: str = BODY) -> None:
        self.env = env
        self._force: Array = env.physics.batch.bind("xfrc_applied")[:, env.reference.skeleton.body(body) + 1, :3]

    def push(self, directions: Array, newtons: Array) -> None:
        """``directions`` ``(n, 2)`` on the ground (forward, left) as the roots face now; ``newtons`` ``(n,)``."""
        turned = np.concatenate((directions, np.zeros((len(directions), 1))), axis=1)
        self._force[:] = rot.rotate(rot.heading(self.env.physics.state.rotation[:, 0]), turned) * newtons[:, None]

    def release(self) -> None:
        self._force[:] = 0.0


@dataclass(frozen=True)
class Pushes:
    """Attributes:
    newtons: of each direction, the largest push that at least half of the trials survive, and ``MOST`` at most.
    trials: ``{direction: (n,)}`` the largest push that each trial survives; 0 where it falls without one.
    """

    newtons: Mapping[str, float]
    trials: Mapping[str, Array]


def push_robustness(
    act: Act,
    env_kwargs: Mapping[str, Any],
    seed: int,
    *,
    trials: int = 16,
    directions: tuple[str, ...] = ("forward", "left"),
    bisections: int = BISECTIONS,
) -> Pushes:
    """Push a policy until it falls; both directions meet the same starts."""
    n = trials * len(directions)
    env = evaluation_env(without_pushes(env_kwargs), n, seconds=BEFORE + AFTER + 1.0)
    pusher = Pusher(env)
    where = np.repeat([DIRECTIONS[name] for name in directions], trials, axis=0)
    endless, before = lasting(env), BEFORE
    if not endless:
        before = min(BEFORE, 0.5 * env.reference.duration)
    options = None if endless else {"time": 0.0}
    observations, _ = env.reset(seed=episode_seeds(seed, trials) * len(directions), options=options)
    tell_where(act, env)
    standing = np.ones(n, np.bool_)
    for _ in range(round(before / env.dt)):
        observations, _, _, _, info = env.step(act(observations))
        standing &= ~info["failed"]
    states, seen = env.get_states(), observations

    def survive(newtons: Array) -> NDArray[np.bool_]:
        env.set_states(states)
        tell_where(act, env)
        pusher.push(where, newtons)
        observations, upright, going = seen, standing.copy(), np.ones(n, np.bool_)
        for step in range(round(AFTER / env.dt)):
            if step == round(PUSH_SECONDS / env.dt):
                pusher.release()
            observations, _, terminated, _, info = env.step(act(observations))
            upright &= ~(info["failed"] & going)
            going &= ~terminated
        return upright

    low = np.zeros(n)
    high = np.where(survive(low), MOST, 0.0)
    for _ in range(bisections if high.any() else 0):
        middle = 0.5 * (low + high)
        upright = survive(middle)
        low, high = np.where(upright, middle, low), np.where(upright, high, middle)
    env.close()
    found = dict(zip(directions, low.reshape(len(directions), trials), strict=True))
    half = (trials + 1) // 2  # trials that are at least half of them
    return Pushes({name: float(np.sort(values)[::-1][half - 1]) for name, values in found.items()}, found)
