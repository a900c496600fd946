"""What environments there are, for people: ids and one line about each."""

from __future__ import annotations

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec

from rlsuite.envs.registration import env_creator
from rlsuite.errors import InvalidEnvironmentError

FINITE_PACKAGES = ("gymnasium.envs.toy_text.", "rlsuite.envs.finite.")


def environments(everything: bool = False) -> list[EnvSpec]:
    """Registered environments with finite spaces (those of ``toy_text`` and the suite's own), or every one."""
    specs = [spec for spec in gym.registry.values() if everything or str(spec.entry_point).startswith(FINITE_PACKAGES)]
    return sorted(specs, key=lambda spec: (spec.namespace or "", spec.id))


def summary(spec: EnvSpec) -> str:
    """The first sentence of the environment's description, or why it cannot be imported."""
    try:
        creator = env_creator(spec)
    except InvalidEnvironmentError as error:
        return f"({error})"
    paragraph = (creator.__doc__ or "").strip().split("\n\n")[0]
    return " ".join(paragraph.split()).split(". ")[0].rstrip(".")
