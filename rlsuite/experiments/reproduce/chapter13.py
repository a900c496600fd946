"""Chapter 13: REINFORCE in the short corridor (figure 13.1), and with a baseline (figure 13.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.experiments.reproduce.plots import curve, level, panels
from rlsuite.experiments.reproduce.reproduction import (
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

EPISODES = 1000
RIGHT = 1
P_START = 0.05  # probability of right at first, as the epsilon-greedy policy that prefers left
BEST = -6 - 4 * np.sqrt(2)  # value of the start at p = 2 - sqrt 2


def value(p: float) -> float:
    """Exact value of the start when right has probability ``p`` everywhere."""
    return (2 * p - 4) / (p * (1 - p))


def corridor(settings: dict[str, dict[str, Any]], seeds: int) -> Data:
    """Total reward of each episode, mean over runs."""
    mdp = FiniteMDP.from_env("rlsuite/ShortCorridor-v0")
    data: Data = {}
    for name, options in settings.items():

        def returns(seed: int, options: dict[str, Any] = options) -> NDArray[np.float64]:
            run = make_agent("tabular-reinforce", mdp=mdp, seed=seed, gamma=1.0, **options)
            run.memory.theta[0, RIGHT] = np.log(P_START / (1 - P_START))
            return run.learn(total_episodes=EPISODES).episode_returns

        data[name], data[f"{name} error"] = mean_and_error(over_seeds(returns, seeds))
    return data


def draw(data: Data) -> Figure:
    figure, ((axes,),) = panels(1, 1, 4.8, 3.1)
    window = np.ones(10) / 10
    names = [name for name in data if not name.endswith(" error")]
    for i, name in enumerate(names):
        curve(axes, i, np.arange(5, EPISODES - 4), np.convolve(data[name], window, "valid"), name, lw=1.2)
    level(axes, BEST, f"optimum: {BEST:.1f}".replace("-", "−"))
    axes.set(xlabel="episodes", ylabel="total reward (mean of 10 episodes)", xlim=(0, EPISODES), ylim=(-90, 0))
    axes.legend(loc="lower right")
    return figure


def first_return(data: Data, name: str) -> Check:
    tolerance = 4 * float(data[f"{name} error"][0])
    return near("total reward of the first episode", data[name][0], value(P_START), tolerance, "exact expectation")


# -- figure 13.1 -------------------------------------------------------------------------------------------------------

STEP_SIZES = {f"alpha = 2^-{k}": {"alpha_policy": 2.0**-k, "baseline": "none"} for k in (12, 13, 14)}


def check_reinforce(data: Data) -> list[Check]:
    late = {name: float(data[name][-100:].mean()) for name in STEP_SIZES}
    slow, middle = late["alpha = 2^-14"], late["alpha = 2^-13"]
    return [
        first_return(data, "alpha = 2^-13"),
        Check("total reward of the last 100 episodes, alpha = 2^-13", middle, "book: near −11.6", -14.0, BEST + 0.3),
        Check("the same, alpha = 2^-14", slow, "book: not yet there", -40.0, middle),
    ]


figure_13_1 = Reproduction(
    lambda seeds, quick: corridor(STEP_SIZES, seeds),
    draw,
    check_reinforce,
    "REINFORCE in the short corridor with switched actions, from 5 % right. With a good step size the total reward "
    "approaches the value of the best stochastic policy, which goes right with probability 2 − √2. The largest step "
    "size is too large: some runs are caught by policies that hardly ever arrive (episodes are cut off after 1000 "
    "steps).",
)

# -- figure 13.2 -------------------------------------------------------------------------------------------------------

BASELINES: dict[str, dict[str, Any]] = {
    "with baseline, alpha = 2^-9": {"alpha_policy": 2.0**-9, "alpha_value": 2.0**-6, "baseline": "state-value"},
    "without, alpha = 2^-13": {"alpha_policy": 2.0**-13, "baseline": "none"},
}


def check_baseline(data: Data) -> list[Check]:
    baseline, plain = BASELINES
    area = {name: float(data[name][:400].mean()) for name in BASELINES}
    return [
        first_return(data, plain),
        Check("mean total reward of episodes 1–400 with baseline", area[baseline], "book: rises at once", -25.0, BEST),
        Check("the same without", area[plain], "book: rises slowly", -70.0, area[baseline] - 2.0),
        Check("last 100 episodes, with baseline", float(data[baseline][-100:].mean()), "book: near −11.6", -14.0,
              BEST + 0.3),
    ]  # fmt: skip


figure_13_2 = Reproduction(
    lambda seeds, quick: corridor(BASELINES, seeds),
    draw,
    check_baseline,
    "A learned baseline lets REINFORCE take larger steps in the short corridor: it learns much faster. The step size "
    "of the baseline is 2^-6.",
)
