"""Comparisons whose truth is known by construction, for tests of the verdict."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from rlsuite.experiments.results import Comparison, Entry, Reference, Run, Task

CHECKPOINTS = np.array([0, 50, 100])


def make_run(
    seed: int, final: float, start: float = 0.0, online: float | None = 0.0, middle: float | None = None
) -> Run:
    """Scores ``start``, ``middle`` (default: as the start), ``final`` at episodes 0, 50 and 100; every episode has 10
    steps and return ``online`` (``None``: no episodes, as planners have)."""
    episodes = CHECKPOINTS if online is not None else np.zeros(3, np.int64)
    returns = np.full(100, online, np.float64) if online is not None else np.zeros(0)
    score = np.array([start, start if middle is None else middle, final], np.float64)
    return Run(seed, 10 * episodes, episodes, score, returns, np.full(returns.shape, 10))


def make_entry(label: str, finals: Iterable[float], seeds: Iterable[int] | None = None, **run: Any) -> Entry:
    finals = list(finals)
    seeds = range(len(finals)) if seeds is None else seeds
    online = run.pop("online", 0.0)
    onlines = online if isinstance(online, list) else [online] * len(finals)
    runs = [make_run(k, f, online=o, **run) for k, f, o in zip(seeds, finals, onlines, strict=True)]
    return Entry(label, label, "control", {}, tuple(runs))


def make_planner(label: str, score: float, n: int = 10) -> Entry:
    runs = tuple(make_run(k, score, start=score, online=None) for k in range(n))
    return Entry(label, label, "planning", {}, runs)


def make_task(
    *entries: Entry, env_id: str = "Test-v0", optimum: float | None = 1.0, random: float = 0.0, **task: Any
) -> Task:
    reference = None
    if optimum is not None:
        reference = Reference(optimum, random, np.zeros(1), np.ones((1, 1)), optimum)
    fields: dict[str, Any] = {"metric": "return", "budget_unit": "episodes", **task}
    return Task(env_id, {}, 1.0, 1000, entries=entries, reference=reference, **fields)


def make_comparison(*tasks: Task, notes: tuple[str, ...] = ()) -> Comparison:
    return Comparison(tasks, notes=notes)
