"""rlsuite: reinforcement learning on one Gymnasium interface, from exact planning to verdicts over seeds.

Importing it registers the environments (``rlsuite/…``) and nothing heavier; agents and tools load when first used.
"""

from rlsuite.envs.registration import register_envs as _register_envs

__version__ = "0.1.0"

_register_envs()
