r"""Adversarial motion priors (Peng et al. 2021): PPO whose reward is that a discriminator takes the motion for the clip's.

.. math:: r = w_{task} \, r_{env} + w_{style} \max(0, 1 - (D(s, s') - 1)^2 / 4)

The discriminator (:mod:`rlsuite.agents.deep.discriminator`) learns between rollouts from demonstrations, from the newest
transitions and from a replay of older ones. Any environment will do that has an attribute ``demonstrations`` with
``columns``, those of the flat observation that show how the body moves, and ``transitions(n, rng)`` → ``(n, 2, d)`` of them.
With ``style_weight=0`` and ``task_weight=1`` this is PPO, to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlsuite.agents.deep.discriminator import Discriminator, agreement, style_reward
from rlsuite.agents.deep.networks import sizes_of
from rlsuite.agents.deep.optimisation import ModuleState, Optimiser
from rlsuite.agents.deep.ppo import PPO, PPOHyperparameters
from rlsuite.agents.deep.vector import Transitions
from rlsuite.agents.hyperparameters import hyperparameter
from rlsuite.errors import InvalidEnvironmentError, RecordError

SCALING = 4096  # demonstrations that set the scale of the features


class Demonstrations(Protocol):
    """What the environment offers."""

    columns: NDArray[np.intp]

    def transitions(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class AMPHyperparameters(PPOHyperparameters):
    """Fields of AMP."""

    task_weight: float = hyperparameter(0.5, "weight of the environment's own reward", low=0.0)
    style_weight: float = hyperparameter(0.5, "weight of the discriminator's reward", low=0.0)
    style_net_arch: str = hyperparameter("256,128", "hidden layers of the discriminator")
    style_learning_rate: float = hyperparameter(1e-4, "its step size of Adam", low=0.0, low_open=True)
    style_updates: int = hyperparameter(16, "its updates per rollout", low=0)
    style_batch_size: int = hyperparameter(256, "transitions of either side per update", low=1)
    style_replay_size: int = hyperparameter(20_000, "older transitions of the policy that are kept", low=1)
    gradient_penalty: float = hyperparameter(10.0, "weight of its squared gradient at demonstrations", low=0.0)


class TransitionReplay:
    """The newest ``capacity`` transitions ``(2, d)``, drawn uniformly; a part of a checkpoint."""

    def __init__(self, capacity: int, size: int) -> None:
        self.pairs = np.zeros((capacity, 2, size), np.float32)
        self.added = 0

    def __len__(self) -> int:
        return min(self.added, len(self.pairs))

    def add(self, pairs: NDArray[np.float32]) -> None:
        """Take in ``(n, 2, d)``; the oldest make room."""
        pairs = pairs[-len(self.pairs) :]
        self.pairs[(self.added + np.arange(len(pairs))) % len(self.pairs)] = pairs
        self.added += len(pairs)

    def sample(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        drawn: NDArray[np.float32] = self.pairs[rng.integers(len(self), size=n)]
        return drawn

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        return {"pairs": self.pairs[: len(self)]}

    def state_values(self) -> dict[str, Any]:
        return {"added": self.added}

    def load_state(self, arrays: dict[str, NDArray[Any]], values: dict[str, Any]) -> None:
        pairs, added = arrays["pairs"], values["added"]
        if type(added) is not int or added < 0 or pairs.shape != (min(added, len(self.pairs)), *self.pairs.shape[1:]):
            raise RecordError("the replay of transitions does not fit this agent")
        if pairs.dtype != np.float32 or not np.isfinite(pairs).all():
            raise RecordError("the replay of transitions holds values that are no finite 32-bit numbers")
        self.added = added
        self.pairs[: len(pairs)] = pairs


class StreamState:
    """A stream of random numbers as a part of a checkpoint."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        return {}

    def state_values(self) -> dict[str, Any]:
        return dict(self.rng.bit_generator.state)

    def load_state(self, arrays: dict[str, NDArray[Any]], values: dict[str, Any]) -> None:
        self.rng.bit_generator.state = values


class AMP(PPO):
    """Adversarial motion priors."""

    name = "amp"
    Hyperparameters = AMPHyperparameters
    hyperparameters: AMPHyperparameters

    def build(self) -> None:
        super().build()
        h = self.hyperparameters
        self.demonstrations = _demonstrations_of(self.envs.env)
        self.style_rng = self.rng.spawn(1)[0]  # leaves PPO's own stream as it is
        scaling = self.demonstrations.transitions(SCALING, self.style_rng)
        self.discriminator = Discriminator(torch.from_numpy(scaling), sizes_of(h.style_net_arch)).to(self.device)
        self.style_optimiser = Optimiser(self.discriminator, learning_rate=h.style_learning_rate)
        self.replay = TransitionReplay(h.style_replay_size, scaling.shape[2])
        self.parts |= {
            "discriminator": ModuleState(self.discriminator), "style_optimiser": self.style_optimiser,
            "style_replay": self.replay, "style_rng": StreamState(self.style_rng),
        }  # fmt: skip
        self._fresh: list[NDArray[np.float32]] = []
        self._styles: list[float] = []

    def act_in_envs(self, actions: NDArray[Any]) -> Transitions:
        """As ever, with the sum of both rewards in place of the environment's; a step that terminates has no style."""
        step = super().act_in_envs(actions)
        h, columns = self.hyperparameters, self.demonstrations.columns
        pairs = np.stack([step.observations[:, columns], step.next_observations[:, columns]], axis=1)
        with torch.inference_mode():
            style = style_reward(self.discriminator(self._tensor(pairs))).cpu().numpy().astype(np.float64)
        style[step.terminated] = 0.0
        self._fresh.append(pairs[step.valid])
        self._styles += style[step.valid].tolist()
        return step._replace(rewards=h.task_weight * step.rewards + h.style_weight * style)

    def iterate(self) -> None:
        self._fresh, self._styles = [], []
        super().iterate()
        performed = np.concatenate(self._fresh)
        if len(performed):
            self.record("style_reward", float(np.mean(self._styles)))
            self._learn_style(performed)

    def _learn_style(self, performed: NDArray[np.float32]) -> None:
        """``style_updates`` steps of the discriminator: half of the policy's side is new, half from the replay."""
        h, rng = self.hyperparameters, self.style_rng
        seen: list[tuple[Tensor, Tensor, Tensor]] = []
        for _ in range(h.style_updates):
            demonstrated = self.demonstrations.transitions(h.style_batch_size, rng)
            old = h.style_batch_size // 2 if len(self.replay) else 0
            new = performed[rng.integers(len(performed), size=h.style_batch_size - old)]
            both = np.concatenate([new, self.replay.sample(old, rng)]) if old else new
            loss, real, fake = self.discriminator.loss(
                self._tensor(demonstrated), self._tensor(both), h.gradient_penalty
            )
            self.style_optimiser.step(loss)
            seen.append((loss.detach(), real, fake))
        self.replay.add(performed)
        if seen:
            losses, reals, fakes = zip(*seen, strict=True)
            self.record("style_loss", torch.stack(losses).mean())
            for name, value in agreement(torch.cat(reals), torch.cat(fakes)).items():
                self.record(name, value)


def _demonstrations_of(env: Any) -> Demonstrations:
    members = getattr(env, "envs", None)  # of a SyncVectorEnv
    found: Demonstrations | None = getattr((members[0] if members else env).unwrapped, "demonstrations", None)
    if found is None:
        raise InvalidEnvironmentError(
            f"amp needs an environment with demonstrations, as rlsuite/HumanoidImitate-v0 has; {env} has none"
        )
    return found
