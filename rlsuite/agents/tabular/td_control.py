"""One-step temporal-difference control: SARSA, expected SARSA, Q-learning and double Q-learning.

Each class is one update rule; ``observe`` is the rule, in the letters of Sutton & Barto (2018), chapter 6. Where an
episode is truncated by a time limit, the target still contains the value of the state reached; only termination cuts
it off.

With Robbins-Monro step sizes and every pair tried for ever, Q-learning, double Q-learning and expected SARSA with a
behaviour that becomes greedy converge to q* with probability 1, and so does SARSA (Singh et al. 2000). With a constant
epsilon, SARSA and expected SARSA learn the value of acting with that much exploration, not q*.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlsuite.agents.hyperparameters import hyperparameter
from rlsuite.agents.tabular.agent import ActionValueAgent
from rlsuite.agents.tabular.exploration import (
    Exploration,
    ExplorationHyperparameters,
    begin_episode,
    choose_action,
    expected_value,
    greedy_action,
    make_exploration,
    max_value,
    step_size,
    withdraw_action,
)
from rlsuite.agents.tabular.interaction import begins, observes
from rlsuite.agents.tabular.kernels import kernel


@dataclass(frozen=True)
class TDControlHyperparameters(ExplorationHyperparameters):
    """Fields of one-step TD control."""

    gamma: float = hyperparameter(0.99, "discount factor", low=0.0, high=1.0)
    alpha: float = hyperparameter(0.1, "step size", low=0.0, high=1.0, low_open=True)
    alpha_power: float = hyperparameter(
        0.0, "step size is alpha / n**alpha_power at the n-th update", low=0.0, high=1.0
    )
    initial_value: float = hyperparameter(0.0, "initial action values (high ones are optimistic)")


class SarsaMemory(NamedTuple):
    q: NDArray[np.float64]  # (n_observations, n_actions)
    updates: NDArray[np.int64]  # (n_observations, n_actions)
    exploration: Exploration
    gamma: float
    alpha: float
    alpha_power: float


class ExpectedSarsaMemory(NamedTuple):
    q: NDArray[np.float64]  # (n_observations, n_actions)
    updates: NDArray[np.int64]  # (n_observations, n_actions)
    exploration: Exploration
    gamma: float
    alpha: float
    alpha_power: float


class QLearningMemory(NamedTuple):
    q: NDArray[np.float64]  # (n_observations, n_actions)
    updates: NDArray[np.int64]  # (n_observations, n_actions)
    exploration: Exploration
    gamma: float
    alpha: float
    alpha_power: float


class DoubleQLearningMemory(NamedTuple):
    q: NDArray[np.float64]  # (n_observations, n_actions) mean of q1 and q2, which the behaviour follows
    q1: NDArray[np.float64]  # (n_observations, n_actions)
    q2: NDArray[np.float64]  # (n_observations, n_actions)
    updates1: NDArray[np.int64]  # (n_observations, n_actions)
    updates2: NDArray[np.int64]  # (n_observations, n_actions)
    exploration: Exploration
    gamma: float
    alpha: float
    alpha_power: float


def one_table_memory(memory_type: Any, h: TDControlHyperparameters, n_observations: int, n_actions: int) -> Any:
    """A memory with one table of action values and what :class:`TDControlHyperparameters` hold."""
    shape = (n_observations, n_actions)
    return memory_type(
        q=np.full(shape, h.initial_value),
        updates=np.zeros(shape, np.int64),
        exploration=make_exploration(h, n_observations, n_actions),
        gamma=h.gamma,
        alpha=h.alpha,
        alpha_power=h.alpha_power,
    )


@begins(SarsaMemory, ExpectedSarsaMemory, QLearningMemory, DoubleQLearningMemory)
def begin_control(m, s, rng):
    """First action of an episode: one of the behaviour policy."""
    begin_episode(m.exploration)
    return choose_action(m.q, s, m.exploration, rng)


@observes(SarsaMemory)
def observe_sarsa(m, s, a, r, s_next, terminated, truncated, rng):
    """Q(s,a) += alpha [r + gamma Q(s',a') - Q(s,a)], a' the action taken next (eq. 6.7)."""
    a_next = 0
    target = r
    if not terminated:
        a_next = choose_action(m.q, s_next, m.exploration, rng)
        target += m.gamma * m.q[s_next, a_next]
        if truncated:
            withdraw_action(m.exploration, s_next, a_next)
    m.q[s, a] += step_size(m.alpha, m.alpha_power, m.updates, s, a) * (target - m.q[s, a])
    return a_next


@observes(ExpectedSarsaMemory)
def observe_expected_sarsa(m, s, a, r, s_next, terminated, truncated, rng):
    """Q(s,a) += alpha [r + gamma sum_b pi(b|s') Q(s',b) - Q(s,a)], pi the behaviour policy (eq. 6.9)."""
    target = r
    if not terminated:
        target += m.gamma * expected_value(m.q, s_next, m.exploration)
    m.q[s, a] += step_size(m.alpha, m.alpha_power, m.updates, s, a) * (target - m.q[s, a])
    if terminated or truncated:
        return 0
    return choose_action(m.q, s_next, m.exploration, rng)


@observes(QLearningMemory)
def observe_q_learning(m, s, a, r, s_next, terminated, truncated, rng):
    """Q(s,a) += alpha [r + gamma max_b Q(s',b) - Q(s,a)] (eq. 6.8)."""
    target = r
    if not terminated:
        target += m.gamma * max_value(m.q, s_next)
    m.q[s, a] += step_size(m.alpha, m.alpha_power, m.updates, s, a) * (target - m.q[s, a])
    if terminated or truncated:
        return 0
    return choose_action(m.q, s_next, m.exploration, rng)


@kernel
def double_update(m, q, other, updates, s, a, r, s_next, terminated, rng):
    """Q1(s,a) += alpha [r + gamma Q2(s', argmax_b Q1(s',b)) - Q1(s,a)] (eq. 6.10)."""
    target = r
    if not terminated:
        target += m.gamma * other[s_next, greedy_action(q, s_next, rng)]
    q[s, a] += step_size(m.alpha, m.alpha_power, updates, s, a) * (target - q[s, a])


@observes(DoubleQLearningMemory)
def observe_double_q_learning(m, s, a, r, s_next, terminated, truncated, rng):
    """A fair coin says which table learns; the other one values the action that it finds best."""
    if rng.random() < 0.5:
        double_update(m, m.q1, m.q2, m.updates1, s, a, r, s_next, terminated, rng)
    else:
        double_update(m, m.q2, m.q1, m.updates2, s, a, r, s_next, terminated, rng)
    m.q[s, a] = 0.5 * (m.q1[s, a] + m.q2[s, a])
    if terminated or truncated:
        return 0
    return choose_action(m.q, s_next, m.exploration, rng)


class Sarsa(ActionValueAgent):
    """SARSA: on-policy TD control (Sutton & Barto 2018, sec. 6.4)."""

    name = "sarsa"
    Hyperparameters = TDControlHyperparameters

    def make_memory(self, n_observations: int, n_actions: int) -> SarsaMemory:
        return one_table_memory(SarsaMemory, self.hyperparameters, n_observations, n_actions)


class ExpectedSarsa(ActionValueAgent):
    """Expected SARSA: SARSA without the variance of the next action (van Seijen et al. 2009; sec. 6.6)."""

    name = "expected-sarsa"
    Hyperparameters = TDControlHyperparameters

    def make_memory(self, n_observations: int, n_actions: int) -> ExpectedSarsaMemory:
        return one_table_memory(ExpectedSarsaMemory, self.hyperparameters, n_observations, n_actions)


class QLearning(ActionValueAgent):
    """Q-learning: off-policy TD control (Watkins 1989; Sutton & Barto 2018, sec. 6.5)."""

    name = "q-learning"
    Hyperparameters = TDControlHyperparameters

    def make_memory(self, n_observations: int, n_actions: int) -> QLearningMemory:
        return one_table_memory(QLearningMemory, self.hyperparameters, n_observations, n_actions)


class DoubleQLearning(ActionValueAgent):
    """Double Q-learning: no maximisation bias (van Hasselt 2010; Sutton & Barto 2018, sec. 6.7).

    ``action_values`` is the mean of the two tables; acting greedily in it is acting greedily in their sum.
    """

    name = "double-q-learning"
    Hyperparameters = TDControlHyperparameters

    def make_memory(self, n_observations: int, n_actions: int) -> DoubleQLearningMemory:
        h, shape = self.hyperparameters, (n_observations, n_actions)
        return DoubleQLearningMemory(
            q=np.full(shape, h.initial_value),
            q1=np.full(shape, h.initial_value),
            q2=np.full(shape, h.initial_value),
            updates1=np.zeros(shape, np.int64),
            updates2=np.zeros(shape, np.int64),
            exploration=make_exploration(h, n_observations, n_actions),
            gamma=h.gamma,
            alpha=h.alpha,
            alpha_power=h.alpha_power,
        )
