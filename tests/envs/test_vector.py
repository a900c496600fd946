"""Vector environments by id: their kinds, their autoreset modes, their errors."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv

from rlsuite.envs.preprocessing import Preprocessing
from rlsuite.envs.registration import make_env
from rlsuite.envs.vector import make_vec_env
from rlsuite.errors import HyperparameterError, InvalidEnvironmentError, UnknownNameError

ENTRY_POINT = "gymnasium.envs.classic_control.cartpole:CartPoleVectorEnv"


@pytest.fixture
def registered():
    """Two ids: one of the suite with a vector entry point, one with nothing else."""
    gym.register("rlsuite/Both-v0", "gymnasium.envs.classic_control:CartPoleEnv", vector_entry_point=ENTRY_POINT)
    gym.register("test/OnlyVector-v0", vector_entry_point=ENTRY_POINT)
    yield
    del gym.registry["rlsuite/Both-v0"], gym.registry["test/OnlyVector-v0"]


def test_one_is_a_single_environment():
    for vectorization in ("auto", "sync", "async"):
        env = make_vec_env("CartPole-v1", 1, max_episode_steps=7, vectorization=vectorization)
        assert isinstance(env, gym.Env) and env.spec.max_episode_steps == 7


def test_auto_is_sync_in_the_same_step():
    env = make_vec_env("CartPole-v1", 3)  # which has a vector entry point of its own
    assert type(env) is SyncVectorEnv and env.num_envs == 3
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP


@pytest.mark.parametrize("vectorization", ["sync", "async"])
def test_members_are_the_single_environment(vectorization):
    """Seeds, limit, arguments, wrappers and the reset in the same step, against environments stepped by hand."""
    flags = Preprocessing(frame_stack=2)
    env = make_vec_env(
        "rlsuite/Cliff-v0", 2, preprocessing=flags, max_episode_steps=4, vectorization=vectorization, slip=0.5
    )
    assert isinstance(env, AsyncVectorEnv if vectorization == "async" else SyncVectorEnv)
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    singles = [flags.apply(make_env("rlsuite/Cliff-v0", max_episode_steps=4, slip=0.5)) for _ in range(2)]
    observations, _ = env.reset(seed=5)
    np.testing.assert_array_equal(observations, [single.reset(seed=5 + i)[0] for i, single in enumerate(singles)])
    for t in range(10):
        observations, rewards, terminated, truncated, info = env.step(np.array([0, t % 4]))
        for i, single in enumerate(singles):
            observation, reward, *ends, _ = single.step([0, t % 4][i])
            assert (rewards[i], terminated[i], truncated[i]) == (reward, *ends)
            if any(ends):
                np.testing.assert_array_equal(info["final_obs"][i], observation)
                observation, _ = single.reset()
            np.testing.assert_array_equal(observations[i], observation)
    env.close()


def test_native_is_the_vector_entry_point():
    env = make_vec_env("CartPole-v1", 5, vectorization="native", max_episode_steps=3)
    assert type(env) is CartPoleVectorEnv and env.num_envs == 5 and env.max_episode_steps == 3
    assert make_vec_env("CartPole-v1", 5, vectorization="native").max_episode_steps == 500


def test_auto_prefers_native_for_the_suite_and_where_there_is_nothing_else(registered):
    assert type(make_vec_env("rlsuite/Both-v0", 2)) is CartPoleVectorEnv
    assert type(make_vec_env("rlsuite/Both-v0", 2, vectorization="sync")) is SyncVectorEnv
    assert type(make_vec_env("rlsuite/Both-v0", 2, preprocessing=Preprocessing(frame_stack=2))) is SyncVectorEnv
    assert not isinstance(make_vec_env("rlsuite/Both-v0", 1), VectorEnv)
    assert type(make_vec_env("test/OnlyVector-v0", 1)) is CartPoleVectorEnv
    with pytest.raises(InvalidEnvironmentError, match="exists only as a vector environment"):
        make_vec_env("test/OnlyVector-v0", 2, vectorization="sync")


def test_pixels_render():
    env = make_vec_env("rlsuite/FourRooms-v0", 2, preprocessing=Preprocessing(pixels=True, grayscale=True, resize=16))
    assert env.reset(seed=0)[0].shape == (2, 16, 16, 1)
    assert env.single_observation_space.dtype == np.uint8


@pytest.mark.parametrize("num_envs", [0, -1, 1.5, True, "2"])
def test_a_wrong_number_is_refused(num_envs):
    with pytest.raises(HyperparameterError, match="num_envs must be a positive integer"):
        make_vec_env("CartPole-v1", num_envs)


def test_errors_are_those_of_make_env():
    with pytest.raises(HyperparameterError, match="vectorization must be one of"):
        make_vec_env("CartPole-v1", 2, vectorization="threads")
    with pytest.raises(UnknownNameError, match="CartPole-v1"):
        make_vec_env("CartPol-v1", 2)
    for vectorization in ("sync", "async"):
        with pytest.raises(InvalidEnvironmentError, match="has no argument 'gravitas'"):
            make_vec_env("CartPole-v1", 2, vectorization=vectorization, gravitas=1)
        with pytest.raises(InvalidEnvironmentError, match="grayscale needs"):
            make_vec_env("CartPole-v1", 2, vectorization=vectorization, preprocessing=Preprocessing(grayscale=True))
    with pytest.raises(InvalidEnvironmentError, match=r"CartPole-v1 cannot be made as a vector environment.*gravitas"):
        make_vec_env("CartPole-v1", 2, vectorization="native", gravitas=1)
    with pytest.raises(InvalidEnvironmentError, match="has no vector entry point"):
        make_vec_env("Pendulum-v1", 2, vectorization="native")
    with pytest.raises(InvalidEnvironmentError, match="preprocessing wraps single environments"):
        make_vec_env("CartPole-v1", 2, vectorization="native", preprocessing=Preprocessing(frame_stack=2))
