"""Sutton and Barto's 5x5 gridworld with two teleporting cells."""

from __future__ import annotations

import numpy as np

from rlsuite.envs.finite.env import FiniteMDPEnv
from rlsuite.envs.finite.grid import MOVES, grid_layout
from rlsuite.envs.finite.mdp import FiniteMDP

SIDE = 5
JUMPS = {(0, 1): ((4, 1), 10.0), (0, 3): ((2, 3), 5.0)}  # A to A' and B to B'


class SuttonBartoGridWorld5x5Env(FiniteMDPEnv):
    """
    Two cells pay for leaving them; the rest is finding back.

    ## Description
    From A, every action leads to A' and pays 10; from B, every action leads to B' and pays 5. Moves off the grid leave
    the agent where it is and cost 1.

    ## Action Space
    `Discrete(4)`: 0 up, 1 right, 2 down, 3 left.

    ## Observation Space
    `Discrete(25)`: `row * 5 + column`, from the top left. A is 1, A' 21, B 3, B' 13.

    ## Rewards
    +10 from A, +5 from B, -1 for moving off the grid, 0 otherwise.

    ## Starting State
    Any cell, uniformly.

    ## Episode End
    The task is continuing (the book discounts by 0.9). Truncation after 100 steps.

    ## Arguments
    None.

    Sutton and Barto, *Reinforcement Learning: An Introduction*, 2nd edition, examples 3.5 and 3.8.

    ## Version History
    - v0: initial version
    """

    def __init__(self, render_mode: str | None = None) -> None:
        transitions = {
            row * SIDE + col: {a: [_outcome(row, col, *move)] for a, move in enumerate(MOVES[:4].tolist())}
            for row in range(SIDE)
            for col in range(SIDE)
        }
        cells = np.full((SIDE, SIDE), ".")
        cells[0, 1], cells[0, 3], cells[4, 1], cells[2, 3] = "A", "B", "a", "b"
        index = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)
        mdp = FiniteMDP.from_transitions(
            transitions,
            np.full(SIDE * SIDE, 1.0 / SIDE**2),
            name="SuttonBartoGridWorld5x5",
            layout=grid_layout(cells, index),
        )
        super().__init__(mdp, render_mode)


def _outcome(row: int, col: int, down: int, right: int) -> tuple[float, int, float, bool]:
    if (row, col) in JUMPS:
        (to_row, to_col), reward = JUMPS[row, col]
        return 1.0, to_row * SIDE + to_col, reward, False
    to_row, to_col = row + down, col + right
    if 0 <= to_row < SIDE and 0 <= to_col < SIDE:
        return 1.0, to_row * SIDE + to_col, 0.0, False
    return 1.0, row * SIDE + col, -1.0, False
