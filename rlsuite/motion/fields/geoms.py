"""The geoms of a body as tensors, and where they are in any pose, differentiably.

What the analytic field and the energies share. A sphere is a capsule without length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import mujoco
import numpy as np
import torch
from torch import Tensor, nn

from rlsuite.errors import CapabilityError
from rlsuite.motion import body, kinematics_torch
from rlsuite.motion.body import BodyShape
from rlsuite.motion.kinematics_torch import multiply, rotate
from rlsuite.motion.quality.solids import require_fit, solid_geoms
from rlsuite.motion.render.geoms import VISIBLE_GROUPS, colours
from rlsuite.motion.render.look import to_linear
from rlsuite.motion.skeleton import Skeleton

_KIND = {
    mujoco.mjtGeom.mjGEOM_SPHERE: "capsule",
    mujoco.mjtGeom.mjGEOM_CAPSULE: "capsule",
    mujoco.mjtGeom.mjGEOM_CYLINDER: "cylinder",
    mujoco.mjtGeom.mjGEOM_BOX: "box",
    mujoco.mjtGeom.mjGEOM_ELLIPSOID: "ellipsoid",
}


class Placed(NamedTuple):
    """Centres ``(..., G, 3)`` and rotations ``(..., G, 4)`` of geoms in the world."""

    position: Tensor
    quat: Tensor


class BodyGeoms(nn.Module):
    """The geoms of a body, sorted by kind: capsules, cylinders, boxes, ellipsoids.

    Args:
        shape: of the suite's humanoid. solid: only what collides, without what is only seen.
        model, skeleton: another body and its tree, instead.

    Attributes:
        geoms: ``(G,)`` their ids in the model. bodies: ``(G,)`` their bodies, in the skeleton's numbering.
        kinds: name and range of each kind among them. size: ``(G, 3)``. color: ``(G, 3)``, linear.

    Raises:
        CapabilityError: a geom is of a kind without a closed form, such as a mesh.
        SkeletonError: the model is not of the skeleton.
    """

    size: Tensor
    color: Tensor
    bodies: Tensor
    rest: Tensor
    _position: Tensor
    _quat: Tensor

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
        self.model = body.model(shape) if model is None else model
        if skeleton is None:
            skeleton = body.skeleton(shape) if model is None else Skeleton.from_model(model)
        require_fit(self.model, skeleton)
        self.skeleton = skeleton
        chosen = solid_geoms(self.model) if solid else _visible(self.model)
        names = [_kind(self.model, int(geom)) for geom in chosen]
        order = sorted(range(len(chosen)), key=lambda i: list(_ORDER).index(names[i]))
        self.geoms = np.array([chosen[i] for i in order], np.intp)
        self.kinds: dict[str, slice] = {}
        for kind in _ORDER:
            own = [row for row, i in enumerate(order) if names[i] == kind]
            if own:
                self.kinds[kind] = slice(own[0], own[-1] + 1)
        size = self.model.geom_size[self.geoms].copy()
        size[self.model.geom_type[self.geoms] == mujoco.mjtGeom.mjGEOM_SPHERE, 1] = 0.0
        tensors = {
            "size": size,
            "color": to_linear(colours(self.model)[self.geoms, :3]),
            "rest": skeleton.rest_qpos,
            "_position": self.model.geom_pos[self.geoms],
            "_quat": self.model.geom_quat[self.geoms],
        }
        for name, value in tensors.items():
            self.register_buffer(name, torch.tensor(np.array(value), dtype=dtype), persistent=False)
        self.register_buffer(
            "bodies", torch.tensor(self.model.geom_bodyid[self.geoms] - 1, dtype=torch.int64), persistent=False
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Of the geoms, or of their bodies where they have none."""
        return tuple(
            self.model.geom(int(g)).name or self.model.body(self.model.geom_bodyid[g]).name for g in self.geoms
        )

    def __len__(self) -> int:
        return len(self.geoms)

    def place(self, qpos: Tensor | None = None) -> Placed:
        """The geoms in poses ``qpos (..., nq)``; ``None`` is the rest pose."""
        pose = self.rest if qpos is None else qpos.to(self.rest.dtype)
        position, quat = kinematics_torch.forward(self.skeleton, pose)
        owner = quat[..., self.bodies, :]
        return Placed(position[..., self.bodies, :] + rotate(owner, self._position), multiply(owner, self._quat))

    def of_kind(self, placed: Placed, kind: str) -> tuple[Tensor, Tensor, Tensor]:
        """Centres, rotations and sizes of the geoms of one kind."""
        rows = self.kinds.get(kind, slice(0, 0))
        return placed.position[..., rows, :], placed.quat[..., rows, :], self.size[rows]


_ORDER: Sequence[str] = ("capsule", "cylinder", "box", "ellipsoid")


def inverse(quat: Tensor) -> Tensor:
    """Of unit quaternions ``(..., 4)``."""
    return quat * quat.new_tensor((1.0, -1.0, -1.0, -1.0))


def _visible(model: mujoco.MjModel) -> np.ndarray:
    shown = np.isin(model.geom_group, VISIBLE_GROUPS) & (colours(model)[:, 3] > 0) & (model.geom_bodyid > 0)
    return np.flatnonzero(shown)


def _kind(model: mujoco.MjModel, geom: int) -> str:
    kind = _KIND.get(mujoco.mjtGeom(int(model.geom_type[geom])))
    if kind is None:
        raise CapabilityError(
            f"geom {model.geom(geom).name or geom!r} is a {mujoco.mjtGeom(int(model.geom_type[geom])).name[7:].lower()}; "
            "the analytic body is made of spheres, capsules, cylinders, boxes and ellipsoids"
        )
    return kind
