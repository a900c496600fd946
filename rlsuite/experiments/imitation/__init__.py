"""Imitation of a clip: preparing it for training, how well a policy performs it, films, a live viewer, shipped policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlsuite.envs.registration import find_spec, registered_ids
from rlsuite.errors import UnknownNameError

ENVIRONMENTS = tuple(registered_ids("humanoid"))  # whose policies are measured against the clip that they perform
PLAIN = ENVIRONMENTS[0]  # without a goal; the others are it with a goal and other defaults
GOAL_ENVIRONMENTS: Mapping[str, str] = {
    env_id.removeprefix("rlsuite/Humanoid").removesuffix("-v0").lower(): env_id for env_id in ENVIRONMENTS[1:]
}


def is_imitation(env_id: str) -> bool:
    """Whether policies of this environment are measured here; ``env_id`` may name a module, ``rlsuite:…``."""
    return env_id.rpartition(":")[2] in ENVIRONMENTS


def all_arguments(env_id: str, env_kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """What the environment is made with: the arguments of its registration (goal, clip, …) under ``env_kwargs``."""
    return {**find_spec(env_id).kwargs, **env_kwargs}


def environment_for(goal: str | None) -> str:
    """The environment of a goal by its name; ``None``: of no goal.

    Raises:
        UnknownNameError: there is no such goal.
    """
    if goal is None:
        return PLAIN
    name = goal.lower().replace("_", "").replace("-", "")
    if name not in GOAL_ENVIRONMENTS:
        raise UnknownNameError("goal", goal, GOAL_ENVIRONMENTS, f"there are {', '.join(GOAL_ENVIRONMENTS)}")
    return GOAL_ENVIRONMENTS[name]
