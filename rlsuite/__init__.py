"""rlsuite: reinforcement learning on one Gymnasium interface, from exact planning to verdicts over seeds.

Importing it registers the environments (``rlsuite/…``) and nothing heavier; agents and tools load when first used.
"""

__version__ = "0.1.0"
