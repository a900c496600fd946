"""Generative models: one base class, capabilities as mix-ins, families as packages. Pure torch."""

from rlsuite.generative.capabilities import (
    Bound,
    Completion,
    Density,
    Energy,
    Latent,
    Score,
    Streaming,
    capabilities,
    require,
)
from rlsuite.generative.model import GenerativeModel
from rlsuite.generative.registry import create, model_class, model_names
from rlsuite.generative.storage import load, save
from rlsuite.generative.training import History

__all__ = [
    "Bound",
    "Completion",
    "Density",
    "Energy",
    "GenerativeModel",
    "History",
    "Latent",
    "Score",
    "Streaming",
    "capabilities",
    "create",
    "load",
    "model_class",
    "model_names",
    "require",
    "save",
]
