"""Temporal-difference prediction: TD(0), n-step TD and TD(lambda).

All three move v(s) towards a target that contains the value of a later state (Sutton & Barto 2018, chapters 6, 7, 12).
With step sizes that meet the Robbins-Monro conditions they converge to v_pi with probability 1 in a table. Only
termination cuts off the value of the state reached; a time limit does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlsuite.agents.hyperparameters import hyperparameter
from rlsuite.agents.tabular.interaction import begins, observes
from rlsuite.agents.tabular.prediction import (
    PredictionAgent,
    PredictionHyperparameters,
    sample_action,
    state_step_size,
)
from rlsuite.agents.tabular.traces import (
    DUTCH,
    KINDS,
    Traces,
    decay_traces,
    make_traces,
    mark_trace,
    reset_traces,
)
from rlsuite.agents.tabular.window import (
    Window,
    clear_window,
    drop_oldest,
    make_window,
    n_step_return,
    push,
    window_is_full,
)


class TDMemory(NamedTuple):
    v: NDArray[np.float64]  # (n_observations,)
    policy: NDArray[np.float64]  # (n_observations, n_actions)
    updates: NDArray[np.int64]  # (n_observations,)
    gamma: float
    alpha: float
    alpha_power: float


@begins(TDMemory)
def begin_td(m, s, rng):
    """An action of the policy."""
    return sample_action(m.policy, s, rng)


@observes(TDMemory)
def observe_td(m, s, a, r, s_next, terminated, truncated, rng):
    """v(s) += alpha [r + gamma v(s') - v(s)] (eq. 6.2)."""
    target = r
    if not terminated:
        target += m.gamma * m.v[s_next]
    m.v[s] += state_step_size(m.alpha, m.alpha_power, m.updates, s) * (target - m.v[s])
    if terminated or truncated:
        return 0
    return sample_action(m.policy, s_next, rng)


class TD(PredictionAgent):
    """TD(0) (Sutton 1988; Sutton & Barto 2018, sec. 6.1)."""

    name = "td"
    Hyperparameters = PredictionHyperparameters

    def make_memory(self, n_observations: int, n_actions: int) -> TDMemory:
        h = self.hyperparameters
        return TDMemory(
            v=np.full(n_observations, h.initial_value),
            policy=self.policy_table(n_observations, n_actions),
            updates=np.zeros(n_observations, np.int64),
            gamma=h.gamma,
            alpha=h.alpha,
            alpha_power=h.alpha_power,
        )


@dataclass(frozen=True)
class NStepTDHyperparameters(PredictionHyperparameters):
    n: int = hyperparameter(4, "steps of reward before the target bootstraps", low=1, high=1_000_000)


class NStepTDMemory(NamedTuple):
    v: NDArray[np.float64]  # (n_observations,)
    policy: NDArray[np.float64]  # (n_observations, n_actions)
    updates: NDArray[np.int64]  # (n_observations,)
    window: Window
    gamma: float
    alpha: float
    alpha_power: float


@begins(NStepTDMemory)
def begin_n_step_td(m, s, rng):
    """An action of the policy; no state waits for its return."""
    clear_window(m.window)
    return sample_action(m.policy, s, rng)


@observes(NStepTDMemory)
def observe_n_step_td(m, s, a, r, s_next, terminated, truncated, rng):
    """v(s_t) += alpha [G_{t:t+n} - v(s_t)] (eq. 7.2); at the end of the episode, for every state that still waits."""
    push(m.window, s, a, r)
    ended = terminated or truncated
    while window_is_full(m.window) or (ended and m.window.size[0] > 0):
        target = n_step_return(m.window, 0.0 if terminated else m.v[s_next], m.gamma)
        x = m.window.state[m.window.first[0]]
        m.v[x] += state_step_size(m.alpha, m.alpha_power, m.updates, x) * (target - m.v[x])
        drop_oldest(m.window)
    return 0 if ended else sample_action(m.policy, s_next, rng)


class NStepTD(PredictionAgent):
    """n-step TD (Sutton & Barto 2018, sec. 7.1); n = 1 is TD(0), n beyond the episode's length is Monte Carlo."""

    name = "n-step-td"
    Hyperparameters = NStepTDHyperparameters

    def make_memory(self, n_observations: int, n_actions: int) -> NStepTDMemory:
        h = self.hyperparameters
        return NStepTDMemory(
            v=np.full(n_observations, h.initial_value),
            policy=self.policy_table(n_observations, n_actions),
            updates=np.zeros(n_observations, np.int64),
            window=make_window(h.n),
            gamma=h.gamma,
            alpha=h.alpha,
            alpha_power=h.alpha_power,
        )


@dataclass(frozen=True)
class TDLambdaHyperparameters(PredictionHyperparameters):
    lambda_: float = hyperparameter(0.8, "decay of the traces beside gamma", low=0.0, high=1.0)
    trace: str = hyperparameter("accumulating", "kind of eligibility trace; dutch is true online", choices=KINDS)


class TDLambdaMemory(NamedTuple):
    v: NDArray[np.float64]  # (n_observations,)
    policy: NDArray[np.float64]  # (n_observations, n_actions)
    updates: NDArray[np.int64]  # (n_observations,)
    traces: Traces
    v_old: NDArray[np.float64]  # (1,) value of the current state before the latest update
    gamma: float
    alpha: float
    alpha_power: float
    decay: float  # gamma lambda


@begins(TDLambdaMemory)
def begin_td_lambda(m, s, rng):
    """An action of the policy; nothing is eligible."""
    reset_traces(m.traces)
    m.v_old[0] = m.v[s]
    return sample_action(m.policy, s, rng)


@observes(TDLambdaMemory)
def observe_td_lambda(m, s, a, r, s_next, terminated, truncated, rng):
    """v += delta z for all eligible states, delta = r + gamma v(s') - v(s) (eqs. 12.6 and 12.7).

    With Dutch traces: v += (delta + v(s) - v_old) z - alpha (v(s) - v_old) x, true online TD(lambda) (sec. 12.5).
    """
    v_next = 0.0 if terminated else m.v[s_next]
    delta = r + m.gamma * v_next - m.v[s]
    alpha = state_step_size(m.alpha, m.alpha_power, m.updates, s)
    drift = m.v[s] - m.v_old[0] if m.traces.kind == DUTCH else 0.0
    mark_trace(m.traces, s, 0, alpha)
    for i in range(m.traces.size[0]):
        m.v[m.traces.state[i]] += (delta + drift) * m.traces.value[i]
    m.v[s] -= alpha * drift
    m.v_old[0] = v_next
    decay_traces(m.traces, m.decay)
    if terminated or truncated:
        return 0
    return sample_action(m.policy, s_next, rng)


class TDLambda(PredictionAgent):
    """TD(lambda): accumulating, replacing or Dutch traces.

    Dutch traces make it *true online* TD(lambda) (van Seijen & Sutton 2014; van Seijen et al. 2016): after every step
    its values are exactly those of the online lambda-return algorithm, which accumulating traces only approach for
    small step sizes. lambda = 0 is TD(0); lambda = 1 gives Monte Carlo's updates when they are made off line.
    """

    name = "td-lambda"
    Hyperparameters = TDLambdaHyperparameters

    def make_memory(self, n_observations: int, n_actions: int) -> TDLambdaMemory:
        h = self.hyperparameters
        return TDLambdaMemory(
            v=np.full(n_observations, h.initial_value),
            policy=self.policy_table(n_observations, n_actions),
            updates=np.zeros(n_observations, np.int64),
            traces=make_traces(h.trace, n_observations, 1),
            v_old=np.zeros(1),
            gamma=h.gamma,
            alpha=h.alpha,
            alpha_power=h.alpha_power,
            decay=h.gamma * h.lambda_,
        )
