"""Every tabular learner, whichever way it runs: on compiled dynamics or in Gymnasium, in one go or in parts."""

from __future__ import annotations

from importlib.metadata import entry_points

import gymnasium as gym
import numpy as np
import pytest

from rlsuite.agents.registry import GROUP, agent_class
from rlsuite.agents.tabular.agent import TabularAgent
from rlsuite.agents.tabular.storage import memory_arrays
from rlsuite.agents.tabular.traces import KINDS

STEPS = 1500
NEEDS_MODEL = {"mc-exploring-starts"}  # it puts the environment into states of its own choice


def learners(without: frozenset[str] | set[str] = frozenset()) -> list[str]:
    """Names of the suite's tabular agents that learn from interaction; planners do not."""
    tabular = "rlsuite.agents.tabular."
    return sorted(
        point.name
        for point in entry_points(group=GROUP)
        if point.value.startswith(tabular)
        and not point.value.startswith(tabular + "planning")
        and point.name not in without
    )


def tables(agent: TabularAgent) -> dict[str, np.ndarray]:
    """Everything that the agent knows, and where its random streams stand."""
    return memory_arrays(agent.memory) | {
        "visits": agent.visits,
        "returns": agent.episode_returns,
        "lengths": agent.episode_lengths,
        "clock": np.concatenate([np.asarray(c, np.float64) for c in agent.clock]),
        "agent_rng": np.array([agent.agent_rng.random()]),
    }


def assert_same(one: TabularAgent, other: TabularAgent) -> None:
    left, right = tables(one), tables(other)
    assert left.keys() == right.keys()
    for name, array in left.items():
        np.testing.assert_array_equal(array, right[name], err_msg=name)


@pytest.mark.parametrize("env", ["CliffWalking-v1", "FrozenLake-v1", "Taxi-v4"])
@pytest.mark.parametrize("name", learners(without=NEEDS_MODEL))
def test_both_paths_are_bit_identical(name, env):
    compiled = agent_class(name)(env, seed=7, compiled=True).learn(STEPS)
    stepped = agent_class(name)(env, seed=7, compiled=False).learn(STEPS)
    assert compiled.mdp is not None
    assert stepped.mdp is None
    assert compiled.visits.sum() == STEPS
    assert_same(compiled, stepped)


@pytest.mark.parametrize(
    ("name", "compiled"),
    [(name, True) for name in learners()] + [(name, False) for name in learners(without=NEEDS_MODEL)],
)
def test_learning_in_parts_adds_up(name, compiled):
    whole = agent_class(name)("FrozenLake-v1", seed=3, compiled=compiled).learn(900)
    parts = agent_class(name)("FrozenLake-v1", seed=3, compiled=compiled)
    for steps in (1, 2, 397, 500):
        parts.learn(steps)
    assert_same(whole, parts)


@pytest.mark.parametrize("name", ["sarsa", "sarsa-lambda", "n-step-sarsa", "tree-backup", "q-learning", "dyna-q"])
@pytest.mark.parametrize("compiled", [True, False])
def test_exploration_counts_the_actions_taken(name, compiled):
    """An action that a target needs where an episode is truncated is never taken, and does not count."""
    env = gym.make("CliffWalking-v1", max_episode_steps=10)
    agent = agent_class(name)(env, seed=3, compiled=compiled, exploration="ucb").learn(200)
    assert (agent.episode_lengths == 10).all()
    exploration = agent.memory.exploration
    assert exploration.step[0] == 200
    np.testing.assert_array_equal(exploration.tried.sum(axis=1), agent.visits)


@pytest.mark.parametrize("name", learners())
def test_a_saved_agent_goes_on_where_it_stopped(name, tmp_path):
    agent = agent_class(name)("FrozenLake-v1", seed=5).learn(501)
    loaded = agent_class(name).load(agent.save(tmp_path / "agent"), "FrozenLake-v1")
    assert_same(agent.learn(400), loaded.learn(400))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *[(name, {"trace": kind}) for name in ("td-lambda", "sarsa-lambda") for kind in KINDS[1:]],
        ("q-lambda", {"trace": "replacing"}),
        ("tree-backup", {"target": "behaviour"}),
        ("dyna-q", {"outcomes": 5, "alpha_power": 0.6}),
        ("expected-sarsa", {"exploration": "softmax"}),
        ("expected-sarsa", {"exploration": "ucb"}),
        ("q-learning", {"epsilon_decay": "linear", "epsilon": 1.0, "epsilon_decay_steps": 700}),
        ("q-learning", {"epsilon_decay": "exponential", "epsilon": 1.0, "epsilon_decay_steps": 700}),
        ("q-learning", {"epsilon_decay": "1/episode", "epsilon": 1.0}),
    ],
)
def test_both_paths_are_bit_identical_with_other_settings(name, options):
    compiled = agent_class(name)("FrozenLake-v1", seed=2, compiled=True, **options).learn(STEPS)
    assert_same(compiled, agent_class(name)("FrozenLake-v1", seed=2, compiled=False, **options).learn(STEPS))
