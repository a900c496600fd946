"""Prioritised replay: transitions are drawn in proportion to a power of their last error (Schaul et al. 2016).

    P(i) = p_i^alpha / sum_k p_k^alpha,   p_i = |error_i| + eps            (equation 1, proportional variant)
    w_i  = (N P(i))^-beta / max_j w_j                                     (section 3.4, j over the minibatch)

New transitions get the largest priority so far, so that each is seen soon. A minibatch of k is drawn stratified: one
from each of k ranges of equal probability, so the expected number of draws of i is exactly k P(i).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.agents.deep.replay import ReplayBuffer, Sample
from rlsuite.errors import RecordError

_CHILDREN = 64


class SumTree:
    """Numbers >= 0 under repeated change, drawn in proportion to their size.

    A tree of sums with 64 children to a node: a million leaves are four levels, and both change and search handle a
    whole batch at once. Every sum is computed from its children, never by adding differences, so no error builds up.

    Attributes:
        leaves: ``(n,)``.
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self.levels: list[NDArray[np.float64]] = []  # (nodes, 64) each, root last
        while not self.levels or len(self.levels[-1]) > 1:
            n = -(-n // _CHILDREN)
            self.levels.append(np.zeros((n, _CHILDREN)))
        self.leaves = self.levels[0].reshape(-1)[: self.n]

    @property
    def total(self) -> float:
        return float(self.levels[-1].sum())

    def refresh(self, indices: NDArray[np.int64]) -> None:
        """Bring the sums above changed leaves up to date."""
        for level, above in zip(self.levels[:-1], self.levels[1:], strict=True):
            indices = np.unique(indices // _CHILDREN)
            above.reshape(-1)[indices] = level[indices].sum(axis=1)

    def find(self, mass: NDArray[np.float64]) -> NDArray[np.int64]:
        """For each of ``mass`` in [0, total): the leaf in whose stretch of the cumulative sum it lies."""
        node = np.zeros(len(mass), np.int64)
        for level in reversed(self.levels):
            ends = np.cumsum(level[node], axis=1)
            mass = np.minimum(mass, np.nextafter(ends[:, -1], 0.0))  # rounding must not lead past the last one
            child = (ends <= mass[:, None]).sum(axis=1)
            mass = mass - np.where(child > 0, ends[np.arange(len(mass)), child - 1], 0.0)
            node = node * _CHILDREN + child
        return node


class PrioritisedReplay(ReplayBuffer):
    """:class:`ReplayBuffer` with proportional priorities.

    Attributes:
        alpha: 0 is uniform sampling, 1 fully proportional.
        beta: 0 leaves the bias of sampling, 1 corrects it fully; agents raise it to 1 while they learn.
        eps: added to every error, so that none is never drawn again.
    """

    def __init__(self, *args: Any, alpha: float = 0.6, beta: float = 0.4, eps: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.alpha, self.beta, self.eps = alpha, beta, eps
        self.tree = SumTree(self.capacity)
        self._largest = 1.0  # of p_i^alpha so far
        self._stale: list[NDArray[np.int64]] = []  # leaves whose sums are not up to date

    def _store(self, *fields: Any) -> None:
        rows = np.arange(self.position, self.position + fields[-1]) % self.capacity
        super()._store(*fields)
        self.tree.leaves[rows] = self._largest
        self._stale.append(rows)

    def sample(self, batch_size: int, rng: np.random.Generator) -> Sample:
        """Windows drawn stratified in proportion to their priorities, with importance weights."""
        if self._stale:
            self.tree.refresh(np.concatenate(self._stale))
            self._stale.clear()
        total = self.tree.total
        indices = self.tree.find((np.arange(batch_size) + rng.random(batch_size)) * (total / batch_size))
        probabilities = self.tree.leaves[indices] / total
        weights = (self.size * probabilities) ** -self.beta
        return self._gather(indices, (weights / weights.max()).astype(np.float32))

    def update(self, indices: NDArray[np.int64], errors: NDArray[Any]) -> None:
        """Set the priorities of rows from their newest errors; of a row that comes twice, the last counts."""
        priorities = (np.abs(errors.astype(np.float64)) + self.eps) ** self.alpha
        self._largest = max(self._largest, float(priorities.max()))
        self.tree.leaves[indices] = priorities
        self._stale.append(indices)

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        return super().state_arrays() | {"priorities": self.tree.leaves[: self.size]}

    def state_values(self) -> dict[str, Any]:
        return super().state_values() | {"largest": self._largest}

    def load_state(self, arrays: dict[str, NDArray[Any]], values: dict[str, Any]) -> None:
        super().load_state(arrays, values)
        priorities, largest = arrays["priorities"], values["largest"]
        if priorities.shape != (self.size,) or priorities.dtype != np.float64:
            raise RecordError(f"the replay buffer has {priorities.shape} priorities for {self.size} transitions")
        if type(largest) is not float or not (0 < largest < np.inf):
            raise RecordError(f"the largest priority is {largest!r}")
        if not np.all((priorities > 0) & (priorities <= largest)):
            raise RecordError("the replay buffer holds priorities that are not in (0, largest]")
        self.tree.leaves[: self.size] = priorities
        self._largest = largest
        self._stale = [np.arange(self.size)]
