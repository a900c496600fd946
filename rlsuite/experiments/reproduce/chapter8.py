"""Chapter 8: Dyna-Q in a maze (figure 8.2) and in mazes that change (figures 8.4 and 8.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.experiments.figures import INK
from rlsuite.experiments.reproduce.plots import curve, level, panels
from rlsuite.experiments.reproduce.reproduction import (
    NO_LIMIT,
    Check,
    Data,
    Reproduction,
    make_agent,
    mean_and_error,
    near,
    over_seeds,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# -- figure 8.2 --------------------------------------------------------------------------------------------------------

PLANNING = {0: (21, 30), 5: (4, 6), 50: (2, 4)}  # updates per step: when episodes come to 21 steps or fewer
NEAR_OPTIMAL = 21


def dyna_maze(seeds: int, quick: bool) -> Data:
    mdp = FiniteMDP.from_env("rlsuite/DynaMaze-v0")
    data: Data = {}
    for n in PLANNING:

        def lengths(seed: int, n: int = n) -> NDArray[np.int64]:
            run = make_agent(
                "dyna-q", mdp=mdp, seed=seed, gamma=0.95, alpha=0.1, epsilon=0.1, planning_steps=n,
                time_limit=NO_LIMIT,
            )  # fmt: skip
            run.learn(total_episodes=50)
            return np.asarray(run.episode_lengths)

        data[f"n={n}"], data[f"n={n} error"] = mean_and_error(over_seeds(lengths, seeds))
    return data


def draw_dyna_maze(data: Data) -> Figure:
    figure, ((axes,),) = panels(1, 1, 4.8, 3.1)
    names = {0: "0 planning steps (Q-learning)", 5: "5 planning steps", 50: "50 planning steps"}
    for i, n in enumerate(PLANNING):
        curve(axes, i, np.arange(2, 51), data[f"n={n}"][1:], names[n], data[f"n={n} error"][1:])
    level(axes, 14, "shortest path: 14", above=False)
    axes.set(xlabel="episodes", ylabel="steps per episode", xlim=(2, 50), ylim=(-60, 800))
    axes.legend()
    return figure


def check_dyna_maze(data: Data) -> list[Check]:
    about = {0: 25, 5: 5, 50: 3}
    found = []
    for n, (low, high) in PLANNING.items():
        reached = 1 + int(np.argmax(data[f"n={n}"] <= NEAR_OPTIMAL))
        found.append(
            Check(f"first episode of {NEAR_OPTIMAL} steps or fewer, n = {n}", reached, f"book: about {about[n]}", low,
                  high)
        )  # fmt: skip
    last = float(data["n=50"][-10:].mean())
    return [*found, Check("steps of episodes 41–50, n = 50", last, "14, and a few from exploring", 14.0, 18.0)]


figure_8_2 = Reproduction(
    dyna_maze,
    draw_dyna_maze,
    check_dyna_maze,
    "Dyna-Q in the maze of example 8.1, epsilon = 0.1, alpha = 0.1, gamma = 0.95: the more updates are planned from "
    "the learned model after each step, the fewer episodes are needed. The first episode (about 1,700 steps in the "
    "book, the same for all) lies outside. Bands are two standard errors.",
)

# -- figures 8.4 and 8.5 -----------------------------------------------------------------------------------------------

AGENTS = ("dyna-q-plus", "dyna-q")


def rewards(env: str, steps: int, seeds: int, **options: Any) -> Data:
    """Cumulative reward of both agents after every 10 steps, mean over runs; and of each run at the end."""
    at = np.arange(0, steps + 1, 10)
    data: Data = {"steps": at}
    for name in AGENTS:
        extra = options if name == "dyna-q-plus" else {k: v for k, v in options.items() if k != "kappa"}

        def collected(seed: int, name: str = name, extra: dict[str, Any] = extra) -> NDArray[np.int64]:
            run = make_agent(name, env, seed=seed, gamma=0.95, epsilon=0.1, **extra).learn(steps)
            return np.searchsorted(np.cumsum(run.episode_lengths), at, side="right")  # each episode pays 1

        runs = np.array(over_seeds(collected, seeds))
        data[name], data[f"{name} error"] = mean_and_error(runs)
    return data


def draw_rewards(data: Data, change: int, what: str) -> Figure:
    figure, ((axes,),) = panels(1, 1, 4.8, 3.1)
    for i, name in enumerate(AGENTS):
        curve(axes, i, data["steps"], data[name], name, data[f"{name} error"])
    axes.axvline(change, color=INK, lw=0.9, ls=(0, (4, 3)))
    axes.annotate(what, (change, 0.98), xycoords=axes.get_xaxis_transform(), xytext=(4, 0),
                  textcoords="offset points", va="top", fontsize=8)  # fmt: skip
    axes.set(xlabel="time steps", ylabel="cumulative reward", xlim=(0, data["steps"][-1]), ylim=(0, None))
    axes.legend(loc="center left", bbox_to_anchor=(0.0, 0.72))
    return figure


def gained(data: Data, name: str, first: int, last: int) -> float:
    """Reward collected between two times."""
    return float(data[name][last // 10] - data[name][first // 10])


def blocking(seeds: int, quick: bool) -> Data:
    return rewards("rlsuite/BlockingMaze-v0", 3000, seeds, alpha=1.0, planning_steps=10, kappa=1e-3)


def check_blocking(data: Data) -> list[Check]:
    plus, plain = (gained(data, name, 1000, 3000) for name in AGENTS)
    return [
        near("reward before the change, Dyna-Q", gained(data, "dyna-q", 0, 1000), 60, 25, "book's curve: about"),
        Check("reward of Dyna-Q+ after the change", plus, "125 at most: the path has 16 steps", 50.0, 125.0),
        Check("of Dyna-Q relative to it", plain / plus, "book: less", 0.0, 0.9),
    ]


def shortcut(seeds: int, quick: bool) -> Data:
    return rewards("rlsuite/ShortcutMaze-v0", 6000, seeds, alpha=1.0, planning_steps=10, kappa=1e-3)


def check_shortcut(data: Data) -> list[Check]:
    plus, plain = (gained(data, name, 5000, 6000) for name in AGENTS)
    return [
        Check("reward per 1000 steps before the shortcut, Dyna-Q", gained(data, "dyna-q", 2000, 3000),
              "62 at most: the path has 16 steps", 35.0, 62.5),
        Check("in the last 1000 steps, Dyna-Q+", plus, "100 at most: the shortcut has 10 steps", 62.5, 100.0),
        Check("in the last 1000 steps, Dyna-Q", plain, "book: never finds the shortcut", 35.0, 62.5),
    ]  # fmt: skip


figure_8_4 = Reproduction(
    blocking,
    lambda data: draw_rewards(data, 1000, "the short way closes"),
    check_blocking,
    "The blocking maze: after 1000 steps the short way is closed and a longer one opened. Dyna-Q goes on trusting its "
    "model; Dyna-Q+ is drawn to what it has not tried for long. epsilon = 0.1, alpha = 1, 10 planning steps, "
    "kappa = 0.001. Bands are two standard errors.",
)
figure_8_5 = Reproduction(
    shortcut,
    lambda data: draw_rewards(data, 3000, "a shortcut opens"),
    check_shortcut,
    "The shortcut maze: after 3000 steps a shorter way opens, the old one stays. Only Dyna-Q+ finds it. epsilon = 0.1, "
    "alpha = 1, 10 planning steps, kappa = 0.001. Bands are two standard errors.",
)
