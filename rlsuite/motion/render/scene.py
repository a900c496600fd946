"""What is in a picture: bodies in their poses, marks and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike

from rlsuite.errors import MotionError
from rlsuite.motion.render.look import DAYLIGHT, Colour, Look

if TYPE_CHECKING:
    import mujoco

CONTACT_COLOUR: Colour = (0.98, 0.62, 0.12)
GHOST_TINT: Colour = (0.20, 0.48, 0.92)
TEXT_COLOUR: Colour = (0.16, 0.19, 0.24)


@dataclass(frozen=True, eq=False)
class Actor:
    """A body in a pose.

    Attributes:
        model: of the body. qpos: ``(nq,)``. offset: ``(3,)`` metres by which all of it is moved.
        tint: colour that its geoms take on, or ``None`` for their own.
        alpha: below 1 it is a ghost: one transparent silhouette that casts no shadow and has no depth.
    """

    model: mujoco.MjModel
    qpos: ArrayLike
    offset: ArrayLike = (0.0, 0.0, 0.0)
    tint: Colour | None = None
    alpha: float = 1.0

    def __post_init__(self) -> None:
        qpos, offset = np.array(self.qpos, np.float64), np.array(self.offset, np.float64)
        if qpos.shape != (self.model.nq,) or not np.isfinite(qpos).all():
            raise MotionError(f"a pose of this body is {self.model.nq} finite numbers, not an array of {qpos.shape}")
        if offset.shape != (3,) or not np.isfinite(offset).all():
            raise MotionError(f"an offset is three finite numbers, not {self.offset}")
        object.__setattr__(self, "qpos", qpos)
        object.__setattr__(self, "offset", offset)

    @classmethod
    def ghost(
        cls,
        model: mujoco.MjModel,
        qpos: ArrayLike,
        offset: ArrayLike = (0.0, 0.0, 0.0),
        tint: Colour = GHOST_TINT,
        alpha: float = 0.45,
    ) -> Actor:
        """A transparent body, such as the reference that another follows."""
        return cls(model, qpos, offset, tint, alpha)


@dataclass(frozen=True)
class Mark:
    """A small sphere, or a disc that lies level, at a point of the world ``(3,)``."""

    position: ArrayLike
    radius: float = 0.05
    colour: Colour = CONTACT_COLOUR
    shape: Literal["sphere", "disc"] = "sphere"


@dataclass(frozen=True)
class Label:
    """A line of text whose middle is at pixel ``(u, v)``, or where a point ``(x, y, z)`` of the world is seen.

    Attributes:
        size: height of the letters in pixels. anchor: as Pillow's: ``mm`` middle, ``lt`` left top, ``rt`` right top, …
        plate: draw a light plate below, for text on a busy picture.
    """

    text: str
    at: ArrayLike
    size: float = 16.0
    colour: Colour = TEXT_COLOUR
    anchor: str = "mm"
    plate: bool = False


@dataclass(frozen=True, eq=False)
class Scene:
    """Bodies side by side, marks, labels, and how they look.

    The floor is the first plane of the first actor that has one; where none has, there is one at z = 0 (``floor``).
    """

    actors: Sequence[Actor]
    marks: Sequence[Mark] = ()
    labels: Sequence[Label] = ()
    look: Look = field(default=DAYLIGHT)
    floor: bool = True
