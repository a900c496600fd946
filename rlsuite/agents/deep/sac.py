r"""Soft actor-critic (Haarnoja et al. 2018, "Soft Actor-Critic Algorithms and Applications", algorithm 1).

Off-policy maximum-entropy learning for continuous actions. With the smallest of the target critics, a' ~ pi(s'):

    y = r + gamma (1 - terminated) (min_i q'_i(s', a') - alpha log pi(a'|s'))           (equations 3 and 5)
    critics:      minimise  sum_i (q_i(s, a) - y)^2 / 2
    actor:        minimise  alpha log pi(a|s) - min_i q_i(s, a),  a = tanh(u) reparameterised (equation 9)
    temperature:  minimise  -log alpha (log pi(a|s) + target entropy)                   (equation 18)

The temperature's loss is written in log alpha, as in stable-baselines3 and the authors' code; both have their zero where
the entropy is the target. Actions are those of tanh, in [-1, 1], for critics and replay, and scaled to the action space
for the environment. What ends by a time limit is bootstrapped from its final observation. No guarantee of convergence
with function approximation; the minimum over critics curbs overestimation (Fujimoto et al. 2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor, nn

from rlsuite.agents.deep.agent import DeepAgent
from rlsuite.agents.deep.batched_perceptrons import BatchedPerceptrons
from rlsuite.agents.deep.distributions import SquashedGaussian, gaussian_log_prob, log_det_tanh, rsample
from rlsuite.agents.deep.networks import encoder_for, mlp, sizes_of
from rlsuite.agents.deep.observations import Batch, as_tensors
from rlsuite.agents.deep.optimisation import FlatParameters, ModuleState, Optimiser
from rlsuite.agents.deep.perceptron import ACTIVATIONS
from rlsuite.agents.deep.policies import Actor, ActorCriticPolicy
from rlsuite.agents.deep.policy_modules import ModePolicy
from rlsuite.agents.deep.replay import ReplayBuffer, Sample
from rlsuite.agents.deep.schedules import annealed
from rlsuite.agents.hyperparameters import hyperparameter
from rlsuite.errors import HyperparameterError

LOG_STD_MIN, LOG_STD_MAX = -20.0, 2.0


class StateDependentSquashedGaussian(SquashedGaussian):
    """A squashed Gaussian whose log standard deviations are outputs too, behind the means, and held in [-20, 2]."""

    def __init__(self, space: spaces.Box) -> None:
        super().__init__(space)
        del self.log_std
        self.n_outputs *= 2

    def split(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log standard deviations, ``(batch, n)`` each."""
        mean, log_std = outputs.chunk(2, dim=1)
        return mean, log_std.clamp(LOG_STD_MIN, LOG_STD_MAX)

    def sample(self, outputs: NDArray[Any], rng: np.random.Generator, masks: Any = None) -> NDArray[Any]:
        mean, log_std = np.split(outputs, 2, axis=1)
        std = np.exp(np.clip(log_std, LOG_STD_MIN, LOG_STD_MAX))
        return mean + std * rng.standard_normal(mean.shape, np.float32)

    def mode(self, outputs: NDArray[Any], masks: Any = None) -> NDArray[Any]:
        return np.split(outputs, 2, axis=1)[0]

    def log_prob(self, outputs: Tensor, actions: Tensor, masks: Tensor | None = None) -> Tensor:
        mean, log_std = self.split(outputs)
        return gaussian_log_prob((actions - mean) * torch.exp(-log_std), log_std) - log_det_tanh(actions).sum(1)

    def entropy(self, outputs: Tensor, masks: Tensor | None = None) -> Tensor:
        """By Gauss-Hermite quadrature, as in :class:`~distributions.SquashedGaussian`."""
        mean, log_std = self.split(outputs)
        u = mean[:, :, None] + log_std.exp()[:, :, None] * self.nodes
        gaussian = -gaussian_log_prob(torch.ones_like(mean), log_std)  # E z^2 = 1
        return gaussian + (log_det_tanh(u) @ self.weights).sum(1)


class Critics(nn.Module):
    """The parameters of ``n`` action values q_i(s, a) behind one encoder; layer by layer, those of all members together."""

    def __init__(self, space: gym.Space[Any], action_dim: int, hidden: Sequence[int], activation: str, n: int) -> None:
        super().__init__()
        self.encoder = encoder_for(space)
        members = [mlp((self.encoder.features_dim + action_dim, *hidden, 1), activation) for _ in range(n)]
        layers = list(zip(*([m for m in member if isinstance(m, nn.Linear)] for member in members), strict=True))
        self.weights = nn.ParameterList(torch.stack([one.weight.detach().T for one in layer]) for layer in layers)
        self.biases = nn.ParameterList(torch.stack([one.bias.detach()[None] for one in layer]) for layer in layers)


class Temperature(nn.Module):
    """alpha, the weight of the entropy, as exp of a parameter."""

    def __init__(self, initial: float) -> None:
        super().__init__()
        self.log_alpha = nn.Parameter(torch.tensor(initial).log()[None])

    @property
    def alpha(self) -> Tensor:
        return self.log_alpha.detach().exp()


@dataclass(frozen=True)
class SACHyperparameters:
    """Fields of SAC, named and defaulted as in stable-baselines3."""

    learning_rate: float = hyperparameter(
        3e-4, "step size of Adam for actor, critics and temperature", low=0.0, low_open=True
    )
    learning_rate_schedule: str = hyperparameter("constant", "step size over a run", choices=("constant", "linear"))
    buffer_size: int = hyperparameter(1_000_000, "transitions kept for replay", low=1)
    learning_starts: int = hyperparameter(100, "steps with random actions before the first update", low=0)
    batch_size: int = hyperparameter(256, "transitions in a minibatch", low=1)
    tau: float = hyperparameter(0.005, "weight of the critics in an update of the target critics", low=0.0, high=1.0)
    gamma: float = hyperparameter(0.99, "discount factor", low=0.0, high=1.0)
    train_freq: int = hyperparameter(1, "steps of every environment between updates", low=1)
    gradient_steps: int = hyperparameter(1, "updates in a row; -1: as many as steps were taken", low=-1)
    n_steps: int = hyperparameter(1, "rewards in a target before it bootstraps", low=1)
    ent_coef: str = hyperparameter("auto", 'alpha: a number, or learned: "auto", "auto_0.1" to begin at 0.1')
    target_update_interval: int = hyperparameter(1, "updates between updates of the target critics", low=1)
    target_entropy: str = hyperparameter("auto", 'entropy that "auto" aims at; "auto": minus the number of actions')
    net_arch: str = hyperparameter("256,256", "sizes of the hidden layers behind the encoders")
    activation: str = hyperparameter("relu", "between layers", choices=tuple(ACTIVATIONS))
    n_critics: int = hyperparameter(2, "action values of which the smallest counts", low=1)


class SAC(DeepAgent):
    """Soft actor-critic."""

    name = "sac"
    Hyperparameters: ClassVar[type] = SACHyperparameters
    action_spaces = (spaces.Box,)

    def build(self) -> None:
        h, space = self.hyperparameters, self.action_space
        assert isinstance(space, spaces.Box)
        self.distribution = StateDependentSquashedGaussian(space)
        n = self.distribution.shape[0]
        self.policy = ActorCriticPolicy(
            self.observation_space, self.distribution, net_arch=h.net_arch, activation=h.activation, ortho_init=False,
            has_critic=False,
        ).to(self.device)  # fmt: skip
        self.critics, self.target = (
            Critics(self.observation_space, n, sizes_of(h.net_arch), h.activation, h.n_critics).to(self.device)
            for _ in range(2)
        )
        self.target_entropy = -float(n) if h.target_entropy == "auto" else _number("target_entropy", h.target_entropy)
        self.learns_temperature = h.ent_coef.startswith("auto")
        initial = h.ent_coef.removeprefix("auto").removeprefix("_") or "1"
        self.temperature = Temperature(_positive("ent_coef", initial)).to(self.device)
        self.optimisers = {
            name: Optimiser(module, learning_rate=h.learning_rate)
            for name, module in (("actor", self.policy), ("critics", self.critics), ("temperature", self.temperature))
        }
        self.target_parameters = FlatParameters(self.target).freeze()
        self.target_parameters.copy_from(self.optimisers["critics"].flat)
        self.q, self.q_target = (
            BatchedPerceptrons.stacked(critics.weights, critics.biases, h.activation)
            for critics in (self.critics, self.target)
        )
        self.pi = BatchedPerceptrons.of(self.policy.actor, h.activation)
        self.act = Actor(self.policy, self.device)
        self.replay = ReplayBuffer(
            h.buffer_size, self.observation_space, (n,), np.float32, n_step=h.n_steps, gamma=h.gamma,
            num_envs=self.envs.num_envs,
        )  # fmt: skip
        modules = {
            "policy": self.policy,
            "critics": self.critics,
            "target": self.target,
            "temperature": self.temperature,
        }
        self.parts |= {name: ModuleState(module) for name, module in modules.items()}
        self.parts |= {f"{name}_optimiser": optimiser for name, optimiser in self.optimisers.items()}
        self.parts["replay"] = self.replay

    # -- acting -------------------------------------------------------------------------------------------------------

    def choose_actions(
        self, observations: Batch, *, deterministic: bool, rng: np.random.Generator, masks: NDArray[np.bool_] | None
    ) -> NDArray[Any]:
        outputs = self._outputs(observations)
        raw = self.distribution.mode(outputs) if deterministic else self.distribution.sample(outputs, rng)
        return self.distribution.to_env(raw)

    def policy_module(self) -> nn.Module:
        return ModePolicy(self.policy, self.distribution, self.action_space)

    def _outputs(self, observations: Batch) -> NDArray[np.float32]:
        inputs = self.policy.inputs(observations)
        return self.act(inputs.astype(np.float32, copy=False) if self.act.layers else inputs)

    def abandon_episodes(self) -> None:
        super().abandon_episodes()
        self.replay.abandon()

    # -- learning -----------------------------------------------------------------------------------------------------

    def iterate(self) -> None:
        """``train_freq`` steps of every environment, then ``gradient_steps`` updates."""
        h, before = self.hyperparameters, self.num_timesteps
        for _ in range(h.train_freq):
            if self.num_timesteps < h.learning_starts:
                uniform = self.rng.uniform(-1.0, 1.0, (self.envs.num_envs, *self.distribution.shape))
                raw = np.arctanh(uniform)
            else:
                raw = self.distribution.sample(self._outputs(self.envs.observations), self.rng)
            step = self.act_in_envs(self.distribution.to_env(raw))
            self.replay.add(step._replace(actions=np.tanh(raw)))
        if self.num_timesteps > h.learning_starts and len(self.replay) > 0:
            self.train(h.gradient_steps if h.gradient_steps >= 0 else self.num_timesteps - before)

    def train(self, n_updates: int) -> None:
        """That many gradient steps on minibatches from replay; metrics are their means."""
        h = self.hyperparameters
        rate = annealed(h.learning_rate, h.learning_rate_schedule, self.progress)
        for optimiser in self.optimisers.values():
            optimiser.learning_rate = rate
        if n_updates:
            terms = [self._update(self.replay.sample(h.batch_size, self.rng)) for _ in range(n_updates)]
            means = torch.stack(terms).mean(0).tolist()
            names = ("critic_loss", "actor_loss", "ent_coef", "ent_coef_loss")
            for name, value in zip(names if self.learns_temperature else names[:3], means, strict=False):
                self.record(name, value)
        self.record("n_updates", self.optimisers["critics"].n_updates)
        self.record("learning_rate", rate)

    def _update(self, sample: Sample) -> Tensor:
        """One step of critics, actor and temperature: their losses and alpha."""
        h, n = self.hyperparameters, self.distribution.shape[0]
        observations, following = (as_tensors(o, self.device) for o in (sample.observations, sample.next_observations))
        actions, rewards, discounts = (
            torch.as_tensor(array, device=self.device)
            for array in (sample.actions, sample.rewards, sample.discounts * (1 - sample.terminated))
        )
        noise = torch.randn(2, len(rewards), n, generator=self.torch_rng, device=self.device)
        alpha = self.temperature.alpha
        y = self.targets(following, rewards, discounts, noise[0], alpha)
        critic_loss = self._update_critics(observations, actions, y)
        actor_loss, log_prob = self._update_actor(observations, noise[1], alpha)
        excess = (log_prob + self.target_entropy).mean()
        ent_coef_loss = -self.temperature.log_alpha.detach()[0] * excess
        if self.learns_temperature:
            self.optimisers["temperature"].flat.gradient.copy_(-excess)
            self.optimisers["temperature"].apply()
        if self.optimisers["critics"].n_updates % h.target_update_interval == 0:
            self.target_parameters.average(self.optimisers["critics"].flat, h.tau)
        return torch.stack([critic_loss, actor_loss, alpha[0], ent_coef_loss])

    @torch.no_grad()
    def targets(self, following: Any, rewards: Tensor, discounts: Tensor, noise: Tensor, alpha: Tensor) -> Tensor:
        """``(batch,)`` y; ``discounts`` are 0 where a terminal state was reached."""
        outputs = self.pi.forward(self.policy.encoder(following))[0]
        action, log_prob = rsample(*self.distribution.split(outputs), noise)
        q = self.q_target.forward(torch.cat([self.target.encoder(following), action], 1))[:, :, 0].amin(0)
        return rewards + discounts * (q - alpha * log_prob)

    def _update_critics(self, observations: Any, actions: Tensor, y: Tensor) -> Tensor:
        """One step down sum_i mean (q_i - y)^2 / 2, which is returned; its gradient is (q_i - y) / batch."""
        learned, optimiser = self.policy.learned_encoder, self.optimisers["critics"]
        features = self.critics.encoder(observations)
        error = self.q.forward(torch.cat([features.detach(), actions], 1)) - y[:, None]
        if learned:  # to which autograd adds; the passes write
            optimiser.flat.gradient.zero_()
        to_inputs = self.q.backward(error / len(y), inputs=learned)
        if to_inputs is not None:
            features.backward(to_inputs[:, : features.shape[1]])
        optimiser.apply()
        return 0.5 * error.square().mean(1).sum()

    def _update_actor(self, observations: Any, noise: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
        """One step down mean (alpha log pi - min_i q_i); the loss and log pi ``(batch,)`` are returned."""
        learned, optimiser = self.policy.learned_encoder, self.optimisers["actor"]
        inputs = self.policy.encoder(observations)
        outputs = self.pi.forward(inputs.detach())[0].requires_grad_()
        action, log_prob = rsample(*self.distribution.split(outputs), noise)
        with torch.no_grad():
            features = self.critics.encoder(observations)
            q, smallest = self.q.forward(torch.cat([features, action], 1)).min(0, keepdim=True)
            chosen = torch.zeros_like(q).expand(self.q.n, -1, -1).scatter(0, smallest, -1.0 / len(noise))
            to_action = self.q.backward(chosen, parameters=False, inputs=True)
        assert to_action is not None
        loss = (alpha * log_prob).mean()
        (to_outputs,) = torch.autograd.grad(
            (loss, action), outputs, (torch.ones_like(loss), to_action[:, features.shape[1] :])
        )
        if learned:  # to which autograd adds; the passes write
            optimiser.flat.gradient.zero_()
        to_inputs = self.pi.backward(to_outputs[None], inputs=learned)
        if to_inputs is not None:
            inputs.backward(to_inputs)
        optimiser.apply()
        return loss.detach() - q.mean(), log_prob.detach()


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise HyperparameterError(f'sac.{name} must be a number or "auto", not {text!r}') from None


def _positive(name: str, text: str) -> float:
    number = _number(name, text)
    if not 0.0 < number < float("inf"):
        raise HyperparameterError(f"sac.{name} must be above 0, not {text!r}")
    return number
