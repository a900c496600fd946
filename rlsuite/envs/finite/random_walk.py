"""Random walks: Markov reward processes on which predictions are compared."""

from __future__ import annotations

import numpy as np

from rlsuite.envs.finite.env import FiniteMDPEnv
from rlsuite.envs.finite.layout import Layout, Panel
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.errors import InvalidEnvironmentError


class RandomWalkEnv(FiniteMDPEnv):
    """
    A walk that goes left or right by the toss of a coin.

    ## Description
    `n_states` states in a row with a terminal state at each end. There is nothing to decide: the one action moves the
    walker to either neighbour with probability 1/2. From state `i` the walk ends on the right with probability
    `i / (n_states + 1)`, so the true value is known.

    ## Action Space
    `Discrete(1)`: 0 step.

    ## Observation Space
    `Discrete(n_states + 2)`: 0 the left end, `1 … n_states` the walk, `n_states + 1` the right end.

    ## Rewards
    `left_reward` for the step to the left end, `right_reward` for the step to the right end, 0 for every other.

    ## Starting State
    The middle, `(n_states + 1) / 2`.

    ## Episode End
    Termination at either end. Truncation after 1000 steps (`RandomWalk5`) or 10000 steps (`RandomWalk19`), which next
    to no episode reaches.

    ## Arguments
    - `n_states`: odd; 5 in `RandomWalk5`, 19 in `RandomWalk19`.
    - `left_reward`: 0 in `RandomWalk5`, -1 in `RandomWalk19`.
    - `right_reward=1.0`

    Sutton and Barto, *Reinforcement Learning: An Introduction*, 2nd edition, examples 6.2 and 7.1.

    ## Version History
    - v0: initial version
    """

    def __init__(
        self, n_states: int = 5, left_reward: float = 0.0, right_reward: float = 1.0, render_mode: str | None = None
    ) -> None:
        if not isinstance(n_states, int) or n_states < 1 or n_states % 2 == 0:
            raise InvalidEnvironmentError(f"n_states must be an odd positive integer, is {n_states!r}")
        ends = n_states + 1
        transitions = {
            s: {
                0: [
                    (0.5, s - 1, left_reward * (s == 1), s == 1),
                    (0.5, s + 1, right_reward * (s == n_states), s == n_states),
                ]
            }
            for s in range(1, ends)
        }
        transitions |= {s: {0: [(1.0, s, 0.0, True)]} for s in (0, ends)}
        cells = np.full((1, n_states + 2), ".")
        cells[0, 0] = cells[0, -1] = "T"
        cells[0, ends // 2] = "S"
        names = tuple("ABCDE") if n_states == 5 else tuple(str(s) for s in range(1, ends))
        panel = Panel(np.arange(n_states + 2)[None], cells, col_labels=("", *names, ""))
        mdp = FiniteMDP.from_transitions(
            transitions,
            np.eye(n_states + 2)[ends // 2],
            name=f"RandomWalk{n_states}",
            layout=Layout((panel,), ("step",), np.zeros((1, 2), np.int64)),
        )
        super().__init__(mdp, render_mode)
