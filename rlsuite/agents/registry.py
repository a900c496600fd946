"""Agents by name, through the entry-point group ``rlsuite.agents``: adding one is a file in any package, not a fork.

[project.entry-points."rlsuite.agents"]
my-agent = "my_package.my_agent:MyAgent"

A script or notebook needs no package: it decorates the class with :func:`register`, and ``my_module:my-agent`` imports
that module first. ``sb3:ppo`` and its like are stable-baselines3's algorithms.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import gymnasium as gym

from rlsuite.agents import sb3
from rlsuite.agents.base import Agent
from rlsuite.errors import InvalidEnvironmentError, UnknownNameError
from rlsuite.imports import import_named

GROUP = "rlsuite.agents"
_registered: dict[str, type[Agent]] = {}


@cache
def _entry_points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def register(agent: type[Agent]) -> type[Agent]:
    """Class decorator for agents of the running program (a notebook, a script) that no package declares."""
    _registered[agent.name] = agent
    return agent


def agent_names() -> list[str]:
    """Names of all agents, sorted."""
    return sorted({*_entry_points(), *_registered, *sb3.NAMES})


def agent_class(name: str) -> type[Agent]:
    """The class registered as ``name`` (underscores count as hyphens).

    ``module:name`` imports the module first, in which :func:`register` makes the name known.

    Raises:
        UnknownNameError: nothing is registered under that name.
        InvalidEnvironmentError: the module cannot be imported.
    """
    if name.lower() in sb3.NAMES:
        return sb3.sb3_agent_class(name.lower())
    if name.lower().startswith(sb3.PREFIX):
        raise UnknownNameError("algorithm", name, sb3.NAMES, hint="see `rlsuite list algos`")
    module, _, name = name.rpartition(":")
    if module:
        import_named(module, f"algorithm {name!r}")
    wanted = name.replace("_", "-")
    if wanted in _registered:
        return _registered[wanted]
    try:
        loaded = _entry_points()[wanted].load()
    except KeyError:
        raise UnknownNameError("algorithm", name, agent_names(), hint="see `rlsuite list algos`") from None
    if not (isinstance(loaded, type) and issubclass(loaded, Agent)):
        raise InvalidEnvironmentError(f"entry point {wanted!r} of {GROUP} is not a subclass of rlsuite.agents.Agent")
    return loaded


def agent(name: str, env: gym.Env[Any, Any] | str, **arguments: Any) -> Agent:
    """The agent registered as ``name``, in ``env``: ``agent("q-learning", "CliffWalking-v1", seed=0, alpha=0.5)``."""
    return agent_class(name)(env, **arguments)
