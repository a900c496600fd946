"""GAE and returns against their definitions, episode by episode, and in closed form at lambda 0 and 1."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlsuite.agents.deep.advantages import explained_variance, gae, n_step_returns, td_errors


def random_rollout(seed, steps=23, envs=3, next_step=False):
    """Rewards, values, values of the true successors, terminated, truncated, valid.

    ``next_step``: the row after the end of an episode is no transition, as in Gymnasium's NEXT_STEP mode.
    """
    rng = np.random.default_rng(seed)
    rewards, values, next_values = rng.standard_normal((3, steps, envs))
    terminated, truncated = rng.random((2, steps, envs)) < 0.12
    valid = np.ones((steps, envs), bool)
    if next_step:
        for t in range(steps - 1):
            valid[t + 1] = ~(valid[t] & (terminated[t] | truncated[t]))
        for array in (rewards, terminated, truncated):
            array[~valid] = 0
    for t in range(steps - 1):  # within an episode the successor is the next row's observation
        within = ~(terminated[t] | truncated[t]) & valid[t]
        next_values[t, within] = values[t + 1, within]
    return rewards, values, next_values, terminated, truncated, valid


def episodes(terminated, truncated, valid):
    """``(environment, first row, row after the last)`` of every piece of an episode."""
    for i in range(terminated.shape[1]):
        first = None
        for t in range(len(terminated)):
            if valid[t, i]:
                first = t if first is None else first
                if terminated[t, i] or truncated[t, i]:
                    yield i, first, t + 1
                    first = None
        if first is not None:
            yield i, first, len(terminated)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.booleans(), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_gae_is_the_sum_of_its_definition(seed, next_step, gamma, lam):
    rewards, values, next_values, terminated, truncated, valid = random_rollout(seed, next_step=next_step)
    expected = np.zeros_like(rewards)
    for i, first, end in episodes(terminated, truncated, valid):
        delta = [
            rewards[t, i] + (0.0 if terminated[t, i] else gamma * next_values[t, i]) - values[t, i]
            for t in range(first, end)
        ]
        for t in range(first, end):
            expected[t, i] = sum((gamma * lam) ** k * d for k, d in enumerate(delta[t - first :]))
    result = gae(rewards, values, next_values, terminated, truncated, valid, gamma, lam)
    np.testing.assert_allclose(result, expected, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.booleans(), st.floats(0.0, 1.0), st.sampled_from([1, 2, 3, 7, 50, None]))
def test_n_step_returns_are_the_sum_of_their_definition(seed, next_step, gamma, n):
    rewards, _, next_values, terminated, truncated, valid = random_rollout(seed, next_step=next_step)
    expected = np.zeros_like(rewards)
    for i, first, end in episodes(terminated, truncated, valid):
        for t in range(first, end):
            last = min(end, t + (n or end)) - 1
            expected[t, i] = sum(gamma ** (k - t) * rewards[k, i] for k in range(t, last + 1))
            if not terminated[last, i]:
                expected[t, i] += gamma ** (last + 1 - t) * next_values[last, i]
    result = n_step_returns(rewards, next_values, terminated, truncated, valid, gamma, n)
    np.testing.assert_allclose(result, expected, atol=1e-12)


@pytest.mark.parametrize("next_step", [False, True])
def test_closed_forms_at_lambda_0_and_1(next_step):
    rewards, values, next_values, terminated, truncated, valid = random_rollout(3, next_step=next_step)
    rest = (terminated, truncated, valid, 0.9)
    td = np.where(valid, td_errors(rewards, values, next_values, terminated, 0.9), 0.0)
    np.testing.assert_array_equal(gae(rewards, values, next_values, *rest, 0.0), td)
    monte_carlo = n_step_returns(rewards, next_values, *rest)
    result = gae(rewards, values, next_values, *rest, 1.0)
    np.testing.assert_allclose(result, np.where(valid, monte_carlo - values, 0.0), atol=1e-12)


def test_only_a_truncated_episode_has_a_value_behind_it():
    ones, flag, no = np.ones((1, 1)), np.ones((1, 1), bool), np.zeros((1, 1), bool)
    for lam in (0.0, 0.5, 1.0):
        assert gae(ones, 0 * ones, 8 * ones, no, flag, flag, 0.5, lam) == 5.0
        assert gae(ones, 0 * ones, 8 * ones, flag, no, flag, 0.5, lam) == 1.0
        assert gae(ones, 0 * ones, 8 * ones, flag, flag, flag, 0.5, lam) == 1.0


def test_explained_variance():
    returns = np.array([1.0, 2.0, 6.0])
    assert explained_variance(returns, returns) == 1.0
    assert explained_variance(np.full(3, 5.0), returns) == pytest.approx(0.0)
    assert explained_variance(returns, np.ones(3)) == 0.0
