"""One run: an agent learns under a budget, and its policy is scored at checkpoints on the way.

Where the environment has a model the score is exact: the undiscounted return that the learned policy can expect within
the horizon. Where it has none, the score is the mean return of episodes in an environment of its own, seeded by the
run's evaluation stream, so that scoring never disturbs learning. Prediction agents are scored by the root mean squared
error of their state values over the states that can be reached.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rlsuite.agents.registry import agent_class
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.envs.registration import make_env
from rlsuite.experiments.results import Run
from rlsuite.seeding import run_seeds

PLANNING_ITERATIONS = 1_000_000  # a cap: planners stop by their own rule long before
Scorer = Callable[[Any], float]


@dataclass(frozen=True)
class Budget:
    """How long a run learns: so many episodes or environment steps, scored at ``n_checkpoints`` points after the start."""

    unit: Literal["episodes", "timesteps"]
    amount: int
    n_checkpoints: int = 50

    @property
    def checkpoints(self) -> NDArray[np.int64]:
        """``(n,)`` amounts at which to score, from 0 to the whole budget, without repeats."""
        points = np.linspace(0, self.amount, min(self.n_checkpoints, self.amount) + 1)
        return np.unique(np.round(points).astype(np.int64))


@dataclass(frozen=True)
class RunSpec:
    """Everything that determines one run; plain values, so that it can be sent to another process."""

    env_id: str
    env_kwargs: dict[str, Any]
    algo: str
    values: dict[str, Any]
    seed: int
    budget: Budget
    horizon: int
    eval_episodes: int
    checkpoint: str


def run_on_model(spec: RunSpec, mdp: FiniteMDP, scorer: Scorer) -> Run:
    """The run on the environment's model, compiled."""
    agent = agent_class(spec.algo)(None, mdp=mdp, seed=spec.seed, time_limit=spec.horizon, **spec.values)
    return _learn(agent, spec, scorer)


def run_on_env(spec: RunSpec) -> Run:
    """The run on the Gymnasium environment itself."""
    kwargs = {"max_episode_steps": spec.horizon, **spec.env_kwargs}
    env, eval_env = make_env(spec.env_id, **kwargs), make_env(spec.env_id, **kwargs)
    try:
        agent = agent_class(spec.algo)(env, seed=spec.seed, compiled=False, **spec.values)
        scorer: Scorer
        if changes(env):
            scorer = CurrentReturn(env, spec.horizon)
        else:
            scorer = return_estimate(eval_env, run_seeds(spec.seed).evaluation, spec.eval_episodes)
        return _learn(agent, spec, scorer)
    finally:
        env.close()
        eval_env.close()


def _learn(agent: Any, spec: RunSpec, scorer: Scorer) -> Run:
    began = time.perf_counter()
    checkpoints = spec.budget.checkpoints
    in_episodes = spec.budget.unit == "episodes"
    if agent.kind == "planning":  # plans before it acts: the same policy at every checkpoint
        agent.learn(total_timesteps=PLANNING_ITERATIONS)
        axis, zero = checkpoints, np.zeros_like(checkpoints)
        steps, episodes = (zero, axis) if in_episodes else (axis, zero)
        scores = np.full(checkpoints.shape, scorer(agent))
    else:
        steps, episodes = np.zeros_like(checkpoints), np.zeros_like(checkpoints)
        scores = np.empty(checkpoints.shape)
        for i, point in enumerate(checkpoints):
            if in_episodes and point > agent.num_episodes:
                agent.learn(total_episodes=int(point) - agent.num_episodes)
            elif not in_episodes and point > agent.num_timesteps:
                agent.learn(total_timesteps=int(point) - agent.num_timesteps)
            steps[i], episodes[i], scores[i] = agent.num_timesteps, agent.num_episodes, scorer(agent)
    agent.save(spec.checkpoint, durable=False)  # hundreds of small files that can be made again
    return Run(
        seed=spec.seed,
        steps=steps,
        episodes=episodes,
        score=scores,
        returns=agent.episode_returns,
        lengths=agent.episode_lengths,
        wall_time=time.perf_counter() - began,
    )


class ExactReturn:
    """Scorer: expected undiscounted return of the learned policy within the horizon (policies seen are remembered)."""

    def __init__(self, mdp: FiniteMDP, horizon: int) -> None:
        self.mdp, self.horizon = mdp, horizon
        self._known: dict[bytes, float] = {}

    def __call__(self, agent: Any) -> float:
        from rlsuite.agents.tabular.evaluation import finite_horizon_value, timed_policy_value

        if has_diverged(agent):
            return np.nan
        if hasattr(agent, "time_policy"):
            return timed_policy_value(self.mdp, agent.time_policy, self.horizon)
        policy = agent.target_policy()
        key = hashlib.blake2b(policy, digest_size=16).digest()
        if key not in self._known:
            self._known[key] = finite_horizon_value(self.mdp, policy, self.horizon)
        return self._known[key]


class CurrentReturn:
    """Scorer for an environment whose dynamics change: :class:`ExactReturn` on the dynamics of the moment."""

    def __init__(self, env: Any, horizon: int) -> None:
        self.env, self.horizon = env.unwrapped, horizon

    def __call__(self, agent: Any) -> float:
        return ExactReturn(self.env.current_mdp, self.horizon)(agent)


def changes(env: Any) -> bool:
    """Whether the environment is one of those whose dynamics change while they are learned."""
    return isinstance(getattr(env.unwrapped, "current_mdp", None), FiniteMDP)


class ValuePredictionError:
    """Scorer: root mean squared error of the learned state values against the exact ones, over reachable states."""

    def __init__(self, mdp: FiniteMDP, gamma: float) -> None:
        from rlsuite.agents.tabular.evaluation import discounted_values, random_policy

        self.mdp = mdp
        self.exact = discounted_values(mdp, random_policy(mdp), gamma)

    def __call__(self, agent: Any) -> float:
        if has_diverged(agent):
            return np.nan
        with np.errstate(over="ignore"):  # values on their way to infinity: the error is infinite, too
            error = (agent.state_values[self.mdp.observation] - self.exact)[self.mdp.reachable]
            score = float(np.sqrt(np.mean(error**2)))
        return score if np.isfinite(score) else np.nan


def has_diverged(agent: Any) -> bool:
    """Whether a learned value is no longer a finite number."""
    values = getattr(agent, "action_values", None)
    values = getattr(agent, "state_values", None) if values is None else values
    return values is not None and not np.isfinite(values).all()


def acts_deterministically(agent: Any) -> bool:
    """Whether the learned policy has one action everywhere; if it draws its actions, its mode is another policy."""
    return bool((agent.target_policy().max(axis=1) == 1.0).all())


def return_estimate(env: Any, seed: int, n_episodes: int) -> Scorer:
    """Scorer: mean return of the learned policy over episodes in ``env``, seeded alike at every checkpoint."""
    from rlsuite.agents.evaluation import evaluate_policy

    def score(agent: Any) -> float:
        if has_diverged(agent):
            return np.nan
        mean, _ = evaluate_policy(
            agent, env, n_eval_episodes=n_episodes, deterministic=acts_deterministically(agent), seed=seed
        )
        return float(mean)

    return score
