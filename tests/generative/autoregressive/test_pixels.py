"""PixelCNN and PixelRNN: the blind spot, what gated layers see, the order of colours, and caches against recomputation."""

import pytest
import torch

from rlsuite.errors import HyperparameterError
from rlsuite.generative import create
from rlsuite.generative.autoregressive.pixel_rnn import DiagonalLSTM, lstm_step, skew, unskew
from tests.generative.autoregressive.cases import conditions, discrete, small
from tests.generative.battery import generator

NETWORKS = {"pixelcnn": {"channels": 6, "layers": 3, "first_kernel": 3}, "gated-pixelcnn": {"channels": 6, "layers": 3,
            "first_kernel": 3}}  # fmt: skip
every = pytest.mark.parametrize("name", NETWORKS)


def alive(model):
    """Small positive weights: no unit is dead, no tanh saturated, and nothing cancels."""
    for parameter in model.parameters():
        parameter.data.abs_().mul_(0.1).add_(0.01)
    return model.double()


def seen_from(model, row, column):
    """Which pixels the factor of one pixel depends on ``(rows, columns)``, by the gradient."""
    x = discrete(model.event_shape)[:1].double().requires_grad_()
    parameters = model._every_parameter(x, None)[0, 0, row, column]
    (gradient,) = torch.autograd.grad(parameters.sum(), x)
    return gradient[0] != 0


def raster_past(rows, columns, row, column):
    flat = torch.arange(rows * columns).reshape(rows, columns)
    return flat < row * columns + column


def test_the_plain_network_has_a_blind_spot_to_the_upper_right():
    model = alive(small("pixelcnn", event_shape=(7, 9), channels=6, layers=5, first_kernel=3)())
    row, column = 5, 3
    seen = seen_from(model, row, column)
    expected = torch.zeros(7, 9, dtype=torch.bool)
    for i in range(row + 1):
        for j in range(9):  # each step to the right costs a step up
            expected[i, j] = (j < column) if i == row else j - column <= row - i
    assert torch.equal(seen, expected)
    blind = raster_past(7, 9, row, column) & ~seen
    assert blind[4, 5] and int(blind.sum()) == 4 + 3 + 2 + 1


def test_the_gated_network_has_none():
    model = alive(small("gated-pixelcnn", event_shape=(7, 9), channels=6, layers=8, first_kernel=3)())
    for row, column in ((5, 3), (6, 8), (2, 0), (0, 4)):
        assert torch.equal(seen_from(model, row, column), raster_past(7, 9, row, column))


@every
def test_red_comes_before_green_and_green_before_blue(name):
    model = alive(small(name, event_shape=(3, 2, 2), **NETWORKS[name])())
    x = discrete((3, 2, 2))[:1].double()
    jacobian = torch.autograd.functional.jacobian(lambda x: model._every_parameter(x, None)[0, ..., 0], x)[:, :, :, 0]
    for c in range(3):
        own_pixel = jacobian[c, 1, 1, :, 1, 1] != 0  # the colours of the pixel itself that colour c depends on
        assert own_pixel.tolist() == [other < c for other in range(3)]
        assert (jacobian[c, 1, 1, :, 0, :] != 0).all() and (jacobian[c, 1, 1, :, 1, 0] != 0).all()


@every
@pytest.mark.parametrize(
    "event",
    [
        {"event_shape": (6, 5)},
        {"event_shape": (4, 6), "n_values": 5, "condition_shape": 2},
        {"event_shape": (3, 4, 4), "n_values": 3},
        {"event_shape": (2, 3, 4), "n_values": 0, "components": 2},
    ],
    ids=["binary", "categorical", "colours", "real"],
)
def test_cached_drawing_draws_what_recomputation_draws(name, event):
    model = small(name, **(NETWORKS[name] | {"first_kernel": 5}), **event)().double()
    c = conditions()[:6].double() if model.condition_shape else None
    with torch.no_grad():
        slow = model._sample_by_passes(6, c, generator(2))
        fast = model._sample(6, c, generator(2))
    torch.testing.assert_close(fast, slow, rtol=1e-8, atol=1e-8)
    assert len(fast.unique()) > 1


@every
def test_it_learns_what_neighbours_have_in_common(name):
    data = discrete((1, 12), n=400).reshape(-1, 1, 12).expand(-1, 2, -1).clone()  # the second row repeats the first
    model = create(name, seed=0, event_shape=(2, 12), channels=12, layers=1)
    model.fit(data, steps=150, learning_rate=0.01)
    second = model.log_factors(data[:100]).reshape(100, 2, 12)[:, 1].mean()
    assert second > -0.1


def test_skewing_makes_diagonals_columns_and_can_be_undone():
    x = torch.randn(2, 3, 4, 5, generator=generator(0))
    skewed = skew(x)
    assert skewed.shape == (2, 3, 4, 8)
    for i in range(4):
        torch.testing.assert_close(skewed[:, :, i, i : i + 5], x[:, :, i])
    assert skewed.abs().sum() == pytest.approx(x.abs().sum())
    assert torch.equal(unskew(skewed), x)


def test_a_diagonal_lstm_is_a_recursion_over_the_pixel_beside_and_the_pixel_above():
    layer = DiagonalLSTM(2, 1).double()
    x = torch.randn(1, 2, 3, 4, generator=generator(0), dtype=torch.float64)
    a, weight = layer.inputs[0](x), layer.states[0].weight
    nothing = torch.zeros(1, 2, dtype=torch.float64)
    h, cell = {}, {}
    for i in range(3):
        for j in range(4):
            beside, above = h.get((i, j - 1), nothing), h.get((i - 1, j), nothing)
            pre = a[:, :, i, j] + above @ weight[:, :, 0].mT + beside @ weight[:, :, 1].mT
            h[i, j], cell[i, j] = lstm_step(pre, cell.get((i, j - 1), nothing))
    scanned = layer._scan(x, 0)
    for (i, j), state in h.items():
        torch.testing.assert_close(scanned[:, :, i, j], state)


def test_a_diagonal_lstm_sees_all_of_the_past_and_a_row_lstm_a_triangle_of_it():
    model = alive(small("pixel-rnn", event_shape=(5, 7), channels=4, layers=1, first_kernel=3)())
    for row, column in ((4, 2), (2, 6), (3, 0)):
        assert torch.equal(seen_from(model, row, column), raster_past(5, 7, row, column))
    model = alive(small("pixel-rnn", event_shape=(6, 9), variant="row", channels=4, layers=2, first_kernel=3)())
    row, column, layers = 4, 5, 2
    expected = torch.zeros(6, 9, dtype=torch.bool)
    for i in range(row + 1):
        for j in range(9):
            up, right = row - i, j - column
            expected[i, j] = -(up + layers + 1) <= right <= (up if up else -1)
    assert torch.equal(seen_from(model, row, column), expected)


def test_shapes_that_are_no_picture_are_named():
    with pytest.raises(HyperparameterError, match="rows, columns"):
        create("gated-pixelcnn", event_shape=(4,))
    with pytest.raises(HyperparameterError, match="variant"):
        create("pixel-rnn", event_shape=(4, 4), variant="column")
    with pytest.raises(HyperparameterError, match="kernels odd"):
        create("pixelcnn", event_shape=(4, 4), kernel=2)
