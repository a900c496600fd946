"""`rlsuite play` and `rlsuite evaluate` of deep agents: films, policies, masks."""

from __future__ import annotations

import json

import pytest

from rlsuite.cli.main import main
from rlsuite.experiments.training import TrainingPlan, train

RUN = "runs/CartPole-v1/ppo/a-s0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("play")
    train(
        TrainingPlan("CartPole-v1", "ppo", n_timesteps=256, n_envs=2, values={"n_steps": 64}, eval_episodes=1,
                     tensorboard=False, clips=False, out=root / "runs", name="a")
    )  # fmt: skip
    return root


@pytest.fixture(autouse=True)
def _no_screen(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)


def evaluation(capsys, *arguments):
    assert main(["evaluate", RUN, "--json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_without_a_screen_an_mp4_lands_among_the_runs_videos(folder, capsys):
    import av

    assert main(["play", RUN, "--episodes", "2"]) == 0
    film, *returns = capsys.readouterr().out.splitlines()
    path = folder / film.removeprefix("film: ")
    assert path == folder / RUN / "videos" / "256_steps.mp4"
    lengths = [int(line.split()[-2]) for line in returns]
    with av.open(str(path)) as container:
        assert sum(1 for _ in container.decode(video=0)) == sum(lengths) + 2  # a frame more than steps each


def test_a_gif_of_the_best_checkpoint(folder, capsys):
    from PIL import Image

    assert main(["play", RUN, "--checkpoint", "best", "--video", "x.gif"]) == 0
    with Image.open(folder / "x.gif") as film:
        assert film.n_frames > 2


def test_a_window_needs_a_screen(capsys):
    assert main(["play", RUN, "--window"]) == 2
    error = capsys.readouterr().err
    assert "there is no screen" in error and error.count("\n") == 1


def test_evaluate_films_the_first_episode_it_counts(folder, capsys):
    found = evaluation(capsys, "--episodes", "1", "--video", "first.mp4")
    import av

    with av.open(str(folder / "first.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == found["mean_ep_length"] + 1
    assert found["video"] == "first.mp4"


def test_deep_agents_are_evaluated_deterministically_unless_asked(capsys):
    greedy = evaluation(capsys, "--episodes", "5")
    assert greedy["policy"] == "deterministic" and greedy == evaluation(capsys, "--episodes", "5", "--deterministic")
    drawn = evaluation(capsys, "--episodes", "5", "--stochastic")
    assert drawn["policy"] == "stochastic" and drawn["mean_reward"] != greedy["mean_reward"]
    assert drawn == evaluation(capsys, "--episodes", "5", "--stochastic")  # drawn from the seed
    assert greedy["timesteps"] == 256 and "exact_return" not in greedy


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["play", "nowhere"], "nowhere is not a run"),
        (["play", "runs"], "there are runs below it, e.g. " + RUN),
        (["play", RUN, "--video", "x.avi"], ".mp4 or .gif"),
        (["play", RUN, "--checkpoint", "7_steps"], "no checkpoint '7_steps'; it has best, last, "),
        (["evaluate", RUN, "--video", "film"], ".mp4 or .gif"),
    ],
)
def test_a_mistake_is_one_line(capsys, arguments, message):
    try:
        status = main(arguments)
    except SystemExit as stop:
        status = stop.code
    error = capsys.readouterr().err
    assert status == 2 and message in error and error.count("\n") == 1
