"""The verdict on comparisons whose truth is known: it finds what is there, and claims nothing that is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlsuite.experiments.measures import final_scores, normalised, online_returns, thresholds, training_regret
from rlsuite.experiments.pairwise import Sample, compare_pairs, find
from rlsuite.experiments.tables import markdown, to_csv
from rlsuite.experiments.verdict import judge
from tests.experiments.synthetic import make_comparison, make_entry, make_planner, make_task


def noise(n: int, seed: int = 0, scale: float = 0.05) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=scale, size=n)


def rows(verdict, name):
    """The rows of a table as dictionaries; algorithms, and pairs, by name."""
    table = verdict.table(name)
    key = 2 if table.columns[:2] == ("A", "B") else 1
    return {row[:key] if key == 2 else row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}


# -- learned policies --------------------------------------------------------------------------------------------------


def test_a_clear_winner_is_named():
    task = make_task(make_entry("good", 0.9 + noise(30)), make_entry("bad", 0.3 + noise(30, 1)))
    verdict = judge(make_comparison(task))
    assert verdict.headline.startswith("On Test-v0 good's learned policy is best: IQM 0.")
    assert "better than bad (with probability 1.00, Holm p < 0.001). The exact optimum is 1.0." in verdict.headline
    assert verdict.warnings == ()
    pair = rows(verdict, "Test-v0-pairs")["good", "bad"]
    assert (pair["pairs"], pair["finding"], pair["P(A better)"].estimate) == (30, "good better", 1.0)
    assert pair["mean A - B"].low < 0.6 < pair["mean A - B"].high


def test_the_order_of_the_algorithms_does_not_matter():
    good, bad = make_entry("good", 0.9 + noise(30)), make_entry("bad", 0.3 + noise(30, 1))
    forward, backward = (judge(make_comparison(make_task(*pair))) for pair in ((good, bad), (bad, good)))
    assert backward.sentences[0].startswith(forward.sentences[0].split(";")[0])
    assert rows(backward, "Test-v0-pairs")["bad", "good"]["finding"] == "good better"
    assert rows(backward, "Test-v0-final") == rows(forward, "Test-v0-final")  # each number has its own stream


def test_equal_algorithms_are_not_told_apart():
    """Twenty pairs of the same distribution: with tests at 5 % more than 4 claims have probability 0.003."""
    claims = 0
    for k in range(20):
        task = make_task(make_entry("a", 0.5 + noise(25, 2 * k)), make_entry("b", 0.5 + noise(25, 2 * k + 1)))
        headline = judge(make_comparison(task), seed=k).headline
        claims += "better than" in headline
        assert ("no significant difference" in headline) != ("better than" in headline)
        assert ("no algorithm is shown to be best" in headline) == ("no significant difference" in headline)
    assert claims <= 4


def test_identical_scores_are_a_tie_also_when_rounding_differs():
    nearly = [-13.0 + 1e-13, -13.0 - 2e-13, -13.0, -13.0, -13.0, -13.0]
    task = make_task(make_entry("a", [-13.0] * 6), make_entry("b", nearly), optimum=-13.0, random=-50000.0)
    verdict = judge(make_comparison(task))
    assert "a and b have identical final scores, -13.0. The exact optimum is -13.0." in verdict.headline
    pair = rows(verdict, "Test-v0-pairs")["a", "b"]
    assert (pair["p"], pair["P(A better)"], pair["finding"]) == (1.0, (0.5, 0.5, 0.5), "identical")
    assert rows(verdict, "Test-v0-final")["b"]["at optimum"] == 1.0


def test_same_iqm_is_not_the_same_scores():
    """IQM ignores the tails: 6 of 30 runs of b fail, both IQMs are 1, yet the test tells them apart."""
    task = make_task(make_entry("a", [1.0] * 30), make_entry("b", [1.0] * 23 + [0.0] * 7))
    headline = judge(make_comparison(task)).headline
    assert "a and b have the same IQM, 1.0; a is better than b on average (Holm p = 0.016)" in headline


def test_a_leader_that_beats_only_some_is_not_called_best():
    best, close = 0.8 + noise(30), 0.79 + noise(30, 1)
    task = make_task(make_entry("top", best), make_entry("close", close), make_entry("far", 0.1 + noise(30, 2)))
    headline = judge(make_comparison(task)).sentences[0]
    leader, other = ("top", "close") if best.mean() > close.mean() else ("close", "top")
    assert f"{leader} has the highest IQM" in headline
    assert "better than far" in headline
    assert f"no significant difference from {other}" in headline
    assert "is best" not in headline


def test_mean_and_wins_that_disagree_are_said_to():
    """b wins 24 of 30 seeds by a hair, and fails on 6: the mean favours a, single runs favour b."""
    fails = np.r_[np.full(20, 0.51), np.full(10, 0.0)]
    pairs = compare_pairs(
        [Sample("a", np.arange(30), np.full(30, 0.5)), Sample("b", np.arange(30), fails)],
        seed=np.random.SeedSequence(0),
    )
    assert pairs[0].adjusted < 0.05
    assert pairs[0].outcome == "mixed"
    verdict = judge(make_comparison(make_task(make_entry("a", [0.5] * 30), make_entry("b", fails))))
    assert "better than" not in verdict.headline
    assert rows(verdict, "Test-v0-pairs")["a", "b"]["finding"] == "means differ, wins do not agree"


def test_both_rankings_are_told_when_they_differ():
    """Cliff walking: Q-learning learns the better path and falls off it while exploring; SARSA the other way round."""
    task = make_task(
        make_entry("q-learning", [-13.0] * 20, online=list(-49.6 + noise(20, 1, 3))),
        make_entry("sarsa", [-17.0] * 20, online=list(-26.5 + noise(20, 2, 3))),
        env_id="CliffWalking-v1",
        optimum=-13.0,
        random=-50000.0,
    )
    headline = judge(make_comparison(task)).headline
    learned, online = headline.split(" While learning, ")
    assert "q-learning's learned policy is best: IQM -13.0; better than sarsa" in learned
    assert online.startswith("sarsa has the highest IQM of returns, -2")
    assert "better than q-learning (with probability 1.00, Holm p < 0.001)" in online


# -- the numbers -------------------------------------------------------------------------------------------------------


def test_measures_by_hand():
    entry = make_entry("a", [0.4, 0.8], online=[-2.0, -1.0])
    task = make_task(entry, optimum=1.0, random=-1.0)
    np.testing.assert_array_equal(final_scores(task, entry), [0.4, 0.8])
    np.testing.assert_array_equal(online_returns(entry), [-2, -1])
    np.testing.assert_array_equal(training_regret(task, entry), [300, 200])  # 100 episodes
    np.testing.assert_allclose(normalised(task, [-1.0, 0.0, 1.0]), [0, 0.5, 1])
    assert [t.score for t in thresholds(task)] == [pytest.approx(0.9), 1.0]
    found = rows(judge(make_comparison(task)), "Test-v0-final")["a"]
    assert found["mean"].estimate == found["median"].estimate == pytest.approx(0.6)
    assert found["regret"] == pytest.approx((0.4, 0.2, 0.6))
    assert rows(judge(make_comparison(task)), "Test-v0-regret")["a"]["regret per episode"].estimate == 2.5


def test_where_single_runs_fall_takes_46_of_them():
    scores = np.arange(46) / 100
    task = make_task(make_entry("enough", scores), make_entry("few", scores[:45]), make_planner("exact", 0.5, n=1))
    verdict = judge(make_comparison(task))
    found = {label: row["90 % of runs"] for label, row in rows(verdict, "Test-v0-final").items()}
    assert found["enough"] == (0.225, 0.0, 0.45)  # of 46 runs the lowest and the highest
    assert found["few"].estimate == pytest.approx(0.22)
    assert np.isnan(found["few"][1:]).all()
    assert found["exact"] == (0.5, 0.5, 0.5)
    table = verdict.table("Test-v0-final")
    assert "tolerance interval" in table.caption
    assert "90 % of runs" not in table.brief  # a line of the terminal has 80 characters


def test_sample_efficiency_of_runs_that_never_arrive():
    task = make_task(make_entry("fast", [1.0] * 6, middle=0.96), make_entry("never", [0.97] * 2 + [0.5] * 4))
    table = judge(make_comparison(task)).table("Test-v0-efficiency")
    found = {row[:2]: row[3:] for row in table.rows}
    assert found["fast", "95 % of optimum"] == (1.0, (50, 50, 50), (500, 500, 500))
    assert found["fast", "optimum"] == (1.0, (100, 100, 100), (1000, 1000, 1000))
    assert found["never", "95 % of optimum"][0] == pytest.approx(1 / 3)
    assert found["never", "95 % of optimum"][1].estimate == np.inf


def test_the_same_comparison_gives_the_same_verdict():
    comparison = make_comparison(make_task(make_entry("a", 0.5 + noise(9)), make_entry("b", 0.4 + noise(9, 1))))
    assert judge(comparison, seed=3).tables == judge(comparison, seed=3).tables
    assert judge(comparison, seed=3).tables != judge(comparison, seed=4).tables


def test_without_a_model_nothing_is_called_optimal():
    task = make_task(make_entry("a", 0.9 + noise(10)), make_entry("b", 0.3 + noise(10, 1)), optimum=None)
    verdict = judge(make_comparison(task))
    assert "optimum" not in verdict.headline
    assert "optimum" not in verdict.table("Test-v0-final").columns
    assert "estimated by simulation" in verdict.table("Test-v0-final").caption
    assert not any(table.name.endswith("regret") for table in verdict.tables)
    assert {row[1] for row in verdict.table("Test-v0-efficiency").rows} == {"95 % of best"}


def test_prediction_errors_are_better_low():
    task = make_task(
        make_entry("td", 0.3 + noise(20, 0, 0.01), start=0.8),
        make_entry("mc", 0.5 + noise(20, 1, 0.01), start=0.8),
        metric="rms-error",
    )
    verdict = judge(make_comparison(task))
    assert verdict.headline.startswith("On Test-v0 td's value error is best: IQM 0.")
    assert "better than mc" in verdict.headline
    assert "While learning" not in verdict.headline
    pair = rows(verdict, "Test-v0-pairs")["td", "mc"]
    assert pair["finding"] == "td better"
    assert pair["mean A - B"].estimate == pytest.approx(-0.2, abs=0.01)  # in the table, td's error is lower
    assert "optimum" not in verdict.table("Test-v0-final").columns


# -- planners ----------------------------------------------------------------------------------------------------------


def test_planners_are_exact_and_stand_beside_the_learners():
    task = make_task(
        make_planner("vi", 1.0),
        make_planner("pi", 1.0),
        make_planner("coarse", 0.5, n=1),
        make_entry("q", 0.8 + noise(10)),
    )
    verdict = judge(make_comparison(task))
    assert verdict.sentences[0].startswith("On Test-v0 the learned policy of q has IQM 0.8")
    exact = "Planning with the model, vi and pi reach 1.0 and coarse reaches 0.5; the exact optimum is 1.0."
    assert exact in verdict.headline
    pairs = rows(verdict, "Test-v0-pairs")
    assert (pairs["vi", "pi"]["finding"], pairs["vi", "coarse"]["finding"]) == ("identical", "vi better")
    assert np.isnan([pairs["vi", "pi"]["p"], pairs["vi", "coarse"]["Holm p"]]).all()
    assert (pairs["vi", "q"]["finding"], pairs["vi", "q"]["pairs"]) == ("vi better", 10)
    assert (pairs["coarse", "q"]["finding"], pairs["coarse", "q"]["pairs"]) == ("q better", 10)
    assert rows(verdict, "Test-v0-final")["coarse"]["IQM"] == (0.5, 0.5, 0.5)  # a fact although it ran once
    assert verdict.warnings == ()


def test_planners_alone():
    verdict = judge(make_comparison(make_task(make_planner("vi", 1.0), make_planner("pi", 1.0))))
    assert verdict.headline == (
        "On Test-v0, only planners ran. Planning with the model, vi and pi reach 1.0, the exact optimum."
    )


# -- incomplete comparisons --------------------------------------------------------------------------------------------


def test_only_common_seeds_are_paired():
    """b has seeds 5 … 14 of a's 0 … 9 only in part; on the five in common b is ahead by exactly 1."""
    a = make_entry("a", np.arange(10.0), seeds=range(10))
    b = make_entry("b", np.arange(5.0, 11) + 1, seeds=range(5, 11))
    verdict = judge(make_comparison(make_task(a, b, optimum=100.0), notes=("interrupted: 16 of 20 runs finished",)))
    pair = rows(verdict, "Test-v0-pairs")["a", "b"]
    assert (pair["pairs"], pair["mean A - B"], pair["p"]) == (5, (-1, -1, -1), 2 / 2**5)
    assert verdict.warnings[0] == "interrupted: 16 of 20 runs finished"
    assert any("between 6 and 10 runs" in warning for warning in verdict.warnings)


def test_a_single_seed_gives_no_interval_and_no_claim():
    verdict = judge(make_comparison(make_task(make_entry("a", [1.0]), make_entry("b", [0.0]))))
    assert "1.0 [?, ?]; no significant difference from b" in verdict.headline
    assert "is best" not in verdict.headline
    assert any("1 run per algorithm is too few" in warning for warning in verdict.warnings)


def test_too_few_seeds_for_the_correction_are_warned_of():
    """Two algorithms, 5 seeds: the smallest p is 2/2**5 = 0.0625. With 6 it is 0.03125."""
    few, enough = (
        judge(make_comparison(make_task(make_entry("a", [1.0] * n), make_entry("b", [0.0] * n)))) for n in (5, 6)
    )
    assert any("no corrected test can become significant" in warning for warning in few.warnings)
    assert "is best" not in few.headline
    assert enough.warnings == ()
    assert "a's learned policy is best" in enough.headline


def test_scores_that_are_not_numbers_are_reported_not_averaged():
    broken = make_entry("broken", [1.0, np.nan, 1.0, np.inf, 1.0, 1.0])
    verdict = judge(make_comparison(make_task(broken, make_entry("b", [0.5] * 6), make_entry("c", [0.4] * 6))))
    assert any("broken on Test-v0: no finite score for seeds 1, 3; it is left out" in w for w in verdict.warnings)
    assert np.isnan(rows(verdict, "Test-v0-final")["broken"]["mean"].estimate)
    assert set(rows(verdict, "Test-v0-pairs")) == {("b", "c")}
    assert "broken" not in verdict.headline


def test_an_algorithm_without_runs_is_reported():
    verdict = judge(make_comparison(make_task(make_entry("a", [1.0] * 6), make_entry("late", []))))
    assert "late on Test-v0: no finished run" in verdict.warnings
    assert rows(verdict, "Test-v0-final")["late"]["runs"] == 0
    nothing = judge(make_comparison(make_task(make_entry("late", []))))
    assert nothing.headline == "On Test-v0 nothing can be said: no algorithm has usable runs."


def test_a_threshold_outside_its_range_is_refused():
    with pytest.raises(ValueError, match=r"\(0, 1\]"):
        judge(make_comparison(make_task(make_entry("a", [1.0]))), threshold=95)


# -- several tasks -----------------------------------------------------------------------------------------------------


def two_tasks(n: int = 20):
    """Scores of a are 0.2 of the range better on both tasks, whose scales differ 1000 times."""
    return (
        make_task(
            make_entry("a", 0.8 + noise(n)), make_entry("b", 0.6 + noise(n, 1)), make_planner("vi", 1.0), env_id="One"
        ),
        make_task(
            make_entry("a", -200 + 1000 * noise(n, 2)),
            make_entry("b", -400 + 1000 * noise(n, 3)),
            make_planner("vi", 0.0),
            env_id="Two",
            optimum=0.0,
            random=-1000.0,
        ),
    )


def test_across_tasks_scores_are_normalised():
    verdict = judge(make_comparison(*two_tasks()))
    found = rows(verdict, "across")
    assert found["a"]["mean"].estimate == pytest.approx(0.8, abs=0.03)
    assert found["b"]["optimality gap"].estimate == pytest.approx(0.4, abs=0.03)
    assert found["vi"]["IQM"] == (1, 1, 1)
    assert len(verdict.sentences) == 3
    assert verdict.sentences[2].startswith("Across 2 tasks (random policy 0, optimum 1) a has the highest IQM, 0.")
    pair = rows(verdict, "across-pairs")["a", "b"]
    assert (pair["pairs"], pair["finding"]) == (40, "a better")
    assert [len(task) for task in verdict.normalised["a"]] == [20, 20]


def test_across_tasks_runs_are_compared_within_tasks():
    """a beats b on both tasks with certainty, though a's score on the hard task is below b's on the easy one."""
    easy = make_task(make_entry("a", [0.9] * 8), make_entry("b", [0.8] * 8), env_id="Easy")
    hard = make_task(make_entry("a", [0.2] * 8), make_entry("b", [0.1] * 8), env_id="Hard")
    pair = rows(judge(make_comparison(easy, hard)), "across-pairs")["a", "b"]
    assert pair["P(A better)"] == (1, 1, 1)
    assert pair["mean A - B"].estimate == pytest.approx(0.1)


def test_tasks_without_reference_do_not_enter_the_aggregate():
    one, _ = two_tasks()
    other = make_task(make_entry("a", [5.0] * 20), make_entry("b", [5.0] * 20), make_planner("vi", 5.0), optimum=None)
    assert judge(make_comparison(one, other)).normalised == {}
    with pytest.raises(ValueError, match="cannot be normalised"):
        normalised(other, [1.0])


def test_every_table_can_be_written():
    verdict = judge(make_comparison(*two_tasks()))
    assert len({table.name for table in verdict.tables}) == len(verdict.tables) == 14
    for table in verdict.tables:
        assert markdown(table).count("\n| ") == len(table.rows) + 2
        assert to_csv(table).count("\n") == len(table.rows) + 1
    with pytest.raises(KeyError, match="no table 'x'"):
        verdict.table("x")


def test_find_sees_a_pair_from_both_sides():
    samples = [Sample(name, np.arange(8), np.full(8, x) + noise(8, 1)) for name, x in (("a", 1.0), ("b", 0.0))]
    pairs = compare_pairs(samples, seed=np.random.SeedSequence(0))
    ahead, behind = find(pairs, "a", "b"), find(pairs, "b", "a")
    assert (ahead.outcome, behind.outcome) == ("better", "worse")
    assert behind.difference.low == -ahead.difference.high
    assert behind.improvement.estimate == 1 - ahead.improvement.estimate
    with pytest.raises(KeyError, match="not compared"):
        find(pairs, "a", "c")


# -- anything that can be recorded -------------------------------------------------------------------------------------

scores = st.one_of(st.sampled_from([0.0, 0.5, 1.0, 1.0 + 1e-13]), st.floats(-2, 2), st.just(np.nan))
learners = st.lists(st.tuples(st.integers(0, 9), scores), max_size=7, unique_by=lambda run: run[0]).map(sorted)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3),
    st.lists(st.lists(learners, min_size=3, max_size=3), min_size=1, max_size=3),
    st.lists(st.sampled_from([None, 0.0, 1.0]), min_size=3, max_size=3),
    st.sampled_from(["return", "rms-error"]),
    st.sampled_from(["episodes", "timesteps"]),
    st.booleans(),
)
def test_every_comparison_gets_a_verdict(n_tasks, entries, optima, metric, unit, planner):
    """Whatever runs there are: one sentence per task, and "better than" only with a corrected p below 0.05."""
    tasks = []
    for t in range(n_tasks):
        made = [
            make_entry(f"a{i}", [score for _, score in runs[t]], seeds=[seed for seed, _ in runs[t]])
            for i, runs in enumerate(entries)
        ]
        if planner and metric == "return":
            made.append(make_planner("vi", 1.0, n=2))
        tasks.append(make_task(*made, env_id=f"E{t}", optimum=optima[t], metric=metric, budget_unit=unit))
    verdict = judge(make_comparison(*tasks))
    assert [sentence.startswith(f"On E{t}") for t, sentence in enumerate(verdict.sentences[:n_tasks])] == [
        True
    ] * n_tasks
    tested = [table for table in verdict.tables if table.name.endswith("pairs")]
    smallest = min((row[6] for table in tested for row in table.rows if not np.isnan(row[6])), default=1.0)
    assert smallest < 0.05 or "better than" not in verdict.headline
    for table in verdict.tables:
        assert to_csv(table)
        assert markdown(table)
