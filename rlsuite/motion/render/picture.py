"""A picture of a scene: colour, depth, and what is seen where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rlsuite.motion.render.scene import Scene


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

    def body_id(self, scene: Scene) -> NDArray[np.int32]:
        """``(H, W)`` body in the actor's model at the centre of each pixel (0: the world's own), -1 where there is none."""
        found = np.full(self.geom_id.shape, -1, np.int32)
        for index, actor in enumerate(scene.actors):
            here = (self.actor == index) & (self.geom_id >= 0)
            found[here] = actor.model.geom_bodyid[self.geom_id[here]]
        return found
