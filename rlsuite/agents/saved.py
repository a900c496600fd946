"""The environment of a saved agent: what its file says of it, and making it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv, VectorWrapper

from rlsuite.envs.registration import find_spec, make_env
from rlsuite.errors import RecordError, RlsuiteError
from rlsuite.tensor_files import DAMAGE, damaged

_MOST_ENVS = 4096  # a header that asks for more is no agent of anybody's


def environment_of(env: gym.Env[Any, Any] | VectorEnv[Any, Any, Any] | None) -> dict[str, Any] | None:
    """How to make this environment again: ``id``, ``kwargs`` and ``max_episode_steps``; none where that is unknown.

    A vector environment says besides, under ``vector``, its kind (``sync``; ``native``: the environment's own), how many
    environments it holds and its autoreset mode. Arguments that JSON would change (arrays, functions, tuples), further
    wrappers, and vector environments of unequal members make it unknown: another environment in place of this one would
    be worse.
    """
    if isinstance(env, VectorEnv):
        return _vector_environment_of(env)
    if env is None or env.spec is None or env.spec.additional_wrappers:
        return None
    return _environment(env.spec.id, env.spec.kwargs, env.spec.max_episode_steps)


def _environment(id: str, kwargs: Mapping[str, Any], limit: int | None) -> dict[str, Any] | None:
    kwargs = {name: value for name, value in kwargs.items() if name != "render_mode"}
    try:
        if not _equal(json.loads(json.dumps(kwargs, allow_nan=False)), kwargs):
            return None
    except (TypeError, ValueError, RecursionError):
        return None
    return {"id": id, "kwargs": kwargs, "max_episode_steps": -1 if limit is None else limit}


def _vector_environment_of(env: VectorEnv[Any, Any, Any]) -> dict[str, Any] | None:
    mode = AutoresetMode(env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)).value
    vector = {"num_envs": env.num_envs, "autoreset_mode": mode}
    if type(env) is SyncVectorEnv:
        first, *rest = (environment_of(member) for member in env.envs)
        return (
            None
            if first is None or any(other != first for other in rest)
            else {**first, "vector": {"kind": "sync", **vector}}
        )
    if env.spec is None or isinstance(env, VectorWrapper):
        return None
    kwargs = dict(env.spec.kwargs)  # as make_vec writes them
    if kwargs.pop("vectorization_mode", None) != "vector_entry_point":
        return None
    kwargs.pop("num_envs", None)
    limit = kwargs.pop("max_episode_steps", None)
    made = _environment(env.spec.id, kwargs, limit)
    return None if made is None else {**made, "vector": {"kind": "native", **vector}}


def _equal(a: Any, b: Any) -> bool:
    """Equality of JSON values, types included (1 is not True)."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_equal, a, b))
    return bool(a == b)


def remade(path: str | Path, saved: Any) -> Any:
    """The environment, or vector environment, that a header describes.

    Raises:
        RecordError: it describes none.
    """
    if saved is None:
        raise RecordError(
            f"{path} does not say how to make its environment again (it has no id, or wrappers or arguments that JSON "
            "does not hold): pass env to load"
        )
    try:
        id, kwargs, limit = saved["id"], dict(saved["kwargs"]), saved["max_episode_steps"]
        if not isinstance(id, str) or ":" in id or type(limit) is not int:
            raise ValueError(f"its environment is {saved!r}")
        if "vector" in saved:
            return _remade_vector(id, kwargs, limit, **saved["vector"])
        return make_env(id, max_episode_steps=limit, **kwargs)
    except RlsuiteError:
        raise
    except (*DAMAGE, AssertionError, gym.error.Error) as error:
        raise damaged(path, error) from None


def _remade_vector(
    id: str, kwargs: dict[str, Any], limit: int, *, kind: str, num_envs: int, autoreset_mode: str
) -> VectorEnv[Any, Any, Any]:
    if kind not in ("sync", "native") or type(num_envs) is not int or not 1 <= num_envs <= _MOST_ENVS:
        raise ValueError(f"its environment is {num_envs!r} in a vector environment of kind {kind!r}")
    if kind == "sync":
        makers = [lambda: make_env(id, max_episode_steps=limit, **kwargs)] * num_envs
        return SyncVectorEnv(makers, autoreset_mode=AutoresetMode(autoreset_mode))
    time_limit: dict[str, Any] = {} if limit == -1 else {"max_episode_steps": limit}
    return gym.make_vec(
        find_spec(id), num_envs=num_envs, vectorization_mode="vector_entry_point", **time_limit, **kwargs
    )
