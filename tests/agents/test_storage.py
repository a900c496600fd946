"""Saved agents: what is damaged or made with intent is refused, and no environment takes the place of another."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from rlsuite.agents.registry import agent_class
from rlsuite.agents.tabular.storage import read_header
from rlsuite.errors import RecordError, RlsuiteError
from tests.agents import mutate_agents
from tests.agents.mutate_agents import parts, write
from tests.agents.test_both_paths import assert_same, learners

LAKE = "FrozenLake-v1"


def saved(tmp_path: Path, name: str = "q-learning") -> Path:
    return mutate_agents.learned(name).save(tmp_path / "agent")


def test_no_tampered_file_crashes_the_process(tmp_path) -> None:
    command = [sys.executable, "-m", mutate_agents.__name__, str(tmp_path), "40", *learners()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    refused, survived = map(int, done.stdout.split())
    assert refused > 100
    assert survived > 100  # counts and values may be anything


@pytest.mark.parametrize("name", ["q-learning", "prioritized-sweeping", "mc-control"])
def test_any_flipped_bit_is_noticed(name, tmp_path) -> None:
    path = saved(tmp_path, name)
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for position in rng.integers(len(data), size=150):
        path.write_bytes(data[:position] + bytes([data[position] ^ (1 << rng.integers(8))]) + data[position + 1 :])
        with pytest.raises(RecordError):
            agent_class(name).load(path, LAKE)


@pytest.mark.parametrize(
    ("name", "array", "index", "value"),
    [
        ("q-learning", "clock.state", 0, 16),
        ("q-learning", "clock.action", 0, -1),
        ("q-learning", "clock.steps", 0, -1),
        ("n-step-sarsa", "memory.window.state", 0, 1 << 40),
        ("n-step-sarsa", "memory.window.size", 0, 4),
        ("sarsa-lambda", "memory.traces.state", 0, 16),
        ("sarsa-lambda", "memory.traces.place", ..., -1),
        ("dyna-q", "memory.model.next_state", (3, 0), 16),
        ("dyna-q", "memory.model.size", 0, 64),
        ("dyna-q-plus", "memory.model.row", ..., 0),
        ("prioritized-sweeping", "memory.queue.item", 0, -2),
        ("prioritized-sweeping", "memory.queue.place", ..., -1),
        ("prioritized-sweeping", "memory.predecessor", ..., -1),
        ("prioritized-sweeping", "memory.following", ..., 0),
        ("mc-control", "memory.trajectory.a", 5, 4),
        ("mc-control", "memory.trajectory.length", 0, 1025),
    ],
)
def test_an_index_out_of_place_is_refused(name, array, index, value, tmp_path) -> None:
    header, arrays = parts(saved(tmp_path, name))
    arrays[array][index] = value
    with pytest.raises(RecordError, match=r"damaged: (memory|clock)\."):
        agent_class(name).load(write(tmp_path / "mutant.safetensors", header, arrays), LAKE)


def test_a_truth_value_is_one_bit(tmp_path) -> None:
    header, arrays = parts(saved(tmp_path, "dyna-q"))
    arrays["memory.model.terminated"].view(np.uint8)[0] = 2
    with pytest.raises(RecordError, match="terminated"):
        agent_class("dyna-q").load(write(tmp_path / "mutant.safetensors", header, arrays), LAKE)


@pytest.mark.parametrize(
    "change",
    [
        {"agent": None},
        {"env_rng": {"bit_generator": "MT19937", "state": {}}},
        {"agent_rng": 3},
        {"evaluation_rng": {"bit_generator": "PCG64", "state": {"state": 1 << 140, "inc": 1}, "has_uint32": 0}},
        {"seed": -1},
        {"seed": "zero"},
        {"time_limit": -1},
        {"time_limit": "long"},
        {"time_limit": 1 << 70},
        {"hyperparameters": []},
        {"hyperparameters": {"alpha": "large"}},
        {"hyperparameters": {"mdp": 1}},
        {"format": "rlsuite-tabular-0"},
        {"sha256": None},
    ],
)
def test_a_header_that_makes_no_sense_is_a_typed_error(change, tmp_path) -> None:
    header, arrays = parts(saved(tmp_path))
    path = write(tmp_path / "mutant.safetensors", header | change, arrays)
    if "sha256" in change:
        text = json.dumps(header | change)
        path.write_bytes(mutate_agents.safetensors.numpy.save(arrays, {"rlsuite": text}))
    with pytest.raises(RlsuiteError):
        agent_class("q-learning").load(path, LAKE)


@pytest.mark.parametrize("entry", ["agent", "env_rng", "seed", "hyperparameters", "format"])
def test_a_header_without_an_entry_is_a_typed_error(entry, tmp_path) -> None:
    header, arrays = parts(saved(tmp_path))
    del header[entry]
    with pytest.raises(RecordError):
        agent_class("q-learning").load(write(tmp_path / "mutant.safetensors", header, arrays), LAKE)


@pytest.mark.parametrize("room", [0, 10, 1 << 23])
def test_a_trajectory_of_another_size_is_a_typed_error(room, tmp_path) -> None:
    header, arrays = parts(saved(tmp_path, "mc-control"))
    arrays["memory.trajectory.s"] = np.zeros(room, np.int64)
    with pytest.raises(RecordError, match="trajectory"):
        agent_class("mc-control").load(write(tmp_path / "mutant.safetensors", header, arrays), LAKE)


@pytest.mark.parametrize("compiled", [True, False])
def test_without_env_the_same_environment_is_made_again(compiled, tmp_path) -> None:
    env = gym.make(LAKE, desc=["SFF", "FHF", "FFG"], is_slippery=False, max_episode_steps=7)
    agent = agent_class("sarsa")(env, seed=1, compiled=compiled).learn(100)
    loaded = agent_class("sarsa").load(agent.save(tmp_path / "agent"))
    assert loaded.observations.n == 9
    assert loaded.env.spec.max_episode_steps == 7
    agent.clock.length[0] = loaded.clock.length[0]  # a running episode of an environment cannot be saved
    assert_same(agent.learn(60), loaded.learn(60))


def test_no_time_limit_stays_none(tmp_path) -> None:
    agent = agent_class("sarsa")(gym.make(LAKE, max_episode_steps=-1), seed=1)
    assert agent_class("sarsa").load(agent.save(tmp_path / "agent")).env.spec.max_episode_steps is None


@pytest.mark.parametrize(
    "env",
    [
        gym.make(LAKE, desc=("SFF", "FHF", "FFG")),
        gym.make(LAKE, success_rate=np.float64(0.5)),
        gym.wrappers.TransformReward(gym.make(LAKE), lambda r: 2 * r),
    ],
    ids=["tuple", "numpy", "wrapper"],
)
def test_an_environment_that_a_header_cannot_hold_must_be_passed(env, tmp_path) -> None:
    path = agent_class("sarsa")(env, seed=1, compiled=False).save(tmp_path / "agent")
    with pytest.raises(RecordError, match="pass env to load"):
        agent_class("sarsa").load(path)
    assert agent_class("sarsa").load(path, env).env is env


@pytest.mark.parametrize(
    "env", ["mine", {"id": "somebodys_code:Mine-v0", "kwargs": {}, "max_episode_steps": 5}, {"id": LAKE}, 3]
)
def test_a_header_cannot_have_code_imported(env, tmp_path, monkeypatch) -> None:
    (tmp_path / "somebodys_code.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    header, arrays = parts(saved(tmp_path))
    with pytest.raises(RecordError):
        agent_class("q-learning").load(write(tmp_path / "mutant.safetensors", header | {"env": env}, arrays))


def test_reading_the_header_checks_the_file(tmp_path) -> None:
    path = saved(tmp_path)
    assert read_header(path)["env"]["id"] == LAKE
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RecordError):
        read_header(path)
