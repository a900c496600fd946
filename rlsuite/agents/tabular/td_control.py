"""Temporal-difference control: SARSA and Q-learning (and their kin).

Each class is one update rule; ``observe`` is the rule, in the letters of Sutton & Barto (2018), chapter 6. Where an
episode is truncated by a time limit, the target still contains the value of the state reached; only termination cuts
it off.
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
    make_exploration,
    max_value,
    step_size,
)
from rlsuite.agents.tabular.interaction import begins, observes


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


class QLearningMemory(NamedTuple):
    q: NDArray[np.float64]  # (n_observations, n_actions)
    updates: NDArray[np.int64]  # (n_observations, n_actions)
    exploration: Exploration
    gamma: float
    alpha: float
    alpha_power: float


def _one_table(memory_type: Any, h: TDControlHyperparameters, n_observations: int, n_actions: int) -> Any:
    shape = (n_observations, n_actions)
    return memory_type(
        q=np.full(shape, h.initial_value),
        updates=np.zeros(shape, np.int64),
        exploration=make_exploration(h, n_observations, n_actions),
        gamma=h.gamma,
        alpha=h.alpha,
        alpha_power=h.alpha_power,
    )


@begins(SarsaMemory, QLearningMemory)
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
    m.q[s, a] += step_size(m.alpha, m.alpha_power, m.updates, s, a) * (target - m.q[s, a])
    return a_next


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


class Sarsa(ActionValueAgent):
    """SARSA: on-policy TD control (Sutton & Barto 2018, sec. 6.4)."""

    name = "sarsa"
    Hyperparameters = TDControlHyperparameters

    def make_memory(self, n_observations: int, n_actions: int) -> SarsaMemory:
        return _one_table(SarsaMemory, self.hyperparameters, n_observations, n_actions)


class QLearning(ActionValueAgent):
    """Q-learning: off-policy TD control (Watkins 1989; Sutton & Barto 2018, sec. 6.5)."""

    name = "q-learning"
    Hyperparameters = TDControlHyperparameters

    def make_memory(self, n_observations: int, n_actions: int) -> QLearningMemory:
        return _one_table(QLearningMemory, self.hyperparameters, n_observations, n_actions)
