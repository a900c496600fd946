"""Models by name: a class with a ``name`` registers itself; the families' modules are imported when a name is asked for."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch

from rlsuite.errors import HyperparameterError, UnknownNameError, nearest
from rlsuite.seeding import checked_seed

if TYPE_CHECKING:
    from rlsuite.generative.model import GenerativeModel

_MODELS: dict[str, type[GenerativeModel]] = {}


def register(model: type[GenerativeModel]) -> None:
    """Make ``model`` known under its ``name``.

    Raises:
        ValueError: another class has that name.
    """
    known = _MODELS.setdefault(model.name, model)
    if (known.__module__, known.__qualname__) != (model.__module__, model.__qualname__):
        raise ValueError(f"two generative models are named {model.name!r}: {known} and {model}")
    _MODELS[model.name] = model


def model_names() -> list[str]:
    """Names of all models, sorted."""
    import rlsuite.generative

    for family in pkgutil.iter_modules(rlsuite.generative.__path__):
        if family.ispkg:
            package = import_module(f"rlsuite.generative.{family.name}")
            for module in pkgutil.iter_modules(package.__path__):
                import_module(f"{package.__name__}.{module.name}")
    return sorted(_MODELS)


def model_class(name: str) -> type[GenerativeModel]:
    """The class named ``name``.

    Raises:
        UnknownNameError: there is none; the message offers the nearest names.
    """
    if name not in _MODELS and name not in model_names():
        raise UnknownNameError("generative model", name, _MODELS)
    return _MODELS[name]


def create(name: str, *, seed: int | None = None, **hyperparameters: Any) -> GenerativeModel:
    """A new model of that name, its first weights drawn from ``seed`` (``None``: from torch's global generator).

    Raises:
        UnknownNameError: there is no such model.
        HyperparameterError: it takes no such argument, or one is out of range.
    """
    import inspect

    cls = model_class(name)
    takes = [parameter for parameter in inspect.signature(cls.__init__).parameters if parameter != "self"]
    for given in hyperparameters:
        if given not in takes:
            near = nearest(given, takes)
            hint = f"; did you mean {near[0]!r}?" if near else f"; it takes {', '.join(takes)}"
            raise HyperparameterError(f"{name} has no hyperparameter {given!r}{hint}")
    if seed is None:
        return cls(**hyperparameters)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(checked_seed(seed) or 0)
        return cls(**hyperparameters)
