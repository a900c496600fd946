"""The table of results that a document can include: environment × algorithm, with all that repeating it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rlsuite.experiments.measures import SOLVED
from rlsuite.experiments.records import slug
from rlsuite.experiments.results import Comparison, Task
from rlsuite.experiments.tables import Format, Table, markdown, to_csv
from rlsuite.experiments.verdict import Verdict
from rlsuite.experiments.verdict_tables import BUDGETS_DIFFER
from rlsuite.files import write_atomically

COLUMNS: tuple[tuple[str, Format], ...] = (
    ("environment", "text"), ("algorithm", "text"), ("steps", "integer"), ("seeds", "integer"), ("IQM", "interval"),
    ("mean", "interval"), ("sd", "number"), ("worst", "number"), ("best", "number"), ("solved", "percent"),
    ("steps until solved", "amount"), ("steps/s", "integer"),
)  # fmt: skip


def write_results(comparison: Comparison, verdict: Verdict, out: Path) -> Path:
    """Write ``results.md`` and ``results.csv``; returns the path of the first."""
    table = results_table(comparison, verdict)
    write_atomically(out / "results.csv", to_csv(table), durable=False)
    made = comparison.provenance
    commit = str(made.get("git_commit") or "unknown")
    told = [("command", f"`{comparison.command}`"), ("commit", commit[:12] + commit[40:])]
    told += [(name, str(made[name])) for name in ("hardware", "date") if made.get(name)]
    text = markdown(table) + "\n" + "\n".join(f"- {name}: {value}" for name, value in told) + "\n"
    path = out / "results.md"
    write_atomically(path, text, durable=False)
    return path


def results_table(comparison: Comparison, verdict: Verdict) -> Table:
    """One row per environment and algorithm, taken from the verdict's tables."""
    rows = []
    for task in comparison.tasks:
        final, solved, speed = (_rows(verdict, task, name) for name in ("final", "efficiency", "speed"))
        for entry in task.entries:
            taken = {**speed.get(entry.label, {}), **solved.get(entry.label, {}), **final.get(entry.label, {})}
            steps = [int(run.steps[-1]) for run in entry.runs if not run.failure]
            found: dict[str, Any] = {
                **taken,
                "environment": task.env_id,
                "steps": float(np.mean(steps)) if steps else None,
                "seeds": len(entry.runs),
                "solved": taken.get("runs that reach it"),
                "steps until solved": taken.get("steps"),
            }
            rows.append(tuple(found.get(name) for name, _ in COLUMNS))
    caption = (
        "Final score of the learned policy, by its best action where the agent is deep: undiscounted return, over runs "
        "(seeds); brackets: 95 % bootstrap intervals, rounded outwards. sd: standard deviation over runs. Solved: share "
        f"of runs whose score reached {SOLVED} of the environment (or 95 % of the way to the exact optimum) at some "
        "checkpoint; steps: median over all runs, “never” where half of them or more did not."
    )
    caption += BUDGETS_DIFFER * any(task.budgets_differ for task in comparison.tasks)
    names, formats = zip(*COLUMNS, strict=True)
    return Table("results", "Results", caption, names, formats, tuple(rows))


def _rows(verdict: Verdict, task: Task, name: str) -> dict[str, dict[str, Any]]:
    """The rows of a table of the verdict by algorithm; of several thresholds the one that the environment names."""
    wanted = f"{slug(task.env_id)}-{name}"
    table = next((table for table in verdict.tables if table.name == wanted), None)
    if table is None:
        return {}
    found: dict[str, dict[str, Any]] = {}
    for values in table.rows:
        row = dict(zip(table.columns, values, strict=True))
        if "threshold" in row and task.threshold is None and task.reference is None:
            continue  # a yardstick set by the runs themselves means nothing beside another comparison's
        found.setdefault(row["algorithm"], row)
    return found
