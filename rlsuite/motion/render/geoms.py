"""The surfaces of a scene as arrays, for the ray caster: places, sizes, colours, and what belongs together."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from rlsuite.motion.render.intersections import CYLINDER, HFIELD, MESH, PLANE, SPHERE
from rlsuite.motion.render.look import to_linear
from rlsuite.motion.render.triangles import Mesh, Triangles, of_height_field, of_model_mesh

if TYPE_CHECKING:
    from rlsuite.motion.render.scene import Actor, Scene

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

VISIBLE_GROUPS = (0, 1, 2)  # that MuJoCo shows unless told otherwise
TINTED = 0.8  # share of the tint in a tinted colour


class Geoms(NamedTuple):
    """Surfaces ``n`` of a scene, those of a body one after another, in ``g`` groups of bodies (marks and floor: one more).

    Attributes:
        kind: ``(n,)`` of mjtGeom. position: ``(n, 3)``. rotation: ``(n, 3, 3)``. size: ``(n, 3)``.
        radius: ``(n,)`` of a sphere around ``centre (n, 3)`` that holds all of it, infinite for planes.
        colour: ``(n, 3)``, linear. alpha: ``(n,)``. mesh: ``(n, 4)`` first node, leaves, first triangle, triangles.
        geom_id: ``(n,)`` in its model, -1 for what is in none. actor: ``(n,)``, -1 for marks and a floor of the scene.
        first, last: ``(g,)`` surfaces of each group. group_centre: ``(g, 3)``; group_radius: ``(g,)``.
    """

    kind: Integers
    position: Array
    rotation: Array
    size: Array
    centre: Array
    radius: Array
    colour: Array
    alpha: Array
    mesh: Integers
    geom_id: Integers
    actor: Integers
    first: Integers
    last: Integers
    group_centre: Array
    group_radius: Array


class Surfaces:
    """Turns scenes into :class:`Geoms`; keeps the meshes of models that it has seen, and one ``MjData`` for each."""

    def __init__(self) -> None:
        self._data: dict[int, tuple[mujoco.MjModel, mujoco.MjData]] = {}
        self._meshes: dict[tuple[int, int, int], Integers] = {}
        self.triangles = Triangles(np.empty((0, 3, 3)), np.empty((0, 3, 3)), np.empty((0, 3)), np.empty((0, 3)))

    def posed(self, actor: Actor) -> mujoco.MjData:
        """Data of the actor's model in its pose."""
        if id(actor.model) not in self._data:
            self._data[id(actor.model)] = actor.model, mujoco.MjData(actor.model)
        data = self._data[id(actor.model)][1]
        data.qpos[:] = actor.qpos
        mujoco.mj_kinematics(actor.model, data)
        return data

    def of(self, scene: Scene) -> Geoms:
        """The scene's surfaces."""
        parts: list[dict[str, NDArray]] = []
        has_floor = not scene.floor
        for index, actor in enumerate(scene.actors):
            part = self._of_actor(actor, index, with_planes=index == 0)
            has_floor |= bool((part["kind"] == PLANE).any())
            parts.append(part)
        for mark in scene.marks:
            disc = mark.shape == "disc"
            size = (mark.radius, 0.12 * mark.radius, 0.0) if disc else (mark.radius, 0.0, 0.0)
            parts.append(_single(CYLINDER if disc else SPHERE, mark.position, size, mark.radius * 1.01, mark.colour))
        if not has_floor:
            parts.append(_single(PLANE, (0, 0, 0), (0, 0, 0), np.inf, scene.look.floor_light))
        groups = [part for part in parts if len(part["kind"])]
        ends = np.cumsum([len(part["kind"]) for part in groups]).astype(np.int64)
        bounds = [_bounding_sphere(part["centre"], part["radius"]) for part in groups]
        arrays = {name: np.concatenate([part[name] for part in groups]) for name in groups[0]} if groups else _EMPTY
        return Geoms(
            **{name: np.ascontiguousarray(array) for name, array in arrays.items()},
            first=np.concatenate([[0], ends[:-1]]).astype(np.int64)[: len(groups)],
            last=ends,
            group_centre=np.array([centre for centre, _ in bounds]).reshape(-1, 3),
            group_radius=np.array([radius for _, radius in bounds], np.float64),
        )

    def _of_actor(self, actor: Actor, index: int, *, with_planes: bool) -> dict[str, NDArray]:
        model, data = actor.model, self.posed(actor)
        rgba = colours(model)
        shown = np.isin(model.geom_group, VISIBLE_GROUPS) & (rgba[:, 3] > 0) & (model.geom_type <= MESH)
        if not with_planes:
            shown &= model.geom_type != PLANE
        ids = np.flatnonzero(shown)
        kind, size = model.geom_type[ids].astype(np.int64), model.geom_size[ids].astype(np.float64)
        rotation = data.geom_xmat[ids].reshape(-1, 3, 3)
        position = data.geom_xpos[ids] + actor.offset
        aabb = model.geom_aabb[ids]  # centre and half sides in the geom's own axes
        radius = np.where(kind == PLANE, np.inf, np.linalg.norm(aabb[:, 3:], axis=1))
        for k, exact in ((SPHERE, size[:, 0]), (3, size[:, 0] + size[:, 1]), (4, size.max(axis=1, initial=0.0))):
            radius = np.where(kind == k, exact, radius)
        colour = rgba[ids, :3]
        if actor.tint is not None:
            colour = np.where((kind == PLANE)[:, None], colour, (1 - TINTED) * colour + TINTED * np.array(actor.tint))
        mesh = np.zeros((len(ids), 4), np.int64)
        for row in np.flatnonzero((kind == MESH) | (kind == HFIELD)):
            mesh[row] = self._mesh(model, int(kind[row]), int(model.geom_dataid[ids[row]]))
        return {
            "kind": kind,
            "position": position,
            "rotation": rotation,
            "size": size,
            "centre": position + np.einsum("nij,nj->ni", rotation, aabb[:, :3]),
            "radius": radius,
            "colour": to_linear(colour),
            "alpha": np.where(kind == PLANE, 1.0, rgba[ids, 3] * actor.alpha),
            "mesh": mesh,
            "geom_id": ids.astype(np.int64),
            "actor": np.full(len(ids), index, np.int64),
        }

    def _mesh(self, model: mujoco.MjModel, kind: int, index: int) -> Integers:
        """First node, leaves, first triangle and number of triangles of a model's mesh, added when first seen."""
        key = (id(model), kind, index)
        if key not in self._meshes:
            mesh: Mesh = of_model_mesh(model, index) if kind == MESH else of_height_field(model, index)
            before = self.triangles
            place = (len(before.lower), (len(mesh.lower) + 1) // 2, len(before.corners), len(mesh.corners))
            self._meshes[key] = np.array(place, np.int64)
            self.triangles = Triangles(*(np.concatenate(pair) for pair in zip(before, mesh, strict=True)))
        return self._meshes[key]


def colours(model: mujoco.MjModel) -> Array:
    """``(ngeom, 4)`` in which MuJoCo draws the geoms: their own, or their material's where they have the default."""
    rgba = model.geom_rgba.astype(np.float64)
    by_material = (model.geom_matid >= 0) & (model.geom_rgba == (0.5, 0.5, 0.5, 1.0)).all(axis=1)
    rgba[by_material] = model.mat_rgba[model.geom_matid[by_material]]
    return rgba


def _single(
    kind: int, position: object, size: tuple[float, ...], radius: float, colour: tuple[float, ...]
) -> dict[str, NDArray]:
    place = np.array(position, np.float64).reshape(1, 3)
    return {
        "kind": np.array([kind], np.int64),
        "position": place,
        "rotation": np.eye(3)[None],
        "size": np.array([size], np.float64),
        "centre": place,
        "radius": np.array([radius], np.float64),
        "colour": to_linear(np.array([colour])),
        "alpha": np.ones(1),
        "mesh": np.zeros((1, 4), np.int64),
        "geom_id": np.full(1, -1, np.int64),
        "actor": np.full(1, -1, np.int64),
    }


_EMPTY = {name: array[:0] for name, array in _single(SPHERE, (0, 0, 0), (0, 0, 0), 0.0, (0, 0, 0)).items()}


def _bounding_sphere(centres: Array, radii: Array) -> tuple[Array, float]:
    """Centre and radius of a sphere around all finite spheres given; infinite radius where one of them is."""
    finite = np.isfinite(radii)
    if not finite.any():
        return np.zeros(3), np.inf
    c, r = centres[finite], radii[finite, None]
    middle = ((c - r).min(axis=0) + (c + r).max(axis=0)) / 2
    return middle, float((np.linalg.norm(c - middle, axis=1) + r[:, 0]).max())
