"""The verdict where the return misleads: tied goal rewards, hidden states, failed runs, rounding noise, errors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rlsuite.envs.registration import make_env
from rlsuite.experiments.measures import pace, thresholds
from rlsuite.experiments.results import Entry, Task
from rlsuite.experiments.verdict import judge
from tests.experiments.synthetic import make_comparison, make_entry, make_planner, make_task

SATURATED = "the return does not tell these algorithms apart on Test-v0"


def maze(label: str, last: list[int], n_episodes: int = 100, returns: float = 1.0) -> Entry:
    """One run per number in ``last``: all episodes return the same, and the second half has that length."""
    entry = make_entry(label, [returns] * len(last), online=returns)
    runs = []
    for run, length in zip(entry.runs, last, strict=True):
        lengths = np.full(n_episodes, length)
        lengths[: n_episodes // 2] = 400
        earned = np.full(n_episodes, returns)
        runs.append(replace(run, lengths=lengths, returns=earned, steps=np.array([0, 1, lengths.sum()])))
    return replace(entry, runs=tuple(runs))


def cells(task: Task, name: str) -> dict[str, dict[str, object]]:
    table = judge(make_comparison(task)).table(f"Test-v0-{name}")
    return {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}


# -- goal rewards ------------------------------------------------------------------------------------------------------


def test_where_all_episodes_earn_the_same_the_steps_decide():
    slow, fast = maze("slow", [30, 31, 32, 33] * 3), maze("fast", [14, 15, 16, 17] * 3)
    task = make_task(slow, fast)
    verdict = judge(make_comparison(task))
    assert "While learning, all earn 1.0; fast needs the fewest steps per episode, IQM 15." in verdict.headline
    assert "; fewer than slow (with probability 1.00, Holm p < 0.001)." in verdict.headline
    assert f"{SATURATED}: every policy that reaches the goal in time earns the same, 1.0" in verdict.warnings[0]
    assert "episodes of 14 to 400 steps" in verdict.warnings[0]
    assert cells(task, "online")["fast"]["steps per episode"].estimate == 15.5
    assert "steps per episode" in verdict.table("Test-v0-online").brief
    assert cells(task, "regret")["fast"]["environment steps"].estimate == 50 * (400 + 15.5)
    (pair,) = verdict.table("Test-v0-steps-pairs").rows
    assert (pair[:2], pair[-1]) == (("slow", "fast"), "fast better")
    assert pair[3] == (16, 16, 16)  # steps as they are, not with the sign turned


def test_equal_steps_are_no_finding():
    task = make_task(maze("a", [14, 15, 16, 17] * 3), maze("b", [15, 14, 17, 16] * 3))
    headline = judge(make_comparison(task)).headline
    assert "all earn 1.0; a and b have the same IQM of steps per episode, 15.5" in headline
    assert "fewer than" not in headline


def test_a_few_runs_that_earn_otherwise_do_not_hide_the_tie():
    slow, fast = maze("slow", [30] * 20), maze("fast", [14] * 20)
    one = replace(slow.runs[0], returns=np.full(100, 0.5))
    task = make_task(replace(slow, runs=(one, *slow.runs[1:])), fast)
    assert "almost all runs earn 1.0; fast needs the fewest steps" in judge(make_comparison(task)).headline
    several = tuple(replace(run, returns=np.full(100, 0.5)) for run in slow.runs[:3])
    assert pace(make_task(replace(slow, runs=(*several, *slow.runs[3:])), fast)) is None


def test_it_is_no_merit_to_end_soon_without_a_gain():
    """Falling into a hole in 3 steps is not better than wandering for 30."""
    task = make_task(maze("hole", [3] * 12, returns=0.0), maze("wander", [30] * 12, returns=0.0))
    verdict = judge(make_comparison(task))
    assert "steps per episode" not in verdict.headline
    assert not any(SATURATED in warning for warning in verdict.warnings)


def test_given_steps_the_episodes_finished_are_compared():
    few, many = maze("few", [30] * 8, n_episodes=50), maze("many", [15] * 8, n_episodes=80)
    stuck = replace(few.runs[0], returns=np.zeros(0), lengths=np.zeros(0, np.int64))
    task = make_task(replace(few, runs=(stuck, *few.runs[1:])), many, budget_unit="timesteps")
    verdict = judge(make_comparison(task))
    assert "While learning, all finished episodes earn 1.0; many finishes" in verdict.headline
    assert "many finishes the most episodes in the same number of steps, IQM 80.0; more than few" in verdict.headline
    found = cells(task, "online")
    assert found["many"]["episodes"] == (80, 80, 80)
    assert np.isnan(found["few"]["IQM"].estimate)  # a run that never finished is not forgotten
    assert "an unfinished last episode does not count" in verdict.table("Test-v0-online").caption


def test_a_return_that_counts_steps_is_not_saturated():
    task = make_task(make_entry("a", [5.0] * 8, online=5.0), make_entry("b", [5.0] * 8, online=5.0), optimum=5.0)
    assert judge(make_comparison(task)).warnings == ()  # every episode that earned 5 has the same length


# -- hidden states -----------------------------------------------------------------------------------------------------


def test_the_optimum_of_who_sees_the_state_is_not_held_against_who_does_not():
    mdp = make_env("rlsuite/ShortCorridor-v0").unwrapped.mdp
    assert not mdp.fully_observed
    entries = (make_entry("a", [-12.0] * 8, start=-40.0), make_entry("b", [-13.0] * 8, start=-40.0))
    task = make_task(*entries, optimum=-3.0, random=-20.0, mdp=mdp)
    verdict = judge(make_comparison(task))
    assert "An agent that saw the state could reach -3.0." in verdict.headline
    assert "exact optimum" not in verdict.headline
    final = verdict.table("Test-v0-final")
    assert {"regret", "at optimum", "optimum"}.isdisjoint(final.columns)
    assert "may be out of reach" in final.caption
    assert [threshold.name for threshold in thresholds(task)] == ["95 % of best"]
    assert not any("regret" in column for column in verdict.table("Test-v0-regret").columns)


# -- failed runs -------------------------------------------------------------------------------------------------------


def test_runs_that_the_iqm_hides_are_told():
    loops = make_entry("sarsa", [-17.0] * 35 + [-1000.0] * 5)
    task = make_task(loops, make_entry("q", [-13.0] * 40), optimum=-13.0, random=-9512.0)
    headline = judge(make_comparison(task)).headline
    assert "But sarsa's mean is -14" in headline
    assert ": 5 of 40 runs end below that." in headline
    assert "q's mean" not in headline


def test_three_failures_of_thirty_are_told_although_the_mean_is_uncertain():
    task = make_task(make_entry("dyna", [1.0] * 27 + [0.0] * 3))
    headline = judge(make_comparison(task)).headline
    assert "IQM 1.0. But dyna's mean is 0.90 [" in headline
    assert "3 of 30 runs end below that" in headline


def test_ordinary_scatter_is_not_called_hidden():
    """The mean of symmetric scores lies within the interval of their IQM."""
    scores = np.random.default_rng(0).normal(size=40)
    assert "But" not in judge(make_comparison(make_task(make_entry("a", scores), optimum=9.0))).headline


# -- how it reads ------------------------------------------------------------------------------------------------------


def test_a_planner_at_the_optimum_has_no_regret():
    exact = 0.1 + 0.2  # the mean of ten of them is another number
    task = make_task(make_planner("vi", exact), optimum=exact)
    table = judge(make_comparison(task)).table("Test-v0-final")
    assert table.cells[0][table.columns.index("regret")] == "0.0"
    assert table.cells[0][table.columns.index("IQM")] == "0.3"


@pytest.mark.parametrize("name", ["final", "pairs"])
def test_tables_of_errors_say_that_lower_is_better(name):
    entries = (make_entry("td", [0.3] * 8, start=0.8), make_entry("mc", [0.5] * 8, start=0.8))
    title = judge(make_comparison(make_task(*entries, metric="rms-error"))).table(f"Test-v0-{name}").title
    assert "RMS error" in title
    assert "lower is better" in title
