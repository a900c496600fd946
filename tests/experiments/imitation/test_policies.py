"""Policies as small files: what is written acts as the agent, and every policy that is shipped does what its card says."""

import json
import shutil

import numpy as np
import pytest

from rlsuite.agents.registry import agent_class
from rlsuite.errors import HyperparameterError, RecordError, UnknownNameError
from rlsuite.experiments.imitation import policies
from rlsuite.experiments.imitation.episodes import evaluation_env, play
from rlsuite.experiments.imitation.performers import is_policy, performer, performs
from rlsuite.motion import catalogue, clip_files, editing, fetching
from rlsuite.tensor_files import read_file, write_file

CARDS = sorted(policies.FOLDER.glob("*.json"))
ID = "rlsuite/HumanoidImitate-v0"


@pytest.mark.skipif(not CARDS, reason="no policies are shipped with this version")
@pytest.mark.parametrize("card", CARDS, ids=lambda path: path.stem)
def test_every_shipped_policy_reaches_the_return_on_its_card(card, request, tmp_path, monkeypatch):
    told = policies.card(card)
    if told["clip"] in fetching.CATALOGUE:  # it comes with no package: take the recording from the folder of the tests
        source = request.getfixturevalue("mocap") / "deepmimic/motions" / fetching.CATALOGUE[told["clip"]].file
        monkeypatch.setattr(fetching, "cache_folder", lambda: tmp_path)
        shutil.copyfile(source, fetching.location(told["clip"]))
    shown = performer(card.stem)
    env = evaluation_env(shown.env_kwargs, 4, seconds=min(10.0, told["seconds"]))  # the card: more and longer
    played = play(shown.act, env, told["seed"])
    assert np.mean([episode.normalised_return for episode in played]) >= told["normalised_return"] > 0.0
    assert sum(episode.fell for episode in played) <= told["falls"]
    assert told["licence"] and told["command"] and told["commit"]


def test_every_shipped_policy_has_a_card_and_is_small():
    weights = sorted(policies.FOLDER.glob("*.safetensors"))
    assert [path.stem for path in weights] == [path.stem for path in CARDS] == policies.shipped()
    assert all(path.stat().st_size < 1_000_000 for path in weights)


@pytest.fixture(scope="module")
def agent():
    """Normalises what it sees, and has learned a little."""
    kind = agent_class("ppo")
    settings = {"n_steps": 8, "batch_size": 16, "n_epochs": 1, "normalize_observations": True, "net_arch": "24,16"}
    import gymnasium as gym

    env = gym.make_vec(ID, num_envs=4, clip="idle", threads=1)
    return kind(env, seed=0, activation="elu", **settings).learn(64)


def written(agent, folder, clip, value=0.5):
    path = folder / "mine.safetensors"
    policies.write(path, agent, ID, {"clip": "run:clip.npz", "threads": 1}, clip, {"normalised_return": value})
    return path


def test_a_written_policy_acts_as_the_agent(agent, tmp_path):
    path = written(agent, tmp_path, catalogue.find("idle"))
    policy = policies.read(path)
    assert policy.env_kwargs == {"clip": "idle", "threads": 1} and not (tmp_path / "mine.npz").exists()
    env = evaluation_env(policy.env_kwargs, 3, seconds=0.5)
    rows, _ = env.reset(seed=0)
    np.testing.assert_allclose(policy(rows), agent.predict(rows)[0], atol=1e-5)
    assert path.stat().st_size < 4 * (274 * 24 + 24 * 16 + 16 * 28 + 24 + 16 + 28 + 2 * 274 + 2 * 28) + 4096
    assert all(array.dtype == np.float32 for array in read_file(path, policies.FORMAT)[1].values())
    assert policies.card(path)["normalised_return"] == 0.49  # rounded down, with a margin
    assert is_policy(path) and performs(path)


def test_activations_are_those_of_torch():
    import torch

    x = np.linspace(-3.0, 3.0, 31, dtype=np.float32)
    for name, function in policies.ACTIVATIONS.items():
        expected = getattr(torch.nn.functional, name)(torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(function(x), expected, rtol=1e-6, atol=1e-7)


def test_a_clip_that_does_not_come_with_the_package_lies_beside_its_policy(agent, tmp_path):
    clip = editing.mirror(catalogue.find("idle"))
    policy = policies.read(written(agent, tmp_path, clip))
    assert policy.env_kwargs["clip"] == str(tmp_path / "mine.npz")
    np.testing.assert_allclose(clip_files.load(tmp_path / "mine.npz").qpos, clip.qpos, atol=1e-15)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for path in tmp_path.glob("mine.*"):
        path.rename(moved / path.name)
    assert performer(moved / "mine.safetensors").env_kwargs["clip"] == str(moved / "mine.npz")


def test_a_clip_that_can_be_fetched_is_named(agent, tmp_path, mocap, monkeypatch):
    monkeypatch.setattr(fetching, "cache_folder", lambda: tmp_path / "clips")
    (tmp_path / "clips").mkdir()
    shutil.copyfile(mocap / "deepmimic/motions/humanoid3d_walk.txt", fetching.location("deepmimic-walk"))
    policy = policies.read(written(agent, tmp_path, catalogue.find("deepmimic-walk")))
    assert policy.env_kwargs["clip"] == "deepmimic-walk" and not (tmp_path / "mine.npz").exists()


def test_what_is_no_perceptron_is_refused(tmp_path):
    import gymnasium as gym

    sac = agent_class("sac")(gym.make(ID, clip="idle"), seed=0, buffer_size=10)
    with pytest.raises(HyperparameterError, match="only perceptrons with unsquashed actions"):
        written(sac, tmp_path, catalogue.find("idle"))


def test_unknown_damaged_and_malicious_files_are_one_error(agent, tmp_path):
    with pytest.raises(UnknownNameError, match="policy"):
        policies.locate("no such policy")
    path = written(agent, tmp_path, catalogue.find("idle"))
    header, arrays = read_file(path, policies.FORMAT)
    for change in ({"layers": 10**9}, {"activation": "eval"}, {"env_kwargs": {"clip": "run:../../etc/passwd"}},
                   {"env_kwargs": 3}, {"env": None}):  # fmt: skip
        write_file(path, {**header, **change}, arrays)
        with pytest.raises(RecordError):
            policies.read(path)
    for change in ({"bias0": arrays["bias0"][:-1]}, {"scale": 0 * arrays["scale"]}, {"mean": arrays["mean"] * np.nan}):
        write_file(path, header, {**arrays, **change})
        with pytest.raises(RecordError):
            policies.read(path)
    path.write_bytes(b"nothing")
    with pytest.raises(RecordError):
        policies.read(path)
    path.with_suffix(".json").write_text(json.dumps([1]))
    with pytest.raises(RecordError, match="no card"):
        policies.card(path)
