"""How far two convex geoms are apart, in torch: above 0 apart, below 0 one in the other, differentiable in their places.

The nearest points are found without gradients and held; by the envelope theorem the derivative of the distance between
them is the derivative of the gap (of first order; there is none of second). Leading axes ``(...)`` broadcast.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rlsuite.motion.fields.geoms import inverse
from rlsuite.motion.fields.primitives import box as box_distance
from rlsuite.motion.fields.primitives import length
from rlsuite.motion.kinematics_torch import rotate

Geom = tuple[Tensor, Tensor, Tensor]  # centres (..., 3), rotations (..., 4), sizes (..., 3)
SEARCH_STEPS = 30  # the interval shrinks by 0.55 in each: 3e-8 of the capsule's half length
PARALLEL = 1e-9  # square of the sine below which two edges have no common normal


def capsule_capsule(a: Geom, b: Geom) -> Tensor:
    """Distance between the axes less both radii: exact, also of overlapping capsules whose axes do not cross.

    The square of ``|p(s) - q(t)|`` is convex in ``(s, t)``: its least value in the rectangle is where both derivatives
    vanish, or on an edge, where it is the end of one axis against the other (Ericson, Real-Time Collision Detection, 5.1.9).
    """
    (p, u), (q, v) = _axis(a), _axis(b)
    with torch.no_grad():
        r, uu, vv, uv = p - q, _dot(u, u), _dot(v, v), _dot(u, v)
        ur, vr, det = _dot(u, r), _dot(v, r), uu * vv - uv * uv
        crossing = det > PARALLEL * uu * vv
        s = torch.where(crossing, (uv * vr - vv * ur) / torch.where(crossing, det, 1.0), 2.0)
        t = torch.where(crossing, (uu * vr - uv * ur) / torch.where(crossing, det, 1.0), 2.0)
        inside = (s.abs() <= 1.0) & (t.abs() <= 1.0)
        candidates = [(torch.where(inside, s, 1.0), torch.where(inside, t, 1.0))]
        for end in (-1.0, 1.0):
            candidates.append((torch.full_like(s, end), _nearest(vr + end * uv, vv)))
            candidates.append((_nearest(end * uv - ur, uu), torch.full_like(t, end)))
        s, t = (torch.stack(each, -1) for each in zip(*candidates, strict=True))
        apart = r.unsqueeze(-2) + s.unsqueeze(-1) * u.unsqueeze(-2) - t.unsqueeze(-1) * v.unsqueeze(-2)
        best = length(apart).argmin(-1, keepdim=True)
        s, t = s.gather(-1, best), t.gather(-1, best)
    return length(p + s * u - q - t * v) - a[2][..., 0] - b[2][..., 0]


def capsule_box(a: Geom, b: Geom) -> Tensor:
    """Least signed distance from the capsule's axis to the box, less the radius: exact where the axis is outside the box.

    The signed distance to a convex body is a convex function, so a search along the axis finds its least value.
    """
    (p, u), (centre, quat, size) = _axis(a), b
    p, u = rotate(inverse(quat), p - centre), rotate(inverse(quat), u)
    with torch.no_grad():
        low = torch.full(torch.broadcast_shapes(p.shape, u.shape)[:-1], -1.0, dtype=p.dtype, device=p.device)
        high = -low
        for _ in range(SEARCH_STEPS):
            first, second = 0.55 * low + 0.45 * high, 0.45 * low + 0.55 * high
            rising = box_distance(p + first[..., None] * u, size) < box_distance(p + second[..., None] * u, size)
            low, high = torch.where(rising, low, first), torch.where(rising, second, high)
        at = 0.5 * (low + high)
    return box_distance(p + at[..., None] * u, size) - a[2][..., 0]


def box_box(a: Geom, b: Geom) -> Tensor:
    """Largest separation along the 15 axes that decide it (Gottschalk, Lin and Manocha 1996).

    The sign is exact and, of overlapping boxes, the depth too; apart, it is a lower bound of the distance.
    """
    (p, _, half_a), (q, _, half_b) = a, b
    A, B = _axes(a), _axes(b)  # (..., 3, 3), rows
    cross = torch.linalg.cross(A.unsqueeze(-2), B.unsqueeze(-3)).flatten(-3, -2)  # (..., 9, 3)
    square = cross.square().sum(-1, keepdim=True)
    usable = square > PARALLEL
    cross = cross / torch.where(usable, square, 1.0).sqrt()
    axes = torch.cat((*torch.broadcast_tensors(A, B), cross), -2)  # (..., 15, 3)
    reach = (axes @ A.mT).abs() @ half_a.unsqueeze(-1) + (axes @ B.mT).abs() @ half_b.unsqueeze(-1)
    separation = (axes @ (q - p).unsqueeze(-1)).abs() - reach
    valid = torch.cat((torch.ones_like(usable[..., :6, :]), usable), -2)
    return torch.where(valid, separation, -torch.inf).squeeze(-1).amax(-1)


def lowest(kind: str, geom: Geom) -> Tensor:
    """``(...)`` height of the lowest point: the support function downwards of a geom of any kind, exact."""
    position, quat, size = geom
    down = rotate(inverse(quat), quat.new_tensor((0.0, 0.0, 1.0)))  # the vertical in the geom's own axes
    if kind == "capsule":
        reach = size[..., 0] + size[..., 1] * down[..., 2].abs()
    elif kind == "cylinder":
        reach = size[..., 1] * down[..., 2].abs() + size[..., 0] * length(down[..., :2])
    elif kind == "box":
        reach = (size * down.abs()).sum(-1)
    else:
        reach = length(size * down)
    return position[..., 2] - reach


def _axis(geom: Geom) -> tuple[Tensor, Tensor]:
    """Middle and half axis of capsules, ``(..., 3)`` each."""
    position, quat, size = geom
    return position, size[..., 1:2] * rotate(quat, quat.new_tensor((0.0, 0.0, 1.0)))


def _axes(geom: Geom) -> Tensor:
    """``(..., 3, 3)`` whose rows are a geom's axes in the world."""
    return rotate(geom[1].unsqueeze(-2), torch.eye(3, dtype=geom[1].dtype, device=geom[1].device))


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(-1)


def _nearest(along: Tensor, square: Tensor) -> Tensor:
    """Parameter in -1 … 1 of the point of an axis nearest to another point; the middle of an axis without length."""
    return torch.where(square > 0, along / torch.where(square > 0, square, 1.0), 0.0).clamp(-1.0, 1.0)
