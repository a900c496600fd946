"""The textbook problems against their closed forms and published values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlsuite.envs import make_env
from rlsuite.envs.finite.car_rental import location
from rlsuite.errors import InvalidEnvironmentError
from tests.envs.finite.oracles import mdp_of, optimal_values


def policy_values(mdp, policy, gamma=1.0):
    """State values of a policy given by (n_states, n_actions) probabilities, by a linear solve."""
    reward = (policy * mdp.expected_reward).sum(axis=1)
    continuation = mdp.continuation.toarray().reshape(mdp.n_states, mdp.n_actions, mdp.n_states)
    return np.linalg.solve(np.eye(mdp.n_states) - gamma * np.einsum("sa,sat->st", policy, continuation), reward)


def test_random_walk_5_true_values():
    """Sutton & Barto, example 6.2: 1/6 … 5/6."""
    mdp = mdp_of("rlsuite/RandomWalk5-v0")
    values = policy_values(mdp, np.ones((7, 1)))
    np.testing.assert_allclose(values[1:-1], np.arange(1, 6) / 6)
    assert mdp.initial[3] == 1


def test_random_walk_19_true_values():
    """Sutton & Barto, example 7.1: -1 on the left, +1 on the right, hence -0.9 … 0.9."""
    mdp = mdp_of("rlsuite/RandomWalk19-v0")
    values = policy_values(mdp, np.ones((21, 1)))
    np.testing.assert_allclose(values[1:-1], np.arange(-9, 10) / 10, atol=1e-12)
    assert mdp.initial[10] == 1


def test_five_by_five_gridworld():
    """Sutton & Barto, figures 3.2 and 3.5 (gamma 0.9), top rows as printed."""
    mdp = mdp_of("rlsuite/SuttonBartoGridWorld5x5-v0")
    uniform = policy_values(mdp, np.full((25, 4), 0.25), gamma=0.9)
    np.testing.assert_allclose(uniform[:5], [3.3, 8.8, 4.4, 5.3, 1.5], atol=0.05)
    np.testing.assert_allclose(optimal_values(mdp, 0.9)[:5], [22.0, 24.4, 22.0, 19.4, 17.5], atol=0.051)


def test_gambler_at_the_quarters():
    """p = 0.4: bold play is optimal, so V(50) = p, V(25) = p^2, V(75) = p + (1 - p) p."""
    values = optimal_values(mdp_of("rlsuite/Gambler-v0"))
    assert values[[25, 50, 75]] == pytest.approx([0.16, 0.4, 0.64])
    assert values[[0, 100]] == pytest.approx([0.0, 0.0])


@given(a=st.integers(0, 49), s=st.integers(1, 99))
def test_gambler_stakes_are_clipped(a, s):
    mdp = GAMBLER
    first = mdp.offset[s * 50 + a]
    stake = min(a + 1, s, 100 - s)
    assert mdp.next_state[first : first + 2].tolist() == [s + stake, s - stake]
    assert mdp.reward[first : first + 2].tolist() == [float(s + stake == 100), 0.0]


GAMBLER = mdp_of("rlsuite/Gambler-v0")


def test_gambler_with_a_fair_coin_wins_in_proportion_to_the_capital():
    values = optimal_values(mdp_of("rlsuite/Gambler-v0", p_heads=0.5))
    np.testing.assert_allclose(values[1:-1], np.arange(1, 100) / 100, atol=1e-9)


def test_gambler_starts_where_told():
    assert make_env("rlsuite/Gambler-v0", start=37).reset(seed=0)[0] == 37
    with pytest.raises(InvalidEnvironmentError, match=r"capital of 1…99"):
        make_env("rlsuite/Gambler-v0", start=100)
    with pytest.raises(InvalidEnvironmentError, match="p_heads"):
        make_env("rlsuite/Gambler-v0", p_heads=-0.1)


def test_jacks_car_rental_values():
    """gamma 0.9, no truncation of the Poisson distributions: V(0, 0) = 421.4, V(20, 20) = 637.0."""
    values = optimal_values(mdp_of("rlsuite/JacksCarRental-v0"), gamma=0.9, tolerance=1e-3)
    assert values[[0, 440]] == pytest.approx([421.4, 637.0], abs=0.06)


def test_one_day_of_one_location():
    """With 20 cars in the morning and the first location's rates, against sums over requests and returns up to 60."""
    probability, rentals = location(3.0, 3.0)

    def pmf(k):
        return math.exp(-3.0) * 3.0**k / math.factorial(k)

    for morning in (0, 2, 20):
        by_hand = np.zeros(21)
        rented_by_hand = np.zeros(21)
        for requests in range(60):
            for returns in range(60):
                rented = min(morning, requests)
                evening = min(20, morning - rented + returns)
                by_hand[evening] += pmf(requests) * pmf(returns)
                rented_by_hand[evening] += rented * pmf(requests) * pmf(returns)
        np.testing.assert_allclose(probability[morning], by_hand, atol=1e-14)
        np.testing.assert_allclose(probability[morning] * rentals[morning], rented_by_hand, atol=1e-13)


def test_jacks_moves_are_limited_by_the_cars_there_are():
    """From (2, 20), moving 5 from the first place moves 2; from (20, 0), the other way moves none."""
    mdp = mdp_of("rlsuite/JacksCarRental-v0")
    np.testing.assert_array_equal(mdp.expected_reward[2 * 21 + 20, 10], mdp.expected_reward[2 * 21 + 20, 7])
    np.testing.assert_array_equal(mdp.expected_reward[20 * 21, 0], mdp.expected_reward[20 * 21, 5])


def test_maximization_bias_rewards_have_the_moments_of_the_normal_distribution():
    mdp = mdp_of("rlsuite/MaximizationBias-v0", n_rewards=15)
    low, high = mdp.offset[10], mdp.offset[11]
    p, x = mdp.probability[low:high], mdp.reward[low:high] + 0.1
    for order, moment in enumerate([1, 0, 1, 0, 3, 0, 15, 0, 105]):
        assert (p * x**order).sum() == pytest.approx(moment, abs=1e-9)
    np.testing.assert_allclose(p, p[::-1], atol=1e-15)
    assert mdp.expected_reward[1] == pytest.approx([-0.1] * 10)


def test_maximization_bias_explores_left_half_of_the_time():
    mdp = mdp_of("rlsuite/MaximizationBias-v0", n_actions=6)
    goes_left = mdp.next_state[mdp.offset[:6]] == 1
    assert goes_left.mean() == 0.5
    assert optimal_values(mdp)[0] == 0.0
    with pytest.raises(InvalidEnvironmentError, match="even"):
        make_env("rlsuite/MaximizationBias-v0", n_actions=5)


def corridor_value(p):
    mdp = mdp_of("rlsuite/ShortCorridor-v0")
    policy = np.tile([1.0 - p, p], (4, 1))
    policy[3] = [1.0, 0.0]
    return policy_values(mdp, policy)[0]


@given(p=st.floats(0.01, 0.99))
def test_short_corridor_closed_form(p):
    """v(S) = (2p - 4) / (p (1 - p)), from the three Bellman equations."""
    assert corridor_value(p) == pytest.approx((2 * p - 4) / (p * (1 - p)))


def test_short_corridor_published_values():
    """Sutton & Barto, example 13.1: best p about 0.59 at -11.6; epsilon-greedy left and right -82 and -44."""
    best = 2 - math.sqrt(2)
    assert corridor_value(best) == pytest.approx(-6 - 4 * math.sqrt(2))
    assert corridor_value(best) > max(corridor_value(best - 0.01), corridor_value(best + 0.01))
    assert [corridor_value(0.05), corridor_value(0.95)] == pytest.approx([-82.1, -44.2], abs=0.05)
    assert mdp_of("rlsuite/ShortCorridor-v0").n_observations == 1


@pytest.mark.parametrize("n_states", [0, 4, 2.0])
def test_random_walk_needs_a_middle(n_states):
    with pytest.raises(InvalidEnvironmentError, match="odd positive integer"):
        make_env("rlsuite/RandomWalk5-v0", n_states=n_states)
