"""How imitation is scored while it is trained: the entries ``eval/…`` of a run, from a batch of episodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rlsuite.agents.evaluation import drawing_actions_from, episode_seeds, tell_where
from rlsuite.envs.humanoid.goals import mixture
from rlsuite.experiments.imitation.episodes import Episode, evaluation_env, play


class ImitationScorer:
    """A :class:`~rlsuite.experiments.scoring.Scorer`; ``eval/mean_reward`` is the return by ``deepmimic-code``, and with a
    goal the mixture of imitation and goal that the run is trained with.
    """

    def __init__(self, env_kwargs: Mapping[str, Any], episodes: int) -> None:
        self.env = evaluation_env(env_kwargs, episodes)
        self._mix = mixture(self.env.goal, env_kwargs.get("mix")) if self.env.goal.rewarded else (1.0, 0.0)

    def __call__(self, agent: Any, *, deterministic: bool, seed: int) -> dict[str, float]:
        def act(observations: Any) -> Any:
            return agent.predict(observations, deterministic=deterministic)[0]

        tell_where(agent, self.env)
        with drawing_actions_from(agent, episode_seeds(seed, self.env.num_envs)):
            episodes = play(act, self.env, seed)
        returns = [self._return(episode) for episode in episodes]
        frames = [episode.performed.n_frames for episode in episodes]
        found = {
            "eval/mean_reward": float(np.mean(returns)),
            "eval/std_reward": float(np.std(returns)),
            "eval/mean_ep_length": float(np.mean([len(episode.rewards) for episode in episodes])),
            "eval/normalised_return": float(np.mean([episode.normalised_return for episode in episodes])),
            "eval/falls": float(sum(episode.fell for episode in episodes)),
            "eval/success_rate": float(np.mean([episode.success for episode in episodes])),
            "eval/mpjpe_mm": 1000.0 * float(np.average([episode.mpjpe for episode in episodes], weights=frames)),
        }
        if self.env.goal.rewarded:
            found["eval/goal_reward"] = float(np.mean([episode.goal_reward for episode in episodes]))
            found["eval/goal_success"] = float(np.mean([episode.goal_attained for episode in episodes]))
        return found

    def _return(self, episode: Episode) -> float:
        imitation, goal = self._mix
        return float(imitation * episode.rewards.sum() + goal * (0.0 if episode.goals is None else episode.goals.sum()))

    def close(self) -> None:
        self.env.close()
