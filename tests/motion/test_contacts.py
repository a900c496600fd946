"""Contacts of soles whose heights and speeds are made up, so that the right labels are known."""

import numpy as np
import pytest

from rlsuite.errors import MotionError
from rlsuite.motion import body, contacts
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.contacts import Thresholds
from rlsuite.motion.skeleton import Joint, Skeleton

LIMITS = Thresholds(height=0.03, leave_height=0.05, speed=0.15, leave_speed=0.4, shortest=0.05, gap=0.03)


def labels(heights, speeds, fps=100.0):
    return contacts.label(np.array([heights]).T, np.array([speeds]).T, fps, LIMITS)[:, 0].tolist()


def test_a_stretch_between_the_thresholds_touches_only_where_it_somewhere_rests():
    between = [0.04] * 10
    assert labels(between, [0.0] * 10) == [False] * 10
    rests = [*between[:5], 0.0, *between[6:]]
    assert labels(rests, [0.0] * 10) == [True] * 10
    fast = [0.3] * 5 + [0.2] + [0.3] * 4  # low for a moment, but never slow
    assert labels(rests, fast) == [False] * 10


def test_leaving_by_height_or_by_speed():
    high = [0.0] * 10 + [0.06] * 10
    assert labels(high, [0.0] * 20) == [True] * 10 + [False] * 10
    assert labels([0.0] * 20, [0.0] * 10 + [0.5] * 10) == [True] * 10 + [False] * 10


def test_short_gaps_close_and_short_contacts_go():
    up = 0.2
    assert labels([0.0] * 10 + [up] * 3 + [0.0] * 10, [0.0] * 23) == [True] * 23
    assert labels([0.0] * 10 + [up] * 4 + [0.0] * 10, [0.0] * 24) == [True] * 10 + [False] * 4 + [True] * 10
    assert labels([up] * 10 + [0.0] * 4 + [up] * 10, [0.0] * 24) == [False] * 24
    assert labels([up] * 10 + [0.0] * 5 + [up] * 10, [0.0] * 25) == [False] * 10 + [True] * 5 + [False] * 10


def test_a_contact_cut_by_the_ends_of_the_clip_stays_however_short():
    assert labels([0.0] * 2 + [0.2] * 20 + [0.0] * 2, [0.0] * 24) == [True] * 2 + [False] * 20 + [True] * 2


def test_the_ground_is_where_the_lowest_point_stands():
    rng = np.random.default_rng(0)
    heights = 0.7 + np.stack([np.repeat([0.0, 0.3], 50), np.repeat([0.3, 0.0], 50)], axis=1)
    noisy = heights + rng.normal(0, 0.002, heights.shape)
    assert contacts.ground_height(noisy, np.zeros_like(heights)) == pytest.approx(0.7, abs=0.002)
    fast = np.where(heights < 0.8, 3.0, 0.0)  # it runs through what is low, and rests nowhere else
    assert contacts.ground_height(heights, fast) == pytest.approx(0.7)


def test_runs():
    assert contacts.runs([1, 1, 0, 1, 0, 0, 1]) == [(0, 2), (3, 4), (6, 7)]
    assert contacts.runs([0, 0]) == []
    assert contacts.runs([]) == []


def test_slide_is_the_horizontal_speed_of_what_touches():
    t = np.arange(5) / 10.0
    places = np.stack((np.stack((3.0 * t, 4.0 * t, 9.0 * t), axis=1), np.zeros((5, 3))), axis=1)
    touching = np.array([[1, 0], [1, 0], [0, 0], [1, 1], [1, 1]], bool)
    np.testing.assert_allclose(contacts.slide(places, touching, 10.0), [5.0, 5.0, 0.0])


def test_speed_of_uniform_motion():
    places = np.arange(6)[:, None, None] * np.array([0.3, 0.0, 0.4])
    np.testing.assert_allclose(contacts.speeds(places, 20.0), np.full((6, 1), 10.0))
    assert contacts.speeds(places[:1], 20.0).tolist() == [[0.0]]


def test_soles_of_our_body_are_heel_and_toe_on_the_ground():
    skeleton = body.skeleton()
    points = contacts.sole_points(skeleton)
    assert [p.foot for p in points] == ["right_foot"] * 2 + ["left_foot"] * 2
    assert [p.clearance for p in points] == pytest.approx([0.0] * 4, abs=1e-9)
    np.testing.assert_allclose(contacts.positions(skeleton, points, skeleton.rest_qpos)[:, 2], 0.0, atol=1e-6)


def test_soles_without_key_points_are_the_foot_and_what_hangs_on_it():
    joints = (Joint("root", "free", 0), Joint("foot", "ball", 1), Joint("toe", "ball", 2))
    offsets = np.array([[0, 0, 0.5], [0, 0, -0.4], [0.15, 0, -0.07]])
    tree = Skeleton(
        "x", ("root", "foot", "toe"), (-1, 0, 1), offsets, np.tile([1.0, 0, 0, 0], (3, 1)), joints, {}, feet=("foot",)
    )
    points = contacts.sole_points(tree)
    assert [(p.body, pytest.approx(p.clearance)) for p in points] == [(1, 0.07), (2, 0.0)]


def test_a_hopping_body_stands_between_hops():
    skeleton = body.skeleton()
    t = np.arange(240) / 60.0
    qpos = np.tile(skeleton.rest_qpos, (len(t), 1))
    phase = np.mod(t, 2.0)
    height = np.where(phase > 1.0, 0.3 * np.sin(np.pi * (phase - 1.0)), 0.0)
    qpos[:, 2] += height + 0.25  # the floor of this studio is at 0.25
    clip = contacts.detect(MotionClip(qpos, 60.0, skeleton))
    assert clip.contact_names == skeleton.feet
    assert clip.provenance[-1]["ground"] == pytest.approx(0.25, abs=1e-6)
    for foot in range(2):
        assert clip.contacts[height == 0.0, foot].mean() > 0.97
        assert not clip.contacts[height > 0.034, foot].any()


def test_without_feet_there_are_no_contacts():
    tree = Skeleton(
        "worm", ("root",), (-1,), np.zeros((1, 3)), np.array([[1.0, 0, 0, 0]]), (Joint("root", "free", 0),), {}
    )
    with pytest.raises(MotionError, match="has no feet"):
        contacts.detect(MotionClip(tree.rest_qpos[None], 30.0, tree))
