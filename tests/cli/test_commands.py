"""The real command line, end to end in subprocesses."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rlsuite
from rlsuite.agents.registry import agent_names


def rlsuite_command(*arguments, cwd, **options):
    return subprocess.run(
        [sys.executable, "-m", "rlsuite", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, **options
    )


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    result = rlsuite_command(
        "compare", "--env", "CliffWalking-v1", "--algo", "sarsa", "q-learning", "value-iteration", "--seeds", "6",
        "--episodes", "200", "--gamma", "1", "--set", "alpha=0.5", "--out", "out", cwd=folder,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return folder, result


def test_compare_leaves_a_page_tables_and_records(comparison):
    folder, result = comparison
    page = (folder / "out" / "index.html").read_text()
    assert "q-learning" in page and "CliffWalking-v1" in page
    assert "index.html" in result.stdout
    assert list((folder / "out" / "tables").glob("*.csv"))
    assert (folder / "out" / "report.md").exists()
    assert list((folder / "out" / "figures").glob("*.png"))
    rows = [
        json.loads(line)
        for path in (folder / "out" / "runs").rglob("metrics.jsonl")
        if "q-learning" in str(path)
        for line in path.read_text().splitlines()
    ]
    assert sorted(row["seed"] for row in rows) == list(range(6))
    assert all(len(row["returns"]) == 200 for row in rows)
    assert {row["score"][-1] for row in rows} == {-13}  # Q-learning's greedy policy walks the cliff's edge


def test_the_final_table_holds_the_exact_optimum(comparison):
    folder, _ = comparison
    text = (folder / "out" / "tables" / "CliffWalking-v1-final.csv").read_text()
    rows = {row["algorithm"]: row for row in csv.DictReader(text.splitlines())}
    assert float(rows["value-iteration"]["mean"]) == pytest.approx(-13)
    assert float(rows["sarsa"]["optimum"]) == pytest.approx(-13)
    assert float(rows["q-learning"]["regret"]) == pytest.approx(0, abs=1e-9)


def test_a_second_call_adds_seeds_and_repeats_none(comparison):
    folder, _ = comparison
    record = next(p for p in (folder / "out" / "runs").rglob("metrics.jsonl") if "sarsa" in str(p))
    before = record.read_text()
    result = rlsuite_command(
        "compare", "--env", "CliffWalking-v1", "--algo", "sarsa", "q-learning", "value-iteration", "--seeds", "8",
        "--episodes", "200", "--gamma", "1", "--set", "alpha=0.5", "--out", "out", cwd=folder,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    after = record.read_text()
    assert after.startswith(before)
    assert sorted(json.loads(line)["seed"] for line in after.splitlines()) == list(range(8))


def test_loading_a_run_of_the_comparison(comparison):
    folder, _ = comparison
    run = next(p for p in (folder / "out" / "runs").rglob("metrics.jsonl") if "q-learning" in str(p)).parent
    agent = rlsuite.load(run, "s3")
    assert agent.seed == 3
    assert agent.predict(36) == (0, None)  # up, away from the cliff
    result = rlsuite_command("evaluate", run, "--episodes", "3", "--json", cwd=folder)
    found = json.loads(result.stdout)
    assert found["exact_return"] == pytest.approx(-13)
    assert found["checkpoint"] == "s0"


def test_train_evaluate_and_load(tmp_path):
    result = rlsuite_command(
        "train", "--algo", "q-learning", "--env", "FrozenLake-v1", "-n", "20000", "--seed", "1", "--env-kwargs",
        "is_slippery=false", "--eval-freq", "5000", "--set", "alpha=0.5", "initial_value=1", cwd=tmp_path,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    run = tmp_path / "runs" / "FrozenLake-v1" / "q-learning" / "run1-s1"
    evaluations = [json.loads(line) for line in (run / "evaluations.jsonl").read_text().splitlines()]
    assert [row["time/total_timesteps"] for row in evaluations] == [5000, 10000, 15000, 20000]
    evaluated = rlsuite_command("evaluate", run, "--episodes", "10", "--json", cwd=tmp_path)
    assert json.loads(evaluated.stdout)["mean_reward"] == 1.0
    assert json.loads(evaluated.stdout)["checkpoint"] == "last"
    config = (run / "config.yaml").read_text()
    assert "seed: 1" in config and "gymnasium:" in config and "git_commit" in config
    again = rlsuite_command(
        "train", "--algo", "q-learning", "--env", "FrozenLake-v1", "-n", "100", "--seed", "1", cwd=tmp_path
    )
    assert again.returncode == 0 and run.with_name("run2-s1").exists()


def test_an_environment_without_a_model_is_stepped(tmp_path):
    (tmp_path / "coin.py").write_text(
        """
import gymnasium as gym

class Coin(gym.Env):
    observation_space = gym.spaces.Discrete(2)
    action_space = gym.spaces.Discrete(2)
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.side = int(self.np_random.integers(2))
        return self.side, {}
    def step(self, action):
        return self.side, float(action == self.side), True, False, {}

gym.register("Coin-v0", entry_point="coin:Coin")
"""
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    result = rlsuite_command(
        "compare", "--env", "coin:Coin-v0", "--algo", "sarsa", "q-learning", "--seeds", "2", "--episodes", "300",
        "--checkpoints", "3", "--set", "alpha=0.5", cwd=tmp_path, env=environment,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    rows = [
        json.loads(line)
        for path in (tmp_path / "runs").rglob("metrics.jsonl")
        for line in path.read_text().splitlines()
    ]
    assert len(rows) == 4
    assert all(row["score"][-1] == 1 for row in rows)
    assert "too few to conclude from" in " ".join(result.stdout.split())
    planner = rlsuite_command(
        "compare", "--env", "coin:Coin-v0", "--algo", "value-iteration", cwd=tmp_path, env=environment
    )
    assert planner.returncode == 2
    assert planner.stderr.count("\n") == 1 and "value-iteration" in planner.stderr


def test_ctrl_c_keeps_what_is_finished_and_the_next_call_goes_on(tmp_path):
    command = [
        sys.executable, "-m", "rlsuite", "compare", "--env", "Taxi-v4", "--algo", "sarsa", "--seeds", "200", "-n",
        "1500000", "--workers", "1", "--out", "out",
    ]  # fmt: skip
    # a test run in the background of a shell inherits an ignored SIGINT; the command must meet a real one
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        deadline = time.monotonic() + 120
        finished = 0
        while finished < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
            finished = sum(p.read_bytes().count(b"\n") for p in tmp_path.rglob("metrics.jsonl"))
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert "interrupted" in output
    kept = sum(p.read_bytes().count(b"\n") for p in tmp_path.rglob("metrics.jsonl"))
    assert 3 <= kept < 200
    assert (tmp_path / "out" / "index.html").exists()


def test_list_and_version_and_completion(tmp_path):
    assert rlsuite.__version__ in rlsuite_command("--version", cwd=tmp_path).stdout
    algos = rlsuite_command("list", "algos", cwd=tmp_path).stdout
    assert "q-learning" in algos and "value-iteration" in algos
    one = rlsuite_command("list", "algos", "sarsa", cwd=tmp_path).stdout
    assert "alpha" in one and "(0, 1]" in one and "0.1" in one
    envs = rlsuite_command("list", "envs", cwd=tmp_path).stdout
    assert "CliffWalking-v1" in envs and "rlsuite/FourRooms-v0" in envs and "CartPole" not in envs
    script = rlsuite_command("completion", "bash", cwd=tmp_path).stdout
    assert "q-learning" in script and "complete" in script
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize("columns", [60, 100])
def test_the_list_of_algorithms_fits_the_terminal(columns, tmp_path):
    listed = rlsuite_command("list", "algos", cwd=tmp_path, env=os.environ | {"COLUMNS": str(columns)})
    lines = listed.stdout.splitlines()
    assert max(map(len, lines)) <= columns
    assert set(agent_names()) <= {line.split(" ")[0] for line in lines}  # whole, whatever else is wrapped
    assert "Sutton" not in listed.stdout  # sources are told by `list algos NAME`


@pytest.mark.parametrize("arguments", [["--help"], ["compare", "--help"]])
def test_help_imports_nothing_heavy(tmp_path, arguments):
    program = (
        "import sys\nfrom rlsuite.cli.main import main\ntry:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'matplotlib', 'numba', 'scipy', 'jinja2', 'rich'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    result = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "compare" in result.stdout


MY_AGENT = """
from rlsuite.agents.registry import register
from rlsuite.agents.tabular.td_control import Sarsa

@register
class MySarsa(Sarsa):
    name = "my-sarsa"
"""

MY_ENV = """
import gymnasium as gym
from rlsuite.envs.finite.env import FiniteMDPEnv
from rlsuite.envs.finite.mdp import FiniteMDP

class Coin(FiniteMDPEnv):  # without a layout
    def __init__(self, render_mode=None):
        outcomes = {0: [(0.5, 0, 0.0, True), (0.5, 0, 1.0, True)], 1: [(1.0, 0, 0.4, True)]}
        super().__init__(FiniteMDP.from_transitions({0: outcomes}, [1.0]), render_mode)

class Blind(gym.Env):  # without a model
    observation_space = action_space = gym.spaces.Discrete(2)
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return 0, {}
    def step(self, action):
        return 0, float(action), True, False, {}

gym.register("Coin-v0", entry_point=Coin)
gym.register("BlindCoin-v0", entry_point=Blind)
"""


def test_an_agent_and_an_environment_of_the_users_own(tmp_path):
    (tmp_path / "mine.py").write_text(MY_AGENT + MY_ENV)
    command = ["--algo", "mine:my-sarsa", "q-learning", "--seeds", "5", "--episodes", "50", "--checkpoints", "2"]
    modelled = rlsuite_command("compare", "--env", "mine:Coin-v0", *command, cwd=tmp_path)
    assert modelled.returncode == 0, modelled.stderr
    stepped = rlsuite_command("compare", "--env", "mine:BlindCoin-v0", *command, cwd=tmp_path)
    assert stepped.returncode == 0, stepped.stderr
    runs = [path.parent for path in (tmp_path / "runs").rglob("metrics.jsonl") if "my-sarsa" in str(path)]
    assert len(runs) == 2
    for run in runs:  # also in a fresh process, which must import the module again
        refused = rlsuite_command("evaluate", run, "--episodes", "5", cwd=tmp_path)
        assert refused.returncode == 2  # opening a run runs no code of anybody's, unless told to
        assert "mine" in refused.stderr
        evaluated = rlsuite_command("evaluate", run, "--episodes", "5", "--json", "--trust", cwd=tmp_path)
        assert json.loads(evaluated.stdout)["mean_ep_length"] == 1


def test_the_example_environment_of_the_docs(tmp_path):
    source = Path(__file__).parents[2] / "examples" / "my_env.py"
    (tmp_path / "my_env.py").write_text(source.read_text())
    result = rlsuite_command(
        "compare", "--env", "my_env:Frog-v0", "--algo", "q-learning", "sarsa", "value-iteration", "--seeds", "20",
        cwd=tmp_path,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert list((tmp_path / "runs/compare/my_env-Frog-v0/figures").glob("*values*.png"))


def test_evaluate_uses_the_environments_own_start_and_the_policy_that_was_learned(tmp_path):
    explored = rlsuite_command(
        "train", "--algo", "mc-exploring-starts", "--env", "rlsuite/DynaMaze-v0", "-n", "3000", "--name", "es",
        "--eval-episodes", "1", cwd=tmp_path,
    )  # fmt: skip
    assert explored.returncode == 0, explored.stderr
    run = tmp_path / "runs" / "rlsuite-DynaMaze-v0" / "mc-exploring-starts" / "es-s0"
    found = json.loads(rlsuite_command("evaluate", run, "--episodes", "1", "--json", cwd=tmp_path).stdout)
    assert found["optimal_return"] == pytest.approx(1)  # one goal, reached from the real start

    drawn = rlsuite_command(
        "train", "--algo", "tabular-reinforce", "--env", "rlsuite/ShortCorridor-v0", "-n", "2000", "--name", "pg",
        "--set", "gamma=1", "alpha_policy=0.0001", cwd=tmp_path,
    )  # fmt: skip
    assert drawn.returncode == 0, drawn.stderr
    run = tmp_path / "runs" / "rlsuite-ShortCorridor-v0" / "tabular-reinforce" / "pg-s0"
    found = json.loads(rlsuite_command("evaluate", run, "--episodes", "400", "--json", cwd=tmp_path).stdout)
    assert found["policy"] == "stochastic"
    # 400 episodes of standard deviation about 10: four standard errors
    assert found["mean_reward"] == pytest.approx(found["exact_return"], abs=4 * found["std_reward"] / 20)
    assert "optimal_return" not in found  # an agent that sees one observation cannot reach it
    mode = json.loads(
        rlsuite_command("evaluate", run, "--episodes", "1", "--deterministic", "--json", cwd=tmp_path).stdout
    )
    assert "exact_return" not in mode  # that would be of another policy


def test_a_later_page_leaves_no_figures_of_the_earlier_one(tmp_path):
    def compare(*algos):
        command = ["compare", "--env", "CliffWalking-v1", "--algo", *algos, "--seeds", "2", "--episodes", "20"]
        assert rlsuite_command(*command, "--out", "out", cwd=tmp_path).returncode == 0
        return {path.name for path in (tmp_path / "out" / "figures").iterdir()}

    first = compare("sarsa", "q-learning")
    (tmp_path / "out" / "figures" / "mine.png").write_bytes(b"a file of the user's own")
    second = compare("expected-sarsa")
    assert any("q-learning" in name for name in first)
    assert not any("q-learning" in name for name in second)
    assert "mine.png" in second


def test_names_in_lists_are_never_cut_and_a_reader_may_leave(tmp_path):
    environment = {**os.environ, "COLUMNS": "60"}
    one = rlsuite_command("list", "algos", "q-learning", cwd=tmp_path, env=environment).stdout
    assert {"epsilon_decay", "epsilon_decay_steps"} <= {line.split(" ")[0] for line in one.splitlines()}
    envs = rlsuite_command("list", "envs", "--all", cwd=tmp_path, env=environment)
    assert envs.returncode == 0, envs.stderr
    assert "rlsuite/SuttonBartoGridWorld5x5-v0" in envs.stdout
    pipe = f"{sys.executable} -m rlsuite list envs | head -1; exit ${{PIPESTATUS[0]}}"
    left = subprocess.run(["bash", "-c", pipe], cwd=tmp_path, capture_output=True, text=True)
    assert (left.returncode, left.stderr) == (0, "")


def test_a_full_disk_is_one_line(tmp_path):
    program = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000)); sys.dont_write_bytecode = True;"
        "from rlsuite.cli.main import main;"
        "sys.exit(main(['train', '--algo', 'q-learning', '--env', 'Taxi-v4', '-n', '2000', '--out', 'out']))"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    assert list(tmp_path.rglob("*.safetensors")) == []  # none is better than half of one
