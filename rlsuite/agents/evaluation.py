"""Evaluation: the undiscounted return of an agent's policy, estimated by whole episodes in a Gymnasium environment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, overload

import gymnasium as gym
import numpy as np

from rlsuite.agents.base import Agent
from rlsuite.envs.finite.mdp import DEFAULT_HORIZON
from rlsuite.envs.registration import make_env
from rlsuite.errors import HyperparameterError
from rlsuite.seeding import checked_seed


def episode_seeds(entropy: int | Sequence[int] | None, n: int) -> list[int]:
    """``n`` independent seeds, one for the reset of each episode."""
    words = np.random.SeedSequence(entropy).generate_state(n, np.uint64)
    return [int(word >> np.uint64(1)) for word in words]


def run_episodes(
    agent: Agent,
    env: gym.Env[Any, Any],
    seeds: Sequence[int],
    *,
    deterministic: bool = True,
    max_episode_steps: int = DEFAULT_HORIZON,
) -> tuple[list[float], list[int]]:
    """Returns and lengths of one episode per seed; an episode without time limit is cut after ``max_episode_steps``.

    Agents that learned with action masks (``use_action_masks``) act under those of the environment.
    Actions that are drawn (not ``deterministic``) are drawn from the seeds too, and not from the agent's own stream.
    """
    limit = env.spec.max_episode_steps if env.spec and env.spec.max_episode_steps else max_episode_steps
    masked = getattr(getattr(agent, "hyperparameters", None), "use_action_masks", False)
    returns, lengths = [], []
    with drawing_actions_from(agent, seeds):
        for seed in seeds:
            observation, info = env.reset(seed=seed)
            tell_where(agent, env)
            total, length, over = 0.0, 0, False
            while not over and length < limit:
                masks = {"action_masks": info["action_mask"]} if masked and "action_mask" in info else {}
                action, _ = agent.predict(observation, deterministic=deterministic, **masks)
                observation, reward, terminated, truncated, info = env.step(action)
                total += float(reward)
                length += 1
                over = terminated or truncated
            returns.append(total)
            lengths.append(length)
    return returns, lengths


def tell_where(agent: Any, env: Any) -> None:
    """Tell agents that have ``act_in`` of the environment, just reset, that they are about to act in: those that plan do so
    from the state it is in."""
    if act_in := getattr(agent, "act_in", None):
        act_in(env)


@contextmanager
def drawing_actions_from(agent: Agent, seeds: Sequence[int]) -> Iterator[None]:
    """For the time of an evaluation, ``agent.evaluation_rng`` (where it has one) is a child of the episodes' seeds."""
    own = getattr(agent, "evaluation_rng", None)
    if own is None:
        yield
        return
    agent.evaluation_rng = np.random.default_rng(np.random.SeedSequence(seeds).spawn(1)[0])
    try:
        yield
    finally:
        agent.evaluation_rng = own


@overload
def evaluate_policy(
    agent: Agent,
    env: gym.Env[Any, Any] | str,
    n_eval_episodes: int = ...,
    deterministic: bool = ...,
    return_episode_rewards: Literal[False] = ...,
    *,
    seed: int | None = ...,
    max_episode_steps: int = ...,
) -> tuple[float, float]: ...


@overload
def evaluate_policy(
    agent: Agent,
    env: gym.Env[Any, Any] | str,
    n_eval_episodes: int = ...,
    deterministic: bool = ...,
    *,
    return_episode_rewards: Literal[True],
    seed: int | None = ...,
    max_episode_steps: int = ...,
) -> tuple[list[float], list[int]]: ...


def evaluate_policy(
    agent: Agent,
    env: gym.Env[Any, Any] | str,
    n_eval_episodes: int = 10,
    deterministic: bool = True,
    return_episode_rewards: bool = False,
    *,
    seed: int | None = None,
    max_episode_steps: int = DEFAULT_HORIZON,
) -> tuple[Any, Any]:
    """Mean and standard deviation of the return over ``n_eval_episodes`` episodes, as stable-baselines3's function.

    Args:
        agent: anything with ``predict``.
        env: environment to play in, or its id; not the one in which the agent is in the middle of learning.
        deterministic: whether to take the agent's best actions or to draw from its policy.
        return_episode_rewards: return the two lists (returns, lengths) instead.
        seed: of the episodes; the same seed gives the same episodes. ``None`` draws one.
        max_episode_steps: episode cap where the environment has no time limit (a greedy policy may walk in circles).

    Raises:
        HyperparameterError: ``n_eval_episodes`` is not positive, or the seed is none.
    """
    seed = checked_seed(seed)
    if n_eval_episodes < 1:
        raise HyperparameterError(f"evaluate_policy.n_eval_episodes must be at least 1, not {n_eval_episodes!r}")
    environment = make_env(env) if isinstance(env, str) else env
    seeds = episode_seeds(seed, n_eval_episodes)
    returns, lengths = run_episodes(
        agent, environment, seeds, deterministic=deterministic, max_episode_steps=max_episode_steps
    )
    if return_episode_rewards:
        return returns, lengths
    return float(np.mean(returns)), float(np.std(returns))
