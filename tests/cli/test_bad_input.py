"""Bad input: one clear line, exit status 2, no traceback; ``--debug`` shows it."""

import pytest

from rlsuite.cli.main import main

COMPARE = ["compare", "--seeds", "2", "--episodes", "5"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*COMPARE, "--env", "CliffWalkin-v1", "--algo", "sarsa"], "did you mean 'CliffWalking-v1'"),
        ([*COMPARE, "--env", "CliffWalking-v0", "--algo", "sarsa"], "CliffWalking-v1"),
        ([*COMPARE, "--env", "no_such_module:My-v0", "--algo", "sarsa"], "no_such_module"),
        ([*COMPARE, "--env", "CliffWalking-v1", "--algo", "sarsaa"], "did you mean 'sarsa'"),
        ([*COMPARE, "--env", "CliffWalking-v1", "--algo", "sarsa", "--set", "alpha=2"], "(0, 1]"),
        ([*COMPARE, "--env", "CliffWalking-v1", "--algo", "sarsa", "--set", "alpa=2"], "did you mean 'alpha'"),
        ([*COMPARE, "--env", "CliffWalking-v1", "--algo", "sarsa", "--gamma", "1.5"], "[0, 1]"),
        ([*COMPARE, "--env", "CliffWalking-v1", "--algo", "sarsa", "td"], "cannot compare td"),
        ([*COMPARE, "--env", "CartPole-v1", "--algo", "sarsa"], "finite observation space"),
        (
            [*COMPARE, "--env", "Taxi-v4", "--algo", "value-iteration", "--env-kwargs", "fickle_passenger=true"],
            "fickle",
        ),
        ([*COMPARE, "--env", "FrozenLake-v1", "--algo", "sarsa", "--env-kwargs", "slippery=true"], "is_slippery"),
        ([*COMPARE, "--env", "FrozenLake-v1", "--algo", "sarsa", "--env-kwargs", "is_slippery=maybe"], "true or false"),
        (["compare", "--env", "CliffWalking-v1", "--algo", "sarsa", "--seeds", "0"], "positive whole number"),
        (["compare", "--env", "CliffWalking-v1"], "--algo"),
        (["train", "--algo", "sarsa", "--env", "CliffWalking-v1", "--seed", "-1"], "seeds are whole numbers"),
        (["train", "--algo", "sarsa", "--env", "CliffWalking-v1", "--set", "alpha=0.1,0.2"], "rlsuite compare"),
        (["evaluate", "nowhere"], "nowhere is not a run"),
        (["list", "algos", "sarssa"], "did you mean 'sarsa'"),
        (["list", "envs", "CliffWaking-v1"], "did you mean 'CliffWalking-v1'"),
        (["comprae"], "did you mean compare?"),
        (["trian"], "there is no 'trian'; did you mean train?"),
        (["list", "algs"], "did you mean algos?"),
        (["train", "--algo", "ppo", "--env", "CartPole-v1", "--device", "gpu"], "use auto, cpu, cuda or cuda:N"),
        (
            [*COMPARE, "--env", "CartPole-v1", "--algo", "ppo", "--set", "net_arch=64,64"],
            "a list takes brackets: net_arch=[64,64]",
        ),
        (["train", "--algo", "sac", "--env", "Pendulum-v1", "--set", "learning_rate=0"], "(0, inf), not 0.0"),
        (["train", "--algo", "sarsa", "--env", "CliffWalking-v1", "--name", "../x"], "'../x' cannot be the --name"),
        ([*COMPARE, "--env", "tabular/CliffWalking-v0", "--algo", "sarsa"], "jax"),
        (["compare", "--env", "CliffWalking-v1", "--algo", "sarsa", "--episodes", "1e30"], "positive whole number"),
        (["train", "--algo", "sarsa", "--env", "CliffWalking-v1", "-n", "10", "--out", "/proc/nope"], "/proc/nope"),
    ],
)
def test_one_line_and_status_2(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        status = main(arguments)
    except SystemExit as stop:  # argparse's own errors
        status = stop.code
    captured = capsys.readouterr()
    assert status == 2
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err
    assert list(tmp_path.iterdir()) == []  # nothing was begun


@pytest.mark.parametrize(
    ("part", "hint"),
    [
        ("config.yaml", ""),
        ("checkpoints", ""),
        ("checkpoints/best.safetensors", " (evaluate, play and export take --checkpoint best)"),
    ],
)
def test_a_part_of_a_run_in_place_of_the_run(part, hint, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "config.yaml").touch()
    for command in ("evaluate", "play", "resume"):
        assert main([command, f"run/{part}"]) == 2
        told = f"run/{part} is not a run, but lies in one: give its folder, run{hint}\n"
        assert capsys.readouterr().err == f"rlsuite {command}: error: {told}"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("n_envs: many", "own.yaml: cannot read 'many' as n_envs, which is int in [1, 4096]"),
        ("n_envs: 0", "own.yaml: n_envs must be in [1, 4096], not 0"),
        ("hyperparameters: {n_steps: 0.5}", "own.yaml: ppo.n_steps must be an integer, not 0.5"),
        ("hyperparameters: {n_step: 5}", "own.yaml: unknown hyperparameter of ppo 'n_step'; did you mean 'n_steps'"),
    ],
)
def test_a_wrong_value_is_told_with_its_file(settings, told, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.yaml").write_text(f"algo: ppo\nenv: CartPole-v1\n{settings}\n")
    assert main(["train", "--config", "own.yaml", "--seed", "1", "--show-config"]) == 2
    assert capsys.readouterr().err.startswith(f"rlsuite train: error: {told}")


def test_a_wrong_value_on_the_command_line_is_not_blamed_on_the_file(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.yaml").write_text("algo: ppo\nenv: CartPole-v1\nn_envs: 2\n")
    assert main(["train", "--config", "own.yaml", "--n-envs", "5000", "--show-config"]) == 2
    assert capsys.readouterr().err == "rlsuite train: error: command line: n_envs must be in [1, 4096], not 5000\n"


def test_debug_shows_the_error(tmp_path, monkeypatch):
    from rlsuite.errors import RecordError

    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecordError):
        main(["evaluate", "nowhere", "--debug"])
