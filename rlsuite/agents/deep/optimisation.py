"""Optimisation on one flat vector: the parameters of several modules share a buffer, and so do their gradients.

A small network's step costs what its number of tensors costs, not their size: with one vector, clearing, clipping, Adam
and Polyak averaging are one operation each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.adam import adam

from rlsuite.errors import DivergenceError, RecordError

_FLUSH_EVERY, _NEGLIGIBLE = 64, 1e-30  # updates; 0.9**64 of the threshold is still a normal number


class FlatParameters:
    """Moves the parameters of ``modules`` into one vector; the modules go on using views of it.

    Attributes:
        vector, gradient: ``(n,)``.
    """

    def __init__(self, *modules: nn.Module) -> None:
        self.parameters = list(dict.fromkeys(p for module in modules for p in module.parameters()))
        first = self.parameters[0]
        total = sum(p.numel() for p in self.parameters)
        self.vector = nn.Parameter(torch.empty(total, dtype=first.dtype, device=first.device), requires_grad=True)
        self.gradient = torch.zeros_like(self.vector.data)
        start = 0
        for parameter in self.parameters:
            end = start + parameter.numel()
            self.vector.data[start:end] = parameter.data.reshape(-1)
            parameter.data = self.vector.data[start:end].view_as(parameter)
            parameter.grad = self.gradient[start:end].view_as(parameter)
            start = end
        self.vector.grad = self.gradient

    def copy_from(self, other: FlatParameters) -> None:
        """Take over the values of another vector of the same layout."""
        self.vector.data.copy_(other.vector.data)

    def average(self, other: FlatParameters, tau: float) -> None:
        """Polyak averaging: ``self <- (1 - tau) self + tau other``."""
        self.vector.data.lerp_(other.vector.data, tau)

    def freeze(self) -> FlatParameters:
        """No gradients for these parameters (a target network)."""
        for parameter in self.parameters:
            parameter.requires_grad_(False)
            parameter.grad = None
        return self


class Optimiser:
    """Adam (Kingma & Ba 2015) or RMSProp with epsilon inside the root (as A2C was published) on a flat vector.

    Args:
        modules: whose parameters are optimised; they are flattened.
        max_grad_norm: the gradient is scaled down to this Euclidean norm; ``None`` leaves it.
    """

    def __init__(
        self,
        *modules: nn.Module,
        learning_rate: float,
        kind: Literal["adam", "rmsprop"] = "adam",
        eps: float = 1e-8,
        max_grad_norm: float | None = None,
    ) -> None:
        self.flat = FlatParameters(*modules)
        self.learning_rate, self.eps, self.kind, self.max_grad_norm = learning_rate, eps, kind, max_grad_norm
        self.n_updates = 0
        vector = self.flat.vector
        self._square = torch.zeros_like(vector.data) if kind == "adam" else torch.ones_like(vector.data)
        if kind == "adam":
            self._momentum = torch.zeros_like(vector.data)
            self._steps = torch.zeros((), dtype=torch.float32, device=vector.device)

    def step(self, loss: Tensor) -> None:
        """One step down the gradient of ``loss``."""
        self.flat.gradient.zero_()
        loss.backward()
        self.apply()

    def apply(self) -> None:
        """One step along the gradient that is in place."""
        gradient = self.flat.gradient
        if self.max_grad_norm is not None:
            gradient.mul_(torch.clamp(self.max_grad_norm / (torch.linalg.vector_norm(gradient) + 1e-6), max=1.0))
        if self.kind == "adam":
            adam(  # the function: the class costs more than the arithmetic of small networks
                [self.flat.vector.data], [gradient], [self._momentum], [self._square], [], [self._steps], fused=True,
                amsgrad=False, maximize=False, beta1=0.9, beta2=0.999, lr=self.learning_rate, weight_decay=0.0,
                eps=self.eps,
            )  # fmt: skip
        else:
            self._square.mul_(0.99).addcmul_(gradient, gradient, value=0.01)
            self.flat.vector.data.addcdiv_(gradient, (self._square + self.eps).sqrt_(), value=-self.learning_rate)
        self.n_updates += 1
        if self.n_updates % _FLUSH_EVERY == 0:
            self._flush()

    def _flush(self) -> None:
        """Set moments that are far too small to move a weight to zero.

        Those of a unit that no longer fires decay to denormal numbers, with which CPUs calculate ten times slower.
        """
        for moment in (self._square, self._momentum) if self.kind == "adam" else (self._square,):
            moment.copy_(torch.hardshrink(moment, _NEGLIGIBLE))

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        arrays = {"square": self._square}
        if self.kind == "adam":
            arrays |= {"momentum": self._momentum, "steps": self._steps}
        return {name: tensor.detach().cpu().numpy() for name, tensor in arrays.items()}

    def state_values(self) -> dict[str, Any]:
        return {"n_updates": self.n_updates, "learning_rate": self.learning_rate}

    def load_state(self, arrays: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> None:
        targets = {"square": self._square}
        if self.kind == "adam":
            targets |= {"momentum": self._momentum, "steps": self._steps}
        for name, tensor in targets.items():
            copy_checked(tensor, arrays[name], name)
        n_updates, rate = values["n_updates"], values["learning_rate"]
        if type(n_updates) is not int or n_updates < 0:
            raise RecordError(f"n_updates must be a count, not {n_updates!r}")
        if type(rate) not in (int, float) or not 0.0 <= rate < math.inf:
            raise RecordError(f"learning_rate must be a finite number of at least 0, not {rate!r}")
        if bool((self._square < 0).any()):
            raise RecordError("the optimiser's second moments must not be negative")
        self.n_updates, self.learning_rate = n_updates, float(rate)


class ModuleState:
    """The parameters and buffers of a module as a part of a checkpoint, under their own names."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        return {name: tensor.detach().cpu().numpy() for name, tensor in self.module.state_dict().items()}

    def state_values(self) -> dict[str, Any]:
        return {}

    def load_state(self, arrays: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> None:
        for name, tensor in self.module.state_dict().items():  # tensors of the module itself
            copy_checked(tensor, arrays[name], name)


def copy_checked(tensor: Tensor, array: NDArray[Any], name: str) -> None:
    """Copy a stored array into a tensor.

    Raises:
        RecordError: another shape or type, or a value that is no finite number.
    """
    stored = torch.from_numpy(np.array(array))
    if stored.shape != tensor.shape or stored.dtype != tensor.dtype:
        raise RecordError(
            f"{name} is {stored.dtype} {tuple(stored.shape)}, but this agent needs {tensor.dtype} {tuple(tensor.shape)}"
        )
    if stored.is_floating_point() and not bool(torch.isfinite(stored).all()):
        raise RecordError(f"{name} holds values that are no finite numbers")
    with torch.no_grad():
        tensor.copy_(stored)


def finite(name: str, value: Tensor | float, num_timesteps: int) -> float:
    """``value`` as a float.

    Raises:
        DivergenceError: it is not finite; the message names the term and the step.
    """
    number = float(value)
    if not math.isfinite(number):
        raise DivergenceError(f"{name} became {number} at step {num_timesteps}")
    return number
