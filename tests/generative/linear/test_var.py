"""VAR(p) against numpy's least squares, the joint Gaussian, and the process it was drawn from."""

import numpy as np
import pytest
import torch

from rlsuite.errors import HyperparameterError
from rlsuite.generative import create
from tests.generative.battery import generator

A1 = torch.tensor([[0.6, 0.2], [-0.3, 0.5]], dtype=torch.float64)
A2 = torch.tensor([[0.2, 0.0], [0.1, -0.2]], dtype=torch.float64)
B = torch.tensor([0.5, -1.0], dtype=torch.float64)
L = torch.tensor([[0.5, 0.0], [0.2, 0.3]], dtype=torch.float64)


@pytest.fixture(scope="module")
def process():
    """Many series of the process, after its transient: ``(2000, 8, 2)``."""
    noise, frames = generator(1), [torch.zeros(2000, 2, dtype=torch.float64)] * 2
    for _ in range(48):
        shock = torch.randn(2000, 2, generator=noise, dtype=torch.float64) @ L.mT
        frames.append(B + frames[-1] @ A1.mT + frames[-2] @ A2.mT + shock)
    return torch.stack(frames[-8:], 1)


@pytest.fixture(scope="module")
def model(process):
    model = create("var", event_shape=(6, 2), condition_shape=(2, 2), order=2).double()
    model.fit(process[:, 2:], process[:, :2], steps=1, held_out=0.0, normalise=False)
    return model


def test_coefficients_are_those_of_least_squares(model, process):
    x = process.numpy()
    rows = [np.concatenate([x[:, t - 1], x[:, t - 2], np.ones((len(x), 1))], 1) for t in range(2, 8)]
    solution, *_ = np.linalg.lstsq(np.concatenate(rows), np.concatenate([x[:, t] for t in range(2, 8)]), rcond=None)
    fitted = torch.cat([model.weight[2, 0].mT, model.weight[2, 1].mT, model.bias[2][None]])
    torch.testing.assert_close(fitted, torch.from_numpy(solution), atol=1e-4, rtol=0.0)


def test_the_process_is_found_again(model):
    torch.testing.assert_close(model.weight[2], torch.stack([A1, A2]), atol=0.03, rtol=0.0)
    torch.testing.assert_close(model.factor[2] @ model.factor[2].mT, L @ L.mT, atol=0.01, rtol=0.0)


def test_density_is_the_product_of_the_steps(model, process):
    total = 0.0
    for t in range(2, 8):
        mean = model.bias[2] + process[:, t - 1] @ model.weight[2, 0].mT + process[:, t - 2] @ model.weight[2, 1].mT
        total += torch.distributions.MultivariateNormal(mean, scale_tril=model.factor[2]).log_prob(process[:, t])
    torch.testing.assert_close(model.log_prob(process[:, 2:], process[:, :2]), total)


def test_units_do_not_matter(process):
    """The normaliser is shared over time and the model equivariant: other units change the density by their Jacobian."""
    scale = torch.tensor([100.0, 0.01], dtype=torch.float64)
    plain = create("var", event_shape=(8, 2), order=2).double()
    other = create("var", event_shape=(8, 2), order=2).double()
    plain.fit(process, steps=1, held_out=0.0)
    other.fit(process * scale + 7.0, steps=1, held_out=0.0)
    shifted = other.log_prob(process * scale + 7.0) + 8 * scale.log().sum()
    torch.testing.assert_close(shifted, plain.log_prob(process), rtol=1e-6, atol=1e-6)


def test_without_a_condition_long_windows_of_order_t_are_the_full_gaussian():
    """Regressions of every order on one window of frames are the chain rule of the Gaussian with the data's moments."""
    data = torch.randn(500, 3, generator=generator(2), dtype=torch.float64).cumsum(1)[:, :, None]
    joint = create("gaussian", event_shape=(3, 1)).double()
    joint.fit(data, steps=1, held_out=0.0, normalise=False)
    model = create("var", event_shape=(3, 1), order=2).double()
    model.fit(data, steps=1, held_out=0.0, normalise=False)
    # order 0 and 1 pool positions in VAR; make its first two regressions those of the first frames alone
    first = create("var", event_shape=(2, 1), order=1).double()
    first.fit(data[:, :2], steps=1, held_out=0.0, normalise=False)
    start = create("gaussian", event_shape=(1, 1)).double()
    start.fit(data[:, :1], steps=1, held_out=0.0, normalise=False)
    model.weight[1, 0], model.bias[1], model.factor[1] = first.weight[1, 0], first.bias[1], first.factor[1]
    model.bias[0], model.factor[0] = start.location, start.factor
    torch.testing.assert_close(model.log_prob(data), joint.log_prob(data), atol=1e-3, rtol=1e-3)


def test_streams_are_samples(model, process):
    state, steps, source = model.start(50, process[:50, :2]), [], generator(3)
    for _ in range(6):
        frame, state = model.step(state, generator=source)
        steps.append(frame)
    assert torch.equal(torch.stack(steps, 1), model.sample((), process[:50, :2], generator=generator(3)))
    assert state.shape == (50, 2, 2)  # of bounded cost


def test_long_streams_have_the_moments_of_the_process(model, process):
    state, frames, source = model.start(500, process[:500, :2]), [], generator(4)
    for _ in range(60):
        frame, state = model.step(state, generator=source)
        frames.append(frame)
    late = torch.stack(frames[30:]).flatten(0, 1)
    every = process.flatten(0, 1)
    torch.testing.assert_close(late.mean(0), every.mean(0), atol=0.08, rtol=0.0)
    torch.testing.assert_close(late.mT.cov(), every.mT.cov(), atol=0.1, rtol=0.0)


def test_wrong_shapes_are_named():
    with pytest.raises(HyperparameterError, match="frames, features"):
        create("var", event_shape=(4,))
    with pytest.raises(HyperparameterError, match="order, features"):
        create("var", event_shape=(4, 2), condition_shape=(3, 2), order=2)
    with pytest.raises(HyperparameterError, match="more than 4 frames"):
        create("var", event_shape=(4, 1), order=4).fit(torch.randn(9, 4, 1), steps=1)
