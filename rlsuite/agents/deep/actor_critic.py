r"""One-step actor-critic (Sutton & Barto 2018, section 13.5), episodic, on any number of environments at once.

After every transition, with the TD error :math:`\delta = r + \gamma V_w(s') - V_w(s)` (no value behind a termination;
that of the true successor behind a truncation),

.. math:: w \leftarrow w + \alpha_w \, \delta \, \nabla V_w(s), \qquad
          \theta \leftarrow \theta + \alpha_\theta \, I \, \delta \, \nabla \ln \pi_\theta(a|s), \qquad
          I \leftarrow \gamma I .

The critic's step is a semi-gradient: the target is held fixed. Steps of several environments are averaged, and taken by
Adam, with which networks of any size learn at the same rates. ``discounted_gradient=False`` leaves out I, as most do.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from rlsuite.agents.deep.advantages import td_errors
from rlsuite.agents.deep.optimisation import Optimiser
from rlsuite.agents.deep.policies import Networks, values_of
from rlsuite.agents.deep.rollouts import OnPolicyAgent, OnPolicyHyperparameters, Rollout
from rlsuite.agents.hyperparameters import hyperparameter


@dataclass(frozen=True)
class ActorCriticHyperparameters(OnPolicyHyperparameters):
    """Fields of the one-step actor-critic."""

    learning_rate: float = hyperparameter(3e-4, "step size of the actor", low=0.0, low_open=True)
    critic_learning_rate: float = hyperparameter(1e-3, "step size of the critic", low=0.0, low_open=True)
    discounted_gradient: bool = hyperparameter(False, "whether step t of an episode is weighted by I = gamma**t")
    ent_coef: float = hyperparameter(0.0, "weight of the entropy", low=0.0)
    max_grad_norm: float | None = hyperparameter(None, "norm to which the gradient is clipped", low=0.0, low_open=True)


class ActorCritic(OnPolicyAgent):
    """One-step TD actor-critic."""

    name = "actor-critic"
    Hyperparameters = ActorCriticHyperparameters
    hyperparameters: ActorCriticHyperparameters

    def build(self) -> None:
        h = self.hyperparameters
        self.build_policy(learning_rate=h.learning_rate, max_grad_norm=h.max_grad_norm, actor_only=True)
        critic = self.policy.critic
        assert critic is not None
        self.critic_optimiser = Optimiser(
            *(critic, self.policy.encoder) if self.policy.learned_encoder else (critic,),
            learning_rate=h.critic_learning_rate,
            eps=1e-5,
            max_grad_norm=h.max_grad_norm,
        )
        self.parts["critic_optimiser"] = self.critic_optimiser
        self.networks = Networks(self.policy)  # again: the critic's parameters have moved

    def iterate(self) -> None:
        h, lengths = self.hyperparameters, self.episodes.running_lengths.copy()
        seen = self.act(1)
        v, next_v = seen.split(values_of(self.policy, seen.inputs))
        delta = td_errors(seen.rewards, v, next_v, seen.terminated, h.gamma)
        weight = h.gamma**lengths if h.discounted_gradient else 1.0
        batch = self.transitions(seen, v, weight * delta, delta + v, seen.valid)
        if len(batch.values):
            self._update(batch)

    def _update(self, batch: Rollout) -> None:
        n = len(batch.values)
        outputs, values = self.networks.forward(batch.inputs)
        errors = values - batch.returns  # -delta
        self.optimiser.flat.gradient.zero_()
        self.critic_optimiser.flat.gradient.zero_()
        log_prob, entropy, pullback = self.distribution.evaluate(outputs, batch.actions, batch.masks)
        d_outputs = pullback(batch.advantages * (-1.0 / n), -self.hyperparameters.ent_coef / n)
        self.networks.backward(d_outputs, errors / n)
        self.optimiser.apply()
        self.critic_optimiser.apply()
        losses = [-(batch.advantages * log_prob).mean(), errors.square().mean(), -entropy.mean()]
        for name, value in zip(
            ("policy_loss", "value_loss", "entropy_loss"), torch.stack(losses).tolist(), strict=True
        ):
            self.record(name, value)
        self.record("n_updates", self.optimiser.n_updates)
        self.record("learning_rate", self.optimiser.learning_rate)
