"""What fields are learned from: losses at the truth and off it, gradients, codes, and small fits."""

import pytest
import torch
from torch import nn

from rlsuite.errors import DivergenceError, HyperparameterError
from rlsuite.generative.implicit.codes import CodeTable, ImageEncoder
from rlsuite.generative.implicit.deep_sdf import (
    DistanceObjective,
    beside_surface,
    clamped_l1,
    invert,
    ramp,
)
from rlsuite.generative.implicit.level_set import gradient, level
from rlsuite.generative.implicit.metrics import iou
from rlsuite.generative.implicit.neural_field import NeuralField
from rlsuite.generative.implicit.occupancy import OccupancyObjective, occupancy_loss
from rlsuite.generative.implicit.point_cloud import (
    PointCloudObjective,
    eikonal_loss,
    local_spacing,
    point_cloud_losses,
)
from rlsuite.generative.implicit.samples import ShapeSamples, samples_around
from rlsuite.generative.implicit.silhouettes import PictureObjective, RayPictures, picture_losses
from rlsuite.generative.implicit.surface import intersect
from rlsuite.generative.implicit.training import fit
from tests.generative.implicit.analytic import Sphere

CUBE = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))


def source(seed=0):
    return torch.Generator().manual_seed(seed)


def on_sphere(n, radius=0.5, seed=0, dtype=torch.float32):
    normals = nn.functional.normalize(torch.randn(n, 3, generator=source(seed), dtype=dtype), dim=-1)
    return radius * normals, normals


def samples_of_spheres(radii, n=4000):
    rows = [
        samples_around(lambda x, r=r: x.norm(dim=-1) - r, on_sphere(500, r)[0], n, *CUBE, source(i))
        for i, r in enumerate(radii)
    ]
    return ShapeSamples(*(torch.stack(values) for values in zip(*rows, strict=True)))


# -- the trainer -------------------------------------------------------------------------------------------------------


def test_the_trainer_finds_a_minimum_and_repeats():
    def run():
        x = torch.zeros(3, requires_grad=True)
        history = fit(
            [x],
            lambda step, generator: (x - torch.tensor([1.0, -2.0, 0.5])).square().sum(),
            steps=300,
            learning_rate=0.1,
        )
        return x.detach(), history

    (x, history), (again, _) = run(), run()
    torch.testing.assert_close(x, torch.tensor([1.0, -2.0, 0.5]), atol=1e-3, rtol=0)
    assert torch.equal(x, again)
    assert history.steps[-1] == 300 and history.loss[-1] < 1e-5 < history.loss[0]


def test_a_loss_that_is_no_number_is_said():
    x = torch.zeros(1, requires_grad=True)
    with pytest.raises(DivergenceError, match="step 1"):
        fit([x], lambda step, generator: x.sum() / 0.0, steps=3)
    with pytest.raises(HyperparameterError, match="steps"):
        fit([x], lambda step, generator: x.sum(), steps=0)


# -- occupancy ---------------------------------------------------------------------------------------------------------


def test_cross_entropy_by_hand():
    """A sphere of steepness 1 at its centre has the logit r, at distance 2r the logit −r."""
    field = Sphere(0.5, steepness=1.0)
    x = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]], dtype=torch.float64)
    right, wrong = (torch.tensor(labels) for labels in ([True, False], [False, True]))
    softplus = nn.functional.softplus
    half = torch.tensor(0.5, dtype=torch.float64)
    torch.testing.assert_close(occupancy_loss(field, x, right), softplus(-half))
    torch.testing.assert_close(occupancy_loss(field, x, wrong), softplus(half))


def test_an_occupancy_is_learned():
    samples = samples_of_spheres([0.5])
    field = NeuralField("occupancy", hidden=(32, 32), octaves=2, smooth=False, radius=None)
    fit(field, OccupancyObjective(field, samples, batch_size=512), steps=200, learning_rate=5e-3)
    x = torch.rand(4000, 3, generator=source(9)) * 2 - 1
    with torch.no_grad():
        assert iou(level(field.geometry(x)) < 0, x.norm(dim=-1) < 0.5) > 0.9


def test_a_class_conditions_a_field():
    """Two classes of spheres, a table of codes behind the labels of four shapes."""
    samples = samples_of_spheres([0.3, 0.3, 0.7, 0.7])
    labels, table = torch.tensor([0, 0, 1, 1]), CodeTable(2, 2)
    field = NeuralField("occupancy", code_size=2, hidden=(32, 32), smooth=False, radius=None)
    objective = OccupancyObjective(field, samples, lambda index: table(labels[index]), shapes=4, batch_size=256)
    fit(nn.ModuleList((field, table)), objective, steps=300, learning_rate=1e-2)
    x = torch.tensor([[0.5, 0.0, 0.0]])
    with torch.no_grad():
        small, large = (level(field.geometry(x, table(torch.tensor([label])))) for label in (0, 1))
    assert float(large) < 0 < float(small)


def test_a_picture_conditions_a_field():
    """The encoder reads the radius off a disc; that of a disc it has not seen lies between its neighbours'."""

    def disc(radius):
        v, u = torch.meshgrid(torch.linspace(-1, 1, 16), torch.linspace(-1, 1, 16), indexing="ij")
        return ((u**2 + v**2).sqrt() < radius).float()[None]

    radii = [0.25, 0.4, 0.55, 0.7]
    samples, pictures = samples_of_spheres(radii, 1000), torch.stack([disc(r) for r in radii])
    encoder = ImageEncoder(2, width=8, stages=3)
    field = NeuralField("distance", code_size=2, hidden=(32, 32))
    objective = DistanceObjective(
        field, samples, lambda index: encoder(pictures[index]), shapes=4, batch_size=256, clamp=0.5
    )
    fit(nn.ModuleList((field, encoder)), objective, steps=250, learning_rate=1e-2, final_rate=0.05)
    with torch.no_grad():
        for r, code in zip(radii, encoder(pictures), strict=True):
            assert float(level(field.geometry(on_sphere(200, r)[0], code)).abs().mean()) < 0.02
        unseen = encoder(disc(0.475)[None])
        smaller, larger = (level(field.geometry(on_sphere(200, r)[0], unseen)) for r in (0.4, 0.55))
        assert float(smaller.max()) < 0 < float(larger.min())


# -- DeepSDF -----------------------------------------------------------------------------------------------------------


def test_clamped_l1_clamps_prediction_and_target():
    predicted = torch.tensor([0.05, 0.30, -0.30, 0.30, 0.02], requires_grad=True)
    loss = clamped_l1(predicted, torch.tensor([0.02, 0.50, -0.20, 0.04, 0.50]), 0.1)
    torch.testing.assert_close(loss, torch.tensor([0.03, 0.0, 0.0, 0.06, 0.08]))
    (slope,) = torch.autograd.grad(loss.sum(), predicted)
    assert slope.tolist() == [1.0, 0.0, 0.0, 0.0, -1.0]  # nought outside the clamp


def test_the_penalty_of_codes_rises_to_its_whole():
    assert [ramp(step, 10) for step in (0, 5, 10, 50)] == [0.0, 0.5, 1.0, 1.0] and ramp(0, 0) == 1.0
    table = CodeTable(1, 4)
    objective = DistanceObjective(
        Sphere(dtype=torch.float32), samples_of_spheres([0.5], 10), table, penalty=0.5, ramp_steps=10
    )
    first, last = (float(objective(step, source()).detach()) for step in (0, 20))
    assert last - first == pytest.approx(0.5 * float(table.codes.detach().square().sum()), rel=1e-5)


def test_inversion_recovers_a_known_code():
    field = Sphere(0.5, dtype=torch.float32)
    points, normals = on_sphere(100, 0.58)
    code = invert(field, *beside_surface(points, normals, 0.02), 1, penalty=0.0, learning_rate=0.02)
    assert float(code[0]) == pytest.approx(0.08, abs=1e-3)
    assert all(p.requires_grad for p in field.parameters())


def test_the_better_of_two_starts_is_taken():
    """Where everything is beyond the clamp nothing is learned, so a start there stays."""
    points, _ = on_sphere(100, 0.58)
    starts = torch.tensor([[0.5], [0.0]])
    code = invert(Sphere(0.5, dtype=torch.float32), points, torch.zeros(100), 1, start=starts, penalty=0.0)
    assert float(code[0]) == pytest.approx(0.08, abs=2e-3)


def test_codes_of_spheres_make_a_sphere_between():
    radii = [0.3, 0.4, 0.5, 0.6]
    field, table = NeuralField(code_size=2, hidden=(32, 32)), CodeTable(4, 2)
    objective = DistanceObjective(field, samples_of_spheres(radii), table, shapes=4, batch_size=256)
    fit(nn.ModuleList((field, table)), objective, steps=300, learning_rate=5e-3)
    points, normals = on_sphere(200, 0.45)
    code = invert(field, *beside_surface(points, normals, 0.02), 2, start=table.codes)
    unseen, _ = on_sphere(500, 0.45, seed=5)
    with torch.no_grad():
        assert float(level(field.geometry(unseen, code)).abs().mean()) < 0.02


def test_points_beside_a_surface():
    points, normals = on_sphere(20, 0.4)
    x, s = beside_surface(points, normals, 0.05)
    torch.testing.assert_close(x.norm(dim=-1) - 0.4, s, atol=1e-6, rtol=0)


# -- point clouds ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("squared", [False, True])
def test_the_true_distance_has_no_loss(squared):
    points, normals = on_sphere(50, dtype=torch.float64)
    space = 2 * torch.rand(50, 3, generator=source(3), dtype=torch.float64) - 1
    terms = point_cloud_losses(Sphere(0.5), points, space, normals, squared=squared)
    assert set(terms) == {"surface", "eikonal", "normal"}
    assert max(float(value.detach()) for value in terms.values()) < 1e-12


def test_a_scaled_distance_has_the_loss_it_should():
    slope = torch.tensor([[3.0, 0.0, 0.0], [0.0, 0.5, 0.0]])
    assert float(eikonal_loss(slope)) == pytest.approx((4.0 + 0.25) / 2)


def test_the_double_backward_agrees_with_finite_differences():
    """The gradient for the weights of a loss on ∇f, through softplus, encoding and skip."""
    field = NeuralField(octaves=2, hidden=(12, 12, 12), skips=(1,), radius=0.5, seed=1).double()
    points, normals = on_sphere(20, 0.6, dtype=torch.float64)
    space = 2 * torch.rand(20, 3, generator=source(3), dtype=torch.float64) - 1

    def loss():
        terms = point_cloud_losses(field, points, space, normals, squared=True)
        return terms["surface"] + 0.3 * terms["eikonal"] + 0.2 * terms["normal"]

    parameters = list(field.parameters())
    slopes = torch.autograd.grad(loss(), parameters, allow_unused=True)
    generator, h = source(4), 1e-6
    for parameter, slope in zip(parameters, slopes, strict=True):
        way = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        ends = []
        for sign in (1, -2, 1):
            with torch.no_grad():
                parameter += sign * h * way
            ends.append(float(loss().detach()))
        measured = (ends[0] - ends[1]) / (2 * h)
        found = 0.0 if slope is None else float((slope * way).sum())  # the last bias moves no gradient
        assert found == pytest.approx(measured, rel=1e-5, abs=1e-7)


def test_spacing_is_the_distance_to_a_neighbour():
    line = torch.stack((torch.arange(6.0), torch.zeros(6), torch.zeros(6)), 1)
    assert local_spacing(line, 1).tolist() == [1.0] * 6
    assert local_spacing(line, 2).tolist() == [2.0, 1.0, 1.0, 1.0, 1.0, 2.0]


def test_a_sphere_is_learned_from_its_points_without_normals():
    points, _ = on_sphere(300, 0.7)
    field = NeuralField(hidden=(64, 64), seed=0)
    objective = PointCloudObjective(field, points, *CUBE, eikonal=1.0, batch_size=128)
    fit(field, objective, steps=250, learning_rate=5e-3)
    x = (torch.rand(500, 3, generator=source(8)) * 2 - 1).requires_grad_()
    value = level(field.geometry(x))
    slope = gradient(value, x)
    assert float((value - (x.norm(dim=-1) - 0.7)).detach().abs().mean()) < 0.05
    assert float((slope.norm(dim=-1) - 1).abs().mean()) < 0.1
    with pytest.raises(HyperparameterError, match="two points"):
        PointCloudObjective(field, points[:1], *CUBE)


# -- pictures ----------------------------------------------------------------------------------------------------------


def pictures_of(field, n=400, seed=0):
    """Random rays from 2 metres at the ball of radius 0.8, what ``field`` shows on them, and its analytic colours."""
    o = 2 * nn.functional.normalize(torch.randn(n, 3, generator=source(seed)), dim=-1)
    target = 1.0 * (torch.rand(n, 3, generator=source(seed + 1)) * 2 - 1)
    w = nn.functional.normalize(target - o, dim=-1)
    with torch.no_grad():
        t, hit, _ = intersect(field, o, w, 0.5, 3.5)
        return RayPictures(o, w, hit, field.color(o + t.unsqueeze(-1) * w, w, None), t)


def test_the_truth_loses_nothing_in_depth_and_colour_and_little_in_its_mask():
    truth = Sphere(0.5, dtype=torch.float32)
    terms = picture_losses(truth, pictures_of(truth), 0.5, 3.5, sharpness=200.0)
    assert float(terms["depth"].detach()) < 1e-5 and float(terms["color"].detach()) < 1e-5
    assert float(terms["mask"].detach()) < 0.05


@pytest.mark.parametrize(("radius", "sign"), [(0.3, -1), (0.7, 1)])
def test_masks_grow_a_sphere_that_is_too_small_and_shrink_one_that_is_too_large(radius, sign):
    rows = pictures_of(Sphere(0.5, dtype=torch.float32))
    field = Sphere(radius, dtype=torch.float32)
    loss = picture_losses(field, RayPictures(rows.origin, rows.direction, rows.mask), 0.5, 3.5, sharpness=20.0)
    assert set(loss) == {"mask"}
    (slope,) = torch.autograd.grad(loss["mask"], field.radius)
    assert float(slope) * sign > 0


def test_a_sphere_is_learned_from_pictures_alone():
    """Masks, colours and depths of 400 rays."""
    rows = pictures_of(Sphere(0.5, (0.1, 0.0, -0.05), dtype=torch.float32))
    field = NeuralField("occupancy", hidden=(32, 32), smooth=False, color=True, n_features=4, seed=0)
    objective = PictureObjective(field, rows, 0.5, 3.5, batch_size=200, steps=32)
    fit(field, objective, steps=200, learning_rate=1e-2, final_rate=0.1)
    with torch.no_grad():
        t, hit, _ = intersect(field, rows.origin, rows.direction, 0.5, 3.5)
    both = hit & rows.mask
    assert iou(hit, rows.mask) > 0.9
    assert float((t - rows.t)[both].abs().mean()) < 0.02
