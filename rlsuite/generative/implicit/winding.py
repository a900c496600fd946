"""Inside or outside of a closed mesh: winding numbers, by solid angles and by crossings.

The winding number of a point is the solid angle of all faces over 4π: 1 inside, 0 outside (Jacobson et al. 2013; the angle
of a triangle by Van Oosterom and Strackee 1983). That takes points times faces. For a closed mesh it equals the signed
number of faces that a ray upwards leaves through, which a grid of the faces' shadows finds quickly.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rlsuite.errors import HyperparameterError
from rlsuite.generative.implicit.meshes import Mesh


def winding_number(mesh: Mesh, points: Tensor, chunk: int = 2_000_000) -> Tensor:
    """``(n)`` of points ``(n, 3)``; fractions for meshes with holes. For large numbers of points :func:`crossings`."""
    corners = mesh.vertices[mesh.faces]  # (f, 3, 3)
    parts = []
    for x in points.split(max(1, chunk // max(1, len(corners)))):
        a, b, c = (corners[:, i] - x.unsqueeze(1) for i in range(3))  # (n, f, 3)
        la, lb, lc = a.norm(dim=-1), b.norm(dim=-1), c.norm(dim=-1)
        volume = (a * torch.linalg.cross(b, c)).sum(-1)
        flat = la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (c * a).sum(-1) * lb
        parts.append(torch.atan2(volume, flat).sum(-1) / (2 * math.pi))  # tan(Ω/2), so Ω/4π
    return torch.cat(parts) if parts else points[:, 0]


def crossings(mesh: Mesh, points: Tensor) -> Tensor:
    """``(n)`` integers: faces above each point that a vertical ray leaves through, minus those it enters through.

    An edge's shadow belongs to the same side for both of its faces, to the last bit, so that rays along edges count once.

    Raises:
        HyperparameterError: some edge is not in exactly two faces.
    """
    if not bool((mesh.faces_of_edges == 2).all()):
        raise HyperparameterError("the mesh has holes: an edge is not in exactly two faces; use winding_number")
    corners = mesh.vertices[mesh.faces]  # (f, 3, 3)
    low, high = corners.amin(1)[:, :2], corners.amax(1)[:, :2]
    origin = low.amin(0)
    side = max(1, round(math.sqrt(len(corners) / 2)))
    cell = float((high.amax(0) - origin).amax()) / side * (1 + 1e-6)
    # faces of each cell of the shadow's grid, as pairs sorted by cell
    first, last = ((low - origin) / cell).long(), ((high - origin) / cell).long()
    extent = last - first + 1
    face = torch.repeat_interleave(torch.arange(len(corners)), extent.prod(1))
    within = torch.arange(len(face)) - torch.repeat_interleave(
        extent.prod(1).cumsum(0) - extent.prod(1), extent.prod(1)
    )
    at = first[face] + torch.stack((within // extent[face, 1], within % extent[face, 1]), 1)
    order = torch.argsort(at[:, 0] * side + at[:, 1], stable=True)
    face, key = face[order], (at[:, 0] * side + at[:, 1])[order]
    # pairs of a point and a face of its cell
    own = ((points[:, :2] - origin) / cell).floor().long()
    valid = ((own >= 0) & (own < side)).all(1).nonzero()[:, 0]
    wanted = own[valid, 0] * side + own[valid, 1]
    begin, end = torch.searchsorted(key, wanted), torch.searchsorted(key, wanted, right=True)
    count = end - begin
    point = torch.repeat_interleave(valid, count)
    offset = torch.arange(len(point)) - torch.repeat_interleave(count.cumsum(0) - count, count)
    pair = face[torch.repeat_interleave(begin, count) + offset]
    x, index = points[point], mesh.faces[pair]
    sides = [_left(mesh.vertices, index[:, i], index[:, j], x) for i, j in ((0, 1), (1, 2), (2, 0))]
    covers = (sides[0] == sides[1]) & (sides[1] == sides[2])
    point, pair, x, leaves = point[covers], pair[covers], x[covers], sides[0][covers]
    a, n = corners[pair, 0], mesh.crosses[pair]
    above = ((a - x) * n).sum(-1) * torch.sign(n[:, 2]) > 0
    out = torch.zeros(len(points), dtype=torch.int64)
    return out.index_add(0, point[above], torch.where(leaves[above], 1, -1))


def _left(vertices: Tensor, i: Tensor, j: Tensor, x: Tensor) -> Tensor:
    """Whether the shadow of ``x`` is left of the shadow of the edge from i to j; exactly opposite for that from j to i."""
    swapped = i > j
    p, q = vertices[torch.where(swapped, j, i)], vertices[torch.where(swapped, i, j)]
    turn = (q[:, 0] - p[:, 0]) * (x[:, 1] - p[:, 1]) - (q[:, 1] - p[:, 1]) * (x[:, 0] - p[:, 0])
    return (turn > 0) ^ swapped
