"""What a pose network is trained on: a pool of synthetic crops that slowly renews itself, turned, scaled and mirrored.

Everything is a function of the seed and of two counters, that of drawn crops and that of batches, so a run that is taken up
again sees what it would have seen. Crop ``i`` is always the same picture; at step ``t`` the pool holds those from
``fresh * t`` on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlsuite.motion import sides
from rlsuite.motion.pose.crops import Square
from rlsuite.motion.pose.synthetic import Crops, CropSource
from rlsuite.motion.pose.synthetic_appearance import Variation
from rlsuite.motion.pose.synthetic_backgrounds import background
from rlsuite.motion.pose.synthetic_splits import TRAIN, Split

Array = NDArray[np.float64]
Picture = NDArray[np.uint8]
SEEN, UNSEEN, OUTSIDE = 1.0, 0.6, 0.3  # weights of points that are seen, hidden, and not in the crop
NEAR_SCALE, FAR_SCALE = (1.2, 1.7), (1.7, 3.4)  # sides of drawn pictures, in sides of the body's square
EMPTY = tuple(name for name in TRAIN.backgrounds if name != "floor")  # drawn without a body
DRAWN = 4 / 3  # size of drawn pictures, in sizes of the network's


class Example(NamedTuple):
    """A picture ``(S, S, 3)`` of a body, ``keypoints (K, 2)`` in its pixels, ``seen (K,)``, and ``relative (K, 3)``.

    Relative positions are metres from the first point in the camera's axes.
    """

    image: Picture
    keypoints: Array
    seen: NDArray[np.bool_]
    relative: Array


class Batch(NamedTuple):
    """``B`` crops for the network: ``images (B, S, S, 3)``, points in pixels, weights of heatmaps ``(B, K)``.

    ``bodies (B,)`` is 0 where there is none in the crop.
    """

    images: Picture
    keypoints: Array
    relative: Array
    weight: NDArray[np.float32]
    bodies: NDArray[np.float32]


@dataclass(frozen=True)
class Augmentation:
    """How a crop is cut from a drawn picture. Angles in radians, lengths in sides of the body's square.

    Attributes:
        turn: largest turn about the camera's axis. scale: of the crop, from and to. shift: of its middle.
        truncated: share of crops shifted by up to half their side. empty: share of crops with no body in them.
        far: share of bodies that are small in the crop, with ``far_scale`` for ``scale``.
    """

    turn: float = 0.35
    scale: tuple[float, float] = (0.95, 1.5)
    far_scale: tuple[float, float] = (1.5, 3.2)
    shift: float = 0.1
    truncated: float = 0.06
    empty: float = 0.05
    far: float = 0.25


class Examples:
    """Crop ``i`` of an endless row, for every ``i`` the same picture: one in four of a body far away.

    Args:
        size: of the pictures in pixels.
    """

    def __init__(self, seed: np.random.SeedSequence, size: int, split: Split = TRAIN) -> None:
        self.seed, self.size = seed, size
        self.near, self.far = (
            CropSource(split, size, Variation(scale=scale, pose=0.25, limbs=0.5)) for scale in (NEAR_SCALE, FAR_SCALE)
        )
        self.names = self.near.names

    def __call__(self, i: int) -> Example:
        seed = np.random.SeedSequence(self.seed.entropy, spawn_key=(*self.seed.spawn_key, i))
        return examples((self.far if i % 4 == 3 else self.near).batch(1, seed))[0]


def examples(crops: Crops) -> list[Example]:
    """Crops with positions as their cameras see them."""
    return [
        Example(image, points, seen, (positions - positions[0]) @ camera.R)
        for image, points, seen, positions, camera in zip(
            crops.images, crops.keypoints, crops.seen, crops.positions, crops.cameras, strict=True
        )
    ]


class Pool:
    """``size`` drawn pictures, of which ``fresh`` are renewed each step.

    Args:
        draw: gives picture ``i``. names: of the points; tells which are mirror images of each other.
        crop: size of the crops in pixels.
    """

    def __init__(
        self,
        draw: Callable[[int], Example],
        names: tuple[str, ...],
        crop: int,
        *,
        size: int,
        fresh: int,
        seed: np.random.SeedSequence,
        augmentation: Augmentation | None = None,
        backgrounds: tuple[str, ...] = EMPTY,
    ) -> None:
        self.draw, self.crop, self.size, self.fresh, self.seed = draw, crop, size, fresh, seed
        self.augmentation = augmentation or Augmentation()
        self.backgrounds = backgrounds
        self.partner = np.array(sides.partners(names))
        self._drawn: dict[int, Example] = {}

    def held(self, step: int) -> dict[int, Example]:
        """The pictures of step ``step``."""
        first = self.fresh * step
        for i in [i for i in self._drawn if not first <= i < first + self.size]:
            del self._drawn[i]
        for i in range(first, first + self.size):
            if i not in self._drawn:
                self._drawn[i] = self.draw(i)
        return self._drawn

    def batch(self, step: int, n: int) -> Batch:
        """``n`` crops of step ``step``."""
        drawn, first = self.held(step), self.fresh * step
        rng = np.random.default_rng(np.random.SeedSequence(self.seed.entropy, spawn_key=(*self.seed.spawn_key, step)))
        chosen = rng.integers(first, first + self.size, n)
        images, points, relative, weight, bodies = zip(*(self._cut(drawn[i], rng) for i in chosen), strict=True)
        return Batch(
            np.stack(images), np.stack(points), np.stack(relative), np.stack(weight), np.array(bodies, np.float32)
        )

    def _cut(
        self, drawn: Example, rng: np.random.Generator
    ) -> tuple[Picture, Array, Array, NDArray[np.float32], float]:
        how = self.augmentation
        n = len(drawn.keypoints)
        if rng.random() < how.empty:
            name = self.backgrounds[rng.integers(len(self.backgrounds))]
            light = background(name, rng, self.crop, self.crop)
            image = (255 * light ** (1 / 2.2)).astype(np.uint8)
            nowhere = np.full((n, 2), -1.0)
            return coloured(image, rng), nowhere, drawn.relative, np.full(n, OUTSIDE, np.float32), 0.0
        square = Square.around(drawn.keypoints)
        side = square.side * rng.uniform(*(how.far_scale if rng.random() < how.far else how.scale))
        reach = 0.5 * side if rng.random() < how.truncated else how.shift * square.side
        middle = np.array(square[:2]) + rng.uniform(-reach, reach, 2)
        angle = rng.uniform(-how.turn, how.turn)
        mirrored = rng.random() < 0.5
        turn = rotation(angle) @ np.diag([-1.0 if mirrored else 1.0, 1.0])
        order = self.partner if mirrored else np.arange(n)
        image, points = warped(drawn.image, drawn.keypoints[order], turn, middle, side, self.crop)
        up = np.diag([1.0, -1.0])  # pixels count downwards, the camera's axes upwards
        relative = drawn.relative[order].copy()
        relative[:, :2] = relative[:, :2] @ (up @ turn @ up).T
        inside = ((points >= 0) & (points < self.crop)).all(-1)
        weight = np.where(inside, np.where(drawn.seen[order], SEEN, UNSEEN), OUTSIDE).astype(np.float32)
        return coloured(image, rng), points, relative, weight, 1.0


def rotation(angle: float) -> Array:
    """``(2, 2)`` turn of pixels."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]])


def warped(image: Picture, points: Array, turn: Array, middle: Array, side: float, size: int) -> tuple[Picture, Array]:
    """The square of ``side`` pixels about ``middle``, turned by ``turn (2, 2)``, as ``size`` by ``size`` pixels.

    ``x -> turn (x - middle) size / side + size / 2``, of the points exactly.
    """
    import cv2

    matrix = turn * (size / side)
    shift = size / 2 - matrix @ middle
    indices = np.column_stack([matrix, shift + matrix @ (0.5, 0.5) - 0.5])  # OpenCV's pixels have their centres at 0
    cut = cv2.warpAffine(image, indices, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cut.astype(np.uint8, copy=False), points @ matrix.T + shift


def coloured(image: Picture, rng: np.random.Generator) -> Picture:
    """Another exposure, contrast and white balance; one in ten grey."""
    gain = np.exp(rng.normal(0, 0.15) + rng.normal(0, 0.08, 3))
    table = np.clip(127 + (np.arange(256)[:, None] * gain - 127) * np.exp(rng.normal(0, 0.15)), 0, 255).astype(np.uint8)
    out = np.stack([table[image[..., c], c] for c in range(3)], -1)
    if rng.random() < 0.1:
        out = np.repeat(out.mean(-1, keepdims=True), 3, -1).astype(np.uint8)
    return out
