"""The path integral update against its formula, a Gaussian posterior and the optimum of a linear-quadratic problem."""

import numpy as np
import pytest

from rlsuite.agents.predictive.path_integral import correlated_noise, improved, path_weights, shifted
from tests.agents.predictive.linear_env import LinearEnv, optimum


def test_weights_are_the_formula():
    returns = np.array([1.0, 3.0, 2.0, -1.0])
    expected = np.exp(returns / (0.7 * returns.std()))
    np.testing.assert_allclose(path_weights(returns, 0.7), expected / expected.sum(), rtol=1e-13)


def test_weights_do_not_depend_on_the_unit_or_the_origin_of_rewards():
    returns = np.random.default_rng(0).normal(size=50)
    np.testing.assert_allclose(path_weights(1e6 * returns - 3e5, 0.3), path_weights(returns, 0.3), rtol=1e-8)


def test_weights_in_the_limits():
    assert path_weights(np.array([0.0, 5.0, 4.9]), 1e-9).tolist() == [0.0, 1.0, 0.0]
    assert path_weights(np.array([5.0, 5.0]), 0.0).tolist() == [0.5, 0.5]
    assert path_weights(np.array([2.0, np.nan, 2.0, -np.inf]), 1.0).tolist() == [0.5, 0.0, 0.5, 0.0]
    assert path_weights(np.array([np.nan, np.nan]), 1.0).tolist() == [0.5, 0.5]


def test_noise_is_standard_normal_and_correlated_as_said():
    noise = correlated_noise(np.random.default_rng(1), (40_000, 4, 2), 0.6)
    flat = noise.transpose(2, 0, 1).reshape(-1, 4)
    expected = 0.6 ** np.abs(np.subtract.outer(range(4), range(4)))
    np.testing.assert_allclose(flat.T @ flat / len(flat), expected, atol=5 * np.sqrt(2 / len(flat)))


def test_noise_without_smoothing_is_the_generators_own():
    expected = np.random.default_rng(2).standard_normal((3, 4, 5))
    np.testing.assert_array_equal(correlated_noise(np.random.default_rng(2), (3, 4, 5), 0.0), expected)


def test_the_update_is_the_mean_of_a_gaussian_posterior():
    """Of returns -(u - u*)ᵀ H (u - u*) / 2 the weights make the Gaussian of the noise another Gaussian, whose mean is
    (Σ⁻¹ + H / λ)⁻¹ (Σ⁻¹ μ + H u* / λ)."""
    rng, n, sigma, temperature = np.random.default_rng(3), 400_000, 0.5, 0.8
    H, best = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([0.8, -0.4])
    plan = np.array([[0.1], [0.2]])

    def simulate(actions):
        off = actions[:, :, 0] - best
        return np.stack((np.zeros(len(off)), -0.5 * np.einsum("ni,ij,nj->n", off, H, off)), axis=1)

    noise = sigma * rng.standard_normal((n, 2, 1))
    bounds = np.full(1, np.inf)
    new, returns = improved(plan, noise, simulate, -bounds, bounds, gamma=1.0, temperature=temperature)
    precision, curvature = np.eye(2) / sigma**2, H / (temperature * returns.std())
    expected = np.linalg.solve(precision + curvature, precision @ plan[:, 0] + curvature @ best)
    np.testing.assert_allclose(new[:, 0], expected, atol=0.005)


def test_candidates_are_clipped_and_the_first_is_the_plan_itself():
    seen = []

    def simulate(actions):
        seen.append(actions)
        return np.zeros(actions.shape[:2])

    plan, noise = np.zeros((2, 1)), np.full((3, 2, 1), 5.0)
    improved(plan, noise, simulate, np.array([-1.0]), np.array([2.0]), gamma=1.0, temperature=1.0)
    np.testing.assert_array_equal(seen[0][:, 0, 0], [0.0, 2.0, 2.0])


def test_rewards_are_discounted():
    rewards = np.array([[1.0, 2.0, 4.0]])
    _, returns = improved(
        np.zeros((3, 1)), np.zeros((1, 3, 1)), lambda _: rewards, -np.ones(1), np.ones(1), gamma=0.5, temperature=1.0
    )
    assert returns.tolist() == [1.0 + 0.5 * 2.0 + 0.25 * 4.0]


def test_a_plan_is_shifted_by_one_step():
    assert shifted(np.array([[1.0], [2.0], [3.0]])).tolist() == [[2.0], [3.0], [3.0]]


@pytest.fixture(scope="module")
def excess():
    """Cost above the optimum, as a share of it, of the plans made with few and with many samples (eight seeds each)."""
    env, x, horizon = LinearEnv(), np.array([1.0, 0.0]), 10
    least, _ = optimum(x, horizon)
    low, high = env.action_space.low, env.action_space.high

    def of(samples, seed):
        rng, plan = np.random.default_rng(seed), np.zeros((horizon, 1))
        for k in range(30):
            noise = 3.0 * 0.9**k * correlated_noise(rng, (samples, horizon, 1), 0.0)
            plan, _ = improved(
                plan, noise, lambda actions: env.simulate(x, actions), low, high, gamma=1.0, temperature=0.3
            )
        return -env.simulate(x, plan[None]).sum() / least - 1.0

    return {n: np.array([of(n, seed) for seed in range(8)]) for n in (16, 128, 2048)}


def test_plans_approach_the_optimum_of_a_linear_quadratic_problem(excess):
    means = {n: values.mean() for n, values in excess.items()}
    assert means[16] > means[128] > means[2048]
    assert means[2048] < 1e-3


def test_no_plan_beats_the_riccati_optimum(excess):
    env, x = LinearEnv(), np.array([1.0, 0.0])
    least, actions = optimum(x, 10)
    assert -env.simulate(x, actions[None]).sum() == pytest.approx(least, rel=1e-12)
    assert all((values > -1e-12).all() for values in excess.values())
