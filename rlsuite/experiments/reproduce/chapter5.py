"""Chapter 5: blackjack by Monte Carlo prediction and control (figures 5.1, 5.2), importance sampling (5.3)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from rlsuite.agents.tabular.aliasing import observation_values
from rlsuite.agents.tabular.evaluation import discounted_values, finite_horizon_value, state_policy
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.envs.finite.spaces import DiscreteIndex
from rlsuite.experiments.reproduce.plots import curve, heat, level, panels
from rlsuite.experiments.reproduce.reproduction import (
    Check,
    Data,
    Reproduction,
    make_agent,
    mean_and_error,
    near,
    over_seeds,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEALER, SUMS = range(1, 11), range(12, 22)
EXTENT = (0.5, 10.5, 11.5, 21.5)  # dealer's card, player's sum


def game() -> tuple[gym.Env[Any, Any], FiniteMDP, DiscreteIndex]:
    """Blackjack by the book's rules."""
    env = gym.make("Blackjack-v1", sab=True)
    return env, FiniteMDP.from_env(env), DiscreteIndex(env.observation_space)


def cards(index: DiscreteIndex) -> NDArray[np.int64]:
    """``(2, 10, 10)`` observation with usable ace or without (first), player's sum, dealer's card."""
    return np.array([[[index.index((s, d, ace)) for d in DEALER] for s in SUMS] for ace in (1, 0)])


def sticking_on(index: DiscreteIndex, least: int, n_observations: int) -> NDArray[np.float64]:
    """``(n_observations, 2)`` the policy that sticks on sums of ``least`` or more."""
    policy = np.tile([0.0, 1.0], (n_observations, 1))
    for total in range(least, 32):
        for dealer in range(11):
            for ace in (0, 1):
                policy[index.index((total, dealer, ace))] = (1.0, 0.0)
    return policy


# -- figure 5.1 --------------------------------------------------------------------------------------------------------

EPISODES = (10_000, 500_000)


def prediction(seeds: int, quick: bool) -> Data:
    env, mdp, index = game()
    where, policy = cards(index), sticking_on(index, 20, mdp.n_observations)
    learner = make_agent("mc-prediction", env, seed=0, gamma=1.0, policy=policy)
    found = []
    for n in EPISODES:
        learner.learn(total_episodes=n - learner.num_episodes)
        found.append(learner.state_values[where])
    exact = observation_values(mdp, discounted_values(mdp, policy, 1.0), state_policy(mdp, policy))
    return {"values": np.array(found), "exact": exact[where], "visits": learner.visits[where]}


def draw_prediction(data: Data) -> Figure:
    figure, axes = panels(2, 2, 3.2, 2.5, sharex=True, sharey=True)
    for row, ace in enumerate(("usable ace", "no usable ace")):
        for col, n in enumerate(EPISODES):
            image = heat(axes[row, col], data["values"][col, row], limits=(-1, 1), extent=EXTENT)
            axes[row, col].set_title(f"{ace}, after {n:,} episodes", fontsize=9)
    _label(axes)
    figure.colorbar(image, ax=axes, label="value", shrink=0.7)
    return figure


def check_prediction(data: Data) -> list[Check]:
    late, exact, visits = data["values"][1], data["exact"], data["visits"]
    # a return lies in [-1, 1], so an average of n has a standard error below 1 / sqrt(n): 4.5 of them for 200 averages
    worst = float((np.abs(late - exact) * np.sqrt(visits)).max())
    early_rms, late_rms = (float(np.sqrt(np.mean((v - exact) ** 2))) for v in data["values"])
    ten = exact[1, SUMS.index(20), 9]
    return [
        Check(
            "largest error after 500,000 episodes, in units of 1/√visits", worst, "statistics: at most 4.5", 0.0, 4.5
        ),
        Check("RMS error after 10,000 episodes", early_rms, "noisy in the book's figure, more with an ace", 0.0, 0.5),
        Check("RMS error after 500,000 episodes", late_rms, "smooth in the book's figure", 0.0, 0.5 * early_rms),
        near("value of 20 against a ten, no ace", late[1, SUMS.index(20), 9], ten, 0.03, "exact"),
    ]


figure_5_1 = Reproduction(
    prediction,
    draw_prediction,
    check_prediction,
    "Blackjack, the policy that sticks only on 20 and 21: state values by first-visit Monte Carlo prediction, one run.",
)

# -- figure 5.2 --------------------------------------------------------------------------------------------------------

HARD = (17, 13, 13, 12, 12, 12, 17, 17, 17, 17)  # least sum to stick on, dealer shows A, 2 … 10
SOFT = (19, 18, 18, 18, 18, 18, 18, 18, 19, 19)
OPTIMUM = -0.0431  # exact, by dynamic programming


def control(seeds: int, quick: bool) -> Data:
    env, mdp, index = game()
    where = cards(index)
    optimal = make_agent("policy-iteration", env, gamma=1.0).learn()
    learner = make_agent("mc-exploring-starts", env, seed=0, gamma=1.0)
    learner.learn(total_episodes=2_000_000 if quick else 10_000_000)
    return {
        "values": learner.action_values.max(axis=1)[where],
        "sticks": learner.target_policy()[where][..., 0] > 0.5,
        "exact_values": optimal.state_values[where],
        "exact_sticks": optimal.target_policy()[where][..., 0] > 0.5,
        "worth": np.array([finite_horizon_value(mdp, a.target_policy(), 100) for a in (learner, optimal)]),
    }


def draw_control(data: Data) -> Figure:
    figure, axes = panels(2, 2, 3.2, 2.5, sharex=True, sharey=True)
    for row, ace in enumerate(("usable ace", "no usable ace")):
        heat(axes[row, 0], data["sticks"][row].astype(float), limits=(-0.6, 1.6), colours="cividis", extent=EXTENT)
        bound = [12 + int(np.argmax(column)) for column in data["exact_sticks"][row].T]
        edges = np.repeat(np.arange(0.5, 11), 2)[1:-1]
        axes[row, 0].plot(edges, np.repeat(bound, 2) - 0.5, color="white", lw=1.6, ls=(0, (3, 1.5)))
        axes[row, 0].text(5.5, 20.4, "stick", ha="center", va="center", color="black", fontsize=9)
        axes[row, 0].text(8.5 if row else 5.5, 14.0, "hit", ha="center", va="center", color="white", fontsize=9)
        axes[row, 0].set_title(f"policy, {ace}", fontsize=9)
        image = heat(axes[row, 1], data["values"][row], limits=(-1, 1), extent=EXTENT)
        axes[row, 1].set_title(f"value, {ace}", fontsize=9)
    _label(axes)
    figure.colorbar(image, ax=axes[:, 1], label="value", shrink=0.7)
    return figure


def check_control(data: Data) -> list[Check]:
    wrong = int((data["sticks"] != data["exact_sticks"]).sum())
    bounds = [[12 + int(np.argmax(column)) for column in table.T] for table in data["exact_sticks"]]
    off = int((np.array(bounds) != [SOFT, HARD]).sum())
    rms = float(np.sqrt(np.mean((data["values"] - data["exact_values"]) ** 2)))
    return [
        near("columns in which the exact policy's stick sum is not the book's", off, 0, 0, "book"),
        Check("of 200 states, decided otherwise than optimally by Monte Carlo ES", wrong, "0 in the limit", 0, 8),
        near("expected return of its policy", data["worth"][0], OPTIMUM, 0.002, "optimum"),
        Check("RMS error of its values", rms, "0 in the limit", 0.0, 0.03),
    ]


figure_5_2 = Reproduction(
    control,
    draw_control,
    check_control,
    "Blackjack: policy and values found by Monte Carlo control with exploring starts, one run of 10 million episodes "
    "(2 million with --quick). The dashed line is the exact boundary between hitting and sticking, by policy "
    "iteration.",
)

# -- figure 5.3 --------------------------------------------------------------------------------------------------------

TRUTH = -0.27726  # printed in the book, from 10^8 episodes


def importance_sampling(seeds: int, quick: bool) -> Data:
    """Mean squared error of the value of one state, episodes all starting there, by number of episodes."""
    env, mdp, index = game()
    state = index.index((13, 2, 1))
    mdp = dataclasses.replace(mdp, initial=np.eye(mdp.n_states)[state])
    policy = sticking_on(index, 20, mdp.n_observations)
    exact = discounted_values(mdp, policy, 1.0)[state]
    points = np.unique(np.round(np.geomspace(1, 10_000, 25 if quick else 60)).astype(int))
    errors = []
    for weighting in ("ordinary", "weighted"):

        def squared_errors(seed: int, weighting: str = weighting) -> list[float]:
            learner = make_agent(
                "off-policy-mc-prediction", env, mdp=mdp, seed=seed, gamma=1.0, policy=policy, weighting=weighting
            )
            found = []
            for n in points:
                learner.learn(total_episodes=int(n) - learner.num_episodes)
                found.append((learner.state_values[state] - exact) ** 2)
            return found

        errors.append(mean_and_error(over_seeds(squared_errors, seeds)))
    mse, standard_error = map(np.array, zip(*errors, strict=True))
    return {"episodes": points, "mse": mse, "standard_error": standard_error, "exact": np.array(exact)}


def draw_importance_sampling(data: Data) -> Figure:
    figure, ((axes,),) = panels(1, 1, 4.8, 3.1)
    for i, name in enumerate(("ordinary importance sampling", "weighted importance sampling")):
        curve(axes, i, data["episodes"], data["mse"][i], name, data["standard_error"][i])
    level(axes, 0.0, "")
    axes.set(xscale="log", xlabel="episodes (log scale)", ylabel="mean squared error", xlim=(1, 10_000), ylim=(-0.1, 5))
    axes.set_xticks([1, 10, 100, 1000, 10_000], ["1", "10", "100", "1,000", "10,000"])
    axes.legend()
    return figure


def check_importance_sampling(data: Data) -> list[Check]:
    (ordinary, weighted), (_, error) = data["mse"], data["standard_error"]
    early = data["episodes"] <= 100
    return [
        near("exact value of the state", data["exact"], TRUTH, 1e-4, "book, 10⁸ episodes"),
        Check("error of weighted, mean up to episode 100, relative to ordinary",
              float(weighted[early].mean() / ordinary[early].mean()), "book: much lower", 0.0, 0.6),
        Check("mean squared error after 10,000 episodes, weighted", float(weighted[-1]), "book: close to 0", 0.0,
              0.01 + 4 * float(error[-1])),
    ]  # fmt: skip


figure_5_3 = Reproduction(
    importance_sampling,
    draw_importance_sampling,
    check_importance_sampling,
    "Off-policy estimates of the value of one blackjack state (dealer shows 2, player has 13 with a usable ace) under "
    "the policy that sticks on 20 and 21, from episodes of the uniformly random policy. Bands are two standard errors.",
)


def _label(axes: NDArray[Any]) -> None:
    for each in axes[-1]:
        each.set_xlabel("dealer shows")
        each.set_xticks(list(DEALER), ["A", *map(str, range(2, 11))])
    for each in axes[:, 0]:
        each.set_ylabel("player's sum")
        each.set_yticks([12, 15, 18, 21])
