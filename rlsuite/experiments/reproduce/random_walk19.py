"""Chapters 7 and 12: prediction on the 19-state random walk, by step size (figures 7.2, 12.6 and 12.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.experiments.reproduce.plots import curve, panels
from rlsuite.experiments.reproduce.reproduction import (
    NO_LIMIT,
    Check,
    Data,
    Reproduction,
    make_agent,
    mean_and_error,
    over_seeds,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRUTH = np.arange(-18, 20, 2) / 20
EPISODES = 10


def sweep(name: str, settings: list[dict[str, Any]], seeds: int) -> tuple[Any, Any]:
    """RMS error over states, episodes 1–10 and runs, for each setting; and its standard error."""
    mdp = FiniteMDP.from_env("rlsuite/RandomWalk19-v0")

    def one_run(seed: int) -> list[float]:
        return [walk_error(name, mdp, seed, setting) for setting in settings]

    return mean_and_error(over_seeds(one_run, seeds))


def walk_error(name: str, mdp: FiniteMDP, seed: int, setting: dict[str, Any]) -> float:
    run = make_agent(name, mdp=mdp, seed=seed, gamma=1.0, time_limit=NO_LIMIT, **setting)
    total = 0.0
    for _ in range(EPISODES):
        run.learn(total_episodes=1)
        error = np.clip(run.state_values[1:20] - TRUTH, -1e3, 1e3)  # large steps may diverge
        total += np.sqrt(np.mean(error**2))
    return float(total) / EPISODES


def sweep_of(
    name: str, field: str, values: tuple[Any, ...], seeds: int, n_alphas: int, most: dict[Any, float], **options: Any
) -> Data:
    """A table ``(values, alphas)`` of errors; ``most`` caps alpha where larger steps leave the figure."""
    alphas = np.array([np.linspace(0, most.get(value, 1.0), n_alphas) for value in values])
    alphas[:, 0] = 0.01 * alphas[:, -1]  # a step size of 0 learns nothing
    settings = [
        {field: value, "alpha": float(alpha), **options}
        for value, row in zip(values, alphas, strict=True)
        for alpha in row
    ]
    mean, standard_error = sweep(name, settings, seeds)
    return {"alphas": alphas, "rms": mean.reshape(alphas.shape), "standard_error": standard_error.reshape(alphas.shape)}


def draw_sweep(axes: Axes, labels: list[str], alphas: Any, table: Any) -> None:
    for i, label in enumerate(labels):
        curve(axes, i, alphas[i], table[i], label, lw=1.4)
    axes.set(xlabel="alpha", ylabel="RMS error, first 10 episodes", xlim=(0, 1), ylim=(0.24, 0.56))


def best(data: Data, row: int, prefix: str = "") -> tuple[float, float, float]:
    """Smallest error in a row, its standard error, and the alpha where it is."""
    at = int(data[f"{prefix}rms"][row].argmin())
    return tuple(float(data[f"{prefix}{key}"][row, at]) for key in ("rms", "standard_error", "alphas"))  # type: ignore[return-value]


def check_best(
    data: Data, row: int, what: str, expected: float, runs: int, prefix: str = "", grid: float = 0.004
) -> Check:
    """The best error of a row against that of an independent simulation with so many runs, with a finer grid."""
    found, error, alpha = best(data, row, prefix)
    n = 3 * error * np.sqrt(1 + data["seeds"].item() / runs)
    return Check(f"least error, {what} (at alpha = {alpha:.2g})", found, f"reference {expected}", expected - n - grid,
                 expected + n + 2 * grid)  # fmt: skip


# -- figure 7.2 --------------------------------------------------------------------------------------------------------

STEPS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
N_STEP_BEST = {1: 0.346, 2: 0.279, 4: 0.265, 8: 0.279, 16: 0.315}  # simulated independently, 100 runs
N_STEP_MOST = {32: 0.5, 64: 0.3, 128: 0.2, 256: 0.2, 512: 0.2}


def n_step(seeds: int, quick: bool) -> Data:
    steps = STEPS[:5] if quick else STEPS
    data = sweep_of("n-step-td", "n", steps, seeds, 11 if quick else 21, N_STEP_MOST)
    return {**data, "n": np.array(steps), "seeds": np.array(seeds)}


def draw_n_step(data: Data) -> Figure:
    figure, ((axes,),) = panels(1, 1, 5.4, 3.6)
    draw_sweep(axes, [f"n = {n}" for n in data["n"]], data["alphas"], data["rms"])
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def check_n_step(data: Data) -> list[Check]:
    rows = [check_best(data, i, f"n = {n}", N_STEP_BEST[int(n)], 100) for i, n in enumerate(data["n"][:5])]
    least = int(data["n"][data["rms"].min(axis=1).argmin()])
    return [*rows, Check("n with the least error", least, "book 4", 4, 4)]


figure_7_2 = Reproduction(
    n_step,
    draw_n_step,
    check_n_step,
    "n-step TD on the 19-state random walk: error of the values over the first ten episodes, by step size, all values "
    "starting at 0. An intermediate n is best.",
)

# -- figures 12.6 and 12.8 ---------------------------------------------------------------------------------------------

LAMBDAS = (0.0, 0.4, 0.8, 0.9, 0.95, 0.975, 0.99, 1.0)
ACCUMULATING_MOST = {0.8: 0.9, 0.9: 0.56, 0.95: 0.34, 0.975: 0.2, 0.99: 0.12, 1.0: 0.08}


def accumulating(seeds: int, quick: bool) -> Data:
    chosen = (0.0, 0.4, 0.8, 0.9) if quick else LAMBDAS
    data = sweep_of("td-lambda", "lambda_", chosen, seeds, 11 if quick else 21, ACCUMULATING_MOST)
    return {**data, "lambdas": np.array(chosen), "seeds": np.array(seeds)}


def true_online(seeds: int, quick: bool) -> Data:
    chosen = (0.0, 0.4, 0.8, 0.9) if quick else LAMBDAS
    data: Data = {"lambdas": np.array(chosen), "seeds": np.array(seeds)}
    for trace in ("dutch", "replacing"):
        found = sweep_of("td-lambda", "lambda_", chosen, seeds, 11 if quick else 17, {}, trace=trace)
        data |= {f"{trace} {key}": table for key, table in found.items()}
    data["accumulating at 0.9, 0.4"], _ = sweep("td-lambda", [{"lambda_": 0.9, "alpha": 0.4}], seeds)
    return data


def draw_accumulating(data: Data) -> Figure:
    figure, ((axes,),) = panels(1, 1, 5.4, 3.6)
    draw_sweep(axes, [f"lambda = {value:g}" for value in data["lambdas"]], data["alphas"], data["rms"])
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def draw_true_online(data: Data) -> Figure:
    figure, ((left, right),) = panels(1, 2, 4.2, 3.5, sharey=True)
    labels = [f"lambda = {value:g}" for value in data["lambdas"]]
    for axes, trace, title in ((left, "dutch", "true online TD(λ)"), (right, "replacing", "replacing traces")):
        draw_sweep(axes, labels, data[f"{trace} alphas"], data[f"{trace} rms"])
        axes.set_title(title, fontsize=9.5)
    right.set_ylabel("")
    right.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def check_accumulating(data: Data) -> list[Check]:
    least = float(data["lambdas"][data["rms"].min(axis=1).argmin()])
    return [
        check_best(data, 0, "lambda = 0", 0.343, 30),
        check_best(data, 2, "lambda = 0.8", 0.260, 30),
        Check("lambda with the least error", least, "book: intermediate", 0.4, 0.95),
    ]


def check_true_online(data: Data) -> list[Check]:
    lambdas = data["lambdas"]
    least = float(lambdas[data["dutch rms"].min(axis=1).argmin()])
    row, middle = int(np.argmax(lambdas == 0.9)), int(np.argmin(np.abs(data["dutch alphas"][0] - 0.4)))
    return [
        check_best(data, 0, "true online, lambda = 0", 0.343, 30, "dutch "),
        check_best(data, 2, "true online, lambda = 0.8", 0.254, 30, "dutch "),
        Check("lambda with the least error, true online", least, "book: intermediate", 0.4, 0.95),
        Check("error of true online relative to accumulating traces, lambda = 0.9, alpha = 0.4",
              float(data["dutch rms"][row, middle] / data["accumulating at 0.9, 0.4"][0]), "book: below 1", 0.0, 0.85),
    ]  # fmt: skip


figure_12_6 = Reproduction(
    accumulating,
    draw_accumulating,
    check_accumulating,
    "TD(lambda) with accumulating traces on the 19-state random walk, measured as in figure 7.2: large step sizes "
    "diverge when lambda is large. (The book's figure also has the off-line lambda-return algorithm, which the suite "
    "leaves out.)",
)
figure_12_8 = Reproduction(
    true_online,
    draw_true_online,
    check_true_online,
    "True online TD(lambda), which is the book's online lambda-return algorithm computed step by step, and "
    "TD(lambda) with replacing traces, on the 19-state random walk. Both bear larger step sizes than accumulating "
    "traces.",
)
