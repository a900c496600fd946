"""Bodies as data for learned fields: random shapes, points with distances, scans of the surface, and pictures as rays.

All of it comes from the analytic body, so that nothing is downloaded and every error can be measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from rlsuite.generative.implicit.cameras import Pinhole, rays
from rlsuite.generative.implicit.field import Field
from rlsuite.generative.implicit.level_set import normals
from rlsuite.generative.implicit.meshes import Mesh, extract
from rlsuite.generative.implicit.samples import ShapeSamples, samples_around
from rlsuite.generative.implicit.silhouettes import RayPictures
from rlsuite.generative.implicit.surface import sphere_trace
from rlsuite.motion.body import HEIGHT, BodyShape
from rlsuite.motion.cameras import Camera
from rlsuite.motion.fields.analytic import AnalyticBody

CENTRE = (0.0, 0.0, 0.85)  # of the cube that a standing body fills, in metres
SCALE = 1.0  # half its side
LOW, HIGH = tuple(c - SCALE for c in CENTRE), tuple(c + SCALE for c in CENTRE)
LIGHT = (0.4, -0.5, 0.77)  # towards it
AMBIENT = 0.4


def random_shape(rng: np.random.Generator, spread: float = 0.15) -> BodyShape:
    """A body within ``spread`` of the default's height and proportions, each even; the mass stays."""
    ratios = {f.name: float(1 + spread * rng.uniform(-1, 1)) for f in fields(BodyShape) if f.name != "mass"}
    return BodyShape(**ratios | {"height": HEIGHT * ratios["height"]})


def body_mesh(field: Field, code: Tensor | None = None, cells: int = 128) -> Mesh:
    """The surface of a body in the cube, its vertices on the surface."""
    return extract(field, LOW, 2 * SCALE, cells, code, coarse=cells // 8, lipschitz=1.0)


def scan(
    field: Field, n: int, generator: torch.Generator, code: Tensor | None = None, cells: int = 128
) -> tuple[Tensor, Tensor]:
    """``n`` points drawn evenly from the surface, moved exactly onto it, and their outward unit normals."""
    points, facing = body_mesh(field, code, cells).surface_points(n, generator)
    own = normals(field, points, code)
    with torch.no_grad():
        value = field.geometry(points, code).value.unsqueeze(1)  # type: ignore[attr-defined]
    return points - value * own, torch.where((own * facing).sum(1, keepdim=True) > 0.5, own, facing)


def body_samples(
    bodies: Sequence[AnalyticBody], n: int, seed: int, poses: Sequence[Tensor | None] = ()
) -> ShapeSamples:
    """``n`` points of every body with their distances, half about its surface; in ``poses`` or at rest."""
    generator, rows = torch.Generator().manual_seed(seed), []
    for body, pose in zip(bodies, poses or [None] * len(bodies), strict=True):
        surface, _ = scan(body, n // 2, generator, pose, cells=64)
        rows.append(samples_around(partial(body.distance, code=pose), surface, n, LOW, HIGH, generator))
    return ShapeSamples(torch.stack([x for x, _ in rows]), torch.stack([s for _, s in rows]))


def ring_of_cameras(n: int, size: int = 64, distance: float = 3.2) -> list[Camera]:
    """``n`` cameras that look at the middle of the cube from all sides, at three heights in turn."""
    places = [
        (distance * np.cos(a) * np.cos(e), distance * np.sin(a) * np.cos(e), CENTRE[2] + distance * np.sin(e))
        for a, e in zip(2 * np.pi * np.arange(n) / n, np.resize((0.05, 0.45, -0.25), n), strict=True)
    ]
    return [Camera.look_at(place, CENTRE, width=size, height=size) for place in places]


def lambert(normal: Tensor) -> Tensor:
    """``(..., 1)`` light that a surface of unit ``normal (..., 3)`` throws back, the same to every side."""
    light = normalize(normal.new_tensor(LIGHT), dim=0)
    return AMBIENT + (1 - AMBIENT) * (normal @ light).clamp(min=0.0).unsqueeze(-1)


@torch.no_grad()
def body_pictures(
    body: AnalyticBody, cameras: Sequence[Pinhole], near: float, far: float, code: Tensor | None = None
) -> RayPictures:
    """What every pixel of the cameras sees of the body, coloured and lit."""
    parts = [[flat.reshape(-1, 3) for flat in rays(camera)] for camera in cameras]
    o, w = (torch.cat(values) for values in zip(*parts, strict=True))
    t, mask, color = torch.zeros(len(o)), torch.zeros(len(o), dtype=torch.bool), torch.ones(len(o), 3)
    for rows in torch.arange(len(o)).split(4096):
        found = sphere_trace(partial(body.distance, code=code), o[rows], w[rows], near, far)
        own = rows[found.hit]
        t[own], mask[own] = found.t[found.hit], True
        if len(own):
            x = o[own] + t[own].unsqueeze(1) * w[own]
            color[own] = body.color(x, w[own], None, code) * lambert(normals(body, x, code))
    return RayPictures(o, w, mask, color, t)
