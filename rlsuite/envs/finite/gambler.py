"""The gambler's problem."""

from __future__ import annotations

import numpy as np

from rlsuite.envs.finite.env import FiniteMDPEnv
from rlsuite.envs.finite.layout import Layout, Panel
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.errors import InvalidEnvironmentError

GOAL, LARGEST_STAKE = 100, 50


class GamblerEnv(FiniteMDPEnv):
    """
    Bet on coin tosses until the goal of 100 or ruin.

    ## Description
    The gambler stakes part of the capital on each toss: heads wins as much as was staked, tails loses it.

    ## Action Space
    `Discrete(50)`: action `a` stakes `a + 1`, but no more than the capital `s` and no more than is missing to the goal:
    the stake is `min(a + 1, s, 100 - s)`. So every action is valid everywhere (large ones repeat the largest
    stake there is), and nobody can decline to play.

    ## Observation Space
    `Discrete(101)`: the capital.

    ## Rewards
    1 for reaching the goal, 0 otherwise: the value of a state is the probability of winning.

    ## Starting State
    A capital of 1 … 99, uniformly; or `start`.

    ## Episode End
    Termination at 0 and at 100. Truncation after 1000 steps.

    ## Arguments
    - `p_heads=0.4`: probability of heads.
    - `start=None`: the capital to start with.

    Sutton and Barto, *Reinforcement Learning: An Introduction*, 2nd edition, example 4.3.

    ## Version History
    - v0: initial version
    """

    def __init__(self, p_heads: float = 0.4, start: int | None = None, render_mode: str | None = None) -> None:
        if not 0.0 <= p_heads <= 1.0:
            raise InvalidEnvironmentError(f"p_heads must be a probability between 0 and 1, is {p_heads!r}")
        if start is not None and not 0 < start < GOAL:
            raise InvalidEnvironmentError(f"start must be a capital of 1…{GOAL - 1}, is {start!r}")
        capital = np.arange(GOAL + 1)[:, None]
        stake = np.minimum(np.arange(1, LARGEST_STAKE + 1), np.minimum(capital, GOAL - capital))  # (101, 50)
        next_state = np.stack([capital + stake, capital - stake], axis=-1)
        playing = (capital > 0) & (capital < GOAL)
        won = (next_state == GOAL) & playing[..., None]
        initial = np.where(playing[:, 0], 1.0 / (GOAL - 1), 0.0) if start is None else np.eye(GOAL + 1)[start]
        mdp = FiniteMDP(
            n_states=GOAL + 1,
            n_actions=LARGEST_STAKE,
            offset=2 * np.arange((GOAL + 1) * LARGEST_STAKE + 1),
            probability=np.broadcast_to([p_heads, 1.0 - p_heads], next_state.shape).ravel(),
            next_state=next_state.ravel(),
            reward=won.ravel().astype(np.float64),
            terminated=((next_state == 0) | (next_state == GOAL)).ravel(),
            initial=initial,
            name="Gambler",
            layout=_layout(),
        )
        super().__init__(mdp, render_mode)


def _layout() -> Layout:
    """The capital as a table of tens and units."""
    states = np.full((11, 10), -1)
    states.flat[: GOAL + 1] = np.arange(GOAL + 1)
    cells = np.where(states < 0, " ", ".")
    cells[0, 0], cells[10, 0] = "T", "G"
    panel = Panel(
        states,
        cells,
        row_labels=tuple(str(10 * i) for i in range(11)),
        col_labels=tuple(f"+{i}" for i in range(10)),
        row_name="capital",
    )
    return Layout((panel,), tuple(f"stake {a + 1}" for a in range(LARGEST_STAKE)))
