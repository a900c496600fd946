"""Learners reach the values that linear algebra gives, with step sizes that meet the Robbins-Monro conditions."""

from __future__ import annotations

import numpy as np
import pytest

from rlsuite.agents.registry import agent_class
from rlsuite.agents.tabular.prediction import PredictionAgent
from rlsuite.errors import HyperparameterError
from tests.agents.small_mdps import optimal_action_values, policy_values, random_mdp, random_walk

GAMMA = 0.8
# Rewards have deviation about 1 and gamma = 0.8, so values have deviation of about 2 around them; with a step size of
# n^-0.8 after some 20 000 updates of each entry (300 000 steps, 15 entries) noise is about 2 n^-0.4 = 0.04. Mean error
# over the table is asked to be within that.
STEPS, TOLERANCE = 300_000, 0.04
ROBBINS_MONRO = {"gamma": GAMMA, "alpha": 1.0, "alpha_power": 0.8}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("td", {}),
        ("n-step-td", {"n": 4}),
        ("td-lambda", {"lambda_": 0.5}),
        ("td-lambda", {"lambda_": 0.5, "trace": "replacing"}),
        ("td-lambda", {"lambda_": 0.5, "trace": "dutch"}),
    ],
)
def test_prediction_converges_to_the_value_of_the_policy(name, options, seed):
    mdp = random_mdp(seed)
    policy = np.random.default_rng(seed).dirichlet(np.ones(mdp.n_actions), mdp.n_states)
    # no time limit: a truncated episode is not biased, since its last target bootstraps (test below)
    agent = agent_class(name)(mdp=mdp, seed=seed, policy=policy, **ROBBINS_MONRO, **options).learn(STEPS)
    assert np.abs(agent.state_values - policy_values(mdp, policy, GAMMA)).mean() < TOLERANCE


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("q-learning", {}),
        ("double-q-learning", {}),
        ("tree-backup", {"n": 3}),
        ("q-lambda", {"lambda_": 0.5}),
        ("dyna-q", {"planning_steps": 2, "outcomes": 1000}),
    ],
)
def test_off_policy_control_converges_to_the_optimum(name, options, seed):
    mdp = random_mdp(seed)
    agent = agent_class(name)(mdp=mdp, seed=seed, epsilon=0.5, time_limit=50, **ROBBINS_MONRO, **options).learn(STEPS)
    assert np.abs(agent.action_values - optimal_action_values(mdp, GAMMA)).mean() < 2 * TOLERANCE


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sarsa", {}),
        ("expected-sarsa", {}),
        ("n-step-sarsa", {"n": 3}),
        ("sarsa-lambda", {"lambda_": 0.5}),
        ("sarsa-lambda", {"lambda_": 0.5, "trace": "replacing"}),
        ("sarsa-lambda", {"lambda_": 0.5, "trace": "dutch"}),
        ("tree-backup", {"n": 3, "target": "behaviour"}),
    ],
)
def test_on_policy_control_evaluates_the_uniform_policy_when_epsilon_is_one(name, options, seed):
    mdp = random_mdp(seed)
    agent = agent_class(name)(mdp=mdp, seed=seed, epsilon=1.0, time_limit=50, **ROBBINS_MONRO, **options).learn(STEPS)
    v = policy_values(mdp, np.full((mdp.n_states, mdp.n_actions), 1 / mdp.n_actions), GAMMA)
    q = mdp.expected_reward + GAMMA * (mdp.continuation @ v).reshape(mdp.n_states, mdp.n_actions)
    assert np.abs(agent.action_values - q).mean() < 2 * TOLERANCE


@pytest.mark.parametrize("name", ["sarsa", "expected-sarsa", "q-learning", "sarsa-lambda", "n-step-sarsa"])
def test_control_learns_a_nearly_optimal_policy_as_exploration_fades(name):
    mdp = random_mdp(4)
    agent = agent_class(name)(
        mdp=mdp, seed=0, epsilon=1.0, epsilon_decay="exponential", epsilon_final=0.01, epsilon_decay_steps=STEPS,
        time_limit=50, **ROBBINS_MONRO,
    ).learn(STEPS)  # fmt: skip
    best = optimal_action_values(mdp, GAMMA).max(axis=1)
    uniform = policy_values(mdp, np.full((mdp.n_states, mdp.n_actions), 1 / mdp.n_actions), GAMMA)
    loss = best - policy_values(mdp, agent.target_policy(), GAMMA)
    assert loss.mean() < 0.05 * (best - uniform).mean()


@pytest.mark.parametrize(
    "name", ["td", "n-step-td", "td-lambda", "sarsa", "expected-sarsa", "q-learning", "n-step-sarsa", "tree-backup"]
)
def test_a_time_limit_does_not_bias_values(name):
    """A walk cut off after two steps has the values of the whole walk, because its targets bootstrap."""
    mdp = random_walk(5)
    # every state must be a start: from the middle, two steps never reach an end
    mdp = type(mdp).from_transitions(mdp.to_transitions(), np.full(5, 0.2))
    agent = agent_class(name)(
        mdp=mdp, seed=0, gamma=1.0, alpha=1.0, alpha_power=0.7, time_limit=2,
        **({} if name in ("td", "n-step-td", "td-lambda") else {"epsilon": 1.0}),
    ).learn(STEPS)  # fmt: skip
    truth = np.arange(1, 6) / 6
    if isinstance(agent, PredictionAgent):
        np.testing.assert_allclose(agent.state_values, truth, atol=0.03)
    elif name in ("q-learning", "tree-backup"):
        np.testing.assert_allclose(agent.action_values.max(axis=1), 1.0, atol=0.03)
    else:
        np.testing.assert_allclose(agent.action_values.mean(axis=1), truth, atol=0.03)


def test_optimistic_values_explore_without_epsilon():
    """Greedy from above, every action is tried everywhere; from below, the first action tried is kept for ever."""
    mdp = random_mdp(5, n_states=6)
    options = {"gamma": GAMMA, "alpha": 0.1, "epsilon": 0.0, "time_limit": 20}
    above = agent_class("q-learning")(mdp=mdp, seed=0, initial_value=50.0, **options).learn(20_000)
    assert (above.action_values != 50.0).all()
    below = agent_class("q-learning")(mdp=mdp, seed=0, initial_value=-50.0, **options).learn(20_000)
    assert ((below.action_values != -50.0).sum(axis=1) == 1).all()


def test_prediction_acts_by_the_policy_it_is_given(tmp_path):
    policy = np.array([[0.0, 1.0]] * 3 + [[1.0, 0.0]] * 2)
    agent = agent_class("td")(mdp=random_walk(5), seed=1, policy=policy, time_limit=30).learn(300)
    assert agent.visits[[0, 1]].sum() == 0  # from 2 right to 3, from 3 left to 2, for ever
    assert [agent.predict(s)[0] for s in range(5)] == [1, 1, 1, 0, 0]
    loaded = agent_class("td").load(agent.save(tmp_path / "td"), mdp=random_walk(5))
    np.testing.assert_array_equal(loaded.target_policy(), policy)
    np.testing.assert_array_equal(loaded.learn(200).state_values, agent.learn(200).state_values)


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (np.full((4, 2), 0.5), r"shape \(4, 2\); this environment needs \(5, 2\)"),
        (np.full((5, 2), 0.6), r"policy\[0\] is \[0.6, 0.6\]; it must be non-negative and sum to 1"),
        ([[0.5, 0.5]] * 4 + [[1.5, -0.5]], r"policy\[4\] is"),
        ([[0.5, 0.5]] * 4 + [[np.nan, 0.5]], r"policy\[4\] is"),
    ],
)
def test_a_policy_that_is_none_is_refused(policy, message):
    with pytest.raises(HyperparameterError, match=message):
        agent_class("td")(mdp=random_walk(5), policy=policy)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("td-lambda", {"lambda_": 1.1}),
        ("td-lambda", {"trace": "fading"}),
        ("q-lambda", {"trace": "dutch"}),
        ("n-step-sarsa", {"n": 0}),
        ("dyna-q", {"planning_steps": -1}),
        ("tree-backup", {"target": "random"}),
    ],
)
def test_hyperparameters_out_of_range_are_refused(name, wrong):
    with pytest.raises(HyperparameterError, match=rf"{name}\.{next(iter(wrong))} must be"):
        agent_class(name)(mdp=random_walk(5), **wrong)


@pytest.mark.parametrize("name", ["td-lambda", "sarsa-lambda", "q-lambda"])
def test_traces_are_as_many_as_recent_visits_not_states(name):
    """In a ring of 5000 states, with gamma lambda = 0.45, the trace of a visit is above 1e-10 for 25 steps."""
    n = 5000
    ring = {s: {0: [(1.0, (s + 1) % n, 1.0, False)]} for s in range(n)}
    mdp = type(random_walk(3)).from_transitions(ring, np.eye(n)[0])
    agent = agent_class(name)(mdp=mdp, seed=0, gamma=0.9, lambda_=0.5, alpha=0.1).learn(4000)
    size = int(agent.memory.traces.size[0])
    assert size == 25  # 0.1 · 0.45^25 = 2.1e-10 and 0.1 · 0.45^26 = 0.96e-10
    listed = agent.memory.traces.state[:size]
    np.testing.assert_array_equal(np.sort(listed), np.arange(4000 - size, 4000))
    np.testing.assert_array_equal(agent.memory.traces.place[listed, 0], np.arange(size))
    assert (agent.memory.traces.place >= 0).sum() == size
