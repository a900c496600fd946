"""The network and the neural field: the sphere they begin as, codes, heads, units."""

import pytest
import torch

from rlsuite.errors import CapabilityError, HyperparameterError, UnknownNameError
from rlsuite.generative.implicit.encodings import Encoding, PositionalEncoding
from rlsuite.generative.implicit.field import Density, Distance, Occupancy
from rlsuite.generative.implicit.level_set import gradient, level
from rlsuite.generative.implicit.networks import ImplicitNetwork
from rlsuite.generative.implicit.neural_field import NeuralField


def points(n=2000, seed=0):
    return torch.rand(n, 3, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize("encoding", [Encoding(), PositionalEncoding(4)])
@pytest.mark.parametrize("skips", [(), (2,)])
def test_geometric_initialisation_is_near_the_distance_to_a_sphere(encoding, skips):
    x, error = points(), {}
    for width in (32, 512):
        torch.manual_seed(0)
        network = ImplicitNetwork(encoding, 1, code_size=2, hidden=(width,) * 4, skips=skips, radius=0.5)
        code = torch.randn(2000, 2, generator=torch.Generator().manual_seed(1))
        value = network(x, code)[:, 0]
        error[width] = float((value - (x.norm(dim=-1) - 0.5)).abs().mean().detach())
    assert error[512] < 0.09 and error[512] < 0.6 * error[32]


def test_one_wide_layer_is_the_sphere_as_the_width_grows():
    """The mean of n positive parts: the error falls as 1/√n."""
    x, error = points(500), []
    for width in (400, 40_000):
        torch.manual_seed(3)
        network = ImplicitNetwork(Encoding(), 1, hidden=(width,), smooth=False, radius=0.3)
        error.append((network(x)[:, 0] - (x.norm(dim=-1) - 0.3)).square().mean().sqrt().detach())
    assert error[1] < 0.02
    assert error[0] / error[1] == pytest.approx(10, rel=0.6)


def test_distances_and_their_gradients_are_metric_whatever_the_scale():
    small, large = (NeuralField("distance", scale=scale, seed=4) for scale in (1.0, 3.0))
    x = points(50).requires_grad_()
    value = level(large.geometry(3.0 * x))
    torch.testing.assert_close(value, 3.0 * level(small.geometry(x)))
    torch.testing.assert_close(gradient(value, x), 3.0 * gradient(level(small.geometry(x)), x))


def test_a_code_broadcasts_with_points():
    field = NeuralField("occupancy", code_size=4, radius=None)
    x, code = points(6).reshape(2, 3, 3), torch.randn(2, 1, 4, generator=torch.Generator().manual_seed(0))
    both = level(field.geometry(x, code))
    assert both.shape == (2, 3)
    for i in range(2):
        torch.testing.assert_close(both[i], level(field.geometry(x[i], code[i])))
    with pytest.raises(HyperparameterError, match="code of 4"):
        field.geometry(x)


def test_kinds_begin_with_an_inside():
    centre, corner = torch.zeros(1, 3), torch.ones(1, 3)
    kinds = {"distance": Distance, "occupancy": Occupancy}
    for kind, expected in kinds.items():
        field = NeuralField(kind, seed=1)
        assert isinstance(field.geometry(centre), expected)
        assert level(field.geometry(centre)) < 0 < level(field.geometry(corner))
    density = NeuralField("density", seed=1)
    inside, outside = density.geometry(centre), density.geometry(corner)
    assert isinstance(inside, Density) and isinstance(outside, Density)
    assert inside.value > outside.value >= 0
    with pytest.raises(CapabilityError, match="no surface"):
        level(inside)


def test_the_threshold_of_occupancy_moves_its_level():
    probability = torch.tensor([0.2, 0.5, 0.8])
    geometry = Occupancy(None, torch.logit(probability))
    torch.testing.assert_close(level(geometry, 0.2), torch.logit(torch.tensor(0.2)) - torch.logit(probability))
    assert float(level(geometry, 0.2)[0]) == pytest.approx(0, abs=1e-6)


def test_heads_of_other_properties():
    field = NeuralField(n_features=8, color=True, properties={"force": 3, "part": 15})
    x = points(5)
    features = field.geometry(x).features
    color = field.color(x, x, features)
    assert color.shape == (5, 3) and bool(((color > 0) & (color < 1)).all())
    assert field.property("part", x, features).shape == (5, 15)
    with pytest.raises(CapabilityError, match="'heat'"):
        field.property("heat", x, features)
    with pytest.raises(CapabilityError, match="without colour"):
        NeuralField().color(x, x, None)


def test_weights_repeat_with_the_seed_and_leave_the_global_generator():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    a, b = NeuralField(seed=5), NeuralField(seed=5)
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


def test_names_and_sizes_that_make_no_sense():
    with pytest.raises(UnknownNameError, match="distance"):
        NeuralField("distanse")
    with pytest.raises(HyperparameterError, match="not both"):
        NeuralField(octaves=2, fourier=3)
    with pytest.raises(HyperparameterError, match="skips"):
        ImplicitNetwork(Encoding(), 1, hidden=(8, 8), skips=(0,))
