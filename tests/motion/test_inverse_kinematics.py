"""Jacobians against differences and MuJoCo; reachable targets are reached, limits kept, optima are optima."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlsuite.errors import MotionError
from rlsuite.motion import body, kinematics, sampling
from rlsuite.motion import inverse_kinematics as ik
from rlsuite.motion import rotations as rot
from rlsuite.motion.jacobians import jacobians
from rlsuite.motion.skeleton import Skeleton

MIXED = """<mujoco><compiler angle="radian"/><worldbody>
 <body name="a" pos="0 0 1" quat="0.8 0.6 0 0"><freejoint/><geom size="0.1"/>
  <body name="b" pos="0.3 0.1 0" quat="0.5 0.5 -0.5 0.5"><joint type="ball" pos="0.05 0 0.02"/><geom size="0.1"/>
   <body name="c" pos="0 0.2 0.1"><joint type="slide" axis="1 2 0"/><joint axis="0 1 1" pos="0.1 0 0"/>
    <joint axis="1 0 0" pos="0 0.1 0" ref="0.3"/><geom size="0.1"/>
    <body name="d" pos="0.2 0 0"><joint axis="0 0 1" range="-0.5 0.5"/><geom size="0.1"/></body>
   </body></body></body></worldbody></mujoco>"""


def mixed():
    return Skeleton.from_model(mujoco.MjModel.from_xml_string(MIXED), "mixed")


def poses(skeleton, rng, n, spread=0.4):
    """Within the limits."""
    near = sampling.integrate(skeleton, np.tile(skeleton.rest_qpos, (n, 1)), rng.normal(0, spread, (n, skeleton.nv)))
    return ik.within_limits(skeleton, near)


def targets_of(skeleton, qpos, points=None, rotated=None, weight=1.0, turn_weight=0.1):
    """Every body where it is in ``qpos``."""
    points = tuple(range(skeleton.nbody)) if points is None else points
    rotated = tuple(range(skeleton.nbody)) if rotated is None else rotated
    place, quat = kinematics.forward(skeleton, qpos)
    return ik.Targets(
        points, np.zeros((len(points), 3)), place[:, list(points)], np.full(len(points), weight),
        rotated, quat[:, list(rotated)], np.full(len(rotated), turn_weight),
    )  # fmt: skip


@pytest.mark.parametrize("make", [body.skeleton, mixed])
def test_jacobians_are_the_differences(make):
    skeleton, rng = make(), np.random.default_rng(0)
    qpos = poses(skeleton, rng, 3)
    bodies = tuple(range(skeleton.nbody))
    offsets = rng.normal(0, 0.1, (len(bodies), 3))
    move, turn = jacobians(skeleton, qpos, bodies, offsets)
    h = 1e-6
    for v in range(skeleton.nv):
        ends = [sampling.integrate(skeleton, qpos, sign * h * np.eye(skeleton.nv)[v]) for sign in (-1.0, 1.0)]
        (p0, q0), (p1, q1) = (kinematics.forward(skeleton, end) for end in ends)
        p0, p1 = p0 + rot.rotate(q0, offsets), p1 + rot.rotate(q1, offsets)
        np.testing.assert_allclose(move[..., v], (p1 - p0) / (2 * h), atol=1e-7)
        np.testing.assert_allclose(turn[..., v], rot.log(rot.multiply(q1, rot.conjugate(q0))) / (2 * h), atol=1e-7)


def test_jacobians_are_mujocos():
    model, skeleton = mujoco.MjModel.from_xml_string(MIXED), mixed()
    qpos = poses(skeleton, np.random.default_rng(1), 2)
    move, turn = jacobians(skeleton, qpos, (0, 1, 2, 3))
    data = mujoco.MjData(model)
    for t in range(2):
        data.qpos[:] = qpos[t]
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        for b in range(4):
            jacp, jacr = np.zeros((3, model.nv)), np.zeros((3, model.nv))
            mujoco.mj_jacBody(model, data, jacp, jacr, b + 1)
            np.testing.assert_allclose(move[t, b], jacp, atol=1e-12)
            np.testing.assert_allclose(turn[t, b], jacr, atol=1e-12)


@pytest.mark.parametrize("make", [body.skeleton, mixed])
def test_reachable_targets_are_reached(make):
    skeleton, rng = make(), np.random.default_rng(2)
    wanted = poses(skeleton, rng, 300)
    start = ik.within_limits(skeleton, sampling.integrate(skeleton, wanted, rng.normal(0, 0.15, (300, skeleton.nv))))
    found = ik.solve(skeleton, start, targets_of(skeleton, wanted), iterations=60)
    assert found.converged.all()
    assert found.position_error.max() < 1e-6
    assert found.rotation_error.max() < 1e-6


def test_positions_alone_are_reached():
    skeleton, rng = body.skeleton(), np.random.default_rng(3)
    wanted = poses(skeleton, rng, 50, 0.2)
    ends = tuple(skeleton.body(name) for name in skeleton.end_effectors)
    targets = targets_of(skeleton, wanted, ends, ())
    found = ik.solve(skeleton, np.tile(skeleton.rest_qpos, (50, 1)), targets, iterations=100)
    assert found.position_error.max() < 1e-6


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), far=st.floats(0.0, 3.0))
def test_limits_hold_whatever_is_asked(seed, far):
    skeleton, rng = body.skeleton(), np.random.default_rng(seed)
    start = np.tile(skeleton.rest_qpos, (4, 1)) + rng.normal(0, far, (4, skeleton.nq))
    place = rng.normal(0, 1 + far, (4, skeleton.nbody, 3))
    every = tuple(range(skeleton.nbody))
    turn = rot.normalize(rng.normal(size=(4, skeleton.nbody, 4)))
    targets = ik.Targets(
        every, np.zeros((len(every), 3)), place, np.ones(len(every)), every, turn, np.full(len(every), 0.2)
    )
    found = ik.solve(skeleton, start, targets, iterations=8)
    limits = skeleton.qpos_range
    assert (found.qpos >= limits[:, 0]).all()
    assert (found.qpos <= limits[:, 1]).all()
    np.testing.assert_allclose(np.linalg.norm(found.qpos[:, 3:7], axis=1), 1.0, atol=1e-12)


def test_ball_joints_keep_their_largest_angle():
    ball = MIXED.replace('type="ball"', 'type="ball" range="0 0.4"').replace(
        'angle="radian"', 'angle="radian" autolimits="true"'
    )
    skeleton = Skeleton.from_model(mujoco.MjModel.from_xml_string(ball), "limited")
    wanted = poses(mixed(), np.random.default_rng(4), 20, 1.0)
    found = ik.solve(skeleton, wanted, targets_of(mixed(), wanted))
    angle = np.linalg.norm(rot.log(found.qpos[:, 7:11]), axis=1)
    assert angle.max() <= 0.4 + 1e-9
    assert angle.max() > 0.39


def test_an_optimum_at_the_limits_satisfies_its_conditions():
    """Free coordinates have no gradient; on a bound it points outwards (Karush, Kuhn, Tucker)."""
    skeleton, rng = body.skeleton(), np.random.default_rng(5)
    wanted = sampling.integrate(skeleton, np.tile(skeleton.rest_qpos, (20, 1)), rng.normal(0, 0.9, (20, skeleton.nv)))
    targets = targets_of(skeleton, wanted)
    found = ik.solve(skeleton, wanted, targets, iterations=300, tolerance=1e-10)
    place, quat = kinematics.forward(skeleton, found.qpos)
    move, turn = jacobians(skeleton, found.qpos, targets.point_bodies)
    gradient = np.einsum("tnkv,tnk->tv", move, targets.positions - place) + 0.01 * np.einsum(
        "tnkv,tnk->tv", turn, rot.log(rot.multiply(targets.rotations, rot.conjugate(quat)))
    )
    low = np.concatenate((np.full(6, -np.inf), skeleton.qpos_range[7:, 0]))
    high = np.concatenate((np.full(6, np.inf), skeleton.qpos_range[7:, 1]))
    q = np.concatenate((np.zeros((20, 6)), found.qpos[:, 7:]), axis=1)
    on_low, on_high = q <= low, q >= high
    assert (on_low | on_high).sum() > 20
    assert np.abs(gradient[~(on_low | on_high)]).max() < 1e-5
    assert gradient[on_low].max() < 1e-5
    assert gradient[on_high].min() > -1e-5


def test_cost_never_rises():
    skeleton, rng = body.skeleton(), np.random.default_rng(6)
    wanted, start = poses(skeleton, rng, 30, 1.0), poses(skeleton, rng, 30, 1.0)
    costs = [ik.solve(skeleton, start, targets_of(skeleton, wanted), iterations=k).cost for k in range(12)]
    assert (np.diff(costs, axis=0) <= 1e-12).all()
    assert (costs[-1] < 0.2 * costs[0]).mean() > 0.9


def test_a_reference_holds_what_no_target_asks_for():
    """One hinge, one target: the minimum of w^2 (q - a)^2 + u^2 (q - b)^2."""
    text = '<mujoco><worldbody><body name="arm"><joint axis="0 0 1"/><geom size="0.1"/></body></worldbody></mujoco>'
    skeleton = Skeleton.from_model(mujoco.MjModel.from_xml_string(text), "arm")
    turn = rot.from_axis_angle((0.0, 0.0, 1.0), np.array([0.6]))[:, None]
    targets = ik.Targets((), np.zeros((0, 3)), np.zeros((1, 0, 3)), np.zeros(0), (0,), turn, np.array([0.5]))
    found = ik.solve(
        skeleton, np.zeros((1, 1)), targets, reference=np.array([[-0.2]]), reference_weight=0.3, iterations=50
    )
    np.testing.assert_allclose(found.qpos, (0.25 * 0.6 + 0.09 * -0.2) / (0.25 + 0.09), atol=1e-7)


def test_a_step_is_taken_against_the_floor_ahead():
    """A ball 0.4 above the floor is asked for a place 0.5 below it: the minimum of w^2 (z + 0.5)^2 + f^2 min(0, z)^2, though
    the floor's pull begins only on the way, is found in two steps; sideways it goes all the way."""
    joints = '<joint type="slide" axis="0 0 1"/><joint name="x" type="slide" axis="1 0 0"/>'
    text = f'<mujoco><worldbody><body name="ball">{joints}<geom size="0.1"/></body></worldbody></mujoco>'
    skeleton = Skeleton.from_model(mujoco.MjModel.from_xml_string(text), "ball")
    floor = ik.Floor((0,), np.zeros((1, 3)), np.zeros((1, 1)), 9.0)
    targets = ik.Targets(
        (0,), np.zeros((1, 3)), np.array([[[0.3, 0.0, -0.5]]]), np.array([2.0]), (), np.zeros((1, 0, 4)), np.zeros(0), floor
    )  # fmt: skip
    found = ik.solve(skeleton, np.array([[0.4, 0.0]]), targets, iterations=3)
    np.testing.assert_allclose(found.qpos, [[-0.5 * 4.0 / (4.0 + 81.0), 0.3]], atol=1e-6)
    assert found.iterations[0] <= 3


def test_poses_above_the_floor_are_optima():
    """Soles are drawn below the floor by their targets; every frame converges, and its gradient vanishes."""
    skeleton, rng = body.skeleton(), np.random.default_rng(8)
    wanted = poses(skeleton, rng, 60, 0.2)
    targets = targets_of(skeleton, wanted)
    feet = tuple(skeleton.body(name) for name in skeleton.feet)
    place, _ = kinematics.forward(skeleton, wanted)
    heights = place[:, feet, 2] + rng.uniform(-0.02, 0.05, (60, 2))
    targets = replace(targets, floor=ik.Floor(feet, np.zeros((2, 3)), heights, 12.0))
    start = ik.within_limits(skeleton, sampling.integrate(skeleton, wanted, rng.normal(0, 0.1, (60, skeleton.nv))))
    assert ik.solve(skeleton, start, targets, iterations=12, gain=2e-3).converged.all()
    found = ik.solve(skeleton, start, targets, iterations=300, tolerance=1e-10)
    place, quat = kinematics.forward(skeleton, found.qpos)
    move, turn = jacobians(skeleton, found.qpos, targets.point_bodies)
    below = np.maximum(0.0, heights - place[:, feet, 2])
    assert (below.max(axis=1) > 0.0).mean() > 0.5
    gradient = np.einsum("tnkv,tnk->tv", move, targets.positions - place) + 0.01 * np.einsum(
        "tnkv,tnk->tv", turn, rot.log(rot.multiply(targets.rotations, rot.conjugate(quat)))
    )
    gradient += 144.0 * np.einsum("tnv,tn->tv", move[:, feet, 2], below)
    limits = skeleton.qpos_range[7:]
    free = np.concatenate(
        (np.ones((60, 6), bool), (found.qpos[:, 7:] > limits[:, 0]) & (found.qpos[:, 7:] < limits[:, 1])), axis=1
    )
    assert np.abs(gradient[free]).max() < 1e-5


def test_frames_do_not_see_each_other():
    skeleton, rng = body.skeleton(), np.random.default_rng(7)
    wanted, start = poses(skeleton, rng, 23), poses(skeleton, rng, 23)
    targets = targets_of(skeleton, wanted)
    whole = ik.solve(skeleton, start, targets)
    some = ik.solve(skeleton, start[5:9], targets.of(slice(5, 9)))
    np.testing.assert_array_equal(some.qpos, whole.qpos[5:9])
    np.testing.assert_array_equal(some.iterations, whole.iterations[5:9])


def test_sizes_that_do_not_fit():
    skeleton = body.skeleton()
    qpos = np.tile(skeleton.rest_qpos, (3, 1))
    with pytest.raises(MotionError, match=r"inverse kinematics: qpos \(2, 35\)"):
        ik.solve(skeleton, qpos[:2], targets_of(skeleton, qpos))


def test_whether_the_loops_were_compiled_is_known(monkeypatch, tmp_path):
    skeleton = body.skeleton()
    qpos = skeleton.rest_qpos[None].copy()
    ik.solve(skeleton, qpos, targets_of(skeleton, qpos))
    assert ik.compiled_before()
    monkeypatch.setattr("rlsuite.motion.compiled.kernels.cache_directory", lambda: tmp_path)
    assert not ik.compiled_before()
