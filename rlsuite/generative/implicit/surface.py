r"""Differentiable volumetric rendering: where a ray meets a field's surface, with exact gradients (Niemeyer et al. 2020).

A ray ``o + t w`` is marched in equal steps to the first change of sign from outside to inside, and the root found in that
bracket. The depth ``t`` is an implicit function of everything: ``f_θ(o + t w) = 0`` on the surface gives

    ∂t/∂θ = −(∇f·w)⁻¹ ∂f/∂θ,     ∂t/∂o = −(∇f·w)⁻¹ ∇f,     ∂t/∂w = −t (∇f·w)⁻¹ ∇f

so neither the march nor the root finding is stored. :func:`attached_depth` has these gradients by one Newton step that is
attached to the graph, ``t − f(o + t w) / sg(∇f·w)`` (Yariv et al. 2020, IDR, equation 3); :class:`ImplicitDepth` is the
same as an explicit ``autograd.Function``; a test says that they agree. Points and rays have any dimension.

A ray that enters has ``∇f·w < 0``. Where it only grazes the surface, the slope is kept from nought with its sign: DVR's own
code replaces a small negative slope by a positive one, and turns those gradients round.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rlsuite.generative.implicit.cameras import Pinhole, Rendered, rays
from rlsuite.generative.implicit.field import Field
from rlsuite.generative.implicit.level_set import gradient, level
from rlsuite.generative.implicit.roots import illinois

Level = Callable[[Tensor], Tensor]  # (..., d) -> (...), negative inside
LEAST_SLOPE = 1e-3  # of the level per metre along a ray; grazing rays have less


class Hit(NamedTuple):
    """``t (...)`` along rays, of the surface where ``hit (...)``; ``innermost (...)`` is the sample of least level."""

    t: Tensor
    hit: Tensor
    innermost: Tensor


@torch.no_grad()
def march(
    f: Level,
    origin: Tensor,
    direction: Tensor,
    near: float,
    far: float,
    *,
    steps: int = 64,
    refinements: int = 8,
    jitter: torch.Generator | None = None,
) -> Hit:
    """The first entry of rays ``(n, d)`` into the surface between ``near`` and ``far``; without a graph.

    A body thinner than a step along the ray can be missed. Rays that begin inside have no entry until they have left.

    Args:
        refinements: steps of the bracketed root finder. jitter: shifts every ray's samples by its own part of a step.
    """
    n = origin.shape[0]
    t = torch.linspace(near, far, steps, dtype=origin.dtype).expand(n, steps)
    if jitter is not None:
        shift = torch.rand(n, 1, generator=jitter, dtype=origin.dtype) * (far - near) / (steps - 1)
        t = torch.cat((t[:, :1], t[:, 1:] - shift), 1)
    value = f(origin.unsqueeze(1) + t.unsqueeze(-1) * direction.unsqueeze(1))  # (n, steps)
    enters = (value[:, :-1] > 0) & (value[:, 1:] <= 0)
    hit, at = enters.any(1), enters.int().argmax(1, keepdim=True)
    innermost = t.gather(1, value.argmin(1, keepdim=True)).squeeze(1)
    depth = innermost.clone()
    if bool(hit.any()):
        o, w = origin[hit], direction[hit]
        ends = [x[hit].gather(1, at[hit] + i).squeeze(1) for x in (t, value) for i in (0, 1)]
        root = illinois(lambda s: f(o + s.unsqueeze(-1) * w), *ends, max_steps=refinements)
        depth[hit] = root.x
    return Hit(depth, hit, innermost)


@torch.no_grad()
def sphere_trace(
    f: Level,
    origin: Tensor,
    direction: Tensor,
    near: float,
    far: float,
    *,
    tolerance: float = 1e-5,
    max_steps: int = 200,
) -> Hit:
    """As :func:`march`, for a level that is at most the distance to the surface: steps of ``f`` pass nothing (Hart 1996).

    Quicker than equal steps, and nothing is too thin for it; a ray that grazes the surface to within ``tolerance`` meets it.
    """
    t = torch.full_like(origin[:, 0], near)
    innermost, least = t.clone(), torch.full_like(t, torch.inf)
    hit, live = torch.zeros(len(t), dtype=torch.bool), torch.arange(len(t))
    for _ in range(max_steps):
        value = f(origin[live] + t[live].unsqueeze(-1) * direction[live])
        nearer = live[value < least[live]]
        least[live] = torch.minimum(least[live], value)
        innermost[nearer] = t[nearer]
        arrived = value <= tolerance
        hit[live[arrived]] = True
        live, value = live[~arrived], value[~arrived]
        t[live] += value
        live = live[t[live] < far]
        if not len(live):
            break
    return Hit(torch.where(hit, t, innermost), hit, innermost)


def entering(slope: Tensor) -> Tensor:
    """``∇f·w`` of rays that enter, at most ``−LEAST_SLOPE``: grazing rays keep the sign, and a bounded gradient."""
    return slope.clamp(max=-LEAST_SLOPE)


def attached_depth(f: Level, t: Tensor, origin: Tensor, direction: Tensor) -> Tensor:
    """``t (...)`` with its gradients for whatever ``f`` contains, for ``origin`` and ``direction (..., d)``.

    ``t`` is a depth on the surface; the Newton step that attaches it also moves it nearer.
    """
    x = origin + t.detach().unsqueeze(-1) * direction
    value = f(x)
    with torch.enable_grad():
        at = x.detach().requires_grad_()
        slope = (gradient(f(at), at) * direction).sum(-1).detach()
    return t.detach() - value / entering(slope)


class ImplicitDepth(torch.autograd.Function):
    """The same gradients by hand: ``ImplicitDepth.apply(f, t, origin, direction, *inputs)``, of first order.

    ``inputs`` are the tensors in ``f`` that want a gradient: parameters and codes.
    """

    @staticmethod
    def forward(ctx: Any, f: Level, t: Tensor, origin: Tensor, direction: Tensor, *inputs: Tensor) -> Tensor:
        ctx.f = f
        ctx.save_for_backward(t, origin, direction, *inputs)
        return t.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        t, origin, direction, *inputs = ctx.saved_tensors
        wanted = [x for x, needs in zip(inputs, ctx.needs_input_grad[4:], strict=True) if needs]
        with torch.enable_grad():
            x = (origin + t.unsqueeze(-1) * direction).detach().requires_grad_()
            value = ctx.f(x)
            (normal,) = torch.autograd.grad(value.sum(), x, retain_graph=True)
            scaled = -grads[0] / entering((normal * direction).sum(-1))  # ∂loss/∂f
            found = iter(torch.autograd.grad(value, wanted, scaled, allow_unused=True) if wanted else ())
        ray = scaled.unsqueeze(-1) * normal
        given = [next(found) if needs else None for needs in ctx.needs_input_grad[4:]]
        return None, None, ray, t.unsqueeze(-1) * ray, *given


def surface_level(field: Field, code: Tensor | None = None, threshold: float = 0.5) -> Level:
    """The level of ``field`` as a function of points alone."""
    return lambda x: level(field.geometry(x, code), threshold)


def intersect(
    field: Field,
    origin: Tensor,
    direction: Tensor,
    near: float,
    far: float,
    code: Tensor | None = None,
    *,
    steps: int = 64,
    refinements: int = 8,
    threshold: float = 0.5,
    jitter: torch.Generator | None = None,
) -> Hit:
    """Where rays ``(n, 3)`` meet the field's surface; ``t`` of those that do has gradients."""
    f = surface_level(field, code, threshold)
    t, hit, innermost = march(f, origin, direction, near, far, steps=steps, refinements=refinements, jitter=jitter)
    if torch.is_grad_enabled() and bool(hit.any()):
        t = t.index_put((hit,), attached_depth(f, t[hit], origin[hit], direction[hit]))
    return Hit(t, hit, innermost)


def render(
    field: Field,
    camera: Pinhole,
    near: float,
    far: float,
    code: Tensor | None = None,
    *,
    pixels: Tensor | None = None,
    steps: int = 64,
    threshold: float = 0.5,
    background: float = 1.0,
    shade: Callable[[Tensor, Tensor], Tensor] | None = None,
    chunk: int = 4096,
    dtype: torch.dtype = torch.float32,
) -> Rendered:
    """The surface as the camera sees it; ``color`` and ``depth`` are differentiable, ``alpha`` is 0 or 1.

    Args:
        pixels: ``(..., 2)``; by default all, as ``(height, width)``. near, far: metres along each ray that are searched.
        shade: color ``(n, 3)`` from points and unit normals, for fields without a colour of their own.
        chunk: rays at once.
    """
    o, w = rays(camera, pixels, dtype)
    lead = o.shape[:-1]
    parts = [
        _rendered(field, a, b, near, far, code, steps, threshold, background, shade)
        for a, b in zip(o.reshape(-1, 3).split(chunk), w.reshape(-1, 3).split(chunk), strict=True)
    ]
    color, hit, t, normal = (torch.cat(values) for values in zip(*parts, strict=True))
    along = w @ -torch.as_tensor(camera.R, dtype=dtype)[:, 2]
    depth = t.reshape(lead) * along
    return Rendered(color.reshape(*lead, 3), hit.to(dtype).reshape(lead), depth, normal.reshape(*lead, 3))


def _rendered(
    field: Field,
    o: Tensor,
    w: Tensor,
    near: float,
    far: float,
    code: Tensor | None,
    steps: int,
    threshold: float,
    background: float,
    shade: Callable[[Tensor, Tensor], Tensor] | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Colour, whether the surface was met, ``t`` (nought where not) and normal of rays ``(n, 3)``."""
    t, hit, _ = intersect(field, o, w, near, far, code, steps=steps, threshold=threshold)
    color, normal = torch.full_like(o, background), torch.zeros_like(o)
    if bool(hit.any()):
        x = o[hit] + t[hit].unsqueeze(-1) * w[hit]
        with torch.enable_grad():
            at = x.detach().requires_grad_()
            own = torch.nn.functional.normalize(
                gradient(level(field.geometry(at, code), threshold), at), dim=-1
            ).detach()
        normal = normal.index_put((hit,), own)
        seen = shade(x, own) if shade else field.color(x, w[hit], field.geometry(x, code).features, code)
        color = color.index_put((hit,), seen)
    return color, hit, torch.where(hit, t, torch.zeros_like(t)), normal
