"""Acting in the latent space of a generative model: the policy chooses a code, the decoder makes the action of it.

    action = to_action(decode(scale · a, condition)),        a in [−1, 1]ᵏ

Codes near the origin are what the model finds likely, so whatever the policy does looks like what the model was fitted to.
With a motion VAE (Ling et al., 2020, section 5) the event is the next pose of the humanoid, given its last ones, and the
joints' PD targets are those of that pose. The model's weights stay fixed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray
from torch import Tensor

from rlsuite.envs.wrappers.features import ONE, Episodes, Features, Read, features_of, frozen, model_of
from rlsuite.errors import CapabilityError, HyperparameterError, InvalidEnvironmentError
from rlsuite.generative.capabilities import Latent, require
from rlsuite.motion.priors.prior import MotionPrior

SCALE = 4.0  # standard deviations: Ling et al.'s

ToAction: TypeAlias = Callable[[Any, NDArray[np.float64]], Any]


class Decoding:
    """Codes to actions, many rows at once.

    Args:
        to_action: ``(env, events (n, *event)) -> (n, *action)``; by default events are actions, brought into the bounds.

    Raises:
        CapabilityError: the model has no codes, or a motion prior is not of poses or next frames.
        HyperparameterError: the scale is not positive.
    """

    def __init__(
        self, env: Any, model: Any, action_space: spaces.Space[Any], scale: float, to_action: ToAction | None
    ) -> None:
        inner = model_of(model)
        require(inner, Latent, "acting in a latent space")
        assert isinstance(inner, Latent)
        if not 0.0 < scale < math.inf:
            raise HyperparameterError(f"scale is a positive number of standard deviations, not {scale!r}")
        self.model, self.scale, self.to_action = frozen(inner), scale, to_action
        self.space = spaces.Box(-1.0, 1.0, (math.prod(inner.latent_shape),), np.float32)
        if to_action is None and isinstance(model, MotionPrior):
            self.to_action = _joint_targets(env, model)
        elif to_action is None:
            if not isinstance(action_space, spaces.Box) or math.prod(action_space.shape) != inner.event_size:
                raise InvalidEnvironmentError(
                    f"{inner.name} decodes {inner.event_size} numbers, which are no action of {action_space}: give to_action"
                )
            self.to_action = _as_it_is(action_space)

    @torch.no_grad()
    def __call__(self, env: Any, actions: Any, condition: Tensor | None) -> Any:
        assert self.to_action is not None
        codes = torch.as_tensor(np.asarray(actions), dtype=self.model.normalizer.mean.dtype).clamp(-1.0, 1.0)
        events = self.model.decode(  # type: ignore[operator]
            self.scale * codes.reshape(-1, *self.model.latent_shape), condition  # type: ignore[misc]
        )  # fmt: skip
        return self.to_action(env, events.double().numpy())


def _as_it_is(space: spaces.Box) -> ToAction:
    def bounded(env: Any, events: NDArray[np.float64]) -> Any:
        return np.clip(events.reshape(-1, *space.shape), space.low, space.high).astype(space.dtype)

    return bounded


def _joint_targets(env: Any, prior: MotionPrior) -> ToAction:
    from rlsuite.envs.wrappers.humanoid import JointTargets, core_of

    if prior.kind == "window":
        raise CapabilityError(f"{prior.model.name} decodes windows; acting takes a prior of next frames or poses")
    targets = JointTargets(prior, core_of(env))

    def act(env: Any, events: NDArray[np.float64]) -> Any:
        frames = events.reshape(len(events), 1, -1)
        return targets(core_of(env).physics.state.qpos, frames)[:, 0].astype(np.float32)

    return act


class LatentAction(gym.Wrapper[Any, Any, Any, Any]):
    """A single environment whose actions are codes of a model, ``Box(-1, 1, (k,))``.

    Args:
        model: with ``Latent``; or a motion prior of next frames or poses for the humanoid, made with
            ``action_mode="absolute"``.
        condition: function of the environment that gives the decoder's condition ``(*condition)``, where it has one, or
            :class:`Features`; of a motion prior the last frames of the simulated body.
        scale: of codes, in standard deviations.
        to_action: ``(env, events (1, *event)) -> (1, *action)``; by default the event is the action.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        model: Any,
        condition: Features | Read | None = None,
        *,
        scale: float = SCALE,
        to_action: ToAction | None = None,
    ) -> None:
        super().__init__(env)
        self.decoding = Decoding(env, model, env.action_space, scale, to_action)
        self.features = _conditions(condition, model, 0)
        self.action_space = self.decoding.space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        found = self.env.reset(seed=seed, options=options)
        self.features.begin(self.env, ONE)
        return found

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        decoded = self.decoding(self.env, action, self.features.past(self.env))[0]
        found = self.env.step(decoded)
        self.features.advance(self.env, ONE)
        return found


class VectorLatentAction(gym.vector.VectorWrapper):
    """The same of a vector environment; arguments as :class:`LatentAction`, functions giving one row per environment.

    Raises:
        InvalidEnvironmentError: its autoreset mode is SameStep.
    """

    def __init__(
        self,
        env: gym.vector.VectorEnv[Any, Any, Any],
        model: Any,
        condition: Features | Read | None = None,
        *,
        scale: float = SCALE,
        to_action: ToAction | None = None,
    ) -> None:
        super().__init__(env)
        self.decoding = Decoding(env, model, env.single_action_space, scale, to_action)
        self.features = _conditions(condition, model, env.num_envs)
        self._episodes = Episodes(env)
        self.single_action_space = self.decoding.space
        self.action_space = batch_space(self.single_action_space, env.num_envs)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        found = self.env.reset(seed=seed, options=options)
        self.features.begin(self.env, self._episodes.reset(options))
        return found

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        found = self.env.step(self.decoding(self.env, actions, self.features.past(self.env)))
        going, begun = self._episodes.step(found[2], found[3])
        self.features.advance(self.env, going)
        if len(begun):
            self.features.begin(self.env, begun)
        return found


def _conditions(condition: Features | Read | None, model: Any, n: int) -> Features:
    if callable(condition) and not hasattr(condition, "events"):
        return features_of(None, model_of(model), n, condition)
    return features_of(condition, model, n)
