"""Reward from a frozen generative model: how natural what the agent does is, mixed with what it was asked to do.

    r = wₜ · r of the environment + wₚ · r of the prior

A model with ``Score`` (diffusion) gives SMP's reward, exp(−scale · error / reference), from the error of its denoiser at a
few noise levels (arXiv 2512.03028; see :mod:`rlsuite.generative.diffusion.distillation`). The reference is what the error is
on events that the model draws itself, and the reward is in units of what these get, up to 1::

    min(1, exp(scale · (1 − error / reference)))

SMP's scale is 6. Here it is 1: a body that is simulated and walks well errs twice as much as a draw, which would get e⁻⁶.
Clips without noise in them give a prior that knows them too well to judge a body: fit it with ``blur=1``.

Models with ``Density``, ``Bound`` or ``Energy`` give log p(x), its bound, or −E(x), in
nats; with ``scale`` they, too, give a number from 0 to 1::

    min(1, exp(scale · (value − reference) / D)),        reference: the mean over events drawn from the model; D: their size
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlsuite.envs.wrappers.features import ONE, Episodes, Features, Luck, Read, features_of, frozen, model_of
from rlsuite.envs.wrappers.prior_state import Tally, arrays_of, put_back
from rlsuite.errors import CapabilityError, HyperparameterError
from rlsuite.generative.capabilities import Bound, Density, Energy, Score, capabilities, energy_of, require
from rlsuite.generative.model import GenerativeModel

SCALE = 1.0  # of diffusion's reward
DRAWS = 256  # events of the model's own that references are taken over
KINDS: dict[str, type[GenerativeModel]] = {"score": Score, "density": Density, "energy": Energy, "bound": Bound}
WEIGHTS = (0.5, 0.5)  # AMP's of task and style


class Naturalness:
    """Rewards ``(n)`` of events under a frozen model.

    Args:
        kind: ``density``, ``bound``, ``energy`` or ``score``; by default the first of score (diffusion), density, energy,
            bound that the model has.
        scale: see above; of a score 1 unless told.

    Raises:
        CapabilityError: the model has not the capability that is asked for, or none of the four.
    """

    def __init__(self, model: GenerativeModel, kind: str | None = None, scale: float | None = None) -> None:
        if kind is not None and kind not in KINDS:
            raise HyperparameterError(f"kind is one of {', '.join(KINDS)}, not {kind!r}")
        if kind is not None:
            require(model, KINDS[kind], "a prior's reward")
        found = [kind] if kind else [name for name, capability in KINDS.items() if isinstance(model, capability)]
        if not _is_diffusion(model):
            if kind == "score":
                raise CapabilityError(
                    f"a reward by score needs a diffusion model, which can denoise; {model.name} is none"
                )
            found = [name for name in found if name != "score"]
        if not found:
            raise CapabilityError(
                "a prior's reward needs a model with the capability Density, Bound or Energy, or a diffusion model's Score; "
                f"{model.name} has: {', '.join(capabilities(model)) or 'none'}"
            )
        self.model, self.kind, self.scale = frozen(model), found[0], scale
        self._value = _value(model, self.kind)
        self._reference: Tensor | None = None

    def reference(self, condition: Tensor | None) -> Tensor:
        """What is subtracted, or divided by, once known: over draws of the model, from generators of its own."""
        if self._reference is None:
            generator = torch.Generator().manual_seed(0)
            if condition is None:
                drawn, given = self.model.sample(DRAWS, generator=generator), None
            else:
                given = condition[:1].expand(DRAWS, *condition.shape[1:])
                drawn = self.model.sample(condition=given, generator=generator)
            if self.kind == "score":
                from rlsuite.generative.diffusion.distillation import reference_errors

                self._reference = reference_errors(self.model, drawn, given, generator=generator)  # type: ignore[arg-type]
            else:
                self._reference = self._value(drawn, given, generator).mean()
        return self._reference

    @torch.no_grad()
    def __call__(self, events: Tensor, condition: Tensor | None, generator: torch.Generator) -> Tensor:
        if self.kind == "score":
            from rlsuite.generative.diffusion.distillation import distillation_errors, distillation_reward

            errors = distillation_errors(self.model, events, condition, generator=generator)  # type: ignore[arg-type]
            scale = SCALE if self.scale is None else self.scale
            return (math.exp(scale) * distillation_reward(errors, self.reference(condition), scale)).clamp(max=1.0)
        value = self._value(events, condition, generator)
        if self.scale is None:
            return value
        gap = (value - self.reference(condition)) / self.model.event_size
        return torch.exp(self.scale * gap).clamp(max=1.0)


def _is_diffusion(model: GenerativeModel) -> bool:
    from rlsuite.generative.diffusion.diffusion import Diffusion

    return isinstance(model, Diffusion)


def _value(model: GenerativeModel, kind: str) -> Callable[[Tensor, Tensor | None, torch.Generator], Tensor]:
    if kind == "density" and isinstance(model, Density):
        density = model
        return lambda x, condition, generator: density.log_prob(x, condition)
    if kind == "bound" and isinstance(model, Bound):
        bounded = model
        return lambda x, condition, generator: bounded.bound(x, condition, generator=generator)
    energy = energy_of(model)
    return lambda x, condition, generator: -energy(x, condition, generator=generator)


def _weights(weights: tuple[float, float]) -> tuple[float, float]:
    task, prior = weights
    if not (np.isfinite(task) and np.isfinite(prior)):
        raise HyperparameterError(f"weights are two finite numbers, of task and prior, not {weights!r}")
    return float(task), float(prior)


class PriorReward(gym.Wrapper[Any, Any, Any, Any]):
    """A single environment rewarded by a frozen model as well; ``info["reward/prior"]`` is what the model gave.

    Args:
        model: a generative model, or a :class:`~rlsuite.motion.priors.prior.MotionPrior` for the humanoid.
        features: function of the environment that gives the model's event ``(*event)``, or :class:`Features`; of a motion
            prior its coordinates of the last poses.
        condition: function that gives the model's condition, where it has one.
        weights: of the environment's reward and of the prior's. Where the prior's is 0 the model is not asked.
        kind, scale: as of :class:`Naturalness`.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        model: Any,
        features: Features | Read | None = None,
        *,
        condition: Read | None = None,
        weights: tuple[float, float] = WEIGHTS,
        kind: str | None = None,
        scale: float | None = None,
    ) -> None:
        super().__init__(env)
        self.prior = Naturalness(model_of(model), kind, scale)
        self.features = features_of(features, model, 0, condition)
        self.weights = _weights(weights)
        self.tally = Tally()
        self._luck = Luck()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        found = self.env.reset(seed=seed, options=options)
        self._luck.reset(seed)
        self.features.begin(self.env, ONE)
        return found

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.features.advance(self.env, ONE)
        task, style = self.weights
        if style:
            given = self.prior(
                self.features.events(self.env), self.features.condition(self.env), self._luck.generator
            ).item()
            info = {**info, "reward/prior": given}
            self.tally.add(given, 1)
            reward = task * float(reward) + style * given
        else:
            reward = task * float(reward)
        return observation, reward, terminated, truncated, info

    def metrics(self) -> dict[str, float]:
        """Those of the environment inside, and the mean of the prior's reward, since the last call."""
        return _metrics(self)

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        return arrays_of(self)

    def state_values(self) -> dict[str, Any]:
        return {}

    def load_state(self, arrays: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> None:
        """Put back what the other two gave."""
        put_back(self, arrays)


class VectorPriorReward(gym.vector.VectorWrapper):
    """The same of a vector environment; arguments as :class:`PriorReward`, functions giving one row per environment.

    Raises:
        InvalidEnvironmentError: its autoreset mode is SameStep.
    """

    def __init__(
        self,
        env: gym.vector.VectorEnv[Any, Any, Any],
        model: Any,
        features: Features | Read | None = None,
        *,
        condition: Read | None = None,
        weights: tuple[float, float] = WEIGHTS,
        kind: str | None = None,
        scale: float | None = None,
    ) -> None:
        super().__init__(env)
        self.prior = Naturalness(model_of(model), kind, scale)
        self.features = features_of(features, model, env.num_envs, condition)
        self.weights = _weights(weights)
        self.tally = Tally()
        self._luck, self._episodes = Luck(), Episodes(env)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        found = self.env.reset(seed=seed, options=options)
        self._luck.reset(seed)
        self.features.begin(self.env, self._episodes.reset(options))
        return found

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        observations, rewards, terminated, truncated, info = self.env.step(actions)
        going, begun = self._episodes.step(terminated, truncated)
        self.features.advance(self.env, going)
        if len(begun):
            self.features.begin(self.env, begun)
        task, style = self.weights
        mixed = task * np.asarray(rewards, np.float64)
        if style:
            given = self.prior(
                self.features.events(self.env), self.features.condition(self.env), self._luck.generator
            ).double().numpy()  # fmt: skip
            stepped = np.zeros(self.num_envs, np.bool_)
            stepped[going] = True
            given = np.where(stepped, given, 0.0)
            self.tally.add(given.sum(), len(going))
            mixed = mixed + style * given
            info = {**info, "reward/prior": given, "_reward/prior": stepped}
        return observations, mixed, terminated, truncated, info

    def metrics(self) -> dict[str, float]:
        """As of :class:`PriorReward`."""
        return _metrics(self)

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        return arrays_of(self) | {"ended": self._episodes.ended}

    def state_values(self) -> dict[str, Any]:
        return {}

    def load_state(self, arrays: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> None:
        """Put back what the other two gave."""
        put_back(self, arrays)
        self._episodes.ended = arrays["ended"].astype(np.bool_)


def _metrics(wrapper: PriorReward | VectorPriorReward) -> dict[str, float]:
    inside: Callable[[], dict[str, float]] = getattr(wrapper.env.unwrapped, "metrics", dict)
    return inside() | ({"env/reward/prior": wrapper.tally.mean()} if wrapper.weights[1] else {})
