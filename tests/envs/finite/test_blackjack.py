"""Blackjack's built dynamics against the published values and against Gymnasium's game itself."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from rlsuite.agents.tabular.dynamic_programming import policy_iteration
from rlsuite.agents.tabular.evaluation import discounted_values, finite_horizon_value
from rlsuite.envs.finite.blackjack import CARDS, HIT, STICK, dealer_scores
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.envs.finite.spaces import DiscreteIndex

RULES = [{"sab": True}, {"sab": False}, {"sab": False, "natural": True}]


def read(rules):
    env = gym.make("Blackjack-v1", **rules)
    return env, FiniteMDP.from_env(env), DiscreteIndex(env.observation_space)


def stick_from(index, threshold):
    """Stick on ``threshold`` or more (Sutton & Barto's example policy has 20)."""
    policy = np.zeros((index.n, 2))
    sums = np.array([index.value(o)[0] for o in range(index.n)])
    policy[sums >= threshold, STICK] = 1.0
    policy[sums < threshold, HIT] = 1.0
    return policy


@pytest.mark.parametrize("rules", RULES)
def test_value_of_example_5_4(rules):
    """Dealer shows a deuce, the player has 13 with a usable ace, sticks on 20 and 21: -0.27720 (example 5.4)."""
    _, mdp, index = read(rules)
    values = discounted_values(mdp, stick_from(index, 20), 1.0)
    assert values[index.index((13, 2, 1))] == pytest.approx(-0.27720, abs=5e-6)


@pytest.mark.parametrize(("rules", "value"), list(zip(RULES, [-0.0431, -0.0466, -0.0257], strict=True)))
def test_optimal_value_of_the_game(rules, value):
    _, mdp, _ = read(rules)
    solution = policy_iteration(mdp, 1.0)
    assert mdp.initial @ solution.values == pytest.approx(value, abs=5e-5)


@pytest.mark.parametrize("rules", RULES)
def test_optimal_policy_of_figure_5_2(rules):
    _, mdp, index = read(rules)
    action = policy_iteration(mdp, 1.0).policy.argmax(axis=1)

    def first_stick(dealer, usable):
        sums = range(12 if usable else 4, 22)
        return min(total for total in sums if action[index.index((total, dealer, usable))] == STICK)

    assert [first_stick(d, 0) for d in range(1, 11)] == [17, 13, 13, 12, 12, 12, 17, 17, 17, 17]
    assert [first_stick(d, 1) for d in range(1, 11)] == [19, 18, 18, 18, 18, 18, 18, 18, 19, 19]


def test_dealers_scores_are_distributions():
    for card, _ in CARDS:
        scores = dealer_scores((11, True) if card == 1 else (card, False), 1)
        assert sum(scores.values()) == pytest.approx(1.0, abs=1e-12)
        assert set(scores) <= {0, 17, 18, 19, 20, 21, 22}
        assert (22 in scores) == (card in (1, 10))


def test_naturals_are_dealt_as_often_as_they_should_be():
    _, mdp, index = read({"sab": True})
    naturals = mdp.initial[index.n :]
    assert naturals.sum() == pytest.approx(2 * (1 / 13) * (4 / 13), abs=1e-12)
    np.testing.assert_array_equal(mdp.observation[index.n :], [index.index((21, d, 1)) for d in range(1, 11)])


@pytest.mark.parametrize("rules", RULES)
def test_gymnasiums_game_pays_what_the_model_says(rules):
    """Mean return of 20 000 real games within 4 standard errors, for a policy that meets every kind of outcome."""
    env, mdp, index = read(rules)
    policy = stick_from(index, 17)
    base, n = env.unwrapped, 20_000
    base.reset(seed=123)
    returns = np.empty(n)
    for i in range(n):
        observation, _ = base.reset()
        terminated = False
        while not terminated:
            observation, reward, terminated, _, _ = base.step(int(policy[index.index(observation)].argmax()))
        returns[i] = reward
    exact = finite_horizon_value(mdp, policy, 100)
    assert abs(returns.mean() - exact) < 4 * returns.std() / np.sqrt(n)


@pytest.mark.parametrize("rules", RULES)
def test_steps_of_gymnasiums_game_are_outcomes_of_the_model(rules):
    """Every observed (observation, action, next observation, reward, end) has positive probability."""
    env, mdp, index = read(rules)
    possible = set()
    for j in range(mdp.probability.size):
        s, a = divmod(int(mdp.pair[j]), 2)
        seen = mdp.observation[mdp.next_state[j]] if a == HIT else mdp.observation[s]
        possible.add((int(mdp.observation[s]), a, int(seen), float(mdp.reward[j]), bool(mdp.terminated[j])))
    base, rng = env.unwrapped, np.random.default_rng(5)
    base.reset(seed=5)
    for _ in range(3000):
        before, terminated = index.index(base.reset()[0]), False
        while not terminated:
            a = int(rng.integers(2))
            observation, reward, terminated, _, _ = base.step(a)
            after = index.index(observation)
            assert (before, a, after, reward, terminated) in possible
            before = after
