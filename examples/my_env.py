"""An environment in one file: a frog crosses a pond of lily pads, and long jumps slip.

From the folder of this file:

    rlsuite compare --env my_env:Frog-v0 --algo q-learning sarsa value-iteration --seeds 20

Because the class hands its dynamics to ``FiniteMDPEnv``, planners, exact scores and compiled learning come for free. A
discrete environment with only ``reset`` and ``step`` works too: learners then step it, and scores are estimates.
"""

import gymnasium as gym
import numpy as np

from rlsuite.envs.finite.env import FiniteMDPEnv
from rlsuite.envs.finite.layout import Layout, Panel
from rlsuite.envs.finite.mdp import FiniteMDP


class FrogEnv(FiniteMDPEnv):
    """Pads 0 … n-1. Action 0 hops one pad (sure), 1 leaps three (falls into the water with probability ``slip``).

    Each jump costs 1; the water costs 10 and the frog begins again; the episode ends on the last pad.
    """

    def __init__(self, n: int = 12, slip: float = 0.2, render_mode: str | None = None) -> None:
        last = n - 1
        transitions = {
            pad: {
                0: [(1.0, min(pad + 1, last), -1.0, pad + 1 >= last)],
                1: [(1.0 - slip, min(pad + 3, last), -1.0, pad + 3 >= last), (slip, 0, -10.0, False)],
            }
            for pad in range(n)
        }
        pads = Panel(states=np.arange(n).reshape(1, n), cells=np.array([["S"] + ["."] * (n - 2) + ["G"]]))
        layout = Layout(panels=(pads,), action_names=("hop", "leap"))  # optional: how to draw values and policies
        initial = [1.0] + [0.0] * last
        super().__init__(FiniteMDP.from_transitions(transitions, initial, name="Frog-v0", layout=layout), render_mode)


gym.register("Frog-v0", entry_point="my_env:FrogEnv", max_episode_steps=100)
