"""Clone, split, prune, reset: parameters and Adam's moments stay together, row by row."""

import pytest
import torch

from rlsuite.errors import HyperparameterError
from rlsuite.generative.implicit.splatting.density_control import (
    SHRINK,
    DensityControl,
    clone,
    reset_opacities,
    split,
    take_rows,
)
from rlsuite.generative.implicit.splatting.gaussians import Cloud, rotation_matrices
from tests.generative.implicit.splatting.scenes import gaussians

PER_ROW = ("exp_avg", "exp_avg_sq")


def cloud_of(n, isotropic=False):
    made = gaussians(n, dtype=torch.float32)
    return Cloud(made.means, made.colors, made.scales, made.quats, isotropic=isotropic)


def optimiser_of(cloud):
    return torch.optim.Adam([{"params": [p], "lr": 0.01} for _, p in cloud.named_parameters()])


def update(cloud, optimiser, rows, step):
    """One step of Adam; a row's gradient depends on which row it once was, and on the step."""
    for name, p in cloud.named_parameters():
        of_all = torch.randn((20, *p.shape[1:]), generator=torch.Generator().manual_seed(100 * step + len(name)))
        p.grad = of_all[rows]
    optimiser.step()


@pytest.mark.parametrize("isotropic", [False, True])
def test_kept_rows_go_on_as_if_nothing_had_happened(isotropic):
    whole, edited = cloud_of(8, isotropic), cloud_of(8, isotropic)
    optimisers, everything, rows = (optimiser_of(whole), optimiser_of(edited)), torch.arange(8), torch.arange(8)
    for step in range(6):
        update(whole, optimisers[0], everything, step)
        update(edited, optimisers[1], rows, step)
        if step == 2:
            chosen = torch.tensor([6, 0, 3, 2])
            take_rows(edited, optimisers[1], chosen)
            rows = chosen
    for (name, a), (_, b) in zip(whole.named_parameters(), edited.named_parameters(), strict=True):
        torch.testing.assert_close(a[chosen], b, msg=name)


def moments(cloud, optimiser):
    return {
        name: torch.cat([optimiser.state[p][key].flatten(1) if p.ndim > 1 else optimiser.state[p][key][:, None]
                         for key in PER_ROW], 1)
        for name, p in cloud.named_parameters()
    }  # fmt: skip


def values(cloud):
    return {name: p.detach().clone() for name, p in cloud.named_parameters()}


def stirred(n=6):
    cloud = cloud_of(n)
    optimiser = optimiser_of(cloud)
    update(cloud, optimiser, torch.arange(n), 0)
    return cloud, optimiser


def test_a_clone_is_the_same_gaussian_without_moments():
    cloud, optimiser = stirred()
    before, held = values(cloud), moments(cloud, optimiser)
    clone(cloud, optimiser, torch.tensor([4, 1]))
    for name, after in values(cloud).items():
        assert torch.equal(after, before[name][[0, 1, 2, 3, 4, 5, 4, 1]])
        now = moments(cloud, optimiser)[name]
        assert torch.equal(now[:6], held[name]) and (held[name] != 0).all() and (now[6:] == 0).all()


def test_a_split_replaces_a_gaussian_by_two_smaller_ones_drawn_from_it():
    cloud, optimiser = stirred()
    before, held = values(cloud), moments(cloud, optimiser)
    split(cloud, optimiser, torch.tensor([2]), torch.Generator().manual_seed(0))
    stays, after, now = [0, 1, 3, 4, 5], values(cloud), moments(cloud, optimiser)
    for name in before:
        assert torch.equal(after[name][:5], before[name][stays])
        assert torch.equal(now[name][:5], held[name][stays]) and (now[name][5:] == 0).all()
        if name not in ("means", "log_scales"):
            assert torch.equal(after[name][5:], before[name][[2, 2]])
    shrunk = (before["log_scales"][2] - after["log_scales"][5]).exp()
    torch.testing.assert_close(shrunk, torch.full((3,), SHRINK))
    assert not torch.equal(after["means"][5], after["means"][6])


def test_halves_are_drawn_with_the_covariance_of_the_whole():
    cloud = cloud_of(1)
    _, quat, scale, _, _ = (part.detach() for part in cloud.gaussians())
    factor = rotation_matrices(quat[0]) * scale[0]
    mean = cloud.means.detach().clone()
    many, drawn = torch.Generator().manual_seed(0), []
    for _ in range(2000):
        one = cloud_of(1)
        split(one, optimiser_of(one), torch.tensor([0]), many)
        drawn.append(one.means.detach() - mean)
    white = torch.cat(drawn) @ torch.linalg.inv(factor).T  # standard normal, if the draw is right
    torch.testing.assert_close(white.T @ white / len(white), torch.eye(3), atol=0.08, rtol=0)


def test_pruning_removes_what_can_hardly_be_seen_and_never_all():
    cloud, optimiser = stirred()
    control = DensityControl(opacity_min=0.1, opacity_reset=0.2)
    with torch.no_grad():
        cloud.opacity_logits.copy_(torch.tensor([0.05, 0.5, 0.09, 0.11, 0.9, 0.01]).logit())
    before = values(cloud)
    control.prune(cloud, optimiser)
    assert torch.equal(cloud.means, before["means"][[1, 3, 4]])
    with torch.no_grad():
        cloud.opacity_logits.copy_(torch.tensor([0.001, 0.003, 0.002]).logit())
    control.prune(cloud, optimiser)
    assert torch.equal(cloud.means, before["means"][[3]])


def test_reset_brings_opacities_down_and_forgets_only_their_moments():
    cloud, optimiser = stirred()
    with torch.no_grad():
        cloud.opacity_logits.copy_(torch.tensor([0.01, 0.5, 0.6, 0.7, 0.8, 0.02]).logit())
    held = moments(cloud, optimiser)
    reset_opacities(cloud, optimiser, 0.05)
    expected = torch.tensor([0.01, 0.05, 0.05, 0.05, 0.05, 0.02])
    torch.testing.assert_close(cloud.opacity_logits.detach().sigmoid(), expected)
    now = moments(cloud, optimiser)
    assert (now["opacity_logits"] == 0).all() and torch.equal(now["means"], held["means"])


def test_the_hardest_pulled_grow_small_ones_by_cloning_and_large_ones_by_splitting_up_to_the_most():
    cloud, optimiser = stirred()
    with torch.no_grad():
        cloud.log_scales.copy_(torch.tensor([0.1, 0.01, 0.1, 0.01, 0.01, 0.01]).log()[:, None].expand(6, 3))
    before, pull = values(cloud), torch.tensor([5.0, 4.0, 0.0, 3.0, 0.0, 2.0])
    DensityControl(pull=1.0, large=0.05, most=9).densify(cloud, optimiser, pull, torch.Generator().manual_seed(0))
    assert len(cloud) == 9  # row 0 is split, 1 and 3 are cloned, and there is no room for 5
    assert torch.equal(cloud.colors, before["colors"][[1, 2, 3, 4, 5, 1, 3, 0, 0]])


def test_it_acts_only_when_asked_and_on_the_mean_pull_where_seen():
    cloud, optimiser = stirred()
    control = DensityControl(start=2, stop=4, every=2, pull=1.5, large=1e9)
    pull = torch.zeros(6, 2)
    for step, strength in ((1, 1.0), (2, 1.0), (3, 2.0), (4, 1.5)):
        pull = torch.zeros(len(cloud), 2)
        pull[3, 0] = strength  # times half of the width of 2 pixels
        control.observe(pull, 2, 2)
        control.act(cloud, optimiser, step, torch.Generator().manual_seed(0))
        assert len(cloud) == (7 if step == 4 else 6)


def test_senseless_settings_are_refused():
    with pytest.raises(HyperparameterError, match="opacity_min"):
        DensityControl(opacity_min=0.2, opacity_reset=0.1)
    with pytest.raises(HyperparameterError, match="every step at most"):
        DensityControl(every=0)
