"""The four wrappers around a point in the plane, against values computed by hand."""

import math

import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from scipy.stats import multivariate_normal

from rlsuite.envs.wrappers import (
    LatentAction,
    PriorPlanner,
    PriorReset,
    PriorReward,
    VectorLatentAction,
    VectorPriorPlanner,
    VectorPriorReward,
)
from rlsuite.errors import CapabilityError, HyperparameterError, InvalidEnvironmentError
from rlsuite.generative.diffusion.ddpm import DDPM
from rlsuite.generative.diffusion.distillation import distillation_errors, distillation_reward
from rlsuite.generative.diffusion.latent import LatentDiffusion
from rlsuite.generative.latent.vae import VAE
from tests.envs.wrappers.point import PointEnv, gaussian, position, positions, ppca, vector


def log_density(model, x):
    """Of a fitted Gaussian, by scipy, in the units of the data."""
    scale, mean = (v.double().numpy() for v in (model.normalizer.scale, model.normalizer.mean))
    covariance = scale[:, None] * model.covariance.double().numpy() * scale
    return multivariate_normal(mean + scale * model.location.double().numpy(), covariance).logpdf(x)


def linear(model, code):
    """W z + m of a PPCA, in the units of the data."""
    scale, mean = (v.double().numpy() for v in (model.normalizer.scale, model.normalizer.mean))
    return mean + scale * (model.location.double().numpy() + model.weight.double().numpy() @ code)


# -- reward --------------------------------------------------------------------------------------------------------------


def test_reward_is_the_log_density_that_scipy_computes():
    model = gaussian()
    env = PriorReward(PointEnv(), model, position, weights=(0.25, 2.0))
    env.reset(seed=1)
    for action in np.random.default_rng(0).normal(size=(5, 2)):
        _, reward, _, _, info = env.step(action.astype(np.float32))
        x = env.unwrapped.x
        assert info["reward/prior"] == pytest.approx(log_density(model, x), rel=1e-4)
        assert reward == 0.25 * -(x @ x) + 2.0 * info["reward/prior"]


def test_scaled_reward_is_one_where_the_model_is_surest_and_falls_with_the_distance():
    model = gaussian()
    env = PriorReward(PointEnv(), model, position, weights=(0.0, 1.0), scale=2.0)
    env.reset(seed=1)
    mode = linear_mean(model)
    rewards = []
    for distance in (0.0, 4.0, 8.0):
        env.unwrapped.x = mode + distance - 1.0
        rewards.append(env.step(np.ones(2, np.float32))[1])
    assert rewards[0] == 1.0 > rewards[1] > rewards[2] > 0.0
    value = float(env.prior.reference(None))  # the mean of log p over the model's draws: −entropy
    entropy = -value
    scale = model.normalizer.scale.double()
    truth = 0.5 * torch.logdet(2 * np.pi * np.e * (scale[:, None] * model.covariance.double() * scale)).item()
    assert entropy == pytest.approx(truth, abs=5.0 / np.sqrt(256))  # 5 standard errors: Var log p = D / 2 = 1


def linear_mean(model):
    return (model.normalizer.mean + model.normalizer.scale * model.location).double().numpy()


def test_weight_zero_is_the_environment_bit_for_bit():
    plain, wrapped = PointEnv(), PriorReward(PointEnv(), gaussian(), position, weights=(1.0, 0.0))
    plain.reset(seed=3), wrapped.reset(seed=3)
    for action in np.random.default_rng(1).normal(size=(5, 2)).astype(np.float32):
        (a, r, *ends, info), (b, s, *others, found) = plain.step(action), wrapped.step(action)
        assert (a == b).all() and r == s and ends == others and info == found


def test_diffusion_gives_the_distillation_reward_of_its_draws():
    torch.manual_seed(0)
    model = DDPM(2, width=16, depth=1)
    model.fit(torch.randn(64, 2), steps=20)
    env = PriorReward(PointEnv(), model, position, weights=(0.0, 1.0))
    env.reset(seed=5)
    generator = torch.Generator()
    generator.set_state(env._luck.generator.get_state())
    _, reward, *_ = env.step(np.zeros(2, np.float32))
    x = torch.tensor(env.unwrapped.x, dtype=torch.float32)[None]
    by_hand = distillation_reward(distillation_errors(model, x, generator=generator), env.prior.reference(None), 1.0)
    by_hand = (math.e * by_hand).clamp(max=1.0)
    assert env.prior.kind == "score" and reward == by_hand.item() and 0.0 < reward <= 1.0


def test_same_seed_same_rewards_of_a_random_bound():
    model = VAE(2, latent_size=1, hidden=(8,))
    env = PriorReward(PointEnv(), model, position)
    rewards = []
    for seed in (1, 1, 2):
        env.reset(seed=seed)
        rewards.append([env.step(np.zeros(2, np.float32))[1] for _ in range(3)])
    assert env.prior.kind == "bound" and rewards[0] == rewards[1] != rewards[2]


def test_vector_rewards_are_those_of_the_rows_and_nothing_where_an_episode_begins():
    model = gaussian()
    env = VectorPriorReward(vector(), model, positions, weights=(0.5, 1.0))
    env.reset(seed=0)
    actions = np.random.default_rng(2).normal(size=(12, 3, 2)).astype(np.float32)
    for t, action in enumerate(actions):
        _, reward, _, truncated, info = env.step(action)
        x = positions(env)
        begun = t in (5, 11)  # the step after the fifth of an episode
        wanted = np.zeros(3) if begun else 0.5 * -(x**2).sum(1) + log_density(model, x)
        assert reward == pytest.approx(wanted, rel=1e-4)
        assert info["_reward/prior"].all() != begun and truncated.all() == (t in (4, 10))


@pytest.mark.parametrize("kind", ["density", "energy", "score"])
def test_a_missing_capability_is_named(kind):
    with pytest.raises(CapabilityError, match=kind.capitalize()):
        PriorReward(PointEnv(), VAE(2, latent_size=1), position, kind=kind)
    with pytest.raises(CapabilityError, match="Density, Bound or Energy"):
        PriorReward(PointEnv(), LatentDiffusion(2, codec="pca", codec_arguments={"latent_size": 1}), position)


# -- latent actions ------------------------------------------------------------------------------------------------------


def test_linear_decoder_is_a_matrix_product():
    model = ppca()
    env = LatentAction(PointEnv(), model, scale=3.0)
    env.reset(seed=0)
    for a in (-1.0, -0.3, 0.0, 1.0):
        before = env.unwrapped.x.copy()
        env.step(np.array([a], np.float32))
        assert env.unwrapped.x - before == pytest.approx(linear(model, np.array([3.0 * a])), rel=1e-5, abs=1e-5)
    assert env.action_space == spaces.Box(-1.0, 1.0, (1,), np.float32)


def test_events_become_actions_within_bounds():
    env = LatentAction(PointEnv(bound=0.5), ppca())
    env.reset(seed=0)
    before = env.unwrapped.x.copy()
    env.step(np.ones(1, np.float32))
    assert (np.abs(env.unwrapped.x - before) <= 0.5).all()


def test_decoder_is_given_the_state_as_its_condition():
    from rlsuite.generative.latent.cvae import ConditionalVAE

    torch.manual_seed(0)
    model = ConditionalVAE(2, 2, latent_size=1, hidden=(8,))
    env = LatentAction(PointEnv(), model, position)
    env.reset(seed=0)
    before = env.unwrapped.x.copy()
    env.step(np.array([0.5], np.float32))
    with torch.no_grad():
        wanted = model.decode(torch.tensor([4.0 * 0.5]), torch.tensor(before, dtype=torch.float32))
    assert env.unwrapped.x - before == pytest.approx(wanted.double().numpy(), rel=1e-5, abs=1e-6)


def test_vector_of_latent_actions_is_the_single_one_in_rows():
    model = ppca()
    many = VectorLatentAction(vector(), model)
    many.reset(seed=4)
    codes = np.random.default_rng(0).uniform(-1, 1, (4, 3, 1)).astype(np.float32)
    observed = [many.step(code)[0] for code in codes]
    for i in range(3):
        one = LatentAction(PointEnv(), model)
        one.reset(seed=4 + i)
        for t in range(4):
            assert one.step(codes[t, i])[0] == pytest.approx(observed[t][i], rel=1e-5, abs=1e-6)


def test_acting_needs_codes_of_the_right_size():
    with pytest.raises(CapabilityError, match="Latent"):
        LatentAction(PointEnv(), gaussian())
    with pytest.raises(InvalidEnvironmentError, match="to_action"):
        LatentAction(PointEnv(size=3), ppca())
    with pytest.raises(HyperparameterError, match="scale"):
        LatentAction(PointEnv(), ppca(), scale=0.0)


# -- start states --------------------------------------------------------------------------------------------------------


def put(env, event):
    """Only the right half of the plane will do."""
    if event[0] < 3.0:
        return None
    env.unwrapped.x = event
    return event.astype(np.float32)


def test_starts_are_draws_that_were_accepted():
    env = PriorReset(PointEnv(), gaussian(), put, attempts=20)
    starts = []
    for seed in (1, 1, 2, 3):
        observation, info = env.reset(seed=seed)
        assert info["start/drawn"] and observation[0] >= 3.0
        assert (observation == env.unwrapped.x.astype(np.float32)).all()
        starts.append(observation.tolist())
    assert starts[0] == starts[1] and len({tuple(s) for s in starts}) == 3
    assert env.starts.drawn == env.starts.rejected + 4


def test_own_start_is_kept_where_no_draw_will_do():
    env = PriorReset(PointEnv(), gaussian(), lambda env, event: None, attempts=3)
    observation, info = env.reset(seed=7)
    assert not info["start/drawn"] and env.starts.rejected == 3
    assert (observation == PointEnv().reset(seed=7)[0]).all()


def test_starts_need_a_model_without_conditions_and_a_way_in():
    from rlsuite.generative.latent.cvae import ConditionalVAE

    with pytest.raises(CapabilityError, match="conditions"):
        PriorReset(PointEnv(), ConditionalVAE(2, 2, latent_size=1), put)
    with pytest.raises(InvalidEnvironmentError, match="place"):
        PriorReset(PointEnv(), gaussian())


# -- plans ---------------------------------------------------------------------------------------------------------------


def futures(horizon=4):
    model = gaussian(2 * horizon)
    from rlsuite.generative.linear.gaussian import Gaussian

    shaped = Gaussian((horizon, 2))
    shaped.fit(model.sample(200, generator=torch.Generator().manual_seed(0)).reshape(-1, horizon, 2), steps=1)
    return shaped


def test_the_plan_is_the_best_of_the_futures_that_were_drawn():
    model = futures()
    env = PriorPlanner(PointEnv(), model, candidates=8, horizon=4, replan=4, residual=0.0)
    env.reset(seed=0)
    generator = torch.Generator()
    generator.set_state(env._luck.generator.get_state())
    drawn = model.sample((1, 8), generator=generator)[0].double().numpy()
    x = env.unwrapped.x.copy()
    total = [sum(-(p @ p) for p in x + future.cumsum(0)) for future in drawn]
    best = drawn[int(np.argmax(total))]
    for t in range(4):
        env.step(np.zeros(2, np.float32))
        assert env.unwrapped.x == pytest.approx(x + best[: t + 1].sum(0), rel=1e-5, abs=1e-5)


def test_a_value_takes_the_place_of_the_simulation_and_corrections_are_added():
    model = futures()
    env = PriorPlanner(
        PointEnv(), model, candidates=5, horizon=4, residual=0.5, value=lambda env, f: f[..., 0, 0]
    )  # fmt: skip
    env.reset(seed=0)
    generator = torch.Generator()
    generator.set_state(env._luck.generator.get_state())
    first = model.sample((1, 5), generator=generator)[0, :, 0].double().numpy()
    before = env.unwrapped.x.copy()
    env.step(np.array([1.0, -1.0], np.float32))
    wanted = first[first[:, 0].argmax()] + [0.5, -0.5]
    assert env.unwrapped.x - before == pytest.approx(wanted, rel=1e-5, abs=1e-5)


def test_vector_plans_begin_anew_with_their_episodes():
    env = VectorPriorPlanner(vector(), futures(), candidates=4, horizon=4, value=lambda env, f: f[..., 0, 0])
    env.reset(seed=0)
    runs = []
    for _ in range(2):
        env.reset(seed=0)
        runs.append(np.stack([env.step(np.zeros((3, 2), np.float32))[0] for _ in range(8)]))
    assert (runs[0] == runs[1]).all() and (env.planning.at == 2).all()  # six steps into the episode, the last a reset


def test_planning_says_what_is_missing():
    with pytest.raises(InvalidEnvironmentError, match="events of shape"):
        PriorPlanner(PointEnv(), gaussian(), horizon=4)
    with pytest.raises(HyperparameterError, match="replan"):
        PriorPlanner(PointEnv(), futures(), horizon=4, replan=5)
    with pytest.raises(InvalidEnvironmentError, match="get_states and simulate"):
        VectorPriorPlanner(vector(), futures(), horizon=4)


# -- all -----------------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")  # of the checker: unbounded observations
@pytest.mark.parametrize("name", ["reward", "latent", "reset", "planner"])
def test_gymnasium_finds_no_fault(name):
    made = {
        "reward": lambda: PriorReward(PointEnv(), gaussian(), position),
        "latent": lambda: LatentAction(PointEnv(), ppca()),
        "reset": lambda: PriorReset(PointEnv(), gaussian(), put),
        "planner": lambda: PriorPlanner(PointEnv(), futures(), horizon=4),
    }
    check_env(made[name](), skip_render_check=True, skip_close_check=True)


def test_vector_environments_that_reset_within_a_step_are_refused():
    env = vector(mode=AutoresetMode.SAME_STEP)
    with pytest.raises(InvalidEnvironmentError, match="NextStep"):
        VectorPriorReward(env, gaussian(), positions)
