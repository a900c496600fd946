"""Loading a run: nothing of its author's code runs unless trusted, and a malformed configuration is one clear error."""

from __future__ import annotations

import sys

import gymnasium as gym
import pytest
import yaml

import rlsuite
from rlsuite.errors import InvalidEnvironmentError, RecordError

CONFIG = {"env": "FrozenLake-v1", "env_kwargs": {"is_slippery": False}, "algo": "q-learning"}


def run(folder, **changes):
    agent = rlsuite.agent("q-learning", "FrozenLake-v1", seed=0).learn(20)
    agent.save(folder / "checkpoints" / "last")
    (folder / "config.yaml").write_text(yaml.safe_dump({**CONFIG, **changes}))
    return folder


def test_a_run_is_loaded_in_its_environment(tmp_path):
    agent = rlsuite.load(run(tmp_path, max_episode_steps=7))
    assert agent.num_timesteps == 20
    assert agent.env.spec.max_episode_steps == 7
    assert agent.env.spec.kwargs["is_slippery"] is False


@pytest.mark.parametrize("changes", [{"env": "records_mine:FrozenLake-v1"}, {"algo": "records_mine:q-learning"}])
def test_code_of_a_run_needs_trust(tmp_path, monkeypatch, changes):
    (tmp_path / "records_mine.py").write_text("imported = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "records_mine", raising=False)
    folder = run(tmp_path / "run", **changes)
    with pytest.raises(RecordError, match=r"the run names module 'records_mine'.*trust=True, or --trust"):
        rlsuite.load(folder)
    assert "records_mine" not in sys.modules
    assert rlsuite.load(folder, trust=True).num_timesteps == 20
    assert rlsuite.load(folder).num_timesteps == 20  # imported by now
    monkeypatch.delitem(sys.modules, "records_mine")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"env": 3}, "env must be a string, not 3"),
        ({"algo": None}, "algo must be a string"),
        ({"env_kwargs": ["size"]}, "env_kwargs must be a mapping"),
        ({"env_kwargs": {1: 2}}, "keys of env_kwargs must be strings"),
        ({"max_episode_steps": "many"}, "max_episode_steps must be an integer"),
    ],
)
def test_a_configuration_of_the_wrong_type_is_refused(tmp_path, changes, complaint):
    with pytest.raises(RecordError, match=complaint):
        rlsuite.load(run(tmp_path, **changes))


def test_a_configuration_that_lacks_something_is_refused(tmp_path):
    (run(tmp_path) / "config.yaml").write_text("env: FrozenLake-v1\nenv_kwargs: {}\n")
    with pytest.raises(RecordError, match="algo is missing"):
        rlsuite.load(tmp_path)


@pytest.mark.parametrize("error", ["ZeroDivisionError", "RuntimeError", "OSError", "KeyError"])
def test_whatever_a_module_raises_is_one_line(tmp_path, monkeypatch, error):
    (tmp_path / "raising.py").write_text(f"raise {error}('two\\nlines')\n")
    monkeypatch.syspath_prepend(tmp_path)
    for make in (
        lambda: rlsuite.make_env("raising:Mine-v0"),
        lambda: rlsuite.agent("raising:mine", gym.make("Taxi-v4")),
    ):
        with pytest.raises(InvalidEnvironmentError, match=f"cannot import module 'raising' of .*{error}") as caught:
            make()
        assert "\n" not in str(caught.value)
