"""What a figure of the gallery is made of: numbers, their comparison with known ones, and a drawing."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from rlsuite.agents.registry import agent_class
from rlsuite.experiments.records import plain
from rlsuite.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rlsuite.experiments.reproduce import Entry

T = TypeVar("T")
Data = dict[str, NDArray[Any]]
NO_LIMIT = 10**9  # steps: the book's experiments have no time limit


@dataclass(frozen=True)
class Check:
    """A measured number beside the known one.

    Attributes:
        what: the quantity. measured: its value here.
        reference: what the book prints, or what is exactly known, in words.
        low, high: where it must lie; as wide as the statistics of both numbers and the book's rounding.
    """

    what: str
    measured: float
    reference: str
    low: float
    high: float

    @property
    def holds(self) -> bool:
        return bool(self.low <= self.measured <= self.high)

    def __str__(self) -> str:
        return f"{self.what}: {number(self.measured)} ({self.reference}){'' if self.holds else '  <- differs'}"


def near(what: str, measured: Any, expected: float, tolerance: float, source: str) -> Check:
    """The measured number lies within ``tolerance`` of the expected one."""
    measured = float(measured)
    return Check(what, measured, f"{source} {number(expected)}", expected - tolerance, expected + tolerance)


@dataclass(frozen=True)
class Reproduction:
    """One figure.

    Attributes:
        compute: ``(seeds, quick)`` to arrays by name. draw: these to a figure. checks: these to comparisons.
        caption: what the figure shows.
    """

    compute: Callable[[int, bool], Data]
    draw: Callable[[Data], Figure]
    checks: Callable[[Data], list[Check]]
    caption: str


@dataclass(frozen=True)
class Written:
    """A figure on disk, with its words and the number of its runs."""

    png: Path
    caption: str
    seeds: int
    checks: tuple[Check, ...]


def make_agent(name: str, env: gym.Env[Any, Any] | str | None = None, **arguments: Any) -> Any:
    """The agent registered as ``name``; in ``env``, or on the ``mdp`` among the arguments."""
    return agent_class(name)(env, **arguments)


def over_seeds(experiment: Callable[[int], T], seeds: int) -> list[T]:
    """``[experiment(0), …, experiment(seeds - 1)]`` on threads: compiled kernels do not hold the interpreter's lock."""
    first = experiment(0)  # compiles
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [first, *pool.map(experiment, range(1, seeds))]


def mean_and_error(runs: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean over the first axis and its standard error (0 for a single run)."""
    table = np.asarray(runs, np.float64)
    spread = table.std(axis=0, ddof=1) if len(table) > 1 else np.zeros(table.shape[1:])
    return table.mean(axis=0), spread / math.sqrt(len(table))


def reproduce(entry: Entry, folder: Path, *, seeds: int | None = None, quick: bool = False) -> Written:
    """Compute, draw and compare; writes ``NAME.png``, ``NAME.svg`` and ``NAME.json`` into ``folder``."""
    from rlsuite.experiments.figures import save_figure, style, to_png
    from rlsuite.experiments.provenance import provenance

    reproduction = entry.load()
    n_seeds = seeds or (entry.quick if quick else entry.seeds)
    data = reproduction.compute(n_seeds, quick)
    checks = tuple(reproduction.checks(data))
    with style():
        figure = reproduction.draw(data)
    png = folder / f"{entry.name}.png"
    write_atomically(png, to_png(figure, dpi=110))
    save_figure(figure, folder / f"{entry.name}.svg")
    record = {
        "figure": entry.name,
        "title": entry.title,
        "source": entry.source,
        "caption": reproduction.caption,
        "seeds": n_seeds,
        "quick": quick,
        "checks": [{**vars(check), "holds": check.holds} for check in checks],
        "data": plain({name: _six_digits(array) for name, array in data.items()}),
        "provenance": provenance(),
    }
    lines = (f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in record.items())
    write_atomically(folder / f"{entry.name}.json", "{\n" + ",\n".join(lines) + "\n}\n")
    return Written(png, reproduction.caption, n_seeds, checks)


def number(value: float) -> str:
    """Four significant digits, without an exponent where it can be read without."""
    return f"{value:.4g}".replace("-", "−")


def _six_digits(array: Any) -> Any:
    """Numbers, or lists of them, with six significant digits, which is more than a figure shows."""
    values = np.asarray(array)
    if values.dtype.kind == "f":
        values = np.array([float(f"{value:.6g}") for value in values.flat]).reshape(values.shape)
    return values.tolist()
