"""Deep Q-learning: a network learns q* from replayed transitions by semi-gradient Q-learning.

For transitions drawn from replay, with a target network q' that follows q from afar (Mnih et al. 2015, algorithm 1):

    target = r + gamma (1 - terminated) max_a q'(s', a),     loss = Huber(q(s, a) - target)

Flags, in any combination, each the difference its paper describes:

- ``double`` (van Hasselt et al. 2016): q chooses the action that q' values.
- ``dueling`` (Wang et al. 2016): q = value + advantage - mean advantage.
- ``prioritised`` (Schaul et al. 2016): transitions are drawn in proportion to a power of their last error.
- ``n_step`` (Sutton & Barto 2018, section 7.1): windows of n rewards, without off-policy correction, as in Rainbow.
- ``distributional``: ``c51`` (Bellemare et al. 2017) or ``quantile`` (Dabney et al. 2018) in place of the mean.
- ``noisy`` (Fortunato et al. 2018): noise in the weights explores in place of epsilon.

All of them on, with C51, is Rainbow (Hessel et al. 2018). With function approximation and off-policy data nothing
guarantees convergence; the target network and replay make divergence rare (van Hasselt et al. 2018).
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor

from rlsuite.agents.deep.agent import DeepAgent
from rlsuite.agents.deep.networks import sizes_of
from rlsuite.agents.deep.observations import Batch, as_tensors, take
from rlsuite.agents.deep.optimisation import FlatParameters, ModuleState, Optimiser, finite
from rlsuite.agents.deep.policy_modules import GreedyPolicy
from rlsuite.agents.deep.prioritised import PrioritisedReplay
from rlsuite.agents.deep.q_hyperparameters import (
    DeepQLearningHyperparameters,
    DQNHyperparameters,
    RainbowHyperparameters,
)
from rlsuite.agents.deep.q_losses import kl_divergence, of_action, project, quantile_huber, td_target
from rlsuite.agents.deep.q_networks import QNetwork
from rlsuite.agents.deep.replay import ReplayBuffer, Sample
from rlsuite.agents.deep.schedules import linear
from rlsuite.agents.deep.vector import Transitions
from rlsuite.errors import HyperparameterError

_DRAWN_AHEAD = 1 << 23  # bytes of observations that are gathered in one go


class Minibatch(NamedTuple):
    """A :class:`~replay.Sample` as tensors; ``continues`` is 1 - terminated."""

    observations: Any
    actions: Tensor
    rewards: Tensor
    next_observations: Any
    continues: Tensor
    discounts: Tensor
    weights: Tensor
    next_masks: Tensor | None

    @classmethod
    def of(cls, s: Sample, device: torch.device) -> Minibatch:
        continues, masks = 1 - s.terminated, None if s.next_masks is None else as_tensors(s.next_masks, device)
        arrays = (s.observations, s.actions, s.rewards, s.next_observations, continues, s.discounts, s.weights)
        return cls._make((*(as_tensors(array, device) for array in arrays), masks))

    def rows(self, which: slice) -> Minibatch:
        return Minibatch._make(None if field is None else take(field, which) for field in self)


class DeepQLearning(DeepAgent):
    """Deep Q-learning whose targets come from the learning network itself (Mnih et al. 2013)."""

    name = "deep-q-learning"
    Hyperparameters: ClassVar[type] = DeepQLearningHyperparameters
    action_spaces = (spaces.Discrete,)
    has_target_network: ClassVar[bool] = False

    def build(self) -> None:
        h = self.hyperparameters
        assert isinstance(self.action_space, spaces.Discrete)
        self.n_actions = int(self.action_space.n)
        if h.batch_size > h.buffer_size:
            raise HyperparameterError(f"{self.name}.buffer_size {h.buffer_size} holds no batch of {h.batch_size}")
        if h.distributional == "c51" and not h.v_min < h.v_max:
            raise HyperparameterError(f"{self.name}.v_max must be above v_min = {h.v_min:g}, not {h.v_max:g}")
        self.network = self._network()
        self.optimiser = Optimiser(self.network, learning_rate=h.learning_rate, max_grad_norm=h.max_grad_norm)
        self.parts |= {"network": ModuleState(self.network), "optimiser": self.optimiser}
        self.network.write_out()
        self.target = self.network
        if self.has_target_network:
            self.target = self._network()
            self._target_parameters = FlatParameters(self.target).freeze()
            self._target_parameters.copy_from(self.optimiser.flat)
            self.target.write_out()
            self.parts["target"] = ModuleState(self.target)
        self.support = torch.linspace(h.v_min, h.v_max, h.n_atoms, device=self.device)
        self.replay = self._replay()
        self.parts["replay"] = self.replay
        row = sum(array[:1].nbytes for name, array in self.replay.state_rows() if "observations" in name)
        self._ahead = 1 if h.prioritised else max(1, _DRAWN_AHEAD // (row * h.batch_size))
        # while targets do not depend on the network that learns, they are computed as far ahead as batches are drawn
        self._targets_ahead = self.has_target_network and not h.double and not h.noisy

    def _network(self) -> QNetwork:
        h = self.hyperparameters
        return QNetwork(
            self.observation_space,
            self.n_actions,
            hidden=sizes_of(h.net_arch),
            activation=h.activation,
            n_atoms={"none": 1, "c51": h.n_atoms, "quantile": h.n_quantiles}[h.distributional],
            dueling=h.dueling,
            noise_scale=h.noisy_sigma if h.noisy else None,
            device=self.device,
        )

    def _replay(self) -> ReplayBuffer:
        h = self.hyperparameters
        space, arguments = self.observation_space, {
            "n_step": h.n_step, "gamma": h.gamma, "num_envs": self.envs.num_envs, "n_actions": self.n_actions,
            "masks": h.use_action_masks,
        }  # fmt: skip
        if h.prioritised:
            return PrioritisedReplay(h.buffer_size, space, (), np.int64, alpha=h.prioritised_alpha, **arguments)
        return ReplayBuffer(h.buffer_size, space, (), np.int64, **arguments)

    # -- acting -------------------------------------------------------------------------------------------------------

    @property
    def epsilon(self) -> float:
        """Probability of a random action at this point of the schedule; 0 where noisy weights explore."""
        h = self.hyperparameters
        if h.noisy:
            return 0.0
        return linear(h.exploration_initial_eps, h.exploration_final_eps, self.progress, h.exploration_fraction)

    def choose_actions(
        self, observations: Batch, *, deterministic: bool, rng: np.random.Generator, masks: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        if deterministic or self.hyperparameters.noisy:
            noise = 0.0 if deterministic else torch.as_tensor(rng.standard_normal(self.network.noise.shape))
            with self.network.with_noise(noise):
                return self._greedy(observations, masks)
        return self._epsilon_greedy(observations, self.epsilon, rng, masks)

    def _epsilon_greedy(
        self, observations: Batch, epsilon: float, rng: np.random.Generator, masks: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        n = len(next(iter(observations.values())) if isinstance(observations, dict) else observations)
        explores = rng.random(n) < epsilon
        if not explores.any():
            return self._greedy(observations, masks)
        if masks is None:
            random = rng.integers(0, self.n_actions, n)
        else:
            random = (rng.random((n, self.n_actions)) * masks).argmax(axis=1)
        return random if explores.all() else np.where(explores, random, self._greedy(observations, masks))

    def _greedy(self, observations: Batch, masks: NDArray[np.bool_] | None) -> NDArray[np.int64]:
        values = self._expected(self.network.evaluate(as_tensors(observations, self.device)))
        if masks is not None:
            values = values.masked_fill(~as_tensors(masks, self.device), -torch.inf)
        return values.argmax(1).cpu().numpy()

    def policy_module(self) -> torch.nn.Module:
        return GreedyPolicy(self.network, self.hyperparameters.distributional, self.support, self.action_space)

    def _expected(self, atoms: Tensor) -> Tensor:
        """``(batch, n_actions)`` action values of ``(batch, n_actions, n_atoms)`` heads."""
        kind = self.hyperparameters.distributional
        if kind == "none":
            return atoms.squeeze(2)
        return atoms.softmax(2) @ self.support if kind == "c51" else atoms.mean(2)

    # -- learning -----------------------------------------------------------------------------------------------------

    def iterate(self) -> None:
        """``train_freq`` steps of every environment, then ``gradient_steps`` updates."""
        h, before = self.hyperparameters, self.num_timesteps
        for _ in range(h.train_freq):
            self._step()
        self.metrics["rollout/exploration_rate"] = self.epsilon
        if self.num_timesteps > h.learning_starts and len(self.replay) >= h.batch_size:
            self.train(h.gradient_steps if h.gradient_steps >= 0 else self.num_timesteps - before)

    def _step(self) -> None:
        h, envs = self.hyperparameters, self.envs
        masks = self.required_masks()
        if h.noisy and self.num_timesteps >= h.learning_starts:
            self.network.reset_noise(self.torch_rng)
            actions = self._greedy(envs.observations, masks)
        else:
            epsilon = 1.0 if self.num_timesteps < h.learning_starts else self.epsilon
            actions = self._epsilon_greedy(envs.observations, epsilon, self.rng, masks)
        before = self.num_timesteps
        step = self.act_in_envs(actions)
        self.replay.add(step, self._successor_masks(step) if h.use_action_masks else None)
        self.after_step(before)

    def _successor_masks(self, step: Transitions) -> NDArray[np.bool_] | None:
        """Actions allowed in the true successors: ``envs.action_masks`` belong to the next episode where one ended."""
        masks, infos = self.envs.action_masks, self.envs.infos
        if masks is None or not step.ended.any():
            return masks
        masks = masks.copy()
        for i in np.flatnonzero(step.ended):
            if isinstance(infos, list):
                masks[i] = infos[i].get("action_mask", True)
            else:
                final = infos.get("final_info", infos)
                masks[i] = final["action_mask"][i] if "action_mask" in final else True
        return masks

    def abandon_episodes(self) -> None:
        super().abandon_episodes()
        self.replay.abandon()

    def after_step(self, before: int) -> None:
        """Called after every vector step, ``before`` which there were so many environment steps."""

    def train(self, n_updates: int) -> None:
        """That many gradient steps on minibatches from replay."""
        h, losses = self.hyperparameters, torch.zeros((), device=self.device)
        if isinstance(self.replay, PrioritisedReplay):
            self.replay.beta = linear(h.prioritised_beta, 1.0, self.progress)
        done = 0
        while done < n_updates:
            k = min(self._ahead, n_updates - done)
            sample = self.replay.sample(k * h.batch_size, self.rng)
            batch = Minibatch.of(sample, self.device)
            targets = self.targets(batch) if self._targets_ahead else None
            for i in range(k):
                rows = slice(i * h.batch_size, (i + 1) * h.batch_size)
                losses += self._update(batch.rows(rows) if k > 1 else batch, targets, rows, sample)
            done += k
        if n_updates:
            self.record("loss", losses / n_updates)
        self.record("n_updates", self.optimiser.n_updates)
        self.record("learning_rate", self.optimiser.learning_rate)

    def _update(self, batch: Minibatch, targets: Tensor | None, rows: slice, sample: Sample) -> Tensor:
        if self.network.noisy:
            self.network.reset_noise(self.torch_rng)
            if self.has_target_network:
                self.target.reset_noise(self.torch_rng)
        target = self.targets(batch) if targets is None else targets[rows]
        written_out = self.network.perceptron is not None
        if written_out:
            atoms = self.network.evaluate(batch.observations)
            losses, errors, gradient = self.gradient(atoms, batch, target)
        else:
            losses, errors = self.losses(self.network(batch.observations), batch, target)
        loss = (losses * batch.weights).mean() if self.hyperparameters.prioritised else losses.mean()
        if isinstance(self.replay, PrioritisedReplay):
            finite("loss", loss.detach(), self.num_timesteps)
            self.replay.update(sample.indices, errors.cpu().numpy())
        if written_out:
            self.network.backward(gradient)
            self.optimiser.apply()
        else:
            self.optimiser.step(loss)
        return loss.detach()

    @torch.no_grad()
    def targets(self, batch: Minibatch) -> Tensor:
        """``(batch, n_atoms)``: values, quantiles, or probabilities on the support."""
        h = self.hyperparameters
        atoms = self.target.evaluate(batch.next_observations)  # (batch, n_actions, n_atoms)
        if h.distributional == "none" and not h.double and batch.next_masks is None:
            following = atoms.amax(1)
        else:
            values = self._expected(self.network.evaluate(batch.next_observations) if h.double else atoms)
            if batch.next_masks is not None:
                values = values.masked_fill(~batch.next_masks, -torch.inf)
            following = of_action(atoms, values.argmax(1))
        if h.distributional != "c51":
            return td_target(batch.rewards, batch.discounts, batch.continues, following)
        returns = td_target(batch.rewards, batch.discounts, batch.continues, self.support.expand_as(following))
        return project(following.softmax(1), returns, self.support)

    def losses(self, atoms: Tensor, batch: Minibatch, target: Tensor) -> tuple[Tensor, Tensor]:
        """``(batch,)`` losses, and errors from which priorities are made."""
        chosen, kind = of_action(atoms, batch.actions), self.hyperparameters.distributional
        if kind == "none":
            losses = F.smooth_l1_loss(chosen, target, reduction="none").squeeze(1)
            return losses, (chosen.detach() - target).squeeze(1)
        losses = kl_divergence(target, chosen) if kind == "c51" else quantile_huber(chosen, target)
        return losses, losses.detach()

    def gradient(self, atoms: Tensor, batch: Minibatch, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """:meth:`losses`, and the gradient of their weighted mean with respect to ``atoms``.

        That of Huber's loss is the error, clipped to [-1, 1]; that of the divergence with respect to the logits is the
        difference of the probabilities; autograd differentiates the quantiles' loss.
        """
        kind = self.hyperparameters.distributional
        if kind == "quantile":
            with torch.enable_grad():
                losses, errors = self.losses(atoms.requires_grad_(), batch, target)
                (gradient,) = torch.autograd.grad((losses * batch.weights).mean(), atoms)
            return losses.detach(), errors, gradient
        losses, errors = self.losses(atoms, batch, target)
        if kind == "none":
            each = errors.clamp(-1, 1)[:, None]
        else:
            each = of_action(atoms, batch.actions).softmax(1) - target
        each = each * (batch.weights / len(losses))[:, None]
        index = batch.actions.view(-1, 1, 1).expand(-1, 1, atoms.shape[2])
        return losses, errors, torch.zeros_like(atoms).scatter_(1, index, each[:, None])


class DQN(DeepQLearning):
    """Deep Q-learning with a target network (Mnih et al. 2015)."""

    name = "dqn"
    Hyperparameters: ClassVar[type] = DQNHyperparameters
    has_target_network = True

    def after_step(self, before: int) -> None:
        h = self.hyperparameters
        if before // h.target_update_interval < self.num_timesteps // h.target_update_interval:
            self._target_parameters.average(self.optimiser.flat, h.tau)


class Rainbow(DQN):
    """DQN with every flag on (Hessel et al. 2018)."""

    name = "rainbow"
    Hyperparameters: ClassVar[type] = RainbowHyperparameters
