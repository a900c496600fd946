"""MPPI as an agent: the contract, determinism, warm starts, and control that gets near the optimum."""

import gymnasium as gym
import numpy as np
import pytest

from rlsuite.agents import check_agent
from rlsuite.agents.evaluation import run_episodes
from rlsuite.agents.predictive import mppi
from rlsuite.agents.predictive.mppi import MPPI
from rlsuite.errors import InvalidEnvironmentError, RecordError
from tests.agents.predictive.linear_env import LinearEnv, optimum

SMALL = {"samples": 16, "horizon": 4}


def short_cheetah():
    return gym.make("HalfCheetah-v5", max_episode_steps=10)


def test_it_keeps_the_contract_of_agents():
    check_agent(MPPI(short_cheetah(), samples=4, horizon=2), short_cheetah)


def played(env, agent, steps):
    observation, _ = env.reset(seed=0)
    agent.act_in(env)
    actions = []
    for _ in range(steps):
        actions.append(agent.predict(observation)[0])
        observation, *_ = env.step(actions[-1])
    return np.stack(actions)


def test_a_seed_determines_every_action():
    one, two, other = (played(env := LinearEnv(), MPPI(env, seed=seed, **SMALL), 5) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_an_episode_does_not_depend_on_those_before_it():
    env = short_cheetah()
    agent = MPPI(env, seed=0, **SMALL)
    returns, _ = run_episodes(agent, env, [5, 5])
    assert returns[0] == returns[1]


def test_the_plan_of_the_step_before_is_gone_on_with(monkeypatch):
    starts = []

    def improved(plan, *arguments, **keywords):
        starts.append(plan)
        return plan + 1.0, np.zeros(1)

    monkeypatch.setattr(mppi, "improved", improved)
    env = LinearEnv()
    agent = MPPI(env, seed=0, samples=2, horizon=3, iterations=1)
    first = played(env, agent, 2)
    assert first.tolist() == [[1.0], [2.0]]
    assert [plan[:, 0].tolist() for plan in starts] == [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    observation, _ = env.reset()  # a new episode begins in the middle of the range again
    assert agent.predict(observation)[0].tolist() == [1.0]


def test_control_of_a_linear_system_is_nearly_optimal():
    """In closed loop for longer than the horizon: within 2 % of the cost of the best actions there are."""
    env = LinearEnv()
    agent = MPPI(env, seed=0, samples=1024, horizon=20, iterations=10, sigma=0.03, temperature=0.1, smoothing=0.0)
    x = env.x
    actions = played(env, agent, 30)
    least, _ = optimum(x, 30)
    cost = -env.simulate(x, actions[None]).sum()
    assert least <= cost < 1.02 * least


def test_planning_changes_nothing_in_the_environment():
    env, twin = short_cheetah(), short_cheetah()
    agent = MPPI(env, seed=0, **SMALL)
    for each in (env, twin):
        observation, _ = each.reset(seed=3)
    agent.predict(observation)
    action = env.action_space.sample()
    np.testing.assert_array_equal(env.step(action)[0], twin.step(action)[0])


def test_rows_of_a_vector_environment_are_planned_apart():
    env = gym.make_vec("rlsuite/HumanoidImitate-v0", num_envs=2, clip="idle", threads=1)
    single = gym.make("rlsuite/HumanoidImitate-v0", clip="idle")
    agent, alone = (MPPI(each, seed=0, samples=4, horizon=2) for each in (env, single))
    observations, _ = env.reset(seed=0)
    observation, _ = single.reset(seed=0)
    actions, _ = agent.predict(observations)
    np.testing.assert_array_equal(actions[0], alone.predict(observation)[0])
    assert not np.array_equal(actions[0], actions[1])
    with pytest.raises(InvalidEnvironmentError, match="2 environment"):
        agent.predict(observation)
    single.close()


def test_it_looks_ahead_on_the_cheetah():
    """Plans of one second run where actions at random go nowhere."""
    env = gym.make("HalfCheetah-v5", max_episode_steps=40)
    agent = MPPI(env, seed=0, samples=64, horizon=20, iterations=1, sigma=0.5)
    (planned,), _ = run_episodes(agent, env, [0])
    env.action_space.seed(0)
    env.reset(seed=0)
    at_random = sum(env.step(env.action_space.sample())[1] for _ in range(40))
    assert planned > at_random + 20.0


def test_what_it_cannot_act_in():
    with pytest.raises(InvalidEnvironmentError, match="Box actions"):
        MPPI("CartPole-v1")
    with pytest.raises(InvalidEnvironmentError, match="cannot be simulated"):
        MPPI("Pendulum-v1")


def test_files_of_other_agents_are_refused(tmp_path):
    path = MPPI(short_cheetah(), seed=0).save(tmp_path / "agent")
    assert MPPI.load(path).env.spec.max_episode_steps == 10  # made again from its id
    from rlsuite.agents.deep.ppo import PPO

    with pytest.raises(RecordError):
        PPO.load(path, short_cheetah())
