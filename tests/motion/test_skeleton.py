"""Skeletons against the models they come from, and the two languages of a pose."""

import dataclasses

import numpy as np
import pytest

from rlsuite.errors import SkeletonError
from rlsuite.motion import rotations as rot
from rlsuite.motion.skeleton import Joint, Skeleton
from tests.motion.models import ASSETS, NAMES, model_named, random_poses, skeleton_named


def chain(*names: str) -> Skeleton:
    n = len(names)
    return Skeleton("chain", names, (-1,) * n, np.zeros((n, 3)), np.tile(rot.IDENTITY, (n, 1)), (), {})


@pytest.mark.parametrize("name", NAMES)
def test_sizes_rest_pose_and_limits_are_the_models(name: str) -> None:
    model, skeleton = model_named(name), skeleton_named(name)
    assert (skeleton.nq, skeleton.nv, skeleton.nbody) == (model.nq, model.nv, model.nbody - 1)
    np.testing.assert_allclose(skeleton.rest_qpos, model.qpos0, atol=1e-15)
    assert list(skeleton.qpos_address) == model.jnt_qposadr.tolist()
    assert list(skeleton.dof_address) == model.jnt_dofadr.tolist()
    for j, joint in enumerate(skeleton.joints):
        if joint.kind in ("hinge", "slide"):
            limits = model.jnt_range[j] if model.jnt_limited[j] else [-np.inf, np.inf]
            np.testing.assert_array_equal(skeleton.qpos_range[skeleton.qpos_address[j]], limits)


@pytest.mark.parametrize("name", NAMES)
def test_local_rotations_lead_back_to_the_same_pose(name: str) -> None:
    skeleton = skeleton_named(name)
    poses = random_poses(skeleton, 50, size=0.9)
    back = skeleton.with_local_rotations(poses, skeleton.local_rotations(poses))
    np.testing.assert_allclose(back, poses, atol=1e-9)
    from_rest = skeleton.with_local_rotations(np.tile(skeleton.rest_qpos, (50, 1)), skeleton.local_rotations(poses))
    angles = rot.angle_between(skeleton.local_rotations(from_rest), skeleton.local_rotations(poses))
    np.testing.assert_allclose(angles, 0.0, atol=1e-7)


def test_one_hinge_takes_the_twist_about_its_axis_in_the_branch_asked_for() -> None:
    skeleton = skeleton_named("ours")
    knee = skeleton.body("left_shin")
    at = skeleton.qpos_address[skeleton.joints_of[knee][0]]
    turns = skeleton.local_rotations(skeleton.rest_qpos).copy()
    turns[knee] = rot.multiply(rot.from_axis_angle((0.0, 1.0, 0.0), 1.1), rot.exp([0.2, 0.0, 0.0]))
    near = skeleton.rest_qpos.copy()
    near[at] = 2.0 * np.pi
    assert skeleton.with_local_rotations(skeleton.rest_qpos, turns)[at] == pytest.approx(1.1)
    assert skeleton.with_local_rotations(skeleton.rest_qpos, turns, near)[at] == pytest.approx(1.1 + 2.0 * np.pi)


def test_follow_removes_every_leap_between_branches_and_keeps_the_rotations() -> None:
    skeleton = skeleton_named("every_joint")
    t = np.linspace(0.0, 9.0, 400)
    smooth = np.tile(skeleton.rest_qpos, (400, 1))
    wrist, ball, spin = (
        [skeleton.qpos_address[j] for j in skeleton.joints_of[skeleton.body(name)]]
        for name in ("left_wrist", "arm", "cart")
    )
    smooth[:, wrist] = np.stack((t, 1.3 * np.sin(2 * t), -2 * t), axis=-1)
    smooth[:, spin[1]] = 1.5 * t
    smooth[:, ball[0] : ball[0] + 4] = rot.exp(t[:, None] * np.array([0.0, 0.6, 0.8]))
    jumping = smooth.copy()
    jumping[150:, wrist] = (smooth[150:, wrist] * [1, -1, 1] + np.pi) - [0, 0, 4 * np.pi]
    jumping[200:, spin[1]] -= 6 * np.pi
    jumping[100::3, ball[0] : ball[0] + 4] *= -1.0
    np.testing.assert_allclose(skeleton.follow(jumping), smooth, atol=1e-9)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("left_hip", "right_hip"), ("LeftUpLeg", "RightUpLeg"), ("lThigh", "rThigh"), ("L_Hip", "R_Hip"),
        ("hip_l", "hip_r"), ("thigh.L", "thigh.R"), ("LHipJoint", "RHipJoint"), ("lfemur", "rfemur"),
        ("mixamorig:LeftArm", "mixamorig:RightArm"), ("J_Bip_L_UpperArm", "J_Bip_R_UpperArm"), ("LEFT_FOOT", "RIGHT_FOOT"),
        ("Bip01 L Thigh", "Bip01 R Thigh"), ("finger.L.001", "finger.R.001"), ("KneeL", "KneeR"),
        ("FL_calf", "FR_calf"), ("RL_foot", "RR_foot"), ("UpperLeftArm", "UpperRightArm"), ("leg_left_1", "leg_right_1"),
    ],
)  # fmt: skip
def test_sides_are_told_by_every_style_of_name(left: str, right: str) -> None:
    middle = ("root", "rootJoint", "lowerback", "upperback", "ribs", "link", "lumbar", "torso")
    skeleton = chain("root", left, *middle[1:], right)
    assert skeleton.symmetry_pairs == ((left, right),)
    mirrored = skeleton.mirrored_bodies
    assert all(mirrored[mirrored[i]] == i for i in range(skeleton.nbody))


def test_middle_bodies_are_their_own_partners_and_partners_are_mutual() -> None:
    skeleton = chain("root", "lEFT", "right", "rib", "lower", "leftover", "r", "L5")
    assert skeleton.mirrored_bodies == tuple(range(8))


def test_all_pairs_of_our_body_and_of_gymnasiums() -> None:
    for name, pairs in (("ours", 6), ("humanoid", 5)):
        skeleton = skeleton_named(name)
        assert len(skeleton.symmetry_pairs) == pairs
        assert all(a.replace("right", "left") == b for a, b in skeleton.symmetry_pairs)


@pytest.mark.parametrize("name", NAMES)
def test_a_description_survives_json(name: str) -> None:
    import json

    skeleton = skeleton_named(name)
    again = Skeleton.from_dict(json.loads(json.dumps(skeleton.to_dict())))
    assert again.to_dict() == skeleton.to_dict() and again.same_tree(skeleton)
    assert not again.same_tree(skeleton.scaled(1.1))


def test_scaling_scales_every_distance() -> None:
    from rlsuite.motion import kinematics

    skeleton = skeleton_named("ours")
    qpos = random_poses(skeleton, 5)
    qpos[:, :3] = 0.0
    np.testing.assert_allclose(
        kinematics.keypoints(skeleton.scaled(1.7), qpos), 1.7 * kinematics.keypoints(skeleton, qpos), atol=1e-14
    )


def test_a_file_that_is_no_model_is_refused(tmp_path) -> None:
    path = tmp_path / "bad.xml"
    path.write_text("<mujoco><worldbody><body></mujoco>")
    for bad in (path, tmp_path / "absent.xml"):
        with pytest.raises(SkeletonError, match=bad.name):
            Skeleton.from_mjcf(str(bad))
    assert Skeleton.from_mjcf(str(ASSETS / "ant.xml")).name == "ant"


def broken(**changes) -> dict:
    data = skeleton_named("every_joint").to_dict()
    for key, value in changes.items():
        *path, last = key.split("__")
        place = data
        for part in path:
            place = place[int(part) if part.isdigit() else part]
        place[int(last) if last.isdigit() else last] = value
    return data


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"joints__1__axis": [0, 0, 0]}, "length 1"),
        ({"joints__1__axis": [0, 0, float("nan")]}, "length 1"),
        ({"joints__2__anchor": [float("inf"), 0, 0]}, "finite"),
        ({"joints__1__range": [1.0, -1.0]}, "lowest, highest"),
        ({"joints__1__kind": "screw"}, "kind must be"),
        ({"joints__1__body": 99}, "order of their bodies"),
        ({"joints__1__name": "along"}, "must be different"),
        ({"bodies__1__parent": 3}, "before its children"),
        ({"bodies__1__pos": [0, float("nan"), 0]}, "finite"),
        ({"bodies__1__name": "cart"}, "must be different"),
        ({"keypoints__tip": {"body": -1, "pos": [0, 0, 0]}}, "key point 'tip'"),
        ({"feet": ["hoof"]}, "no body 'hoof'"),
        ({"bodies": []}, "at least one"),
        ({"bodies": 3}, "not the description"),
        ({"joints__0__axis": [1, 2]}, "not the description"),
    ],
)
def test_a_description_of_no_skeleton_is_refused(changes: dict, message: str) -> None:
    with pytest.raises(SkeletonError, match=message):
        Skeleton.from_dict(broken(**changes))


def test_hinges_beside_a_ball_joint_have_no_angles_to_be_found() -> None:
    joints = (Joint("ball", "ball", 0), Joint("hinge", "hinge", 0))
    skeleton = dataclasses.replace(chain("a"), joints=joints)
    with pytest.raises(SkeletonError, match="ball joint"):
        skeleton.with_local_rotations(skeleton.rest_qpos, skeleton.local_rotations(skeleton.rest_qpos))


def test_what_many_clips_share_cannot_be_written_to() -> None:
    skeleton = skeleton_named("ours")
    for array in (skeleton.rest_qpos, skeleton.qpos_range, skeleton.body_pos, skeleton.body_quat):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0
