"""Deep agents as files: every part's arrays in one ``.safetensors``, its values and all random states in the header."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from rlsuite.agents.hyperparameters import fields
from rlsuite.agents.saved import environment_of, remade
from rlsuite.errors import RecordError, RlsuiteError
from rlsuite.tensor_files import DAMAGE, damaged, read_file, with_suffix, write_file

if TYPE_CHECKING:
    from rlsuite.agents.deep.agent import DeepAgent

T = TypeVar("T", bound="DeepAgent")
FORMAT = "rlsuite-deep-1"
ONLY_FOR_LEARNING = frozenset({"replay", "envs"})  # parts that an agent which only acts can do without


def save_agent(agent: DeepAgent, path: str | Path, *, training_state: bool = True, durable: bool = True) -> Path:
    """Write ``agent``; see :meth:`rlsuite.agents.deep.agent.DeepAgent.save`."""
    path = with_suffix(path)
    parts = {**agent.parts, "envs": agent.envs}
    if not training_state:
        parts = {name: part for name, part in parts.items() if name not in ONLY_FOR_LEARNING}
    h = agent.hyperparameters
    header: dict[str, Any] = {
        "format": FORMAT,
        "agent": agent.name,
        "env": environment_of(agent.env),
        "num_envs": agent.envs.num_envs,
        "hyperparameters": {name: getattr(h, name) for name in fields(h)},
        "seed": agent.seed,
        "num_timesteps": agent.num_timesteps,
        "learn": [agent._began, agent._total_timesteps, agent._episodes_before, agent._total_episodes],
        "metrics": agent.metrics,
        "rng": agent.rng.bit_generator.state,
        "evaluation_rng": agent.evaluation_rng.bit_generator.state,
        "parts": {name: part.state_values() for name, part in parts.items()},
    }
    arrays = {f"{name}/{key}": array for name, part in parts.items() for key, array in part.state_arrays().items()}
    arrays["torch_rng"] = agent.torch_rng.get_state().numpy()
    write_file(path, header, arrays, durable=durable)
    return path


def load_agent(cls: type[T], path: str | Path, env: Any, *, device: str = "auto", training_state: bool = True) -> T:
    """Rebuild an agent of class ``cls`` from ``path``, every part and random stream as it was.

    A file without training state, or one loaded without it or for another number of environments, gives an agent that
    acts the same and begins new episodes and an empty buffer if it learns on.

    Raises:
        RecordError: the file is missing, damaged, of another agent, does not fit the environment, or does not say how
            to make it.
        HyperparameterError: there is no such device.
    """
    from rlsuite.agents.deep.agent import choose_device

    header, arrays = read_file(path, FORMAT)
    if header.get("agent") != cls.name:
        raise RecordError(f"{path} holds a {header.get('agent')!r} agent, not {cls.name!r}")
    if device != "auto":
        choose_device(device)  # the caller's mistake, not the file's
    try:
        if env is None:
            env = remade(path, header["env"])
        agent = cls(env, seed=header["seed"], device=device, **header["hyperparameters"])
        same_envs = header["num_envs"] == agent.envs.num_envs
        goes_on = same_envs and training_state
        stored: dict[str, Any] = header["parts"]
        parts = {**agent.parts, "envs": agent.envs}
        for name, part in parts.items():
            if name in ONLY_FOR_LEARNING and (name not in stored or not goes_on):
                continue
            mine = {key.removeprefix(f"{name}/"): a for key, a in arrays.items() if key.startswith(f"{name}/")}
            if name == "episodes" and not same_envs:
                mine |= agent.episodes.running_as_arrays()
            went_on = part.load_state(mine, stored[name])
            if name == "envs" and not went_on:
                agent.abandon_episodes()
        if "envs" not in stored or not goes_on:
            agent.abandon_episodes()
        agent.num_timesteps = _count(header["num_timesteps"])
        began, agent._total_timesteps, episodes_before, agent._total_episodes = (
            None if value is None else _count(value) for value in header["learn"]
        )
        agent._began, agent._episodes_before = _count(began), _count(episodes_before)
        agent.metrics = {str(name): float(value) for name, value in header["metrics"].items()}
        agent.rng.bit_generator.state = header["rng"]
        agent.evaluation_rng.bit_generator.state = header["evaluation_rng"]
        if len(arrays["torch_rng"]) == len(agent.torch_rng.get_state()):
            agent.torch_rng.set_state(torch.from_numpy(np.array(arrays["torch_rng"])))
    except RlsuiteError as error:
        if isinstance(error, RecordError) and str(path) in str(error):
            raise
        raise RecordError(f"{path}: {error}") from None
    except DAMAGE as error:
        raise damaged(path, error) from None
    return agent


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 62:
        raise ValueError(f"a count is {value!r}")
    return value
