"""The smallest deep agent: semi-gradient Q-learning of a linear head from a small replay buffer, epsilon on a schedule.

Its parts are those that every deep agent has (network, optimiser, buffer, random streams), so what holds for its files
and its learning loop holds because of what all deep agents share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray

from rlsuite.agents.deep.agent import DeepAgent
from rlsuite.agents.deep.networks import encoder_for
from rlsuite.agents.deep.observations import as_tensors
from rlsuite.agents.deep.optimisation import ModuleState, Optimiser
from rlsuite.agents.hyperparameters import hyperparameter


@dataclass(frozen=True)
class LinearHyperparameters:
    learning_rate: float = hyperparameter(0.01, "step size", low=0.0, low_open=True)
    gamma: float = hyperparameter(0.9, "discount factor", low=0.0, high=1.0)


class Replay:
    """The last transitions as lists; whole arrays when saved."""

    def __init__(self) -> None:
        self.rows: list[tuple[NDArray[Any], ...]] = []

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        return {f"{i}": np.array([row[i] for row in self.rows]) for i in range(5)} if self.rows else {}

    def state_values(self) -> dict[str, Any]:
        return {"n": len(self.rows)}

    def load_state(self, arrays: dict[str, NDArray[Any]], values: dict[str, Any]) -> None:
        columns = [arrays[f"{i}"] for i in range(5)] if values["n"] else []
        self.rows = [tuple(column[k] for column in columns) for k in range(values["n"])]


class LinearQ(DeepAgent):
    name = "linear-q"
    Hyperparameters = LinearHyperparameters
    action_spaces = (spaces.Discrete,)

    def build(self) -> None:
        encoder = encoder_for(self.observation_space)
        self.network = torch.nn.Sequential(encoder, torch.nn.Linear(encoder.features_dim, int(self.action_space.n)))
        self.optimiser = Optimiser(self.network, learning_rate=self.hyperparameters.learning_rate)
        self.replay = Replay()
        self.parts |= {"network": ModuleState(self.network), "optimiser": self.optimiser, "replay": self.replay}

    def iterate(self) -> None:
        self.optimiser.learning_rate = self.hyperparameters.learning_rate * (1 - 0.9 * self.progress)
        step = self.act_in_envs(
            self.choose_actions(self.envs.observations, deterministic=False, rng=self.rng, masks=None)
        )
        x, successors = self.features(step.observations), self.features(step.next_observations)
        for i in np.flatnonzero(step.valid):
            row = (x[i], step.actions[i], step.rewards[i], successors[i], step.terminated[i])
            self.replay.rows = [*self.replay.rows[-50:], row]
        rows = [self.replay.rows[k] for k in self.rng.integers(len(self.replay.rows), size=8)]
        first, following = (torch.as_tensor(np.array([row[i] for row in rows])) for i in (0, 3))
        actions = torch.as_tensor(np.array([row[1] for row in rows]))
        rewards = torch.as_tensor(np.array([row[2] for row in rows], np.float32))
        going_on = torch.as_tensor(np.array([not row[4] for row in rows]))
        with torch.no_grad():
            targets = rewards + self.hyperparameters.gamma * going_on * self.network[1](following).max(1).values
        noise = 1e-3 * torch.randn(len(rows), generator=self.torch_rng)
        error = self.network[1](first)[torch.arange(len(rows)), actions] - targets + noise
        loss = error.square().mean()
        self.record("loss", loss.detach())
        self.optimiser.step(loss)

    def features(self, observations: Any) -> NDArray[Any]:
        with torch.no_grad():
            return self.network[0](as_tensors(observations, self.device)).numpy()

    def choose_actions(self, observations: Any, *, deterministic: bool, rng: Any, masks: Any) -> NDArray[Any]:
        with torch.no_grad():
            values = self.network(as_tensors(observations, self.device)).numpy()
        if masks is not None:
            values = np.where(masks, values, -np.inf)
        greedy = values.argmax(1)
        if deterministic:
            return greedy
        random = rng.integers(values.shape[1], size=len(greedy))
        return np.where(rng.random(len(greedy)) < 0.5 * (1 - self.progress), random, greedy)
