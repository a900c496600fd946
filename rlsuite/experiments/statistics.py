r"""Statistics of a few runs: aggregates with bootstrap intervals, comparisons of two algorithms, corrected tests.

Scores are given per task: an array ``(n_runs, n_tasks)``, one array ``(n_runs,)`` for a single task, or a list with one
array per task where tasks have unequal numbers of runs. Higher is better; negate what is better low.

*Aggregates* follow Agarwal, Schwarzer, Castro, Courville & Bellemare, "Deep Reinforcement Learning at the Edge of the
Statistical Precipice" (NeurIPS 2021), section 4.3. *Intervals* are percentile intervals of the stratified bootstrap
(section 4.1 there; Efron & Tibshirani 1993, chapter 13): every task's runs are resampled with replacement on their own,
:math:`\hat\theta^*_1 … \hat\theta^*_B` are the aggregate of each resample, and the 95 % interval is
:math:`[\hat\theta^*_{(0.025)}, \hat\theta^*_{(0.975)}]`. Its ends are order statistics, taken outwards, never
interpolated. Coverage is 95 % as the number of runs grows and *less* with few (about 84 % for the mean of 5 normal
runs, 92 % for 20); one run has no interval, and NaN says so.

How many resamples: the simulation error of an end is about :math:`2.7/\sqrt B` standard errors of the statistic. With
``REPS = 2000`` that is 3 % of the interval's half-width, well below the 7 % by which the standard error itself is
uncertain when estimated from 100 runs; the 50 000 of the paper bring it to 0.6 % and cost 25 times as much.

Every function that simulates takes the ``Generator`` it draws from: the same generator state gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

REPS = 2000
CURVE_REPS = 1000
PERMUTATIONS = 49_999  # the smallest p, 2e-5, stays below 0.001 after the correction for 45 pairs (10 algorithms)
LEVEL = 0.95
CHUNK = 2_000_000  # numbers resampled at a time, 16 MB
EXACT_DIFFERENCES = 12  # up to 2**12 sign patterns are enumerated

Floats = NDArray[np.float64]
Strata = tuple[Floats, ...]  # one (..., n_runs) array per task; leading axes are resamples
Scores = ArrayLike | Sequence[ArrayLike]
Statistic = Callable[[Any], Any]  # scores or strata -> float or (...,) array


class Interval(NamedTuple):
    """An estimate and the ends of its confidence interval (NaN where there is none)."""

    estimate: float
    low: float
    high: float


class Band(NamedTuple):
    """A curve and its pointwise confidence band, each ``(K,)``."""

    centre: Floats
    low: Floats
    high: Floats


class SampleEfficiency(NamedTuple):
    """When runs first reached a threshold.

    Attributes:
        first: ``(n_runs,)`` budget spent when each run first reached it, ``inf`` where it never did.
        reached: fraction of the runs that did.
        median: median of ``first`` over *all* runs, hence ``inf`` when half of them or more never did.
    """

    first: Floats
    reached: float
    median: float


# -- aggregates ------------------------------------------------------------------------------------------------------


def strata(scores: Scores) -> Strata:
    """Scores as one array per task; a tuple is taken to be that already.

    Raises:
        ValueError: a task has no run, or a score is not finite.
    """
    if isinstance(scores, tuple):
        return scores
    if isinstance(scores, list):
        tasks = tuple(np.asarray(task, np.float64) for task in scores)
        if all(task.ndim == 0 for task in tasks):
            tasks = (np.array(tasks),)
    else:
        array = np.asarray(scores, np.float64)
        tasks = (array,) if array.ndim == 1 else tuple(array.T)
    for task in tasks:
        if task.ndim != 1 or task.size == 0:
            raise ValueError(f"each task needs a one-dimensional array of scores, at least one; got shape {task.shape}")
        if not np.isfinite(task).all():
            raise ValueError("scores must be finite; say what to do with diverged runs before averaging")
    return tasks


def mean(scores: Scores) -> Any:
    """Mean over tasks of the mean over runs."""
    return sum(task.mean(-1) for task in strata(scores)) / len(strata(scores))


def median(scores: Scores) -> Any:
    """Median over tasks of the mean over runs, the aggregate of that name in the literature on Atari.

    With a single task that is the mean over its runs; the median run is :func:`sample_median`.
    """
    return np.median(np.stack([task.mean(-1) for task in strata(scores)], axis=-1), axis=-1)


def sample_median(scores: Scores) -> Any:
    """Median of all runs of all tasks."""
    return np.median(np.concatenate(strata(scores), axis=-1), axis=-1)


def iqm(scores: Scores) -> Any:
    r"""Interquartile mean: the mean of the middle half of all runs of all tasks.

    Of :math:`n` scores the :math:`\lfloor n/4 \rfloor` lowest and as many highest are left out
    (``scipy.stats.trim_mean(scores, 0.25, axis=None)``).
    """
    pooled = np.concatenate(strata(scores), axis=-1)
    n = pooled.shape[-1]
    cut = n // 4
    if cut:
        pooled = np.partition(pooled, (cut, n - cut - 1), axis=-1)[..., cut : n - cut]
    return pooled.mean(-1)


def optimality_gap(scores: Scores, gamma: float = 1.0) -> Any:
    r"""How far runs fall short of ``gamma``: :math:`\gamma - \mathbb E[\min(x, \gamma)]` over tasks and runs."""
    return gamma - mean(tuple(np.minimum(task, gamma) for task in strata(scores)))


# -- bootstrap ---------------------------------------------------------------------------------------------------------


def stratified_bootstrap(
    scores: Scores, statistic: Statistic, *, rng: np.random.Generator, reps: int = REPS, level: float = LEVEL
) -> Interval:
    """``statistic(scores)`` with its percentile interval; resamples are handed to ``statistic`` as a tuple of
    ``(reps, n_runs)`` arrays, one per task, and it must return ``(reps,)``.

    NaN ends where no task has two runs; the estimate itself where all runs of each task agree.
    """
    tasks = strata(scores)
    estimate = float(statistic(tasks))
    if all(task.size < 2 for task in tasks):
        return Interval(estimate, np.nan, np.nan)
    if all((task == task[0]).all() for task in tasks):
        return Interval(estimate, estimate, estimate)
    resampled = np.concatenate([statistic(chunk) for chunk in _resamples(tasks, reps, rng)])
    return Interval(estimate, *_percentiles(resampled, level))


def _resamples(tasks: Strata, reps: int, rng: np.random.Generator) -> Iterator[Strata]:
    """Resampled strata, as many at a time as :data:`CHUNK` allows."""
    at_once = max(1, CHUNK // sum(task.size for task in tasks))
    for done in range(0, reps, at_once):
        size = min(at_once, reps - done)
        yield tuple(task[rng.integers(task.size, size=(size, task.size))] for task in tasks)


def _counts(n: int, reps: int, rng: np.random.Generator) -> Floats:
    """``(n, reps)`` how often each of ``n`` runs occurs in each resample."""
    drawn = rng.integers(n, size=(n, reps)) * reps + np.arange(reps)
    return np.bincount(drawn.ravel(), minlength=n * reps).reshape(n, reps).astype(np.float64)


def _percentiles(resampled: Floats, level: float) -> tuple[Any, Any]:
    """Ends of the percentile interval along the last axis, each taken outwards to a resampled value."""
    tail = (1 - level) / 2
    low = np.quantile(resampled, tail, axis=-1, method="lower")
    high = np.quantile(resampled, 1 - tail, axis=-1, method="higher")
    return (low, high) if resampled.ndim > 1 else (float(low), float(high))


def curve_band(
    curves: ArrayLike,
    statistic: str = "iqm",
    *,
    rng: np.random.Generator,
    reps: int = CURVE_REPS,
    level: float = LEVEL,
) -> Band:
    r"""Mean or IQM of learning curves ``(n_runs, K)`` at each point, with a pointwise band; whole runs are resampled.

    A resample is known by how often it takes each run. With :math:`v_1 ≤ … ≤ v_n` the sorted scores at a point,
    :math:`N_i` the number of draws among the first :math:`i` of them and :math:`c = \lfloor n/4 \rfloor`, the sum of
    the middle half is :math:`\sum_i (C_i - C_{i-1}) v_i` with :math:`C_i = \min(\max(N_i, c), n - c)`.
    """
    curves = np.asarray(curves, np.float64)
    if curves.ndim != 2 or curves.shape[0] == 0 or not np.isfinite(curves).all():
        raise ValueError(f"curves must be finite and (n_runs, K) with at least one run; got shape {curves.shape}")
    if statistic not in ("mean", "iqm"):
        raise ValueError(f"statistic must be 'mean' or 'iqm', not {statistic!r}")
    n, n_points = curves.shape
    centre = curves.mean(0) if statistic == "mean" else np.array([iqm(point) for point in curves.T])
    if n < 2:
        return Band(centre, np.full(n_points, np.nan), np.full(n_points, np.nan))
    counts = _counts(n, reps, rng)  # (n, reps)
    low, high = centre.copy(), centre.copy()
    cut = n // 4 if statistic == "iqm" else 0
    for k in np.flatnonzero(np.ptp(curves, axis=0) > 0):
        order = np.argsort(curves[:, k])
        v = curves[order, k]
        c = np.clip(np.cumsum(counts[order[:-1]], axis=0), cut, n - cut)  # (n - 1, reps)
        total = (n - cut) * v[-1] - cut * v[0] - np.diff(v) @ c  # the sum above, summed by parts
        low[k], high[k] = _percentiles(total / (n - 2 * cut), level)
    return Band(centre, low, high)


# -- distributions -----------------------------------------------------------------------------------------------------


def performance_profile(
    scores: Scores,
    thresholds: ArrayLike,
    *,
    rng: np.random.Generator,
    reps: int = CURVE_REPS,
    level: float = LEVEL,
) -> Band:
    r"""Fraction of runs, averaged over tasks, that score above each threshold :math:`\tau`, with a pointwise band.

    :math:`\hat F(\tau) = \frac1M \sum_m \frac1{N_m} \sum_n 1[x_{m,n} > \tau]` (Agarwal et al. 2021, section 4.2). A
    resampled profile needs only the resample's counts, since the indicators of single runs are fixed.
    """
    tau = np.asarray(thresholds, np.float64)
    above = [(task[:, None] > tau).astype(np.float64) for task in strata(scores)]  # (n_runs, K)
    centre = np.mean([task.mean(0) for task in above], axis=0)
    if all(len(task) < 2 for task in above):
        return Band(centre, np.full(tau.shape, np.nan), np.full(tau.shape, np.nan))
    resampled = np.mean([task.T @ _counts(len(task), reps, rng) / len(task) for task in above], axis=0)  # (K, reps)
    return Band(centre, *_percentiles(resampled, level))


def sample_efficiency(
    curves: ArrayLike, budget: ArrayLike, threshold: float, *, higher_is_better: bool = True
) -> SampleEfficiency:
    """Budget at the first checkpoint at which each run's score is at ``threshold`` or beyond it.

    Args:
        curves: ``(n_runs, K)`` scores. budget: ``(K,)`` or ``(n_runs, K)`` steps or episodes at the checkpoints.
    """
    curves = np.asarray(curves, np.float64)
    at = np.broadcast_to(np.asarray(budget, np.float64), curves.shape)
    hit = curves >= threshold if higher_is_better else curves <= threshold
    first = np.where(hit, at, np.inf).min(axis=1)
    return SampleEfficiency(first, float(np.isfinite(first).mean()), float(np.median(first)))


def tolerance_interval(scores: ArrayLike, coverage: float = 0.9, confidence: float = 0.95) -> tuple[float, float]:
    r"""Where single runs fall: an interval that holds a fraction ``coverage`` of all future runs, with ``confidence``.

    Distribution-free (Wilks 1941; recommended for reinforcement learning by Patterson, Neumann, White & White 2024,
    JMLR 25): :math:`[x_{(l)}, x_{(n+1-l)}]` covers a fraction distributed as :math:`\mathrm{Beta}(n+1-2l, 2l)`, and the
    largest :math:`l` that meets the confidence is taken. Infinite where there are too few runs: 90 % coverage at 95 %
    confidence takes 46.
    """
    from scipy.special import betainc

    x = np.sort(np.asarray(scores, np.float64))
    rank = np.arange(1, x.size // 2 + 1)
    enough = 1 - betainc(x.size + 1 - 2 * rank, 2 * rank, coverage) >= confidence
    trimmed = int(enough.sum())  # confidence falls with the rank
    return (float(x[trimmed - 1]), float(x[-trimmed])) if trimmed else (-np.inf, np.inf)


# -- two algorithms ----------------------------------------------------------------------------------------------------


def probability_of_improvement(x: Scores, y: Scores) -> float:
    r"""Probability that a run of ``x`` beats a run of ``y`` on a task drawn at random, ties counted half.

    :math:`P(X > Y) = \frac1M \sum_m U_m / (n_m k_m)` with the Mann-Whitney statistic
    :math:`U = \sum_{i,j} 1[x_i > y_j] + \frac12 1[x_i = y_j]` (Agarwal et al. 2021, section 4.3).
    """
    tasks = list(zip(strata(x), strata(y), strict=True))
    return float(np.mean([_wins(a, b).mean() for a, b in tasks]))


def probability_of_improvement_interval(
    x: Scores, y: Scores, *, rng: np.random.Generator, reps: int = REPS, level: float = LEVEL
) -> Interval:
    """:func:`probability_of_improvement` with its bootstrap interval; runs of ``x`` and ``y`` are resampled apart."""
    estimate = probability_of_improvement(x, y)
    tasks = list(zip(strata(x), strata(y), strict=True))
    if all(a.size < 2 and b.size < 2 for a, b in tasks):
        return Interval(estimate, np.nan, np.nan)
    resampled = np.zeros(reps)
    for a, b in tasks:
        wins = _wins(a, b)
        if (wins == wins[0, 0]).all():
            resampled += wins[0, 0]
        else:
            beaten = wins @ _counts(b.size, reps, rng)  # (n_x, reps)
            resampled += (_counts(a.size, reps, rng) * beaten).sum(0) / wins.size
    return Interval(estimate, *_percentiles(resampled / len(tasks), level))


def _wins(x: Floats, y: Floats) -> Floats:
    """``(n_x, n_y)`` 1 where x beats y, 1/2 where they tie."""
    return (np.sign(x[:, None] - y[None, :]) + 1) / 2


def paired_permutation_test(
    x: ArrayLike, y: ArrayLike, *, rng: np.random.Generator, permutations: int = PERMUTATIONS
) -> float:
    r"""Two-sided p-value of the paired sign-flip test on the mean difference of ``x[i]`` and ``y[i]``.

    Were the algorithms exchangeable on every seed, each difference :math:`d_i` would have either sign with probability
    1/2 (Fisher 1935, section 21; Efron & Tibshirani 1993, chapter 15); p is the share of sign patterns whose
    :math:`|\sum_i ± d_i|` is at least the observed one. Zero differences have no sign. Up to 12 others all patterns are
    enumerated and p is exact; beyond that :math:`p = (1 + k) / (1 + B)` with :math:`k` of :math:`B` random patterns at
    least as extreme, which is valid at every :math:`B` (Phipson & Smyth 2010).

    The smallest p that :math:`m` differences can give is :math:`2^{1-m}`: with 5 seeds 0.0625, never significant.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 1 or x.shape != y.shape or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("a paired test needs two one-dimensional arrays of finite scores of the same length")
    d = (x - y)[x != y]
    if d.size == 0:
        return 1.0
    observed = abs(d.sum()) - 1e-9 * np.abs(d).sum()  # sums that differ by rounding are ties
    if d.size <= EXACT_DIFFERENCES:
        return float((np.abs(_signed_sums(d)) >= observed).mean())
    total = np.zeros(permutations)
    for start in range(0, d.size, EXACT_DIFFERENCES):
        table = _signed_sums(d[start : start + EXACT_DIFFERENCES])
        total += table[rng.integers(table.size, size=permutations)]
    return float((1 + (np.abs(total) >= observed).sum()) / (1 + permutations))


def _signed_sums(d: Floats) -> Floats:
    """``(2**n,)`` the sums of ``d`` under all patterns of signs."""
    sums = np.zeros(1)
    for difference in d:
        sums = np.concatenate([sums + difference, sums - difference])
    return sums


def holm(p_values: ArrayLike) -> Floats:
    r"""P-values adjusted so that rejecting those below :math:`\alpha` errs anywhere with probability at most
    :math:`\alpha`, whatever their dependence (Holm 1979).

    :math:`\tilde p_{(i)} = \max_{j ≤ i} \min(1, (m - j + 1)\, p_{(j)})` for the sorted :math:`p_{(1)} ≤ … ≤ p_{(m)}`.
    """
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)))
    return adjusted
