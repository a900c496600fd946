"""Registration and :func:`make_env`: ids work in a fresh process, and every failure is one clear line."""

import subprocess
import sys

import gymnasium as gym
import pytest

from rlsuite.envs import make_env, registered_ids
from rlsuite.envs.registration import nearest_ids, register_envs
from rlsuite.errors import InvalidEnvironmentError, UnknownNameError


def python(*lines: str) -> str:
    command = [sys.executable, "-W", "error", "-c", "\n".join(lines)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_id_with_module_works_in_a_fresh_process():
    out = python(
        "import gymnasium as gym",
        "env = gym.make('rlsuite:rlsuite/FourRooms-v0')",
        "print(env.spec.id, env.reset(seed=0)[0])",
    )
    assert out.split() == ["rlsuite/FourRooms-v0", "0"]


def test_importing_the_suite_is_light():
    out = python(
        "import sys, rlsuite",
        "heavy = {'numba', 'torch', 'scipy', 'matplotlib', 'PIL', 'pygame', 'rlsuite.envs.finite.env'}",
        "print(sorted(heavy & set(sys.modules)))",
    )
    assert out.strip() == "[]"


def test_registering_twice_changes_nothing():
    before = dict(gym.registry)
    register_envs()
    assert dict(gym.registry) == before


@pytest.mark.parametrize("id", registered_ids())
def test_every_environment_has_a_time_limit_and_a_page(id):
    env = gym.make(id)
    assert env.spec.max_episode_steps > 0
    page = type(env.unwrapped).__doc__
    headings = ["Description", "Action Space", "Observation Space", "Rewards", "Starting State", "Episode End"]
    positions = [page.index(f"## {heading}") for heading in [*headings, "Arguments", "Version History"]]
    assert positions == sorted(positions)


@pytest.mark.parametrize("id", registered_ids())
def test_every_argument_is_on_the_page(id):
    import inspect

    environment = type(gym.make(id).unwrapped)
    arguments = [name for name in inspect.signature(environment).parameters if name != "render_mode"]
    page = environment.__doc__.split("## Arguments")[1]
    assert [name for name in arguments if f"`{name}" not in page] == []


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("CliffWalking-v0", "CliffWalking-v1"),
        ("CliffWalking-v9", "CliffWalking-v1"),
        ("cliffwalking", "CliffWalking-v1"),
        ("fourrooms", "rlsuite/FourRooms-v0"),
        ("FourRooms-v0", "rlsuite/FourRooms-v0"),
        ("rlsuit/FourRooms-v0", "rlsuite/FourRooms-v0"),
        ("rlsuite/FourRoms-v0", "rlsuite/FourRooms-v0"),
        ("FrozenLak-v1", "FrozenLake-v1"),
        ("rlsuite:rlsuite/Windy-v0", "rlsuite/WindyGridWorld-v0"),
    ],
)
def test_unknown_id_gets_the_nearest(wrong, right):
    with pytest.raises(UnknownNameError) as caught:
        make_env(wrong)
    assert caught.value.nearest[0] == right
    assert "\n" not in str(caught.value)


def test_other_version_comes_first():
    assert nearest_ids("CliffWalking-v0")[0] == "CliffWalking-v1"
    assert nearest_ids("cartpole")[0] == "CartPole-v1"


def test_nothing_near_an_unknown_id():
    with pytest.raises(UnknownNameError, match="unknown environment 'zzzzqqqq'"):
        make_env("zzzzqqqq")


def test_environment_of_a_package_that_is_not_imported_hints_at_the_module():
    with pytest.raises(UnknownNameError, match=r"list envs --all.*my_module:My-v0"):
        make_env("Elsewhere/Qqqq-v5")


def test_malformed_id():
    with pytest.raises(UnknownNameError, match=r"an id has the form"):
        make_env("what is this?")


def test_newest_version_is_the_default():
    assert make_env("rlsuite/Cliff").spec.id == "rlsuite/Cliff-v0"


def test_arguments_and_time_limit_reach_the_environment():
    env = make_env("rlsuite/WindyGridWorld-v0", moves=9, max_episode_steps=7)
    assert env.action_space.n == 9
    env.reset(seed=0)
    assert [env.step(8)[3] for _ in range(7)] == [False] * 6 + [True]


def test_unknown_argument_names_the_accepted_ones():
    with pytest.raises(InvalidEnvironmentError, match=r"no argument 'slipp'; it takes slip, step_reward, cliff_reward"):
        make_env("rlsuite/Cliff-v0", slipp=0.1)
    with pytest.raises(InvalidEnvironmentError, match=r"FrozenLake-v1 has no argument 'size'; it takes desc, map_name"):
        make_env("FrozenLake-v1", size=4)
    with pytest.raises(InvalidEnvironmentError, match="it takes none"):
        make_env("rlsuite/DynaMaze-v0", size=4)


def test_wrong_value_says_which_environment():
    with pytest.raises(InvalidEnvironmentError, match=r"rlsuite/Cliff-v0: slip must be a probability .* is 2"):
        make_env("rlsuite/Cliff-v0", slip=2)
    with pytest.raises(InvalidEnvironmentError, match=r"FrozenLake-v1 cannot be made with map_name='9x9': KeyError"):
        make_env("FrozenLake-v1", map_name="9x9")


def test_unknown_render_mode_names_the_known_ones():
    with pytest.raises(InvalidEnvironmentError, match="no render mode 'gif'; it has ansi, rgb_array, human"):
        make_env("rlsuite/Cliff-v0", render_mode="gif")


def test_environment_of_another_module(tmp_path, monkeypatch):
    (tmp_path / "somebodys_envs.py").write_text(
        "import gymnasium as gym\n"
        "gym.register('Mine-v0', entry_point='gymnasium.envs.toy_text.cliffwalking:CliffWalkingEnv')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    try:
        assert make_env("somebodys_envs:Mine-v0").observation_space.n == 48
        with pytest.raises(UnknownNameError) as caught:
            make_env("somebodys_envs:Mime-v0")
        assert caught.value.nearest[0] == "Mine-v0"
    finally:
        gym.registry.pop("Mine-v0", None)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        (None, "ModuleNotFoundError"),
        ("def broken(:", "SyntaxError"),
        ("import no_such_dependency", "no_such_dependency"),
    ],
)
def test_module_that_cannot_be_imported(tmp_path, monkeypatch, source, complaint):
    if source is not None:
        (tmp_path / "unimportable.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InvalidEnvironmentError, match=complaint) as caught:
        make_env("unimportable:Mine-v0")
    assert "'unimportable'" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("entry_point", ["no_such_module:Env", "rlsuite.envs.finite.gridworld:NoSuchEnv"])
def test_entry_point_that_cannot_be_imported(entry_point):
    gym.register("Broken-v0", entry_point=entry_point)
    try:
        with pytest.raises(InvalidEnvironmentError, match="cannot import"):
            make_env("Broken-v0")
    finally:
        gym.registry.pop("Broken-v0")


def _needs_a_simulator(**_kwargs):
    raise gym.error.DependencyNotInstalled("no simulator here,\n  install one")


def _is_picky(size=1):
    raise ValueError(f"size {size} is too\nsmall")


@pytest.mark.parametrize(
    ("creator", "complaint"),
    [
        (_needs_a_simulator, "Failing-v0 needs something that is not installed: no simulator here, install one"),
        (_is_picky, "Failing-v0 cannot be made with size=2: ValueError: size 2 is too small"),
    ],
)
def test_failure_of_the_constructor_is_one_line(creator, complaint):
    gym.register("Failing-v0", entry_point=creator)
    try:
        with pytest.raises(InvalidEnvironmentError) as caught:
            make_env("Failing-v0", size=2)
        assert str(caught.value).startswith(complaint)
        assert "\n" not in str(caught.value)
    finally:
        gym.registry.pop("Failing-v0")


@pytest.mark.parametrize("id", [":Cliff-v0", "a:b:Cliff-v0"])
def test_id_with_a_broken_module_part(id):
    with pytest.raises(InvalidEnvironmentError, match="cannot import module"):
        make_env(id)
