"""On-policy agents: a policy acts in all environments for a while, then learns from what it saw, then forgets it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor, nn

from rlsuite.agents.deep.advantages import explained_variance, gae
from rlsuite.agents.deep.agent import DeepAgent
from rlsuite.agents.deep.distributions import DiagonalGaussian, distribution_for
from rlsuite.agents.deep.networks import ACTIVATIONS
from rlsuite.agents.deep.normalisation import ObservationNormaliser, ReturnNormaliser
from rlsuite.agents.deep.observations import Batch, as_tensors, take, tree_map
from rlsuite.agents.deep.optimisation import ModuleState, Optimiser, finite
from rlsuite.agents.deep.policies import Actor, ActorCriticPolicy, takes_vectors, values_of
from rlsuite.agents.hyperparameters import hyperparameter
from rlsuite.errors import HyperparameterError

SCHEDULES = ("constant", "linear")


@dataclass(frozen=True)
class OnPolicyHyperparameters:
    """Fields of all on-policy agents."""

    gamma: float = hyperparameter(0.99, "discount factor", low=0.0, high=1.0)
    net_arch: str = hyperparameter("64,64", "hidden layers of actor and of critic, as in 64,64")
    activation: str = hyperparameter("tanh", "activation of hidden layers", choices=tuple(ACTIVATIONS))
    ortho_init: bool = hyperparameter(True, "whether weights begin orthogonal")
    log_std_init: float = hyperparameter(0.0, "initial log standard deviation of continuous actions")
    squash: bool = hyperparameter(False, "whether continuous actions are the tanh of a Gaussian, scaled to the bounds")
    use_action_masks: bool = hyperparameter(False, "whether info['action_mask'] forbids actions")
    normalize_observations: bool = hyperparameter(False, "whether observations are scaled by running mean and std")
    normalize_rewards: bool = hyperparameter(False, "whether rewards are scaled by the running std of the return")


class Rollout(NamedTuple):
    """The valid transitions of a rollout, flat, as tensors; first axis: transition."""

    inputs: Any  # what the policy's networks take
    actions: Tensor  # raw actions
    masks: Tensor | None
    values: Tensor
    advantages: Tensor
    returns: Tensor  # advantages + values, what the critic learns


def rows_of(rollout: Rollout, rows: Any) -> Rollout:
    """Those transitions of a rollout."""
    return Rollout._make(None if part is None else take(part, rows) for part in rollout)


class OnPolicyAgent(DeepAgent):
    """Base of agents that learn only from what their current policy did.

    Attributes:
        policy: networks. actor: the actor as a numpy function. optimiser: of all parameters.
    """

    action_spaces: ClassVar[tuple[type, ...]] = (
        spaces.Discrete,
        spaces.MultiDiscrete,
        spaces.MultiBinary,
        spaces.Box,
    )
    hyperparameters: Any

    def build_policy(
        self,
        *,
        learning_rate: float,
        kind: Literal["adam", "rmsprop"] = "adam",
        eps: float = 1e-5,
        max_grad_norm: float | None = 0.5,
        has_critic: bool = True,
        extra: tuple[nn.Module, ...] = (),
    ) -> None:
        """Policy, optimiser and normalisers from the hyperparameters, registered as parts."""
        h = self.hyperparameters
        if h.use_action_masks and not isinstance(self.action_space, spaces.Discrete):
            raise HyperparameterError(f"use_action_masks is for Discrete actions, not {self.action_space}")
        if h.normalize_observations and not takes_vectors(self.observation_space):
            raise HyperparameterError("normalize_observations is for vectors, not for images, which are scaled anyway")
        distribution = distribution_for(self.action_space, log_std_init=h.log_std_init, squash=h.squash)
        self.policy = ActorCriticPolicy(
            self.observation_space,
            distribution,
            net_arch=h.net_arch,
            activation=h.activation,
            ortho_init=h.ortho_init,
            has_critic=has_critic,
        ).to(self.device)
        self.distribution = distribution
        self.optimiser = Optimiser(
            self.policy, *extra, learning_rate=learning_rate, kind=kind, eps=eps, max_grad_norm=max_grad_norm
        )
        self.actor = Actor(self.policy, self.device)
        self.parts |= {"policy": ModuleState(self.policy), "optimiser": self.optimiser}
        self.observation_normaliser = self.return_normaliser = None
        if h.normalize_observations:
            self.observation_normaliser = ObservationNormaliser((self.policy.features_dim,))
            self.parts["observation_normaliser"] = self.observation_normaliser
        if h.normalize_rewards:
            self.return_normaliser = ReturnNormaliser(h.gamma, self.envs.num_envs)
            self.parts["return_normaliser"] = self.return_normaliser

    observation_normaliser: ObservationNormaliser | None
    return_normaliser: ReturnNormaliser | None

    def inputs(self, observations: Batch, *, learn: bool = False) -> Batch:
        """What the networks take; ``learn``: the normaliser takes the observations in first."""
        inputs = self.policy.inputs(observations)
        if self.policy.learned_encoder:
            return inputs
        if self.observation_normaliser is None:
            return inputs.astype(np.float32, copy=False)
        if learn:
            self.observation_normaliser.update(inputs)
        return self.observation_normaliser(inputs)

    def choose_actions(
        self, observations: Batch, *, deterministic: bool, rng: np.random.Generator, masks: NDArray[np.bool_] | None
    ) -> NDArray[Any]:
        outputs = self.actor(self.inputs(observations))
        distribution = self.distribution
        return distribution.to_env(
            distribution.mode(outputs, masks) if deterministic else distribution.sample(outputs, rng, masks)
        )

    def collect(self, n_steps: int, gae_lambda: float) -> Rollout:
        """Act for ``n_steps`` in every environment; advantages by GAE.

        The policy does not change meanwhile, so all values are computed in one pass afterwards: those of the
        observations acted on, of the last ones, and of the true successors of truncated episodes.
        """
        h, envs, n = self.hyperparameters, self.envs, self.envs.num_envs
        actions: NDArray[Any] = np.empty((n_steps, n, *self.distribution.shape), self.distribution.dtype)
        rewards = np.empty((n_steps, n))
        terminated, truncated, valid = (np.empty((n_steps, n), bool) for _ in range(3))
        inputs: list[Batch] = []
        masks: list[NDArray[np.bool_]] = []
        successors: list[Batch] = []
        cut: list[NDArray[np.intp]] = []  # rows of the flat rollout that these succeed
        for t in range(n_steps):
            mask = envs.action_masks if h.use_action_masks else None
            x = self.inputs(envs.observations, learn=True)
            actions[t] = raw = self.distribution.sample(self.actor(x), self.rng, mask)
            step = self.act_in_envs(self.distribution.to_env(raw))
            rewards[t], terminated[t], truncated[t], valid[t] = (
                step.rewards,
                step.terminated,
                step.truncated,
                step.valid,
            )
            inputs.append(x)
            if mask is not None:
                masks.append(mask)
            if step.truncated.any():
                where = np.flatnonzero(step.truncated & ~step.terminated)
                cut.append(t * n + where)
                successors.append(self.inputs(take(step.next_observations, where)))
        last = self.inputs(envs.observations)
        everything = as_tensors(tree_map(lambda *rows: np.concatenate(rows), *inputs, last, *successors), self.device)
        v = values_of(self.policy, everything)
        values, next_values = v[: n_steps * n].reshape(n_steps, n), v[n : n_steps * n + n].copy()
        if cut:
            next_values[np.concatenate(cut)] = v[n_steps * n + n :]
        if self.return_normaliser is not None:
            rewards = self.return_normaliser(rewards, terminated | truncated, valid)
        advantages = gae(
            rewards, values, next_values.reshape(n_steps, n), terminated, truncated, valid, h.gamma, gae_lambda
        )
        rollout = Rollout(
            tree_map(lambda rows: rows[: n_steps * n], everything),
            self._flat(actions),
            self._flat(np.stack(masks)) if masks else None,
            self._flat(values.astype(np.float32)),
            self._flat(advantages.astype(np.float32)),
            self._flat((advantages + values).astype(np.float32)),
        )
        if valid.all():
            return rollout
        kept = torch.from_numpy(np.flatnonzero(valid)).to(self.device)
        return rows_of(rollout, kept)

    def _flat(self, array: NDArray[Any]) -> Tensor:
        """``(time, environment, …)`` as a tensor ``(time * environment, …)``."""
        return torch.from_numpy(array.reshape(-1, *array.shape[2:])).to(self.device)

    def report_common(self, rollout: Rollout, n_updates: int) -> None:
        """Metrics that all actor-critics share.

        Raises:
            DivergenceError: an update left a parameter that is not finite.
        """
        self.record(
            "explained_variance", explained_variance(rollout.values.cpu().numpy(), rollout.returns.cpu().numpy())
        )
        self.record("learning_rate", self.optimiser.learning_rate)
        self.record("n_updates", self.metrics.get("train/n_updates", 0) + n_updates)
        if isinstance(self.distribution, DiagonalGaussian):
            self.record("std", float(self.distribution.log_std.detach().exp().mean()))
        finite("a parameter of the policy", self.optimiser.flat.vector.detach().sum(), self.num_timesteps)
