"""Continuous flows against the matrix exponential, and what is said where zuko is missing."""

import importlib.util
import subprocess
import sys

import pytest
import torch
from torch import nn

from rlsuite.errors import HyperparameterError
from rlsuite.generative import create
from rlsuite.generative.flows.continuous import Continuous, Velocity
from tests.generative.battery import generator, perturbed
from tests.generative.flows.cases import CONDITIONS, PAIRS
from tests.generative.flows.checks import jacobian_log_det


class Linear(nn.Module):
    """v = A x, whose solution is z = exp(A) x."""

    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(0.5 * torch.randn(3, 3, generator=generator(1), dtype=torch.float64))

    def forward(self, t, x, condition):
        return x @ self.a.mT


@pytest.fixture
def zuko():
    if importlib.util.find_spec("zuko") is None:  # importing it here would turn off the checks of distributions
        pytest.skip("needs the extra flows")


def test_a_linear_velocity_gives_the_matrix_exponential_and_its_trace(zuko):
    velocity = Linear()
    flow = Continuous(velocity, 1e-9)
    x = torch.randn(5, 3, generator=generator(2), dtype=torch.float64)
    z, ladj = flow(x)
    torch.testing.assert_close(z, x @ torch.linalg.matrix_exp(velocity.a).mT, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(ladj, velocity.a.trace().expand(5), rtol=1e-6, atol=1e-6)
    (gradient,) = torch.autograd.grad(ladj.sum(), velocity.a)
    torch.testing.assert_close(gradient, 5.0 * torch.eye(3, dtype=torch.float64), rtol=1e-5, atol=1e-5)


def test_the_trace_integrates_to_the_log_determinant_and_back_again(zuko):
    flow = perturbed(Continuous(Velocity(3, 2, [6]), 1e-8).double())
    x = torch.randn(4, 3, generator=generator(2), dtype=torch.float64)
    c = torch.randn(4, 2, generator=generator(3), dtype=torch.float64)
    z, ladj = flow(x, c)
    torch.testing.assert_close(ladj, jacobian_log_det(flow, x, c), rtol=1e-5, atol=1e-5)
    back, ladj_back = flow.inverse(z, c)
    torch.testing.assert_close(back, x, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(ladj_back, -ladj, rtol=1e-5, atol=1e-5)


def test_gradients_reach_weights_and_condition(zuko):
    """By the adjoint, against finite differences."""
    flow = perturbed(Continuous(Velocity(2, 2, [4]), 1e-9).double())
    x = torch.randn(1, 2, generator=generator(2), dtype=torch.float64)
    c = torch.randn(1, 2, generator=generator(3), dtype=torch.float64).requires_grad_()
    z, ladj = flow(x, c)
    (gradient,) = torch.autograd.grad(z.sum() + ladj.sum(), c)
    step = 1e-4 * torch.eye(2, dtype=torch.float64)
    with torch.no_grad():
        sums = [sum(part.sum() for part in flow(x, c + sign * step[i : i + 1])) for i in range(2) for sign in (1, -1)]
    expected = torch.stack([sums[0] - sums[1], sums[2] - sums[3]]) / 2e-4
    torch.testing.assert_close(gradient[0], expected, rtol=1e-4, atol=1e-5)


def test_new_styleflows_are_their_base_whatever_the_attributes(zuko):
    model = create("styleflow", seed=0, event_shape=2, condition_shape=3)
    expected = torch.distributions.Normal(0.0, 1.0).log_prob(PAIRS[:6]).sum(1)
    for c in (CONDITIONS[:6], CONDITIONS[6:12]):
        torch.testing.assert_close(model.log_prob(PAIRS[:6], c), expected)


def test_without_zuko_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "zuko.transforms", None)
    with pytest.raises(HyperparameterError, match=r"rlsuite\[flows\]"):
        create("styleflow", event_shape=2)


def test_distributions_elsewhere_keep_their_checks():
    program = (
        "import torch\nfrom rlsuite.generative import create\n"
        "create('styleflow', event_shape=2)\n"
        "try:\n    torch.distributions.Normal(torch.tensor(float('nan')), 1.0)\n"
        "except ValueError:\n    raise SystemExit(0)\n"
        "raise SystemExit('checks are off')"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
