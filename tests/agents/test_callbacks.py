"""Callbacks: each does what its namesake in stable-baselines3 does, and none disturbs learning."""

from __future__ import annotations

import json
import logging

import gymnasium as gym
import numpy as np
import pytest

from rlsuite.agents import (
    BaseCallback,
    CallbackList,
    CheckpointCallback,
    EvalCallback,
    StopTrainingOnRewardThreshold,
    evaluate_policy,
)
from rlsuite.agents.agent_checker import small_lake
from rlsuite.agents.tabular.td_control import QLearning
from rlsuite.errors import HyperparameterError, InvalidEnvironmentError, RecordError


class Recorder(BaseCallback):
    def __init__(self, every: int = 1, stop_at: int | None = None) -> None:
        super().__init__()
        self.every, self.stop_at, self.seen, self.ended = every, stop_at, [], 0

    def _on_step(self) -> bool:
        self.seen.append(self.num_timesteps)
        return self.num_timesteps != self.stop_at

    def on_training_end(self) -> None:
        self.ended += 1


def test_a_callback_list_calls_each_at_its_own_interval() -> None:
    four, six = Recorder(4), Recorder(6)
    QLearning(small_lake(), seed=0).learn(24, CallbackList([four, six]))
    assert four.seen == [4, 8, 12, 16, 20, 24]
    assert six.seen == [6, 12, 18, 24]
    assert four.ended == six.ended == 1


def test_any_callback_of_a_list_can_stop_learning_and_the_others_are_still_called() -> None:
    stops, other = Recorder(6, stop_at=12), Recorder(4)
    agent = QLearning(small_lake(), seed=0).learn(100, CallbackList([stops, other]))
    assert agent.num_timesteps == 12
    assert other.seen == [4, 8, 12]


@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("compiled", [True, False])
def test_evaluation_does_not_disturb_learning(deterministic: bool, compiled: bool) -> None:
    plain = QLearning(small_lake(), seed=1, compiled=compiled).learn(600)
    watched = QLearning(small_lake(), seed=1, compiled=compiled)
    callback = EvalCallback(small_lake(), n_eval_episodes=3, eval_freq=150, deterministic=deterministic)
    watched.learn(600, callback)
    np.testing.assert_array_equal(plain.memory.q, watched.memory.q)
    np.testing.assert_array_equal(plain.visits, watched.visits)
    assert plain.agent_rng.bit_generator.state == watched.agent_rng.bit_generator.state
    assert callback.evaluations_timesteps == [150, 300, 450, 600]


def test_evaluations_of_a_resumed_run_equal_those_of_a_run_that_never_stopped(tmp_path) -> None:
    whole = EvalCallback(small_lake(), n_eval_episodes=4, eval_freq=200)
    QLearning(small_lake(), seed=2).learn(800, whole)
    path = QLearning(small_lake(), seed=2).learn(400).save(tmp_path / "half")
    second = EvalCallback(small_lake(), n_eval_episodes=4, eval_freq=200)
    QLearning.load(path, small_lake()).learn(400, second)
    assert second.evaluations_results == whole.evaluations_results[2:]


def test_the_best_agent_is_kept_and_evaluations_are_logged(tmp_path, caplog) -> None:
    callback = EvalCallback(
        small_lake(), n_eval_episodes=20, eval_freq=500, best_model_save_path=tmp_path, log_path=tmp_path, verbose=1
    )
    with caplog.at_level(logging.INFO, logger="rlsuite"):
        QLearning(small_lake(), seed=3, alpha=0.3).learn(3000, callback)
    means = [float(np.mean(returns)) for returns in callback.evaluations_results]
    assert callback.best_mean_reward == max(means)
    assert callback.last_mean_reward == means[-1]
    best = QLearning.load(tmp_path / "best_model.safetensors", small_lake())
    assert best.num_timesteps == 500 * (1 + int(np.argmax(means)))
    lines = [json.loads(line) for line in (tmp_path / "evaluations.jsonl").read_text().splitlines()]
    assert [line["timesteps"] for line in lines] == callback.evaluations_timesteps
    assert [line["returns"] for line in lines] == callback.evaluations_results
    assert [line["lengths"] for line in lines] == callback.evaluations_length
    assert "evaluation at 500 steps" in caplog.text


def test_training_stops_at_the_reward_threshold() -> None:
    """The shortest way along the cliff returns -13; the first greedy policy that finds it ends the training."""
    stop = StopTrainingOnRewardThreshold(reward_threshold=-13)
    callback = EvalCallback("CliffWalking-v1", callback_on_new_best=stop, n_eval_episodes=1, eval_freq=500)
    agent = QLearning("CliffWalking-v1", seed=0, alpha=0.5, gamma=1.0).learn(200_000, callback)
    assert callback.best_mean_reward == -13
    assert agent.num_timesteps == callback.evaluations_timesteps[-1] < 200_000
    assert all(np.mean(returns) < -13 for returns in callback.evaluations_results[:-1])


def test_the_threshold_needs_an_evaluation_to_look_at() -> None:
    with pytest.raises(HyperparameterError, match="callback_on_new_best"):
        QLearning(small_lake()).learn(10, StopTrainingOnRewardThreshold(1.0))


def test_callback_after_eval_is_called_each_time_and_can_stop() -> None:
    after = Recorder(stop_at=300)
    callback = EvalCallback(small_lake(), callback_after_eval=after, n_eval_episodes=1, eval_freq=100)
    agent = QLearning(small_lake(), seed=0).learn(1000, callback)
    assert after.seen == [100, 200, 300]
    assert agent.num_timesteps == 300


@pytest.mark.parametrize("wrap", [lambda env: env, lambda env: env.env])
def test_evaluating_in_the_training_environment_is_refused(wrap) -> None:
    env = small_lake()
    with pytest.raises(InvalidEnvironmentError, match="another one"):
        QLearning(env).learn(10, EvalCallback(wrap(env)))


def test_checkpoints_are_named_by_their_steps_and_each_is_the_agent_of_that_step(tmp_path) -> None:
    QLearning(small_lake(), seed=5).learn(250, CheckpointCallback(100, tmp_path / "new", name_prefix="q"))
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == [
        "q_100_steps.safetensors",
        "q_200_steps.safetensors",
    ]
    loaded = QLearning.load(tmp_path / "new" / "q_200_steps.safetensors", small_lake())
    np.testing.assert_array_equal(loaded.memory.q, QLearning(small_lake(), seed=5).learn(200).memory.q)


@pytest.mark.parametrize(
    "make",
    [
        lambda: EvalCallback(small_lake(), eval_freq=0),
        lambda: EvalCallback(small_lake(), n_eval_episodes=0),
        lambda: CheckpointCallback(0, "."),
        lambda: evaluate_policy(QLearning(small_lake()), small_lake(), n_eval_episodes=0),
    ],
)
def test_counts_must_be_positive(make) -> None:
    with pytest.raises(HyperparameterError, match="at least 1"):
        make()


def test_evaluate_policy_agrees_with_itself_and_with_the_exact_return() -> None:
    """A slippery corridor would need statistics; the deterministic cliff has one return per policy, -13 at best."""
    agent = QLearning("CliffWalking-v1", seed=0, alpha=0.5, gamma=1.0).learn(total_episodes=500)
    assert evaluate_policy(agent, "CliffWalking-v1", 3, seed=1) == (-13.0, 0.0)
    lists = evaluate_policy(agent, "CliffWalking-v1", 2, return_episode_rewards=True, seed=1)
    assert lists == ([-13.0, -13.0], [13, 13])
    lake = QLearning(small_lake(), seed=0).learn(2000)
    once = evaluate_policy(lake, small_lake(), 50, return_episode_rewards=True, seed=7)
    assert once == evaluate_policy(lake, small_lake(), 50, return_episode_rewards=True, seed=7)
    assert once != evaluate_policy(lake, small_lake(), 50, return_episode_rewards=True, seed=8)


def test_an_episode_without_time_limit_is_cut() -> None:
    agent = QLearning("CliffWalking-v1", seed=0)  # all values equal: always up, against the wall
    assert evaluate_policy(agent, gym.make("CliffWalking-v1"), 1, seed=0, max_episode_steps=50) == (-50.0, 0.0)


def test_loading_a_best_model_that_is_missing_says_so(tmp_path) -> None:
    with pytest.raises(RecordError, match="no saved agent"):
        QLearning.load(tmp_path / "best_model.safetensors")
