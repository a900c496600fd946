"""Episodes that policies are judged by: rewards, falls, distances, and what is written down of them."""

import numpy as np
import pytest

from rlsuite.agents.evaluation import episode_seeds
from rlsuite.envs.humanoid.goals import make_goal
from rlsuite.envs.humanoid.vector_env import HumanoidImitateVectorEnv
from rlsuite.experiments.imitation import GOAL_ENVIRONMENTS, all_arguments, environment_for
from rlsuite.experiments.imitation.episodes import Episode, evaluation_env, play
from rlsuite.experiments.imitation.evaluation import GOAL_ROWS, ROWS, evaluate, summary
from rlsuite.experiments.imitation.pushes import MOST, Pusher, push_robustness
from rlsuite.motion import catalogue, clip_files, editing
from rlsuite.motion.clip import MotionClip
from tests.experiments.imitation.conftest import limp, nothing


def test_who_stands_as_the_clip_does_earns_almost_all_and_does_not_fall(standing):
    for episode in standing:
        assert not episode.fell and episode.success
        assert len(episode.rewards) == episode.possible == 60 and episode.performed.n_frames == 61
        assert episode.normalised_return > 0.99
        assert episode.distances[0] == pytest.approx(0.0, abs=1e-9)  # begins in the reference
        assert episode.mpjpe < 0.02 and episode.mpjpe_root < 0.02
        assert episode.performed.contacts.all() and episode.performed.contact_names == ("right_foot", "left_foot")


def test_after_a_fall_there_is_no_reward(falling):
    for episode in falling:
        assert episode.fell and not episode.success
        assert len(episode.rewards) < episode.possible == 120 and episode.rewards[-1] == 0.0
        assert episode.normalised_return == pytest.approx(episode.rewards.sum() / 120)
        assert episode.rewards[0] > 0.0


def test_episodes_are_those_of_the_environment_with_the_rewards_of_deepmimic_code(falling):
    """Whatever reward and start a policy was trained with."""
    env = HumanoidImitateVectorEnv(3, clip="walk", threads=1, autoreset_mode="Disabled")
    from rlsuite.agents.evaluation import episode_seeds

    observations, info = env.reset(seed=episode_seeds(0, 3))
    assert len(set(info["time"].tolist())) == 3  # random times of the clip
    for step in range(min(len(episode.rewards) for episode in falling)):
        observations, rewards, _, _, _ = env.step(limp(observations))
        for i, episode in enumerate(falling):
            assert episode.rewards[step] == rewards[i]
            np.testing.assert_allclose(episode.performed.qpos[step + 1], env.physics.state.qpos[i], atol=1e-12)


def test_the_reference_of_an_episode_is_the_clip_from_the_time_it_began_at(standing):
    idle = catalogue.find("idle")
    for episode in standing:
        at = np.linalg.norm(idle.sample(np.arange(0.0, idle.duration, 1e-3)) - episode.reference.qpos[0], axis=1)
        begin = float(np.argmin(at)) * 1e-3
        expected = idle.sample(begin + np.arange(31) / 30.0)
        np.testing.assert_allclose(episode.reference.qpos[:31, 2:], expected[:, 2:], atol=2e-3)


def test_a_clip_that_is_played_once_lasts_to_its_end():
    wave = catalogue.find("wave")
    once = MotionClip(wave.qpos, wave.fps, wave.skeleton, "wave")
    env = evaluation_env({"clip": once, "threads": 1}, 1)
    (episode,) = play(nothing, env, 0, options={"time": once.duration - 0.5})
    assert episode.possible == 15 and len(episode.rewards) == 15 and not episode.fell
    assert episode.normalised_return == pytest.approx(episode.rewards.mean())


def test_the_force_that_helps_while_training_is_switched_off():
    env = evaluation_env({"clip": "idle", "action_mode": "residual_force", "threads": 1}, 1, seconds=1.0)

    def lifted(observations):
        return np.concatenate((np.zeros((len(observations), 28)), np.ones((len(observations), 6))), axis=1)

    (with_force,) = play(lifted, env, 0)
    (without,) = play(nothing, evaluation_env({"clip": "idle", "threads": 1}, 1, seconds=1.0), 0)
    np.testing.assert_array_equal(with_force.performed.qpos, without.performed.qpos)


def test_a_rollout_is_a_clip_that_is_saved_and_read(standing, tmp_path):
    clip = standing[0].performed
    clip_files.save(clip, tmp_path / "rollout.npz")
    again = clip_files.load(tmp_path / "rollout.npz")
    np.testing.assert_allclose(again.qpos, clip.qpos, atol=1e-15)
    np.testing.assert_array_equal(again.contacts, clip.contacts)
    assert again.licence == catalogue.find("idle").licence != ""
    assert again.provenance[:-1] == catalogue.find("idle").provenance
    assert again.provenance[-1] == {"step": "perform", "clip": "idle", "fell": False}


# -- the table, by hand --------------------------------------------------------------------------------------------------


def beside(dx, *, fell, rewards, possible=10):
    """An episode whose body is exactly the reference, ``dx`` metres beside it."""
    walk = catalogue.find("walk")
    reference = MotionClip(walk.qpos[:9], 30.0, walk.skeleton)
    performed = editing.translate(reference, (dx, 0.0, 0.0))
    return Episode(performed, reference, np.array(rewards), possible, fell, np.full(8, 2.0), np.full(8, 50.0))


def test_the_table_by_hand():
    found = summary([beside(0.1, fell=False, rewards=[1.0] * 8), beside(0.6, fell=True, rewards=[0.5] * 4 + [0.0] * 4)])
    assert found["normalised_return"] == pytest.approx((0.8 + 0.2) / 2)
    assert found["worst_return"] == pytest.approx(0.2)
    assert found["falls"] == 1 and found["success"] == 0.5
    assert found["mpjpe_mm"] == pytest.approx(350.0) and found["mpjpe_root_mm"] == pytest.approx(0.0, abs=1e-6)
    assert found["dtw_mm"] == pytest.approx(0.0, abs=1e-6)
    assert found["foot_skate_mm"] == pytest.approx(found["foot_skate_reference_mm"])
    assert found["torque_nm"] == 2.0 and found["power_w"] == 50.0


def test_half_a_metre_off_is_no_success_though_nobody_fell():
    assert summary([beside(0.51, fell=False, rewards=[1.0] * 8)])["success"] == 0.0
    assert summary([beside(0.49, fell=False, rewards=[1.0] * 8)])["success"] == 1.0


# -- pushes --------------------------------------------------------------------------------------------------------------


def test_a_push_is_the_impulse_that_it_should_be():
    """F t = m dv of the centre of mass, while nothing touches the ground, and only along the push."""
    env = evaluation_env({"clip": "idle", "threads": 1}, 1, seconds=2.0)
    env.reset(seed=0)
    state = env.get_states()
    env.physics.fields[0][0, 2] += 2.0  # in the air
    turn = np.array([np.cos(0.35), 0.0, 0.0, np.sin(0.35)])  # facing 0.7 rad to the left
    env.physics.fields[0][0, 3:7] = turn
    env.physics.fields[1][:] = 0.0
    env.set_states(np.concatenate((env.physics.rows_of_state(), state[:, env.physics.batch.nstate :]), axis=1))
    pusher = Pusher(env)
    pusher.push(np.array([[0.0, 1.0]]), np.array([90.0]))
    for _ in range(3):
        env.step(nothing(np.zeros((1, 1))))
    velocity = env.physics.state.com_velocity[0, :2]
    left = np.array([-np.sin(0.7), np.cos(0.7)])
    np.testing.assert_allclose(velocity, 90.0 * 0.1 / 45.0 * left, atol=2e-3)
    pusher.release()
    env.step(nothing(np.zeros((1, 1))))
    np.testing.assert_allclose(env.physics.state.com_velocity[0, :2], velocity, atol=2e-3)


def test_who_stands_survives_no_push_and_some_push_but_not_the_largest():
    found = push_robustness(nothing, {"clip": "idle", "threads": 1}, 0, trials=2, bisections=6)
    for name in ("forward", "left"):
        assert found.trials[name].shape == (2,) and 0.0 <= found.newtons[name] < 0.5 * MOST
        assert found.newtons[name] == found.trials[name].max()  # one of two is half of them
        assert found.trials[name].min() > 0.0  # so a push of 0 N is survived


def test_who_falls_by_itself_has_no_robustness():
    found = push_robustness(limp, {"clip": "walk", "threads": 1}, 0, trials=2, bisections=3)
    assert found.newtons == {"forward": 0.0, "left": 0.0}


def test_all_rows_of_the_table_are_measured_and_the_same_from_the_same_seed():
    found, played = evaluate(
        nothing, {"clip": "idle", "threads": 1}, episodes=2, seconds=1.0, seed=5, trials=1, bisections=2
    )
    assert set(found) == {*ROWS, "episodes", "seconds"} - {*GOAL_ROWS} and len(played) == 2
    again, _ = evaluate(nothing, {"clip": "idle", "threads": 1}, episodes=2, seconds=1.0, seed=5, trials=0)
    assert again == {name: value for name, value in found.items() if not name.startswith("push")}


def goal_env(name, **arguments):
    return all_arguments(environment_for(name), {"threads": 1, **arguments})


@pytest.mark.parametrize("name", GOAL_ENVIRONMENTS)
def test_imitation_and_goal_are_measured_apart(name):
    """Whatever mixture of them the policy was trained with."""
    arguments = goal_env(name, mix=(0.1, 0.9))
    (episode,) = play(nothing, evaluation_env(arguments, 1, seconds=0.5), 0)
    goal = make_goal(arguments["goal"])
    mixed = HumanoidImitateVectorEnv(
        1, **{**arguments, "reward": goal.imitation, "mix": (0.25, 0.5)}, autoreset_mode="Disabled"
    )
    observations, _ = mixed.reset(seed=episode_seeds(0, 1))
    for imitated, aimed in zip(episode.rewards, episode.goals if goal.rewarded else [0.0] * 15, strict=False):
        observations, rewards, _, _, info = mixed.step(nothing(observations))
        if not info["failed"][0]:
            assert rewards[0] == pytest.approx(0.25 * imitated + 0.5 * aimed, abs=1e-12)
            assert 0.0 <= imitated <= 1.0 and 0.0 <= aimed <= 1.0
    assert (episode.goals is None) == (name == "push")
    assert ("goal_success" in summary([episode])) == goal.rewarded


def test_a_goal_is_attained_where_its_term_says_so():
    """A target around the foot is hit at once; one that is out of reach never."""
    near = goal_env("strike", goal={"strike": {"radius": 5.0}})
    far = goal_env("strike", goal={"strike": {"nearest": 9.0, "farthest": 9.0}})
    (hit,), (missed,) = (play(nothing, evaluation_env(arguments, 1, seconds=0.2), 0) for arguments in (near, far))
    assert hit.goal_attained and hit.goal_reward == 1.0
    assert not missed.goal_attained and missed.goal_reward < 1e-9


def test_who_begins_on_the_floor_does_not_fall_and_is_not_pushed():
    found, (episode, _) = evaluate(nothing, goal_env("getup"), episodes=2, seconds=0.5)
    assert not episode.fell and len(episode.rewards) == 15 and found["goal_reward"] < 0.7
    assert "push_forward_n" not in found


def test_the_goal_push_does_not_undo_the_pushes_that_measure():
    pushed = goal_env("push", clip="idle", goal={"push": {"newtons": 0.0}})
    expected = push_robustness(nothing, {"clip": "idle", "threads": 1}, 0, trials=2, bisections=2)
    assert push_robustness(nothing, pushed, 0, trials=2, bisections=2).newtons == expected.newtons
    assert expected.newtons["forward"] < MOST


def test_who_plans_is_told_of_every_beginning_and_every_return():
    class Planner:
        told = 0

        def act_in(self, env):
            self.told += 1

        def __call__(self, observations):
            return nothing(observations)

    planner = Planner()
    push_robustness(planner, {"clip": "idle", "threads": 1}, 0, trials=1, bisections=2)
    assert planner.told == 1 + 1 + 2  # reset, unpushed, and each bisection from the same states
