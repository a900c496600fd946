"""Tuning end to end: killed at any instant and gone on with, interrupted, in several processes, and what it writes."""

from __future__ import annotations

import csv
import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from rlsuite.agents import agent_class, agent_names
from rlsuite.agents.hyperparameters import build, fields
from rlsuite.cli.main import main
from rlsuite.errors import HyperparameterError, RecordError, RlsuiteError
from rlsuite.experiments.search_spaces import SPACES, Choice, search_space
from rlsuite.experiments.training_plan import TrainingPlan
from rlsuite.experiments.tuning import TuningPlan, tune, tuning_seeds

optuna = pytest.importorskip("optuna")

LAKE = ["tune", "--algo", "q-learning", "--env", "FrozenLake-v1", "-n", "300", "--eval-episodes", "5"]
ENV = {**os.environ, "OMP_NUM_THREADS": "1"}


def rlsuite(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "rlsuite", *arguments], cwd=cwd, env=ENV, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def rows(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "trials.csv").read_text().splitlines()))


def wait_for_trials(journal: Path, n: int, process: subprocess.Popen[str]) -> None:
    """Until the journal tells of ``n`` complete trials; op code 6 sets the state of a trial."""
    for _ in range(3000):
        if process.poll() is not None or (journal.exists() and journal.read_text().count('"op_code":6') >= n):
            return
        time.sleep(0.02)


def test_a_killed_search_goes_on_with_the_same_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    command = ["tune", "--algo", "dqn", "--env", "CartPole-v1", "--trials", "4", "-n", "400", "--evaluations", "2",
               "--eval-episodes", "1", "--set", "learning_starts=50", "buffer_size=1000"]  # fmt: skip
    folder = tmp_path / "tuning" / "CartPole-v1" / "dqn" / "study"
    first = rlsuite(*command, "--pruner", "none", cwd=tmp_path)
    wait_for_trials(folder / "study.journal", 1, first)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    with (folder / "study.journal").open("a") as file:
        file.write('{"op_code": 4, "half')  # what a kill within a write leaves
    second = rlsuite(*command, "--pruner", "none", cwd=tmp_path)
    out, err = second.communicate(timeout=120)
    assert second.returncode == 0, err
    assert "4 trials: 4 complete, 0 pruned, 0 failed" in out and not err
    found = rows(folder)
    assert [row["state"] for row in found] == ["complete"] * 4
    best = yaml.safe_load((folder / "best.yaml").read_text())
    most = max(float(row["value"]) for row in found)
    chosen = {name: str(value) for name, value in best["hyperparameters"].items() if name in found[0]}
    assert any(chosen.items() <= row.items() for row in found if float(row["value"]) == most)
    assert best["hyperparameters"]["learning_starts"] == 50
    plan = TrainingPlan.from_settings(best)
    assert (plan.env_id, plan.algo, plan.n_timesteps) == ("CartPole-v1", "dqn", 400)
    assert (folder / "history.png").read_bytes().startswith(b"\x89PNG")
    page = (folder / "index.html").read_text()
    assert "4 trials" in page and page.count("<tr>") == 5
    capsys.readouterr()
    monkeypatch.chdir(tmp_path)
    assert main([*command, "--pruner", "none"]) == 0  # nothing is left to do
    assert capsys.readouterr().out.startswith("\n4 trials") and rows(folder) == found


def test_ctrl_c_keeps_what_was_found(tmp_path: Path) -> None:
    command = ["tune", "--algo", "dqn", "--env", "CartPole-v1", "--trials", "500", "-n", "400", "--evaluations", "2",
               "--eval-episodes", "1", "--set", "learning_starts=50"]  # fmt: skip
    process = rlsuite(*command, cwd=tmp_path)
    wait_for_trials(tmp_path / "tuning" / "CartPole-v1" / "dqn" / "study" / "study.journal", 1, process)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err
    assert "trials are complete; the same command goes on with the study" in err


@pytest.mark.slow
def test_several_processes_share_a_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*LAKE, "--trials", "6", "--jobs", "2", "--storage", "lake.db"]) == 0
    assert "6 trials:" in capsys.readouterr().out
    assert (tmp_path / "lake.db").exists()
    assert len(rows(tmp_path / "tuning/FrozenLake-v1/q-learning/study")) == 6


def lake_plan(folder: Path, **more: Any) -> TuningPlan:
    training = TrainingPlan("FrozenLake-v1", "q-learning", n_timesteps=300, eval_episodes=4)
    arguments = {"trials": 3, "folder": folder, "storage": folder / "s.journal", "study_name": "s"} | more
    return TuningPlan(training, **arguments)


def test_a_study_of_other_settings_is_refused(tmp_path: Path) -> None:
    tune(lake_plan(tmp_path))
    with pytest.raises(RecordError, match="was begun with another seeds per trial"):
        tune(lake_plan(tmp_path, n_seeds=2))
    assert len(tune(lake_plan(tmp_path, trials=5)).trials) == 5  # more trials of the same are no other settings


@pytest.mark.parametrize("text", ["nonsense\nnonsense\n", '{"op_code": 99}\n', "[]\n\n"])
def test_a_damaged_storage_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.journal").write_text(text)
    with pytest.raises(RecordError, match="is not the storage of a study"):
        tune(lake_plan(tmp_path))


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.db").write_text("nonsense" * 1000)
    with pytest.raises(RecordError, match="is not the storage of a study"):
        tune(lake_plan(tmp_path, storage=tmp_path / "s.db"))


def test_enough_trials_tell_the_importances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rlsuite.experiments import tuning
    from rlsuite.experiments.tuning_report import importances, write_report

    scores = itertools.count(0.0)
    monkeypatch.setattr(tuning, "evaluate_policy", lambda *args, **kwargs: (next(scores), 0.0))
    plan = lake_plan(tmp_path, trials=12, pruner="none")
    study = tune(plan)
    assert set(importances(study)) == set(study.best_params) and sum(importances(study).values()) == pytest.approx(1.0)
    write_report(plan, study)
    assert (tmp_path / "importances.png").read_bytes().startswith(b"\x89PNG")


def test_trials_differ_and_a_search_that_goes_on_draws_anew(tmp_path: Path) -> None:
    tune(lake_plan(tmp_path, sampler="random"))
    study = tune(lake_plan(tmp_path, sampler="random", trials=8))
    assert len({trial.params["alpha"] for trial in study.trials}) == 8


def test_the_same_search_finds_the_same(tmp_path: Path) -> None:
    one, two = (tune(lake_plan(tmp_path / name)) for name in "ab")
    assert [(t.params, t.value) for t in one.trials] == [(t.params, t.value) for t in two.trials]


def test_settings_that_fail_are_marked_failed(tmp_path: Path) -> None:
    plan = TuningPlan(
        TrainingPlan("CartPole-v1", "dqn", n_timesteps=40, eval_episodes=1, values={"buffer_size": 1}),
        trials=2, folder=tmp_path, storage=tmp_path / "s", study_name="s", fixed=("buffer_size",),
    )  # fmt: skip
    study = tune(plan)
    assert [t.state.name for t in study.trials] == ["FAIL"] * 2
    assert "holds no batch" in study.trials[0].user_attrs["failure"]
    from rlsuite.experiments.tuning_report import write_report

    with pytest.raises(RlsuiteError, match=r"no trial is complete.*holds no batch"):
        write_report(plan, study)


def test_bad_trials_are_pruned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rlsuite.experiments import tuning

    scores = iter([*[10.0] * 50, *[0.0] * 50])
    monkeypatch.setattr(tuning, "evaluate_policy", lambda *args, **kwargs: (next(scores), 0.0))
    study = tune(lake_plan(tmp_path, trials=6, n_evaluations=10))
    assert [t.state.name for t in study.trials] == ["COMPLETE"] * 5 + ["PRUNED"]


def test_the_seeds_of_a_search_are_nobody_elses() -> None:
    seeds = tuning_seeds(0, 5)
    assert len(set(seeds)) == 5 and min(seeds) >= 2**62 and seeds[:2] == tuning_seeds(0, 2)
    assert not set(seeds) & set(tuning_seeds(1, 5))


@pytest.mark.parametrize("name", sorted(SPACES))
def test_declared_spaces_name_hyperparameters_and_values_that_exist(name: str) -> None:
    for full in (name, f"sb3:{name}"):
        if full not in agent_names():
            continue
        cls = agent_class(full)
        space = search_space(cls, ())
        assert "learning_rate" in space
        known = fields(cls.Hyperparameters)
        for key, range in space.items():
            values = range.values if isinstance(range, Choice) else (range.low, range.high)
            for value in values:
                build(cls.Hyperparameters, {key: value}, full)
                assert isinstance(value, known[key].base_type) or known[key].base_type is float
    missing = set(SPACES[name]) - set(fields(agent_class(name).Hyperparameters)) if name in agent_names() else set()
    assert not missing, missing


def test_nothing_to_tune_is_an_error() -> None:
    with pytest.raises(HyperparameterError, match="nothing to tune: value-iteration"):
        search_space(agent_class("value-iteration"), ())
    with pytest.raises(HyperparameterError, match="fixed by --set"):
        search_space(agent_class("td"), ("alpha",))


def test_without_optuna_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert main([*LAKE, "--trials", "1"]) == 2
    assert "pip install 'rlsuite[tune]'" in capsys.readouterr().err
