"""Features: invariant to place and heading, and back to the motion."""

import dataclasses

import numpy as np
import pytest

from rlsuite.errors import MotionError
from rlsuite.motion import editing, kinematics
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.features import PoseFeatures, from_6d, to_6d
from tests.motion.models import skeleton_named, swaying

SKELETON = skeleton_named("ours")
POINTS = ("left_toe", "head")


def walk(**kwargs) -> MotionClip:
    contacts = np.random.default_rng(0).random((60, 2)) > 0.5
    clip = swaying(SKELETON, 60, contacts=contacts, contact_names=("right_foot", "left_foot"), **kwargs)
    return editing.rotate(editing.translate(clip, (3.0, -2.0, 0.0)), 2.5)


@pytest.mark.parametrize("name", ["ours", "ant"])
def test_decoding_gives_the_clip_again(name: str) -> None:
    clip = editing.rotate(swaying(skeleton_named(name), 80), 1.0)
    features = PoseFeatures(clip.skeleton)
    start = (*clip.qpos[0, :2], float(rot.heading_angle(clip.qpos[0, 3:7])))
    again = features.decode(features.encode(clip), clip.fps, start)
    np.testing.assert_allclose(again[:, :3], clip.qpos[:, :3], atol=1e-9)
    position, quat = kinematics.forward(clip.skeleton, again)
    np.testing.assert_allclose(position, clip.bodies[0], atol=1e-6)
    np.testing.assert_allclose(rot.angle_between(quat, clip.bodies[1]), 0.0, atol=1e-6)
    np.testing.assert_allclose(again[:, 7:], clip.qpos[:, 7:], atol=1e-6)  # even the angles: they stay in one branch


def test_moving_and_turning_on_the_ground_changes_nothing() -> None:
    features = PoseFeatures(SKELETON, keypoints=POINTS, contacts=("left_foot",))
    clip = walk()
    moved = editing.rotate(editing.translate(clip, (-7.0, 4.0, 0.0)), -1.9, about=(1.0, 1.0, 0.0))
    np.testing.assert_allclose(features.encode(moved), features.encode(clip), atol=1e-9)


def test_each_number_is_what_its_name_says() -> None:
    features = PoseFeatures(SKELETON, keypoints=POINTS, contacts=("left_foot",))
    qpos = np.tile(SKELETON.rest_qpos, (31, 1))
    qpos[:, 1] = np.linspace(0.0, 2.0, 31)  # 2 m/s along Y, headed along Y: forward
    qpos[:, 3:7] = rot.from_axis_angle((0.0, 0.0, 1.0), np.pi / 2)
    contacts = np.arange(62).reshape(31, 2) % 3 == 0
    clip = MotionClip(qpos, 30.0, SKELETON, contacts=contacts, contact_names=("right_foot", "left_foot"))
    rows = dict(zip(features.names, features.encode(clip)[4], strict=True))
    assert len(features.names) == features.size == sum(s.stop - s.start for s in features.slices.values())
    assert rows["height"] == qpos[0, 2] and rows["contact left_foot"] == float(contacts[4, 1])
    assert (rows["velocity forward"], rows["velocity left"]) == (pytest.approx(2.0), pytest.approx(0.0, abs=1e-12))
    assert rows["yaw rate"] == pytest.approx(0.0, abs=1e-12)
    assert [rows[f"tilt {part}"] for part in ("xx", "xy", "yy")] == pytest.approx([1.0, 0.0, 1.0], abs=1e-12)
    toe = SKELETON.keypoints["left_toe"][1]
    assert rows["left_toe x"] == pytest.approx(toe[0]) and rows["left_toe y"] == pytest.approx(0.084887)
    turning = editing.at_frames(clip, np.arange(31))
    spin = rot.from_axis_angle((0.0, 0.0, 1.0), np.linspace(0.0, 8.0, 31))
    quat = np.concatenate((qpos[:, :3], spin, qpos[:, 7:]), axis=1)
    rates = features.encode(dataclasses.replace(turning, qpos=quat))[:, features.slices["yaw_rate"]]
    np.testing.assert_allclose(rates, 8.0, atol=1e-9)


def test_the_last_velocity_of_a_cycle_is_its_first() -> None:
    features, clip = PoseFeatures(SKELETON), walk(loop="wrap")
    rows = features.encode(clip)
    assert (rows[-1, features.slices["velocity"]] == rows[0, features.slices["velocity"]]).all()
    once = features.encode(dataclasses.replace(clip, loop="once"))
    assert (once[-1, features.slices["velocity"]] == once[-2, features.slices["velocity"]]).all()


def test_batches_decode_like_single_sequences_and_inexact_6d_gives_the_nearest_rotation() -> None:
    features, clip = PoseFeatures(SKELETON), walk()
    rows = features.encode(clip)
    both = features.decode(np.stack((rows, rows[::-1])), 30.0)
    np.testing.assert_allclose(both[0], features.decode(rows, 30.0), atol=1e-12)
    quat = rot.normalize(np.random.default_rng(0).normal(size=(50, 4)))
    np.testing.assert_allclose(rot.angle_between(from_6d(to_6d(quat)), quat), 0.0, atol=1e-7)
    stretched = to_6d(quat) * np.array([2.0, 2.0, 2.0, 0.3, 0.3, 0.3])
    np.testing.assert_allclose(rot.angle_between(from_6d(stretched), quat), 0.0, atol=1e-7)


def test_what_cannot_be_encoded_is_refused() -> None:
    with pytest.raises(MotionError, match="no free joint"):
        PoseFeatures(skeleton_named("hopper"))
    with pytest.raises(MotionError, match="no key point"):
        PoseFeatures(SKELETON, keypoints=("tail",))
    with pytest.raises(MotionError, match="touch the ground"):
        PoseFeatures(SKELETON, contacts=("head",)).encode(walk())
    with pytest.raises(MotionError, match="of skeleton"):
        PoseFeatures(SKELETON).encode(swaying(skeleton_named("ant"), 5))
    with pytest.raises(MotionError, match="features must be"):
        PoseFeatures(SKELETON).decode(np.zeros((5, 3)), 30.0)
