"""The batch: each row as if it were alone, autoreset in every mode, states put back, planning."""

import json
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import rlsuite
from rlsuite.agents.deep.env_state import EnvState, capture, capture_vector, restore, restore_vector
from rlsuite.errors import HyperparameterError, RecordError
from rlsuite.motion.catalogue import find

ID = "rlsuite/HumanoidImitate-v0"
ONCE = replace(find("kick"), loop="once")
VARIANTS = {
    "default": {},
    "absolute": {"action_mode": "absolute", "reward": "deepmimic-paper", "observe": ("joints", "share", "contacts")},
    "force": {"action_mode": "residual_force", "reward": "beyondmimic", "anneal": 20, "frames": 3},
    "once": {"clip": ONCE, "reward": "mimickit", "terminate": {"tracking": {"distance": 0.3}}, "start": "fixed"},
    "turning": {"clip": "turn_left", "sync": False, "observe": ("height", "reference", "previous_action")},
    "selector": {"clip": ["walk", ONCE, "run"], "multi": "selector", "interval": (0.1, 0.4)},
    "max": {"clip": "turn_left,walk,run", "multi": "max", "goal": "heading", "frames": 2, "start": "fixed"},
}


def same(a, b):
    """To the last bit."""
    np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


@pytest.mark.parametrize("variant", VARIANTS)
def test_row_i_is_the_single_environment_of_seed_plus_i(variant, actions):
    arguments = VARIANTS[variant]
    n, steps = 3, 70
    vector = gym.make_vec(ID, num_envs=n, autoreset_mode="NextStep", horizon=1.5, threads=2, **arguments)
    singles = [gym.make(ID, horizon=1.5, **arguments) for _ in range(n)]
    observations, _ = vector.reset(seed=11)
    for i, single in enumerate(singles):
        same(single.reset(seed=11 + i)[0], observations[i])
    ended = np.zeros(n, bool)
    episodes = 0
    for action in actions(n, steps, size=vector.single_action_space.shape[0]):
        observations, rewards, terminated, truncated, info = vector.step(action)
        for i, single in enumerate(singles):
            if ended[i]:
                same(single.reset()[0], observations[i])
                assert (rewards[i], terminated[i], truncated[i]) == (0.0, False, False)
                continue
            answer = single.step(action[i])
            same(answer[0], observations[i])
            assert answer[1:4] == (rewards[i], terminated[i], truncated[i])
            assert answer[4] == {name: values[i] for name, values in info.items() if name[0] != "_"}
        ended = terminated | truncated
        episodes += ended.sum()
    assert episodes > 0


def test_a_row_does_not_depend_on_how_many_there_are(make, actions):
    few, many = make(2), make(19, threads=2)
    few.reset(seed=5)
    many.reset(seed=5)
    for action in actions(19, 40):
        a, b = few.step(action[:2]), many.step(action)
        for x, y in zip(a[:4], b[:4], strict=True):
            same(x, y[:2])


def test_the_same_seed_the_same_episodes(make, actions):
    env = make(4, autoreset_mode="SameStep")
    runs = []
    for _ in range(2):
        record = [env.reset(seed=9)[0]]
        record += [array for action in actions(4, 50, seed=1) for array in env.step(action)[:4]]
        runs.append(record)
    assert all(np.array_equal(a, b) for a, b in zip(*runs, strict=True))
    assert not np.array_equal(env.reset(seed=10)[0], runs[0][0])


def test_next_step_and_same_step_are_one_stream_of_episodes(make, actions):
    """The observations between ends are the same; in one mode the first of the next episode comes one step earlier."""
    n = 3
    late, early = make(n, autoreset_mode="NextStep", horizon=0.5), make(n, autoreset_mode="SameStep", horizon=0.5)
    assert (late.metadata["autoreset_mode"], early.metadata["autoreset_mode"]) == (
        AutoresetMode.NEXT_STEP,
        AutoresetMode.SAME_STEP,
    )
    late.reset(seed=0)
    early.reset(seed=0)
    zero, ends = np.zeros((n, 28)), 0
    for _ in range(40):
        a = early.step(zero)
        b = late.step(zero)
        same(a[1], b[1])
        same(a[2], b[2])
        same(a[3], b[3])
        ended = a[2] | a[3]
        same("final_obs" in a[4], ended.any())
        if ended.any():
            ends += ended.sum()
            same(a[4]["_final_obs"], ended)
            same(a[4]["final_obs"][ended], b[0][ended])
            assert not (a[4]["_reward/pose"] & ended).any()
            same(a[4]["final_info"]["_reward/pose"], ended)
            same(a[4]["final_info"]["reward/pose"][ended], b[4]["reward/pose"][ended])
            if ended.all():
                c = late.step(zero)
                same(c[0], a[0])
                assert not c[1].any()
                assert not (c[2] | c[3]).any()
    assert ends >= 6


def test_disabled_resets_what_the_mask_says(make):
    env = make(3, autoreset_mode=AutoresetMode.DISABLED, horizon=0.2)
    env.reset(seed=0)
    for _ in range(6):
        before, _, _, truncated, _ = env.step(np.zeros((3, 28)))
    assert truncated.all()
    after, info = env.reset(options={"reset_mask": np.array([False, True, False])})
    same(after[[0, 2]], before[[0, 2]])
    assert not np.array_equal(after[1], before[1])
    assert info["_time"].tolist() == [False, True, False]
    assert env.step(np.zeros((3, 28)))[3].tolist() == [True, False, True]


def test_horizon_truncates_and_is_not_a_failure(make):
    env = make(2, horizon=0.5)
    env.reset(seed=0)
    flags = [env.step(np.zeros((2, 28)))[2:4] for _ in range(15)]
    assert not any(terminated.any() for terminated, _ in flags)
    assert [truncated.any() for _, truncated in flags] == [False] * 14 + [True]


def test_the_end_of_a_clip_terminates_without_failure(make):
    env = make(2, clip=ONCE, terminate=())
    _, info = env.reset(seed=0, options={"time": env.reference.duration - 0.09})
    np.testing.assert_allclose(info["time"], env.reference.duration - 0.09)
    ends = [env.step(np.zeros((2, 28))) for _ in range(3)]
    assert [bool(end[2].all()) for end in ends] == [False, False, True]
    assert not ends[-1][4]["failed"].any()
    assert (ends[-1][1] > 0.0).all()


def test_terms_add_up_to_the_reward_and_failures_earn_nothing(make, actions):
    env = make(8, autoreset_mode="Disabled")
    env.reset(seed=0)
    fallen = 0
    for action in actions(8, 60, scale=1.0):
        _, rewards, terminated, _, info = env.step(action)
        total = sum(info[f"reward/{name}"] for name in env.reward.terms)
        np.testing.assert_allclose(rewards, np.where(terminated, 0.0, total), rtol=1e-12)
        same(terminated, info["termination/contact"])
        fallen += terminated.sum()
    assert fallen > 0


def test_metrics_are_means_since_the_last_call(make, actions):
    env = make(4, horizon=1.0)
    env.reset(seed=0)
    assert env.metrics() == {"env/divergences": 0.0}
    rewards, steps, failures = 0.0, 0, 0
    for action in actions(4, 70, scale=1.0):
        _, _, terminated, _, info = env.step(action)
        rewards += (info["reward/root"] * info["_reward/root"]).sum()
        steps += info["_reward/root"].sum()
        failures += terminated.sum()
    found = env.metrics()
    assert found["env/reward/root"] == pytest.approx(rewards / steps)
    assert found["env/failures_per_second"] == pytest.approx(30.0 * failures / steps)
    assert failures > 0
    assert env.metrics() == {"env/divergences": 0.0}


def test_the_reference_follows_the_body_at_every_cycle(make):
    env = make(1, terminate=())
    env.reset(seed=0, options={"time": env.reference.duration - 0.05})
    env.step(np.zeros((1, 28)))
    assert not env.offsets.any()
    env.physics.fields[0][0, 0] += 0.5  # somebody pushes it half a metre ahead
    env.step(np.zeros((1, 28)))
    np.testing.assert_allclose(env._now.position[0, 0, :2], env.physics.state.position[0, 0, :2], atol=1e-12)
    np.testing.assert_allclose(env.offsets[0, 0], 0.5, atol=0.05)


def test_states_put_back_go_on_to_the_last_bit(make, actions):
    env = make(4, autoreset_mode="Disabled", observe=("joints", "reference", "contacts", "previous_action"))
    env.reset(seed=0)
    script = actions(4, 30)
    for action in script[:10]:
        env.step(action)
    states = env.get_states()
    first = [env.step(action)[:4] for action in script[10:]]
    env.set_states(states)
    again = [env.step(action)[:4] for action in script[10:]]
    for a, b in zip(first, again, strict=True):
        for x, y in zip(a, b, strict=True):
            same(x, y)
    env.set_states(states[[2]], np.array([0]))  # also in another row
    for t, action in enumerate(script[10:]):
        same(env.step(action[[2, 1, 2, 3]])[0][0], first[t][0][2])


def test_states_of_another_environment_are_refused(make):
    env = make(2)
    env.reset(seed=0)
    with pytest.raises(RecordError, match="states must be"):
        env.set_states(env.get_states()[:, 1:])


def test_simulate_is_stepping_and_leaves_no_trace(make, actions):
    env = make(1, autoreset_mode="Disabled")
    env.reset(seed=3)
    plan = actions(5, 12, seed=2, scale=1.0).swapaxes(0, 1)  # (5, 12, 28)
    state = env.get_states()[0]
    before = env.get_states()
    rewards = env.simulate(state, plan)
    assert rewards.shape == (5, 12)
    same(env.get_states(), before)
    for k in range(5):
        env.set_states(state[None])
        ended = False
        for t in range(12):
            answer = env.step(plan[k, t][None])
            assert rewards[k, t] == (0.0 if ended else answer[1][0])
            ended = ended or bool(answer[2][0] | answer[3][0])
    same(env.simulate(state, plan), rewards)
    with pytest.raises(HyperparameterError, match="horizon, 28"):
        env.simulate(state, plan[0])


@pytest.mark.parametrize("start", ["uniform", "failures"])
def test_a_saved_vector_environment_goes_on_as_if_never_stopped(start, actions):
    make = lambda: gym.make_vec(ID, num_envs=3, start=start, horizon=0.7)  # noqa: E731
    env, script = make(), actions(3, 80, scale=1.0)
    env.reset(seed=4)
    for action in script[:40]:
        env.step(action)
    saved = capture_vector(env)
    values = json.loads(json.dumps(saved.values))
    first = [env.step(action)[:4] for action in script[40:]]
    other = make()
    restore_vector(other, EnvState(saved.arrays, values))
    for action, expected in zip(script[40:], first, strict=True):
        for x, y in zip(other.step(action)[:4], expected, strict=True):
            same(x, y)


def test_a_saved_single_environment_goes_on_as_if_never_stopped(actions):
    env, script = gym.make(ID, horizon=0.5), actions(1, 50)[:, 0]
    env.reset(seed=4)
    for action in script[:7]:
        env.step(action)
    saved = capture(env)

    def play(env):
        for action in script[7:]:
            observation, reward, terminated, truncated, _ = env.step(action)
            yield observation, reward
            if terminated or truncated:
                yield env.reset()[0], 0.0

    first, other = list(play(env)), gym.make(ID, horizon=0.5)
    restore(other, EnvState(saved.arrays, json.loads(json.dumps(saved.values))))
    for a, b in zip(play(other), first, strict=True):
        same(a[0], b[0])
        assert a[1] == b[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"observe": ("joints", "nonsense")}, "names out of height"),
        ({"observe": ()}, "names out of"),
        ({"frames": 0}, "positive integer"),
        ({"terminate": ("nonsense",)}, "no termination 'nonsense'"),
        ({"terminate": {"height": {"maximum": 1.0}}}, "'height' has no 'maximum'; it takes minimum"),
        ({"terminate": {"contact": {"allowed": ["tail"]}}}, "no part 'tail'"),
        ({"horizon": -1.0}, "positive number of seconds"),
        ({"action_mode": "torque"}, "unknown action mode 'torque'"),
        ({"start": "unifrom"}, "did you mean 'uniform'"),
        ({"clip": "wlak"}, "did you mean 'walk'"),
    ],
)
def test_wrong_arguments_are_named(arguments, message, make):
    with pytest.raises(rlsuite.errors.RlsuiteError, match=message):
        make(1, **arguments)


def test_stepping_before_reset(make):
    with pytest.raises(gym.error.ResetNeeded):
        make(1).step(np.zeros((1, 28)))


def test_seeds_of_another_number(make):
    with pytest.raises(HyperparameterError, match="3 environments but 2 seeds"):
        make(3).reset(seed=[1, 2])
