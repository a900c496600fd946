"""Layouts of Gymnasium's own toy-text environments, so that values and policies can be drawn on their maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

from rlsuite.envs.finite.layout import Layout, Panel

UP, RIGHT, DOWN, LEFT, NONE = (-1, 0), (0, 1), (1, 0), (0, -1), (0, 0)


def layout_of(env: gym.Env[Any, Any]) -> Layout | None:
    """How to draw the states (or observation indices) of a toy-text environment; ``None`` for any other."""
    base = env.unwrapped
    build = _LAYOUTS.get(f"{type(base).__module__}.{type(base).__qualname__}")
    return build(base) if build is not None else None


def _frozen_lake(env: Any) -> Layout:
    cells = np.asarray(env.desc).astype(str)
    states = np.arange(cells.size).reshape(cells.shape)
    cells = np.where(cells == "F", ".", cells)
    return Layout((Panel(states, cells),), ("left", "down", "right", "up"), np.array([LEFT, DOWN, RIGHT, UP]))


def _cliff_walking(env: Any) -> Layout:
    states = np.arange(int(env.nS)).reshape(env.shape)
    cells = np.full(env.shape, ".")
    cells[env._cliff] = "C"
    cells.flat[int(env.start_state_index)], cells[-1, -1] = "S", "G"
    states = np.where(env._cliff, -1, states)  # the agent is never there: it is sent back to the start
    return Layout((Panel(states, cells),), ("up", "right", "down", "left"), np.array([UP, RIGHT, DOWN, LEFT]))


def _taxi(env: Any) -> Layout:
    """The taxi's place on two errands, before and after the passenger gets in; walls between cells are not shown."""
    depots = "RGYB"
    cells = np.full((5, 5), ".")
    for name, at in zip(depots, env.locs, strict=True):
        cells[at] = name
    panels = []
    for waits_at, destination in ((0, 1), (2, 3)):
        for passenger in (waits_at, 4):
            where = "in the taxi" if passenger == 4 else f"at {depots[passenger]}"
            states = np.array([[env.encode(r, c, passenger, destination) for c in range(5)] for r in range(5)])
            panels.append(Panel(states, cells, title=f"passenger {where}, to {depots[destination]}"))
    names = ("south", "north", "east", "west", "pick up", "drop off")
    return Layout(tuple(panels), names, np.array([DOWN, UP, RIGHT, LEFT, NONE, NONE]))


def _blackjack(env: Any) -> Layout:
    """Player's sum by dealer's card, as Sutton & Barto (2018), figure 5.2; indices as ``DiscreteIndex`` counts them."""
    sums, cards = np.arange(21, 10, -1), np.arange(1, 11)
    panels = []
    for usable, title in ((1, "usable ace"), (0, "no usable ace")):
        states = np.ravel_multi_index(np.broadcast_arrays(sums[:, None], cards, usable), (32, 11, 2))
        states = np.where((sums[:, None] == 11) & (usable == 1), -1, states)  # a usable ace makes 12 or more
        panels.append(
            Panel(
                states,
                np.where(states < 0, " ", "."),
                title=title,
                row_labels=tuple(str(s) for s in sums),
                col_labels=("A", *(str(c) for c in cards[1:])),
                row_name="player's sum",
                col_name="dealer shows",
            )
        )
    return Layout(tuple(panels), ("stick", "hit"))


_LAYOUTS: dict[str, Callable[[Any], Layout]] = {
    "gymnasium.envs.toy_text.frozen_lake.FrozenLakeEnv": _frozen_lake,
    "gymnasium.envs.toy_text.cliffwalking.CliffWalkingEnv": _cliff_walking,
    "gymnasium.envs.toy_text.taxi.TaxiEnv": _taxi,
    "gymnasium.envs.toy_text.blackjack.BlackjackEnv": _blackjack,
}
