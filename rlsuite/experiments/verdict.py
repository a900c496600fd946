"""The verdict on a comparison: what the runs show, in sentences that claim no more than the corrected tests support.

``judge(comparison)`` returns tables (final performance, performance while learning, sample efficiency, regret, all
pairs, and across tasks) and a headline per task. "Better" is said only of a pair whose Holm-corrected paired test is
below 0.05; the highest number alone is called the highest number.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rlsuite.experiments.measures import (
    Floats,
    final_scores,
    is_exact,
    normalisable,
    normalised_scores,
    online_returns,
    pace,
    sample,
    usable,
)
from rlsuite.experiments.pairwise import Pair, Sample, compare_pairs
from rlsuite.experiments.results import Comparison, Task
from rlsuite.experiments.tables import Table
from rlsuite.experiments.verdict_sentences import across_sentence, final_sentence, online_sentence, pace_sentence
from rlsuite.experiments.verdict_tables import (
    BUDGETS_DIFFER,
    across_table,
    efficiency_table,
    final_table,
    online_table,
    pair_table,
    pairs_as_table,
    regret_table,
    speed_table,
)
from rlsuite.experiments.verdict_warnings import warnings_of


@dataclass(frozen=True)
class Verdict:
    """What a comparison shows.

    Attributes:
        sentences: one statement per task, then one across tasks where there are several.
        warnings: reasons to trust the statements less, the comparison's own notes among them.
        tables: everything behind the statements, in reading order.
        normalised: final scores, 0 for the random policy and 1 for the optimum: per algorithm one array per task
            (empty unless several tasks have an exact reference); what performance profiles are drawn from.
    """

    sentences: tuple[str, ...]
    warnings: tuple[str, ...]
    tables: tuple[Table, ...]
    normalised: dict[str, list[Floats]]

    @property
    def headline(self) -> str:
        return "\n".join(self.sentences)

    def table(self, name: str) -> Table:
        """The table called ``name``.

        Raises:
            KeyError: there is none.
        """
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(f"no table {name!r}; there are {', '.join(table.name for table in self.tables)}")


def judge(comparison: Comparison, *, seed: int = 0, threshold: float = 0.95) -> Verdict:
    """Compute everything that is said about ``comparison``.

    Args:
        seed: of the bootstrap and the permutations; each number draws from a stream of its own, named after its task
            and algorithm, so that leaving one algorithm out does not change the others' intervals.
        threshold: of sample efficiency, as a share of the way from the random policy to the optimum.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must lie in (0, 1], is {threshold}")

    def streams(*names: str) -> np.random.SeedSequence:
        return np.random.SeedSequence([seed, *(zlib.crc32(name.encode()) for name in names)])

    sentences: list[str] = []
    tables: list[Table] = []
    for task in comparison.tasks:
        final = compare_pairs(_samples(task, "final"), seed=streams("final pairs", task.env_id))
        collected = _samples(task, "online")
        online = compare_pairs(collected, seed=streams("online pairs", task.env_id))
        tied = pace(task) if not any(pair.outcome in ("better", "worse", "mixed") for pair in online) else None
        paces = compare_pairs(list(tied.samples), seed=streams("pace pairs", task.env_id)) if tied else []
        learning = pace_sentence(task, tied, paces, streams) if tied else online_sentence(collected, online)
        budgets = BUDGETS_DIFFER.strip() * task.budgets_differ
        sentences.append(" ".join(filter(None, [final_sentence(task, final, streams), learning, budgets])))
        found: list[Table | None] = [
            final_table(task, streams),
            _pairs_of(task, final, "pairs"),
            online_table(task, streams),
            _pairs_of(task, online, "online-pairs"),
            _pairs_of(task, paces, f"{tied.unit}-pairs") if tied else None,
            efficiency_table(task, streams, threshold),
            regret_table(task, streams),
            speed_table(task),
        ]
        tables += [table for table in found if table is not None]
    tasks = [task for task in comparison.tasks if normalisable(task)]
    normalised = normalised_scores(comparison) if len(tasks) > 1 else {}
    if normalised:
        exact = {label for i, label in enumerate(comparison.labels) if all(is_exact(t, t.entries[i]) for t in tasks)}
        tables.append(across_table(normalised, exact, len(tasks), streams))
        pairs = compare_pairs(_across_samples(comparison, tasks, normalised, exact), seed=streams("across pairs"))
        if pairs:
            caption = (
                "Normalised final scores, paired by task and seed; differences and probabilities are averaged over "
                "tasks. The test is the sign-flip test used on single tasks; Holm: corrected over this table."
            )
            tables.append(pairs_as_table("across-pairs", "Pairs: across tasks", caption, pairs))
            sentences.append(across_sentence(len(tasks), normalised, exact, pairs))
    return Verdict(tuple(sentences), warnings_of(comparison), tuple(tables), normalised)


# -- what is compared --------------------------------------------------------------------------------------------------


def _pairs_of(task: Task, pairs: list[Pair], name: str) -> Table | None:
    """The table of pairs called ``name``; ``None`` where there is nothing to compare."""
    error = task.metric == "rms-error"
    title, of = {
        "pairs": ("RMS error (lower is better)", "RMS error of the learned values, lower is better.")
        if error
        else ("final performance", "Score of what was learned."),
        "online-pairs": ("while learning", "Return of the last tenth of training."),
        "steps-pairs": ("steps per episode (fewer is better)", "Steps per episode over the last tenth of training."),
        "episodes-pairs": ("finished episodes (more is better)", "Episodes finished in the same number of steps."),
    }[name]
    lower = error or name == "steps-pairs"
    return pair_table(task, pairs, name, f"Pairs: {title}", of, lower_is_better=lower) if pairs else None


def _samples(task: Task, what: str) -> list[Sample]:
    entries = [entry for entry in task.entries if usable(entry)]
    if what == "final":
        return [sample(task, entry, final_scores(task, entry)) for entry in entries]
    if task.metric != "return":
        return []
    values = [(entry, online_returns(entry)) for entry in entries if entry.kind != "planning"]
    return [sample(task, entry, returns) for entry, returns in values if not np.isnan(returns).any()]


def _across_samples(
    comparison: Comparison, tasks: Sequence[Task], scores: dict[str, list[Floats]], exact: set[str]
) -> list[Sample]:
    """Normalised scores of all tasks. A planner is exact on each task, but not one number over all: its result is
    repeated for the seeds that the task's learners have."""
    if exact >= set(scores):  # nothing is random, the table of aggregates says it all
        return []
    samples = []
    for label, values in scores.items():
        seeds, results, numbers = [], [], []
        for number, (task, scored) in enumerate(zip(tasks, values, strict=True)):
            entry = task.entries[comparison.labels.index(label)]
            own = {run.seed for run in entry.runs}
            if is_exact(task, entry):
                own = {run.seed for other in task.entries for run in other.runs}
                scored = np.full(len(own), scored[0])
            seeds.append(sorted(own))
            results.append(scored)
            numbers.append(np.full(len(own), number))
        joined = np.concatenate(results)
        samples.append(Sample(label, np.concatenate(seeds), joined, tasks=np.concatenate(numbers)))
    return samples
