"""``SB3Agent``: an algorithm of stable-baselines3 as an agent of the suite; collecting and training stay its own."""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any, ClassVar, NoReturn, Self

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback as SB3Callback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.type_aliases import TrainFreq
from stable_baselines3.common.vec_env import VecEnv, VecNormalize, VecTransposeImage

from rlsuite.agents.callbacks import BaseCallback
from rlsuite.agents.deep.agent import DeepAgent
from rlsuite.agents.deep.observations import Batch
from rlsuite.agents.sb3.hyperparameters import constructor_arguments, policy_name, read_back
from rlsuite.agents.sb3.state import GlobalRandomness, ModelState, NormaliserState, ReplayState
from rlsuite.agents.sb3.vec_env import GymnasiumVecEnv
from rlsuite.errors import DivergenceError, HyperparameterError, InvalidEnvironmentError, RecordError

# what unpickling a file that is damaged, or made with other packages, raises
_UNREADABLE = (OSError, ValueError, LookupError, AttributeError, TypeError, EOFError, RuntimeError, ImportError,
               pickle.PickleError)  # fmt: skip


class SB3Agent(DeepAgent):
    """An algorithm of stable-baselines3; made by ``agent_class("sb3:ppo")``.

    One iteration is one pass of the loop in its ``learn``: ``collect_rollouts``, then ``train``. Schedules begin anew
    with each call of :meth:`learn`; checkpoints hold arrays and JSON, no pickles, and go on exactly.

    Attributes:
        model: the stable-baselines3 model.
    """

    algorithm: ClassVar[type[BaseAlgorithm]]
    model: BaseAlgorithm

    @staticmethod
    def spaces_of(algorithm: type[BaseAlgorithm]) -> tuple[type, ...]:
        """The action spaces that an algorithm takes."""
        if issubclass(algorithm, OnPolicyAlgorithm):
            return (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)
        return (spaces.Discrete,) if algorithm.__name__ == "DQN" else (spaces.Box,)

    def build(self) -> None:
        box = self.action_space
        if isinstance(box, spaces.Box) and not (np.isfinite(box.low).all() and np.isfinite(box.high).all()):
            raise InvalidEnvironmentError(f"{self.name} takes bounded actions, not {box}")
        h = self.hyperparameters
        env: VecEnv = GymnasiumVecEnv(self.envs, step=self.act_in_envs)
        arguments = constructor_arguments(h, self.algorithm, box)
        self.randomness = GlobalRandomness(self.device)
        try:
            if h.normalize_observations or h.normalize_rewards:
                env = VecNormalize(
                    env, norm_obs=h.normalize_observations, norm_reward=h.normalize_rewards, gamma=h.gamma
                )
            with self.randomness():
                self.model = self.algorithm(
                    policy_name(self.observation_space), env,
                    seed=int(self.rng.integers(1 << 32)), device=self.device, **arguments,
                )  # fmt: skip
        except (AssertionError, ValueError, TypeError, NotImplementedError) as error:
            raise HyperparameterError(f"{self.name} cannot be made: {' '.join(str(error).split())}") from None
        env.seed(self.envs.seed)  # the model has seeded it with its own
        self.model.set_logger(Logger(None, []))
        self.model._update_current_progress_remaining = self._tell_progress  # type: ignore[method-assign]
        self.parts |= {"model": ModelState(self.model), "randomness": self.randomness, "begun": _Begun(self)}
        if (normaliser := self.model.get_vec_normalize_env()) is not None:
            self.parts["normaliser"] = NormaliserState(normaliser)
        if isinstance(self.model, OffPolicyAlgorithm) and self.model.replay_buffer is not None:
            self.parts["replay"] = ReplayState(self.model.replay_buffer)
        self.begun = False
        self._sb3_callback: SB3Callback | None = None

    def _tell_progress(self, num_timesteps: int, total_timesteps: int) -> None:
        self.model._current_progress_remaining = 1.0 - self.progress

    def resume(self, callback: BaseCallback | list[BaseCallback] | None = None) -> Self:
        model = self.model
        if self.envs.observations is None and self.begun:
            self.envs.start()
        with self.randomness():
            model._last_obs = None if not self.begun else _observe(model.env)
            total = self._total_timesteps or 0
            _, self._sb3_callback = model._setup_learn(total, reset_num_timesteps=False)  # resets what has not begun
        self.begun = True
        model.num_timesteps = self.num_timesteps
        model._last_episode_starts = self.episodes.running_lengths == 0
        if (normaliser := model.get_vec_normalize_env()) is not None:
            model._last_original_obs = normaliser.get_original_obs()
            normaliser.returns[model._last_episode_starts] = 0.0
        self._tell_progress(0, 0)
        return super().resume(callback)

    def iterate(self) -> None:
        try:
            with self.randomness():
                self._iterate()
        except ValueError as error:
            self._raise_diverged(error)
        for name, value in self.model.logger.name_to_value.items():
            number = float(value)
            if name == "train/explained_variance" and math.isnan(number):
                continue  # of returns that do not vary
            if not math.isfinite(number):
                raise DivergenceError(f"{name} became {number} at step {self.num_timesteps}")
            self.metrics[name] = number

    def _raise_diverged(self, error: ValueError) -> NoReturn:
        """torch.distributions refuses parameters that are not finite; any other error goes on its way."""
        if all(bool(torch.isfinite(p).all()) for p in self.model.policy.parameters()):
            raise error
        what = " ".join(str(error).split())
        raise DivergenceError(f"the networks became infinite at step {self.num_timesteps}: {what}") from None

    def _iterate(self) -> None:
        model, callback = self.model, self._sb3_callback
        assert model.env is not None and callback is not None
        if isinstance(model, OnPolicyAlgorithm):
            model.collect_rollouts(model.env, callback, model.rollout_buffer, n_rollout_steps=model.n_steps)
            self._tell_progress(0, 0)
            model.train()
        elif isinstance(model, OffPolicyAlgorithm):
            assert isinstance(model.train_freq, TrainFreq) and model.replay_buffer is not None
            rollout = model.collect_rollouts(
                model.env, callback, model.train_freq, model.replay_buffer,
                action_noise=model.action_noise, learning_starts=model.learning_starts,
            )  # fmt: skip
            if model.num_timesteps > model.learning_starts:
                steps = model.gradient_steps if model.gradient_steps >= 0 else rollout.episode_timesteps
                if steps:
                    model.train(gradient_steps=steps, batch_size=model.batch_size)

    def choose_actions(
        self, observations: Batch, *, deterministic: bool, rng: np.random.Generator, masks: NDArray[np.bool_] | None
    ) -> NDArray[Any]:
        if masks is not None:
            raise InvalidEnvironmentError(f"{self.name} knows no action masks")
        if (normaliser := self.model.get_vec_normalize_env()) is not None:
            observations = normaliser.normalize_obs(observations)
        try:
            if deterministic:
                return np.asarray(self.model.predict(observations, deterministic=True)[0])
            return self._drawn(observations, rng)
        except ValueError as error:  # the last update may have been one too far
            self._raise_diverged(error)

    def _drawn(self, observations: Batch, rng: np.random.Generator) -> NDArray[Any]:
        """Actions drawn from ``rng``; the streams of training do not move."""
        space = self.model.action_space
        before = space.np_random.bit_generator.state
        try:
            with self.randomness.drawn_from(rng):
                space.seed(int(rng.integers(1 << 32)))
                return np.asarray(self.model.predict(observations, deterministic=False)[0])
        finally:
            space.np_random.bit_generator.state = before

    # -- stable-baselines3's own files ------------------------------------------------------------------------------------

    @classmethod
    def load(
        cls,
        path: str | Path,
        env: Any = None,
        *,
        device: str = "auto",
        training_state: bool = True,
        trust: bool = False,
    ) -> Self:
        """Read an agent written by :meth:`save`, or a ``.zip`` of stable-baselines3 (see :meth:`import_zip`)."""
        if Path(path).suffix == ".zip":
            return cls.import_zip(path, env, device=device, trust=trust)
        return super().load(path, env, device=device, training_state=training_state)

    @classmethod
    def import_zip(
        cls,
        path: str | Path,
        env: Any,
        *,
        seed: int | None = None,
        device: str = "auto",
        trust: bool = False,
        normaliser: str | Path | None = None,
    ) -> Self:
        """An agent from a model that stable-baselines3 saved: networks, optimisers, hyperparameters, counters.

        Args:
            trust: such files hold pickles, which can run any code when they are read: only with your word for it.
            normaliser: the file of VecNormalize that belongs to the model, also a pickle.

        Raises:
            RecordError: without ``trust``; or the file is missing, damaged, or no such model.
            HyperparameterError: the model was made with what this suite has no hyperparameters for.
        """
        if not trust:
            raise RecordError(
                f"{path} is a file of stable-baselines3, which can run code when it is read; pass trust=True, or --trust, "
                "if you trust whoever made it"
            )
        if env is None:
            raise InvalidEnvironmentError(f"{path} does not say which environment it was trained in: pass env")
        try:
            loaded = cls.algorithm.load(path, device=device)
        except _UNREADABLE as error:
            raise RecordError(f"{path} is no model of {cls.name}: {' '.join(str(error).split())}") from None
        try:
            stored = None if normaliser is None else _pickled_normaliser(normaliser)
        except _UNREADABLE as error:
            raise RecordError(f"{normaliser} is no saved VecNormalize: {' '.join(str(error).split())}") from None
        values = read_back(loaded, cls.Hyperparameters)
        if stored is not None:
            values |= {"normalize_observations": stored.norm_obs, "normalize_rewards": stored.norm_reward}
        agent = cls(env, seed=seed, device=device, **values)
        mine, theirs = ModelState(agent.model), ModelState(loaded)
        mine.load_state(theirs.state_arrays(), theirs.state_values())
        if stored is not None:
            statistics = NormaliserState(stored).state_arrays()
            agent.parts["normaliser"].load_state(statistics | {"returns": np.zeros(agent.envs.num_envs)}, {})
        agent.num_timesteps = loaded.num_timesteps
        agent._began = agent.num_timesteps
        return agent

    def export_zip(self, path: str | Path) -> Path:
        """Write the model as stable-baselines3's ``save`` does; VecNormalize beside it as ``*.vecnormalize.pkl``."""
        path = Path(path)
        path = path if path.suffix == ".zip" else path.with_name(f"{path.name}.zip")
        path.parent.mkdir(parents=True, exist_ok=True)
        self.model.save(path, exclude=["_update_current_progress_remaining", "_last_obs", "_last_original_obs"])
        if (normaliser := self.model.get_vec_normalize_env()) is not None:
            normaliser.save(str(path.with_suffix(".vecnormalize.pkl")))
        return path


class _Begun:
    """Whether the environments were reset for training: the first reset counts in VecNormalize's statistics."""

    def __init__(self, agent: SB3Agent) -> None:
        self.agent = agent

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        return {}

    def state_values(self) -> dict[str, Any]:
        return {"begun": self.agent.begun}

    def load_state(self, arrays: dict[str, NDArray[Any]], values: dict[str, Any]) -> None:
        self.agent.begun = bool(values["begun"])


def _observe(env: VecEnv | None) -> Any:
    """What stands to be acted on, as the wrappers of stable-baselines3 show it."""
    if isinstance(env, VecTransposeImage):
        return env.transpose_observations(_observe(env.venv))
    if isinstance(env, VecNormalize):
        env.old_obs = _observe(env.venv)
        return env.normalize_obs(env.old_obs)
    assert isinstance(env, GymnasiumVecEnv)
    return env.observe()


def _pickled_normaliser(path: str | Path) -> VecNormalize:
    from stable_baselines3.common.save_util import load_from_pkl

    with open(path, "rb") as file:  # which stable-baselines3 would leave open where it is damaged
        normaliser = load_from_pkl(file)
    if not isinstance(normaliser, VecNormalize):
        raise ValueError(f"{path} holds no VecNormalize")
    normaliser.returns = np.zeros(1)  # left out of its files
    return normaliser
