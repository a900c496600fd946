"""A run killed at any instant and resumed is, bit for bit, the run that was never stopped."""

import json
import shutil
import signal

import numpy as np
import pytest

from rlsuite.experiments.checkpoints import checkpoint_file, saved_steps, steps_name
from rlsuite.experiments.recording import STEPS
from rlsuite.experiments.records import EVALUATIONS, METRICS, run_folder
from tests.cli.runs_killed import Commands, assert_same_run, entries

DQN = ["--algo", "dqn", "--env", "CartPole-v1", "--n-envs", 2, "-n", 3000, "--save-freq", 300, "--set",
       "learning_starts=200", "buffer_size=1500", "target_update_interval=100",
       "train_freq=4", "gradient_steps=1", "batch_size=32"]  # fmt: skip
PPO = ["--algo", "ppo", "--env", "CartPole-v1", "--n-envs", 2, "-n", 4096, "--save-freq", 512, "--set", "n_steps=64",
       "batch_size=32", "n_epochs=4", "learning_rate_schedule=linear"]  # fmt: skip
TABULAR = ["--algo", "q-learning", "--env", "FrozenLake-v1", "-n", 400_000, "--save-freq", 7_000, "--set",
           "alpha=0.1"]  # fmt: skip
RUNS = {"dqn": DQN, "ppo": PPO, "q-learning": TABULAR}
# imported once; torch's optimisers import torch._dynamo when the first is made
MODULES = ("rlsuite.agents.deep.dqn", "rlsuite.agents.deep.ppo", "torch._dynamo", "numba", "rich.progress",
           "rlsuite.experiments.training", "tensorboard.summary.writer.event_file_writer",
           "tensorboard.plugins.hparams.summary_v2", "gymnasium.envs.classic_control")  # fmt: skip
OFTEN = ["--eval-episodes", 2, "--no-clips", "-q"]


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    folder = tmp_path_factory.mktemp("killed")
    server = Commands(folder, MODULES)
    yield server
    server.close()


def train(commands, arguments, name, **killed):
    return commands(["train", *arguments, *OFTEN, "--name", name, "--out", "runs"], **killed)


def trained_whole(commands, arguments):
    """The folder of the run that was never stopped."""
    folder = folder_of(commands, arguments, "whole")
    if not folder.exists():
        status, output = train(commands, arguments, "whole")
        assert status == 0, output
    return folder


def folder_of(commands, arguments, name):
    return run_folder(commands.folder / "runs", arguments[3], arguments[1], f"{name}-s0")


def kill_and_resume(commands, arguments, name, rng, kills=4):
    """Start, kill and resume until the run is finished."""
    folder = folder_of(commands, arguments, name)
    size = (folder_of(commands, arguments, "whole") / METRICS).stat().st_size
    instants = np.sort(rng.uniform(0.15, 0.95, kills)) * size
    command = ["train", *arguments, *OFTEN, "--name", name]
    for instant in instants:
        status, output = commands(command, folder / METRICS, int(instant), rng.uniform(0, 0.05))
        assert status == -signal.SIGKILL, output
        command = ["resume", folder, "-q"]
    assert saved_steps(folder)
    status, output = commands(command)
    assert status == 0, output


@pytest.mark.parametrize("algo", RUNS)
def test_a_run_killed_at_any_instant_and_resumed_is_the_run_never_stopped(commands, algo):
    arguments = RUNS[algo]
    whole = trained_whole(commands, arguments)
    kill_and_resume(commands, arguments, "killed", np.random.default_rng(0))
    assert_same_run(folder_of(commands, arguments, "killed"), whole)


def test_a_run_killed_before_its_first_checkpoint_begins_anew(commands):
    whole, folder = trained_whole(commands, DQN), folder_of(commands, DQN, "early")
    late = [*DQN, *OFTEN, "--name", "early", "--save-freq", 2000, "--eval-freq", 300]
    status, output = commands(["train", *late], folder / EVALUATIONS, 100)
    assert status == -signal.SIGKILL, output
    assert saved_steps(folder) == [] and checkpoint_file(folder, "best").exists()
    assert commands(["resume", folder, "-q"])[0] == 0
    assert entries(folder) == entries(whole)


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["--algo", "ppo", "--env", "Hopper-v5", "--n-envs", 2, "-n", 8192, "--save-freq", 1024, "--set", "n_steps=256"],
        ["--algo", "sac", "--env", "Hopper-v5", "-n", 1500, "--save-freq", 200, "--set", "learning_starts=300"],
        ["--algo", "sb3:sac", "--env", "Hopper-v5", "-n", 1000, "--save-freq", 200, "--set", "learning_starts=300"],
        ["--algo", "rainbow", "--env", "Acrobot-v1", "--n-envs", 3, "-n", 3000, "--save-freq", 300, "--set",
         "learning_starts=200", "buffer_size=1000"],
    ],
    ids=["ppo", "sac", "sb3", "rainbow"],
)  # fmt: skip
def test_also_where_the_environment_is_simulated(commands, arguments):
    whole = trained_whole(commands, arguments)
    kill_and_resume(commands, arguments, "killed", np.random.default_rng(1))
    assert_same_run(folder_of(commands, arguments, "killed"), whole)


def test_ctrl_c_saves_and_says_how_to_go_on_exactly(commands):
    whole, folder = trained_whole(commands, DQN), folder_of(commands, DQN, "interrupted")
    half = (whole / METRICS).stat().st_size // 2
    status, output = train(commands, DQN, "interrupted", watched=folder / METRICS, size=half, signal=signal.SIGINT)
    assert status == 130, output
    saved = saved_steps(folder)[-1]
    assert f"{saved} steps are saved; go on with `rlsuite resume runs/CartPole-v1/dqn/{folder.name}`" in output
    assert output.strip().count("\n") == 0
    assert entries(folder)[METRICS] == [row for row in entries(whole)[METRICS] if row[STEPS] <= saved]
    status, output = commands(["resume", folder, "-q"])
    assert status == 0, output
    assert_same_run(folder, whole)


@pytest.mark.parametrize("damage", ["truncated", "tampered", "empty"])
def test_a_damaged_newest_checkpoint_is_named_and_the_one_before_is_used(commands, damage):
    whole = trained_whole(commands, PPO)
    folder = shutil.copytree(whole, folder_of(commands, PPO, f"damaged-{damage}"))
    before, newest = saved_steps(folder)
    path = checkpoint_file(folder, steps_name(newest))
    data = path.read_bytes()
    flipped = data[:-100] + bytes([data[-100] ^ 1]) + data[-99:]
    path.write_bytes({"truncated": data[: len(data) // 2], "tampered": flipped, "empty": b""}[damage])
    status, output = commands(["evaluate", folder, "--episodes", "1", "--checkpoint", steps_name(newest)])
    assert status == 2 and path.name in output and output.count("\n") == 1
    status, output = commands(["evaluate", folder, "--episodes", "1", "--json"])
    assert status == 0 and path.name in output and f"taking {before}_steps instead" in output
    assert json.loads(output.splitlines()[-1])["timesteps"] == before
    status, output = commands(["resume", folder, "-q"])
    assert status == 0 and f"taking {before}_steps instead" in output
    assert_same_run(folder, whole)


def test_an_extension_is_a_new_call_of_learn_and_is_resumed_without_naming_it(commands):
    short = [*DQN[:6], "-n", 1000, *DQN[8:]]
    for name in ("longer", "killed-longer"):
        assert train(commands, short, name)[0] == 0
    folder, killed = (folder_of(commands, short, name) for name in ("longer", "killed-longer"))
    status, output = commands(["resume", folder, "-n", 2000, "-q"])
    assert status == 0, output
    instant = 0.7 * (folder / METRICS).stat().st_size
    status, output = commands(["resume", killed, "-n", 2000, "-q"], killed / METRICS, int(instant))
    assert status == -signal.SIGKILL, output
    assert commands(["resume", killed, "-q"])[0] == 0
    assert_same_run(killed, folder)
    assert saved_steps(folder)[-1] >= 3000
    epsilon = [row["rollout/exploration_rate"] for row in entries(folder)[METRICS]]
    assert sum(np.diff(epsilon) > 0) == 1  # the schedule began anew, once


def test_a_finished_run_says_so_and_a_running_one_is_left_alone(commands):
    from rlsuite.experiments.records import RunWriter

    short = [*TABULAR[:4], "-n", 2000, "--save-freq", 1000]
    assert train(commands, short, "done")[0] == 0
    folder = folder_of(commands, short, "done")
    status, output = commands(["resume", folder])
    assert status == 0 and output.startswith("finished: 2000 steps are learned")
    with RunWriter(folder, {}):
        status, output = commands(["resume", folder])
    assert status == 2 and "another process is writing" in output and output.count("\n") == 1
    status, output = train(commands, short, "done")
    assert status == 2 and f"rlsuite resume runs/FrozenLake-v1/q-learning/{folder.name}" in output


def test_another_version_warns(commands):
    short = [*TABULAR[:4], "-n", 2000, "--save-freq", 1000]
    assert train(commands, short, "old")[0] == 0
    path = folder_of(commands, short, "old") / "config.yaml"
    path.write_text(path.read_text().replace("rlsuite: 0", "rlsuite: 99"))
    status, output = commands(["resume", path.parent])
    assert status == 0 and "begun with rlsuite 99" in output
