"""What colour a point is: Lambert's cosine under a sun with a shadow, a sky above and a ground below, a faint highlight.

Everything here is linear light; :mod:`rlsuite.motion.render.look` says what the numbers mean.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from numpy.typing import NDArray

from rlsuite.motion.render.geoms import Geoms
from rlsuite.motion.render.intersections import HFIELD, INFINITY, MESH, PLANE, normal, primitive
from rlsuite.motion.render.kernels import kernel
from rlsuite.motion.render.look import Look, to_linear
from rlsuite.motion.render.triangles import Triangles, mesh_hit, mesh_normal

Vector = tuple[float, float, float]


class Light(NamedTuple):
    """A :class:`~rlsuite.motion.render.look.Look` for kernels: colours linear and multiplied by their strengths."""

    sun: Vector
    sun_light: Vector
    sky_light: Vector
    ground_light: Vector
    shadow: float
    horizon: Vector
    zenith: Vector
    floor_light: Vector
    floor_dark: Vector
    check: float
    fade: float
    gloss: float

    @classmethod
    def of(cls, look: Look) -> Light:
        def light(colour: Vector, strength: float = 1.0) -> Vector:
            r, g, b = (float(c) * strength for c in to_linear(colour))
            return r, g, b

        length = math.hypot(*look.sun)
        x, y, z = (float(c) / length for c in look.sun)
        return cls(
            (x, y, z),
            light(look.sun_colour, look.sun_strength),
            light(look.sky_light, look.ambient),
            light(look.ground_light, look.ambient),
            float(look.shadow),
            light(look.horizon),
            light(look.zenith),
            light(look.floor_light),
            light(look.floor_dark),
            float(look.check),
            float(look.fade),
            float(look.gloss),
        )


@kernel
def meets(
    geoms: Geoms, triangles: Triangles, i: int, o: Vector, d: Vector, limit: float, stack: NDArray
) -> tuple[float, int]:
    """Where a ray of the world meets surface ``i``, if before ``limit``, and the triangle of a mesh."""
    kind = geoms.kind[i]
    if kind != PLANE:
        x, y, z = o[0] - geoms.centre[i, 0], o[1] - geoms.centre[i, 1], o[2] - geoms.centre[i, 2]
        dd = d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
        b = x * d[0] + y * d[1] + z * d[2]
        beyond = x * x + y * y + z * z - geoms.radius[i] * geoms.radius[i] * (1.0 + 1e-9)
        if b * b < beyond * dd or (beyond > 0.0 and b > 0.0):
            return INFINITY, -1  # misses the sphere around it, or leaves it behind
    local_o, local_d = to_local(geoms, i, o), turned(geoms, i, d)
    if kind in (MESH, HFIELD):
        return mesh_hit(
            triangles, geoms.mesh[i, 0], geoms.mesh[i, 1], geoms.mesh[i, 2], geoms.mesh[i, 3], local_o, local_d, limit, stack
        )  # fmt: skip
    s = primitive(kind, local_o, local_d, (geoms.size[i, 0], geoms.size[i, 1], geoms.size[i, 2]))
    if s < limit:
        return s, -1
    return INFINITY, -1


@kernel
def turned(geoms: Geoms, i: int, d: Vector) -> Vector:
    """A direction of the world in the axes of surface ``i``."""
    r = geoms.rotation
    return (
        r[i, 0, 0] * d[0] + r[i, 1, 0] * d[1] + r[i, 2, 0] * d[2],
        r[i, 0, 1] * d[0] + r[i, 1, 1] * d[1] + r[i, 2, 1] * d[2],
        r[i, 0, 2] * d[0] + r[i, 1, 2] * d[1] + r[i, 2, 2] * d[2],
    )


@kernel
def to_local(geoms: Geoms, i: int, p: Vector) -> Vector:
    """A point of the world in the axes of surface ``i``."""
    return turned(geoms, i, (p[0] - geoms.position[i, 0], p[1] - geoms.position[i, 1], p[2] - geoms.position[i, 2]))


@kernel
def surface_normal(geoms: Geoms, triangles: Triangles, i: int, t: int, p: Vector) -> tuple[Vector, int]:
    """Unit normal in the world at point ``p`` of surface ``i``, and which face of it this is (0 where it has but one)."""
    x, y, z = to_local(geoms, i, p)
    kind, face = geoms.kind[i], 0
    if t >= 0:
        x, y, z = mesh_normal(triangles, t, x, y, z)
    else:
        x, y, z = normal(kind, (x, y, z), (geoms.size[i, 0], geoms.size[i, 1], geoms.size[i, 2]))
        if kind > 4:  # boxes and cylinders have edges
            face = 1 if abs(z) == 1.0 else (2 if abs(x) == 1.0 else 3)
    r = geoms.rotation
    return (
        r[i, 0, 0] * x + r[i, 0, 1] * y + r[i, 0, 2] * z,
        r[i, 1, 0] * x + r[i, 1, 1] * y + r[i, 1, 2] * z,
        r[i, 2, 0] * x + r[i, 2, 1] * y + r[i, 2, 2] * z,
    ), face


@kernel
def in_shadow(geoms: Geoms, triangles: Triangles, p: Vector, sun: Vector, stack: NDArray) -> bool:
    """Whether something solid stands between a point and the sun; planes and ghosts cast no shadow."""
    for g in range(len(geoms.first)):
        x, y, z = p[0] - geoms.group_centre[g, 0], p[1] - geoms.group_centre[g, 1], p[2] - geoms.group_centre[g, 2]
        b, beyond = x * sun[0] + y * sun[1] + z * sun[2], x * x + y * y + z * z - geoms.group_radius[g] ** 2
        if b * b < beyond or (beyond > 0.0 and b > 0.0):
            continue
        for i in range(geoms.first[g], geoms.last[g]):
            if geoms.kind[i] != PLANE and geoms.alpha[i] >= 1.0:
                s, _ = meets(geoms, triangles, i, p, sun, INFINITY, stack)
                if s < INFINITY:
                    return True
    return False


@kernel
def sky(light: Light, d: Vector) -> Vector:
    """From the horizon to the zenith, by the height at which one looks."""
    up = max(d[2], 0.0) / math.sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2])
    share = min(1.0, 1.5 * up)
    share = share * share * (3.0 - 2.0 * share)
    return mixed(light.horizon, light.zenith, share)


@kernel
def mixed(a: Vector, b: Vector, share: float) -> Vector:
    """``a`` with a share of ``b``."""
    return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]), a[2] + share * (b[2] - a[2])


@kernel
def checks(light: Light, x: float, y: float, wx: float, wy: float) -> Vector:
    """Colour of the floor, averaged over ``wx`` by ``wy`` metres so that far checks do not flicker.

    The average of a square wave over a box is a difference of its integral, a triangle wave (Quilez, "filterable
    procedurals").
    """
    a, b = x / light.check, y / light.check
    u, v = max(wx / light.check, 1e-9), max(wy / light.check, 1e-9)
    i = 2.0 * (triangle_wave(a - 0.5 * u) - triangle_wave(a + 0.5 * u)) / u
    j = 2.0 * (triangle_wave(b - 0.5 * v) - triangle_wave(b + 0.5 * v)) / v
    return mixed(light.floor_light, light.floor_dark, 0.5 - 0.5 * i * j)


@kernel
def triangle_wave(x: float) -> float:
    """Of period 2: 0.5 at 0, 0 at 1."""
    return abs(0.5 * x - math.floor(0.5 * x) - 0.5)


@kernel
def shade(
    geoms: Geoms,
    triangles: Triangles,
    light: Light,
    i: int,
    t: int,
    o: Vector,
    d: Vector,
    s: float,
    pixel: float,
    stack: NDArray,
) -> tuple[Vector, int, bool]:
    """Light that comes along the ray ``o + s d`` from surface ``i``, the face seen, and whether it lies in shadow.

    Args:
        pixel: width of a pixel at unit distance along ``d``.
    """
    p = (o[0] + s * d[0], o[1] + s * d[1], o[2] + s * d[2])
    n, face = surface_normal(geoms, triangles, i, t, p)
    length = math.sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2])
    view = -(d[0] * n[0] + d[1] * n[1] + d[2] * n[2]) / length  # cosine
    if view < 0.0:  # the inside of a surface, or the far side of a mesh
        n, view = (-n[0], -n[1], -n[2]), -view
    sun, shadow = light.sun, False
    lambert = max(0.0, sun[0] * n[0] + sun[1] * n[1] + sun[2] * n[2])
    if lambert > 0.0:
        lift = 1e-5 * s * length + 1e-6
        above = (p[0] + lift * n[0], p[1] + lift * n[1], p[2] + lift * n[2])
        shadow = in_shadow(geoms, triangles, above, sun, stack)
        if shadow:
            lambert *= 1.0 - light.shadow
    up = 0.5 + 0.5 * n[2]
    own = (geoms.colour[i, 0], geoms.colour[i, 1], geoms.colour[i, 2])
    shine = 0.0
    if geoms.kind[i] == PLANE:
        x, y, _ = to_local(geoms, i, p)
        dx, dy, _ = turned(geoms, i, d)
        across, along = pixel * s, pixel * s / max(view, 1e-4)
        level = max(math.sqrt(dx * dx + dy * dy), 1e-12)
        dx, dy = abs(dx) / level, abs(dy) / level
        own = checks(light, x, y, across * dy + along * dx, across * dx + along * dy)
    elif not shadow and lambert > 0.0:
        hx, hy, hz = sun[0] - d[0] / length, sun[1] - d[1] / length, sun[2] - d[2] / length
        half = (hx * n[0] + hy * n[1] + hz * n[2]) / max(math.sqrt(hx * hx + hy * hy + hz * hz), 1e-12)
        shine = light.gloss * max(0.0, half) ** 24
    sky_light, ground_light, sun_light = light.sky_light, light.ground_light, light.sun_light
    red = own[0] * (lambert * sun_light[0] + up * sky_light[0] + (1.0 - up) * ground_light[0]) + shine
    green = own[1] * (lambert * sun_light[1] + up * sky_light[1] + (1.0 - up) * ground_light[1]) + shine
    blue = own[2] * (lambert * sun_light[2] + up * sky_light[2] + (1.0 - up) * ground_light[2]) + shine
    colour = (red, green, blue)
    if geoms.kind[i] == PLANE:
        far = s * length / light.fade
        colour = mixed(colour, light.horizon, 1.0 - math.exp(-far * far))
    return colour, face, shadow
