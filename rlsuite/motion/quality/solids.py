"""The solid parts of a model over a whole clip: how low each comes, and the points that it may stand on.

The lowest point of a convex body is its support function downwards, exact for spheres, capsules, boxes, ellipsoids,
cylinders and meshes; forward kinematics is that of the whole clip at once. The floor is the plane z = 0.
"""

from __future__ import annotations

from functools import cached_property
from itertools import product

import mujoco
import numpy as np
from numpy.typing import NDArray

from rlsuite.errors import SkeletonError
from rlsuite.motion import body, contacts
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]
_GEOM = mujoco.mjtGeom


def model_of(skeleton: Skeleton, *, self_collision: bool = False) -> mujoco.MjModel | None:
    """The compiled body of a skeleton that is ours; ``None`` of any other."""
    return None if skeleton.shape is None else body.model(body.shape_of(skeleton), self_collision=self_collision)


def require_fit(model: mujoco.MjModel, skeleton: Skeleton) -> None:
    """Refuse a model that is not of the skeleton.

    Raises:
        SkeletonError: other bodies or coordinates.
    """
    names = tuple(model.body(i).name or f"body{i}" for i in range(1, model.nbody))
    if names != skeleton.body_names or model.nq != skeleton.nq:
        raise SkeletonError(
            f"the model (nq {model.nq}, bodies {', '.join(names[:5])}, …) is not of skeleton {skeleton.name!r} "
            f"(nq {skeleton.nq}, bodies {', '.join(skeleton.body_names[:5])}, …)"
        )


def solid_geoms(model: mujoco.MjModel) -> NDArray[np.intp]:
    """Those that can touch the floor."""
    solid = (model.geom_contype != 0) | (model.geom_conaffinity != 0)
    flat = np.isin(model.geom_type, (_GEOM.mjGEOM_PLANE, _GEOM.mjGEOM_HFIELD))
    return np.flatnonzero(solid & ~flat & (model.geom_bodyid > 0))


class Solids:
    """The geoms of ``model`` that can touch the floor, moved by ``clip``."""

    def __init__(self, model: mujoco.MjModel, clip: MotionClip) -> None:
        self.model, self.clip = model, clip
        self.geoms = solid_geoms(model)
        self.bodies = model.geom_bodyid[self.geoms] - 1  # in the skeleton's numbering

    @cached_property
    def pose(self) -> tuple[Array, Array]:
        """Centres ``(T, G, 3)`` and rotations ``(T, G, 4)`` in the world."""
        position, quat = self.clip.bodies
        owner = quat[:, self.bodies]
        return (
            position[:, self.bodies] + rot.rotate(owner, self.model.geom_pos[self.geoms]),
            rot.multiply(owner, self.model.geom_quat[self.geoms]),
        )

    @cached_property
    def lowest(self) -> Array:
        """``(T, G)`` height of the lowest point of each geom."""
        centre, quat = self.pose
        down = rot.rotate(rot.conjugate(quat), np.array([0.0, 0.0, 1.0]))  # row 3 of the rotation matrices
        out = centre[..., 2].copy()
        for g, geom in enumerate(self.geoms):
            out[:, g] -= _reach(self.model, int(geom), down[:, g])
        return out

    @cached_property
    def clearance(self) -> Array:
        """``(T,)`` height of the lowest point of the whole body; infinite for a model without solid parts."""
        return self.lowest.min(axis=1, initial=np.inf)

    @cached_property
    def points(self) -> tuple[NDArray[np.intp], Array]:
        """Points fixed to bodies on which they stand: body ``(P,)`` and place in the world ``(T, P, 3)``.

        Corners of boxes; for round geoms the lowest points of their spheres, where they are now.
        """
        centre, quat = self.pose
        owners: list[int] = []
        places: list[Array] = []
        for g, geom in enumerate(self.geoms):
            for offset, drop in corners(self.model, int(geom)):
                place = centre[:, g] + rot.rotate(quat[:, g], offset)
                place[:, 2] -= drop
                owners.append(int(self.bodies[g]))
                places.append(place)
        if not places:
            return np.empty(0, np.intp), np.empty((self.clip.n_frames, 0, 3))
        return np.array(owners, np.intp), np.stack(places, axis=1)


class Soles:
    """What is known of a skeleton without solid parts: the points of its soles, for the checks that they suffice for."""

    def __init__(self, clip: MotionClip) -> None:
        points = contacts.sole_points(clip.skeleton)
        place = contacts.on_bodies(clip.bodies, points)
        place[..., 2] -= np.array([point.clearance for point in points])
        owners = [clip.skeleton.body(point.foot) for point in points]
        self.clip, self.bodies, self.lowest = clip, np.array(owners, np.intp), place[..., 2]
        self.points = self.bodies, place
        self.clearance = np.minimum(place[..., 2].min(axis=1), clip.bodies[0][..., 2].min(axis=1))


def _reach(model: mujoco.MjModel, geom: int, axis: Array) -> Array:
    """``(T,)`` how far the geom reaches below its centre, for ``axis (T, 3)``: up, in its own frame."""
    kind, size = model.geom_type[geom], model.geom_size[geom]
    if kind == _GEOM.mjGEOM_SPHERE:
        return np.full(len(axis), size[0])
    if kind == _GEOM.mjGEOM_CAPSULE:
        return size[0] + size[1] * np.abs(axis[:, 2])
    if kind == _GEOM.mjGEOM_BOX:
        return np.abs(axis) @ size
    if kind == _GEOM.mjGEOM_ELLIPSOID:
        return np.linalg.norm(axis * size, axis=1)
    if kind == _GEOM.mjGEOM_CYLINDER:
        return size[1] * np.abs(axis[:, 2]) + size[0] * np.hypot(axis[:, 0], axis[:, 1])
    if kind == _GEOM.mjGEOM_MESH:
        mesh = model.geom_dataid[geom]
        start = model.mesh_vertadr[mesh]
        vertices = model.mesh_vert[start : start + model.mesh_vertnum[mesh]].astype(np.float64)
        return np.array([-(vertices @ row).min() for row in axis])  # one frame at a time: meshes are large
    return np.full(len(axis), model.geom_rbound[geom])


def corners(model: mujoco.MjModel, geom: int) -> list[tuple[Array, float]]:
    """Points of a geom, in its own frame, that it may stand on, and how far it reaches below each: the corners of a box,
    the ends of a capsule with its radius."""
    kind, size = model.geom_type[geom], model.geom_size[geom]
    if kind == _GEOM.mjGEOM_BOX:
        return [(np.array(signs) * size, 0.0) for signs in product((-1.0, 1.0), repeat=3)]
    if kind == _GEOM.mjGEOM_CAPSULE or kind == _GEOM.mjGEOM_CYLINDER:  # MuJoCo's enumeration and `in` do not agree
        return [(np.array([0.0, 0.0, sign * size[1]]), float(size[0])) for sign in (-1.0, 1.0)]
    return [(np.zeros(3), float(size[0]))]
