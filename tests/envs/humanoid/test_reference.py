"""The reference against the clip itself, kinematics and differences in time."""

from dataclasses import replace

import numpy as np
import pytest

from rlsuite.envs.humanoid.reference import Reference
from rlsuite.errors import MotionError, SkeletonError
from rlsuite.motion import body, kinematics
from rlsuite.motion import rotations as rot
from rlsuite.motion.catalogue import find
from rlsuite.motion.skeleton import Skeleton

TIMES = np.array([0.0, 0.1, 0.5432, 1.0, 1.7, 5.3, 23.9])


@pytest.mark.parametrize("name", ["walk", "turn_left", "jump"])
def test_poses_are_the_clips(name):
    clip = find(name)
    reference = Reference(clip)
    state = reference.states(TIMES)
    expected = clip.sample(TIMES)
    np.testing.assert_allclose(state.qpos[:, :3], expected[:, :3], atol=2e-3)
    np.testing.assert_allclose(rot.angle_between(state.qpos[:, 3:7], expected[:, 3:7]), 0.0, atol=5e-3)
    np.testing.assert_allclose(state.qpos[:, 7:], expected[:, 7:], atol=1e-2)
    position, quat = kinematics.forward(clip.skeleton, state.qpos)
    np.testing.assert_allclose(state.position, position, atol=2e-3)
    np.testing.assert_allclose(rot.angle_between(state.rotation, quat), 0.0, atol=1e-2)


@pytest.mark.parametrize("name", ["walk", "turn_left"])
def test_velocities_are_those_of_the_motion(name):
    """Over 0.2 s the mean velocity is the change of place: nothing is lost at the seam or in later cycles."""
    reference = Reference(find(name))
    times = np.linspace(0.2, 6.7, 14)
    fine = times[:, None] + np.linspace(0.0, 0.2, 81)
    many = reference.states(fine.ravel())
    for place, speed in ((many.position, many.velocity), (many.com, many.com_velocity)):
        place, speed = (array.reshape(14, 81, -1) for array in (place, speed))
        moved = place[:, -1] - place[:, 0]
        integral = 0.2 / 80 * (speed.sum(axis=1) - 0.5 * (speed[:, 0] + speed[:, -1]))
        np.testing.assert_allclose(integral, moved, atol=8e-3)  # frame velocities are means over two steps


def test_the_centre_of_mass_is_the_masses_mean(walk):
    state = walk.states(np.array([0.4]))
    model = body.model()
    offsets, masses = model.body_ipos[1:], model.body_mass[1:]
    centres = state.position[0] + rot.rotate(state.rotation[0], offsets)
    np.testing.assert_allclose(state.com[0], masses @ centres / masses.sum(), atol=1e-3)


def test_a_cycle_goes_on_where_it_ended(walk):
    shift = walk.clip.qpos[-1, :2] - walk.clip.qpos[0, :2]
    first, third = walk.states(np.array([0.3])), walk.states(np.array([0.3 + 2 * walk.duration]))
    np.testing.assert_allclose(
        third.position[..., :2] - first.position[..., :2], np.broadcast_to(2 * shift, (1, 15, 2)), atol=1e-12
    )
    np.testing.assert_allclose(third.velocity, first.velocity, atol=1e-9)
    before, after = walk.states(np.array([walk.duration - 1e-9])), walk.states(np.array([walk.duration + 1e-9]))
    np.testing.assert_allclose(before.position, after.position, atol=1e-6)


def test_offsets_move_everything_on_the_ground(walk):
    here, there = walk.states(np.array([0.3])), walk.states(np.array([0.3]), np.array([[2.0, -1.0]]))
    for name in ("position", "com"):
        moved = getattr(there, name) - getattr(here, name)
        np.testing.assert_allclose(moved, np.broadcast_to((2.0, -1.0, 0.0), moved.shape), atol=1e-12)
    np.testing.assert_allclose(there.qpos[0, :2] - here.qpos[0, :2], (2.0, -1.0))
    np.testing.assert_array_equal(there.velocity, here.velocity)


def test_a_clip_played_once_holds_its_end():
    clip = replace(find("walk"), loop="once")
    reference = Reference(clip)
    after = reference.states(np.array([clip.duration + 3.0]))
    np.testing.assert_allclose(after.qpos[0], clip.qpos[-1], atol=1e-9)
    assert not after.qvel.any()
    assert not after.velocity.any()
    assert not after.com_velocity.any()
    assert reference.phase(np.array([-1.0, 0.0, clip.duration / 4, 99.0])).tolist() == [0.0, 0.0, 0.25, 1.0]


def test_parts_that_the_clip_brings_to_the_floor():
    names = np.array(body.skeleton().body_names)
    assert set(names[Reference(find("walk")).touching]) == {"left_foot", "right_foot"}
    assert {"left_hand", "right_hand"} <= set(names[Reference(find("cartwheel")).touching])


def test_what_cannot_be_imitated():
    clip = find("walk")
    with pytest.raises(MotionError, match="single pose"):
        Reference(replace(clip, qpos=clip.qpos[:1], loop="once", contacts=None, startable=None, confidence=None))
    stranger = Skeleton.from_dict({**clip.skeleton.to_dict(), "shape": None})
    with pytest.raises(SkeletonError, match="retarget"):
        Reference(replace(clip, skeleton=stranger))
