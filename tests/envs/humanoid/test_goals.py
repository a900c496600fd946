"""Goals: rewards by hand, rows as if alone, what was drawn put back, a ball that flies, bodies that lie, pushes."""

import inspect
from math import exp

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env

from rlsuite.envs import registered_ids
from rlsuite.envs.catalogue import summary
from rlsuite.envs.humanoid.env import HumanoidImitateEnv
from rlsuite.envs.humanoid.goals import GOALS
from rlsuite.envs.humanoid.goals.get_up import get_up_reward, lying_poses
from rlsuite.envs.humanoid.goals.goal import uniform
from rlsuite.envs.humanoid.goals.heading import heading_reward
from rlsuite.envs.humanoid.goals.location import location_reward
from rlsuite.envs.humanoid.goals.strike import strike_reward
from rlsuite.envs.humanoid.goals.throw import throw_reward
from rlsuite.envs.humanoid.kernels import entry_kernel
from rlsuite.envs.humanoid.state import empty_state
from rlsuite.errors import RlsuiteError
from rlsuite.motion.body import BodyShape

PLAIN, *IDS = registered_ids("humanoid")
ROW = np.arange(1)


def same(a, b):
    np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


# -- conformity ---------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("env_id", IDS)
def test_both_checks(env_id):
    check_env(gym.make(env_id, render_mode="rgb_array").unwrapped)
    sb3_check_env(gym.make(env_id))


def test_every_goal_has_an_id_and_a_page():
    specs = [gym.spec(env_id) for env_id in IDS]
    assert [spec.kwargs["goal"] for spec in specs] == list(GOALS)
    for spec in specs:
        page = gym.envs.registration.load_env_creator(spec.entry_point).__doc__
        assert page != HumanoidImitateEnv.__doc__
        for keyword, default in inspect.signature(GOALS[spec.kwargs["goal"]]).parameters.items():
            text = default.default if not isinstance(default.default, float) else f"{default.default:.3g}"
            assert f'"{keyword}": {text}'.replace("'", "") in page.replace('"right_foot"', "right_foot"), keyword
    assert len({summary(spec) for spec in specs}) == len(IDS)


# -- rows ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("env_id", IDS)
def test_row_i_is_the_single_environment_of_seed_plus_i(env_id, actions):
    n = 2
    vector = gym.make_vec(env_id, num_envs=n, autoreset_mode="NextStep", horizon=1.2, threads=2)
    singles = [gym.make(env_id, horizon=1.2) for _ in range(n)]
    observations, _ = vector.reset(seed=3)
    for i, single in enumerate(singles):
        same(single.reset(seed=3 + i)[0], observations[i])
    ended, episodes = np.zeros(n, bool), 0
    for action in actions(n, 80, scale=0.3):
        observations, rewards, terminated, truncated, info = vector.step(action)
        for i, single in enumerate(singles):
            if ended[i]:
                same(single.reset()[0], observations[i])
                continue
            answer = single.step(action[i])
            same(answer[0], observations[i])
            assert answer[1:4] == (rewards[i], terminated[i], truncated[i])
            assert answer[4] == {name: values[i] for name, values in info.items() if name[0] != "_"}
        ended = terminated | truncated
        episodes += ended.sum()
    assert episodes > 0


@pytest.mark.parametrize("env_id", IDS)
def test_the_same_seed_the_same_goals_and_states_put_back_go_on(env_id, actions):
    env = gym.make_vec(env_id, num_envs=3, autoreset_mode="Disabled", threads=1, terminate=())
    script = actions(3, 70, scale=0.3)
    env.reset(seed=5)
    memory = env.goal.memory.copy()
    for action in script[:30]:
        env.step(action)
    states = env.get_states()
    first = [env.step(action)[:2] for action in script[30:]]
    assert not np.array_equal(env.goal.memory[0], env.goal.memory[1])
    env.reset(seed=5)
    same(env.goal.memory, memory)
    env.set_states(states)
    for action, (observations, rewards) in zip(script[30:], first, strict=True):
        again = env.step(action)
        same(again[0], observations)
        same(again[1], rewards)


@pytest.mark.parametrize("goal", GOALS)
def test_terms_add_up_and_imitation_has_its_share(goal, make, actions):
    goal_env, plain = make(2, goal=goal, mix=(0.5, 2.0), terminate=()), make(2, terminate=())
    goal_env.reset(seed=0)
    _, rewards, _, _, info = goal_env.step(actions(2, 1)[0])
    np.testing.assert_allclose(rewards, sum(v for name, v in info.items() if name.startswith("reward/")), rtol=1e-12)
    found = goal_env.metrics()
    assert (f"env/reward/{goal}" in found) == (goal != "push")
    if goal in ("heading", "location", "strike"):  # which change neither the body nor its start
        plain.reset(seed=0)
        same(plain.step(actions(2, 1)[0])[4]["reward/pose"] * 0.5, info["reward/pose"])
        assert found[f"env/reward/{goal}"] == pytest.approx(info[f"reward/{goal}"].mean())


# -- rewards by hand ----------------------------------------------------------------------------------------------------


def reward(function, *arguments):
    out = np.zeros(1)
    function(ROW, *arguments, out)
    return out[0]


@pytest.mark.parametrize(("velocity", "expected"), [((1.0, 0.5, 9.0), 1.0), ((0.5, 0.0, 0.0), exp(-2.5 * 0.25))])
def test_heading(velocity, expected):
    memory = np.array([[0.0, 0.0, 0.0, 1.0, 0.0, 1.0]])  # forward, 1 m/s
    assert reward(heading_reward, np.array([velocity]), memory, 1.0) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("place", "velocity", "expected"),
    [
        ((2.0, 0.0), (1.0, 0.0), 0.6 * exp(-4.0) + 0.4),
        ((2.0, 0.0), (0.5, 0.7), 0.6 * exp(-4.0) + 0.4 * exp(-1.0)),
        ((2.0, 0.0), (-0.1, 0.0), 0.6 * exp(-4.0)),
        ((0.3, 0.0), (-1.0, 0.0), 0.6 * exp(-0.09) + 0.4),
    ],
)
def test_location(place, velocity, expected):
    state = empty_state(1, 35, 34, 15)
    state.com_velocity[0, :2] = velocity
    memory = np.array([[0.0, 0.0, 0.0, *place]])
    assert reward(location_reward, state, memory, 1.0, 1.0) == pytest.approx(expected, rel=1e-14)


def test_strike_counts_once_hit():
    position, memory = np.zeros((1, 15, 3)), np.array([[0.0, 0.0, 0.0, 0.5, 0.0, 1.0, 0.0]])
    position[0, 4] = 0.5, 0.3, 1.0
    assert reward(strike_reward, position, 4, memory, 0.2, 0.3) == pytest.approx(0.3 * exp(-4.0 * 0.09), rel=1e-14)
    position[0, 4] = 0.5, 0.1, 1.0
    assert reward(strike_reward, position, 4, memory, 0.2, 0.3) == 0.3
    position[0, 4] = 9.0, 0.0, 0.0
    assert reward(strike_reward, position, 4, memory, 0.2, 0.3) == 0.3


def test_throw_counts_the_nearest_place_of_the_flight():
    ball, held, memory = np.zeros((1, 7)), np.ones((1, 1)), np.zeros((1, 9))
    memory[0, 3:6] = 3.0, 0.0, 1.0
    assert reward(throw_reward, ball, held, memory, 0.2, 1.0) == 0.0
    held[0, 0] = 0.0
    for x in (2.0, 2.5, 9.0):
        ball[0, :3] = x, 0.0, 1.0
        expected = exp(-4.0 * min((3.0 - x) ** 2, 0.25 if x > 2.0 else 1.0))
        assert reward(throw_reward, ball, held, memory, 0.2, 1.0) == pytest.approx(expected, rel=1e-12)
    ball[0, :3] = 3.0, 0.1, 1.0
    assert reward(throw_reward, ball, held, memory, 0.2, 1.0) == 1.0


@pytest.mark.parametrize(
    ("height", "rotation", "expected"),
    [(1.4, (1, 0, 0, 0), 1.0), (0.35, (0.5**0.5, 0.5**0.5, 0, 0), 0.125), (1.4, (0, 0, 1, 0), 0.0)],
)
def test_get_up(height, rotation, expected):
    state = empty_state(1, 35, 34, 15)
    state.position[0, 2, 2], state.rotation[0, 1] = height, rotation
    assert reward(get_up_reward, state, 1, 2, 1.4, 1.0) == pytest.approx(expected, abs=1e-12)


# -- what happens -------------------------------------------------------------------------------------------------------


def test_draws_are_uniform_and_differ_from_row_to_row():
    @entry_kernel
    def fill(memory, out):
        for i in range(out.shape[0]):
            for k in range(out.shape[1]):
                out[i, k] = uniform(memory, i)

    memory, out = np.zeros((200, 3)), np.zeros((200, 200))
    memory[:, 0] = np.arange(200)  # nearly the same luck
    fill(memory, out)
    assert len(np.unique(out)) == out.size
    assert 0.0 <= out.min() < out.max() < 1.0
    counts = np.bincount((out.ravel() * 20).astype(int))
    assert ((counts - 2000) ** 2 / 2000).sum() < 50.8  # chi², 19 degrees of freedom: 1 in 10 000
    neighbours = np.corrcoef(out)[np.triu_indices(200, 1)]
    assert np.abs(neighbours).max() < 6.0 / np.sqrt(200)


def test_the_ball_is_held_and_then_flies(make):
    env = make(1, goal="throw", clip="wave", terminate=(), start="fixed")
    env.reset(seed=0)
    hand = env.reference.skeleton.body("right_hand")
    steps = round(0.5 * env.reference.duration / env.dt)
    for _ in range(steps):
        env.step(np.zeros((1, 28)))
        gap = np.linalg.norm(env.goal._ball[0][0, :3] - env.physics.state.position[0, hand])
        assert gap == pytest.approx(0.09, abs=0.01)
    before = env.goal._ball[0][0, :3].copy(), env.goal._ball[1][0, :3].copy()
    for _ in range(3):
        env.step(np.zeros((1, 28)))
    assert env.goal._held[0, 0] == 0.0
    t = 3 * env.dt
    fall = before[0] + t * before[1] + np.array([0.0, 0.0, -0.5 * 9.81 * t * t])
    assert before[0][2] > 0.3  # far above the floor
    np.testing.assert_allclose(env.goal._ball[0][0, :3], fall, atol=0.05)


@pytest.mark.parametrize("goal", ["heading", "location", "strike", "throw"])
def test_what_is_drawn_is_what_the_policy_sees(goal, make, actions):
    env = make(3, goal=goal)
    env.reset(seed=0)
    for action in actions(3, 10):
        observations = env.step(action)[0]
    seen, root = observations[:, env.observation.size :], env.physics.state.position[:, 0]
    points = env.goal.points()
    length = np.linalg.norm((points - root[:, None])[..., :2], axis=-1)
    if goal == "heading":
        np.testing.assert_allclose(length[:, 1], 0.55 + 0.5 * seen[:, 2], rtol=1e-5)  # longer for more speed
    else:
        far = seen[:, 2] if goal == "location" else np.linalg.norm(seen[:, :2], axis=1)
        np.testing.assert_allclose(length[:, 0], far, rtol=1e-5)
    if goal == "throw":
        np.testing.assert_allclose(
            np.linalg.norm(points[:, 1] - root, axis=1), np.linalg.norm(seen[:, 4:7], axis=1), rtol=1e-5
        )
    assert all(env.goal.marks(row) for row in points)


@pytest.mark.parametrize(("env_id", "drawn"), [*zip(IDS, (1, 1, 1, 1, 0, 0), strict=True), (PLAIN, 0)])
def test_the_goal_is_in_the_picture(env_id, drawn):
    env = gym.make(env_id, render_mode="rgb_array")
    env.reset(seed=3, options={"time": 0.0})
    red, green, blue = (env.render()[..., k].astype(int) for k in range(3))
    assert bool(((red > 120) & (green < 70) & (blue < 70)).sum() > 20) == bool(drawn)
    env.close()


def test_limp_bodies_lie_on_the_floor(make):
    poses = lying_poses(BodyShape())
    assert poses[:, 2].max() < 0.5
    env = make(16, goal="get_up", clip="idle", terminate=())
    env.reset(seed=1)
    head = env.reference.skeleton.body("head")
    assert env.physics.state.position[:, head, 2].max() < 0.7
    assert len(np.unique(env.physics.state.qpos[:, 10])) > 4
    assert not env.physics.state.qvel.any()


def test_no_newtons_are_no_goal(make, actions):
    plain, pushed = make(3, horizon=0.8), make(3, horizon=0.8, goal={"push": {"newtons": 0.0}})
    same(plain.reset(seed=2)[0], pushed.reset(seed=2)[0])
    for action in actions(3, 70):
        for a, b in zip(plain.step(action)[:4], pushed.step(action)[:4], strict=True):
            same(a, b)


def test_pushes_last_as_long_as_they_should(make):
    env = make(4, goal={"push": {"newtons": 30.0}}, terminate=())
    env.reset(seed=0)
    sizes = []
    for _ in range(300):
        env.step(np.zeros((4, 28)))
        sizes.append(np.linalg.norm(env.goal._force, axis=1))
    sizes = np.array(sizes)
    on = sizes > 0.0
    np.testing.assert_allclose(sizes[on], 30.0, rtol=1e-12)
    for row in on.T:
        edges = np.flatnonzero(np.diff(row.astype(int)))
        lengths = np.diff(edges)
        assert set(lengths[::2]) == {6}  # 0.2 s
        assert ((lengths[1::2] >= 30) & (lengths[1::2] <= 120)).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"goal": "haeding"}, "did you mean 'heading'"),
        ({"goal": {"push": {}, "strike": {}}}, "one goal at a time"),
        ({"goal": {"push": {"force": 1.0}}}, "'push' has no 'force'; it takes newtons"),
        ({"goal": {"push": {"newtons": -1.0}}}, "newtons must be a number of at least 0"),
        ({"goal": {"strike": {"part": "head"}}}, "part must be one of right_foot"),
        ({"goal": {"throw": {"release": 2.0}}}, "share of the clip"),
        ({"goal": "heading", "mix": (1.0,)}, "mix must be two weights"),
    ],
)
def test_wrong_goals_are_named(arguments, message, make):
    with pytest.raises(RlsuiteError, match=message):
        make(1, **arguments)
