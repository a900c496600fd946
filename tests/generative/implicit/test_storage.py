"""Fields as files, and heads of other properties."""

import numpy as np
import pytest
import torch
from torch import nn

from rlsuite.errors import RecordError
from rlsuite.generative.implicit import storage
from rlsuite.generative.implicit.level_set import level
from rlsuite.generative.implicit.neural_field import NeuralField
from rlsuite.generative.implicit.properties import PropertyObjective, property_loss
from rlsuite.generative.implicit.surface import intersect
from rlsuite.generative.implicit.training import fit
from rlsuite.tensor_files import read_file, write_file


def field(**changes):
    settings = {"code_size": 3, "octaves": 2, "hidden": (16, 16), "n_features": 4, "color": True, "centre": (0, 0, 1)}
    return NeuralField(**settings | {"properties": {"force": 3, "part": 2}, "scale": 2.0, "seed": 3} | changes)


def test_a_field_comes_back_with_its_codes(tmp_path):
    one, codes = field(), torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    path = storage.save(one, tmp_path / "body", codes, about={"steps": 4})
    other, found = storage.load(path)
    x = torch.rand(7, 3, generator=torch.Generator().manual_seed(1))
    assert path.name == "body.safetensors" and torch.equal(found, codes)
    a, b = (f.geometry(x, codes[0]) for f in (one, other))
    assert torch.equal(level(a), level(b))
    assert torch.equal(one.property("force", x, a.features), other.property("force", x, b.features))
    assert storage.load(storage.save(one, tmp_path / "alone"))[1] is None


def test_random_features_come_back(tmp_path):
    one = field(octaves=0, fourier=9)
    other, _ = storage.load(storage.save(one, tmp_path / "body"))
    assert torch.equal(one.trunk.encoding.frequencies, other.trunk.encoding.frequencies)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"hidden": [10**9, 16]}, "units"),
        ({"kind": "colour"}, "geometry"),
        ({"octaves": 7}, "damaged"),
        ({"colours": True}, "damaged"),
    ],
)
def test_files_with_other_arguments_are_refused(tmp_path, change, says):
    path = storage.save(field(), tmp_path / "body")
    header, arrays = read_file(path, storage.FORMAT)
    header["arguments"] |= change
    write_file(path, {k: v for k, v in header.items() if k != "sha256"}, arrays)
    with pytest.raises(RecordError, match=says):
        storage.load(path)


def test_files_that_are_damaged_or_missing(tmp_path):
    path = storage.save(field(), tmp_path / "body")
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(RecordError, match="digest"):
        storage.load(path)
    with pytest.raises(RecordError, match="no saved"):
        storage.load(tmp_path / "none.safetensors")


# -- properties --------------------------------------------------------------------------------------------------------


def points(n, seed=0):
    return nn.functional.normalize(torch.randn(n, 3, generator=torch.Generator().manual_seed(seed)), dim=-1) * 0.5


def test_losses_of_properties_by_hand():
    one = field()
    x, code = points(6), torch.zeros(3)
    features = one.geometry(x, code).features
    force = one.property("force", x, features)
    target = force.detach() + torch.tensor([0.3, 0.0, -0.4])
    assert float(property_loss(one, "force", x, target, code).detach()) == pytest.approx(0.25, rel=1e-5)
    log_p = torch.log_softmax(one.property("part", x, features), -1)
    labels = torch.tensor([0, 1, 1, 0, 1, 0])
    expected = -log_p[torch.arange(6), labels].mean()
    torch.testing.assert_close(property_loss(one, "part", x, labels, code), expected)


def test_parts_and_contact_forces_are_learned_through_the_same_head():
    """On a ball pressed 40 cm into the floor: a force straight up that grows with depth, and the label of a half."""
    one = NeuralField(hidden=(32, 32), n_features=8, properties={"force": 3, "part": 2}, seed=1)
    x, unseen = points(1000), points(500, seed=1)

    def truth(x):
        depth = (-0.1 - x[:, 2]).clamp(min=0.0)
        up = torch.tensor([0.0, 0.0, 1.0])
        return depth[:, None] * up / 0.4, (x[:, 2] < 0).long()  # in units of the greatest force

    force, part = truth(x)
    for name, target in (("force", force), ("part", part)):
        fit(one.heads[name], PropertyObjective(one, name, x, target, batch_size=256), steps=250, learning_rate=1e-2)
    with torch.no_grad():
        features = one.geometry(unseen).features
        wanted_force, wanted_part = truth(unseen)
        error = (one.property("force", unseen, features) - wanted_force).norm(dim=1)
        assert float(error.mean()) < 0.03 and float(error.max()) < 0.3
        assert float((one.property("part", unseen, features).argmax(1) == wanted_part).float().mean()) > 0.97


def test_a_picture_of_forces_has_gradients_for_the_shape():
    """What a pixel shows of a property changes with the surface: finite differences of a bias of the trunk."""
    one = NeuralField(hidden=(16, 16), n_features=4, properties={"force": 1}, radius=0.5, seed=1).double()
    o = torch.tensor([[0.0, 0.1, 2.0], [0.1, -0.1, 2.0]], dtype=torch.float64)
    w = torch.tensor([[0.0, 0.0, -1.0]], dtype=torch.float64).expand(2, 3)
    bias = one.trunk.layers[-1].bias

    def seen():
        t, hit, _ = intersect(one, o, w, 0.2, 3.0, refinements=60)
        assert bool(hit.all())
        x = o + t.unsqueeze(1) * w
        return one.property("force", x, one.geometry(x).features).sum()

    (slope,) = torch.autograd.grad(seen(), bias)
    ends, h = [], 1e-6
    with torch.no_grad():
        for step in (h, -2 * h):
            bias[0] += step
            ends.append(float(seen()))
    assert float(slope[0]) == pytest.approx((ends[0] - ends[1]) / (2 * h), abs=1e-6)
    assert abs(float(slope[0])) > 1e-4 and np.isfinite(float(slope[0]))
