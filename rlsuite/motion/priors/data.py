"""Clips as what a prior is fitted to: poses, next frames after their past, or windows, split in time.

Neighbouring frames are alike, so held-out ones are contiguous: the last part of every clip is for testing, the part before
it for stopping early. No training event reaches into another part. A held-out frame is judged given the frames before it,
which may lie in an earlier part, so every kind of model is judged on the same frames. All clips are resampled to one rate,
since the density of a next frame depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlsuite.errors import MotionError
from rlsuite.motion import editing
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.library import MotionLibrary
from rlsuite.motion.priors.coordinates import PoseCoordinates

Kind = Literal["pose", "next", "window"]
KINDS: tuple[Kind, ...] = get_args(Kind)
FPS = 24.0  # hertz, at which published recordings have the least upsampling in them
FLICKER = 0.2  # of a blur: the share that changes from frame to frame
SHARES = {"train": 0.72, "validation": 0.08, "test": 0.2}


def checked_kind(text: str) -> Kind:
    """``text``, which must be one of :data:`KINDS`.

    Raises:
        MotionError: it is none.
    """
    if text not in KINDS:
        raise MotionError(f"a prior is of {', '.join(KINDS)}, not {text!r}")
    return text


@dataclass(frozen=True)
class Part:
    """Events ``(n, *event)`` and, for next frames, their past ``(n, past, size)``."""

    events: Tensor
    condition: Tensor | None


@dataclass(frozen=True)
class PriorData:
    """What a prior is fitted to and judged on.

    Attributes:
        kind: ``pose``: events ``(size,)``; ``next``: ``(1, size)`` after a past ``(past, size)``; ``window``:
            ``(length, size)``.
        rows: all frames ``(N, size)``. ranges: rows of each part by name: first, one past the last, and the first row of
            the clip that it belongs to.
    """

    kind: Kind
    coordinates: PoseCoordinates
    fps: float
    past: int
    length: int
    rows: NDArray[np.float32]
    ranges: dict[str, list[tuple[int, int, int]]]
    clips: tuple[str, ...]
    licences: tuple[str, ...]

    def part(self, name: str) -> Part:
        """``train``: events wholly inside; ``validation``, ``test``: one event ending at every frame of the part.

        Raises:
            MotionError: no clip is long enough for one.
        """
        span = {"pose": 1, "next": self.past + 1, "window": self.length}[self.kind]
        ends = [
            np.arange(max(a, (a if name == "train" else clip) + span - 1), b) for a, b, clip in self.ranges[name]
        ]  # rows of the last frames
        last = np.concatenate(ends) if ends else np.zeros(0, np.intp)
        if not len(last):
            raise MotionError(f"no clip is long enough: the {name} part needs {span} frames at {self.fps:g} Hz of one")
        found = torch.from_numpy(self.rows[last[:, None] + np.arange(1 - span, 1)])
        if self.kind == "pose":
            return Part(found[:, 0], None)
        if self.kind == "window":
            return Part(found, None)
        return Part(found[:, self.past :], found[:, : self.past])

    @property
    def spread(self) -> NDArray[np.float64]:
        """``(size,)`` standard deviations of the training frames, at least 1e-6."""
        rows = np.concatenate([self.rows[a:b] for a, b, _ in self.ranges["train"]]).astype(np.float64)
        return np.maximum(rows.std(axis=0), 1e-6)


def blurred(part: Part, spreads: NDArray[np.float64], copies: int, generator: np.random.Generator) -> Part:
    """Every event ``copies`` times over, each copy off by Gaussian errors of standard deviation ``spreads (size,)``, the
    same in all its frames and those before it, and by a fifth as much in every frame apart.

    A prior of clips that are few and clean knows their frames to the hundredth of a degree and finds everything else alike
    impossible; of blurred ones it knows how far a motion may be off.
    """
    events, past = part.events.repeat(copies, *[1] * (part.events.dim() - 1)), part.condition
    whole = events[:, None] if events.dim() == 2 else events  # (n, frames, size)
    if past is not None:
        whole = torch.cat([past.repeat(copies, 1, 1), whole], 1)
    n, frames, size = whole.shape
    off = generator.normal(size=(n, 1, size)) + FLICKER * generator.normal(size=(n, frames, size))
    whole = whole + torch.from_numpy((off * spreads).astype(np.float32))
    seen = 0 if past is None else past.shape[1]
    return Part(whole[:, seen:].reshape(events.shape), None if past is None else whole[:, :seen])


def motion_data(
    clips: list[MotionClip],
    kind: str,
    *,
    fps: float = FPS,
    root: bool = True,
    past: int = 3,
    length: int = 8,
    mirror: bool = False,
) -> PriorData:
    """The data of ``clips``, all of one skeleton.

    Args:
        fps: to which all are resampled. root: whether the root's motion is part of it, or joints alone.
        past: frames seen before a next frame. length: frames of a window.
        mirror: train on the mirror image of every clip's training part, too.

    Raises:
        MotionError: there are no clips, of different skeletons, or too short ones; or numbers that make no sense.
    """
    chosen = checked_kind(kind)
    if past < 1 or length <= past:
        raise MotionError(f"past must be at least 1 and length more than past, not {past} and {length}")
    library = MotionLibrary(clips, fps=fps)
    coordinates = PoseCoordinates(library.skeleton, root=root)
    rows = [coordinates.encode(clip) for clip in library.clips]
    starts = library.starts
    ranges = {
        name: [(a, b, int(starts[np.searchsorted(starts, a, "right") - 1])) for a, b in parts]
        for name, parts in library.split(SHARES).items()
    }
    if mirror:
        n = len(library.qpos)
        rows += [coordinates.encode(editing.mirror(clip)) for clip in library.clips]
        ranges["train"] += [(n + a, n + b, n + clip) for a, b, clip in ranges["train"]]
    return PriorData(
        chosen, coordinates, fps, past, length, np.concatenate(rows).astype(np.float32), ranges,
        tuple(clip.name for clip in library.clips), tuple(sorted({c.licence for c in library.clips if c.licence})),
    )  # fmt: skip
