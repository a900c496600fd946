"""Observations, terminations, start states and actions by themselves."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlsuite.envs.humanoid.actions import ActionMode
from rlsuite.envs.humanoid.observations import PIECES, Observation
from rlsuite.envs.humanoid.starts import FailureStart, UniformStart, make_start
from rlsuite.envs.humanoid.terminations import Terminations
from rlsuite.envs.humanoid.tracking_errors import Situation, parts_of
from rlsuite.motion import body
from rlsuite.motion import rotations as rot
from rlsuite.motion.catalogue import find

SKELETON = body.skeleton()


# -- observations ---------------------------------------------------------------------------------------------------------


def test_every_piece_fills_its_place(make):
    env = make(2, observe=tuple(PIECES), frames=2)
    observations, _ = env.reset(seed=0)
    assert env.observation.size == 1 + 42 + 90 + 90 + 68 + 68 + 2 + 1 + 15 + 28 + 98 == observations.shape[1]
    view = {name: observations[:, place] for name, place in env.observation.places.items()}
    state = env.physics.state
    np.testing.assert_allclose(view["height"][:, 0], state.position[:, 0, 2], rtol=1e-6)
    np.testing.assert_allclose(view["share"][:, 0], env.times / env.reference.duration, rtol=1e-6)
    turn = 2 * np.pi * env.times / env.reference.duration
    np.testing.assert_allclose(view["phase"], np.stack((np.sin(turn), np.cos(turn)), 1), atol=1e-6)
    np.testing.assert_allclose(view["joints"][:, 12:40], state.qpos[:, 7:], atol=1e-6)
    back = rot.conjugate(rot.heading(state.rotation[:, :1]))
    local = rot.rotate(back, state.position[:, 1:] - state.position[:, :1])
    np.testing.assert_allclose(view["bodies"], local.reshape(2, -1), atol=1e-6)
    matrices = rot.to_matrix(rot.multiply(back, state.rotation))
    np.testing.assert_allclose(view["rotations"], matrices[..., :2].swapaxes(-1, -2).reshape(2, -1), atol=1e-6)
    both = np.concatenate((rot.rotate(back, state.velocity), rot.rotate(back, state.spin)), axis=-1)
    np.testing.assert_allclose(view["velocities"], both.reshape(2, -1), atol=1e-5)
    later = env.reference.states(env.times + 2 * env.dt)
    np.testing.assert_allclose(view["reference"][:, 49 + 21 :], later.qpos[:, 7:], atol=1e-6)


def test_the_errors_lead_from_the_body_to_the_reference(make):
    env = make(3, observe=("errors",))
    errors, _ = env.reset(seed=0)
    np.testing.assert_allclose(errors, 0.0, atol=1e-4)  # interpolated
    for action in np.random.default_rng(0).uniform(-1.0, 1.0, (9, 3, 28)):
        errors = env.step(action)[0].astype(np.float64)
    state, should = env.physics.state, env.reference.states(env.times, env.offsets)
    turn = rot.heading(state.rotation[:, 0])
    place, angle, velocity, spin = (rot.rotate(turn, errors[:, k : k + 3]) for k in (0, 3, 6, 9))
    assert np.abs(angle).max() > 0.1
    np.testing.assert_allclose(state.position[:, 0] + place, should.position[:, 0], atol=1e-6)
    turned = rot.multiply(rot.exp(angle), state.rotation[:, 0])
    np.testing.assert_allclose(rot.angle_between(turned, should.rotation[:, 0]), 0.0, atol=1e-6)
    np.testing.assert_allclose(state.velocity[:, 0] + velocity, should.velocity[:, 0], atol=1e-5)
    np.testing.assert_allclose(state.spin[:, 0] + spin, should.spin[:, 0], atol=1e-5)
    np.testing.assert_allclose(state.qpos[:, 7:] + errors[:, 12:40], should.qpos[:, 7:], atol=1e-6)
    np.testing.assert_allclose(state.qvel[:, 6:] + errors[:, 40:], should.qvel[:, 6:], atol=1e-5)
    env.set_states(env.get_states())
    np.testing.assert_allclose(env._observations, errors, atol=1e-6)


@given(heading=st.floats(-3.1, 3.1), x=st.floats(-50, 50), y=st.floats(-50, 50))
@settings(max_examples=20, deadline=None)
def test_nothing_seen_depends_on_place_or_heading(make, heading, x, y):
    env = make(1, observe=("height", "bodies", "rotations", "velocities", "joints"))
    before, _ = env.reset(seed=0)
    qpos, qvel = env.physics.state.qpos.copy(), env.physics.state.qvel.copy()
    turn = rot.from_axis_angle((0.0, 0.0, 1.0), heading)
    qpos[0, :3] = rot.rotate(turn, qpos[0, :3]) + np.array([x, y, 0.0])
    qpos[0, 3:7] = rot.multiply(turn, qpos[0, 3:7])
    qvel[0, :3] = rot.rotate(turn, qvel[0, :3])
    env.physics.place(np.array([0]), qpos, qvel)
    env._look(np.array([0]))
    np.testing.assert_allclose(env._observations, before, atol=2e-5)


def test_widths_follow_the_body():
    observation = Observation(("joints", "reference"), SKELETON, nu=28, action=28, frames=3)
    assert observation.size == 68 + 3 * 49


# -- terminations ---------------------------------------------------------------------------------------------------------


def failed(chosen, state, reference, touching=None):
    n = len(state.qpos)
    touching = np.zeros((n, 15), bool) if touching is None else touching
    empty = np.zeros((n, 28))
    conditions = Terminations(chosen, SKELETON, np.zeros(15, bool), n)
    out = np.zeros(n, bool)
    conditions(Situation(state, reference, touching, empty, empty, parts_of(SKELETON)), np.arange(n), out)
    return out.tolist()


def moved(walk, part, by):
    state, reference = walk.states(np.array([0.2, 0.6])), walk.states(np.array([0.2, 0.6]))
    state.position[0, slice(None) if part is None else SKELETON.body(part)] += by
    return state, reference


def test_contacts_of_feet_and_of_allowed_parts_are_no_falls(walk):
    pair = moved(walk, None, 0.0)
    touching = np.zeros((2, 15), bool)
    touching[0, SKELETON.body("left_foot")] = touching[1, SKELETON.body("left_hand")] = True
    assert failed(("contact",), *pair, touching) == [False, True]
    assert failed({"contact": {"allowed": ["left_hand"]}}, *pair, touching) == [False, False]


@pytest.mark.parametrize(
    ("chosen", "part", "by", "ends"),
    [
        ({"height": {"minimum": 0.5}}, "pelvis", (0, 0, -0.4), True),
        ({"height": {"minimum": 0.5}}, "pelvis", (0, 0, -0.3), False),
        (("tracking",), "left_hand", (0.8, 0.0, 0.7), True),
        (("tracking",), "left_hand", (0.7, 0.0, 0.7), False),
        (("tracking",), None, (1.01, 0.0, 0.0), True),
        (("tracking",), None, (0.99, 0.0, 0.0), False),
        (("mean_tracking",), None, (0.3, 0.0, 0.41), True),
        (("mean_tracking",), None, (0.3, 0.0, 0.39), False),
        (("mean_tracking",), "left_hand", (7.0, 0.0, 0.0), False),
        (("anchor",), "torso", (5.0, 0.0, 0.26), True),
        (("anchor",), "torso", (5.0, 0.0, 0.24), False),
        (("anchor",), "right_foot", (0.0, 0.0, 0.26), True),
        (("anchor",), "right_shin", (0.0, 0.0, 0.26), False),
    ],
)
def test_distances(walk, chosen, part, by, ends):
    assert failed(chosen, *moved(walk, part, by)) == [ends, False]


@pytest.mark.parametrize(("angle", "ends"), [(1.5, False), (1.6, True)])
def test_turned_away(walk, angle, ends):
    state, reference = moved(walk, None, 0.0)
    state.rotation[0, 0] = rot.multiply(rot.from_axis_angle((0.0, 0.0, 1.0), angle), state.rotation[0, 0])
    assert failed(("heading_error",), state, reference) == [ends, False]


@pytest.mark.parametrize(("angle", "ends"), [(1.2, False), (1.5, True)])
def test_tilted_torso(walk, angle, ends):
    """1 - cos(1.2) = 0.64, 1 - cos(1.5) = 0.93, for a torso that should be upright."""
    state, reference = moved(walk, None, 0.0)
    torso = SKELETON.body("torso")
    reference.rotation[0, torso] = (1.0, 0.0, 0.0, 0.0)
    state.rotation[0, torso] = rot.from_axis_angle((0.0, 1.0, 0.0), angle)
    assert failed(("anchor",), state, reference) == [ends, False]


# -- start states ---------------------------------------------------------------------------------------------------------


@given(u=st.floats(0.0, 1.0, exclude_max=True))
def test_uniform_start_is_a_share_of_the_clip(u):
    clip = find("walk")
    assert UniformStart(clip).time(u) == pytest.approx(u * clip.duration, abs=1e-9)
    assert make_start("fixed", clip).time(u) == 0.0


def test_only_frames_fit_for_starting():
    clip = find("walk")
    fit = np.zeros(clip.n_frames, bool)
    fit[10:15] = fit[40:43] = True
    start = UniformStart(replace(clip, startable=fit))
    times = np.array([start.time(u) for u in np.linspace(0.0, 1.0, 600, endpoint=False)]) * clip.fps
    assert ((times >= 10) & (times <= 14) | (times >= 40) & (times <= 42)).all()
    assert np.mean(times < 20) == pytest.approx(4 / 6, abs=0.01)


def test_failures_draw_starts_to_what_leads_to_them():
    """All failures in one bin: it and the two bins before it share nine tenths as 1 : 0.8 : 0.64."""
    clip = find("walk")
    start = FailureStart(clip)
    np.testing.assert_allclose(start.probabilities(), 1.0 / start.n_bins)
    start.failed(np.full(50, 5.5 / start.n_bins * clip.duration))
    expected = np.full(start.n_bins, 0.1 / start.n_bins)
    expected[[5, 4, 3]] += 0.9 * np.array([1.0, 0.8, 0.64]) / 2.44
    np.testing.assert_allclose(start.probabilities(), expected)
    drawn = np.array([start.time(u) for u in (np.arange(4000) + 0.5) / 4000]) / clip.duration * start.n_bins
    share = np.bincount(drawn.astype(int), minlength=start.n_bins) / 4000
    np.testing.assert_allclose(share, expected, atol=1e-3)


# -- actions --------------------------------------------------------------------------------------------------------------


def targets(name, walk, action, gone=0.0, **arguments):
    mode = ActionMode(name, body.model(), **arguments)
    ctrl, force = np.zeros((1, 28)), np.zeros((1, 6))
    action = np.broadcast_to(np.asarray(action, float), (1, mode.size))
    following = walk.states(np.array([0.4]))
    mode.apply(np.array([0]), action, following, np.array([gone]), ctrl, force)
    return ctrl[0], force[0], following


def test_absolute_actions_span_the_range(walk):
    ranges = body.model().actuator_ctrlrange
    np.testing.assert_allclose(targets("absolute", walk, -1.0)[0], ranges[:, 0], atol=1e-12)
    np.testing.assert_allclose(targets("absolute", walk, 1.0)[0], ranges[:, 1], atol=1e-12)
    np.testing.assert_allclose(targets("absolute", walk, 0.0)[0], ranges.mean(axis=1), atol=1e-12)


def test_residual_actions_start_from_the_reference(walk):
    ctrl, force, following = targets("residual", walk, 0.25, scale=0.4)
    ranges = body.model().actuator_ctrlrange
    wanted = following.qpos[0, 7:] + 0.1 * following.qvel[0, 6:] + 0.1
    np.testing.assert_allclose(ctrl, np.clip(wanted, *ranges.T), atol=1e-12)
    assert not force.any()


def test_the_feedforward_makes_damping_act_on_the_difference_of_velocities():
    """kp (q̂ + 0.1 v̂ - q) - kd v = kp (q̂ - q) + kd (v̂ - v) since kd = 0.1 kp for every joint."""
    model = body.model()
    np.testing.assert_allclose(-model.actuator_biasprm[:, 2], 0.1 * model.actuator_gainprm[:, 0])


def test_the_force_on_the_root_fades(walk):
    action = np.zeros(34)
    action[28:] = 0.5, -2.0, 1.0, 0.2, 0.0, -1.0
    full = targets("residual_force", walk, action, anneal=10)[1]
    np.testing.assert_allclose(full, (50.0, -100.0, 100.0, 10.0, 0.0, -50.0))
    np.testing.assert_allclose(targets("residual_force", walk, action, gone=4.0, anneal=10)[1], 0.6 * full)
    assert not targets("residual_force", walk, action, gone=11.0, anneal=10)[1].any()


def test_the_force_lifts_the_body(make):
    """100 N on 45 kg."""
    env = make(2, action_mode="residual_force", terminate=(), anneal=10**9)
    env.reset(seed=[0, 0])
    action = np.zeros((2, 34))
    action[1, 30] = 1.0
    env.step(action)
    gained = env.physics.state.com_velocity[1, 2] - env.physics.state.com_velocity[0, 2]
    assert 0.0 < gained < 100.0 / 45.0 / 30.0 * 1.01
