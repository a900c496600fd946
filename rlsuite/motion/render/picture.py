"""A picture of a scene: colour, depth, and what is seen where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Render:
    """What a camera sees, row 0 at the top.

    Attributes:
        rgb: ``(H, W, 3)`` uint8, sRGB.
        depth: ``(H, W)`` float32, metres along the camera's axis, infinite where there is nothing.
        mask: ``(H, W)`` float32, share of the pixel that shows a body: 0 for floor, sky, marks and ghosts.
        geom_id: ``(H, W)`` int32, geom in the actor's model, -1 where there is none.
        actor: ``(H, W)`` int32, index of the actor, -1 for sky, marks and the scene's own floor.

    Depth, geom and actor are those at the centre of the pixel. Ghosts and labels show only in the colour.
    """

    rgb: NDArray[np.uint8]
    depth: NDArray[np.float32]
    mask: NDArray[np.float32]
    geom_id: NDArray[np.int32]
    actor: NDArray[np.int32]
