"""Signed distances to MuJoCo's primitive geoms, in their own axes, in torch: negative inside, exact everywhere.

Points are ``(..., 3)``, sizes ``(..., n)`` as MuJoCo has them (a radius, half lengths, half axes); leading axes broadcast.
Gradients flow to points and sizes and are the unit normals wherever the nearest point of the surface is one. Capsule,
cylinder and box are the closed forms of Quilez ("distance functions"); of the sphere, a capsule without length.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

NEWTON_STEPS, TINY = 32, 1e-12


def length(vector: Tensor) -> Tensor:
    """``(...)`` norm of ``(..., n)`` whose gradient at nought is nought."""
    square = vector.square().sum(-1)
    at_nought = square == 0
    return torch.where(at_nought, 0.0, torch.where(at_nought, 1.0, square).sqrt())


def capsule(x: Tensor, size: Tensor) -> Tensor:
    """Radius and half length along Z: how far the nearest point of the axis is, less the radius."""
    radius, half = size[..., 0], size[..., 1]
    along = x[..., 2] - torch.maximum(torch.minimum(x[..., 2], half), -half)
    return length(torch.stack((*torch.broadcast_tensors(x[..., 0], x[..., 1], along),), -1)) - radius


def cylinder(x: Tensor, size: Tensor) -> Tensor:
    """Radius and half length along Z: a rectangle in the plane of the axis."""
    return _rectangle(torch.stack((length(x[..., :2]) - size[..., 0], x[..., 2].abs() - size[..., 1]), -1))


def box(x: Tensor, size: Tensor) -> Tensor:
    """Half sides."""
    return _rectangle(x.abs() - size)


def _rectangle(beyond: Tensor) -> Tensor:
    """Distance to a corner of which ``beyond (..., n)`` says how far outside each face a point lies."""
    return length(beyond.clamp(min=0.0)) + beyond.amax(-1).clamp(max=0.0)


def ellipsoid(x: Tensor, size: Tensor) -> Tensor:
    """Half axes ``e``: the distance to the nearest point ``p`` of ``g(p) = sum (p_i / e_i)^2 - 1 = 0``.

    With ``n = grad g / |grad g|`` at ``p``, the distance moves by ``n . dx``, and by ``(dg/de / |grad g|) . de``, since
    ``p`` is a minimum (the envelope theorem): derivatives are exact, but there are none of second order.
    """
    value, p, n, slope = _nearest_on_ellipsoid(x.detach(), size.detach())
    moved = (n * (x - x.detach())).sum(-1)
    g = (p / size).square().sum(-1)
    return value + moved + (g - g.detach()) / slope


def _nearest_on_ellipsoid(x: Tensor, size: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Signed distance ``(...)``, nearest point and outward normal there ``(..., 3)``, and ``|grad g|`` there.

    The nearest point is ``p_i = r_i x_i / (u + r_i - 1)`` with ``r_i = (e_i / e_min)^2`` at the root ``u > 0`` of

        G(u) = sum (r_i z_i / (u + r_i - 1))^2 - 1,    z_i = |x_i| / e_i

    (Eberly, Distance from a Point to an Ellipsoid, equation 10, with ``u = s + 1`` so that nothing cancels near the pole).
    ``1 / sqrt(G + 1)`` rises and is concave, so Newton's steps from below never pass the root (as in Moré and Sorensen's
    secular equation), and where they creep, near the pole, halving the bracket's logarithm does not. A coordinate of 0 is
    moved off the plane of symmetry by ``TINY`` of its half axis.
    """
    kind = x.dtype
    x, e = torch.broadcast_tensors(x.double(), size.double())
    least = e.amin(-1, keepdim=True)
    y = torch.maximum(x.abs(), TINY * e)
    z, r = y / e, (e / least).square()
    pole = r - 1.0  # before u is added, which may be far below the precision of r
    alike = (pole == 0.0) * z  # of the least half axis, or of several alike
    u, high = length(alike).unsqueeze(-1), length(r * z).unsqueeze(-1)
    for _ in range(NEWTON_STEPS):
        ratio = r * z / (u + pole)
        square = ratio.square().sum(-1, keepdim=True)  # G + 1
        step = (square.sqrt() - 1.0) * square / (ratio.square() / (u + pole)).sum(-1, keepdim=True)
        u = torch.maximum(u, torch.minimum(u + step, high))
        if bool((step.abs() <= 1e-15 * u).all()):
            break
        middle = (u * high).sqrt()
        below = (r * z / (middle + pole)).square().sum(-1, keepdim=True) >= 1.0
        u, high = torch.where(below, middle, u), torch.where(below, high, middle)
    p = r * y / (u + pole)
    inside = (y / e).square().sum(-1) < 1.0
    distance = length(y - p)
    gradient = 2.0 * p / e.square()
    slope = length(gradient)
    sign = torch.where(x < 0, -1.0, 1.0)
    normal = sign * gradient / slope.unsqueeze(-1)
    signed = torch.where(inside, -distance, distance)
    return signed.to(kind), (sign * p).to(kind), normal.to(kind), slope.to(kind)


KINDS: dict[str, Any] = {"capsule": capsule, "cylinder": cylinder, "box": box, "ellipsoid": ellipsoid}
