"""The exported graph of every deep agent answers as the agent does, on every kind of space, in batches of any size."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlsuite.agents import agent_class, agent_names
from rlsuite.agents.hyperparameters import fields
from rlsuite.cli.main import main
from rlsuite.errors import RlsuiteError
from rlsuite.experiments import exporting
from rlsuite.experiments.exporting import check, describe, export_onnx, run
from tests.agents.deep.small_envs import ACTIONS, OBSERVATIONS, small_env

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

DEEP = {n: agent_class(n) for n in agent_names() if agent_class(n).restarts_schedules and n not in ("amp", "mppi")}
OURS = {name: cls for name, cls in DEEP.items() if not name.startswith("sb3:")}
SMALL: dict[str, Any] = {"n_steps": 10, "batch_size": 5, "n_epochs": 2, "learning_starts": 10, "buffer_size": 100,
                         "net_arch": "8", "n_atoms": 5, "n_quantiles": 5}  # fmt: skip


def trained(name: str, observations: str = "box", actions: str | None = None, **more: Any) -> Any:
    cls = OURS[name]
    if actions is None:
        actions = "from-one" if isinstance(ACTIONS["from-one"], cls.action_spaces) else "box"
    settings = {key: value for key, value in SMALL.items() if key in fields(cls.Hyperparameters)} | more
    return cls(small_env(observations, actions), seed=0, **settings).learn(40)


def slow_but(names: Iterable[str], *fast: str) -> list[Any]:
    """An export takes a second of torch's time."""
    return [name if name in fast else pytest.param(name, marks=pytest.mark.slow) for name in names]


def session_of(path: Path) -> Any:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def assert_exports(agent: Any, folder: Path) -> None:
    """Beside the check that the export makes: batches of sizes that it does not try, on other observations."""
    session = session_of(export_onnx(agent, folder / "policy.onnx", run="here"))
    space = agent.observation_space
    space.seed(5)
    rows = [space.sample() for _ in range(12)]
    for size in (1, 3, 12):
        got = run(session, space, rows[:size])
        expected = np.stack([agent.predict(row)[0] for row in rows[:size]])
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, atol=1e-4)


@pytest.mark.parametrize("name", slow_but(OURS, "dqn", "ppo", "sac", "rainbow"))
def test_every_deep_agent(name: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_exports(trained(name), tmp_path)


@pytest.mark.parametrize("name", slow_but(["dqn", "ppo", "sac"], "ppo"))
@pytest.mark.parametrize("observations", [kind for kind in OBSERVATIONS if kind != "box"])
def test_every_kind_of_observation(name: str, observations: str, tmp_path: Path) -> None:
    assert_exports(trained(name, observations), tmp_path)


@pytest.mark.parametrize(
    ("actions", "more"),
    [("multidiscrete", {}), ("multibinary", {}), ("box", {}), ("box", {"squash": True}),
     ("box", {"normalize_observations": True}), ("discrete", {"normalize_observations": True})],
)  # fmt: skip
def test_every_kind_of_action_and_normalisation(actions: str, more: dict[str, Any], tmp_path: Path) -> None:
    assert_exports(trained("ppo", "box", actions, **more), tmp_path)


@pytest.mark.parametrize("more", [{"distributional": "quantile"}])
def test_heads_of_action_values(more: dict[str, Any], tmp_path: Path) -> None:
    assert_exports(trained("dqn", dueling=True, **more), tmp_path)


def test_metadata(tmp_path: Path) -> None:
    agent = trained("dqn", "dict", "from-one")
    model = onnx.load(export_onnx(agent, tmp_path / "policy.onnx", run="runs/x"))
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert (told["algo"], told["run"]) == ("dqn", "runs/x")
    assert json.loads(told["action_space"]) == {"type": "Discrete", "shape": [], "dtype": "int64", "n": 3, "start": 1}
    assert json.loads(told["observation_space"]) == describe(OBSERVATIONS["dict"])
    assert [given.name for given in model.graph.input] == list(OBSERVATIONS["dict"])


def test_a_graph_that_answers_otherwise_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = trained("dqn")
    module = agent.policy_module()
    module.start += 1
    monkeypatch.setattr(agent, "policy_module", lambda: module)
    with pytest.raises(RlsuiteError, match="nothing was written"):
        export_onnx(agent, tmp_path / "policy.onnx")
    assert not list(tmp_path.iterdir())


def test_exporting_changes_nothing(tmp_path: Path) -> None:
    agent = trained("rainbow")
    before = agent.save(tmp_path / "before").read_bytes()
    export_onnx(agent, tmp_path / "policy.onnx")
    assert agent.save(tmp_path / "after").read_bytes() == before


def test_the_command(tmp_path: Path, capfd: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--algo", "dqn", "--env", "CartPole-v1", "-n", "60", "--eval-episodes", "1", "--no-clips",
                 "--no-tensorboard", "--set", "learning_starts=20", "net_arch=8", "--n-envs", "2"]) == 0  # fmt: skip
    capfd.readouterr()
    folder = "runs/CartPole-v1/dqn/run1-s0"
    assert main(["export", folder, "--onnx"]) == 0
    out, err = capfd.readouterr()
    assert out.startswith("checkpoint ") and out.count("\n") == 1 and not err
    model = onnx.load(tmp_path / folder / "policy.onnx")
    assert {entry.key: entry.value for entry in model.metadata_props}["env"] == "CartPole-v1"
    assert main(["export", folder, "--onnx", "cartpole.onnx", "--checkpoint", "best"]) == 0
    page = (Path(__file__).parents[2] / "docs" / "export.md").read_text()
    program = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    done = subprocess.run([sys.executable, "-c", program[0] + "print(actions.shape)"], capture_output=True, text=True)
    assert done.stdout == "(5,)\n", done.stderr


def test_what_cannot_be_exported_is_one_line(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--algo", "q-learning", "--env", "FrozenLake-v1", "-n", "50", "--eval-episodes", "1"]) == 0
    assert main(["export", "runs/FrozenLake-v1/q-learning/run1-s0", "--onnx"]) == 2
    assert "tabular" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert main(["export", "runs/FrozenLake-v1/q-learning/run1-s0", "--onnx"]) == 2
    assert "pip install 'rlsuite[onnx]'" in capsys.readouterr().err


def test_continuous_actions_are_compared_within_a_tolerance() -> None:
    agent = trained("sac")
    space = agent.action_space
    one = np.zeros((1, *space.shape), np.float32)
    assert exporting._agree(one + 1e-5, one, space) and not exporting._agree(one + 1e-2, one, space)
    with pytest.raises(RlsuiteError, match="nothing was written"):
        check(agent, exporting._graph(trained("sac", net_arch="9"), {}))
