"""Made motions: what was asked for is what is done, and bodies could do it."""

import mujoco
import numpy as np
import pytest

from rlsuite.errors import MotionError, UnknownNameError
from rlsuite.motion import body, clip_files, kinematics, quality, sampling
from rlsuite.motion import rotations as rot
from rlsuite.motion.synthesis import MOTIONS, NAMES, cartwheels, make, poses
from rlsuite.motion.synthesis.__main__ import main
from rlsuite.motion.synthesis.curves import fourier
from rlsuite.motion.synthesis.gait import bouncing_height
from rlsuite.motion.synthesis.gait_tables import WALKING
from rlsuite.motion.synthesis.shipped import SHIPPED, write_shipped

SOLES = ["right_heel", "right_toe", "left_heel", "left_toe"]
GRAVITY = 9.81


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """Every shipped clip, made now, through the disk."""
    folder = tmp_path_factory.mktemp("clips")
    write_shipped(folder)
    return {name: clip_files.load(folder / f"{name}.npz") for name in SHIPPED}


def soles(clip):
    """``(T, 2 feet, heel and toe, 3)``."""
    return kinematics.keypoints(clip.skeleton, clip.qpos, SOLES).reshape(clip.n_frames, 2, 2, 3)


# Gaits ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("motion", "speed"), [("walk", 0.5), ("walk", 1.2), ("walk", 1.8), ("run", 2.2), ("run", 4.5)])
def test_a_gait_goes_as_fast_as_asked(motion, speed):
    clip = make(motion, speed=speed)
    shift, heading = sampling.cycle_displacement(clip)
    assert shift[0] / clip.duration == pytest.approx(speed, rel=1e-4)
    assert abs(shift[1]) < 1e-5 and heading == 0.0


@pytest.mark.parametrize(("motion", "speed", "step"), [("walk", 1.0, 0.5), ("walk", 1.2, 0.7), ("run", 3.0, 1.1)])
def test_steps_are_as_long_as_asked(motion, speed, step):
    clip = make(motion, speed=speed, step_length=step)
    heels, half = soles(clip)[:, :, 0, 0], (clip.n_frames - 1) // 2
    assert clip.contacts[0, 0] and clip.contacts[half, 1]
    assert heels[half, 1] - heels[0, 0] == pytest.approx(step, abs=1e-4)
    assert heels[-1, 0] - heels[half, 1] == pytest.approx(step, abs=1e-4)


@pytest.mark.parametrize("motion", ["walk", "run"])
def test_the_left_half_of_a_stride_is_the_right_half_in_a_mirror(motion):
    clip = make(motion)
    half = (clip.n_frames - 1) // 2
    where = clip.bodies[0]
    mirrored = where[:, clip.skeleton.mirrored_bodies] * np.array([1.0, -1.0, 1.0])
    shift = sampling.cycle_displacement(clip)[0] / 2.0
    np.testing.assert_allclose(where[half:], mirrored[: half + 1] + shift, atol=2e-5)
    np.testing.assert_array_equal(clip.contacts[half:], clip.contacts[: half + 1, ::-1])


def test_a_walker_always_stands_and_a_runner_flies():
    walking, running = make("walk").contacts, make("run").contacts
    assert walking.any(axis=1).all() and walking.all(axis=1).any()
    assert not running.all(axis=1).any() and (~running.any(axis=1)).sum() >= 4


def test_a_runner_in_flight_falls_with_gravity():
    clip = make("run", speed=2.6)
    height = poses.centre_of_mass(clip.qpos)[:, 2]
    acceleration = np.diff(height, n=2) * clip.fps**2
    flying = ~clip.contacts.any(axis=1)
    inside = flying[:-2] & flying[1:-1] & flying[2:]
    assert inside.sum() >= 3
    np.testing.assert_allclose(acceleration[inside], -GRAVITY, atol=0.15)


def test_the_push_of_a_runner_balances_gravity():
    phase = np.arange(2000) / 2000
    contact, period = 0.35, 0.7
    height = bouncing_height(phase, contact, period)
    acceleration = (np.roll(height, 1) - 2 * height + np.roll(height, -1)) / (period / 2000) ** 2
    force = acceleration + GRAVITY  # per kilogram
    assert force.mean() == pytest.approx(GRAVITY, rel=1e-6)
    assert force.min() > -0.1 and force.max() == pytest.approx(0.5 * np.pi * GRAVITY * 0.5 / contact, rel=1e-3)


def test_walking_angles_stay_near_the_published_ones():
    clip = make("walk")
    names = [joint.name for joint in clip.skeleton.joints]
    phase = np.linspace(0.0, 1.0, clip.n_frames)
    knee = np.degrees(clip.qpos[:, clip.skeleton.qpos_address[names.index("right_knee")]])
    assert np.sqrt(np.mean((knee - fourier(WALKING.knee, phase)) ** 2)) < 10.0
    thigh = -np.degrees(clip.qpos[:, clip.skeleton.qpos_address[names.index("right_hip_y")]])
    assert np.sqrt(np.mean((thigh - fourier(WALKING.hip, phase) + WALKING.tilt[0]) ** 2)) < 5.0
    assert np.corrcoef(knee, fourier(WALKING.knee, phase))[0, 1] > 0.9


@pytest.mark.parametrize("rate", [-0.8, 0.5])
def test_a_turn_turns_at_its_rate(rate):
    clip = make("turn", rate=rate, speed=1.0)
    _, heading = sampling.cycle_displacement(clip)
    assert clip.wrap_heading and heading / clip.duration == pytest.approx(rate, rel=1e-4)
    later = clip.sample(np.array([0.3, 0.3 + 2.0 * clip.duration]))
    turned = rot.heading_angle(rot.multiply(later[1, 3:7], rot.conjugate(later[0, 3:7])))
    assert turned == pytest.approx(2.0 * heading, abs=1e-4)


@pytest.mark.parametrize("angle", [np.pi / 2, -1.0])
def test_a_turn_by_an_angle_ends_there(angle):
    clip = make("turn", angle=angle)
    turned = rot.heading_angle(rot.multiply(clip.qpos[-1, 3:7], rot.conjugate(clip.qpos[0, 3:7])))
    assert clip.loop == "once" and turned == pytest.approx(angle, abs=1e-4)
    assert np.linalg.norm(np.diff(clip.qpos[:, :2], axis=0), axis=1).max() * clip.fps < 1.2 * 0.9 + 0.2


# Bodies could do it ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED)
def test_standing_feet_neither_slide_nor_sink(shipped, name):
    clip = shipped[name]
    points = soles(clip)
    assert points[..., 2].min() > -0.005
    columns = [clip.contact_names.index(foot) for foot in ("right_foot", "left_foot")]
    stands = clip.contacts[:, columns]
    both = stands[1:] & stands[:-1]
    # of heel and toe the one that rests: the slower of those near the ground
    way = np.linalg.norm(np.diff(points, axis=0)[..., :2], axis=-1) * clip.fps
    low = np.maximum(points[1:, ..., 2], points[:-1, ..., 2]) < 0.002
    resting = np.where(low, way, np.inf).min(axis=-1)
    assert both.any() and resting[both & np.isfinite(resting)].max() < 0.01
    # a foot in contact touches the ground, but for the frame in which it changes from heel to toe
    assert np.isfinite(resting[both]).mean() > 0.9


@pytest.mark.parametrize("name", SHIPPED)
def test_joints_keep_their_limits(shipped, name):
    low, high = shipped[name].skeleton.qpos_range.T
    assert (shipped[name].qpos >= low - 1e-5).all() and (shipped[name].qpos <= high + 1e-5).all()


@pytest.mark.parametrize("name", SHIPPED)
def test_cycles_close(shipped, name):
    clip = shipped[name]
    assert clip.loop == "wrap"
    end = clip.qpos[-1:].copy()
    sampling.displace_cycles(clip, end, np.array([-1.0]))
    assert np.abs(sampling.difference(clip.skeleton, end, clip.qpos[:1])).max() < 1e-4
    # the speed changes across the seam no more than it does within
    poses_around = clip.sample(np.arange(-2, 3) / clip.fps)
    steps = sampling.difference(clip.skeleton, poses_around[:-1], poses_around[1:]) * clip.fps
    within = np.abs(np.diff(sampling.difference(clip.skeleton, clip.qpos[:-1], clip.qpos[1:]) * clip.fps, axis=0))
    assert np.abs(np.diff(steps, axis=0)).max() <= within.max() + 1e-3


STEADY = [name for name in SHIPPED if name not in ("run", "cartwheel", "walk_fast")]


@pytest.mark.parametrize("name", STEADY)
def test_the_quality_check_finds_nothing(shipped, name):
    report = quality.check(shipped[name])
    assert report.verdict == "ok", [(f.name, f.subject, f.worst) for f in report.findings]


@pytest.mark.parametrize("name", ["run", "cartwheel", "walk_fast"])
def test_the_quality_check_finds_nothing_bad_in_what_is_strenuous(shipped, name):
    report = quality.check(shipped[name])
    assert report.verdict in ("ok", "warn") and report.startable.mean() > 0.8
    assert {f.name for f in report.findings} <= {"torque", "spike", "residual", "jitter"}


@pytest.mark.parametrize(
    ("motion", "parameters"),
    [
        ("walk", {"speed": 0.5}), ("walk", {"speed": 1.8}), ("walk", {"step_length": 0.8}), ("turn", {"rate": -1.0}),
        ("turn", {"rate": 1.0}), ("squat", {"depth": 0.5}), ("jump", {"height": 0.5}), ("kick", {"height": 1.1}),
        ("sidestep", {"step_length": 0.1}), ("bow", {"angle": 1.4}), ("wave", {"hand": "left", "waves": 1}),
    ],
)  # fmt: skip
def test_the_ends_of_the_ranges_are_sound_too(motion, parameters):
    report = quality.check(make(motion, **parameters))
    assert report.verdict == "ok", [(f.name, f.subject, f.worst) for f in report.findings]


# Single motions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("height", [0.1, 0.25, 0.4])
def test_a_jump_rises_and_falls_as_a_thrown_body(height):
    clip = make("jump", height=height)
    air = np.flatnonzero(~clip.contacts.any(axis=1))
    mass = poses.centre_of_mass(clip.qpos)[:, 2]
    time = clip.times[air]
    parabola = np.polynomial.Polynomial.fit(time, mass[air], 2)
    flight = 2.0 * np.sqrt(2.0 * height / GRAVITY)
    assert parabola.deriv(2)(0.0) == pytest.approx(-GRAVITY, rel=1e-3)
    assert np.abs(parabola(time) - mass[air]).max() < 1e-5
    assert abs(len(air) / clip.fps - flight) <= 1.0 / clip.fps
    # the arc from take-off to landing is half the flight on each side of its top, and the rise over it the height
    top = parabola.deriv().roots()[0]
    assert parabola(top) - parabola(top + flight / 2) == pytest.approx(height, rel=1e-3)
    assert time[0] - (top - flight / 2) == pytest.approx(0.0, abs=1.0 / clip.fps)
    assert soles(clip)[air][1:-1, ..., 2].min() > 0.0


def test_a_jumper_presses_the_ground_well_inside_the_soles():
    clip = make("jump")
    model = body.model()
    model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_CONTACT)
    data = mujoco.MjData(model)
    time = np.arange(0.0, clip.duration, 1.0 / clip.fps)
    velocity = [clip.sample_velocity((time + shift) % clip.duration) for shift in (-1.0 / 60.0, 0.0, 1.0 / 60.0)]
    flat = soles(clip)[: len(time), ..., 2].max(axis=(1, 2)) < 0.001
    shares = []
    for k in np.flatnonzero(flat):
        data.qpos, data.qvel = clip.qpos[k], velocity[1][k]
        data.qacc = (velocity[2][k] - velocity[0][k]) * 30.0
        mujoco.mj_inverse(model, data)
        force = data.qfrc_inverse[:3]
        moment = rot.rotate(clip.qpos[k, 3:7], data.qfrc_inverse[3:6]) + np.cross(clip.qpos[k, :3], force)
        heel, toe = soles(clip)[k, :, :, 0].mean(axis=0)
        shares.append((-moment[1] / force[2] - heel) / (toe - heel))  # where on the sole, from heel to toe
    assert len(shares) > 80 and 0.15 < min(shares) < max(shares) < 0.85


@pytest.mark.parametrize("depth", [0.1, 0.45])
def test_a_squat_goes_as_deep_as_asked(depth):
    clip = make("squat", depth=depth)
    assert np.ptp(clip.qpos[:, 2]) == pytest.approx(depth, abs=1e-5)
    over = poses.centre_of_mass(clip.qpos)
    np.testing.assert_allclose(over[:, :2], np.broadcast_to(over[0, :2], (clip.n_frames, 2)), atol=1e-5)


def test_the_hand_asked_for_waves():
    for hand, other in (("right", "left"), ("left", "right")):
        clip = make("wave", hand=hand, waves=2)
        position = kinematics.keypoints(clip.skeleton, clip.qpos, [f"{hand}_wrist", f"{other}_wrist", "head"])
        assert (position[:, 0, 2] > position[:, 2, 2] - 0.15).any()
        assert position[:, 1, 2].max() < 0.9


def test_a_kick_reaches_its_height_with_one_foot():
    clip = make("kick", height=0.9, foot="left")
    ankle = kinematics.keypoints(clip.skeleton, clip.qpos, ["left_ankle", "right_ankle"])
    assert ankle[:, 0, 2].max() == pytest.approx(0.9, abs=0.01) and np.ptp(ankle[:, 1], axis=0).max() < 1e-4


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_cartwheel_goes_over_both_hands(side):
    clip = make("cartwheel", side=side)
    assert clip.contact_names == cartwheels.CONTACTS
    lead, trail = side, "right" if side == "left" else "left"
    first = {name: int(np.argmax(column)) for name, column in zip(clip.contact_names, clip.contacts.T, strict=True)}
    assert 0 < first[f"{lead}_hand"] < first[f"{trail}_hand"]
    for hand in (lead, trail):
        on = clip.contacts[:, clip.contact_names.index(f"{hand}_hand")]
        place = kinematics.keypoints(clip.skeleton, clip.qpos[on], [f"{hand}_wrist"])[:, 0]
        np.testing.assert_allclose(place[:, 2], 0.04, atol=1e-4)  # the radius of the hand
        assert np.ptp(place, axis=0).max() < 1e-3
    up = rot.rotate(clip.qpos[:, 3:7], np.array([0.0, 0.0, 1.0]))
    assert up[clip.n_frames // 2, 2] < -0.999 and up[-1, 2] > 0.999
    sign = 1.0 if side == "left" else -1.0
    assert sign * (clip.qpos[-1, 1] - clip.qpos[0, 1]) > 2.0
    # one whole turn, always the same way round
    rate = clip.qvel[:, 3] * -sign
    assert rate.min() > -1.0 and np.trapezoid(rate, clip.times) == pytest.approx(2.0 * np.pi, rel=1e-2)


# Names, parameters, files ---------------------------------------------------------------------------------------------


def test_unknown_names_and_parameters_are_told():
    with pytest.raises(UnknownNameError, match="did you mean 'walk'"):
        make("wakl")
    with pytest.raises(MotionError, match=r"walk: no parameter 'sped'; did you mean 'speed'\?"):
        make("walk", sped=1.0)


@pytest.mark.parametrize(
    ("motion", "parameter", "value", "message"),
    [
        ("walk", "speed", 9.0, r"walk: speed must be a number from 0.5 to 1.8 m/s, not 9.0"),
        ("walk", "speed", float("nan"), "from 0.5 to 1.8"),
        ("walk", "speed", True, "from 0.5 to 1.8"),
        ("walk", "speed", "fast", "from 0.5 to 1.8"),
        (
            "walk",
            "step_length",
            0.26,
            r"step_length at 1.2 m/s must be from 0.38 to 0.80 m \(50 to 190 steps a minute\)",
        ),
        ("wave", "hand", "both", "one of right, left"),
        ("wave", "waves", 1.5, "a whole number from 1 to 20"),
        ("jump", "height", 0.0, "from 0.05 to 0.5 m"),
    ],
)
def test_values_out_of_range_are_refused_with_the_range(motion, parameter, value, message):
    with pytest.raises(MotionError, match=message):
        make(motion, **{parameter: value})


def test_every_parameter_is_explained():
    assert tuple(MOTIONS) == NAMES
    for motion in MOTIONS.values():
        assert motion.help
        for parameter in motion.parameters.values():
            assert parameter.help and parameter.allowed


def test_a_leg_too_short_is_told():
    plan = poses.Choreography(
        root=np.array([[0.0, 0.0, 1.2]]), pelvis=poses.turn(x=np.zeros(1)), chest=np.zeros((1, 3)),
        neck=np.zeros((1, 3)), arms=dict.fromkeys(poses.SIDES, np.zeros((1, 4))),
        ankles={s: (np.array([[0.0, poses.SIGN[s] * 0.08, 0.05]]), poses.turn(x=np.zeros(1))) for s in poses.SIDES},
    )  # fmt: skip
    with pytest.raises(
        MotionError, match=r"the right foot is 1\.\d+ m from the hip at frame 0; the leg is 0.831 m long"
    ):
        poses.assemble(plan)


def test_feet_are_where_the_plan_wants_them():
    rng = np.random.default_rng(3)
    n = 40
    ankles = {}
    for side in poses.SIDES:
        aside = 0.1 * poses.SIGN[side]
        place = rng.uniform([-0.3, aside - 0.1, 0.05], [0.3, aside + 0.1, 0.4], (n, 3))
        angles = rng.uniform(-0.4, 0.4, (3, n))
        ankles[side] = (place, poses.turn(x=angles[0], y=angles[1], z=angles[2]))
    plan = poses.Choreography(
        root=rng.uniform([-0.05, -0.05, 0.7], [0.05, 0.05, 0.75], (n, 3)), pelvis=poses.turn(x=rng.uniform(-0.2, 0.2, n)),
        chest=np.zeros((n, 3)), neck=np.zeros((n, 3)), arms=dict.fromkeys(poses.SIDES, np.zeros((n, 4))), ankles=ankles,
    )  # fmt: skip
    position, quat = kinematics.forward(poses.humanoid(), poses.assemble(plan))
    for side in poses.SIDES:
        foot = poses.humanoid().body(f"{side}_foot")
        np.testing.assert_allclose(position[:, foot], ankles[side][0], atol=1e-9)
        assert rot.angle_between(quat[:, foot], ankles[side][1]).max() < 1e-7


def test_provenance_tells_how_a_clip_was_made():
    clip = make("walk", speed=1.0)
    assert clip.name == "walk"
    assert clip.provenance == ({"step": "synthesise", "motion": "walk", "speed": 1.0},)
    assert clip.licence.startswith("MIT")


def test_the_command_wants_a_folder(capsys):
    assert main([]) == 2 and main(["--help"]) == 2
    assert "usage" in capsys.readouterr().err


def test_turns_are_told_in_degrees_too():
    assert MOTIONS["turn"].parameters["angle"].allowed == "a number from -6.28 to 6.28 rad (-360 to 360 degrees)"
