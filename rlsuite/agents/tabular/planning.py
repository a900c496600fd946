"""Planning agents: the methods of :mod:`~rlsuite.agents.tabular.dynamic_programming` behind the four verbs.

A planner needs the model and takes no step in the environment. One *timestep* of :meth:`PlanningAgent.learn` is one
iteration of the method (a sweep, an improvement, a stage); it stops early where the method's own rule is met, and a
second call goes on from there.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import gymnasium as gym
import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.agents.callbacks import BaseCallback
from rlsuite.agents.hyperparameters import hyperparameter
from rlsuite.agents.tabular import dynamic_programming as dp
from rlsuite.agents.tabular.agent import TabularAgent
from rlsuite.agents.tabular.aliasing import observation_policy, observation_values
from rlsuite.agents.tabular.episodic import one_hot
from rlsuite.agents.tabular.evaluation import state_policy
from rlsuite.agents.tabular.planning_kernels import make_backup
from rlsuite.agents.tabular.prediction import checked_policy
from rlsuite.envs.finite.mdp import DEFAULT_HORIZON, FiniteMDP
from rlsuite.errors import ModelUnavailableError

_FOREVER = np.iinfo(np.int64).max


class PlanningMemory(NamedTuple):
    """What a planner has computed so far."""

    values: NDArray[np.float64]  # (n_states,)
    action_values: NDArray[np.float64]  # (n_states, n_actions)
    policy: NDArray[np.float64]  # (n_states, n_actions)
    error_bound: NDArray[np.float64]  # (1,)
    converged: NDArray[np.bool_]  # (1,)


class PlanningAgent(TabularAgent):
    """An agent that computes its policy from the model.

    Args: as :class:`~rlsuite.agents.tabular.agent.TabularAgent`; the environment must expose its dynamics.

    Attributes:
        state_values: ``(n_observations,)`` values found. action_values: ``(n_observations, n_actions)``.
        error_bound: bound on the sup-norm error of the values. converged: whether it is done: the stopping
            rule is met, or no iteration changes anything any more.
        num_timesteps: iterations made. num_episodes: always 0; a planner meets no episode.

    Raises:
        ModelUnavailableError: the environment has no model, or the best action depends on what it does not show.
    """

    kind: ClassVar = "planning"
    mdp: FiniteMDP

    def __init__(self, env: gym.Env[Any, Any] | str | None = None, **arguments: Any) -> None:
        arguments["compiled"] = True  # there is no other way to plan
        super().__init__(env, **arguments)
        if not self.mdp.fully_observed:
            self._require_decidable()

    def make_memory(self, n_observations: int, n_actions: int) -> Any:
        shape = (self.mdp.n_states, self.mdp.n_actions)
        return PlanningMemory(
            np.zeros(shape[0]), np.zeros(shape), one_hot(np.zeros(shape[0], np.int64), shape[1]),
            np.full(1, np.inf), np.zeros(1, np.bool_),
        )  # fmt: skip

    @abstractmethod
    def plan(self, n: int) -> dp.PlanningResult:
        """Make at most ``n`` iterations from ``self.memory`` (from the start where ``self.num_timesteps`` is 0)."""

    def _require_decidable(self) -> None:
        gamma = getattr(self.hyperparameters, "gamma", 1.0)
        optimum = dp.policy_iteration(self.mdp, gamma)
        observation_policy(self.mdp, optimum.action_values, optimum.policy, self.name)

    @property
    def converged(self) -> bool:
        return bool(self.memory.converged[0])

    @property
    def error_bound(self) -> float:
        return float(self.memory.error_bound[0])

    @property
    def state_values(self) -> NDArray[np.float64]:
        return observation_values(self.mdp, self.memory.values, self.memory.policy)

    @property
    def action_values(self) -> NDArray[np.float64]:
        return observation_values(self.mdp, self.memory.action_values, self.memory.policy)

    def target_policy(self) -> NDArray[np.float64]:
        return observation_policy(self.mdp, self.memory.action_values, self.memory.policy, self.name)

    def learn(
        self,
        total_timesteps: int | None = None,
        callback: BaseCallback | list[BaseCallback] | None = None,
        *,
        total_episodes: int | None = None,
    ) -> Self:
        """At most that many *more* iterations (without a number: until the stopping rule is met, in up to 100 000)."""
        budgets = [budget for budget in (total_timesteps, total_episodes) if budget is not None]
        return super().learn(min(budgets, default=dp.MAX_ITERATIONS), callback)

    def _stops(self, until_step: int, callbacks: list[BaseCallback]) -> Iterator[int]:
        for step in super()._stops(until_step, callbacks):
            if self.converged:
                return
            yield step

    def _advance(self, until_step: int, until_episode: int) -> None:
        n = min(until_step - self.num_timesteps, dp.MAX_ITERATIONS)
        result = self.plan(n)
        m = self.memory
        m.values[:], m.action_values[:], m.policy[:] = result.values, result.action_values, result.policy
        m.error_bound[0] = result.error_bound
        m.converged[0] = result.converged or result.iterations < n  # rounding may end it short of the bound
        self.clock.steps[0] += result.iterations

    def _reached(self) -> NDArray[np.float64] | None:
        return self.memory.values if self.num_timesteps else None


@dataclass(frozen=True)
class PlanningHyperparameters:
    """Fields of exact planners."""

    gamma: float = hyperparameter(0.99, "discount factor", low=0.0, high=1.0)


@dataclass(frozen=True)
class IterativeHyperparameters(PlanningHyperparameters):
    """Fields of planners that approach the solution."""

    tol: float = hyperparameter(1e-8, "bound on the error of the values to reach", low=0.0, low_open=True)


@dataclass(frozen=True)
class ValueIterationHyperparameters(IterativeHyperparameters):
    sweep: str = hyperparameter("synchronous", "order of the backups", choices=dp.SWEEPS)


@dataclass(frozen=True)
class ModifiedPolicyIterationHyperparameters(IterativeHyperparameters):
    n_sweeps: int = hyperparameter(20, "evaluation sweeps between improvements", low=0)


@dataclass(frozen=True)
class PolicyEvaluationHyperparameters(IterativeHyperparameters):
    sweep: str = hyperparameter("gauss-seidel", "order of the backups", choices=dp.SWEEPS[:2])


@dataclass(frozen=True)
class BackwardInductionHyperparameters:
    gamma: float = hyperparameter(1.0, "discount factor", low=0.0, high=1.0)
    horizon: int | None = hyperparameter(
        None, f"steps to plan for; none: the time limit, else {DEFAULT_HORIZON}", low=1, high=1_000_000
    )


class ValueIteration(PlanningAgent):
    """Value iteration, v <- T v (Sutton & Barto 2018, sec. 4.4)."""

    name = "value-iteration"
    Hyperparameters = ValueIterationHyperparameters

    def plan(self, n: int) -> dp.PlanningResult:
        h = self.hyperparameters
        return dp.value_iteration(
            self.mdp, h.gamma, h.tol, sweep=h.sweep, max_iterations=n, initial_values=self._reached()
        )


class ModifiedPolicyIteration(PlanningAgent):
    """Modified policy iteration: improve, then evaluate by a few sweeps (Puterman & Shin 1978)."""

    name = "modified-policy-iteration"
    Hyperparameters = ModifiedPolicyIterationHyperparameters

    def plan(self, n: int) -> dp.PlanningResult:
        h = self.hyperparameters
        return dp.modified_policy_iteration(
            self.mdp, h.gamma, h.tol, n_sweeps=h.n_sweeps, max_iterations=n, initial_values=self._reached()
        )


class PolicyIteration(PlanningAgent):
    """Policy iteration: evaluate exactly, improve, repeat (Sutton & Barto 2018, sec. 4.3)."""

    name = "policy-iteration"
    Hyperparameters = PlanningHyperparameters

    def plan(self, n: int) -> dp.PlanningResult:
        reached = self.memory.policy.argmax(axis=1) if self.num_timesteps else None
        return dp.policy_iteration(self.mdp, self.hyperparameters.gamma, max_iterations=n, initial_policy=reached)


class LinearProgramming(PlanningAgent):
    """The linear programme of optimal values, one iteration (Puterman 1994, sec. 6.9)."""

    name = "linear-programming"
    Hyperparameters = PlanningHyperparameters

    def plan(self, n: int) -> dp.PlanningResult:
        return dp.linear_programming(self.mdp, self.hyperparameters.gamma)


class PolicyEvaluation(PlanningAgent):
    """Iterative evaluation of a given policy (Sutton & Barto 2018, eq. 4.5).

    Args:
        policy: ``(n_observations, n_actions)`` probabilities; ``None`` is the uniform random policy.
    """

    name = "policy-evaluation"
    Hyperparameters = PolicyEvaluationHyperparameters

    def __init__(
        self, env: gym.Env[Any, Any] | str | None = None, *, policy: ArrayLike | None = None, **arguments: Any
    ) -> None:
        self._given_policy = policy
        super().__init__(env, **arguments)

    def _require_decidable(self) -> None:
        """Any policy over observations can be evaluated."""

    def make_memory(self, n_observations: int, n_actions: int) -> Any:
        given = np.full((n_observations, n_actions), 1.0 / n_actions)
        if self._given_policy is not None:
            given = checked_policy(self._given_policy, n_observations, n_actions, f"{self.name}.policy")
        memory = super().make_memory(n_observations, n_actions)
        return memory._replace(policy=np.ascontiguousarray(state_policy(self.mdp, given)))

    def target_policy(self) -> NDArray[np.float64]:
        table = np.full((self.observations.n, self.actions.n), 1.0 / self.actions.n)
        table[self.mdp.observation] = self.memory.policy
        return table

    def plan(self, n: int) -> dp.PlanningResult:
        h = self.hyperparameters
        return dp.policy_evaluation(
            self.mdp,
            self.memory.policy,
            h.gamma,
            h.tol,
            sweep=h.sweep,
            max_iterations=n,
            initial_values=self._reached(),
        )


class BackwardInduction(PlanningAgent):
    """Backward induction: the exact optimum for a fixed number of steps, one stage an iteration (Bellman 1957).

    The policy depends on the time: ``time_policy[t, state]`` is the action at step t, and comparisons score that.
    ``predict`` and ``target_policy``, which are not told the time, give the first step's action throughout, which may
    earn less.
    """

    name = "backward-induction"
    Hyperparameters = BackwardInductionHyperparameters

    @property
    def horizon(self) -> int:
        """Number of steps planned for."""
        given = self.hyperparameters.horizon
        return int(given or (self.time_limit if self.time_limit < _FOREVER else DEFAULT_HORIZON))

    def _require_decidable(self) -> None:
        raise ModelUnavailableError(
            f"{self.name} needs the state, but {self.mdp.name} shows the same observation in different states"
        )

    @property
    def time_policy(self) -> NDArray[np.int64]:
        """``(horizon, n_states)`` action at each time, once planned."""
        return dp.backward_induction(self.mdp, self.horizon, self.hyperparameters.gamma).policy

    def plan(self, n: int) -> dp.PlanningResult:
        values = self.memory.values.copy()
        backup = make_backup(self.mdp, self.hyperparameters.gamma)
        made = min(n, self.horizon - self.num_timesteps)
        q = self.memory.action_values.copy()
        for _ in range(made):
            q = dp.backed_up(backup, values)
            values = q.max(axis=1)
        done = self.num_timesteps + made >= self.horizon
        policy = one_hot(q.argmax(axis=1), self.mdp.n_actions)
        return dp.PlanningResult(values, q, policy, made, 0.0 if done else np.inf, done, "backward induction")
