"""Comparisons with deep agents: resumed exactly, scored rightly, mixed with tabular ones, told when they cannot run."""

import dataclasses
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rlsuite.agents.deep.agent import DeepAgent
from rlsuite.agents.evaluation import episode_seeds, run_episodes
from rlsuite.agents.registry import agent_class
from rlsuite.agents.tabular.evaluation import finite_horizon_value
from rlsuite.envs.registration import make_env
from rlsuite.errors import HyperparameterError, InvalidEnvironmentError
from rlsuite.experiments import compare
from rlsuite.experiments.compare import Plan, run
from rlsuite.experiments.deep_runs import play_together
from rlsuite.experiments.figures import pen
from rlsuite.experiments.figures_curves import efficiency_curves, learning_curves, smoothed_returns, training_curves
from rlsuite.experiments.loading import load
from rlsuite.experiments.measures import pace, thresholds
from rlsuite.experiments.records import EVALUATIONS, read_config, read_rows
from rlsuite.experiments.report_results import results_table
from rlsuite.experiments.report_sections import comparison_sections
from rlsuite.experiments.results import Run
from rlsuite.experiments.runner import Budget
from rlsuite.experiments.settings import expand
from rlsuite.experiments.verdict import judge
from rlsuite.seeding import run_seeds
from tests.experiments.synthetic import make_comparison, make_entry, make_task

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    monkeypatch.syspath_prepend(HERE)
    monkeypatch.delenv("TOY_PAUSE", raising=False)


@pytest.fixture
def in_this_process(monkeypatch):
    """Deep runs in a thread: no imports in another process."""

    def threads(self):
        if "processes" not in self._made:
            self._made["processes"] = self.stack.enter_context(ThreadPoolExecutor(1))
        return self._made["processes"]

    monkeypatch.setattr(compare.Executors, "processes", property(threads))


def plan(out, algos=("toy_deep:toy",), assignments=(), env="CartPole-v1", seeds=2, **more):
    more = {"budget": Budget("timesteps", 400, 4), "eval_episodes": 2, **more}
    return Plan((env,), tuple(expand(algos, assignments)), seeds, out=out, **more)


def numbers(run):
    return [run.seed, *(getattr(run, name).tolist() for name in ("steps", "episodes", "score", "returns", "ends"))]


def test_a_run_that_was_killed_goes_on_from_its_checkpoint_as_if_it_had_not_been(
    tmp_path, monkeypatch, in_this_process
):
    more = "n_envs=2, save_every=0.0, budget=Budget('timesteps', 1200, 12)"
    program = (
        "import sys; from pathlib import Path\n"
        "from tests.experiments.test_compare_deep import *\n"
        f"if __name__ == '__main__':\n    run(plan(Path(sys.argv[1]), workers=2, {more}))\n"
    )
    (tmp_path / "program.py").write_text(program)
    log, out = tmp_path / "log", tmp_path / "killed"
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1])]), "TOY_PAUSE": "0.02", "TOY_LOG": str(log),
    }  # fmt: skip
    with subprocess.Popen([sys.executable, tmp_path / "program.py", out], env=environment) as process:
        deadline = time.monotonic() + 100
        while len(list(out.rglob("paused.*"))) < 2 and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.02)
        time.sleep(0.3)
        process.kill()
    began = [line.split() for line in log.read_text().splitlines()]
    assert len(began) == 2 and not list(out.rglob("result.json"))
    for pid, _ in began:  # what learned for a process that was killed ends with it
        while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1][:3]:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    settings = {"n_envs": 2, "budget": Budget("timesteps", 1200, 12)}
    monkeypatch.setenv("TOY_LOG", str(log))
    resumed = run(plan(out, save_every=0.0, **settings)).tasks[0].entries[0]
    went_on = [int(line.split()[1]) for line in log.read_text().splitlines()[2:]]
    assert len(went_on) == 2 and all(0 < steps < 1200 for steps in went_on)
    whole = run(plan(tmp_path / "whole", **settings)).tasks[0].entries[0]
    assert [numbers(r) for r in resumed.runs] == [numbers(r) for r in whole.runs]
    assert resumed.runs[0].steps.tolist() == list(range(0, 1201, 100))
    for path in out.rglob(EVALUATIONS):  # nothing that was scored twice is recorded twice
        assert len(list(read_rows(path))) == 13


def test_finished_seeds_are_kept_and_more_are_added(tmp_path, in_this_process):
    first = run(plan(tmp_path)).tasks[0].entries[0]
    made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("result.json")}
    more = run(plan(tmp_path, seeds=3)).tasks[0].entries[0]
    assert [numbers(r) for r in more.runs[:2]] == [numbers(r) for r in first.runs]
    assert len(more.runs) == 3 and all(path.stat().st_mtime_ns == at for path, at in made.items())


def test_each_seed_has_a_folder_that_loads(tmp_path, in_this_process):
    entry = run(plan(tmp_path, n_envs=3)).tasks[0].entries[0]
    folders = sorted(path.parent for path in tmp_path.rglob("result.json"))
    assert [folder.name[-3:] for folder in folders] == ["-s0", "-s1"]
    config = read_config(folders[1])
    assert (config["seed"], config["n_envs"], config["hyperparameters_from"]) == (1, 3, "defaults")
    assert not list(folders[1].rglob("paused*"))
    agent = load(folders[1])
    assert isinstance(agent, DeepAgent)
    seeds = episode_seeds(run_seeds(1).evaluation, 2)
    returns, _ = run_episodes(agent, make_env("CartPole-v1"), seeds)
    assert np.mean(returns) == entry.runs[1].score[-1]


def test_episodes_played_together_are_those_played_alone():
    agent = agent_class("toy_deep:toy")("CartPole-v1", seed=3).learn(50)
    envs, seeds = [make_env("CartPole-v1") for _ in range(4)], [7, 8, 9, 10]
    alone = [run_episodes(agent, envs[0], [seed]) for seed in seeds]
    assert play_together(agent, envs, seeds) == ([r[0] for r, _ in alone], [n[0] for _, n in alone])


def test_tabular_and_deep_agents_share_a_finite_environment(tmp_path, in_this_process):
    task = run(plan(tmp_path, ["q-learning", "toy_deep:toy"], env="FrozenLake-v1")).tasks[0]
    tabular, deep = task.entries
    assert (tabular.deep, deep.deep) == (False, True)
    assert task.reference.optimum > 0.7 and task.threshold is None
    agent = load(next(tmp_path.rglob("*-s1")))
    policy = np.zeros((16, 4))
    policy[np.arange(16), [agent.predict(s)[0] for s in range(16)]] = 1.0
    assert deep.runs[1].score[-1] == finite_horizon_value(task.mdp, policy, task.horizon)
    assert deep.runs[1].steps[-1] == tabular.runs[1].steps[-1] == 400
    table = judge(make_comparison(task)).table("FrozenLake-v1-final")
    assert {"sd", "worst", "best", "optimum"} <= set(table.columns)


def test_a_run_that_diverges_is_told_and_costs_the_others_nothing(tmp_path, in_this_process):
    comparison = run(plan(tmp_path, ["toy_deep:toy"], ["diverge_at=0,150"]))
    healthy, broken = comparison.tasks[0].entries
    assert all(np.isfinite(r.score).all() for r in (*healthy.runs, broken.runs[0]))
    assert np.isnan(broken.runs[1].score[-1]) and broken.runs[1].steps[-1] == 150
    assert [note for note in comparison.notes if "run 1 failed" in note and "step 150" in note]
    assert "is left out of the statistics" in " ".join(judge(comparison).warnings)
    again = run(plan(tmp_path, ["toy_deep:toy"], ["diverge_at=0,150"]))
    assert numbers(again.tasks[0].entries[1].runs[0]) == numbers(broken.runs[0])
    assert again.notes == comparison.notes


def test_presets_lie_below_what_is_given(tmp_path, in_this_process, monkeypatch):
    from rlsuite.experiments import presets

    def layers(algo, env_id):
        settings = {"n_envs": 4, "hyperparameters": {"step_size": 0.5, "gamma": 0.8}, "env_kwargs": {"x": 1}}
        return [presets.Layer(f"preset {algo}, {env_id}", settings)]

    monkeypatch.setattr(presets, "preset_layers", layers)
    chosen = run(plan(tmp_path / "1", assignments=["gamma=0.9"])).tasks[0].entries[0]
    assert (chosen.n_envs, chosen.hyperparameters["step_size"], chosen.hyperparameters["gamma"]) == (4, 0.5, 0.9)
    assert chosen.origin == "preset toy_deep:toy, CartPole-v1 + --set"
    flag = run(plan(tmp_path / "2", n_envs=2)).tasks[0].entries[0]
    assert (flag.n_envs, flag.hyperparameters["gamma"]) == (2, 0.8)
    bare = run(plan(tmp_path / "3", presets=False)).tasks[0].entries[0]
    assert (bare.n_envs, bare.hyperparameters["step_size"], bare.origin) == (1, 0.01, "defaults")


def preset_budgets(monkeypatch, amounts):
    """Presets of ``toy`` that name ``amounts`` of steps by environment."""
    from rlsuite.experiments import presets

    def layers(algo, env_id):
        named = {"n_timesteps": amounts[env_id]} if env_id in amounts else {"n_envs": 1}
        return [presets.Layer(f"preset {algo}, {env_id}", named)]

    monkeypatch.setattr(presets, "preset_layers", layers)


def test_each_agent_learns_for_the_budget_of_its_preset_where_that_is_asked_for(tmp_path, in_this_process, monkeypatch):
    preset_budgets(monkeypatch, {"CartPole-v1": 60})
    budget = Budget("timesteps", 90, 3)
    asked = plan(tmp_path, budget=budget, preset_budgets=True)
    comparison = run(dataclasses.replace(asked, env_ids=("CartPole-v1", "Acrobot-v1")))
    named, unnamed = (task.entries[0] for task in comparison.tasks)
    assert (named.budget, named.runs[0].steps.tolist()) == (60, [0, 20, 40, 60])
    assert (unnamed.budget, unnamed.runs[0].steps.tolist()) == (90, [0, 30, 60, 90])
    assert comparison.notes == ("no preset on Acrobot-v1 names a budget for toy: 90 steps were given",)
    folder = next(tmp_path.rglob("result.json")).parents[3] / "CartPole-v1"
    config = read_config(next(folder.rglob("config.yaml")).parent)
    assert config["budget"] == {"unit": "timesteps", "amount": 60}


def test_records_are_named_by_the_steps_themselves(tmp_path, in_this_process, monkeypatch):
    preset_budgets(monkeypatch, {"CartPole-v1": 60})
    run(plan(tmp_path, budget=Budget("timesteps", 90, 3), preset_budgets=True))
    made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("result.json")}
    equal = run(plan(tmp_path, budget=Budget("timesteps", 60, 3))).tasks[0].entries[0]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("result.json")} == made
    assert equal.runs[0].steps[-1] == 60
    other = run(plan(tmp_path, budget=Budget("timesteps", 90, 3))).tasks[0].entries[0]
    assert other.runs[0].steps[-1] == 90 and len(list(tmp_path.rglob("result.json"))) == 2 * len(made)


@pytest.mark.parametrize(
    ("algos", "more", "message"),
    [
        (["toy_deep:toy", "q-learning", "sarsa"], {}, "q-learning, sarsa have no presets"),
        (["toy_deep:toy"], {"presets": False}, "--no-preset leaves out"),
        (["toy_deep:toy"], {"budget": Budget("episodes", 10)}, "in steps, not episodes"),
    ],
)
def test_budgets_of_presets_that_there_are_not(tmp_path, algos, more, message):
    with pytest.raises(HyperparameterError, match=message):
        plan(tmp_path, algos, env="FrozenLake-v1", preset_budgets=True, **more)


@pytest.mark.parametrize(
    ("algos", "env", "error", "message"),
    [
        (
            ["toy_deep:toy", "q-learning"],
            "CartPole-v1",
            InvalidEnvironmentError,
            "q-learning cannot run on CartPole-v1",
        ),
        (["toy_deep:toy"], "Pendulum-v1", InvalidEnvironmentError, "toy takes Discrete actions"),
        (["toy_deep:toy", "td"], "FrozenLake-v1", HyperparameterError, "cannot compare td"),
    ],
)
def test_what_cannot_run_is_told_before_anything_runs(tmp_path, algos, env, error, message):
    with pytest.raises(error, match=message) as told:
        run(plan(tmp_path, algos, env=env))
    assert "\n" not in str(told.value)
    assert not list(tmp_path.iterdir())


# -- what is said about them -------------------------------------------------------------------------------------------


def deep_entry(label, finals, **run):
    entry = make_entry(label, finals, **run)
    runs = tuple(dataclasses.replace(r, learning_time=4.0, wall_time=5.0) for r in entry.runs)
    return dataclasses.replace(entry, deep=True, n_envs=8, runs=runs)


def deep_task(**more):
    entries = deep_entry("good", [3.0, 5.0, 7.0], middle=4.0), deep_entry("bad", [0.0, 1.0, 2.0], start=9.0, middle=0.0)
    return make_task(*entries, optimum=None, threshold=4.0, budget_unit="timesteps", **more)


def test_the_threshold_of_the_environment_comes_first_and_chance_before_learning_does_not_reach_it():
    verdict = judge(make_comparison(deep_task()))
    rows = [row for row in verdict.table("Test-v0-efficiency").rows if row[1] == "solved"]
    assert [(row[0], row[2], row[3], row[5].estimate) for row in rows] == [
        ("good", 4.0, 1.0, 500.0),
        ("bad", 4.0, 0.0, np.inf),
    ]
    assert thresholds(deep_task())[0].score == 4.0


def test_spread_and_speed_of_runs():
    verdict = judge(make_comparison(deep_task()))
    final = verdict.table("Test-v0-final")
    good = dict(zip(final.columns, final.rows[0], strict=True))
    assert (good["sd"], good["worst"], good["best"]) == (2.0, 3.0, 7.0)
    speed = verdict.table("Test-v0-speed")
    assert speed.rows[0] == ("good", 3, 8, 1000.0, 250.0, 4.0, 5.0)
    assert pace(deep_task()) is None  # nobody knows whether lasting long is a merit


def test_the_table_of_results_repeats_the_verdict():
    comparison = make_comparison(deep_task())
    verdict = judge(comparison)
    table = results_table(comparison, verdict)
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert (row["environment"], row["algorithm"], row["steps"], row["seeds"]) == ("Test-v0", "good", 1000.0, 3)
    assert row["IQM"] == verdict.table("Test-v0-final").rows[0][4]
    assert (row["solved"], row["steps until solved"].estimate, row["steps/s"]) == (1.0, 500.0, 250.0)


def own_budgets(**more):
    """``good`` was given ten times the steps of ``bad``, and has ten times the steps at each checkpoint."""
    task = deep_task(**more)
    good, bad = task.entries
    runs = tuple(dataclasses.replace(r, steps=10 * r.steps, lengths=10 * r.lengths) for r in good.runs)
    return dataclasses.replace(
        task, entries=(dataclasses.replace(good, runs=runs, budget=10_000), dataclasses.replace(bad, budget=1000))
    )


def test_budgets_that_differ_are_told_wherever_algorithms_are_ranked():
    comparison = make_comparison(own_budgets())
    verdict = judge(comparison)
    told = "a ranking compares settings and budgets"
    assert told in verdict.headline
    [warning] = [text for text in verdict.warnings if "budgets differ" in text]
    assert "1\N{NARROW NO-BREAK SPACE}000: bad; 10\N{NARROW NO-BREAK SPACE}000: good" in warning
    ranked = [verdict.table(f"Test-v0-{name}") for name in ("final", "pairs", "online", "efficiency")]
    table = results_table(comparison, verdict)
    assert all(told in each.caption for each in (*ranked, table))
    assert [row[table.columns.index("steps")] for row in table.rows] == [10_000.0, 1000.0]
    section = comparison_sections(comparison, verdict, {})
    assert [
        text for part in section for text in part.text if "10\N{NARROW NO-BREAK SPACE}000 environment steps" in text
    ]
    [settings] = [table for part in section for table in part.tables if table.name == "hyperparameters"]
    assert [row[2].split(",")[0] for row in settings.rows] == ["n_timesteps=10000", "n_timesteps=1000"]


def test_nothing_is_told_where_budgets_are_equal():
    task = deep_task()
    comparison = make_comparison(
        dataclasses.replace(task, entries=tuple(dataclasses.replace(entry, budget=1000) for entry in task.entries))
    )
    verdict = judge(comparison)
    captions = [table.caption for table in (*verdict.tables, results_table(comparison, verdict))]
    assert not [text for text in (*verdict.sentences, *verdict.warnings, *captions) if "udgets" in text]


def test_curves_end_where_each_algorithm_ended():
    task = own_budgets()
    for figure in (learning_curves(task), training_curves(task), efficiency_curves(task, thresholds(task)[0])):
        ends = {line.get_color(): max(line.get_xdata()) for line in figure.axes[0].lines if line.get_linewidth() > 1}
        assert [ends[pen(i).color] for i in (0, 1)] == [10_000, 1000]


def test_more_steps_hold_more_episodes_and_are_no_pace(monkeypatch):
    entries = [deep_entry(label, [1.0, 1.0], online=1.0) for label in ("a", "b")]
    task = make_task(*entries, budget_unit="timesteps")
    assert pace(dataclasses.replace(task, mdp=object())).unit == "episodes"
    given = tuple(dataclasses.replace(e, budget=b) for e, b in zip(entries, (100, 200), strict=True))
    assert pace(dataclasses.replace(task, mdp=object(), entries=given)) is None


def test_returns_are_averaged_by_when_episodes_ended():
    ends = np.array([10, 20, 60, 100])
    points = np.array([0, 100])
    one = Run(0, points, points, np.zeros(2), np.array([1.0, 3.0, 5.0, 9.0]), np.full(4, 10), ends=ends)
    entry = dataclasses.replace(make_entry("x", [0.0]), runs=(one,))
    grid = np.array([5.0, 20.0, 40.0, 60.0, 100.0])
    expected = [np.nan, 2.0, 2.0, 5.0, 9.0]  # (0, 20]: two of them; (20, 40]: none, so as before; (40, 60]; (80, 100]
    assert np.array_equal(smoothed_returns(entry, grid, 20.0)[0], expected, equal_nan=True)


def test_a_budget_of_episodes_is_scored_at_episodes(tmp_path, in_this_process):
    one = run(plan(tmp_path, budget=Budget("episodes", 12, 4), n_envs=2)).tasks[0].entries[0].runs[0]
    assert [12, 13].count(one.episodes[-1]) == 1 and one.episodes.tolist() == sorted(set(one.episodes))
    assert all(abs(episodes - point) <= 1 for episodes, point in zip(one.episodes, (0, 3, 6, 9, 12), strict=True))
    assert [np.sum(one.ends <= steps) for steps in one.steps] == one.episodes.tolist()


def test_a_damaged_checkpoint_to_go_on_from_costs_the_run_its_progress_only(tmp_path, in_this_process):
    whole = run(plan(tmp_path / "whole")).tasks[0].entries[0]
    broken = plan(tmp_path / "broken")
    run(broken)
    for path in (tmp_path / "broken").rglob("result.json"):
        path.unlink()
        (path.parent / "checkpoints" / "paused.safetensors").write_bytes(b"half a file")
    again = run(broken).tasks[0].entries[0]
    assert [numbers(r) for r in again.runs] == [numbers(r) for r in whole.runs]
    assert all(len(list(read_rows(path))) == 5 for path in (tmp_path / "broken").rglob(EVALUATIONS))
