"""Distributions against torch.distributions, against sums and integrals over all actions, and against autograd."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import distributions as td

from rlsuite.agents.deep.distributions import (
    Distribution,
    SquashedGaussian,
    distribution_for,
    log_det_tanh,
    rsample,
)
from rlsuite.errors import HyperparameterError, InvalidEnvironmentError

BOX = spaces.Box(np.array([-2.0, -1.0, 0.0], np.float32), np.array([2.0, 3.0, 1.0], np.float32))
SPACES = {
    "categorical": (spaces.Discrete(5), False),
    "multi-categorical": (spaces.MultiDiscrete([3, 2, 4]), False),
    "bernoulli": (spaces.MultiBinary(3), False),
    "gaussian": (BOX, False),
    "squashed": (BOX, True),
}
B = 64


def made(name, seed=0, scale=1.5):
    """A distribution, outputs of a network, actions drawn from it."""
    space, squash = SPACES[name]
    distribution = distribution_for(space, log_std_init=-0.4, squash=squash)
    rng = np.random.default_rng(seed)
    if hasattr(distribution, "log_std"):
        distribution.log_std.data += torch.tensor([0.1, -0.5, 0.6])
    outputs = (scale * rng.standard_normal((B, distribution.n_outputs))).astype(np.float32)
    return distribution, outputs, distribution.sample(outputs, rng)


def reference(name, distribution, outputs):
    """The same in torch.distributions, over raw actions."""
    if name == "categorical":
        return td.Categorical(logits=outputs)
    if name == "bernoulli":
        return td.Independent(td.Bernoulli(logits=outputs), 1)
    base = td.Normal(outputs, distribution.log_std.exp())
    if name == "gaussian":
        return td.Independent(base, 1)
    return td.Independent(td.TransformedDistribution(base, td.TanhTransform(cache_size=1)), 1)


@pytest.mark.parametrize("name", ["categorical", "bernoulli", "gaussian"])
def test_equals_torch_distributions(name):
    distribution, outputs, actions = made(name)
    outputs, actions = torch.from_numpy(outputs), torch.from_numpy(actions)
    expected = reference(name, distribution, outputs)
    values = actions.float() if name == "bernoulli" else actions
    torch.testing.assert_close(distribution.log_prob(outputs, actions), expected.log_prob(values), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(distribution.entropy(outputs), expected.entropy(), rtol=1e-6, atol=2e-6)


@pytest.mark.parametrize("squash", [False, True])
def test_a_standard_deviation_that_stays_is_no_parameter(squash):
    learned, fixed = (distribution_for(BOX, log_std_init=-0.4, squash=squash, learn_std=on) for on in (True, False))
    assert [name for name, _ in learned.named_parameters()] == ["log_std"]
    assert not list(fixed.parameters())
    torch.testing.assert_close(fixed.state_dict(), learned.state_dict())  # checkpoints hold it either way
    outputs = torch.linspace(-1.0, 1.0, 12).reshape(4, 3)
    actions = outputs.roll(1, 0)
    ours, theirs = (d.evaluate(outputs, actions) for d in (fixed, learned))
    torch.testing.assert_close(ours[0], theirs[0])
    weight = torch.arange(4.0)
    torch.testing.assert_close(ours[2](weight, 0.1), theirs[2](weight, 0.1))


def test_multi_categorical_is_a_product_of_categoricals():
    distribution, outputs, actions = made("multi-categorical")
    outputs, actions = torch.from_numpy(outputs), torch.from_numpy(actions)
    parts = [td.Categorical(logits=part) for part in outputs.split([3, 2, 4], dim=1)]
    log_prob = sum(part.log_prob(actions[:, i]) for i, part in enumerate(parts))
    torch.testing.assert_close(distribution.log_prob(outputs, actions), log_prob, rtol=1e-6, atol=1e-6)
    entropy = sum(part.entropy() for part in parts)
    torch.testing.assert_close(distribution.entropy(outputs), entropy, rtol=1e-6, atol=2e-6)


def test_squashed_log_prob_equals_torch_distributions_in_double_precision():
    distribution, outputs, actions = made("squashed")
    distribution.double()
    outputs, u = torch.from_numpy(outputs).double(), torch.from_numpy(actions).double()
    expected = reference("squashed", distribution, outputs).log_prob(torch.tanh(u))
    torch.testing.assert_close(distribution.log_prob(outputs, u), expected, rtol=1e-6, atol=1e-6)


def test_log_det_of_tanh_does_not_cancel():
    u = np.array([-40.0, -20.0, -3.0, 0.0, 1e-3, 3.0, 20.0, 40.0], np.float32)
    exact = 2.0 * (np.log(2.0) - np.logaddexp(u.astype(float), -u.astype(float)))  # log(1 / cosh^2 u)
    np.testing.assert_allclose(log_det_tanh(torch.from_numpy(u)).numpy(), exact, rtol=1e-6, atol=1e-6)


def test_squashed_density_integrates_to_one_and_entropy_is_its_integral():
    space = spaces.Box(-1.0, 1.0, (1,))
    for log_std, mean in [(-1.0, 0.3), (-0.3, -0.8), (0.2, 0.0)]:
        distribution = SquashedGaussian(space, log_std).double().requires_grad_(False)
        u = torch.linspace(-12.0, 12.0, 100_001, dtype=torch.float64)[:, None]
        outputs = torch.full_like(u, mean)
        log_p = distribution.log_prob(outputs, u)
        p_du = log_p.exp() * log_det_tanh(u)[:, 0].exp()  # the density of tanh(u) times d tanh(u) / du
        assert float(torch.trapezoid(p_du, u[:, 0])) == pytest.approx(1.0, abs=1e-9)
        entropy = float(torch.trapezoid(-p_du * log_p, u[:, 0]))
        assert float(distribution.entropy(outputs[:1])[0]) == pytest.approx(entropy, abs=1e-3)


def test_rsample_is_the_reparameterised_squashed_gaussian():
    rng = torch.Generator().manual_seed(0)
    mean, log_std, noise = (torch.randn(B, 3, generator=rng, dtype=torch.float64) for _ in range(3))
    mean.requires_grad_()
    log_std = (0.5 * log_std).requires_grad_()
    action, log_prob = rsample(mean, log_std, noise)
    base = td.Normal(mean, log_std.exp())
    expected = td.Independent(td.TransformedDistribution(base, td.TanhTransform(cache_size=1)), 1)
    torch.testing.assert_close(action, torch.tanh(mean + log_std.exp() * noise))
    clipped = action.detach().clamp(-1 + 1e-12, 1 - 1e-12)
    torch.testing.assert_close(log_prob, expected.log_prob(clipped), rtol=1e-5, atol=1e-5)
    assert torch.autograd.gradcheck(lambda m, s: rsample(m, s, noise[:4]), (mean[:4], log_std[:4]))


@pytest.mark.parametrize("name", SPACES)
def test_evaluate_and_its_pullback_equal_autograd(name):
    distribution, outputs, actions = made(name)
    outputs, actions = torch.from_numpy(outputs), torch.from_numpy(actions)
    rng = torch.Generator().manual_seed(1)
    a, b = torch.randn(B, generator=rng), torch.randn(B, generator=rng)
    for weight in (b, 0.7, 0.0):
        results = []
        for kind in (type(distribution), Distribution):  # written out, and by autograd
            distribution.zero_grad()
            log_prob, entropy, pullback = kind.evaluate(distribution, outputs, actions)
            gradient = pullback(a, weight)
            results.append([log_prob, entropy, gradient, *(p.grad.clone() for p in distribution.parameters())])
        for written, by_autograd in zip(*results, strict=True):
            torch.testing.assert_close(written, by_autograd, rtol=1e-4, atol=1e-5)


def test_masked_actions_have_probability_zero():
    distribution, outputs, _ = made("categorical")
    rng = np.random.default_rng(3)
    masks = rng.random(outputs.shape) < 0.5
    masks[np.arange(B), rng.integers(0, 5, B)] = True
    for draw in range(50):
        actions = distribution.sample(outputs, rng, masks) if draw else distribution.mode(outputs, masks)
        assert masks[np.arange(B), actions].all()
    t_outputs, t_actions, t_masks = map(torch.from_numpy, (outputs, actions, masks))
    log_prob, entropy, pullback = distribution.evaluate(t_outputs, t_actions, t_masks)
    for i in range(B):  # the categorical over the allowed actions alone
        allowed = np.flatnonzero(masks[i])
        alone = td.Categorical(logits=t_outputs[i, allowed])
        place = torch.tensor(int(np.flatnonzero(allowed == actions[i])[0]))
        assert float(log_prob[i]) == pytest.approx(float(alone.log_prob(place)), abs=1e-6)
        assert float(entropy[i]) == pytest.approx(float(alone.entropy()), abs=2e-6)
    gradient = pullback(torch.ones(B), 1.0)
    assert (gradient[~t_masks] == 0.0).all() and torch.isfinite(gradient).all()


class Scripted:
    """A generator whose uniforms are given."""

    def __init__(self, u):
        self.u = u

    def random(self, shape):
        return np.full(shape, self.u)


@pytest.mark.parametrize("u", [0.0, 1.0 - 2.0**-53])
def test_the_ends_of_the_uniform_draw_no_impossible_action(u):
    distribution = distribution_for(spaces.Discrete(4))
    for seed in range(200):
        logits = np.random.default_rng(seed).standard_normal((1, 4)).astype(np.float32)
        masks = np.array([[False, True, True, False]])
        assert distribution.sample(logits, Scripted(u), masks)[0] == (2 if u == 0.0 else 1)
        assert distribution.sample(logits, Scripted(u))[0] == (3 if u == 0.0 else 0)


def test_categorical_samples_by_inverse_cdf():
    """Every uniform on a fine grid: the frequencies are the probabilities to the grid's resolution."""
    distribution = distribution_for(spaces.Discrete(3))
    logits = np.log(np.array([[0.2, 0.5, 0.3]], np.float32))
    grid = (np.arange(1000) + 0.5) / 1000
    drawn = [int(distribution.sample(logits, Scripted(u))[0]) for u in grid]
    assert np.bincount(drawn) == pytest.approx([200, 500, 300], abs=1)


@pytest.mark.parametrize("name", ["multi-categorical", "bernoulli", "gaussian", "squashed"])
def test_samples_follow_the_density(name):
    """E[grad log p(a)] = 0, within five standard errors, for every output."""
    distribution, outputs, _ = made(name)
    n, rng = 20_000, np.random.default_rng(4)
    same = np.repeat(outputs[:1], n, axis=0)
    actions = torch.from_numpy(distribution.sample(same, rng))
    leaf = torch.from_numpy(same).requires_grad_()
    distribution.log_prob(leaf, actions).sum().backward()
    scores = leaf.grad.numpy()
    assert (np.abs(scores.mean(0)) < 5.0 * scores.std(0) / np.sqrt(n)).all()


@pytest.mark.parametrize(
    "space",
    [
        spaces.MultiDiscrete([3, 2, 4], start=[1, -1, 0]),
        spaces.MultiDiscrete([[2, 3], [4, 5]]),
        spaces.MultiBinary((2, 3)),
        spaces.Box(-0.5, 2.0, (2, 2)),
        spaces.Box(-1.0, 1.0, (3,), np.float64),
    ],
    ids=str,
)
def test_actions_lie_in_the_space(space):
    for squash in {False, isinstance(space, spaces.Box)}:
        distribution = distribution_for(space, squash=squash)
        outputs = np.random.default_rng(0).standard_normal((50, distribution.n_outputs)).astype(np.float32) * 3
        raw = distribution.sample(outputs, np.random.default_rng(1))
        assert raw.shape == (50, *distribution.shape) and raw.dtype == distribution.dtype
        for actions in (distribution.to_env(raw), distribution.to_env(distribution.mode(outputs))):
            assert all(space.contains(action) for action in actions)


def test_what_has_no_distribution():
    with pytest.raises(InvalidEnvironmentError, match="Text"):
        distribution_for(gym.spaces.Text(3))
    with pytest.raises(HyperparameterError, match="squash"):
        distribution_for(spaces.Discrete(3), squash=True)
    with pytest.raises(InvalidEnvironmentError, match="bounds"):
        distribution_for(spaces.Box(-np.inf, np.inf, (2,)), squash=True)
