"""Following one body through a video: found in the whole frame once, then in the square around where it was.

The same network does both. To find a body it looks at squares of several sizes all over the frame and takes the one whose
points it is surest of; then it looks again, at the square around them. To follow it looks at the square around the last
frame's points. Where it is no longer sure it searches again. One frame is held at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from rlsuite.errors import MotionError
from rlsuite.motion import sides
from rlsuite.motion.cameras import Camera
from rlsuite.motion.pose.crops import Square
from rlsuite.motion.pose.estimator import Frame, PoseSequence
from rlsuite.motion.pose.model_files import PoseModel
from rlsuite.motion.pose.training import pictures

Array = NDArray[np.float64]
AROUND = 1.2  # side of a crop, in sides of the square around the points
SURE, LOST = 0.25, 0.3  # confidence of a point that counts for the square; mean confidence below which a body is lost
PATIENCE = 10  # frames between two searches that find nothing
SHRINK, SMALLEST = 1.7, 3.2  # between sizes of squares in a search; smallest against the frame's lesser side
LARGEST = 8192  # pixels of a frame's side


class Evidence(NamedTuple):
    """What the network says of one crop: ``maps (K, G, G)``, regressed ``points (K, 2)`` in shares of the crop, 0 to 1, and
    ``relative (K, 3)`` metres from the first point in the camera's axes."""

    maps: Array
    points: Array
    relative: Array


class Reading(NamedTuple):
    """Points ``(K, 2)`` in shares of a crop or in pixels of a frame, confidence ``(K,)``, and relative positions."""

    points: Array
    confidence: Array
    relative: Array


class CropEstimator:
    """A pose estimator that reads points from crops around the body; what the kinds share.

    Args:
        file: of the model (:func:`rlsuite.motion.pose.heatmaps.train`); ``None``: the shipped one.
        mirror: whether every crop is seen in a mirror as well and the two are averaged: twice the time, less error.
    """

    name = ""

    def __init__(self, file: str | Path | None = None, *, mirror: bool = True, model: PoseModel | None = None) -> None:
        self.model = PoseModel.load(file) if model is None else model
        self.codec, self.names, self.mirror = self.model.codec, self.model.names, mirror
        self._partner = np.array(sides.partners(self.names))

    def read(self, evidence: Evidence) -> Reading:
        """Points of one crop."""
        raise NotImplementedError

    def estimate(
        self, frames: Iterable[Frame], fps: float, camera: Camera | Sequence[Camera] | None = None
    ) -> PoseSequence:
        """Key points ``(T, K, 2)`` in pixels; the camera is not needed.

        Raises:
            MotionError: no frame, one that is no picture, or several cameras, whose videos are estimated one by one.
        """
        if isinstance(camera, Sequence):
            raise MotionError(f"{self.name} estimates the video of one camera; {len(camera)} were given: one at a time")
        readings = [(reading.points, reading.confidence) for reading in self.follow(frames)]
        if not readings:
            raise MotionError("the video has no frames")
        points, confidence = zip(*readings, strict=True)
        return PoseSequence(np.stack(points), np.stack(confidence), self.names, fps)

    def follow(self, frames: Iterable[Frame]) -> Iterator[Reading]:
        """Readings of frame after frame, in pixels."""
        square: Square | None = None
        wait = 0
        for t, frame in enumerate(frames):
            _check(frame, t)
            square_now = _within(square, frame) if square is not None else _whole(frame)
            evidence = self._look(frame, [square_now])[0]
            sure = self._sure(evidence)
            if (square is None or sure < LOST) and wait <= 0:
                square_now, evidence, sure = self._search(frame)
                wait = PATIENCE if sure < LOST else 0
            wait -= 1
            reading = self.read(evidence)
            yield reading._replace(points=square_now.from_crop(reading.points, 1))
            square = self._around(evidence, square_now) if sure >= LOST else None

    # -- looking -----------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def _look(self, frame: Frame, squares: Sequence[Square], mirror: bool | None = None) -> list[Evidence]:
        """Evidence in each square of a frame."""
        network, head, n = self.model.network, self.model.head, len(squares)
        crops = np.stack([square.cut(frame, network.size) for square in squares])
        if self.mirror if mirror is None else mirror:
            crops = np.concatenate([crops, crops[:, :, ::-1]])
        output = network(pictures(crops))
        maps = output.heatmaps().double().numpy()
        points, relative = (x.double().numpy() for x in head.read(head(output.features)[-1]))
        if len(crops) > n:
            maps = (maps[:n] + maps[n:, self._partner, :, ::-1]) / 2
            points = (points[:n] + (points[n:] * (-1, 1) + (1, 0))[:, self._partner]) / 2
            relative = (relative[:n] + (relative[n:] * (-1, 1, 1))[:, self._partner]) / 2
        return [Evidence(*each) for each in zip(maps, points, relative, strict=True)]

    def _sure(self, evidence: Evidence) -> float:
        return float(self.codec.decode(evidence.maps).confidence.mean())

    def _around(self, evidence: Evidence, square: Square) -> Square:
        """The square that the next look goes to."""
        decoded = self.codec.decode(evidence.maps)
        chosen = decoded.confidence > SURE
        points = decoded.points[chosen] if chosen.sum() >= 4 else decoded.points
        around = Square.around(square.from_crop(points / self.codec.size, 1))
        return around._replace(side=AROUND * around.side)

    def _search(self, frame: Frame) -> tuple[Square, Evidence, float]:
        """The square where the network is surest of a body, what it sees there, and how sure it is."""
        squares = windows(*frame.shape[1::-1])
        best, least = squares[0], -1.0
        for start in range(0, len(squares), 16):
            some = squares[start : start + 16]
            for square, evidence in zip(some, self._look(frame, some, mirror=False), strict=True):
                sure = self._sure(evidence)
                if sure > least:
                    best, least, seen = square, sure, evidence
        for _ in range(2):
            best = _within(self._around(seen, best), frame)
            seen = self._look(frame, [best])[0]
        return best, seen, self._sure(seen)


def windows(width: int, height: int) -> list[Square]:
    """Squares of several sizes that overlap by half and cover a frame of that size; the whole frame first."""
    found: list[Square] = []
    side = float(max(width, height))
    while side * SMALLEST >= min(width, height) and len(found) < 200:
        across, down = (
            np.linspace(side / 2, n - side / 2, 1 + int(np.ceil(2 * (n / side - 1)))) if n > side else np.array([n / 2])
            for n in (width, height)
        )
        found += [Square(float(u), float(v), side) for v in down for u in across]
        side /= SHRINK
    return found


def _whole(frame: Frame) -> Square:
    height, width = frame.shape[:2]
    return Square(width / 2, height / 2, float(max(width, height)))


def _within(square: Square, frame: Frame) -> Square:
    """``square`` with its middle in the frame, no larger than twice the frame and no smaller than 8 pixels."""
    height, width = frame.shape[:2]
    u, v = min(max(square.u, 0.0), width), min(max(square.v, 0.0), height)
    return Square(u, v, min(max(square.side, 8.0), 2.0 * max(width, height)))


def _check(frame: Frame, t: int) -> None:
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        given = f"{frame.dtype} of {frame.shape}" if isinstance(frame, np.ndarray) else type(frame).__name__
        raise MotionError(f"frame {t} must be uint8 (H, W, 3), not {given}")
    if min(frame.shape[:2]) < 8 or max(frame.shape[:2]) > LARGEST:
        raise MotionError(
            f"frame {t} is {frame.shape[1]} x {frame.shape[0]}; from 8 to {LARGEST} pixels a side are read"
        )
