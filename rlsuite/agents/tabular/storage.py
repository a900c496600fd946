"""Tabular agents as files: one ``.safetensors`` with every array of the memory and JSON in its header.

A digest over header and arrays finds accidental damage. A file made with intent can carry a right digest, so the header
is type-checked, no module that it names is imported, and indices are checked before kernels use them
(:mod:`~rlsuite.agents.tabular.invariants`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import gymnasium as gym
import numpy as np

from rlsuite.agents.hyperparameters import fields
from rlsuite.agents.saved import environment_of, remade
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.errors import RecordError, RlsuiteError
from rlsuite.tensor_files import DAMAGE, damaged, read_file, with_suffix, write_file

if TYPE_CHECKING:
    from rlsuite.agents.tabular.agent import TabularAgent

T = TypeVar("T", bound="TabularAgent")
FORMAT = "rlsuite-tabular-2"


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


def save_agent(agent: TabularAgent, path: str | Path, *, durable: bool = True) -> Path:
    """Write ``agent`` to ``path`` (the suffix ``.safetensors`` is added when missing).

    ``durable``: see :func:`rlsuite.files.write_atomically`.
    """
    path = with_suffix(path)
    h = agent.hyperparameters
    header: dict[str, Any] = {
        "format": FORMAT,
        "agent": agent.name,
        "env": environment_of(agent.env),
        "hyperparameters": {name: getattr(h, name) for name in fields(h)},
        "seed": agent.seed,
        "time_limit": int(agent.time_limit),
        "compiled": agent.mdp is not None,
        "env_rng": agent.env_rng.bit_generator.state,
        "agent_rng": agent.agent_rng.bit_generator.state,
        "evaluation_rng": agent.evaluation_rng.bit_generator.state,
        "gymnasium_rng": _gymnasium_rng(agent),
    }
    arrays = _all_arrays(agent) | {"returns": agent.episode_returns, "lengths": agent.episode_lengths}
    write_file(path, header, arrays, durable=durable)
    return path


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
    return read_file(path, FORMAT)[0]


def load_agent(cls: type[T], path: str | Path, env: gym.Env[Any, Any] | str | None, mdp: FiniteMDP | None = None) -> T:
    """Rebuild an agent of class ``cls`` from ``path``, every table and random stream as it was.

    Without ``env`` (and ``mdp``) the environment is made as the saved one was. Where the agent steps a Gymnasium
    environment, the state of that environment cannot be saved: an episode that was running is abandoned, and the next
    one starts from the environment's restored random stream.

    Raises:
        RecordError: the file is missing, damaged, of another agent, does not fit the environment, or does not say how
            to make it.
    """
    header, stored = read_file(path, FORMAT)
    if header.get("agent") != cls.name:
        raise RecordError(f"{path} holds a {header.get('agent')!r} agent, not {cls.name!r}")
    try:
        agent = cls(
            remade(path, header["env"]) if env is None and mdp is None else env,
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
    except DAMAGE as error:
        raise damaged(path, error) from None
    return agent


def _history(array: np.ndarray, dtype: type, n: int) -> np.ndarray:
    if array.shape != (n,) or array.dtype != dtype:
        raise ValueError(f"{n} episodes, but a record of {array.dtype} of shape {array.shape}")
    return array
