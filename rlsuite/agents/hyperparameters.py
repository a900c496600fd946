"""Typed hyperparameters: each agent declares a frozen dataclass whose fields carry help, range and choices.

    @dataclass(frozen=True)
    class Hyperparameters:
        gamma: float = hyperparameter(0.99, "discount factor", low=0.0, high=1.0)

The constructor of an agent, ``--set`` on the command line and ``rlsuite list algos NAME`` all read the same fields.
"""

from __future__ import annotations

import ast
import dataclasses
import math
import types
import typing
from dataclasses import dataclass
from functools import cache
from typing import Any

from rlsuite.errors import HyperparameterError, UnknownNameError


@dataclass(frozen=True)
class Limits:
    """Permitted values of one hyperparameter."""

    low: float | None = None
    high: float | None = None
    low_open: bool = False
    choices: tuple[str, ...] = ()
    infinite: bool = False

    def describe(self) -> str:
        """The range in interval notation, or the choices."""
        if self.choices:
            return " | ".join(self.choices)
        if self.low is None and self.high is None:
            return ""
        left = "(-inf" if self.low is None else f"{'(' if self.low_open else '['}{self.low:g}"
        right = "inf)" if self.high is None else f"{self.high:g}]"
        return f"{left}, {right}"


def hyperparameter(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    low_open: bool = False,
    choices: tuple[str, ...] = (),
    infinite: bool = False,
) -> Any:
    """A dataclass field with a help line and its permitted values.

    ``low_open``: ``low`` itself is excluded. ``infinite``: a float may be infinite.
    """
    return dataclasses.field(
        default=default, metadata={"help": help, "limits": Limits(low, high, low_open, tuple(choices), infinite)}
    )


@dataclass(frozen=True)
class FieldInfo:
    """One hyperparameter as tools need it."""

    name: str
    type: Any  # float, int, bool, str; a union with None where None is allowed
    default: Any
    help: str
    limits: Limits

    @property
    def optional(self) -> bool:
        return type(None) in typing.get_args(self.type)

    @property
    def base_type(self) -> Any:
        args = [t for t in typing.get_args(self.type) if t is not type(None)]
        return args[0] if isinstance(self.type, types.UnionType) and args else self.type

    @property
    def type_name(self) -> str:
        return getattr(self.base_type, "__name__", str(self.base_type)) + (" or none" if self.optional else "")


def fields(config: type | Any) -> dict[str, FieldInfo]:
    """The hyperparameters of a dataclass (or an instance of it), by name."""
    return dict(_fields(config if isinstance(config, type) else type(config)))


@cache
def _fields(owner: type) -> dict[str, FieldInfo]:
    hints = typing.get_type_hints(owner)
    return {
        f.name: FieldInfo(
            f.name, hints[f.name], f.default, f.metadata.get("help", ""), f.metadata.get("limits", Limits())
        )
        for f in dataclasses.fields(owner)
    }


def build(config: type, values: dict[str, Any], owner: str) -> Any:
    """An instance of ``config`` from keyword values, checked.

    Raises:
        UnknownNameError: a name that ``config`` does not have.
        HyperparameterError: a value of the wrong type or out of range; ``owner`` names the agent in the message.
    """
    known = fields(config)
    for name in values:
        if name not in known:
            raise UnknownNameError(f"hyperparameter of {owner}", name, known, hint=f"it has {', '.join(known)}")
    return config(**{name: check(known[name], value, owner) for name, value in values.items()})


def check(field: FieldInfo, value: Any, owner: str) -> Any:
    """``value`` converted to the field's type, or an error that says what would be right."""

    def fail(expected: str) -> typing.NoReturn:
        raise HyperparameterError(f"{_dotted(owner, field)} must be {expected}, not {value!r}")

    if value is None:
        if field.optional:
            return None
        fail(field.type_name)
    base, limits = field.base_type, field.limits
    if base is float:
        if isinstance(value, bool) or not (isinstance(value, int | float) or hasattr(value, "__float__")):
            fail("a number")
        try:
            value = float(value) if getattr(value, "ndim", 0) == 0 else fail("a number")
        except (TypeError, ValueError, OverflowError):
            fail("a number")
        if math.isnan(value):
            fail("a number")
        if math.isinf(value) and not limits.infinite:
            fail("a finite number")
    elif base is int:
        try:
            whole = int(value)
            if isinstance(value, bool | str) or whole != value:
                fail("an integer")
        except (TypeError, ValueError, OverflowError):  # a word, an array, infinity
            fail("an integer")
        value = whole
        if abs(value) >= 1 << 62:
            fail("an integer of a size that machine arithmetic holds")
    elif base is bool:
        if not isinstance(value, bool):
            fail("true or false")
    elif base is str and not isinstance(value, str):
        if not isinstance(value, list | tuple) or not all(type(item) is int for item in value):
            fail("a string")
        value = ",".join(map(str, value))  # sizes of layers: [64, 64] is "64,64"
    if limits.choices and value not in limits.choices:
        fail("one of " + ", ".join(limits.choices))
    if limits.low is not None and (value < limits.low or (limits.low_open and value == limits.low)):
        fail(f"in {limits.describe()}")
    if limits.high is not None and value > limits.high:
        fail(f"in {limits.describe()}")
    return value


def parse(field: FieldInfo, text: str, owner: str) -> Any:
    """Read ``text`` by the field's type (so ``1e-3`` is a number and ``on`` is not a boolean by accident)."""
    stripped = text.strip()
    if field.optional and stripped.lower() in ("none", "null"):
        return None
    base = field.base_type
    try:
        if base is float:
            return check(field, float(stripped), owner)
        if base is int:
            number = float(stripped)
            return check(
                field,
                int(stripped) if number != int(number) or "e" not in stripped.lower() else int(number),
                owner,
            )
        if base is bool:
            return check(field, {"true": True, "false": False}[stripped.lower()], owner)
        if base is str:
            in_brackets = stripped.startswith("[") and stripped.endswith("]")  # how a list is told from a grid
            return check(field, stripped[1:-1].strip() if in_brackets else stripped, owner)
        return check(field, ast.literal_eval(stripped), owner)
    except HyperparameterError:
        raise
    except (ValueError, KeyError, SyntaxError, OverflowError):
        raise HyperparameterError(
            f"cannot read {text!r} as {_dotted(owner, field)}, which is {field.type_name}"
            + (f" in {field.limits.describe()}" if field.limits.describe() else "")
        ) from None


def _dotted(owner: str, field: FieldInfo) -> str:
    return f"{owner}.{field.name}" if owner else field.name
