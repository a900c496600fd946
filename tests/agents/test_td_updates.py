"""Each update rule, one transition at a time, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from rlsuite.agents.registry import agent_class
from rlsuite.agents.tabular.interaction import begin, observe
from tests.agents.small_mdps import blank

RNG = np.random.default_rng(0)


def control(name: str, **hyperparameters):
    """An agent with gamma 1/2 and Q = [[1, 2], [3, 5], [8, 4], [0, 0]]."""
    defaults = {"gamma": 0.5, "alpha": 0.5, "epsilon": 0.0}
    agent = agent_class(name)(mdp=blank(), seed=0, **(defaults | hyperparameters))
    q = [[1.0, 2.0], [3.0, 5.0], [8.0, 4.0], [0.0, 0.0]]
    for table in ("q", "q1", "q2"):
        if hasattr(agent.memory, table):
            getattr(agent.memory, table)[...] = q
    return agent


def prediction(name: str, **hyperparameters):
    """An agent with gamma 1/2 and v = [1, 2, 4, 8]."""
    agent = agent_class(name)(mdp=blank(), seed=0, **({"gamma": 0.5, "alpha": 0.5} | hyperparameters))
    agent.memory.v[...] = [1.0, 2.0, 4.0, 8.0]
    return agent


def see(agent, s, a, r, s_next, terminated=False, truncated=False) -> int:
    return observe(agent.memory, s, a, r, s_next, terminated, truncated, RNG)


# target from (s, a, r, s') = (0, 0, 1, 1); epsilon is 0, so the next action is 1, with Q(1, 1) = 5
@pytest.mark.parametrize("name", ["sarsa", "expected-sarsa", "q-learning", "q-lambda", "sarsa-lambda", "dyna-q"])
@pytest.mark.parametrize(
    ("terminated", "truncated", "expected"),
    [(False, False, 2.25), (True, False, 1.0), (False, True, 2.25)],  # 1 + ½(1 + ½·5 − 1), 1 + ½(1 − 1)
)
def test_one_step_target_is_cut_by_termination_only(name, terminated, truncated, expected):
    options = {"planning_steps": 0} if name == "dyna-q" else {}
    agent = control(name, **options)
    see(agent, 0, 0, 1.0, 1, terminated, truncated)
    assert agent.action_values[0].tolist() == [expected, 2.0]


def test_sarsa_bootstraps_from_the_action_it_takes_next():
    agent = control("sarsa", epsilon=1.0)
    taken = set()
    for _ in range(20):
        agent.memory.q[0, 0] = 1.0
        a_next = see(agent, 0, 0, 1.0, 1)
        taken.add(a_next)
        assert agent.memory.q[0, 0] == 1.0 + 0.5 * (1.0 + 0.5 * [3.0, 5.0][a_next] - 1.0)
    assert taken == {0, 1}


def test_expected_sarsa_averages_over_the_behaviour_policy():
    agent = control("expected-sarsa", epsilon=0.4)
    see(agent, 0, 0, 1.0, 1)
    assert agent.memory.q[0, 0] == pytest.approx(1.0 + 0.5 * (1.0 + 0.5 * (0.2 * 3.0 + 0.8 * 5.0) - 1.0), abs=1e-15)


def test_double_q_values_one_tables_choice_by_the_other():
    agent = control("double-q-learning", alpha=1.0)
    m = agent.memory
    m.q1[1], m.q2[1] = [10.0, 0.0], [2.0, 20.0]
    outcomes = set()
    for _ in range(20):
        m.q1[0, 0] = m.q2[0, 0] = 0.0
        see(agent, 0, 0, 1.0, 1)
        # Q1 learns 1 + ½ Q2(1, 0) = 2, or Q2 learns 1 + ½ Q1(1, 1) = 1; neither sees a maximum of its own
        outcomes.add((m.q1[0, 0], m.q2[0, 0]))
        assert m.q[0, 0] == 0.5 * (m.q1[0, 0] + m.q2[0, 0])
    assert outcomes == {(2.0, 0.0), (0.0, 1.0)}


def test_td_moves_towards_reward_and_next_value():
    agent = prediction("td")
    see(agent, 0, 0, 1.0, 2)
    assert agent.state_values.tolist() == [2.0, 2.0, 4.0, 8.0]  # 1 + ½(1 + ½·4 − 1)
    see(agent, 2, 0, 3.0, 0, terminated=True)
    assert agent.state_values.tolist() == [2.0, 2.0, 3.5, 8.0]  # 4 + ½(3 − 4)


@pytest.mark.parametrize(
    ("terminated", "truncated", "last"),
    # the third step ends the episode in state 3 (v = 8): 4 + ½(4 − 4), or 4 + ½(4 + ½·8 − 4)
    [(True, False, 4.0), (False, True, 6.0)],
)
def test_n_step_td_waits_then_flushes(terminated, truncated, last):
    agent = prediction("n-step-td", n=2)
    begin(agent.memory, 0, RNG)
    see(agent, 0, 0, 1.0, 1)
    assert agent.state_values.tolist() == [1.0, 2.0, 4.0, 8.0]  # one reward of two
    see(agent, 1, 0, 2.0, 2)
    assert agent.state_values.tolist() == [2.0, 2.0, 4.0, 8.0]  # 1 + ½(1 + ½·2 + ¼·4 − 1)
    see(agent, 2, 0, 4.0, 3, terminated, truncated)
    second = 2.0 + 0.5 * (2.0 + 0.5 * 4.0 + (0.25 * 8.0 if truncated else 0.0) - 2.0)
    assert agent.state_values.tolist() == [2.0, second, last, 8.0]
    assert agent.memory.window.size[0] == 0


def test_n_step_sarsa_sums_rewards_and_bootstraps_from_the_pair_reached():
    agent = control("n-step-sarsa", n=2)
    begin(agent.memory, 0, RNG)
    see(agent, 0, 0, 1.0, 1)
    see(agent, 1, 1, 2.0, 2)  # greedy in state 2 is action 0 with Q = 8
    assert agent.memory.q[0, 0] == 1.0 + 0.5 * (1.0 + 0.5 * 2.0 + 0.25 * 8.0 - 1.0)
    see(agent, 2, 0, 4.0, 3, terminated=True)
    assert agent.memory.q[1, 1] == 5.0 + 0.5 * (2.0 + 0.5 * 4.0 - 5.0)
    assert agent.memory.q[2, 0] == 8.0 + 0.5 * (4.0 - 8.0)


def test_tree_backup_follows_the_branch_taken_by_its_probability():
    agent = control("tree-backup", n=2, target="behaviour", epsilon=0.4)
    begin(agent.memory, 0, RNG)
    see(agent, 0, 0, 1.0, 1)
    see(agent, 1, 0, 2.0, 2)  # in state 1: pi = [0.2, 0.8] and Q = [3, 5]; in state 2: pi = [0.8, 0.2] and Q = [8, 4]
    g1 = 2.0 + 0.5 * (0.8 * 8.0 + 0.2 * 4.0)
    g0 = 1.0 + 0.5 * (0.8 * 5.0 + 0.2 * g1)
    assert agent.memory.q[0, 0] == pytest.approx(1.0 + 0.5 * (g0 - 1.0), abs=1e-14)


def test_greedy_tree_backup_ends_at_an_action_that_is_not_greedy():
    agent = control("tree-backup", n=2, alpha=1.0)
    begin(agent.memory, 0, RNG)
    see(agent, 0, 0, 1.0, 1)
    see(agent, 1, 0, 100.0, 2)  # action 0 is not greedy in state 1, so its reward does not count
    assert agent.memory.q[0, 0] == 1.0 + 0.5 * 5.0
    see(agent, 2, 0, 4.0, 3, truncated=True)  # action 0 is greedy in state 2
    assert agent.memory.q[1, 0] == 100.0 + 0.5 * (4.0 + 0.5 * 0.0)


@pytest.mark.parametrize(
    ("trace", "expected"),
    # state 0, twice, then termination with reward 1; gamma lambda = ¼, alpha = ½, v = 0 all along until the reward;
    # traces of state 0 at the reward: 1 + ¼, 1, and 1 + ¼(1 − ½)
    [("accumulating", 0.5 * 1.25), ("replacing", 0.5), ("dutch", 0.5 * 1.125)],
)
def test_td_lambda_kinds_of_trace(trace, expected):
    agent = prediction("td-lambda", lambda_=0.5, trace=trace)
    agent.memory.v[...] = 0.0
    begin(agent.memory, 0, RNG)
    see(agent, 0, 0, 0.0, 0)
    see(agent, 0, 0, 1.0, 1, terminated=True)
    assert agent.state_values.tolist() == [expected, 0.0, 0.0, 0.0]


def test_td_lambda_reaches_back():
    agent = prediction("td-lambda", lambda_=0.5)
    agent.memory.v[...] = 0.0
    begin(agent.memory, 0, RNG)
    see(agent, 0, 0, 0.0, 1)
    see(agent, 1, 0, 0.0, 2)
    see(agent, 2, 0, 1.0, 3, terminated=True)
    assert agent.state_values.tolist() == [0.5 / 16, 0.5 / 4, 0.5, 0.0]
    begin(agent.memory, 3, RNG)  # a new episode: the old states are not eligible
    see(agent, 3, 0, 1.0, 0, terminated=True)
    assert agent.state_values.tolist() == [0.5 / 16, 0.5 / 4, 0.5, 0.5]


def test_sarsa_lambda_reaches_back():
    agent = control("sarsa-lambda", lambda_=0.5)
    begin(agent.memory, 0, RNG)
    see(agent, 0, 0, 1.0, 1)  # delta = 1 + ½·5 − 1 = 2.5
    assert agent.memory.q[0, 0] == 2.25
    see(agent, 1, 1, 2.0, 2)  # delta = 2 + ½·8 − 5 = 1; the pair before has trace ¼
    assert agent.memory.q[1, 1] == 5.5
    assert agent.memory.q[0, 0] == 2.25 + 0.5 * 0.25


def test_q_lambda_cuts_traces_when_it_explores():
    agent = control("q-lambda", lambda_=0.5)
    m = agent.memory
    begin(m, 0, RNG)
    assert see(agent, 0, 0, 1.0, 1) == 1
    assert m.traces.size[0] == 1
    explorer = control("q-lambda", lambda_=0.5, epsilon=1.0)
    begin(explorer.memory, 0, RNG)
    sizes = {see(explorer, 0, 0, 1.0, 1): int(explorer.memory.traces.size[0]) for _ in range(20)}
    assert sizes == {0: 0, 1: 1}  # action 1 is greedy in state 1


def test_step_size_counts_updates_of_the_entry():
    agent = control("q-learning", alpha=1.0, alpha_power=1.0)
    agent.memory.q[...] = 0.0
    rewards = [3.0, -1.0, 7.0, 2.5]
    for r in rewards:
        see(agent, 0, 1, r, 0, terminated=True)
    assert agent.memory.q[0, 1] == pytest.approx(np.mean(rewards), abs=1e-12)
