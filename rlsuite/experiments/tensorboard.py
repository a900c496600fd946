"""TensorBoard as a view of a run: scalars under stable-baselines3's names, hyperparameters, text and films.

Films are image summaries whose image is an animated GIF, which browsers play; TensorBoard's own video call needs moviepy.
The truth of a run is its ``metrics.jsonl``; event files can be deleted at any time.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event, SessionLog  # type: ignore[import-untyped]
from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[import-untyped]
from tensorboard.plugins.hparams.summary_v2 import hparams_pb  # type: ignore[import-untyped]
from tensorboard.plugins.text.metadata import create_summary_metadata  # type: ignore[import-untyped]
from tensorboard.summary.writer.record_writer import RecordWriter  # type: ignore[import-untyped]
from tensorboard.util.tensor_util import make_tensor_proto  # type: ignore[import-untyped]

from rlsuite.films import Frame, encode_gif

logger = logging.getLogger("rlsuite")

FLUSH_SECONDS = 10
# Counters that grow with the step whatever happens: stable-baselines3 prints them in its log and not here.
NOT_SHOWN = {"time/iterations", "time/episodes", "time/time_elapsed", "time/total_timesteps", "train/n_updates"}


class TensorBoardWriter:
    """Appends to the event files of one run; use it as a context manager, or :meth:`close` it.

    Args:
        folder: of the run's events; made where it is missing.
        resume_step: the step from which a stopped run goes on. What an earlier writer recorded past it is hidden.
    """

    def __init__(self, folder: str | Path, *, resume_step: int | None = None) -> None:
        self.folder = Path(folder)
        self._writer = _EventFile(self.folder)
        if resume_step is not None:  # readers drop earlier events from the step of a session's start on
            self._add(resume_step + 1, session_log=SessionLog(status=SessionLog.START))
            self.flush()

    def scalars(self, row: Mapping[str, Any], step: int) -> None:
        """Record the numbers of a log row; text in it is shown as text, and what is neither is left out."""
        values = []
        for tag, value in row.items():
            if tag in NOT_SHOWN:
                continue
            if isinstance(value, str):
                self.text(tag, value, step)
            elif isinstance(value, bool | int | float | np.number | np.bool_):
                values.append(Summary.Value(tag=tag, simple_value=float(value)))
        if values:
            self._add(step, summary=Summary(value=values))

    def hparams(self, hyperparameters: Mapping[str, Any]) -> None:
        """Show the run in the HPARAMS tab, one line of a table with the last values of its scalars.

        Numbers, booleans and text are shown as such, anything else as it is printed. Columns are not declared: then
        TensorBoard shows those of all runs, where declared ones of one algorithm would hide another's.
        """
        values = {name: _shown(value) for name, value in hyperparameters.items()}
        trial = f"{self.folder.name} in {self.folder.parent}"  # unique, and told apart by its first letters
        self._add(0, summary=hparams_pb(values, trial_id=trial))

    def text(self, tag: str, text: str, step: int = 0) -> None:
        """Show ``text`` (Markdown) in the TEXT tab."""
        metadata = create_summary_metadata(display_name="", description="")
        tensor = make_tensor_proto(np.array([text.encode()], dtype=object))
        self._add(step, summary=Summary(value=[Summary.Value(tag=tag, metadata=metadata, tensor=tensor)]))

    def gif(self, tag: str, frames: Sequence[Frame], fps: float, step: int) -> None:
        """Show ``frames``, ``(height, width, 3)`` each, as a film in the IMAGES tab; sizes and pace are
        those of :func:`rlsuite.films.encode_gif`.

        Raises:
            RlsuiteError: there is no frame.
        """
        encoded = encode_gif(frames, fps)
        width, height = struct.unpack("<HH", encoded[6:10])  # of the GIF's screen, in its header
        image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=encoded)
        self._add(step, summary=Summary(value=[Summary.Value(tag=tag, image=image)]))

    def flush(self) -> None:
        """Write what is still in memory; done every few seconds anyway."""
        self._writer.flush()

    def close(self) -> None:
        """Write the rest and end."""
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _add(self, step: int, **what: Any) -> None:
        self._writer.add(Event(wall_time=time.time(), step=step, **what))


class _EventFile:
    """One file of events. TensorBoard's own writer does it in a thread, whose failures (a full disk) end in tracebacks;
    here they end the view, with one warning, and training goes on."""

    _count = itertools.count()

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # TensorBoard reads files in the order of their names, and two may begin within a second
        who = f"{socket.gethostname()}.{os.getpid()}.{next(self._count):06d}"
        self.path = folder / f"events.out.tfevents.{time.time():017.6f}.{who}"
        self._file: IO[bytes] | None = self.path.open("xb")
        self._flushed = time.monotonic()
        self.add(Event(wall_time=time.time(), file_version="brain.Event:2"))
        self.flush()

    def add(self, event: Any) -> None:
        if self._file is None:
            return
        try:
            RecordWriter(self._file).write(event.SerializeToString())
        except OSError as error:
            self._give_up(error)
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        self._flushed = time.monotonic()
        try:
            if self._file is not None:
                self._file.flush()
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        self.flush()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _give_up(self, error: OSError) -> None:
        logger.warning("no more TensorBoard events: %s: %s", self.path, error.strerror)
        assert self._file is not None
        with contextlib.suppress(OSError):  # what is in its buffer
            self._file.close()
        self._file = None


def _shown(value: Any) -> bool | float | str:
    """``value`` as TensorBoard can show it in a table."""
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, bool | int | float | str) else str(value)
