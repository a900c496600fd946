r"""Finite Markov decision processes as sparse arrays.

A finite MDP is a set of states :math:`s`, actions :math:`a`, and for each pair a list of *outcomes*
:math:`(p_j, s'_j, r_j, d_j)`: probability, next state, reward, and whether the episode terminates there
(Sutton & Barto 2018, eq. 3.2). The outcomes of all pairs lie one after the other in flat arrays, those of pair
:math:`(s, a)` between ``offset[s * n_actions + a]`` and the next offset, in the order in which Gymnasium's ``P``
lists them: sampling then consumes random numbers exactly as ``gymnasium``'s ``categorical_sample`` does.

Termination belongs to the outcome, not to the state: the value of ``next_state`` counts only where ``terminated`` is
false. (The goal of Gymnasium's CliffWalking has ordinary transitions in ``P``; a reader that looks for absorbing
states gets its values wrong.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.envs.finite.layout import Layout
from rlsuite.errors import InvalidMDPError

if TYPE_CHECKING:
    import gymnasium as gym
    import scipy.sparse

PROBABILITY_TOLERANCE = 1e-8
# Steps after which an episode is cut where the environment sets no limit: a policy that never terminates must end
# somewhere, and most of the suite's own environments are registered with this limit.
DEFAULT_HORIZON = 1000


class MDPArrays(NamedTuple):
    """What compiled kernels read: plain arrays, no objects (shapes as in :class:`FiniteMDP`)."""

    offset: NDArray[np.int64]  # (n_states * n_actions + 1,)
    cumulative: NDArray[np.float64]  # (n_outcomes,) running sum of probability within each pair
    probability: NDArray[np.float64]  # (n_outcomes,)
    next_state: NDArray[np.int64]  # (n_outcomes,)
    reward: NDArray[np.float64]  # (n_outcomes,)
    terminated: NDArray[np.bool_]  # (n_outcomes,)
    initial_cumulative: NDArray[np.float64]  # (n_states,)
    observation: NDArray[np.int64]  # (n_states,) index that the agent sees
    n_actions: int


@dataclass(frozen=True, eq=False)
class FiniteMDP:
    """A finite MDP in sparse form.

    Attributes:
        n_states, n_actions: sizes of the state and action sets.
        offset: ``(n_states * n_actions + 1,)`` where the outcomes of each pair begin.
        probability, next_state, reward, terminated: ``(n_outcomes,)`` one entry per outcome.
        initial: ``(n_states,)`` distribution of the first state.
        observation: ``(n_states,)`` index of what the agent sees in each state; the identity unless states are aliased.
        max_episode_steps: time limit after which Gymnasium truncates, or ``None``.
        name: the environment's id, for messages.
        layout: how to draw the states, or ``None``.

    Raises:
        InvalidMDPError: shapes disagree, probabilities are negative or do not sum to 1, indices are out of range, or
            a reward is not finite.
    """

    n_states: int
    n_actions: int
    offset: NDArray[np.int64]
    probability: NDArray[np.float64]
    next_state: NDArray[np.int64]
    reward: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    initial: NDArray[np.float64]
    observation: NDArray[np.int64] = field(default=None)  # type: ignore[arg-type]
    max_episode_steps: int | None = None
    name: str = "finite MDP"
    layout: Layout | None = None

    def __post_init__(self) -> None:
        def put(name: str, value: ArrayLike, dtype: Any) -> None:
            array = np.ascontiguousarray(value, dtype=dtype)
            array.flags.writeable = False
            object.__setattr__(self, name, array)

        observation = np.arange(self.n_states) if self.observation is None else self.observation
        put("offset", self.offset, np.int64)
        put("probability", self.probability, np.float64)
        put("next_state", self.next_state, np.int64)
        put("reward", self.reward, np.float64)
        put("terminated", self.terminated, np.bool_)
        put("initial", self.initial, np.float64)
        put("observation", observation, np.int64)
        self._validate()

    # -- construction -------------------------------------------------------------------------------------------

    @classmethod
    def from_env(cls, env: gym.Env[Any, Any] | str) -> FiniteMDP:
        """The dynamics of a Gymnasium environment (or id); see :func:`rlsuite.envs.finite.reading.read_env`."""
        from rlsuite.envs.finite.reading import read_env

        return read_env(env)

    @classmethod
    def from_transitions(
        cls,
        transitions: Mapping[int, Mapping[int, Sequence[tuple[float, int, float, bool]]]],
        initial: ArrayLike,
        **attributes: Any,
    ) -> FiniteMDP:
        """From Gymnasium's convention ``P[state][action] = [(probability, next_state, reward, terminated), …]``.

        Raises:
            InvalidMDPError: a state or action is missing, an entry is not a 4-tuple, or the arrays are invalid.
        """
        n_states = len(transitions)
        if n_states == 0:
            raise InvalidMDPError("P is empty")
        n_actions = len(transitions[0]) if 0 in transitions else 0
        offset: list[int] = [0]
        flat: list[tuple[float, int, float, bool]] = []
        for s in range(n_states):
            for a in range(n_actions):
                try:
                    outcomes = transitions[s][a]
                except KeyError:
                    raise InvalidMDPError(
                        f"P has no entry for state {s}, action {a}; states must be 0…{n_states - 1} and every state "
                        f"needs actions 0…{n_actions - 1}"
                    ) from None
                for outcome in outcomes:
                    if len(outcome) != 4:
                        raise InvalidMDPError(
                            f"P[{s}][{a}] holds {outcome!r}; expected (probability, next_state, reward, terminated)"
                        )
                flat.extend(outcomes)
                offset.append(len(flat))
        probability, next_state, reward, terminated = zip(*flat, strict=True) if flat else ((), (), (), ())
        return cls(
            n_states=n_states,
            n_actions=n_actions,
            offset=np.array(offset),
            probability=np.array(probability, dtype=np.float64),
            next_state=np.array(next_state, dtype=np.int64),
            reward=np.array(reward, dtype=np.float64),
            terminated=np.array(terminated, dtype=np.bool_),
            initial=np.asarray(initial, dtype=np.float64),
            **attributes,
        )

    def to_transitions(self) -> dict[int, dict[int, list[tuple[float, int, float, bool]]]]:
        """Gymnasium's ``P`` dictionary (large MDPs make a large dictionary)."""
        columns = (
            self.probability.tolist(),
            self.next_state.tolist(),
            self.reward.tolist(),
            self.terminated.tolist(),
        )
        flat = list(zip(*columns, strict=True))
        bounds = self.offset.tolist()
        return {
            s: {
                a: flat[bounds[k] : bounds[k + 1]]
                for a, k in enumerate(range(s * self.n_actions, (s + 1) * self.n_actions))
            }
            for s in range(self.n_states)
        }

    # -- views ----------------------------------------------------------------------------------------------------

    @cached_property
    def arrays(self) -> MDPArrays:
        """The arrays that compiled kernels take."""
        return MDPArrays(
            self.offset,
            _cumulative_within(self.probability, self.offset),
            self.probability,
            self.next_state,
            self.reward,
            self.terminated,
            np.cumsum(self.initial),
            self.observation,
            self.n_actions,
        )

    @property
    def n_observations(self) -> int:
        """How many different observations the agent can meet."""
        return int(self.observation.max()) + 1

    @property
    def fully_observed(self) -> bool:
        """Whether the observation determines the state (planners need it)."""
        return bool(np.array_equal(self.observation, np.arange(self.n_states)))

    @property
    def pair(self) -> NDArray[np.int64]:
        """``(n_outcomes,)`` the pair ``s * n_actions + a`` that each outcome belongs to."""
        return np.repeat(np.arange(self.n_states * self.n_actions), np.diff(self.offset))

    @cached_property
    def expected_reward(self) -> NDArray[np.float64]:
        """``(n_states, n_actions)`` mean reward r(s, a)."""
        sums = np.bincount(self.pair, self.probability * self.reward, self.n_states * self.n_actions)
        return sums.astype(np.float64, copy=False).reshape(self.n_states, self.n_actions)

    @cached_property
    def continuation(self) -> scipy.sparse.csr_matrix:
        """``(n_states * n_actions, n_states)`` probabilities of *continuing* in each state.

        Terminated outcomes are left out, so rows may sum to less than 1 and ``r + gamma * continuation @ v`` is the
        Bellman backup.
        """
        import scipy.sparse

        alive = ~self.terminated
        shape = (self.n_states * self.n_actions, self.n_states)
        entries = (self.probability[alive], (self.pair[alive], self.next_state[alive]))
        return scipy.sparse.csr_matrix(entries, shape=shape)

    @cached_property
    def reachable(self) -> NDArray[np.bool_]:
        """``(n_states,)`` states in which an agent may have to act, from the initial distribution on."""
        import scipy.sparse

        alive = ~self.terminated & (self.probability > 0)
        graph = scipy.sparse.csr_matrix(
            (
                np.ones(int(alive.sum()), np.int8),
                (self.pair[alive] // self.n_actions, self.next_state[alive]),
            ),
            shape=(self.n_states, self.n_states),
        )
        graph.data[:] = 1
        seen = self.initial > 0
        frontier = seen
        while frontier.any():
            following = np.zeros(self.n_states, np.bool_)
            following[graph[np.flatnonzero(frontier)].indices] = True
            frontier = following & ~seen
            seen = seen | frontier
        return seen

    # -- checks ---------------------------------------------------------------------------------------------------

    def _validate(self) -> None:
        def fail(message: str) -> None:
            raise InvalidMDPError(f"{self.name}: {message}")

        if self.n_states < 1 or self.n_actions < 1:
            fail(f"needs at least one state and one action, has {self.n_states} and {self.n_actions}")
        n_pairs, n_outcomes = self.n_states * self.n_actions, self.probability.size
        if self.offset.shape != (n_pairs + 1,) or self.offset[0] != 0 or self.offset[-1] != n_outcomes:
            fail(f"offset must have {n_pairs + 1} entries, from 0 to the number of outcomes, {n_outcomes}")
        for name in ("next_state", "reward", "terminated"):
            if getattr(self, name).shape != (n_outcomes,):
                fail(f"{name} has shape {getattr(self, name).shape}, probability has {(n_outcomes,)}")
        counts = np.diff(self.offset)
        if (counts < 1).any():
            fail(f"{self._pair_name(int(np.argmax(counts < 1)))} has no outcome")
        if not (np.isfinite(self.probability).all() and (self.probability >= 0).all()):
            worst = int(np.argmax(~(self.probability >= 0)))
            fail(f"{self._pair_name(int(self.pair[worst]))} has probability {self.probability[worst]}")
        error = np.abs(np.add.reduceat(self.probability, self.offset[:-1]) - 1.0)
        if error.max() > PROBABILITY_TOLERANCE:
            worst = int(error.argmax())
            total = self.probability[self.offset[worst] : self.offset[worst + 1]].sum()
            fail(f"probabilities of {self._pair_name(worst)} sum to {total:.12g}, not 1")
        if (self.next_state < 0).any() or (self.next_state >= self.n_states).any():
            fail(f"next_state must lie in 0…{self.n_states - 1}")
        if not np.isfinite(self.reward).all():
            worst = int(np.argmax(~np.isfinite(self.reward)))
            fail(f"{self._pair_name(int(self.pair[worst]))} has a reward that is not finite")
        if self.initial.shape != (self.n_states,) or (self.initial < 0).any():
            fail(f"initial must hold {self.n_states} non-negative probabilities")
        if abs(self.initial.sum() - 1.0) > PROBABILITY_TOLERANCE:
            fail(f"initial probabilities sum to {self.initial.sum():.12g}, not 1")
        if self.observation.shape != (self.n_states,) or (self.observation < 0).any():
            fail(f"observation must hold {self.n_states} non-negative indices")
        if self.max_episode_steps is not None and self.max_episode_steps < 1:
            fail(f"max_episode_steps must be positive, is {self.max_episode_steps}")

    def _pair_name(self, pair: int) -> str:
        return f"state {pair // self.n_actions}, action {pair % self.n_actions}"


def _cumulative_within(probability: NDArray[np.float64], offset: NDArray[np.int64]) -> NDArray[np.float64]:
    """Running sums within each pair, added left to right as ``numpy.cumsum`` of that pair alone would."""
    cumulative = probability.copy()
    counts = np.diff(offset)
    for j in range(1, int(counts.max())):  # the j-th outcome of every pair that has one
        at = offset[:-1][counts > j] + j
        cumulative[at] += cumulative[at - 1]
    return cumulative
