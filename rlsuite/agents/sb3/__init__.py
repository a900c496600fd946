"""stable-baselines3's algorithms behind the suite's agent protocol: ``sb3:ppo`` beside ``ppo``.

Only names live here; torch and stable-baselines3 are imported when one of them is asked for.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlsuite.agents.sb3.agent import SB3Agent

PREFIX = "sb3:"
NAMES = tuple(PREFIX + name for name in ("a2c", "ddpg", "dqn", "ppo", "sac", "td3"))


@cache
def sb3_agent_class(name: str) -> type[SB3Agent]:
    """The agent class of one of :data:`NAMES`."""
    import stable_baselines3

    from rlsuite.agents.sb3.agent import SB3Agent
    from rlsuite.agents.sb3.hyperparameters import hyperparameters_of

    algorithm = getattr(stable_baselines3, name.removeprefix(PREFIX).upper())
    summary = f"stable-baselines3's {algorithm.__name__}."
    return type(
        f"SB3{algorithm.__name__}",
        (SB3Agent,),
        {
            "__doc__": summary,
            "__module__": __name__,
            "name": name,
            "algorithm": algorithm,
            "action_spaces": SB3Agent.spaces_of(algorithm),
            "Hyperparameters": hyperparameters_of(algorithm),
        },
    )
