"""WaveNet, Transformer: cached drawing against recomputation, reach, attention against torch, the VAR they begin as."""

import pytest
import torch
import torch.nn.functional as F

from rlsuite.errors import HyperparameterError
from rlsuite.generative import create
from rlsuite.generative.autoregressive.attention import CausalSelfAttention, attend, sinusoidal_positions
from tests.generative.autoregressive.cases import conditions, real, small
from tests.generative.battery import generator

SMALL = {
    "wavenet": {"channels": 8, "levels": 3, "kernel": 3, "stacks": 2},
    "transformer": {"width": 16, "heads": 4, "layers": 2},
}
EVENTS = {
    "frames": {"event_shape": (12, 3), "components": 3, "lags": 2, "condition_shape": 2},
    "tokens": {"event_shape": (6, 2), "n_values": 4},
}
every = pytest.mark.parametrize("name", SMALL)


def draw_by_recomputation(model, n, condition, source):
    """The textbook's way: all of the network for each entry."""
    entries = torch.zeros(n, model.length, model.head.size, dtype=model.normalizer.mean.dtype)
    for t in range(model.length):
        parameters = model._network(model._seen(entries), condition)[:, t]
        entry = model.head.draw(parameters, model.head.noise((n,), parameters, source))
        if model.linear is not None:
            factor = model.linear.factor[min(t, model.linear.order)]
            entry = model.linear.predict(entries[:, :t]) + entry @ factor.mT
        entries[:, t] = entry
    return entries.reshape(n, *model.event_shape)


@every
@pytest.mark.parametrize("kind", EVENTS)
def test_cached_drawing_draws_what_recomputation_draws(name, kind):
    model = small(name, size=0.2, **SMALL[name], **EVENTS[kind])().double().eval()
    if kind == "frames":
        model._prepare(real(12, 3).double(), None, generator())
    c = conditions()[:4].double() if model.condition_shape else None
    with torch.no_grad():
        slow = draw_by_recomputation(model, 4, c, generator(3))
        fast = model._sample(4, c, generator(3))
    torch.testing.assert_close(fast, slow, rtol=1e-9, atol=1e-9)
    assert len(fast.reshape(-1).unique()) > 2


@every
@pytest.mark.parametrize("kind", EVENTS)
def test_steps_are_the_sample_and_a_state_can_be_used_again(name, kind):
    model = small(name, size=0.2, **SMALL[name], **EVENTS[kind])()
    c = conditions()[:4] if model.condition_shape else None
    if kind == "frames":
        model.fit(real(12, 3), conditions(), steps=2)
    model.eval()
    state, steps, source, states = model.start(4, c), [], generator(3), []
    for _ in range(model.event_shape[0]):
        states.append((state, source.get_state()))
        step, state = model.step(state, generator=source)
        steps.append(step)
    drawn = model.sample((), c, generator=generator(3)) if c is not None else model.sample(4, generator=generator(3))
    torch.testing.assert_close(torch.stack(steps, 1), drawn, rtol=1e-5, atol=1e-5)
    again = generator(0)
    again.set_state(states[3][1])
    assert torch.equal(model.step(states[3][0], generator=again)[0], steps[3])
    seen = model.start(4, c)
    for step in steps[:5]:
        seen = model.observe(seen, step)
    again.set_state(states[5][1])
    torch.testing.assert_close(model.step(seen, generator=again)[0], steps[5], rtol=1e-4, atol=1e-4)


@every
def test_a_stream_may_be_longer_than_an_event(name):
    model = small(name, size=0.1, event_shape=(4, 2), **SMALL[name])().eval()
    state, source = model.start(2), generator(0)
    for _ in range(40):
        step, state = model.step(state, generator=source)
    assert torch.isfinite(step).all() and step.shape == (2, 2)


@pytest.mark.parametrize(("kernel", "levels", "stacks"), [(2, 3, 1), (3, 2, 1), (2, 2, 2)])
def test_the_receptive_field_is_1_plus_the_sum_of_the_dilations(kernel, levels, stacks):
    model = small("wavenet", event_shape=(20, 1), lags=0, channels=6, kernel=kernel, levels=levels, stacks=stacks)()
    assert model.receptive_field == 1 + stacks * sum((kernel - 1) * 2**level for level in range(levels))
    x = real(20, 1)[:1].requires_grad_()
    (gradient,) = torch.autograd.grad(model.log_factors(x)[0, -1], x)
    reached = gradient.reshape(-1).nonzero().reshape(-1).tolist()
    assert reached == list(range(19 - model.receptive_field, 20))


def test_a_transformer_sees_all_of_the_past():
    model = small("transformer", event_shape=(9, 1), lags=0, width=8, heads=2)()
    x = real(9, 1)[:1]
    jacobian = torch.autograd.functional.jacobian(lambda x: model.log_factors(x)[0], x).reshape(9, 9)
    assert torch.equal(jacobian != 0, torch.ones(9, 9).tril().bool())


def test_attention_is_that_of_torch():
    q, k, v = (torch.randn(2, 3, 7, 4, generator=generator(s), dtype=torch.float64).requires_grad_() for s in range(3))
    for causal in (False, True):
        own, theirs = attend(q, k, v, causal=causal), F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        torch.testing.assert_close(own, theirs)
        weights = torch.randn(own.shape, generator=generator(4), dtype=own.dtype)
        gradients = [torch.autograd.grad((out * weights).sum(), (q, k, v)) for out in (own, theirs)]
        for a, b in zip(*gradients, strict=True):
            torch.testing.assert_close(a, b)


def test_multi_head_attention_is_that_of_torch():
    own = CausalSelfAttention(12, 3)
    theirs = torch.nn.MultiheadAttention(12, 3, batch_first=True)
    theirs.in_proj_weight.data, theirs.in_proj_bias.data = own.qkv.weight.data, own.qkv.bias.data
    theirs.out_proj.weight.data, theirs.out_proj.bias.data = own.out.weight.data, own.out.bias.data
    x = torch.randn(2, 6, 12, generator=generator(0))
    later = torch.ones(6, 6).triu(1).bool()
    torch.testing.assert_close(own(x), theirs(x, x, x, attn_mask=later, need_weights=False)[0], rtol=1e-4, atol=1e-5)


def test_positions_are_sines_and_cosines_whose_shift_is_a_rotation():
    code = sinusoidal_positions(torch.arange(50.0, dtype=torch.float64), 8)
    assert code[3, 1] == pytest.approx(torch.sin(torch.tensor(3.0) / 10_000 ** (2 / 8)).item(), abs=1e-7)
    products = code @ code.mT  # depend on the difference of positions alone
    torch.testing.assert_close(products[1:, 1:], products[:-1, :-1])


@every
def test_before_training_it_is_the_autoregression_and_training_does_not_lose_it(name):
    data = real(10, 3, n=200)
    var = create("var", event_shape=(10, 3), order=2)
    var.fit(data, steps=1, held_out=0.0)
    model = create(name, seed=0, event_shape=(10, 3), lags=2, **SMALL[name])
    model.normalizer.fit(data)
    model._prepare(model.normalizer(data), None, generator())
    torch.testing.assert_close(model.log_prob(data[:20]), var.log_prob(data[:20]), rtol=1e-4, atol=1e-3)
    bent = data + 0.5 * torch.sin(2.0 * data.roll(1, 1))  # not linear any more
    test = real(10, 3, n=200, seed=5)
    test = test + 0.5 * torch.sin(2.0 * test.roll(1, 1))
    var.fitted = False
    var.fit(bent, steps=1, held_out=0.0)
    model = create(name, seed=0, event_shape=(10, 3), lags=2, components=2, **SMALL[name])
    model.fit(bent, steps=60, learning_rate=0.01, held_out=(test, None))
    assert model.log_prob(test).mean() > var.log_prob(test).mean() + 0.3


def test_senseless_sizes_are_named():
    with pytest.raises(HyperparameterError, match="multiple of heads"):
        create("transformer", event_shape=(4, 2), width=10, heads=4)
    with pytest.raises(HyperparameterError, match="kernel at least 2"):
        create("wavenet", event_shape=(4, 2), kernel=1)
    with pytest.raises(HyperparameterError, match="lags"):
        create("wavenet", event_shape=(4, 2), lags=-1)
