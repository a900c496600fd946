"""On-policy agents: a policy acts in all environments for a while, then learns from what it saw, then forgets it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor

from rlsuite.agents.deep.advantages import explained_variance, gae
from rlsuite.agents.deep.agent import DeepAgent
from rlsuite.agents.deep.distributions import DiagonalGaussian, distribution_for
from rlsuite.agents.deep.networks import ACTIVATIONS
from rlsuite.agents.deep.normalisation import EPSILON, ObservationNormaliser, ReturnNormaliser
from rlsuite.agents.deep.observations import Batch, as_tensors, take, tree_map
from rlsuite.agents.deep.optimisation import ModuleState, Optimiser, finite
from rlsuite.agents.deep.policies import Actor, ActorCriticPolicy, Networks, takes_vectors, values_of
from rlsuite.agents.deep.policy_modules import ModePolicy
from rlsuite.agents.deep.vector import Transitions
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
    learn_std: bool = hyperparameter(True, "whether that standard deviation is learned, or stays")
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


class Experience(NamedTuple):
    """What was seen while acting, ``(time, environment)``; the flat arrays run through the environments of each step.

    Attributes:
        inputs: of the networks, flat: those acted on, then the last ones, then the successors of truncated episodes.
        cut: ``(n,)`` rows of the flat arrays at whose end an episode was truncated.
        actions, masks: flat.
    """

    inputs: Any
    cut: NDArray[np.intp]
    actions: Tensor
    masks: Tensor | None
    rewards: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    valid: NDArray[np.bool_]

    def split(self, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values of all ``inputs`` as those of the observations acted on and those of their true successors."""
        total, n = self.rewards.size, self.rewards.shape[1]
        successors = values[n : total + n].copy()
        successors[self.cut] = values[total + n :]
        return values[:total].reshape(-1, n), successors.reshape(-1, n)


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
        actor_only: bool = False,
    ) -> None:
        """Policy, optimiser and normalisers from the hyperparameters, registered as parts.

        ``actor_only``: the optimiser is that of the actor, and the critic is left to another.
        """
        h = self.hyperparameters
        if h.use_action_masks and not isinstance(self.action_space, spaces.Discrete):
            raise HyperparameterError(f"use_action_masks is for Discrete actions, not {self.action_space}")
        if h.normalize_observations and not takes_vectors(self.observation_space):
            raise HyperparameterError("normalize_observations is for vectors, not for images, which are scaled anyway")
        distribution = distribution_for(
            self.action_space, log_std_init=h.log_std_init, learn_std=h.learn_std, squash=h.squash
        )
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
            *((self.policy.actor, distribution) if actor_only else (self.policy,)),
            learning_rate=learning_rate,
            kind=kind,
            eps=eps,
            max_grad_norm=max_grad_norm,
        )
        self.actor = Actor(self.policy, self.device)
        self.networks = Networks(self.policy)
        self.parts |= {"policy": ModuleState(self.policy), "optimiser": self.optimiser}
        self.observation_normaliser: ObservationNormaliser | None = None
        self.return_normaliser: ReturnNormaliser | None = None
        if h.normalize_observations:
            self.observation_normaliser = ObservationNormaliser((self.policy.features_dim,))
            self.parts["observation_normaliser"] = self.observation_normaliser
        if h.normalize_rewards:
            self.return_normaliser = ReturnNormaliser(h.gamma, self.envs.num_envs)
            self.parts["return_normaliser"] = self.return_normaliser

    def inputs(self, observations: Batch, *, learn: bool = False) -> Batch:
        """What the networks take; ``learn``: the normaliser first takes in those that are acted on, which are
        the same ones in every autoreset mode."""
        inputs = self.policy.inputs(observations)
        if self.policy.learned_encoder:
            return inputs
        if self.observation_normaliser is None:
            return inputs.astype(np.float32, copy=False)
        if learn:
            idle = self.envs.resetting
            self.observation_normaliser.update(inputs[~idle] if idle.any() else inputs)
        return self.observation_normaliser(inputs)

    def values(self, observations: Batch) -> NDArray[np.float64]:
        """``(n,)`` V of observations: the discounted return that the critic expects, in units of the environment's reward.

        Raises:
            HyperparameterError: the agent has no critic.
        """
        if self.policy.critic is None:
            raise HyperparameterError(f"{self.name} was trained without a critic and has no values")
        found = values_of(self.policy, as_tensors(self.inputs(observations), self.device))
        if self.return_normaliser is not None:
            found = found * np.sqrt(self.return_normaliser.variance + EPSILON)
        return found

    def policy_module(self) -> torch.nn.Module:
        return ModePolicy(self.policy, self.distribution, self.action_space, self.observation_normaliser)

    def choose_actions(
        self, observations: Batch, *, deterministic: bool, rng: np.random.Generator, masks: NDArray[np.bool_] | None
    ) -> NDArray[Any]:
        outputs = self.actor(self.inputs(observations))
        distribution = self.distribution
        return distribution.to_env(
            distribution.mode(outputs, masks) if deterministic else distribution.sample(outputs, rng, masks)
        )

    def abandon_episodes(self) -> None:
        super().abandon_episodes()
        if self.return_normaliser is not None:
            self.return_normaliser.abandon()

    def act(self, n_steps: int | Callable[[Transitions], bool]) -> Experience:
        """Act in every environment for ``n_steps``, or until a step of which ``n_steps`` says that it is the last."""
        envs, n = self.envs, self.envs.num_envs
        steps: list[Transitions] = []
        inputs: list[Batch] = []
        successors: list[Batch] = []
        masks: list[NDArray[np.bool_]] = []
        actions, cut = [], []
        enough = False
        while not enough:
            mask = self.required_masks()
            x = self.inputs(envs.observations, learn=True)
            raw = self.distribution.sample(self.actor(x), self.rng, mask)
            step = self.act_in_envs(self.distribution.to_env(raw))
            if step.truncated.any():
                where = np.flatnonzero(step.truncated & ~step.terminated)
                if len(where):
                    cut.append(len(steps) * n + where)
                    successors.append(self.inputs(take(step.next_observations, where)))
            inputs.append(x)
            if mask is not None:
                masks.append(mask)
            actions.append(raw)
            steps.append(step)
            enough = n_steps(step) if callable(n_steps) else len(steps) >= n_steps
        rewards, terminated, truncated, valid = (
            np.array([getattr(step, name) for step in steps])
            for name in ("rewards", "terminated", "truncated", "valid")
        )
        if self.return_normaliser is not None:
            rewards = self.return_normaliser(rewards, terminated | truncated, valid)
        inputs += [self.inputs(envs.observations), *successors]
        return Experience(
            as_tensors(tree_map(lambda *rows: np.concatenate(rows), *inputs), self.device),
            np.concatenate(cut) if cut else np.empty(0, np.intp),
            self._tensor(np.concatenate(actions)),
            self._tensor(np.concatenate(masks)) if masks else None,
            rewards,
            terminated,
            truncated,
            valid,
        )

    def collect(self, n_steps: int, gae_lambda: float) -> Rollout:
        """Act for ``n_steps`` in every environment; advantages by GAE.

        The policy does not change meanwhile, so all values are computed in one pass afterwards: those of the
        observations acted on, of the last ones, and of the true successors of truncated episodes.
        """
        seen = self.act(n_steps)
        return self.rollout(seen, values_of(self.policy, seen.inputs), gae_lambda)

    def rollout(self, seen: Experience, values: NDArray[np.float64], gae_lambda: float) -> Rollout:
        """The valid transitions of ``seen``, with advantages by GAE; ``values``: of all its inputs."""
        v, next_v = seen.split(values)
        advantages = gae(
            *(seen.rewards, v, next_v, seen.terminated, seen.truncated, seen.valid),
            self.hyperparameters.gamma,
            gae_lambda,
        )
        return self.transitions(seen, v, advantages, advantages + v, seen.valid)

    def transitions(
        self,
        seen: Experience,
        values: NDArray[np.float64],
        advantages: NDArray[np.float64],
        returns: NDArray[np.float64],
        which: NDArray[np.bool_],
    ) -> Rollout:
        """The transitions in ``which``, all arrays ``(time, environment)``."""
        rollout = Rollout(
            tree_map(lambda rows: rows[: values.size], seen.inputs),
            seen.actions,
            seen.masks,
            *(self._tensor(array.astype(np.float32).reshape(-1)) for array in (values, advantages, returns)),
        )
        return rollout if which.all() else rows_of(rollout, self._tensor(np.flatnonzero(which)))

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self.device)

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
