"""Tabular agents as files: one ``.safetensors`` with every array of the memory and JSON in its header.

A digest over header and arrays finds accidental damage. A file made with intent can carry a right digest, so the header
is type-checked, no module that it names is imported, and indices are checked before kernels use them
(:mod:`~rlsuite.agents.tabular.invariants`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import gymnasium as gym
import numpy as np
import safetensors
import safetensors.numpy

from rlsuite.agents.hyperparameters import fields
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.envs.registration import make_env
from rlsuite.errors import RecordError, RlsuiteError
from rlsuite.files import write_atomically

if TYPE_CHECKING:
    from rlsuite.agents.tabular.agent import TabularAgent

T = TypeVar("T", bound="TabularAgent")
FORMAT = "rlsuite-tabular-2"
# what libraries raise on values they did not expect; each becomes a RecordError
_DAMAGE = (
    safetensors.SafetensorError, OSError, KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError,
    MemoryError, RecursionError,
)  # fmt: skip


def memory_arrays(memory: Any, prefix: str = "memory") -> dict[str, np.ndarray]:
    """The arrays of a (nested) named tuple by dotted path; the very arrays, not copies."""
    found: dict[str, np.ndarray] = {}
    for name, value in zip(memory._fields, memory, strict=True):
        if isinstance(value, np.ndarray):
            found[f"{prefix}.{name}"] = value
        elif hasattr(value, "_fields"):
            found |= memory_arrays(value, f"{prefix}.{name}")
    return found


def _all_arrays(agent: TabularAgent) -> dict[str, np.ndarray]:
    return memory_arrays(agent.memory) | memory_arrays(agent.clock, "clock") | {"visits": agent.visits}


def digest(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of a header (its own entry ``sha256`` left out) and of the names, types, shapes and bytes of arrays."""
    text = json.dumps({key: value for key, value in header.items() if key != "sha256"}, sort_keys=True)
    state = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        state.update(f"\0{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        state.update(array.data)
    return state.hexdigest()


def save_agent(agent: TabularAgent, path: str | Path, *, durable: bool = True) -> Path:
    """Write ``agent`` to ``path`` (the suffix ``.safetensors`` is added when missing).

    ``durable``: see :func:`rlsuite.files.write_atomically`.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        path = path.with_name(path.name + ".safetensors")
    h = agent.hyperparameters
    header: dict[str, Any] = {
        "format": FORMAT,
        "agent": agent.name,
        "env": _environment(agent.env),
        "hyperparameters": {name: getattr(h, name) for name in fields(h)},
        "seed": agent.seed,
        "time_limit": int(agent.time_limit),
        "compiled": agent.mdp is not None,
        "env_rng": agent.env_rng.bit_generator.state,
        "agent_rng": agent.agent_rng.bit_generator.state,
        "evaluation_rng": agent.evaluation_rng.bit_generator.state,
        "gymnasium_rng": _gymnasium_rng(agent),
    }
    arrays = {
        name: np.ascontiguousarray(array)
        for name, array in (
            _all_arrays(agent) | {"returns": agent.episode_returns, "lengths": agent.episode_lengths}
        ).items()
    }
    header["sha256"] = digest(header, arrays)
    write_atomically(path, safetensors.numpy.save(arrays, {"rlsuite": json.dumps(header)}), durable=durable)
    return path


def _environment(env: gym.Env[Any, Any] | None) -> dict[str, Any] | None:
    """How to make this environment again: ``id``, ``kwargs`` and ``max_episode_steps``; none where that is unknown.

    Arguments that JSON would change (arrays, functions, tuples) and further wrappers make it unknown: another
    environment in place of this one would be worse.
    """
    if env is None or env.spec is None or env.spec.additional_wrappers:
        return None
    kwargs = {name: value for name, value in env.spec.kwargs.items() if name != "render_mode"}
    try:
        if not _equal(json.loads(json.dumps(kwargs, allow_nan=False)), kwargs):
            return None
    except (TypeError, ValueError, RecursionError):
        return None
    limit = env.spec.max_episode_steps
    return {"id": env.spec.id, "kwargs": kwargs, "max_episode_steps": -1 if limit is None else limit}


def _equal(a: Any, b: Any) -> bool:
    """Equality of JSON values, types included (1 is not True)."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_equal, a, b))
    return bool(a == b)


def _gymnasium_rng(agent: TabularAgent) -> dict[str, Any] | None:
    """The random state of the environment that the agent steps; none before its first reset seeds it."""
    if agent.mdp is not None or agent.env is None or agent.num_timesteps == 0:
        return None
    return dict(agent.env.unwrapped.np_random.bit_generator.state)


def read_header(path: str | Path) -> dict[str, Any]:
    """The JSON header of a saved agent.

    Raises:
        RecordError: the file is missing, truncated or not a saved agent.
    """
    return _read(path)[0]


def _read(path: str | Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Header and arrays, checked against the digest."""
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {})["rlsuite"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a dict
        if header["format"] != FORMAT:
            raise RecordError(f"{path} has format {header['format']!r}; this version reads {FORMAT!r}")
        if header["sha256"] != digest(header, arrays):
            raise ValueError("its contents do not match its digest")
    except FileNotFoundError:
        raise RecordError(f"no saved agent at {path}") from None
    except RlsuiteError:
        raise
    except _DAMAGE as error:
        raise _damaged(path, error) from None
    return dict(header), arrays


def _damaged(path: str | Path, error: BaseException) -> RecordError:
    what = f"lacks {error}" if isinstance(error, KeyError) else " ".join(str(error).split()) or type(error).__name__
    return RecordError(f"{path} is not a saved agent, or is damaged: {what}")


def _remade(path: str | Path, saved: Any) -> gym.Env[Any, Any]:
    """The environment that a header describes."""
    if saved is None:
        raise RecordError(
            f"{path} does not say how to make its environment again (it has no id, or wrappers or arguments that JSON "
            "does not hold): pass env to load"
        )
    try:
        id, kwargs, limit = saved["id"], dict(saved["kwargs"]), saved["max_episode_steps"]
        if not isinstance(id, str) or ":" in id or type(limit) is not int:
            raise ValueError(f"its environment is {saved!r}")
        return make_env(id, max_episode_steps=limit, **kwargs)
    except RlsuiteError:
        raise
    except _DAMAGE as error:
        raise _damaged(path, error) from None


def load_agent(cls: type[T], path: str | Path, env: gym.Env[Any, Any] | str | None, mdp: FiniteMDP | None = None) -> T:
    """Rebuild an agent of class ``cls`` from ``path``, every table and random stream as it was.

    Without ``env`` (and ``mdp``) the environment is made as the saved one was. Where the agent steps a Gymnasium
    environment, the state of that environment cannot be saved: an episode that was running is abandoned, and the next
    one starts from the environment's restored random stream.

    Raises:
        RecordError: the file is missing, damaged, of another agent, does not fit the environment, or does not say how
            to make it.
    """
    header, stored = _read(path)
    if header.get("agent") != cls.name:
        raise RecordError(f"{path} holds a {header.get('agent')!r} agent, not {cls.name!r}")
    try:
        agent = cls(
            _remade(path, header["env"]) if env is None and mdp is None else env,
            mdp=mdp,
            seed=header["seed"],
            time_limit=header["time_limit"],
            compiled=None if header["compiled"] or mdp is not None else False,
            **header["hyperparameters"],
        )
        agent.make_room_for({name: array.shape for name, array in stored.items()})
        for name, array in _all_arrays(agent).items():
            if stored[name].shape != array.shape or stored[name].dtype != array.dtype:
                raise RecordError(
                    f"{path}: {name} is {stored[name].dtype} of shape {stored[name].shape}, but this environment needs "
                    f"{array.dtype} of shape {array.shape}"
                )
            array[...] = stored[name]
        agent.env_rng.bit_generator.state = header["env_rng"]
        agent.agent_rng.bit_generator.state = header["agent_rng"]
        agent.evaluation_rng.bit_generator.state = header["evaluation_rng"]
        if agent.mdp is None and agent.env is not None and header["gymnasium_rng"] is not None:
            agent.env.unwrapped.np_random.bit_generator.state = header["gymnasium_rng"]
            agent.clock.length[0] = 0
        if found := agent.first_violation():
            raise RecordError(f"{path} is damaged: {found} holds what no {cls.name} agent saves")
        agent._returns = [_history(stored["returns"], np.float64, agent.num_episodes)]
        agent._lengths = [_history(stored["lengths"], np.int64, agent.num_episodes)]
    except RlsuiteError:
        raise
    except _DAMAGE as error:
        raise _damaged(path, error) from None
    return agent


def _history(array: np.ndarray, dtype: type, n: int) -> np.ndarray:
    if array.shape != (n,) or array.dtype != dtype:
        raise ValueError(f"{n} episodes, but a record of {array.dtype} of shape {array.shape}")
    return array
