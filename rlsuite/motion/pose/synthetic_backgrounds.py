"""Procedural pictures to stand behind a body: ``(height, width, 3)`` float32, linear light in 0 … 1.

Every one is made from a generator and a size alone; lengths are shares of the picture's greater side, so that a small
picture shows what a large one shows.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Plane = NDArray[np.float32]  # (height, width)


def background(name: str, rng: np.random.Generator, height: int, width: int) -> Picture:
    """The one of that name in :data:`BACKGROUNDS`."""
    return np.clip(BACKGROUNDS[name](rng, height, width), 0.0, 1.0).astype(np.float32)


def colour(rng: np.random.Generator) -> NDArray[np.float32]:
    """``(3,)`` linear, of any hue, from grey to bright and from dark to light."""
    saturation, value = rng.uniform(0.0, 0.8), rng.uniform(0.15, 1.0)
    hue = rng.random(3)
    srgb = value * (1.0 - saturation * (1.0 - hue / hue.max()))
    return (srgb**2.2).astype(np.float32)


def grid(height: int, width: int) -> tuple[Plane, Plane]:
    """Rightwards and downwards coordinates of the pixels' centres, from 0, in greater sides of the picture."""
    side = max(height, width)
    x, y = (np.arange(width) + 0.5) / side, (np.arange(height) + 0.5) / side
    return np.broadcast_to(x, (height, width)).astype(np.float32), np.broadcast_to(y[:, None], (height, width)).astype(
        np.float32
    )


def mixed(share: Plane, rng: np.random.Generator) -> Picture:
    """Between two colours."""
    a, b = colour(rng), colour(rng)
    return a + share[..., None] * (b - a)


def smooth_noise(rng: np.random.Generator, height: int, width: int, cells: int, octaves: int = 3) -> Plane:
    """Random numbers on a grid of ``cells`` a side, interpolated, and finer ones of half the height added; 0 … 1."""
    import cv2

    total, most = np.zeros((height, width), np.float32), 0.0
    for octave in range(octaves):
        n = cells << octave
        total += cv2.resize(rng.random((n, n), np.float32), (width, height), interpolation=cv2.INTER_CUBIC) / (
            1 << octave
        )
        most += 1.0 / (1 << octave)
    return total / most


def plain(rng: np.random.Generator, height: int, width: int) -> Picture:
    """One colour."""
    return np.broadcast_to(colour(rng), (height, width, 3))


def gradient(rng: np.random.Generator, height: int, width: int) -> Picture:
    """From one colour to another along any direction."""
    x, y = grid(height, width)
    angle = rng.uniform(0.0, 2 * math.pi)
    return mixed(0.5 + 0.7 * ((x - x.mean()) * math.cos(angle) + (y - y.mean()) * math.sin(angle)), rng)


def noise(rng: np.random.Generator, height: int, width: int) -> Picture:
    """Clouds: each colour has smooth noise of its own about a mean."""
    cells = int(rng.integers(2, 9))
    mean, spread = colour(rng), rng.uniform(0.2, 0.8)
    planes = [smooth_noise(rng, height, width, cells) for _ in range(3)]
    return mean + spread * (np.stack(planes, -1) - 0.5)


def shapes(rng: np.random.Generator, height: int, width: int) -> Picture:
    """Rectangles and ellipses of any size and turn, one over another, on a gradient."""
    picture = gradient(rng, height, width).copy()
    x, y = grid(height, width)
    for _ in range(rng.integers(4, 14)):
        inside = shape_mask(rng, x, y, rng.uniform(0.0, 1.0, 2), rng.uniform(0.03, 0.3, 2))
        picture[inside] = colour(rng)
    return picture


def checks(rng: np.random.Generator, height: int, width: int) -> Picture:
    """Squares or rectangles of two colours, turned."""
    x, y = grid(height, width)
    angle, (a, b) = rng.uniform(0.0, math.pi), rng.uniform(2.0, 14.0, 2)
    u, v = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    return mixed(((np.floor(a * u) + np.floor(b * v)) % 2).astype(np.float32), rng)


def stripes(rng: np.random.Generator, height: int, width: int) -> Picture:
    """Parallel bands, soft or sharp, over slow noise."""
    x, y = grid(height, width)
    angle, n = rng.uniform(0.0, math.pi), rng.uniform(2.0, 12.0)
    wave = np.sin(2 * math.pi * (n * (x * math.cos(angle) + y * math.sin(angle)) + rng.random()))
    share = (0.5 + 0.5 * np.clip(rng.uniform(1.0, 6.0) * wave, -1.0, 1.0)).astype(np.float32)
    return mixed(share, rng) * (0.6 + 0.4 * smooth_noise(rng, height, width, 3)[..., None])


def cells(rng: np.random.Generator, height: int, width: int) -> Picture:
    """Nearest of random points (Voronoi): stones, each of one colour, darker towards the joints."""
    x, y = grid(height, width)
    n = int(rng.integers(6, 30))
    points, colours = rng.random((n, 2), np.float32), np.stack([colour(rng) for _ in range(n)])
    nearest = np.full((height, width), np.inf, np.float32)
    second, owner = nearest.copy(), np.zeros((height, width), np.intp)
    for i, (px, py) in enumerate(points):
        distance = np.hypot(x - px, y - py)
        closer = distance < nearest
        second = np.where(closer, nearest, np.minimum(second, distance))
        nearest, owner = np.where(closer, distance, nearest), np.where(closer, i, owner)
    return colours[owner] * np.clip((second - nearest) / 0.02, 0.3, 1.0)[..., None]


def waves(rng: np.random.Generator, height: int, width: int) -> Picture:
    """Rings about two points that meet, as on water, each colour at a pace of its own."""
    x, y = grid(height, width)
    total = np.zeros((height, width, 3), np.float32)
    for px, py in rng.uniform(-0.3, 1.3, (2, 2)):
        distance = np.hypot(x - px, y - py)
        total += np.sin(2 * math.pi * (distance[..., None] * rng.uniform(2.0, 9.0, 3) + rng.random(3)))
    mean = colour(rng)
    return mean * (1.0 + rng.uniform(0.1, 0.25) * total)


def shape_mask(
    rng: np.random.Generator, x: Plane, y: Plane, centre: NDArray[np.floating], half: NDArray[np.floating]
) -> NDArray[np.bool_]:
    """Where a rectangle or an ellipse at ``centre (2,)`` of half sides ``half (2,)``, turned at random, lies."""
    angle, round_ = rng.uniform(0.0, math.pi), rng.random() < 0.5
    dx, dy = x - centre[0], y - centre[1]
    u = (dx * math.cos(angle) + dy * math.sin(angle)) / half[0]
    v = (dy * math.cos(angle) - dx * math.sin(angle)) / half[1]
    return u * u + v * v <= 1.0 if round_ else np.maximum(abs(u), abs(v)) <= 1.0


BACKGROUNDS: dict[str, Callable[[np.random.Generator, int, int], Picture]] = {
    function.__name__: function for function in (plain, gradient, noise, shapes, checks, stripes, cells, waves)
}
