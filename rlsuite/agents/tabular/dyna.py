"""Learning and planning together: Dyna-Q, Dyna-Q+ and prioritised sweeping (Sutton & Barto 2018, chapter 8).

Every real transition teaches twice: directly, by Q-learning, and through a learned model, from which ``planning_steps``
further updates are made. Without planning steps Dyna-Q is Q-learning.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlsuite.agents.hyperparameters import hyperparameter
from rlsuite.agents.tabular.agent import ActionValueAgent
from rlsuite.agents.tabular.exploration import (
    Exploration,
    begin_episode,
    choose_action,
    make_exploration,
    max_value,
    step_size,
)
from rlsuite.agents.tabular.interaction import begins, observes
from rlsuite.agents.tabular.invariants import Sizes, invariant, within
from rlsuite.agents.tabular.kernels import kernel
from rlsuite.agents.tabular.learned_model import Model, make_model, model_row, recall, remember
from rlsuite.agents.tabular.priority_queue import PriorityQueue, dequeue, enqueue, make_queue
from rlsuite.agents.tabular.td_control import TDControlHyperparameters


@dataclass(frozen=True)
class DynaQHyperparameters(TDControlHyperparameters):
    """Fields of Dyna-Q."""

    planning_steps: int = hyperparameter(5, "updates from the model after each real step (the book's n)", low=0)
    outcomes: int = hyperparameter(
        1, "latest outcomes of a pair that the model keeps; 1 is the book's", low=1, high=1000
    )


@dataclass(frozen=True)
class DynaQPlusHyperparameters(DynaQHyperparameters):
    """Fields of Dyna-Q+."""

    kappa: float = hyperparameter(1e-3, "bonus kappa sqrt(steps since the pair was last tried)", low=0.0)


@dataclass(frozen=True)
class PrioritizedSweepingHyperparameters(TDControlHyperparameters):
    """Fields of prioritised sweeping."""

    planning_steps: int = hyperparameter(5, "updates from the queue after each real step (the book's n)", low=0)
    theta: float = hyperparameter(1e-4, "errors up to this are not queued", low=0.0)


class DynaQMemory(NamedTuple):
    q: NDArray[np.float64]  # (n_observations, n_actions)
    updates: NDArray[np.int64]  # (n_observations, n_actions)
    model: Model
    exploration: Exploration
    planning_steps: int
    gamma: float
    alpha: float
    alpha_power: float


class DynaQPlusMemory(NamedTuple):
    q: NDArray[np.float64]  # (n_observations, n_actions)
    updates: NDArray[np.int64]  # (n_observations, n_actions)
    model: Model
    time: NDArray[np.int64]  # (1,) real steps so far
    last_tried: NDArray[np.int64]  # (n_pairs,) when, by row of the model; 0 where never
    exploration: Exploration
    planning_steps: int
    kappa: float
    gamma: float
    alpha: float
    alpha_power: float


class PrioritizedSweepingMemory(NamedTuple):
    q: NDArray[np.float64]  # (n_observations, n_actions)
    updates: NDArray[np.int64]  # (n_observations, n_actions)
    model: Model
    queue: PriorityQueue  # of rows of the model
    predecessor: NDArray[np.int64]  # (n_observations,) first row that leads there, -1 where none does
    following: NDArray[np.int64]  # (n_pairs,) next row that leads to the same state, -1 at the end
    preceding: NDArray[np.int64]  # (n_pairs,) the row before it, -1 at the beginning
    exploration: Exploration
    planning_steps: int
    theta: float
    gamma: float
    alpha: float
    alpha_power: float


@invariant(PrioritizedSweepingMemory)
def predecessors_are_sound(m: PrioritizedSweepingMemory, sizes: Sizes) -> Iterator[tuple[bool, str]]:
    """Each state's list holds the rows that lead there, each once: otherwise following it might never end."""
    model, n_pairs = m.model, m.following.size
    for name in ("predecessor", "following", "preceding"):
        yield within(getattr(m, name), -1, n_pairs), name
    state = np.flatnonzero(m.predecessor >= 0)
    row, before, linked = m.predecessor[state], np.full(state.size, -1), 0
    while row.size:  # all lists at once: a row knows the one before it, so that no list comes to a row twice
        yield bool((m.preceding[row] == before).all()), "preceding"
        sound = (row < model.size[0]) & (model.next_state[row, 0] == state) & ~model.terminated[row, 0]
        yield bool(sound.all()), "following"
        linked += row.size
        more = m.following[row] >= 0
        state, before, row = state[more], row[more], m.following[row[more]]
    yield linked == int((~model.terminated[: model.size[0], 0]).sum()), "predecessor"


@begins(DynaQMemory, DynaQPlusMemory, PrioritizedSweepingMemory)
def begin_dyna(m, s, rng):
    """First action of an episode: one of the behaviour policy."""
    begin_episode(m.exploration)
    return choose_action(m.q, s, m.exploration, rng)


@kernel
def q_learning_error(m, s, a, r, s_next, terminated):
    """r + gamma max_b Q(s',b) - Q(s,a)."""
    discount = 0.0 if terminated else m.gamma  # selected, not branched on: planning meets ends unpredictably
    return r + discount * max_value(m.q, s_next) - m.q[s, a]


@kernel
def q_learning_update(m, s, a, r, s_next, terminated):
    """Q(s,a) += alpha [r + gamma max_b Q(s',b) - Q(s,a)] (eq. 6.8)."""
    error = q_learning_error(m, s, a, r, s_next, terminated)
    m.q[s, a] += step_size(m.alpha, m.alpha_power, m.updates, s, a) * error


@observes(DynaQMemory)
def observe_dyna_q(m, s, a, r, s_next, terminated, truncated, rng):
    """Tabular Dyna-Q (box in sec. 8.2): learn, remember, and learn from pairs recalled uniformly at random."""
    q_learning_update(m, s, a, r, s_next, terminated)
    if m.planning_steps > 0:
        remember(m.model, s, a, r, s_next, terminated)
    n_met = m.model.size[0]
    for _ in range(m.planning_steps):
        i = np.uint32(rng.random() * n_met)
        k = recall(m.model, i, rng)
        q_learning_update(
            m, m.model.state[i], m.model.action[i], m.model.reward[i, k], m.model.next_state[i, k],
            m.model.terminated[i, k],
        )  # fmt: skip
    if terminated or truncated:
        return 0
    return choose_action(m.q, s_next, m.exploration, rng)


@observes(DynaQPlusMemory)
def observe_dyna_q_plus(m, s, a, r, s_next, terminated, truncated, rng):
    """Dyna-Q with kappa sqrt(tau) added to each planned reward, tau the real steps since the pair was last tried.

    Actions never tried in a state that has been met are planned with too, as leading back to it with reward 0
    (sec. 8.3 and its footnote); their tau counts from the first step of all.
    """
    q_learning_update(m, s, a, r, s_next, terminated)
    m.time[0] += 1
    for b in range(m.q.shape[1]):
        model_row(m.model, s, b)
    m.last_tried[remember(m.model, s, a, r, s_next, terminated)] = m.time[0]
    for _ in range(m.planning_steps):
        i = int(rng.random() * m.model.size[0])
        k = recall(m.model, i, rng)
        bonus = m.kappa * math.sqrt(m.time[0] - m.last_tried[i])
        q_learning_update(
            m, m.model.state[i], m.model.action[i], m.model.reward[i, k] + bonus, m.model.next_state[i, k],
            m.model.terminated[i, k],
        )  # fmt: skip
    if terminated or truncated:
        return 0
    return choose_action(m.q, s_next, m.exploration, rng)


@kernel
def modelled_error(m, i):
    """The Q-learning error of row ``i`` of a model that keeps one outcome."""
    model = m.model
    return q_learning_error(
        m, model.state[i], model.action[i], model.reward[i, 0], model.next_state[i, 0], model.terminated[i, 0]
    )


@kernel
def unlink_predecessor(m, i):
    """Row ``i`` no longer counts as leading to its next state."""
    before, after = m.preceding[i], m.following[i]
    if before >= 0:
        m.following[before] = after
    else:
        m.predecessor[m.model.next_state[i, 0]] = after
    if after >= 0:
        m.preceding[after] = before


@kernel
def link_predecessor(m, i):
    """Row ``i`` leads to its next state."""
    head = m.predecessor[m.model.next_state[i, 0]]
    m.preceding[i], m.following[i] = -1, head
    if head >= 0:
        m.preceding[head] = i
    m.predecessor[m.model.next_state[i, 0]] = i


@observes(PrioritizedSweepingMemory)
def observe_prioritized_sweeping(m, s, a, r, s_next, terminated, truncated, rng):
    """Prioritised sweeping for a deterministic environment (box in sec. 8.4).

    The pair just tried is queued by its error; then the pairs of largest error are updated, and after each the pairs
    that lead to its state are queued by theirs. Outcomes that terminate do not depend on the next state's value, so
    they are nobody's predecessors.
    """
    i = m.model.row[s, a]
    if i >= 0 and not m.model.terminated[i, 0]:
        unlink_predecessor(m, i)
    i = remember(m.model, s, a, r, s_next, terminated)
    if not terminated:
        link_predecessor(m, i)
    error = abs(modelled_error(m, i))
    if error > m.theta:
        enqueue(m.queue, i, error)
    for _ in range(m.planning_steps):
        if m.queue.size[0] == 0:
            break
        i = dequeue(m.queue)
        x, b = m.model.state[i], m.model.action[i]
        m.q[x, b] += step_size(m.alpha, m.alpha_power, m.updates, x, b) * modelled_error(m, i)
        i = m.predecessor[x]
        while i >= 0:
            error = abs(modelled_error(m, i))
            if error > m.theta:
                enqueue(m.queue, i, error)
            i = m.following[i]
    if terminated or truncated:
        return 0
    return choose_action(m.q, s_next, m.exploration, rng)


class DynaQ(ActionValueAgent):
    """Dyna-Q (Sutton 1990; Sutton & Barto 2018, sec. 8.2)."""

    name = "dyna-q"
    Hyperparameters = DynaQHyperparameters

    def make_memory(self, n_observations: int, n_actions: int) -> DynaQMemory:
        h, shape = self.hyperparameters, (n_observations, n_actions)
        return DynaQMemory(
            q=np.full(shape, h.initial_value),
            updates=np.zeros(shape, np.int64),
            model=make_model(n_observations, n_actions, h.outcomes),
            exploration=make_exploration(h, n_observations, n_actions),
            planning_steps=h.planning_steps,
            gamma=h.gamma,
            alpha=h.alpha,
            alpha_power=h.alpha_power,
        )


class DynaQPlus(ActionValueAgent):
    """Dyna-Q+: a bonus for what was not tried for long, in a world that changes (Sutton 1990; sec. 8.3)."""

    name = "dyna-q-plus"
    Hyperparameters = DynaQPlusHyperparameters

    def make_memory(self, n_observations: int, n_actions: int) -> DynaQPlusMemory:
        h, shape = self.hyperparameters, (n_observations, n_actions)
        return DynaQPlusMemory(
            q=np.full(shape, h.initial_value),
            updates=np.zeros(shape, np.int64),
            model=make_model(n_observations, n_actions, h.outcomes),
            time=np.zeros(1, np.int64),
            last_tried=np.zeros(n_observations * n_actions, np.int64),
            exploration=make_exploration(h, n_observations, n_actions),
            planning_steps=h.planning_steps,
            kappa=h.kappa,
            gamma=h.gamma,
            alpha=h.alpha,
            alpha_power=h.alpha_power,
        )


class PrioritizedSweeping(ActionValueAgent):
    """Prioritised sweeping (Moore & Atkeson 1993; Peng & Williams 1993; Sutton & Barto 2018, sec. 8.4).

    Its model keeps one outcome per pair. Without planning steps it learns nothing: all its updates come off the queue.
    """

    name = "prioritized-sweeping"
    Hyperparameters = PrioritizedSweepingHyperparameters

    def make_memory(self, n_observations: int, n_actions: int) -> PrioritizedSweepingMemory:
        h, shape = self.hyperparameters, (n_observations, n_actions)
        n_pairs = n_observations * n_actions
        return PrioritizedSweepingMemory(
            q=np.full(shape, h.initial_value),
            updates=np.zeros(shape, np.int64),
            model=make_model(n_observations, n_actions, 1),
            queue=make_queue(n_pairs),
            predecessor=np.full(n_observations, -1, np.int64),
            following=np.full(n_pairs, -1, np.int64),
            preceding=np.full(n_pairs, -1, np.int64),
            exploration=make_exploration(h, n_observations, n_actions),
            planning_steps=h.planning_steps,
            theta=h.theta,
            gamma=h.gamma,
            alpha=h.alpha,
            alpha_power=h.alpha_power,
        )
