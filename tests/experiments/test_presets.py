"""Presets are right for their agents and environments, and settings merge in the order that the help text says."""

from __future__ import annotations

import pytest
import yaml

from rlsuite.agents import sb3
from rlsuite.agents.hyperparameters import fields
from rlsuite.agents.registry import agent_class
from rlsuite.envs.registration import find_spec
from rlsuite.errors import HyperparameterError, RecordError, UnknownNameError
from rlsuite.experiments.presets import DEFAULT, make_plan, merge, preset_layers, preset_names, read_presets, show
from rlsuite.experiments.run_environment import RunEnvironment
from rlsuite.experiments.training_plan import TrainingPlan, hyperparameters_of

CARTPOLE = {"algo": "dqn", "env": "CartPole-v1"}
EVERY = [(name, env_id) for name in preset_names() for env_id in read_presets(name)]


def algo_of(file: str) -> str:
    return file.replace("sb3-", "sb3:", 1)


@pytest.mark.parametrize(("file", "env_id"), EVERY, ids=str)
def test_every_preset_has_an_agent_an_environment_and_values_in_range(file, env_id):
    algo = algo_of(file)
    if env_id != DEFAULT:
        assert find_spec(env_id).id == env_id
    layers = preset_layers(algo, env_id if env_id != DEFAULT else "CartPole-v1")
    assert layers, "no layer found by the algorithm's name"
    plan = make_plan({"algo": algo, "env": env_id if env_id != DEFAULT else "CartPole-v1"})
    preset = read_presets(file)[env_id]
    used = hyperparameters_of(agent_class(algo), plan.values)
    assert {name: used[name] for name in preset.get("hyperparameters", {})} == preset.get("hyperparameters", {})
    assert plan.n_timesteps == preset["n_timesteps"]


@pytest.mark.parametrize("file", preset_names())
def test_presets_build_their_agents(file):
    for env_id, settings in read_presets(file).items():
        values = dict(settings.get("hyperparameters", {}))
        if "buffer_size" in fields(agent_class(algo_of(file)).Hyperparameters):
            values["buffer_size"] = 1000
        n_envs, same_step = settings.get("n_envs", 1), algo_of(file) in sb3.NAMES
        env = RunEnvironment(env_id, settings.get("env_kwargs", {}), n_envs=n_envs, same_step=same_step).batch()
        agent = agent_class(algo_of(file))(env, seed=0, **values)
        action, _ = agent.predict(agent.observation_space.sample())
        assert action in agent.action_space
        env.close()


def test_the_command_line_wins_over_the_file_over_presets_over_defaults(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("n_timesteps: 700\nhyperparameters: {batch_size: 16, learning_rate: 1e-2}\n")
    plan = make_plan({**CARTPOLE, "hyperparameters": {"batch_size": 8}}, config=file)
    preset = read_presets("dqn")["CartPole-v1"]["hyperparameters"]
    assert plan.values["batch_size"] == 8 and plan.sources["hyperparameters.batch_size"] == "command line"
    assert plan.values["learning_rate"] == 0.01 and plan.sources["hyperparameters.learning_rate"] == str(file)
    assert plan.values["train_freq"] == preset["train_freq"]
    assert plan.sources["hyperparameters.train_freq"] == "preset dqn, CartPole-v1"
    assert plan.n_timesteps == 700 and plan.eval_freq == 70
    assert "gamma" not in plan.values and plan.n_envs == 1


def test_an_environments_preset_wins_over_the_algorithms(tmp_path, monkeypatch):
    (tmp_path / "sarsa.yaml").write_text(
        "default: {n_timesteps: 10, hyperparameters: {alpha: 0.5, gamma: 0.9}}\n"
        "FrozenLake-v1: {hyperparameters: {alpha: 0.25}}\n"
    )
    monkeypatch.setattr("rlsuite.experiments.presets._folder", lambda: tmp_path)
    read_presets.cache_clear()
    try:
        plan = make_plan({"algo": "sarsa", "env": "FrozenLake-v1"})
        assert (plan.n_timesteps, plan.values) == (10, {"alpha": 0.25, "gamma": 0.9})
        assert plan.sources["hyperparameters.gamma"] == "preset sarsa, default"
        assert make_plan({"algo": "sarsa", "env": "CliffWalking-v1"}).values == {"alpha": 0.5, "gamma": 0.9}
    finally:
        read_presets.cache_clear()


def test_what_is_shown_is_what_is_meant(tmp_path):
    plan = make_plan({**CARTPOLE, "n_envs": 4, "preprocessing": {"frame_stack": 3}})
    shown = show(plan)
    assert yaml.safe_load(shown) == plan.config(hyperparameters_of(plan.agent_type, plan.values))
    lines = {line.split(":")[0].strip(): line.partition("#")[2].strip() for line in shown.splitlines()}
    assert lines["n_envs"] == lines["frame_stack"] == "command line"
    assert lines["train_freq"] == lines["n_timesteps"] == "preset dqn, CartPole-v1"
    assert lines["gamma"] == lines["seed"] == "default"
    again = tmp_path / "again.yaml"
    again.write_text(shown)  # what is shown is a --config file
    assert make_plan({}, config=again).config({}) == plan.config({})


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("n_timestep: 5", UnknownNameError, "did you mean 'n_timesteps'"),
        ("hyperparameters: {learning_rat: 1}", UnknownNameError, "did you mean 'learning_rate'"),
        ("hyperparameters: {learning_rate: fast}", HyperparameterError, "learning_rate"),
        ("hyperparameters: [1]", HyperparameterError, "hyperparameters must be a mapping"),
        ("preprocessing: {grayscal: true}", HyperparameterError, "grayscal"),
        ("n_envs: 0", HyperparameterError, r"n_envs must be in \[1"),
        ("n_envs: many", HyperparameterError, "n_envs"),
        ("tensorboard: 3", HyperparameterError, "tensorboard must be true or false"),
        ("algo: 3", HyperparameterError, "algo must be a string"),
        ("a: [1,", RecordError, "cannot read --config"),
        ("- 1", RecordError, "must hold a mapping"),
        ("a: !!python/object/apply:os.system ['true']", RecordError, "cannot read --config"),
    ],
)
def test_mistakes_in_a_file_are_named(tmp_path, text, error, message):
    file = tmp_path / "mine.yaml"
    file.write_text(text + "\n")
    given = {key: value for key, value in CARTPOLE.items() if not text.startswith(key)}
    with pytest.raises(error, match=message) as caught:
        make_plan(given, config=file)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_missing_algorithm_are_named(tmp_path):
    with pytest.raises(RecordError, match=r"cannot read --config .*No such file"):
        make_plan(CARTPOLE, config=tmp_path / "none.yaml")
    with pytest.raises(HyperparameterError, match="algo is missing; give --algo"):
        make_plan({"env": "CartPole-v1"})


@pytest.mark.parametrize("extra", [{"n_envs": 2}, {"preprocessing": {"frame_stack": 2}}])
def test_tabular_algorithms_take_one_environment_as_it_is(extra):
    with pytest.raises(HyperparameterError, match="q-learning is a tabular algorithm"):
        make_plan({"algo": "q-learning", "env": "FrozenLake-v1", **extra})


def test_defaults_follow_the_length_of_the_run():
    plan = TrainingPlan("CartPole-v1", "dqn", n_timesteps=5000)
    assert (plan.eval_freq, plan.save_freq, plan.log_interval) == (500, 500, 50)
    assert plan.tensorboard and plan.clips
    tabular = TrainingPlan("FrozenLake-v1", "q-learning", n_timesteps=5)
    assert (tabular.eval_freq, tabular.log_interval) == (1, 1)
    assert not tabular.tensorboard and not tabular.clips


def test_merging_leaves_the_layers_as_they_are():
    layers = [("a", {"hyperparameters": {"x": 1}}), ("b", {"hyperparameters": {"x": 2, "y": 3}})]
    from rlsuite.experiments.presets import Layer

    assert merge([Layer(*layer) for layer in layers])[0] == {"hyperparameters": {"x": 2, "y": 3}}
    assert layers[0][1] == {"hyperparameters": {"x": 1}}
