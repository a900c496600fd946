"""Dynamics of existing Gymnasium environments as :class:`FiniteMDP`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces, wrappers

from rlsuite.envs.finite.gymnasium_layouts import layout_of
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.envs.finite.spaces import DiscreteIndex
from rlsuite.errors import ModelUnavailableError

# Wrappers that pass actions, observations, rewards and ends of episodes through unchanged.
_TRANSPARENT = (
    wrappers.PassiveEnvChecker,
    wrappers.OrderEnforcing,
    wrappers.TimeLimit,
    wrappers.RecordEpisodeStatistics,
    wrappers.RecordVideo,
    wrappers.RenderCollection,
    wrappers.HumanRendering,
)


def read_env(env: gym.Env[Any, Any] | str) -> FiniteMDP:
    """The dynamics of ``env`` (an environment or an id), with its time limit, name and layout.

    Three sources, in this order: an attribute ``mdp`` (our own environments), rules from which the MDP is built here
    (Blackjack), and Gymnasium's dictionary ``P`` with ``initial_state_distrib`` (FrozenLake, Taxi, CliffWalking, and
    any environment of others that has both).

    Raises:
        ModelUnavailableError: the environment exposes no dynamics, or only part of them, or a wrapper may change them.
        InvalidMDPError: it exposes dynamics that are inconsistent.
    """
    env = gym.make(env) if isinstance(env, str) else env
    base = env.unwrapped
    name = base.spec.id if base.spec else type(base).__name__
    limit = _time_limit(env, name)
    mdp = _dynamics(base, name)
    layout = mdp.layout if mdp.layout is not None else layout_of(env)
    return replace(mdp, max_episode_steps=limit, name=name, layout=layout)


def _time_limit(env: gym.Env[Any, Any], name: str) -> int | None:
    """The tightest time limit on the way down through the wrappers, all of which must be transparent."""
    limits = []
    while isinstance(env, gym.Wrapper):
        if type(env) not in _TRANSPARENT:
            raise ModelUnavailableError(
                f"{name}: the wrapper {type(env).__name__} may change rewards, observations, actions or dynamics, so "
                "the model below it is not the model of the wrapped environment; remove it, or use a learner without "
                "the model (compiled=False)"
            )
        if isinstance(env, wrappers.TimeLimit):
            limits.append(int(env._max_episode_steps))
        env = env.env
    return min(limits, default=None)


def _dynamics(base: gym.Env[Any, Any], name: str) -> FiniteMDP:
    own = getattr(base, "mdp", None)
    if isinstance(own, FiniteMDP):
        return own
    build = _BUILDERS.get(f"{type(base).__module__}.{type(base).__qualname__}")
    if build is not None:
        return build(base)
    _require_finite(base, name)
    if not hasattr(base, "P"):
        raise ModelUnavailableError(
            f"{name} does not expose its dynamics (neither an attribute `mdp` nor Gymnasium's `P`); planners need "
            "them, learners such as q-learning do not"
        )
    if getattr(base, "fickle_passenger", False):
        raise ModelUnavailableError(
            f"{name}: `P` does not hold the dynamics of fickle_passenger=True (the passenger's change of mind is "
            "drawn outside it); make it with fickle_passenger=False"
        )
    initial = getattr(base, "initial_state_distrib", None)
    if initial is None:
        raise ModelUnavailableError(
            f"{name} has `P` but no `initial_state_distrib`: where its episodes begin is unknown; give the "
            "environment that attribute, an array with one probability per state"
        )
    return FiniteMDP.from_transitions(base.P, np.asarray(initial, np.float64), name=name)


def _require_finite(base: gym.Env[Any, Any], name: str) -> None:
    for role, space in (("observation", base.observation_space), ("action", base.action_space)):
        if isinstance(space, spaces.Box):
            raise ModelUnavailableError(
                f"{name} has a continuous {role} space, {space}; a finite MDP needs discrete observations and actions"
            )


def _blackjack(base: Any) -> FiniteMDP:
    from rlsuite.envs.finite.blackjack import blackjack_mdp

    return blackjack_mdp(DiscreteIndex(base.observation_space), natural=bool(base.natural), sab=bool(base.sab))


_BUILDERS: dict[str, Callable[[Any], FiniteMDP]] = {
    "gymnasium.envs.toy_text.blackjack.BlackjackEnv": _blackjack,
}
