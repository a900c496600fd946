"""How well a policy performs a clip: one table of numbers over many episodes.

Distances and time warping are those of :mod:`rlsuite.motion.metrics`, of what was performed against what should have been,
up to the fall where there is one; means are over all frames of all episodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rlsuite.experiments.imitation.episodes import SECONDS, Act, Episode, clip_names, evaluation_env, play
from rlsuite.experiments.imitation.pushes import BISECTIONS, push_robustness
from rlsuite.motion import metrics

EPISODES = 32
# name: (unit, what the table calls it)
ROWS: Mapping[str, tuple[str, str]] = {
    "normalised_return": ("", "normalised return"),
    "worst_return": ("", "of the worst episode"),
    "falls": ("", "falls"),
    "success": ("", "success at 0.5 m"),
    "goal_reward": ("", "reward of the goal"),
    "goal_success": ("", "goal attained at the end"),
    "mpjpe_mm": ("mm", "MPJPE in the world"),
    "mpjpe_root_mm": ("mm", "MPJPE from the root"),
    "dtw_mm": ("mm", "time-warped distance"),
    "foot_skate_mm": ("mm/frame", "foot skate"),
    "foot_skate_reference_mm": ("mm/frame", "of the reference"),
    "torque_nm": ("N m", "mean torque of a joint"),
    "power_w": ("W", "mechanical power"),
    "push_forward_n": ("N", "push forward"),
    "push_sideways_n": ("N", "push sideways"),
}
GOAL_ROWS = ("goal_reward", "goal_success")  # only where there is a goal with a reward


def evaluate(
    act: Act,
    env_kwargs: Mapping[str, Any],
    *,
    episodes: int = EPISODES,
    seconds: float = SECONDS,
    seed: int = 0,
    trials: int = 16,
    bisections: int = BISECTIONS,
) -> tuple[dict[str, Any], list[Episode]]:
    """All of ``ROWS``, with ``episodes`` and ``seconds``, and the episodes themselves; 0 ``trials``: no pushes.

    Rows of the goal only where it has a reward; no pushes of who begins lying.
    """
    env = evaluation_env(env_kwargs, episodes, seconds=seconds)
    played = play(act, env, seed)
    pushed = trials > 0 and env.goal.falls
    env.close()
    found = summary(played) | {"episodes": episodes, "seconds": seconds}
    if pushed:
        pushes = push_robustness(act, env_kwargs, seed, trials=trials, bisections=bisections)
        found |= {"push_forward_n": pushes.newtons["forward"], "push_sideways_n": pushes.newtons["left"]}
    return found, played


def evaluate_each(
    act: Act, env_kwargs: Mapping[str, Any], *, episodes: int = EPISODES, seconds: float = SECONDS, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """:func:`summary` of every clip of a selector apart, each wanted from beginning to end."""
    env = evaluation_env({**env_kwargs, "interval": None}, episodes, seconds=seconds)
    found = {name: summary(play(act, env, seed, wanted=[k])) for k, name in enumerate(clip_names(env.clips))}
    env.close()
    return found


def led(episodes: Sequence[Episode], names: Sequence[str]) -> dict[str, float]:
    """Share of all control steps in which each clip was the one wanted, or performed best."""
    counts = np.bincount(np.concatenate([episode.which[1:] for episode in episodes]), minlength=len(names))
    return dict(zip(names, (counts / counts.sum()).tolist(), strict=True))


def summary(episodes: Sequence[Episode]) -> dict[str, Any]:
    """The rows that need no pushes."""
    compared = [metrics.compare(episode.performed, episode.reference) for episode in episodes]
    frames = [episode.performed.n_frames for episode in episodes]
    steps = [len(episode.rewards) for episode in episodes]

    def mean(name: str) -> float:
        return float(np.average([result[name] for result in compared], weights=frames))

    returns = [episode.normalised_return for episode in episodes]
    goal = {}
    if episodes[0].goals is not None:
        goal = {
            "goal_reward": float(np.mean([episode.goal_reward for episode in episodes])),
            "goal_success": float(np.mean([episode.goal_attained for episode in episodes])),
        }
    return {
        "normalised_return": float(np.mean(returns)),
        "worst_return": float(np.min(returns)),
        "falls": sum(episode.fell for episode in episodes),
        "success": float(np.mean([episode.success for episode in episodes])),
        **goal,
        "mpjpe_mm": 1000.0 * mean("mpjpe"),
        "mpjpe_root_mm": 1000.0 * mean("mpjpe_root"),
        "dtw_mm": 1000.0 * mean("dtw"),
        "foot_skate_mm": 1000.0 * mean("foot_skate_a"),
        "foot_skate_reference_mm": 1000.0 * mean("foot_skate_b"),
        "torque_nm": float(np.average([episode.torque.mean() for episode in episodes], weights=steps)),
        "power_w": float(np.average([episode.power.mean() for episode in episodes], weights=steps)),
    }
