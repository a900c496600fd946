"""Grids, marching cubes, polish, winding numbers and distances between surfaces, on shapes in closed form."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rlsuite.errors import CapabilityError, HyperparameterError
from rlsuite.generative.implicit.grids import sample_grid
from rlsuite.generative.implicit.level_set import level, normals, project_to_surface
from rlsuite.generative.implicit.meshes import Mesh, extract, marching_cubes, polished
from rlsuite.generative.implicit.metrics import iou, surface_distance
from rlsuite.generative.implicit.neural_field import NeuralField
from rlsuite.generative.implicit.surface import surface_level
from rlsuite.generative.implicit.winding import crossings, winding_number
from tests.generative.implicit.analytic import Sphere, figure

LOW, SIZE = (-1.0, -1.0, -1.0), 2.0


def sphere_mesh(cells, polish=True):
    return extract(Sphere(0.6, (0.03, 0.02, 0.01)), LOW, SIZE, cells, tolerance=1e-12 if polish else None)


# -- marching cubes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("polish", [False, True])
def test_area_and_volume_of_a_sphere_err_by_the_square_of_the_cell(polish):
    area, volume = 4 * math.pi * 0.6**2, 4 / 3 * math.pi * 0.6**3
    errors = [(abs(m.area - area), abs(m.volume - volume)) for m in (sphere_mesh(n, polish) for n in (16, 32, 64))]
    for coarse, fine in itertools.pairwise(errors):
        for a, b in zip(coarse, fine, strict=True):
            assert math.log2(a / b) == pytest.approx(2, abs=0.25)
    assert errors[-1][0] / area < 2e-3


def test_a_sphere_is_closed_and_has_no_handle():
    mesh = sphere_mesh(24)
    assert bool((mesh.faces_of_edges == 2).all())
    assert mesh.euler_characteristic == 2
    outward = mesh.vertices[mesh.faces].mean(1) - torch.tensor([0.03, 0.02, 0.01])
    assert bool(((outward * mesh.crosses).sum(-1) > 0).all())


def test_polish_moves_every_vertex_to_within_a_millionth():
    field = Sphere(0.6, (0.03, 0.02, 0.01), steepness=20.0)
    f = surface_level(field)
    grid = sample_grid(f, LOW, SIZE, 20, dtype=torch.float64)
    before, after = marching_cubes(grid), polished(f, grid)
    assert float(f(before.vertices).detach().abs().max()) > 1e-3
    assert float(f(after.vertices).detach().abs().max()) <= 1e-6
    assert float((after.vertices - before.vertices).norm(dim=-1).max()) < grid.spacing
    assert torch.equal(before.faces, after.faces)


def test_polish_of_a_network_in_double_precision():
    field = NeuralField("occupancy", octaves=3, hidden=(32, 32), radius=0.6, seed=2).double()
    mesh = extract(field, LOW, SIZE, 24)
    assert float(level(field.geometry(mesh.vertices)).detach().abs().max()) <= 1e-6


def test_a_surface_through_the_points_of_the_grid():
    """A cube of side 4 cells whose faces are nought: its 12 edges and 8 corners are cut off, 1 − 12/64 − 8·5/384."""
    box = lambda x: x.abs().amax(-1) - 0.5  # noqa: E731
    grid = sample_grid(box, LOW, SIZE, 8, dtype=torch.float64)
    mesh = polished(box, grid)
    assert bool((mesh.faces_of_edges == 2).all()) and mesh.euler_characteristic == 2
    assert mesh.volume == pytest.approx(17 / 24)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31))
def test_the_mesh_of_any_smooth_field_is_closed(seed):
    generator = torch.Generator().manual_seed(seed)
    wave = 4 * torch.randn(8, 3, generator=generator, dtype=torch.float64)
    phase, size = torch.randn(2, 8, generator=generator, dtype=torch.float64)
    f = lambda x: (size * torch.sin(x @ wave.T + phase)).sum(-1) + 6 * (x.norm(dim=-1) - 0.6)  # noqa: E731
    grid = sample_grid(f, LOW, SIZE, 16, dtype=torch.float64)
    values = grid.values.clone()
    values[[0, -1]], values[:, [0, -1]], values[:, :, [0, -1]] = 1.0, 1.0, 1.0  # nothing leaves the cube
    mesh = marching_cubes(type(grid)(values, grid.low, grid.spacing, grid.asked))
    assert bool((mesh.faces_of_edges % 2 == 0).all())
    assert mesh.volume == pytest.approx(float(grid.inside.sum()) * grid.spacing**3, rel=0.25)


def test_fields_without_a_surface():
    with pytest.raises(CapabilityError, match="no surface in the cube"):
        extract(Sphere(0.5), (5.0, 5.0, 5.0), 1.0, 8)


# -- the sparse grid ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lipschitz", [None, 1.0])
def test_the_sparse_grid_is_the_dense_grid(lipschitz):
    f = surface_level(figure())
    dense = sample_grid(f, LOW, SIZE, 64)
    sparse = sample_grid(f, LOW, SIZE, 64, coarse=16, lipschitz=lipschitz)
    assert dense.asked == 65**3 and sparse.asked < dense.asked / 4
    assert torch.equal(dense.inside, sparse.inside)
    one, other = marching_cubes(dense), marching_cubes(sparse)
    assert torch.equal(one.faces, other.faces) and torch.equal(one.vertices, other.vertices)


def test_a_distance_bound_finds_what_signs_miss():
    """A ball between the points of the coarse grid: MISE misses it, the proof by distance does not."""
    f = surface_level(Sphere(0.1, (0.125, 0.125, 0.125)))
    dense = sample_grid(f, LOW, SIZE, 32, dtype=torch.float64)
    assert bool(dense.inside.any())
    assert not bool(sample_grid(f, LOW, SIZE, 32, coarse=8, dtype=torch.float64).inside.any())
    proved = sample_grid(f, LOW, SIZE, 32, coarse=8, lipschitz=1.0, dtype=torch.float64)
    assert torch.equal(proved.inside, dense.inside)


def test_cells_that_are_not_split_in_two():
    with pytest.raises(HyperparameterError, match="split in two"):
        sample_grid(surface_level(figure()), LOW, SIZE, 48, coarse=20)


# -- inside and outside ------------------------------------------------------------------------------------------------


def test_winding_numbers_are_one_and_nought_and_agree_with_the_capsules():
    field = figure(torch.float64)
    mesh = extract(field, LOW, SIZE, 48, lipschitz=1.0, coarse=12)
    x = torch.rand(4000, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1
    value = level(field.geometry(x))
    off = value.abs() > (SIZE / 48) ** 2 / (8 * 0.07)  # how deep a chord of one cell lies in the thinnest capsule
    crossed = crossings(mesh, x)
    assert torch.equal(crossed[off] == 1, value[off] < 0) and set(crossed.tolist()) == {0, 1}
    some = x[:300]
    number = winding_number(mesh, some)
    torch.testing.assert_close(number, crossings(mesh, some).double(), atol=1e-9, rtol=0)


def cube(half=0.5):
    v = torch.tensor([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=torch.float64) * half
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return Mesh(v, torch.tensor([f for a, b, c, d in quads for f in ((a, b, c), (a, c, d))]))


def test_a_cube_counts_rays_through_edges_and_corners_once():
    """Points below the diagonals of its faces and exactly under its vertices' shadows."""
    mesh = cube()
    assert (mesh.volume, mesh.area, mesh.euler_characteristic) == (1.0, 6.0, 2)
    inside = torch.tensor([[0.0, 0.0, 0.0], [0.25, 0.25, 0.1], [0.25, -0.25, -0.4]], dtype=torch.float64)
    outside = inside * torch.tensor([1.0, 1.0, 0.0]) + torch.tensor([0.0, 0.0, -0.75])
    assert crossings(mesh, inside).tolist() == [1, 1, 1]
    assert crossings(mesh, outside).tolist() == crossings(mesh, outside.abs() + 0.75).tolist() == [0, 0, 0]


def test_half_a_cube_has_half_a_winding_number_and_no_crossings():
    mesh = cube()
    top = Mesh(mesh.vertices, mesh.faces[(mesh.crosses[:, 2] > 0)])
    centre = torch.zeros(1, 3, dtype=torch.float64)
    assert float(winding_number(top, centre)) == pytest.approx(1 / 6)  # one face of six
    with pytest.raises(HyperparameterError, match="holes"):
        crossings(top, centre)


def test_winding_agrees_with_trimesh():
    trimesh = pytest.importorskip("trimesh")
    mesh = extract(figure(torch.float64), LOW, SIZE, 24)
    own = trimesh.Trimesh(mesh.vertices.numpy(), mesh.faces.numpy(), process=False)
    assert own.is_watertight and own.is_winding_consistent
    assert own.volume == pytest.approx(mesh.volume) and own.area == pytest.approx(mesh.area)
    assert own.euler_number == mesh.euler_characteristic


# -- points on surfaces, and distances ---------------------------------------------------------------------------------


def test_points_are_drawn_evenly_from_a_surface():
    """The share of a sphere above height z is (1 − z/r)/2."""
    mesh = extract(Sphere(0.6), LOW, SIZE, 32)
    points, normal = mesh.surface_points(20_000, torch.Generator().manual_seed(0))
    for share in (0.1, 0.3, 0.7):
        z = 0.6 * (1 - 2 * share)
        assert float((points[:, 2] > z).double().mean()) == pytest.approx(share, abs=4 * 0.5 / math.sqrt(20_000))
    assert float((normal * points / 0.6).sum(-1).min()) > 0.97


def test_projection_and_normals_of_an_exact_distance():
    field = Sphere(0.6)
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    on = project_to_surface(field, x, steps=1)
    torch.testing.assert_close(on, 0.6 * x / x.norm(dim=-1, keepdim=True))
    torch.testing.assert_close(normals(field, x), x / x.norm(dim=-1, keepdim=True))


def test_chamfer_distance_of_concentric_spheres_is_the_difference_of_radii():
    directions = torch.nn.functional.normalize(torch.randn(500, 3, generator=torch.Generator().manual_seed(0)), dim=-1)
    found = surface_distance(0.5 * directions, 0.53 * directions, (directions, directions))
    assert found.accuracy == pytest.approx(0.03, abs=1e-6) and found.chamfer == pytest.approx(0.03, abs=1e-6)
    assert found.normals == pytest.approx(1.0, abs=1e-5)
    shifted = surface_distance(torch.zeros(1, 3), torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 3.0]]))
    assert (shifted.accuracy, shifted.completeness, shifted.chamfer) == (1.0, 2.0, 1.5)


def test_iou_by_hand():
    a, b = torch.tensor([True, True, False, False]), torch.tensor([True, False, True, False])
    assert iou(a, b) == pytest.approx(1 / 3) and iou(a, a) == iou(~a & a, ~a & a) == 1.0
