"""Callbacks, named as stable-baselines3's."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlsuite.agents.base import Agent


class BaseCallback:
    """Called while an agent learns; :meth:`on_step` returning ``False`` stops it.

    Attributes:
        every: how many environment steps lie between calls. Compiled learners run that many steps at a stretch, so 1
            (each step, as in stable-baselines3) is the slowest choice.
        agent, n_calls, num_timesteps: set by the learner.
    """

    every: int = 1

    def __init__(self) -> None:
        self.agent: Agent
        self.n_calls = 0
        self.num_timesteps = 0

    def on_training_start(self, agent: Agent) -> None:
        """Before the first step of a call of ``learn``."""
        self.agent = agent
        self.num_timesteps = agent.num_timesteps

    def on_step(self) -> bool:
        """After every ``every`` steps; ``False`` stops learning."""
        self.n_calls += 1
        self.num_timesteps = self.agent.num_timesteps
        return self._on_step()

    def _on_step(self) -> bool:
        return True

    def on_training_end(self) -> None:
        """After the last step of a call of ``learn``, also when it was interrupted."""
