"""A field's surface as triangles: marching cubes, then every vertex polished onto the surface by root finding.

Marching cubes (Lorensen and Cline 1987, in Lewiner's form, whose meshes are closed) puts vertices on the edges of the grid
by linear interpolation, wrong by O(h²) metres. Both ends of such an edge are known and lie on opposite sides, so the
bracketed secant method moves the vertex along its edge to where the level is nought, and no triangle turns over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from rlsuite.errors import CapabilityError
from rlsuite.generative.implicit.field import Field
from rlsuite.generative.implicit.grids import Grid, Level, sample_grid
from rlsuite.generative.implicit.level_set import level
from rlsuite.generative.implicit.roots import illinois


@dataclass(frozen=True)
class Mesh:
    """``vertices (v, 3)`` in metres and ``faces (f, 3)`` of their indices, anticlockwise seen from outside."""

    vertices: Tensor
    faces: Tensor

    @cached_property
    def crosses(self) -> Tensor:
        """``(f, 3)``: along each face's outward normal, twice its area long."""
        a, b, c = self.vertices[self.faces].unbind(1)
        return torch.linalg.cross(b - a, c - a)

    @property
    def area(self) -> float:
        """Square metres."""
        return float(self.crosses.norm(dim=-1).sum() / 2)

    @property
    def volume(self) -> float:
        """Cubic metres within a closed mesh (the divergence theorem)."""
        return float((self.vertices[self.faces].mean(1) * self.crosses).sum() / 6)

    @property
    def faces_of_edges(self) -> Tensor:
        """``(e,)``: in how many faces each edge is; 2 everywhere in a closed mesh."""
        edges = torch.cat([self.faces[:, [i, j]] for i, j in ((0, 1), (1, 2), (2, 0))])
        return torch.unique(edges.sort(1).values, dim=0, return_counts=True)[1]

    @property
    def euler_characteristic(self) -> int:
        """Vertices − edges + faces; 2 for one closed surface without a handle."""
        return len(torch.unique(self.faces)) - len(self.faces_of_edges) + len(self.faces)

    def surface_points(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """``n`` points ``(n, 3)`` drawn evenly from the surface, and the unit normals of their faces."""
        face = torch.multinomial(self.crosses.norm(dim=-1), n, replacement=True, generator=generator)
        u, v = torch.rand(2, n, 1, generator=generator, dtype=self.vertices.dtype)
        root = u.sqrt()  # even within a triangle (Turk 1990)
        a, b, c = self.vertices[self.faces[face]].unbind(1)
        points = (1 - root) * a + root * (1 - v) * b + root * v * c
        return points, torch.nn.functional.normalize(self.crosses[face], dim=-1)


def marching_cubes(grid: Grid) -> Mesh:
    """Triangles between the inside and the outside of a grid of levels; empty where there is no surface."""
    return _marched(grid)[0]


def _marched(grid: Grid) -> tuple[Mesh, Tensor]:
    """The mesh, and its vertices ``(v, 3)`` counted in cells."""
    from skimage import measure

    dtype = grid.values.dtype
    if not bool(grid.inside.any()) or bool(grid.inside.all()):
        empty = torch.empty(0, 3, dtype=dtype)
        return Mesh(empty, torch.empty(0, 3, dtype=torch.int64)), empty
    # a level of nought would make triangles without area; the least number above is on the same side
    values = np.where(grid.values.numpy() == 0, 1e-30, grid.values.numpy()).astype(np.float32)
    vertices, faces, _, _ = measure.marching_cubes(values, 0.0, gradient_direction="descent")
    index = torch.from_numpy(vertices.astype(np.float64)).to(dtype)
    return Mesh(grid.points(index), torch.from_numpy(faces.astype(np.int64))), index


def polished(f: Level, grid: Grid, *, tolerance: float = 1e-6, max_steps: int = 30) -> Mesh:
    """Marching cubes with each vertex moved along its edge of the grid until ``|f| ≤ tolerance``.

    The few vertices that Lewiner's form puts within a cell, and those on a point of the grid, take Newton steps along the
    gradient. In single precision a tolerance under about 1e-6 of a metre is not always met.
    """
    mesh, index = _marched(grid)
    if not len(index):
        return mesh
    whole = index.floor()
    between = index != whole  # of an edge: along one axis
    a, b = grid.points(whole), grid.points(whole + between)
    with torch.no_grad():
        fa, fb = f(a), f(b)
    bracket = (between.sum(1) == 1) & (torch.sign(fa) * torch.sign(fb) <= 0)
    a, b, fa, fb = a[bracket], b[bracket], fa[bracket], fb[bracket]
    zero, one = torch.zeros_like(fa), torch.ones_like(fa)
    root = illinois(
        lambda s: f(a + s.unsqueeze(-1) * (b - a)), zero, one, fa, fb, tolerance=tolerance, max_steps=max_steps
    )
    vertices = mesh.vertices.clone()
    vertices[bracket] = a + root.x.unsqueeze(-1) * (b - a)
    vertices[~bracket] = _newton(f, vertices[~bracket], grid.spacing)
    return Mesh(vertices, mesh.faces)


def _newton(f: Level, x: Tensor, reach: float, steps: int = 8) -> Tensor:
    """Towards the surface along the gradient, at most ``reach`` at a time."""
    for _ in range(steps if len(x) else 0):
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            value = f(x)
            (slope,) = torch.autograd.grad(value.sum(), x)
        move = value.detach().unsqueeze(-1) * slope / slope.square().sum(-1, keepdim=True).clamp(min=1e-12)
        x = x.detach() - move * (reach / move.norm(dim=-1, keepdim=True).clamp(min=reach))
    return x.detach()


def extract(
    field: Field,
    low: Sequence[float],
    size: float,
    cells: int = 128,
    code: Tensor | None = None,
    *,
    coarse: int | None = None,
    lipschitz: float | None = None,
    threshold: float = 0.5,
    tolerance: float | None = 1e-6,
) -> Mesh:
    """The surface of ``field`` in a cube; see :func:`.grids.sample_grid` for the cube, ``coarse`` and ``lipschitz``.

    Args:
        threshold: of an occupancy. tolerance: of the polish; ``None`` leaves marching cubes' vertices as they are.

    Raises:
        CapabilityError: the field is a density, or has no surface in the cube.
    """
    dtype = next(
        (value.dtype for value in (*field.parameters(), *field.buffers()) if value.is_floating_point()), torch.float32
    )
    f: Level = lambda x: level(field.geometry(x, code), threshold)  # noqa: E731
    grid = sample_grid(f, low, size, cells, coarse=coarse, lipschitz=lipschitz, dtype=dtype)
    mesh = marching_cubes(grid) if tolerance is None else polished(f, grid, tolerance=tolerance)
    if not len(mesh.faces):
        raise CapabilityError(f"the field has no surface in the cube of {size:g} m at {tuple(low)}")
    return mesh
