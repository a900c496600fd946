"""A training run: what it records, when, and that recording does not disturb learning."""

from __future__ import annotations

import logging
from typing import ClassVar

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from rlsuite.agents import registry
from rlsuite.agents.base import Agent
from rlsuite.agents.deep.agent import DeepAgent
from rlsuite.agents.tabular.td_control import QLearning
from rlsuite.envs.vector import make_vec_env
from rlsuite.errors import DivergenceError, RecordError
from rlsuite.experiments.checkpoints import checkpoint_file, saved_steps
from rlsuite.experiments.recording import STEPS
from rlsuite.experiments.records import EVALUATIONS, METRICS, read_config, read_rows
from rlsuite.experiments.training import TrainingPlan, resume, train


class Wanderer(DeepAgent):
    """Acts at random, learns nothing, and diverges when told to; for tests."""

    name = "test-wanderer"
    Hyperparameters: ClassVar[type] = QLearning.Hyperparameters  # any
    action_spaces = (spaces.Discrete,)
    diverges_at = 10**9

    def build(self) -> None:
        pass

    def iterate(self) -> None:
        self.act_in_envs(self.rng.integers(0, 2, self.envs.num_envs))
        self.record("loss", np.nan if self.num_timesteps >= self.diverges_at else self.rng.random())

    def choose_actions(self, observations, *, deterministic, rng, masks):
        return np.zeros(len(observations), np.int64) if deterministic else rng.integers(0, 2, len(observations))


@pytest.fixture(autouse=True)
def known(monkeypatch):
    monkeypatch.setitem(registry._registered, Wanderer.name, Wanderer)


def plan(tmp_path, **changes):
    settings = {"n_timesteps": 120, "n_envs": 2, "eval_freq": 30, "eval_episodes": 3, "save_freq": 50,
                "log_interval": 20, "tensorboard": False, "clips": False, "out": tmp_path, "name": "a"}  # fmt: skip
    return TrainingPlan("CartPole-v1", "test-wanderer", **(settings | changes))


def steps(folder, name):
    return [row[STEPS] for row in read_rows(folder / name)]


def test_everything_happens_at_multiples_of_its_interval_and_once_at_the_end(tmp_path):
    reports = []
    agent, folder = train(plan(tmp_path, n_timesteps=130), reports.append)
    assert agent.num_timesteps == 130
    assert steps(folder, METRICS) == [20, 40, 60, 80, 100, 120, 130]
    assert steps(folder, EVALUATIONS) == [30, 60, 90, 120, 130]
    assert saved_steps(folder) == [100, 130]  # two are kept
    assert [r.timesteps for r in reports if r.kind == "log"] == steps(folder, METRICS)
    row = list(read_rows(folder / METRICS))[-1]
    assert {"time/fps", "time/time_elapsed", "time/episodes", "rollout/ep_rew_mean", "train/loss"} <= row.keys()
    returns = agent.episode_returns[-100:]
    assert row["rollout/ep_rew_mean"] == pytest.approx(returns.mean()) and row["time/episodes"] == len(returns)


def test_many_environments_reach_a_multiple_late_but_deterministically(tmp_path):
    _, folder = train(plan(tmp_path, n_envs=7))
    assert steps(folder, METRICS) == [21, 42, 63, 84, 105, 126]
    assert steps(folder, EVALUATIONS) == [35, 63, 91, 126]


def test_recording_does_not_disturb_learning(tmp_path):
    recorded, _ = train(plan(tmp_path, tensorboard=True))
    alone = Wanderer(make_vec_env("CartPole-v1", 2), seed=0).learn(120)
    assert recorded.rng.bit_generator.state == alone.rng.bit_generator.state
    np.testing.assert_array_equal(recorded.episode_returns, alone.episode_returns)


def test_the_best_agent_is_that_of_the_best_evaluation(tmp_path, monkeypatch):
    scores = iter([1.0, 5.0, 3.0, 5.0])
    monkeypatch.setattr("rlsuite.experiments.scoring.evaluate_policy", lambda *_, **__: ([next(scores)] * 3, [1, 1, 1]))
    _, folder = train(plan(tmp_path))
    best = Wanderer.load(checkpoint_file(folder, "best"), gym.make("CartPole-v1"))
    assert best.num_timesteps == 60  # the first of equals


def test_a_loss_that_is_no_number_stops_with_step_term_and_last_good_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(Wanderer, "diverges_at", 110)
    with pytest.raises(
        DivergenceError, match=r"loss became nan at step 110; the last good checkpoint is 100_steps of "
    ):
        train(plan(tmp_path))
    assert saved_steps(tmp_path / "CartPole-v1" / "test-wanderer" / "a-s0") == [50, 100]


def test_clips_are_of_new_bests_a_quarter_of_the_run_apart(tmp_path, monkeypatch):
    scores = iter(range(100))
    monkeypatch.setattr(
        "rlsuite.experiments.scoring.evaluate_policy", lambda *_, **__: ([float(next(scores))] * 3, [1, 1, 1])
    )
    _, folder = train(plan(tmp_path, clips=True, eval_freq=10))
    assert sorted(int(path.stem.removesuffix("_steps")) for path in (folder / "videos").glob("*.gif")) == [
        10, 40, 70, 100,
    ]  # fmt: skip


class Unseen(gym.Env):
    """Cannot be rendered; for tests."""

    observation_space = spaces.Box(-1, 1, (2,))
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(2, np.float32), {"is_success": True}

    def step(self, action):
        return np.zeros(2, np.float32), 1.0, True, False, {"is_success": bool(action)}


def test_where_rendering_is_impossible_it_is_said_once(tmp_path, caplog):
    gym.register("Unseen-v0", entry_point=Unseen)
    try:
        settings = {name: getattr(plan(tmp_path), name) for name in ("n_timesteps", "n_envs", "eval_freq", "out")}
        _, folder = train(TrainingPlan("Unseen-v0", "test-wanderer", **settings, clips=True, tensorboard=False))
    finally:
        del gym.registry["Unseen-v0"]
    assert caplog.text.count("no clips of evaluations") == 1
    rates = [row["rollout/success_rate"] for row in read_rows(folder / METRICS)]
    assert all(0 <= rate <= 1 for rate in rates) and 0 < rates[-1] < 1


def test_a_run_that_exists_is_not_begun_again(tmp_path):
    train(plan(tmp_path))
    with pytest.raises(RecordError, match=r"a-s0 exists; go on with it by `rlsuite resume"):
        train(plan(tmp_path))
    _, second = train(plan(tmp_path, name=None))
    _, third = train(plan(tmp_path, name=None))
    assert (second.name, third.name) == ("run1-s0", "run2-s0")


def test_the_record_says_how_it_was_made(tmp_path):
    _, folder = train(plan(tmp_path, sources={"n_timesteps": "preset x"}))
    config = read_config(folder)
    assert list(config)[-1] == "provenance" and config["sources"] == {"n_timesteps": "preset x"}
    assert config["n_envs"] == 2 and config["hyperparameters"]["gamma"] == 0.99
    assert TrainingPlan.from_settings(config, out=tmp_path, name="a").config({}) == plan(tmp_path).config({})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda config: config.pop("provenance"), "incomplete"),
        (lambda config: config.update(n_envs=-1), "n_envs"),
        (lambda config: config.update(unheard=3), "unknown setting 'unheard'"),
        (lambda config: config.update(extensions=[{"from": "x"}]), "extension"),
        (lambda config: config.update(extensions=3), "extensions must be a list"),
        (lambda config: config.update(budget={}), "rlsuite compare"),
        (lambda config: config.update(algo="no_such:agent"), "names module 'no_such'"),
        (lambda config: config.update(hyperparameters={"alpha": "x"}), "alpha"),
    ],
)
def test_a_damaged_configuration_is_a_record_error(tmp_path, change, message):
    import yaml

    _, folder = train(plan(tmp_path))
    config = read_config(folder)
    change(config)
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    with pytest.raises(RecordError, match=message) as caught:
        resume(folder, n_timesteps=10)
    assert "\n" not in str(caught.value)


def test_entries_without_steps_are_a_record_error(tmp_path):
    _, folder = train(plan(tmp_path))
    with (folder / METRICS).open("a") as file:
        file.write('{"x": 1}\n')
    with pytest.raises(RecordError, match=r"metrics\.jsonl: an entry has no whole number"):
        resume(folder, n_timesteps=10)


def test_resuming_a_finished_run_leaves_it_as_it_is(tmp_path):
    _, folder = train(plan(tmp_path))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    agent, went_on = resume(folder)
    assert not went_on and isinstance(agent, Agent) and agent.num_timesteps == 120
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_run_of_an_earlier_version_goes_on(tmp_path, caplog):
    """Tabular runs of before had ``last`` as a file and fewer settings."""
    settings = {"n_timesteps": 1000, "eval_freq": 500, "eval_episodes": 2, "out": tmp_path, "name": "old"}
    _, folder = train(TrainingPlan("FrozenLake-v1", "q-learning", **settings))
    config = read_config(folder)
    kept = ("env", "env_kwargs", "algo", "hyperparameters", "n_timesteps", "seed", "eval_freq", "eval_episodes",
            "provenance")  # fmt: skip
    import yaml

    (folder / "config.yaml").write_text(yaml.safe_dump({name: config[name] for name in kept}, sort_keys=False))
    checkpoint_file(folder, "1000_steps").rename(checkpoint_file(folder, "last"))
    for steps in saved_steps(folder):
        checkpoint_file(folder, f"{steps}_steps").unlink()
    with caplog.at_level(logging.INFO):
        agent, went_on = resume(folder, n_timesteps=500)
    assert went_on and agent.num_timesteps == 1500
    assert "going on from last" in caplog.text
    assert resume(folder)[0].num_timesteps == 1500  # no longer from last
