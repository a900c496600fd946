"""``rlsuite train``: one agent, recorded."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rlsuite.cli.arguments import add_env_kwargs, add_set, positive_int, seed


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "train",
        help="train one agent and record the run",
        description="Train one agent; the run lands in OUT/ENV/ALGO/NAME-sSEED with its config, metrics, "
        "evaluations and checkpoints.",
        epilog="example:  rlsuite train --algo q-learning --env FrozenLake-v1 -n 100000 --set alpha=0.05",
    )
    parser.add_argument("--algo", required=True, metavar="NAME", help="see `rlsuite list algos`")
    parser.add_argument("--env", required=True, metavar="ID", help="Gymnasium id, or my_module:My-v0")
    parser.add_argument("-n", "--n-timesteps", type=positive_int, default=100_000, metavar="N", help="default: 100000")
    parser.add_argument("--seed", type=seed, default=0, metavar="K", help="default: 0")
    add_set(parser, grid=False)
    add_env_kwargs(parser)
    parser.add_argument(
        "--eval-freq", type=positive_int, default=10_000, metavar="N", help="steps between evaluations (default: 10000)"
    )
    parser.add_argument(
        "--eval-episodes", type=positive_int, default=20, metavar="N", help="per evaluation (default: 20)"
    )
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR", help="default: runs")
    parser.add_argument("--name", help="of the run (default: run1, run2 …)")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Train, showing progress; say where the run is."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from rlsuite.cli.console import OutputConsole
    from rlsuite.experiments.env_arguments import parse_env_kwargs
    from rlsuite.experiments.settings import values_for
    from rlsuite.experiments.training import Report, TrainingPlan, train

    console = OutputConsole()
    plan = TrainingPlan(
        env_id=arguments.env,
        algo=arguments.algo,
        n_timesteps=arguments.n_timesteps,
        seed=arguments.seed,
        values=values_for(arguments.algo, arguments.assignments),
        env_kwargs=parse_env_kwargs([arguments.env], arguments.env_kwargs)[arguments.env],
        eval_freq=min(arguments.eval_freq, arguments.n_timesteps),
        eval_episodes=arguments.eval_episodes,
        out=arguments.out,
        name=arguments.name,
    )
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    reports: list[Report] = []
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(arguments.algo, total=plan.n_timesteps)

        def show(report: Report) -> None:
            reports.append(report)
            evaluation = f"eval {report.metrics['eval/mean_reward']:.2f}"
            bar.update(task, completed=report.timesteps, description=f"{arguments.algo}  {evaluation}")

        _, folder = train(plan, show)
    _print_summary(console, reports[-1].metrics)
    console.print(f"run: {folder}", highlight=False, markup=False, soft_wrap=True)
    return 0


def _print_summary(console: Any, metrics: dict[str, float]) -> None:
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    for name in sorted(metrics):
        value = metrics[name]
        table.add_row(name, f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4g}")
    console.print(table)
