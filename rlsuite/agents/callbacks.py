"""Callbacks, named as stable-baselines3's: called while an agent learns, to evaluate it, to save it or to stop it."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlsuite.envs.finite.mdp import DEFAULT_HORIZON
from rlsuite.envs.registration import make_env
from rlsuite.errors import HyperparameterError, InvalidEnvironmentError

if TYPE_CHECKING:
    import gymnasium as gym

    from rlsuite.agents.base import Agent

logger = logging.getLogger("rlsuite")


class BaseCallback:
    """Called while an agent learns; :meth:`on_step` returning ``False`` stops it.

    Attributes:
        every: how many environment steps lie between calls. Compiled learners run that many steps at a stretch, so 1
            (each step, as in stable-baselines3) is the slowest choice.
        agent, n_calls, num_timesteps: set by the learner.
        parent: the callback that calls this one, e.g. the :class:`EvalCallback` that found a new best agent.
    """

    every: int = 1
    parent: BaseCallback | None = None

    def __init__(self) -> None:
        self.agent: Agent
        self.n_calls = 0
        self.num_timesteps = 0

    def on_training_start(self, agent: Agent) -> None:
        """Before the first step of a call of ``learn``."""
        self.agent = agent
        self.num_timesteps = agent.num_timesteps

    def on_step(self) -> bool:
        """After every ``every`` steps; ``False`` stops learning."""
        self.n_calls += 1
        self.num_timesteps = self.agent.num_timesteps
        return self._on_step()

    def _on_step(self) -> bool:
        return True

    def is_due(self, before: int, now: int) -> bool:
        """Whether a multiple of ``every`` lies in ``(before, now]``: agents may take many steps between two calls."""
        return before // self.every < now // self.every

    def on_training_end(self) -> None:
        """After the last step of a call of ``learn``, also when it was interrupted."""


class CallbackList(BaseCallback):
    """Several callbacks as one; each is called at its own interval, and any of them can stop learning."""

    def __init__(self, callbacks: Iterable[BaseCallback]) -> None:
        super().__init__()
        self.callbacks = list(callbacks)
        self.every = math.gcd(*(child.every for child in self.callbacks)) or 1
        for child in self.callbacks:
            child.parent = self

    def on_training_start(self, agent: Agent) -> None:
        super().on_training_start(agent)
        self._called_at = agent.num_timesteps
        for child in self.callbacks:
            child.on_training_start(agent)

    def _on_step(self) -> bool:
        due = [child for child in self.callbacks if child.is_due(self._called_at, self.num_timesteps)]
        self._called_at = self.num_timesteps
        answers = [child.on_step() for child in due]  # every child is called, also after one that stops
        return all(answers)

    def on_training_end(self) -> None:
        for child in self.callbacks:
            child.on_training_end()


class EvalCallback(BaseCallback):
    """Evaluate the agent every ``eval_freq`` steps in an environment of its own, and keep the best.

    Training is not disturbed: with and without this callback an agent learns the same tables from the same seed. Each
    evaluation has its own seed, derived from ``seed`` and the number of steps learned, so a run that was stopped and
    resumed is evaluated as one that never stopped.

    Args:
        eval_env: environment to evaluate in, or its id; another object than the agent's own environment.
        callback_on_new_best: called when the mean return is the best so far; ``False`` stops learning.
        callback_after_eval: called after every evaluation; ``False`` stops learning.
        n_eval_episodes: episodes per evaluation. eval_freq: steps between evaluations.
        log_path: folder to which ``evaluations.jsonl`` is written, one line per evaluation.
        best_model_save_path: folder to which ``best_model.safetensors`` is written.
        deterministic: whether actions are the agent's best rather than drawn from its policy.
        verbose: from 1 on, each evaluation is logged to the ``rlsuite`` logger at level INFO.
        seed: of the evaluations; by default the evaluation stream of the agent's seed.
        max_episode_steps: episode cap where the environment has no time limit.

    Attributes:
        best_mean_reward, last_mean_reward: mean undiscounted returns, minus infinity before the first evaluation.
        evaluations_timesteps, evaluations_results, evaluations_length: one entry per evaluation, as in
            stable-baselines3: steps learned, returns of the episodes, their lengths.

    Raises:
        InvalidEnvironmentError: at the start of ``learn``, if ``eval_env`` is the environment the agent learns in.
    """

    def __init__(
        self,
        eval_env: gym.Env[Any, Any] | str,
        callback_on_new_best: BaseCallback | None = None,
        callback_after_eval: BaseCallback | None = None,
        n_eval_episodes: int = 5,
        eval_freq: int = 10_000,
        log_path: str | Path | None = None,
        best_model_save_path: str | Path | None = None,
        deterministic: bool = True,
        verbose: int = 0,
        *,
        seed: int | None = None,
        max_episode_steps: int = DEFAULT_HORIZON,
    ) -> None:
        super().__init__()
        if isinstance(eval_env, str):
            eval_env = make_env(eval_env)
        self.eval_env = eval_env
        self.callback_on_new_best = callback_on_new_best
        self.callback_after_eval = callback_after_eval
        self.n_eval_episodes = _positive("EvalCallback.n_eval_episodes", n_eval_episodes)
        self.every = self.eval_freq = _positive("EvalCallback.eval_freq", eval_freq)
        self.log_path = None if log_path is None else Path(log_path)
        self.best_model_save_path = None if best_model_save_path is None else Path(best_model_save_path)
        self.deterministic = deterministic
        self.verbose = verbose
        self.seed = seed
        self.max_episode_steps = max_episode_steps
        self.best_mean_reward = self.last_mean_reward = -math.inf
        self.evaluations_timesteps: list[int] = []
        self.evaluations_results: list[list[float]] = []
        self.evaluations_length: list[list[int]] = []
        for child in self._children():
            child.parent = self

    def _children(self) -> list[BaseCallback]:
        return [c for c in (self.callback_on_new_best, self.callback_after_eval) if c is not None]

    def on_training_start(self, agent: Agent) -> None:
        super().on_training_start(agent)
        if agent.env is not None and self.eval_env.unwrapped is agent.env.unwrapped:
            raise InvalidEnvironmentError(
                "EvalCallback would evaluate in the environment the agent is learning in and cut its episode short; "
                "give it another one, such as gym.make(...) a second time"
            )
        if self.seed is None:
            from rlsuite.seeding import run_seeds

            self.seed = run_seeds(agent.seed).evaluation
        for child in self._children():
            child.on_training_start(agent)

    def _on_step(self) -> bool:
        from rlsuite.agents.evaluation import episode_seeds, run_episodes

        assert self.seed is not None
        returns, lengths = run_episodes(
            self.agent,
            self.eval_env,
            episode_seeds((self.seed, self.num_timesteps), self.n_eval_episodes),
            deterministic=self.deterministic,
            max_episode_steps=self.max_episode_steps,
        )
        self.evaluations_timesteps.append(self.num_timesteps)
        self.evaluations_results.append(returns)
        self.evaluations_length.append(lengths)
        self.last_mean_reward = math.fsum(returns) / len(returns)
        self._log(returns, lengths)
        go_on = True
        if self.last_mean_reward > self.best_mean_reward:
            self.best_mean_reward = self.last_mean_reward
            if self.best_model_save_path is not None:
                self.agent.save(self.best_model_save_path / "best_model")
            if self.callback_on_new_best is not None:
                go_on = self.callback_on_new_best.on_step()
        if self.callback_after_eval is not None:
            go_on = self.callback_after_eval.on_step() and go_on
        return go_on

    def _log(self, returns: list[float], lengths: list[int]) -> None:
        if self.log_path is not None:
            self.log_path.mkdir(parents=True, exist_ok=True)
            line = json.dumps({"timesteps": self.num_timesteps, "returns": returns, "lengths": lengths})
            with open(self.log_path / "evaluations.jsonl", "a") as file:
                file.write(line + "\n")
        if self.verbose:
            logger.info("evaluation at %d steps: mean return %.6g", self.num_timesteps, self.last_mean_reward)

    def on_training_end(self) -> None:
        for child in self._children():
            child.on_training_end()


class CheckpointCallback(BaseCallback):
    """Save the agent every ``save_freq`` steps as ``save_path/{name_prefix}_{steps}_steps.safetensors``.

    Each file is written atomically: a run killed at any instant leaves whole checkpoints only.
    """

    def __init__(self, save_freq: int, save_path: str | Path, name_prefix: str = "rl_model") -> None:
        super().__init__()
        self.every = self.save_freq = _positive("CheckpointCallback.save_freq", save_freq)
        self.save_path = Path(save_path)
        self.name_prefix = name_prefix

    def _on_step(self) -> bool:
        self.agent.save(self.save_path / f"{self.name_prefix}_{self.num_timesteps}_steps")
        return True


class StopTrainingOnRewardThreshold(BaseCallback):
    """Stop when the best mean return of the :class:`EvalCallback` that it is given to reaches ``reward_threshold``.

    EvalCallback(eval_env, callback_on_new_best=StopTrainingOnRewardThreshold(reward_threshold=-13))
    """

    def __init__(self, reward_threshold: float) -> None:
        super().__init__()
        self.reward_threshold = reward_threshold

    def on_training_start(self, agent: Agent) -> None:
        super().on_training_start(agent)
        if not isinstance(self.parent, EvalCallback):
            raise HyperparameterError(
                "StopTrainingOnRewardThreshold needs evaluations to look at: pass it to an EvalCallback as "
                "callback_on_new_best"
            )

    def _on_step(self) -> bool:
        assert isinstance(self.parent, EvalCallback)
        return self.parent.best_mean_reward < self.reward_threshold


def _positive(name: str, value: int) -> int:
    if value < 1:
        raise HyperparameterError(f"{name} must be at least 1, not {value!r}")
    return value
