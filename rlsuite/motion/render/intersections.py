"""Where a ray meets MuJoCo's primitive geoms, and which way their surfaces face there.

A ray is ``o + s d`` with ``s >= 0`` and ``d`` of any length, in the axes of the geom. Each function returns the least such
``s`` on the surface, or infinity; a ray that begins inside meets the surface from within, as in ``mj_ray``. Sizes are
MuJoCo's: a radius, half lengths, half axes.
"""

from __future__ import annotations

import math

from rlsuite.motion.render.kernels import kernel

INFINITY = math.inf
PLANE, HFIELD, SPHERE, CAPSULE, ELLIPSOID, CYLINDER, BOX, MESH = range(8)  # mjtGeom


@kernel
def plane(ox: float, oy: float, oz: float, dx: float, dy: float, dz: float, hx: float, hy: float) -> float:
    """z = 0, seen from above only; ``hx``, ``hy`` are half sides, 0 for no end."""
    if dz >= 0.0 or oz < 0.0:
        return INFINITY
    s = -oz / dz
    if (hx > 0.0 and abs(ox + s * dx) > hx) or (hy > 0.0 and abs(oy + s * dy) > hy):
        return INFINITY
    return s


@kernel
def sphere(ox: float, oy: float, oz: float, dx: float, dy: float, dz: float, r: float) -> float:
    """|o + s d|^2 = r^2."""
    a, b, c = dx * dx + dy * dy + dz * dz, ox * dx + oy * dy + oz * dz, ox * ox + oy * oy + oz * oz - r * r
    discriminant = b * b - a * c
    if discriminant < 0.0:
        return INFINITY
    root = math.sqrt(discriminant)
    if -b - root >= 0.0:
        return (-b - root) / a
    if -b + root >= 0.0:
        return (-b + root) / a
    return INFINITY


@kernel
def ellipsoid(
    ox: float, oy: float, oz: float, dx: float, dy: float, dz: float, rx: float, ry: float, rz: float
) -> float:
    """The unit sphere after division by the half axes, which leaves s as it is."""
    return sphere(ox / rx, oy / ry, oz / rz, dx / rx, dy / ry, dz / rz, 1.0)


@kernel
def capsule(ox: float, oy: float, oz: float, dx: float, dy: float, dz: float, r: float, h: float) -> float:
    """x^2 + y^2 = r^2 where |z| <= h, and beyond that the spheres about (0, 0, h) and (0, 0, -h)."""
    nearest = INFINITY
    a, b, c = dx * dx + dy * dy, ox * dx + oy * dy, ox * ox + oy * oy - r * r
    discriminant = b * b - a * c
    if discriminant < 0.0:
        return INFINITY  # misses the infinite cylinder, in which the caps lie too
    if a > 0.0:
        root = math.sqrt(discriminant)
        for sign in (-1.0, 1.0):
            s = (-b + sign * root) / a
            if s >= 0.0 and s < nearest and abs(oz + s * dz) <= h:
                nearest = s
    a += dz * dz
    for cap in (-1.0, 1.0):
        z = oz - cap * h
        b, c = ox * dx + oy * dy + z * dz, ox * ox + oy * oy + z * z - r * r
        discriminant = b * b - a * c
        if discriminant >= 0.0:
            root = math.sqrt(discriminant)
            for sign in (-1.0, 1.0):
                s = (-b + sign * root) / a
                if s >= 0.0 and s < nearest and cap * (z + s * dz) >= 0.0:
                    nearest = s
    return nearest


@kernel
def cylinder(ox: float, oy: float, oz: float, dx: float, dy: float, dz: float, r: float, h: float) -> float:
    """x^2 + y^2 = r^2 where |z| <= h, and the discs that close it."""
    nearest = INFINITY
    a, b, c = dx * dx + dy * dy, ox * dx + oy * dy, ox * ox + oy * oy - r * r
    discriminant = b * b - a * c
    if discriminant < 0.0:
        return INFINITY
    if a > 0.0:
        root = math.sqrt(discriminant)
        for sign in (-1.0, 1.0):
            s = (-b + sign * root) / a
            if s >= 0.0 and s < nearest and abs(oz + s * dz) <= h:
                nearest = s
    if dz != 0.0:
        for cap in (-1.0, 1.0):
            s = (cap * h - oz) / dz
            x, y = ox + s * dx, oy + s * dy
            if s >= 0.0 and s < nearest and x * x + y * y <= r * r:
                nearest = s
    return nearest


@kernel
def box(ox: float, oy: float, oz: float, dx: float, dy: float, dz: float, hx: float, hy: float, hz: float) -> float:
    """Three slabs |x| <= hx, |y| <= hy, |z| <= hz: in at the last one entered, out at the first one left."""
    enter, leave = -INFINITY, INFINITY
    for o, d, h in ((ox, dx, hx), (oy, dy, hy), (oz, dz, hz)):
        if d == 0.0:
            if abs(o) > h:
                return INFINITY
        else:
            near, far = (-math.copysign(h, d) - o) / d, (math.copysign(h, d) - o) / d
            enter, leave = max(enter, near), min(leave, far)
    if enter > leave or leave < 0.0:
        return INFINITY
    return enter if enter >= 0.0 else leave


@kernel
def primitive(
    kind: int, o: tuple[float, float, float], d: tuple[float, float, float], size: tuple[float, float, float]
) -> float:
    """The function above that belongs to ``kind``."""
    (ox, oy, oz), (dx, dy, dz), (a, b, c) = o, d, size
    if kind == CAPSULE:
        return capsule(ox, oy, oz, dx, dy, dz, a, b)
    if kind == SPHERE:
        return sphere(ox, oy, oz, dx, dy, dz, a)
    if kind == BOX:
        return box(ox, oy, oz, dx, dy, dz, a, b, c)
    if kind == PLANE:
        return plane(ox, oy, oz, dx, dy, dz, a, b)
    if kind == ELLIPSOID:
        return ellipsoid(ox, oy, oz, dx, dy, dz, a, b, c)
    if kind == CYLINDER:
        return cylinder(ox, oy, oz, dx, dy, dz, a, b)
    return INFINITY


@kernel
def normal(kind: int, p: tuple[float, float, float], size: tuple[float, float, float]) -> tuple[float, float, float]:
    """Unit outward normal at a point ``p`` of the surface of a primitive."""
    (x, y, z), (a, b, c) = p, size
    if kind == CAPSULE:
        z -= min(max(z, -b), b)  # from the nearest point of the axis
    elif kind == ELLIPSOID:
        x, y, z = x / (a * a), y / (b * b), z / (c * c)
    elif kind == CYLINDER:
        if abs(z) / b - 1.0 > -1e-9 and math.hypot(x, y) <= a:
            x, y, z = 0.0, 0.0, z
        else:
            z = 0.0
    elif kind == BOX:
        u, v, w = abs(x) - a, abs(y) - b, abs(z) - c  # 0 on the face, below 0 beside it
        if u >= v and u >= w:
            y, z = 0.0, 0.0
        elif v >= w:
            x, z = 0.0, 0.0
        else:
            x, y = 0.0, 0.0
    elif kind == PLANE:
        x, y, z = 0.0, 0.0, 1.0
    length = math.sqrt(x * x + y * y + z * z)
    if length == 0.0:
        return 0.0, 0.0, 1.0
    return x / length, y / length, z / length
