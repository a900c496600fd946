"""Problems of a comparison: each environment read once, with its model where it has one, and what may run on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rlsuite.envs.finite.mdp import DEFAULT_HORIZON, FiniteMDP
from rlsuite.envs.finite.spaces import DiscreteIndex
from rlsuite.envs.registration import make_env
from rlsuite.errors import HyperparameterError, InvalidEnvironmentError, ModelUnavailableError
from rlsuite.experiments.fingerprints import mdp_digest, source_digest
from rlsuite.experiments.results import Reference
from rlsuite.experiments.runner import ExactReturn, Scorer, ValuePredictionError, changes
from rlsuite.experiments.settings import Setting

Metric = Literal["return", "rms-error"]
DEFAULT_GAMMA = 0.99  # where no algorithm has a discount factor


@dataclass(frozen=True)
class Problem:
    """One environment, read once: its model where it has one, the horizon, the exact solution.

    ``fingerprint`` changes when the environment does: with its dynamics, or, without a model, with its source.
    ``threshold``: its registration's ``reward_threshold``, where there is no model to tell the optimum.
    """

    env_id: str
    env_kwargs: dict[str, Any]
    horizon: int
    gamma: float
    metric: Metric
    mdp: FiniteMDP | None
    reference: Reference | None
    fingerprint: str
    changes: bool
    threshold: float | None = None

    def scorer(self, setting: Setting) -> Scorer:
        assert self.mdp is not None
        if self.metric == "rms-error":
            return ValuePredictionError(self.mdp, setting.hyperparameters["gamma"])
        return ExactReturn(self.mdp, self.horizon)


def read_problem(
    env_id: str, kwargs: Mapping[str, Any], settings: Sequence[Setting], metric: Metric, max_episode_steps: int | None
) -> Problem:
    """What ``settings`` are to be run on.

    Raises:
        InvalidEnvironmentError: a tabular algorithm cannot run on it.
        ModelUnavailableError: a planner or predictor needs a model that it does not have.
    """
    from rlsuite.experiments.reference import solve_reference

    env = make_env(env_id, **kwargs)
    try:
        own_limit = env.spec.max_episode_steps if env.spec else None
        horizon = max_episode_steps or own_limit or DEFAULT_HORIZON
        mdp = _model(env, env_id, settings, metric)
        changing = changes(env)
        fingerprint = mdp_digest(mdp) if mdp is not None else source_digest(type(env.unwrapped))
        threshold = env.spec.reward_threshold if env.spec and mdp is None and metric == "return" else None
    finally:
        env.close()
    gamma = gammas(settings)[0]
    reference = solve_reference(mdp, gamma, horizon) if mdp is not None else None
    return Problem(env_id, dict(kwargs), horizon, gamma, metric, mdp, reference, fingerprint, changing, threshold)


def _model(env: Any, env_id: str, settings: Sequence[Setting], metric: Metric) -> FiniteMDP | None:
    try:
        DiscreteIndex(env.observation_space)
        DiscreteIndex(env.action_space, "action")
    except InvalidEnvironmentError as error:
        tabular = [s.algo for s in settings if not s.deep]
        if tabular:
            raise InvalidEnvironmentError(
                f"{tabular[0]} cannot run on {env_id}: {error}; deep agents, such as dqn and ppo, can"
            ) from None
        return None
    try:
        return FiniteMDP.from_env(env)
    except ModelUnavailableError as error:
        needing = [s.algo for s in settings if s.agent.kind == "planning" or metric == "rms-error"]
        if needing:
            raise ModelUnavailableError(f"{needing[0]} cannot run on {env_id}: {error}") from None
        return None


def metric_of(settings: Iterable[Setting]) -> Metric:
    """By what all of them are scored.

    Raises:
        HyperparameterError: algorithms that learn a given policy's value among others that find a policy.
    """
    kinds = {setting.algo: setting.agent.kind for setting in settings}
    predictors = [algo for algo, kind in kinds.items() if kind == "prediction"]
    others = [algo for algo, kind in kinds.items() if kind != "prediction"]
    if predictors and others:
        raise HyperparameterError(
            f"cannot compare {', '.join(predictors)} (learn the value of a given policy) with {', '.join(others)} "
            "(find a policy); compare each kind by itself"
        )
    return "rms-error" if predictors else "return"


def gammas(settings: Iterable[Setting]) -> list[float]:
    """The discount factors of the learners (of the planners, where there are no learners), greatest first."""
    found = {
        planning: {s.hyperparameters.get("gamma", DEFAULT_GAMMA) for s in settings if _plans(s) is planning}
        for planning in (False, True)
    }
    return sorted(found[False] or found[True], reverse=True)


def gamma_notes(settings: Sequence[Setting], problem: Problem) -> list[str]:
    """That there are several discount factors, where that matters to what is shown."""
    found = gammas(settings)
    if len(found) == 1 or problem.mdp is None:
        return []
    return [f"discount factors differ ({', '.join(f'{g:g}' for g in found)}); V* is shown at {found[0]:g}"]


def change_notes(problems: Iterable[Problem]) -> list[str]:
    """That an environment changes while it is learned."""
    return [
        f"{problem.env_id} changes while it is learned: a learned policy is scored, exactly, on what the environment is "
        "at that moment; how soon an algorithm adapts shows in its steps per episode while learning"
        for problem in problems
        if problem.changes
    ]


def _plans(setting: Setting) -> bool:
    return setting.agent.kind == "planning"
