"""Films of episodes: frames rendered off screen, kept in memory for a GIF or encoded as an MP4 (:mod:`rlsuite.films`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rlsuite.envs.finite.mdp import DEFAULT_HORIZON
from rlsuite.errors import InvalidEnvironmentError
from rlsuite.films import LARGEST_SIDE, Frame, Mp4, reduced
from rlsuite.screen import off_screen

if TYPE_CHECKING:
    import gymnasium as gym

    from rlsuite.agents.base import Agent

MOST_FRAMES = 1000  # of a recording that is kept in memory
DEFAULT_FPS = 30.0  # of an environment that does not say


class Recording(NamedTuple):
    """Frames of episodes, one after another, and what the agent earned in them.

    Attributes:
        frames: ``(height, width, 3)`` each. fps: frames a second at the environment's own pace.
        returns, lengths: of each whole episode, also where the film stops before its end.
    """

    frames: list[Frame]
    fps: float
    returns: list[float]
    lengths: list[int]


# -- rendering ---------------------------------------------------------------------------------------------------------


def render_frame(env: gym.Env[Any, Any]) -> Frame:
    """What ``env`` looks like now.

    Raises:
        InvalidEnvironmentError: rendering fails, or gives no image.
    """
    try:
        frame = env.render()
    except Exception as error:  # the environment's own code and the graphics driver run here, and can raise anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise InvalidEnvironmentError(f"{env} cannot be rendered here ({reason}); `rlsuite doctor` says why") from error
    return checked_frame(env, frame)


def checked_frame(env: gym.Env[Any, Any], frame: Any) -> Frame:
    """``frame``, which ``env`` rendered.

    Raises:
        InvalidEnvironmentError: it is no image.
    """
    if not isinstance(frame, np.ndarray) or frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise InvalidEnvironmentError(
            f"{env} renders {type(frame).__name__}, not an image; make it with render_mode='rgb_array'"
        )
    return frame


def frames_per_second(env: gym.Env[Any, Any]) -> float:
    """``render_fps`` of the environment's metadata, or :data:`DEFAULT_FPS`."""
    fps = env.metadata.get("render_fps")
    return float(fps) if fps else DEFAULT_FPS


# -- episodes ----------------------------------------------------------------------------------------------------------


def film_episodes(
    agent: Agent,
    env: gym.Env[Any, Any],
    seeds: Sequence[int],
    take: Callable[[Frame], None],
    *,
    deterministic: bool = True,
    most_frames: int | None = None,
    max_episode_steps: int = DEFAULT_HORIZON,
) -> tuple[list[float], list[int]]:
    """Play the episodes of :func:`rlsuite.agents.evaluation.run_episodes` and hand each frame to ``take``.

    Args:
        env: made with ``render_mode="rgb_array"``.
        seeds: of the episodes, one each; the same seeds give the episodes that an evaluation plays.
        most_frames: handed over at most; the episodes are played to their ends nevertheless.

    Returns:
        Returns and lengths of the episodes.

    Raises:
        InvalidEnvironmentError: the environment cannot be rendered.
    """
    import gymnasium as gym

    from rlsuite.agents.evaluation import run_episodes

    class Filmed(gym.Wrapper[Any, Any, Any, Any]):
        taken = 0

        def reset(self, **kwargs: Any) -> Any:
            result = self.env.reset(**kwargs)
            self.film()
            return result

        def step(self, action: Any) -> Any:
            result = self.env.step(action)
            self.film()
            return result

        def film(self) -> None:
            if most_frames is None or self.taken < most_frames:
                take(render_frame(self.env))
                self.taken += 1

    with off_screen():
        return run_episodes(agent, Filmed(env), seeds, deterministic=deterministic, max_episode_steps=max_episode_steps)


def record_episodes(
    agent: Agent,
    env: gym.Env[Any, Any] | str,
    seeds: Sequence[int],
    *,
    deterministic: bool = True,
    largest_side: int | None = LARGEST_SIDE,
    most_frames: int = MOST_FRAMES,
    max_episode_steps: int = DEFAULT_HORIZON,
) -> Recording:
    """Frames of one episode per seed, kept in memory: for a GIF. For long films see :func:`record_mp4`.

    Args:
        env: an environment's id, or an environment made with ``render_mode="rgb_array"``.
        largest_side: pixels; larger frames are reduced (``None``: kept).

    Raises:
        InvalidEnvironmentError: the environment cannot be rendered.
    """
    frames: list[Frame] = []
    with _rendering(env) as filmed:
        returns, lengths = film_episodes(
            agent,
            filmed,
            seeds,
            lambda frame: frames.append(reduced(frame, largest_side) if largest_side else frame.copy()),
            deterministic=deterministic,
            most_frames=most_frames,
            max_episode_steps=max_episode_steps,
        )
        return Recording(frames, frames_per_second(filmed), returns, lengths)


def record_mp4(
    path: str | Path,
    agent: Agent,
    env: gym.Env[Any, Any] | str,
    seeds: Sequence[int],
    *,
    deterministic: bool = True,
    most_frames: int | None = None,
    max_episode_steps: int = DEFAULT_HORIZON,
) -> tuple[list[float], list[int]]:
    """Film one episode per seed to an MP4, frame by frame, however long; the episodes' returns and lengths.

    Raises:
        InvalidEnvironmentError: the environment cannot be rendered; then nothing is written.
    """
    with _rendering(env) as filmed, Mp4(path, frames_per_second(filmed)) as film:
        return film_episodes(
            agent,
            filmed,
            seeds,
            film.add,
            deterministic=deterministic,
            most_frames=most_frames,
            max_episode_steps=max_episode_steps,
        )


@contextmanager
def _rendering(env: gym.Env[Any, Any] | str) -> Iterator[gym.Env[Any, Any]]:
    """``env`` itself, or one made from its id and closed afterwards."""
    if not isinstance(env, str):
        if env.render_mode != "rgb_array":
            raise InvalidEnvironmentError(f"{env} has render_mode={env.render_mode!r}; make it with 'rgb_array'")
        yield env
        return
    from rlsuite.envs.registration import make_env

    with off_screen():
        made = make_env(env, render_mode="rgb_array")
        try:
            yield made
        finally:
            made.close()
