"""The sentences of a verdict: no more is claimed than the corrected tests support.

"Better" (and "fewer", "more") is said only of a pair whose Holm-corrected paired test is below 0.05; the highest number
alone is called the highest number.
"""

from __future__ import annotations

import numpy as np

from rlsuite.experiments import statistics
from rlsuite.experiments.measures import Floats, Pace, final_scores, is_exact, sees_the_state, tolerance, usable
from rlsuite.experiments.pairwise import Pair, Sample, find
from rlsuite.experiments.results import Entry, Task
from rlsuite.experiments.statistics import Interval, iqm
from rlsuite.experiments.tables import format_interval, format_p, format_value
from rlsuite.experiments.verdict_tables import Streams, interval, pace_interval


def final_sentence(task: Task, pairs: list[Pair], streams: Streams) -> str:
    """Who learned best. Learners are judged among themselves; planners are reported beside them."""
    on = f"On {task.env_id}"
    entries = [entry for entry in task.entries if usable(entry)]
    learners = [entry for entry in entries if not is_exact(task, entry)]
    planners = [entry for entry in entries if is_exact(task, entry)]
    if not entries:
        return f"{on} nothing can be said: no algorithm has usable runs."
    end = "." + _hidden(task, learners, streams) + _beside(task, planners)
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


def online_sentence(samples: list[Sample], pairs: list[Pair]) -> str:
    """Who collected most while learning."""
    if len(samples) < 2:
        return ""
    centre = {s.label: float(iqm((s.scores,))) for s in samples}
    return f"While learning, {_leading(centre, 'IQM of returns', pairs)}."


def pace_sentence(task: Task, pace: Pace, pairs: list[Pair], streams: Streams) -> str:
    """Who ended episodes soonest while learning, where all of them earn the same."""
    who = "all" if pace.by_all else "almost all runs"
    if pace.unit == "episodes":  # some runs may not have finished one
        who = "all finished episodes" if pace.by_all else "almost all finished episodes"
    start = f"While learning, {who} earn {format_value(pace.earned, 'number')}"
    fewest, word = ("needs the fewest steps per episode", "fewer")
    if pace.unit == "episodes":
        fewest, word = ("finishes the most episodes in the same number of steps", "more")
    centre = {s.label: float(iqm((s.scores,))) for s in pace.samples}
    best = max(centre.values())
    leaders = [label for label, value in centre.items() if value == best]
    others = [label for label in centre if label not in leaders]
    entry = next(entry for entry in task.entries if entry.label == leaders[0])
    shown = format_interval(pace_interval(task, entry, pace.unit, streams))
    if len(leaders) > 1:
        measure = "steps per episode" if pace.unit == "steps" else "finished episodes"
        claims = _claims(leaders[0], others, pairs, who=leaders[0], word=word)
        return f"{start}; {_join(leaders)} have the same IQM of {measure}, {shown}{claims}."
    return f"{start}; {leaders[0]} {fewest}, IQM {shown}{_claims(leaders[0], others, pairs, word=word)}."


def across_sentence(n_tasks: int, scores: dict[str, list[Floats]], exact: set[str], pairs: list[Pair]) -> str:
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


def _claims(label: str, others: list[str], pairs: list[Pair], who: str = "", word: str = "better") -> str:
    """What the tests say of ``label`` against each of ``others``."""
    found = {other: find(pairs, label, other) for other in others}
    clauses = []
    better = [
        f"{other} (with probability {format_value(pair.improvement.estimate, 'probability')}, Holm p {_p(pair)})"
        for other, pair in found.items()
        if pair.outcome == "better"
    ]
    if better:
        verb = "is" if word == "better" else "has"
        clauses.append((f"{who} {verb} " if who else "") + f"{word} than {_join(better)}")
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


def _hidden(task: Task, learners: list[Entry], streams: Streams) -> str:
    """A sentence on runs that the IQM leaves out: said where the mean lies outside the IQM's 95 % interval, by more than
    the interval is wide."""
    told = []
    for entry in learners:
        scores = final_scores(task, entry)
        mean, middle = (_centre(task, entry, name, streams) for name in ("mean", "IQM"))
        outside = max(middle.low - mean.estimate, mean.estimate - middle.high)
        if not outside > max(middle.high - middle.low, tolerance(task)):  # also where there is no interval
            continue
        side = "below" if mean.estimate < middle.estimate else "above"
        beyond = scores < mean.estimate if side == "below" else scores > mean.estimate
        told.append(
            f"{entry.label}'s mean is {format_interval(mean)}: {int(np.sum(beyond))} of {scores.size} runs end "
            f"{side} that"
        )
    return f" But {'; '.join(told)}." if told else ""


def _beside(task: Task, planners: list[Entry]) -> str:
    """A sentence on what is known exactly: the planners' results and the optimum."""
    reference = task.reference if task.metric == "return" else None
    optimum = format_value(reference.optimum, "number") if reference is not None else ""
    bound = (
        f"he exact optimum is {optimum}"
        if sees_the_state(task)
        else f"n agent that saw the state could reach {optimum}"
    )
    first = "t" if sees_the_state(task) else "a"
    if not planners:
        return f" {first.upper()}{bound}." if optimum else ""
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
        if set(by_score) == {optimum} and sees_the_state(task)
        else f"; {first}{bound}"
    )
    return f" Planning with the model, {_join(said)}{known}."


def _centre(task: Task, entry: Entry, name: str, streams: Streams) -> Interval:
    """The number of that name in the table of final performance."""
    seed = streams("final", task.env_id, entry.label, name)
    statistic = {"mean": statistics.mean, "IQM": iqm}[name]
    return interval(final_scores(task, entry), statistic, is_exact(task, entry), seed)


def _iqm(task: Task, entry: Entry, streams: Streams) -> str:
    return format_interval(_centre(task, entry, "IQM", streams))


def _p(pair: Pair) -> str:
    text = format_p(pair.adjusted)
    return text if text.startswith("<") else f"= {text}"


def _join(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
