"""Chapter 4: Jack's car rental by policy iteration (figure 4.2), the gambler's problem by value iteration (4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rlsuite.agents.tabular.aliasing import optimal_actions
from rlsuite.agents.tabular.dynamic_programming import policy_iteration, value_iteration
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.experiments.figures import INK
from rlsuite.experiments.reproduce.plots import curve, heat, panels
from rlsuite.experiments.reproduce.reproduction import Check, Data, Reproduction, make_agent, near

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# -- figure 4.2 --------------------------------------------------------------------------------------------------------

CARS, MOVES = 21, 5


def car_rental(seeds: int, quick: bool) -> Data:
    """The policies that policy iteration passes through from never moving a car, and the last one's values."""
    mdp = FiniteMDP.from_env("rlsuite/JacksCarRental-v0")
    actions = np.full(mdp.n_states, MOVES)  # action MOVES moves no car
    first, second = np.divmod(np.arange(mdp.n_states), CARS)
    policies = []
    while True:
        policies.append(np.clip(actions - MOVES, -second, first).reshape(CARS, CARS))
        found = policy_iteration(mdp, 0.9, max_iterations=1, initial_policy=actions)
        if found.iterations == 0:
            break
        actions = found.policy.argmax(axis=1)
    return {"policies": np.array(policies), "values": found.values.reshape(CARS, CARS)}


def draw_car_rental(data: Data) -> Figure:
    policies, values = data["policies"], data["values"]
    figure, axes = panels(2, 3, 2.7, 2.5)
    flat = list(axes.flat)
    for k, policy in enumerate(policies[:5]):
        image = heat(flat[k], policy, limits=(-MOVES, MOVES), colours="RdBu")
        flat[k].set_title(f"policy {k}" + (" (optimal)" if k == len(policies) - 1 else ""), fontsize=9.5)
    figure.colorbar(image, ax=flat[2], label="cars moved 1st → 2nd")
    image = heat(flat[5], values, limits=(values.min(), values.max()))
    flat[5].set_title("optimal value", fontsize=9.5)
    figure.colorbar(image, ax=flat[5])
    for each in flat:
        each.set_xticks([0, 10, 20])
        each.set_yticks([0, 10, 20])
    figure.supxlabel("cars at the second location", fontsize=9)
    figure.supylabel("cars at the first location", fontsize=9)
    return figure


def check_car_rental(data: Data) -> list[Check]:
    values, policies = data["values"], data["policies"]
    exact = "exact (no Poisson tail cut off)"
    return [
        near("improvements until nothing changes", len(policies) - 1, 4, 0, "book"),
        near("most cars moved from first to second", policies[-1].max(), 5, 0, "book"),
        near("most cars moved from second to first", -policies[-1].min(), 4, 0, "book"),
        near("v(0, 0)", values[0, 0], 421.4, 0.06, exact),
        near("v(20, 20)", values[20, 20], 637.0, 0.06, exact),
    ]


figure_4_2 = Reproduction(
    car_rental,
    draw_car_rental,
    check_car_rental,
    "Jack's car rental, gamma = 0.9: policy iteration from the policy that never moves a car. Colours say how many "
    "cars are moved overnight, for each number of cars at the two locations in the evening.",
)

# -- figure 4.3 --------------------------------------------------------------------------------------------------------

SWEEPS = (1, 2, 3, 32)


def gambler(seeds: int, quick: bool) -> Data:
    """Values after a few sweeps from zero, the optimal ones, and the smallest optimal stake for each capital."""
    env = "rlsuite/Gambler-v0"
    mdp = FiniteMDP.from_env(env)
    zero = np.zeros(mdp.n_states)
    swept = [value_iteration(mdp, 1.0, max_iterations=k, initial_values=zero).values for k in SWEEPS]
    found = make_agent("value-iteration", env, gamma=1.0, tol=1e-12).learn()
    stake = optimal_actions(found.action_values).argmax(axis=1) + 1
    return {"sweeps": np.array(swept)[:, 1:100], "values": found.state_values[1:100], "stake": stake[1:100]}


def draw_gambler(data: Data) -> Figure:
    figure, ((left, right),) = panels(1, 2, 3.9, 3.1)
    capital = np.arange(1, 100)
    for i, (k, values) in enumerate(zip(SWEEPS, data["sweeps"], strict=True)):
        curve(left, i, capital, values, f"sweep {k}", lw=1.3)
    left.plot(capital, data["values"], color=INK, lw=1.3, ls=(0, (4, 2)), label="optimal")
    left.set(xlabel="capital", ylabel="value estimates", xlim=(0, 100), ylim=(0, 1))
    left.legend(loc="upper left")
    right.step(capital, data["stake"], where="mid", color=INK, lw=1.1)
    right.set(xlabel="capital", ylabel="smallest optimal stake", xlim=(0, 100), ylim=(0, 52))
    return figure


def check_gambler(data: Data) -> list[Check]:
    values, stake = data["values"], data["stake"]
    return [
        near("v(25)", values[24], 0.16, 1e-6, "exact"),
        near("v(50)", values[49], 0.4, 1e-6, "exact"),
        near("v(75)", values[74], 0.64, 1e-6, "exact"),
        near("smallest optimal stake at 50", stake[49], 50, 0, "book"),
        near("smallest optimal stake at 51", stake[50], 1, 0, "book"),
        near("smallest optimal stake at 75", stake[74], 25, 0, "book"),
    ]


figure_4_3 = Reproduction(
    gambler,
    draw_gambler,
    check_gambler,
    "The gambler's problem with probability 0.4 of heads: values after sweeps of value iteration from zero, and the "
    "smallest of the optimal stakes. Many stakes are optimal at most capitals; the smallest ones give the book's "
    "spikes.",
)
