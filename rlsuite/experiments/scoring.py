"""How a policy is scored while it is trained: the entries ``eval/…`` of a run, from environments of their own."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from rlsuite.agents.evaluation import evaluate_policy
from rlsuite.experiments.run_environment import RunEnvironment


class Scorer(Protocol):
    """``eval/mean_reward``, by which the best checkpoint is kept, and whatever else tells how good an agent is."""

    def __call__(self, agent: Any, *, deterministic: bool, seed: int) -> dict[str, float]: ...

    def close(self) -> None:
        """Close the environments."""


class EpisodeScorer:
    """Mean and spread of the return over whole episodes, one after another."""

    def __init__(self, environment: RunEnvironment, episodes: int) -> None:
        self.env, self.episodes = environment.single(), episodes

    def __call__(self, agent: Any, *, deterministic: bool, seed: int) -> dict[str, float]:
        returns, lengths = evaluate_policy(
            agent, self.env, self.episodes, deterministic, return_episode_rewards=True, seed=seed
        )
        return {
            "eval/mean_reward": float(np.mean(returns)),
            "eval/std_reward": float(np.std(returns)),
            "eval/mean_ep_length": float(np.mean(lengths)),
        }

    def close(self) -> None:
        self.env.close()


def scorer_for(environment: RunEnvironment, episodes: int) -> Scorer:
    """How agents in this environment are scored."""
    from rlsuite.experiments.imitation import all_arguments, is_imitation

    if is_imitation(environment.env_id):
        from rlsuite.experiments.imitation.scoring import ImitationScorer

        return ImitationScorer(all_arguments(environment.env_id, environment.kwargs), episodes)
    return EpisodeScorer(environment, episodes)
