"""Which generative models suit maps, and how a map looks to each: by what their class declares, not by name.

========================  =======================================================================================
``categorical``           an entry for each cell, its value the kind of cell (models with an argument ``n_values``)
``walls``                 zeros and ones (models of binary events: Boltzmann machines): 1 is a wall
``dequantised``           a real number for each cell, 0 … 1 free and 1 … 2 a wall (diffusion and other models of real
                          events that can denoise): uniform noise is added to the cell's value, sampling rounds down.
                          A density p of such numbers bounds the probability P of a map from below, by Jensen:
                          log P(x) ≥ E_u log p(x + u) (Theis, van den Oord and Bethge, 2016, section 3.1).
========================  =======================================================================================
"""

from __future__ import annotations

import inspect
from typing import Any, Literal

from rlsuite.errors import CapabilityError, HyperparameterError
from rlsuite.generative.capabilities import Bound, Density, Energy, Score
from rlsuite.generative.model import GenerativeModel
from rlsuite.generative.registry import model_class, model_names

Representation = Literal["categorical", "walls", "dequantised"]
_OURS = {"event_shape", "condition_shape", "n_values", "likelihood"}  # arguments that the maps decide


def representation(model: type[GenerativeModel]) -> Representation:
    """How a map looks to models of this class.

    Raises:
        CapabilityError: they do not suit maps; the message says why.
    """
    parameters = inspect.signature(model.__init__).parameters
    condition = parameters.get("condition_shape")
    if condition is not None and condition.default is inspect.Parameter.empty:
        raise CapabilityError(f"{model.name} does not suit maps: it needs a condition with every event")
    if not issubclass(model, Density | Bound | Energy):
        raise CapabilityError(f"{model.name} does not suit maps: it lacks Density, Bound and Energy")
    if "n_values" in parameters:
        return "categorical"
    if model.support == "binary":
        return "walls"
    if issubclass(model, Score) and issubclass(model, Density | Bound):
        return "dequantised"
    raise CapabilityError(f"{model.name} does not suit maps: its events are real numbers, and it lacks Score")


def suitable_names() -> list[str]:
    """Names of all models that suit maps."""
    names = []
    for name in model_names():
        try:
            cls = model_class(name)
            cls(**constructor_arguments(cls, (4, 4), 2))
        except (CapabilityError, HyperparameterError):  # some say only when they are made that they need a condition
            continue
        names.append(name)
    return names


def constructor_arguments(model: type[GenerativeModel], shape: tuple[int, int], n_values: int) -> dict[str, Any]:
    """What the maps decide of a model's arguments: the shape of an event, and the values of its entries."""
    parameters = inspect.signature(model.__init__).parameters
    if representation(model) == "dequantised":
        return {"event_shape": (1, *shape)}
    arguments: dict[str, Any] = {"event_shape": shape}
    if representation(model) == "categorical":
        arguments["n_values"] = n_values
        if "likelihood" in parameters:
            arguments["likelihood"] = "categorical"
    return arguments


def decided_by_maps(name: str) -> bool:
    """Whether a user may not set this argument of a model."""
    return name in _OURS


def likelihood_name(model: GenerativeModel) -> str:
    """What :meth:`MapModel.scores` are: ``exact`` −log P, an upper ``bound`` of it, or an ``energy``."""
    if representation(type(model)) == "dequantised":
        return "bound (dequantised)"
    if isinstance(model, Density):
        return "exact"
    return "bound" if isinstance(model, Bound) else "energy"
