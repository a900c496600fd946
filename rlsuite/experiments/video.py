"""Films of episodes: frames rendered off screen, encoded as MP4 (H.264) or as an animated GIF.

An MP4 is for people: every frame at full size. A GIF is for pages and TensorBoard, which show it with no player: at most
:data:`LARGEST_SIDE` pixels and about 30 frames a second. Files are written in one step, so none is ever half a film.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from ctypes.util import find_library
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlsuite.environ import environment_variables
from rlsuite.envs.finite.mdp import DEFAULT_HORIZON
from rlsuite.errors import InvalidEnvironmentError, RlsuiteError
from rlsuite.files import write_atomically

if TYPE_CHECKING:
    import gymnasium as gym
    from PIL import Image

    from rlsuite.agents.base import Agent

Frame = NDArray[np.uint8]  # (height, width, 3)

MOST_FRAMES = 1000  # of a recording that is kept in memory
LARGEST_SIDE, COLOURS = 320, 64  # of a GIF
DEFAULT_FPS = 30.0  # of an environment that does not say
GIF_FPS = 30  # browsers play GIFs of more than 50 frames a second slowly; of more than 30, pages grow heavy


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


@contextmanager
def off_screen() -> Iterator[None]:
    """Render in memory: keep SDL (pygame) from looking for a screen, and MuJoCo too where there is none.

    MuJoCo's back end is chosen when an environment renders for the first time; a ``MUJOCO_GL`` of the user's is kept.
    """
    chosen = {"SDL_VIDEODRIVER": "dummy"}
    if "MUJOCO_GL" not in os.environ and not has_screen():
        installed = [name for name, library in (("egl", "EGL"), ("osmesa", "OSMesa")) if find_library(library)]
        chosen |= {"MUJOCO_GL": installed[0]} if installed else {}
    with environment_variables(chosen):
        yield


def has_screen() -> bool:
    """Whether a window can be opened; on Linux, whether a display server is named."""
    return not sys.platform.startswith("linux") or any(os.environ.get(n) for n in ("DISPLAY", "WAYLAND_DISPLAY"))


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


# -- files -------------------------------------------------------------------------------------------------------------


class Mp4:
    """An MP4 that browsers play (H.264, yuv420p, index first), written frame by frame and put in place at the end.

    Used as a context manager; where its block ends with an error, ``path`` stays as it was. Frames of an odd height or
    width, which H.264 in this form does not know, have their last row or column doubled.

    Raises:
        RlsuiteError: a frame has another size than the first, or there is no frame.
    """

    def __init__(self, path: str | Path, fps: float) -> None:
        self.path, self.fps = Path(path), fps
        self._shape: tuple[int, ...] | None = None

    def __enter__(self) -> Mp4:
        import av

        self._folder = tempfile.TemporaryDirectory(prefix="rlsuite-film-")
        self._file = Path(self._folder.name) / "film.mp4"
        self._container = av.open(str(self._file), "w", options={"movflags": "faststart"})
        self._stream: Any = None
        return self

    def add(self, frame: Frame) -> None:
        """Append a frame of ``(height, width, 3)``."""
        import av

        height, width = frame.shape[:2]
        if self._shape is None:
            self._shape = frame.shape
            self._stream = self._container.add_stream("libx264", rate=Fraction(self.fps).limit_denominator(1000))
            self._stream.height, self._stream.width = height + height % 2, width + width % 2
            self._stream.pix_fmt = "yuv420p"
            self._stream.options = {"crf": "20", "preset": "veryfast"}
        elif frame.shape != self._shape:
            raise RlsuiteError(f"{self.path}: frames differ in size, {self._shape} and {frame.shape}")
        even = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
        self._container.mux(self._stream.encode(picture))

    def __exit__(self, kind: Any, *_: Any) -> None:
        with self._folder:
            if self._stream is not None:
                self._container.mux(self._stream.encode())
            self._container.close()
            if kind is None:
                if self._stream is None:
                    raise RlsuiteError(f"{self.path}: a film needs at least one frame")
                write_atomically(self.path, self._file.read_bytes(), durable=False)


def write_mp4(path: str | Path, frames: Iterable[Frame], fps: float) -> Path:
    """Write ``frames`` to an MP4 (:class:`Mp4`)."""
    with Mp4(path, fps) as film:
        for frame in frames:
            film.add(frame)
    return Path(path)


def write_gif(path: str | Path, frames: Sequence[Frame], fps: float, *, last_seconds: float = 1.5) -> Path:
    """Write ``frames`` to an animated GIF (:func:`encode_gif`)."""
    write_atomically(path, encode_gif(frames, fps, last_seconds=last_seconds), durable=False)
    return Path(path)


def encode_gif(
    frames: Sequence[Frame], fps: float, *, last_seconds: float = 1.5, largest_side: int = LARGEST_SIDE
) -> bytes:
    """``frames`` as an animated GIF that repeats for ever, in time to a hundredth of a second.

    Above :data:`GIF_FPS` only every second frame (third, …) is shown, and always the last, for ``last_seconds``.

    Raises:
        RlsuiteError: there is no frame.
    """
    if not frames:
        raise RlsuiteError("a film needs at least one frame")
    stride = -int(-fps // GIF_FPS)
    shown = [*range(0, len(frames) - 1, stride), len(frames) - 1]
    times = [10 * round(100 * at / fps) for at in shown]  # milliseconds, rounded as a whole: the pace does not drift
    durations = [*np.diff(times).tolist(), round(1000 * last_seconds)]
    first, *rest = (_paletted(reduced(frames[at], largest_side)) for at in shown)
    buffer = io.BytesIO()
    first.save(buffer, "GIF", save_all=True, append_images=rest, duration=durations, loop=0, optimize=False, disposal=1)
    return buffer.getvalue()


def reduced(frame: Frame, largest_side: int) -> Frame:
    """A copy of ``frame``, scaled down where it is larger than ``largest_side``."""
    from PIL import Image

    image = Image.fromarray(frame)
    image.thumbnail((largest_side, largest_side), Image.Resampling.BOX)
    return np.array(image)


def _paletted(frame: Frame) -> Image.Image:
    from PIL import Image

    return Image.fromarray(frame).quantize(COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
