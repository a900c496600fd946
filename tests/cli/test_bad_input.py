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
        (["comprae"], "comprae"),
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


def test_debug_shows_the_error(tmp_path, monkeypatch):
    from rlsuite.errors import RecordError

    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecordError):
        main(["evaluate", "nowhere", "--debug"])
