"""The mirror: twice is nothing, physics and rewards do not notice it, and it is looked into where it should be."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from rlsuite.envs.humanoid.mirroring import asymmetry, of_actions, of_observations
from rlsuite.envs.humanoid.observations import PIECES
from rlsuite.errors import HyperparameterError
from rlsuite.motion import editing
from rlsuite.motion import rotations as rot
from rlsuite.motion.body import FEET
from rlsuite.motion.catalogue import find

SEEN = tuple(name for name in PIECES if name not in ("share", "phase"))


@pytest.mark.parametrize("mode", ["residual", "residual_force"])
def test_twice_is_nothing(make, mode):
    env = make(2, observe=(*SEEN, "phase"), frames=2, action_mode=mode)
    observations = env.reset(seed=0)[0]
    reflect = of_observations(env.reference.skeleton, env.observation, 2, env.actions.size)
    assert_array_equal(reflect(reflect(observations)), observations)
    assert not np.allclose(reflect(observations), observations, atol=0.1)
    actions = np.random.default_rng(0).uniform(-1.0, 1.0, (2, env.actions.size))
    reflect = of_actions(env.reference.skeleton, env.actions.size)
    assert_array_equal(reflect(reflect(actions)), actions)


@pytest.mark.parametrize("mode", ["absolute", "residual", "residual_force"])
def test_a_mirrored_body_with_mirrored_actions_performs_the_mirrored_clip(make, mode):
    clip = find("cartwheel")
    arguments = {"observe": SEEN, "frames": 2, "action_mode": mode, "terminate": ("tracking",), "self_collision": True}
    one, other = make(3, clip=clip, **arguments), make(3, clip=editing.mirror(clip), **arguments)
    skeleton = one.reference.skeleton
    reflect = of_observations(skeleton, one.observation, 2, one.actions.size)
    reflect_actions = of_actions(skeleton, one.actions.size)
    times = {"time": [0.1, 0.5, 0.9]}
    seen, mirrored = one.reset(seed=0, options=times)[0], other.reset(seed=0, options=times)[0]
    assert_allclose(mirrored, reflect(seen), atol=1e-4)
    for actions in np.random.default_rng(0).uniform(-0.5, 0.5, (5, 3, one.actions.size)):
        seen, rewards, failed, _, _ = one.step(actions)
        mirrored, others, others_failed, _, _ = other.step(reflect_actions(actions))
        assert_allclose(others, rewards, atol=1e-4)
        assert_array_equal(others_failed, failed)
    for place in (
        place for name, place in one.observation.places.items() if name in ("bodies", "rotations", "reference")
    ):
        assert_allclose(mirrored[:, place], reflect(seen)[:, place], atol=2e-3)


def test_the_second_half_of_a_cycle_is_seen_in_the_mirror(make):
    plain, mirrored = make(4), make(4, mirror=True)
    reflect = of_observations(plain.reference.skeleton, plain.observation, 1, 28)
    reflect_actions = of_actions(plain.reference.skeleton, 28)
    expected, seen = plain.reset(seed=0)[0], mirrored.reset(seed=0)[0]
    halves = []
    for actions in np.random.default_rng(0).uniform(-0.3, 0.3, (12, 4, 28)):
        second = plain.reference.phase(plain.times)[:, None] >= 0.5
        halves.append(second)
        assert_array_equal(seen, np.where(second, reflect(expected), expected))
        sine, cosine = seen[:, plain.observation.places["phase"]].T
        assert (np.arctan2(sine, cosine) >= -1e-6).all()
        expected, rewards, *_ = plain.step(actions)
        seen, others, *_ = mirrored.step(np.where(second, reflect_actions(actions), actions))
        assert_array_equal(others, rewards)
    assert 0.0 < np.mean(halves) < 1.0


def test_what_has_no_mirror(make):
    with pytest.raises(HyperparameterError, match="share"):
        make(1, mirror=True, observe=("joints", "share"))
    with pytest.raises(HyperparameterError, match="played once"):
        make(1, mirror=True, clip=replace(find("kick"), loop="once"))
    with pytest.raises(HyperparameterError, match="auto"):
        make(1, mirror="yes")


@pytest.mark.parametrize("observe", [("joints", "share"), (*SEEN, "phase")])
def test_a_body_that_leans_to_its_right_is_seen_in_the_mirror(make, observe):
    plain, mirrored = (make(6, clip="jump", observe=observe, mirror=mirror) for mirror in (False, "lean"))
    skeleton = plain.reference.skeleton
    reflect = of_observations(skeleton, plain.observation, 1, 28, later=False)
    reflect_actions = of_actions(skeleton, 28)
    expected, seen = plain.reset(seed=0)[0], mirrored.reset(seed=0)[0]
    leaning = []
    for actions in np.random.default_rng(0).uniform(-1.0, 1.0, (12, 6, 28)):
        state, feet = plain.physics.state, [skeleton.body(foot) for foot in FEET]
        away = state.com + 0.3 * state.com_velocity - state.position[:, feet].mean(axis=1)
        right = rot.rotate(rot.conjugate(rot.heading(state.rotation[:, 0])), away)[:, 1:2] < 0.0
        leaning.append(right)
        assert_array_equal(seen, np.where(right, reflect(expected), expected))
        expected, rewards, *_ = plain.step(actions)
        seen, others, *_ = mirrored.step(np.where(right, reflect_actions(actions), actions))
        assert_array_equal(others, rewards)
    assert 0.0 < np.mean(leaning) < 1.0


@pytest.mark.parametrize(
    ("clip", "mirror"), [("walk", "halves"), ("turn_left", "halves"), ("jump", "lean"), ("cartwheel", None)]
)
def test_auto_mirrors_what_is_its_own_mirror_image(make, clip, mirror):
    env = make(1, clip=clip, mirror="auto")
    assert env.mirror == mirror
    assert (asymmetry(env.reference) < 0.1) is (mirror == "halves")
    once = make(1, clip=replace(find(clip), loop="once"), mirror="auto").mirror
    assert once == ("lean" if asymmetry(env.reference, 0.0) < 0.1 else None)
    assert make(1, clip=clip, mirror="auto", observe=("joints", "share")).mirror == once
