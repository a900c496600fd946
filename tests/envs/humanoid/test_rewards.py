"""Rewards against values worked out by hand, and what perfect tracking is worth."""

import numpy as np
import pytest

from rlsuite.envs.humanoid.presets import PRESETS, reward_terms
from rlsuite.envs.humanoid.rewards import Reward
from rlsuite.envs.humanoid.state import BodyState
from rlsuite.envs.humanoid.tracking_errors import ERRORS, Situation, parts_of
from rlsuite.errors import HyperparameterError, UnknownNameError
from rlsuite.motion import body
from rlsuite.motion import rotations as rot

SKELETON = body.skeleton()
PARTS = parts_of(SKELETON)
DIFF_SUM = 4.8  # 1 + 0.5 + 0.3 + 2 (0.5 + 0.3 + 0.2) + 2 (0.3 + 0.2), of humanoid3d.txt


def copied(state):
    return BodyState(*(array.copy() for array in state))


@pytest.fixture
def pair(walk):
    """Two rows of the walk, twice."""
    state = walk.states(np.array([0.3, 0.7]))
    return state, copied(state)


def situation(state, reference, action=None, previous=None, touching=None):
    zeros = np.zeros((2, 28))
    return Situation(
        state,
        reference,
        np.zeros((2, 15), bool) if touching is None else touching,
        zeros if action is None else action,
        zeros if previous is None else previous,
        PARTS,
    )


def error(name, *args, **kwargs):
    out = np.full(2, np.nan)
    ERRORS[name](situation(*args, **kwargs), np.arange(2), out)
    return out


def turn_subtree(state, part, axis, angle):
    """Turn a part and all that hangs on it, in its own frame: one joint moves, all others keep their angles."""
    b = SKELETON.body(part)
    whole = [b]
    for child in range(b + 1, SKELETON.nbody):
        if SKELETON.parents[child] in whole:
            whole.append(child)
    own = state.rotation[:, b].copy()
    turn = rot.from_axis_angle(axis, np.full(2, angle))
    in_world = rot.multiply(rot.multiply(own, turn), rot.conjugate(own))
    for child in whole:
        state.rotation[:, child] = rot.multiply(in_world, state.rotation[:, child])
    return state


@pytest.mark.parametrize("preset", PRESETS)
def test_perfect_tracking_is_worth_one(preset, pair):
    total = np.zeros(2)
    reward = Reward(reward_terms(preset), 2)
    reward(situation(*pair), np.arange(2), total)
    np.testing.assert_allclose(total, 1.0, atol=1e-12)
    np.testing.assert_array_equal(sum(reward.values.values()), total)


@pytest.mark.parametrize("name", ERRORS)
def test_no_error_where_nothing_differs(name, pair):
    legal = copied(pair[0])
    legal.qpos[:, 7:] = 0.5 * (PARTS["low"] + PARTS["high"])
    np.testing.assert_allclose(error(name, legal, copied(legal)), 0.0, atol=1e-24)


def test_one_joint_of_the_paper(pair):
    """0.65 exp(-2 θ²): the knee off by 0.4 rad leaves 0.65 exp(-0.32) of pose."""
    state, reference = pair
    turn_subtree(state, "right_shin", (0.0, 1.0, 0.0), 0.4)
    np.testing.assert_allclose(error("joint_rotation", state, reference), 0.16, rtol=1e-9)
    total, reward = np.zeros(2), Reward(reward_terms("deepmimic-paper"), 2)
    reward(situation(state, reference), np.arange(2), total)
    np.testing.assert_allclose(reward.values["pose"], 0.65 * np.exp(-0.32), rtol=1e-9)


@pytest.mark.parametrize(
    ("part", "weight"),
    [("torso", 0.5), ("head", 0.3), ("left_thigh", 0.5), ("left_foot", 0.2), ("left_lower_arm", 0.2)],
)
def test_weights_of_deepmimics_code(pair, part, weight):
    state, reference = pair
    turn_subtree(state, part, (0.0, 0.6, 0.8), 0.5)
    np.testing.assert_allclose(error("weighted_joint_rotation", state, reference), weight / DIFF_SUM * 0.25, rtol=1e-9)


def test_the_roots_turn_counts_in_the_code_and_not_in_the_paper(pair):
    state, reference = pair
    turn_subtree(state, "pelvis", (0.0, 0.0, 1.0), 0.3)
    np.testing.assert_allclose(error("weighted_joint_rotation", state, reference), 0.09 / DIFF_SUM, rtol=1e-9)
    np.testing.assert_allclose(error("joint_rotation", state, reference), 0.0, atol=1e-18)


def test_root_term_of_the_code(pair):
    """exp(-5 (‖Δp‖² + 0.1 θ² + 0.01 ‖Δv‖² + 0.001 ‖Δω‖²))"""
    state, reference = pair
    state.position[:, 0] += (0.1, 0.0, -0.2)
    state.rotation[:, 0] = rot.multiply(rot.from_axis_angle((0.0, 1.0, 0.0), np.full(2, 0.5)), state.rotation[:, 0])
    state.velocity[:, 0] += (0.0, 2.0, 0.0)
    state.spin[:, 0] += (0.0, 0.0, 3.0)
    np.testing.assert_allclose(error("root", state, reference), 0.05 + 0.025 + 0.04 + 0.009, rtol=1e-9)
    np.testing.assert_allclose(error("root_pose", state, reference), 0.05 + 0.025, rtol=1e-9)
    np.testing.assert_allclose(error("root_velocity", state, reference), 4.0 + 0.9, rtol=1e-9)


def test_velocities_of_joints_are_relative(pair):
    """Turning faster as a whole changes no joint; a shin that turns faster changes its knee and, against it, its ankle."""
    state, reference = pair
    state.spin[:] += (0.0, 0.5, 1.0)
    np.testing.assert_allclose(error("joint_velocity", state, reference), 0.0, atol=1e-18)
    np.testing.assert_allclose(error("weighted_joint_velocity", state, reference), 1.25 / DIFF_SUM, rtol=1e-9)
    state.spin[:, SKELETON.body("left_shin")] += (0.0, 2.0, 0.0)
    np.testing.assert_allclose(error("joint_velocity", state, reference), 8.0, rtol=1e-9)
    expected = (1.25 + (0.3 + 0.2) * 4.0) / DIFF_SUM
    np.testing.assert_allclose(error("weighted_joint_velocity", state, reference), expected, rtol=1e-9)


def test_end_effectors(pair):
    state, reference = pair
    state.position[:, SKELETON.body("left_hand")] += (0.3, 0.0, 0.4)
    state.position[:, SKELETON.body("right_foot")] += (0.0, 0.1, 0.0)
    np.testing.assert_allclose(error("end_effector", state, reference), 0.26, rtol=1e-9)
    np.testing.assert_allclose(error("rooted_end_effector", state, reference), 0.26, rtol=1e-9)
    np.testing.assert_allclose(error("local_end_effector", state, reference), 0.26 / 4.0, rtol=1e-9)


def test_end_effectors_from_the_root(pair):
    """The code's are blind to place and heading but not to height; MimicKit's to place and height, not to heading."""
    state, reference = pair
    turn = rot.from_axis_angle((0.0, 0.0, 1.0), 0.7)
    state.position[:] = rot.rotate(turn, state.position) + np.array([3.0, -2.0, 0.1])
    state.rotation[:] = rot.multiply(turn, state.rotation)
    np.testing.assert_allclose(error("local_end_effector", state, reference), 0.01, rtol=1e-9)
    still = copied(reference)
    still.position[:] += (3.0, -2.0, 0.1)
    np.testing.assert_allclose(error("rooted_end_effector", still, reference), 0.0, atol=1e-18)
    np.testing.assert_allclose(error("end_effector", still, reference), 4 * (9.0 + 4.0 + 0.01), rtol=1e-9)


def test_beyondmimics_parts_are_seen_from_the_torsos_place_and_heading(pair):
    state, reference = pair
    turn = rot.from_axis_angle((0.0, 0.0, 1.0), -1.1)
    state.position[:] = rot.rotate(turn, state.position) + np.array([3.0, -2.0, 0.2])
    state.rotation[:] = rot.multiply(turn, state.rotation)
    np.testing.assert_allclose(error("body_position", state, reference), 0.04, rtol=1e-9)  # heights count
    np.testing.assert_allclose(error("body_rotation", state, reference), 0.0, atol=1e-14)
    np.testing.assert_allclose(error("anchor_rotation", state, reference), 1.21, rtol=1e-9)
    one = copied(reference)
    one.position[:, SKELETON.body("left_hand")] += (0.0, 0.0, 0.3)
    one.velocity[:, SKELETON.body("left_hand")] += (0.0, 3.0, 0.0)
    one.spin[:, SKELETON.body("left_hand")] += (6.0, 0.0, 0.0)
    np.testing.assert_allclose(error("body_position", one, reference), 0.09 / 15, rtol=1e-9)
    np.testing.assert_allclose(error("body_velocity", one, reference), 9.0 / 15, rtol=1e-9)
    np.testing.assert_allclose(error("body_spin", one, reference), 36.0 / 15, rtol=1e-9)


def test_centre_of_mass(pair):
    state, reference = pair
    state.com[:] += (0.1, 0.2, 0.2)
    state.com_velocity[:] += (0.0, 0.0, 2.0)
    np.testing.assert_allclose(error("com_position", state, reference), 0.09, rtol=1e-9)
    np.testing.assert_allclose(error("com_velocity", state, reference), 4.0, rtol=1e-9)
    total, reward = np.zeros(2), Reward(reward_terms("deepmimic-code"), 2)
    reward(situation(state, reference), np.arange(2), total)
    np.testing.assert_allclose(total, 0.9 + 0.1 * np.exp(-10.0 * 0.1 * 4.0), rtol=1e-9)


def test_penalties(pair):
    state, reference = pair
    state.qpos[:, 7:] = 0.5 * (PARTS["low"] + PARTS["high"])
    state.qpos[:, 7] = PARTS["high"][0] + 0.1
    state.qpos[:, 9] = PARTS["low"][2] - 0.2
    np.testing.assert_allclose(error("joint_limits", state, reference), 0.3, rtol=1e-9)
    action, previous = np.full((2, 28), 0.5), np.full((2, 28), 0.25)
    np.testing.assert_allclose(error("action_rate", state, reference, action, previous), 28 / 16, rtol=1e-9)
    touching = np.zeros((2, 15), bool)
    touching[0, [0, 1, SKELETON.body("left_hand")]] = touching[1, SKELETON.body("right_foot")] = True
    assert error("undesired_contacts", state, reference, touching=touching).tolist() == [2.0, 0.0]
    pushed = np.zeros((2, 34))
    pushed[0, 28:] = 0.5
    assert error("root_force", state, reference, pushed, pushed).tolist() == [1.5, 0.0]


def test_a_reward_of_ones_own(pair):
    state, reference = pair
    state.com[:] += (0.0, 0.0, 0.5)
    own = {"com": {"error": "com_position", "weight": 2.0, "scale": 3.0},
           "cost": {"error": "com_position", "weight": 0.1, "penalty": True}}  # fmt: skip
    total, reward = np.zeros(2), Reward(reward_terms(own), 2)
    reward(situation(state, reference), np.arange(2), total)
    np.testing.assert_allclose(total, 2.0 * np.exp(-0.75) - 0.025, rtol=1e-12)
    np.testing.assert_allclose(reward.values["cost"], -0.025, rtol=1e-12)


def test_only_the_given_rows_are_written(pair):
    state, reference = pair
    state.com[:] += (0.1, 0.0, 0.0)
    out = np.array([7.0, 7.0])
    ERRORS["com_position"](situation(state, reference), np.array([1]), out)
    assert out[0] == 7.0
    np.testing.assert_allclose(out[1], 0.01, rtol=1e-9)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "at least one term"),
        ({"a": {"error": "nonsense", "weight": 1.0}}, "no error 'nonsense'; there are joint_rotation"),
        ({"a": {"error": "root"}}, "must give error, weight and scale"),
        ({"a": 3}, "must give error"),
        ({"a": {"error": "root", "weight": np.inf}}, "finite"),
    ],
)
def test_what_is_no_reward(given, message):
    with pytest.raises(HyperparameterError, match=message):
        reward_terms(given)


def test_a_misspelt_preset():
    with pytest.raises(UnknownNameError, match="did you mean 'mimickit'"):
        reward_terms("mimikit")
