"""Differentiable surfaces: closed forms, finite differences in double precision, and the two ways that must agree."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from rlsuite.errors import CapabilityError
from rlsuite.generative.implicit.field import Distance, Field, Occupancy
from rlsuite.generative.implicit.level_set import gradient
from rlsuite.generative.implicit.neural_field import NeuralField
from rlsuite.generative.implicit.surface import (
    ImplicitDepth,
    attached_depth,
    entering,
    intersect,
    march,
    render,
    sphere_trace,
    surface_level,
)
from tests.generative.implicit.analytic import Sphere, figure


def rays_at_sphere(n=40, seed=0):
    """Origins at about 2 metres, directions at points well inside the ball of radius 0.5."""
    generator = torch.Generator().manual_seed(seed)
    o = torch.randn(n, 3, generator=generator, dtype=torch.float64)
    o = 2.0 * o / o.norm(dim=-1, keepdim=True)
    target = 0.5 * (torch.rand(n, 3, generator=generator, dtype=torch.float64) - 0.5)
    return o, nn.functional.normalize(target - o, dim=-1)


def sphere_depth(o, w, centre, radius):
    """The nearer root of ``‖o + t w − c‖² = r²`` for directions of any length."""
    v, a = o - centre, w.square().sum(-1)
    b = (v * w).sum(-1)
    return (-b - (b.square() - a * (v.square().sum(-1) - radius**2)).sqrt()) / a


# -- the textbook: a circle --------------------------------------------------------------------------------------------


def test_implicit_differentiation_of_the_circle():
    """x² + y² = 1: seen from below along y, the depth is −√(1 − x²), and dy/dx = −x/y."""
    x = torch.linspace(-0.9, 0.9, 13, dtype=torch.float64, requires_grad=True)
    origin = torch.stack((x, torch.full_like(x, -3.0)), -1)
    up = torch.tensor([0.0, 1.0], dtype=torch.float64).expand(13, 2)
    f = lambda p: p.square().sum(-1) - 1.0  # noqa: E731
    t, hit, _ = march(f, origin, up, 0.0, 4.0, refinements=20)
    assert bool(hit.all())
    y = attached_depth(f, t, origin, up) - 3.0
    torch.testing.assert_close(y, -(1 - x.square()).sqrt(), atol=1e-10, rtol=0)
    torch.testing.assert_close(gradient(y, x), -x / y, atol=1e-8, rtol=0)


# -- the sphere --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steepness", [None, 8.0])
def test_depth_of_a_sphere_is_the_closed_form(steepness):
    field, (o, w) = Sphere(0.5, (0.05, -0.02, 0.1), steepness=steepness), rays_at_sphere()
    found = intersect(field, o, w, 0.5, 4.0, refinements=30)
    assert bool(found.hit.all())
    torch.testing.assert_close(found.t, sphere_depth(o, w, field.centre, field.radius), atol=1e-9, rtol=0)


def test_rays_that_miss_say_where_they_came_nearest():
    o = torch.tensor([[-2.0, 0.7, 0.0]], dtype=torch.float64)
    w = torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64)
    found = intersect(Sphere(0.5), o, w, 0.0, 4.0, steps=401)
    assert not bool(found.hit) and float(found.t) == pytest.approx(2.0, abs=1e-9)


def test_sphere_tracing_finds_what_marching_finds_and_what_is_too_thin_for_it():
    o = 2 * nn.functional.normalize(torch.randn(300, 3, generator=torch.Generator().manual_seed(2)), dim=-1)
    w = nn.functional.normalize(torch.rand(300, 3, generator=torch.Generator().manual_seed(3)) - 0.5 - o, dim=-1)
    f = surface_level(figure())
    marched = march(f, o, w, 0.5, 4.0, steps=2000, refinements=20)
    traced = sphere_trace(f, o, w, 0.5, 4.0)
    assert bool((traced.hit >= marched.hit).all()) and int(traced.hit.sum()) <= int(marched.hit.sum()) + 2
    torch.testing.assert_close(traced.t[marched.hit], marched.t[marched.hit], atol=1e-3, rtol=0)
    thin = surface_level(Sphere(0.01, dtype=torch.float32))
    ray = torch.tensor([[0.0, 0.0, 2.0]]), torch.tensor([[0.0, 0.0, -1.0]])
    assert not bool(march(thin, *ray, 0.5, 3.5, steps=18).hit)
    assert float(sphere_trace(thin, *ray, 0.5, 3.5).t) == pytest.approx(1.99, abs=1e-4)


def test_a_ray_from_inside_finds_no_entry():
    o = torch.zeros(1, 3, dtype=torch.float64)
    w = torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64)
    assert not bool(march(surface_level(Sphere(0.5)), o, w, 0.0, 4.0).hit)


def test_the_first_of_two_entries_is_taken():
    o = torch.tensor([[0.0, 1.5, 0.1]])
    w = torch.tensor([[0.0, -1.0, 0.0]])
    t = intersect(figure(), o, w, 0.0, 3.0, steps=200, refinements=20).t
    assert float(o[0, 1] - t) > 0.5  # the outer side of the left arm


@pytest.mark.parametrize("way", ["attached", "explicit"])
def test_gradients_of_the_sphere_are_those_of_the_closed_form(way):
    """For the centre, the radius, a code, the rays' origins and their directions."""
    field, (o, w) = Sphere(0.5, (0.05, -0.02, 0.1)), rays_at_sphere()
    code = torch.full((1,), 0.03, dtype=torch.float64, requires_grad=True)
    o, w = o.requires_grad_(), w.requires_grad_()
    weights = torch.linspace(0.5, 2.0, len(o), dtype=torch.float64)
    inputs = (field.centre, field.radius, code, o, w)
    expected = torch.autograd.grad((weights * sphere_depth(o, w, field.centre, field.radius + code)).sum(), inputs)
    f = surface_level(field, code)
    t, hit, _ = march(f, o, w, 0.5, 4.0, refinements=30)
    assert bool(hit.all())
    depth = attached_depth(f, t, o, w) if way == "attached" else ImplicitDepth.apply(f, t, o, w, *inputs[:3])
    for got, want in zip(torch.autograd.grad((weights * depth).sum(), inputs), expected, strict=True):
        torch.testing.assert_close(got, want, atol=1e-8, rtol=1e-8)


# -- a network, by finite differences ----------------------------------------------------------------------------------


def network(kind):
    return NeuralField(kind, code_size=2, octaves=2, hidden=(24, 24), radius=0.7, seed=3).double()


@pytest.mark.parametrize("kind", ["distance", "occupancy"])
def test_both_ways_agree_with_finite_differences_to_a_millionth(kind):
    """For every kind of input: weights, code, ray origin, ray direction; central differences of the root found anew."""
    field, (o, w) = network(kind), rays_at_sphere(12, seed=1)
    code = torch.tensor([0.3, -0.2], dtype=torch.float64)
    with torch.no_grad():
        for parameter in field.parameters():  # away from the sphere, and a code that acts
            parameter += 0.01 * torch.randn(
                parameter.shape, generator=torch.Generator().manual_seed(parameter.numel()), dtype=torch.float64
            )
    weights = torch.linspace(0.5, 2.0, len(o), dtype=torch.float64)
    inputs = [code, o, w, *field.parameters()]

    def depth():
        found = march(surface_level(field, code), o, w, 0.2, 4.0, steps=80, refinements=60)
        assert bool(found.hit.all())
        return found.t

    for x in inputs:
        x.requires_grad_()
    f, t = surface_level(field, code), depth()
    attached = torch.autograd.grad((weights * attached_depth(f, t, o, w)).sum(), inputs)
    by_hand = torch.autograd.grad((weights * ImplicitDepth.apply(f, t, o, w, code, *inputs[3:])).sum(), inputs)
    generator, h = torch.Generator().manual_seed(5), 1e-5
    for x, one, other in zip(inputs, attached, by_hand, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-10)
        way = torch.randn(x.shape, generator=generator, dtype=torch.float64)
        way /= way.norm()
        ends = []
        with torch.no_grad():
            for sign in (1, -2, 1):
                x += sign * h * way
                ends.append((weights * depth()).sum())
        measured = float(ends[0] - ends[1]) / (2 * h)
        assert float((one * way).sum()) == pytest.approx(measured, abs=1e-6)


# -- defects of peers, as tests ----------------------------------------------------------------------------------------


def test_grazing_rays_keep_the_sign_of_their_slope():
    """DVR writes ``grad_p_dot_v[abs < eps] = eps``, which turns the gradient of a grazing ray round: every slope of a ray
    that enters is negative, and a growing sphere is always met sooner."""
    assert entering(torch.tensor([-2.0, -1e-6, 0.0])).tolist() == pytest.approx([-2.0, -1e-3, -1e-3])
    field = Sphere(0.5)
    impact = 0.5 * (1 - 1e-8)  # the slope at the surface is −√(1 − (b/r)²) = −1.4e-4
    o = torch.tensor([[-2.0, impact, 0.0]], dtype=torch.float64)
    w = torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64)
    t = sphere_depth(o, w, field.centre, field.radius).detach()
    for depth in (
        attached_depth(surface_level(field), t, o, w),
        ImplicitDepth.apply(surface_level(field), t, o, w, field.radius),
    ):
        (slope,) = torch.autograd.grad(depth.sum(), field.radius)
        assert -1001 < float(slope) < 0  # the true one is −7071


@pytest.mark.parametrize("which", ["origin", "direction"])
def test_rays_have_gradients(which):
    """DVR's autograd.Function returns None for both, so that no camera and no pose could be learned from depth."""
    field, (o, w) = Sphere(0.5), rays_at_sphere(5)
    wanted = (o if which == "origin" else w).requires_grad_()
    t, hit, _ = intersect(field, o, w, 0.5, 4.0)
    explicit = ImplicitDepth.apply(surface_level(field), t.detach(), o, w)
    for depth in (t, explicit):
        (slope,) = torch.autograd.grad(depth.sum(), wanted)
        assert bool(hit.all()) and bool((slope.norm(dim=-1) > 0.1).all())


def test_the_level_of_occupancy_is_its_logit_minus_the_logit_of_the_threshold():
    """With τ = 0.2 the surface lies where the probability is 0.2 (the source text says f = 0 and f = τ in turn)."""
    field, (o, w) = Sphere(0.5, steepness=8.0), rays_at_sphere(6)
    t = intersect(field, o, w, 0.2, 4.0, threshold=0.2, refinements=30).t
    logit = field.geometry(o + t.unsqueeze(-1) * w).logit
    torch.testing.assert_close(torch.sigmoid(logit), torch.full_like(logit, 0.2), atol=1e-9, rtol=0)


# -- pictures ----------------------------------------------------------------------------------------------------------


def looking_along_minus_z(t, size=24, focal=30.0):
    """A camera on the z axis; pixel centres at +0.5."""
    K = torch.tensor([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]], dtype=torch.float64)
    return SimpleNamespace(R=torch.eye(3, dtype=torch.float64), t=t, K=K, width=size, height=size)


def test_a_picture_of_a_sphere():
    """Its depth along the axis, its normals, its outline and its colours, all in closed form."""
    field, z = Sphere(0.5), 2.0
    camera = looking_along_minus_z(torch.tensor([0.0, 0.0, z], dtype=torch.float64))
    seen = render(field, camera, 0.5, 4.0, dtype=torch.float64, background=0.25)
    u = torch.arange(24, dtype=torch.float64) + 0.5 - 12
    sine = (u[None] ** 2 + u[:, None] ** 2).sqrt() / 30  # of the angle off the axis, over its cosine
    inside = torch.sin(torch.atan(sine)) < 0.5 / z
    assert torch.equal(seen.alpha.bool(), inside)
    x = torch.stack((u[None].expand(24, 24), -u[:, None].expand(24, 24), torch.full((24, 24), -30.0)), -1) / 30
    x = camera.t + seen.depth.detach()[..., None] * x  # depth is along the axis, so this is the point
    torch.testing.assert_close(x[inside].norm(dim=-1), torch.full_like(x[inside][:, 0], 0.5), atol=1e-6, rtol=0)
    torch.testing.assert_close(seen.normal[inside], x[inside] / 0.5, atol=1e-5, rtol=0)
    torch.testing.assert_close(seen.color[inside], torch.sigmoid(3 * x[inside]), atol=1e-5, rtol=0)
    assert bool((seen.color[~inside] == 0.25).all()) and bool((seen.depth[~inside] == 0).all())


def test_a_picture_has_gradients_for_the_place_of_its_camera():
    """Towards a sphere at the middle of the picture the depth falls by one metre a metre."""
    place = torch.tensor([0.0, 0.0, 2.0], dtype=torch.float64, requires_grad=True)
    camera = looking_along_minus_z(place)
    pixel = torch.tensor([[12.0, 12.0]], dtype=torch.float64)
    seen = render(Sphere(0.5), camera, 0.5, 4.0, pixels=pixel, dtype=torch.float64)
    assert seen.depth.item() == pytest.approx(1.5, abs=1e-9)
    (slope,) = torch.autograd.grad(seen.depth.sum(), place)
    torch.testing.assert_close(slope, torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64), atol=1e-9, rtol=0)


def test_other_properties_are_asked_for_at_the_surface_and_move_with_it():
    """A force of ``x + y + z``: a sphere that grows by dr moves the point met by −w dr/(w·n)."""
    field, (o, w) = Sphere(0.5), rays_at_sphere(8)
    t, _, _ = intersect(field, o, w, 0.5, 4.0, refinements=30)
    x = o + t.unsqueeze(-1) * w
    force = field.property("force", x, None)[:, 0]
    (slope,) = torch.autograd.grad(force.sum(), field.radius)
    n = (x / 0.5).detach()
    torch.testing.assert_close(slope, (w.sum(-1) / (w * n).sum(-1)).sum())
    with pytest.raises(CapabilityError):
        field.property("heat", x, None)


def test_a_figure_without_colour_is_shaded_by_its_caller():
    camera = looking_along_minus_z(torch.tensor([0.0, 0.0, 2.5], dtype=torch.float32))
    seen = render(figure(), camera, 0.5, 4.0, shade=lambda x, n: (0.5 + 0.5 * n[:, 2:]).expand(-1, 3))
    assert bool((seen.color[seen.alpha == 1] > 0.49).all())
    with pytest.raises(CapabilityError):
        render(figure(), camera, 0.5, 4.0)


def test_depth_from_a_wrong_sphere_learns_the_right_one():
    """Gradient descent through the renderer: radius and height of the sphere that was seen."""
    truth, field, (o, w) = Sphere(0.4, (0.1, 0.0, -0.1)), Sphere(0.6), rays_at_sphere(60, seed=3)
    wanted, seen, _ = intersect(truth, o, w, 0.5, 4.0)
    optimizer = torch.optim.Adam(field.parameters(), lr=0.02)
    for _ in range(150):
        t, hit, _ = intersect(field, o, w, 0.5, 4.0)
        optimizer.zero_grad()
        (t - wanted.detach())[hit & seen].square().mean().backward()
        optimizer.step()
    assert float(field.radius.detach()) == pytest.approx(0.4, abs=0.01)
    torch.testing.assert_close(field.centre, truth.centre, atol=0.01, rtol=0)


class Wall(Field):
    """``x ≥ place`` is inside."""

    def __init__(self, place):
        super().__init__()
        self.place = nn.Parameter(torch.tensor(place))

    def geometry(self, x, code=None):
        return Distance(None, self.place - x[..., 0])


def test_the_gradient_of_an_oblique_wall_is_one_over_the_cosine():
    angle = 0.7
    o, w = torch.zeros(1, 3), torch.tensor([[math.cos(angle), math.sin(angle), 0.0]])
    wall = Wall(1.0)
    t, _, _ = intersect(wall, o, w, 0.0, 3.0)
    (slope,) = torch.autograd.grad(t.sum(), wall.place)
    assert float(slope) == pytest.approx(1 / math.cos(angle), rel=1e-5)
    assert isinstance(Sphere(steepness=1.0).geometry(o.double()), Occupancy)
