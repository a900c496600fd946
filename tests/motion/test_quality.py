"""Faults planted in a clean clip are found in exactly their frames; heights and torques agree with MuJoCo's."""

import json
from dataclasses import replace

import mujoco
import numpy as np
import pytest

from rlsuite.errors import MotionError, SkeletonError
from rlsuite.motion import body, catalogue
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.formats import deepmimic
from rlsuite.motion.quality import Limits, check, dynamics
from rlsuite.motion.quality.joints import nearest_in_range
from rlsuite.motion.quality.report import stretches
from rlsuite.motion.quality.solids import Solids
from rlsuite.motion.skeleton import Skeleton
from tests.motion import faults


@pytest.fixture(scope="module")
def clip():
    return faults.clean()


def between(start, stop):
    return list(range(start, stop))


def test_the_clean_clip_is_clean(clip):
    report = check(clip)
    assert report.findings == ()
    assert report.verdict == "ok"
    assert report.startable.all()
    assert (report.frame_verdicts == 0).all()


# Planted faults -------------------------------------------------------------------------------------------------------


def test_sinking(clip):
    report = check(faults.sunk(clip, slice(40, 60), 0.03))
    assert report.frames_of("penetration") == between(40, 60)
    assert {f.subject for f in report.of("penetration")} == {"right_foot", "left_foot"}
    assert all(f.magnitude == pytest.approx(0.03, abs=1e-6) for f in report.of("penetration"))
    deep = check(faults.sunk(clip, slice(40, 60), 0.06))
    assert all(f.severity == "bad" and f.bad.all() for f in deep.of("penetration"))
    assert (deep.frame_verdicts[40:60] == 2).all()
    assert not deep.startable[40:60].any()


def test_floating_but_not_jumping(clip):
    report = check(faults.raised(clip, slice(30, 90)))
    assert report.frames_of("floating") == between(30, 90)
    assert report.of("floating")[0].worst == pytest.approx(0.2, abs=1e-6)
    residual = report.of("residual")[0]
    middle = (residual.frames > 40) & (residual.frames < 80)
    assert residual.magnitude[middle] == pytest.approx(1.0, abs=0.15)  # nothing holds it: one body weight is missing
    assert set(between(41, 80)) <= set(residual.frames.tolist())
    assert check(faults.jumping()).of("floating") == []
    slow = check(faults.jumping(fps=30.0))  # the same numbers played at half the gravity … at another rate
    assert slow.of("floating") == []
    hovering = replace(faults.jumping(), fps=30.0)  # at half speed: a quarter of gravity
    assert hovering.n_frames == 60
    assert check(hovering).of("floating") != []


def test_one_foot_slides(clip):
    report = check(faults.sliding(clip, "left_foot", 40, 60, 0.12))
    [finding] = report.of("skate")
    assert finding.subject == "left_foot"
    assert finding.frames.tolist() == between(40, 61)  # both frames of every sliding step
    assert finding.magnitude == pytest.approx(0.12 / (20 / 60.0), rel=0.02)


def test_rolling_over_the_toe_is_no_sliding(clip):
    qpos = np.tile(clip.skeleton.rest_qpos, (60, 1))
    pitch = np.linspace(0.0, 0.4, 60)
    pivot = np.array([0.1335, 0.0, -clip.skeleton.rest_qpos[2]])  # the toes, from the pelvis
    turn = rot.from_axis_angle((0.0, 1.0, 0.0), pitch)
    qpos[:, :3] += pivot - rot.rotate(turn, pivot)
    qpos[:, 3:7] = turn
    rolling = MotionClip(qpos, 60.0, clip.skeleton)
    heels = Solids(body.model(), rolling).points[1][..., 2].max(axis=1)
    assert heels.max() > 0.05
    assert check(rolling).of("skate") == []


@pytest.mark.parametrize("frames", [(70,), (70, 71), (70, 71, 72)])
def test_spikes(clip, frames):
    report = check(faults.spiked(clip, frames))
    [finding] = report.of("spike")
    assert finding.subject == "left_lower_arm"
    assert finding.frames.tolist() == list(frames)
    assert finding.magnitude == pytest.approx(60.0, rel=0.2)  # 1 rad in a sixtieth of a second
    assert report.of("discontinuity") == []
    spoilt = [frames[0] - 1, *frames, frames[-1] + 1]
    assert np.flatnonzero(~report.startable).tolist() == spoilt


def test_teleport(clip):
    report = check(faults.teleported(clip, 50, 0.5))
    [finding] = report.of("discontinuity")
    assert finding.subject == "root position"
    assert finding.frames.tolist() == [50]
    assert finding.worst == pytest.approx(0.5 * 60.0, rel=1e-3)
    assert report.of("spike") == []
    assert report.frames_of("velocity") == [49, 50]


def test_a_joint_that_leaps_for_good(clip):
    report = check(faults.with_column(clip, faults.column("neck_z"), slice(80, None), 0.6))
    [finding] = report.of("discontinuity")
    assert (finding.subject, finding.frames.tolist()) == ("head", [80])
    assert finding.worst == pytest.approx(36.0, rel=1e-3)


def test_crossed_legs(clip):
    report = check(faults.crossed(clip))
    assert report.frames_of("self_collision") == between(50, 71)
    pairs = {f.subject for f in report.of("self_collision")}
    assert "right_shin / left_shin" in pairs or "right_thigh / left_thigh" in pairs
    assert not report.startable[50:71].any()


def test_overbent_knee(clip):
    report = check(faults.overbent(clip))
    [finding] = report.of("joint_limit")
    assert (finding.subject, finding.frames.tolist()) == ("right_shin", between(20, 31))
    assert finding.magnitude == pytest.approx(0.3)
    assert finding.severity == "bad"
    assert not report.startable[20:31].any()


def test_another_branch_of_hinges_is_no_excess(clip):
    report = check(faults.rebranched(clip))
    assert report.of("joint_limit") == []
    assert report.of("spike", "discontinuity", "velocity") == []  # the turns are the same
    assert report.frames_of("hinge_branch") == between(60, 80)
    assert report.frames_of("gimbal") == [59, 60, 79, 80]
    assert not report.startable[59:81].any()


def test_flipped_quaternions_are_harmless(clip):
    report = check(faults.flipped(clip))
    [finding] = report.findings
    assert (finding.name, finding.severity, finding.frames.tolist()) == ("sign_flip", "info", [30, 40])
    assert report.verdict == "ok"
    assert report.startable.all()


def test_quaternions_as_they_were_read(clip):
    raw = clip.qpos.copy()
    raw[5, 3:7] *= 1.01
    [finding] = check(clip, raw=raw).findings
    assert (finding.name, finding.frames.tolist()) == ("quaternion_norm", [5])
    assert finding.worst == pytest.approx(0.01)
    assert "quaternion_norm" in check(clip).left_out
    with pytest.raises(MotionError, match="raw"):
        check(clip, raw=raw[:-1])


def test_trembling(clip):
    report = check(faults.trembling(clip))
    assert {f.subject for f in report.of("jitter")} == {"torso"}
    frames = report.frames_of("jitter")
    assert set(between(40, 80)) <= set(frames) <= set(between(20, 100))
    assert check(faults.spiked(clip)).of("jitter") == []


# Against MuJoCo -------------------------------------------------------------------------------------------------------

SOLIDS = """<mujoco><option gravity="0 0 -9.81"/><asset><mesh name="wedge" vertex="0 0 0 1 0 0 0 1 0 0 0 1 1 1 1"/></asset>
<worldbody><geom type="plane" size="0 0 1"/>{bodies}</worldbody></mujoco>"""
KINDS = {
    "sphere": 'size="0.3"', "capsule": 'size="0.1 0.4"', "box": 'size="0.1 0.2 0.3"',
    "ellipsoid": 'size="0.1 0.2 0.4"', "cylinder": 'size="0.2 0.3"', "mesh": 'mesh="wedge"',
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_lowest_points_are_mujocos(kind):
    geom = f'<geom type="{kind}" {KINDS[kind]} pos="0.1 0.2 0.3" euler="20 30 40"/>'
    text = SOLIDS.format(bodies=f'<body name="a"><freejoint/>{geom}</body>')
    model = mujoco.MjModel.from_xml_string(text)
    rng = np.random.default_rng(0)
    qpos = np.concatenate((rng.uniform(-0.2, 0.2, (30, 3)), rng.normal(size=(30, 4))), axis=1)
    clip = MotionClip(qpos, 30.0, Skeleton.from_model(model))
    data, geoms = mujoco.MjData(model), range(model.ngeom)
    for t, lowest in enumerate(Solids(model, clip).lowest[:, 0]):
        data.qpos[:] = clip.qpos[t]
        mujoco.mj_forward(model, data)
        depths = [data.contact.dist[i] for i in range(data.ncon)]
        if lowest < -1e-3:
            assert min(depths) == pytest.approx(lowest, abs=2e-4), (t, list(geoms))
        elif lowest > 1e-3:
            assert depths == []


def test_torques_are_those_of_mj_inverse(monkeypatch):
    """Of lone hinges and of the root, in the air, for any state and acceleration."""
    monkeypatch.setattr(dynamics, "HALF_WINDOW", 0.003)
    monkeypatch.setattr(dynamics, "HIGHEST_RATE", 1e9)
    model, skeleton = body.model(), body.skeleton()
    model.dof_armature[:] = 0.0
    model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_CONSTRAINT)  # neither floor nor joint limits
    data = mujoco.MjData(model)
    rng = np.random.default_rng(1)
    fps, middle = 2000.0, 6
    for _ in range(5):
        start = skeleton.rest_qpos.copy()
        start[2] = 3.0
        start[3:7] = rng.normal(size=4)
        start[7:] += rng.uniform(-0.5, 0.5, 28)
        start[3:7] /= np.linalg.norm(start[3:7])
        velocity, acceleration = rng.normal(size=34), 5.0 * rng.normal(size=34)
        qpos = np.empty((2 * middle + 1, 35))
        for i, t in enumerate((np.arange(2 * middle + 1) - middle) / fps):
            qpos[i] = start
            mujoco.mj_integratePos(model, qpos[i], velocity * t + 0.5 * acceleration * t**2, 1.0)
        clip = MotionClip(qpos, fps, skeleton)
        effort = dynamics.inverse_dynamics(clip, Solids(model, clip), 0.03)
        data.qpos[:], data.qvel[:], data.qacc[:] = start, velocity, acceleration
        mujoco.mj_inverse(model, data)
        here = effort.frames.tolist().index(middle)
        for name in ("right_knee", "left_knee", "right_elbow", "left_elbow"):
            joint = model.joint(name)
            column = effort.bodies.index(int(model.jnt_bodyid[joint.id]) - 1)
            wanted = abs(float(data.qfrc_inverse[joint.dofadr[0]] + data.qfrc_passive[joint.dofadr[0]]))
            assert effort.torques[here, column] == pytest.approx(wanted, rel=0.01, abs=0.05)
        np.testing.assert_allclose(effort.force[here], data.qfrc_inverse[:3], rtol=0.01, atol=0.5)
        moment = rot.rotate(rot.conjugate(start[3:7]), effort.moment[here])  # MuJoCo's is in the body's frame
        np.testing.assert_allclose(moment, data.qfrc_inverse[3:6], rtol=0.01, atol=0.5)


def test_standing_rests_on_the_ground(clip):
    effort = dynamics.inverse_dynamics(clip, Solids(body.model(), clip), 0.03)
    np.testing.assert_allclose(effort.ground[:, 2].mean(), 45.0 * 9.81, rtol=0.02)
    assert effort.weight == pytest.approx(45.0 * 9.81, rel=1e-6)
    assert effort.residual.max() < 0.05
    falling = faults.jumping()
    effort = dynamics.inverse_dynamics(falling, Solids(body.model(), falling), 0.03)
    flight = (effort.frames > 18) & (effort.frames < 30)
    assert effort.residual[flight].max() < 1e-3  # free fall needs nothing
    assert effort.torques[flight].max() < 1e-3


def test_a_foot_that_swings_by_low_holds_nothing():
    """In the run a foot passes the other at 4 to 6 cm, under the height of supports, while that one pushes off."""
    running = catalogue.find("run")
    effort = dynamics.inverse_dynamics(running, Solids(body.model(), running), 0.05)
    pushing, low = effort.frames.tolist().index(9), effort.frames.tolist().index(12)
    names = [running.skeleton.body_names[i] for i in effort.bodies]
    left, right = (names.index(f"{side}_shin") for side in ("left", "right"))
    assert effort.ground[pushing, 2] > 1.5 * effort.weight  # the right foot's push
    for frame in range(pushing, low + 1):
        assert effort.torques[frame, left] < 0.3 * effort.limits[left]
    assert effort.torques[pushing, right] > effort.torques[pushing, left]


def test_what_was_simulated_is_possible():
    """A body that MuJoCo itself let stand and sink to its knees under its motors: torques and forces are there."""
    model = body.model()
    data = mujoco.MjData(model)
    poses = []
    for control in range(60):
        bend = 0.3 * min(control / 30.0, 1.0)
        for side in ("right", "left"):
            data.ctrl[model.actuator(f"{side}_knee").id] = 2.0 * bend
            data.ctrl[model.actuator(f"{side}_hip_y").id] = data.ctrl[model.actuator(f"{side}_ankle_y").id] = -bend
        poses.append(data.qpos.copy())
        mujoco.mj_step(model, data, 6)
    report = check(MotionClip(np.array(poses), 30.0, body.skeleton()))
    assert report.of("torque", "residual", "floating", "joint_limit", "velocity") == []


# Skeletons, limits, reports -------------------------------------------------------------------------------------------


def test_nearest_turn_within_the_limits_is_the_best_of_a_search():
    skeleton = body.skeleton()
    foot = skeleton.body("right_foot")
    columns = [faults.column(f"right_ankle_{axis}") for axis in "xyz"]
    low, high = skeleton.qpos_range[columns].T
    rng = np.random.default_rng(2)
    qpos = np.tile(skeleton.rest_qpos, (12, 1))
    qpos[:, columns] = rng.uniform(-2.5, 2.5, (12, 3))
    angles, left = nearest_in_range(skeleton, foot, qpos)
    assert ((angles >= low) & (angles <= high)).all()
    grid = np.stack(np.meshgrid(*(np.linspace(a, b, 25) for a, b in zip(low, high, strict=True))), axis=-1).reshape(
        -1, 3
    )
    target = rot.from_euler(qpos[:, columns], "xyz")
    search = rot.angle_between(rot.from_euler(grid, "xyz"), target[:, None]).min(axis=1)
    assert (left <= search + 1e-3).all()
    np.testing.assert_allclose(rot.angle_between(rot.from_euler(angles, "xyz"), target), left, atol=1e-6)


def test_a_skeleton_without_solid_parts(clip):
    bare = replace(clip, skeleton=replace(clip.skeleton, shape=None, name="bvh"))
    report = check(faults.sunk(bare, slice(40, 60)))
    assert report.frames_of("penetration") == between(40, 60)  # of the soles
    assert {"self_collision", "torque", "residual", "penetration of other parts than feet"} <= set(report.left_out)
    assert "'bvh' has none" in report.left_out["self_collision"]
    footless = replace(bare, skeleton=replace(bare.skeleton, feet=()))
    assert {"penetration", "floating", "skate"} <= set(check(footless).left_out)
    given = check(faults.sunk(bare, slice(40, 60)), model=body.model(self_collision=True))
    assert "torque" not in given.left_out
    assert given.frames_of("penetration") == between(40, 60)


def test_a_model_of_another_body_is_refused(clip):
    model = mujoco.MjModel.from_xml_string(SOLIDS.format(bodies='<body name="a"><freejoint/><geom size="1"/></body>'))
    with pytest.raises(SkeletonError, match="not of skeleton"):
        check(clip, model=model)


def test_limits_decide(clip):
    sunk = faults.sunk(clip)
    assert check(sunk, limits=Limits(penetration=(0.04, 0.05))).of("penetration") == []
    assert check(sunk, limits=Limits(penetration=(0.01, 0.02))).verdict == "bad"
    with pytest.raises(MotionError, match="skate"):
        Limits(skate=(1.0, 0.5))


def test_one_frame_is_a_clip(clip):
    single = replace(clip, qpos=clip.qpos[:1])
    assert check(single).findings == ()
    assert check(faults.sunk(single)).frames_of("penetration") == [0]


def test_the_report_reads_as_text_and_as_json(clip):
    report = check(faults.overbent(faults.spiked(clip)))
    text = report.text()
    assert text.startswith("squat: BAD\n  120 frames at 60 Hz on 'humanoid': ")
    assert "joint_limit     right_shin" in text
    assert "0.3 rad (limit 0.02)  frames 20-30" in text
    assert "left out: quaternion_norm" in text
    data = json.loads(json.dumps(report.to_dict()))
    assert data["verdict"] == "bad"
    assert {data["frames"][i] for i in (*between(20, 31), 70)} == {"bad"}
    assert {data["frames"][i] for i in (*between(0, 15), *between(40, 65), *between(80, 120))} == {"ok"}
    assert data["findings"][0]["severity"] == "bad"
    marked = report.marked(clip)
    assert marked.startable.tolist() == data["startable"]
    assert marked.provenance[-1]["verdict"] == "bad"
    assert stretches([3, 4, 5, 19]) == "3-5, 19"
    assert stretches(range(0, 14, 2)) == "0, 2, 4, 6, 8, 10, and 1 more stretch"
    assert stretches(range(0, 40, 2)) == "0, 2, 4, 6, 8, 10, and 14 more stretches"


# Real clips -----------------------------------------------------------------------------------------------------------


def test_real_walking_and_jumping_pass(mocap):
    """A gait that people walk, and a jump that they jump: flight, forces and torques are possible."""
    for name in ("walk", "jump"):
        report = check(deepmimic.read(mocap / f"deepmimic/motions/humanoid3d_{name}.txt"))
        assert report.verdict == "warn", report.text()
        assert report.of("floating", "self_collision", "joint_limit", "velocity", "skate") == []
        assert all(f.worst < 1.2 for f in report.of("torque", "residual"))


def test_simulations_start_gently_from_startable_frames(mocap):
    """Over the first 12 steps of MuJoCo, motors holding the pose, joints are thrown about much less than from the others."""
    model = body.model()
    data = mujoco.MjData(model)
    fastest = {True: [], False: []}
    for name in ("backflip", "getup_facedown", "walk"):
        clip = deepmimic.read(mocap / f"deepmimic/motions/humanoid3d_{name}.txt")
        for qpos, qvel, startable in zip(clip.qpos, clip.qvel, check(clip).startable, strict=True):
            mujoco.mj_resetData(model, data)
            data.qpos[:], data.qvel[:], data.ctrl[:] = qpos, qvel, qpos[7:]
            speeds = []
            for _ in range(12):
                mujoco.mj_step(model, data)
                speeds.append(np.abs(data.qvel[6:]).max())
            fastest[bool(startable)].append(max(speeds))
    assert len(fastest[True]) > 100
    assert max(fastest[True]) < 40.0
    assert np.median(fastest[False]) > 3.0 * np.median(fastest[True])


def test_known_defects_of_real_clips(mocap):
    """The left arm of DeepMimic's walk leaps by half a radian in one frame; its stealthy walk wades in the floor."""
    walk = check(deepmimic.read(mocap / "deepmimic/motions/humanoid3d_walk.txt"))
    [leap] = walk.of("discontinuity")
    assert (leap.subject, leap.frames.tolist()) == ("left_upper_arm", [19])
    stealthy = check(deepmimic.read(mocap / "deepmimic/motions/humanoid3d_stealthy_walk.txt"))
    assert max(f.worst for f in stealthy.of("penetration")) == pytest.approx(0.075, abs=0.005)
