"""Dynamics of existing Gymnasium environments as :class:`FiniteMDP`."""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.errors import ModelUnavailableError


def read_env(env: gym.Env[Any, Any] | str) -> FiniteMDP:
    """The dynamics of ``env`` (an environment or an id), with its time limit, name and layout.

    Raises:
        ModelUnavailableError: the environment exposes no dynamics, or only part of them.
        InvalidMDPError: it exposes dynamics that are inconsistent.
    """
    from dataclasses import replace

    env = gym.make(env) if isinstance(env, str) else env
    base = env.unwrapped
    limit = env.spec.max_episode_steps if env.spec else None
    name = env.spec.id if env.spec else type(base).__name__
    if isinstance(getattr(base, "mdp", None), FiniteMDP):
        return replace(base.mdp, max_episode_steps=limit, name=name)
    if hasattr(base, "P"):
        return FiniteMDP.from_transitions(base.P, base.initial_state_distrib, max_episode_steps=limit, name=name)
    raise ModelUnavailableError(f"{name} does not expose its dynamics")
