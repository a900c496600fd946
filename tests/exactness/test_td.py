"""Published and recomputed results of temporal-difference learning and Dyna, each within its own statistics.

Numbers without an equation come from Sutton & Barto (2018), from the figures and examples named, or from independent
simulations of these by the procedure that the book gives. "k SE" is a difference of k standard errors.
"""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

import rlsuite  # noqa: F401  (registers the environments)
from rlsuite.agents.registry import agent_class
from rlsuite.agents.tabular.interaction import observe
from rlsuite.agents.tabular.kernels import entry_kernel
from rlsuite.envs.finite.mdp import FiniteMDP
from tests.agents.small_mdps import policy_values

NO_LIMIT = 10**9


def start(mdp: FiniteMDP) -> int:
    return int(mdp.initial.argmax())


def greedy_length(mdp: FiniteMDP, q: np.ndarray, cap: int = 101) -> int:
    """Steps of the greedy policy from the start in a deterministic MDP; ``cap`` where it never ends."""
    s = start(mdp)
    for steps in range(1, cap):
        j = mdp.offset[s * mdp.n_actions + int(q[s].argmax())]
        if mdp.terminated[j]:
            return steps
        s = int(mdp.next_state[j])
    return cap


# -- example 6.6: cliff walking ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected", "runs", "length"),
    # returns of episodes 400–500, recomputed from 60 runs; one run has standard deviation 6, 7 and 2
    [("sarsa", -26.5, 400, 17), ("q-learning", -49.6, 400, 13), ("expected-sarsa", -20.7, 200, 15)],
)
def test_cliff_walking(name, expected, runs, length):
    mdp = FiniteMDP.from_env("CliffWalking-v1")
    returns, lengths = [], []
    for seed in range(runs):
        agent = agent_class(name)(mdp=mdp, seed=seed, gamma=1.0, alpha=0.5, epsilon=0.1).learn(total_episodes=500)
        returns.append(agent.episode_returns[400:].mean())
        lengths.append(greedy_length(mdp, agent.action_values))
    standard_error = np.std(returns) * np.sqrt(1 / runs + 1 / 60)
    assert abs(np.mean(returns) - expected) < 3 * standard_error
    assert np.bincount(lengths).argmax() == length


# -- example 6.5: windy gridworld --------------------------------------------------------------------------------------


def test_windy_gridworld():
    mdp = FiniteMDP.from_env("rlsuite/WindyGridWorld-v0")
    finished = [
        agent_class("sarsa")(mdp=mdp, seed=seed, gamma=1.0, alpha=0.5, epsilon=0.1, time_limit=NO_LIMIT)
        .learn(8000)
        .num_episodes
        for seed in range(100)
    ]
    # the book's curve, one run, stands at about 170 after 8000 steps; runs differ by a standard deviation of 10
    assert abs(np.mean(finished) - 170) < 2 * np.std(finished)
    # with step sizes n^-0.6 and less and less exploration, SARSA's greedy policy is the shortest path of 15 steps
    settled = agent_class("sarsa")(
        mdp=mdp, seed=0, gamma=1.0, alpha=1.0, alpha_power=0.6, epsilon=0.3, epsilon_decay="linear", epsilon_final=0.0,
        epsilon_decay_steps=300_000, time_limit=NO_LIMIT,
    ).learn(400_000)  # fmt: skip
    assert greedy_length(mdp, settled.action_values) == 15
    # and acting epsilon-greedily around a shortest path takes the book's 17, two more, computed exactly
    shortest = agent_class("q-learning")(
        mdp=mdp, seed=0, gamma=1.0, alpha=0.5, epsilon=0.3, time_limit=NO_LIMIT
    ).learn(400_000)  # fmt: skip
    soft = np.full((mdp.n_states, mdp.n_actions), 0.1 / mdp.n_actions)
    soft[np.arange(mdp.n_states), shortest.action_values.argmax(axis=1)] += 0.9
    assert policy_values(mdp, soft, 1.0)[start(mdp)] == pytest.approx(-17.0, abs=0.5)


# -- example 6.7, figure 6.5: maximisation bias ------------------------------------------------------------------------


@entry_kernel
def bias_episodes(memory, left, agent_rng, env_rng):
    """Episodes of the book's MDP: two actions in A (state 0), ten in B (state 1), reward N(-0.1, 1).

    A's two actions are chosen here, epsilon-greedily, because a table has as many columns in A as in B.
    """
    for k in range(left.size):
        if env_rng.random() < 0.1 or memory.q[0, 0] == memory.q[0, 1]:
            a = int(env_rng.random() * 2)
        else:
            a = int(memory.q[0, 1] > memory.q[0, 0])
        left[k] += a == 0
        if a == 1:
            observe(memory, 0, 1, 0.0, 1, True, False, agent_rng)
        else:
            b = observe(memory, 0, 0, 0.0, 1, False, False, agent_rng)
            observe(memory, 1, b, env_rng.normal() - 0.1, 1, True, False, agent_rng)


def share_of_left(name: str, runs: int) -> np.ndarray:
    transitions = {s: {a: [(1.0, s, 0.0, True)] for a in range(10)} for s in range(2)}
    mdp = FiniteMDP.from_transitions(transitions, [1.0, 0.0])
    left = np.zeros(300)
    for seed in range(runs):
        agent = agent_class(name)(mdp=mdp, seed=seed, gamma=1.0, alpha=0.1, epsilon=0.1)
        bias_episodes(agent.memory, left, agent.agent_rng, agent.env_rng)
    return left / runs


def test_maximisation_bias():
    runs = 2000
    q, double = share_of_left("q-learning", runs), share_of_left("double-q-learning", runs)
    # 4 SE of one episode's share over 2000 runs, doubled for the reference's own: 0.02 at 94 %, 0.03 at 12 %
    assert q[15:25].max() == pytest.approx(0.94, abs=0.02)
    assert q[-20:].mean() == pytest.approx(0.12, abs=0.03)
    assert double[-20:].mean() == pytest.approx(0.065, abs=0.02)
    assert double[20:].max() < 0.35
    assert q.min() > 0.05 - 4 * np.sqrt(0.05 * 0.95 / runs)  # epsilon / 2 is the least


# -- examples 6.2 and 7.1, figures 7.2, 12.6 and 12.8: the 19-state random walk ----------------------------------------


def walk_error(name: str, runs: int, **hyperparameters) -> tuple[float, float]:
    """RMS error over the 19 states, averaged over the first ten episodes and the runs, and its deviation by run."""
    env = gym.make("rlsuite/RandomWalk19-v0")
    mdp, truth = FiniteMDP.from_env(env), np.arange(-18, 20, 2) / 20
    errors = np.zeros((runs, 10))
    for seed in range(runs):
        agent = agent_class(name)(mdp=mdp, seed=seed, gamma=1.0, time_limit=NO_LIMIT, **hyperparameters)
        for episode in range(10):
            agent.learn(total_episodes=1)
            errors[seed, episode] = np.sqrt(np.mean((agent.state_values[1:20] - truth) ** 2))
    return float(errors.mean()), float(errors.mean(axis=1).std())


@pytest.mark.parametrize(
    ("n", "alpha", "expected"),
    [(1, 0.8, 0.346), (2, 0.6, 0.279), (4, 0.4, 0.265), (8, 0.25, 0.279), (16, 0.15, 0.315)],
)
def test_n_step_td_on_the_random_walk(n, alpha, expected):
    mean, deviation = walk_error("n-step-td", 400, n=n, alpha=alpha)
    assert abs(mean - expected) < 3 * deviation * np.sqrt(1 / 400 + 1 / 100)  # the reference has 100 runs


def test_an_intermediate_n_is_best():
    best = {n: walk_error("n-step-td", 200, n=n, alpha=a)[0] for n, a in [(1, 0.8), (4, 0.4), (16, 0.15)]}
    assert min(best, key=lambda n: best[n]) == 4


@pytest.mark.parametrize(
    ("trace", "lambda_", "alpha", "expected"),
    # alpha is the best of a grid of steps of 0.05; the reference has 30 runs
    [
        ("accumulating", 0.8, 0.3, 0.260),
        ("dutch", 0.8, 0.4, 0.254),
        ("accumulating", 0.0, 0.8, 0.343),
        ("dutch", 0.0, 0.8, 0.343),
    ],
)
def test_td_lambda_on_the_random_walk(trace, lambda_, alpha, expected):
    mean, deviation = walk_error("td-lambda", 400, trace=trace, lambda_=lambda_, alpha=alpha)
    assert abs(mean - expected) < 3 * deviation * np.sqrt(1 / 400 + 1 / 30)


def test_true_online_td_lambda_bears_larger_steps_than_accumulating_traces():
    # figure 12.8: at lambda 0.9 and alpha 0.4 accumulating traces have long since diverged from the lambda-return
    accumulating, _ = walk_error("td-lambda", 100, trace="accumulating", lambda_=0.9, alpha=0.4)
    true_online, _ = walk_error("td-lambda", 100, trace="dutch", lambda_=0.9, alpha=0.4)
    assert true_online < 0.35 < accumulating


# -- example 8.1, figure 8.2: the Dyna maze ----------------------------------------------------------------------------


@pytest.mark.parametrize(("planning_steps", "low", "high"), [(0, 21, 30), (5, 4, 6), (50, 2, 4)])
def test_dyna_maze(planning_steps, low, high):
    """Episodes take no more than 21 steps (14 is the shortest path) from about number 25, 5 and 3 on."""
    mdp = FiniteMDP.from_env("rlsuite/DynaMaze-v0")
    steps = np.array(
        [
            agent_class("dyna-q")(
                mdp=mdp, seed=seed, gamma=0.95, alpha=0.1, epsilon=0.1, planning_steps=planning_steps,
                time_limit=NO_LIMIT,
            ).learn(total_episodes=40).episode_lengths
            for seed in range(300)
        ]
    ).mean(axis=0)  # fmt: skip
    assert low <= 1 + int(np.argmax(steps <= 21.0)) <= high
    assert 14.0 <= steps[-5:].mean() <= 21.0


def test_prioritised_sweeping_needs_fewer_updates_than_dyna_in_the_maze():
    """Section 8.4: aimed by error, the same number of updates per step reaches the optimum sooner."""
    mdp = FiniteMDP.from_env("rlsuite/DynaMaze-v0")

    def early_steps(name: str) -> float:
        options = {"gamma": 0.95, "alpha": 0.5, "epsilon": 0.1, "planning_steps": 5, "time_limit": NO_LIMIT}
        runs = [agent_class(name)(mdp=mdp, seed=s, **options).learn(total_episodes=5) for s in range(100)]
        return float(np.mean([r.episode_lengths[1:].sum() for r in runs]))

    assert early_steps("prioritized-sweeping") < 0.8 * early_steps("dyna-q")


def test_dyna_q_plus_finds_the_way_when_the_maze_is_blocked():
    """Figure 8.4: after the change at step 1000 Dyna-Q+ finds the other way, Dyna-Q stalls with a stale model."""

    def rewards_after_the_change(name: str) -> np.ndarray:
        options = {"gamma": 0.95, "alpha": 1.0, "epsilon": 0.1, "planning_steps": 10}
        collected = []
        for seed in range(10):
            agent = agent_class(name)("rlsuite/BlockingMaze-v0", seed=seed, **options).learn(3000)
            collected.append(agent.episode_returns[agent.episode_lengths.cumsum() > 1000].sum())
        return np.array(collected)

    plain, plus = rewards_after_the_change("dyna-q"), rewards_after_the_change("dyna-q-plus")
    # at 16 steps an episode 2000 steps hold 125 rewards: Dyna-Q+ gets half of them, in every run more than Dyna-Q
    assert plus.mean() > 62
    assert (plus > plain).all()
