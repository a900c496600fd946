"""A deep agent that learns next to nothing, but whose every number depends on all it has seen: ``toy_deep:toy``.

``TOY_PAUSE``: seconds to sleep in each iteration, so that a run can be killed in the middle. ``TOY_LOG``: a file to which
each process writes its id and the steps with which it begins to learn. Neither changes what is learned.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import numpy as np
import torch
from gymnasium import spaces

from rlsuite.agents.deep.agent import DeepAgent
from rlsuite.agents.deep.networks import encoder_for
from rlsuite.agents.deep.observations import as_tensors
from rlsuite.agents.deep.optimisation import ModuleState
from rlsuite.agents.hyperparameters import hyperparameter
from rlsuite.agents.registry import register


@dataclass(frozen=True)
class ToyHyperparameters:
    step_size: float = hyperparameter(0.01, "size of the steps of the weights", low=0.0)
    gamma: float = hyperparameter(0.99, "discount factor", low=0.0, high=1.0)
    diverge_at: int = hyperparameter(0, "step at which runs of odd seeds diverge; 0: never", low=0)


@register
class Toy(DeepAgent):
    name = "toy"
    Hyperparameters = ToyHyperparameters
    action_spaces = (spaces.Discrete,)

    def build(self) -> None:
        encoder = encoder_for(self.observation_space)
        self.network = torch.nn.Sequential(encoder, torch.nn.Linear(encoder.features_dim, int(self.action_space.n)))
        self.parts["network"] = ModuleState(self.network)
        self.told = False

    def iterate(self) -> None:
        if not self.told and "TOY_LOG" in os.environ:
            with open(os.environ["TOY_LOG"], "a") as log:
                log.write(f"{os.getpid()} {self.num_timesteps}\n")
        self.told = True
        time.sleep(float(os.environ.get("TOY_PAUSE", "0")))
        actions = self.rng.integers(int(self.action_space.n), size=self.envs.num_envs)
        step = self.act_in_envs(actions)
        h = self.hyperparameters
        noise = self.rng.standard_normal(self.network[1].weight.shape) * (1.0 - self.progress) + step.rewards.mean()
        with torch.no_grad():
            self.network[1].weight += h.step_size * torch.from_numpy(noise).float()
        if h.diverge_at and self.seed % 2 and self.num_timesteps >= h.diverge_at:
            self.record("loss", np.nan)

    def choose_actions(self, observations, *, deterministic, rng, masks):
        with torch.no_grad():
            values = self.network(as_tensors(observations, self.device)).numpy()
        return values.argmax(axis=1) if deterministic else rng.integers(values.shape[1], size=len(values))
