"""Video files as frames at a constant rate, decoded one by one and never all held.

Phones and screen recorders write frames when they have them. :class:`VideoFile` goes by their timestamps: frame ``k`` is the
one whose time is nearest to ``k / fps``. Pictures larger than needed are reduced as they are decoded; only a few full ones
are in memory at a time. Only files of this machine are opened, and only containers that hold their own data: no playlist can
lead elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rlsuite.errors import MotionError
from rlsuite.films import Frame

if TYPE_CHECKING:
    import av

LARGEST_SIDE = 960  # pixels of the greater side, after reduction
MOST_PIXELS = 1 << 26  # of a picture in the file: 8192 x 8192
MOST_FRAMES = 20_000  # after resampling: eleven minutes at 30 Hz
FASTEST = 60.0  # hertz: faster video is read at this rate
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,mpeg,mpegts,ogg,flv,asf,m4v,h264,hevc"


class VideoFile:
    """A video, to be gone through as often as wanted; every pass decodes it anew.

    Args:
        fps: frames a second wanted; default: the video's own, at most :data:`FASTEST`.
        largest_side: pixels of the greater side; larger pictures are reduced to it.
        start, stop: seconds of the part that is wanted.

    Attributes:
        width, height: of the frames that are given, in pixels. full_width, full_height: of those in the file.

    Raises:
        MotionError: there is no such file, it is no video, has no frames or too large ones, or a setting is out of range.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        fps: float | None = None,
        largest_side: int = LARGEST_SIDE,
        start: float = 0.0,
        stop: float | None = None,
    ) -> None:
        self.path, self.start, self.stop = Path(path), start, stop
        if fps is not None and not 0.0 < fps <= 1000.0:
            raise MotionError(f"frames a second are a number from 0 to 1000, not {fps!r}")
        if largest_side < 16 or not 0.0 <= start < math.inf or (stop is not None and not stop > start):
            raise MotionError(
                f"a video is read from a time of 0 or more to a later one, at 16 pixels or more; not {start!r}, {stop!r} "
                f"and {largest_side!r}"
            )
        if not self.path.is_file():
            raise MotionError(f"{self.path}: there is no such video file")
        self._side = largest_side
        own, turned = self._look()
        self.fps = fps or min(own, FASTEST)
        self.full_width, self.full_height = turned
        scale = min(1.0, largest_side / max(turned))
        self.width, self.height = (max(2, round(scale * side / 2) * 2) for side in turned)

    def __iter__(self) -> Iterator[Frame]:
        """Frames ``(height, width, 3)`` at :attr:`fps`.

        Raises:
            MotionError: the file is damaged, or too long.
        """
        k = 0
        held: tuple[float, Frame] | None = None
        for time, frame in self._decoded():
            while held is not None and k / self.fps < 0.5 * (held[0] + time) - 1e-9:
                yield held[1]
                k = self._next(k)
            held = time, frame
        if held is None:
            raise MotionError(f"{self.path}: no frames from {self.start:g} s on")
        while k / self.fps <= held[0] + 1e-6 or k == 0:  # the last frame, where samples still fall on it
            yield held[1]
            k = self._next(k)

    def _next(self, k: int) -> int:
        if k + 1 >= MOST_FRAMES:
            raise MotionError(
                f"{self.path}: more than {MOST_FRAMES} frames at {self.fps:g} Hz; cut the video, or read a part of it"
            )
        return k + 1

    def _look(self) -> tuple[float, tuple[int, int]]:
        """The rate, and width and height as shown, of the first frame."""
        with self._opened() as (container, stream):
            size = stream.codec_context.width * stream.codec_context.height
            if size > MOST_PIXELS:
                raise MotionError(
                    f"{self.path}: pictures of {stream.codec_context.width} x {stream.codec_context.height} pixels are "
                    f"larger than {MOST_PIXELS:,} pixels"
                )
            rate = stream.average_rate or stream.guessed_rate or Fraction(30)
            first = next(iter(self._frames(container, stream)), None)
            if first is None:
                raise MotionError(f"{self.path}: a video without frames")
            size_shown = (first.width, first.height) if first.rotation % 180 == 0 else (first.height, first.width)
        own = float(rate)
        return (own if 0.0 < own < 1e4 else 30.0), size_shown

    def _decoded(self) -> Iterator[tuple[float, Frame]]:
        """Seconds since ``start`` and reduced pictures, in order."""
        first: float | None = None
        before, count = -math.inf, 0
        with self._opened() as (container, stream):
            for frame in self._frames(container, stream):
                time = float(frame.time) if frame.time is not None else count / self.fps
                count += 1
                first = time if first is None else first
                since = time - first - self.start
                if since < -1e-9 or since <= before:
                    continue
                if self.stop is not None and since > self.stop - self.start:
                    return
                before = since
                yield max(since, 0.0), self._reduced(frame)

    def _reduced(self, frame: av.VideoFrame) -> Frame:
        if frame.width * frame.height > MOST_PIXELS:
            raise MotionError(f"{self.path}: a frame of {frame.width} x {frame.height} pixels is too large")
        sideways = frame.rotation % 180 != 0
        width, height = (self.height, self.width) if sideways else (self.width, self.height)
        picture = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
        turned = np.rot90(picture, round(frame.rotation / 90) % 4) if frame.rotation else picture
        return np.ascontiguousarray(turned)

    def _opened(self) -> _Opened:
        return _Opened(self.path)

    def _frames(self, container: Any, stream: Any) -> Iterator[av.VideoFrame]:
        from av.error import FFmpegError

        try:
            yield from container.decode(stream)
        except (FFmpegError, ValueError) as error:
            raise MotionError(f"{self.path}: damaged video ({_reason(error)})") from None


class _Opened:
    """The container and its first stream of pictures, for as long as a block lasts."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> tuple[Any, Any]:
        import av
        from av.error import FFmpegError

        options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file"}
        try:
            self._container = av.open(f"file:{self.path.absolute()}", options=options, metadata_errors="ignore")
        except (FFmpegError, ValueError) as error:
            raise MotionError(f"{self.path}: not a video that can be read ({_reason(error)})") from None
        if not self._container.streams.video:
            self._container.close()
            raise MotionError(f"{self.path}: no pictures in this file; a video is expected")
        stream = self._container.streams.video[0]
        if stream.codec_context is None:
            self._container.close()
            raise MotionError(f"{self.path}: a video in a code that this machine cannot read")
        stream.thread_type = "AUTO"
        return self._container, stream

    def __exit__(self, *_: object) -> None:
        self._container.close()


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(str(text).split())
