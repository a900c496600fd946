"""Algorithms that are special cases of one another give the same tables from the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from rlsuite.agents.registry import agent_class
from rlsuite.agents.tabular.interaction import begin, observe
from tests.agents.small_mdps import random_mdp, random_walk

STOCHASTIC = random_mdp(3, n_states=8)


def learned(name: str, steps: int = 3000, **hyperparameters) -> np.ndarray:
    cls = agent_class(name)
    options = {"gamma": 0.9, "alpha": 0.3} | hyperparameters
    agent = cls(mdp=STOCHASTIC, seed=11, time_limit=13, **options).learn(steps)
    return agent.state_values if cls.kind == "prediction" else agent.action_values


@pytest.mark.parametrize(
    ("special", "options", "general"),
    [
        ("n-step-td", {"n": 1}, "td"),
        ("td-lambda", {"lambda_": 0.0}, "td"),
        ("td-lambda", {"lambda_": 0.0, "trace": "replacing"}, "td"),
        ("n-step-sarsa", {"n": 1}, "sarsa"),
        ("sarsa-lambda", {"lambda_": 0.0}, "sarsa"),
        ("sarsa-lambda", {"lambda_": 0.0, "trace": "replacing"}, "sarsa"),
        ("q-lambda", {"lambda_": 0.0}, "q-learning"),
        ("tree-backup", {"n": 1}, "q-learning"),
        ("tree-backup", {"n": 1, "target": "behaviour"}, "expected-sarsa"),
        ("dyna-q", {"planning_steps": 0}, "q-learning"),
        ("dyna-q-plus", {"planning_steps": 0}, "q-learning"),
    ],
)
@pytest.mark.parametrize("alpha_power", [0.0, 0.7])
def test_special_case_is_bit_identical(special, options, general, alpha_power):
    expected = learned(general, alpha_power=alpha_power)
    assert np.count_nonzero(expected) > expected.size / 2
    np.testing.assert_array_equal(learned(special, alpha_power=alpha_power, **options), expected)


@pytest.mark.parametrize(("special", "general"), [("td-lambda", "td"), ("sarsa-lambda", "sarsa")])
def test_true_online_at_lambda_zero_is_the_one_step_method(special, general):
    # equal up to rounding only: where a state follows itself, (delta + v - v_old) alpha - (v - v_old) alpha remains
    expected = learned(general, steps=500)
    np.testing.assert_allclose(learned(special, steps=500, lambda_=0.0, trace="dutch"), expected, atol=1e-10)


@pytest.mark.parametrize("rule", ["epsilon-greedy", "softmax"])
def test_expected_sarsa_is_q_learning_when_the_behaviour_is_greedy(rule):
    options = {"epsilon": 0.0} if rule == "epsilon-greedy" else {"temperature": 1e-9}
    q = learned("q-learning", exploration=rule, initial_value=5.0, **options)
    np.testing.assert_allclose(learned("expected-sarsa", exploration=rule, initial_value=5.0, **options), q, atol=1e-9)


# -- the forward view of TD(lambda), written naively ----------------------------------------------------------------

GAMMA, LAMBDA, ALPHA = 0.9, 0.7, 0.3


def episode(walk_seed: int) -> tuple[list[int], list[float]]:
    """States visited and rewards of one random walk over 7 states (it comes back to states many times)."""
    rng, s = np.random.default_rng(walk_seed), 3
    states, rewards = [], []
    while 0 <= s < 7:
        states.append(s)
        s += 1 if rng.random() < 0.5 else -1
        rewards.append(float(rng.normal()))
    return states, rewards


def drive(agent, states: list[int], rewards: list[float], *, truncated_in: int | None = None) -> None:
    """Feed one episode to the agent's update rule."""
    rng = np.random.default_rng(0)
    begin(agent.memory, states[0], rng)
    for t, (s, r) in enumerate(zip(states, rewards, strict=True)):
        last = t == len(states) - 1
        cut = last and truncated_in is not None
        s_next = states[t + 1] if not last else (truncated_in if truncated_in is not None else 0)
        observe(agent.memory, s, 0, r, s_next, last and not cut, cut, rng)


def interim_lambda_return(v, states, rewards, t, horizon, end_value):
    """G^lambda_{t:h} (eq. 12.18) with v at the states of times t+1 … h; ``end_value`` is that of the state at h."""

    def n_step(n):
        bootstrap = end_value if t + n == horizon else v[states[t + n]]
        return sum(GAMMA**k * rewards[t + k] for k in range(n)) + GAMMA**n * bootstrap

    total = LAMBDA ** (horizon - t - 1) * n_step(horizon - t)
    return total + (1 - LAMBDA) * sum(LAMBDA ** (n - 1) * n_step(n) for n in range(1, horizon - t))


def online_lambda_return_algorithm(v0, states, rewards, end_value, alphas):
    """The algorithm of sec. 12.4: at every horizon all updates are made again from the start of the episode.

    For values of pairs, ``states`` are pairs. The n-step return inside the update at time t looks up the weights of time
    t + n - 1, those of earlier horizons.
    """
    weights = [v0]  # weights[h] after processing horizon h
    for horizon in range(1, len(states) + 1):
        v = v0.copy()
        for t in range(horizon):
            total = 0.0
            for n in range(1, horizon - t + 1):
                at_end = t + n == len(states)
                bootstrap = end_value(weights[t + n - 1]) if at_end else weights[t + n - 1][states[t + n]]
                g = sum(GAMMA**k * rewards[t + k] for k in range(n)) + GAMMA**n * bootstrap
                total += (LAMBDA ** (n - 1)) * (1.0 if t + n == horizon else 1 - LAMBDA) * g
            v[states[t]] += alphas[t] * (total - v[states[t]])
        weights.append(v)
    return weights[-1]


@pytest.mark.parametrize("truncated", [False, True])
@pytest.mark.parametrize("alpha_power", [0.0, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_true_online_td_lambda_is_the_online_lambda_return_algorithm(seed, alpha_power, truncated):
    states, rewards = episode(seed)
    states, rewards = states[:40], rewards[:40]
    agent = agent_class("td-lambda")(
        mdp=random_walk(7), seed=0, gamma=GAMMA, lambda_=LAMBDA, alpha=ALPHA, alpha_power=alpha_power, trace="dutch"
    )
    v0 = np.linspace(-1.0, 1.0, 7)
    agent.memory.v[...] = v0
    drive(agent, states, rewards, truncated_in=5 if truncated else None)
    visits = [states[: t + 1].count(s) for t, s in enumerate(states)]
    alphas = [ALPHA / n**alpha_power for n in visits]
    end_value = (lambda w: w[5]) if truncated else (lambda w: 0.0)
    expected = online_lambda_return_algorithm(v0, states, rewards, end_value, alphas)
    # traces below 1e-10 are dropped; forty steps of them move a value by less than 1e-8
    np.testing.assert_allclose(agent.state_values, expected, atol=1e-8)


@pytest.mark.parametrize("truncated", [False, True])
@pytest.mark.parametrize("alpha_power", [0.0, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_true_online_sarsa_lambda_is_the_online_lambda_return_algorithm(seed, alpha_power, truncated):
    states, rewards = (steps[:40] for steps in episode(seed))
    agent = agent_class("sarsa-lambda")(
        mdp=random_walk(7),
        gamma=GAMMA,
        lambda_=LAMBDA,
        alpha=ALPHA,
        alpha_power=alpha_power,
        trace="dutch",
        epsilon=0.5,
    )
    q0 = np.linspace(-1.0, 1.0, 14)
    agent.memory.q[...] = q0.reshape(7, 2)
    rng = np.random.default_rng(seed)
    actions = [begin(agent.memory, states[0], rng)]
    for t, (s, r) in enumerate(zip(states, rewards, strict=True)):
        last = t == len(states) - 1
        s_next = 5 if last else states[t + 1]  # the action drawn there ends the target of a truncated episode
        ends = (last and not truncated, last and truncated)
        actions.append(observe(agent.memory, s, actions[t], r, s_next, *ends, rng))
    assert len(set(actions[:-1])) == 2
    pairs = [2 * s + a for s, a in zip([*states, 5], actions, strict=True)]
    alphas = [ALPHA / pairs[: t + 1].count(pairs[t]) ** alpha_power for t in range(len(states))]
    end_value = (lambda w: w[pairs[-1]]) if truncated else (lambda w: 0.0)
    expected = online_lambda_return_algorithm(q0, pairs[:-1], rewards, end_value, alphas)
    # as above: traces below 1e-10 are dropped
    np.testing.assert_allclose(agent.action_values.ravel(), expected, atol=1e-8)


def test_td_lambda_approaches_the_offline_lambda_return_as_alpha_shrinks():
    states, rewards = episode(1)
    v0, alpha = np.zeros(7), 1e-6
    agent = agent_class("td-lambda")(mdp=random_walk(7), seed=0, gamma=GAMMA, lambda_=LAMBDA, alpha=alpha)
    drive(agent, states, rewards)
    expected = np.zeros(7)
    for t in range(len(states)):
        expected[states[t]] += interim_lambda_return(v0, states, rewards, t, len(states), 0.0) - v0[states[t]]
    # the two differ by O(alpha) relative to the update: within an episode the online values move by alpha each step
    np.testing.assert_allclose(agent.state_values / alpha, expected, atol=1e-3)


def test_td_lambda_one_makes_monte_carlos_updates():
    states, rewards = episode(2)
    alpha = 1e-6
    agent = agent_class("td-lambda")(mdp=random_walk(7), seed=0, gamma=GAMMA, lambda_=1.0, alpha=alpha)
    drive(agent, states, rewards)
    expected = np.zeros(7)
    for t, s in enumerate(states):  # every-visit Monte Carlo
        expected[s] += sum(GAMMA**k * r for k, r in enumerate(rewards[t:]))
    np.testing.assert_allclose(agent.state_values / alpha, expected, atol=1e-3)


def test_n_step_td_beyond_the_episode_is_monte_carlo():
    states, rewards = episode(0)
    agent = agent_class("n-step-td")(mdp=random_walk(7), seed=0, gamma=GAMMA, n=1000, alpha=ALPHA)
    drive(agent, states, rewards)
    expected = np.zeros(7)
    for t, s in enumerate(states):
        g = sum(GAMMA**k * r for k, r in enumerate(rewards[t:]))
        expected[s] += ALPHA * (g - expected[s])
    np.testing.assert_allclose(agent.state_values, expected, rtol=1e-12)
