"""An episode of a learned policy as an animated GIF."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlsuite.experiments.video import checked_frame
from rlsuite.files import write_atomically
from rlsuite.films import LARGEST_SIDE, encode_gif, reduced

if TYPE_CHECKING:
    import gymnasium as gym

MOST_FRAMES = 60
FRAME_SECONDS = 0.2


def episode_gif(
    env: gym.Env[Any, Any],
    policy: Callable[[Any], Any],
    path: str | Path,
    *,
    seed: int | None = None,
    most_frames: int = MOST_FRAMES,
    largest_side: int = LARGEST_SIDE,
) -> Path:
    """Play one episode with ``policy(observation)`` and write its frames to ``path``, slowly enough to follow each step.

    Args:
        env: made with ``render_mode="rgb_array"``. seed: of its reset.
        most_frames: steps after which the film stops, whether or not the episode is over.
        largest_side: pixels; larger frames are reduced.

    Raises:
        InvalidEnvironmentError: the environment does not render images.
    """
    frames = []
    observation, _ = env.reset(seed=seed)
    over = False
    while True:
        frames.append(reduced(checked_frame(env, env.render()), largest_side))
        if over or len(frames) >= most_frames:
            break
        observation, _, terminated, truncated, _ = env.step(policy(observation))
        over = bool(terminated or truncated)
    write_atomically(path, encode_gif(frames, 1 / FRAME_SECONDS, largest_side=largest_side), durable=False)
    return Path(path)
