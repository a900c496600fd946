"""Replay memory: transitions kept in a ring and drawn uniformly, as n-step windows of one episode.

A window that begins at time t holds (s_t, a_t, R, s_{t+k}) with R = sum_{i<k} gamma^i r_{t+i+1}. It is k = ``n_step``
long unless the episode ends sooner: k is then the number of steps really taken. Its target is

    R + gamma^k (1 - terminated) V(s_{t+k}),

so a window that a time limit cut short bootstraps from the true final observation with its own, milder discount, and
one that reaches a terminal state does not bootstrap (Sutton & Barto 2018, section 7.1; Pardo et al. 2018).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from numpy.typing import DTypeLike, NDArray

from rlsuite.agents.deep.observations import Batch, empty_batch, put, take, tree_map
from rlsuite.agents.deep.vector import Transitions
from rlsuite.errors import HyperparameterError, RecordError


class Sample(NamedTuple):
    """A minibatch of windows; first axis: batch.

    Attributes:
        observations, actions: at the beginning of each window.
        rewards: float32 discounted sums.
        next_observations: true successors at the end of each window.
        terminated: float32, 1 where the window ends in a terminal state.
        discounts: float32 gamma^k, k being the number of steps in the window.
        indices: rows of the buffer, for :meth:`PrioritisedReplay.update`.
        weights: float32 importance weights; ones where sampling is uniform.
        next_masks: actions allowed in ``next_observations``; ``None`` where masks are not kept.
    """

    observations: Batch
    actions: NDArray[Any]
    rewards: NDArray[np.float32]
    next_observations: Batch
    terminated: NDArray[np.float32]
    discounts: NDArray[np.float32]
    indices: NDArray[np.int64]
    weights: NDArray[np.float32]
    next_masks: NDArray[np.bool_] | None = None


class ReplayBuffer:
    """The newest ``capacity`` windows.

    Args:
        capacity: windows held; the oldest makes room for the newest.
        observation_space: observations are kept in its own type, so images stay bytes.
        action_shape, action_dtype: of one action.
        n_step, gamma: length of the windows and the discount inside them.
        num_envs: environments that :meth:`add` is given transitions of; windows never mix them.
        n_actions: of a Discrete action space; stored actions are then held against it on load.
        masks: keep the masks of the actions that are allowed in the successors.

    Raises:
        HyperparameterError: the capacity does not hold what one step can complete, or memory does not hold it.
    """

    def __init__(
        self,
        capacity: int,
        observation_space: gym.Space[Any],
        action_shape: tuple[int, ...],
        action_dtype: DTypeLike,
        *,
        n_step: int = 1,
        gamma: float = 0.99,
        num_envs: int = 1,
        n_actions: int | None = None,
        masks: bool = False,
    ) -> None:
        if capacity < n_step * num_envs:
            raise HyperparameterError(
                f"a replay buffer of {capacity} is too small for {n_step}-step windows of {num_envs} environments: "
                f"{n_step * num_envs} at least"
            )
        self.capacity, self.n_step, self.gamma, self.num_envs, self.n_actions = (
            capacity, n_step, gamma, num_envs, n_actions,
        )  # fmt: skip
        try:
            self.observations = empty_batch(observation_space, capacity)
            self.next_observations = empty_batch(observation_space, capacity)
        except (MemoryError, ValueError):  # the second where no address is large enough
            raise HyperparameterError(
                f"there is no memory for a replay buffer of {capacity} observations of {observation_space}"
            ) from None
        self.actions = np.zeros((capacity, *action_shape), action_dtype)
        self.rewards = np.zeros(capacity, np.float32)
        self.terminated = np.zeros(capacity, bool)
        self.discounts = np.zeros(capacity, np.float32)
        self.next_masks = np.zeros((capacity, n_actions or 0), bool) if masks else None
        self.position = self.size = 0
        self._ones = np.ones(0, np.float32)
        # windows that are not complete yet, (n_step, num_envs): slot by slot in turn
        self._pending_observations = empty_batch(observation_space, n_step, num_envs)
        self._pending_actions = np.zeros((n_step, num_envs, *action_shape), action_dtype)
        self._pending_rewards = np.zeros((n_step, num_envs))
        self._pending_discounts = np.ones((n_step, num_envs))
        self._pending_lengths = np.zeros((n_step, num_envs), np.int64)  # 0: no window in this slot
        self._slot = np.zeros(num_envs, np.int64)
        self._envs = np.arange(num_envs)

    def __len__(self) -> int:
        return self.size

    # -- storing ------------------------------------------------------------------------------------------------------

    def add(self, step: Transitions, next_masks: NDArray[np.bool_] | None = None) -> None:
        """Take in one step of every environment, rows that are no transitions left out.

        ``next_masks``: ``(num_envs, n_actions)`` of the successors; ``None``: every action is allowed there.
        """
        if self.n_step > 1:
            self._add_to_windows(step, next_masks)
        elif step.valid.all():
            self._store(
                step.observations, step.actions, step.rewards, step.next_observations, step.terminated, self.gamma,
                next_masks, len(step.rewards),
            )  # fmt: skip
        elif step.valid.any():
            v = step.valid
            self._store(
                take(step.observations, v), step.actions[v], step.rewards[v], take(step.next_observations, v),
                step.terminated[v], self.gamma, None if next_masks is None else next_masks[v], int(v.sum()),
            )  # fmt: skip

    def _add_to_windows(self, step: Transitions, next_masks: NDArray[np.bool_] | None) -> None:
        valid, slots = step.valid, self._slot
        begin = (slots, self._envs) if valid.all() else (slots[valid], self._envs[valid])
        put(self._pending_observations, begin, take(step.observations, begin[1]))
        self._pending_actions[begin] = step.actions[begin[1]]
        self._pending_rewards[begin], self._pending_discounts[begin], self._pending_lengths[begin] = 0.0, 1.0, 0
        running = (self._pending_lengths > 0) & valid
        running[begin] = True
        self._pending_rewards += np.where(running, self._pending_discounts * step.rewards, 0.0)
        self._pending_discounts[running] *= self.gamma
        self._pending_lengths += running
        complete = running & ((self._pending_lengths == self.n_step) | step.ended)
        if complete.any():
            rows = np.nonzero(complete)
            oldest_first = np.argsort(-self._pending_lengths[rows], kind="stable")
            rows = (rows[0][oldest_first], rows[1][oldest_first])
            envs = rows[1]
            self._store(
                take(self._pending_observations, rows), self._pending_actions[rows], self._pending_rewards[rows],
                take(step.next_observations, envs), step.terminated[envs], self._pending_discounts[rows],
                None if next_masks is None else next_masks[envs], len(envs),
            )  # fmt: skip
            self._pending_lengths[rows] = 0
        self._slot = np.where(valid, (slots + 1) % self.n_step, slots)

    def _store(
        self, observations: Batch, actions: Any, rewards: Any, next_observations: Batch, terminated: Any,
        discounts: Any, next_masks: Any, n: int,
    ) -> None:  # fmt: skip
        start, end = self.position, self.position + n
        rows: Any = start if n == 1 else slice(start, end)
        if n == 1:  # plain indices are the quickest, and one environment the commonest
            observations, actions, next_observations = take(observations, 0), actions[0], take(next_observations, 0)
            rewards, terminated = rewards[0], terminated[0]
            discounts = discounts if isinstance(discounts, float) else discounts[0]
        elif end > self.capacity:
            rows = np.arange(start, end) % self.capacity
        put(self.observations, rows, observations)
        put(self.next_observations, rows, next_observations)
        self.actions[rows], self.rewards[rows] = actions, rewards
        self.terminated[rows], self.discounts[rows] = terminated, discounts
        if self.next_masks is not None:
            self.next_masks[rows] = True if next_masks is None else next_masks
        self.position = end % self.capacity
        self.size = min(self.size + n, self.capacity)

    def abandon(self) -> None:
        """Forget the windows that are not complete: their episodes do not go on."""
        self._pending_lengths[:] = 0

    # -- drawing ------------------------------------------------------------------------------------------------------

    def sample(self, batch_size: int, rng: np.random.Generator) -> Sample:
        """Windows drawn uniformly, with replacement."""
        if len(self._ones) != batch_size:
            self._ones = np.ones(batch_size, np.float32)
        return self._gather(rng.integers(0, self.size, batch_size), self._ones)

    def _gather(self, indices: NDArray[np.int64], weights: NDArray[np.float32]) -> Sample:
        return Sample(
            tree_map(lambda array: array.take(indices, axis=0), self.observations),
            self.actions.take(indices, axis=0),
            self.rewards.take(indices),
            tree_map(lambda array: array.take(indices, axis=0), self.next_observations),
            self.terminated.take(indices).astype(np.float32),
            self.discounts.take(indices),
            indices,
            weights,
            None if self.next_masks is None else self.next_masks.take(indices, axis=0),
        )

    # -- state --------------------------------------------------------------------------------------------------------

    def state_rows(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """The arrays of which the filled part is the state."""
        yield from _named("observations", self.observations)
        yield from _named("next_observations", self.next_observations)
        yield from (("actions", self.actions), ("rewards", self.rewards))
        yield from (("terminated", self.terminated), ("discounts", self.discounts))
        if self.next_masks is not None:
            yield "next_masks", self.next_masks

    def _pending(self) -> Iterator[tuple[str, NDArray[Any]]]:
        yield from _named("pending.observations", self._pending_observations)
        yield from (("pending.actions", self._pending_actions), ("pending.rewards", self._pending_rewards))
        yield from (("pending.discounts", self._pending_discounts), ("pending.lengths", self._pending_lengths))
        yield "pending.slot", self._slot

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        rows = {name: array[: self.size] for name, array in self.state_rows()}
        return rows | (dict(self._pending()) if self.n_step > 1 else {})

    def state_values(self) -> dict[str, Any]:
        return {"size": self.size, "position": self.position}

    def load_state(self, arrays: dict[str, NDArray[Any]], values: dict[str, Any]) -> None:
        size, position = values["size"], values["position"]
        full = size == self.capacity
        if type(size) is not int or type(position) is not int or not 0 <= size <= self.capacity:
            raise RecordError(f"the replay buffer holds {size!r} transitions, but its capacity is {self.capacity}")
        if not (0 <= position < self.capacity if full else position == size):
            raise RecordError(f"the replay buffer of {size} transitions is written at {position}")
        targets = {name: array[:size] for name, array in self.state_rows()}
        targets |= dict(self._pending()) if self.n_step > 1 else {}
        for name, target in targets.items():
            stored = arrays[name]
            if stored.shape != target.shape or stored.dtype != target.dtype:
                raise RecordError(
                    f"the replay buffer's {name} is {stored.dtype} {stored.shape}, not {target.dtype} {target.shape}"
                )
            if not self._in_range(name.removeprefix("pending."), stored):
                raise RecordError(f"the replay buffer's {name} holds values that it cannot hold")
            target[...] = stored
        self.size, self.position = size, position

    def _in_range(self, name: str, stored: NDArray[Any]) -> bool:
        if name == "actions" and self.n_actions is not None:
            return bool(np.all((stored >= 0) & (stored < self.n_actions)))
        if name == "discounts":
            return bool(np.all((stored >= 0) & (stored <= 1)))
        if name == "lengths":
            return bool(np.all((stored >= 0) & (stored < self.n_step)))
        if name == "slot":
            return bool(np.all((stored >= 0) & (stored < self.n_step)))
        return stored.dtype.kind != "f" or bool(np.isfinite(stored).all())


def _named(name: str, batch: Batch) -> Iterator[tuple[str, NDArray[Any]]]:
    if isinstance(batch, dict):
        yield from ((f"{name}.{key}", array) for key, array in batch.items())
    else:
        yield name, batch
