"""Gaussians on bodies: they are where MuJoCo puts the geoms, and pixels push joints as finite differences say."""

import mujoco
import numpy as np
import pytest
import torch

from rlsuite.errors import MotionError
from rlsuite.generative.implicit.splatting import splat
from rlsuite.generative.implicit.splatting.gaussians import rotation_matrices
from rlsuite.generative.implicit.splatting.reference import SMOOTH
from rlsuite.motion import body, kinematics, sampling
from rlsuite.motion import rotations as rot
from rlsuite.motion.cameras import Camera
from rlsuite.motion.pose.body_gaussians import BodyGaussians, image_gradient, pose_gradient, wrenches
from rlsuite.motion.pose.photographs import cameras_around, photograph

SKELETON = body.skeleton()


def pose(seed=0, size=0.3):
    rng = np.random.default_rng(seed)
    return sampling.integrate(SKELETON, SKELETON.rest_qpos, size * rng.standard_normal(SKELETON.nv))


def by_mujoco(gaussians, model, data, qpos, seen_by):
    """Means and covariances of the Gaussians with the bodies placed by ``mj_kinematics``, and their picture."""
    data.qpos[:] = qpos
    mujoco.mj_kinematics(model, data)
    place, turn = data.xpos[1:][gaussians.body], data.xmat[1:].reshape(-1, 3, 3)[gaussians.body]
    means = place + np.einsum("nij,nj->ni", turn, gaussians.means)
    quats = rot.from_matrix(turn @ rot.to_matrix(gaussians.quats))
    posed = gaussians.posed(qpos, torch.float64)
    posed = posed._replace(means=torch.from_numpy(means), quats=torch.from_numpy(quats))
    return posed, splat.render(posed, seen_by, torch.ones(3, dtype=torch.float64), SMOOTH)


def test_posed_gaussians_are_where_mujoco_puts_the_bodies():
    model, gaussians, qpos = body.model(), BodyGaussians.of_model(SKELETON), pose()
    ours = gaussians.posed(qpos, torch.float64)
    theirs, _ = by_mujoco(gaussians, model, mujoco.MjData(model), qpos, cameras_around(qpos[:3], 1, 16)[0])
    torch.testing.assert_close(ours.means, theirs.means, rtol=0, atol=1e-12)
    torch.testing.assert_close(rotation_matrices(ours.quats), rotation_matrices(theirs.quats), rtol=0, atol=1e-12)


def test_a_bound_cloud_is_itself_in_its_pose_and_goes_with_the_bodies():
    gaussians, first, second = BodyGaussians.of_model(SKELETON), pose(1), pose(2)
    bound = BodyGaussians.bound(SKELETON, first, gaussians.cloud(first), gaussians.body)
    for qpos in (first, second):
        ours, theirs = bound.posed(qpos), gaussians.posed(qpos)
        torch.testing.assert_close(ours.means, theirs.means, rtol=0, atol=1e-6)
        torch.testing.assert_close(rotation_matrices(ours.quats), rotation_matrices(theirs.quats), rtol=0, atol=1e-5)
        torch.testing.assert_close(ours.scales, theirs.scales)


@pytest.mark.parametrize("seed", [0, 1])
def test_pixels_push_joints_as_finite_differences_through_mj_kinematics_say(seed):
    model, gaussians, qpos = body.model(), BodyGaussians.of_model(SKELETON, per_geom=3), pose(seed)
    data, seen_by = mujoco.MjData(model), Camera.look_at((2.5, 1.0, 1.2), qpos[:3], width=20, height=20)
    target = torch.rand(20, 20, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

    def loss(q):
        _, picture = by_mujoco(gaussians, model, data, q, seen_by)
        return (picture.color - target).square().sum() + picture.depth.square().mean()

    def moved(dof, step):
        q, velocity = qpos.copy(), np.zeros(model.nv)
        velocity[dof] = step
        mujoco.mj_integratePos(model, q, velocity, 1.0)
        return loss(q).item()

    posed = gaussians.posed(qpos, torch.float64)
    posed.means.requires_grad_()
    posed.quats.requires_grad_()
    picture = splat.render(posed, seen_by, torch.ones(3, dtype=torch.float64), SMOOTH)
    ((picture.color - target).square().sum() + picture.depth.square().mean()).backward()
    ours = image_gradient(gaussians, qpos, posed)
    differences = np.array([(moved(i, 1e-5) - moved(i, -1e-5)) / 2e-5 for i in range(model.nv)])
    np.testing.assert_allclose(ours, differences, atol=1e-6 * np.abs(differences).max())
    assert (np.abs(differences) > 1e-5 * np.abs(differences).max()).sum() > 0.9 * model.nv


def test_the_transpose_is_that_of_mj_apply_ft():
    model, qpos, rng = body.model(), pose(3), np.random.default_rng(0)
    data = mujoco.MjData(model)
    data.qpos[:] = qpos
    mujoco.mj_kinematics(model, data)
    mujoco.mj_comPos(model, data)
    forces, torques = rng.standard_normal((2, SKELETON.nbody, 3))
    total = np.zeros(model.nv)
    for i in range(SKELETON.nbody):
        mujoco.mj_applyFT(model, data, forces[i], torques[i], data.xpos[i + 1], i + 1, total)
    np.testing.assert_allclose(pose_gradient(SKELETON, qpos, forces, torques), total, atol=1e-9)


def test_a_wrench_is_the_sum_of_the_pulls_and_their_moments():
    gaussians, qpos, rng = BodyGaussians.of_model(SKELETON), pose(4), np.random.default_rng(1)
    pull, posed = rng.standard_normal((len(gaussians), 3)), gaussians.posed(qpos, torch.float64)
    forces, torques = wrenches(gaussians, qpos, pull)
    np.testing.assert_allclose(forces.sum(0), pull.sum(0), atol=1e-12)
    position, _ = kinematics.forward(SKELETON, qpos)
    about_the_world = (torques + np.cross(position, forces)).sum(0)
    np.testing.assert_allclose(about_the_world, np.cross(posed.means.numpy(), pull).sum(0), atol=1e-12)


def test_the_gaussians_cover_what_the_renderer_draws():
    model, gaussians, qpos = body.model(), BodyGaussians.of_model(SKELETON), pose(5, 0.2)
    for view in photograph(model, qpos, cameras_around(qpos[:3], 4, 64)):
        seen = splat.render(gaussians.posed(qpos), view.camera).alpha
        ours, theirs = seen > 0.5, view.mask > 0.5
        assert (ours & theirs).sum() / (ours | theirs).sum() > 0.8


def test_wider_gaussians_hide_about_as_much_in_all():
    qpos, gaussians = pose(6), BodyGaussians.of_model(SKELETON)
    one = BodyGaussians(SKELETON, *(part[:1] for part in (
        gaussians.body, gaussians.means, gaussians.quats, np.full_like(gaussians.scales, 0.08), 0.1 * gaussians.opacities,
        gaussians.colors)))  # fmt: skip
    seen_by = cameras_around(one.posed(qpos).means[0].numpy(), 1, 64)[0]
    sharp, wide = (splat.render(g.posed(qpos), seen_by, settings=SMOOTH).alpha.sum() for g in (one, one.widened(0.1)))
    torch.testing.assert_close(sharp, wide, rtol=0.05, atol=0)


def test_a_model_of_another_skeleton_is_refused():
    with pytest.raises(MotionError, match="not one of skeleton"):
        BodyGaussians.of_model(SKELETON, mujoco.MjModel.from_xml_string("<mujoco><worldbody/></mujoco>"))
