"""Continuous flows: a code is where an ordinary differential equation has carried an event after unit time.

    dx/dt = v(t, x, c),   z = x(1);        d ladj/dt = tr ∂v/∂x        (Chen et al., 2018, theorem 1; Grathwohl et al., 2019)

The equation is solved, and differentiated by the adjoint method, by zuko (the extra ``flows``). The trace is exact, D
products with the Jacobian for each evaluation, so that the density is one and not an estimate. Everything is right to the
solver's tolerance alone, which also decides the steps that a whole batch shares.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from rlsuite.errors import HyperparameterError
from rlsuite.generative.flows.transform import Transform


class Gated(nn.Module):
    """A linear layer that time and condition gate and shift: (W h + b) ⊙ σ(G [t, c] + g) + B [t, c].

    The layer of FFJORD (Grathwohl et al., 2019, ConcatSquash) and StyleFlow (Abdal et al., 2021, section 3.4).
    """

    def __init__(self, n_in: int, n_out: int, context: int) -> None:
        super().__init__()
        self.linear = nn.Linear(n_in, n_out)
        self.gate = nn.Linear(context, n_out)
        self.shift = nn.Linear(context, n_out, bias=False)

    def forward(self, h: Tensor, context: Tensor) -> Tensor:
        return self.linear(h) * torch.sigmoid(self.gate(context)) + self.shift(context)


class Velocity(nn.Module):
    """v(t, x, c) of vectors ``(n, size)``: gated layers with tanh between them; 0 at first."""

    def __init__(self, size: int, condition_size: int, hidden: Sequence[int]) -> None:
        super().__init__()
        widths = [size, *hidden, size]
        self.layers = nn.ModuleList(Gated(a, b, 1 + condition_size) for a, b in itertools.pairwise(widths))
        last = self.layers[-1]
        assert isinstance(last, Gated)
        for weight in (last.linear.weight, last.linear.bias, last.shift.weight):
            nn.init.zeros_(weight)

    def forward(self, t: Tensor, x: Tensor, condition: Tensor | None) -> Tensor:
        context = t.expand(len(x), 1)
        if condition is not None:
            context = torch.cat([context, condition.flatten(1)], 1)
        for i, layer in enumerate(self.layers):
            x = layer(torch.tanh(x) if i else x, context)
        return x


class Continuous(Transform):
    """z = x(1) from x(0) = x, of vectors ``(n, size)``.

    Args:
        velocity: v; takes time (a scalar), x and the condition.
        tolerance: of the solver, absolute and relative.

    Raises:
        HyperparameterError: zuko is not installed.
    """

    def __init__(self, velocity: nn.Module, tolerance: float = 1e-5) -> None:
        super().__init__()
        _zuko()
        self.velocity, self.tolerance = velocity, tolerance

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        z, ladj = self._solution(condition).call_and_ladj(x)
        return z, ladj

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        x, ladj = self._solution(condition).inv.call_and_ladj(z)
        return x, ladj

    def _solution(self, condition: Tensor | None) -> Any:
        # what gradients are asked for: the weights, and the condition where the caller follows it
        followed = [*self.velocity.parameters(), *([] if condition is None else [condition])]
        return _zuko().FreeFormJacobianTransform(
            lambda t, x: self.velocity(t, x, condition),
            phi=followed,
            atol=self.tolerance,
            rtol=self.tolerance,
            exact=True,
        )


def _zuko() -> Any:
    """zuko's transforms. Importing zuko turns off the checks of every distribution in the program; they are put back."""
    checks = {name: Distribution.__dict__[name] for name in ("_validate_args", "arg_constraints")}
    try:
        return import_module("zuko.transforms")
    except ModuleNotFoundError:
        raise HyperparameterError("continuous flows need zuko: pip install 'rlsuite[flows]'") from None
    finally:
        for name, value in checks.items():
            setattr(Distribution, name, value)
