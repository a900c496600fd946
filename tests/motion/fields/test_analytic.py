"""The analytic body against MuJoCo: its rays, its kinematics, its colours; gradients against finite differences."""

import mujoco
import numpy as np
import pytest
import torch

from rlsuite.errors import CapabilityError
from rlsuite.motion import body
from rlsuite.motion.body import BodyShape
from rlsuite.motion.fields.analytic import AnalyticBody
from rlsuite.motion.render.geoms import VISIBLE_GROUPS, colours
from rlsuite.motion.render.look import to_linear

SHAPES = [BodyShape(), BodyShape(height=1.1, legs=0.8, arms=1.3, girth=1.4, feet=1.2, head=1.3)]


def poses(rng, n, shape=None):
    """Random ones within the limits, anywhere."""
    skeleton = body.skeleton(shape)
    qpos = np.tile(skeleton.rest_qpos, (n, 1))
    low, high = np.clip(skeleton.qpos_range, -1.5, 1.5).T
    qpos[:, 7:] = rng.uniform(low, high, qpos.shape)[:, 7:]
    qpos[:, :3] += rng.normal(size=(n, 3))
    qpos[:, 3:7] = rng.normal(size=(n, 4))
    qpos[:, 3:7] /= np.linalg.norm(qpos[:, 3:7], axis=1, keepdims=True)
    return qpos


def posed(shape, qpos):
    model = body.model(shape)
    model.geom_rgba[model.geom_bodyid == 0] = 0.0  # no floor
    data = mujoco.MjData(model)
    data.qpos[:] = qpos
    mujoco.mj_forward(model, data)
    return model, data


def hit(model, data, x, direction):
    """Where MuJoCo's ray meets the body."""
    groups = np.array([group in VISIBLE_GROUPS for group in range(6)], np.uint8)
    geom = np.empty(1, np.int32)
    distance = mujoco.mj_ray(model, data, x, direction, groups, False, -1, geom, None)
    return distance, int(geom[0])


@pytest.mark.parametrize("shape", SHAPES, ids=["default", "other"])
def test_a_ray_against_the_normal_meets_the_surface_at_the_distance_and_no_ray_meets_it_before(shape):
    rng = np.random.default_rng(0)
    field = AnalyticBody(shape, dtype=torch.double)
    for qpos in poses(rng, 4, shape):
        model, data = posed(shape, qpos)
        code = torch.tensor(qpos)
        x = torch.tensor(qpos[:3] + rng.uniform(-1.2, 1.2, (40, 3)))
        geometry, normal = field.geometry(x, code), field.normal(x, code)
        nearest = field.geoms.geoms[geometry.features.argmax(-1)]
        outside = torch.nonzero(geometry.value > 1e-3)[:, 0].tolist()
        assert len(outside) > 25
        for i in outside:
            foot = (x[i] - geometry.value[i] * normal[i]).numpy()
            inwards = 1e-7 * (data.geom_xpos[nearest[i]] - foot)  # a ray through an edge meets it or not
            towards = foot + inwards - x[i].numpy()
            reach, geom = hit(model, data, x[i].numpy(), towards / np.linalg.norm(towards))
            assert reach == pytest.approx(geometry.value[i].item(), abs=1e-6)
            assert field.distances(x[i], code)[field.geoms.geoms == geom].item() == pytest.approx(reach, abs=1e-6)
            for direction in rng.normal(size=(3, 3)):
                reach, _ = hit(model, data, x[i].numpy(), direction / np.linalg.norm(direction))
                assert reach < 0 or reach >= geometry.value[i] - 1e-9


@pytest.mark.parametrize("shape", SHAPES, ids=["default", "other"])
def test_inside_is_where_an_inequality_of_some_geom_holds(shape):
    """``|x| < r`` and the like, in the axes that MuJoCo gives the geom."""
    rng = np.random.default_rng(1)
    field = AnalyticBody(shape, dtype=torch.double)
    qpos = poses(rng, 1, shape)[0]
    model, data = posed(shape, qpos)
    shown = np.flatnonzero((model.geom_bodyid > 0) & np.isin(model.geom_group, VISIBLE_GROUPS))
    x = data.geom_xpos[rng.choice(shown, 400)] + rng.normal(0.0, 0.08, (400, 3))
    inside = np.zeros(400, bool)
    for i, point in enumerate(x):
        for geom in shown:
            local = data.geom_xmat[geom].reshape(3, 3).T @ (point - data.geom_xpos[geom])
            inside[i] |= within(model.geom_type[geom], model.geom_size[geom], local)
    value = field.distance(torch.tensor(x), torch.tensor(qpos)).numpy()
    sure = abs(value) > 1e-9
    assert 50 < inside.sum() < 350
    assert ((value < 0) == inside)[sure].all()


def within(kind, size, x):
    if kind == mujoco.mjtGeom.mjGEOM_SPHERE:
        return x @ x < size[0] ** 2
    if kind == mujoco.mjtGeom.mjGEOM_CAPSULE:
        return np.hypot(np.hypot(x[0], x[1]), max(abs(x[2]) - size[1], 0.0)) < size[0]
    if kind == mujoco.mjtGeom.mjGEOM_BOX:
        return (abs(x) < size).all()
    return ((x / size) ** 2).sum() < 1.0


def test_gradients_for_points_and_poses_are_those_of_finite_differences():
    rng = np.random.default_rng(2)
    field = AnalyticBody(dtype=torch.double)
    code = torch.tensor(poses(rng, 1), requires_grad=True)
    x = torch.tensor(code.detach().numpy()[:, :3] + rng.uniform(-1, 1, (12, 3)), requires_grad=True)
    assert torch.autograd.gradcheck(field.distance, (x, code), eps=1e-7, atol=1e-5)


def test_the_distance_is_1_lipschitz_with_unit_gradient_and_the_normal_is_that():
    rng = np.random.default_rng(3)
    field = AnalyticBody(dtype=torch.double)
    a, b = (torch.tensor(rng.uniform((-1, -1, 0), (1, 1, 2), (400, 3))) for _ in range(2))
    assert ((field.distance(a) - field.distance(b)).abs() <= (a - b).norm(dim=-1) + 1e-12).all()
    torch.testing.assert_close(field.normal(a).norm(dim=-1), torch.ones(400, dtype=torch.double))


def test_poses_and_points_broadcast():
    rng = np.random.default_rng(4)
    field = AnalyticBody(dtype=torch.double)
    code, x = torch.tensor(poses(rng, 3)), torch.tensor(rng.normal(size=(5, 3)))
    together = field.geometry(x, code[:, None])
    assert together.value.shape == (3, 5) and together.features.shape == (3, 5, len(field.geoms))
    for i in range(3):
        torch.testing.assert_close(together.value[i], field.distance(x, code[i]))
    rest = torch.tensor(body.skeleton().rest_qpos)
    torch.testing.assert_close(field.distance(x), field.distance(x, rest))


def test_colour_and_part_are_those_of_the_nearest_geom():
    field = AnalyticBody(dtype=torch.double)
    model, data = posed(None, body.skeleton().rest_qpos)
    x = torch.tensor(data.geom_xpos[field.geoms.geoms])  # centres; those within a larger geom belong to that
    features = field.geometry(x).features
    nearest = field.geoms.geoms[features.argmax(-1)]
    expected = to_linear(colours(model)[nearest, :3])
    np.testing.assert_allclose(field.color(x, x, features), expected, atol=1e-15)
    np.testing.assert_allclose(field.color(x, x, None), expected, atol=1e-15)
    assert (field.property("part", x, features).argmax(-1).numpy() == model.geom_bodyid[nearest] - 1).all()
    assert (field.property("geom", x, None).argmax(-1) == features.argmax(-1)).all()
    for name in ("head", "left_foot", "right_hand"):
        where = torch.tensor(data.geom(name).xpos)
        assert field.property("part", where, None).argmax() == body.skeleton().body(name)
    with pytest.raises(CapabilityError, match="'force'"):
        field.property("force", x, features)


def test_occupancy_is_the_sign_of_the_distance():
    x = torch.rand(500, 3) * 2 - 1
    field = AnalyticBody()
    occupancy, value = field.occupancy(x, width=0.01), field.geometry(x).value
    torch.testing.assert_close(occupancy.logit, -value / 0.01)
    assert ((torch.sigmoid(occupancy.logit) > 0.5) == (value < 0)).all()


def test_the_solid_body_is_without_what_is_only_seen_and_meshes_are_refused():
    solid, seen = AnalyticBody(solid=True), AnalyticBody()
    assert len(solid.geoms) == 15 and len(seen.geoms) == 26
    x = torch.rand(200, 3) * 2
    assert (solid.distance(x) >= seen.distance(x) - 1e-6).all()
    mesh = mujoco.MjModel.from_xml_string(
        '<mujoco><asset><mesh name="gem" vertex="0 0 0 1 0 0 0 1 0 0 0 1"/></asset>'
        '<worldbody><body name="b"><freejoint/><geom name="stone" type="mesh" mesh="gem"/></body></worldbody></mujoco>'
    )
    with pytest.raises(CapabilityError, match="'stone' is a mesh"):
        AnalyticBody(model=mesh)
