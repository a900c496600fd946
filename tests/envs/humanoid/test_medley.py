"""Several clips: which they are, how one follows another, and that rows, states, mirrors and checkers know of them."""

import json
import warnings
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from stable_baselines3.common.env_checker import check_env as sb3_check_env

from rlsuite.agents.deep.env_state import EnvState, capture_vector, restore_vector
from rlsuite.envs.humanoid.medley import Medley, clips_of
from rlsuite.envs.humanoid.mirroring import of_actions
from rlsuite.envs.humanoid.reference import Reference
from rlsuite.envs.humanoid.starts import Starts
from rlsuite.errors import HyperparameterError, RecordError, RlsuiteError
from rlsuite.motion import body
from rlsuite.motion import rotations as rot
from rlsuite.motion.catalogue import find

ID = "rlsuite/HumanoidImitate-v0"
ONCE = replace(find("kick"), loop="once")
SELECTOR = {"clip": ("walk", "run"), "multi": "selector", "interval": (0.0, 0.5)}
MAX = {"clip": ["walk", ONCE, "turn_left"], "multi": "max", "goal": "heading", "frames": 2}
BOTH = {"selector": SELECTOR, "max": MAX}


@pytest.fixture(scope="module")
def references(walk):
    return walk, Reference(find("turn_left")), Reference(ONCE)


def test_which_clips_are_meant():
    walk, run = find("walk"), find("run")
    for given_, names in (
        ("walk", ["walk"]),
        (walk, ["walk"]),
        ("walk, run", ["walk", "run"]),
        ([walk, "run"], ["walk", "run"]),
    ):
        assert [clip.name for clip in clips_of(given_)] == names
    assert clips_of((walk, run)) == (walk, run)
    with pytest.raises(HyperparameterError, match="or several"):
        clips_of([])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"clip": ["walk", "run"]}, '2 clips need multi="max" or multi="selector"'),
        ({"multi": "max"}, "multi='max' needs several clips"),
        ({"clip": "walk,run", "multi": "selctor"}, "did you mean 'selector'"),
        ({"clip": "walk,rnu", "multi": "selector"}, "did you mean 'run'"),
        ({"clip": ["wave", "kick"], "multi": "max", "goal": "throw"}, "goal 'throw' is for one clip, not for 2"),
        ({**SELECTOR, "interval": (3.0, 2.0)}, "interval must be seconds"),
        ({**SELECTOR, "interval": "often"}, "interval must be seconds"),
        ({**MAX, "goal": None, "mirror": True}, "played once"),
    ],
)
def test_wrong_arguments_are_named(arguments, message, make):
    with pytest.raises(RlsuiteError, match=message):
        make(1, **arguments)


def test_bodies_of_different_shapes_are_refused():
    clip = find("walk")
    other = replace(clip, skeleton=body.skeleton(body.BodyShape(legs=1.2)))
    with pytest.raises(HyperparameterError, match="different shapes"):
        clips_of([clip, other])


def test_what_a_medley_has_not(make):
    env = make(1, **SELECTOR)
    with pytest.raises(HyperparameterError, match="demonstrations are of one clip"):
        _ = env.demonstrations
    with pytest.raises(RlsuiteError, match="there are walk, run"):
        env.reset(seed=0, options={"clip": "kick"})
    with pytest.raises(RlsuiteError, match="there are walk, run"):
        env.reset(seed=0, options={"clip": 2})
    with pytest.raises(HyperparameterError, match="selector"):
        make(1).ask("walk")


@pytest.mark.parametrize("facing", [False, True])
@pytest.mark.parametrize("sync", [False, True])
def test_the_next_cycle_begins_where_the_body_is(references, sync, facing):
    """No physics: the body is put somewhere, and every clip comes to its end once."""
    n = len(references)
    clock = Medley(references, n, frames=2, seconds=0.05, sync=sync, limit=np.inf, facing=facing)
    rows, last = np.arange(n), clock.durations - 0.03
    clock.begin(rows, np.arange(n), last, np.zeros(n))
    clock.look_ahead(rows)
    elsewhere = references[0].states(np.full(n, 0.4))  # a body in another place, turned
    elsewhere.position[:, 0, :2] += [[5.0, 1.0], [-2.0, 3.0], [0.0, -4.0]]
    turn = np.array([1.0, -2.0, 3.0])
    elsewhere.rotation[:] = rot.multiply(rot.exp(turn[:, None, None] * [0.0, 0.0, 1.0]), elsewhere.rotation)
    coming = [array.copy() for array in clock.future[0]]
    clock.advance(rows, elsewhere)
    assert_allclose(clock.times, 0.02, atol=1e-12)
    where = elsewhere.position if sync else coming[2]
    assert_allclose(clock.now.position[:, 0, :2], where[:, 0, :2], atol=1e-12)
    wanted = elsewhere if facing else clock.now._replace(rotation=coming[3])
    turned = [rot.heading_angle(state.rotation[:, 0]) for state in (clock.now, wanted)]
    assert_allclose(np.exp(1j * (turned[0] - turned[1])), 1.0, atol=1e-12)
    # apart from place and heading it is the clip's own state at that time, velocities in its own heading
    for k, reference in enumerate(references):
        own = reference.states(np.array([0.02]))
        assert_allclose(clock.now.qpos[k, 7:], own.qpos[0, 7:], atol=1e-12)
        assert_allclose(clock.now.position[k, :, 2], own.position[0, :, 2], atol=1e-12)
        back = [rot.conjugate(rot.heading(state.rotation[i : i + 1, :1])) for state, i in ((clock.now, k), (own, 0))]
        assert_allclose(
            rot.rotate(back[0], clock.now.velocity[k : k + 1]), rot.rotate(back[1], own.velocity), atol=1e-9
        )
        assert_allclose(rot.rotate(back[0], clock.now.spin[k : k + 1]), rot.rotate(back[1], own.spin), atol=1e-9)
        assert_allclose(clock.now.qpos[k, 3:7], clock.now.rotation[k, 0], atol=0.0)


def test_a_cycle_followed_exactly_goes_on_as_one_clip_would(references):
    """Steps through three cycles of a turning walk whose body is the reference: the same path as of the single clip."""
    reference = references[1]
    clock = Medley([reference], 1, frames=1, seconds=0.05, sync=True, limit=np.inf)
    rows = np.arange(1)
    clock.begin(rows, rows, np.array([0.2]), np.zeros(1))
    for step in range(1, 80):
        clock.look_ahead(rows)
        clock.advance(rows, clock.future[0])
        expected = reference.states(np.array([0.2 + 0.05 * step]))
        assert_allclose(clock.now.position, expected.position, atol=1e-9)
        assert_allclose(clock.now.velocity, expected.velocity, atol=1e-6)
        assert_allclose(clock.phase(), reference.phase(np.array([0.2 + 0.05 * step])), atol=1e-9)


@given(luck=st.lists(st.floats(0.0, 1.0, exclude_max=True), min_size=1, max_size=5))
@settings(max_examples=25, deadline=None)
def test_each_clip_is_as_likely_and_its_times_are_those_of_its_own_start(luck):
    clips = clips_of("walk,run,idle")
    starts, one = Starts("uniform", clips), Starts("uniform", clips[:1])
    which, times = starts.draw(np.array(luck))
    for u, k, time in zip(luck, which, times, strict=True):
        assert k == int(3 * u)
        assert time == Starts("uniform", [clips[k]]).draw(np.array([3 * u - k]))[1][0]
    assert_array_equal(one.draw(np.array(luck))[0], 0)


def test_failures_are_counted_by_clip():
    clips = clips_of("walk,run")
    starts = Starts("failures", clips)
    starts.failed(np.array([1, 1, 0]), np.array([0.1, 0.6, 0.3]))
    alone = [Starts("failures", [clip]) for clip in clips]
    alone[0].failed(np.array([0]), np.array([0.3]))
    alone[1].failed(np.array([0, 0]), np.array([0.1, 0.6]))
    saved = starts.state_arrays()
    for k in range(2):
        assert_array_equal(saved[f"{k}.failures"], alone[k].state_arrays()["failures"])
        assert saved[f"{k}.failures"].any()
    other = Starts("failures", clips)
    other.load_state(saved)
    assert_array_equal(other.draw(np.array([0.2, 0.7]))[1], starts.draw(np.array([0.2, 0.7]))[1])
    with pytest.raises(RecordError, match="failures of"):
        other.load_state(alone[0].state_arrays())


def test_what_may_touch_the_floor_depends_on_the_clip(make):
    """A cartwheel comes down on its hands, a walk does not."""
    env = make(2, clip=["walk", "cartwheel"], multi="selector", interval=None)
    skeleton = env.reference.skeleton
    hand = skeleton.body("left_hand")
    env.reset(seed=0)
    env.clock.which[:] = [0, 1]
    env.physics.touching[:, hand] = True
    failed = np.zeros(2, bool)
    env.terminations(type("S", (), {"touching": env.physics.touching})(), np.arange(2), failed)
    assert failed.tolist() == [True, False]


@pytest.mark.parametrize("kind", BOTH)
def test_states_put_back_go_on_to_the_last_bit(make, actions, kind):
    env = make(3, autoreset_mode="Disabled", terminate=(), **BOTH[kind])
    env.reset(seed=0)
    script = actions(3, 40, scale=0.3)
    for action in script[:10]:
        env.step(action)
    states = env.get_states()
    first = [env.step(action) for action in script[10:]]
    env.set_states(states)
    again = [env.step(action) for action in script[10:]]
    for a, b in zip(first, again, strict=True):
        for x, y in zip(a[:4], b[:4], strict=True):
            assert_array_equal(x, y)
        assert_array_equal(a[4]["clip"], b[4]["clip"])
    assert len({tuple(a[4]["clip"]) for a in first}) > 1  # clips changed on the way
    env.set_states(states[[2]], np.array([0]))
    for t, action in enumerate(script[10:]):
        assert_array_equal(env.step(action[[2, 1, 2]])[0][0], first[t][0][2])
    wrong = states.copy()
    wrong[:, env.physics.batch.nstate + (6 if kind == "selector" else 2)] = 7.0
    with pytest.raises(RecordError, match="none of the"):
        env.set_states(wrong)


@pytest.mark.parametrize("kind", BOTH)
def test_a_saved_environment_goes_on_as_if_never_stopped(kind, actions):
    make = lambda: gym.make_vec(ID, num_envs=3, start="failures", horizon=0.7, **BOTH[kind])  # noqa: E731
    env, script = make(), actions(3, 60, scale=1.0)
    env.reset(seed=4)
    for action in script[:30]:
        env.step(action)
    saved = capture_vector(env)
    values = json.loads(json.dumps(saved.values))
    first = [env.step(action)[:4] for action in script[30:]]
    other = make()
    restore_vector(other, EnvState(saved.arrays, values))
    for action, expected in zip(script[30:], first, strict=True):
        for x, y in zip(other.step(action)[:4], expected, strict=True):
            assert_array_equal(x, y)


@pytest.mark.parametrize("kind", BOTH)
def test_simulate_is_stepping(make, actions, kind):
    env = make(1, autoreset_mode="Disabled", terminate=(), **BOTH[kind])
    env.reset(seed=3)
    plan = actions(2, 8, seed=2, scale=0.5).swapaxes(0, 1)
    state = env.get_states()[0]
    rewards = env.simulate(state, plan)
    for k in range(2):
        env.set_states(state[None])
        assert_array_equal(rewards[k], [env.step(plan[k, t][None])[1][0] for t in range(8)])


@pytest.mark.parametrize("kind", BOTH)
def test_the_mirror_shows_every_piece_reflected(make, kind):
    arguments = {**BOTH[kind], "goal": None, "terminate": (), "mix": None}
    if kind == "max":
        arguments["clip"] = ["walk", "run", "turn_left"]
    plain, mirrored = make(4, **arguments), make(4, mirror=True, **arguments)
    assert mirrored.mirror == "halves"
    reflect_actions = of_actions(plain.reference.skeleton, 28)
    expected, seen = plain.reset(seed=0)[0], mirrored.reset(seed=0)[0]
    halves = []
    for actions in np.random.default_rng(0).uniform(-0.3, 0.3, (12, 4, 28)):
        second = plain.clock.phase()[:, None] >= 0.5
        halves.append(second)
        assert_array_equal(seen, np.where(second, mirrored._reflect(expected), expected))
        assert_array_equal(mirrored._reflect(mirrored._reflect(expected)), expected)
        assert_array_equal(mirrored._reflect(expected)[:, -2:], expected[:, -2:])  # which clip is no matter of sides
        expected, rewards, *_ = plain.step(actions)
        seen, others, *_ = mirrored.step(np.where(second, reflect_actions(actions), actions))
        assert_array_equal(others, rewards)
    assert 0.0 < np.mean(halves) < 1.0


def test_auto_mirrors_where_all_clips_agree(make):
    assert make(1, **SELECTOR, mirror="auto").mirror == "halves"
    assert make(1, clip=["jump", "squat"], multi="max", mirror="auto").mirror == "lean"
    assert make(1, clip=["walk", "jump"], multi="selector", mirror="auto").mirror is None
    assert make(1, **MAX, mirror="auto").mirror is None  # a goal is seen


@pytest.mark.parametrize("kind", BOTH)
def test_what_the_checkers_ask(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice against infinite bounds
        check_env(gym.make(ID, **BOTH[kind]).unwrapped, skip_render_check=True)
        sb3_check_env(gym.make(ID, **BOTH[kind]))
