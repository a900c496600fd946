"""The analytic body: signed distance, occupancy, normals, colour and parts of the humanoid in any pose, in closed form.

The ground truth for every learned field of bodies. The distance to a union is the least of the distances to its members:
exact outside and on the surface, and everywhere 1-Lipschitz; inside, where members overlap, a lower bound of the depth.
"""

from __future__ import annotations

import mujoco
import torch
from torch import Tensor

from rlsuite.generative.implicit.field import Distance, Field, Occupancy
from rlsuite.motion.body import BodyShape
from rlsuite.motion.fields import primitives
from rlsuite.motion.fields.geoms import BodyGeoms, inverse
from rlsuite.motion.kinematics_torch import rotate
from rlsuite.motion.skeleton import Skeleton


class AnalyticBody(Field):
    """A body as a function of points ``x (..., 3)`` in the world and poses ``code (..., nq)``, which broadcast.

    ``code`` is ``qpos``, by default that of the rest pose. Gradients flow to points and poses. The features of a point are
    the one-hot row of the geom nearest to it.

    Args: as of :class:`.geoms.BodyGeoms`, whose errors are raised.

    Example:
        >>> field = AnalyticBody()
        >>> round(field.geometry(torch.tensor([0.0, 0.0, 2.0])).value.item(), 3)  # above the hair
        0.366
    """

    def __init__(
        self,
        shape: BodyShape | None = None,
        *,
        solid: bool = False,
        model: mujoco.MjModel | None = None,
        skeleton: Skeleton | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.geoms = BodyGeoms(shape, solid=solid, model=model, skeleton=skeleton, dtype=dtype)

    def distances(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        """``(..., G)`` signed distances to every geom."""
        placed = self.geoms.place(code)
        found = []
        for kind in self.geoms.kinds:
            position, quat, size = self.geoms.of_kind(placed, kind)
            local = rotate(inverse(quat), x.unsqueeze(-2) - position)  # (..., g, 3)
            found.append(primitives.KINDS[kind](local, size))
        return torch.cat(found, -1)

    def geometry(self, x: Tensor, code: Tensor | None = None) -> Distance:
        value, nearest = self.distances(x, code).min(-1)
        return Distance(torch.nn.functional.one_hot(nearest, len(self.geoms)).to(value.dtype), value)

    def distance(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        """``(...)`` the value of :meth:`geometry` alone."""
        return self.distances(x, code).amin(-1)

    def occupancy(self, x: Tensor, code: Tensor | None = None, width: float = 0.005) -> Occupancy:
        """Inside where the logit is above 0; a probability of 73 % at a depth of ``width`` metres."""
        geometry = self.geometry(x, code)
        return Occupancy(geometry.features, -geometry.value / width)

    def normal(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        """``(..., 3)`` unit gradients of the distance: away from the nearest point of the surface."""
        with torch.enable_grad():
            points = x.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self.distance(points, code).sum(), points)
        return gradient

    def color(self, x: Tensor, direction: Tensor, features: Tensor | None, code: Tensor | None = None) -> Tensor:
        """Of the nearest geom, the same from every direction, unlit."""
        return self._features(x, features, code) @ self.geoms.color

    def property(self, name: str, x: Tensor, features: Tensor | None, code: Tensor | None = None) -> Tensor:
        """``part``: the one-hot row of the nearest geom's body, in the skeleton's numbering. ``geom``: of the geom."""
        if name not in ("part", "geom"):
            return super().property(name, x, features, code)
        nearest = self._features(x, features, code)
        if name == "geom":
            return nearest
        owners = torch.nn.functional.one_hot(self.geoms.bodies, self.geoms.skeleton.nbody)
        return nearest @ owners.to(nearest.dtype)

    def _features(self, x: Tensor, features: Tensor | None, code: Tensor | None) -> Tensor:
        if features is None:
            features = self.geometry(x, code).features
        assert features is not None
        return features
