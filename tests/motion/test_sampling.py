"""Sampling against MuJoCo's manifold, exact motions, and seams of cycles."""

import dataclasses

import mujoco
import numpy as np
import pytest

from rlsuite.errors import MotionError
from rlsuite.motion import editing, sampling
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from tests.motion.models import NAMES, model_named, random_poses, skeleton_named, swaying

SKELETON = skeleton_named("ours")


@pytest.mark.parametrize("name", NAMES)
def test_difference_and_integrate_are_mujocos(name: str) -> None:
    model, skeleton = model_named(name), skeleton_named(name)
    a, b = random_poses(skeleton, 20), random_poses(skeleton, 20, seed=1)
    velocity = sampling.difference(skeleton, a, b)
    for i in range(20):
        expected, moved = np.zeros(model.nv), a[i].copy()
        mujoco.mj_differentiatePos(model, expected, 1.0, a[i], b[i])
        np.testing.assert_allclose(velocity[i], expected, atol=1e-12)
        mujoco.mj_integratePos(model, moved, expected, 1.0)
        np.testing.assert_allclose(sampling.integrate(skeleton, a[i], velocity[i]), moved, atol=1e-12)


@pytest.mark.parametrize("method", ["slerp", "spline"])
@pytest.mark.parametrize("name", NAMES)
def test_frames_are_met_exactly(name: str, method: sampling.Method) -> None:
    clip = swaying(skeleton_named(name), 50, size=0.8)
    np.testing.assert_allclose(sampling.sample(clip, clip.times, method), clip.qpos, atol=1e-9)
    grid = sampling.sample(clip, clip.times.reshape(5, 10), method)
    assert grid.shape == (5, 10, clip.skeleton.nq)
    np.testing.assert_allclose(sampling.sample(clip, 0.3, method), clip.qpos[9], atol=1e-9)


def test_slerp_goes_along_the_great_arc_at_constant_speed_also_through_hinge_triples() -> None:
    clip = swaying(skeleton_named("every_joint"), 40, size=1.2)
    share = np.linspace(0.0, 1.0, 7)
    start, end = clip.qpos[:-1, None], clip.qpos[1:, None]
    expected = sampling.interpolate(clip.skeleton, start, end, np.tile(share, (39, 1)))
    found = clip.sample((np.arange(39)[:, None] + share * (1 - 1e-12)) / clip.fps)
    turns, wanted = clip.skeleton.local_rotations(found), clip.skeleton.local_rotations(expected)
    np.testing.assert_allclose(rot.angle_between(turns, wanted), 0.0, atol=1e-6)
    np.testing.assert_allclose(found[..., 0], expected[..., 0], atol=1e-9)
    wrist = clip.skeleton.body("left_wrist")
    arcs = rot.slerp(
        clip.skeleton.local_rotations(start)[..., wrist, :], clip.skeleton.local_rotations(end)[..., wrist, :], share
    )
    np.testing.assert_allclose(rot.angle_between(turns[..., wrist, :], arcs), 0.0, atol=1e-6)


def test_sampled_hinges_stay_in_the_branch_of_their_frames() -> None:
    skeleton = skeleton_named("every_joint")
    t = np.linspace(0.0, 3.0, 300)
    qpos = np.tile(skeleton.rest_qpos, (300, 1))
    columns = [skeleton.qpos_address[j] for j in skeleton.joints_of[skeleton.body("left_wrist")]]
    qpos[:, columns] = np.stack((4 * t, 1.2 + t, 9.0 - 3 * t), axis=-1)  # through gimbal lock, beyond half a turn
    clip = MotionClip(qpos, 100.0, skeleton)
    times = np.random.default_rng(0).uniform(0, clip.duration, 500)
    expected = np.stack([np.interp(times, clip.times, qpos[:, c]) for c in columns], axis=-1)
    np.testing.assert_allclose(clip.sample(times)[:, columns], expected, atol=0.05)


def one_sided(clip: MotionClip, times: np.ndarray, step: float, method: sampling.Method) -> np.ndarray:
    """Velocity just after ``times`` less that just before."""
    now = sampling.sample(clip, times, method)
    after, before = (sampling.sample(clip, times + s, method) for s in (step, -step))
    return (sampling.difference(clip.skeleton, now, after) - sampling.difference(clip.skeleton, before, now)) / step


@pytest.mark.parametrize(
    "options", [{}, {"loop": "wrap"}, {"loop": "wrap", "wrap_heading": True}], ids=["once", "wrap", "heading"]
)
def test_splines_have_continuous_velocity_and_slerp_has_not(options: dict) -> None:
    clip = circling() if options else swaying(SKELETON, 20, size=0.6)
    clip = dataclasses.replace(clip, **({"loop": "once"} | options))
    if options == {"loop": "wrap"}:
        clip = dataclasses.replace(straight(), loop="wrap")
    knots = clip.times[1:-1] if not options else np.concatenate((clip.times[1:-1], [0.0, clip.duration]))
    jumps = [np.abs(one_sided(clip, knots, step, "spline")).max() for step in (1e-3, 1e-4)]
    assert jumps[1] < 0.15 * jumps[0] and jumps[1] < 0.1  # goes to nought with the step
    assert np.abs(one_sided(clip, knots, 1e-4, "slerp")).max() > 0.3


def test_splines_follow_a_smooth_motion_far_closer_than_arcs() -> None:
    fine = swaying(SKELETON, 241, fps=240.0)
    coarse = editing.at_frames(fine, np.arange(0, 241, 16))
    coarse = dataclasses.replace(coarse, fps=15.0)
    inner = slice(32, -32)
    errors = {}
    for method in ("slerp", "spline"):
        found = SKELETON.local_rotations(sampling.sample(coarse, fine.times[inner], method))
        errors[method] = rot.angle_between(found, SKELETON.local_rotations(fine.qpos[inner])).max()
    assert errors["spline"] < 0.2 * errors["slerp"]


def straight(n: int = 31) -> MotionClip:
    """One period of a swaying walk along X."""
    phase = np.linspace(0.0, 2.0 * np.pi, n)[:, None]
    shift = np.random.default_rng(2).uniform(0, 6, SKELETON.nv)
    velocity = 0.3 * np.sin(phase + shift)
    velocity[:, :3] *= 0.1
    qpos = sampling.integrate(SKELETON, np.tile(SKELETON.rest_qpos, (n, 1)), velocity)
    qpos[:, 0] += np.linspace(0.0, 1.5, n)
    return MotionClip(SKELETON.follow(qpos), 30.0, SKELETON, loop="wrap")


def circling(n: int = 31, turn: float = 0.8, radius: float = 2.0) -> MotionClip:
    """One period of a walk round a circle, which turns by ``turn`` radians."""
    clip = straight(n)
    qpos = clip.qpos.copy()
    qpos[:, 0] -= np.linspace(0.0, 1.5, n)
    angle, centre = np.linspace(0.0, turn, n), np.array([0.0, radius, 0.0])
    around = rot.from_axis_angle((0.0, 0.0, 1.0), angle)
    qpos[:, :3] = rot.rotate(around, qpos[:, :3] - centre) + centre
    qpos[:, 3:7] = rot.multiply(around, qpos[:, 3:7])
    return MotionClip(SKELETON.follow(qpos), 30.0, SKELETON, loop="wrap", wrap_heading=True)


@pytest.mark.parametrize("turn", [0.8, 1e-9, -2.0])
def test_cycles_with_heading_go_round_the_same_circle_for_ever(turn: float) -> None:
    clip = circling(turn=turn)
    times = np.linspace(0.0, clip.duration, 40)
    first, centre = clip.sample(times), np.array([0.0, 2.0, 0.0])
    for k in (-3, -1, 1, 2, 7):
        later = clip.sample(times[:-1] + k * clip.duration)
        around = rot.from_axis_angle((0.0, 0.0, 1.0), k * turn)
        expected = rot.rotate(around, first[:-1, :3] - centre) + centre
        np.testing.assert_allclose(later[:, :3], expected, atol=1e-6)
        turned = rot.multiply(around, first[:-1, 3:7])
        np.testing.assert_allclose(rot.angle_between(later[:, 3:7], turned), 0.0, atol=1e-6)


def test_a_walk_that_wraps_is_displaced_by_each_cycle_and_others_hold() -> None:
    clip = straight()
    np.testing.assert_allclose(clip.sample(0.4 + 5 * clip.duration), clip.sample(0.4) + np.eye(35)[0] * 7.5, atol=1e-9)
    once = dataclasses.replace(clip, loop="once")
    np.testing.assert_allclose(once.sample([-5.0, 99.0]), clip.qpos[[0, -1]], atol=1e-12)
    assert not once.sample_velocity([-5.0, 99.0]).any()


@pytest.mark.parametrize("make", [straight, circling])
def test_velocities_at_the_seam_are_those_of_two_cycles_in_a_row(make) -> None:
    clip = make()
    n = clip.n_frames
    two = clip.sample(np.arange(-n + 1, 2 * n - 1) / clip.fps)
    unrolled = MotionClip(SKELETON.follow(two), clip.fps, SKELETON).qvel
    np.testing.assert_allclose(clip.qvel, unrolled[n - 1 : 2 * n - 1], atol=1e-8)
    times = np.linspace(-0.9, 1.9, 77)
    expected = np.stack([np.interp(times, np.arange(-n + 1, 2 * n - 1) / clip.fps, c) for c in unrolled.T], axis=-1)
    np.testing.assert_allclose(clip.sample_velocity(times), expected, atol=1e-8)


def test_a_constant_spin_and_speed_have_those_velocities_everywhere() -> None:
    t = np.arange(40) / 30.0
    velocity = np.zeros((40, 34))
    velocity[:, [0, 3, 10]] = np.stack((1.5 * t, -4.0 * t, 0.3 * t), axis=-1)
    qpos = sampling.integrate(SKELETON, np.tile(SKELETON.rest_qpos, (40, 1)), velocity)
    expected = np.zeros(34)
    expected[[0, 3, 10]] = 1.5, -4.0, 0.3
    np.testing.assert_allclose(MotionClip(qpos, 30.0, SKELETON).qvel, np.tile(expected, (40, 1)), atol=1e-9)
    whole = 60.0  # two radians from frame to frame: more than half a turn in two
    fast = MotionClip(
        sampling.integrate(SKELETON, qpos[:1], np.eye(34)[5] * 2.0 * np.arange(40)[:, None]), 30.0, SKELETON
    )
    np.testing.assert_allclose(fast.qvel[:, 5], whole, atol=1e-9)


@pytest.mark.parametrize("method", ["slerp", "spline"])
def test_resampling_keeps_period_masks_and_motion(method: sampling.Method) -> None:
    masks = {"contacts": np.arange(62).reshape(31, 2) % 3 == 0, "contact_names": ("a", "b")}
    clip = dataclasses.replace(straight(), confidence=np.linspace(0, 1, 31), startable=np.arange(31) > 5, **masks)
    fine = sampling.resample(clip, 120.0, method)
    assert fine.n_frames == 121 and fine.duration == pytest.approx(clip.duration) and fine.loop == "wrap"
    np.testing.assert_allclose(fine.qpos[::4], clip.qpos, atol=1e-9)
    assert (fine.contacts[::4] == clip.contacts).all() and (fine.startable[::4] == clip.startable).all()
    np.testing.assert_allclose(fine.confidence, np.linspace(0, 1, 121), atol=1e-12)
    odd = sampling.resample(clip, 29.3, method)
    assert odd.duration == pytest.approx(clip.duration)
    once = sampling.resample(dataclasses.replace(clip, loop="once"), 7.0, method)
    assert once.fps == 7.0 and once.n_frames == 8
    assert sampling.resample(editing.at_frames(clip, np.arange(1)), 60.0, method).n_frames == 1


def test_what_makes_no_sense_is_refused() -> None:
    clip = straight()
    for fps in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(MotionError, match="fps"):
            sampling.resample(clip, fps)
    with pytest.raises(MotionError, match="finite"):
        clip.sample([0.0, float("nan")])
    with pytest.raises(MotionError, match="method"):
        sampling.sample(clip, 0.0, "nearest")  # type: ignore[arg-type]
