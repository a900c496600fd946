"""Encodings of points: kernels, periods, and that the coordinates come first."""

import math

import pytest
import torch

from rlsuite.errors import HyperparameterError
from rlsuite.generative.implicit.encodings import Encoding, FourierFeatures, PositionalEncoding


@pytest.mark.parametrize("length", [0.1, 0.5])
def test_dot_products_of_random_features_tend_to_the_gaussian_kernel(length):
    x = torch.linspace(-1, 1, 7)[:, None] * torch.tensor([0.3, -0.2, 0.4]) * length * 4
    kernel = torch.exp(-torch.cdist(x, x).square() / (2 * length**2))
    worst = []
    for m in (100, 10_000):
        gamma = FourierFeatures(m, length).features(x)
        error = (gamma @ gamma.T - kernel).abs().max()
        assert error < 4.5 / math.sqrt(2 * m)  # 21 pairs within 4.5 standard deviations
        worst.append(error)
    assert worst[1] < worst[0] / 3


def test_random_features_have_unit_length_and_repeat_with_their_seed():
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    encoding = FourierFeatures(32, 0.2, seed=7)
    torch.testing.assert_close(encoding.features(x).norm(dim=-1), torch.ones(5))
    assert torch.equal(encoding(x), FourierFeatures(32, 0.2, seed=7)(x))
    assert not torch.equal(encoding(x), FourierFeatures(32, 0.2, seed=8)(x))


def test_the_lowest_octave_has_the_period_of_the_cube():
    encoding = PositionalEncoding(1, span=0.7)
    x = torch.tensor([[0.2, -0.3, 0.1]])
    shifted = encoding(x + 1.4)
    torch.testing.assert_close(shifted[:, 3:], encoding(x)[:, 3:], atol=1e-5, rtol=0)
    assert not torch.allclose(encoding(x + 0.7)[:, 3:], encoding(x)[:, 3:], atol=0.1)


def test_octaves_double_the_angle():
    """sin 2a = 2 sin a cos a, so every octave follows from the one below."""
    x = torch.rand(20, 3, generator=torch.Generator().manual_seed(1)) * 2 - 1
    out = PositionalEncoding(4)(x)[:, 3:]
    sine, cosine = (part.reshape(20, 3, 4) for part in out.chunk(2, -1))
    torch.testing.assert_close(sine[..., 1:], 2 * sine[..., :-1] * cosine[..., :-1], atol=1e-5, rtol=0)
    torch.testing.assert_close(sine.square() + cosine.square(), torch.ones(20, 3, 4))


@pytest.mark.parametrize("encoding", [Encoding(), PositionalEncoding(3), FourierFeatures(5, 0.3)])
def test_the_coordinates_come_first(encoding):
    x = torch.rand(2, 4, 3, generator=torch.Generator().manual_seed(2))
    out = encoding(x)
    assert out.shape == (2, 4, encoding.n_out)
    assert torch.equal(out[..., :3], x)


@pytest.mark.parametrize("make", [lambda: PositionalEncoding(0), lambda: FourierFeatures(4, 0.0)])
def test_sizes_that_make_no_sense(make):
    with pytest.raises(HyperparameterError):
        make()
