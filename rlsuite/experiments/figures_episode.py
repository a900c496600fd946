"""An episode of a learned policy as an animated GIF."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.errors import InvalidEnvironmentError
from rlsuite.files import write_atomically

if TYPE_CHECKING:
    import gymnasium as gym
    from PIL import Image

MOST_FRAMES, LARGEST_SIDE, COLOURS = 60, 320, 64
FRAME_SECONDS, LAST_SECONDS = 0.2, 1.5


def episode_gif(
    env: gym.Env[Any, Any],
    policy: Callable[[Any], Any],
    path: str | Path,
    *,
    seed: int | None = None,
    most_frames: int = MOST_FRAMES,
    largest_side: int = LARGEST_SIDE,
) -> Path:
    """Play one episode with ``policy(observation)`` and write its frames to ``path``.

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
        frames.append(_picture(env, largest_side))
        if over or len(frames) >= most_frames:
            break
        observation, _, terminated, truncated, _ = env.step(policy(observation))
        over = bool(terminated or truncated)
    buffer = io.BytesIO()
    durations = [round(1000 * FRAME_SECONDS)] * (len(frames) - 1) + [round(1000 * LAST_SECONDS)]
    frames[0].save(
        buffer, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0, optimize=False, disposal=1
    )
    write_atomically(path, buffer.getvalue(), durable=False)
    return Path(path)


def _picture(env: gym.Env[Any, Any], largest_side: int) -> Image.Image:
    from PIL import Image

    frame: NDArray[np.uint8] | Any = env.render()
    if not isinstance(frame, np.ndarray) or frame.ndim != 3:
        raise InvalidEnvironmentError(
            f"{env} renders {type(frame).__name__}, not an image; make it with render_mode='rgb_array'"
        )
    image = Image.fromarray(frame)
    image.thumbnail((largest_side, largest_side), Image.Resampling.BOX)
    return image.quantize(COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
