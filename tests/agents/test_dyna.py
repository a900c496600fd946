"""Dyna's parts by hand: the model, the queue, the bonus, the order of the sweep."""

from __future__ import annotations

import heapq

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlsuite.agents.registry import agent_class
from rlsuite.agents.tabular.interaction import begin, observe
from rlsuite.agents.tabular.learned_model import make_model, recall, remember
from rlsuite.agents.tabular.priority_queue import dequeue, enqueue, make_queue
from tests.agents.small_mdps import blank, optimal_action_values, random_mdp


def agent_of(name: str, n_states: int = 4, **hyperparameters):
    defaults = {"gamma": 0.5, "alpha": 1.0, "epsilon": 0.0}
    agent = agent_class(name)(mdp=blank(n_states), seed=0, **(defaults | hyperparameters))
    begin(agent.memory, 0, np.random.default_rng(0))
    return agent


def see(agent, s, a, r, s_next, terminated=False, truncated=False) -> int:
    return observe(agent.memory, s, a, r, s_next, terminated, truncated, np.random.default_rng(1))


@settings(deadline=None)  # the first example compiles
@given(st.lists(st.one_of(st.tuples(st.integers(0, 9), st.floats(0, 100)), st.none()), max_size=60))
def test_queue_gives_the_largest_first(operations):
    queue, held = make_queue(10), {}
    for operation in operations:
        if operation is not None:
            item, priority = operation
            enqueue(queue, item, priority)
            held[item] = max(priority, held.get(item, 0.0))
        elif held:
            item = dequeue(queue)
            assert held.pop(item) >= max(held.values(), default=0.0)
        assert queue.size[0] == len(held)
        assert {int(i) for i in queue.item[: len(held)]} == set(held)
    left = [dequeue(queue) for _ in range(len(held))]
    heap = [-p for p in held.values()]
    heapq.heapify(heap)
    assert [held[i] for i in left] == [-heapq.heappop(heap) for _ in left]


def test_model_keeps_the_latest_outcome():
    model = make_model(3, 2, 1)
    assert remember(model, 2, 1, 5.0, 0, False) == 0
    assert remember(model, 0, 0, 1.0, 1, True) == 1
    assert remember(model, 2, 1, 7.0, 1, False) == 0
    assert model.size[0] == 2
    assert (model.reward[0, 0], model.next_state[0, 0], model.terminated[0, 0]) == (7.0, 1, False)


def test_model_of_several_outcomes_draws_from_the_latest_ones():
    model, rng = make_model(3, 2, 3), np.random.default_rng(0)
    for r in (1.0, 2.0, 3.0, 4.0):
        row = remember(model, 0, 1, r, 0, False)
    drawn = [model.reward[row, recall(model, row, rng)] for _ in range(3000)]
    values, counts = np.unique(drawn, return_counts=True)
    assert values.tolist() == [2.0, 3.0, 4.0]
    assert counts.min() > 1000 - 5 * np.sqrt(3000 * 2 / 9)  # five standard deviations of a fair third


def test_one_reward_travels_back_by_planning():
    agent = agent_of("dyna-q", planning_steps=200)
    see(agent, 0, 0, 0.0, 1)
    see(agent, 1, 0, 0.0, 2)
    assert not agent.memory.q.any()
    see(agent, 2, 0, 1.0, 3, terminated=True)  # 200 draws among 3 pairs: all are met in the right order, surely
    np.testing.assert_array_equal(agent.memory.q[:, 0], [0.25, 0.5, 1.0, 0.0])


def test_planning_bootstraps_from_where_an_episode_was_truncated():
    agent = agent_of("dyna-q", planning_steps=50)
    agent.memory.q[3, 1] = 4.0
    see(agent, 2, 0, 1.0, 3, truncated=True)
    assert agent.memory.q[2, 0] == 1.0 + 0.5 * 4.0
    assert not agent.memory.model.terminated[0, 0]


def test_a_sampled_model_learns_the_mean_where_the_latest_outcome_misleads():
    """In a stochastic MDP the book's model is biased towards the latest outcome; the one of many outcomes is not."""
    mdp, gamma = random_mdp(8, n_states=4, n_actions=2), 0.8
    truth = optimal_action_values(mdp, gamma)

    def error(outcomes: int) -> float:
        options = {"gamma": gamma, "alpha": 0.02, "epsilon": 1.0, "planning_steps": 20, "outcomes": outcomes}
        errors = []
        for seed in range(10):
            agent = agent_class("dyna-q")(mdp=mdp, seed=seed, time_limit=20, **options).learn(20_000)
            errors.append(np.abs(agent.action_values - truth).mean())
        return float(np.mean(errors))

    assert error(500) < 0.5 * error(1)


def test_dyna_q_plus_plans_with_untried_actions_and_their_bonus():
    agent = agent_of("dyna-q-plus", planning_steps=100, kappa=0.1, gamma=0.0)
    see(agent, 0, 0, 0.0, 1)
    # two pairs are planned with: (0, 0), tried just now, and (0, 1), never tried in one step
    assert agent.memory.model.size[0] == 2
    assert agent.memory.q[0].tolist() == [0.0, 0.1 * np.sqrt(1)]
    assert agent.memory.model.next_state[1, 0] == 0  # an untried action is taken to lead back with reward 0
    see(agent, 1, 1, 2.0, 0)
    np.testing.assert_allclose(agent.memory.q[:2], [[0.1, 0.1 * np.sqrt(2)], [0.1 * np.sqrt(2), 2.0]], rtol=1e-15)


def test_dyna_q_plus_without_a_bonus_still_differs_from_dyna_by_its_model_only():
    agent = agent_of("dyna-q-plus", planning_steps=100, kappa=0.0)
    see(agent, 0, 0, 1.0, 1, terminated=True)
    assert agent.memory.q[0].tolist() == [1.0, 0.5]  # (0, 1) is thought to lead back: 0 + ½ max(1, …)


def test_prioritised_sweeping_runs_a_reward_back_along_the_chain():
    agent = agent_of("prioritized-sweeping", n_states=6, planning_steps=5)
    for s in range(4):
        see(agent, s, 0, 0.0, s + 1)
    assert not agent.memory.q.any()
    assert agent.memory.queue.size[0] == 0  # no error, nothing queued
    see(agent, 4, 1, 1.0, 5, terminated=True)  # five updates: the last pair first, then each predecessor
    np.testing.assert_array_equal(agent.memory.q.max(axis=1), [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0, 0.0])


def test_prioritised_sweeping_takes_the_largest_error_first():
    agent = agent_of("prioritized-sweeping", planning_steps=0)
    see(agent, 0, 0, 1.0, 3, terminated=True)
    see(agent, 1, 0, -5.0, 3, terminated=True)
    see(agent, 2, 0, 2.0, 3, terminated=True)
    assert [int(dequeue(agent.memory.queue)) for _ in range(3)] == [1, 2, 0]


def test_prioritised_sweeping_forgets_a_transition_that_changed():
    agent = agent_of("prioritized-sweeping", planning_steps=5)
    see(agent, 0, 0, 0.0, 1)
    see(agent, 0, 1, 0.0, 1)
    see(agent, 0, 0, 0.0, 2)  # (0, 0) no longer leads to state 1
    see(agent, 1, 0, 1.0, 3, terminated=True)
    np.testing.assert_array_equal(agent.memory.q[0], [0.0, 0.5])
    see(agent, 2, 0, 8.0, 3, terminated=True)
    np.testing.assert_array_equal(agent.memory.q[0], [4.0, 0.5])


def test_theta_keeps_small_errors_out():
    agent = agent_of("prioritized-sweeping", planning_steps=5, theta=0.5)
    see(agent, 0, 0, 0.5, 3, terminated=True)
    assert agent.memory.q[0, 0] == 0.0
    see(agent, 0, 0, 0.51, 3, terminated=True)
    assert agent.memory.q[0, 0] == 0.51


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["dyna-q", "prioritized-sweeping"])
def test_planning_solves_a_deterministic_mdp_exactly(name, seed):
    mdp = random_mdp(seed, n_states=10, stochastic=False)
    mdp = type(mdp).from_transitions(
        {s: {a: [(1.0, *mdp.to_transitions()[s][a][0][1:])] for a in range(3)} for s in range(10)}, mdp.initial
    )
    options = {"gamma": 0.8, "alpha": 1.0, "epsilon": 1.0, "planning_steps": 50}
    options |= {"theta": 0.0} if name == "prioritized-sweeping" else {}
    agent = agent_class(name)(mdp=mdp, seed=seed, time_limit=50, **options).learn(5000)
    np.testing.assert_allclose(agent.action_values, optimal_action_values(mdp, 0.8), atol=1e-10)
