"""The network's stages and its loss, the loop of corrections, and the file that holds them."""

import numpy as np
import pytest
import torch

from rlsuite.errors import MotionError, RecordError
from rlsuite.motion.pose.codec import Codec
from rlsuite.motion.pose.model_files import PoseModel
from rlsuite.motion.pose.networks import PoseNetwork, heatmap_loss
from rlsuite.motion.pose.refinement import RefinementHead, regression_loss
from rlsuite.motion.pose.springs import SpringModel

NAMES = ("pelvis", "left_hand", "right_hand")


def tiny(seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = PoseModel.new(NAMES, 32, 2, (8, 8, 8), 2)
        for module in (model.network, model.head):
            for value in module.parameters():
                torch.nn.init.normal_(value, 0, 0.2)
    springs = SpringModel.fit((-1, 0, 0), np.random.default_rng(seed).normal(0, 1, (20, 3, 2)), np.ones(20))
    model.springs = model.residual = springs
    model.network.eval()
    model.head.eval()
    return model


def test_every_stage_gives_distributions_and_has_its_own_loss():
    network = PoseNetwork(3, 32, stages=3, channels=(8, 8, 8)).train()
    with torch.no_grad():
        for value in network.parameters():
            torch.nn.init.normal_(value, 0, 0.2)
    output = network(torch.rand(2, 3, 32, 32))
    assert output.logits.shape == (3, 2, 3, 8, 8)
    for stage in range(3):
        np.testing.assert_allclose(output.heatmaps(stage).sum((2, 3)).detach(), 1, rtol=1e-5)
    target = torch.from_numpy(Codec(8).encode(np.full((2, 3, 2), 4.0)))
    heatmap_loss(output.logits[:1], target, torch.ones(2, 3)).backward()  # the first stage alone
    assert network.stem[0][0].weight.grad.abs().sum() > 0
    assert network.hourglasses[1].deep[0].weight.grad.abs().sum() == 0  # later stages have no part in it


def test_the_loss_is_a_divergence_summed_over_stages():
    target = torch.from_numpy(Codec(6).encode([[[2.2, 3.1], [4.0, 1.5]]])).double()
    target /= target.sum((2, 3), keepdim=True)  # rounded to single precision before
    exact = target.log()[None]
    weight = torch.ones(1, 2)
    assert heatmap_loss(exact, target, weight) == pytest.approx(0, abs=1e-12)
    uniform = torch.zeros_like(exact)
    entropy = -(target * target.log()).sum() / 2
    assert heatmap_loss(uniform, target, weight).item() == pytest.approx(np.log(36) - entropy.item())
    both = heatmap_loss(torch.cat([uniform, uniform]), target, weight)
    assert both.item() == pytest.approx(2 * heatmap_loss(uniform, target, weight).item())
    wrong = exact.clone()
    wrong[:, :, 1] = 0
    assert heatmap_loss(wrong, target, torch.tensor([[1.0, 0.0]])) == pytest.approx(0, abs=1e-12)  # no weight, no loss


def test_sizes_that_do_not_fit():
    with pytest.raises(MotionError, match="multiple of 16"):
        PoseNetwork(3, 40)
    with pytest.raises(MotionError, match="0 or more"):
        RefinementHead(3, 8, 2, stages=-1)


# -- the loop of corrections -------------------------------------------------------------------------------------------


def head(stages):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = RefinementHead(3, 8, 2, stages, hidden=16, squeezed=4).double()
        module.fit_mean(torch.randn(50, 3, 2).double(), torch.randn(50, 3, 3).double())
    return module


def test_no_stage_gives_the_mean_pose_and_no_correction_moves_nothing():
    features = torch.randn(4, 8, 2, 2, dtype=torch.float64)
    none, still = head(0), head(5)  # the last layer begins at zero: no correction
    for module in (none, still):
        read = module.read(module(features)[-1])
        np.testing.assert_array_equal(read.points.detach()[0], module.mean[:6].reshape(3, 2))
        np.testing.assert_array_equal(read.relative.detach()[3], module.mean[6:].reshape(3, 3))


def test_stages_share_their_weights():
    """``T`` stages are ``T`` times the same map: the path of 4 begins with that of 2."""
    features = torch.randn(4, 8, 2, 2, dtype=torch.float64)
    module = head(4)
    torch.nn.init.normal_(module.correction[2].weight, 0, 0.1)
    path = module(features)
    np.testing.assert_array_equal(path[:3].detach(), module(features, stages=2).detach())
    phi = module.features(module.squeeze(features).flatten(1))
    step = path[2] + module.correction(torch.cat([phi, path[2]], 1))
    np.testing.assert_allclose(path[3].detach(), step.detach(), rtol=1e-12)


def test_standardising_and_reading_are_inverse():
    module = head(1)
    points, relative = torch.randn(7, 3, 2).double(), torch.randn(7, 3, 3).double()
    read = module.read(module.standardised(points, relative))
    np.testing.assert_allclose(read.points, points, rtol=1e-12)
    np.testing.assert_allclose(read.relative, relative, rtol=1e-12)


def test_regression_loss_leaves_out_the_mean_pose_and_crops_without_a_body():
    path = torch.zeros(3, 2, 15)
    path[1:, 0] = 1.0
    path[:, 1] = 9.0
    assert regression_loss(path, torch.zeros(2, 15), torch.tensor([1.0, 0.0])).item() == pytest.approx(1.0)


# -- files -------------------------------------------------------------------------------------------------------------


def test_a_saved_model_is_the_same_up_to_half_precision(tmp_path):
    model = tiny()
    model.card = {"reached": {"pck_heatmaps": 0.5}}
    model.save(tmp_path / "pose.safetensors")
    again = PoseModel.load(tmp_path / "pose.safetensors")
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        np.testing.assert_allclose(again.network(images).logits, model.network(images).logits, rtol=0.02, atol=0.02)
    assert (again.names, again.card) == (model.names, model.card)
    np.testing.assert_array_equal(again.springs.mean, model.springs.mean)
    again.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "pose.safetensors").read_bytes()


def test_files_that_are_not_a_model(tmp_path):
    with pytest.raises(RecordError, match="no saved pose model"):
        PoseModel.load(tmp_path / "none.safetensors")
    file = tmp_path / "pose.safetensors"
    tiny().save(file)
    whole = file.read_bytes()
    other = whole[:-8] + b"\x00\x3c" * 4  # weights that are numbers, but not those that were saved
    for damaged in (whole[: len(whole) // 2], whole[:-1], b"", other, b"x" * 64):
        file.write_bytes(damaged)
        with pytest.raises(RecordError):
            PoseModel.load(file)


@pytest.mark.parametrize(
    ("entry", "value"),
    [("size", 1 << 40), ("size", 33), ("channels", [8, 8]), ("names", []), ("sigma", -1), ("stages", -3),
     ("parents", [5, 0, 0]), ("parents", "abc"), ("card", 3), ("refinements", None)],
)  # fmt: skip
def test_a_signed_file_that_makes_no_sense(tmp_path, entry, value):
    """A digest can be made for anything: a header that asks for nonsense is refused all the same."""
    from rlsuite import tensor_files
    from rlsuite.motion.pose.model_files import FORMAT

    file = tmp_path / "pose.safetensors"
    tiny().save(file)
    header, arrays = tensor_files.read_file(file, FORMAT)
    tensor_files.write_file(file, header | {entry: value}, arrays)
    with pytest.raises(RecordError, match="pose model"):
        PoseModel.load(file)
