"""Monte Carlo control: policies improved by the returns of whole episodes (Sutton & Barto 2018, secs. 5.3, 5.4, 5.7).

* *Exploring starts*: every pair (s, a) has a chance to begin an episode, after which the greedy policy acts.
* *On-policy*: a soft policy acts, and the values learned are its own, exploration included.
* *Off-policy*: a soft policy acts, the values learned are those of the greedy policy, by weighted importance sampling.
  It learns only from the tails of episodes after the last action that was not greedy, hence slowly.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from rlsuite.agents.hyperparameters import hyperparameter
from rlsuite.agents.tabular.agent import ActionValueAgent
from rlsuite.agents.tabular.exploration import (
    Exploration,
    ExplorationHyperparameters,
    action_probability,
    begin_episode,
    choose_action,
    greedy_action,
    make_exploration,
    step_size,
)
from rlsuite.agents.tabular.interaction import begins, observes
from rlsuite.agents.tabular.kernels import kernel
from rlsuite.agents.tabular.trajectory import EVERY, VISITS, Trajectory, WholeEpisodes, begin_trajectory, record
from rlsuite.errors import ModelUnavailableError


@dataclass(frozen=True)
class MonteCarloHyperparameters:
    """Fields of Monte Carlo control by averaging returns."""

    gamma: float = hyperparameter(0.99, "discount factor", low=0.0, high=1.0)
    alpha: float = hyperparameter(1.0, "step size", low=0.0, high=1.0, low_open=True)
    alpha_power: float = hyperparameter(
        1.0, "step size is alpha / n**alpha_power at the n-th update; 1 is the sample average", low=0.0, high=1.0
    )
    initial_value: float = hyperparameter(0.0, "action values before the first visit")
    visit: str = hyperparameter("first", "which visits of an episode count", choices=VISITS)


@dataclass(frozen=True)
class MonteCarloControlHyperparameters(ExplorationHyperparameters, MonteCarloHyperparameters):
    """Fields of on-policy Monte Carlo control."""


@dataclass(frozen=True)
class OffPolicyMonteCarloHyperparameters(ExplorationHyperparameters):
    """Fields of off-policy Monte Carlo control; the behaviour policy must be soft, so UCB is not among its rules."""

    exploration: str = hyperparameter(
        "epsilon-greedy", "how actions are explored", choices=("epsilon-greedy", "softmax")
    )
    epsilon: float = hyperparameter(
        0.1, "probability of a uniform action (at the start, if it decays)", low=0.0, high=1.0, low_open=True
    )
    gamma: float = hyperparameter(0.99, "discount factor", low=0.0, high=1.0)
    initial_value: float = hyperparameter(0.0, "action values before the first visit")


class MonteCarloControlMemory(NamedTuple):
    q: NDArray[np.float64]  # (n_observations, n_actions)
    updates: NDArray[np.int64]  # (n_observations, n_actions)
    trajectory: Trajectory
    exploration: Exploration
    gamma: float
    alpha: float
    alpha_power: float
    visit: int


class ExploringStartsMemory(NamedTuple):
    q: NDArray[np.float64]  # (n_observations, n_actions)
    updates: NDArray[np.int64]  # (n_observations, n_actions)
    trajectory: Trajectory
    gamma: float
    alpha: float
    alpha_power: float
    visit: int


class OffPolicyControlMemory(NamedTuple):
    q: NDArray[np.float64]  # (n_observations, n_actions)
    total: NDArray[np.float64]  # (n_observations, n_actions) sum of the weights, C
    trajectory: Trajectory
    exploration: Exploration
    gamma: float


@kernel
def average_returns(m):
    """Q(S_t,A_t) += alpha [G_t - Q(S_t,A_t)] for the visits that count, t = T-1 … 0."""
    episode, g = m.trajectory, 0.0
    for t in range(episode.length[0] - 1, -1, -1):
        g = m.gamma * g + episode.r[t]
        if m.visit == EVERY or episode.first[t]:
            s, a = episode.s[t], episode.a[t]
            m.q[s, a] += step_size(m.alpha, m.alpha_power, m.updates, s, a) * (g - m.q[s, a])


@kernel
def first_maximiser(q, s):
    """argmax_a q[s, a], the first of equals: the target policy."""
    best = 0
    for a in range(1, q.shape[1]):
        if q[s, a] > q[s, best]:
            best = a
    return best


@begins(MonteCarloControlMemory, OffPolicyControlMemory)
def begin_control(m, s, rng):
    """First action of an episode: one of the behaviour policy."""
    begin_trajectory(m.trajectory)
    begin_episode(m.exploration)
    return choose_action(m.q, s, m.exploration, rng)


@begins(ExploringStartsMemory)
def begin_exploring_starts(m, s, rng):
    """First action of an episode: any, with equal probability."""
    begin_trajectory(m.trajectory)
    return int(rng.random() * m.q.shape[1])


@observes(MonteCarloControlMemory)
def observe_control(m, s, a, r, s_next, terminated, truncated, rng):
    """Average the returns of the soft policy that acts (sec. 5.4)."""
    record(m.trajectory, s, a, r, 1.0)
    if not (terminated or truncated):
        return choose_action(m.q, s_next, m.exploration, rng)
    average_returns(m)
    return 0


@observes(ExploringStartsMemory)
def observe_exploring_starts(m, s, a, r, s_next, terminated, truncated, rng):
    """Average the returns of the greedy policy after a random first action (sec. 5.3)."""
    record(m.trajectory, s, a, r, 1.0)
    if not (terminated or truncated):
        return greedy_action(m.q, s_next, rng)
    average_returns(m)
    return 0


@observes(OffPolicyControlMemory)
def observe_off_policy(m, s, a, r, s_next, terminated, truncated, rng):
    """C += W, Q += W/C [G - Q] from the end of the episode back to the last action that is not greedy (sec. 5.7).

    The values stand still while an episode runs, so b(A_t|S_t) may be asked for after A_t was chosen; only a decaying
    epsilon has moved on, by one step.
    """
    m.exploration.step[0] -= 1
    b = action_probability(m.q, s, a, m.exploration)
    m.exploration.step[0] += 1
    record(m.trajectory, s, a, r, 1.0 / b)
    if not (terminated or truncated):
        return choose_action(m.q, s_next, m.exploration, rng)
    episode, g, w = m.trajectory, 0.0, 1.0
    for t in range(episode.length[0] - 1, -1, -1):
        at, done = episode.s[t], episode.a[t]
        g = m.gamma * g + episode.r[t]
        m.total[at, done] += w
        m.q[at, done] += w / m.total[at, done] * (g - m.q[at, done])
        if done != first_maximiser(m.q, at):
            break
        w *= episode.weight[t]
    return 0


class MonteCarloControl(WholeEpisodes, ActionValueAgent):
    """On-policy Monte Carlo control for soft policies (Sutton & Barto 2018, sec. 5.4).

    With constant epsilon it approaches the best policy among the epsilon-soft ones; let epsilon decay for the optimum.
    """

    name = "mc-control"
    Hyperparameters = MonteCarloControlHyperparameters

    def make_memory(self, n_observations: int, n_actions: int) -> MonteCarloControlMemory:
        h = self.hyperparameters
        return MonteCarloControlMemory(
            q=np.full((n_observations, n_actions), h.initial_value),
            updates=np.zeros((n_observations, n_actions), np.int64),
            trajectory=Trajectory.zero(n_observations, n_actions),
            exploration=make_exploration(h, n_observations, n_actions),
            gamma=h.gamma,
            alpha=h.alpha,
            alpha_power=h.alpha_power,
            visit=VISITS.index(h.visit),
        )


class MonteCarloExploringStarts(WholeEpisodes, ActionValueAgent):
    """Monte Carlo ES: control with exploring starts (Sutton & Barto 2018, sec. 5.3).

    Episodes begin in any state that an agent can come to, with any action, all equally probable: the agent chooses the
    first state, which takes the dynamics (``agent.mdp.initial`` is that distribution, not the environment's). Where a
    greedy policy may walk in circles, give it a ``time_limit``.

    Raises:
        ModelUnavailableError: the environment does not expose its dynamics, or ``compiled=False``.
    """

    name = "mc-exploring-starts"
    Hyperparameters = MonteCarloHyperparameters

    def __init__(self, env: gym.Env[Any, Any] | str | None = None, **arguments: Any) -> None:
        super().__init__(env, **arguments)
        if self.mdp is None:
            raise ModelUnavailableError(
                f"{self.name} starts episodes in states of its own choice, which needs the environment's dynamics; "
                "this one does not expose them (or compiled=False was asked for); mc-control does without"
            )
        reachable = self.mdp.reachable
        self.mdp = dataclasses.replace(self.mdp, initial=reachable / reachable.sum())

    def make_memory(self, n_observations: int, n_actions: int) -> ExploringStartsMemory:
        h = self.hyperparameters
        return ExploringStartsMemory(
            q=np.full((n_observations, n_actions), h.initial_value),
            updates=np.zeros((n_observations, n_actions), np.int64),
            trajectory=Trajectory.zero(n_observations, n_actions),
            gamma=h.gamma,
            alpha=h.alpha,
            alpha_power=h.alpha_power,
            visit=VISITS.index(h.visit),
        )


class OffPolicyMonteCarloControl(WholeEpisodes, ActionValueAgent):
    """Off-policy Monte Carlo control by weighted importance sampling (Sutton & Barto 2018, sec. 5.7)."""

    name = "off-policy-mc-control"
    Hyperparameters = OffPolicyMonteCarloHyperparameters

    def make_memory(self, n_observations: int, n_actions: int) -> OffPolicyControlMemory:
        h = self.hyperparameters
        return OffPolicyControlMemory(
            q=np.full((n_observations, n_actions), h.initial_value),
            total=np.zeros((n_observations, n_actions)),
            trajectory=Trajectory.zero(n_observations, n_actions),
            exploration=make_exploration(h, n_observations, n_actions),
            gamma=h.gamma,
        )
