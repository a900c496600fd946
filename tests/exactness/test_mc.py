"""Monte Carlo against its definitions, closed forms, exact values of small MDPs and published numbers."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlsuite.agents.tabular.evaluation import discounted_values
from rlsuite.agents.tabular.interaction import begin, observe
from rlsuite.agents.tabular.mc_control import (
    MonteCarloControl,
    MonteCarloExploringStarts,
    OffPolicyMonteCarloControl,
)
from rlsuite.agents.tabular.mc_prediction import MonteCarloPrediction, OffPolicyMonteCarloPrediction
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.errors import HyperparameterError, ModelUnavailableError
from tests.agents.small_mdps import blank, optimal_action_values, policy_values, random_mdp, random_walk

RNG = np.random.default_rng(0)
BEHAVIOUR = np.array([[0.5, 0.5], [0.3, 0.7], [0.8, 0.2]])
TARGET = np.array([[0.9, 0.1], [0.6, 0.4], [0.0, 1.0]])
steps = st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(-4, 4).map(float))
episodes_of_steps = st.lists(st.lists(steps, min_size=1, max_size=8), min_size=1, max_size=5)


def feed(memory, episodes) -> None:
    """Give the kernels these episodes, each a list of (s, a, r), whatever the policy would have done."""
    for episode in episodes:
        begin(memory, episode[0][0], RNG)
        for t, (s, a, r) in enumerate(episode):
            last = t == len(episode) - 1
            observe(memory, s, a, r, 0 if last else episode[t + 1][0], last, False, RNG)


def visits(episodes, gamma: float, visit: str, key):
    """The definition, slowly: for every entry, the list of (episode, t, G_t) of the visits that count."""
    found: dict = {}
    for episode in episodes:
        seen = set()
        for t, step in enumerate(episode):
            if visit == "first" and key(step) in seen:
                continue
            seen.add(key(step))
            g = sum(gamma**k * r for k, (_, _, r) in enumerate(episode[t:]))
            found.setdefault(key(step), []).append((episode, t, g))
    return found


def within(estimates: np.ndarray, truth, n_standard_errors: float = 4.0) -> None:
    """The mean over runs (axis 0) lies within so many standard errors of the truth, in each component."""
    error = np.abs(np.mean(estimates, axis=0) - truth)
    standard_error = np.std(estimates, axis=0, ddof=1) / np.sqrt(len(estimates))
    assert (error <= n_standard_errors * standard_error).all(), (error, standard_error)


# -- the estimators are what their definitions say ---------------------------------------------------------------------


@pytest.mark.parametrize("visit", ["first", "every"])
@given(episodes=episodes_of_steps, gamma=st.sampled_from([0.0, 0.5, 1.0]))
@settings(deadline=None, max_examples=60)
def test_prediction_is_the_mean_of_the_returns(visit: str, episodes, gamma: float) -> None:
    agent = MonteCarloPrediction(None, mdp=blank(3, 2), gamma=gamma, visit=visit, initial_value=7.0)
    feed(agent.memory, episodes)
    for s in range(3):
        returns = [g for _, _, g in visits(episodes, gamma, visit, lambda step: step[0]).get(s, [])]
        assert agent.state_values[s] == pytest.approx(np.mean(returns) if returns else 7.0, abs=1e-9)


@pytest.mark.parametrize("visit", ["first", "every"])
@given(episodes=episodes_of_steps, gamma=st.sampled_from([0.0, 0.5, 1.0]))
@settings(deadline=None, max_examples=60)
def test_on_policy_control_averages_the_returns_of_pairs(visit: str, episodes, gamma: float) -> None:
    agent = MonteCarloControl(None, mdp=blank(3, 2), gamma=gamma, visit=visit, initial_value=7.0)
    feed(agent.memory, episodes)
    expected = np.full((3, 2), 7.0)
    for pair, found in visits(episodes, gamma, visit, lambda step: step[:2]).items():
        expected[pair] = np.mean([g for _, _, g in found])
    np.testing.assert_allclose(agent.action_values, expected, atol=1e-9)


@pytest.mark.parametrize("visit", ["first", "every"])
@pytest.mark.parametrize("weighting", ["ordinary", "weighted"])
@given(episodes=episodes_of_steps, gamma=st.sampled_from([0.0, 0.5, 1.0]))
@settings(deadline=None, max_examples=60)
def test_importance_sampling_is_its_quotient(visit: str, weighting: str, episodes, gamma: float) -> None:
    """Eqs. 5.5 and 5.6: sum of rho G over the number of visits, or over the sum of the rhos."""
    agent = OffPolicyMonteCarloPrediction(
        None, mdp=blank(3, 2), gamma=gamma, visit=visit, weighting=weighting, policy=TARGET, behaviour=BEHAVIOUR
    )
    feed(agent.memory, episodes)
    for s in range(3):
        found = visits(episodes, gamma, visit, lambda step: step[0]).get(s, [])
        rho = [prod(TARGET[x, a] / BEHAVIOUR[x, a] for x, a, _ in episode[t:]) for episode, t, _ in found]
        total = len(found) if weighting == "ordinary" else sum(rho)
        expected = sum(w * g for w, (_, _, g) in zip(rho, found, strict=True)) / total if total else 0.0
        assert agent.state_values[s] == pytest.approx(expected, abs=1e-9)


def test_constant_step_size_follows_the_returns() -> None:
    agent = MonteCarloPrediction(None, mdp=blank(3, 2), gamma=1.0, alpha=0.5, alpha_power=0.0)
    feed(agent.memory, [[(0, 0, 8.0)], [(0, 1, 2.0)]])
    assert agent.state_values[0] == 0.5 * 4.0 + 0.5 * 2.0


def test_exercise_5_5_ten_steps_in_the_only_state() -> None:
    """One episode of ten steps of reward 1: the first-visit estimate is 10, the every-visit estimate 5.5."""
    values = []
    for visit in ("first", "every"):
        agent = MonteCarloPrediction(None, mdp=blank(1, 1), gamma=1.0, visit=visit)
        feed(agent.memory, [[(0, 0, 1.0)] * 10])
        values.append(agent.state_values[0])
    assert values == [10.0, 5.5]


def test_off_policy_control_learns_from_the_greedy_tail_only() -> None:
    """Worked by hand, b uniform (epsilon = 1), gamma = 1; returns backwards from the end: 2, 3, 7.

    Q(2,1) = 2 is then the greedy action of state 2, so W = 1/b = 2; Q(1,0) = 3 is greedy in state 1, so W = 4;
    Q(0,1) = 7. A second episode ends with action 0 in state 2 and return 1: not greedy, nothing before it is touched.
    """
    agent = OffPolicyMonteCarloControl(None, mdp=blank(3, 2), gamma=1.0, epsilon=1.0)
    feed(agent.memory, [[(0, 1, 4.0), (1, 0, 1.0), (2, 1, 2.0)]])
    np.testing.assert_array_equal(agent.action_values, [[0, 7], [3, 0], [0, 2]])
    np.testing.assert_array_equal(agent.memory.total, [[0, 4], [2, 0], [0, 1]])
    feed(agent.memory, [[(0, 1, 100.0), (2, 0, 1.0)]])
    np.testing.assert_array_equal(agent.action_values, [[0, 7], [3, 0], [1, 2]])


def test_off_policy_control_weighs_by_the_epsilon_that_each_action_was_chosen_with() -> None:
    """Worked by hand: epsilon falls 1, 3/4, 1/2, so the greedy action 0 had b = 1/2, 5/8, 3/4; gamma = 1/2, C = 1 before.

    Backwards: G = 8, W = 1, C = 2, Q = 1 + 1/2 (8 - 1) = 9/2; then G = 8, W = 4/3, C = 7/3, Q = 1 + 4/7 (8 - 1) = 5; then
    G = 6, W = 4/3 * 8/5 = 32/15, C = 47/15, Q = 1 + 32/47 (6 - 1) = 207/47. Three actions were chosen.
    """
    options = {"gamma": 0.5, "epsilon": 1.0, "epsilon_decay": "linear", "epsilon_final": 0.0, "epsilon_decay_steps": 4}
    agent = OffPolicyMonteCarloControl(None, mdp=blank(3, 2), **options)
    agent.memory.q[:, 0], agent.memory.total[:, 0] = 1.0, 1.0
    feed(agent.memory, [[(0, 0, 2.0), (1, 0, 4.0), (2, 0, 8.0)]])
    np.testing.assert_allclose(agent.action_values, [[207 / 47, 0], [5, 0], [9 / 2, 0]], rtol=1e-14)
    np.testing.assert_allclose(agent.memory.total, [[47 / 15, 0], [7 / 3, 0], [2, 0]], rtol=1e-14)
    assert agent.memory.exploration.step[0] == 3


# -- expectations ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("visit", ["first", "every"])
def test_bias_of_every_visit_in_the_two_state_chain(visit: str) -> None:
    """Singh & Sutton (1996): one state, left with probability 1 - p per step, reward 1; T steps, T geometric.

    After one episode first-visit estimates T, of mean 1/(1-p), the true value; every-visit estimates (T+1)/2.
    """
    p, runs = 0.6, 3000
    mdp = FiniteMDP.from_transitions({0: {0: [(p, 0, 1.0, False), (1 - p, 0, 1.0, True)]}}, [1.0])
    estimates = np.array(
        [
            MonteCarloPrediction(None, mdp=mdp, seed=k, gamma=1.0, visit=visit).learn(total_episodes=1).state_values[0]
            for k in range(runs)
        ]
    )
    truth = 1 / (1 - p)
    within(estimates, truth if visit == "first" else (truth + 1) / 2)


@pytest.mark.parametrize("visit", ["first", "every"])
def test_prediction_converges_to_the_exact_values(visit: str) -> None:
    """Means over 25 runs of 2000 episodes; the every-visit bias, of order 1/2000, is far below the standard error."""
    mdp = random_mdp(3)
    policy = np.random.default_rng(1).dirichlet(np.ones(3), size=5)
    runs = [
        MonteCarloPrediction(None, mdp=mdp, seed=k, gamma=0.9, visit=visit, policy=policy).learn(total_episodes=2000)
        for k in range(25)
    ]
    within(np.array([agent.state_values for agent in runs]), policy_values(mdp, policy, 0.9), 4.5)


WALK_TARGET = np.array([[0.35, 0.65]] * 3)


def off_policy_walk(weighting: str, n_episodes: int, runs: int, visit: str = "first") -> np.ndarray:
    """(runs, 3) estimates of the values of WALK_TARGET on the 3-state walk, acting uniformly."""
    mdp = random_walk(3, left=-1.0)
    return np.array(
        [
            OffPolicyMonteCarloPrediction(
                None, mdp=mdp, seed=k, gamma=1.0, visit=visit, weighting=weighting, policy=WALK_TARGET
            )
            .learn(total_episodes=n_episodes)
            .state_values
            for k in range(runs)
        ]
    )


def test_ordinary_importance_sampling_is_unbiased_and_weighted_is_not() -> None:
    """After one episode the ratio cancels in the weighted estimate, so its mean is the value of the *behaviour*.

    The ordinary first-visit estimate has the value of the target as its mean after any number of episodes.
    """
    mdp = random_walk(3, left=-1.0)
    target = policy_values(mdp, WALK_TARGET, 1.0)[1]
    behaviour = policy_values(mdp, np.full((3, 2), 0.5), 1.0)[1]
    assert behaviour == pytest.approx(0.0)
    assert target == pytest.approx((0.65**2 - 0.35**2) / (0.65**2 + 0.35**2))  # gambler's ruin
    within(off_policy_walk("ordinary", 1, 3000)[:, 1], target)
    within(off_policy_walk("ordinary", 5, 1500)[:, 1], target)
    weighted = off_policy_walk("weighted", 1, 3000)[:, 1]
    within(weighted, behaviour)
    assert abs(weighted.mean() - target) > 0.4


@pytest.mark.parametrize("visit", ["first", "every"])
@pytest.mark.parametrize("weighting", ["ordinary", "weighted"])
def test_importance_sampling_is_consistent(weighting: str, visit: str) -> None:
    """After 20 000 episodes both kinds are within statistical error, for every state that is visited."""
    mdp = random_walk(3, left=-1.0)
    within(off_policy_walk(weighting, 20_000, 20, visit), policy_values(mdp, WALK_TARGET, 1.0), 4.5)


# -- blackjack ---------------------------------------------------------------------------------------------------------


def blackjack_5_4() -> tuple[FiniteMDP, int, np.ndarray]:
    """Example 5.4: dealer shows 2, the player holds 13 with a usable ace; the target sticks on 20 and 21 only."""
    env = gym.make("Blackjack-v1")
    start = (13 * 11 + 2) * 2 + 1  # row-major rank of the observation (13, 2, 1)
    policy = np.zeros((32 * 11 * 2, 2))
    player = np.arange(len(policy)) // 22
    policy[np.arange(len(policy)), (player < 20).astype(int)] = 1.0  # 0 sticks, 1 hits
    mdp = FiniteMDP.from_env(env)
    return replace(mdp, initial=np.eye(mdp.n_states)[start]), start, policy


def test_example_5_4_exact_value() -> None:
    mdp, start, policy = blackjack_5_4()
    assert discounted_values(mdp, policy, 1.0)[start] == pytest.approx(-0.27720, abs=1e-5)


@pytest.mark.parametrize("weighting", ["ordinary", "weighted"])
def test_example_5_4_by_importance_sampling(weighting: str) -> None:
    """10 runs of 20 000 episodes of the random policy estimate -0.27720 within 4 standard errors."""
    mdp, start, policy = blackjack_5_4()
    estimates = [
        OffPolicyMonteCarloPrediction(None, mdp=mdp, seed=k, gamma=1.0, policy=policy, weighting=weighting)
        .learn(total_episodes=20_000)
        .state_values[start]
        for k in range(10)
    ]
    within(np.array(estimates), -0.27720)


def test_figure_5_3_weighted_importance_sampling_errs_less_at_first() -> None:
    """Mean square error over 100 runs after 10 episodes: weighted is well below ordinary."""
    mdp, start, policy = blackjack_5_4()
    error = {
        weighting: np.mean(
            [
                (
                    OffPolicyMonteCarloPrediction(None, mdp=mdp, seed=k, gamma=1.0, policy=policy, weighting=weighting)
                    .learn(total_episodes=10)
                    .state_values[start]
                    + 0.27720
                )
                ** 2
                for k in range(100)
            ]
        )
        for weighting in ("ordinary", "weighted")
    }
    assert error["weighted"] < 0.7 * error["ordinary"]


def start_value(mdp: FiniteMDP, policy: np.ndarray, gamma: float) -> float:
    return float(mdp.initial @ discounted_values(mdp, policy, gamma))


def test_blackjack_by_exploring_starts() -> None:
    """Example 5.3: the greedy policy after 2 million episodes is worth the optimum, -0.0431, to within 0.002.

    The exact value of the learned policy is compared, so the tolerance covers only decisions that are nearly ties.
    """
    mdp = FiniteMDP.from_env(gym.make("Blackjack-v1", sab=True))
    agent = MonteCarloExploringStarts(None, mdp=mdp, seed=0, gamma=1.0).learn(total_episodes=2_000_000)
    assert start_value(mdp, agent.target_policy(), 1.0) == pytest.approx(-0.0431, abs=0.002)


def test_blackjack_by_on_policy_and_off_policy_control() -> None:
    """Rarely reached hands weigh little, so 1 million episodes with epsilon 0.2 bring both within 0.005."""
    mdp = FiniteMDP.from_env(gym.make("Blackjack-v1", sab=True))
    for cls in (MonteCarloControl, OffPolicyMonteCarloControl):
        agent = cls(None, mdp=mdp, seed=0, gamma=1.0, epsilon=0.2).learn(total_episodes=1_000_000)
        assert start_value(mdp, agent.target_policy(), 1.0) == pytest.approx(-0.0431, abs=0.005), cls.name


# -- control on random MDPs --------------------------------------------------------------------------------------------


def best_soft_action_values(mdp: FiniteMDP, gamma: float, epsilon: float) -> np.ndarray:
    """q of the best epsilon-soft policy: v(s) = (1 - epsilon) max_a q + epsilon mean_a q (sec. 5.4)."""
    q = np.zeros((mdp.n_states, mdp.n_actions))
    for _ in range(2000):
        v = (1 - epsilon) * q.max(axis=1) + epsilon * q.mean(axis=1)
        q = mdp.expected_reward + gamma * (mdp.continuation @ v).reshape(q.shape)
    return q


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_on_policy_control_finds_the_best_epsilon_soft_policy(seed: int) -> None:
    """Step sizes n**-0.8 forget the returns of earlier policies; the exact value of the policy is within 0.02."""
    mdp, gamma, epsilon = random_mdp(seed), 0.8, 0.2
    agent = MonteCarloControl(
        None, mdp=mdp, seed=seed, gamma=gamma, epsilon=epsilon, alpha_power=0.8, time_limit=200
    ).learn(total_episodes=200_000)
    soft = (1 - epsilon) * agent.target_policy() + epsilon / 3
    best = best_soft_action_values(mdp, gamma, epsilon)
    best_v = (1 - epsilon) * best.max(axis=1) + epsilon * best.mean(axis=1)
    np.testing.assert_allclose(policy_values(mdp, soft, gamma), best_v, atol=0.02)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_exploring_starts_find_the_optimum(seed: int) -> None:
    """The exact value of the learned policy is the optimal value to within 0.02 in every state.

    A greedy policy may never terminate, hence the time limit; 0.8**200 makes it invisible.
    """
    mdp, gamma = random_mdp(seed), 0.8
    agent = MonteCarloExploringStarts(None, mdp=mdp, seed=seed, gamma=gamma, alpha_power=0.8, time_limit=200)
    agent.learn(total_episodes=100_000)
    optimum = optimal_action_values(mdp, gamma).max(axis=1)
    np.testing.assert_allclose(policy_values(mdp, agent.target_policy(), gamma), optimum, atol=0.02)


def layered_mdp(seed: int, depth: int = 3, width: int = 3, n_actions: int = 3) -> FiniteMDP:
    """Random rewards, and transitions from each layer to the next; an episode has as many steps as there are layers."""
    rng = np.random.default_rng(seed)
    transitions = {
        layer * width + i: {
            a: [
                (float(p), min(layer + 1, depth - 1) * width + j, float(rng.normal()), layer == depth - 1)
                for j, p in enumerate(rng.dirichlet(np.ones(width)))
            ]
            for a in range(n_actions)
        }
        for layer in range(depth)
        for i in range(width)
    }
    initial = np.repeat([1 / width, 0.0], [width, (depth - 1) * width])
    return FiniteMDP.from_transitions(transitions, initial)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("rule", [{"epsilon": 0.5}, {"exploration": "softmax", "temperature": 2.0}])
def test_off_policy_control_finds_the_optimum(rule, seed: int) -> None:
    """On episodes of three steps, where tails are not rare; the learned action values are those of the optimum.

    The optimal action of a state has been averaged over tens of thousands of returns of standard deviation about 1.5
    (standard error below 0.01), the returns from the first thousand episodes of worse policies among them.
    """
    mdp = layered_mdp(seed)
    agent = OffPolicyMonteCarloControl(None, mdp=mdp, seed=seed, gamma=0.99, **rule).learn(total_episodes=300_000)
    optimum = optimal_action_values(mdp, 0.99).max(axis=1)
    np.testing.assert_allclose(policy_values(mdp, agent.target_policy(), 0.99), optimum, atol=0.02)
    np.testing.assert_allclose(agent.action_values.max(axis=1), optimum, atol=0.05)


# -- starts, and refusals ----------------------------------------------------------------------------------------------


def test_exploring_starts_draw_every_reachable_pair_equally() -> None:
    """Chi-square over the six pairs of three reachable states (5 degrees of freedom: 99.99 % below 25.7)."""
    ends = {s: {a: [(1.0, 0, 0.0, True)] for a in range(2)} for s in range(4)}
    ends[0] = {0: [(0.5, 1, 0.0, False), (0.5, 2, 0.0, False)], 1: [(1.0, 0, 0.0, True)]}
    mdp = FiniteMDP.from_transitions(ends, np.eye(4)[0])
    agent = MonteCarloExploringStarts(None, mdp=mdp, seed=0)
    np.testing.assert_allclose(agent.mdp.initial, [1 / 3, 1 / 3, 1 / 3, 0])
    counts = np.zeros((4, 2))
    rng = np.random.default_rng(0)
    for _ in range(6000):
        s = int(rng.choice(4, p=agent.mdp.initial))
        counts[s, begin(agent.memory, s, rng)] += 1
    assert counts[3].sum() == 0
    assert ((counts[:3] - 1000) ** 2 / 1000).sum() < 25.7
    agent.learn(total_episodes=6000)
    assert agent.visits[3] == 0


class WithoutModel(gym.Env):
    observation_space = gym.spaces.Discrete(2)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return 0, {}

    def step(self, action):
        return 1, float(action), True, False, {}


def test_exploring_starts_need_the_dynamics() -> None:
    with pytest.raises(ModelUnavailableError, match="mc-control does without"):
        MonteCarloExploringStarts(WithoutModel())
    assert MonteCarloControl(WithoutModel(), seed=0).learn(total_episodes=50).predict(0) == (1, None)


def test_importance_sampling_needs_coverage() -> None:
    with pytest.raises(HyperparameterError, match=r"takes action 1 in observation 2 with probability 0\.25"):
        OffPolicyMonteCarloPrediction(
            None,
            mdp=blank(3, 2),
            policy=[[1, 0], [1, 0], [0.75, 0.25]],
            behaviour=[[1, 0], [0.5, 0.5], [1, 0]],
        )


def test_off_policy_control_refuses_a_behaviour_that_is_not_soft() -> None:
    with pytest.raises(HyperparameterError, match="epsilon"):
        OffPolicyMonteCarloControl(None, mdp=blank(), epsilon=0.0)
    with pytest.raises(HyperparameterError, match="exploration"):
        OffPolicyMonteCarloControl(None, mdp=blank(), exploration="ucb")
