"""A field's level on a grid of points, dense, or asked only near the surface (multiresolution isosurface extraction).

MISE (Mescheder et al. 2019, Occupancy Networks, section 3.3): the level is asked on a coarse grid; cells whose corners
disagree, and their neighbours, are split in eight, and so on. Elsewhere the coarser value is kept, whose sign is the same,
so marching cubes makes the same mesh as from the dense grid, unless a part of the body fits between the coarse points.
For an exact distance nothing is missed: a cell that its corners' distances show to be free of surface is left out, and
every other is split.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import max_pool3d

from rlsuite.errors import HyperparameterError

Level = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Grid:
    """``values (n, n, n)`` of the level at points ``low + spacing * (i, j, k)``; ``asked`` of them were computed.

    Attributes:
        low: ``(3,)`` metres. spacing: metres between points.
    """

    values: Tensor
    low: Tensor
    spacing: float
    asked: int

    @property
    def inside(self) -> Tensor:
        """``(n, n, n)`` booleans."""
        return self.values < 0

    def points(self, index: Tensor) -> Tensor:
        """``(..., 3)`` metres of indices ``(..., 3)``."""
        return self.low + self.spacing * index


@torch.no_grad()
def sample_grid(
    f: Level,
    low: Sequence[float],
    size: float,
    cells: int = 128,
    *,
    coarse: int | None = None,
    lipschitz: float | None = None,
    chunk: int = 32768,
    dtype: torch.dtype = torch.float32,
) -> Grid:
    """The level of ``f`` in a cube with its least corner at ``low (3,)`` and sides of ``size`` metres.

    Args:
        cells: along a side; the grid has one point more. coarse: cells along a side to begin with, ``cells`` divided by a
            power of 2; ``None`` asks everywhere.
        lipschitz: a bound on how fast the level changes in a metre (1 of a distance): cells are then left out by proof
            and not by their neighbours' signs. chunk: points asked at once.

    Raises:
        HyperparameterError: sizes that make no grid.
    """
    coarse = cells if coarse is None else coarse
    if coarse < 1 or not size > 0 or cells % coarse or (cells // coarse) & (cells // coarse - 1):
        raise HyperparameterError(
            f"{cells} cells of a cube of {size!r} m are not {coarse} split in two some times over"
        )
    corner, step, asked = torch.tensor(tuple(low), dtype=dtype), size / coarse, 0

    def ask(index: Tensor) -> Tensor:
        nonlocal asked
        asked += len(index)
        x = corner + step * index.to(dtype)
        return torch.cat([f(part) for part in x.split(chunk)]) if len(x) else x[:, 0]

    every = torch.ones((coarse + 1,) * 3, dtype=torch.bool)
    values = ask(every.nonzero()).reshape(every.shape)
    known = every
    while len(values) <= cells:
        active = _active(values, step, lipschitz)
        values, known, step = _doubled(values), _spread(known), step / 2
        needed = _corners(active.repeat_interleave(2, 0).repeat_interleave(2, 1).repeat_interleave(2, 2)) & ~known
        values[needed] = ask(needed.nonzero())
        known |= needed
    return Grid(values, corner, size / cells, asked)


def _active(values: Tensor, step: float, lipschitz: float | None) -> Tensor:
    """Cells ``(n, n, n)`` to be split."""
    size = len(values) - 1
    corners = torch.stack(
        [values[i : i + size, j : j + size, k : k + size] for i in (0, 1) for j in (0, 1) for k in (0, 1)]
    )
    if lipschitz is not None:  # no point of a cell is further than half its diagonal from the nearest corner
        return corners.abs().amin(0) <= lipschitz * step * 3**0.5 / 2
    mixed = ((corners < 0).any(0) & (corners >= 0).any(0)).to(values.dtype)
    return max_pool3d(mixed[None, None], 3, stride=1, padding=1)[0, 0] > 0


def _doubled(values: Tensor) -> Tensor:
    """On a grid of twice as many cells, with the values of the nearest points of this one."""
    nearest = torch.arange(2 * len(values) - 1) // 2
    return values[nearest][:, nearest][:, :, nearest].clone()


def _spread(known: Tensor) -> Tensor:
    out = torch.zeros((2 * len(known) - 1,) * 3, dtype=torch.bool)
    out[::2, ::2, ::2] = known
    return out


def _corners(cells: Tensor) -> Tensor:
    """Points ``(n + 1, …)`` that are a corner of one of ``cells (n, n, n)``."""
    return max_pool3d(torch.nn.functional.pad(cells.float(), (1,) * 6)[None, None], 2, stride=1)[0, 0] > 0
