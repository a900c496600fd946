"""All pairs of algorithms on one task: probability of improvement and Holm-corrected paired tests.

Run ``k`` of every algorithm meets the same environment randomness, so a pair is compared on the seeds that both have.
The test is on the mean difference, the probability of improvement on single runs; an algorithm is called better only
where the corrected test is significant and both point its way. Planners are exact: the same result whatever the seed.
Their result is set against each seed of a learner, and two planners are compared as numbers, without a test.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rlsuite.experiments import statistics
from rlsuite.experiments.statistics import Interval

ALPHA = 0.05
Outcome = Literal["better", "worse", "mixed", "undecided", "identical"]


@dataclass(frozen=True)
class Sample:
    """One algorithm's scores on a task, oriented so that higher is better.

    Attributes:
        seeds, scores: ``(n_runs,)``. exact: the algorithm is deterministic and all its runs agree.
        tasks: ``(n_runs,)`` number of each run's task where there are several, else ``None``. Runs are then paired by
            task and seed, and all statistics average over tasks.
    """

    label: str
    seeds: NDArray[np.int64]
    scores: NDArray[np.float64]
    exact: bool = False
    tasks: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Pair:
    """What is known about ``first`` against ``second``.

    Attributes:
        n: paired seeds; 0 where the two have no seed in common, or both are exact.
        difference: mean of ``first - second`` over the paired seeds (oriented: positive favours ``first``).
        improvement: probability that a run of ``first`` beats a run of ``second``.
        p, adjusted: of the paired sign-flip test, alone and after Holm's correction over all pairs of the table; NaN
            where there is nothing to test.
        outcome: ``"better"`` and ``"worse"`` speak of ``first``; ``"mixed"``: the means differ significantly, but the
            algorithm with the better mean does not win more often.
    """

    first: str
    second: str
    n: int
    difference: Interval
    improvement: Interval
    p: float
    adjusted: float
    outcome: Outcome


def compare_pairs(samples: list[Sample], *, seed: np.random.SeedSequence) -> list[Pair]:
    """Every pair, in the order of ``samples``; p-values corrected over all pairs that are tested."""
    pairs = []
    combos = list(combinations(samples, 2))
    for (a, b), child in zip(combos, seed.spawn(len(combos)), strict=True):
        pairs.append(_compare(a, b, np.random.default_rng(child)))
    tested = [i for i, pair in enumerate(pairs) if not np.isnan(pair.p)]
    for i, adjusted in zip(tested, statistics.holm([pairs[i].p for i in tested]), strict=True):
        pairs[i] = replace(pairs[i], adjusted=float(adjusted), outcome=_outcome(pairs[i], float(adjusted)))
    return pairs


def find(pairs: list[Pair], first: str, second: str) -> Pair:
    """The pair as seen from ``first``, whichever way round it was compared."""
    for pair in pairs:
        if (pair.first, pair.second) == (first, second):
            return pair
        if (pair.first, pair.second) == (second, first):
            return mirrored(pair)
    raise KeyError(f"{first!r} and {second!r} were not compared")


def mirrored(pair: Pair) -> Pair:
    """The same comparison from the other side."""
    other: dict[Outcome, Outcome] = {"better": "worse", "worse": "better"}
    d, q = pair.difference, pair.improvement
    return replace(
        pair,
        first=pair.second,
        second=pair.first,
        difference=Interval(-d.estimate, -d.high, -d.low),
        improvement=Interval(1 - q.estimate, 1 - q.high, 1 - q.low),
        outcome=other.get(pair.outcome, pair.outcome),
    )


def _compare(a: Sample, b: Sample, rng: np.random.Generator) -> Pair:
    if a.exact and b.exact:
        gap, q = a.scores[0] - b.scores[0], (np.sign(a.scores[0] - b.scores[0]) + 1) / 2
        outcome: Outcome = "identical" if gap == 0 else "better" if gap > 0 else "worse"
        return Pair(a.label, b.label, 0, Interval(gap, gap, gap), Interval(q, q, q), np.nan, np.nan, outcome)
    x, y = _paired(a, b)
    if not x or any(task.size == 0 for task in x):
        nothing = Interval(np.nan, np.nan, np.nan)
        return Pair(a.label, b.label, 0, nothing, nothing, np.nan, np.nan, "undecided")
    d = [i - j for i, j in zip(x, y, strict=True)]
    difference = statistics.stratified_bootstrap(d, statistics.mean, rng=rng)
    improvement = statistics.probability_of_improvement_interval(x, y, rng=rng)
    weighted = np.concatenate([task / task.size for task in d])  # its sum is the mean over tasks of the mean over runs
    p = statistics.paired_permutation_test(weighted, np.zeros_like(weighted), rng=rng)
    return Pair(a.label, b.label, weighted.size, difference, improvement, p, np.nan, "undecided")


def _paired(a: Sample, b: Sample) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Scores of the seeds in common, one array per task; an exact result stands for every seed."""
    if a.exact:
        return [np.full(b.scores.shape, a.scores[0])], [b.scores]
    if b.exact:
        return [a.scores], [np.full(a.scores.shape, b.scores[0])]
    x, y = [], []
    for task in range(_n_tasks(a)):
        (seeds, scores), (other_seeds, other_scores) = _of_task(a, task), _of_task(b, task)
        _, i, j = np.intersect1d(seeds, other_seeds, assume_unique=True, return_indices=True)
        x.append(scores[i])
        y.append(other_scores[j])
    return x, y


def _n_tasks(sample: Sample) -> int:
    return 1 if sample.tasks is None else int(sample.tasks.max()) + 1


def _of_task(sample: Sample, task: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    if sample.tasks is None:
        return sample.seeds, sample.scores
    chosen = sample.tasks == task
    return sample.seeds[chosen], sample.scores[chosen]


def _outcome(pair: Pair, adjusted: float) -> Outcome:
    low, high = pair.difference.low, pair.difference.high
    if low == high == 0:
        return "identical"
    if not adjusted < ALPHA:
        return "undecided"
    favours_first = pair.difference.estimate > 0
    wins = pair.improvement.estimate
    if (wins > 0.5) == favours_first and wins != 0.5:
        return "better" if favours_first else "worse"
    return "mixed"
