"""stable-baselines3 behind the agent protocol: its own results, step for step, and exact files."""

import pickle
import random
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3
import torch
from gymnasium import spaces
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.vec_env import DummyVecEnv

from rlsuite import tensor_files
from rlsuite.agents.agent_checker import check_agent
from rlsuite.agents.callbacks import BaseCallback
from rlsuite.agents.evaluation import evaluate_policy
from rlsuite.agents.hyperparameters import fields
from rlsuite.agents.registry import agent_class, agent_names
from rlsuite.agents.sb3 import NAMES
from rlsuite.agents.sb3.vec_env import GymnasiumVecEnv
from rlsuite.envs.registration import make_env, registered_ids
from rlsuite.errors import DivergenceError, HyperparameterError, InvalidEnvironmentError, RecordError, UnknownNameError

SMALL = {
    "sb3:ppo": {"n_steps": 20, "batch_size": 20, "n_epochs": 2, "net_arch": "8"},
    "sb3:a2c": {"n_steps": 5, "net_arch": "8"},
    "sb3:dqn": {"learning_starts": 10, "buffer_size": 200, "target_update_interval": 20, "batch_size": 8, "net_arch": "8"},
    "sb3:sac": {"learning_starts": 10, "buffer_size": 200, "batch_size": 8, "net_arch": "8"},
    "sb3:td3": {"learning_starts": 10, "buffer_size": 200, "batch_size": 8, "net_arch": "8", "action_noise_std": 0.1},
    "sb3:ddpg": {"learning_starts": 10, "buffer_size": 200, "batch_size": 8, "net_arch": "8", "action_noise_std": 0.1},
}  # fmt: skip
CONTINUOUS = ("sb3:sac", "sb3:td3", "sb3:ddpg")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def env_for(name: str) -> str:
    return "Pendulum-v1" if name in CONTINUOUS else "CartPole-v1"


def small(name: str, env=None, seed=0, **more):
    return agent_class(name)(env_for(name) if env is None else env, seed=seed, **(SMALL[name] | more))


def content(agent, folder):
    """Digest of everything that a saved agent holds."""
    return tensor_files.digest(*tensor_files.read_file(agent.save(folder / "content"), "rlsuite-deep-1"))


class StopAt(BaseCallback):
    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def _on_step(self) -> bool:
        return self.num_timesteps < self.at


# -- names ------------------------------------------------------------------------------------------------------------


def test_names_are_listed_and_misspelt_ones_get_the_nearest():
    assert set(NAMES) <= set(agent_names())
    with pytest.raises(UnknownNameError, match="did you mean 'sb3:ppo'"):
        agent_class("sb3:poo")
    assert agent_class("sb3:ppo").name == "sb3:ppo"
    assert agent_class("sb3:ppo").algorithm is stable_baselines3.PPO


def test_hyperparameters_are_those_of_the_constructor():
    ppo = fields(agent_class("sb3:ppo").Hyperparameters)
    assert (ppo["n_steps"].default, ppo["learning_rate"].default, ppo["gae_lambda"].default) == (2048, 3e-4, 0.95)
    assert ppo["target_kl"].optional and ppo["target_kl"].base_type is float
    assert "rollouts" not in ppo["n_epochs"].help and "epoch" in ppo["n_epochs"].help  # the constructor's own words
    agent = small("sb3:ppo", net_arch="pi=[4] vf=[5,6]", activation_fn="relu", log_std_init=-1.0, env="Pendulum-v1")
    shapes = [tuple(p.shape) for p in agent.model.policy.mlp_extractor.parameters() if p.ndim == 2]
    assert shapes == [(4, 3), (5, 3), (6, 5)]
    assert agent.model.policy.log_std.tolist() == [-1.0]
    assert isinstance(agent.model.policy.mlp_extractor.policy_net[1], torch.nn.ReLU)


@pytest.mark.parametrize("values", [{"net_arch": "wide"}, {"net_arch": "0"}, {"gamma": 1.5}, {"batch_size": 0}])
def test_values_that_say_nothing_are_refused(values):
    with pytest.raises(HyperparameterError):
        small("sb3:ppo", **values)


def test_entropy_coefficients_are_numbers_or_auto():
    assert float(small("sb3:sac", ent_coef="0.25").model.ent_coef_tensor) == 0.25
    assert float(small("sb3:sac", ent_coef="auto_0.5").model.log_ent_coef.detach().exp()) == pytest.approx(0.5)
    with pytest.raises(HyperparameterError, match="auto_<initial value>"):
        small("sb3:sac", ent_coef="automatic-ish".removeprefix("auto"))


def test_action_spaces_are_checked():
    with pytest.raises(InvalidEnvironmentError, match="takes Box actions"):
        small("sb3:sac", env="CartPole-v1")
    with pytest.raises(InvalidEnvironmentError, match="takes Discrete actions"):
        small("sb3:dqn", env="Pendulum-v1")


# -- stable-baselines3's own results ---------------------------------------------------------------------------------


@pytest.mark.parametrize("n_envs", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_learning_is_stable_baselines3s_own(name, n_envs):
    """The same seeds give the same networks as stable-baselines3's ``learn`` in its own DummyVecEnv."""
    make = [lambda: gym.make(env_for(name))] * n_envs
    agent = small(name, env=SyncVectorEnv(make), learning_rate_schedule="linear").learn(120)
    values = dict(SMALL[name])
    values["policy_kwargs"] = {"net_arch": [int(values.pop("net_arch"))]}
    if std := values.pop("action_noise_std", None):
        values["action_noise"] = stable_baselines3.common.noise.NormalActionNoise(np.zeros(1), np.full(1, std))
    rate = agent.hyperparameters.learning_rate
    values["learning_rate"] = stable_baselines3.common.utils.LinearSchedule(rate, 0.0, 1.0)
    outside = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    theirs = agent.algorithm("MlpPolicy", env := DummyVecEnv(make), seed=agent.model.seed, **values)
    env.seed(agent.envs.seed)
    theirs.learn(120, log_interval=None)
    random.setstate(outside[0])
    np.random.set_state(outside[1])  # noqa: NPY002
    torch.set_rng_state(outside[2])
    mine, other = agent.model.policy.state_dict(), theirs.policy.state_dict()
    assert mine.keys() == other.keys()
    for key, tensor in mine.items():
        assert torch.equal(tensor, other[key]), key


@pytest.mark.parametrize("make_vector", ["sync", "same step"])
def test_the_adapter_steps_as_dummy_vec_env(make_vector):
    """Observations, rewards, ends, last observations and time limits, step by step over many episodes."""
    make = [lambda: gym.make("CartPole-v1", max_episode_steps=15)] * 3
    if make_vector == "sync":
        env = GymnasiumVecEnv(SyncVectorEnv(make))
    else:
        env = GymnasiumVecEnv(Opaque(SyncVectorEnv(make, autoreset_mode=AutoresetMode.SAME_STEP)))
    reference = DummyVecEnv(make)
    for vec_env in (env, reference):
        vec_env.seed(7)
    np.testing.assert_array_equal(env.reset(), reference.reset())
    rng, ended, limited = np.random.default_rng(0), 0, 0
    for _ in range(120):
        actions = rng.integers(2, size=3)
        mine, theirs = env.step(actions), reference.step(actions)
        for a, b in zip(mine[:3], theirs[:3], strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype
        for a, b in zip(mine[3], theirs[3], strict=True):
            assert a.keys() == b.keys()
            assert a["TimeLimit.truncated"] == b["TimeLimit.truncated"]
            if "terminal_observation" in a:
                np.testing.assert_array_equal(a["terminal_observation"], b["terminal_observation"])
                ended += 1
                limited += a["TimeLimit.truncated"]
    assert 0 < limited < ended
    assert env.get_attr("render_mode") == reference.get_attr("render_mode") == [None] * 3


class Opaque(gym.vector.VectorWrapper):
    """A vector environment whose members cannot be reached."""


class Coins(gym.Env):
    """Tells different things at different steps, and at the end."""

    observation_space = spaces.Box(0, 100, (1,))
    action_space = spaces.Discrete(2, start=1)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return np.zeros(1, np.float32), {"begun": True}

    def step(self, action):
        self.t += 1
        info = {"t": self.t} | ({"is_success": True} if self.t == 3 else {})
        return np.full(1, self.t, np.float32), float(action), self.t == 3, False, info


def test_infos_belong_to_their_environments():
    make = [Coins, lambda: gym.wrappers.TimeLimit(Coins(), 2)]
    env = GymnasiumVecEnv(Opaque(SyncVectorEnv(make, autoreset_mode=AutoresetMode.SAME_STEP)))
    env.reset()
    assert env.action_space == spaces.Discrete(2)  # stable-baselines3 counts from 0, the environment from 1
    told = [env.step(np.array([0, 1])) for _ in range(3)]
    assert [rewards.tolist() for _, rewards, _, _ in told] == [[1.0, 2.0]] * 3
    assert [infos[0]["t"] for *_, infos in told] == [1, 2, 3]
    assert [infos[1]["t"] for *_, infos in told] == [1, 2, 1]
    assert [infos[1]["TimeLimit.truncated"] for *_, infos in told] == [False, True, False]
    assert [infos[0].get("is_success", False) for *_, infos in told] == [False, False, True]


def test_what_a_vector_environment_says_once_is_said_to_each():
    class Telling(gym.vector.VectorWrapper):
        def step(self, actions):
            *step, info = self.env.step(actions)
            return *step, info | {"wind": 0.5, "where": "north", "heights": [1, 2]}

    make = [Coins] * 2
    env = GymnasiumVecEnv(Telling(SyncVectorEnv(make, autoreset_mode=AutoresetMode.SAME_STEP)))
    env.reset()
    infos = env.step(np.array([0, 1]))[3]
    assert [(info["wind"], info["where"], info["heights"]) for info in infos] == [(0.5, "north", 1), (0.5, "north", 2)]


def test_options_of_reset_are_refused_rather_than_forgotten():
    env = GymnasiumVecEnv(SyncVectorEnv([Coins] * 2))
    env.set_options({"low": 0.1})
    with pytest.raises(InvalidEnvironmentError, match="options of reset do not reach"):
        env.reset()


def test_vector_environments_that_reset_in_the_next_step_are_refused():
    make = [lambda: gym.make("CartPole-v1")] * 2
    with pytest.raises(InvalidEnvironmentError, match="SAME_STEP"):
        small("sb3:ppo", env=Opaque(SyncVectorEnv(make, autoreset_mode=AutoresetMode.NEXT_STEP)))


def test_processes_and_threads_of_gymnasium_serve_as_well():
    make = [lambda: gym.make("CartPole-v1")] * 2
    env: VectorEnv = AsyncVectorEnv(make, autoreset_mode=AutoresetMode.SAME_STEP)
    one = small("sb3:ppo", env=env).learn(80)
    two = small("sb3:ppo", env=SyncVectorEnv(make)).learn(80)
    env.close()
    assert one.episode_returns.tolist() == two.episode_returns.tolist() != []
    for a, b in zip(one.model.policy.parameters(), two.model.policy.parameters(), strict=True):
        assert torch.equal(a, b)


# -- the protocol -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_it_keeps_the_contract_of_agents(name):
    agent = small(name)
    check_agent(agent, env_for(name), timesteps=40)


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(name, normalised, tmp_path):
    more = {
        "normalize_observations": normalised, "normalize_rewards": normalised, "learning_rate_schedule": "linear",
    }  # fmt: skip
    whole = small(name, **more).learn(120)
    stopped = small(name, **more).learn(120, StopAt(60))
    assert stopped.num_timesteps == 60
    loaded = type(stopped).load(stopped.save(tmp_path / "stopped"))
    assert loaded.resume().num_timesteps == 120
    assert content(loaded, tmp_path) == content(whole, tmp_path)


def test_agents_of_a_process_do_not_disturb_one_another(tmp_path):
    """Nor the program: the global random states are as they were, and what is in them does not matter."""
    alone = content(small("sb3:dqn").learn(40).learn(40), tmp_path)
    random.seed(5)
    torch.manual_seed(5)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    one, two = small("sb3:dqn"), small("sb3:dqn", seed=1)
    for agent in (one, two, one):
        agent.learn(40)
    agent.predict(np.zeros(4, np.float32), deterministic=False)
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == before  # noqa: NPY002
    one.evaluation_rng = np.random.default_rng(np.random.SeedSequence(0))
    other = small("sb3:dqn").learn(40).learn(40)
    other.evaluation_rng = np.random.default_rng(np.random.SeedSequence(0))
    assert content(one, tmp_path) == content(other, tmp_path)
    assert alone == content(small("sb3:dqn").learn(40).learn(40), tmp_path)


def test_stochastic_predictions_come_from_the_evaluation_stream():
    agent = small("sb3:ppo", env="Pendulum-v1").learn(20)
    observation = np.zeros((50, 3), np.float32)
    draws = []
    for seed in (0, 0, 1):
        agent.evaluation_rng = np.random.default_rng(seed)
        draws.append(agent.predict(observation, deterministic=False)[0])
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])
    assert draws[0].std() > 0.1
    assert evaluate_policy(agent, "Pendulum-v1", 2, False, seed=3) == evaluate_policy(
        agent, "Pendulum-v1", 2, False, seed=3
    )


class Lucky(gym.Env):
    """What happens is drawn from the action space, not by the action."""

    observation_space, action_space = spaces.Box(-1.0, 1.0, (1,)), spaces.Discrete(5)

    def __init__(self):
        self.action_space = spaces.Discrete(5)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {}

    def step(self, action):
        return (
            np.zeros(1, np.float32),
            float(self.action_space.sample()),
            bool(self.np_random.random() < 0.2),
            False,
            {},
        )


def test_an_environment_that_draws_from_its_own_space_is_repeatable():
    def returns(seed):
        return small("sb3:a2c", SyncVectorEnv([Lucky] * 2), seed).learn(60).episode_returns.tolist()

    assert returns(1) == returns(1) != returns(2)


def test_noise_on_actions_of_several_dimensions():
    class Square(gym.Env):
        observation_space, action_space = spaces.Box(-1.0, 1.0, (3,)), spaces.Box(-1.0, 1.0, (2, 2))

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            return np.zeros(3, np.float32), {}

        def step(self, action):
            assert action.shape == (2, 2)
            return np.zeros(3, np.float32), 0.0, False, False, {}

    for n in (1, 3):
        agent = small("sb3:td3", SyncVectorEnv([Square] * n)).learn(24)
        replayed = agent.model.replay_buffer.actions[: 24 // n]
        assert replayed.shape == (24 // n, n, 4) and len(np.unique(replayed)) > 90


@pytest.mark.parametrize("deterministic", [True, False])
def test_networks_that_an_update_made_infinite_are_told_when_they_act(deterministic):
    agent = small("sb3:ppo").learn(20)
    observation = agent.observation_space.sample()
    with pytest.raises(ValueError, match="Unexpected observation shape"):  # any other error is what it is
        agent.choose_actions(np.zeros((1, 9), np.float32), deterministic=deterministic, rng=agent.rng, masks=None)
    with torch.no_grad():
        agent.model.policy.action_net.weight.fill_(np.nan)
    drawn = agent.model.action_space.np_random.bit_generator.state
    with pytest.raises(DivergenceError, match="the networks became infinite at step 20"):
        agent.predict(observation, deterministic=deterministic)
    assert agent.model.action_space.np_random.bit_generator.state == drawn


def test_images_and_dictionaries_train_and_predict(tmp_path):
    class Picture(Coins):
        observation_space = spaces.Box(0, 255, (36, 40, 3), np.uint8)
        action_space = spaces.Discrete(2)

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            return self.observation_space.sample() * 0, {}

        def step(self, action):
            _, *rest = super().step(action)
            return np.full((36, 40, 3), self.t, np.uint8), *rest

    class Both(Picture):
        observation_space = spaces.Dict({"a": spaces.Box(-1, 1, (2,)), "b": spaces.Discrete(3)})

        def reset(self, *, seed=None, options=None):
            Coins.reset(self, seed=seed)
            return {"a": np.zeros(2, np.float32), "b": 0}, {}

        def step(self, action):
            _, *rest = Coins.step(self, action)
            return {"a": np.full(2, 0.1 * self.t, np.float32), "b": self.t % 3}, *rest

    for env, name in ((Picture, "sb3:ppo"), (Picture, "sb3:dqn"), (Both, "sb3:a2c"), (Both, "sb3:dqn")):
        agent = small(name, env=env()).learn(20)
        loaded = agent_class(name).load(agent.save(tmp_path / "agent"), env())
        observation, _ = env().reset()
        assert agent.predict(observation)[0] == loaded.predict(observation)[0]


# -- files ------------------------------------------------------------------------------------------------------------


def test_zips_need_trust(tmp_path):
    agent = small("sb3:ppo").learn(20)
    path = agent.export_zip(tmp_path / "model")
    for refuse in (agent_class("sb3:ppo").load, agent_class("sb3:ppo").import_zip):
        with pytest.raises(RecordError, match="trust=True"):
            refuse(path, "CartPole-v1")


@pytest.mark.parametrize("name", NAMES)
def test_zips_come_and_go(name, tmp_path):
    agent = small(name, learning_rate=1e-3, learning_rate_schedule="linear").learn(40)
    path = agent.export_zip(tmp_path / "model")
    theirs = agent.algorithm.load(path)  # stable-baselines3 reads it
    back = agent_class(name).load(path, env_for(name), trust=True)
    assert back.hyperparameters == agent.hyperparameters
    assert back.num_timesteps == 40
    observations = np.stack([agent.observation_space.sample() for _ in range(20)])
    np.testing.assert_array_equal(back.predict(observations)[0], agent.predict(observations)[0])
    np.testing.assert_array_equal(theirs.predict(observations, deterministic=True)[0], agent.predict(observations)[0])
    assert back.learn(20).num_timesteps == 60


@pytest.mark.parametrize("name", ["model", "model.zip", "model-1.5"])
def test_a_zip_has_the_name_it_was_given(name, tmp_path):
    assert small("sb3:a2c").export_zip(tmp_path / name).name == name.removesuffix(".zip") + ".zip"
    assert [path.name for path in tmp_path.iterdir()] == [name.removesuffix(".zip") + ".zip"]


def test_a_zip_of_another_algorithm_or_with_other_parts_is_refused(tmp_path):
    model = stable_baselines3.PPO("MlpPolicy", "CartPole-v1", n_steps=8, batch_size=8, learning_rate=lambda p: p**2)
    model.save(tmp_path / "square")
    with pytest.raises(HyperparameterError, match="neither constant nor linear"):
        agent_class("sb3:ppo").load(tmp_path / "square.zip", "CartPole-v1", trust=True)
    (tmp_path / "no.zip").write_bytes(b"nothing")
    with pytest.raises(RecordError, match="no model"):
        agent_class("sb3:ppo").load(tmp_path / "no.zip", "CartPole-v1", trust=True)


def test_normalisation_goes_with_the_zip(tmp_path):
    agent = small("sb3:ppo", normalize_observations=True, normalize_rewards=True).learn(60)
    path = agent.export_zip(tmp_path / "model")
    back = agent_class("sb3:ppo").import_zip(
        path, "CartPole-v1", trust=True, normaliser=path.with_suffix(".vecnormalize.pkl")
    )
    for content in (b"nothing", pickle.dumps(7), pickle.dumps(b"x" * 50)[:20]):
        (tmp_path / "odd.pkl").write_bytes(content)
        with pytest.raises(RecordError, match=r"odd\.pkl is no saved VecNormalize"):
            agent_class("sb3:ppo").import_zip(path, "CartPole-v1", trust=True, normaliser=tmp_path / "odd.pkl")
    normalisers = agent.model.get_vec_normalize_env(), back.model.get_vec_normalize_env()
    np.testing.assert_array_equal(normalisers[0].obs_rms.mean, normalisers[1].obs_rms.mean)
    np.testing.assert_array_equal(normalisers[0].ret_rms.var, normalisers[1].ret_rms.var)


def test_our_files_hold_no_pickle_and_odd_ones_raise_record_errors(tmp_path):
    agent = small("sb3:sac").learn(40)
    path = agent.save(tmp_path / "agent")
    header, arrays = tensor_files.read_file(path, "rlsuite-deep-1")
    wrong = {
        "model/policy/actor.mu.bias": np.full_like(arrays["model/policy/actor.mu.bias"], np.nan),
        "model/log_ent_coef": np.zeros(3, np.float32),
        "replay/rewards": np.zeros((7, 1), np.float32),
        "randomness/numpy": np.zeros(3, np.uint32),
        "model/actor.optimizer/0/exp_avg": np.zeros((1, 1), np.float32),
    }
    for name, array in wrong.items():
        assert name in arrays
        tensor_files.write_file(tmp_path / "odd.safetensors", header, arrays | {name: array})
        with pytest.raises(RecordError):
            agent_class("sb3:sac").load(tmp_path / "odd.safetensors")


# -- our environments -------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::UserWarning")  # advice on observation types, which stable-baselines3 still takes
@pytest.mark.parametrize("id", registered_ids())
def test_our_environments_train_under_stable_baselines3_itself(id):
    env = make_env(id)
    check_env(env.unwrapped, skip_render_check=True)
    policy = "MultiInputPolicy" if isinstance(env.observation_space, spaces.Dict) else "MlpPolicy"
    model = stable_baselines3.A2C(policy, env, seed=0, device="cpu", n_steps=4, policy_kwargs={"net_arch": [4]})
    assert model.learn(8).num_timesteps == 8
    assert agent_class("sb3:a2c")(make_env(id), seed=0, n_steps=4, net_arch="4").learn(8).num_timesteps == 8


def test_importing_agents_stays_light():
    code = "import rlsuite.agents.registry as r, sys; r.agent_names(); print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "False"
