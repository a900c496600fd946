"""Symmetric matrices of blocks, one row of blocks a frame, in which a frame meets the two before and the two after it.

The normal equations of a motion whose residuals reach over three successive frames (accelerations) have this shape.
Cholesky's decomposition in banded storage solves them in ``O(T n^3)``, where a dense one takes ``O(T^3 n^3)`` (Golub & Van
Loan, Matrix Computations, 4.3.5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BlockBanded:
    """A symmetric matrix of ``(T, T)`` blocks ``(n, n)``.

    Attributes:
        diagonal: ``(T, n, n)``. first: ``(T - 1, n, n)``, the blocks ``(t, t + 1)``. second: ``(T - 2, n, n)``, the blocks
            ``(t, t + 2)``. Those below the diagonal are their transposes.
    """

    diagonal: Array
    first: Array
    second: Array

    @classmethod
    def zeros(cls, frames: int, size: int) -> BlockBanded:
        return cls(*(np.zeros((max(frames - k, 0), size, size)) for k in range(3)))

    @property
    def shape(self) -> tuple[int, int]:
        """Frames and size of a block."""
        return self.diagonal.shape[0], self.diagonal.shape[1]

    def dense(self) -> Array:
        """``(T n, T n)``."""
        frames, n = self.shape
        out = np.zeros((frames, n, frames, n))
        for k, blocks in enumerate((self.diagonal, self.first, self.second)):
            for t, block in enumerate(blocks):
                out[t, :, t + k], out[t + k, :, t] = block, block.T
        return out.reshape(frames * n, frames * n)

    def damped(self, amount: float, least: float) -> BlockBanded:
        """With ``amount * (diagonal + least)`` added to the diagonal (Marquardt 1963)."""
        diagonal = self.diagonal.copy()
        at = np.arange(self.shape[1])
        diagonal[:, at, at] += amount * (diagonal[:, at, at] + least)
        return BlockBanded(diagonal, self.first, self.second)

    def held(self, fixed: NDArray[np.bool_]) -> BlockBanded:
        """With the rows and columns of the coordinates ``fixed (T, n)`` those of the identity."""
        frames, n = self.shape
        free = ~fixed
        blocks = [
            given * (free[: frames - k, :, None] & free[k:, None, :]) if len(given) else given
            for k, given in enumerate((self.diagonal, self.first, self.second))
        ]
        at = np.arange(n)
        blocks[0][:, at, at] += fixed
        return BlockBanded(*blocks)

    def solve(self, right: Array) -> Array:
        """``x`` with ``A x = right``, both ``(T, n)`` or ``(T, n, m)``.

        Raises:
            numpy.linalg.LinAlgError: the matrix is not positive definite.
        """
        from scipy.linalg import solveh_banded

        frames, n = self.shape
        solved: Array = solveh_banded(
            self._lower_band(), right.reshape(frames * n, -1), overwrite_ab=True, lower=True, check_finite=False
        )
        return solved.reshape(right.shape)

    def _lower_band(self) -> Array:
        """``(3 n, T n)``: entry ``(i, j)`` of the lower triangle stands at ``[i - j, j]``."""
        frames, n = self.shape
        reach = min(frames, 3)
        band = np.zeros((reach * n, frames, n))
        row, column = np.meshgrid(np.arange(n), np.arange(n), indexing="ij")
        for k, blocks in enumerate((self.diagonal, self.first, self.second)[:reach]):
            below = k * n + row - column
            r, c = (row, column) if k else (row[below >= 0], column[below >= 0])
            at = k * n + r - c
            band[at, : frames - k, c] = np.moveaxis(blocks[:, c, r], 0, -1)  # block (t + k, t) is the transpose
        return band.reshape(reach * n, frames * n)
