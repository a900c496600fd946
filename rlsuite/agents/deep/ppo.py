r"""Proximal policy optimisation (Schulman et al. 2017): several epochs of minibatches on one rollout, kept near its policy.

With the ratio :math:`\rho = \pi_\theta(a|s) / \pi_{old}(a|s)`, its clipped objective (eq. 7) is

.. math:: L(\theta) = E[\min(\rho A, \; \text{clip}(\rho, 1 - \epsilon, 1 + \epsilon) A)],

to which a squared error of the critic and an entropy bonus are added (eq. 9); A are GAE advantages, normalised in each
minibatch. Hyperparameters and defaults are those of stable-baselines3. The gradient of the loss with respect to the
outputs of the networks is written out (:func:`ppo_gradient`), only the networks are differentiated by autograd.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from rlsuite.agents.deep.distributions import Distribution
from rlsuite.agents.deep.policies import in_pieces
from rlsuite.agents.deep.rollouts import SCHEDULES, OnPolicyAgent, OnPolicyHyperparameters, Rollout, rows_of
from rlsuite.agents.deep.schedules import annealed
from rlsuite.agents.hyperparameters import hyperparameter


@dataclass(frozen=True)
class PPOHyperparameters(OnPolicyHyperparameters):
    """Fields of PPO."""

    learning_rate: float = hyperparameter(3e-4, "step size of Adam", low=0.0, low_open=True)
    learning_rate_schedule: str = hyperparameter(
        "constant", "constant, linear down to 0, or by desired_kl", choices=(*SCHEDULES, "kl-adaptive")
    )
    desired_kl: float = hyperparameter(0.01, "KL divergence that kl-adaptive steers to", low=0.0, low_open=True)
    n_steps: int = hyperparameter(2048, "steps of each environment per rollout", low=1)
    batch_size: int = hyperparameter(64, "transitions per minibatch", low=1)
    n_epochs: int = hyperparameter(10, "passes over each rollout", low=1)
    gae_lambda: float = hyperparameter(0.95, "lambda of GAE", low=0.0, high=1.0)
    clip_range: float = hyperparameter(0.2, "epsilon of the clipped objective", low=0.0, low_open=True)
    clip_range_schedule: str = hyperparameter("constant", "constant, or linear down to 0", choices=SCHEDULES)
    clip_range_vf: float | None = hyperparameter(
        None, "how far values may move from those of the rollout", low=0.0, low_open=True
    )
    normalize_advantage: bool = hyperparameter(True, "whether advantages of a minibatch have mean 0 and std 1")
    ent_coef: float = hyperparameter(0.0, "weight of the entropy", low=0.0)
    vf_coef: float = hyperparameter(0.5, "weight of the critic's squared error", low=0.0)
    max_grad_norm: float = hyperparameter(0.5, "norm to which the gradient is clipped", low=0.0, low_open=True)
    target_kl: float | None = hyperparameter(
        None, "an iteration stops learning where the KL divergence passes 1.5 times this", low=0.0, low_open=True
    )


class Gradient(NamedTuple):
    """Gradient of PPO's loss with respect to the outputs of the networks, and what it was computed from."""

    outputs: Tensor  # (batch, n_outputs)
    values: Tensor  # (batch,)
    log_ratio: Tensor  # (batch,) log rho
    entropy: Tensor  # (batch,)
    errors: Tensor  # (batch,) values - returns, of the values as they were clipped
    advantages: Tensor  # (batch,)


def ppo_gradient(
    distribution: Distribution,
    outputs: Tensor,
    values: Tensor,
    batch: Rollout,
    old_log_prob: Tensor,
    advantages: Tensor,
    *,
    clip_range: float,
    clip_range_vf: float | None = None,
    ent_coef: float = 0.0,
    vf_coef: float = 0.5,
) -> Gradient:
    r"""The gradient of :func:`ppo_loss`, written out.

    :math:`d(-\min(\rho A, \text{clip}(\rho) A)) / d\log\pi = -\rho A` where the unclipped term is the smaller one, else 0.
    """
    n = len(values)
    log_prob, entropy, pullback = distribution.evaluate(outputs, batch.actions, batch.masks)
    log_ratio = log_prob - old_log_prob
    ratio = log_ratio.exp()
    surrogate = ratio * advantages
    unclipped = surrogate <= ratio.clamp(1.0 - clip_range, 1.0 + clip_range) * advantages
    if clip_range_vf is None:
        errors = values - batch.returns
        d_values = errors * (2.0 * vf_coef / n)
    else:
        moved = values - batch.values
        clamped = moved.clamp(-clip_range_vf, clip_range_vf)
        errors = batch.values + clamped - batch.returns
        d_values = errors * (moved == clamped) * (2.0 * vf_coef / n)
    d_outputs = pullback((surrogate * unclipped).mul_(-1.0 / n), -ent_coef / n)
    return Gradient(d_outputs, d_values, log_ratio, entropy, errors, advantages)


def ppo_loss(
    distribution: Distribution,
    outputs: Tensor,
    values: Tensor,
    batch: Rollout,
    old_log_prob: Tensor,
    advantages: Tensor,
    *,
    clip_range: float,
    clip_range_vf: float | None = None,
    ent_coef: float = 0.0,
    vf_coef: float = 0.5,
) -> Tensor:
    """The loss as written in the paper, which :func:`ppo_gradient` differentiates."""
    ratio = (distribution.log_prob(outputs, batch.actions, batch.masks) - old_log_prob).exp()
    clipped = ratio.clamp(1.0 - clip_range, 1.0 + clip_range)
    policy_loss = -torch.min(ratio * advantages, clipped * advantages).mean()
    if clip_range_vf is not None:
        values = batch.values + (values - batch.values).clamp(-clip_range_vf, clip_range_vf)
    value_loss = (batch.returns - values).square().mean()
    return policy_loss + vf_coef * value_loss - ent_coef * distribution.entropy(outputs, batch.masks).mean()


def kl_adapted(learning_rate: float, kl: float, desired_kl: float) -> float:
    """A step size that grows by 1.5 where the policy moved too little, and shrinks where it moved too far.

    Bounds and factors of Rudin et al. (2022), as in their published code: within [1e-5, 1e-2].
    """
    if kl > 2.0 * desired_kl:
        return max(1e-5, learning_rate / 1.5)
    if 0.0 < kl < 0.5 * desired_kl:
        return min(1e-2, learning_rate * 1.5)
    return learning_rate


class PPO(OnPolicyAgent):
    """Proximal policy optimisation."""

    name = "ppo"
    Hyperparameters = PPOHyperparameters
    hyperparameters: PPOHyperparameters

    def build(self) -> None:
        h = self.hyperparameters
        self.build_policy(learning_rate=h.learning_rate, max_grad_norm=h.max_grad_norm)

    def iterate(self) -> None:
        h = self.hyperparameters
        if h.learning_rate_schedule != "kl-adaptive":
            self.optimiser.learning_rate = annealed(h.learning_rate, h.learning_rate_schedule, self.progress)
        clip_range = annealed(h.clip_range, h.clip_range_schedule, self.progress)
        rollout = self.collect(h.n_steps, h.gae_lambda)
        if len(rollout.values):  # else all environments were resetting themselves
            self.learn_from(rollout, clip_range)

    def learn_from(self, rollout: Rollout, clip_range: float) -> None:
        """``n_epochs`` passes over a rollout in minibatches."""
        h, n = self.hyperparameters, len(rollout.values)
        old_log_prob = self._log_prob(rollout)
        steps: list[Gradient] = []
        epochs, go_on = 0, True
        while go_on and epochs < h.n_epochs:
            order = torch.from_numpy(self.rng.permutation(n)).to(self.device)
            shuffled, old = rows_of(rollout, order), old_log_prob[order]
            epoch = len(steps)
            for start in range(0, n, h.batch_size):
                rows = slice(start, start + h.batch_size)
                batch = rows_of(shuffled, rows)
                outputs, values = self.networks.forward(batch.inputs)
                self.optimiser.flat.gradient.zero_()
                gradient = ppo_gradient(
                    self.distribution,
                    outputs,
                    values,
                    batch,
                    old[rows],
                    normalised(batch.advantages) if h.normalize_advantage else batch.advantages,
                    clip_range=clip_range,
                    clip_range_vf=h.clip_range_vf,
                    ent_coef=h.ent_coef,
                    vf_coef=h.vf_coef,
                )
                steps.append(gradient)
                if h.target_kl is not None and float(approximate_kl(gradient.log_ratio)) > 1.5 * h.target_kl:
                    go_on = False
                    break
                self.networks.backward(gradient.outputs, gradient.values)
                self.optimiser.apply()
            epochs += 1
            if h.learning_rate_schedule == "kl-adaptive":
                kl = float(approximate_kl(torch.cat([step.log_ratio for step in steps[epoch:]])))
                self.optimiser.learning_rate = kl_adapted(self.optimiser.learning_rate, kl, h.desired_kl)
        self._report(steps, steps[epoch:], clip_range)
        self.report_common(rollout, n_updates=epochs)

    def _log_prob(self, rollout: Rollout) -> Tensor:
        """``(n,)`` of the policy that acted."""
        with torch.inference_mode():
            outputs = torch.cat([self.policy.actor(self.policy.features(piece)) for piece in in_pieces(rollout.inputs)])
            return self.distribution.log_prob(outputs, rollout.actions, rollout.masks)

    def _report(self, steps: list[Gradient], last_epoch: list[Gradient], clip_range: float) -> None:
        """Means over all minibatches; ``approx_kl`` over those of the last epoch."""
        h = self.hyperparameters
        _, _, log_ratio, entropy, errors, advantages = (torch.cat(parts) for parts in zip(*steps, strict=True))
        ratio = log_ratio.exp()
        clipped = ratio.clamp(1.0 - clip_range, 1.0 + clip_range)
        policy_loss = -torch.min(ratio * advantages, clipped * advantages).mean()
        value_loss, entropy_loss = errors.square().mean(), -entropy.mean()
        metrics = {
            "policy_gradient_loss": policy_loss,
            "value_loss": value_loss,
            "entropy_loss": entropy_loss,
            "loss": policy_loss + h.vf_coef * value_loss + h.ent_coef * entropy_loss,
            "approx_kl": approximate_kl(torch.cat([step.log_ratio for step in last_epoch])),
            "clip_fraction": ((ratio - 1.0).abs() > clip_range).float().mean(),
        }
        for name, value in zip(metrics, torch.stack(list(metrics.values())).tolist(), strict=True):
            self.record(name, value)
        self.record("clip_range", clip_range)


def normalised(advantages: Tensor) -> Tensor:
    """With mean 0 and standard deviation 1; a single one is left as it is."""
    if len(advantages) < 2:
        return advantages
    std, mean = torch.std_mean(advantages)
    return (advantages - mean) / (std + 1e-8)


def approximate_kl(log_ratio: Tensor) -> Tensor:
    """KL(old || new) estimated as E[(rho - 1) - log rho], never negative (Schulman 2020, estimator k3)."""
    return (log_ratio.exp() - 1.0 - log_ratio).mean()
