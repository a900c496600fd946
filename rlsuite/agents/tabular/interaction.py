"""The loop in which an agent meets an environment, compiled once per algorithm and interpreted for any other env.

An algorithm is a *memory* (a ``NamedTuple`` of tables and constants) and two kernels, in the manner of RL-Glue:

``begin(memory, s, rng) -> a``
    choose the first action of an episode;
``observe(memory, s, a, r, s_next, terminated, truncated, rng) -> a_next``
    learn from one transition and choose the next action (ignored where the episode has ended).

``@begins(Memory)`` and ``@observes(Memory)`` attach them to the memory's type. :func:`interact` is the compiled loop:
numba specialises it by that type, so the one loop below serves every algorithm. :func:`interact_gymnasium` is the same
loop over any discrete Gymnasium environment; it calls the same two kernels.

Both draw the environment's outcomes from one generator and the agent's choices from another, each in the same order,
so the two paths give the same tables to the last bit from the same seed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from rlsuite.agents.tabular.kernels import F, entry_kernel, is_own, kernel, uncached_entry_kernel
from rlsuite.envs.finite.spaces import DiscreteIndex

_BEGIN: dict[type, Callable[..., int]] = {}
_OBSERVE: dict[type, Callable[..., int]] = {}
_OVERLOAD_OPTIONS = {"forceinline": True, "error_model": "numpy", "_nrt": False}


def begins(*memory_types: type) -> Callable[[F], F]:
    """Decorator: this kernel is ``begin`` for these types of memory."""
    return _attach(_BEGIN, memory_types)


def observes(*memory_types: type) -> Callable[[F], F]:
    """Decorator: this kernel is ``observe`` for these types of memory."""
    return _attach(_OBSERVE, memory_types)


def _attach(table: dict[type, Callable[..., int]], memory_types: tuple[type, ...]) -> Callable[[F], F]:
    def attach(function: F) -> F:
        compiled = kernel(function)
        table.update(dict.fromkeys(memory_types, compiled))
        return compiled

    return attach


def begin(memory: Any, s: int, rng: np.random.Generator) -> int:
    """First action of an episode that starts in ``s``."""
    return _BEGIN[type(memory)](memory, s, rng)


def observe(
    memory: Any,
    s: int,
    a: int,
    r: float,
    s_next: int,
    terminated: bool,
    truncated: bool,
    rng: np.random.Generator,
) -> int:
    """Learn from one transition; the next action."""
    return _OBSERVE[type(memory)](memory, s, a, r, s_next, terminated, truncated, rng)


@overload(begin, jit_options=_OVERLOAD_OPTIONS)
def _begin(memory, s, rng):
    chosen = _BEGIN[memory.instance_class]
    return lambda memory, s, rng: chosen(memory, s, rng)


@overload(observe, jit_options=_OVERLOAD_OPTIONS)
def _observe(memory, s, a, r, s_next, terminated, truncated, rng):
    chosen = _OBSERVE[memory.instance_class]
    return lambda memory, s, a, r, s_next, terminated, truncated, rng: chosen(
        memory, s, a, r, s_next, terminated, truncated, rng
    )


class Clock(NamedTuple):
    """Where the interaction stands, so that it can stop after any step and go on later. Each is one cell."""

    steps: NDArray[np.int64]  # (1,) environment steps so far
    episodes: NDArray[np.int64]  # (1,) episodes finished
    state: NDArray[np.int64]  # (1,) current state (compiled path) or observation index
    action: NDArray[np.int64]  # (1,) action already chosen for it
    length: NDArray[np.int64]  # (1,) steps in the running episode, 0 when none is running
    episode_return: NDArray[np.float64]  # (1,) undiscounted reward in the running episode

    @classmethod
    def zero(cls) -> Clock:
        steps, episodes, state, action, length = np.zeros((5, 1), np.int64)
        return cls(steps, episodes, state, action, length, np.zeros(1))


class EpisodeLog(NamedTuple):
    """Room for the episodes that one call may finish, and the visit counts."""

    returns: NDArray[np.float64]  # (n,)
    lengths: NDArray[np.int64]  # (n,)
    visits: NDArray[np.int64]  # (n_observations,) how often the agent acted there


@kernel
def first_above(cumulative, low, high, u):
    """The first index in ``low … high - 1`` at which ``cumulative`` exceeds ``u``; ``high`` where it never does."""
    if high - low <= 4:  # counting has no branch to mispredict, and few outcomes are the rule
        index = low
        for j in range(low, high):
            index += cumulative[j] <= u
        return index
    while low < high:
        middle = (low + high) >> 1
        if cumulative[middle] > u:
            high = middle
        else:
            low = middle + 1
    return low


@kernel
def sample_outcome(mdp, s, a, rng):
    """Index of a random outcome of (s, a), drawn as Gymnasium's ``categorical_sample`` draws it."""
    pair = s * mdp.n_actions + a
    first, end = mdp.offset[pair], mdp.offset[pair + 1]
    j = first_above(mdp.cumulative, first, end, rng.random())
    return j if j < end else first  # rounding left the sum below u: numpy's argmax of all-false is 0


@kernel
def sample_initial_state(mdp, rng):
    """A first state, drawn as Gymnasium's ``categorical_sample`` draws it."""
    n = mdp.initial_cumulative.size
    s = first_above(mdp.initial_cumulative, 0, n, rng.random())
    return s if s < n else 0


@entry_kernel
def interact(mdp, memory, clock, log, time_limit, until_step, until_episode, env_rng, agent_rng):
    """Run until ``until_step`` steps or ``until_episode`` episodes in all, or until ``log`` is full.

    ``time_limit`` is the number of steps after which an episode is truncated. Returns how many episodes it finished.
    """
    steps, episodes, length = clock.steps[0], clock.episodes[0], clock.length[0]
    s, a, g = clock.state[0], clock.action[0], clock.episode_return[0]
    finished = 0
    while steps < until_step and episodes < until_episode and finished < log.returns.size:
        if length == 0:
            s = sample_initial_state(mdp, env_rng)
            a = begin(memory, mdp.observation[s], agent_rng)
            g = 0.0
        j = sample_outcome(mdp, s, a, env_rng)
        r, s_next, terminated = mdp.reward[j], mdp.next_state[j], mdp.terminated[j]
        steps += 1
        length += 1
        g += r
        truncated = length >= time_limit
        log.visits[mdp.observation[s]] += 1
        a = observe(memory, mdp.observation[s], a, r, mdp.observation[s_next], terminated, truncated, agent_rng)
        s = s_next
        if terminated or truncated:
            log.returns[finished] = g
            log.lengths[finished] = length
            finished += 1
            episodes += 1
            length = 0
    clock.steps[0], clock.episodes[0], clock.length[0] = steps, episodes, length
    clock.state[0], clock.action[0], clock.episode_return[0] = s, a, g
    return finished


@cache
def interact_for(memory_type: Any) -> Callable[..., int]:
    """:func:`interact` for this type of memory: from the disk's cache, unless its kernels are not the suite's own."""
    kernels = _BEGIN[memory_type], _OBSERVE[memory_type]
    if all(is_own(each.py_func) for each in kernels):  # type: ignore[attr-defined]
        return interact
    return uncached_entry_kernel(interact.py_func)  # type: ignore[attr-defined]


def interact_gymnasium(
    env: gym.Env[Any, Any],
    observations: DiscreteIndex,
    actions: DiscreteIndex,
    memory: Any,
    clock: Clock,
    log: EpisodeLog,
    until_step: int,
    until_episode: int,
    agent_rng: np.random.Generator,
    env_seed: int | None,
) -> int:
    """The same loop over a Gymnasium environment, which keeps its own time limit.

    ``env_seed`` seeds the first reset only; later resets go on with the environment's own generator.
    """
    finished = 0
    while clock.steps[0] < until_step and clock.episodes[0] < until_episode and finished < log.returns.size:
        if clock.length[0] == 0:
            first = clock.episodes[0] == 0 and clock.steps[0] == 0
            observation, _ = env.reset(seed=env_seed if first else None)
            clock.state[0] = observations.index(observation)
            clock.action[0] = begin(memory, int(clock.state[0]), agent_rng)
            clock.episode_return[0] = 0.0
        s, a = int(clock.state[0]), int(clock.action[0])
        observation, reward, terminated, truncated, _ = env.step(actions.value(a))
        r, s_next = float(reward), observations.index(observation)
        clock.steps[0] += 1
        clock.length[0] += 1
        clock.episode_return[0] += r
        log.visits[s] += 1
        clock.action[0] = observe(memory, s, a, r, s_next, bool(terminated), bool(truncated), agent_rng)
        clock.state[0] = s_next
        if terminated or truncated:
            log.returns[finished] = clock.episode_return[0]
            log.lengths[finished] = clock.length[0]
            finished += 1
            clock.episodes[0] += 1
            clock.length[0] = 0
    return finished
