"""How a synthetic picture looks: the body's colours, the light, what hides it, and what the lens and the sensor do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from rlsuite.motion.pose.synthetic_backgrounds import colour, grid, mixed, shape_mask
from rlsuite.motion.render.look import SRGB_TABLE, Colour, Look, to_srgb

Light = NDArray[np.float32]  # (H, W, 3), linear
Mask = NDArray[np.bool_]

SKIN_DARK, SKIN_LIGHT = np.array([0.23, 0.14, 0.10]), np.array([0.95, 0.78, 0.68])  # sRGB
HAIR = np.array([[0.06, 0.05, 0.05], [0.25, 0.15, 0.09], [0.45, 0.20, 0.10], [0.83, 0.70, 0.42], [0.75, 0.75, 0.76]])
UNNATURAL = 0.15  # share of bodies that have skin and hair of any colour


@dataclass(frozen=True)
class Variation:
    """How much pictures differ. Angles in radians; lengths in shares of the body's square or of the picture.

    Attributes:
        elevation: of the camera, from and to. roll: largest turn about its axis. distance: from and to, in metres.
        shift, scale: of a crop against the body's square: largest shift, and sides from and to.
        blur: largest standard deviation, in pixels of a crop of 64. noise: largest standard deviation, of 1.
        occluded: share of pictures with something in front of the body.
        pose: standard deviation added to hinge angles of single pictures. limbs: share of them whose arms or legs are
            of another frame.
    """

    elevation: tuple[float, float] = (math.radians(-8.0), math.radians(35.0))
    roll: float = math.radians(8.0)
    distance: tuple[float, float] = (2.2, 8.0)
    shift: float = 0.08
    scale: tuple[float, float] = (0.9, 1.3)
    blur: float = 0.9
    noise: float = 0.04
    occluded: float = 0.35
    pose: float = 0.15
    limbs: float = 0.3


STILL = Variation(shift=0.0, scale=(1.0, 1.0), blur=0.0, noise=0.0, occluded=0.0, pose=0.0, limbs=0.0, roll=0.0)


def paint(model: mujoco.MjModel, rng: np.random.Generator) -> None:
    """Give the body of ``model`` new colours in place, one for each material, or for each geom that has none."""
    natural = rng.random() >= UNNATURAL
    seen = (model.geom_bodyid > 0) & (model.geom_type != mujoco.mjtGeom.mjGEOM_PLANE)
    for material in np.unique(model.geom_matid[seen & (model.geom_matid >= 0)]):
        name = model.material(int(material)).name
        if natural and name == "skin":
            rgb = SKIN_DARK + rng.random() * (SKIN_LIGHT - SKIN_DARK)
        elif natural and name == "hair":
            rgb = HAIR[rng.integers(len(HAIR))] * rng.uniform(0.7, 1.2)
        else:
            rgb = to_srgb(colour(rng))
        model.mat_rgba[material, :3] = np.clip(rgb + rng.normal(0.0, 0.02, 3), 0.0, 1.0)
    for geom in np.flatnonzero(seen & (model.geom_matid < 0)):
        model.geom_rgba[geom, :3] = to_srgb(colour(rng))


def random_look(rng: np.random.Generator) -> Look:
    """A sun anywhere above, of any warmth and strength, a sky and a checked floor of any colours."""
    azimuth, height = rng.uniform(0.0, 2 * math.pi), rng.uniform(0.25, 1.3)
    warmth = rng.uniform(-0.12, 0.12)
    tone = rng.uniform(0.75, 1.0, 3)
    floor = to_srgb(colour(rng))
    return Look(
        sun=(math.cos(azimuth) * math.cos(height), math.sin(azimuth) * math.cos(height), math.sin(height)),
        sun_colour=_srgb((1.0 - max(-warmth, 0.0), 1.0 - abs(warmth) / 2, 1.0 - max(warmth, 0.0))),
        sun_strength=rng.uniform(0.4, 1.1),
        sky_light=_srgb(tone),
        ground_light=_srgb(tone * rng.uniform(0.5, 1.0)),
        ambient=rng.uniform(0.3, 0.7),
        shadow=rng.uniform(0.4, 1.0),
        horizon=_srgb(to_srgb(colour(rng))),
        zenith=_srgb(to_srgb(colour(rng))),
        floor_light=_srgb(floor),
        floor_dark=_srgb(floor * rng.uniform(0.4, 1.0)),
        check=rng.uniform(0.2, 1.5),
        fade=rng.uniform(6.0, 40.0),
        gloss=rng.uniform(0.0, 0.3),
    )


def occluders(
    rng: np.random.Generator, height: int, width: int, box: tuple[float, float, float, float]
) -> tuple[Mask, Light]:
    """One or two flat shapes in front of a body that fills ``box`` (left, top, right, bottom, in pixels).

    Returns where they are ``(height, width)`` and their light ``(height, width, 3)``. A shape's half sides are 4 to 16 %
    of the box's greater side, so that no body is hidden altogether.
    """
    x, y = grid(height, width)
    unit = max(height, width)
    left, top, right, bottom = (value / unit for value in box)
    side = max(right - left, bottom - top)
    mask, light = np.zeros((height, width), bool), np.zeros((height, width, 3), np.float32)
    for _ in range(rng.integers(1, 3)):
        centre = np.array([rng.uniform(left, right), rng.uniform(top, bottom)])
        inside = shape_mask(rng, x, y, centre, side * rng.uniform(0.04, 0.16, 2))
        light[inside] = mixed(0.5 + (y - centre[1]) / side, rng)[inside]
        mask |= inside
    return mask, np.clip(light, 0.0, 1.0)


class Lens(NamedTuple):
    """Blur in pixels, exposure and balance of colours by which light is multiplied, and noise of the sensor (of 1)."""

    blur: float
    exposure: NDArray[np.float32]  # (3,)
    noise: float

    @classmethod
    def random(cls, rng: np.random.Generator, variation: Variation, pixels: float = 1.0) -> Lens:
        """``pixels``: of the picture for each of a crop of 64."""
        exposure = 2.0 ** rng.uniform(-0.5, 0.5) * rng.uniform(0.9, 1.1, 3)
        blur = rng.uniform(0.0, variation.blur) * pixels
        return cls(blur, exposure.astype(np.float32), rng.uniform(0.0, variation.noise))

    def develop(self, light: Light, rng: np.random.Generator) -> NDArray[np.uint8]:
        """``(H, W, 3)`` sRGB of linear ``light``: blurred, exposed, with Gaussian noise."""
        if self.blur > 0.05:
            import cv2

            light = np.asarray(cv2.GaussianBlur(light, (0, 0), self.blur), np.float32)
        last = len(SRGB_TABLE) - 1
        exposed = np.clip(light * (self.exposure * last), 0.0, last)
        picture = SRGB_TABLE[exposed.astype(np.intp)]
        if self.noise <= 0.0:
            return picture
        grain = rng.standard_normal(picture.shape, np.float32) * (255.0 * self.noise)
        return np.clip(picture + grain, 0.0, 255.0).astype(np.uint8)


def _srgb(values: NDArray[np.floating] | tuple[float, ...]) -> Colour:
    red, green, blue = (min(max(float(value), 0.0), 1.0) for value in values)
    return red, green, blue
