"""The comparison runner: what is run again, what is kept when something fails, and what each setting is scored by."""

import dataclasses

import numpy as np
import pytest

from rlsuite.agents.tabular.evaluation import discounted_values, random_policy
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.errors import RecordError
from rlsuite.experiments import compare
from rlsuite.experiments.compare import Plan, run
from rlsuite.experiments.records import METRICS, read_rows
from rlsuite.experiments.runner import Budget, run_on_model
from rlsuite.experiments.settings import expand


def plan(out, algos=("sarsa",), assignments=(), env="CliffWalking-v1", seeds=3, **more):
    budget = more.pop("budget", Budget("episodes", 20, 4))
    return Plan((env,), tuple(expand(algos, assignments)), seeds, budget, out, **more)


def executed(monkeypatch):
    """Seeds that are really run, in order."""
    seeds = []

    def counted(spec, *arguments):
        seeds.append(spec.seed)
        return run_on_model(spec, *arguments)

    monkeypatch.setattr(compare, "run_on_model", counted)
    return seeds


def test_the_same_plan_runs_nothing_twice(tmp_path, monkeypatch):
    seeds = executed(monkeypatch)
    first = run(plan(tmp_path))
    again = run(plan(tmp_path))
    assert seeds == [0, 1, 2]
    for one, other in zip(first.tasks[0].entries[0].runs, again.tasks[0].entries[0].runs, strict=True):
        for field in dataclasses.fields(one):
            assert np.array_equal(getattr(one, field.name), getattr(other, field.name)), field.name


def test_a_setting_is_found_again_inside_a_grid(tmp_path, monkeypatch):
    run(plan(tmp_path, assignments=["alpha=0.5"]))
    seeds = executed(monkeypatch)
    run(plan(tmp_path, assignments=["alpha=0.1,0.5"]))
    assert seeds == [0, 1, 2]  # those of alpha=0.1


@pytest.mark.parametrize(
    "changed",
    [
        {"budget": Budget("episodes", 21, 4)},
        {"budget": Budget("episodes", 20, 5)},
        {"max_episode_steps": 50},
        {"assignments": ["epsilon=0.2"]},
        {"env_kwargs": {"CliffWalking-v1": {"is_slippery": True}}},
    ],
)
def test_another_experiment_has_another_record(tmp_path, monkeypatch, changed):
    run(plan(tmp_path))
    seeds = executed(monkeypatch)
    run(plan(tmp_path, **changed))
    assert seeds == [0, 1, 2]


def test_an_environment_whose_dynamics_changed_is_run_again(tmp_path, monkeypatch):
    run(plan(tmp_path))
    read = FiniteMDP.from_env

    def altered(env):
        mdp = read(env)
        return dataclasses.replace(mdp, reward=mdp.reward * 2)

    monkeypatch.setattr(FiniteMDP, "from_env", altered)
    seeds = executed(monkeypatch)
    comparison = run(plan(tmp_path))
    assert seeds == [0, 1, 2]
    assert comparison.tasks[0].reference.optimum == pytest.approx(-26)


def test_a_run_without_its_checkpoint_is_run_again(tmp_path, monkeypatch):
    run(plan(tmp_path))
    next(tmp_path.rglob("s1.safetensors")).unlink()
    seeds = executed(monkeypatch)
    comparison = run(plan(tmp_path))
    assert seeds == [1]
    assert [r.seed for r in comparison.tasks[0].entries[0].runs] == [0, 1, 2]


@pytest.mark.parametrize("threaded", [False, True])
def test_what_finished_before_an_error_is_recorded(tmp_path, monkeypatch, threaded):
    def failing(spec, *arguments):
        if spec.seed == 3:
            raise RecordError("the disk is gone")
        done = run_on_model(spec, *arguments)
        return dataclasses.replace(done, wall_time=1.0) if threaded else done

    monkeypatch.setattr(compare, "run_on_model", failing)
    with pytest.raises(RecordError, match="disk"):
        run(plan(tmp_path, seeds=40, workers=2))
    rows = [row["seed"] for row in read_rows(next(tmp_path.rglob(METRICS)))]
    assert {0, 1, 2} <= set(rows)
    assert 3 not in rows
    assert len(rows) < 39  # the queue was dropped, not run for nothing
    monkeypatch.setattr(compare, "run_on_model", run_on_model)
    assert len(run(plan(tmp_path, seeds=40)).tasks[0].entries[0].runs) == 40


def test_planners_plan_once_and_stand_for_every_seed(tmp_path, monkeypatch):
    seeds = executed(monkeypatch)
    entry = run(plan(tmp_path, ["value-iteration"], seeds=5)).tasks[0].entries[0]
    assert seeds == [0]
    assert [r.seed for r in entry.runs] == [0, 1, 2, 3, 4]
    assert entry.final_scores == pytest.approx(-13)


def test_each_prediction_setting_is_judged_by_its_own_gamma(tmp_path):
    env = "rlsuite/RandomWalk5-v0"
    budget = Budget("episodes", 3000, 2)
    settings = ["gamma=0.5,1", "alpha=0.01"]
    comparison = run(plan(tmp_path, ["td"], settings, env, 2, budget=budget))
    mdp = FiniteMDP.from_env(env)
    spread = {g: np.ptp(discounted_values(mdp, random_policy(mdp), g)[mdp.reachable]) for g in (0.5, 1.0)}
    for entry in comparison.tasks[0].entries:
        assert entry.final_scores.max() < 0.1 * spread[entry.hyperparameters["gamma"]], entry.label
    assert any("V* is shown at 1" in note for note in comparison.notes)


def test_a_diverged_run_is_recorded_as_such_and_spoils_no_other(tmp_path):
    from rlsuite.experiments.verdict import judge

    # accumulating traces with alpha = lambda = 1 blow up on the walk
    settings = ["alpha=1,0.1", "td-lambda.lambda_=1", "gamma=1"]
    comparison = run(
        plan(tmp_path, ["td-lambda"], settings, "rlsuite/RandomWalk19-v0", 5, budget=Budget("episodes", 200, 2))
    )
    wild, tame = comparison.tasks[0].entries
    assert not np.isfinite(wild.final_scores).all()
    assert np.isfinite(tame.final_scores).all()
    verdict = judge(comparison)
    assert any("alpha=1" in warning for warning in verdict.warnings)


def test_a_row_that_is_not_a_run_is_a_typed_error(tmp_path):
    run(plan(tmp_path))
    path = next(tmp_path.rglob(METRICS))
    good = path.read_text()
    for bad in ('{"seed": -1}', '{"seed": 1e999}', "{}", '{"seed": 0, "steps": [1], "episodes": [], "score": [0]}'):
        path.write_text(good + bad + "\n")
        with pytest.raises(RecordError, match=r"metrics\.jsonl"):
            run(plan(tmp_path))


def test_a_changing_maze_is_scored_on_the_map_of_the_moment(tmp_path):
    """Whoever has the short way at step 900 has none at 1050: it closed at 1000, and the long one is not yet found."""
    budget = Budget("timesteps", 1050, 7)
    settings = ["alpha=1", "gamma=0.95", "planning_steps=50", "epsilon=0"]
    comparison = run(plan(tmp_path, ["dyna-q"], settings, "rlsuite/BlockingMaze-v0", 10, budget=budget))
    runs = comparison.tasks[0].entries[0].runs
    before, after = (np.array([r.score[r.steps == step][0] for r in runs]) for step in (900, 1050))
    assert before.mean() >= 0.8
    assert after[before == 1].min() == 0
    assert any("changes while it is learned" in note for note in comparison.notes)


def test_a_damaged_config_is_told_and_a_missing_one_is_written_again(tmp_path):
    run(plan(tmp_path))
    path = next(tmp_path.rglob("config.yaml"))
    path.write_text("env: [")
    with pytest.raises(RecordError, match=r"config\.yaml"):
        run(plan(tmp_path))
    path.unlink()
    run(plan(tmp_path))
    assert "CliffWalking-v1" in path.read_text()


def test_backward_induction_is_scored_with_its_clock(tmp_path):
    comparison = run(plan(tmp_path, ["backward-induction", "value-iteration"], ["gamma=1"], "FrozenLake-v1", 2))
    timed, stationary = comparison.tasks[0].entries
    assert timed.final_scores == pytest.approx(0.7442, abs=1e-4)  # the registry's comment on the reward threshold
    assert timed.final_scores == pytest.approx(comparison.tasks[0].reference.optimum, abs=1e-12)
    assert stationary.final_scores[0] < timed.final_scores[0]
