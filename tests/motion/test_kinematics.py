"""Forward kinematics against MuJoCo's."""

import mujoco
import numpy as np
import pytest

from rlsuite.motion import kinematics
from tests.motion.models import NAMES, model_named, random_poses, skeleton_named


@pytest.mark.parametrize("name", NAMES)
def test_bodies_and_sites_are_where_mujoco_puts_them(name: str) -> None:
    model, skeleton = model_named(name), skeleton_named(name)
    data = mujoco.MjData(model)
    poses = random_poses(skeleton, 30, size=1.5).reshape(5, 6, -1)
    position, quat = kinematics.forward(skeleton, poses)
    points = kinematics.keypoints(skeleton, poses)
    names = [model.site(i).name for i in range(model.nsite)]
    assert [n for n in names if n] == [n for n in skeleton.keypoints if not n.endswith("_tip")]  # tips are no sites
    for index in np.ndindex(5, 6):
        data.qpos[:] = poses[index]
        mujoco.mj_forward(model, data)
        np.testing.assert_allclose(position[index], data.xpos[1:], atol=1e-13)
        np.testing.assert_allclose(quat[index], data.xquat[1:], atol=1e-13)
        if names:
            np.testing.assert_allclose(points[index][: len(names)], data.site_xpos, atol=1e-13)


def test_blocks_of_poses_give_what_single_poses_give(monkeypatch) -> None:
    skeleton = skeleton_named("every_joint")
    poses = random_poses(skeleton, 11)
    whole = kinematics.forward(skeleton, poses)
    monkeypatch.setattr(kinematics, "BLOCK", 4)
    for a, b, c in zip(whole, kinematics.forward(skeleton, poses), kinematics.forward(skeleton, poses[7]), strict=True):
        assert (a == b).all() and (a[7] == c).all()
    assert kinematics.forward(skeleton, poses[:0])[0].shape == (0, skeleton.nbody, 3)


def test_quaternions_of_any_length_turn_as_their_unit_ones_and_named_points_are_chosen() -> None:
    skeleton = skeleton_named("ours")
    poses = random_poses(skeleton, 4)
    longer = poses.copy()
    longer[:, 3:7] *= 3.0
    np.testing.assert_allclose(
        kinematics.forward(skeleton, longer)[0], kinematics.forward(skeleton, poses)[0], atol=1e-13
    )
    names = ["left_toe", "head"]
    chosen = [list(skeleton.keypoints).index(name) for name in names]
    every = kinematics.keypoints(skeleton, poses)
    assert (kinematics.keypoints(skeleton, poses, names) == every[:, chosen]).all()
