"""The torch twin: the same numbers, and gradients that finite differences confirm."""

import numpy as np
import pytest
import torch

from rlsuite.motion import kinematics, kinematics_torch
from tests.motion.models import NAMES, random_poses, skeleton_named


@pytest.mark.parametrize("name", NAMES)
def test_the_twin_agrees(name: str) -> None:
    skeleton = skeleton_named(name)
    poses = random_poses(skeleton, 12, size=1.5).reshape(3, 4, -1)
    for a, b in zip(
        kinematics.forward(skeleton, poses), kinematics_torch.forward(skeleton, torch.from_numpy(poses)), strict=True
    ):
        np.testing.assert_allclose(b.numpy(), a, atol=1e-13)
    points = kinematics_torch.keypoints(skeleton, torch.from_numpy(poses))
    np.testing.assert_allclose(points.numpy(), kinematics.keypoints(skeleton, poses), atol=1e-13)


def test_in_single_precision_it_agrees_to_a_hundredth_of_a_millimetre() -> None:
    skeleton = skeleton_named("ours")
    poses = random_poses(skeleton, 50)
    position, _ = kinematics_torch.forward(skeleton, torch.from_numpy(poses).float())
    assert position.dtype == torch.float32
    np.testing.assert_allclose(position.numpy(), kinematics.forward(skeleton, poses)[0], atol=1e-5)


@pytest.mark.parametrize("name", ["every_joint", "hopper"])
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    skeleton = skeleton_named(name)
    poses = np.concatenate((random_poses(skeleton, 1), skeleton.rest_qpos[None]))
    qpos = torch.from_numpy(poses).requires_grad_()
    assert torch.autograd.gradcheck(lambda q: kinematics_torch.forward(skeleton, q), (qpos,))


def test_a_pose_is_found_by_descending_the_distance_of_key_points() -> None:
    skeleton = skeleton_named("ours")
    target = torch.from_numpy(random_poses(skeleton, 1, size=0.2))
    goal = kinematics_torch.keypoints(skeleton, target)
    qpos = torch.from_numpy(skeleton.rest_qpos[None].copy()).requires_grad_()
    optimiser = torch.optim.LBFGS([qpos], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = ((kinematics_torch.keypoints(skeleton, qpos) - goal) ** 2).sum()
        value.backward()
        return value

    optimiser.step(loss)
    assert loss().item() < 1e-6
