"""The state of a stable-baselines3 model as arrays and JSON: what its own files keep as pickles."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.vec_env import VecNormalize
from torch.optim import Optimizer

from rlsuite.agents.deep.optimisation import ModuleState, copy_checked
from rlsuite.errors import RecordError


class GlobalRandomness:
    """Random states of Python, numpy and torch that belong to one agent: stable-baselines3 draws from the global ones.

    ``with randomness():`` puts them in place, and afterwards what was there before; so training is repeatable, and the
    agents of a process do not disturb one another, nor the program that holds them.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._own = self._global()

    def _global(self) -> tuple[Any, ...]:
        cuda = torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
        return random.getstate(), np.random.get_state(), torch.get_rng_state(), cuda  # noqa: NPY002  it is what SB3 uses

    def _set(self, states: tuple[Any, ...]) -> None:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.set_rng_state(states[2])
        if states[3] is not None:
            torch.cuda.set_rng_state(states[3], self.device)

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """The agent's states in place, kept as they are at the end."""
        outside = self._global()
        self._set(self._own)
        try:
            yield
        finally:
            self._own = self._global()
            self._set(outside)

    @contextmanager
    def drawn_from(self, rng: np.random.Generator) -> Iterator[None]:
        """States seeded from ``rng`` in place; the agent's own do not move."""
        outside = self._global()
        np.random.seed(int(rng.integers(1 << 32)))  # noqa: NPY002
        torch.manual_seed(int(rng.integers(1 << 62)))
        try:
            yield
        finally:
            self._set(outside)

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        python, numpy, cpu, cuda = self._own
        arrays = {"python": np.array(python[1], np.uint64), "numpy": numpy[1], "torch": cpu.numpy()}
        return arrays if cuda is None else arrays | {"cuda": cuda.numpy()}

    def state_values(self) -> dict[str, Any]:
        python, numpy = self._own[:2]
        return {"python_gauss": python[2], "numpy": [int(numpy[2]), int(numpy[3]), float(numpy[4])]}

    def load_state(self, arrays: dict[str, NDArray[Any]], values: dict[str, Any]) -> None:
        words = tuple(int(word) for word in arrays["python"])
        position, has_gauss, gauss = values["numpy"]
        cuda = torch.from_numpy(np.array(arrays["cuda"])) if self.device.type == "cuda" and "cuda" in arrays else None
        own = (
            (3, words, values["python_gauss"]),
            ("MT19937", arrays["numpy"], int(position), int(has_gauss), float(gauss)),
            torch.from_numpy(np.array(arrays["torch"])),
            self._own[3] if cuda is None else cuda,
        )
        outside = self._global()
        try:
            self._set(own)  # which checks them
        finally:
            self._set(outside)
        self._own = own


class ModelState:
    """Networks, optimisers, temperature and counters of a model."""

    COUNTERS = ("_n_updates", "_n_calls", "_episode_num")

    def __init__(self, model: BaseAlgorithm) -> None:
        self.model = model
        self.policy = ModuleState(model.policy)
        names, variables = model._get_torch_save_params()
        self.optimisers: dict[str, Optimizer] = {
            name: _attribute(model, name) for name in names if isinstance(_attribute(model, name), Optimizer)
        }
        self.tensors: dict[str, torch.Tensor] = {name: _attribute(model, name) for name in variables}

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        arrays = {f"policy/{name}": array for name, array in self.policy.state_arrays().items()}
        arrays |= {name: tensor.detach().cpu().numpy() for name, tensor in self.tensors.items()}
        for name, optimiser in self.optimisers.items():
            for index, state in optimiser.state_dict()["state"].items():
                arrays |= {
                    f"{name}/{index}/{key}": torch.as_tensor(value).detach().cpu().numpy()
                    for key, value in state.items()
                }
        return arrays

    def state_values(self) -> dict[str, Any]:
        return {
            "counters": {name: int(getattr(self.model, name)) for name in self.COUNTERS if hasattr(self.model, name)},
            "learning_rates": {
                name: [float(group["lr"]) for group in optimiser.param_groups]
                for name, optimiser in self.optimisers.items()
            },
            "exploration_rate": getattr(self.model, "exploration_rate", 0.0),
            "action_space": self.model.action_space.np_random.bit_generator.state,
        }

    def load_state(self, arrays: dict[str, NDArray[Any]], values: dict[str, Any]) -> None:
        self.policy.load_state(_under(arrays, "policy/"), {})
        for name, tensor in self.tensors.items():
            copy_checked(tensor, arrays[name], name)
        for name, optimiser in self.optimisers.items():
            _load_optimiser(optimiser, _under(arrays, f"{name}/"), values["learning_rates"][name])
        for name, count in values["counters"].items():
            if name not in self.COUNTERS or type(count) is not int or count < 0:
                raise RecordError(f"its counter {name!r} is {count!r}")
            setattr(self.model, name, count)
        if hasattr(self.model, "exploration_rate"):
            self.model.exploration_rate = float(values["exploration_rate"])
        self.model.action_space.np_random.bit_generator.state = values["action_space"]


def _load_optimiser(optimiser: Optimizer, arrays: dict[str, NDArray[Any]], rates: list[float]) -> None:
    """Moments and step counts of every parameter that has any, checked against the parameters' shapes."""
    state = optimiser.state_dict()
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    entries: dict[int, dict[str, Any]] = {}
    for name, array in arrays.items():
        index, key = name.split("/")
        parameter = parameters[int(index)]
        if key == "step":
            whole = array.dtype.kind == "i"
            entries.setdefault(int(index), {})[key] = int(array) if whole else torch.tensor(float(array))
            continue
        tensor = torch.empty_like(parameter, device="cpu", requires_grad=False)
        copy_checked(tensor, array, f"{key} of the optimiser")
        entries.setdefault(int(index), {})[key] = tensor
    state["state"] = entries
    for group, rate in zip(state["param_groups"], rates, strict=True):
        group["lr"] = float(rate)
    optimiser.load_state_dict(state)


class ReplayState:
    """The filled part of a replay buffer."""

    NAMES = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")

    def __init__(self, buffer: ReplayBuffer) -> None:
        self.buffer = buffer

    def _stores(self) -> dict[str, NDArray[Any]]:
        stores: dict[str, NDArray[Any]] = {}
        for name in self.NAMES:
            store = getattr(self.buffer, name)
            stores |= {f"{name}.{key}": a for key, a in store.items()} if isinstance(store, dict) else {name: store}
        return stores

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        size = self.buffer.size()
        return {name: store[:size] for name, store in self._stores().items()}

    def state_values(self) -> dict[str, Any]:
        return {"pos": self.buffer.pos, "full": self.buffer.full}

    def load_state(self, arrays: dict[str, NDArray[Any]], values: dict[str, Any]) -> None:
        pos, full = values["pos"], values["full"]
        if type(pos) is not int or type(full) is not bool or not 0 <= pos < self.buffer.buffer_size:
            raise RecordError(f"its replay buffer is at {pos!r} of {self.buffer.buffer_size}")
        size = self.buffer.buffer_size if full else pos
        for name, store in self._stores().items():
            if arrays[name].shape != (size, *store.shape[1:]) or arrays[name].dtype != store.dtype:
                raise RecordError(f"{name} of its replay buffer are {arrays[name].dtype} {arrays[name].shape}")
            store[:size] = arrays[name]
        self.buffer.pos, self.buffer.full = pos, full


class NormaliserState:
    """Running statistics of VecNormalize."""

    def __init__(self, normaliser: VecNormalize) -> None:
        self.normaliser = normaliser

    def _statistics(self) -> dict[str, Any]:
        found = {"return": self.normaliser.ret_rms}
        if self.normaliser.norm_obs:
            rms = self.normaliser.obs_rms
            found |= (
                {f"observation.{key}": one for key, one in rms.items()}
                if isinstance(rms, dict)
                else {"observation": rms}
            )
        return found

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        arrays = {"returns": np.asarray(self.normaliser.returns, np.float64)}
        for name, rms in self._statistics().items():
            arrays |= {
                f"{name}/{what}": np.asarray(getattr(rms, what), np.float64) for what in ("mean", "var", "count")
            }
        return arrays

    def state_values(self) -> dict[str, Any]:
        return {}

    def load_state(self, arrays: dict[str, NDArray[Any]], values: dict[str, Any]) -> None:
        for name, rms in self._statistics().items():
            for what in ("mean", "var", "count"):
                array = arrays[f"{name}/{what}"]
                if array.shape != np.shape(getattr(rms, what)) or not np.isfinite(array).all():
                    raise RecordError(f"the {name} statistics do not fit this environment")
                setattr(rms, what, float(array) if what == "count" else np.array(array))
        if arrays["returns"].shape == self.normaliser.returns.shape:  # another number of environments begins anew
            self.normaliser.returns = np.array(arrays["returns"])


def _attribute(model: BaseAlgorithm, name: str) -> Any:
    """``policy.optimizer`` of a model."""
    found: Any = model
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _under(arrays: dict[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
