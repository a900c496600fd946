"""Our humanoid against DeepMimic's tables, and every parameter of its shape."""

import json

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlsuite.errors import SkeletonError
from rlsuite.motion import body, kinematics
from rlsuite.motion.body import BodyShape
from tests.motion.models import skeleton_named

# Peng et al. (2018), data/controllers/humanoid3d_ctrl.txt: Kp, Kd; characters/humanoid3d.txt: torque limits, ranges
GAINS = {
    "chest": (1000, 100, 200), "neck": (100, 10, 50), "hip": (500, 50, 200), "knee": (500, 50, 150),
    "ankle": (400, 40, 90), "shoulder": (400, 40, 100), "elbow": (300, 30, 60),
}  # fmt: skip
MASSES = {
    "pelvis": 6,
    "torso": 14,
    "head": 2,
    "thigh": 4.5,
    "shin": 3,
    "foot": 1,
    "upper_arm": 1.5,
    "lower_arm": 1,
    "hand": 0.5,
}
WINGSPAN = ("left_wrist", "right_wrist")


def points(shape: BodyShape | None = None) -> dict[str, np.ndarray]:
    skeleton = body.skeleton(shape)
    return dict(zip(skeleton.keypoints, kinematics.keypoints(skeleton, skeleton.rest_qpos), strict=True))


def distance(shape: BodyShape | None, a: str, b: str) -> float:
    where = points(shape)
    return float(np.linalg.norm(where[a] - where[b]))


def lowest_point(model: mujoco.MjModel) -> float:
    """Of all solid parts at rest, in closed form for each kind of solid."""
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    lowest = np.inf
    for g in range(model.ngeom):
        if model.geom_bodyid[g] == 0 or model.geom_conaffinity[g] == 0:
            continue
        down, size = np.abs(data.geom_xmat[g].reshape(3, 3)[2]), model.geom_size[g]
        reach = {
            mujoco.mjtGeom.mjGEOM_SPHERE: size[0],
            mujoco.mjtGeom.mjGEOM_CAPSULE: size[0] + down[2] * size[1],
            mujoco.mjtGeom.mjGEOM_BOX: down @ size,
        }[mujoco.mjtGeom(model.geom_type[g])]
        lowest = min(lowest, data.geom_xpos[g, 2] - reach)
    return float(lowest)


def test_sizes_masses_and_symmetry() -> None:
    model = body.model()
    assert (model.nq, model.nv, model.nu, model.nbody) == (35, 34, 28, 16)
    assert model.body_mass.sum() == pytest.approx(45.0, abs=1e-12)
    skeleton = body.skeleton()
    for i, name in enumerate(skeleton.body_names):
        assert model.body_mass[i + 1] == pytest.approx(MASSES[name.removeprefix("left_").removeprefix("right_")])
    partners = np.array(skeleton.mirrored_bodies) + 1
    np.testing.assert_allclose(model.body_inertia[1:], model.body_inertia[partners], rtol=1e-12)
    np.testing.assert_allclose(model.body_ipos[1:] * [1, -1, 1], model.body_ipos[partners], atol=1e-12)
    assert len(skeleton.spherical_hinges) == 8


def test_gains_torques_and_ranges_are_deepmimics() -> None:
    model = body.model()
    for a in range(model.nu):
        name = model.actuator(a).name
        kind = next(kind for kind in GAINS if kind in name)
        kp, kd, torque = GAINS[kind]
        assert (model.actuator_gainprm[a, 0], *model.actuator_biasprm[a, 1:3]) == (kp, -kp, -kd)
        assert model.actuator_forcerange[a].tolist() == [-torque, torque]
        joint = model.actuator_trnid[a, 0]
        assert model.joint(joint).name == name and model.jnt_limited[joint]
        assert model.actuator_ctrlrange[a].tolist() == model.jnt_range[joint].tolist()
    # implicitfast takes the damping of the actuators into the mass matrix, so that 1/180 s is stable
    assert model.opt.integrator == mujoco.mjtIntegrator.mjINT_IMPLICITFAST and model.opt.timestep == pytest.approx(
        1 / 180
    )


def test_joints_and_segments_are_those_of_the_character_file(mocap) -> None:
    """Y up, Z right there becomes Z up, Y left: (x, y, z) -> (x, -z, y); a turn about z there is one about -y here."""
    file = json.loads((mocap / "deepmimic/characters/humanoid3d.txt").read_text())
    model, skeleton = body.model(), body.skeleton()
    moved = {"root": "pelvis", "chest": "torso", "neck": "head", "hip": "thigh", "knee": "shin", "ankle": "foot"}
    moved |= {"shoulder": "upper_arm", "elbow": "lower_arm", "wrist": "hand"}
    for joint, solid in zip(file["Skeleton"]["Joints"], file["BodyDefs"], strict=True):
        side, _, part = joint["Name"].rpartition("_")
        index = skeleton.body(f"{side}_{moved[part]}" if side else moved[part])
        if joint["Parent"] >= 0:
            np.testing.assert_allclose(
                skeleton.body_pos[index], [joint["AttachX"], -joint["AttachZ"], joint["AttachY"]], atol=1e-9
            )
        assert model.body_mass[index + 1] == pytest.approx(solid["Mass"])
        hinges = {skeleton.joints[j].axis: skeleton.joints[j].range for j in skeleton.joints_of[index]}
        if joint["Type"] == "spherical":
            low, high = ([joint[f"Lim{end}{i}"] for i in range(3)] for end in ("Low", "High"))
            assert hinges[1.0, 0.0, 0.0] == pytest.approx((low[0], high[0]))
            assert hinges[0.0, 0.0, 1.0] == pytest.approx((low[1], high[1]))
            assert hinges[0.0, 1.0, 0.0] == pytest.approx((-high[2], -low[2]))
        elif joint["Type"] == "revolute":
            assert hinges == {(0.0, 1.0, 0.0): pytest.approx((-joint["LimHigh0"], -joint["LimLow0"]))}


shapes = st.builds(
    BodyShape,
    height=st.floats(0.9, 2.3),
    mass=st.floats(10, 200),
    **{name: st.floats(0.75, 1.35) for name in ("legs", "arms", "torso", "shoulders", "hips", "head", "feet", "girth")},
)


@settings(max_examples=25, deadline=None)
@given(shape=shapes)
def test_every_shape_stands_with_its_soles_on_the_floor_and_is_as_tall_and_heavy_as_asked(shape: BodyShape) -> None:
    model = mujoco.MjModel.from_xml_string(body.mjcf(shape))
    assert lowest_point(model) == pytest.approx(0.0, abs=1e-6)
    assert model.body_mass.sum() == pytest.approx(shape.mass, rel=1e-9)
    skeleton = body.skeleton(shape)
    where = dict(zip(skeleton.keypoints, kinematics.keypoints(skeleton, skeleton.rest_qpos), strict=True))
    assert where["head_top"][2] == pytest.approx(shape.height, abs=1e-6)
    assert where["left_heel"][2] == pytest.approx(0.0, abs=1e-6)
    assert body.rest_height(shape) == pytest.approx(skeleton.rest_qpos[2], abs=1e-9)
    assert body.shape_of(skeleton) == shape


@pytest.mark.parametrize(
    ("parameter", "longer", "unchanged"),
    [
        ("legs", ("left_hip", "left_ankle"), ("left_shoulder", "left_wrist")),
        ("arms", ("left_shoulder", "left_wrist"), ("left_hip", "left_ankle")),
        ("torso", ("pelvis", "neck"), ("left_hip", "left_ankle")),
        ("shoulders", ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")),
        ("hips", ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")),
        ("head", ("neck", "head_top"), ("pelvis", "neck")),
        ("feet", ("left_heel", "left_toe"), ("left_hip", "left_knee")),
    ],
)
def test_each_proportion_scales_its_own_part_against_the_others(parameter, longer, unchanged) -> None:
    shape = BodyShape(**{parameter: 1.2})
    scale = distance(shape, *unchanged) / distance(None, *unchanged)
    assert distance(shape, *longer) / distance(None, *longer) == pytest.approx(1.2 * scale, rel=1e-9)


def test_girth_thickens_limbs_and_trunk_but_not_the_head() -> None:
    thin, thick = body.model(), body.model(BodyShape(girth=1.3))
    for name, ratio in (("left_thigh", 1.3), ("torso", 1.3), ("right_lower_arm", 1.3), ("head", 1.0)):
        assert thick.geom(name).size[0] / thin.geom(name).size[0] == pytest.approx(ratio)


def test_shapes_beyond_bounds_are_refused() -> None:
    for wrong in ({"height": 0.1}, {"mass": float("nan")}, {"legs": 9.0}, {"arms": "long"}, {"head": True}):
        with pytest.raises(SkeletonError, match=next(iter(wrong))):
            BodyShape(**wrong)
    with pytest.raises(SkeletonError, match="retarget"):
        body.shape_of(skeleton_named("ant"))


def test_at_rest_it_stands_for_two_seconds_and_its_feet_carry_it() -> None:
    model = body.model()
    data = mujoco.MjData(model)
    for _ in range(360):
        mujoco.mj_step(model, data)
    assert data.qpos[2] > 0.85 and np.abs(data.qvel).max() < 0.5
    found = {name: data.sensor(f"contact_{name}").data for name in body.skeleton().body_names}
    weight = sum(np.linalg.norm(found[f"{side}_foot"][1:]) for side in ("left", "right"))
    assert weight == pytest.approx(45.0 * 9.81, rel=0.02)
    assert all(found[name][0] == 0 for name in found if "foot" not in name)
    assert all(found[f"{side}_foot"][0] > 0 for side in ("left", "right"))


def test_the_fallen_body_feels_the_floor_with_what_lies_on_it() -> None:
    model = body.model()
    data = mujoco.MjData(model)
    data.qpos[2:7] = 0.5, np.sqrt(0.5), 0.0, np.sqrt(0.5), 0.0
    for _ in range(360):
        mujoco.mj_step(model, data)
    assert np.isfinite(data.qpos).all() and np.abs(data.qvel).max() < 1.0
    assert data.sensor("contact_head").data[0] > 0 or data.sensor("contact_torso").data[0] > 0


@pytest.mark.parametrize("self_collision", [False, True])
def test_at_rest_it_touches_nothing_but_the_floor(self_collision: bool) -> None:
    model = body.model(self_collision=self_collision)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    assert data.ncon == 8 and all(model.geom("floor").id in data.contact[i].geom for i in range(8))
    data.joint("left_hip_x").qpos[:] = -0.4  # a thigh into the other
    mujoco.mj_forward(model, data)
    pairs = {tuple(sorted(model.geom(g).name for g in data.contact[i].geom)) for i in range(data.ncon)}
    assert (("left_thigh", "right_thigh") in pairs) == self_collision


def test_many_bodies_are_stepped_at_once_as_one_is() -> None:
    batch = pytest.importorskip("mujoco.batch")
    model = body.model()
    many = batch.Batch(model, 3)
    one = mujoco.MjData(model)
    for _ in range(30):
        many.step()
        mujoco.mj_step(model, one)
    np.testing.assert_allclose(many.qpos, np.tile(one.qpos, (3, 1)), atol=1e-9)


def test_a_body_without_floor_has_no_sensors_of_it() -> None:
    model = mujoco.MjModel.from_xml_string(body.mjcf(floor=False))
    assert model.nsensor == 0 and model.nu == 28
