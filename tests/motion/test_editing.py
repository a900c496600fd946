"""Editing: each operation against what it means for the bodies in the world."""

import dataclasses

import numpy as np
import pytest

from rlsuite.errors import MotionError
from rlsuite.motion import editing, kinematics, sampling
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from tests.motion.models import skeleton_named, swaying

SKELETON = skeleton_named("ours")


def walk(seed: int = 0, n: int = 60, **kwargs) -> MotionClip:
    contacts = np.random.default_rng(seed).random((n, 2)) > 0.5
    return swaying(
        SKELETON, n, seed=seed, contacts=contacts, contact_names=("right_foot", "left_foot"),
        confidence=np.linspace(0, 1, n), **kwargs,
    )  # fmt: skip


def same_poses(a: np.ndarray, b: np.ndarray, tolerance: float = 1e-9) -> bool:
    (pa, qa), (pb, qb) = kinematics.forward(SKELETON, a), kinematics.forward(SKELETON, b)
    return np.abs(pa - pb).max() < tolerance and rot.angle_between(qa, qb).max() < tolerance


def test_cut_by_seconds_and_by_frames() -> None:
    clip = walk()
    part = editing.cut(clip, 0.5, 1.0)
    assert (part.qpos == clip.qpos[15:31]).all() and (part.contacts == clip.contacts[15:31]).all()
    assert (editing.cut(clip, 15, 31, in_frames=True).qpos == part.qpos).all()
    assert (editing.cut(clip).qpos == clip.qpos).all() and editing.cut(clip, stop=0.1).n_frames == 4
    for wrong in ((-0.1, 1.0), (1.0, 0.5), (0.0, 5.0)):
        with pytest.raises(MotionError, match="within"):
            editing.cut(clip, *wrong)


def test_reverse_negates_velocities_and_is_an_involution() -> None:
    clip = walk(loop="wrap")
    backward = editing.reverse(clip)
    np.testing.assert_allclose(backward.qvel, -clip.qvel[::-1], atol=1e-9)
    assert (editing.reverse(backward).qpos == clip.qpos).all() and backward.loop == "wrap"


@pytest.mark.parametrize("name", ["ours", "humanoid"])
def test_mirror_is_an_exact_involution_and_mirrors_every_body(name: str) -> None:
    skeleton = skeleton_named(name)
    clip = swaying(skeleton, 40)
    mirrored = editing.mirror(clip)
    assert (editing.mirror(mirrored).qpos == clip.qpos).all()
    partners = list(skeleton.mirrored_bodies)
    flip = np.array([1.0, -1.0, 1.0])
    np.testing.assert_allclose(mirrored.bodies[0], clip.bodies[0][:, partners] * flip, atol=1e-7)
    flipped = clip.bodies[1][:, partners] * np.array([1.0, -1.0, 1.0, -1.0])
    np.testing.assert_allclose(rot.angle_between(mirrored.bodies[1], flipped), 0.0, atol=1e-6)


def test_mirror_with_turned_rest_frames_balls_and_slides() -> None:
    """Bodies whose rest orientations are mirror images, not equal; F maps vectors of one to the other."""
    import mujoco

    from rlsuite.motion.skeleton import Skeleton

    side = (
        '<body name="{0}_arm" pos="0 {1}0.3 0.1" quat="0.8 {2}0.3 0.2 {2}0.4"><joint name="{0}_b" type="ball"/>'
        '<geom size=".1" mass="1"/><body name="{0}_hand" pos="0.2 {1}0.1 0">'
        '<joint name="{0}_s" type="slide" axis="0 {1}1 0"/>'
        '<joint name="{0}_h" axis="{2}0.6 0 {2}0.8"/><geom size=".1" mass="1"/></body></body>'
    )
    xml = (
        '<mujoco><worldbody><body name="root" quat="0.6 0 0.8 0"><freejoint/><geom size=".1" mass="1"/>'
        + side.format("left", "", "") + side.format("right", "-", "-") + "</body></worldbody></mujoco>"
    )  # fmt: skip
    skeleton = Skeleton.from_model(mujoco.MjModel.from_xml_string(xml))
    clip = swaying(skeleton, 20, size=0.8)
    mirrored = editing.mirror(clip)
    np.testing.assert_allclose(editing.mirror(mirrored).qpos, clip.qpos, atol=1e-12)
    partners = list(skeleton.mirrored_bodies)
    np.testing.assert_allclose(mirrored.bodies[0], clip.bodies[0][:, partners] * [1.0, -1.0, 1.0], atol=1e-6)


def test_mirror_swaps_contacts_and_refuses_what_has_no_mirror_image() -> None:
    clip = walk()
    assert (editing.mirror(clip).contacts == clip.contacts[:, ::-1]).all()
    one = dataclasses.replace(clip, contacts=clip.contacts[:, :1], contact_names=("right_foot",))
    assert editing.mirror(one).contact_names == ("left_foot",) and (editing.mirror(one).contacts == one.contacts).all()
    with pytest.raises(MotionError, match="not mirror images"):
        editing.mirror(swaying(skeleton_named("every_joint"), 5))


def test_time_warp_moves_what_happened_and_keeps_order() -> None:
    clip = walk(n=61)
    same = editing.time_warp(clip, [0.0, 2.0], [0.0, 2.0])
    assert same_poses(same.qpos, clip.qpos)
    slow = editing.time_warp(clip, [0.0, 0.5, 2.0], [0.0, 1.0, 3.0])
    assert slow.n_frames == 91 and same_poses(slow.qpos[[0, 30, 90]], clip.qpos[[0, 15, 60]])
    assert (np.diff(slow.confidence) >= 0.0).all()
    assert editing.time_warp(walk(n=61, loop="wrap"), [0.0, 2.0], [0.0, 1.0]).loop == "wrap"
    assert editing.time_warp(walk(n=61, loop="wrap"), [0.0, 1.0], [0.0, 1.0]).loop == "once"
    for old, new in (([0, 1, 0.5], [0, 1, 2]), ([0, 1], [1, 0]), ([0, 9], [0, 1]), ([0], [0]), ([0, 1], [0, 1, 2])):
        with pytest.raises(MotionError):
            editing.time_warp(clip, old, new)


def test_placing_moves_the_bodies_as_one_rigid_body() -> None:
    clip = walk()
    position = clip.bodies[0]
    np.testing.assert_allclose(editing.translate(clip, (1, 2, 3)).bodies[0], position + np.array([1, 2, 3]), atol=1e-12)
    turned = editing.rotate(clip, 0.7, about=(1.0, -2.0, 0.0)).bodies[0]
    c, s = np.cos(0.7), np.sin(0.7)
    expected = (position - [1, -2, 0]) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]).T + [1, -2, 0]
    np.testing.assert_allclose(turned, expected, atol=1e-12)
    aligned = editing.align_heading(clip, 1.1, frame=9)
    assert rot.heading_angle(aligned.qpos[9, 3:7]) == pytest.approx(1.1)
    np.testing.assert_allclose(aligned.qpos[9, :3], clip.qpos[9, :3], atol=1e-12)
    standing = editing.set_height(clip, 0.02)
    assert kinematics.keypoints(SKELETON, standing.qpos)[..., 2].min() == pytest.approx(0.02)
    with pytest.raises(MotionError, match="no free joint"):
        editing.translate(swaying(skeleton_named("hopper"), 5), (1, 0, 0))


def test_blend_has_both_ends_and_the_great_arc_between() -> None:
    a, b = walk(0), walk(1)
    assert same_poses(editing.blend(a, b, 0.0).qpos, a.qpos) and same_poses(editing.blend(a, b, 1.0).qpos, b.qpos)
    middle = SKELETON.local_rotations(editing.blend(a, b, 0.5).qpos)
    expected = rot.slerp(SKELETON.local_rotations(a.qpos), SKELETON.local_rotations(b.qpos), 0.5)
    free = [0, *SKELETON.spherical_hinges]
    np.testing.assert_allclose(rot.angle_between(middle, expected)[:, free], 0.0, atol=1e-9)
    fade = editing.blend(a, b, np.linspace(0, 1, 60))
    assert same_poses(fade.qpos[[0, -1]], np.stack((a.qpos[0], b.qpos[-1])))
    for wrong in (editing.cut(b, 0, 1), sampling.resample(b, 60), swaying(skeleton_named("ant"), 60)):
        with pytest.raises(MotionError):
            editing.blend(a, wrong, 0.5)
    with pytest.raises(MotionError, match="0 to 1"):
        editing.blend(a, b, 1.5)


def test_concatenation_goes_on_from_where_the_last_clip_ends() -> None:
    a, b = walk(0), editing.translate(editing.rotate(walk(1), 2.0), (5.0, 5.0, 0.0))
    joined = editing.concatenate([a, b], transition=0.4)
    assert joined.n_frames == 119 and joined.contacts.shape == (119, 2) and joined.confidence.shape == (119,)
    assert same_poses(joined.qpos[:60], a.qpos)
    # after the transition it is clip b, moved on the ground
    tail = MotionClip(joined.qpos[75:], 30.0, SKELETON)
    again = editing.align_heading(tail, float(rot.heading_angle(b.qpos[16, 3:7])))
    again = editing.translate(again, (b.qpos[16, :3] - again.qpos[0, :3]) * [1, 1, 0])
    assert same_poses(again.qpos, b.qpos[16:])


def kink(clip: MotionClip, frame: int) -> float:
    """How much faster any joint turns or moves after ``frame`` than before it, per second."""
    steps = sampling.difference(clip.skeleton, clip.qpos[:-1], clip.qpos[1:]) * clip.fps
    return float(np.abs(steps[frame] - steps[frame - 1]).max())


def test_velocity_is_continuous_at_the_seam_as_the_rate_grows() -> None:
    kinks = []
    for fps in (60.0, 240.0, 960.0):
        n = round(1.5 * fps) + 1
        a, b = (swaying(SKELETON, n, fps, seed=seed, size=0.2) for seed in (0, 1))
        joined = editing.concatenate([a, b], transition=0.3)
        kinks.append(kink(joined, n - 1))
    assert kinks[1] < 0.45 * kinks[0] and kinks[2] < 0.45 * kinks[1]  # first order in the step: continuous


def test_without_transition_both_ends_are_kept_as_they_are() -> None:
    a, b = walk(0), walk(1)
    joined = editing.concatenate([a, b], transition=0.0, align=False)
    assert same_poses(joined.qpos, np.concatenate((a.qpos, b.qpos)))


def test_a_hinge_that_has_gone_round_does_not_unwind_in_a_transition() -> None:
    skeleton = skeleton_named("every_joint")
    rest = MotionClip(np.tile(skeleton.rest_qpos, (30, 1)), 30.0, skeleton)
    turned = rest.qpos.copy()
    turned[:, 1] += 6.0 * np.pi
    joined = editing.concatenate([rest, dataclasses.replace(rest, qpos=turned)], 0.5)
    np.testing.assert_allclose(joined.qpos[:, 1], rest.qpos[0, 1], atol=1e-9)


def test_concatenating_nothing_or_strangers_is_refused() -> None:
    with pytest.raises(MotionError, match="at least one"):
        editing.concatenate([])
    with pytest.raises(MotionError, match="different skeletons"):
        editing.concatenate([walk(), swaying(skeleton_named("ant"), 5)])
