"""rlsuite: reinforcement learning on one Gymnasium interface, from exact planning to verdicts over seeds.

Importing it registers the environments (``rlsuite/…``) and nothing heavier; agents and tools load when first used.
"""

from rlsuite import starting as _starting

_starting.begin()  # before anything that takes its time

from rlsuite.envs.registration import register_envs as _register_envs  # noqa: E402

__version__ = "0.1.0"

_register_envs()

_LAZY = {
    "Agent": "rlsuite.agents.base",
    "FiniteMDP": "rlsuite.envs.finite.mdp",
    "agent": "rlsuite.agents.registry",
    "check_agent": "rlsuite.agents.agent_checker",
    "evaluate_policy": "rlsuite.agents.evaluation",
    "load": "rlsuite.experiments.loading",
    "make_env": "rlsuite.envs.registration",
}
__all__ = ["__version__", *_LAZY]


def __getattr__(name: str) -> object:
    """Import public names when they are first used, so that ``import rlsuite`` stays light."""
    if name not in _LAZY:
        raise AttributeError(f"module 'rlsuite' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)
