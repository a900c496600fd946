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
    sample,
    usable,
)
from rlsuite.experiments.pairwise import ALPHA, Pair, Sample, compare_pairs, find
from rlsuite.experiments.results import Comparison, Entry, Task
from rlsuite.experiments.statistics import iqm
from rlsuite.experiments.tables import Table, format_interval, format_p, format_value
from rlsuite.experiments.verdict_tables import (
    Streams,
    across_table,
    efficiency_table,
    final_table,
    interval,
    online_table,
    pair_table,
    pairs_as_table,
    regret_table,
)

FEW_RUNS = 5


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
        online = compare_pairs(_samples(task, "online"), seed=streams("online pairs", task.env_id))
        statements = [_final_sentence(task, final, streams), _online_sentence(task, online)]
        sentences.append(" ".join(filter(None, statements)))
        found: list[Table | None] = [
            final_table(task, streams),
            pair_table(task, final, "pairs", "Pairs: final performance", "Score of what was learned.")
            if final
            else None,
            online_table(task, streams),
            pair_table(task, online, "online-pairs", "Pairs: while learning", "Return of the last tenth of training.")
            if online
            else None,
            efficiency_table(task, streams, threshold),
            regret_table(task, streams),
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
            sentences.append(_across_sentence(len(tasks), normalised, exact, pairs))
    return Verdict(tuple(sentences), _warnings(comparison), tuple(tables), normalised)


# -- what is compared --------------------------------------------------------------------------------------------------


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


# -- sentences ---------------------------------------------------------------------------------------------------------


def _final_sentence(task: Task, pairs: list[Pair], streams: Streams) -> str:
    """Who learned best. Learners are judged among themselves; planners are reported beside them."""
    on = f"On {task.env_id}"
    entries = [entry for entry in task.entries if usable(entry)]
    learners = [entry for entry in entries if not is_exact(task, entry)]
    planners = [entry for entry in entries if is_exact(task, entry)]
    if not entries:
        return f"{on} nothing can be said: no algorithm has usable runs."
    end = "." + _beside(task, planners)
    if not learners:
        return f"{on}, only planners ran.{_beside(task, planners)}"
    sign = 1 if task.higher_is_better else -1
    centre = {entry.label: sign * float(iqm((final_scores(task, entry),))) for entry in learners}
    best = max(centre.values())
    leaders = [entry for entry in learners if centre[entry.label] == best]
    shown = _iqm(task, leaders[0], streams)
    noun, extreme = ("learned policy", "highest") if task.metric == "return" else ("value error", "lowest")
    if len(learners) == 1:
        return f"{on} the {noun} of {leaders[0].label} has IQM {shown}{end}"
    others = [entry.label for entry in learners if entry not in leaders]
    if not others:
        equal = all(find(pairs, leaders[0].label, e.label).outcome == "identical" for e in leaders[1:])
        tie = "identical final scores" if equal else "the same IQM"
        return f"{on} {_join([e.label for e in leaders])} have {tie}, {shown}{_between(leaders, pairs)}{end}"
    if len(leaders) > 1:
        return (
            f"{on} {_join([e.label for e in leaders])} share the {extreme} IQM, {shown}"
            f"{_claims(leaders[0].label, others, pairs, who=leaders[0].label)}{end}"
        )
    label = leaders[0].label
    found = [find(pairs, label, other) for other in others]
    if all(pair.outcome == "better" for pair in found):
        start = f"{label}'s {noun} is best: IQM {shown}"
    elif any(pair.outcome == "better" for pair in found):
        start = f"{label} has the {extreme} IQM, {shown}"
    else:
        start = f"no algorithm is shown to be best; {label} has the {extreme} IQM, {shown}"
    return f"{on} {start}{_claims(label, others, pairs)}{end}"


def _online_sentence(task: Task, pairs: list[Pair]) -> str:
    """Who collected most while learning."""
    samples = _samples(task, "online")
    if len(samples) < 2:
        return ""
    centre = {s.label: float(iqm((s.scores,))) for s in samples}
    return f"While learning, {_leading(centre, 'IQM of returns', pairs)}."


def _across_sentence(n_tasks: int, scores: dict[str, list[Floats]], exact: set[str], pairs: list[Pair]) -> str:
    """Who is ahead over all tasks, among the learners."""
    centre = {label: float(iqm(tasks)) for label, tasks in scores.items() if label not in exact}
    return f"Across {n_tasks} tasks (random policy 0, optimum 1) {_leading(centre, 'IQM', pairs)}."


def _leading(centre: dict[str, float], what: str, pairs: list[Pair]) -> str:
    """Which label has the highest of ``centre``, and what the tests say of it."""
    best = max(centre.values())
    leaders = [label for label, value in centre.items() if value == best]
    others = [label for label in centre if label not in leaders]
    shown = format_value(best, "number")
    if len(centre) == 1:
        return f"{leaders[0]} has {what} {shown}"
    if len(leaders) > 1:
        return f"{_join(leaders)} share the highest {what}, {shown}{_claims(leaders[0], others, pairs, who=leaders[0])}"
    return f"{leaders[0]} has the highest {what}, {shown}{_claims(leaders[0], others, pairs)}"


def _claims(label: str, others: list[str], pairs: list[Pair], who: str = "") -> str:
    """What the tests say of ``label`` against each of ``others``."""
    found = {other: find(pairs, label, other) for other in others}
    clauses = []
    better = [
        f"{other} (with probability {format_value(pair.improvement.estimate, 'probability')}, Holm p {_p(pair)})"
        for other, pair in found.items()
        if pair.outcome == "better"
    ]
    if better:
        clauses.append((f"{who} is " if who else "") + f"better than {_join(better)}")
    for outcome, words in (
        ("undecided", "no significant difference from"),
        ("identical", "identical to"),
        ("worse", "yet worse on average and less often ahead than"),
        ("mixed", "means differ significantly but single runs do not agree against"),
    ):
        names = [other for other, pair in found.items() if pair.outcome == outcome]
        if names:
            clauses.append(f"{words} {_join(names)}")
    return "; " + "; ".join(clauses) if clauses else ""


def _between(leaders: list[Entry], pairs: list[Pair]) -> str:
    """Differences among algorithms whose IQM is the same."""
    labels = [entry.label for entry in leaders]
    found = [pair for pair in pairs if pair.first in labels and pair.second in labels]
    told = []
    for pair in found:
        if pair.outcome in ("better", "worse"):
            winner, loser = (pair.first, pair.second) if pair.outcome == "better" else (pair.second, pair.first)
            told.append(f"{winner} is better than {loser} on average (Holm p {_p(pair)})")
    if told:
        return "; " + "; ".join(told)
    return "" if all(pair.outcome == "identical" for pair in found) else "; no significant difference"


def _beside(task: Task, planners: list[Entry]) -> str:
    """A sentence on what is known exactly: the planners' results and the optimum."""
    reference = task.reference if task.metric == "return" else None
    optimum = format_value(reference.optimum, "number") if reference is not None else ""
    if not planners:
        return f" The exact optimum is {optimum}." if optimum else ""
    by_score: dict[str, list[str]] = {}
    for entry in planners:
        by_score.setdefault(format_value(float(final_scores(task, entry)[0]), "number"), []).append(entry.label)
    said = [
        f"{_join(labels)} {'reaches' if len(labels) == 1 else 'reach'} {score}" for score, labels in by_score.items()
    ]
    known = (
        ""
        if not optimum
        else ", the exact optimum"
        if set(by_score) == {optimum}
        else f"; the exact optimum is {optimum}"
    )
    return f" Planning with the model, {_join(said)}{known}."


def _iqm(task: Task, entry: Entry, streams: Streams) -> str:
    """The number that the table of final performance shows."""
    seed = streams("final", task.env_id, entry.label, "IQM")
    return format_interval(interval(final_scores(task, entry), iqm, is_exact(task, entry), seed))


def _p(pair: Pair) -> str:
    text = format_p(pair.adjusted)
    return text if text.startswith("<") else f"= {text}"


def _join(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


# -- warnings ----------------------------------------------------------------------------------------------------------


def _warnings(comparison: Comparison) -> tuple[str, ...]:
    said = list(comparison.notes)
    for task in comparison.tasks:
        learners = [entry for entry in task.entries if entry.kind != "planning"]
        for entry in task.entries:
            bad = [run.seed for run in entry.runs if not (run.score.size and np.isfinite(run.score).all())]
            if bad:
                said.append(
                    f"{entry.label} on {task.env_id}: no finite score for seed{'s' if len(bad) > 1 else ''} "
                    f"{', '.join(map(str, bad))}; it is left out of the statistics, since dropping only those runs "
                    "would flatter it"
                )
            elif not entry.runs:
                said.append(f"{entry.label} on {task.env_id}: no finished run")
        counts = {len(entry.runs) for entry in learners if usable(entry)}
        if counts and min(counts) < FEW_RUNS:
            n = min(counts)
            said.append(
                f"{task.env_id}: {n} run{'s' if n > 1 else ''} per algorithm {'are' if n > 1 else 'is'} too few to "
                f"conclude from; use at least {FEW_RUNS}, better 30 or more (--seeds)"
            )
        n_planners = sum(is_exact(task, entry) for entry in task.entries)
        n_tests = len(learners) * (len(learners) - 1) // 2 + len(learners) * n_planners
        if counts and n_tests and 2.0 ** (1 - min(counts)) * n_tests >= ALPHA and min(counts) >= FEW_RUNS:
            said.append(
                f"{task.env_id}: with {min(counts)} runs and {n_tests} pair{'s' if n_tests > 1 else ''} no corrected "
                "test can become significant, however large the difference; add seeds"
            )
        if len(counts) > 1:
            said.append(
                f"{task.env_id}: algorithms have between {min(counts)} and {max(counts)} runs; pairs are compared on "
                "the seeds they share"
            )
    return tuple(dict.fromkeys(said))
