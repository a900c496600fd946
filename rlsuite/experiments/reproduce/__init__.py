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


ENTRIES: tuple[Entry, ...] = ()


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
