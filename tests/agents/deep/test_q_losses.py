"""Targets, projections and losses of deep Q-learning against loops and hand calculation."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rlsuite.agents.deep.q_losses import kl_divergence, of_action, project, quantile_huber, td_target


def distributions(rng, *shape):
    p = rng.random(shape) ** 4
    return p / p.sum(-1, keepdims=True)


def projected(p, returns, support):
    """Algorithm 1 of Bellemare et al. (2017), atom by atom."""
    n, spacing = len(support), support[1] - support[0]
    m = np.zeros(n)
    for j in range(len(p)):
        b = (np.clip(returns[j], support[0], support[-1]) - support[0]) / spacing
        low, high = int(np.floor(b)), min(int(np.ceil(b)), n - 1)  # b may round to above n - 1
        if low == high:
            m[low] += p[j]
        else:
            m[low] += p[j] * (high - b)
            m[high] += p[j] * (b - low)
    return m


@given(st.integers(0, 10**6), st.integers(2, 60), st.floats(0.1, 40))
@settings(max_examples=60, deadline=None)
def test_projection_is_that_of_the_paper(seed, n, reach):
    rng = np.random.default_rng(seed)
    support = np.linspace(-reach, reach / 2, n)
    p, returns = distributions(rng, 5, n), rng.normal(0, reach, (5, n))
    returns[0] = support  # atoms that lie on atoms stay
    got = project(torch.tensor(p), torch.tensor(returns), torch.tensor(support)).numpy()
    np.testing.assert_allclose(got, [projected(*rows, support) for rows in zip(p, returns, strict=True)], atol=1e-9)
    np.testing.assert_allclose(got[0], p[0], atol=1e-9)
    np.testing.assert_allclose(got.sum(1), 1)


def test_projection_keeps_the_mean_inside_the_support():
    rng = np.random.default_rng(0)
    support = np.linspace(-2, 3, 11)
    p, returns = distributions(rng, 8, 11), rng.uniform(-2, 3, (8, 11))
    got = project(torch.tensor(p), torch.tensor(returns), torch.tensor(support)).numpy()
    np.testing.assert_allclose(got @ support, (p * returns).sum(1))


def test_projection_by_hand():
    support = torch.tensor([0.0, 1.0, 2.0])
    p = torch.tensor([[0.2, 0.3, 0.5]])
    # returns 0.25, 5 (clipped to 2), 1.5
    got = project(p, torch.tensor([[0.25, 5.0, 1.5]]), support)
    torch.testing.assert_close(got, torch.tensor([[0.15, 0.05 + 0.25, 0.3 + 0.25]]))
    # a terminal state: every atom moves to the reward, 1.5
    returns = td_target(torch.tensor([1.5]), torch.tensor([0.9]), torch.tensor([0.0]), support[None])
    torch.testing.assert_close(project(p, returns, support), torch.tensor([[0.0, 0.5, 0.5]]))


def test_target_masks_terminal_states_only():
    r, d, c = torch.tensor([1.0, 1.0, 2.0]), torch.tensor([0.9, 0.81, 0.9]), torch.tensor([1.0, 1.0, 0.0])
    torch.testing.assert_close(td_target(r, d, c, torch.full((3,), 10.0)), torch.tensor([10.0, 9.1, 2.0]))
    atoms = torch.tensor([[10.0, 20.0]]).expand(3, 2)
    torch.testing.assert_close(td_target(r, d, c, atoms), torch.tensor([[10.0, 19.0], [9.1, 17.2], [2.0, 2.0]]))


def test_values_of_actions_are_picked_with_all_their_atoms():
    values = torch.arange(24.0).view(4, 3, 2)
    actions = torch.tensor([2, 0, 1, 1])
    assert torch.equal(of_action(values, actions), torch.stack([values[i, a] for i, a in enumerate(actions)]))


def test_quantile_huber_is_its_double_sum():
    rng = np.random.default_rng(0)
    theta, target = rng.normal(0, 2, (4, 5)), rng.normal(0, 2, (4, 5))
    expected = np.zeros(4)
    for b in range(4):
        for i in range(5):
            for j in range(5):
                u = target[b, j] - theta[b, i]
                huber = 0.5 * u * u if abs(u) <= 1 else abs(u) - 0.5
                expected[b] += abs((i + 0.5) / 5 - (u < 0)) * huber / 5
    np.testing.assert_allclose(quantile_huber(torch.tensor(theta), torch.tensor(target)).numpy(), expected)


def test_quantile_huber_is_least_at_the_quantiles_of_far_apart_outcomes():
    # two outcomes far apart: quantiles at 1/4 and 3/4 are the outcomes themselves, up to Huber's rounding
    target = torch.tensor([[-10.0, 30.0]], dtype=torch.float64)
    theta = torch.tensor([[0.0, 0.1]], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.SGD([theta], lr=0.5)
    for _ in range(400):
        optimiser.zero_grad()
        quantile_huber(theta, target).sum().backward()
        optimiser.step()
    # stationary: (1 - tau) L'(theta - low) = tau, so theta = low + tau / (1 - tau) for tau = 1/4, and mirrored
    np.testing.assert_allclose(theta.detach().numpy(), [[-10 + 1 / 3, 30 - 1 / 3]], atol=1e-6)


def test_kl_divergence_is_that_of_torch_and_its_gradient_that_of_cross_entropy():
    rng = np.random.default_rng(1)
    target = torch.tensor(distributions(rng, 6, 9))
    target[0] = torch.eye(9)[3]
    logits = torch.tensor(rng.normal(size=(6, 9)), requires_grad=True)
    divergence = kl_divergence(target, logits)
    for row in range(1, 6):
        p, q = (torch.distributions.Categorical(**kw) for kw in ({"probs": target[row]}, {"logits": logits[row]}))
        torch.testing.assert_close(divergence[row], torch.distributions.kl_divergence(p, q))
    torch.testing.assert_close(divergence[0], -logits.log_softmax(1)[0, 3])
    divergence.sum().backward()
    torch.testing.assert_close(logits.grad, logits.detach().softmax(1) - target)
    torch.testing.assert_close(kl_divergence(target[1:], target[1:].log()), torch.zeros(5, dtype=torch.float64))
