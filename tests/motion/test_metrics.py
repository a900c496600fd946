"""Metrics of motions against cases worked out by hand, and time warping against enumeration."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from rlsuite.errors import MotionError, SkeletonError
from rlsuite.motion import body, metrics
from rlsuite.motion import rotations as rot
from rlsuite.motion.alignment import procrustes, to_root, umeyama
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.time_warping import dtw


def walk(frames=40, fps=30.0, speed=1.0, phase=0.0):
    """Legs and arms swing, the root goes forward: not a gait, but every quantity changes."""
    skeleton = body.skeleton()
    qpos = np.tile(skeleton.rest_qpos, (frames, 1))
    t = np.arange(frames) / fps
    names = {joint.name: at for joint, at in zip(skeleton.joints, skeleton.qpos_address, strict=True)}
    qpos[:, 0] = speed * t
    qpos[:, 3:7] = rot.from_axis_angle((0.0, 0.0, 1.0), 0.1 * np.sin(3.0 * t))
    for name, size in (("right_hip_y", 0.5), ("left_hip_y", -0.5), ("right_shoulder_y", -0.4), ("chest_z", 0.2)):
        qpos[:, names[name]] = size * np.sin(6.0 * t + phase)
    qpos[:, names["right_knee"]] = 0.3 + 0.3 * np.cos(6.0 * t + phase)
    return MotionClip(qpos, fps, skeleton, "walk")


def moved(clip, shift=(0.0, 0.0, 0.0), turn=0.0):
    """The clip carried to another place and heading."""
    qpos = clip.qpos.copy()
    about = rot.from_axis_angle((0.0, 0.0, 1.0), turn)
    qpos[:, :3] = rot.rotate(about, qpos[:, :3]) + np.array(shift)
    qpos[:, 3:7] = rot.multiply(about, qpos[:, 3:7])
    return replace(clip, qpos=qpos)


def test_a_shift_is_a_global_error_only():
    clip = walk()
    result = metrics.compare(moved(clip, shift=(0.06, 0.0, -0.08)), clip)
    assert result["mpjpe"] == pytest.approx(0.10, abs=1e-12)
    assert result["worst_distance"] == pytest.approx(0.10, abs=1e-12)
    for name in ("mpjpe_root", "mpjpe_heading", "mpjpe_procrustes", "joint_angle", "velocity_error", "dtw"):
        assert result[name] == pytest.approx(0.0, abs=1e-7), name
    assert result["acceleration_error"] == pytest.approx(0.0, abs=1e-9)
    assert result["success"] is True
    assert list(result["per_point"].values()) == pytest.approx([0.10] * clip.skeleton.nbody, abs=1e-12)
    assert result["notes"] == []


def test_a_turn_is_an_error_until_the_heading_is_aligned():
    clip = walk()
    theta = 0.7
    turned = moved(clip, turn=theta)
    result = metrics.compare(turned, clip)
    # a point at horizontal distance r from the axis moves along a chord of 2 r sin(theta / 2)
    relative = clip.bodies[0] - clip.bodies[0][:, :1]
    chord = 2.0 * np.hypot(relative[..., 0], relative[..., 1]).mean() * np.sin(theta / 2.0)
    assert result["mpjpe_root"] == pytest.approx(chord, rel=1e-9)
    radius = np.hypot(clip.bodies[0][..., 0], clip.bodies[0][..., 1]).mean()
    assert result["mpjpe"] == pytest.approx(2.0 * radius * np.sin(theta / 2.0), rel=1e-9)
    assert result["mpjpe_heading"] == pytest.approx(0.0, abs=1e-12)
    assert result["mpjpe_procrustes"] == pytest.approx(0.0, abs=1e-12)
    moving = sum(bool(clip.skeleton.joints_of[b]) for b in range(clip.skeleton.nbody))
    assert result["joint_angle"] == pytest.approx(theta / moving, rel=1e-9)  # of all bodies only the root turns


def test_joint_angle_of_one_bent_elbow():
    clip = walk()
    qpos = clip.qpos.copy()
    column = clip.skeleton.qpos_address[[j.name for j in clip.skeleton.joints].index("left_elbow")]
    qpos[:, column] -= 0.3
    moving = sum(bool(clip.skeleton.joints_of[b]) for b in range(clip.skeleton.nbody))
    result = metrics.compare(replace(clip, qpos=qpos), clip)
    assert result["joint_angle"] == pytest.approx(0.3 / moving, rel=1e-9)
    assert metrics.joint_angle_error([[rot.IDENTITY]], [[-rot.IDENTITY]]) == 0.0  # q and -q are one rotation


def test_a_scaled_copy_has_no_procrustes_error():
    points = walk().bodies[0]
    assert metrics.mpjpe_procrustes(1.7 * points + 3.0, points) == pytest.approx(0.0, abs=1e-12)
    assert metrics.mpjpe(1.5 * points, points) == pytest.approx(0.5 * np.linalg.norm(points, axis=-1).mean())


def test_umeyama_worked_example():
    """Umeyama 1991, section IV: a reflection in the plane, which no rotation can be; R, c and t as printed."""
    x = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    y = np.array([[0.0, 0.0], [-1.0, 0.0], [0.0, 2.0]])
    rotation, scale, shift = umeyama(x, y)
    np.testing.assert_allclose(rotation, [[0.832, 0.555], [-0.555, 0.832]], atol=5e-4)
    assert scale == pytest.approx(0.721, abs=5e-4)
    np.testing.assert_allclose(shift, [-0.8, 0.4], atol=1e-9)


@given(st.integers(0, 2**32 - 1))
def test_umeyama_finds_the_similarity_and_never_reflects(seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(4, 6, 3))
    matrix = Rotation.from_rotvec(rng.normal(size=(4, 3))).as_matrix()
    factor, move = rng.uniform(0.2, 5.0, 4), rng.normal(size=(4, 3))
    image = factor[:, None, None] * points @ np.swapaxes(matrix, 1, 2) + move[:, None]
    rotation, scale, shift = umeyama(points, image)
    np.testing.assert_allclose(rotation, matrix, atol=1e-9)
    np.testing.assert_allclose(scale, factor, rtol=1e-9)
    np.testing.assert_allclose(shift, move, atol=1e-9)
    mirrored = points * np.array([1.0, -1.0, 1.0])
    reflected, _, _ = umeyama(points, mirrored)
    np.testing.assert_allclose(np.linalg.det(reflected), 1.0, atol=1e-9)
    # least squares: no other rotation near it, nor another scale, is better
    best = np.sum((procrustes(points, mirrored) - mirrored) ** 2)
    rotation, scale, shift = umeyama(points, mirrored)
    nudge = Rotation.from_rotvec(rng.normal(size=3) * 0.01).as_matrix()
    centred = points - points.mean(axis=1, keepdims=True)
    other = scale[:, None, None] * centred @ np.swapaxes(nudge @ rotation, 1, 2) + mirrored.mean(axis=1, keepdims=True)
    assert np.sum((other - mirrored) ** 2) >= best - 1e-12


def test_umeyama_of_one_point_is_a_shift():
    rotation, scale, shift = umeyama(np.zeros((1, 3)), np.ones((1, 3)))
    assert scale == 1.0
    np.testing.assert_allclose(rotation @ np.zeros(3) + shift, 1.0)
    assert np.linalg.det(rotation) == pytest.approx(1.0)


def test_root_alignment_keeps_the_lean():
    lean = rot.from_axis_angle((1.0, 0.0, 0.0), 0.4)
    turned = rot.multiply(rot.from_axis_angle((0.0, 0.0, 1.0), 1.1), lean)
    point = np.array([[0.2, 0.1, 0.9]])
    world = rot.rotate(turned, point) + np.array([5.0, 6.0, 7.0])
    np.testing.assert_allclose(to_root(world, [5.0, 6.0, 7.0], turned), rot.rotate(lean, point), atol=1e-12)


def test_errors_of_velocity_and_acceleration():
    t = np.arange(30) / 20.0
    a = np.zeros((30, 2, 3))
    b = a.copy()
    b[:, 0, 0] = 3.0 * t  # one of two points moves at 3 m/s
    assert metrics.velocity_error(a, b, 20.0) == pytest.approx(1.5)
    assert metrics.acceleration_error(a, b, 20.0) == pytest.approx(0.0, abs=1e-9)
    b[:, 0, 0] = 0.5 * 4.0 * t**2  # and now accelerates at 4 m/s^2
    assert metrics.acceleration_error(a, b, 20.0) == pytest.approx(2.0)
    b[:, 0, 0] = t**3  # third derivative 6 m/s^3, of one of two points
    assert metrics.jerk(b, 20.0) == pytest.approx(3.0)
    assert metrics.velocity_error(a[:1], b[:1], 20.0) == metrics.jerk(b[:3], 20.0) == 0.0


def test_success_looks_at_the_worst_body_of_the_worst_frame():
    a = np.zeros((5, 3, 3))
    b = a.copy()
    b[3, 1, 2] = 0.499
    assert metrics.success(a, b)
    b[3, 1, 2] = 0.5
    assert not metrics.success(a, b)


@pytest.mark.parametrize(
    ("heights", "weight"),
    [
        ((0.0, 0.0), 1.0),
        ((0.033, 0.033), 0.0),
        ((0.0, 0.0165), 2.0 - 2.0**0.5),
        ((-0.02, 0.0), 1.0),
        ((1e4, 0.0), 0.0),
    ],
)
def test_skate_by_hand(heights, weight):
    points = np.array([[[0.0, 0.0, heights[0]]], [[0.03, 0.04, heights[1]]]])
    assert metrics.skate(points) == pytest.approx(0.05 * weight, abs=1e-15)


def test_skate_of_clips():
    rest = np.tile(body.skeleton().rest_qpos, (11, 1))
    standing = MotionClip(rest, 30.0, body.skeleton())
    assert metrics.sole_points(standing).shape == (11, 4, 3)
    np.testing.assert_allclose(metrics.sole_points(standing)[..., 2], 0.0, atol=1e-9)
    assert metrics.foot_skate(standing) == 0.0
    sliding = rest.copy()
    sliding[:, 0] = np.linspace(0.0, 0.2, 11)
    assert metrics.foot_skate(replace(standing, qpos=sliding)) == pytest.approx(0.02)
    raised = sliding + np.eye(1, 35, 2) * 0.1
    assert metrics.foot_skate(replace(standing, qpos=raised)) == 0.0
    bare = replace(body.skeleton(), keypoints={}, shape=None)  # another body: its ground is judged from the motion
    assert metrics.foot_skate(replace(standing, qpos=raised, skeleton=bare)) == pytest.approx(0.02)


# Time warping ---------------------------------------------------------------------------------------------------------


def enumerated(cost):
    """The slow twin: every path, by recursion from the end."""
    rows, columns = cost.shape

    @cache
    def best(i, j):
        if i < 0 or j < 0:
            return np.inf
        return cost[i, j] + (0.0 if i == j == 0 else min(best(i - 1, j - 1), best(i - 1, j), best(i, j - 1)))

    return best(rows - 1, columns - 1)


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_dtw_is_the_cheapest_path(rows, columns, seed):
    cost = np.random.default_rng(seed).uniform(size=(rows, columns))
    warping = dtw(cost)
    assert warping.total == pytest.approx(enumerated(cost))
    path = warping.path
    assert cost[path[:, 0], path[:, 1]].sum() == pytest.approx(warping.total)
    assert path[0].tolist() == [0, 0]
    assert path[-1].tolist() == [rows - 1, columns - 1]
    steps = np.diff(path, axis=0)
    assert ((steps >= 0) & (steps <= 1)).all()
    assert (steps.sum(axis=1) >= 1).all()
    np.testing.assert_allclose(dtw(cost.T).total, warping.total)


@settings(max_examples=60)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 6), st.integers(0, 2**32 - 1))
def test_a_band_keeps_near_the_line_and_always_has_a_path(rows, columns, band, seed):
    cost = np.random.default_rng(seed).uniform(size=(rows, columns))
    narrow = dtw(cost, band=band)
    assert np.isfinite(narrow.total)
    assert narrow.total >= dtw(cost).total - 1e-12
    assert dtw(cost, band=rows + columns).total == pytest.approx(dtw(cost).total)
    if rows == columns:
        assert np.abs(np.diff(narrow.path, axis=1)).max() <= max(band, 1)


def test_dtw_refuses_what_it_cannot_warp():
    for cost in (np.zeros((0, 3)), np.zeros(3), [[-1.0]], [[np.nan]]):
        with pytest.raises(MotionError, match="costs"):
            dtw(cost)
    with pytest.raises(MotionError, match="band"):
        dtw([[1.0]], band=-1)


def test_a_time_warped_copy_is_at_distance_zero():
    clip = walk()
    often = np.repeat(np.arange(40), np.random.default_rng(3).integers(1, 4, 40))
    slow = replace(moved(clip, (1.0, 2.0, 0.0), 0.4), qpos=moved(clip, (1.0, 2.0, 0.0), 0.4).qpos[often])
    result = metrics.compare(slow, clip)
    assert result["dtw"] == pytest.approx(0.0, abs=1e-12)
    assert result["mpjpe_heading"] > 0.01  # frame by frame they differ
    assert any("first 40 frames" in note for note in result["notes"])
    assert metrics.compare(slow, clip, band=0.0)["dtw"] > 0.001


# Two clips ------------------------------------------------------------------------------------------------------------


def test_one_motion_at_two_rates_is_one_motion():
    fast, slow = walk(121, 120.0), walk(31, 30.0)
    result = metrics.compare(fast, slow)
    assert result["frames"] == 31
    assert result["fps"] == 30.0
    assert result["mpjpe"] < 1e-9
    assert result["notes"] == ["a resampled from 120 Hz to 30 Hz"]


def test_a_cycle_is_compared_with_its_last_frame():
    cycle = replace(walk(31, 60.0), loop="wrap")  # does not close: its last frame is its own
    assert metrics.compare(cycle, replace(walk(16, 30.0)))["mpjpe"] < 1e-9


def test_other_skeletons_meet_at_key_points_or_bodies():
    clip = walk()
    tall = body.skeleton(body.BodyShape(height=1.5 * body.HEIGHT))
    giant = MotionClip(clip.qpos * np.r_[1.5, 1.5, 1.5, np.ones(32)], clip.fps, tall)
    result = metrics.compare(giant, clip)
    assert result["points"] == len(clip.skeleton.keypoints)
    assert any("limbs' lengths (the most at " in note for note in result["notes"]), result["notes"]
    assert result["mpjpe_procrustes"] == pytest.approx(0.0, abs=1e-7)  # a scaled copy
    assert result["joint_angle"] is None
    titles = tuple(name.title() for name in clip.skeleton.body_names)
    renamed = replace(clip.skeleton, body_names=titles, keypoints={}, feet=(), end_effectors=())
    result = metrics.compare(replace(clip, skeleton=renamed), clip)
    assert result["points"] == clip.skeleton.nbody
    assert any("in their bodies or their order (" in note for note in result["notes"]), result["notes"]
    assert result["mpjpe"] == 0.0
    assert result["foot_skate_a"] is None
    strange = replace(renamed, body_names=tuple(f"b{i}" for i in range(renamed.nbody)))
    with pytest.raises(SkeletonError, match="retarget"):
        metrics.compare(replace(clip, skeleton=strange), clip)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(MotionError, match="one shape"):
        metrics.mpjpe(np.zeros((3, 2, 3)), np.zeros((4, 2, 3)))
    with pytest.raises(MotionError, match="one shape"):
        metrics.joint_angle_error(np.zeros((3, 2, 4)), np.zeros((3, 1, 4)))
    with pytest.raises(MotionError, match="poses"):
        metrics.pose_distances(np.zeros((3, 2, 3)), np.zeros((3, 1, 3)))
    with pytest.raises(MotionError, match="one shape"):
        umeyama(np.zeros((3, 2)), np.zeros((3, 3)))


def test_pose_distances_in_pieces_are_those_at_once(monkeypatch):
    a, b = walk(7).bodies[0], walk(9, phase=0.4).bodies[0]
    whole = metrics.pose_distances(a, b)
    np.testing.assert_allclose(whole[3, 5], np.linalg.norm(a[3] - b[5], axis=-1).mean())
    monkeypatch.setattr(metrics, "_DTW_CELLS", 1)
    np.testing.assert_array_equal(metrics.pose_distances(a, b), whole)
    monkeypatch.setattr(metrics, "_DTW_LARGEST", 8)
    with pytest.raises(MotionError, match="up to 8 frames"):
        metrics.pose_distances(a, b)
