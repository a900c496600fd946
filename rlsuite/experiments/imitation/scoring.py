"""How imitation is scored while it is trained: the entries ``eval/…`` of a run, from a batch of episodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rlsuite.agents.evaluation import drawing_actions_from, episode_seeds, tell_where
from rlsuite.experiments.imitation.episodes import evaluation_env, play


class ImitationScorer:
    """A :class:`~rlsuite.experiments.scoring.Scorer`; ``eval/mean_reward`` is the return by ``deepmimic-code``."""

    def __init__(self, env_kwargs: Mapping[str, Any], episodes: int) -> None:
        self.env = evaluation_env(env_kwargs, episodes)

    def __call__(self, agent: Any, *, deterministic: bool, seed: int) -> dict[str, float]:
        def act(observations: Any) -> Any:
            return agent.predict(observations, deterministic=deterministic)[0]

        tell_where(agent, self.env)
        with drawing_actions_from(agent, episode_seeds(seed, self.env.num_envs)):
            episodes = play(act, self.env, seed)
        returns = [episode.rewards.sum() for episode in episodes]
        frames = [episode.performed.n_frames for episode in episodes]
        return {
            "eval/mean_reward": float(np.mean(returns)),
            "eval/std_reward": float(np.std(returns)),
            "eval/mean_ep_length": float(np.mean([len(episode.rewards) for episode in episodes])),
            "eval/normalised_return": float(np.mean([episode.normalised_return for episode in episodes])),
            "eval/falls": float(sum(episode.fell for episode in episodes)),
            "eval/success_rate": float(np.mean([episode.success for episode in episodes])),
            "eval/mpjpe_mm": 1000.0 * float(np.average([episode.mpjpe for episode in episodes], weights=frames)),
        }

    def close(self) -> None:
        self.env.close()
