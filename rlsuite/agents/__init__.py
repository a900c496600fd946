"""Agents behind one interface; names are imported when first used, so that ``import rlsuite.agents`` stays light."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlsuite.agents.agent_checker import check_agent
    from rlsuite.agents.base import Agent
    from rlsuite.agents.callbacks import (
        BaseCallback,
        CallbackList,
        CheckpointCallback,
        EvalCallback,
        StopTrainingOnRewardThreshold,
    )
    from rlsuite.agents.evaluation import evaluate_policy
    from rlsuite.agents.registry import agent_class, agent_names, register

__all__ = [
    "Agent",
    "BaseCallback",
    "CallbackList",
    "CheckpointCallback",
    "EvalCallback",
    "StopTrainingOnRewardThreshold",
    "agent_class",
    "agent_names",
    "check_agent",
    "evaluate_policy",
    "register",
]

_HOME = {
    "Agent": "base",
    "BaseCallback": "callbacks",
    "CallbackList": "callbacks",
    "CheckpointCallback": "callbacks",
    "EvalCallback": "callbacks",
    "StopTrainingOnRewardThreshold": "callbacks",
    "agent_class": "registry",
    "agent_names": "registry",
    "check_agent": "agent_checker",
    "evaluate_policy": "evaluation",
    "register": "registry",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
