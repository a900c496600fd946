"""`rlsuite imitate`, and `evaluate`, `play` and `export` of what it trained, as a user runs them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from rlsuite.cli.main import main
from rlsuite.experiments.checkpoints import saved_steps
from rlsuite.experiments.records import EVALUATIONS, METRICS, read_config, read_rows
from rlsuite.motion import catalogue, clip_files, editing, formats

SMALL = ["-n", 256, "--n-envs", 8, "--eval-episodes", 2, "--eval-freq", 256, "--no-clips", "--no-tensorboard", "--set"]
OURS = [*SMALL, "n_steps=16", "batch_size=64", "n_epochs=1", "net_arch=16"]
RUNS = "runs/rlsuite-HumanoidImitate-v0"
RUN = f"{RUNS}/ppo/walk-1-s0"


def rlsuite(*arguments, cwd):
    command = [sys.executable, "-m", "rlsuite", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=300)


def run(*arguments):
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as stop:  # argparse's own errors
        return stop.code


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With one run, trained in a subprocess."""
    folder = tmp_path_factory.mktemp("imitate")
    done = rlsuite("imitate", "--clip", "walk", "--reward", "mimickit", *OURS, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"run: {RUN}"
    assert "normalised_return" in done.stdout  # the table of the evaluation
    return folder


@pytest.fixture(autouse=True)
def _there(folder, monkeypatch):
    monkeypatch.chdir(folder)


def test_the_run_holds_its_clip_and_measures_of_imitation(folder):
    config = read_config(RUN)
    assert config["env_kwargs"].items() >= {"clip": "run:clip.npz", "reward": "mimickit"}.items()
    np.testing.assert_allclose(clip_files.load(f"{RUN}/clip.npz").qpos, catalogue.find("walk").qpos, atol=1e-15)
    (row,) = read_rows(f"{RUN}/{EVALUATIONS}")
    assert {"eval/mean_reward", "eval/normalised_return", "eval/falls", "eval/success_rate", "eval/mpjpe_mm"} <= set(
        row
    )
    assert row["eval/normalised_return"] == pytest.approx(row["eval/mean_reward"] / 600)


def test_evaluate_prints_a_table_and_writes_it_as_json(folder, capsys):
    shutil.copytree(RUN, "moved")  # self-contained: the clip goes along
    assert run("evaluate", "moved", "--episodes", 2, "--checkpoint", "best") == 0
    table = capsys.readouterr().out
    for title in ("normalised return", "falls", "success at 0.5 m", "MPJPE in the world", "push sideways"):
        assert title in table
    written = json.loads((folder / "moved" / "imitation-best.json").read_text())
    assert run("evaluate", RUN, "--episodes", 2, "--checkpoint", "best", "--json") == 0
    assert json.loads(capsys.readouterr().out) == written
    assert (
        written["episodes"] == 2 and 0.0 < written["normalised_return"] < 0.5 and written["policy"] == "deterministic"
    )


def test_play_writes_film_strip_and_a_clip_that_motion_view_shows(folder, capsys):
    files = ["--video", "film.gif", "--strip", "strip.png", "--rollout", "rollout.npz"]
    assert run("play", RUN, *files, "--seconds", 0.3) == 0
    assert "normalised return" in capsys.readouterr().out
    from PIL import Image

    with Image.open("film.gif") as film, Image.open("strip.png") as strip:
        assert film.n_frames == 10 and strip.width == 1600
    clip = clip_files.load("rollout.npz")
    assert clip.n_frames == 10 and [step["step"] for step in clip.provenance][-2:] == ["perform", "policy"]
    assert clip.provenance[-1]["name"] == "walk-1-s0"
    assert run("motion", "view", "rollout.npz", "--strip", "rollout.png", "--poses", 2) == 0
    assert (folder / "rollout.png").exists()


def test_a_policy_in_a_file_is_evaluated_and_played(folder, capsys, monkeypatch):
    from rlsuite.experiments.imitation import policies, shipping

    monkeypatch.setattr(shipping, "EPISODES", 2)
    assert run("export", RUN, "--policy", "shop/small.safetensors") == 0
    assert "normalised return" in capsys.readouterr().out
    assert run("play", "shop/small.safetensors", "--strip", "small.png", "--seconds", 0.2) == 0
    monkeypatch.setattr(policies, "FOLDER", folder / "shop")
    capsys.readouterr()
    assert run("list", "policies") == 0 and "small" in capsys.readouterr().out
    assert run("list", "policies", "small") == 0 and "reward: mimickit" in capsys.readouterr().out
    assert run("evaluate", "small", "--episodes", 1, "--json") == 0
    assert json.loads(capsys.readouterr().out)["clip"] == "walk"
    assert run("play", "smal") == 2
    error = capsys.readouterr().err
    assert "smal is not a run" in error and "shipped policy (small)" in error and error.count("\n") == 1


def test_the_time_is_up_is_a_stop_that_is_resumed_to_the_same_run(folder, capsys, caplog):
    longer = [*OURS, "-n", 1024, "--save-freq", 512, "--eval-freq", 512, "--log-interval", 128]
    assert run("imitate", "--clip", "walk", *longer, "--name", "whole", "-q") == 0
    assert run("imitate", "--clip", "walk", *longer, "--name", "cut", "-q", "--minutes", 1e-6) == 0
    assert "the time is up: 128 steps are saved; go on with `rlsuite resume" in caplog.text
    cut, whole = (folder / RUNS / "ppo" / f"{name}-s0" for name in ("cut", "whole"))
    assert saved_steps(cut) == [128]
    assert run("imitate", "--resume", cut, "-q", "--minutes", 1e-6) == 0
    assert len(saved_steps(cut)) == 2
    assert run("resume", cut, "-q") == 0
    for name in (EVALUATIONS, METRICS):
        rows = [
            [
                {key: value for key, value in row.items() if not key.startswith("time/")}
                for row in read_rows(path / name)
            ]
            for path in (cut, whole)
        ]
        assert rows[0] == rows[1] and len(rows[0]) >= 2
    assert (cut / "clip.npz").read_bytes() == (whole / "clip.npz").read_bytes()


def test_a_raw_file_is_imported_on_the_way(folder, capsys):
    formats.write(editing.cut(catalogue.find("walk"), 0.0, 0.6), "mine.bvh")
    assert run("imitate", "--clip", "mine.bvh", *OURS, "-q") == 0
    output = capsys.readouterr().out
    assert "retargeted  to 'humanoid'" in output and output.splitlines()[-1] == f"run: {RUNS}/ppo/mine-1-s0"
    clip = clip_files.load(f"{RUNS}/ppo/mine-1-s0/clip.npz")
    assert clip.name == "mine" and clip.startable is not None and clip.skeleton.shape is not None


def test_stable_baselines3_trains_the_same_environment(folder, capsys):
    settings = [*SMALL, "n_steps=16", "batch_size=64", "n_epochs=1", "net_arch=16"]
    assert run("imitate", "--clip", "idle", "--backend", "sb3", *settings, "-q") == 0
    folder = capsys.readouterr().out.splitlines()[-1].removeprefix("run: ")
    assert folder == f"{RUNS}/sb3-ppo/idle-1-s0" and read_config(folder)["algo"] == "sb3:ppo"
    assert run("play", folder, "--strip", "sb3.png", "--seconds", 0.2) == 0
    assert run("resume", folder, "-n", 128, "-q") == 0


@pytest.fixture(scope="module")
def striking(folder):
    """A run with a goal, trained in a subprocess; the clip is the goal's own."""
    kwargs = ["--env-kwargs", "mix=(0.25, 0.75)", "goal={'strike': {'radius': 0.3}}"]
    done = rlsuite("imitate", "--goal", "strike", *OURS, *kwargs, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "goal_reward" in done.stdout
    return done.stdout.splitlines()[-1].removeprefix("run: ")


def test_a_goal_is_trained_measured_and_filmed(folder, striking, capsys):
    assert striking == "runs/rlsuite-HumanoidStrike-v0/ppo/kick-1-s0"
    config = read_config(striking)
    assert config["env_kwargs"]["mix"] == [0.25, 0.75] and config["env_kwargs"]["goal"] == {"strike": {"radius": 0.3}}
    (row,) = read_rows(f"{striking}/{EVALUATIONS}")
    assert {"eval/normalised_return", "eval/goal_reward", "eval/goal_success"} <= set(row)
    assert run("evaluate", striking, "--episodes", 2, "--checkpoint", "best") == 0
    table = capsys.readouterr().out
    assert "reward of the goal" in table and "goal attained at the end" in table and "push forward" in table
    found = json.loads((folder / striking / "imitation-best.json").read_text())
    assert 0.0 < found["goal_reward"] <= 1.0 and found["goal_success"] in (0.0, 0.5, 1.0)
    assert run("play", striking, "--video", "strike.gif", "--seconds", 0.2) == 0


@pytest.mark.parametrize("goal", ["heading", "location", "strike", "throw", "getup", "push"])
def test_every_goal_chooses_its_environment_clip_and_the_preset_of_imitation(folder, goal, capsys):
    before = sorted(folder.rglob("*"))
    assert run("imitate", "--goal", goal, "--show-config") == 0
    shown = capsys.readouterr().out
    assert f"env: rlsuite/Humanoid{goal}-v0".lower() in shown.lower() and "run:clip.npz" in shown
    assert "preset ppo, rlsuite/HumanoidImitate-v0" in shown and sorted(folder.rglob("*")) == before


def test_show_config_begins_nothing(folder, capsys):
    before = sorted(folder.rglob("*"))
    assert run("imitate", "--clip", "walk", "--show-config") == 0
    assert "run:clip.npz" in capsys.readouterr().out and sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["imitate", "--clip", "wlak"], "did you mean 'walk'"),
        (["imitate", "--clip", "none.bvh"], "none.bvh: no such file"),
        (["imitate", "--clip", "walk", "--reward", "mimikit"], "did you mean 'mimickit'"),
        (["imitate", "--clip", "walk", "--algo", "pppo"], "did you mean 'ppo'"),
        (["imitate", "--clip", "walk", "--algo", "dqn"], "dqn takes Discrete actions"),
        (["imitate", "--clip", "walk", "--minutes", "0"], "not a number above 0"),
        (["imitate", "--clip", "walk", "--set", "learning_rat=1"], "did you mean 'learning_rate'"),
        (["imitate", "--clip", "walk", "--env-kwargs", "clip=run"], "clips are named by --clip"),
        (["imitate", "--clip", "walk", "--env-kwargs", "terminate=('contcat',)"], "no termination 'contcat'"),
        (["imitate"], "--clip"),
        (["imitate", "--goal", "haeding"], "did you mean 'heading'"),
        (["imitate", "--goal", "throw", "--clip", "wlak"], "did you mean 'walk'"),
        (["imitate", "--goal", "throw", "--env-kwargs", "mix=(1, -1)"], "mix must be two weights"),
        (["imitate", "--goal", "throw", "--env-kwargs", "goal=strike"], "--goal throw takes its numbers as"),
        (["imitate", "--goal", "throw", "--resume", RUN], "leave out goal"),
        (["imitate", "--resume", "nowhere"], "nowhere is not a run"),
        (["imitate", "--resume", RUN, "--reward", "mimickit"], "leave out reward"),
        (["play", RUN, "--video", "x.avi"], ".mp4 or .gif"),
        (["play", RUN, "--strip", "x.jpg"], ".png"),
        (["play", RUN, "--rollout", "x.bvh"], ".npz"),
        (["play", RUN, "--window"], "in the browser, not in a window"),
        (["play", "nowhere"], "nowhere is not a run"),
        (["evaluate", RUN, "--checkpoint", "7_steps"], "no checkpoint '7_steps'"),
        (["export", RUN, "--policy", "x.onnx"], ".safetensors"),
        (["export", "nowhere", "--policy", "x.safetensors"], "nowhere is not a run"),
    ],
)
def test_a_mistake_is_one_line_and_begins_nothing(folder, capsys, arguments, message):
    before = sorted(folder.rglob("*"))
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert sorted(folder.rglob("*")) == before


def test_a_run_that_lost_its_clip_says_so(folder, capsys):
    shutil.copytree(RUN, "poor")
    (folder / "poor" / "clip.npz").unlink()
    for command in (["evaluate", "poor"], ["play", "poor", "--strip", "x.png"], ["resume", "poor"]):
        assert run(*command) == 2
        error = capsys.readouterr().err
        assert "needs the file 'clip.npz'" in error and error.count("\n") == 1


def test_a_planner_learns_nothing_and_is_evaluated_and_played(folder, capsys):
    tiny = ["--set", "samples=4", "horizon=2", "iterations=1", "--name", "plans", "-q"]
    assert run("imitate", "--clip", "jump", "--algo", "mppi", *tiny) == 0
    planned = f"{RUNS}/mppi/plans-s0"
    capsys.readouterr()
    assert run("evaluate", planned, "--episodes", 1, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert 0.0 < found["normalised_return"] < 1.0 and not any(name.startswith("push_") for name in found)
    assert run("play", planned, "--rollout", "planned.npz", "--seconds", 0.2) == 0
    assert clip_files.load("planned.npz").n_frames == 7
