"""n-step control: n-step SARSA and n-step tree backup (Sutton & Barto 2018, chapter 7).

A transition waits in a window until n rewards have followed it. At the end of an episode all that wait are updated, the
oldest first: after termination with the rewards there are, after truncation also with the value of the state reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlsuite.agents.hyperparameters import hyperparameter
from rlsuite.agents.tabular.agent import ActionValueAgent
from rlsuite.agents.tabular.exploration import (
    Exploration,
    action_probability,
    begin_episode,
    choose_action,
    expected_value,
    make_exploration,
    max_value,
    step_size,
    withdraw_action,
)
from rlsuite.agents.tabular.interaction import begins, observes
from rlsuite.agents.tabular.kernels import kernel
from rlsuite.agents.tabular.td_control import TDControlHyperparameters
from rlsuite.agents.tabular.window import (
    Window,
    clear_window,
    drop_oldest,
    make_window,
    n_step_return,
    push,
    window_is_full,
    window_place,
)

GREEDY, BEHAVIOUR = 0, 1
TARGETS = ("greedy", "behaviour")


@dataclass(frozen=True)
class NStepSarsaHyperparameters(TDControlHyperparameters):
    """Fields of n-step SARSA."""

    n: int = hyperparameter(4, "steps of reward before the target bootstraps", low=1, high=1_000_000)


@dataclass(frozen=True)
class TreeBackupHyperparameters(NStepSarsaHyperparameters):
    """Fields of n-step tree backup."""

    target: str = hyperparameter("greedy", "policy whose action values are learned", choices=TARGETS)


class NStepSarsaMemory(NamedTuple):
    q: NDArray[np.float64]  # (n_observations, n_actions)
    updates: NDArray[np.int64]  # (n_observations, n_actions)
    window: Window
    exploration: Exploration
    gamma: float
    alpha: float
    alpha_power: float


class TreeBackupMemory(NamedTuple):
    q: NDArray[np.float64]  # (n_observations, n_actions)
    updates: NDArray[np.int64]  # (n_observations, n_actions)
    window: Window
    exploration: Exploration
    target: int
    gamma: float
    alpha: float
    alpha_power: float


@begins(NStepSarsaMemory, TreeBackupMemory)
def begin_n_step_control(m, s, rng):
    """First action of an episode: one of the behaviour policy; no transition waits for its return."""
    clear_window(m.window)
    begin_episode(m.exploration)
    return choose_action(m.q, s, m.exploration, rng)


@kernel
def update_oldest(m, target):
    """Q(s_t,a_t) += alpha [target - Q(s_t,a_t)] for the oldest transition, which then leaves the window."""
    first = m.window.first[0]
    s, a = m.window.state[first], m.window.action[first]
    m.q[s, a] += step_size(m.alpha, m.alpha_power, m.updates, s, a) * (target - m.q[s, a])
    drop_oldest(m.window)


@observes(NStepSarsaMemory)
def observe_n_step_sarsa(m, s, a, r, s_next, terminated, truncated, rng):
    """Q(s_t,a_t) += alpha [G_{t:t+n} - Q(s_t,a_t)], the return ending in gamma^n Q(s_{t+n},a_{t+n}) (eqs. 7.4, 7.5)."""
    push(m.window, s, a, r)
    a_next = 0
    if not terminated:
        a_next = choose_action(m.q, s_next, m.exploration, rng)
        if truncated:
            withdraw_action(m.exploration, s_next, a_next)
    while window_is_full(m.window) or ((terminated or truncated) and m.window.size[0] > 0):
        update_oldest(m, n_step_return(m.window, 0.0 if terminated else m.q[s_next, a_next], m.gamma))
    return a_next


@kernel
def target_expectation(m, s):
    """sum_a pi(a|s) Q(s,a) under the target policy."""
    return max_value(m.q, s) if m.target == GREEDY else expected_value(m.q, s, m.exploration)


@kernel
def target_probability(m, s, a):
    """pi(a|s) of the target policy; greedy ties share."""
    if m.target == BEHAVIOUR:
        return action_probability(m.q, s, a, m.exploration)
    top, ties = max_value(m.q, s), 0
    for b in range(m.q.shape[1]):
        ties += m.q[s, b] == top
    return 1.0 / ties if m.q[s, a] == top else 0.0


@kernel
def tree_backup_return(m, s_next, terminated):
    """G_t = r + gamma [sum_{b != a} pi(b|s) Q(s,b) + pi(a|s) G_{t+1}], a the action taken in s (eqs. 7.15 and 7.16)."""
    newest = m.window.size[0] - 1
    g = m.window.reward[window_place(m.window, newest)]
    if not terminated:
        g += m.gamma * target_expectation(m, s_next)
    for k in range(newest, 0, -1):
        i = window_place(m.window, k)
        s, a = m.window.state[i], m.window.action[i]
        branch = target_expectation(m, s) + target_probability(m, s, a) * (g - m.q[s, a])
        g = m.window.reward[window_place(m.window, k - 1)] + m.gamma * branch
    return g


@observes(TreeBackupMemory)
def observe_tree_backup(m, s, a, r, s_next, terminated, truncated, rng):
    """Q(s_t,a_t) += alpha [G_{t:t+n} - Q(s_t,a_t)], the return being the tree's (sec. 7.5)."""
    push(m.window, s, a, r)
    ended = terminated or truncated
    while window_is_full(m.window) or (ended and m.window.size[0] > 0):
        update_oldest(m, tree_backup_return(m, s_next, terminated))
    return 0 if ended else choose_action(m.q, s_next, m.exploration, rng)


class NStepSarsa(ActionValueAgent):
    """n-step SARSA (Sutton & Barto 2018, sec. 7.2); n = 1 is SARSA."""

    name = "n-step-sarsa"
    Hyperparameters = NStepSarsaHyperparameters

    def make_memory(self, n_observations: int, n_actions: int) -> NStepSarsaMemory:
        h, shape = self.hyperparameters, (n_observations, n_actions)
        return NStepSarsaMemory(
            q=np.full(shape, h.initial_value),
            updates=np.zeros(shape, np.int64),
            window=make_window(h.n),
            exploration=make_exploration(h, n_observations, n_actions),
            gamma=h.gamma,
            alpha=h.alpha,
            alpha_power=h.alpha_power,
        )


class TreeBackup(ActionValueAgent):
    """n-step tree backup: off-policy without importance sampling (Precup et al. 2000; Sutton & Barto 2018, sec. 7.5).

    n = 1 is Q-learning with the greedy target and expected SARSA with the behaviour policy as target. With the greedy
    target the tree ends at the first action that was not greedy.
    """

    name = "tree-backup"
    Hyperparameters = TreeBackupHyperparameters

    def make_memory(self, n_observations: int, n_actions: int) -> TreeBackupMemory:
        h, shape = self.hyperparameters, (n_observations, n_actions)
        return TreeBackupMemory(
            q=np.full(shape, h.initial_value),
            updates=np.zeros(shape, np.int64),
            window=make_window(h.n),
            exploration=make_exploration(h, n_observations, n_actions),
            target=TARGETS.index(h.target),
            gamma=h.gamma,
            alpha=h.alpha,
            alpha_power=h.alpha_power,
        )
