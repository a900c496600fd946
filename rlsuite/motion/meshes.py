"""Triangles of a model's bodies, for viewers that draw meshes (needs rlsuite[viewer])."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from rlsuite.motion import rotations as rot

if TYPE_CHECKING:
    import trimesh

SMOOTHNESS = 20  # segments around a capsule


@dataclass(frozen=True)
class BodyPart:
    """The geoms of one body that share a colour, in the body's frame.

    Attributes:
        body: index in the skeleton. vertices: ``(V, 3)``. faces: ``(F, 3)``. colour: red, green, blue from 0 to 255.
    """

    body: int
    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
    colour: tuple[int, int, int]


def body_parts(model: mujoco.MjModel) -> list[BodyPart]:
    """All visible solid geoms of the model's bodies, the floor and other geoms of the world left out."""
    groups: dict[tuple[int, tuple[int, int, int]], list[trimesh.Trimesh]] = {}
    for g in range(model.ngeom):
        body = int(model.geom_bodyid[g])
        mesh = _mesh(model, g) if body > 0 and model.geom_group[g] < 3 else None
        if mesh is None:
            continue
        mesh.vertices = rot.rotate(model.geom_quat[g], mesh.vertices) + model.geom_pos[g]
        material = int(model.geom_matid[g])
        rgba = model.geom_rgba[g] if material < 0 else model.mat_rgba[material]
        red, green, blue = (round(255 * float(c)) for c in rgba[:3])
        groups.setdefault((body - 1, (red, green, blue)), []).append(mesh)
    parts = []
    for (body, colour), meshes in groups.items():
        starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
        faces = [mesh.faces + start for mesh, start in zip(meshes, starts[:-1], strict=True)]
        vertices = np.concatenate([np.asarray(mesh.vertices, np.float64) for mesh in meshes])
        parts.append(BodyPart(body, vertices, np.concatenate(faces).astype(np.int64), colour))
    return parts


def _mesh(model: mujoco.MjModel, g: int) -> Any:
    """A trimesh in the geom's frame, or ``None`` for planes and other kinds without a surface of their own."""
    import trimesh.creation as create

    kind, size = int(model.geom_type[g]), np.asarray(model.geom_size[g], np.float64)
    count = (SMOOTHNESS, SMOOTHNESS)
    if kind == mujoco.mjtGeom.mjGEOM_SPHERE:
        return create.uv_sphere(radius=size[0], count=count)
    if kind == mujoco.mjtGeom.mjGEOM_CAPSULE:
        mesh = create.capsule(height=2.0 * size[1], radius=size[0], count=count)
        mesh.vertices -= np.array([0.0, 0.0, mesh.bounds.mean(axis=0)[2]])
        return mesh
    if kind == mujoco.mjtGeom.mjGEOM_ELLIPSOID:
        mesh = create.uv_sphere(radius=1.0, count=count)
        mesh.vertices *= size
        return mesh
    if kind == mujoco.mjtGeom.mjGEOM_CYLINDER:
        return create.cylinder(radius=size[0], height=2.0 * size[1], sections=SMOOTHNESS)
    if kind == mujoco.mjtGeom.mjGEOM_BOX:
        return create.box(extents=2.0 * size)
    if kind == mujoco.mjtGeom.mjGEOM_MESH:
        import trimesh

        m = int(model.geom_dataid[g])
        v, nv, f, nf = model.mesh_vertadr[m], model.mesh_vertnum[m], model.mesh_faceadr[m], model.mesh_facenum[m]
        return trimesh.Trimesh(model.mesh_vert[v : v + nv], model.mesh_face[f : f + nf], process=False)
    return None
