"""Limbs are parted where they overlap, smoothly and as little as need be, and nothing else is touched."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rlsuite.errors import SkeletonError
from rlsuite.motion import body, catalogue, kinematics
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.fields.energies import BodyEnergies
from rlsuite.motion.fields.untangling import untangled
from rlsuite.motion.mending import mend


@pytest.fixture(scope="module")
def energies():
    return BodyEnergies()


def gaps(energies, qpos):
    return energies.gaps(torch.tensor(np.array(qpos))).amin(-1).numpy()


@pytest.fixture(scope="module")
def stabbed():
    """A stand in which the left hand passes through the thigh about frame 30."""
    clip = catalogue.find("idle")
    qpos, share = clip.qpos[:60].copy(), np.exp(-0.5 * ((np.arange(60) - 30) / 6) ** 2)
    names = [joint.name for joint in clip.skeleton.joints]
    pose = {"left_shoulder_y": 0.2, "left_shoulder_x": -0.5, "left_shoulder_z": 0.8, "left_elbow": -0.9}
    for name, angle in pose.items():
        column = clip.skeleton.qpos_address[names.index(name)]
        qpos[:, column] += share * (angle - qpos[:, column])
    return replace(clip, qpos=qpos, loop="once", contacts=None, contact_names=())


def test_a_hand_is_led_around_the_body(energies, stabbed):
    qpos = untangled(stabbed, energies)
    before, after = gaps(energies, stabbed.qpos), gaps(energies, qpos)
    assert before.min() < -0.04 and after.min() > 0.0
    change = abs(qpos - stabbed.qpos).max(axis=1)
    assert change[before < 0].min() > 0 and change.max() < 0.25  # no more than it takes
    assert (change[:8] == 0).all() and (change[-8:] == 0).all()  # far from it, bit for bit
    assert np.array_equal(qpos[:, :7], stabbed.qpos[:, :7])
    bend = [abs(np.diff(q[:, 7:], 2, axis=0)).max() for q in (stabbed.qpos, qpos)]
    assert bend[1] < 1.5 * bend[0]
    low, high = stabbed.skeleton.qpos_range.T
    low, high = np.minimum(low, stabbed.qpos.min(axis=0)), np.maximum(high, stabbed.qpos.max(axis=0))
    assert (qpos >= low - 1e-12).all() and (qpos <= high + 1e-12).all()


def test_a_cycle_stays_a_cycle_and_its_standing_feet_stand(energies):
    clip = catalogue.find("run")  # whose swinging foot grazes the other shin
    qpos = untangled(clip, energies)
    assert gaps(energies, clip.qpos).min() < -0.01 and gaps(energies, qpos).min() > 0.0
    np.testing.assert_allclose(qpos[-1, 7:], qpos[0, 7:], atol=1e-5)
    feet = ("left_heel", "left_toe", "right_heel", "right_toe")
    moved = kinematics.keypoints(clip.skeleton, qpos, feet) - kinematics.keypoints(clip.skeleton, clip.qpos, feet)
    standing = np.repeat(energies.touching(clip.qpos)[:, [1, 0]], 2, axis=1)  # the skeleton's feet: right, left
    assert np.linalg.norm(moved, axis=-1)[standing].max() < 0.003


def test_without_overlap_the_clip_is_returned(energies):
    clip = catalogue.find("walk")
    assert untangled(clip, energies) is clip.qpos


@pytest.mark.slow
def test_mending_parts_limbs_where_asked(energies, stabbed):
    left, _ = mend(stabbed)
    mended, changes = mend(stabbed, limbs=True)
    assert "part limbs" in [change.step for change in changes if change.done]
    assert gaps(energies, left.qpos).min() < -0.04 and gaps(energies, mended.qpos).min() > -0.001


def test_other_bodies_need_energies_of_their_own():
    stranger = replace(body.skeleton(), shape=None)
    clip = MotionClip(np.tile(stranger.rest_qpos, (3, 1)), 30.0, stranger)
    with pytest.raises(SkeletonError, match="not the suite's humanoid"):
        untangled(clip)
