"""`rlsuite train`: what it prints and leaves, and that a mistake is one line and begins nothing."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import yaml

from rlsuite.cli.main import main
from rlsuite.experiments.records import read_config

SHORT = ["train", "--algo", "dqn", "--env", "CartPole-v1", "-n", "400", "--n-envs", "2", "--name", "a", "--no-clips",
         "--eval-episodes", "2", "--set", "learning_starts=100", "buffer_size=500", "train_freq=4",
         "gradient_steps=1"]  # fmt: skip
RUN = "runs/CartPole-v1/dqn/a-s0"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*arguments):
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as stop:  # argparse's own errors
        return stop.code


def test_tables_as_stable_baselines3_prints_them_and_where_the_run_is(tmp_path, capsys):
    assert run(*SHORT, "--log-interval", 200) == 0
    output = capsys.readouterr().out
    for name in ("ep_rew_mean", "exploration_rate", "total_timesteps", "mean_reward", "loss", "n_updates"):
        assert output.count(f"|    {name} ") == 2
    assert output.splitlines()[-1] == f"run: {RUN}"
    names = {path.name for path in (tmp_path / RUN).iterdir()}
    assert {"config.yaml", "metrics.jsonl", "evaluations.jsonl", "checkpoints"} <= names
    assert sum(name.startswith("events.out.tfevents") for name in names) == 1
    assert read_config(RUN)["sources"]["n_timesteps"] == "command line"


def test_quiet_prints_only_where_the_run_is(tmp_path, capsys):
    assert run(*SHORT, "--quiet", "--no-tensorboard") == 0
    assert capsys.readouterr().out == f"run: {RUN}\n"
    assert not list((tmp_path / RUN).glob("events*"))


def test_show_config_runs_nothing(tmp_path, capsys):
    assert run(*SHORT, "--show-config") == 0
    output = capsys.readouterr().out
    shown = yaml.safe_load(output)
    assert shown["n_timesteps"] == 400 and shown["hyperparameters"]["buffer_size"] == 500
    lines = [line for line in output.splitlines() if "exploration_final_eps" in line or "n_envs" in line]
    assert [line.partition("# ")[2] for line in lines] == ["preset dqn, CartPole-v1", "command line"]
    assert list(tmp_path.iterdir()) == []


def test_the_configuration_of_a_run_repeats_it(tmp_path):
    assert run(*SHORT, "-q") == 0
    assert run("train", "--config", f"{RUN}/config.yaml", "--name", "again", "-q") == 0
    first, again = (tmp_path / "runs/CartPole-v1/dqn" / name / "evaluations.jsonl" for name in ("a-s0", "again-s0"))
    assert first.read_text() == again.read_text()


def test_images_from_pixels(tmp_path):
    flags = ["--pixels", "--grayscale", "--resize", 42, "--frame-stack", 4]
    assert run(*SHORT[:5], "-n", 24, "--name", "a", *flags, "--eval-episodes", 1, "--eval-freq", 24, "-q",
               "--no-tensorboard", "--no-clips", "--set", "train_freq=4", "learning_starts=8", "batch_size=4",
               "gradient_steps=1", "buffer_size=100", "net_arch=16") == 0  # fmt: skip
    assert read_config(RUN)["preprocessing"] == {"pixels": True, "grayscale": True, "resize": 42, "frame_stack": 4}
    assert run("evaluate", RUN, "--episodes", 1) == 0


def test_action_masks_are_obeyed_in_training_and_evaluation(capsys):
    """Taxi's masks leave out moves into walls, which the greedy policy of an untrained network makes for ever."""
    run("train", "--algo", "dqn", "--env", "Taxi-v4", "-n", 40, "--name", "a", "-q", "--no-clips", "--no-tensorboard",
        "--eval-episodes", 1, "--set", "use_action_masks=true", "learning_starts=1000")  # fmt: skip
    capsys.readouterr()
    assert run("evaluate", "runs/Taxi-v4/dqn/a-s0", "--episodes", 3, "--json") == 0
    assert json.loads(capsys.readouterr().out)["mean_reward"] == -200  # no illegal pick-up, which costs 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--algo", "dqm", "--env", "CartPole-v1"], "did you mean 'dqn'"),
        (["--algo", "sb3:pppo", "--env", "CartPole-v1"], "did you mean 'sb3:ppo'"),
        (["--algo", "dqn", "--env", "CartPol-v1"], "did you mean 'CartPole-v1'"),
        (["--algo", "dqn", "--env", "CartPole-v1", "--set", "learning_rat=1"], "did you mean 'learning_rate'"),
        (["--algo", "dqn", "--env", "CartPole-v1", "--set", "learning_rate=-1"], "learning_rate"),
        (["--algo", "dqn", "--env", "Pendulum-v1"], "dqn takes Discrete actions"),
        (["--algo", "dqn"], "env is missing; give --env"),
        (["--algo", "dqn", "--env", "CartPole-v1", "--config", "none.yaml"], "cannot read --config none.yaml"),
        (["--algo", "dqn", "--env", "CartPole-v1", "--resize", "84"], "pixels=true"),
        (["--algo", "dqn", "--env", "CartPole-v1", "--device", "cuda:77"], "no device 'cuda:77'"),
        (["--algo", "dqn", "--env", "CartPole-v1", "--n-envs", "0"], "positive whole number"),
        (["--algo", "q-learning", "--env", "FrozenLake-v1", "--frame-stack", "2"], "tabular"),
    ],
)
def test_a_mistake_is_one_line_and_begins_nothing(tmp_path, capsys, arguments, message):
    assert run("train", *arguments) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(tmp_path):
    program = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000)); sys.dont_write_bytecode = True;"
        "from rlsuite.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    result = subprocess.run([sys.executable, "-c", program, *SHORT], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1 and "File too large" in result.stderr
    assert list((tmp_path / RUN / "checkpoints").iterdir()) == []
    rows = (tmp_path / RUN / "metrics.jsonl").read_text().splitlines()
    assert all(isinstance(json.loads(row), dict) for row in rows)


def test_a_disk_too_full_for_tensorboard_does_not_stop_training(tmp_path):
    program = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "from rlsuite.experiments.tensorboard import TensorBoardWriter;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000));"
        "w = TensorBoardWriter('events');"
        "[(w.scalars({'a': 1.0}, step), w.flush()) for step in range(300)]; w.close()"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0
    assert "no more TensorBoard events" in result.stderr and result.stderr.count("\n") == 1


def test_training_diverges_in_one_line(capsys):
    assert run(*SHORT, "-q", "--set", "learning_rate=1e30") == 2
    error = capsys.readouterr().err
    assert "became" in error and "at step" in error and error.count("\n") == 1
