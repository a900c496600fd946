"""Retargeting where the answer is known: to itself, from a disguised copy, between proportions; and on real captures."""

import json

import gymnasium
import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlsuite.errors import MotionError, SkeletonError
from rlsuite.motion import body, formats, importing, kinematics, retargeting
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.retargeting import hinges, retarget
from rlsuite.motion.skeleton import Skeleton
from rlsuite.motion.synthesis import make
from tests.motion.ball_tree import CMU_BVH, ball_tree, on_ball_tree, random_axes

AS_IT_IS = {"contacts": "none", "ground": "keep"}
SHARE = {"chest": 0.3, "neck": 0.4, "hip": 0.4, "knee": 0.3, "ankle": 0.3, "shoulder": 0.4, "elbow": 0.35}


def performance(skeleton=None, n=80, fps=60.0, seed=0, legs=True):
    """Smooth turning and walking about with every joint swinging within its limits."""
    skeleton = skeleton or body.skeleton()
    rng = np.random.default_rng(seed)
    t = np.arange(n) / fps
    qpos = np.tile(skeleton.rest_qpos, (n, 1))
    if legs:
        qpos[:, :3] += np.stack((t, 0.3 * np.sin(2 * t), 0.1 * np.sin(3 * t)), axis=1)
        spin = rot.exp(np.stack((0.2 * np.sin(t), 0.3 * np.sin(2 * t), t), axis=1))
        qpos[:, 3:7] = spin
    for joint, at in zip(skeleton.joints[1:], skeleton.qpos_address[1:], strict=True):
        if not legs and any(part in joint.name for part in ("hip", "knee", "ankle")):
            continue
        low, high = joint.range
        share = next(v for k, v in SHARE.items() if k in joint.name)
        swing = 0.5 * share * (high - low) * np.sin(2 * np.pi * (rng.uniform(0.3, 0.8) * t + rng.uniform()))
        qpos[:, at] = 0.5 * (low + high) + swing if abs(low + high) > 1e-6 else swing
    middle = np.abs(
        qpos[:, [skeleton.qpos_address[i] for i, j in enumerate(skeleton.joints) if j.name.endswith("r_y")]]
    )
    qpos[:, [skeleton.qpos_address[i] for i, j in enumerate(skeleton.joints) if j.name.endswith("r_y")]] = -0.6 * middle
    return MotionClip(qpos, fps, skeleton, "performance")


def test_our_body_to_itself_is_the_same_motion():
    clip = performance()
    result = retarget(clip, **AS_IT_IS)
    np.testing.assert_allclose(result.clip.qpos, clip.qpos, atol=1e-6)
    assert result.report.scale == pytest.approx(1.0)
    assert result.report.limit_violations == 0
    assert result.report.end_effector_error.max < 1e-4


def test_standing_feet_are_found_and_nothing_else_moves():
    clip = performance(legs=False)
    result = retarget(clip)
    np.testing.assert_allclose(result.clip.qpos, clip.qpos, atol=1e-5)
    assert result.clip.contacts.all()
    assert result.clip.contact_names == ("right_foot", "left_foot")
    assert result.report.height_offset == pytest.approx(0.0, abs=1e-5)


def spread_arms(skeleton, angle=np.pi / 2):
    rest = skeleton.rest_qpos.copy()
    for name, sign in (("left_shoulder_x", 1.0), ("right_shoulder_x", -1.0)):
        index = [joint.name for joint in skeleton.joints].index(name)
        rest[skeleton.qpos_address[index]] = sign * angle
    return rest


@pytest.mark.parametrize("angle", [0.0, 0.8, np.pi / 2])
@pytest.mark.parametrize("turned", [False, True])
def test_a_disguised_copy_gives_the_original_back(angle, turned):
    """Ball joints, CMU's names, arms spread at rest, and any axes along the bones."""
    clip = performance(seed=1)
    n = clip.skeleton.nbody
    axes = random_axes(3, n) if turned else np.tile(rot.IDENTITY, (n, 1))
    tree = ball_tree(clip.skeleton, CMU_BVH, spread_arms(clip.skeleton, angle), axes)
    result = retarget(on_ball_tree(clip, tree, axes), **AS_IT_IS)
    np.testing.assert_allclose(result.clip.qpos, clip.qpos, atol=1e-6)
    assert result.report.roles["left_thigh"] == ("LeftHip", "left_thigh")


def test_limbs_that_are_twisted_at_rest_are_set_right_by_how_they_bend():
    clip = performance(seed=2)
    rest = spread_arms(clip.skeleton)
    names = [joint.name for joint in clip.skeleton.joints]
    for name, angle in (("left_shoulder_z", 0.7), ("right_shoulder_z", -0.4), ("left_hip_z", 0.3)):
        rest[clip.skeleton.qpos_address[names.index(name)]] = angle
    axes = random_axes(4, clip.skeleton.nbody)
    # the left foot turns with the hip at rest; its sole direction is not known without a toe, so the ankle undoes it
    rest[clip.skeleton.qpos_address[names.index("left_ankle_z")]] = -0.3
    tree = ball_tree(clip.skeleton, CMU_BVH, rest, axes)
    result = retarget(on_ball_tree(clip, tree, axes), **AS_IT_IS)
    np.testing.assert_allclose(result.clip.qpos, clip.qpos, atol=1e-6)


@pytest.mark.parametrize("quarter", range(4))
def test_which_way_the_rest_pose_lies_does_not_matter(quarter):
    clip = performance(seed=3)
    lying = rot.multiply(rot.from_euler([0.5 * np.pi * quarter], "z"), rot.from_euler([np.pi / 2], "x"))
    rest = clip.skeleton.rest_qpos.copy()
    rest[3:7] = lying
    axes = random_axes(quarter, clip.skeleton.nbody)
    tree = ball_tree(clip.skeleton, CMU_BVH, rest, axes)
    result = retarget(on_ball_tree(clip, tree, axes), **AS_IT_IS)
    np.testing.assert_allclose(result.clip.qpos, clip.qpos, atol=1e-6)


def test_another_body_turns_alike_and_walks_as_far_as_its_legs_are_long():
    small = body.skeleton(body.BodyShape(height=1.2, legs=0.8, arms=1.3, torso=1.1, shoulders=0.9))
    clip = performance(small, seed=4)
    result = retarget(clip, **AS_IT_IS)
    np.testing.assert_allclose(result.clip.qpos[:, 3:], clip.qpos[:, 3:], atol=1e-6)
    ratio = (
        body.skeleton().body_pos[body.skeleton().body("right_shin"), 2] / small.body_pos[small.body("right_shin"), 2]
    )
    np.testing.assert_allclose(result.clip.qpos[:, :3], clip.qpos[:, :3] * ratio, atol=1e-6)
    assert result.report.scale == pytest.approx(ratio)
    assert result.report.limb_ratios["thigh"] == pytest.approx(ratio)
    elbow = body.skeleton().body("left_lower_arm")
    arms = body.skeleton().body_pos[elbow, 2] / small.body_pos[elbow, 2]
    assert arms < 0.8 * ratio
    assert result.report.limb_ratios["upper arm"] == pytest.approx(arms)


def test_units_do_not_matter():
    clip = performance(seed=5)
    inches = clip.qpos.copy()
    inches[:, :3] /= 0.0254
    big = MotionClip(inches, clip.fps, clip.skeleton.scaled(1.0 / 0.0254))
    np.testing.assert_allclose(retarget(big, body.skeleton()).clip.qpos, retarget(clip).clip.qpos, atol=1e-6)


def test_sliding_feet_stand_still():
    clip = performance(legs=False, n=120)
    qpos = clip.qpos.copy()
    qpos[:, 0] += 0.008 * np.sin(2 * np.pi * np.arange(120) / 40)  # the whole body sways: 7.5 cm/s at most
    result = retarget(MotionClip(qpos, clip.fps, clip.skeleton))
    assert result.report.source_slide.mean > 2.0
    assert result.report.slide.mean < 0.1
    assert result.clip.contacts.all()
    assert result.report.end_effector_error.max < 1.0


def test_labels_of_the_clip_itself_are_taken_where_asked_for():
    clip = performance(legs=False, n=60)
    labels = np.zeros((60, 2), bool)
    labels[10:40, 1] = True
    labelled = MotionClip(
        clip.qpos, clip.fps, clip.skeleton, contacts=labels, contact_names=("right_foot", "left_foot")
    )
    np.testing.assert_array_equal(retarget(labelled, contacts="clip").clip.contacts, labels)
    assert retarget(labelled, contacts="none").clip.contacts is None


def test_raised_to_the_ground():
    clip = performance(legs=False, n=60)
    floating = clip.qpos.copy()
    floating[:, 2] += 0.31
    result = retarget(MotionClip(floating, clip.fps, clip.skeleton))
    assert result.report.height_offset == pytest.approx(-0.31, abs=1e-5)
    np.testing.assert_allclose(result.clip.qpos, clip.qpos, atol=1e-5)


def test_a_cycle_stays_a_cycle():
    """Stepping from foot to foot, gliding slowly ahead: the feet are locked, and the seam does not show."""
    skeleton = body.skeleton()
    phase = 2 * np.pi * np.arange(61) / 60
    qpos = np.tile(skeleton.rest_qpos, (61, 1))
    qpos[:, 0] = 0.01 * phase
    names = [joint.name for joint in skeleton.joints]
    for side, lift in (("right", np.sin(phase)), ("left", -np.sin(phase))):
        bend = 0.5 * np.maximum(0.0, lift) ** 2
        for name, share in (("hip_y", -1.0), ("knee", 2.0), ("ankle_y", -1.0)):
            qpos[:, skeleton.qpos_address[names.index(f"{side}_{name}")]] = share * bend
    result = retarget(MotionClip(qpos, 30.0, skeleton, loop="wrap"))
    clip = result.clip
    assert clip.loop == "wrap"
    assert 0.4 < clip.contacts.mean() < 0.9
    assert result.report.slide.mean < 0.2 < result.report.source_slide.mean
    np.testing.assert_allclose(clip.qpos[-1, 3:], clip.qpos[0, 3:], atol=1e-3)
    np.testing.assert_allclose(clip.qpos[-1, :3] - clip.qpos[0, :3], [0.02 * np.pi, 0.0, 0.0], atol=1e-3)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_joint_limits_hold_for_any_source(seed):
    rng = np.random.default_rng(seed)
    skeleton = body.skeleton()
    tree = ball_tree(skeleton, CMU_BVH, skeleton.rest_qpos, random_axes(seed, skeleton.nbody))
    qpos = np.tile(tree.rest_qpos, (6, 1))
    qpos[:, 3:] += rng.normal(0, 1, (6, tree.nq - 3))
    result = retarget(MotionClip(qpos, 30.0, tree))
    limits = skeleton.qpos_range
    assert (result.clip.qpos >= limits[:, 0]).all()
    assert (result.clip.qpos <= limits[:, 1]).all()
    assert result.report.limit_violations == 0


def gymnasium_humanoid():
    folder = gymnasium.__path__[0]
    return Skeleton.from_mjcf(f"{folder}/envs/mujoco/assets/humanoid.xml", "gymnasium")


def test_feet_of_gymnasiums_humanoid_are_labelled_and_locked():
    """They are fixed to its shins and have no key points."""
    clip = performance(legs=False, n=60)
    qpos = clip.qpos.copy()
    qpos[:, 0] += 0.008 * np.sin(2 * np.pi * np.arange(60) / 30)
    qpos[:, 7:] *= 0.4
    result = retarget(MotionClip(qpos, clip.fps, clip.skeleton), gymnasium_humanoid())
    assert result.clip.contacts.all()
    assert result.report.slide.mean < 1.0 < result.report.source_slide.mean


def test_gymnasiums_humanoid_can_be_the_target():
    """Its root is the torso, its hips are hinges x, z, y, it has a waist of three hinges on two bodies, and no hands."""
    target = gymnasium_humanoid()
    clip = performance(seed=6, n=40)
    quiet = clip.qpos.copy()
    quiet[:, 7:] *= 0.4
    result = retarget(MotionClip(quiet, clip.fps, clip.skeleton), target, **AS_IT_IS)
    assert result.clip.skeleton is target
    assert result.report.limit_violations == 0
    assert set(result.report.unmatched) == {"head", "right_hand", "left_hand"}
    assert result.report.position_error["left_foot"].mean < 3.0
    assert result.report.rotation_error["torso"].mean < 3.0


def way(skeleton, qpos, start, end):
    """Unit directions ``(T, 3)`` from a body, or a key point, to another."""
    place, quat = kinematics.forward(skeleton, qpos)
    points = []
    for name in (start, end):
        on, at = skeleton.keypoints.get(name) or (skeleton.body(name), (0.0, 0.0, 0.0))
        points.append(place[:, on] + rot.rotate(quat[:, on], at))
    return (points[1] - points[0]) / np.linalg.norm(points[1] - points[0], axis=1, keepdims=True)


@pytest.mark.parametrize("side", ["left", "right"])
def test_arms_without_hands_hang_and_bend_as_the_source_does(side):
    """Gymnasium's humanoid rests with its elbows bent and its arms forwards; its shoulders have two hinges."""
    clip, target = make("walk"), gymnasium_humanoid()
    ours = retarget(clip, target).clip.qpos
    names = [f"{side}_upper_arm", f"{side}_lower_arm", f"{side}_hand"]
    ends = [*names[:2], f"{side}_lower_arm_tip"]
    upper, lower = (
        [way(skeleton, qpos, *joints[i : i + 2]) for i in (0, 1)]
        for skeleton, qpos, joints in ((target, ours, ends), (clip.skeleton, clip.qpos, names))
    )
    for theirs, mine in zip(lower, upper, strict=True):
        assert np.degrees(np.arccos(np.sum(theirs * mine, axis=1))).mean() < 15.0
    elbow = [np.degrees(np.arccos(np.sum(a * b, axis=1))) for a, b in (upper, lower)]
    assert np.abs(elbow[0] - elbow[1]).mean() < 20.0


def test_a_foot_that_is_tilted_at_rest_is_laid_flat_by_how_it_stands():
    """Legs spread at rest, as CMU's, tilt the soles: the same standing pose must come back flat."""
    clip = performance(legs=False, n=60)
    names = [joint.name for joint in clip.skeleton.joints]
    rest = spread_arms(clip.skeleton)
    rest[clip.skeleton.qpos_address[names.index("left_ankle_x")]] = np.radians(20.0)
    axes = random_axes(5, clip.skeleton.nbody)
    tree = ball_tree(clip.skeleton, CMU_BVH, rest, axes)
    source = on_ball_tree(clip, tree, axes)
    tilted = retarget(source, **AS_IT_IS).clip
    flat = retarget(source).clip
    foot = clip.skeleton.body("left_foot")
    ups = [rot.rotate(motion.bodies[1][:, foot], np.array([0.0, 0.0, 1.0]))[:, 2] for motion in (tilted, flat)]
    assert np.degrees(np.arccos(ups[0])).mean() > 15.0
    assert np.degrees(np.arccos(np.minimum(ups[1], 1.0))).max() < 1.0


def test_many_frames_a_second_are_retargeted_at_fewer_and_fill_in():
    clip = performance(seed=8, n=400, fps=400.0)
    result = retarget(clip, **AS_IT_IS)
    assert (result.clip.n_frames, result.clip.fps) == (clip.n_frames, clip.fps)
    np.testing.assert_allclose(result.clip.qpos, clip.qpos, atol=2e-3)
    np.testing.assert_allclose(result.clip.qpos[[0, -1]], clip.qpos[[0, -1]], atol=1e-4)


@pytest.mark.parametrize("scale", [1e6, 1e-6])
def test_a_scale_that_no_body_has_is_refused(scale):
    with pytest.raises(MotionError, match="is not that of a body: the ratio of the legs' lengths is 1,"):
        retarget(performance(n=3), scale=scale)


def robot_leg(side, sign):
    """A chain of single hinges, as robots have."""
    roll = sorted((0.6 * -sign, 2.9 * sign))
    hinges_ = (
        ("hip_pitch", (0, sign * 0.06, 0), (0, 1, 0), (-2.5, 2.5)), ("hip_roll", (0, sign * 0.04, -0.03), (1, 0, 0), roll),
        ("hip_yaw", (0, 0, -0.1), (0, 0, 1), (-2.7, 2.7)), ("knee", (0, 0, -0.2), (0, 1, 0), (-0.08, 2.8)),
        ("ankle_pitch", (0, 0, -0.3), (0, 1, 0), (-0.87, 0.52)), ("ankle_roll", (0, 0, -0.02), (1, 0, 0), (-0.26, 0.26)),
    )  # fmt: skip
    text = ""
    for name, pos, axis, limits in hinges_:
        p, a, r = (" ".join(f"{v:g}" for v in values) for values in (pos, axis, limits))
        text += f'<body name="{side}_{name}_link" pos="{p}"><joint axis="{a}" range="{r}"/><geom size="0.03"/>'
    soles = f'<site name="{side}_heel" pos="-0.05 0 -0.03"/><site name="{side}_toe" pos="0.12 0 -0.03"/>'
    return text + soles + "</body>" * len(hinges_)


@pytest.mark.parametrize("feet", [("left_ankle_roll_link", "right_ankle_roll_link"), None], ids=["named", "found"])
def test_a_robot_of_single_hinges_without_arms_can_be_the_target(feet):
    xml = f"""<mujoco><compiler angle="radian" autolimits="true"/><worldbody><body name="pelvis" pos="0 0 0.7"><freejoint/>
      <geom size="0.05"/>{robot_leg("left", 1)}{robot_leg("right", -1)}</body></worldbody></mujoco>"""
    robot = Skeleton.from_model(mujoco.MjModel.from_xml_string(xml), "robot", feet=feet)
    clip = performance(seed=7)
    quiet = np.where(np.arange(clip.skeleton.nq) < 7, clip.qpos, 0.3 * clip.qpos)
    report = retarget(MotionClip(quiet, clip.fps, clip.skeleton), robot, **AS_IT_IS).report
    assert report.roles["left_thigh"] == ("left_thigh", "left_hip_yaw_link")
    assert report.limit_violations == 0
    assert report.unconverged == 0
    assert max(report.position_error[f"{side}_foot"].max for side in ("left", "right")) < 3.0


def test_hinges_pass_gimbal_lock_at_a_moderate_pace():
    """A thigh lifted through a right angle with some spread: x and z would turn by a half turn within a few frames."""
    skeleton, fps = body.skeleton(), 120.0
    t = np.linspace(0.0, 1.0, 121)
    turn = rot.multiply(rot.from_euler(0.04 + 0.0 * t[:, None], "z"), rot.from_euler(-np.pi * t[:, None] * 0.55, "y"))
    qpos = np.tile(skeleton.rest_qpos, (121, 1))
    thigh = skeleton.body("right_thigh")
    made = hinges.set_turn(skeleton, thigh, turn, qpos, fps)
    columns = [skeleton.qpos_address[j] for j in skeleton.joints_of[thigh]]
    assert (
        np.abs(
            np.diff(
                skeleton.with_local_rotations(qpos * 0.0 + skeleton.rest_qpos, _all(skeleton, thigh, turn))[:, columns],
                axis=0,
            )
        ).max()
        * fps
        > 20.0
    )
    assert np.abs(np.diff(qpos[:, columns], axis=0)).max() * fps < 12.0
    assert rot.angle_between(made, turn).max() < np.radians(6.0)


def _all(skeleton, body_index, turn):
    turns = np.tile(rot.IDENTITY, (len(turn), skeleton.nbody, 1))
    turns[:, body_index] = turn
    return turns


def test_the_report_reads_and_serialises():
    result = retarget(performance(n=20))
    text = str(result.report)
    assert "joint limits: 0 violations" in text
    assert "left_hand" in text
    assert json.loads(json.dumps(result.report.to_dict()))["position_error"]["left_foot"]["max"] >= 0.0
    step = result.clip.provenance[-1]
    assert (step["step"], step["target"]) == ("retarget", "humanoid")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 0.0}, "scale must be 'auto' or a positive number"),
        ({"contacts": "maybe"}, "contacts must be"),
        ({"contacts": "clip"}, "has no labels of contacts"),
        ({"ground": "moon"}, "ground must be"),
        ({"smoothing": -1.0}, "smoothing must be"),
    ],
)
def test_wrong_settings(options, message):
    with pytest.raises(MotionError, match=message):
        retarget(performance(n=3), **options)


def test_a_target_must_be_free():
    fixed = ball_tree(body.skeleton(), {}, body.skeleton().rest_qpos, np.tile(rot.IDENTITY, (body.skeleton().nbody, 1)))
    fixed = Skeleton(
        "statue", fixed.body_names, fixed.parents, fixed.body_pos, fixed.body_quat, fixed.joints[1:], {}
    )  # fmt: skip
    with pytest.raises(MotionError, match="'statue' has no free root"):
        retarget(performance(n=3), fixed)


def test_one_frame_is_enough():
    clip = performance(n=1)
    np.testing.assert_allclose(retarget(clip, **AS_IT_IS).clip.qpos, clip.qpos, atol=1e-6)


REAL = [
    "cmu/bvh/131_01.bvh",
    "cmu/bvh/01_01.bvh",
    "cmu/asf_amc/01_01.amc",
    "amp_npy/amp_humanoid_walk.npy",
    "amp_npy/amp_humanoid_run.npy",
    "amp_npy/amp_humanoid_backflip.npy",
    "loco_mujoco/02-constspeed_reduced_humanoid.npz",
]


@pytest.mark.parametrize("file", REAL)
def test_real_captures(mocap, file):
    clip = importing.without_calibration_pose(importing.without_held_poses(formats.read(mocap / file)))
    result = retarget(clip)
    report = result.report
    assert report.limit_violations == 0
    assert report.end_effector_error.max < 3.0
    assert report.slide.max < 1.0
    assert report.slide_of_all.mean < 1.0  # also of feet that slide in the source and are lifted over
    assert report.unconverged == 0
    assert sum(report.contact_frames.values()) > 0
    # against forward kinematics of the source: thighs point where the source's do
    place, _ = kinematics.forward(clip.skeleton, clip.qpos)
    ours, _ = kinematics.forward(result.clip.skeleton, result.clip.qpos)
    for role in ("left_thigh", "right_thigh", "left_upper_arm", "right_upper_arm"):
        upper, lower = role, role.replace("thigh", "shin").replace("upper", "lower")
        a, b = (clip.skeleton.body(report.roles[r][0]) for r in (upper, lower))
        c, d = (result.clip.skeleton.body(r) for r in (upper, lower))
        theirs = place[:, b] - place[:, a]
        here = ours[:, d] - ours[:, c]
        cosine = np.sum(theirs * here, axis=1) / (np.linalg.norm(theirs, axis=1) * np.linalg.norm(here, axis=1))
        assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean() < 5.0


def test_bodies_do_not_leap_between_poses_that_fit_alike(mocap):
    """The source's hip leaves our limits by a right angle; solved alone, frames jump from one side to the other."""
    clip = formats.read(mocap / "deepmimic/motions/humanoid3d_spinkick.txt")

    def fastest(motion):
        turns = motion.skeleton.local_rotations(motion.qpos)[:, 1:]
        return rot.angle_between(turns[1:], turns[:-1]).max() * motion.fps

    alone, together = (retarget(clip, smoothing=smoothing) for smoothing in (0.0, 0.03))
    assert fastest(alone.clip) > 40.0
    assert fastest(together.clip) < 1.2 * fastest(clip)
    assert together.report.limit_violations == 0


def test_a_scale_and_a_mapping_can_be_given(tmp_path):
    clip = performance(n=10)
    names = {name: f"part{i}" for i, name in enumerate(clip.skeleton.body_names)}
    plain = np.tile(rot.IDENTITY, (clip.skeleton.nbody, 1))
    tree = ball_tree(clip.skeleton, names, clip.skeleton.rest_qpos, plain)
    path = tmp_path / "joints.json"
    path.write_text(json.dumps(names))
    other = on_ball_tree(clip, tree, plain)
    with pytest.raises(SkeletonError, match="no body found for pelvis, right_thigh"):
        retarget(other)
    np.testing.assert_allclose(retarget(other, mapping=path, **AS_IT_IS).clip.qpos, clip.qpos, atol=1e-6)
    twice = retarget(other, mapping=names, scale=2.0, **AS_IT_IS).clip
    np.testing.assert_allclose(twice.qpos[:, :3], 2.0 * clip.qpos[:, :3], atol=1e-6)
    np.testing.assert_allclose(twice.qpos[:, 3:], clip.qpos[:, 3:], atol=1e-6)


def test_exports():
    assert set(retargeting.__all__) == {"Report", "Retargeted", "Spread", "retarget"}
