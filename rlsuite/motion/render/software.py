"""The ray caster: pictures of MuJoCo's geoms with no graphics driver, on one thread.

The picture is cut into tiles; a tile tests only surfaces whose bounding sphere meets the cone around its rays. Each pixel
takes one ray, and where its neighbours see another surface, face, or shadow, four (edges are smooth, the rest is cheap).
Directions are scaled to a depth of one, so the parameter of a ray is the depth itself.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlsuite.motion.cameras import Camera
from rlsuite.motion.render.geoms import Geoms, Surfaces
from rlsuite.motion.render.intersections import INFINITY, PLANE
from rlsuite.motion.render.kernels import entry_kernel, kernel
from rlsuite.motion.render.look import SRGB_TABLE
from rlsuite.motion.render.picture import Render
from rlsuite.motion.render.scene import Scene
from rlsuite.motion.render.shading import Light, Vector, meets, mixed, shade, sky
from rlsuite.motion.render.triangles import DEPTH, Triangles

TILE = 16  # pixels


class Optics(NamedTuple):
    """A camera for kernels: place ``(3,)`` and the matrix ``(3, 3)`` that makes of ``(u, v, 1)`` a direction of depth 1."""

    place: NDArray[np.float64]
    direction: NDArray[np.float64]
    focal: float

    @classmethod
    def of(cls, camera: Camera) -> Optics:
        direction = camera.R @ np.diag([1.0, -1.0, -1.0]) @ np.linalg.inv(camera.K)
        return cls(camera.t.copy(), np.ascontiguousarray(direction), float(camera.K[1, 1]))


class Buffers(NamedTuple):
    """What the passes write, ``(H, W)`` each: linear colour (3 of them), depth, surface, and a number of what is seen."""

    colour: NDArray[np.float32]
    depth: NDArray[np.float32]
    surface: NDArray[np.int64]
    mask: NDArray[np.float32]
    seen: NDArray[np.int64]
    rgb: NDArray[np.uint8]


class SoftwareBackend:
    """Draws scenes with the ray caster."""

    name = "software"

    def __init__(self) -> None:
        self._surfaces = Surfaces()

    def draw(self, scene: Scene, camera: Camera) -> Render:
        """A picture of the scene; labels are added by the caller."""
        geoms = self._surfaces.of(scene)
        height, width, n = camera.height, camera.width, len(geoms.kind)
        buffers = Buffers(
            colour=np.empty((height, width, 3), np.float32),
            depth=np.empty((height, width), np.float32),
            surface=np.empty((height, width), np.int64),
            mask=np.empty((height, width), np.float32),
            seen=np.empty((height, width), np.int64),
            rgb=np.empty((height, width, 3), np.uint8),
        )
        chosen, stack = np.empty(n + 1, np.int64), np.empty(2 * DEPTH, np.int64)
        optics, light = Optics.of(camera), Light.of(scene.look)
        cast(geoms, self._surfaces.triangles, light, optics, buffers, chosen, stack, SRGB_TABLE)
        geom_id, actor = (np.append(ids, -1)[buffers.surface] for ids in (geoms.geom_id, geoms.actor))
        return Render(buffers.rgb, buffers.depth, buffers.mask, geom_id.astype(np.int32), actor.astype(np.int32))

    def colour(self, scene: Scene, camera: Camera) -> NDArray[np.uint8]:
        """Only the colours of :meth:`draw`."""
        return self.draw(scene, camera).rgb

    def close(self) -> None:
        """Nothing to hand back."""


@entry_kernel
def cast(
    geoms: Geoms,
    triangles: Triangles,
    light: Light,
    optics: Optics,
    buffers: Buffers,
    chosen: NDArray,
    stack: NDArray,
    srgb: NDArray,
) -> None:
    """Fill ``buffers``: one ray for each pixel, then four at edges, then sRGB."""
    height, width = buffers.depth.shape
    for refine in (False, True):
        for top in range(0, height, TILE):
            for left in range(0, width, TILE):
                bottom, right = min(top + TILE, height), min(left + TILE, width)
                if refine and not has_edge(buffers.seen, top, bottom, left, right):
                    continue
                count = choose(geoms, optics, left, right, top, bottom, chosen)
                for row in range(top, bottom):
                    for column in range(left, right):
                        if not refine:
                            first_ray(geoms, triangles, light, optics, buffers, chosen, count, stack, row, column)
                        elif is_edge(buffers.seen, row, column):
                            four_rays(geoms, triangles, light, optics, buffers, chosen, count, stack, row, column)
    last = len(srgb) - 1
    for row in range(height):
        for column in range(width):
            for c in range(3):
                value = min(max(buffers.colour[row, column, c], 0.0), 1.0)
                buffers.rgb[row, column, c] = srgb[int(value * last + 0.5)]


@kernel
def ray(optics: Optics, u: float, v: float) -> tuple[Vector, Vector]:
    """Origin and direction through pixel ``(u, v)``, of depth 1."""
    m, p = optics.direction, optics.place
    return (p[0], p[1], p[2]), (
        m[0, 0] * u + m[0, 1] * v + m[0, 2],
        m[1, 0] * u + m[1, 1] * v + m[1, 2],
        m[2, 0] * u + m[2, 1] * v + m[2, 2],
    )


@kernel
def choose(geoms: Geoms, optics: Optics, left: int, right: int, top: int, bottom: int, chosen: NDArray) -> int:
    """Write the surfaces that a tile may see to ``chosen``; how many they are.

    Its rays lie in a cone about the ray through its middle; a sphere at angle ``a`` from the axis, that is seen under the
    half angle ``b``, meets a cone of half angle ``c`` where ``a <= b + c``.
    """
    o, axis = ray(optics, 0.5 * (left + right), 0.5 * (top + bottom))
    half = 0.0
    for u in (left, right):
        for v in (top, bottom):
            _, corner = ray(optics, u, v)
            half = max(half, angle(axis, corner))
    count = 0
    for g in range(len(geoms.first)):
        c, r = geoms.group_centre, geoms.group_radius[g]
        if r == INFINITY or touches(o, axis, half, c[g, 0], c[g, 1], c[g, 2], r):
            for i in range(geoms.first[g], geoms.last[g]):
                if geoms.kind[i] != PLANE and touches(
                    o, axis, half, geoms.centre[i, 0], geoms.centre[i, 1], geoms.centre[i, 2], geoms.radius[i]
                ):
                    chosen[count] = i
                    count += 1
    for i in range(len(geoms.kind)):
        if geoms.kind[i] == PLANE:
            chosen[count] = i
            count += 1
    return count


@kernel
def touches(o: Vector, axis: Vector, half: float, x: float, y: float, z: float, radius: float) -> bool:
    """Whether a sphere meets the cone of half angle ``half`` about ``axis``."""
    c = (x - o[0], y - o[1], z - o[2])
    distance = math.sqrt(c[0] * c[0] + c[1] * c[1] + c[2] * c[2])
    return distance <= radius or angle(axis, c) <= half + math.asin(radius / distance) + 1e-6


@kernel
def angle(a: Vector, b: Vector) -> float:
    """Between two directions."""
    ab, aa, bb = (
        a[0] * b[0] + a[1] * b[1] + a[2] * b[2],
        a[0] * a[0] + a[1] * a[1] + a[2] * a[2],
        b[0] * b[0] + b[1] * b[1] + b[2] * b[2],
    )
    return math.acos(min(1.0, max(-1.0, ab / math.sqrt(aa * bb))))


@entry_kernel
def trace(
    geoms: Geoms,
    triangles: Triangles,
    light: Light,
    optics: Optics,
    chosen: NDArray,
    count: int,
    stack: NDArray,
    u: float,
    v: float,
) -> tuple[Vector, float, int, int]:
    """Colour, depth and surface (-1: sky) seen at ``(u, v)``, and a number that differs between unlike neighbours."""
    o, d = ray(optics, u, v)
    depth, i, t = INFINITY, -1, -1
    for k in range(count):
        if geoms.alpha[chosen[k]] >= 1.0:
            s, at = meets(geoms, triangles, chosen[k], o, d, depth, stack)
            if s < depth:
                depth, i, t = s, chosen[k], at
    veil, ghost, ghost_t = depth, -1, -1  # the nearest transparent surface in front: ghosts are silhouettes, once
    for k in range(count):
        if geoms.alpha[chosen[k]] < 1.0:
            s, at = meets(geoms, triangles, chosen[k], o, d, veil, stack)
            if s < veil:
                veil, ghost, ghost_t = s, chosen[k], at
    pixel = 1.0 / optics.focal
    face, shadow = 0, False
    if i >= 0:
        colour, face, shadow = shade(geoms, triangles, light, i, t, o, d, depth, pixel, stack)
    else:
        colour = sky(light, d)
    if ghost >= 0:
        over, _, _ = shade(geoms, triangles, light, ghost, ghost_t, o, d, veil, pixel, stack)
        colour = mixed(colour, over, geoms.alpha[ghost])
    seen = (((i + 1) * (len(geoms.kind) + 1) + ghost + 1) * 4 + face) * 2 + shadow
    return colour, depth, i, seen


@kernel
def first_ray(
    geoms: Geoms,
    triangles: Triangles,
    light: Light,
    optics: Optics,
    buffers: Buffers,
    chosen: NDArray,
    count: int,
    stack: NDArray,
    row: int,
    column: int,
) -> None:
    """One ray through the middle of a pixel: depth and surface are its, and the colour unless this is an edge."""
    colour, depth, i, seen = trace(geoms, triangles, light, optics, chosen, count, stack, column + 0.5, row + 0.5)
    buffers.colour[row, column, 0], buffers.colour[row, column, 1], buffers.colour[row, column, 2] = colour
    buffers.depth[row, column], buffers.surface[row, column], buffers.seen[row, column] = depth, i, seen
    buffers.mask[row, column] = 1.0 if i >= 0 and geoms.actor[i] >= 0 and geoms.kind[i] != PLANE else 0.0


@kernel
def four_rays(
    geoms: Geoms,
    triangles: Triangles,
    light: Light,
    optics: Optics,
    buffers: Buffers,
    chosen: NDArray,
    count: int,
    stack: NDArray,
    row: int,
    column: int,
) -> None:
    """The mean colour and coverage of four rays through a pixel."""
    red = green = blue = cover = 0.0
    for dv in (0.25, 0.75):
        for du in (0.25, 0.75):
            colour, _, i, _ = trace(geoms, triangles, light, optics, chosen, count, stack, column + du, row + dv)
            red, green, blue = red + 0.25 * colour[0], green + 0.25 * colour[1], blue + 0.25 * colour[2]
            if i >= 0 and geoms.actor[i] >= 0 and geoms.kind[i] != PLANE:
                cover += 0.25
    buffers.colour[row, column, 0], buffers.colour[row, column, 1], buffers.colour[row, column, 2] = red, green, blue
    buffers.mask[row, column] = cover


@kernel
def is_edge(seen: NDArray, row: int, column: int) -> bool:
    """Whether one of the four neighbours sees something else."""
    height, width = seen.shape
    here = seen[row, column]
    return (
        (row > 0 and seen[row - 1, column] != here)
        or (row + 1 < height and seen[row + 1, column] != here)
        or (column > 0 and seen[row, column - 1] != here)
        or (column + 1 < width and seen[row, column + 1] != here)
    )


@kernel
def has_edge(seen: NDArray, top: int, bottom: int, left: int, right: int) -> bool:
    """Whether a tile has an edge in it or around it."""
    for row in range(top, bottom):
        for column in range(left, right):
            if is_edge(seen, row, column):
                return True
    return False
