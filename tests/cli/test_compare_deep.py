"""``rlsuite compare`` with deep agents, in subprocesses."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TOYS = Path(__file__).parents[1] / "experiments"
SMALL = ["--env", "CartPole-v1", "--seeds", "2", "--checkpoints", "4", "--eval-episodes", "2", "--workers", "2"]


def environment(**more):
    return os.environ | {"PYTHONPATH": str(TOYS), "TOY_PAUSE": "0"} | more


def rlsuite_compare(*arguments, cwd):
    command = [sys.executable, "-m", "rlsuite", "compare", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment())


def test_two_deep_agents_are_compared_over_seeds_with_a_table_to_include(tmp_path):
    result = rlsuite_compare(
        *SMALL, "--algo", "dqn", "ppo", "-n", "600", "--no-preset", "--n-envs", "4", "--out", "out",
        "--set", "ppo.n_steps=50", "ppo.batch_size=50", cwd=tmp_path,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    out = tmp_path / "out"
    runs = {path.parent.name[-2:] + path.parent.parent.name: path.parent for path in out.rglob("result.json")}
    assert sorted(runs) == ["s0dqn", "s0ppo", "s1dqn", "s1ppo"]
    made = json.loads((runs["s1ppo"] / "result.json").read_text())
    assert made["steps"] == [0, 200, 400, 600]  # whole iterations of 4 x 50 steps
    assert sorted(made["ends"]) == made["ends"] and sum(made["lengths"]) <= 600
    page = (out / "index.html").read_text()
    assert "reward threshold" in page and "steps/s" in page and "What was learned" not in page
    rows = list(csv.DictReader((out / "results.csv").read_text().splitlines()))
    assert [(row["environment"], row["algorithm"], row["seeds"]) for row in rows] == [
        ("CartPole-v1", "dqn", "2"),
        ("CartPole-v1", "ppo", "2"),
    ]
    mean = sum(json.loads((runs[k] / "result.json").read_text())["score"][-1] for k in ("s0ppo", "s1ppo")) / 2
    assert float(rows[1]["mean"]) == pytest.approx(mean)
    text = (out / "results.md").read_text()
    assert "| CartPole-v1 | ppo |" in text and "- command: `" in text and "- hardware: " in text


def test_ctrl_c_saves_runs_that_are_under_way_and_the_same_command_goes_on(tmp_path):
    arguments = [*SMALL, "--algo", "toy_deep:toy", "-n", "800", "--out", "out"]
    with subprocess.Popen(
        [sys.executable, "-m", "rlsuite", "compare", *arguments],
        cwd=tmp_path,
        env=environment(TOY_PAUSE="0.05"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        deadline = time.monotonic() + 100
        while len(list(tmp_path.rglob("evaluations.jsonl"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all processes
        _, errors = process.communicate(timeout=100)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors and "0 of 2 runs finished; the same command goes on from here" in errors
    saved = list(tmp_path.rglob("paused.safetensors"))
    assert len(saved) == 2
    first = json.loads(next(tmp_path.rglob("metrics.jsonl")).read_text().splitlines()[-1])
    assert 0 < first["time/total_timesteps"] < 800
    result = rlsuite_compare(*arguments, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert len(list(tmp_path.rglob("result.json"))) == 2 and not list(tmp_path.rglob("paused.*"))
    whole = rlsuite_compare(*arguments[:-1], "whole", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    for seed in (0, 1):
        one, other = (
            json.loads(next((tmp_path / out).rglob(f"*-s{seed}/result.json")).read_text()) for out in ("out", "whole")
        )
        assert {k: v for k, v in one.items() if "time" not in k} == {k: v for k, v in other.items() if "time" not in k}


OWN_PRESETS = """
from pathlib import Path

import toy_deep
from rlsuite.experiments import presets

presets._folder = lambda: Path(__file__).parent / "presets"
"""


def test_each_algorithm_at_the_budget_of_its_preset(tmp_path):
    (tmp_path / "own_presets.py").write_text(OWN_PRESETS)
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "toy.yaml").write_text("CartPole-v1: {n_timesteps: 300}\n")
    (tmp_path / "presets" / "reinforce.yaml").write_text("default: {n_timesteps: 200, n_envs: 2}\n")
    result = rlsuite_compare(
        *SMALL, "--algo", "own_presets:toy", "reinforce", "-n", "preset", "--out", "out", cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    told = " ".join(result.stdout.split())
    assert "budgets differ between algorithms (environment steps given: 200: reinforce; 300: toy)" in told
    rows = list(csv.DictReader((tmp_path / "out" / "results.csv").read_text().splitlines()))
    assert float(rows[0]["steps"]) == 300 and 200 <= float(rows[1]["steps"]) < 300
    text = "a ranking compares settings and budgets"
    assert (
        text in (tmp_path / "out" / "results.md").read_text() and text in (tmp_path / "out" / "index.html").read_text()
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--env", "CartPole-v1", "--algo", "q-learning"], "q-learning cannot run on CartPole-v1"),
        (["--env", "FrozenLake-v1", "--algo", "q-learning", "--n-envs", "4"], "--n-envs is for deep agents"),
        (["--env", "FrozenLake-v1", "--algo", "dqn", "q-learning", "-n", "preset"], "q-learning has no presets"),
        (["--env", "CartPole-v1", "--algo", "dqn", "-n", "preset", "--no-preset"], "--no-preset leaves out"),
        (["--env", "CartPole-v1", "--algo", "dqn", "-n", "presets"], "nor “preset”"),
    ],
)
def test_what_cannot_run_is_one_line(tmp_path, arguments, told):
    result = rlsuite_compare(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1 and told in result.stderr
