"""Policy gradients against enumeration, finite differences and the closed form of the short corridor."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from rlsuite.agents.tabular.evaluation import discounted_values
from rlsuite.agents.tabular.interaction import begin, observe
from rlsuite.agents.tabular.policy_gradient import TabularActorCritic, TabularReinforce
from rlsuite.envs.finite.mdp import FiniteMDP
from tests.agents.small_mdps import blank, optimal_action_values, policy_values, random_mdp

RNG = np.random.default_rng(0)
GAMMA = 0.9
THETA = np.array([[0.3, -0.2], [-0.5, 0.4]])
SMALL = {"alpha_policy": 1e-7, "alpha_value": 1e-10}  # second order in these is far below the tolerances
Step = tuple[int, int, float, int, bool]  # s, a, r, s', terminated


def tiny() -> FiniteMDP:
    """Four states behind two observations; every episode has two or three steps, so all can be listed."""
    transitions = {
        0: {0: [(0.7, 1, 1.0, False), (0.3, 2, -1.0, False)], 1: [(1.0, 2, 0.5, False)]},
        1: {0: [(1.0, 3, 0.0, False)], 1: [(0.4, 0, 2.0, True), (0.6, 3, 1.0, False)]},
        2: {0: [(1.0, 0, -2.0, True)], 1: [(1.0, 3, 0.0, False)]},
        3: {0: [(1.0, 0, 3.0, True)], 1: [(0.5, 0, -3.0, True), (0.5, 0, 4.0, True)]},
    }
    return FiniteMDP.from_transitions(transitions, [1.0, 0, 0, 0], observation=np.array([0, 1, 0, 1]))


def softmax(theta: np.ndarray) -> np.ndarray:
    weight = np.exp(theta)
    return weight / weight.sum(axis=1, keepdims=True)


def episodes(mdp: FiniteMDP, theta: np.ndarray, s: int = 0) -> Iterator[tuple[float, list[Step]]]:
    """Every episode from state ``s`` with its probability, in observations."""
    policy, outcomes = softmax(theta), mdp.to_transitions()[s]
    o = mdp.observation
    for a in range(mdp.n_actions):
        for p, s_next, r, terminated in outcomes[a]:
            step = (int(o[s]), a, r, int(o[s_next]), terminated)
            chance = policy[o[s], a] * p
            if terminated:
                yield chance, [step]
            else:
                for rest_chance, rest in episodes(mdp, theta, s_next):
                    yield chance * rest_chance, [step, *rest]


def objective(mdp: FiniteMDP, theta: np.ndarray) -> float:
    """J = v_pi(s_0), by listing all episodes."""
    return sum(p * sum(GAMMA**t * step[2] for t, step in enumerate(episode)) for p, episode in episodes(mdp, theta))


def finite_difference(mdp: FiniteMDP, theta: np.ndarray, h: float = 1e-5) -> np.ndarray:
    gradient = np.empty_like(theta)
    for at in np.ndindex(theta.shape):
        up, down = theta.copy(), theta.copy()
        up[at] += h
        down[at] -= h
        gradient[at] = (objective(mdp, up) - objective(mdp, down)) / (2 * h)
    return gradient


def increments(agent, mdp: FiniteMDP, theta: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) probabilities of all episodes, (n, *theta.shape) what each adds to theta per unit of its step size."""
    m, chances, added = agent.memory, [], []
    for chance, episode in episodes(mdp, theta):
        m.theta[...], m.v[...] = theta, v
        begin(m, episode[0][0], RNG)
        for s, a, r, s_next, terminated in episode:
            observe(m, s, a, r, s_next, terminated, False, RNG)
        chances.append(chance)
        added.append((m.theta - theta) / m.alpha_policy)
    return np.array(chances), np.array(added)


def moments(chances: np.ndarray, added: np.ndarray) -> tuple[np.ndarray, float]:
    """Mean, and total variance, of the increment."""
    mean = np.tensordot(chances, added, axes=1)
    return mean, float((chances[:, None, None] * (added - mean) ** 2).sum())


# -- the gradient ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("baseline", ["none", "state-value"])
def test_the_expected_increment_of_reinforce_is_the_gradient(baseline: str) -> None:
    """The policy gradient theorem, on aliased states, with any baseline (eqs. 13.8 and 13.11), for small steps."""
    mdp = tiny()
    agent = TabularReinforce(None, mdp=mdp, gamma=GAMMA, baseline=baseline, **SMALL)
    chances, added = increments(agent, mdp, THETA, v=np.array([0.7, -1.3]))
    assert chances.sum() == pytest.approx(1.0)
    mean, _ = moments(chances, added)
    assert np.abs(mean).max() > 0.1
    np.testing.assert_allclose(mean, finite_difference(mdp, THETA), atol=1e-6)


def mean_returns(mdp: FiniteMDP, theta: np.ndarray) -> np.ndarray:
    """E[G_t | O_t = o], the baseline that REINFORCE learns, over all visits to the observation."""
    weight, total = np.zeros(len(theta)), np.zeros(len(theta))
    for p, episode in episodes(mdp, theta):
        g = 0.0
        for s, _, r, _, _ in reversed(episode):
            g = r + GAMMA * g
            weight[s] += p
            total[s] += p * g
    return total / weight


def test_the_learned_baseline_keeps_the_mean_and_lowers_the_variance() -> None:
    """All episodes are listed, so both moments are exact to first order in the steps: no statistics are involved."""
    mdp = tiny()
    plain = TabularReinforce(None, mdp=mdp, gamma=GAMMA, baseline="none", **SMALL)
    based = TabularReinforce(None, mdp=mdp, gamma=GAMMA, baseline="state-value", **SMALL)
    mean, variance = moments(*increments(plain, mdp, THETA, np.zeros(2)))
    same_mean, less = moments(*increments(based, mdp, THETA, mean_returns(mdp, THETA)))
    np.testing.assert_allclose(same_mean, mean, atol=1e-6)
    assert less < 0.95 * variance


def test_the_actor_critic_with_the_exact_critic_follows_the_gradient() -> None:
    """Fully observed and with v = v_pi its expected increment is the gradient, to first order in the step sizes."""
    mdp = FiniteMDP.from_transitions(tiny().to_transitions(), [1.0, 0, 0, 0])
    theta = np.vstack([THETA, -THETA])
    agent = TabularActorCritic(None, mdp=mdp, gamma=GAMMA, **SMALL)
    v = policy_values(mdp, softmax(theta), GAMMA)
    mean, _ = moments(*increments(agent, mdp, theta, v))
    np.testing.assert_allclose(mean, finite_difference(mdp, theta), atol=1e-6)


# -- single updates, worked by hand ------------------------------------------------------------------------------------


def play(agent, steps: list[Step], truncated: bool = False) -> None:
    begin(agent.memory, steps[0][0], RNG)
    for i, (s, a, r, s_next, terminated) in enumerate(steps):
        observe(agent.memory, s, a, r, s_next, terminated, truncated and i == len(steps) - 1, RNG)


TWO_STEPS: list[Step] = [(0, 0, 2.0, 1, False), (1, 1, 4.0, 0, True)]


@pytest.mark.parametrize(("discounted", "second"), [(True, 1.0), (False, 2.0)])
def test_reinforce_by_hand(discounted: bool, second: float) -> None:
    """gamma = 1/2: G_0 = 2 + 2 = 4, G_1 = 4; pi = 1/2, so grad ln pi = ±1/2; step 1 is weighted by gamma or by 1."""
    agent = TabularReinforce(
        None, mdp=blank(2, 2), gamma=0.5, alpha_policy=1.0, alpha_value=0.25, discounted_gradient=discounted
    )
    play(agent, TWO_STEPS)
    np.testing.assert_array_equal(agent.memory.theta, [[2, -2], [-second, second]])
    np.testing.assert_array_equal(agent.state_values, [1, 1])


@pytest.mark.parametrize(("discounted", "second"), [(True, 1.0), (False, 2.0)])
def test_actor_critic_by_hand(discounted: bool, second: float) -> None:
    """v = (0, 2), gamma = 1/2: delta_0 = 2 + 1 - 0 = 3; then delta_1 = 4 - 2 = 2, weighted by I = gamma or by 1."""
    agent = TabularActorCritic(
        None, mdp=blank(2, 2), gamma=0.5, alpha_policy=1.0, alpha_value=0.5, discounted_gradient=discounted
    )
    agent.memory.v[1] = 2.0
    play(agent, TWO_STEPS)
    np.testing.assert_array_equal(agent.memory.theta, [[1.5, -1.5], [-second / 2, second / 2]])
    np.testing.assert_array_equal(agent.state_values, [1.5, 3.0])


def test_truncation_bootstraps_in_the_actor_critic_and_not_in_reinforce() -> None:
    step: list[Step] = [(0, 0, 1.0, 1, False)]
    actor_critic = TabularActorCritic(None, mdp=blank(2, 2), gamma=0.5, alpha_value=1.0)
    reinforce = TabularReinforce(None, mdp=blank(2, 2), gamma=0.5, alpha_value=1.0)
    for agent in (actor_critic, reinforce):
        agent.memory.v[1] = 10.0
        play(agent, step, truncated=True)
    assert actor_critic.state_values[0] == 6.0
    assert reinforce.state_values[0] == 1.0


# -- the policy --------------------------------------------------------------------------------------------------------


def test_the_target_policy_is_the_softmax_and_actions_are_drawn_from_it() -> None:
    agent = TabularActorCritic(None, mdp=blank(1, 3), seed=0)
    agent.memory.theta[0] = [800.0, 800.0 + np.log(2.0), 800.0]  # large: only differences matter
    np.testing.assert_allclose(agent.target_policy(), [[0.25, 0.5, 0.25]])
    assert agent.predict(0) == (1, None)
    drawn = np.bincount([agent.predict(0, deterministic=False)[0] for _ in range(4000)], minlength=3)
    behaved = np.bincount([begin(agent.memory, 0, RNG) for _ in range(4000)], minlength=3)
    for counts in (drawn, behaved):  # chi-square, 2 degrees of freedom: 99.99 % below 18.4
        assert ((counts - [1000, 2000, 1000]) ** 2 / [1000, 2000, 1000]).sum() < 18.4


@pytest.mark.parametrize("cls", [TabularReinforce, TabularActorCritic])
@pytest.mark.parametrize("seed", [0, 1])
def test_learners_approach_the_optimum_of_a_fully_observed_mdp(cls, seed: int) -> None:
    """The softmax policy ends within 2 % of the distance from the uniform policy's value to the optimum."""
    mdp, gamma = random_mdp(seed), 0.8
    agent = cls(
        None,
        mdp=mdp,
        seed=seed,
        gamma=gamma,
        alpha_policy=0.1,
        alpha_value=0.05,
        discounted_gradient=False,
        time_limit=200,
    ).learn(total_episodes=40_000)
    start = mdp.initial
    best = start @ optimal_action_values(mdp, gamma).max(axis=1)
    uniform = start @ policy_values(mdp, np.full((5, 3), 1 / 3), gamma)
    learned = start @ policy_values(mdp, agent.target_policy(), gamma)
    assert best - learned < 0.02 * (best - uniform)


# -- the short corridor (example 13.1) ---------------------------------------------------------------------------------

RIGHT = 1
OPTIMUM = 2 - np.sqrt(2)


def corridor() -> FiniteMDP:
    """Three states that look alike; in the middle one the actions are reversed; -1 per step."""
    transitions = {
        0: {0: [(1.0, 0, -1.0, False)], 1: [(1.0, 1, -1.0, False)]},
        1: {0: [(1.0, 2, -1.0, False)], 1: [(1.0, 0, -1.0, False)]},
        2: {0: [(1.0, 1, -1.0, False)], 1: [(1.0, 2, -1.0, True)]},
    }
    return FiniteMDP.from_transitions(transitions, [1.0, 0, 0], observation=np.zeros(3))


def corridor_value(mdp: FiniteMDP, p_right: float) -> float:
    return float(mdp.initial @ discounted_values(mdp, np.array([[1 - p_right, p_right]]), 1.0))


@pytest.mark.parametrize(
    "mdp", [corridor(), FiniteMDP.from_env("rlsuite:rlsuite/ShortCorridor-v0")], ids=["hand", "env"]
)
def test_value_of_the_corridor(mdp: FiniteMDP) -> None:
    """v(p) = (2p - 4) / (p (1 - p)), greatest at p = 2 - sqrt 2 where it is -11.657; epsilon-greedy -44.2 and -82.1."""
    for p in (0.05, 0.3, OPTIMUM, 0.8, 0.95):
        assert corridor_value(mdp, p) == pytest.approx((2 * p - 4) / (p * (1 - p)), rel=1e-9)
    assert corridor_value(mdp, OPTIMUM) == pytest.approx(-11.657, abs=5e-4)
    assert corridor_value(mdp, OPTIMUM) > max(corridor_value(mdp, OPTIMUM + d) for d in (-1e-3, 1e-3))
    assert corridor_value(mdp, 0.95) == pytest.approx(-44.2, abs=0.05)
    assert corridor_value(mdp, 0.05) == pytest.approx(-82.1, abs=0.05)


@pytest.mark.parametrize("baseline", ["none", "state-value"])
def test_reinforce_finds_the_stochastic_optimum_of_the_corridor(baseline: str) -> None:
    """From 5 % right, value -82, to p = 2 - sqrt 2, value -11.657: no deterministic policy arrives at all.

    Over 10 runs p has a standard deviation below 0.02, the mean a standard error below 0.0065: 0.03 are more than four
    of these. Around the optimum the value falls by 48 (p - p*)^2, so a standard deviation of 0.02 costs about 0.02.
    """
    mdp, learned = corridor(), []
    for seed in range(10):
        agent = TabularReinforce(
            None, mdp=mdp, seed=seed, gamma=1.0, alpha_policy=2.0**-14, alpha_value=2.0**-6, baseline=baseline
        )
        agent.memory.theta[0] = [np.log(19.0), 0.0]
        assert corridor_value(mdp, agent.target_policy()[0, RIGHT]) == pytest.approx(-82.1, abs=0.05)
        learned.append(agent.learn(total_episodes=60_000).target_policy()[0, RIGHT])
    assert np.mean(learned) == pytest.approx(OPTIMUM, abs=0.03)
    assert np.mean([corridor_value(mdp, p) for p in learned]) == pytest.approx(-11.657, abs=0.05)
