"""The short corridor with switched actions, in which only a random policy does well."""

from __future__ import annotations

import numpy as np

from rlsuite.envs.finite.env import FiniteMDPEnv
from rlsuite.envs.finite.layout import Layout, Panel
from rlsuite.envs.finite.mdp import FiniteMDP

LEFT, RIGHT = range(2)


class ShortCorridorEnv(FiniteMDPEnv):
    r"""
    Three cells that look alike; in the middle one left and right are exchanged.

    ## Description
    The agent cannot tell the cells apart, so it goes right with one probability p everywhere. The value of the start is
    :math:`(2p - 4) / (p (1 - p))`; the best is :math:`p = 2 - \sqrt 2 \approx 0.586`, worth
    :math:`-6 - 4 \sqrt 2 \approx -11.66`. Every deterministic policy walks for ever.

    ## Action Space
    `Discrete(2)`: 0 left, 1 right. Left in the first cell does nothing; in the second cell the two are exchanged.

    ## Observation Space
    `Discrete(1)`: always 0. (Planners refuse this environment: what is observed is not the state.)

    ## Rewards
    -1 per step.

    ## Starting State
    The first cell.

    ## Episode End
    Termination at the goal, to the right of the third cell. Truncation after 1000 steps.

    ## Arguments
    None.

    Sutton and Barto, *Reinforcement Learning: An Introduction*, 2nd edition, example 13.1.

    ## Version History
    - v0: initial version
    """

    def __init__(self, render_mode: str | None = None) -> None:
        successor = {0: (0, 1), 1: (2, 0), 2: (1, 3)}  # cell: (on left, on right)
        transitions = {s: {a: [(1.0, to[a], -1.0, to[a] == 3)] for a in (LEFT, RIGHT)} for s, to in successor.items()}
        transitions[3] = {a: [(1.0, 3, 0.0, True)] for a in (LEFT, RIGHT)}
        panel = Panel(np.arange(4)[None], np.array([["S", ".", ".", "G"]]), col_labels=("", "switched", "", ""))
        mdp = FiniteMDP.from_transitions(
            transitions,
            np.eye(4)[0],
            observation=np.zeros(4, np.int64),
            name="ShortCorridor",
            layout=Layout((panel,), ("left", "right"), np.array([(0, -1), (0, 1)])),
        )
        super().__init__(mdp, render_mode)
