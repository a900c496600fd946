r"""DeepSDF: one network for the signed distances of many shapes, each with a code of its own (Park et al. 2019).

    L = mean |clamp(f(x, z_i), δ) − clamp(s, δ)| + λ ramp ‖z_i‖²,   clamp(s, δ) = min(δ, max(−δ, s))

(equations 4 and 9: an absolute error with prediction *and* target clamped; cross-entropy is for occupancy). There is no
encoder: codes are learned with the network, the penalty growing from nought, and the code of an unseen shape is found
afterwards by the same descent with the network held (equation 10). DeepSDF's own code penalises ``‖z‖``, not its square.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rlsuite.generative.implicit.field import Field
from rlsuite.generative.implicit.level_set import level
from rlsuite.generative.implicit.samples import ShapeSamples
from rlsuite.generative.implicit.training import drawn, fit

CLAMP = 0.1  # metres


def clamped_l1(predicted: Tensor, target: Tensor, clamp: float = CLAMP) -> Tensor:
    """``(...)`` in metres; nothing is learned where both are beyond ``clamp`` on one side."""
    return (predicted.clamp(-clamp, clamp) - target.clamp(-clamp, clamp)).abs()


def ramp(step: int, steps: int) -> float:
    """The share of the penalty at ``step``, rising from 0 to 1 over ``steps``."""
    return 1.0 if steps < 1 else min(1.0, step / steps)


@dataclass
class DistanceObjective:
    """For :func:`.training.fit`: distances of one shape, or of many with ``code_of`` their indices (see occupancy).

    Attributes:
        penalty: λ of the codes. ramp_steps: until it is whole.
    """

    field: Field
    samples: ShapeSamples
    code_of: Callable[[Tensor], Tensor] | None = None
    shapes: int = 1
    batch_size: int = 2048
    clamp: float = CLAMP
    penalty: float = 1e-4
    ramp_steps: int = 500

    def __call__(self, step: int, generator: torch.Generator) -> Tensor:
        index, points, distances = self.samples.batch(self.shapes, self.batch_size, generator)
        if self.code_of is None:
            return clamped_l1(level(self.field.geometry(points)), distances, self.clamp).mean()
        code = self.code_of(index)
        error = clamped_l1(level(self.field.geometry(points, code.unsqueeze(1))), distances, self.clamp).mean()
        return error + self.penalty * ramp(step, self.ramp_steps) * code.square().sum(-1).mean()


def invert(
    field: Field,
    points: Tensor,
    distances: Tensor,
    code_size: int,
    *,
    start: Tensor | None = None,
    steps: int = 300,
    seed: int = 0,
    learning_rate: float = 5e-2,
    batch_size: int = 1024,
    clamp: float = CLAMP,
    penalty: float = 1e-4,
) -> Tensor:
    """The code ``(code_size,)`` with which ``field`` has ``distances (n)`` at ``points (n, 3)``; weights stay as they are.

    Args:
        start: ``(code_size,)`` or several ``(k, code_size)``, by default noughts; the best of their ends is taken.
    """
    begin = points.new_zeros(code_size) if start is None else start.detach().to(points)
    codes = begin.reshape(-1, code_size).clone().requires_grad_()  # (k, code_size)

    def errors(rows: Tensor) -> Tensor:
        predicted = level(field.geometry(points[rows].unsqueeze(0), codes.unsqueeze(1)))  # (k, rows)
        return clamped_l1(predicted, distances[rows], clamp).mean(1) + penalty * codes.square().sum(1)

    def objective(step: int, generator: torch.Generator) -> Tensor:
        return errors(drawn(len(points), min(batch_size, len(points)), generator)).sum()

    with _frozen(field):
        fit([codes], objective, steps=steps, seed=seed, learning_rate=learning_rate)
        with torch.no_grad():
            best = errors(torch.arange(len(points))).argmin()
    return codes.detach()[best]


class _frozen:
    """Weights that want no gradient for a while."""

    def __init__(self, field: Field) -> None:
        self.parameters = [p for p in field.parameters() if p.requires_grad]

    def __enter__(self) -> None:
        for p in self.parameters:
            p.requires_grad_(False)

    def __exit__(self, *exception: object) -> None:
        for p in self.parameters:
            p.requires_grad_(True)


def beside_surface(points: Tensor, normals: Tensor, offset: float) -> tuple[Tensor, Tensor]:
    """``(3n, 3)`` points and distances ``(3n)`` of a scan: on the surface, and ``offset`` metres out and in."""
    return (
        torch.cat((points, points + offset * normals, points - offset * normals)),
        torch.cat([torch.full_like(points[:, 0], s * offset) for s in (0.0, 1.0, -1.0)]),
    )
