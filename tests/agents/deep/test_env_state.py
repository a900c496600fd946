"""A run that is stopped and resumed in a new environment sees what it would have seen, to the last bit."""

import json
import subprocess
import sys
import warnings

import gymnasium as gym
import numpy as np
import pytest
import safetensors.numpy
from gymnasium import spaces, wrappers
from gymnasium.envs.classic_control import CartPoleEnv
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rlsuite  # noqa: F401 (registers the suite's environments)
from rlsuite.agents.deep.env_state import (
    EnvState,
    capture,
    capture_vector,
    register_adapter,
    restore,
    restore_vector,
)
from rlsuite.envs import registered_ids
from rlsuite.errors import RecordError

CLASSIC = ["CartPole-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Pendulum-v1", "Acrobot-v1"]
TOY_TEXT = [
    "FrozenLake-v1",
    "FrozenLake8x8-v1",
    "CliffWalking-v1",
    "CliffWalkingSlippery-v1",
    "Taxi-v4",
    "Blackjack-v1",
]
MUJOCO = [
    *("Ant-v5", "HalfCheetah-v5", "Hopper-v5", "Humanoid-v5", "HumanoidStandup-v5", "InvertedPendulum-v5"),
    *("InvertedDoublePendulum-v5", "Pusher-v5", "Reacher-v5", "Swimmer-v5", "Walker2d-v5"),
]


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch, tmp_path_factory):
    """MuJoCo writes MUJOCO_LOG.TXT to the current folder when HalfCheetah is made."""
    monkeypatch.chdir(tmp_path_factory.getbasetemp())


def through_files(state):
    """As a checkpoint keeps it."""
    arrays = safetensors.numpy.load(safetensors.numpy.save(state.arrays))
    return EnvState(arrays, json.loads(json.dumps(state.values, allow_nan=False)))


def bits(value):
    """Equal exactly when all bits and types are."""
    if isinstance(value, dict):
        return {key: bits(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(bits(item) for item in value)
    array = np.asarray(value)
    return type(value).__name__, array.dtype.str, array.shape, array.tobytes()


def play(env, actions):
    """What an agent sees: steps, and resets without a seed at the ends of episodes."""
    seen = []
    for action in actions:
        observation, reward, terminated, truncated, _ = env.step(action)
        seen.append(bits((observation, reward, terminated, truncated)))
        if terminated or truncated:
            seen.append(bits(env.reset()[0]))
    return seen


def assert_goes_on(make, k, m, seed=0):
    """``k`` steps, capture, ``m`` steps; a new environment, restore, the same ``m`` actions: the same."""
    env, other = make(), make()
    env.action_space.seed(seed)
    env.reset(seed=seed)
    play(env, [env.action_space.sample() for _ in range(k)])
    state = capture(env)
    assert isinstance(state, EnvState)
    state = through_files(state)
    actions = [env.action_space.sample() for _ in range(m)]
    expected = play(env, actions)
    restore(other, state)
    assert [bits(other.action_space.sample()) for _ in range(m)] == [bits(action) for action in actions]
    assert play(other, actions) == expected
    assert bits(env.unwrapped.np_random.random()) == bits(other.unwrapped.np_random.random())
    env.close()
    other.close()


@pytest.mark.parametrize("id", CLASSIC + TOY_TEXT + registered_ids())
@pytest.mark.parametrize("k", [0, 1, 47])
def test_goes_on(id, k):
    assert_goes_on(lambda: gym.make(id, max_episode_steps=30), k, 100, seed=k)


@pytest.mark.parametrize("id", MUJOCO)
@pytest.mark.parametrize("k", [0, 1, 23])
def test_mujoco_goes_on(id, k):
    assert_goes_on(lambda: gym.make(id, max_episode_steps=20), k, 30, seed=k)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(k=st.integers(0, 60), seed=st.integers(0, 2**32), id=st.sampled_from(["Hopper-v5", "Taxi-v4", "CartPole-v1"]))
def test_goes_on_from_any_step(k, seed, id):
    assert_goes_on(lambda: gym.make(id, max_episode_steps=40), k, 50, seed)


@pytest.mark.parametrize(("field", "id"), [("xpos", "Ant-v5"), ("xipos", "Humanoid-v5")])
def test_mujoco_needs_the_results_of_the_last_step(field, id):
    """They lag behind the positions: the first reward after a resume is wrong if they are computed anew."""
    import mujoco

    env, other = gym.make(id), gym.make(id)
    env.reset(seed=1)
    actions = np.random.default_rng(0).uniform(-0.3, 0.3, (6, *env.action_space.shape)).astype(np.float32)
    play(env, actions[:5])
    restore(other, through_files(capture(env)))
    lagging = getattr(other.unwrapped.data, field).copy()
    mujoco.mj_kinematics(other.unwrapped.model, other.unwrapped.data)
    mujoco.mj_comPos(other.unwrapped.model, other.unwrapped.data)
    assert not np.array_equal(getattr(other.unwrapped.data, field), lagging)
    assert other.step(actions[5])[1] != env.step(actions[5])[1]


def test_mujoco_needs_the_warm_start():
    """The contact solver starts from the accelerations of the step before, and does not converge to the last bit."""
    env, other, warm = (gym.make("Hopper-v5", terminate_when_unhealthy=False) for _ in range(3))
    env.reset(seed=1)
    actions = np.random.default_rng(0).uniform(-1, 1, (40, 3)).astype(np.float32)
    play(env, actions[:20])  # it stands on the floor
    for resumed in (other, warm):
        restore(resumed, capture(env))
    other.unwrapped.data.qacc_warmstart[:] = 0.0
    expected = play(env, actions[20:])
    assert play(warm, actions[20:]) == expected != play(other, actions[20:])


FRESH_PROCESS = """
import json, sys
import gymnasium as gym, numpy as np, safetensors.numpy
from rlsuite.agents.deep.env_state import EnvState, restore
folder = sys.argv[1]
state = EnvState(safetensors.numpy.load_file(folder + "/s.safetensors"), json.load(open(folder + "/s.json")))
env = gym.make("Hopper-v5", max_episode_steps=20)
restore(env, state)
for action in np.load(folder + "/actions.npy"):
    observation, reward, terminated, truncated, _ = env.step(action)
    print(observation.tobytes().hex(), float(reward).hex(), bool(terminated), bool(truncated))
    if terminated or truncated:
        print(env.reset()[0].tobytes().hex())
"""


def test_hopper_goes_on_in_another_process(tmp_path):
    env = gym.make("Hopper-v5", max_episode_steps=20)
    env.reset(seed=3)
    actions = np.random.default_rng(0).uniform(-1, 1, (60, 3)).astype(np.float32)
    play(env, actions[:15])
    state = capture(env)
    safetensors.numpy.save_file(state.arrays, tmp_path / "s.safetensors")
    (tmp_path / "s.json").write_text(json.dumps(state.values))
    np.save(tmp_path / "actions.npy", actions[15:])
    expected = []
    for action in actions[15:]:
        observation, reward, terminated, truncated, _ = env.step(action)
        expected.append(f"{observation.tobytes().hex()} {float(reward).hex()} {bool(terminated)} {bool(truncated)}")
        if terminated or truncated:
            expected.append(env.reset()[0].tobytes().hex())
    command = [sys.executable, "-c", FRESH_PROCESS, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines() == expected


def cartpole():
    return gym.make("CartPole-v1", max_episode_steps=30)


def pendulum():
    return gym.make("Pendulum-v1", max_episode_steps=30)


def pixels():
    env = gym.make("rlsuite/FourRooms-v0", render_mode="rgb_array", max_episode_steps=30)
    env = wrappers.GrayscaleObservation(wrappers.AddRenderObservation(env))
    return wrappers.FrameStackObservation(wrappers.ResizeObservation(env, (12, 12)), 3)


WRAPPED = {
    "RecordEpisodeStatistics": lambda: wrappers.RecordEpisodeStatistics(cartpole(), buffer_length=2),
    "Autoreset": lambda: wrappers.Autoreset(cartpole()),
    "FrameStack": lambda: wrappers.FrameStackObservation(cartpole(), 3),
    "FrameStack zero": lambda: wrappers.FrameStackObservation(cartpole(), 3, padding_type="zero"),
    "FrameStack of a dictionary": lambda: wrappers.FrameStackObservation(
        wrappers.TimeAwareObservation(cartpole(), flatten=False), 2
    ),
    "NormalizeObservation": lambda: wrappers.NormalizeObservation(pendulum()),
    "NormalizeReward": lambda: wrappers.NormalizeReward(pendulum()),
    "TimeAware": lambda: wrappers.TimeAwareObservation(cartpole()),
    "Delay": lambda: wrappers.DelayObservation(cartpole(), 3),
    "MaxAndSkip": lambda: wrappers.MaxAndSkipObservation(cartpole(), 3),
    "StickyAction": lambda: wrappers.StickyAction(cartpole(), 0.5, 3),
    "RepeatAction": lambda: wrappers.RepeatAction(cartpole(), 2),
    "ClipAction": lambda: wrappers.ClipAction(pendulum()),
    "RescaleAction": lambda: wrappers.RescaleAction(pendulum(), np.float32(-1.0), np.float32(1.0)),
    "Transform": lambda: wrappers.TransformObservation(cartpole(), lambda x: 2 * x, cartpole().observation_space),
    "Dtype": lambda: wrappers.DtypeObservation(wrappers.FlattenObservation(cartpole()), np.float64),
    "ClipReward": lambda: wrappers.ClipReward(pendulum(), -1.0, 0.0),
    "all": lambda: wrappers.NormalizeReward(
        wrappers.NormalizeObservation(
            wrappers.FrameStackObservation(wrappers.ClipAction(wrappers.RecordEpisodeStatistics(pendulum())), 2)
        )
    ),
    "pixels": pixels,
    "unchecked": lambda: gym.make("CartPole-v1", disable_env_checker=True),
}


@pytest.mark.filterwarnings("ignore:.*You are calling 'step.*:UserWarning")  # RepeatAction
@pytest.mark.parametrize("make", WRAPPED.values(), ids=WRAPPED.keys())
@pytest.mark.parametrize("k", [0, 1, 38])
def test_wrappers_go_on(make, k):
    assert_goes_on(make, k, 70, seed=k)


def test_statistics_go_on():
    env, other = WRAPPED["RecordEpisodeStatistics"](), WRAPPED["RecordEpisodeStatistics"]()
    env.reset(seed=0)
    play(env, [0, 1, 1] * 30)
    restore(other, through_files(capture(env)))
    for name in ("episode_count", "episode_returns", "episode_lengths", "return_queue", "length_queue"):
        assert getattr(other, name) == getattr(env, name)
    assert other.return_queue.maxlen == 2 and env.episode_count > 2


def test_generators_of_spaces_inside_spaces_go_on():
    class Nested(gym.Env):
        def __init__(self):
            self.action_space = spaces.Dict(a=spaces.Discrete(100), b=spaces.Tuple([spaces.Box(0, 1, (2,))]))
            self.observation_space = spaces.Discrete(1)

    register_adapter(Nested)
    env, other = Nested(), Nested()
    env.action_space.sample()
    restore(other, through_files(capture(env)))
    assert bits(other.action_space.sample()) == bits(env.action_space.sample())


# -- vector environments ----------------------------------------------------------------------------------------------------


def play_vector(env, actions):
    return [bits(env.step(action)[:4]) for action in actions]


VECTORS = {
    "native": lambda: gym.make_vec("CartPole-v1", 3, vectorization_mode="vector_entry_point", max_episode_steps=20),
    **{
        mode.value: lambda mode=mode: SyncVectorEnv([lambda: gym.make("Hopper-v5")] * 3, autoreset_mode=mode)
        for mode in (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP)
    },
}


@pytest.mark.parametrize("make", VECTORS.values(), ids=VECTORS.keys())
@pytest.mark.parametrize("k", [0, 25, 26])
def test_vector_environments_go_on(make, k):
    env, other = make(), make()
    env.action_space.seed(k)
    env.reset(seed=k)
    play_vector(env, [env.action_space.sample() for _ in range(k)])
    state = through_files(capture_vector(env))
    actions = [env.action_space.sample() for _ in range(60)]
    expected = play_vector(env, actions)
    restore_vector(other, state)
    assert play_vector(other, actions) == expected


def test_a_vector_state_of_another_size_is_refused():
    env, other = VECTORS["SameStep"](), SyncVectorEnv([cartpole])
    env.reset(seed=0)
    with pytest.raises(RecordError, match="SyncVectorEnv of 1"):
        restore_vector(other, capture_vector(env))
    native, larger = VECTORS["native"](), gym.make_vec("CartPole-v1", 4, vectorization_mode="vector_entry_point")
    native.reset(seed=0)
    with pytest.raises(RecordError):
        restore_vector(larger, capture_vector(native))


# -- what cannot be saved, and what is refused ------------------------------------------------------------------


class Remembering(gym.Wrapper):
    def __init__(self, env):
        super().__init__(env)
        self.total = 0.0

    def step(self, action):
        observation, reward, *rest = self.env.step(action)
        self.total += reward
        return observation, self.total, *rest


class Subclass(CartPoleEnv):
    """May keep more than CartPoleEnv does."""


class Hooked(Subclass):
    def state_arrays(self):
        return {"state": np.array(self.state)}

    def state_values(self):
        return {}

    def load_state(self, arrays, values):
        if arrays["state"].shape != (4,):
            raise RecordError("the state must be four numbers")
        self.state = arrays["state"]


def test_what_is_unknown_cannot_be_saved():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Box2D's bindings
        lander = gym.make("LunarLander-v3")
    for env in (Remembering(cartpole()), Subclass(), lander):
        env.reset(seed=0)
        assert capture(env) is None


def test_hooks_of_the_environment_make_it_savable():
    assert_goes_on(lambda: wrappers.TimeLimit(Hooked(), 20), 13, 50)


def test_a_registered_adapter_makes_it_savable():
    class Summing(Remembering):
        pass

    def put_back(layer, state):
        layer.total = state["total"]

    assert capture(Summing(cartpole())) is None
    register_adapter(Summing, lambda layer: {"total": layer.total}, put_back)
    assert_goes_on(lambda: Summing(cartpole()), 13, 50)
    register_adapter(lambda layer: type(layer) is Subclass, lambda env: {"state": env.state}, lambda env, s: None)
    assert isinstance(capture(Subclass()), EnvState)


def edited(state, replace):
    arrays = {name: replace(name, array) for name, array in state.arrays.items()}
    return EnvState({name: array for name, array in arrays.items() if array is not None}, state.values)


@pytest.mark.parametrize("id", ["CartPole-v1", "Acrobot-v1", "Hopper-v5", "Reacher-v5"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda name, array: None,
        lambda name, array: np.full_like(array, np.nan),
        lambda name, array: array[..., :-1],
        lambda name, array: np.zeros((*array.shape, 2), array.dtype),
        lambda name, array: array.astype(bool),
    ],
    ids=["missing", "nan", "short", "deep", "flags"],
)
def test_damaged_arrays_are_refused(id, damage):
    env = gym.make(id)
    env.reset(seed=0)
    env.step(env.action_space.sample())
    with pytest.raises(RecordError):
        restore(gym.make(id), edited(capture(env), damage))


@pytest.mark.parametrize(
    ("id", "other"),
    [
        ("CartPole-v1", "Pendulum-v1"),
        ("Hopper-v5", "Walker2d-v5"),
        ("FrozenLake8x8-v1", "FrozenLake-v1"),
        ("rlsuite/Cliff-v0", "rlsuite/FourRooms-v0"),
    ],
)
def test_the_state_of_another_environment_is_refused(id, other):
    env = gym.make(id)
    env.reset(seed=0)
    with pytest.raises(RecordError, match="is that of"):
        restore(gym.make(other), capture(env))


def test_other_wrappers_are_refused():
    env = cartpole()
    env.reset(seed=0)
    with pytest.raises(RecordError, match="not of Autoreset over TimeLimit"):
        restore(wrappers.Autoreset(cartpole()), capture(env))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def paths(node, path=()):
    """Every place in a tree of JSON."""
    yield path
    for key in node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        yield from paths(node[key], (*path, key))


@pytest.mark.parametrize("id", ["Taxi-v4", "Blackjack-v1", "rlsuite/BlockingMaze-v0", "CartPole-v1"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_a_file_holds_is_taken_or_refused(id, data):
    """One place of the JSON replaced by anything: RecordError or a state that can be stepped, and nothing else."""
    env, other = gym.make(id), gym.make(id)
    env.reset(seed=0)
    state = through_files(capture(env))
    path = data.draw(st.sampled_from([path for path in paths(state.values) if path]))
    parent = state.values
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = data.draw(json_values)
    try:
        restore(other, state)
    except RecordError:
        return
    assert isinstance(capture(other), EnvState)


def test_a_state_index_out_of_range_is_refused():
    env = gym.make("rlsuite/FourRooms-v0")
    env.reset(seed=0)
    for wrong in (-1, 10**6, 1.5, True, None, "3"):
        arrays, values = env.unwrapped.state_arrays(), env.unwrapped.state_values() | {"state": wrong}
        with pytest.raises(RecordError, match="states 0…"):
            env.unwrapped.load_state(arrays, values)
