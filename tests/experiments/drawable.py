"""Comparisons with something to draw: real models, invented runs, tables that differ from state to state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from rlsuite.envs.finite.layout import Layout, Panel
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.experiments.results import Comparison, Entry, Reference, Run, Tables, Task

MOVES = np.array([(-1, 0), (0, 1), (1, 0), (0, -1)])  # (down, right), CliffWalking's order


def cliff() -> FiniteMDP:
    """CliffWalking with a layout of our own making, whatever the package's own looks like."""
    cells = np.full((4, 12), ".")
    cells[3] = ["S", *"C" * 10, "G"]
    layout = Layout((Panel(np.arange(48).reshape(4, 12), cells),), ("up", "right", "down", "left"), MOVES)
    return replace(FiniteMDP.from_env("CliffWalking-v1"), layout=layout)


def reference_of(mdp: FiniteMDP, gamma: float = 1.0) -> Reference:
    """V* by value iteration, as slow and plain as can be."""
    values = np.zeros(mdp.n_states)
    for _ in range(500):
        q = (mdp.expected_reward.ravel() + gamma * (mdp.continuation @ values)).reshape(mdp.n_states, mdp.n_actions)
        values = q.max(axis=1)
    best = np.isclose(q, q.max(axis=1, keepdims=True))
    start = float(mdp.initial @ values)
    return Reference(
        start, start - 50.0, np.where(mdp.reachable, values, np.nan), best / best.sum(1, keepdims=True), start
    )


def invented_run(seed: int, final: float, n_checkpoints: int = 6, n_episodes: int = 50) -> Run:
    rng = np.random.default_rng(seed)
    episodes = np.round(np.linspace(0, n_episodes, n_checkpoints)).astype(np.int64)
    score = np.linspace(final - 30, final, n_checkpoints) + rng.normal(size=n_checkpoints)
    returns = rng.normal(final - 20, 5, n_episodes)
    return Run(seed, 10 * episodes, episodes, score, returns, np.full(n_episodes, 10))


def invented_entry(label: str, mdp: FiniteMDP | None, finals: list[float], kind: str = "control", **run: Any) -> Entry:
    runs = tuple(invented_run(k, final, **run) for k, final in enumerate(finals))
    tables = None
    if mdp is not None:
        n, m = mdp.n_observations, mdp.n_actions
        visits = np.zeros(n) if kind == "planning" else np.arange(n, dtype=np.float64)
        tables = Tables(0, -np.arange(n, dtype=np.float64), np.eye(m)[np.arange(n) % m], visits)
    if kind == "planning":
        exact = [replace(r, score=np.full(r.score.shape, finals[0]), returns=np.zeros(0)) for r in runs]
        runs = tuple(replace(r, lengths=np.zeros(0, np.int64)) for r in exact)
    return Entry(label, label, kind, {"gamma": 1.0, "alpha": 0.5}, runs, tables)


def cliff_task(labels: tuple[str, ...] = ("sarsa", "q-learning"), n_runs: int = 6, **task: Any) -> Task:
    """Learners of these labels and a planner on CliffWalking."""
    mdp = cliff()
    entries = [invented_entry(label, mdp, [-15.0 - 3 * i] * n_runs) for i, label in enumerate(labels)]
    entries.append(invented_entry("value-iteration", mdp, [-13.0] * n_runs, "planning"))
    fields: dict[str, Any] = {
        "env_id": "CliffWalking-v1",
        "env_kwargs": {},
        "gamma": 1.0,
        "horizon": 1000,
        "metric": "return",
        "budget_unit": "episodes",
        "entries": tuple(entries),
        "mdp": mdp,
        "reference": reference_of(mdp),
    }
    return Task(**{**fields, **task})


def comparison_of(*tasks: Task, command: str = "rlsuite compare --env CliffWalking-v1") -> Comparison:
    provenance = {"command": command, "date": "2030-01-01", "versions": {"numpy": "2.0"}, "git_commit": None}
    return Comparison(tasks, command=command, provenance=provenance, notes=("a note of the comparison",))
