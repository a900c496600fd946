"""The four wrappers around the humanoid: tiny models, a few steps."""

import math

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

from rlsuite.envs.humanoid.vector_env import HumanoidImitateVectorEnv
from rlsuite.envs.wrappers import (
    LatentAction,
    PriorPlanner,
    PriorReset,
    PriorReward,
    VectorLatentAction,
    VectorPriorReset,
    VectorPriorReward,
)
from rlsuite.envs.wrappers.humanoid import Examiner, PoseHistory
from rlsuite.errors import CapabilityError, InvalidEnvironmentError
from rlsuite.generative import registry
from rlsuite.generative.diffusion.distillation import distillation_errors, distillation_reward
from rlsuite.motion.catalogue import find
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.priors.data import motion_data
from rlsuite.motion.priors.prior import MotionPrior, shapes


def fitted(name, kind, steps=1, **arguments):
    """A prior of the shipped walk at the control rate, fitted for as long as it takes to be finite."""
    data = motion_data([find("walk"), find("idle")], kind, fps=30.0, past=2, length=4)
    model = registry.create(name, seed=0, **shapes(name, data), **arguments)
    part = data.part("train")
    model.fit(part.events, part.condition, steps=steps, held_out=0.0)
    starts = part.condition[:8].numpy() if part.condition is not None else np.zeros((0, 2, data.coordinates.size))
    return MotionPrior(model.eval(), data.coordinates, data.kind, 30.0, 2, 4, data.spread, starts.astype(np.float32))


@pytest.fixture(scope="module")
def gaussian():
    return fitted("ppca", "window", latent_size=12)


@pytest.fixture(scope="module")
def diffusion():
    return fitted("ddpm", "window", steps=20, width=16, depth=1)


@pytest.fixture(scope="module")
def motion_vae():
    return fitted("motion-vae", "next", steps=20, latent_size=4, hidden=(16,), n_experts=2)


def make(**arguments):
    return gym.make("rlsuite/HumanoidImitate-v0", **arguments)


def vector(n=2, **arguments):
    return HumanoidImitateVectorEnv(n, threads=1, **arguments)


def actions(steps, size=28, n=None, seed=0):
    shape = (steps, size) if n is None else (steps, n, size)
    return np.random.default_rng(seed).uniform(-0.5, 0.5, shape).astype(np.float32)


def test_history_is_the_clip_of_the_poses_that_were_passed_through(gaussian):
    env, history = make(), PoseHistory(gaussian)
    env.reset(seed=0)
    history.begin(env, np.zeros(1, np.intp))
    core = env.unwrapped.core
    times = core.times[0] - np.arange(4, 0, -1) * core.dt
    poses = [*core.reference.states(times).qpos, core.physics.state.qpos[0].copy()]
    for action in actions(3):
        env.step(action)
        history.advance(env, np.zeros(1, np.intp))
        poses.append(core.physics.state.qpos[0].copy())
        coded = gaussian.coordinates.encode(MotionClip(np.stack(poses), 30.0, gaussian.coordinates.skeleton))
        assert history.events(env)[0].numpy() == pytest.approx(coded[-5:-1], abs=1e-5)
        assert history.recent(2)[0].numpy() == pytest.approx(coded[-2:], abs=1e-5)


def test_reward_is_what_a_frozen_diffusion_model_says_of_the_window(diffusion):
    env = PriorReward(make(), diffusion, weights=(0.3, 0.7))
    env.reset(seed=1)
    generator = torch.Generator()
    generator.set_state(env._luck.generator.get_state())
    for action in actions(3):
        _, reward, _, _, info = env.step(action)
        errors = distillation_errors(diffusion.model, env.features.events(env), generator=generator)
        given = min(1.0, (math.e * distillation_reward(errors, env.prior.reference(None), 1.0)).item())
        terms = {k: v for k, v in info.items() if k.startswith("reward/")}
        assert terms["reward/prior"] == given and 0.0 < given <= 1.0
        task = sum(v for k, v in terms.items() if k != "reward/prior")
        assert reward == pytest.approx(0.3 * task + 0.7 * given, rel=1e-6)
    assert not any(p.requires_grad for p in diffusion.model.parameters())


def test_recorded_motion_is_likelier_than_motion_thrown_about(gaussian):
    env = PriorReward(make(start="fixed", terminate=()), gaussian, weights=(0.0, 1.0))
    found = {}
    for name, scale in (("reference", 0.0), ("noise", 2.0)):
        env.reset(seed=0)
        found[name] = np.mean([env.step(scale * action)[1] for action in actions(20)])
    assert found["reference"] > found["noise"]


def test_weight_zero_leaves_the_humanoid_as_it_is(diffusion):
    plain, wrapped = vector(), VectorPriorReward(vector(), diffusion, weights=(1.0, 0.0))
    plain.reset(seed=0), wrapped.reset(seed=0)
    for action in actions(5, n=2):
        (a, r, *_), (b, s, *_) = plain.step(action), wrapped.step(action)
        assert (a == b).all() and (r == s).all()


def test_vector_reward_begins_anew_with_the_episode(gaussian):
    env = VectorPriorReward(vector(horizon=0.1), gaussian, weights=(0.0, 1.0))  # three steps
    env.reset(seed=0)
    for t, action in enumerate(actions(8, n=2)):
        _, reward, _, _, info = env.step(action)
        begun = t % 4 == 3
        assert (info["_reward/prior"] == (not begun)).all() and ((reward == 0.0) == begun).all()
        with torch.no_grad():
            wanted = gaussian.model.log_prob(env.features.events(env)).double().numpy()
        assert reward == pytest.approx(np.where(begun, 0.0, wanted))


def test_policy_acts_in_the_latent_of_a_motion_vae(motion_vae):
    env = LatentAction(make(action_mode="absolute"), motion_vae)
    assert env.action_space.shape == (4,)
    env.reset(seed=0)
    core = env.unwrapped.core
    code = np.array([0.1, -0.2, 0.3, 0.0], np.float32)
    past = env.features.past(env)
    with torch.no_grad():
        frame = motion_vae.model.decode(4.0 * torch.tensor(code)[None, None], past)[0].double().numpy()
    before = core.physics.state.qpos[0].copy()
    pose = motion_vae.coordinates.decode(frame, 30.0)[0]
    env.step(code)
    joints = core.physics.model.jnt_qposadr[core.physics.model.actuator_trnid[:, 0]]
    near = before[joints] + np.angle(np.exp(1j * (pose - before)[joints]))  # on the branch of the body
    low, high = core.physics.model.actuator_ctrlrange.T
    target = np.clip(near + 0.1 * 30.0 * (near - before[joints]), low, high)
    assert core.physics.ctrl[0] == pytest.approx(target, abs=1e-5)


def test_latent_actions_repeat_under_a_seed(motion_vae):
    env = VectorLatentAction(vector(action_mode="absolute"), motion_vae)
    runs = []
    for _ in range(2):
        env.reset(seed=3)
        runs.append([env.step(a)[0] for a in actions(4, 4, 2)])
    assert np.array_equal(runs[0], runs[1])


def test_starts_are_sampled_neither_in_the_floor_nor_thrown_about(gaussian):
    env = PriorReset(make(), gaussian, attempts=50)
    core = env.unwrapped.core
    seen = []
    for seed in (0, 0, 1):
        observation, info = env.reset(seed=seed)
        assert info["start/drawn"] and (observation == core.observations[0]).all()
        state = core.physics.state
        assert Examiner(core)(state.qpos[0], state.qvel[0])
        past = env.past_poses(0, 6)
        assert past.shape == (6, state.qpos.shape[1])
        from rlsuite.motion import sampling

        moved = sampling.difference(gaussian.coordinates.skeleton, past[-1], state.qpos[0]) * 30.0
        assert state.qvel[0] == pytest.approx(moved, abs=1e-9)
        seen.append(observation)
    assert (seen[0] == seen[1]).all() and not np.allclose(seen[0], seen[2])


def test_examiner_rejects_feet_in_the_floor():
    env = make()
    env.reset(seed=0, options={"time": 0.0})
    core = env.unwrapped.core
    qpos, qvel = core.physics.state.qpos[0].copy(), core.physics.state.qvel[0].copy()
    fits = Examiner(core)
    assert fits(qpos, qvel)
    assert not fits(qpos - np.eye(len(qpos))[2] * 0.1, qvel)
    assert not fits(qpos, np.full_like(qvel, 100.0))


def test_drawn_past_is_what_the_reward_sees(gaussian):
    env = PriorReward(PriorReset(make(), gaussian, attempts=50), gaussian)
    _, info = env.reset(seed=0)
    assert info["start/drawn"]
    poses = np.concatenate([env.env.past_poses(0, 4), env.unwrapped.core.physics.state.qpos])
    coded = gaussian.coordinates.encode(MotionClip(poses, 30.0, gaussian.coordinates.skeleton))
    assert env.features.events(env)[0].numpy() == pytest.approx(coded[:-1], abs=1e-5)


def test_vector_starts_are_drawn_in_every_episode(gaussian):
    env = VectorPriorReset(vector(horizon=0.1), gaussian, attempts=50)
    _, info = env.reset(seed=0)
    assert info["start/drawn"].all()
    for t, action in enumerate(actions(8, n=2)):
        observation, _, _, _, info = env.step(action)
        assert (observation == env.starts.core.observations).all()
        assert ("start/drawn" in info) == (t % 4 == 3)


def test_plan_is_the_future_that_the_simulation_rewards_most(motion_vae):
    env = PriorPlanner(make(action_mode="absolute"), motion_vae, candidates=3, horizon=3, replan=3, residual=0.0)
    env.reset(seed=0)
    core = env.unwrapped.core
    state, at = core.get_states(), env._luck.generator.get_state()
    _, proposed = env.planning._proposals(env, env._luck)
    env._luck.generator.set_state(at)
    rewards = core.simulate(state.repeat(3, 0), proposed[0].astype(np.float32)).sum(1)
    total = sum(env.step(np.zeros(28, np.float32))[1] for _ in range(3))
    assert total == pytest.approx(rewards.max(), rel=1e-6)


def test_what_does_not_fit_is_said(motion_vae, gaussian, diffusion):
    with pytest.raises(InvalidEnvironmentError, match="absolute"):
        LatentAction(make(), motion_vae)
    with pytest.raises(CapabilityError, match="Latent"):
        LatentAction(make(action_mode="absolute"), diffusion)
    with pytest.raises(CapabilityError, match="no future"):
        PriorPlanner(make(action_mode="absolute"), fitted("gaussian", "pose"))
    with pytest.raises(InvalidEnvironmentError, match="no humanoid"):
        PriorReset(gym.make("CartPole-v1"), gaussian)
    slow = MotionPrior(gaussian.model, gaussian.coordinates, "window", 24.0, 2, 4, gaussian.spread, gaussian.starts)
    with pytest.raises(InvalidEnvironmentError, match="fps=30"):
        PriorReset(make(), slow)


@pytest.mark.filterwarnings("ignore")
def test_gymnasium_finds_no_fault(gaussian):
    check_env(PriorReward(PriorReset(make(), gaussian), gaussian), skip_render_check=True, skip_close_check=True)
