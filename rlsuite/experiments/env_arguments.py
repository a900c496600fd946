"""``--env-kwargs`` on the command line: arguments of environments, read by the types their constructors declare."""

from __future__ import annotations

import ast
import inspect
import types
import typing
from collections.abc import Sequence
from typing import Any

from gymnasium.envs.registration import EnvSpec

from rlsuite.envs.registration import env_creator, find_spec
from rlsuite.errors import InvalidEnvironmentError, UnknownNameError

_MAKE_ARGUMENTS: dict[str, Any] = {"max_episode_steps": int}


def parse_env_kwargs(env_ids: Sequence[str], assignments: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Keyword arguments by environment id.

    ``is_slippery=false`` goes to every environment that takes it, ``FrozenLake-v1.map_name=8x8`` to one.

    Raises:
        UnknownNameError: no environment (or not the one named) takes that argument.
        InvalidEnvironmentError: the assignment or its value cannot be read.
    """
    accepted = {env_id: _accepted(find_spec(env_id)) for env_id in env_ids}
    result: dict[str, dict[str, Any]] = {env_id: {} for env_id in env_ids}
    for assignment in assignments:
        left, equals, text = assignment.partition("=")
        target, _, name = left.strip().rpartition(".")
        if not equals or not name:
            raise InvalidEnvironmentError(
                f"cannot read --env-kwargs {assignment!r}; write NAME=VALUE or ENV.NAME=VALUE"
            )
        if target and target not in accepted:
            raise UnknownNameError("environment", target, env_ids, hint=f"in --env-kwargs {assignment}")
        taking = [env_id for env_id in ([target] if target else env_ids) if _takes(accepted[env_id], name)]
        if not taking:
            names = list(dict.fromkeys(n for env_id in env_ids for n in accepted[env_id] if n != "**"))
            raise UnknownNameError(
                f"argument of {target or ', '.join(env_ids)}", name, names, hint=f"known: {', '.join(names) or 'none'}"
            )
        for env_id in taking:
            result[env_id][name] = _read(text.strip(), accepted[env_id].get(name), f"{env_id}.{name}")
    return result


def _accepted(spec: EnvSpec) -> dict[str, Any]:
    """Name → annotation of what the constructor takes (``**`` where it takes anything), without the render mode."""
    if spec.entry_point is None:
        return dict(_MAKE_ARGUMENTS)
    creator = env_creator(spec)
    try:
        hints = typing.get_type_hints(vars(creator).get("__init__", creator) if isinstance(creator, type) else creator)
    except (NameError, TypeError):
        hints = {}
    found: dict[str, Any] = {}
    for name, parameter in inspect.signature(creator).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            found["**"] = None
        elif name != "render_mode" and parameter.kind is not inspect.Parameter.VAR_POSITIONAL:
            guess = type(parameter.default) if isinstance(parameter.default, bool | int | float | str) else None
            found[name] = hints.get(name, guess)
    return found | _MAKE_ARGUMENTS


def _takes(accepted: dict[str, Any], name: str) -> bool:
    return name in accepted or "**" in accepted


def _read(text: str, annotation: Any, where: str) -> Any:
    """``text`` as the annotated type; where there is no simple type, as a Python literal, else as the string it is."""
    members = typing.get_args(annotation) if _is_union(annotation) else (annotation,)
    if type(None) in members and text.lower() in ("none", "null"):
        return None
    choices = [c for m in members if typing.get_origin(m) is typing.Literal for c in typing.get_args(m)]
    for choice in choices:
        if text == str(choice):
            return choice
    simple = [m for m in (bool, int, float, str) if m in members]
    for kind in simple:
        try:
            return {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
        except (KeyError, ValueError):
            continue
    if choices or (simple and set(members) <= {bool, int, float, str, type(None)}):
        wanted = ", ".join([*map(str, choices), *("true or false" if k is bool else k.__name__ for k in simple)])
        raise InvalidEnvironmentError(f"{where} must be {wanted}, not {text!r}")
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return {"true": True, "false": False}.get(text.lower(), text)


def _is_union(annotation: Any) -> bool:
    return isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union
