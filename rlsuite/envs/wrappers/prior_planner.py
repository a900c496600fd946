"""Planning with a generative model: it proposes futures, the best of them is the plan, and the policy corrects it.

In every ``replan``-th step ``candidates`` futures of the same length are drawn from the model given what has happened. Each
is tried out in the environment's own simulation (the sum of its rewards over the horizon), or judged by a function of
yours, which needs no simulation. Until the next plan the best one is followed::

    action = plan + residual · a,        a in [−1, 1]ᵈ

so that a policy that does nothing follows the prior. It is random shooting (model-predictive control) with the prior as
the proposal; with one candidate it is the prior played out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from rlsuite.envs.wrappers.features import ONE, Array, Episodes, Features, Luck, Read, features_of, frozen, model_of
from rlsuite.errors import CapabilityError, HyperparameterError, InvalidEnvironmentError
from rlsuite.motion.priors.prior import MotionPrior

Value: TypeAlias = Callable[[Any, NDArray[np.float64]], Any]


class Planning:
    """Plans for many rows at once.

    Args:
        value: ``(env, futures (n, candidates, horizon, *event)) -> (n, candidates)``, larger is better.

    Raises:
        CapabilityError: a motion prior is of poses, which have no future.
        InvalidEnvironmentError: the environment cannot be simulated and there is no ``value``; or the model's events are no
            actions of it.
    """

    def __init__(
        self,
        env: Any,
        model: Any,
        space: spaces.Space[Any],
        features: Features | Read | None,
        n: int,
        candidates: int,
        horizon: int,
        replan: int,
        residual: float,
        value: Value | None,
    ) -> None:
        if candidates < 1 or horizon < 1 or not 1 <= replan <= horizon or residual < 0.0:
            raise HyperparameterError(
                "candidates and horizon are at least 1, replan from 1 to horizon, residual not negative; "
                f"not {candidates!r}, {horizon!r}, {replan!r} and {residual!r}"
            )
        if not isinstance(space, spaces.Box):
            raise InvalidEnvironmentError(f"planning takes an environment of Box actions, not {space}")
        self.model, self.prior, self.space = frozen(model_of(model)), model, space
        self.candidates, self.horizon, self.replan, self.residual = candidates, horizon, replan, residual
        self.value, self.n = value, max(1, n)
        self.simulator = None if value else simulator_in(env)
        self.features = features_of(None if isinstance(model, MotionPrior) else features, model, n, features)  # type: ignore[arg-type]
        self.targets: Callable[..., Array] | None = None
        if isinstance(model, MotionPrior):
            from rlsuite.envs.wrappers.humanoid import JointTargets, core_of

            if model.kind == "pose":
                raise CapabilityError(
                    f"{model.model.name} was fitted to poses, which have no future: planning takes next frames or windows"
                )
            self.targets = JointTargets(model, core_of(env))
        elif self.model.event_shape != (horizon, *space.shape):
            raise InvalidEnvironmentError(
                f"futures are events of shape {(horizon, *space.shape)}, {horizon} actions; {self.model.name}'s are "
                f"{self.model.event_shape}"
            )
        self.plans = np.zeros((self.n, horizon, *space.shape))
        self.at = np.full(self.n, replan)  # steps of the plan that are done
        self.action_space = spaces.Box(-1.0, 1.0, space.shape, np.float32)

    def actions(self, env: Any, corrections: Any, luck: Luck) -> Any:
        """``(n, *action)`` of corrections ``(n, *action)`` in [−1, 1]."""
        due = np.flatnonzero(self.at >= self.replan)
        if len(due):
            self.plans[due], self.at[due] = self._best(env, luck)[due], 0
        actions = self.plans[np.arange(self.n), self.at]
        self.at += 1
        moved = actions + self.residual * np.clip(np.asarray(corrections, np.float64).reshape(actions.shape), -1.0, 1.0)
        return np.clip(moved, self.space.low, self.space.high).astype(self.space.dtype)

    def _best(self, env: Any, luck: Luck) -> Array:
        futures, actions = self._proposals(env, luck)
        if self.candidates == 1:
            return actions[:, 0]
        if self.value is not None:
            values = np.asarray(self.value(env, futures)).reshape(self.n, self.candidates)
        else:
            assert self.simulator is not None
            states = np.atleast_2d(self.simulator.get_states()).repeat(self.candidates, 0)
            rewards = self.simulator.simulate(states, actions.reshape(len(states), *actions.shape[2:]))
            values = np.asarray(rewards).reshape(self.n, self.candidates, -1).sum(-1)
        best: Array = actions[np.arange(self.n), values.argmax(1)]
        return best

    def _proposals(self, env: Any, luck: Luck) -> tuple[NDArray[Any], Array]:
        """Futures ``(n, candidates, horizon, *event)`` and their actions ``(n, candidates, horizon, *action)``."""
        if self.targets is None:
            condition = self.features.past(env)
            if condition is None:
                drawn = self.model.sample((self.n, self.candidates), generator=luck.generator)
            else:
                drawn = self.model.sample(self.candidates, condition, generator=luck.generator).transpose(0, 1)
            found = drawn.double().numpy()
            return found, found
        from rlsuite.envs.wrappers.humanoid import PoseHistory, core_of
        from rlsuite.motion.priors.rollout import frames

        history, prior = self.features, self.prior
        assert isinstance(history, PoseHistory)
        seen = prior.past if prior.kind == "next" else max(1, prior.length // 2)
        past = history.recent(seen).repeat_interleave(self.candidates, 0)
        futures = frames(prior, len(past), self.horizon, luck.generator, past).double().numpy()
        before = core_of(env).physics.state.qpos.repeat(self.candidates, 0)
        actions = self.targets(before, futures)
        return tuple(x.reshape(self.n, self.candidates, *x.shape[1:]) for x in (futures, actions))  # type: ignore[return-value]


def simulator_in(env: Any) -> Any:
    """What inside ``env`` has ``get_states`` and ``simulate``.

    Raises:
        InvalidEnvironmentError: nothing has.
    """
    inner = env.unwrapped
    for candidate in (inner, getattr(inner, "core", None)):
        if all(hasattr(candidate, name) for name in ("get_states", "simulate")):
            return candidate
    raise InvalidEnvironmentError(
        f"{inner} cannot be simulated: planning needs an environment with get_states and simulate, or a value of futures"
    )


class PriorPlanner(gym.Wrapper[Any, Any, Any, Any]):
    """A single environment whose actions correct a plan that a model proposed, ``Box(-1, 1)``.

    Args:
        model: a motion prior of next frames or windows for the humanoid, made with ``action_mode="absolute"``: the joints'
            PD targets are its poses. Or any model whose events ``(horizon, *action)`` are actions.
        condition: function of the environment that gives such a model's condition, where it has one.
        candidates: futures per plan. horizon: steps of each. replan: steps of a plan that are followed.
        residual: what a correction of 1 adds to an action.
        value: instead of the environment's rewards: ``(env, futures (1, candidates, horizon, *event)) -> (1, candidates)``.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        model: Any,
        condition: Features | Read | None = None,
        *,
        candidates: int = 16,
        horizon: int = 8,
        replan: int = 4,
        residual: float = 0.2,
        value: Value | None = None,
    ) -> None:
        super().__init__(env)
        self.planning = Planning(
            env, model, env.action_space, condition, 0, candidates, horizon, replan, residual, value
        )  # fmt: skip
        self.action_space = self.planning.action_space
        self._luck = Luck()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        found = self.env.reset(seed=seed, options=options)
        self._luck.reset(seed)
        self.planning.features.begin(self.env, ONE)
        self.planning.at[:] = self.planning.replan
        return found

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        found = self.env.step(self.planning.actions(self.env, action, self._luck)[0])
        self.planning.features.advance(self.env, ONE)
        return found


class VectorPriorPlanner(gym.vector.VectorWrapper):
    """The same of a vector environment; arguments as :class:`PriorPlanner`, functions giving one row per environment.

    Raises:
        InvalidEnvironmentError: its autoreset mode is SameStep.
    """

    def __init__(
        self,
        env: gym.vector.VectorEnv[Any, Any, Any],
        model: Any,
        condition: Features | Read | None = None,
        *,
        candidates: int = 16,
        horizon: int = 8,
        replan: int = 4,
        residual: float = 0.2,
        value: Value | None = None,
    ) -> None:
        super().__init__(env)
        self.planning = Planning(
            env, model, env.single_action_space, condition, env.num_envs, candidates, horizon, replan, residual, value
        )  # fmt: skip
        self.single_action_space = self.planning.action_space
        self.action_space = batch_space(self.single_action_space, env.num_envs)
        self._luck, self._episodes = Luck(), Episodes(env)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        found = self.env.reset(seed=seed, options=options)
        self._luck.reset(seed)
        self._begin(self._episodes.reset(options))
        return found

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        found = self.env.step(self.planning.actions(self.env, actions, self._luck))
        going, begun = self._episodes.step(found[2], found[3])
        self.planning.features.advance(self.env, going)
        if len(begun):
            self._begin(begun)
        return found

    def _begin(self, rows: NDArray[np.intp]) -> None:
        self.planning.features.begin(self.env, rows)
        self.planning.at[rows] = self.planning.replan
