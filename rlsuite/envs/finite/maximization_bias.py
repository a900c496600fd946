"""The two-state problem in which Q-learning is drawn to noise."""

from __future__ import annotations

import numpy as np

from rlsuite.envs.finite.env import FiniteMDPEnv
from rlsuite.envs.finite.layout import Layout, Panel
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.errors import InvalidEnvironmentError

A, B, LEFT_END, RIGHT_END = range(4)


class MaximizationBiasEnv(FiniteMDPEnv):
    """
    Going left costs 0.1 on average, but the best of many noisy estimates looks like a gain.

    ## Description
    From A, right ends the episode and left leads to B. From B each of many actions ends it with a reward drawn around
    -0.1. Since all of them are worse than nothing, left is wrong; a learner that maximises over its noisy estimates
    of B's actions believes for a long time that it is right.

    ## Action Space
    `Discrete(n_actions)`, the same in every state. In A the even actions go left and the odd ones right, half of them
    each, so that exploring uniformly goes left with probability 1/2, as with the book's two actions (and the
    optimum for epsilon = 0.1 is 5 % left). Learning curves differ a little from the book's, since each copy of left
    has an estimate of its own. In B all actions are alike.

    ## Observation Space
    `Discrete(4)`: 0 A, 1 B, 2 and 3 the terminal states left and right.

    ## Rewards
    0 from A. From B, the book's normal distribution with mean -0.1 and standard deviation 1 is replaced by the
    `n_rewards` points and weights of Gauss-Hermite quadrature: symmetric about -0.1, with its mean, its standard
    deviation and all its moments up to order `2 * n_rewards - 1` exact.

    ## Starting State
    A.

    ## Episode End
    Termination after one step right, or two steps left. Truncation after 10 steps, which no episode reaches.

    ## Arguments
    - `n_actions=10`: even.
    - `n_rewards=15`: at least 2.

    Sutton and Barto, *Reinforcement Learning: An Introduction*, 2nd edition, example 6.7 and figure 6.5.

    ## Version History
    - v0: initial version
    """

    def __init__(self, n_actions: int = 10, n_rewards: int = 15, render_mode: str | None = None) -> None:
        if not isinstance(n_actions, int) or n_actions < 2 or n_actions % 2:
            raise InvalidEnvironmentError(f"n_actions must be an even positive integer, is {n_actions!r}")
        if not isinstance(n_rewards, int) or not 2 <= n_rewards <= 50:
            raise InvalidEnvironmentError(f"n_rewards must be an integer of 2…50, is {n_rewards!r}")
        points, weights = np.polynomial.hermite_e.hermegauss(n_rewards)
        draws = [
            (float(w), LEFT_END, float(x) - 0.1, True) for x, w in zip(points, weights / weights.sum(), strict=True)
        ]
        from_a = [[(1.0, B, 0.0, False)], [(1.0, RIGHT_END, 0.0, True)]]
        transitions = {
            A: {a: from_a[a % 2] for a in range(n_actions)},
            B: dict.fromkeys(range(n_actions), draws),
            LEFT_END: {a: [(1.0, LEFT_END, 0.0, True)] for a in range(n_actions)},
            RIGHT_END: {a: [(1.0, RIGHT_END, 0.0, True)] for a in range(n_actions)},
        }
        panel = Panel(
            np.array([[LEFT_END, B, A, RIGHT_END]]), np.array([["T", ".", "S", "T"]]), col_labels=("", "B", "A", "")
        )
        names = tuple(f"{'right' if a % 2 else 'left'} {a // 2 + 1}" for a in range(n_actions))
        mdp = FiniteMDP.from_transitions(
            transitions, np.eye(4)[A], name="MaximizationBias", layout=Layout((panel,), names)
        )
        super().__init__(mdp, render_mode)
