"""Agents as files: arrays in a ``.safetensors`` file, everything else as JSON in its header, a digest over both.

The digest finds accidental damage. A file made with intent can carry a right digest, so whoever reads one checks types,
shapes and ranges, and imports no module that a header names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import safetensors
import safetensors.numpy
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv, VectorWrapper

from rlsuite.envs.registration import find_spec, make_env
from rlsuite.errors import RecordError, RlsuiteError
from rlsuite.files import write_atomically

# what libraries raise on values they did not expect; each becomes a RecordError
DAMAGE = (
    safetensors.SafetensorError, OSError, KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError,
    MemoryError, RecursionError, RuntimeError,
)  # fmt: skip
_MOST_ENVS = 4096  # a header that asks for more is no agent of anybody's


def digest(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of a header (its own entry ``sha256`` left out) and of the names, types, shapes and bytes of arrays."""
    text = json.dumps({key: value for key, value in header.items() if key != "sha256"}, sort_keys=True)
    state = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")  # ascontiguousarray would give a scalar an axis
        state.update(f"\0{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        state.update(array.data)
    return state.hexdigest()


def with_suffix(path: str | Path) -> Path:
    """``path`` with ``.safetensors`` added when missing."""
    path = Path(path)
    return path if path.suffix == ".safetensors" else path.with_name(path.name + ".safetensors")


def write_file(path: Path, header: dict[str, Any], arrays: Mapping[str, np.ndarray], *, durable: bool = True) -> None:
    """Write header and arrays, atomically; ``durable``: see :func:`rlsuite.files.write_atomically`."""
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    signed = header | {"sha256": digest(header, contiguous)}
    write_atomically(path, safetensors.numpy.save(contiguous, {"rlsuite": json.dumps(signed)}), durable=durable)


def read_file(path: str | Path, format: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Header and arrays, checked against the digest.

    Raises:
        RecordError: the file is missing, truncated, damaged, or of another format.
    """
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {})["rlsuite"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a dict
        if header["format"] != format:
            raise RecordError(f"{path} has format {header['format']!r}; this version reads {format!r}")
        if header["sha256"] != digest(header, arrays):
            raise ValueError("its contents do not match its digest")
    except FileNotFoundError:
        raise RecordError(f"no saved agent at {path}") from None
    except RlsuiteError:
        raise
    except DAMAGE as error:
        raise damaged(path, error) from None
    return dict(header), arrays


def read_header(path: str | Path) -> dict[str, Any]:
    """The JSON header alone, without the arrays and so without the digest's word for it.

    Raises:
        RecordError: the file is missing or is not a saved agent.
    """
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            return dict(json.loads((file.metadata() or {})["rlsuite"]))
    except FileNotFoundError:
        raise RecordError(f"no saved agent at {path}") from None
    except DAMAGE as error:
        raise damaged(path, error) from None


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


def damaged(path: str | Path, error: BaseException) -> RecordError:
    what = f"lacks {error}" if isinstance(error, KeyError) else " ".join(str(error).split()) or type(error).__name__
    return RecordError(f"{path} is not a saved agent, or is damaged: {what}")


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
