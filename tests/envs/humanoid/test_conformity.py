"""What Gymnasium and stable-baselines3 ask of an environment, and the page that describes it."""

import inspect
import json
import subprocess
import sys
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env

from rlsuite.envs import registered_ids
from rlsuite.envs.humanoid.env import HumanoidImitateEnv
from rlsuite.envs.humanoid.observations import DEFAULT, PIECES
from rlsuite.envs.humanoid.presets import PRESETS
from rlsuite.envs.humanoid.starts import STARTS
from rlsuite.envs.humanoid.terminations import CONDITIONS
from rlsuite.envs.humanoid.vector_env import TIME_LIMIT, HumanoidImitateVectorEnv
from rlsuite.envs.vector import make_vec_env
from rlsuite.errors import InvalidEnvironmentError

ID, *_ = registered_ids("humanoid")
PAGE = HumanoidImitateEnv.__doc__


def test_gymnasiums_check():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it advises against infinite bounds
        check_env(gym.make(ID, render_mode="rgb_array").unwrapped)


@pytest.mark.filterwarnings("ignore")
def test_stable_baselines3s_check():
    sb3_check_env(gym.make(ID))


def test_registration():
    spec = gym.spec(ID)
    assert spec.max_episode_steps == TIME_LIMIT
    vector = gym.make_vec(ID, num_envs=2, autoreset_mode="SameStep", horizon=3.0)
    assert type(vector) is HumanoidImitateVectorEnv
    assert vector.spec.id == ID
    assert vector.limit == 90
    assert gym.make_vec(ID, num_envs=1).limit == TIME_LIMIT
    assert type(make_vec_env(ID, 2)) is HumanoidImitateVectorEnv


def test_the_time_limit():
    env = gym.make(ID, max_episode_steps=3, terminate=())
    env.reset(seed=0)
    assert [env.step(np.zeros(28))[3] for _ in range(3)] == [False, False, True]


def test_single_and_vector_take_the_same_arguments():
    single, vector = (inspect.signature(c).parameters for c in (HumanoidImitateEnv, HumanoidImitateVectorEnv))
    assert set(vector) - set(single) == {"num_envs", "max_episode_steps", "autoreset_mode", "threads"}
    assert set(single) <= set(vector)
    assert {name: p.default for name, p in single.items()} == {name: vector[name].default for name in single}


def test_the_page_names_everything():
    headings = ["Description", "Action Space", "Observation Space", "Rewards", "Starting State", "Episode End"]
    positions = [PAGE.index(f"## {heading}") for heading in [*headings, "Arguments", "Version History"]]
    assert positions == sorted(positions)
    arguments = [name for name in inspect.signature(HumanoidImitateEnv).parameters if name != "render_mode"]
    assert [name for name in arguments if f"`{name}=" not in PAGE.split("## Arguments")[1]] == []
    for names in (PIECES, PRESETS, CONDITIONS):
        assert [name for name in names if f"`{name}`" not in PAGE] == []
    assert [name for name in STARTS if name not in PAGE.split("## Starting State")[1]] == []
    assert str(DEFAULT).replace("'", '"') in PAGE


def test_a_picture():
    env = gym.make(ID, render_mode="rgb_array")
    env.reset(seed=0)
    picture = env.render()
    assert picture.dtype == np.uint8
    assert picture.shape == (360, 480, 3)
    middle = picture[100:300, 200:280].reshape(-1, 3).astype(int)
    assert np.ptp(middle, axis=0).min() > 100  # somebody stands there
    env.close()


def test_render_modes():
    with pytest.raises(InvalidEnvironmentError, match="rgb_array"):
        HumanoidImitateEnv(render_mode="ascii")


def test_importing_the_suite_imports_no_physics():
    program = "import sys, rlsuite, json; print(json.dumps(sorted({'mujoco', 'numba', 'scipy'} & set(sys.modules))))"
    out = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert json.loads(out) == []
