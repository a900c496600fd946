"""The windy gridworld, with four, eight or nine moves and with steady or gusty wind."""

from __future__ import annotations

from rlsuite.envs.finite.env import FiniteMDPEnv
from rlsuite.envs.finite.grid import gridworld_mdp, parse_map

WIND = (0, 0, 0, 1, 1, 1, 2, 2, 1, 0)
MAP = ("..........",) * 3 + ("S......G..",) + ("..........",) * 3


class WindyGridWorldEnv(FiniteMDPEnv):
    """
    A crosswind blows upwards through the middle of the grid.

    ## Description
    A 7x10 grid. A step leads to the cell of the move, shifted upwards by the strength of the wind in the column that
    is left, 0 0 0 1 1 1 2 2 1 0, and kept within the grid. Being blown over the goal does not count.

    ## Action Space
    `Discrete(moves)`: 0 up, 1 right, 2 down, 3 left; with `moves=8` (king's moves) also 4 up-right, 5 down-right,
    6 down-left, 7 up-left; with `moves=9` also 8 stay.

    ## Observation Space
    `Discrete(70)`: `row * 10 + column`, from the top left.

    ## Rewards
    -1 per step.

    ## Starting State
    State 30: row 3, column 0. The goal is state 37.

    ## Episode End
    Termination at the goal. Truncation after 1000 steps.

    ## Arguments
    - `moves=4`: 4, 8 or 9. The shortest way has 15, 7 and 7 steps.
    - `stochastic_wind=False`: if true, wherever there is wind it is one stronger, as given, or one weaker, each with
      probability 1/3.

    Sutton and Barto, *Reinforcement Learning: An Introduction*, 2nd edition, example 6.5, exercises 6.9 and 6.10.

    ## Version History
    - v0: initial version
    """

    def __init__(self, moves: int = 4, stochastic_wind: bool = False, render_mode: str | None = None) -> None:
        mdp = gridworld_mdp(
            parse_map(MAP), moves=moves, wind=WIND, stochastic_wind=stochastic_wind, name="WindyGridWorld"
        )
        super().__init__(mdp, render_mode)
