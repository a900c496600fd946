"""The gallery: figures of Sutton & Barto (2018) made again by the suite's own agents and environments.

Each figure is a :class:`~rlsuite.experiments.reproduce.reproduction.Reproduction`: it computes numbers, compares them
with the book's (or exact) ones, and draws them. This file only says which there are; nothing heavy is imported before
a figure is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from rlsuite.errors import UnknownNameError

if TYPE_CHECKING:
    from rlsuite.experiments.reproduce.reproduction import Reproduction


@dataclass(frozen=True)
class Entry:
    """One figure of the gallery.

    Attributes:
        name: what the command line calls it. title: what is shown. source: where the book has it.
        path: ``module:variable`` of its reproduction, within this package.
        seeds: independent runs by default, 1 where nothing is random. quick: with ``--quick``.
    """

    name: str
    title: str
    source: str
    path: str
    seeds: int = 1
    quick: int = 1

    def load(self) -> Reproduction:
        """Import the reproduction."""
        module, _, variable = self.path.partition(":")
        found: Reproduction = getattr(import_module(f"{__name__}.{module}"), variable)
        return found


ENTRIES: tuple[Entry, ...] = (
    Entry("example-3-5", "values of the 5x5 gridworld at random", "example 3.5, figure 3.2", "chapter3:example_3_5"),
    Entry("figure-3-5", "optimal values of the 5x5 gridworld", "example 3.8, figure 3.5", "chapter3:figure_3_5"),
    Entry("figure-4-2", "policy iteration for Jack's car rental", "example 4.2, figure 4.2", "chapter4:figure_4_2"),
    Entry("figure-4-3", "value iteration for the gambler", "example 4.3, figure 4.3", "chapter4:figure_4_3"),
    Entry("figure-5-1", "Monte Carlo prediction in blackjack", "example 5.1, figure 5.1", "chapter5:figure_5_1"),
    Entry("figure-5-2", "Monte Carlo ES in blackjack", "example 5.3, figure 5.2", "chapter5:figure_5_2"),
    Entry("figure-5-3", "importance sampling", "example 5.4, figure 5.3", "chapter5:figure_5_3", 100, 20),
    Entry("example-6-2", "TD(0) and Monte Carlo on a random walk", "example 6.2", "chapter6:example_6_2", 100, 20),
    Entry("example-6-5", "SARSA in the windy gridworld", "example 6.5", "chapter6:example_6_5", 100, 20),
    Entry("example-6-6", "SARSA and Q-learning on the cliff", "example 6.6", "chapter6:example_6_6", 400, 60),
    Entry("figure-6-5", "maximisation bias", "example 6.7, figure 6.5", "chapter6:figure_6_5", 4000, 500),
    Entry("figure-7-2", "TD over n steps, by step size", "example 7.1, figure 7.2", "random_walk19:figure_7_2", 50, 20),
    Entry("figure-8-2", "Dyna-Q in a maze", "example 8.1, figure 8.2", "chapter8:figure_8_2", 100, 30),
    Entry("figure-8-4", "Dyna-Q+ when a way is blocked", "example 8.2, figure 8.4", "chapter8:figure_8_4", 20, 5),
    Entry("figure-8-5", "Dyna-Q+ when a shortcut opens", "example 8.3, figure 8.5", "chapter8:figure_8_5", 10, 3),
    Entry("figure-12-6", "TD(lambda), by step size", "figure 12.6", "random_walk19:figure_12_6", 50, 20),
    Entry("figure-12-8", "true online TD(lambda), by step size", "figure 12.8", "random_walk19:figure_12_8", 30, 10),
    Entry("figure-13-1", "REINFORCE in the corridor", "example 13.1, figure 13.1", "chapter13:figure_13_1", 100, 30),
    Entry("figure-13-2", "REINFORCE with baseline", "figure 13.2", "chapter13:figure_13_2", 100, 30),
)


def names() -> list[str]:
    """All figures, in the order of the book."""
    return [entry.name for entry in ENTRIES]


def chosen(wanted: Sequence[str]) -> list[Entry]:
    """The entries of these names, in the order of the book; ``all`` is every one.

    Raises:
        UnknownNameError: there is no such figure.
    """
    known = {entry.name: entry for entry in ENTRIES}
    asked = {name.lower().replace(".", "-").replace("_", "-") for name in wanted}
    for name in wanted:
        if name.lower().replace(".", "-").replace("_", "-") not in {*known, "all"}:
            raise UnknownNameError("figure", name, [*known, "all"], hint="see `rlsuite reproduce --list`")
    return [entry for entry in ENTRIES if "all" in asked or entry.name in asked]
