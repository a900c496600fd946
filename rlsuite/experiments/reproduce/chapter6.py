"""Chapter 6: TD against Monte Carlo (example 6.2), windy grid (6.5), cliff (6.6), maximisation bias (figure 6.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.experiments.figures import INK, MUTED, pen
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
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# -- example 6.2 -------------------------------------------------------------------------------------------------------

WALK_TRUTH = np.arange(1, 6) / 6
SNAPSHOTS = (0, 1, 10, 100)
LEARNERS = (
    *(("td", alpha) for alpha in (0.05, 0.1, 0.15)),
    *(("mc-prediction", alpha) for alpha in (0.01, 0.02, 0.03, 0.04)),
)


def random_walk(seeds: int, quick: bool) -> Data:
    """Values of TD(0) after some episodes, one run; RMS error of TD(0) and constant-alpha Monte Carlo, many runs."""
    mdp = FiniteMDP.from_env("rlsuite/RandomWalk5-v0")

    def learner(name: str, alpha: float, seed: int) -> Any:
        options: dict[str, Any] = {"alpha_power": 0.0, "visit": "every"} if name == "mc-prediction" else {}
        return make_agent(
            name, mdp=mdp, seed=seed, gamma=1.0, alpha=alpha, initial_value=0.5, time_limit=NO_LIMIT, **options
        )

    one = learner("td", 0.1, 0)
    snapshots = []
    for n in SNAPSHOTS:
        if n:
            one.learn(total_episodes=n - one.num_episodes)
        snapshots.append(one.state_values[1:6].copy())

    curves = []
    for name, alpha in LEARNERS:

        def errors(seed: int, name: str = name, alpha: float = alpha) -> list[float]:
            run = learner(name, alpha, seed)
            return [rms(run), *(rms(run.learn(total_episodes=1)) for _ in range(100))]

        curves.append(mean_and_error(over_seeds(errors, seeds)))
    mean, standard_error = map(np.array, zip(*curves, strict=True))
    return {"snapshots": np.array(snapshots), "rms": mean, "standard_error": standard_error}


def rms(run: Any) -> float:
    return float(np.sqrt(np.mean((run.state_values[1:6] - WALK_TRUTH) ** 2)))


def draw_random_walk(data: Data) -> Figure:
    figure, ((left, right),) = panels(1, 2, 3.9, 3.2)
    for i, (n, values) in enumerate(zip(SNAPSHOTS, data["snapshots"], strict=True)):
        curve(left, i, range(5), values, f"{n} episode{'s' * (n != 1)}", marker="o", ms=3.5)
    left.plot(range(5), WALK_TRUTH, color=INK, lw=1.3, ls=(0, (4, 2)), label="true values")
    left.set_xticks(range(5), "ABCDE")
    left.set(xlabel="state", ylabel="estimated value", title="TD(0), one run, alpha = 0.1")
    left.legend()
    for i, (name, alpha) in enumerate(LEARNERS):
        td = name == "td"
        fade = 1.0 - 0.25 * (i if td else i - 3)
        right.plot(data["rms"][i], color=pen(0 if td else 1).color, alpha=fade, lw=1.5,
                   label=f"{'TD' if td else 'MC'}  alpha = {alpha}")  # fmt: skip
    right.set(xlabel="episodes", ylabel="RMS error over states", title="mean over runs", xlim=(0, 100), ylim=(0, 0.32))
    right.legend(ncols=2, fontsize=7.5, loc="upper right")
    return figure


def check_random_walk(data: Data) -> list[Check]:
    means = data["rms"]
    td, mc = means[:3].mean(axis=1).min(), means[3:].mean(axis=1).min()
    return [
        near("RMS error before learning", means[0, 0], np.sqrt(1 / 18), 1e-9, "exact"),
        Check("error over 100 episodes, best TD relative to best MC", float(td / mc), "book: TD consistently better",
              0.0, 0.95),
        Check("error of TD with alpha = 0.15 relative to 0.05, after 10 episodes", float(means[2, 10] / means[0, 10]),
              "book: below 1", 0.0, 1.0),
        Check("the same after 100 episodes", float(means[2, -1] / means[0, -1]), "book: above 1", 1.0, 3.0),
    ]  # fmt: skip


example_6_2 = Reproduction(
    random_walk,
    draw_random_walk,
    check_random_walk,
    "The random walk of five states: values that TD(0) has learned after some episodes (left), and the error of "
    "TD(0) and constant-alpha every-visit Monte Carlo, all values starting at 0.5 (right).",
)

# -- example 6.5 -------------------------------------------------------------------------------------------------------

STEPS, EVERY = 8000, 100


def windy(seeds: int, quick: bool) -> Data:
    """Episodes that SARSA has finished after each step; the exact length of optimal episodes with exploration."""
    env = "rlsuite/WindyGridWorld-v0"
    mdp = FiniteMDP.from_env(env)

    def finished(seed: int) -> NDArray[np.int64]:
        run = make_agent("sarsa", mdp=mdp, seed=seed, gamma=1.0, alpha=0.5, epsilon=0.1, time_limit=NO_LIMIT)
        lengths = run.learn(STEPS).episode_lengths
        return np.searchsorted(np.cumsum(lengths), np.arange(0, STEPS + 1, EVERY), side="right")

    runs = over_seeds(finished, seeds)
    optimum = make_agent("policy-iteration", env, gamma=1.0).learn()
    soft = 0.9 * optimum.target_policy() + 0.1 / mdp.n_actions
    exploring = make_agent("policy-evaluation", env, gamma=1.0, policy=soft, tol=1e-6).learn()
    start = int(mdp.initial.argmax())
    return {
        "episodes": np.array(runs),
        "lengths": -np.array([optimum.state_values[start], exploring.state_values[start]]),
        "path": greedy_path(mdp, optimum.action_values),
    }


def greedy_path(mdp: FiniteMDP, q: NDArray[np.float64], most: int = 200) -> NDArray[np.int64]:
    """States from the start to the end under greedy actions of a deterministic MDP (at most ``most`` of them)."""
    path = [int(mdp.initial.argmax())]
    while len(path) < most:
        j = mdp.offset[path[-1] * mdp.n_actions + int(q[path[-1]].argmax())]
        path.append(int(mdp.next_state[j]))
        if mdp.terminated[j]:
            break
    return np.array(path)


def draw_windy(data: Data) -> Figure:
    figure, ((left, right),) = panels(1, 2, 3.9, 3.0)
    steps = np.arange(0, STEPS + 1, EVERY)
    for run in data["episodes"][1:30]:
        left.plot(steps, run, color=pen(0).color, lw=0.6, alpha=0.15)
    curve(left, 0, steps, data["episodes"].mean(axis=0), "mean of all runs")
    curve(left, 1, steps, data["episodes"][0], "one run", lw=1.2)
    left.set(xlabel="time steps", ylabel="episodes finished", xlim=(0, STEPS), ylim=(0, None))
    left.legend()
    grid_map(right, 7, 10, 30, 37)
    route(right, data["path"], 10, pen(2).color, "")
    for col, strength in enumerate((0, 0, 0, 1, 1, 1, 2, 2, 1, 0)):
        right.text(col, 6.85, str(strength), ha="center", va="center", fontsize=8, color=MUTED)
    right.set_title("an optimal path (numbers: upward wind)", fontsize=9.5)
    return figure


def grid_map(axes: Axes, rows: int, cols: int, start: int, goal: int) -> None:
    """An empty grid of cells, row 0 on top."""
    axes.set(xlim=(-0.55, cols - 0.45), ylim=(rows - 0.45, -0.55), aspect="equal")
    axes.set_xticks(np.arange(-0.5, cols), labels=[])
    axes.set_yticks(np.arange(-0.5, rows), labels=[])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for name, state in (("S", start), ("G", goal)):
        axes.text(
            state % cols, state // cols, name, ha="center", va="center", fontsize=9, weight="bold", zorder=5,
            bbox={"boxstyle": "round,pad=0.2", "fc": "white", "ec": MUTED, "lw": 0.8},
        )  # fmt: skip


def route(axes: Axes, path: NDArray[np.int64], cols: int, colour: str, label: str, shift: float = 0.0) -> None:
    """A line through the cells of a path."""
    row, col = np.divmod(path, cols)
    axes.plot(col + shift, row, color=colour, lw=2, label=label, solid_joinstyle="round", marker=".", ms=5)


def check_windy(data: Data) -> list[Check]:
    finished = data["episodes"][:, -1]
    spread = float(finished.std())
    optimum, exploring = data["lengths"]
    return [
        near("steps of an optimal episode", optimum, 15, 1e-6, "book"),
        near("with epsilon = 0.1 around it, expected steps", exploring, 17, 0.5, "book: about"),
        near("episodes after 8000 steps, mean", finished.mean(), 170, max(2 * spread, 10), "book's one run: about"),
    ]


example_6_5 = Reproduction(
    windy,
    draw_windy,
    check_windy,
    "SARSA in the windy gridworld, epsilon = 0.1, alpha = 0.5: the steeper the curve, the shorter the episodes. Faint "
    "lines are single runs.",
)

# -- example 6.6 -------------------------------------------------------------------------------------------------------

CLIFF = (("sarsa", -26.5, 17), ("q-learning", -49.6, 13), ("expected-sarsa", -20.7, 15))


def cliff(seeds: int, quick: bool) -> Data:
    mdp = FiniteMDP.from_env("CliffWalking-v1")
    data: Data = {}
    for name, _, length in CLIFF:

        def learn(seed: int, name: str = name) -> Any:
            run = make_agent(name, mdp=mdp, seed=seed, gamma=1.0, alpha=0.5, epsilon=0.1, time_limit=NO_LIMIT)
            run.learn(total_episodes=500)
            return run.episode_returns, greedy_path(mdp, run.action_values)

        returns, paths = zip(*over_seeds(learn, seeds), strict=True)
        data[name], data[f"{name} error"] = mean_and_error(returns)
        data[f"{name} late"] = np.array([each[400:].mean() for each in returns])
        data[f"{name} lengths"] = np.array([len(path) - 1 for path in paths])
        data[f"{name} path"] = next((path for path in paths if len(path) - 1 == length), paths[0])
    return data


def draw_cliff(data: Data) -> Figure:
    figure, ((left, right),) = panels(1, 2, 3.9, 3.0)
    window = np.ones(10) / 10
    for i, (name, _, _) in enumerate(CLIFF):
        curve(left, i, np.arange(5, 496), np.convolve(data[name], window, "valid"), name, lw=1.3)
    left.set(xlabel="episodes", ylabel="sum of rewards (mean of 10 episodes)", xlim=(0, 500), ylim=(-100, 0))
    left.legend(loc="lower right")
    grid_map(right, 4, 12, 36, 47)
    right.fill_between([0.5, 10.5], 2.5, 3.5, color=MUTED, alpha=0.3, lw=0)
    right.text(5.5, 3, "the cliff", ha="center", va="center", fontsize=9)
    for i, (name, _, _) in enumerate(CLIFF):
        path = data[f"{name} path"]
        route(right, path, 12, pen(i).color, f"{name}: {len(path) - 1} steps", 0.14 * (i - 1))
    right.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=8)
    return figure


def check_cliff(data: Data) -> list[Check]:
    found = []
    for name, expected, length in CLIFF:
        late = data[f"{name} late"]
        tolerance = 3 * float(late.std()) * np.sqrt(1 / len(late) + 1 / 60)  # the reference has 60 runs
        found.append(
            near(f"{name}: return of episodes 400–500", late.mean(), expected, tolerance, "reference, 60 runs")
        )
        usual = np.bincount(data[f"{name} lengths"]).argmax()
        found.append(near(f"{name}: most frequent length of its greedy path", usual, length, 0, "reference"))
    return found


example_6_6 = Reproduction(
    cliff,
    draw_cliff,
    check_cliff,
    "Cliff walking, epsilon = 0.1, alpha = 0.5: Q-learning learns the shortest path, along the edge, and falls off "
    "while it explores; SARSA learns a safer one. The book's figure shows about −25 and −50; the references were "
    "simulated independently. Expected SARSA is added.",
)

# -- figure 6.5 --------------------------------------------------------------------------------------------------------

BIAS = ("q-learning", "double-q-learning")


def maximisation_bias(seeds: int, quick: bool) -> Data:
    """Share of runs that go left in each episode: such an episode has two steps, one to the right has one."""
    mdp = FiniteMDP.from_env("rlsuite/MaximizationBias-v0")
    data: Data = {}
    for name in BIAS:

        def went_left(seed: int, name: str = name) -> NDArray[np.bool_]:
            run = make_agent(name, mdp=mdp, seed=seed, gamma=1.0, alpha=0.1, epsilon=0.1)
            return run.learn(total_episodes=300).episode_lengths == 2

        data[name], data[f"{name} error"] = mean_and_error(over_seeds(went_left, seeds))
    return data


def draw_maximisation_bias(data: Data) -> Figure:
    figure, ((axes,),) = panels(1, 1, 4.8, 3.1)
    for i, name in enumerate(BIAS):
        curve(axes, i, np.arange(1, 301), 100 * data[name], name, 100 * data[f"{name} error"], lw=1.3)
    level(axes, 5.0, "optimal: 5 %", above=False)
    axes.set(xlabel="episodes", ylabel="% left actions from A", xlim=(1, 300), ylim=(-6, 100))
    axes.legend()
    return figure


def check_maximisation_bias(data: Data) -> list[Check]:
    q, double = (100 * data[name] for name in BIAS)
    error = 100 * float(data["q-learning error"].max())
    book = "reference, with the book's two actions:"
    return [
        Check("Q-learning, % left at its peak", float(q.max()), f"{book} 94", 80.0, 100.0),
        Check("Q-learning, % left in episodes 280–300", float(q[-20:].mean()), f"{book} 12", 5.0 - error, 25.0),
        Check("double Q-learning, % left in episodes 280–300", float(double[-20:].mean()), f"{book} 6.5", 5.0 - error,
              10.0 + error),
        Check("double Q-learning, largest % after episode 50", float(double[50:].max()), "book: falls quickly",
              0.0, 50.0),
    ]  # fmt: skip


figure_6_5 = Reproduction(
    maximisation_bias,
    draw_maximisation_bias,
    check_maximisation_bias,
    "Q-learning and double Q-learning in the maximisation-bias problem, epsilon = 0.1, alpha = 0.1. Our environment "
    "has the same number of actions in both states (half of those in A go left), so the curves differ somewhat from "
    "the book's, whose A has two actions; the effect is the same.",
)
