"""Tabular agents as files: one ``.safetensors`` with every array of the memory and JSON in its header."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import gymnasium as gym
import numpy as np
import safetensors
import safetensors.numpy

from rlsuite.agents.hyperparameters import fields
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.errors import RecordError
from rlsuite.files import write_atomically

if TYPE_CHECKING:
    from rlsuite.agents.tabular.agent import TabularAgent

T = TypeVar("T", bound="TabularAgent")
FORMAT = "rlsuite-tabular-1"


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
    path = Path(path)
    if path.suffix != ".safetensors":
        path = path.with_name(path.name + ".safetensors")
    h = agent.hyperparameters
    header = {
        "format": FORMAT,
        "agent": agent.name,
        "env": agent.env.spec.id if agent.env is not None and agent.env.spec else "",
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
    data = safetensors.numpy.save(
        {name: np.ascontiguousarray(array) for name, array in arrays.items()}, {"rlsuite": json.dumps(header)}
    )
    write_atomically(path, data, durable=durable)
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
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {})["rlsuite"])
        if header["format"] != FORMAT:
            raise KeyError(FORMAT)
    except FileNotFoundError:
        raise RecordError(f"no saved agent at {path}") from None
    except (safetensors.SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise RecordError(f"{path} is not a saved agent, or is damaged: {error}") from None
    return dict(header)


def load_agent(cls: type[T], path: str | Path, env: gym.Env[Any, Any] | str | None, mdp: FiniteMDP | None = None) -> T:
    """Rebuild an agent of class ``cls`` from ``path``, every table and random stream as it was.

    Where the agent steps a Gymnasium environment, the state of that environment cannot be saved: an episode that was
    running is abandoned, and the next one starts from the environment's restored random stream.
    """
    header = read_header(path)
    if header["agent"] != cls.name:
        raise RecordError(f"{path} holds a {header['agent']!r} agent, not {cls.name!r}")
    try:
        stored = safetensors.numpy.load_file(path)
        environment = env if env is not None or mdp is not None else header["env"]
        agent = cls(
            environment,
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
                    f"{path}: {name} has shape {stored[name].shape}, but this environment needs {array.shape}"
                )
            array[...] = stored[name]
        agent.env_rng.bit_generator.state = header["env_rng"]
        agent.agent_rng.bit_generator.state = header["agent_rng"]
        agent.evaluation_rng.bit_generator.state = header["evaluation_rng"]
        if agent.mdp is None and agent.env is not None and header["gymnasium_rng"] is not None:
            agent.env.unwrapped.np_random.bit_generator.state = header["gymnasium_rng"]
            agent.clock.length[0] = 0
        agent._returns, agent._lengths = [stored["returns"]], [stored["lengths"]]
    except (safetensors.SafetensorError, KeyError, TypeError, AttributeError) as error:
        raise RecordError(f"{path} is not a saved agent, or is damaged: {error}") from None
    return agent
