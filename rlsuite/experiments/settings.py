"""``--set`` on the command line: values for hyperparameters, and grids of them.

``alpha=0.1`` goes to every algorithm that has ``alpha``, ``q-learning.alpha=0.5`` to one, ``alpha=0.1,0.5`` makes a
grid; several grids multiply, repeats add up, and a value that is itself a list takes brackets (``[64,64],[256,256]``).
Values are read by the field's type, never by YAML (which takes ``1e-3`` for a string and ``no`` for a boolean).
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rlsuite.agents.base import Agent
from rlsuite.agents.hyperparameters import FieldInfo, build, fields, parse
from rlsuite.agents.registry import agent_class
from rlsuite.errors import HyperparameterError, UnknownNameError


@dataclass(frozen=True)
class Setting:
    """One algorithm with the values that differ from its defaults.

    Attributes:
        algo: registered name. values: hyperparameters given. label: short and unique within a comparison.
        source: the name as another process can find it, with the module that registers it (``my_module:my-agent``).
        n_envs, preprocessing: what a deep agent learns in, chosen by a preset or the command line.
        n_timesteps: its preset's budget, where that is to be heeded and the preset names one.
        origin: where the values come from.
    """

    algo: str
    values: dict[str, Any]
    label: str
    source: str
    n_envs: int = 1
    preprocessing: dict[str, Any] = dataclasses.field(default_factory=dict)
    origin: str = "defaults"
    n_timesteps: int | None = None

    @property
    def agent(self) -> type[Agent]:
        return agent_class(self.algo)

    @property
    def deep(self) -> bool:
        """Whether it learns with networks, from many environments at once: one long run at a time, not compiled."""
        return self.agent.restarts_schedules

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """All of them, defaults included."""
        built = build(self.agent.Hyperparameters, self.values, self.algo)
        return {name: getattr(built, name) for name in fields(built)}

    def digest(self, **context: Any) -> str:
        """Eight hex digits that change with any hyperparameter or with the ``context`` of the run."""
        text = json.dumps({"hyperparameters": self.hyperparameters, **context}, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def expand(
    algos: Sequence[str], assignments: Sequence[str], gamma: float | None = None, *, grid: bool = True
) -> list[Setting]:
    """The settings that ``--algo`` and ``--set`` ask for, in the order given.

    ``grid=False``: a comma within a text is part of it, so that ``net_arch=64,64`` needs no brackets.

    Raises:
        UnknownNameError: an algorithm or hyperparameter that does not exist.
        HyperparameterError: an assignment that cannot be read, or a value out of range.
    """
    sources = {agent_class(algo).name: algo for algo in algos}
    classes = {algo: agent_class(algo) for algo in sources}
    grids: dict[str, dict[str, list[Any]]] = {algo: {} for algo in classes}
    if gamma is not None:
        for algo, cls in classes.items():
            if "gamma" in fields(cls.Hyperparameters):
                grids[algo]["gamma"] = [parse(fields(cls.Hyperparameters)["gamma"], str(gamma), algo)]
    seen: set[tuple[str, str]] = set()
    for assignment in assignments:
        target, name, text = _split(assignment)
        for algo, field in _targets(assignment, target, name, classes):
            in_words = field.base_type is str and not field.limits.choices
            values = [parse(field, part, algo) for part in (split_list(text) if grid or not in_words else [text])]
            if in_words and len(set(values)) < len(values):
                raise HyperparameterError(
                    f"--set {assignment} is a grid that holds a value twice; a list takes brackets: {name}=[{text}]"
                )
            if (algo, name) in seen:
                values = [*grids[algo][name], *values]
            grids[algo][name] = list(dict.fromkeys(values))
            seen.add((algo, name))
    settings = []
    for algo, axes in grids.items():
        swept = [name for name, values in axes.items() if len(values) > 1]
        for combination in itertools.product(*axes.values()):
            chosen = dict(zip(axes, combination, strict=True))
            label = " ".join([algo, *(f"{name}={_show(chosen[name])}" for name in swept)])
            build(classes[algo].Hyperparameters, chosen, algo)
            settings.append(Setting(algo, chosen, label, sources[algo]))
    return settings


def values_for(algo: str, assignments: Sequence[str]) -> dict[str, Any]:
    """The values of one run (``rlsuite train``): like :func:`expand`, but a grid is an error."""
    settings = expand([algo], assignments, grid=False)
    if len(settings) > 1:
        raise HyperparameterError("train runs one setting; a grid (a=1,2) is for `rlsuite compare`")
    return settings[0].values


def split_list(text: str) -> list[str]:
    """Split at commas outside brackets."""
    parts, depth, start = [], 0, 0
    for i, character in enumerate(text):
        depth += (character in "[(") - (character in "])")
        if character == "," and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return [*parts, text[start:]]


def _split(assignment: str) -> tuple[str | None, str, str]:
    left, equals, right = assignment.partition("=")
    target, dot, name = left.strip().rpartition(".")
    if not equals or not name or not right.strip():
        raise HyperparameterError(f"cannot read --set {assignment!r}; write NAME=VALUE or ALGO.NAME=VALUE")
    return (target if dot else None), name.replace("-", "_"), right.strip()


def _targets(
    assignment: str, target: str | None, name: str, classes: dict[str, type[Agent]]
) -> list[tuple[str, FieldInfo]]:
    if target is not None:
        algo = target.replace("_", "-")
        if algo not in classes:
            raise HyperparameterError(f"--set {assignment}: {target} is not compared; --algo has {', '.join(classes)}")
        owned = fields(classes[algo].Hyperparameters)
        if name not in owned:
            raise UnknownNameError(f"hyperparameter of {algo}", name, owned, hint=f"it has {', '.join(owned)}")
        return [(algo, owned[name])]
    having = [
        (algo, fields(c.Hyperparameters)[name]) for algo, c in classes.items() if name in fields(c.Hyperparameters)
    ]
    if not having:
        every = list(dict.fromkeys(n for c in classes.values() for n in fields(c.Hyperparameters)))
        raise UnknownNameError("hyperparameter", name, every, hint=f"none of {', '.join(classes)} has it")
    return having


def _show(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
