"""Triangle meshes for the ray caster: a balanced hierarchy of bounding boxes, and where a ray meets it.

Triangles are sorted along a Morton curve and cut into a power of two of leaves of equal size, so the tree is complete and
needs no pointers: the children of node i are 2i + 1 and 2i + 2 (Karras 2012, "Maximizing parallelism in the construction
of BVHs", gives the ordering; the complete tree replaces its topology).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlsuite.motion.render.kernels import kernel

if TYPE_CHECKING:
    import mujoco

Array = NDArray[np.float64]
LEAF = 4  # triangles in a leaf, about
DEPTH = 64  # of the walk's stack; a tree of 2^32 leaves needs half of it


class Triangles(NamedTuple):
    """All meshes of a picture, one after another.

    Attributes:
        corners: ``(n, 3, 3)``. normals: ``(n, 3, 3)`` at the corners, for shading.
        lower, upper: ``(m, 3)`` boxes of the trees' nodes.
    """

    corners: Array
    normals: Array
    lower: Array
    upper: Array


class Mesh(NamedTuple):
    """One mesh in its own axes: triangles ``corners``, ``normals (n, 3, 3)`` and the boxes of its tree, ``(2 l - 1, 3)``."""

    corners: Array
    normals: Array
    lower: Array
    upper: Array

    @classmethod
    def of(cls, corners: Array, normals: Array | None = None) -> Mesh:
        """A mesh of triangles ``(n, 3, 3)``; without ``normals`` its faces are flat."""
        if normals is None:
            across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
            length = np.linalg.norm(across, axis=1, keepdims=True)
            normals = np.repeat((across / np.where(length > 0, length, 1))[:, None], 3, axis=1)
        order = np.argsort(_morton(corners.mean(axis=1)), kind="stable")
        corners, normals = np.ascontiguousarray(corners[order]), np.ascontiguousarray(normals[order])
        leaves = 1 << max(0, math.ceil(math.log2(max(1, len(corners) / LEAF))))
        starts = np.arange(leaves) * len(corners) // leaves
        lower, upper = np.empty((2 * leaves - 1, 3)), np.empty((2 * leaves - 1, 3))
        lower[leaves - 1 :] = np.minimum.reduceat(corners.min(axis=1), starts)
        upper[leaves - 1 :] = np.maximum.reduceat(corners.max(axis=1), starts)
        while leaves > 1:  # a level up
            first, leaves = leaves - 1, leaves // 2
            children = slice(first, first + 2 * leaves)
            lower[leaves - 1 : first] = lower[children].reshape(leaves, 2, 3).min(axis=1)
            upper[leaves - 1 : first] = upper[children].reshape(leaves, 2, 3).max(axis=1)
        return cls(corners, normals, lower, upper)


def of_model_mesh(model: mujoco.MjModel, index: int) -> Mesh:
    """Mesh ``index`` of a model, with the normals it is drawn with."""
    vertex, face = int(model.mesh_vertadr[index]), int(model.mesh_faceadr[index])
    count, normal = int(model.mesh_facenum[index]), int(model.mesh_normaladr[index])
    corners = model.mesh_vert[vertex + model.mesh_face[face : face + count]]
    normals = model.mesh_normal[normal + model.mesh_facenormal[face : face + count]]
    return Mesh.of(corners.astype(np.float64), normals.astype(np.float64))


def of_height_field(model: mujoco.MjModel, index: int) -> Mesh:
    """The upper surface of height field ``index``: two triangles a cell, cut along the diagonal as MuJoCo cuts them."""
    rows, columns, start = (int(a[index]) for a in (model.hfield_nrow, model.hfield_ncol, model.hfield_adr))
    x_half, y_half, top, _ = model.hfield_size[index]
    x, y = np.meshgrid(np.linspace(-x_half, x_half, columns), np.linspace(-y_half, y_half, rows))
    z = top * model.hfield_data[start : start + rows * columns].reshape(rows, columns)
    grid = np.stack([x, y, z], -1)  # (rows, columns, 3)
    a, b, c, d = grid[:-1, :-1], grid[:-1, 1:], grid[1:, :-1], grid[1:, 1:]
    return Mesh.of(np.concatenate([np.stack(t, axis=2).reshape(-1, 3, 3) for t in ((a, b, d), (a, d, c))]))


def _morton(points: Array) -> NDArray[np.int64]:
    """Place of each point ``(n, 3)`` along a curve through 1024^3 cells."""
    low, high = points.min(axis=0), points.max(axis=0)
    cells = ((points - low) / np.maximum(high - low, 1e-300) * 1023.0).astype(np.int64)
    code = np.zeros(len(points), np.int64)
    for bit in range(10):
        for axis in range(3):
            code |= ((cells[:, axis] >> bit) & 1) << (3 * bit + axis)
    return code


@kernel
def _inverse(d: float) -> float:
    """1 / d, and a large number for 0, so that 0 times it is 0."""
    return 1.0 / d if abs(d) > 1e-300 else 1e300


@kernel
def mesh_hit(
    triangles: Triangles,
    node: int,
    leaves: int,
    first: int,
    count: int,
    o: tuple[float, float, float],
    d: tuple[float, float, float],
    limit: float,
    stack: NDArray[np.int64],
) -> tuple[float, int]:
    """Least ``s`` in [0, limit) at which the ray ``o + s d`` meets a mesh, and the triangle (infinity, -1 where none).

    Args:
        node, leaves, first, count: the mesh's first box, its leaves, first triangle and triangles. stack: scratch memory.
    """
    (ox, oy, oz), (dx, dy, dz) = o, d
    ix, iy, iz = _inverse(dx), _inverse(dy), _inverse(dz)
    lower, upper, corners = triangles.lower, triangles.upper, triangles.corners
    nearest, hit = limit, -1
    stack[0], size = 0, 1
    while size > 0:
        size -= 1
        at = stack[size]
        i = node + at
        enter, leave = 0.0, nearest
        x1, x2 = (lower[i, 0] - ox) * ix, (upper[i, 0] - ox) * ix
        y1, y2 = (lower[i, 1] - oy) * iy, (upper[i, 1] - oy) * iy
        z1, z2 = (lower[i, 2] - oz) * iz, (upper[i, 2] - oz) * iz
        enter = max(enter, min(x1, x2), min(y1, y2), min(z1, z2))
        leave = min(leave, max(x1, x2), max(y1, y2), max(z1, z2))
        if enter > leave * (1.0 + 1e-12):
            continue
        if at < leaves - 1:
            stack[size], stack[size + 1] = 2 * at + 1, 2 * at + 2
            size += 2
            continue
        leaf = at - leaves + 1
        for t in range(first + leaf * count // leaves, first + (leaf + 1) * count // leaves):
            s = triangle(corners, t, ox, oy, oz, dx, dy, dz)
            if 0.0 <= s < nearest:
                nearest, hit = s, t
    if hit < 0:
        return math.inf, -1
    return nearest, hit


@kernel
def triangle(corners: Array, t: int, ox: float, oy: float, oz: float, dx: float, dy: float, dz: float) -> float:
    """Where the ray meets a triangle, from either side (Möller & Trumbore 1997); negative where it does not."""
    ax, ay, az = corners[t, 0, 0], corners[t, 0, 1], corners[t, 0, 2]
    ux, uy, uz = corners[t, 1, 0] - ax, corners[t, 1, 1] - ay, corners[t, 1, 2] - az
    vx, vy, vz = corners[t, 2, 0] - ax, corners[t, 2, 1] - ay, corners[t, 2, 2] - az
    px, py, pz = dy * vz - dz * vy, dz * vx - dx * vz, dx * vy - dy * vx  # d x v
    determinant = ux * px + uy * py + uz * pz
    if determinant == 0.0:
        return -1.0
    wx, wy, wz = ox - ax, oy - ay, oz - az
    b = (wx * px + wy * py + wz * pz) / determinant
    qx, qy, qz = wy * uz - wz * uy, wz * ux - wx * uz, wx * uy - wy * ux  # w x u
    c = (dx * qx + dy * qy + dz * qz) / determinant
    if b < -1e-12 or c < -1e-12 or b + c > 1.0 + 1e-12:
        return -1.0
    return (vx * qx + vy * qy + vz * qz) / determinant


@kernel
def mesh_normal(triangles: Triangles, t: int, x: float, y: float, z: float) -> tuple[float, float, float]:
    """Unit normal at a point of triangle ``t``, between those of its corners."""
    corners, normals = triangles.corners, triangles.normals
    ax, ay, az = corners[t, 0, 0], corners[t, 0, 1], corners[t, 0, 2]
    ux, uy, uz = corners[t, 1, 0] - ax, corners[t, 1, 1] - ay, corners[t, 1, 2] - az
    vx, vy, vz = corners[t, 2, 0] - ax, corners[t, 2, 1] - ay, corners[t, 2, 2] - az
    wx, wy, wz = x - ax, y - ay, z - az
    uu, uv, vv = ux * ux + uy * uy + uz * uz, ux * vx + uy * vy + uz * vz, vx * vx + vy * vy + vz * vz
    wu, wv = wx * ux + wy * uy + wz * uz, wx * vx + wy * vy + wz * vz
    area = uu * vv - uv * uv
    b, c = (vv * wu - uv * wv) / area, (uu * wv - uv * wu) / area
    a = 1.0 - b - c
    nx = a * normals[t, 0, 0] + b * normals[t, 1, 0] + c * normals[t, 2, 0]
    ny = a * normals[t, 0, 1] + b * normals[t, 1, 1] + c * normals[t, 2, 1]
    nz = a * normals[t, 0, 2] + b * normals[t, 1, 2] + c * normals[t, 2, 2]
    length = math.sqrt(nx * nx + ny * ny + nz * nz)
    if not length > 0.0:
        return 0.0, 0.0, 1.0
    return nx / length, ny / length, nz / length
