"""Hyperparameters, seeds and limits: every value that an agent cannot use is refused with its name."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

import rlsuite
from rlsuite.agents import EvalCallback
from rlsuite.agents.hyperparameters import build, check, fields, hyperparameter, parse
from rlsuite.agents.registry import agent_class, agent_names
from rlsuite.errors import HyperparameterError, InvalidEnvironmentError, UnknownNameError
from rlsuite.seeding import run_seeds

LAKE = "FrozenLake-v1"


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("q-learning", {"epsilon_decay_steps": "abc"}),
        ("q-learning", {"epsilon_decay_steps": "3"}),
        ("q-learning", {"epsilon_decay_steps": math.inf}),
        ("q-learning", {"epsilon_decay_steps": math.nan}),
        ("q-learning", {"epsilon_decay_steps": [1, 2]}),
        ("q-learning", {"epsilon_decay_steps": np.arange(3)}),
        ("q-learning", {"epsilon_decay_steps": 10**30}),
        ("q-learning", {"alpha": np.ones(3)}),
        ("q-learning", {"alpha": np.ones(1)}),
        ("q-learning", {"alpha": 1j}),
        ("q-learning", {"initial_value": math.inf}),
        ("q-learning", {"initial_value": -math.inf}),
        ("q-learning", {"initial_value": 10**400}),
        ("q-learning", {"temperature": math.inf}),
        ("n-step-sarsa", {"n": 10**15}),
        ("n-step-td", {"n": 10**15}),
        ("tree-backup", {"n": 10**15}),
        ("dyna-q", {"outcomes": 10**15}),
        ("backward-induction", {"horizon": 10**15}),
        ("q-learning", {"seed": -1}),
        ("q-learning", {"seed": 1.5}),
        ("q-learning", {"seed": True}),
        ("q-learning", {"time_limit": -1}),
        ("q-learning", {"time_limit": 0}),
        ("q-learning", {"time_limit": 2.5}),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_name(name, wrong) -> None:
    (field,) = wrong
    with pytest.raises(HyperparameterError, match=field):
        rlsuite.agent(name, LAKE, **wrong)


def test_numpy_numbers_are_numbers(tmp_path) -> None:
    values = {"alpha": np.float32(0.5), "epsilon_decay_steps": np.int64(7), "time_limit": np.int64(9)}
    agent = rlsuite.agent("q-learning", LAKE, seed=np.int64(3), **values)
    assert type(agent.hyperparameters.epsilon_decay_steps) is int
    loaded = type(agent).load(agent.learn(30).save(tmp_path / "agent"))
    assert (loaded.seed, loaded.time_limit) == (3, 9)
    assert run_seeds(np.int64(3)) == run_seeds(3)


def test_a_list_of_whole_numbers_is_a_text_with_commas() -> None:
    field = fields(agent_class("ppo").Hyperparameters)["net_arch"]
    assert check(field, [64, 32], "ppo") == check(field, (64, 32), "ppo") == parse(field, "[64,32]", "ppo") == "64,32"
    with pytest.raises(HyperparameterError, match="must be a string"):
        check(field, [64, 0.5], "ppo")
    with pytest.raises(HyperparameterError, match="must be one of"):
        check(fields(agent_class("ppo").Hyperparameters)["activation"], [1], "ppo")


@pytest.mark.parametrize("name", sorted(set(agent_names())))
def test_no_deep_agent_learns_with_steps_of_nothing(name) -> None:
    cls = agent_class(name)
    for field in fields(cls.Hyperparameters).values() if cls.restarts_schedules else ():
        if field.name.endswith("learning_rate"):
            assert (field.limits.low, field.limits.low_open) == (0.0, True), f"{name}.{field.name}"
            with pytest.raises(HyperparameterError, match=r"\(0, inf\), not 0.0"):
                check(field, 0.0, name)


def test_a_field_may_allow_infinity() -> None:
    @dataclass(frozen=True)
    class Config:
        bound: float = hyperparameter(1.0, "any", infinite=True)

    assert build(Config, {"bound": math.inf}, "x").bound == math.inf
    assert parse(fields(Config)["bound"], "inf", "x") == math.inf


def test_a_misspelt_environment_gets_the_nearest() -> None:
    for make in (
        lambda: rlsuite.agent("q-learning", "CliffWalkng-v1"),
        lambda: rlsuite.evaluate_policy(rlsuite.agent("q-learning", LAKE), "CliffWalkng-v1"),
        lambda: EvalCallback("CliffWalkng-v1"),
    ):
        with pytest.raises(UnknownNameError, match="did you mean 'CliffWalking-v1'"):
            make()
    with pytest.raises(InvalidEnvironmentError, match="no_such_module"):
        rlsuite.agent("q-learning", "no_such_module:Mine-v0")


def test_the_same_seed_draws_the_same_actions_and_leaves_the_agent_alone() -> None:
    agent = rlsuite.agent("tabular-reinforce", LAKE, seed=0)
    before = agent.evaluation_rng.bit_generator.state

    def lengths(seed: int) -> list[int]:
        return rlsuite.evaluate_policy(agent, LAKE, 30, deterministic=False, return_episode_rewards=True, seed=seed)[1]

    assert lengths(1) == lengths(1)
    assert lengths(1) != lengths(2)
    assert agent.evaluation_rng.bit_generator.state == before
    with pytest.raises(HyperparameterError, match="seed"):
        lengths(-1)
