"""How a picture looks: light, sky, floor. Colours are sRGB in [0, 1], as in MJCF and on web pages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Look:
    """Light and surroundings of the software renderer.

    Attributes:
        sun: direction from the scene to the light. sun_colour, sun_strength: of its light.
        sky_light, ground_light, ambient: what comes from above and from below, and how strong it is.
        shadow: how much of the sun a shadow takes away, 0 to 1.
        horizon, zenith: of the sky. floor_light, floor_dark: of the checks. check: their side in metres.
        fade: metres at which the floor is lost in the horizon. gloss: strength of highlights on bodies, 0 for none.
    """

    sun: tuple[float, float, float] = (0.45, -0.55, 1.0)
    sun_colour: Colour = (1.0, 0.97, 0.92)
    sun_strength: float = 0.78
    sky_light: Colour = (0.90, 0.94, 1.0)
    ground_light: Colour = (0.80, 0.76, 0.72)
    ambient: float = 0.42
    shadow: float = 0.85
    horizon: Colour = (0.87, 0.905, 0.94)
    zenith: Colour = (0.60, 0.72, 0.86)
    floor_light: Colour = (0.80, 0.82, 0.84)
    floor_dark: Colour = (0.70, 0.725, 0.75)
    check: float = 0.5
    fade: float = 14.0
    gloss: float = 0.10


DAYLIGHT = Look()
PAPER = Look(  # white with shadows only, for pages
    sun=(0.16, -0.34, 1.0),  # high, so that shadows stay below the bodies
    horizon=(1.0, 1.0, 1.0),
    zenith=(1.0, 1.0, 1.0),
    floor_light=(1.0, 1.0, 1.0),
    floor_dark=(1.0, 1.0, 1.0),
    sky_light=(1.0, 1.0, 1.0),
    ground_light=(0.92, 0.92, 0.93),
    sun_colour=(1.0, 1.0, 1.0),
    ambient=0.5,
    shadow=0.72,
    fade=1e4,
)


def to_linear(colour: NDArray[np.floating] | Colour) -> Array:
    """Light of sRGB values in [0, 1] (IEC 61966-2-1)."""
    c = np.asarray(colour, np.float64)
    return np.where(c <= 0.04045, c / 12.92, ((np.maximum(c, 0.04045) + 0.055) / 1.055) ** 2.4)


def to_srgb(light: NDArray[np.floating]) -> Array:
    """Inverse of :func:`to_linear`."""
    x = np.asarray(light, np.float64)
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 0.0031308) ** (1 / 2.4) - 0.055)


SRGB_TABLE: NDArray[np.uint8] = np.round(255.0 * to_srgb(np.linspace(0.0, 1.0, 4096))).astype(np.uint8)
