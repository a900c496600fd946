"""Feet that stand: their places on the ground, how far these may lie from where the source puts them, and what rolls."""

import numpy as np

from rlsuite.motion import body, contacts
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.quality import Limits, ground
from rlsuite.motion.quality.solids import Solids
from rlsuite.motion.retargeting import foot_locks, retarget

FPS = 100.0


def sole(n):
    """Our right foot flat on the ground for ``n`` frames: its points and their places, all points included."""
    skeleton = body.skeleton()
    points = contacts.sole_points(skeleton)
    places = np.tile(contacts.positions(skeleton, points, skeleton.rest_qpos), (n, 1, 1))
    places[..., 2] -= places[..., 2].min()
    right = np.array([point.foot == "right_foot" for point in points])
    return skeleton, points, places, right


def test_a_foot_that_slides_off_late_is_held_in_the_middle_of_its_way():
    """Its mean is where it stood longest, 3.3 cm from the end: too far; the middle of the way is 1.8 cm from both."""
    skeleton, points, places, right = sole(60)
    places[50:, right, 0] += 0.0036 * np.arange(1, 11)[:, None]
    touching = np.tile(right, (60, 1))
    locked, held = foot_locks.lock(skeleton, points, places, touching, FPS)
    np.testing.assert_array_equal(held, touching)
    np.testing.assert_allclose(locked[:, right, 0] - places[0, right, 0], 0.018, atol=1e-3)
    assert np.abs(np.diff(locked[:, right], axis=0)).max() == 0.0


def test_a_foot_that_slides_too_far_is_lifted_over():
    skeleton, points, places, right = sole(100)
    places[40:60, right, 1] += 0.004 * np.arange(1, 21)[:, None]
    places[60:, right, 1] += 0.08
    touching = np.tile(right, (100, 1))
    locked, held = foot_locks.lock(skeleton, points, places, touching, FPS)
    stances = contacts.runs(held[:, right].any(axis=1))
    assert len(stances) == 2 and stances[0][0] == 0 and stances[1][1] == 100
    for a, b in stances:
        assert np.ptp(locked[a:b, right], axis=0).max() < 1e-12
    assert np.linalg.norm((locked - places)[held][:, :2], axis=1).max() <= foot_locks.WANDER


def test_the_free_end_of_a_rolling_foot_keeps_its_distance():
    """It lands on its heel and slides on while the toe comes down, then stands: no place draws the heel along."""
    skeleton, points, places, right = sole(80)
    heel, toe = np.flatnonzero(right)
    length = np.linalg.norm(places[0, toe] - places[0, heel])
    pitch = 0.5 * np.clip(1.0 - np.arange(80) / 30.0, 0.0, 1.0)
    slide = 0.012 * np.clip(np.arange(80) / 30.0, 0.0, 1.0)
    places[:, heel, 0] += slide - slide[-1]
    places[:, toe] = places[:, heel] + length * np.stack((np.cos(pitch), 0.0 * pitch, np.sin(pitch)), axis=1)
    touching = np.tile(right, (80, 1))
    touching[:30, toe] = False
    locked, held = foot_locks.lock(skeleton, points, places, touching, FPS)
    np.testing.assert_array_equal(held, touching)
    assert np.ptp(locked[:, heel], axis=0).max() < 1e-12
    np.testing.assert_allclose(np.linalg.norm(locked[:, toe] - locked[:, heel], axis=1), length, atol=1e-4)


def test_feet_stand_still_between_the_frames_that_are_searched_for():
    """Stepping from foot to foot at 480 frames per second, of which a quarter is retargeted."""
    skeleton = body.skeleton()
    phase = 2.0 * np.pi * np.arange(481) / 480
    qpos = np.tile(skeleton.rest_qpos, (481, 1))
    qpos[:, 0] = 0.01 * phase
    names = [joint.name for joint in skeleton.joints]
    for side, lift in (("right", np.sin(phase)), ("left", -np.sin(phase))):
        bend = 0.8 * np.maximum(0.0, lift) ** 2
        for name, share in (("hip_y", -1.0), ("knee", 2.0), ("ankle_y", -1.0)):
            qpos[:, skeleton.qpos_address[names.index(f"{side}_{name}")]] = share * bend
    result = retarget(MotionClip(qpos, 480.0, skeleton)).clip
    assert result.fps == 480.0
    assert 0.2 < result.contacts.mean() < 0.9
    solids = Solids(body.model(), result)
    for foot, speed in ground.slide(result, solids, Limits()).items():
        stands = contacts.labels_of(result, foot)
        assert np.nanmax(speed[stands[1:] & stands[:-1]]) < 0.01
