"""The banded solve is the dense one."""

from __future__ import annotations

import numpy as np
import pytest

from rlsuite.motion.pose.block_banded import BlockBanded


def _matrix(frames: int, n: int) -> BlockBanded:
    """Of residuals that reach over three frames, as a motion's."""
    rng = np.random.default_rng(frames)
    matrix = BlockBanded.zeros(frames, n)
    matrix.diagonal[:] += 0.1 * np.eye(n)
    for t in range(max(frames - 2, 0)):
        slope = rng.normal(size=(3, 4, n))
        for i in range(3):
            matrix.diagonal[t + i] += slope[i].T @ slope[i]
        matrix.first[t] += slope[0].T @ slope[1]
        matrix.first[t + 1] += slope[1].T @ slope[2]
        matrix.second[t] += slope[0].T @ slope[2]
    return matrix


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 9])
def test_solve_is_the_dense_one(frames: int) -> None:
    matrix = _matrix(frames, 5)
    right = np.random.default_rng(0).normal(size=(frames, 5, 3))
    dense = np.linalg.solve(matrix.dense(), right.reshape(frames * 5, 3)).reshape(right.shape)
    np.testing.assert_allclose(matrix.solve(right), dense, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(matrix.solve(right[..., 0]), dense[..., 0], rtol=1e-8, atol=1e-8)


def test_held_coordinates_do_not_move_and_the_others_solve_their_own_equations() -> None:
    matrix, right = _matrix(5, 4), np.random.default_rng(1).normal(size=(5, 4))
    fixed = np.zeros((5, 4), np.bool_)
    fixed[1, 2] = fixed[3, 0] = fixed[3, 1] = True
    solved = matrix.held(fixed).solve(np.where(fixed, 0.0, right))
    free = ~fixed.ravel()
    np.testing.assert_allclose(solved[fixed], 0.0, atol=1e-12)
    alone = np.linalg.solve(matrix.dense()[np.ix_(free, free)], right.ravel()[free])
    np.testing.assert_allclose(solved.ravel()[free], alone, rtol=1e-8, atol=1e-8)


def test_damping_is_on_the_diagonal_alone() -> None:
    matrix = _matrix(4, 3)
    dense = matrix.dense()
    np.testing.assert_allclose(matrix.damped(0.5, 2.0).dense(), dense + 0.5 * np.diag(np.diag(dense) + 2.0))


def test_what_is_not_positive_definite_is_refused() -> None:
    with pytest.raises(np.linalg.LinAlgError):
        BlockBanded.zeros(3, 2).solve(np.ones((3, 2)))
