"""Roots of functions of one variable, many at once: the secant method, and regula falsi in a bracket (Illinois).

Secant: ``x_{n+1} = x_n − f_n (x_n − x_{n−1}) / (f_n − f_{n−1})``. Near a simple root the errors obey
``e_{n+1} ≈ e_n e_{n−1} f''/2f'``, so the order is the golden ratio, 1.618…; far from it nothing is promised.

Regula falsi keeps two points of opposite sign and so always converges, but one end may stay for ever, and the order is
then 1. The Illinois rule halves the value remembered at an end that stays (Dowell and Jarratt 1971): order 1.442.
Differentiable volumetric rendering speaks of the secant method and means the bracketed one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from rlsuite.errors import HyperparameterError

Function = Callable[[Tensor], Tensor]


class Root(NamedTuple):
    """``x (...)`` where the value was nearest nought, the ``value (...)`` there, and whether it is within tolerance."""

    x: Tensor
    value: Tensor
    converged: Tensor


@torch.no_grad()
def secant(f: Function, a: Tensor, b: Tensor, *, tolerance: float = 1e-12, max_steps: int = 50) -> Root:
    """A root near ``a`` and ``b (...)``, found without a bracket.

    Where both values are equal and not nought the secant is level and meets the axis nowhere: the middle of the two
    points is tried instead. An entry that has converged moves no more.
    """
    a, b = torch.broadcast_tensors(a, b)
    fa, fb = f(a), f(b)
    best = torch.where(fa.abs() < fb.abs(), a, b)
    value = torch.where(fa.abs() < fb.abs(), fa, fb)
    for _ in range(max_steps):
        done = value.abs() <= tolerance
        if done.all():
            break
        level = fb == fa
        step = fb * (b - a) / torch.where(level, torch.ones_like(fb), fb - fa)
        x = torch.where(done, best, torch.where(level, (a + b) / 2, b - step))
        fx = f(x)
        a, fa, b, fb = b, fb, x, fx
        better = fx.abs() < value.abs()  # false of values that are not numbers
        best, value = torch.where(better, x, best), torch.where(better, fx, value)
    return Root(best, value, value.abs() <= tolerance)


@torch.no_grad()
def illinois(
    f: Function,
    a: Tensor,
    b: Tensor,
    fa: Tensor | None = None,
    fb: Tensor | None = None,
    *,
    tolerance: float = 0.0,
    max_steps: int = 20,
) -> Root:
    """The root between ``a`` and ``b (...)``, where ``f`` has opposite signs (or is nought at one of them).

    Every iterate lies between the two. Values ``fa`` and ``fb`` that are known already are not asked for again.

    Raises:
        HyperparameterError: equal signs at both ends.
    """
    a, b = torch.broadcast_tensors(a, b)
    fa, fb = f(a) if fa is None else fa, f(b) if fb is None else fb
    if bool((torch.sign(fa) * torch.sign(fb) > 0).any()):
        raise HyperparameterError("a bracket's two ends have opposite signs; some here have equal ones")
    best, value = torch.where(fa.abs() < fb.abs(), a, b), torch.where(fa.abs() < fb.abs(), fa, fb)
    for _ in range(max_steps):
        if bool((value.abs() <= tolerance).all()):
            break
        width = fb - fa
        x = b - fb * (b - a) / torch.where(width == 0, torch.ones_like(width), width)  # width 0: both values nought
        x = torch.minimum(torch.maximum(x, torch.minimum(a, b)), torch.maximum(a, b))  # against rounding
        fx = f(x)
        better = fx.abs() < value.abs()
        best, value = torch.where(better, x, best), torch.where(better, fx, value)
        crosses = torch.sign(fx) * torch.sign(fb) <= 0  # the root lies between x and b: a moves to b, else a stays
        a, fa = torch.where(crosses, b, a), torch.where(crosses, fb, fa / 2)
        b, fb = x, fx
    return Root(best, value, value.abs() <= tolerance)
