"""Every transform: its inverse undoes it, and its ladj is the log-determinant that autograd finds."""

import pytest
import torch

from rlsuite.errors import HyperparameterError
from rlsuite.generative.flows.cflow import CoupledFlows
from rlsuite.generative.flows.conditioner import Conditioner
from rlsuite.generative.flows.coupling import AdditiveCoupling, AffineCoupling
from rlsuite.generative.flows.elementwise import ActNorm, Scale
from rlsuite.generative.flows.injector import AffineInjector
from rlsuite.generative.flows.linear_mixing import PLUMixing
from rlsuite.generative.flows.linear_prediction import LinearPrediction
from rlsuite.generative.flows.masked_autoregressive import MaskedAffine
from rlsuite.generative.flows.multiscale import MultiScale
from rlsuite.generative.flows.squeeze import Squeeze
from rlsuite.generative.flows.transform import Composition, Inverse, Permutation, Reshape, Sigmoid, Transpose
from tests.generative.battery import generator, perturbed
from tests.generative.flows.checks import jacobian_log_det


def scales(channels, rank=2):
    return Composition([ActNorm(channels), PLUMixing(channels), AffineCoupling(channels, hidden=[5], rank=rank)])


def fitted(linear):
    source = generator(9)
    linear.fit(torch.randn(40, 5, generator=source).cumsum(1), torch.randn(40, 2, generator=source))
    return linear


TRANSFORMS = {  # name: (transform, event shape, condition shape or 0)
    "affine coupling": (lambda: AffineCoupling(5, hidden=[6]), (5,), 0),
    "affine coupling, swapped": (lambda: AffineCoupling(5, swap=True, hidden=[6]), (5,), 0),
    "conditional coupling": (lambda: AffineCoupling(5, condition_channels=2, hidden=[6]), (5,), 2),
    "additive coupling": (lambda: AdditiveCoupling(5, hidden=[6]), (5,), 0),
    "coupling over time": (lambda: AffineCoupling(3, condition_channels=2, hidden=[6], rank=1), (3, 4), 2),
    "coupling over time, a map": (lambda: AffineCoupling(3, condition_channels=2, hidden=[6], rank=1), (3, 4), (2, 4)),
    "coupling over images": (lambda: AffineCoupling(3, hidden=[6, 5], rank=2), (3, 2, 4), 0),
    "actnorm": (lambda: ActNorm(3), (3,), 0),
    "actnorm over images": (lambda: ActNorm(3), (3, 2, 4), 0),
    "scale": (lambda: Scale(4), (4,), 0),
    "plu": (lambda: PLUMixing(4), (4,), 0),
    "plu over time": (lambda: PLUMixing(3), (3, 5), 0),
    "plu over images": (lambda: PLUMixing(3), (3, 2, 4), 0),
    "squeeze in time": (Squeeze, (3, 4), 0),
    "squeeze": (Squeeze, (2, 4, 2), 0),
    "permutation": (lambda: Permutation([2, 0, 1]), (3, 2), 0),
    "transpose": (Transpose, (2, 3), 0),
    "reshape": (lambda: Reshape((2, 3), (6,)), (2, 3), 0),
    "sigmoid": (Sigmoid, (4,), 0),
    "linear prediction": (lambda: fitted(LinearPrediction(5, 2)), (5,), 2),
    "made": (lambda: MaskedAffine(5, [7, 6]), (5,), 0),
    "made, another order": (lambda: MaskedAffine(5, [7], 2, torch.tensor([3, 0, 4, 1, 2])), (5,), 2),
    "inverse made": (lambda: Inverse(MaskedAffine(5, [7], 2)), (5,), 2),
    "injector": (lambda: AffineInjector(3, 2, [5], 1), (3, 4), (2, 4)),
    "coupled flows": (lambda: CoupledFlows(5, 3, 3, [6]), (5,), 3),
    "composition": (
        lambda: Composition([PLUMixing(4), AffineCoupling(4, hidden=[5]), Inverse(PLUMixing(4)), Sigmoid()]), (4,), 0,
    ),
    "multi-scale": (lambda: MultiScale((1, 4, 4), 2, scales, 1, hidden=[5]), (1, 4, 4), 0),
    "multi-scale in time": (
        lambda: MultiScale((2, 8), 3, lambda channels: scales(channels, 1), 1, hidden=[5]), (2, 8), 0,
    ),
}  # fmt: skip


@pytest.fixture(params=TRANSFORMS, ids=lambda name: name.replace(" ", "-"))
def setting(request):
    make, event, given = TRANSFORMS[request.param]
    torch.manual_seed(0)
    transform = perturbed(make().double(), size=0.3)
    x = torch.randn(6, *event, generator=generator(1), dtype=torch.float64)
    shape = given if isinstance(given, tuple) else (given,)
    condition = torch.randn(6, *shape, generator=generator(2), dtype=torch.float64) if given else None
    return transform, x, condition


@pytest.mark.parametrize("recorded", [True, False], ids=["gradients", "no gradients"])
def test_the_inverse_undoes_it(setting, recorded):
    transform, x, condition = setting
    with torch.set_grad_enabled(recorded):
        z, ladj = transform(x, condition)
        back, ladj_back = transform.inverse(z, condition)
        assert ladj.shape == ladj_back.shape == (6,)
        torch.testing.assert_close(back, x)
        torch.testing.assert_close(ladj_back, -ladj)
        again, ladj_again = transform(back, condition)
        torch.testing.assert_close(again, z)
        torch.testing.assert_close(ladj_again, ladj)


def test_the_ladj_is_the_log_determinant_of_the_jacobian(setting):
    transform, x, condition = setting
    _, ladj = transform(x, condition)
    torch.testing.assert_close(ladj, jacobian_log_det(transform, x, condition))


def test_both_ways_are_differentiable_and_their_jacobians_are_inverse(setting):
    transform, x, condition = setting
    x, c = x[:1], None if condition is None else condition[:1]
    z = transform(x, c)[0].detach()
    there = torch.autograd.functional.jacobian(lambda v: transform(v, c)[0], x).reshape(x.numel(), -1)
    back = torch.autograd.functional.jacobian(lambda v: transform.inverse(v, c)[0], z).reshape(x.numel(), -1)
    torch.testing.assert_close(there @ back, torch.eye(x.numel(), dtype=torch.float64))


def test_gradients_reach_every_weight_from_both_sides(setting):
    transform, x, condition = setting
    z = transform(x, condition)[0].detach()
    for way, given in ((transform, x), (transform.inverse, z)):
        transform.zero_grad(set_to_none=True)
        y, ladj = way(given, condition)
        if y.requires_grad:
            (y.square().sum() + ladj.sum()).backward()
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in transform.parameters())


@pytest.mark.parametrize("kind", [AffineCoupling, AdditiveCoupling])
def test_a_coupling_keeps_one_part_and_its_jacobian_is_triangular(kind):
    x = torch.randn(1, 5, generator=generator(1), dtype=torch.float64)
    for swap in (False, True):
        coupling = perturbed(kind(5, swap=swap, hidden=[6]).double())
        kept = slice(2, 5) if swap else slice(0, 3)
        z, ladj = coupling(x)
        torch.testing.assert_close(z[:, kept], x[:, kept], rtol=0.0, atol=0.0)
        jacobian = torch.autograd.functional.jacobian(lambda v: coupling(v)[0], x).reshape(5, 5)  # noqa: B023
        assert torch.equal(jacobian.triu(1) if not swap else jacobian.tril(-1), torch.zeros(5, 5, dtype=torch.float64))
        assert (ladj == 0.0).all() or kind is AffineCoupling


def test_an_event_of_one_entry_cannot_be_coupled():
    with pytest.raises(HyperparameterError, match="two entries or more"):
        AffineCoupling(1)


def test_conditioners_begin_at_zero_whatever_the_condition():
    x = torch.randn(6, 5, generator=generator(1))
    for seed in range(2):
        condition = torch.randn(6, 2, generator=generator(seed))
        assert torch.equal(Conditioner(5, 4, 2)(x, condition), torch.zeros(6, 4))
    for coupling in (AffineCoupling(5, condition_channels=2), MaskedAffine(5, [8], 2)):
        assert torch.equal(coupling(x, condition)[0], x)


def test_actnorm_gives_its_first_batch_mean_0_and_variance_1_and_keeps_to_it():
    first = (
        5.0 * torch.randn(50, 3, 4, 2, generator=generator(1), dtype=torch.float64) + torch.arange(3.0)[:, None, None]
    )
    norm = ActNorm(3).double()
    for z in (norm.prepare(first), norm(first)[0]):
        torch.testing.assert_close(z.mean((0, 2, 3)), torch.zeros(3, dtype=torch.float64))
        torch.testing.assert_close(z.var((0, 2, 3), unbiased=False), torch.ones(3, dtype=torch.float64))
    bias = norm.bias.detach().clone()
    norm.prepare(first + 7.0)
    assert torch.equal(norm.bias, bias)


def test_plu_multiplies_by_a_matrix_whose_log_determinant_counts_every_place():
    mixing = perturbed(PLUMixing(4).double())
    permutation, lower, upper = mixing.factors()
    w = permutation @ lower @ upper
    x = torch.randn(2, 4, 3, 5, generator=generator(1), dtype=torch.float64)
    z, ladj = mixing(x)
    torch.testing.assert_close(z, torch.einsum("ij,njhw->nihw", w, x))
    torch.testing.assert_close(ladj, (3 * 5 * torch.linalg.slogdet(w)[1]).expand(2))
    assert torch.equal(lower, lower.tril()) and torch.equal(upper, upper.triu())
    assert torch.equal(permutation.sum(0), torch.ones(4, dtype=torch.float64))


def test_plu_begins_as_a_rotation():
    permutation, lower, upper = PLUMixing(6).double().factors()
    w = permutation @ lower @ upper
    torch.testing.assert_close(w @ w.mT, torch.eye(6, dtype=torch.float64), atol=1e-6, rtol=0.0)


def test_the_kept_matrices_follow_the_weights():
    mixing = PLUMixing(3)
    x = torch.randn(4, 3, generator=generator(1))
    optimizer = torch.optim.Adam(mixing.parameters(), lr=0.1, foreach=True)
    other = PLUMixing(3)

    def train():
        optimizer.zero_grad()
        mixing(x)[0].pow(3).sum().backward()
        optimizer.step()

    changes = [train, lambda: mixing.load_state_dict(other.state_dict()), mixing.double, mixing.float]
    for change in [lambda: None, *changes]:
        change()
        x = x.to(mixing.log_s.dtype)
        with torch.no_grad():
            kept, back = mixing(x)[0], mixing.inverse(x)[0]
        torch.testing.assert_close(kept, mixing(x)[0])
        torch.testing.assert_close(back, mixing.inverse(x)[0], rtol=1e-4, atol=1e-5)


def test_matrices_are_inverted_once_for_many_draws(monkeypatch):
    mixing, solve, calls = PLUMixing(3), torch.linalg.solve_triangular, []
    monkeypatch.setattr(torch.linalg, "solve_triangular", lambda *a, **k: calls.append(0) or solve(*a, **k))
    with torch.no_grad():
        for _ in range(5):
            mixing.inverse(torch.ones(2, 3))
    assert len(calls) == 2  # the lower and the upper triangle, once


def test_squeeze_puts_the_four_neighbours_into_the_channels_of_one_place():
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    z = Squeeze()(x)[0]
    assert z.shape == (1, 4, 2, 2)
    assert z[0, :, 0, 1].tolist() == [2.0, 3.0, 6.0, 7.0]
    assert Squeeze()(torch.arange(8.0).reshape(1, 2, 4))[0][0, :, 1].tolist() == [2.0, 3.0, 6.0, 7.0]


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [2, 0, 3, 1]])
def test_a_masked_transform_depends_on_earlier_entries_alone(order):
    masked = perturbed(MaskedAffine(4, [12, 12], order=torch.tensor(order)).double())
    x = torch.randn(1, 4, generator=generator(1), dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda v: masked(v)[0], x).reshape(4, 4)[order][:, order]
    assert torch.equal(jacobian.triu(1), torch.zeros(4, 4, dtype=torch.float64))
    assert (jacobian.tril().abs() > 0).sum() == 10  # and on every one of them


def test_levels_must_divide_space():
    with pytest.raises(HyperparameterError, match="not divisible by 4"):
        MultiScale((1, 6, 4), 2, scales, 1, hidden=[5])
    with pytest.raises(HyperparameterError, match="one level"):
        MultiScale((4,), 2, scales, 1, hidden=[5])


@pytest.mark.parametrize("arrays", [True, False], ids=["numpy", "torch"])
@pytest.mark.parametrize("condition", [0, 2])
def test_the_masked_transform_inverts_in_one_pass_as_in_d_passes(condition, arrays, monkeypatch):
    if not arrays:  # as on an accelerator
        for module in ("masked", "flows.masked_autoregressive"):
            monkeypatch.setattr(f"rlsuite.generative.{module}.fits_numpy", lambda x: False)
    order = torch.randperm(9, generator=generator(0))
    transform = perturbed(MaskedAffine(9, [20, 17], condition, order).double(), size=0.3)
    z = torch.randn(6, 9, generator=generator(1), dtype=torch.float64)
    c = torch.randn(6, condition, generator=generator(2), dtype=torch.float64) if condition else None
    with torch.no_grad():
        x, ladj = transform.inverse(z, c)
        slow_x, slow_ladj = transform._inverse_by_passes(z, c)
        back, minus_ladj = transform(x, c)
    torch.testing.assert_close((x, ladj), (slow_x, slow_ladj), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close((back, minus_ladj), (z, -ladj), rtol=1e-9, atol=1e-9)
