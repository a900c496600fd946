"""The composite policy: probabilities by hand, draws as probable as they say, bodies handed over where they are."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from rlsuite.agents.deep.ppo import PPO
from rlsuite.envs.humanoid.relay import Relay
from rlsuite.envs.humanoid.vector_env import HumanoidImitateVectorEnv
from rlsuite.errors import HyperparameterError
from rlsuite.experiments.imitation import all_arguments
from rlsuite.experiments.imitation.composite import (
    Composite,
    Member,
    _falls,
    boltzmann,
    composite_summary,
    member,
    members,
)
from rlsuite.experiments.imitation.composite import nothing as no_actions
from rlsuite.experiments.imitation.episodes import distinct, evaluation_env, play
from rlsuite.motion import rotations as rot
from tests.experiments.imitation.conftest import nothing


def constant(name, value, clip, **arguments):
    """A policy that does nothing, and promises the same everywhere."""
    kwargs = {"clip": clip, "threads": 1, **arguments}
    return Member(name, nothing, lambda observations: np.full(len(observations), float(value)), kwargs)


@pytest.mark.parametrize(
    ("values", "temperature", "expected"),
    [
        ([[0.0, 0.0]], 0.3, [[0.5, 0.5]]),
        ([[0.0, 0.3 * np.log(2.0)]], 0.3, [[1 / 3, 2 / 3]]),
        ([[1.0, 1.0 + np.log(2.0), 1.0 + np.log(3.0)]], 1.0, [[1 / 6, 2 / 6, 3 / 6]]),
        ([[0.0, 2.0 * np.log(3.0)], [5.0, 5.0]], 2.0, [[0.25, 0.75], [0.5, 0.5]]),
        ([[1e6, 1e6 - 1.0, -1e6]], 0.001, [[1.0, 0.0, 0.0]]),
    ],
)
def test_probabilities_by_hand(values, temperature, expected):
    found = boltzmann(np.array(values), temperature)
    assert_allclose(found, expected, rtol=1e-9, atol=1e-300)
    assert_allclose(found.sum(axis=1), 1.0)


def test_policies_are_drawn_as_probable_as_they_are():
    """Three policies that promise 0, T ln 2 and T ln 3: 400 bodies, drawn once."""
    of = [constant(str(k), 0.3 * np.log(k), "idle") for k in (1, 2, 3)]
    env = Composite(of, 400, seconds=1.0)
    env.reset(seed=0)
    assert_allclose(env.probabilities, np.tile([1 / 6, 2 / 6, 3 / 6], (400, 1)))
    counts = np.bincount(env.clock.which, minlength=3)
    expected = 400 * env.probabilities[0]
    assert (np.abs(counts - expected) < 4.5 * np.sqrt(expected * (1 - env.probabilities[0]))).all()
    first = env.clock.which.copy()
    env.reset(seed=0)
    assert_array_equal(env.clock.which, first)


def test_when_policies_are_drawn():
    """At the end of the acting policy's clip, or as often as one likes; here always the better one."""
    better = constant("idle", 50.0, "idle")
    for every, changes in ((0.5, [15]), (None, [21])):  # idle takes over at the first draw
        worse = constant("run", 60.0, "run", start="fixed")
        env = Composite([worse, better], 2, seconds=1.0, every=every)
        env.reset(seed=0, options={"time": 0.0})
        assert env.clock.which.tolist() == [0, 0]
        env.members[0].__dict__["values"] = lambda observations: np.zeros(len(observations))
        which = []
        for _ in range(30):
            env.step()
            which.append(env.clock.which.copy())
        assert (np.flatnonzero(np.diff(np.array(which)[:, 0])) + 2).tolist() == changes
        assert_array_equal(np.array(which)[-1], 1)


def test_who_takes_over_begins_where_the_body_is_and_sees_what_it_saw_when_trained():
    """A body put into the first pose of the other clip, elsewhere and turned: seen as that clip's own beginning."""
    envs = [evaluation_env({"clip": clip, "threads": 1, "mirror": clip == "walk"}, 2) for clip in ("idle", "walk")]
    alone = HumanoidImitateVectorEnv(2, clip="walk", mirror=True, threads=1)
    expected = alone.reset(seed=0, options={"time": 0.0})[0]
    relay = Relay(envs)
    relay.reset([1, 2])
    start = alone.clock.now
    qpos, qvel, turn = start.qpos.copy(), start.qvel.copy(), rot.exp([[0.0, 0.0, 2.0], [0.0, 0.0, 0.0]])
    qpos[:, :2] = [[3.0, 1.0], [-2.0, 5.0]]
    qpos[:, 3:7] = rot.multiply(turn, qpos[:, 3:7])
    qvel[:, :3] = rot.rotate(turn, qvel[:, :3])
    rows = np.arange(2)
    relay.physics.place(rows, qpos, qvel)
    assert_allclose(relay.seen(1, rows), expected, atol=1e-6)
    relay.hand_over(rows, np.array([0, 1]))
    assert_allclose(relay.now.position[1, 0, :2], [-2.0, 5.0], atol=1e-12)
    assert_allclose(relay.now.qpos[1, 7:], qpos[1, 7:], atol=1e-12)
    single = alone.step(nothing(expected))
    relay.step(lambda k, observations: nothing(observations))
    assert relay.rewards[1] == pytest.approx(single[1][1], abs=1e-6)
    assert_allclose(
        envs[1].observations[1], single[0][1], atol=1e-4
    )  # turned, friction along two axes would be another


def test_one_policy_all_the_time_is_that_policy():
    of = [constant("walk", 100.0, "walk"), constant("idle", 0.0, "idle")]
    env = Composite(of, 2, seconds=0.5)
    together = play(no_actions, env, 3)
    apart = play(nothing, evaluation_env(of[0].env_kwargs, 2, seconds=0.5), 3)
    for a, b in zip(together, apart, strict=True):
        assert_allclose(a.rewards, b.rewards, atol=1e-9)
        assert_allclose(a.performed.qpos, b.performed.qpos, atol=1e-9)
        assert_allclose(a.reference.qpos, b.reference.qpos, atol=1e-9)
    found = composite_summary(together, ["walk", "idle"])
    assert found["shares"] == {"walk": 1.0, "idle": 0.0}
    assert found["changes_per_minute"] == found["falls"] == found["got_up"] == 0
    assert found["standing"] == 1.0


def test_the_first_policy_says_how_episodes_begin():
    """Getting up begins on the floor; its observations have two numbers more."""
    kwargs = all_arguments("rlsuite/HumanoidGetUp-v0", {"threads": 1})
    rising = Member(
        "rise", nothing, lambda observations: np.full(len(observations), observations.shape[1] - 276.0), kwargs
    )
    env = Composite([rising, constant("walk", -1.0, "walk")], 3, seconds=0.2, every=0.1)
    (episode, *_) = play(no_actions, env, 0)
    assert episode.performed.bodies[0][0, :, 2].max() < 0.8
    assert_array_equal(episode.which, 0)
    assert composite_summary([episode], ["rise", "walk"])["standing"] == 0.0


@pytest.mark.parametrize(
    ("heights", "expected"),
    [
        ([1.0, 0.9, 0.6, 0.9], (0, 0)),  # it staggers
        ([1.0, 0.6, 0.3, 0.2], (1, 0)),
        ([0.2, 0.6, 0.4, 0.9, 1.0], (0, 1)),
        ([1.0, 0.3, 0.6, 0.9, 0.7, 0.4, 0.9], (2, 2)),
        ([0.6, 0.7], (0, 0)),
    ],
)
def test_falls_and_risings_are_counted(heights, expected):
    assert _falls(np.array(heights)) == expected


def test_values_are_the_critics_on_one_scale():
    """That of a discount of 0.95: those of 0.98 count two fifths; rewards that were normalised count in their own units."""
    env = HumanoidImitateVectorEnv(2, clip="idle", threads=1)
    agents = [
        PPO(env, seed=0, n_steps=16, batch_size=32, n_epochs=1, net_arch="8", gamma=0.98, normalize_rewards=normalised)
        for normalised in (False, True)
    ]
    observations = env.reset(seed=0)[0]
    for agent in agents:
        agent.learn(32)
        who = SimpleNamespace(name="one", act=nothing, agent=agent, env_kwargs={})
        policy, inputs = agent.policy, agent.inputs(observations)
        import torch

        with torch.inference_mode():
            critic = policy.critic(torch.as_tensor(inputs))[:, 0].double().numpy()
        unit = np.sqrt(agent.return_normaliser.variance) if agent.return_normaliser is not None else 1.0
        assert_allclose(agent.values(observations), unit * critic, rtol=1e-5)
        assert_allclose(member(who).values(observations), 0.4 * unit * critic, rtol=1e-5)


def test_what_is_no_composite():
    walk, idle = constant("walk", 0.0, "walk"), constant("idle", 0.0, "idle")
    with pytest.raises(HyperparameterError, match="at least two"):
        Composite([walk], 1)
    with pytest.raises(HyperparameterError, match="temperature must be above 0"):
        Composite([walk, idle], 1, temperature=0.0)
    with pytest.raises(HyperparameterError, match="different worlds"):
        Composite([walk, constant("idle", 0.0, "idle", self_collision=True)], 1)
    with pytest.raises(HyperparameterError, match="different worlds"):
        Composite([walk, constant("throw", 0.0, "wave", goal="throw")], 1)
    with pytest.raises(HyperparameterError, match="one clip each"):
        Composite([walk, constant("both", 0.0, ["walk", "idle"], multi="max")], 1)
    with pytest.raises(HyperparameterError, match="has no values"):
        members(["walk", "walk"])
    assert distinct(["a", "b", "a", "a"]) == ["a", "b", "a-2", "a-3"]
