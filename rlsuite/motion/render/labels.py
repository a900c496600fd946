"""Text in pictures, by Pillow and the font that comes with it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rlsuite.motion.cameras import Camera
from rlsuite.motion.render.look import Colour
from rlsuite.motion.render.scene import Label

if TYPE_CHECKING:
    from PIL import ImageFont


def with_labels(rgb: NDArray[np.uint8], labels: Sequence[Label], camera: Camera) -> NDArray[np.uint8]:
    """The picture ``(H, W, 3)`` with text on it; labels at points behind the camera are left out."""
    if not labels:
        return rgb
    from PIL import Image, ImageDraw

    image = Image.fromarray(rgb)
    draw = ImageDraw.Draw(image, "RGBA")
    for label in labels:
        at = np.asarray(label.at, np.float64)
        u, v = camera.project(at) if at.shape == (3,) else at
        if not np.isfinite((u, v)).all():
            continue
        font = font_of(label.size)
        if label.plate:
            left, top, right, bottom = draw.textbbox((u, v), label.text, font=font, anchor=label.anchor)
            pad = 0.35 * label.size
            box = (left - pad, top - 0.7 * pad, right + pad, bottom + 0.7 * pad)
            draw.rounded_rectangle(box, radius=0.35 * label.size, fill=(255, 255, 255, 205))
        draw.text((u, v), label.text, fill=_rgb(label.colour), font=font, anchor=label.anchor)
    return np.array(image)


@lru_cache(maxsize=64)
def font_of(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font, ``size`` pixels high."""
    from PIL import ImageFont

    return ImageFont.load_default(size=size)


def _rgb(colour: Colour) -> tuple[int, int, int]:
    r, g, b = (round(255 * c) for c in colour)
    return r, g, b
