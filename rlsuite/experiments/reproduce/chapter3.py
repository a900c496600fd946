"""Chapter 3: values of the 5x5 gridworld, under the random policy and optimal (figures 3.2 and 3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rlsuite.agents.tabular.aliasing import optimal_actions
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.experiments.figures_maps import value_map
from rlsuite.experiments.maps import StateTable
from rlsuite.experiments.reproduce.reproduction import Check, Data, Reproduction, make_agent, near

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENV, GAMMA = "rlsuite/SuttonBartoGridWorld5x5-v0", 0.9
ROUNDING = 0.05 + 1e-9  # the book prints one decimal

RANDOM = [
    [3.3, 8.8, 4.4, 5.3, 1.5],
    [1.5, 3.0, 2.3, 1.9, 0.5],
    [0.1, 0.7, 0.7, 0.4, -0.4],
    [-1.0, -0.4, -0.4, -0.6, -1.2],
    [-1.9, -1.3, -1.2, -1.4, -2.0],
]
OPTIMAL = [
    [22.0, 24.4, 22.0, 19.4, 17.5],
    [19.8, 22.0, 19.8, 17.8, 16.0],
    [17.8, 19.8, 17.8, 16.0, 14.4],
    [16.0, 17.8, 16.0, 14.4, 13.0],
    [14.4, 16.0, 14.4, 13.0, 11.7],
]


def random_values(seeds: int, quick: bool) -> Data:
    found = make_agent("policy-evaluation", ENV, gamma=GAMMA).learn()
    return {"values": found.state_values}


def optimal_values(seeds: int, quick: bool) -> Data:
    found = make_agent("policy-iteration", ENV, gamma=GAMMA).learn()
    share = optimal_actions(found.action_values).astype(np.float64)
    return {"values": found.state_values, "policy": share / share.sum(axis=1, keepdims=True)}


def draw(data: Data) -> Figure:
    layout = FiniteMDP.from_env(ENV).layout
    assert layout is not None
    values = data["values"]
    return value_map(layout, StateTable(values, data.get("policy")), (values.min(), values.max()), "value")


def compare(book: list[list[float]]) -> list[tuple[str, tuple[int, int], float]]:
    return [(f"v of row {r}, column {c}", (r, c), book[r][c]) for r, c in ((0, 0), (0, 1), (2, 2), (4, 4))]


def checks_of(data: Data, book: list[list[float]]) -> list[Check]:
    values = data["values"].reshape(5, 5)
    largest = Check(
        "largest difference from the book's 25 numbers", float(np.abs(values - book).max()), "its rounding: 0.05",
        0.0, ROUNDING,
    )  # fmt: skip
    return [largest, *(near(what, values[at], number, ROUNDING, "book") for what, at, number in compare(book))]


example_3_5 = Reproduction(
    random_values,
    draw,
    lambda data: checks_of(data, RANDOM),
    "Value of each state under the policy that moves in all four directions with equal probability, gamma = 0.9. From "
    "A every move leads to a and pays 10; from B to b and pays 5; bumping into the edge costs 1. Found by iterative "
    "policy evaluation.",
)
figure_3_5 = Reproduction(
    optimal_values,
    draw,
    lambda data: checks_of(data, OPTIMAL),
    "Optimal values and all optimal actions of the gridworld of example 3.5, gamma = 0.9, by policy iteration.",
)
