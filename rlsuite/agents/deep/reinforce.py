r"""REINFORCE (Williams 1992): the Monte-Carlo policy gradient, learning from whole episodes, with a choice of baselines.

The gradient of the expected discounted return from the start is estimated by

.. math:: \nabla J(\theta) \approx \frac{1}{m} \sum_{\text{episodes}} \sum_t \gamma^t \,
          (G_t - b(s_t)) \, \nabla \ln \pi_\theta(a_t|s_t)

(Sutton & Barto 2018, eqs. 13.8 and 13.11), without bias for any baseline b that does not depend on the action; a good
one lowers the variance. ``discounted_gradient=False`` leaves out :math:`\gamma^t`, as most implementations do.

========== =====================================================================================
baseline   b
========== =====================================================================================
none       0
constant   the hyperparameter ``baseline_value``
learned    one number, moved towards the mean of the returns by ``baseline_rate``
state      a network of the state, fitted to the returns by least squares
========== =====================================================================================

Returns of truncated episodes go on with b of the true successor where b is a network of the state; without one, what
lies behind the limit is unknown and counts as 0.

With several environments an episode that spans two updates counts from the second one on only, yet as one of the m: the
estimate is exactly unbiased with one environment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rlsuite.agents.deep.advantages import n_step_returns
from rlsuite.agents.deep.policies import values_of
from rlsuite.agents.deep.ppo import normalised
from rlsuite.agents.deep.rollouts import SCHEDULES, Experience, OnPolicyAgent, OnPolicyHyperparameters, Rollout
from rlsuite.agents.deep.schedules import annealed
from rlsuite.agents.deep.vector import Transitions
from rlsuite.agents.hyperparameters import hyperparameter
from rlsuite.errors import RecordError

BASELINES = ("none", "constant", "learned", "state")


@dataclass(frozen=True)
class ReinforceHyperparameters(OnPolicyHyperparameters):
    """Fields of REINFORCE."""

    learning_rate: float = hyperparameter(1e-3, "step size of Adam", low=0.0, low_open=True)
    learning_rate_schedule: str = hyperparameter("constant", "constant, or linear down to 0", choices=SCHEDULES)
    n_episodes: int = hyperparameter(1, "episodes of each environment per update", low=1)
    baseline: str = hyperparameter("state", "what is subtracted from the return", choices=BASELINES)
    baseline_value: float = hyperparameter(0.0, "the constant baseline, and where the learned one begins")
    baseline_rate: float = hyperparameter(0.1, "step size of the learned baseline", low=0.0, high=1.0, low_open=True)
    discounted_gradient: bool = hyperparameter(False, "whether step t of an episode is weighted by gamma**t")
    normalize_advantage: bool = hyperparameter(False, "whether G - b of an update have mean 0 and std 1")
    ent_coef: float = hyperparameter(0.0, "weight of the entropy", low=0.0)
    vf_coef: float = hyperparameter(0.5, "weight of the squared error of the state's baseline", low=0.0)
    max_grad_norm: float | None = hyperparameter(None, "norm to which the gradient is clipped", low=0.0, low_open=True)


class ScalarBaseline:
    """One number b, moved by b <- b + rate (mean return - b): a gradient step on the squared error."""

    def __init__(self, value: float, rate: float) -> None:
        self.value, self.rate = value, rate

    def update(self, returns: NDArray[np.float64]) -> None:
        self.value += self.rate * (float(returns.mean()) - self.value)

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        return {}

    def state_values(self) -> dict[str, Any]:
        return {"value": self.value}

    def load_state(self, arrays: dict[str, NDArray[Any]], values: dict[str, Any]) -> None:
        if type(values["value"]) is not float or not np.isfinite(values["value"]):
            raise RecordError(f"the learned baseline is {values['value']!r}, no finite number")
        self.value = values["value"]


class Reinforce(OnPolicyAgent):
    """Monte-Carlo policy gradient."""

    name = "reinforce"
    Hyperparameters = ReinforceHyperparameters
    hyperparameters: ReinforceHyperparameters

    def build(self) -> None:
        h = self.hyperparameters
        has_critic = h.baseline == "state"
        self.build_policy(learning_rate=h.learning_rate, max_grad_norm=h.max_grad_norm, has_critic=has_critic)
        self.scalar = ScalarBaseline(h.baseline_value if h.baseline != "none" else 0.0, h.baseline_rate)
        if h.baseline == "learned":
            self.parts["baseline"] = self.scalar

    def iterate(self) -> None:
        h = self.hyperparameters
        self.optimiser.learning_rate = annealed(h.learning_rate, h.learning_rate_schedule, self.progress)
        batch = self.episodes_of_policy()
        self.optimiser.flat.gradient.zero_()
        losses = self.set_gradient(batch)
        self.optimiser.apply()
        for name, value in losses.items():
            self.record(name, value)
        if h.baseline == "learned":
            self.scalar.update(batch.returns.cpu().numpy())
            self.record("baseline", self.scalar.value)
        self.report_common(batch, n_updates=1)

    def episodes_of_policy(self) -> Rollout:
        """``n_episodes`` episodes of every environment, ``advantages`` being G - b weighted by gamma**t.

        Environments are only stopped together. What one does after its last episode (of this update) is left out, and
        so is the rest of that episode's beginning: which steps count never depends on how they turned out.
        """
        begun, over = self.episodes.running_lengths.copy(), np.zeros(self.envs.num_envs, np.int64)

        def last(step: Transitions) -> bool:
            over[:] += step.ended & step.valid
            return bool((over >= self.hyperparameters.n_episodes).all())

        return self.weighted(self.act(last), begun)

    def weighted(self, seen: Experience, begun: NDArray[np.int64]) -> Rollout:
        """Returns minus baseline of whole episodes; ``begun``: steps of the running episodes before ``seen``."""
        h = self.hyperparameters
        ended = seen.terminated | seen.truncated
        if self.policy.critic is not None:
            baseline, next_values = seen.split(values_of(self.policy, seen.inputs))
        else:
            baseline, next_values = np.full(seen.rewards.shape, self.scalar.value), np.zeros(seen.rewards.shape)
        returns = n_step_returns(seen.rewards, next_values, seen.terminated, seen.truncated, seen.valid, h.gamma)
        weights = h.gamma ** _ages(ended, seen.valid, begun) if h.discounted_gradient else 1.0
        before: NDArray[np.int64] = np.cumsum(ended, axis=0) - ended  # episodes that were over before each step
        return self.transitions(
            seen, baseline, weights * (returns - baseline), returns, seen.valid & (before < h.n_episodes)
        )

    def set_gradient(self, batch: Rollout) -> dict[str, float]:
        """Set the parameters' ``grad`` (zero before) to that of the loss, minus the estimate above; the loss by terms."""
        h, n = self.hyperparameters, len(batch.values)
        m = h.n_episodes * self.envs.num_envs
        advantages = normalised(batch.advantages) if h.normalize_advantage else batch.advantages
        outputs, values = self.networks.forward(batch.inputs)
        log_prob, entropy, pullback = self.distribution.evaluate(outputs, batch.actions, batch.masks)
        losses = {"policy_loss": -(advantages * log_prob).sum() / m, "entropy_loss": -entropy.mean()}
        d_outputs, d_values = pullback(advantages * (-1.0 / m), -h.ent_coef / m), None
        if values is not None:
            errors = values - batch.returns
            losses["value_loss"] = errors.square().mean()
            d_values = errors * (2.0 * h.vf_coef / n)
        self.networks.backward(d_outputs, d_values)
        return dict(zip(losses, torch.stack(list(losses.values())).tolist(), strict=True))


def _ages(ended: NDArray[np.bool_], valid: NDArray[np.bool_], begun: NDArray[np.int64]) -> NDArray[np.int64]:
    """``(time, environment)`` steps since the beginning of each episode."""
    ages, age = np.empty(ended.shape, np.int64), begun.copy()
    for t in range(len(ended)):
        ages[t] = age
        age = np.where(ended[t], 0, age + valid[t])
    return ages
