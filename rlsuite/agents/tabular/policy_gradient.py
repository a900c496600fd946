r"""Policy gradient on tabular softmax policies: REINFORCE and the one-step actor-critic.

The policy is :math:`\pi(a|s) = e^{\theta(s,a)} / \sum_b e^{\theta(s,b)}` (Sutton & Barto 2018, eqs. 13.2 and 13.3 with
one feature per pair), over *observations*: where several states look alike, the best such policy may be stochastic, and
these methods find it while greedy policies cannot (Example 13.1). For the return from the start,
:math:`J(\theta) = v_{\pi}(s_0)`, the gradient is

.. math:: \nabla J(\theta) = E_\pi \Big[ \sum_t \gamma^t \, (G_t - b(S_t)) \, \nabla \ln \pi(A_t|S_t) \Big],
          \qquad \frac{\partial \ln \pi(a|s)}{\partial \theta(s,b)} = 1[a = b] - \pi(b|s)

(eqs. 13.8 and 13.11) for any baseline b that does not depend on the action. Many implementations leave out
:math:`\gamma^t`, which then is no gradient of anything but often learns faster; ``discounted_gradient=False`` does so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlsuite.agents.hyperparameters import hyperparameter
from rlsuite.agents.tabular.agent import TabularAgent
from rlsuite.agents.tabular.exploration import max_value
from rlsuite.agents.tabular.interaction import begins, observes
from rlsuite.agents.tabular.kernels import kernel
from rlsuite.agents.tabular.trajectory import Trajectory, WholeEpisodes, begin_trajectory, record

NO_BASELINE, STATE_VALUE = 0, 1
BASELINES = ("none", "state-value")


@dataclass(frozen=True)
class PolicyGradientHyperparameters:
    """Fields of methods with a softmax policy and state values."""

    gamma: float = hyperparameter(0.99, "discount factor", low=0.0, high=1.0)
    alpha_policy: float = hyperparameter(0.1, "step size of the policy parameters", low=0.0, low_open=True)
    alpha_value: float = hyperparameter(0.1, "step size of the state values", low=0.0, high=1.0, low_open=True)
    discounted_gradient: bool = hyperparameter(True, "whether step t is weighted by gamma**t, as the gradient of J is")
    initial_value: float = hyperparameter(0.0, "initial state values")


@dataclass(frozen=True)
class ReinforceHyperparameters(PolicyGradientHyperparameters):
    """Fields of REINFORCE."""

    baseline: str = hyperparameter("state-value", "what is subtracted from the return", choices=BASELINES)


class ReinforceMemory(NamedTuple):
    theta: NDArray[np.float64]  # (n_observations, n_actions)
    v: NDArray[np.float64]  # (n_observations,) baseline
    trajectory: Trajectory
    gamma: float
    alpha_policy: float
    alpha_value: float
    discounted_gradient: bool
    baseline: int


class ActorCriticMemory(NamedTuple):
    theta: NDArray[np.float64]  # (n_observations, n_actions)
    v: NDArray[np.float64]  # (n_observations,) critic
    discount: NDArray[np.float64]  # (1,) gamma**t
    gamma: float
    alpha_policy: float
    alpha_value: float
    discounted_gradient: bool


@kernel
def softmax_weight(theta, s):
    """sum_b exp(theta[s, b] - max theta[s]), the normaliser of row s."""
    top, total = max_value(theta, s), 0.0
    for b in range(theta.shape[1]):
        total += math.exp(theta[s, b] - top)
    return total


@kernel
def sample_softmax(theta, s, rng):
    """An action of the softmax policy; one random number."""
    top, u, cumulative = max_value(theta, s), rng.random() * softmax_weight(theta, s), 0.0
    for a in range(theta.shape[1]):
        cumulative += math.exp(theta[s, a] - top)
        if cumulative > u:
            return a
    return theta.shape[1] - 1


@kernel
def add_score(theta, s, a, scale):
    """theta[s] += scale * grad ln pi(a|s), the gradient taken before theta changes."""
    top, total = max_value(theta, s), softmax_weight(theta, s)
    for b in range(theta.shape[1]):
        probability = math.exp(theta[s, b] - top) / total
        theta[s, b] += scale * ((1.0 if a == b else 0.0) - probability)


@begins(ReinforceMemory)
def begin_reinforce(m, s, rng):
    """First action of an episode."""
    begin_trajectory(m.trajectory)
    return sample_softmax(m.theta, s, rng)


@begins(ActorCriticMemory)
def begin_actor_critic(m, s, rng):
    """First action of an episode; I = 1."""
    m.discount[0] = 1.0
    return sample_softmax(m.theta, s, rng)


@observes(ReinforceMemory)
def observe_reinforce(m, s, a, r, s_next, terminated, truncated, rng):
    """theta += alpha gamma^t (G_t - v(S_t)) grad ln pi(A_t|S_t) for t = 0 … T-1, the episode being over (sec. 13.4).

    v(S_t) += alpha_value [G_t - v(S_t)] goes along; without baseline it is learned but not subtracted. Later terms are
    taken at parameters that earlier ones have moved, as in the book: in the limit of small steps the expected increment
    is the gradient, and large steps overshoot less than if all were taken at once.
    """
    record(m.trajectory, s, a, r, 1.0)
    if not (terminated or truncated):
        return sample_softmax(m.theta, s_next, rng)
    episode, length, g = m.trajectory, m.trajectory.length[0], 0.0
    for t in range(length - 1, -1, -1):
        g = m.gamma * g + episode.r[t]
        episode.r[t] = g  # the reward is not needed any more: from here on r[t] holds G_t
    discount = 1.0
    for t in range(length):
        at, g = episode.s[t], episode.r[t]
        delta = g - m.v[at]
        m.v[at] += m.alpha_value * delta
        advantage = delta if m.baseline == STATE_VALUE else g
        add_score(m.theta, at, episode.a[t], m.alpha_policy * discount * advantage)
        if m.discounted_gradient:
            discount *= m.gamma
    return 0


@observes(ActorCriticMemory)
def observe_actor_critic(m, s, a, r, s_next, terminated, truncated, rng):
    """delta = r + gamma v(s') - v(s); v(s) += alpha_value delta; theta += alpha I delta grad ln pi; I *= gamma.

    One-step actor-critic (sec. 13.5). A truncated episode still counts v(s').
    """
    delta = r - m.v[s]
    if not terminated:
        delta += m.gamma * m.v[s_next]
    m.v[s] += m.alpha_value * delta
    add_score(m.theta, s, a, m.alpha_policy * m.discount[0] * delta)
    if m.discounted_gradient:
        m.discount[0] *= m.gamma
    if terminated or truncated:
        return 0
    return sample_softmax(m.theta, s_next, rng)


class SoftmaxPolicyAgent(TabularAgent):
    """A learner of policy parameters ``memory.theta`` and state values ``memory.v``."""

    kind: ClassVar = "control"

    @property
    def state_values(self) -> NDArray[np.float64]:
        """``(n_observations,)`` the learned v of the policy."""
        return np.asarray(self.memory.v)

    def target_policy(self) -> NDArray[np.float64]:
        """``(n_observations, n_actions)`` the softmax policy itself; it is learned to be random where that is best."""
        theta = self.memory.theta
        weight = np.exp(theta - theta.max(axis=1, keepdims=True))
        return np.asarray(weight / weight.sum(axis=1, keepdims=True))


class TabularReinforce(WholeEpisodes, SoftmaxPolicyAgent):
    """REINFORCE, with or without baseline (Williams 1992; Sutton & Barto 2018, secs. 13.3 and 13.4)."""

    name = "tabular-reinforce"
    Hyperparameters = ReinforceHyperparameters

    def make_memory(self, n_observations: int, n_actions: int) -> ReinforceMemory:
        h = self.hyperparameters
        return ReinforceMemory(
            theta=np.zeros((n_observations, n_actions)),
            v=np.full(n_observations, h.initial_value),
            trajectory=Trajectory.zero(n_observations, 1),
            gamma=h.gamma,
            alpha_policy=h.alpha_policy,
            alpha_value=h.alpha_value,
            discounted_gradient=h.discounted_gradient,
            baseline=BASELINES.index(h.baseline),
        )


class TabularActorCritic(SoftmaxPolicyAgent):
    """One-step actor-critic (Sutton & Barto 2018, sec. 13.5)."""

    name = "tabular-actor-critic"
    Hyperparameters = PolicyGradientHyperparameters

    def make_memory(self, n_observations: int, n_actions: int) -> ActorCriticMemory:
        h = self.hyperparameters
        return ActorCriticMemory(
            theta=np.zeros((n_observations, n_actions)),
            v=np.full(n_observations, h.initial_value),
            discount=np.ones(1),
            gamma=h.gamma,
            alpha_policy=h.alpha_policy,
            alpha_value=h.alpha_value,
            discounted_gradient=h.discounted_gradient,
        )
