r"""Monte Carlo prediction: v_pi(s) as the mean of the returns that followed visits to s.

The return of step t is :math:`G_t = R_{t+1} + \gamma G_{t+1}`, computed backwards when the episode is over.
*First-visit* methods average the returns of the first visits to s in each episode: independent, unbiased samples.
*Every-visit* methods average all: biased (returns of one episode overlap) but consistent, and often of smaller error
(Sutton & Barto 2018, sec. 5.1; Singh & Sutton 1996).

*Off-policy*, episodes follow a behaviour policy b and each return is weighted by the ratio of its probabilities under
the two policies, :math:`\rho_{t:T-1} = \prod_{k=t}^{T-1} \pi(A_k|S_k) / b(A_k|S_k)` (eq. 5.3). *Ordinary* importance
sampling averages :math:`\rho G` (eq. 5.5): unbiased for first visits, but its variance can be infinite. *Weighted*
importance sampling divides by the sum of the ratios instead (eq. 5.6): biased, the bias vanishing with the number of
episodes, and of far smaller variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.agents.hyperparameters import hyperparameter
from rlsuite.agents.tabular.interaction import begins, observes
from rlsuite.agents.tabular.prediction import (
    PredictionAgent,
    PredictionHyperparameters,
    checked_policy,
    sample_action,
    state_step_size,
)
from rlsuite.agents.tabular.trajectory import EVERY, VISITS, Trajectory, WholeEpisodes, begin_trajectory, record
from rlsuite.errors import HyperparameterError

ORDINARY, WEIGHTED = 0, 1
WEIGHTINGS = ("ordinary", "weighted")


@dataclass(frozen=True)
class MonteCarloPredictionHyperparameters(PredictionHyperparameters):
    """Fields of on-policy Monte Carlo prediction; the default step size is that of the sample average."""

    alpha: float = hyperparameter(1.0, "step size", low=0.0, high=1.0, low_open=True)
    alpha_power: float = hyperparameter(
        1.0, "step size is alpha / n**alpha_power at the n-th update", low=0.0, high=1.0
    )
    visit: str = hyperparameter("first", "which visits of an episode count", choices=VISITS)


@dataclass(frozen=True)
class OffPolicyHyperparameters:
    """Fields of off-policy Monte Carlo prediction."""

    gamma: float = hyperparameter(0.99, "discount factor", low=0.0, high=1.0)
    initial_value: float = hyperparameter(0.0, "state values before the first visit")
    visit: str = hyperparameter("first", "which visits of an episode count", choices=VISITS)
    weighting: str = hyperparameter("weighted", "how returns are weighted", choices=WEIGHTINGS)


class MonteCarloPredictionMemory(NamedTuple):
    v: NDArray[np.float64]  # (n_observations,)
    updates: NDArray[np.int64]  # (n_observations,)
    policy: NDArray[np.float64]  # (n_observations, n_actions)
    trajectory: Trajectory
    gamma: float
    alpha: float
    alpha_power: float
    visit: int


class OffPolicyPredictionMemory(NamedTuple):
    v: NDArray[np.float64]  # (n_observations,)
    total: NDArray[np.float64]  # (n_observations,) number of returns (ordinary), or sum of their ratios (weighted)
    policy: NDArray[np.float64]  # (n_observations, n_actions) target
    behaviour: NDArray[np.float64]  # (n_observations, n_actions)
    trajectory: Trajectory
    gamma: float
    visit: int
    weighting: int


@begins(MonteCarloPredictionMemory)
def begin_prediction(m, s, rng):
    """First action of an episode: one of the policy."""
    begin_trajectory(m.trajectory)
    return sample_action(m.policy, s, rng)


@begins(OffPolicyPredictionMemory)
def begin_off_policy(m, s, rng):
    """First action of an episode: one of the behaviour policy."""
    begin_trajectory(m.trajectory)
    return sample_action(m.behaviour, s, rng)


@observes(MonteCarloPredictionMemory)
def observe_prediction(m, s, a, r, s_next, terminated, truncated, rng):
    """V(S_t) += alpha [G_t - V(S_t)] for the visits that count, t = T-1 … 0 (sec. 5.1, eq. 6.1)."""
    record(m.trajectory, s, a, r, 1.0)
    if not (terminated or truncated):
        return sample_action(m.policy, s_next, rng)
    episode, g = m.trajectory, 0.0
    for t in range(episode.length[0] - 1, -1, -1):
        g = m.gamma * g + episode.r[t]
        if m.visit == EVERY or episode.first[t]:
            at = episode.s[t]
            m.v[at] += state_step_size(m.alpha, m.alpha_power, m.updates, at) * (g - m.v[at])
    return 0


@observes(OffPolicyPredictionMemory)
def observe_off_policy(m, s, a, r, s_next, terminated, truncated, rng):
    """V is the mean of rho G (eq. 5.5), or the mean of G weighted by rho (eqs. 5.7 and 5.8), over visits that count."""
    record(m.trajectory, s, a, r, m.policy[s, a] / m.behaviour[s, a])
    if not (terminated or truncated):
        return sample_action(m.behaviour, s_next, rng)
    episode, g, rho = m.trajectory, 0.0, 1.0
    for t in range(episode.length[0] - 1, -1, -1):
        g = m.gamma * g + episode.r[t]
        rho *= episode.weight[t]
        if m.visit == EVERY or episode.first[t]:
            at = episode.s[t]
            if m.weighting == ORDINARY:
                m.total[at] += 1.0
                m.v[at] += (rho * g - m.v[at]) / m.total[at]
            elif rho > 0.0:
                m.total[at] += rho
                m.v[at] += rho / m.total[at] * (g - m.v[at])
    return 0


class MonteCarloPrediction(WholeEpisodes, PredictionAgent):
    """On-policy Monte Carlo prediction, first- or every-visit (Sutton & Barto 2018, sec. 5.1)."""

    name = "mc-prediction"
    Hyperparameters = MonteCarloPredictionHyperparameters

    def make_memory(self, n_observations: int, n_actions: int) -> MonteCarloPredictionMemory:
        h = self.hyperparameters
        return MonteCarloPredictionMemory(
            v=np.full(n_observations, h.initial_value),
            updates=np.zeros(n_observations, np.int64),
            policy=self.policy_table(n_observations, n_actions),
            trajectory=Trajectory.zero(n_observations, 1),
            gamma=h.gamma,
            alpha=h.alpha,
            alpha_power=h.alpha_power,
            visit=VISITS.index(h.visit),
        )


class OffPolicyMonteCarloPrediction(WholeEpisodes, PredictionAgent):
    """Off-policy Monte Carlo prediction by importance sampling (Sutton & Barto 2018, secs. 5.5 and 5.6).

    Args:
        policy: ``(n_observations, n_actions)`` the target policy; ``None`` is the uniform random one.
        behaviour: ``(n_observations, n_actions)`` the policy that acts; ``None`` is the uniform random one.

    Raises:
        HyperparameterError: a policy is no table of distributions, or the target takes an action that the behaviour
            policy never takes (no coverage, so no ratio).
    """

    name = "off-policy-mc-prediction"
    Hyperparameters = OffPolicyHyperparameters

    def __init__(
        self, env: gym.Env[Any, Any] | str | None = None, *, behaviour: ArrayLike | None = None, **arguments: Any
    ) -> None:
        self._given_behaviour = behaviour
        super().__init__(env, **arguments)

    def make_memory(self, n_observations: int, n_actions: int) -> OffPolicyPredictionMemory:
        h, policy = self.hyperparameters, self.policy_table(n_observations, n_actions)
        return OffPolicyPredictionMemory(
            v=np.full(n_observations, h.initial_value),
            total=np.zeros(n_observations),
            policy=policy,
            behaviour=self._behaviour_table(policy),
            trajectory=Trajectory.zero(n_observations, 1),
            gamma=h.gamma,
            visit=VISITS.index(h.visit),
            weighting=WEIGHTINGS.index(h.weighting),
        )

    def _behaviour_table(self, policy: NDArray[np.float64]) -> NDArray[np.float64]:
        if self._given_behaviour is None:
            return np.full(policy.shape, 1.0 / policy.shape[1])
        n_observations, n_actions = policy.shape
        behaviour = checked_policy(self._given_behaviour, n_observations, n_actions, f"{self.name}.behaviour")
        uncovered = (policy > 0.0) & (behaviour == 0.0)
        if uncovered.any():
            s, a = np.argwhere(uncovered)[0]
            raise HyperparameterError(
                f"{self.name}: the policy takes action {a} in observation {s} with probability {policy[s, a]:g}, the "
                "behaviour never does; importance sampling needs every action of the policy to be tried"
            )
        return behaviour
