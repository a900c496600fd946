r"""Advantage actor-critic (Mnih et al. 2016, synchronous): one step of gradient after every few steps of all environments.

The loss of a rollout is

.. math:: L(\theta) = E[-A \log \pi_\theta(a|s)] + c_v E[(R - V_\theta(s))^2] - c_e E[H(\pi_\theta(\cdot|s))]

with advantages A by GAE (lambda = 1: n-step returns as published) and R = A + V. Hyperparameters and defaults are those
of stable-baselines3; RMSProp has epsilon inside the root, as published.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from rlsuite.agents.deep.ppo import normalised
from rlsuite.agents.deep.rollouts import SCHEDULES, OnPolicyAgent, OnPolicyHyperparameters
from rlsuite.agents.deep.schedules import annealed
from rlsuite.agents.hyperparameters import hyperparameter


@dataclass(frozen=True)
class A2CHyperparameters(OnPolicyHyperparameters):
    """Fields of A2C."""

    learning_rate: float = hyperparameter(7e-4, "step size", low=0.0, low_open=True)
    learning_rate_schedule: str = hyperparameter("constant", "constant, or linear down to 0", choices=SCHEDULES)
    n_steps: int = hyperparameter(5, "steps of each environment per update", low=1)
    gae_lambda: float = hyperparameter(1.0, "lambda of GAE", low=0.0, high=1.0)
    ent_coef: float = hyperparameter(0.0, "weight of the entropy", low=0.0)
    vf_coef: float = hyperparameter(0.5, "weight of the critic's squared error", low=0.0)
    max_grad_norm: float = hyperparameter(0.5, "norm to which the gradient is clipped", low=0.0, low_open=True)
    use_rmsprop: bool = hyperparameter(True, "RMSProp as published, else Adam")
    normalize_advantage: bool = hyperparameter(False, "whether advantages of a rollout have mean 0 and std 1")


class A2C(OnPolicyAgent):
    """Synchronous advantage actor-critic."""

    name = "a2c"
    Hyperparameters = A2CHyperparameters
    hyperparameters: A2CHyperparameters

    def build(self) -> None:
        h = self.hyperparameters
        kind = "rmsprop" if h.use_rmsprop else "adam"
        self.build_policy(learning_rate=h.learning_rate, kind=kind, max_grad_norm=h.max_grad_norm)  # type: ignore[arg-type]

    def iterate(self) -> None:
        h = self.hyperparameters
        self.optimiser.learning_rate = annealed(h.learning_rate, h.learning_rate_schedule, self.progress)
        batch = self.collect(h.n_steps, h.gae_lambda)
        if len(batch.values):
            outputs, values = self.networks.forward(batch.inputs)
            advantages, n = normalised(batch.advantages) if h.normalize_advantage else batch.advantages, len(values)
            errors = values - batch.returns
            self.optimiser.flat.gradient.zero_()
            log_prob, entropy, pullback = self.distribution.evaluate(outputs, batch.actions, batch.masks)
            d_outputs = pullback(advantages * (-1.0 / n), -h.ent_coef / n)
            self.networks.backward(d_outputs, errors * (2.0 * h.vf_coef / n))
            self.optimiser.apply()
            losses = torch.stack([-(advantages * log_prob).mean(), errors.square().mean(), -entropy.mean()]).tolist()
            for name, value in zip(("policy_loss", "value_loss", "entropy_loss"), losses, strict=True):
                self.record(name, value)
            self.report_common(batch, n_updates=1)
