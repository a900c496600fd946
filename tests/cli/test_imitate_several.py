"""`rlsuite imitate` with several clips, and `evaluate`, `play` and `export` of what it trained, as a user runs them."""

from __future__ import annotations

import json

import pytest

from rlsuite.experiments.records import read_config
from rlsuite.motion import clip_files
from tests.cli.test_imitate import OURS, rlsuite, run

RUN = "runs/rlsuite-HumanoidImitate-v0/ppo/walk+idle-1-s0"

ALONE = "runs/rlsuite-HumanoidImitate-v0/ppo/idle-1-s0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With one run, trained in a subprocess."""
    folder = tmp_path_factory.mktemp("several")
    arguments = ["--clip", "walk", "idle", "--multi", "selector", "--env-kwargs", "interval=(0.5, 1)"]
    done = rlsuite("imitate", *arguments, *OURS, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"run: {RUN}"
    done = rlsuite("imitate", "--clip", "idle", *OURS, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(autouse=True)
def _there(folder, monkeypatch):
    monkeypatch.chdir(folder)


def test_the_run_holds_its_clips(folder):
    kwargs = read_config(RUN)["env_kwargs"]
    assert kwargs["clip"] == ["run:clip-1.npz", "run:clip-2.npz"] and kwargs["multi"] == "selector"
    assert list(kwargs["interval"]) == [0.5, 1]
    assert [clip_files.load(f"{RUN}/clip-{k}.npz").name for k in (1, 2)] == ["walk", "idle"]


def test_evaluate_measures_all_together_and_each_clip_apart(capsys):
    assert run("evaluate", RUN, "--episodes", 2, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["clips"]) == set(found["clip_shares"]) == {"walk", "idle"}
    assert sum(found["clip_shares"].values()) == pytest.approx(1.0)
    assert found["clips"]["idle"]["normalised_return"] > found["clips"]["walk"]["normalised_return"] > 0.0
    assert run("evaluate", RUN, "--episodes", 1) == 0
    table = capsys.readouterr().out
    assert "one clip throughout" in table and "idle: time" in table


def test_play_performs_the_clips_asked_for(capsys):
    assert run("play", RUN, "--rollout", "performed.npz", "--seconds", 1, "--clip", "idle", "walk") == 0
    assert "normalised return" in capsys.readouterr().out
    assert clip_files.load("performed.npz").name == "walk+idle"
    assert run("play", RUN, "--rollout", "other.npz", "--clip", "kick") == 2
    assert "there are walk, idle" in capsys.readouterr().err


def test_what_does_not_go(capsys):
    assert run("export", RUN, "--policy", "policy.safetensors") == 2
    assert "a small file holds a policy of one" in capsys.readouterr().err
    assert run("imitate", "--clip", "walk", "idle") == 2
    assert "--multi selector or --multi max" in capsys.readouterr().err
    assert run("imitate", "--clip", "walk", "--multi", "max") == 2
    assert "one takes none" in capsys.readouterr().err
    assert run("play", "walk", "--rollout", "other.npz", "--clip", "walk") == 2
    assert "--clip chooses among the clips" in capsys.readouterr().err


def test_the_run_goes_on():
    assert run("imitate", "--resume", RUN, "-n", 512) == 0


def test_a_composite_is_evaluated_and_played(capsys):
    assert (
        run("evaluate", ALONE, "--composite", ALONE, "--episodes", 2, "--temperature", 5, "--every", 0.5, "--json") == 0
    )
    found = json.loads(capsys.readouterr().out)
    assert set(found["shares"]) == {"idle-1-s0", "idle-1-s0-2"} and sum(found["shares"].values()) == pytest.approx(1.0)
    assert 0.5 < found["mean_reward"] <= 1.0 and found["changes_per_minute"] > 0.0 and found["temperature"] == 5
    assert run("evaluate", ALONE, "--composite", ALONE, "--episodes", 1) == 0
    assert "idle-1-s0-2: time" in capsys.readouterr().out
    assert run("play", ALONE, "--composite", ALONE, "--rollout", "both.npz", "--seconds", 1) == 0
    assert "mean reward" in capsys.readouterr().out
    assert clip_files.load("both.npz").n_frames == 31
    assert run("play", ALONE, "--composite", RUN, "--rollout", "x.npz") == 2
    assert "one clip each" in capsys.readouterr().err
    assert run("play", ALONE, "--composite", "walk", "--rollout", "x.npz") == 2
    assert "has no values" in capsys.readouterr().err
