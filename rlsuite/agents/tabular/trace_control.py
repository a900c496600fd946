"""Control with eligibility traces: SARSA(lambda), Watkins's Q(lambda) (Sutton & Barto 2018, secs. 12.7, 12.10).

One error updates all pairs visited lately, each by its trace (:mod:`rlsuite.agents.tabular.traces`). Traces begin anew
with each episode.
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
    begin_episode,
    choose_action,
    make_exploration,
    max_value,
    step_size,
    withdraw_action,
)
from rlsuite.agents.tabular.interaction import begins, observes
from rlsuite.agents.tabular.kernels import kernel
from rlsuite.agents.tabular.td_control import TDControlHyperparameters
from rlsuite.agents.tabular.traces import DUTCH, KINDS, Traces, decay_traces, make_traces, mark_trace, reset_traces


@dataclass(frozen=True)
class SarsaLambdaHyperparameters(TDControlHyperparameters):
    """Fields of SARSA(lambda)."""

    lambda_: float = hyperparameter(0.8, "decay of the traces beside gamma", low=0.0, high=1.0)
    trace: str = hyperparameter("accumulating", "kind of eligibility trace; dutch is true online", choices=KINDS)


@dataclass(frozen=True)
class QLambdaHyperparameters(TDControlHyperparameters):
    """Fields of Watkins's Q(lambda); there is no true-online form of it."""

    lambda_: float = hyperparameter(0.8, "decay of the traces beside gamma", low=0.0, high=1.0)
    trace: str = hyperparameter("accumulating", "kind of eligibility trace", choices=KINDS[:2])


class SarsaLambdaMemory(NamedTuple):
    q: NDArray[np.float64]  # (n_observations, n_actions)
    updates: NDArray[np.int64]  # (n_observations, n_actions)
    traces: Traces
    q_old: NDArray[np.float64]  # (1,) value of the current pair before the latest update
    exploration: Exploration
    gamma: float
    alpha: float
    alpha_power: float
    decay: float  # gamma lambda


class QLambdaMemory(NamedTuple):
    q: NDArray[np.float64]  # (n_observations, n_actions)
    updates: NDArray[np.int64]  # (n_observations, n_actions)
    traces: Traces
    exploration: Exploration
    gamma: float
    alpha: float
    alpha_power: float
    decay: float  # gamma lambda


@kernel
def spread(m, error):
    """Q += error z, over the pairs that have a trace."""
    for i in range(m.traces.size[0]):
        m.q[m.traces.state[i], m.traces.action[i]] += error * m.traces.value[i]


@begins(SarsaLambdaMemory)
def begin_sarsa_lambda(m, s, rng):
    """First action of an episode: one of the behaviour policy; nothing is eligible."""
    reset_traces(m.traces)
    begin_episode(m.exploration)
    a = choose_action(m.q, s, m.exploration, rng)
    m.q_old[0] = m.q[s, a]
    return a


@observes(SarsaLambdaMemory)
def observe_sarsa_lambda(m, s, a, r, s_next, terminated, truncated, rng):
    """Q += delta z for all eligible pairs, delta = r + gamma Q(s',a') - Q(s,a) (sec. 12.7).

    With Dutch traces: Q += (delta + Q(s,a) - Q_old) z - alpha (Q(s,a) - Q_old) x, true online SARSA(lambda).
    """
    a_next, q_next = 0, 0.0
    if not terminated:
        a_next = choose_action(m.q, s_next, m.exploration, rng)
        q_next = m.q[s_next, a_next]
        if truncated:
            withdraw_action(m.exploration, s_next, a_next)
    delta = r + m.gamma * q_next - m.q[s, a]
    alpha = step_size(m.alpha, m.alpha_power, m.updates, s, a)
    drift = m.q[s, a] - m.q_old[0] if m.traces.kind == DUTCH else 0.0
    mark_trace(m.traces, s, a, alpha)
    spread(m, delta + drift)
    m.q[s, a] -= alpha * drift
    m.q_old[0] = q_next
    decay_traces(m.traces, m.decay)
    return a_next


@begins(QLambdaMemory)
def begin_q_lambda(m, s, rng):
    """First action of an episode: one of the behaviour policy; nothing is eligible."""
    reset_traces(m.traces)
    begin_episode(m.exploration)
    return choose_action(m.q, s, m.exploration, rng)


@observes(QLambdaMemory)
def observe_q_lambda(m, s, a, r, s_next, terminated, truncated, rng):
    """Q += delta z, delta = r + gamma max_b Q(s',b) - Q(s,a); a non-greedy action cuts all traces (sec. 12.10)."""
    target = r
    if not terminated:
        target += m.gamma * max_value(m.q, s_next)
    delta = target - m.q[s, a]
    mark_trace(m.traces, s, a, step_size(m.alpha, m.alpha_power, m.updates, s, a))
    spread(m, delta)
    if terminated or truncated:
        return 0
    a_next = choose_action(m.q, s_next, m.exploration, rng)
    if m.q[s_next, a_next] == max_value(m.q, s_next):
        decay_traces(m.traces, m.decay)
    else:
        reset_traces(m.traces)
    return a_next


class SarsaLambda(ActionValueAgent):
    """SARSA(lambda) with accumulating, replacing or Dutch traces (Rummery & Niranjan 1994; van Seijen et al. 2016).

    lambda = 0 is SARSA. A replacing trace is set for the pair visited; those of the state's other actions decay on.
    """

    name = "sarsa-lambda"
    Hyperparameters = SarsaLambdaHyperparameters

    def make_memory(self, n_observations: int, n_actions: int) -> SarsaLambdaMemory:
        h, shape = self.hyperparameters, (n_observations, n_actions)
        return SarsaLambdaMemory(
            q=np.full(shape, h.initial_value),
            updates=np.zeros(shape, np.int64),
            traces=make_traces(h.trace, n_observations, n_actions),
            q_old=np.zeros(1),
            exploration=make_exploration(h, n_observations, n_actions),
            gamma=h.gamma,
            alpha=h.alpha,
            alpha_power=h.alpha_power,
            decay=h.gamma * h.lambda_,
        )


class WatkinsQLambda(ActionValueAgent):
    """Watkins's Q(lambda): Q-learning whose error reaches back to the last action that was not greedy (Watkins 1989).

    lambda = 0 is Q-learning. Whether an action was greedy is judged by the values it was chosen by; exact ties count
    as greedy.
    """

    name = "q-lambda"
    Hyperparameters = QLambdaHyperparameters

    def make_memory(self, n_observations: int, n_actions: int) -> QLambdaMemory:
        h, shape = self.hyperparameters, (n_observations, n_actions)
        return QLambdaMemory(
            q=np.full(shape, h.initial_value),
            updates=np.zeros(shape, np.int64),
            traces=make_traces(h.trace, n_observations, n_actions),
            exploration=make_exploration(h, n_observations, n_actions),
            gamma=h.gamma,
            alpha=h.alpha,
            alpha_power=h.alpha_power,
            decay=h.gamma * h.lambda_,
        )
