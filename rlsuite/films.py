"""Films in files: frames encoded as MP4 (H.264) or as an animated GIF.

An MP4 is for people: every frame at full size. A GIF is for pages and TensorBoard, which show it with no player: at most
:data:`LARGEST_SIDE` pixels and about 30 frames a second. Files are written in one step, so none is ever half a film.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.errors import RlsuiteError
from rlsuite.files import write_atomically

if TYPE_CHECKING:
    from PIL import Image

Frame = NDArray[np.uint8]  # (height, width, 3)

LARGEST_SIDE, COLOURS = 320, 64  # of a GIF
GIF_FPS = 30  # browsers play GIFs of more than 50 frames a second slowly; of more than 30, pages grow heavy


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


def write_gif(path: str | Path, frames: Sequence[Frame], fps: float, **options: Any) -> Path:
    """Write ``frames`` to an animated GIF (:func:`encode_gif`, which takes the ``options``)."""
    write_atomically(path, encode_gif(frames, fps, **options), durable=False)
    return Path(path)


def encode_gif(
    frames: Sequence[Frame],
    fps: float,
    *,
    last_seconds: float = 1.5,
    largest_side: int = LARGEST_SIDE,
    colours: int = COLOURS,
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
    first, *rest = (_paletted(reduced(frames[at], largest_side), colours) for at in shown)
    buffer = io.BytesIO()
    first.save(buffer, "GIF", save_all=True, append_images=rest, duration=durations, loop=0, optimize=False, disposal=1)
    return buffer.getvalue()


def reduced(frame: Frame, largest_side: int) -> Frame:
    """A copy of ``frame``, scaled down where it is larger than ``largest_side``."""
    from PIL import Image

    image = Image.fromarray(frame)
    image.thumbnail((largest_side, largest_side), Image.Resampling.BOX)
    return np.array(image)


def _paletted(frame: Frame, colours: int) -> Image.Image:
    from PIL import Image

    return Image.fromarray(frame).quantize(colours, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
