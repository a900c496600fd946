"""The composite policy: several policies, each trained alone, take turns by what their values promise.

Peng et al. (2018, DeepMimic, section 7): in state s policy i is drawn with the probability

    p_i(s) = exp(V_i(s) / T) / Σ_j exp(V_j(s) / T)

A policy that is drawn acts until its clip comes to its end, or for a time of one's choice; then another is drawn. One that
takes over begins its clip, the reference under the body and turned as it faces, and V_i is its value there; that of the
policy that has been acting is its value as it goes on. The paper's values are discounted by 0.95 and its T is 0.3: the value
of a policy trained with another discount γ is taken times (1 - γ) / (1 - 0.95).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.humanoid.goals.goal import Goal
from rlsuite.envs.humanoid.relay import Relay
from rlsuite.envs.humanoid.vector_env import CONTROL_RATE
from rlsuite.errors import HyperparameterError
from rlsuite.experiments.imitation.episodes import SECONDS, Act, Episode, distinct, evaluation_env, without_pushes
from rlsuite.experiments.imitation.evaluation import summary
from rlsuite.experiments.imitation.performers import Performer, performer
from rlsuite.motion import kinematics

Array = NDArray[np.float64]

TEMPERATURE, DISCOUNT = 0.3, 0.95
UP, DOWN = 0.8, 0.5  # of the head's height in the rest pose: above it a body stands, below it it has fallen
FOREVER = 1e7  # seconds


def boltzmann(values: Array, temperature: float) -> Array:
    """``(n, k)`` probabilities of ``(n, k)`` values."""
    weights = np.exp((values - values.max(axis=1, keepdims=True)) / temperature)
    found: Array = weights / weights.sum(axis=1, keepdims=True)
    return found


@dataclass(frozen=True, eq=False)
class Member:
    """A policy of a composite.

    Attributes:
        act, values: observations ``(n, …)`` to actions, and to values ``(n,)`` on the scale of ``DISCOUNT``.
    """

    name: str
    act: Act
    values: Callable[[NDArray[np.float32]], Array]
    env_kwargs: Mapping[str, Any]


def member(who: Performer) -> Member:
    """Of a run.

    Raises:
        HyperparameterError: it has no values.
    """
    values = getattr(who.agent, "values", None)
    if values is None:
        raise HyperparameterError(
            f"{who.name} has no values to choose by; a composite is made of runs of ppo or a2c, not of policies in files"
        )
    scale = (1.0 - who.agent.hyperparameters.gamma) / (1.0 - DISCOUNT)
    return Member(who.name, who.act, lambda observations: scale * values(observations), who.env_kwargs)


def members(sources: Sequence[Any], *, deterministic: bool = True, trust: bool = False) -> list[Member]:
    """Of several runs.

    Raises:
        RlsuiteError: one cannot be read, or has no values.
    """
    of = [member(performer(source, deterministic=deterministic, trust=trust)) for source in sources]
    return [replace(one, name=name) for one, name in zip(of, distinct([one.name for one in of]), strict=True)]


class Composite:
    """``n`` bodies that a composite policy moves; to be played and looked at like an environment that needs no actions.

    Args:
        seconds: of an episode. temperature: T; small: always the policy of largest value. every: seconds from draw to
            draw; ``None``: at the end of the acting policy's clip.

    Attributes:
        probabilities: ``(n, k)`` of the last draw of each body.

    Raises:
        HyperparameterError: there are fewer than two policies, or they are of different worlds.
    """

    multi = "composite"

    def __init__(
        self,
        of: Sequence[Member],
        n: int,
        *,
        seconds: float = SECONDS,
        temperature: float = TEMPERATURE,
        every: float | None = None,
    ) -> None:
        if len(of) < 2:
            raise HyperparameterError("a composite needs at least two policies")
        if not temperature > 0.0:
            raise HyperparameterError(f"temperature must be above 0, not {temperature!r}")
        self.members, self.temperature, self.num_envs = tuple(of), temperature, n
        self._relay = Relay(
            [evaluation_env(without_pushes(one.env_kwargs), n, seconds=FOREVER) for one in self.members]
        )
        self.physics, self._first = self._relay.physics, self._relay.envs[0]
        self.reference, self.dt = self._first.reference, self._first.dt
        self.clips = tuple(env.clip for env in self._relay.envs)
        self.clip, self.goal, self.limit = self.clips[0], Goal(), float(round(seconds * CONTROL_RATE))
        self.goal.attach(self.physics, self.reference, 0.0)
        self.clock = SimpleNamespace(now=self._relay.now, which=self._relay.which)
        self._every = np.inf if every is None else max(1.0, np.rint(every * CONTROL_RATE))
        self._since, self._steps, self._cycles = np.zeros(n), 0, every is None
        self.probabilities = np.zeros((n, len(self.members)))

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin as the first policy's environment does, and draw; there are no observations."""
        seeds = (
            seed if isinstance(seed, Sequence) else np.random.SeedSequence(seed).generate_state(self.num_envs).tolist()
        )
        self._relay.reset(seeds, options)
        self._steps = 0
        self._draw(np.arange(self.num_envs))
        return np.zeros((self.num_envs, 0), np.float32), {}

    def step(self, actions: Any = None) -> tuple[NDArray[np.float32], Array, Any, Any, dict[str, Any]]:
        """One control step; the reward is that of imitation, of the acting policy's own clip. Falls end nothing."""
        self._relay.step(lambda k, observations: self.members[k].act(observations))
        self._steps += 1
        self._since += 1.0
        due = self._relay.again if self._cycles else self._since >= self._every
        rewards, n = self._relay.rewards.copy(), self.num_envs
        self._draw(np.flatnonzero(due))
        late = np.full(n, self._steps >= self.limit)
        return np.zeros((n, 0), np.float32), rewards, np.zeros(n, bool), late, {"failed": np.zeros(n, bool)}

    def _draw(self, rows: NDArray[np.intp]) -> None:
        if not len(rows):
            return
        values = np.stack([one.values(self._relay.seen(k, rows)) for k, one in enumerate(self.members)], axis=1)
        self.probabilities[rows] = boltzmann(values, self.temperature)
        edges = np.cumsum(self.probabilities[rows], axis=1)
        drawn = (edges[:, :-1] <= self._relay.draw(rows)[:, None]).sum(axis=1)
        self._since[rows] = 0.0
        self._relay.hand_over(rows, drawn)

    def close(self) -> None:
        self._relay.close()


def nothing(observations: NDArray[np.float32]) -> NDArray[np.float32]:
    """The actions that a :class:`Composite` is given."""
    return observations


def composite_summary(episodes: Sequence[Episode], names: Sequence[str]) -> dict[str, Any]:
    """How well bodies perform what the acting policies should, how long they stand, how often they fall and get up again,
    and whose time it is.
    """
    found = summary(episodes)
    heights = [_head(episode) for episode in episodes]
    falls, risings = (sum(counts) for counts in zip(*map(_falls, heights), strict=True))
    which = [episode.which for episode in episodes]
    seconds = sum(len(episode.rewards) for episode in episodes) / CONTROL_RATE
    return {
        "mean_reward": found["normalised_return"],
        "standing": float(np.mean(np.concatenate(heights) > UP)),
        "falls": falls,
        "got_up": risings,
        "changes_per_minute": 60.0 * sum(int((np.diff(w) != 0).sum()) for w in which) / seconds,
        "shares": dict(
            zip(names, (float(np.mean(np.concatenate(which) == k)) for k in range(len(names))), strict=True)
        ),
        **{name: found[name] for name in ("mpjpe_mm", "mpjpe_root_mm", "foot_skate_mm", "torque_nm", "power_w")},
    }


def _head(episode: Episode) -> Array:
    """``(T + 1,)`` height of the head, as a share of that in the rest pose."""
    clip = episode.performed
    head, rest = clip.skeleton.body("head"), kinematics.forward(clip.skeleton, clip.skeleton.rest_qpos)[0]
    heights: Array = clip.bodies[0][:, head, 2] / rest[head, 2]
    return heights


def _falls(heights: Array) -> tuple[int, int]:
    """How often a body fell after it stood, and stood after it had fallen or lain."""
    marks = heights[(heights > UP) | (heights < DOWN)] > UP
    changes = np.diff(marks.astype(np.int8))
    return int((changes < 0).sum()), int((changes > 0).sum())
